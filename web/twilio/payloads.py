"""What a webhook of Twilio's says: a form in, one message or one report of what we sent out.

Rule 1: nothing raises; what is not understood is `Unhandled`, by kind, with a reason for the log.
Rule 2: parameters that are not known here are left alone: Twilio adds new ones without notice.
Rule 3: a status becomes a report only when the URL it was posted to brings back the id of our row.
Rule 4: Twilio does not say when a message was written; the store's clock does, when it comes in.
Source: https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from engine import Delivery, DeliveryReport, Message, SendError, User
from engine.content import (
    Audio,
    ButtonReply,
    Content,
    Document,
    Image,
    ListReply,
    Location,
    Media,
    Profile,
    Quoted,
    Referral,
    Sticker,
    TemplateButton,
    Text,
    Unknown,
    Unsupported,
    Video,
)
from web.twilio.error_codes import classify_failure
from web.whatsapp.contents import TYPE_CHARACTERS_MAX
from web.whatsapp.payloads import Unhandled, Webhook
from web.whatsapp.values import cleaned, id_of, is_visible, number_of, phone_of, text_of, user_id_of

# The parameter of the status callback's URL that holds the id of the outbox row.
ROW_PARAMETER: Final = "row"
# How an address of this channel begins: a phone number follows, or an id in place of one.
ADDRESS_PREFIX: Final = "whatsapp:"

# What may follow "status:" in a kind; every other name is "unknown".
# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
STATUSES: Final = frozenset(
    "accepted scheduled queued sending sent delivered undelivered failed read canceled"  # noqa: SIM905
    " partially_delivered".split()
)
# What these say of a message; the other statuses say nothing that the outbox asks for.
_DELIVERIES: Final[Mapping[str, Delivery]] = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
}
# As the status of a message to us.
_INCOMING: Final = frozenset({"received", "receiving"})

_MEDIA_OF_TYPE: Final[Mapping[str, type[Media]]] = {
    "image": Image,
    "video": Video,
    "audio": Audio,
    "document": Document,
    "sticker": Sticker,
}

_Item = Mapping[str, str]


def parse(body: bytes, query: str = "") -> Webhook:
    """Read one webhook, whatever it is; its signature has been checked before.

    `query` is that of the URL it was posted to.
    """
    item = _parameters(body.decode("utf-8", "replace"))
    status = item.get("MessageStatus") or item.get("SmsStatus") or "received"
    found: Message | DeliveryReport | Unhandled
    if status in _INCOMING:
        found = _read_message(item)
    else:
        found = _read_status(item, status, _parameters(query).get(ROW_PARAMETER))
    if isinstance(found, Message):
        return Webhook(messages=(found,))
    if isinstance(found, DeliveryReport):
        return Webhook(reports=(found,))
    return Webhook(others=(found,))


def _parameters(form: str) -> _Item:
    """The first value of each name, in a form that every store takes."""
    pairs = parse_qsl(form, keep_blank_values=True, errors="replace")
    parameters: _Item = cleaned(dict(reversed(pairs)))
    return parameters


# Messages -----------------------------------------------------------------------------------------


def _read_message(item: _Item) -> Message | Unhandled:
    sender = item.get("From", "")
    message_id = id_of(item.get("MessageSid")) or id_of(item.get("SmsMessageSid"))
    user_id = _user_id(sender)
    content = _content(item)
    if sender and not sender.startswith(ADDRESS_PREFIX):
        return Unhandled("message:other_channel", "it did not come from WhatsApp")
    if user_id is None:
        return Unhandled("message:malformed", "it names no user")
    if message_id is None:
        return Unhandled("message:malformed", "its id is missing, too long or not printable")
    if content is None:
        return Unhandled("message:text_empty", "its text shows nothing")
    return Message(
        id=message_id,
        user=User(user_id),
        text=content.text,
        content=content,
        quoted=_quoted(item),
        referral=_referral(item),
        profile=Profile(name=name) if (name := text_of(item.get("ProfileName"))) else None,
        number=phone_of(item.get("To", "").removeprefix(ADDRESS_PREFIX).removeprefix("+")) or "",
        raw=item,
    )


def _user_id(address: str) -> str | None:
    """The digits of a phone number, or the business-scoped id of a user who shows us none."""
    name = address.removeprefix(ADDRESS_PREFIX)
    return phone_of(name.removeprefix("+")) if name.startswith("+") else user_id_of(name)


def _content(item: _Item) -> Content | None:
    """What a message holds; None for a text that shows nothing."""
    kind = item.get("MessageType", "")
    if item.get("ListId") or item.get("ListTitle"):
        return ListReply(id=item.get("ListId", ""), title=item.get("ListTitle", ""))
    if item.get("ButtonText") or item.get("ButtonPayload"):
        choice = TemplateButton if kind == "button" else ButtonReply
        return choice(id=item.get("ButtonPayload", ""), title=item.get("ButtonText", ""))
    if url := text_of(item.get("MediaUrl0")):
        return _media(item, kind, url)
    if location := _location(item):
        return location
    if kind in ("", "text", "interactive"):
        words = item.get("Body", "")
        return Text(body=words) if is_visible(words) else None
    return Unsupported() if kind == "unsupported" else Unknown(type=kind[:TYPE_CHARACTERS_MAX])


def _media(item: _Item, kind: str, url: str) -> Media:
    mime_type = text_of(item.get("MediaContentType0"))
    made = _MEDIA_OF_TYPE.get(kind) or _made_of(mime_type or "")
    return made(
        id=_last_part(url),
        mime_type=mime_type,
        url=url,
        caption=text_of(item.get("Body")),
    )


def _made_of(mime_type: str) -> type[Media]:
    """For messages whose type is not told.  WhatsApp's pictures are JPEG or PNG: WebP is a sticker."""
    if mime_type == "image/webp":
        return Sticker
    return _MEDIA_OF_TYPE.get(mime_type.partition("/")[0], Document)


def _last_part(url: str) -> str:
    """The id of a file at Twilio (ME…): its address ends with it."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return id_of(path.rpartition("/")[2]) or ""


def _location(item: _Item) -> Location | None:
    latitude, longitude = number_of(item.get("Latitude")), number_of(item.get("Longitude"))
    if latitude is None or longitude is None:
        return None
    return Location(
        latitude=latitude,
        longitude=longitude,
        name=text_of(item.get("Label")),
        address=text_of(item.get("Address")),
    )


def _quoted(item: _Item) -> Quoted | None:
    quoted = Quoted(
        message_id=id_of(item.get("OriginalRepliedMessageSid")),
        sender=_user_id(item.get("OriginalRepliedMessageSender", "")),
        is_forwarded=item.get("Forwarded") == "true",
        is_frequently_forwarded=item.get("FrequentlyForwarded") == "true",
    )
    return quoted if quoted != Quoted() else None


def _referral(item: _Item) -> Referral | None:
    referral = Referral(
        source_url=text_of(item.get("ReferralSourceUrl")),
        source_type=text_of(item.get("ReferralSourceType")),
        source_id=text_of(item.get("ReferralSourceId")),
        headline=text_of(item.get("ReferralHeadline")),
        body=text_of(item.get("ReferralBody")),
        click_id=text_of(item.get("ReferralCtwaClid")),
    )
    return referral if referral != Referral() else None


# Statuses -----------------------------------------------------------------------------------------


def _read_status(item: _Item, status: str, row: str | None) -> DeliveryReport | Unhandled:
    kind = f"status:{status if status in STATUSES else 'unknown'}"
    delivery = _DELIVERIES.get(status)
    row_id = id_of(row)
    if delivery is None:
        return Unhandled(kind, "it says nothing of a delivery")
    if row_id is None:
        return Unhandled(kind, "it does not say which message of ours")
    return DeliveryReport(
        row_id=row_id,
        delivery=delivery,
        provider_id=id_of(item.get("MessageSid")) or "",
        error=_failure(item) if delivery is Delivery.FAILED else None,
    )


def _failure(item: _Item) -> SendError:
    words = item.get("ErrorMessage") or item.get("ChannelStatusMessage")
    return classify_failure(item.get("ErrorCode", ""), words)
