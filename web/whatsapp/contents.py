"""What one message of the wire holds: its object in, the engine's values out.

Rule 1: nothing raises; a field that is absent or of a wrong type is None, or empty.
Rule 2: a type that is not known here, or whose own body is of no use, is `Unknown`, never lost.
Rule 3: what goes in was cleaned (`values.cleaned`), so all that comes out can be stored.
Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.content import (
    Audio,
    ButtonReply,
    Contact,
    ContactPhone,
    Contacts,
    Content,
    Document,
    Edit,
    FlowReply,
    Image,
    ListReply,
    Location,
    Media,
    Order,
    OrderItem,
    Product,
    Profile,
    Quoted,
    Reaction,
    Referral,
    RequestWelcome,
    Revoke,
    Sticker,
    System,
    TemplateButton,
    Text,
    Unknown,
    Unsupported,
    Video,
)
from web.whatsapp.values import (
    cleaned,
    codes_of,
    cut_deep,
    id_of,
    is_visible,
    number_of,
    object_of,
    objects_of,
    phone_of,
    read_json,
    text_of,
    user_id_of,
)

# The names of types have 20 characters or so; a stranger's are cut.
TYPE_CHARACTERS_MAX: Final = 64

_Object = Mapping[str, Any]


def content_of(item: _Object) -> Content:
    """What a message holds, by its type; `item` is its object as it came, cleaned."""
    content = _known(item)
    return Unknown(type=_type_of(item)[:TYPE_CHARACTERS_MAX]) if content is None else content


def quoted_of(item: _Object) -> Quoted | None:
    """What it answers, or that it was passed on; None when it stands for itself."""
    context = object_of(item.get("context"))
    product = object_of(context.get("referred_product"))
    quoted = Quoted(
        message_id=id_of(context.get("id")),
        sender=user_id_of(context.get("from")) or user_id_of(context.get("from_user_id")),
        is_forwarded=context.get("forwarded") is True,
        is_frequently_forwarded=context.get("frequently_forwarded") is True,
        product=Product(
            catalog_id=text_of(product.get("catalog_id")) or "",
            product_id=text_of(product.get("product_retailer_id")) or "",
        )
        if product
        else None,
    )
    return quoted if quoted != Quoted() else None


def referral_of(item: _Object) -> Referral | None:
    """The advertisement or post that its chat came from."""
    given = object_of(item.get("referral"))
    referral = Referral(
        source_url=text_of(given.get("source_url")),
        source_type=text_of(given.get("source_type")),
        source_id=text_of(given.get("source_id")),
        headline=text_of(given.get("headline")),
        body=text_of(given.get("body")),
        click_id=text_of(given.get("ctwa_clid")),
    )
    return referral if referral != Referral() else None


def profile_of(contact: _Object) -> Profile | None:
    """The names in a contact of the envelope."""
    given = object_of(contact.get("profile"))
    profile = Profile(name=text_of(given.get("name")), username=text_of(given.get("username")))
    return profile if profile != Profile() else None


def _known(item: _Object) -> Content | None:
    """None: the type is not known, or its body is of no use."""
    name = _type_of(item)
    if name in _OF_ITEM:
        return _OF_ITEM[name](item)
    body = item.get(name)
    return _OF_BODY[name](body) if name in _OF_BODY and isinstance(body, dict) else None


def _type_of(item: _Object) -> str:
    return text_of(item.get("type")) or ""


# One body each ------------------------------------------------------------------------------------


def _text(body: _Object) -> Text | None:
    words = text_of(body.get("body"))
    # Nothing to answer, nothing to interrupt for; an assistant would be asked about nothing.
    return Text(body=words) if words and is_visible(words) else None


def _media(made: type[Media], body: _Object, **more: Any) -> Media | None:
    media = made(
        id=id_of(body.get("id")) or "",
        mime_type=text_of(body.get("mime_type")),
        sha256=text_of(body.get("sha256")),
        url=text_of(body.get("url")),
        caption=text_of(body.get("caption")),
        **more,
    )
    return media if media.id or media.url or media.caption else None


def _location(body: _Object) -> Location | None:
    latitude, longitude = number_of(body.get("latitude")), number_of(body.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return Location(
        latitude=latitude,
        longitude=longitude,
        name=text_of(body.get("name")),
        address=text_of(body.get("address")),
        url=text_of(body.get("url")),
    )


def _interactive(body: _Object) -> Content | None:
    name = text_of(body.get("type"))
    if name is None:
        return None
    reply = body.get(name)
    content = _OF_REPLY[name](reply) if name in _OF_REPLY and isinstance(reply, dict) else None
    return Unknown(type=f"interactive/{name}"[:TYPE_CHARACTERS_MAX]) if content is None else content


def _button_reply(reply: _Object) -> ButtonReply | None:
    choice = ButtonReply(id=text_of(reply.get("id")) or "", title=text_of(reply.get("title")) or "")
    return choice if choice.id or choice.title else None


def _list_reply(reply: _Object) -> ListReply | None:
    choice = ListReply(
        id=text_of(reply.get("id")) or "",
        title=text_of(reply.get("title")) or "",
        description=text_of(reply.get("description")),
    )
    return choice if choice.id or choice.title else None


def _flow_reply(reply: _Object) -> FlowReply | None:
    form = FlowReply(
        name=text_of(reply.get("name")) or "",
        body=text_of(reply.get("body")) or "",
        response=_response(reply.get("response_json")),
    )
    return form if form.name or form.body or form.response else None


def _response(raw: Any) -> _Object:
    """The answers of a form: JSON within the JSON, as deep as it likes."""
    if not isinstance(raw, str):
        return object_of(raw)
    try:
        response = read_json(raw)
    except (ValueError, RecursionError):
        return {}
    return {} if cut_deep(response) else object_of(cleaned(response))


def _template_button(body: _Object) -> TemplateButton | None:
    choice = TemplateButton(id=text_of(body.get("payload")) or "", title=text_of(body.get("text")) or "")
    return choice if choice.id or choice.title else None


def _order(body: _Object) -> Order | None:
    order = Order(
        catalog_id=text_of(body.get("catalog_id")) or "",
        note=text_of(body.get("text")) or "",
        items=tuple(map(_order_item, objects_of(body.get("product_items")))),
    )
    return order if order.items or order.note else None


def _order_item(item: _Object) -> OrderItem:
    return OrderItem(
        product_id=text_of(item.get("product_retailer_id")) or "",
        quantity=number_of(item.get("quantity")),
        price=number_of(item.get("item_price")),
        currency=text_of(item.get("currency")),
    )


def _reaction(body: _Object) -> Reaction | None:
    message_id = id_of(body.get("message_id"))
    # Taken away, it has no emoji, or an empty one.
    return Reaction(message_id=message_id, emoji=text_of(body.get("emoji")) or "") if message_id else None


def _edit(body: _Object) -> Edit | None:
    message_id = id_of(body.get("original_message_id"))
    return Edit(message_id=message_id, content=_known(object_of(body.get("message")))) if message_id else None


def _revoke(body: _Object) -> Revoke | None:
    message_id = id_of(body.get("original_message_id"))
    return Revoke(message_id=message_id) if message_id else None


# More than one body, or none ----------------------------------------------------------------------


def _contacts(item: _Object) -> Contacts | None:
    cards = tuple(_contact(card) for card in objects_of(item.get("contacts")) if card)
    return Contacts(contacts=cards) if cards else None


def _contact(card: _Object) -> Contact:
    name = object_of(card.get("name"))
    parts = filter(None, (text_of(name.get("first_name")), text_of(name.get("last_name"))))
    return Contact(
        name=text_of(name.get("formatted_name")) or " ".join(parts),
        phones=tuple(map(_contact_phone, objects_of(card.get("phones")))),
        emails=tuple(filter(None, (text_of(each.get("email")) for each in objects_of(card.get("emails"))))),
    )


def _contact_phone(phone: _Object) -> ContactPhone:
    return ContactPhone(
        phone=text_of(phone.get("phone")),
        user_id=phone_of(phone.get("wa_id")),
        type=text_of(phone.get("type")),
    )


def _system(item: _Object) -> System | None:
    body = object_of(item.get("system"))
    event = text_of(body.get("type"))
    if event is None:
        return None
    return System(
        event=event[:TYPE_CHARACTERS_MAX],
        body=text_of(body.get("body")) or "",
        # `new_wa_id`, `customer`: as it was called up to version 12 of the API.
        phone=phone_of(body.get("wa_id")) or phone_of(body.get("new_wa_id")),
        user_id=user_id_of(body.get("user_id")),
        parent_user_id=user_id_of(body.get("parent_user_id")),
        previous_phone=phone_of(item.get("from")) or phone_of(body.get("customer")),
        previous_user_id=user_id_of(body.get("previous_user_id")),
        previous_parent_user_id=user_id_of(body.get("previous_parent_user_id")),
    )


def _unsupported(item: _Object) -> Unsupported:
    subtype = text_of(object_of(item.get("unsupported")).get("type"))
    return Unsupported(
        subtype=subtype and subtype[:TYPE_CHARACTERS_MAX],
        errors=tuple(code for code in codes_of(item.get("errors")) if code is not None),
    )


_OF_BODY: Final[Mapping[str, Callable[[_Object], Content | None]]] = {
    "text": _text,
    "image": lambda body: _media(Image, body),
    "video": lambda body: _media(Video, body),
    "audio": lambda body: _media(Audio, body, voice=body.get("voice") is True),
    "document": lambda body: _media(Document, body, filename=text_of(body.get("filename"))),
    "sticker": lambda body: _media(Sticker, body, animated=body.get("animated") is True),
    "location": _location,
    "interactive": _interactive,
    "button": _template_button,
    "order": _order,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
}
_OF_REPLY: Final[Mapping[str, Callable[[_Object], Content | None]]] = {
    "button_reply": _button_reply,
    "list_reply": _list_reply,
    "nfm_reply": _flow_reply,
}
_OF_ITEM: Final[Mapping[str, Callable[[_Object], Content | None]]] = {
    "contacts": _contacts,
    "system": _system,
    "request_welcome": lambda _: RequestWelcome(),
    "unsupported": _unsupported,
    # As `unsupported` is called in older versions of the API.
    "unknown": _unsupported,
}
