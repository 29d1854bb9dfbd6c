"""What a webhook body says: bytes in; messages, reports of what we sent, and a word on all the rest out.

Rule 1: nothing raises; what is not understood is `Unhandled`, by kind, with a reason for the log.
Rule 2: each item is read by itself, so a bad one never loses its neighbours.
Rule 3: only a text of one person to us, in a change of field `messages`, becomes a message: statuses,
reactions, echoes, history, groups and duplicates within the body never do.
Rule 4: a status becomes a report only when it brings back the id that the outbox sent with the message.
Rule 5: kinds are few (they label a metric) and reasons hold nothing that a user wrote.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeGuard, TypeVar

import attrs
import msgspec

from engine import Delivery, DeliveryReport, Message, User
from web.whatsapp.error_codes import classify_failure

# What may follow "message:", "status:" and "field:" in a kind; every other name is "unknown".
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
MESSAGE_TYPES: Final = frozenset(
    "text image video audio document sticker location contacts interactive button reaction order system"  # noqa: SIM905
    " unsupported request_welcome edit revoke".split()
)
STATUSES: Final = frozenset({"sent", "delivered", "read", "played", "failed", "deleted", "warning"})
# What these say of a message; the other statuses say nothing that the outbox asks for.
_DELIVERIES: Final[Mapping[str, Delivery]] = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "played": Delivery.PLAYED,
    "failed": Delivery.FAILED,
}
FIELDS: Final = frozenset(
    "messages message_template_status_update template_category_update account_update account_alerts"  # noqa: SIM905
    " phone_number_quality_update phone_number_name_update security user_preferences calls history"
    " smb_message_echoes smb_app_state_sync group_lifecycle_update group_settings_update"
    " group_participants_update group_status_update flows payment_configuration_update"
    " partner_solutions automatic_events standby".split()
)

# Meta batches at most 1,000 updates into one body.  Many more are an attack on our time, or on our log.
ITEMS_MAX: Final = 10_000
# Ids seen are 50 to 80 characters; one that is longer than this is not an id.
ID_CHARACTERS_MAX: Final = 512
# WhatsApp: the longest `biz_opaque_callback_data`; no longer one can have been ours.
TRACKER_CHARACTERS_MAX: Final = 512
# A phone number has 15 digits (E.164), some room left; a business-scoped id `CC.` and up to 128 more.
PHONE_DIGITS_MAX: Final = 20
USER_ID_CHARACTERS_MAX: Final = 160
# Year 2100.  Above it stand milliseconds and nonsense, and a message "newest" for ever makes all others late.
TIMESTAMP_MAX: Final = 4_102_444_800
# Longer numbers are no fact of WhatsApp's; reading a very long one costs time that grows with its square.
_INTEGER_DIGITS_MAX: Final = 20
# An item has one error, seldom two; the rest of a long list tells nothing more.
_CODES_SHOWN: Final = 5

# Letters that show nothing: fillers of Hangul, the blank Braille cell, joiners and variation selectors.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
# Controls, format marks, spaces.  Not Cn: an emoji newer than this Python is in it.
_BLANK_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


@attrs.frozen
class Unhandled:
    """Something signed that becomes neither.  `kind` labels a metric, `reason` is one line for the log."""

    kind: str
    reason: str


@attrs.frozen(kw_only=True)
class Webhook:
    """What one body held, each in the order of the body."""

    messages: tuple[Message, ...] = ()
    reports: tuple[DeliveryReport, ...] = ()
    others: tuple[Unhandled, ...] = ()


def parse(body: bytes) -> Webhook:
    """Read one webhook body, whatever it is; its signature has been checked before."""
    messages: dict[str, Message] = {}
    reports: list[DeliveryReport] = []
    others: list[Unhandled] = []
    for count, item in enumerate(_read_body(body)):
        if count == ITEMS_MAX:
            others.append(Unhandled("too_many", f"only its first {ITEMS_MAX} items were read"))
            break
        if isinstance(item, Unhandled):
            others.append(item)
        elif isinstance(item, DeliveryReport):
            reports.append(item)
        elif item.id in messages:
            others.append(Unhandled("message:duplicate", "the same id came earlier in this body"))
        else:
            messages[item.id] = item
    if not messages and not reports and not others:
        others.append(Unhandled("empty", "there is no message, no status and no event in it"))
    return Webhook(messages=tuple(messages.values()), reports=tuple(reports), others=tuple(others))


# The wire's shapes: only what is read today.  A field whose wrong type must not lose its item is Any.


class _Envelope(msgspec.Struct):
    entry: Any = None


class _Entry(msgspec.Struct):
    changes: Any = None


class _Change(msgspec.Struct):
    field: Any = None
    value: Any = None


class _Value(msgspec.Struct):
    messages: Any = None
    statuses: Any = None
    errors: Any = None


class _Kind(msgspec.Struct):
    type: Any = None


class _Text(msgspec.Struct):
    body: str


class _TextMessage(msgspec.Struct):
    id: str
    text: _Text
    sender: Any = msgspec.field(name="from", default=None)
    from_user_id: Any = None
    group_id: Any = None
    timestamp: Any = None


class _Status(msgspec.Struct):
    id: Any = None
    status: Any = None
    tracker: Any = msgspec.field(name="biz_opaque_callback_data", default=None)
    errors: Any = None


class _Error(msgspec.Struct):
    code: int


_Item = Message | DeliveryReport | Unhandled
_S = TypeVar("_S", bound=msgspec.Struct)


def _read_body(body: bytes) -> Iterator[_Item]:
    try:
        # Lenient on purpose (bad UTF-8, control characters, lone surrogates, NaN): a stricter reader
        # would lose a whole batch for one broken character in somebody's profile name.
        raw = json.loads(body.decode("utf-8", "replace"), strict=False, parse_int=_parse_int)
    except ValueError:
        yield Unhandled("malformed", "it is not JSON")
    except RecursionError:
        yield Unhandled("malformed", "it is nested too deeply")
    else:
        yield from _read(raw, _Envelope, _read_envelope, "malformed")


def _read_envelope(envelope: _Envelope) -> Iterator[_Item]:
    for entry in _list(envelope.entry):
        yield from _read(entry, _Entry, _read_entry, "malformed")


def _read_entry(entry: _Entry) -> Iterator[_Item]:
    for change in _list(entry.changes):
        yield from _read(change, _Change, _read_change, "malformed")


def _read_change(change: _Change) -> Iterator[_Item]:
    # A change of another field may hold messages too (old ones, or what staff wrote): they ask for nothing.
    if change.field != "messages":
        yield Unhandled(f"field:{_known(change.field, FIELDS)}", "changes of this field are not handled")
    else:
        yield from _read(change.value, _Value, _read_value, "malformed")


def _read_value(value: _Value) -> Iterator[_Item]:
    for message in _list(value.messages):
        yield from _read(message, _Kind, partial(_read_message, raw=message), "message:malformed")
    for status in _list(value.statuses):
        yield from _read(status, _Status, _read_status, "status:malformed")
    if codes := _codes(value.errors):
        yield Unhandled("error", codes)
    if not (value.messages or value.statuses or value.errors):
        yield Unhandled("field:messages", "there is no message, no status and no error in it")


def _read_message(kind: _Kind, raw: Any) -> Iterator[_Item]:
    if kind.type == "text":
        yield from _read(raw, _TextMessage, _read_text, "message:malformed")
    else:
        yield Unhandled(f"message:{_known(kind.type, MESSAGE_TYPES)}", "only texts are understood")


def _read_text(message: _TextMessage) -> Iterator[_Item]:
    user_id = _user_id(message)
    text = _storable(message.text.body)
    if message.group_id is not None:
        yield Unhandled("message:group", "group messages are not handled")
    elif user_id is None:
        yield Unhandled("message:malformed", "it names no sender")
    elif not _is_id(message.id, ID_CHARACTERS_MAX):
        yield Unhandled("message:malformed", "its id is empty, too long or not printable")
    elif not _is_visible(text):
        # Nothing to answer, nothing to interrupt for; an assistant would be asked about nothing.
        yield Unhandled("message:text_empty", "its text shows nothing")
    else:
        yield Message(id=message.id, user=User(user_id), text=text, timestamp=_timestamp(message.timestamp))


def _read_status(status: _Status) -> Iterator[_Item]:
    # Whoever received it: a status of a group names our message by the same id.
    kind = _known(status.status, STATUSES)
    if kind not in _DELIVERIES:
        yield Unhandled(f"status:{kind}", _codes(status.errors) or "it says nothing of a delivery")
    elif not _is_id(status.tracker, TRACKER_CHARACTERS_MAX):
        yield Unhandled(f"status:{kind}", _codes(status.errors) or "it does not say which message of ours")
    else:
        yield _report(status, _DELIVERIES[kind])


def _report(status: _Status, delivery: Delivery) -> DeliveryReport:
    failure = next(iter(_list(status.errors)), None)
    return DeliveryReport(
        row_id=status.tracker,
        delivery=delivery,
        # The row's id is enough: a report is not lost for what else is broken in it.
        provider_id=status.id if _is_id(status.id, ID_CHARACTERS_MAX) else "",
        error=classify_failure(failure) if delivery is Delivery.FAILED else None,
    )


def _read(raw: Any, shape: type[_S], reader: Callable[[_S], Iterator[_Item]], kind: str) -> Iterator[_Item]:
    """The items of one value of the wire; a single Unhandled of this kind when it has not the shape."""
    try:
        value = msgspec.convert(raw, shape)
    except ValueError as error:
        # msgspec's words name types and places, never values.
        yield Unhandled(kind, f"{shape.__name__.strip('_').lower()}: {_line(error)}")
    else:
        yield from reader(value)


def _list(raw: Any) -> list[Any]:
    """What should be a list: absent is empty; anything else stands as its only item and is judged as one."""
    if raw is None:
        return []
    return raw if isinstance(raw, list) else [raw]


def _known(name: Any, names: frozenset[str]) -> str:
    return name if isinstance(name, str) and name in names else "unknown"


def _codes(raw: Any) -> str:
    """The codes of a list of errors, in words; empty when there is no list or nothing in it."""
    words = []
    for item in _list(raw)[:_CODES_SHOWN]:
        try:
            words.append(f"error {msgspec.convert(item, _Error).code}")
        except ValueError:
            words.append("an error without a code")
    return ", ".join(words)


def _user_id(message: _TextMessage) -> str | None:
    """The phone number when it is there, else the business-scoped id; None when there is neither.

    Meta leaves `from` out, or empty, for people with a username whose number we may not see.
    """
    phone, scoped = message.sender, message.from_user_id
    if isinstance(phone, str) and phone.isascii() and phone.isdigit() and len(phone) <= PHONE_DIGITS_MAX:
        return phone
    return scoped if _is_id(scoped, USER_ID_CHARACTERS_MAX) else None


def _is_id(raw: Any, characters_max: int) -> TypeGuard[str]:
    return isinstance(raw, str) and 0 < len(raw) <= characters_max and raw.isprintable() and " " not in raw


def _timestamp(raw: Any) -> int | None:
    """Whole seconds since 1970; None when it is not that, so that the store sets its own."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = _parse_int(raw)
    # `type is`: True is an int too.
    return raw if type(raw) is int and 0 < raw <= TIMESTAMP_MAX else None


def _parse_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else None


def _storable(text: str) -> str:
    """The text as every store takes it: no NUL, and no half of a surrogate pair (an emoji cut in two)."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def _is_visible(text: str) -> bool:
    return any(unicodedata.category(one) not in _BLANK_CATEGORIES and one not in _BLANK for one in text)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
