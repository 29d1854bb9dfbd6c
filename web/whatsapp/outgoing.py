"""The Graph API's request for a message that goes out, by what its body holds.

Rule 1: a file that is no link is uploaded before: `file_of` says which one, `with_media_id` puts the id in.
Rule 2: what is not set is left out, never sent as null or empty.
Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
"""

from typing import Any, Final, TypeVar

import attrs

from engine import SendRefused
from engine.replies import (
    AudioBody,
    Body,
    ButtonsBody,
    CardAddress,
    CardPhone,
    ContactCard,
    ContactsBody,
    CopyCode,
    DocumentBody,
    HeaderMedia,
    ImageBody,
    Link,
    ListBody,
    LocationBody,
    MediaBody,
    MediaId,
    QuickReply,
    ReactionBody,
    Section,
    TemplateBody,
    TemplateValue,
    TextBody,
    Upload,
    UrlEnd,
    VideoBody,
)

# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
# Code points: what is longer than this is longer in any unit Meta may count in.
TEXT_CHARACTERS_MAX: Final = 4096

_Media = TypeVar("_Media", bound=MediaBody)


def message_request(
    body: Body, *, user_id: str, tracker: str, reply_to: str | None = None, is_group: bool = False
) -> dict[str, Any]:
    """The JSON of `POST /{phone number id}/messages`.

    `user_id` is a phone number in digits, a business-scoped user id, or a group's id if `is_group`.
    `tracker` comes back with every status of the message: what settles an ambiguous send.  `reply_to` is the
    id of the message that is quoted.  Raises `SendRefused` for what no request can be made of: a text that is
    longer than one message may be, a file that was not uploaded.
    """
    kind, content = _content(body)
    request = {
        "messaging_product": "whatsapp",
        "recipient_type": "group" if is_group else "individual",
        # A phone number or a group goes into `to`, a business-scoped user id into `recipient`.
        "to" if is_group or _is_phone(user_id) else "recipient": user_id,
        "type": kind,
        kind: content,
        "biz_opaque_callback_data": tracker,
    }
    return request if reply_to is None else {**request, "context": {"message_id": reply_to}}


def _is_phone(user_id: str) -> bool:
    return user_id.isascii() and user_id.isdigit()


# Files --------------------------------------------------------------------------------------------


def file_of(body: Body) -> Upload | None:
    """The file that must be uploaded before the body is sent; a body has at most one."""
    media = _media_of(body)
    return media.source if media is not None and isinstance(media.source, Upload) else None


def with_media_id(body: Body, media_id: str) -> Body:
    """The same body with what was uploaded in the place of the file."""
    if isinstance(body, MediaBody):
        return _uploaded(body, media_id)
    if isinstance(body, ButtonsBody | TemplateBody) and isinstance(body.header, HeaderMedia):
        return attrs.evolve(body, header=_uploaded(body.header, media_id))
    return body


def _uploaded(media: _Media, media_id: str) -> _Media:
    if isinstance(media, DocumentBody):
        # The name was the file's; an id has none.
        return attrs.evolve(media, source=MediaId(media_id), filename=media.shown_name)
    return attrs.evolve(media, source=MediaId(media_id))


def _media_of(body: Body) -> MediaBody | None:
    place = body.header if isinstance(body, ButtonsBody | TemplateBody) else body
    return place if isinstance(place, MediaBody) else None


# What each type holds -----------------------------------------------------------------------------


def _content(body: Body) -> tuple[str, Any]:
    """The type of the message, and what stands under that name."""
    if isinstance(body, MediaBody):
        return body.tag, _media(body)
    match body:
        case TextBody():
            return "text", _text(body)
        case ButtonsBody():
            return "interactive", _buttons(body)
        case ListBody():
            return "interactive", _list(body)
        case LocationBody():
            return "location", _location(body)
        case ContactsBody():
            return "contacts", [_card(card) for card in body.cards]
        case ReactionBody():
            return "reaction", {"message_id": body.message_id, "emoji": body.emoji}
        case TemplateBody():
            return "template", _template(body)
    raise SendRefused(f"a {type(body).__name__} cannot be sent on WhatsApp")


def _text(body: TextBody) -> dict[str, Any]:
    if len(body.text) > TEXT_CHARACTERS_MAX:
        raise SendRefused(f"a text may have {TEXT_CHARACTERS_MAX} characters, this has {len(body.text)}")
    return {"body": body.text, "preview_url": body.preview}


def _media(body: MediaBody) -> dict[str, Any]:
    match body:
        case ImageBody() | VideoBody():
            return _set(**_source(body), caption=body.caption)
        case DocumentBody():
            return _set(**_source(body), caption=body.caption, filename=body.shown_name)
        case AudioBody():
            return _set(**_source(body), voice=body.voice or None)
    return _source(body)


def _source(body: MediaBody) -> dict[str, str]:
    match body.source:
        case Link(url=url):
            return {"link": url}
        case MediaId(id=id):
            return {"id": id}
    raise SendRefused("a file must be uploaded before it is sent")


def _set(**fields: Any) -> dict[str, Any]:
    """The fields that are set, in order."""
    return {name: value for name, value in fields.items() if value is not None}


def _footer(text: str | None) -> dict[str, str] | None:
    return None if text is None else {"text": text}


def _header(header: str | MediaBody | None) -> dict[str, Any] | None:
    if isinstance(header, MediaBody):
        return {"type": header.tag, header.tag: _media(header)}
    return None if header is None else {"type": "text", "text": header}


def _buttons(body: ButtonsBody) -> dict[str, Any]:
    buttons = [
        {"type": "reply", "reply": {"id": button.id, "title": button.title}} for button in body.buttons
    ]
    return _set(
        type="button",
        header=_header(body.header),
        body={"text": body.text},
        footer=_footer(body.footer),
        action={"buttons": buttons},
    )


def _list(body: ListBody) -> dict[str, Any]:
    return _set(
        type="list",
        header=_header(body.header),
        body={"text": body.text},
        footer=_footer(body.footer),
        action={"button": body.button, "sections": [_section(section) for section in body.sections]},
    )


def _section(section: Section) -> dict[str, Any]:
    rows = [_set(id=row.id, title=row.title, description=row.description) for row in section.rows]
    return _set(title=section.title, rows=rows)


def _location(body: LocationBody) -> dict[str, Any]:
    return _set(latitude=body.latitude, longitude=body.longitude, name=body.name, address=body.address)


def _card(card: ContactCard) -> dict[str, Any]:
    # The name that is shown is not enough for every client: one of its parts must be there, too.
    first_name = card.first_name or (None if card.last_name else card.name)
    return _set(
        name=_set(formatted_name=card.name, first_name=first_name, last_name=card.last_name),
        phones=[_phone(phone) for phone in card.phones] or None,
        emails=[{"email": email} for email in card.emails] or None,
        urls=[{"url": url} for url in card.urls] or None,
        addresses=[_address(address) for address in card.addresses] or None,
        org=_set(company=card.company, department=card.department, title=card.job_title) or None,
        birthday=card.birthday,
    )


def _phone(phone: CardPhone) -> dict[str, Any]:
    return _set(phone=phone.phone, type=phone.label, wa_id=phone.user_id)


def _address(address: CardAddress) -> dict[str, Any]:
    fields = attrs.asdict(address)
    return _set(type=fields.pop("label"), **fields)


# Templates ----------------------------------------------------------------------------------------


def _template(body: TemplateBody) -> dict[str, Any]:
    components = [*_template_header(body), *_template_values(body), *_template_buttons(body)]
    return _set(name=body.name, language={"code": body.language}, components=components or None)


def _template_header(body: TemplateBody) -> list[dict[str, Any]]:
    match body.header:
        case None:
            return []
        case TemplateValue():
            parameter = _parameter(body.header)
        case LocationBody():
            parameter = {"type": "location", "location": _location(body.header)}
        case media:
            parameter = {"type": media.tag, media.tag: _media(media)}
    return [{"type": "header", "parameters": [parameter]}]


def _template_values(body: TemplateBody) -> list[dict[str, Any]]:
    parameters = [_parameter(value) for value in body.values]
    return [{"type": "body", "parameters": parameters}] if parameters else []


def _parameter(value: TemplateValue) -> dict[str, Any]:
    return _set(type="text", parameter_name=value.name, text=value.text)


def _template_buttons(body: TemplateBody) -> list[dict[str, Any]]:
    return [
        {"type": "button", "index": str(index), **_button(button)}
        for index, button in enumerate(body.buttons)
        if button is not None
    ]


def _button(button: QuickReply | UrlEnd | CopyCode) -> dict[str, Any]:
    match button:
        case QuickReply(payload=payload):
            return {"sub_type": "quick_reply", "parameters": [{"type": "payload", "payload": payload}]}
        case UrlEnd(text=text):
            return {"sub_type": "url", "parameters": [{"type": "text", "text": text}]}
        case CopyCode(code=code):
            parameters = [{"type": "coupon_code", "coupon_code": code}]
            return {"sub_type": "copy_code", "parameters": parameters}
