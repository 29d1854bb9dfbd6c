"""What a webhook body says: bytes in; messages, reports of what we sent, and a word on all the rest out.

Rule 1: nothing raises; what is not understood is `Unhandled`, by kind, with a reason for the log.
Rule 2: each item is read by itself, so a bad one never loses its neighbours.
Rule 3: every message of field `messages` and every echo of `smb_message_echoes` becomes a message, of a type
that is known or not; history, what other apps see (`standby`) and duplicates within the body never do.
Rule 4: a status becomes a report only when it brings back the id that the outbox sent with the message.
Rule 5: kinds are few (they label a metric) and reasons hold nothing that a user wrote.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import attrs
import msgspec

from engine import Delivery, DeliveryReport, Identity, Message, Pricing, User
from engine.content import Content, Echo, Profile, System, Unknown, Unsupported
from web.whatsapp.contents import content_of, profile_of, quoted_of, referral_of
from web.whatsapp.error_codes import classify_failure
from web.whatsapp.values import (
    LEVELS_MAX,
    cleaned,
    codes_of,
    cut_deep,
    id_of,
    is_id,
    items_of,
    object_of,
    objects_of,
    phone_of,
    read_json,
    seconds_of,
    text_of,
    user_id_of,
)

# What may follow "status:" and "field:" in a kind; every other name is "unknown".
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
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
# What people of the business write to a user in the app.
_ECHOES: Final = "smb_message_echoes"

# Meta batches at most 1,000 updates into one body.  Many more are an attack on our time, or on our log.
ITEMS_MAX: Final = 10_000
# What a group is written to as, so that its id is not taken for a person's.
GROUP_PREFIX: Final = "group:"
# WhatsApp: the longest `biz_opaque_callback_data`; no longer one can have been ours.
TRACKER_CHARACTERS_MAX: Final = 512


@attrs.frozen
class Unhandled:
    """Something signed that becomes neither.  `kind` labels a metric, `reason` is one line for the log.

    `field`: of what the change is that it stands for ("account_update", or "unknown"); empty when it is only
    a part of one.  `value` is all of that change, as it came.
    """

    kind: str
    reason: str
    field: str = ""
    value: Any = attrs.field(default=None, repr=False, eq=False)


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


# The wire's shapes: only what is read here.  A field whose wrong type must not lose its item is Any.


# A provider's word for something; it goes into an event and a log line.
_WORD_CHARACTERS_MAX: Final = 100


class _Envelope(msgspec.Struct):
    entry: Any = None


class _Entry(msgspec.Struct):
    changes: Any = None


class _Change(msgspec.Struct):
    field: Any = None
    value: Any = None


class _Value(msgspec.Struct):
    metadata: Any = None
    contacts: Any = None
    messages: Any = None
    message_echoes: Any = None
    statuses: Any = None
    errors: Any = None


class _Message(msgspec.Struct):
    id: str
    type: Any = None
    sender: Any = msgspec.field(name="from", default=None)
    from_user_id: Any = None
    from_parent_user_id: Any = None
    to: Any = None
    to_user_id: Any = None
    to_parent_user_id: Any = None
    group_id: Any = None
    timestamp: Any = None
    errors: Any = None


class _Status(msgspec.Struct):
    id: Any = None
    pricing: Any = None
    conversation: Any = None
    status: Any = None
    tracker: Any = msgspec.field(name="biz_opaque_callback_data", default=None)
    errors: Any = None


_Item = Message | DeliveryReport | Unhandled
_S = TypeVar("_S", bound=msgspec.Struct)


# From the outside in ------------------------------------------------------------------------------


def _read_body(body: bytes) -> Iterator[_Item]:
    try:
        raw = read_json(body)
    except ValueError:
        yield Unhandled("malformed", "it is not JSON")
    except RecursionError:
        yield Unhandled("malformed", "it is nested too deeply")
    else:
        if cut_deep(raw):
            yield Unhandled("malformed", f"what is nested deeper than {LEVELS_MAX} levels was not read")
        yield from _read(raw, _Envelope, _read_envelope, "malformed")


def _read_envelope(envelope: _Envelope) -> Iterator[_Item]:
    for entry in items_of(envelope.entry):
        yield from _read(entry, _Entry, _read_entry, "malformed")


def _read_entry(entry: _Entry) -> Iterator[_Item]:
    for change in items_of(entry.changes):
        yield from _read(change, _Change, _read_change, "malformed")


def _read_change(change: _Change) -> Iterator[_Item]:
    # A change of another field may hold messages too (old ones, or another app's): they ask for nothing.
    if change.field == "messages":
        yield from _read(change.value, _Value, _read_value, "malformed")
    elif change.field == _ECHOES:
        yield from _read(change.value, _Value, _read_echoes, "malformed")
    else:
        yield _of_field(change.field, "it is of no message", value=change.value)


def _read_value(value: _Value) -> Iterator[_Item]:
    profiles, number = _profiles(value.contacts), _number(value.metadata)
    for message in items_of(value.messages):
        reader = partial(_read_message, raw=message, profiles=profiles, number=number)
        yield from _read(message, _Message, reader, "message:malformed")
    for status in items_of(value.statuses):
        yield from _read(status, _Status, _read_status, "status:malformed")
    if codes := _codes(value.errors):
        yield Unhandled("error", codes)
    if not (value.messages or value.statuses or value.errors):
        yield _of_field("messages", "there is no message, no status and no error in it")


def _read_echoes(value: _Value) -> Iterator[_Item]:
    profiles, number = _profiles(value.contacts), _number(value.metadata)
    for echo in items_of(value.message_echoes):
        reader = partial(_read_echo, raw=echo, profiles=profiles, number=number)
        yield from _read(echo, _Message, reader, "message:malformed")
    if codes := _codes(value.errors):
        yield Unhandled("error", codes)
    if not (value.message_echoes or value.errors):
        yield _of_field(_ECHOES, "there is no message and no error in it")


# Messages -----------------------------------------------------------------------------------------


def _read_message(
    message: _Message, raw: Any, profiles: Mapping[str, Profile], number: str
) -> Iterator[_Item]:
    item = cleaned(raw)
    content = content_of(item)
    if message.type == "text" and isinstance(content, Unknown):
        yield _without_text(item)
    else:
        phone, scoped = phone_of(message.sender), user_id_of(message.from_user_id)
        if isinstance(content, System):
            identity = _changed_identity(content, scoped)
        else:
            identity = _identity(phone, scoped, user_id_of(message.from_parent_user_id))
        profile = profiles.get(phone or "") or profiles.get(scoped or "")
        yield from _made(message, identity, content, item, profile, number)


def _read_echo(echo: _Message, raw: Any, profiles: Mapping[str, Profile], number: str) -> Iterator[_Item]:
    item = cleaned(raw)
    # As the app's user typed it: with a plus, or without.
    to = echo.to.removeprefix("+") if isinstance(echo.to, str) else None
    phone, scoped = phone_of(to), user_id_of(echo.to_user_id)
    profile = profiles.get(phone or "") or profiles.get(scoped or "")
    identity = _identity(phone, scoped, user_id_of(echo.to_parent_user_id))
    yield from _made(echo, identity, Echo(content=content_of(item)), item, profile, number)


def _made(
    message: _Message,
    identity: Identity | None,
    content: Content,
    item: Mapping[str, Any],
    profile: Profile | None,
    number: str,
) -> Iterator[_Item]:
    if message.group_id:
        # A group is one conversation; which of its people wrote is in `raw`.
        group, profile = user_id_of(message.group_id), None
        identity = Identity(names=(group,), address=f"{GROUP_PREFIX}{group}") if group else None
    user_id = identity.names[0] if identity else None
    if user_id is None:
        yield Unhandled("message:malformed", "it names no user")
    elif not is_id(message.id):
        yield Unhandled("message:malformed", "its id is empty, too long or not printable")
    else:
        yield Message(
            id=message.id,
            user=User(user_id),
            identity=identity,
            text=content.text,
            timestamp=seconds_of(message.timestamp),
            content=content,
            quoted=quoted_of(item),
            referral=referral_of(item),
            profile=profile,
            number=number,
            raw=item,
        )
        if not isinstance(content, Unsupported) and (codes := _codes(message.errors)):
            yield Unhandled("error", codes)


def _identity(phone: str | None, scoped: str | None, parent: str | None) -> Identity | None:
    """Who has these names; a phone number is what they are written to, where it may be seen."""
    names = tuple(filter(None, (phone, scoped, parent)))
    return Identity(names=names, address=phone or scoped or "") if phone or scoped else None


def _changed_identity(system: System, scoped: str | None) -> Identity | None:
    """Of whom a system message speaks, with what they are called from now on, and what they no longer are."""
    old = _present(system.previous_phone, scoped, system.previous_user_id, system.previous_parent_user_id)
    new = _present(system.phone, system.user_id, system.parent_user_id)
    if not old and not new:
        return None
    return Identity(
        names=tuple(dict.fromkeys((*old, *new))),
        # What is not said to have changed is theirs still.
        retired=tuple(
            before
            for before, after in (
                (system.previous_phone, system.phone),
                (system.previous_user_id, system.user_id),
                (system.previous_parent_user_id, system.parent_user_id),
            )
            if before and after and before != after
        ),
        address=system.phone or ("" if system.previous_phone else system.user_id) or "",
    )


def _present(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name)


def _without_text(item: Mapping[str, Any]) -> Unhandled:
    if isinstance(object_of(item.get("text")).get("body"), str):
        return Unhandled("message:text_empty", "its text shows nothing")
    return Unhandled("message:malformed", "it is a text without a body")


def _number(metadata: Any) -> str:
    """Meta's id of the number that was written to; empty when it is not said."""
    return id_of(object_of(metadata).get("phone_number_id")) or ""


def _profiles(contacts: Any) -> Mapping[str, Profile]:
    """The names in the contacts of a value, by each id that a message may name its user by."""
    profiles: dict[str, Profile] = {}
    for contact in objects_of(contacts):
        if profile := profile_of(cleaned(contact)):
            for user_id in (phone_of(contact.get("wa_id")), user_id_of(contact.get("user_id"))):
                if user_id:
                    profiles.setdefault(user_id, profile)
    return profiles


# Statuses -----------------------------------------------------------------------------------------


def _read_status(status: _Status) -> Iterator[_Item]:
    # Whoever received it: a status of a group names our message by the same id.
    kind = _known(status.status, STATUSES)
    if kind not in _DELIVERIES:
        yield Unhandled(f"status:{kind}", _codes(status.errors) or "it says nothing of a delivery")
    elif not is_id(status.tracker, TRACKER_CHARACTERS_MAX):
        yield Unhandled(f"status:{kind}", _codes(status.errors) or "it does not say which message of ours")
    else:
        yield _report(status, _DELIVERIES[kind])


def _report(status: _Status, delivery: Delivery) -> DeliveryReport:
    failure = next(iter(items_of(status.errors)), None)
    return DeliveryReport(
        row_id=status.tracker,
        delivery=delivery,
        # The row's id is enough: a report is not lost for what else is broken in it.
        provider_id=id_of(status.id) or "",
        error=classify_failure(failure) if delivery is Delivery.FAILED else None,
        pricing=_pricing(object_of(status.pricing)) if status.pricing else None,
        conversation_id=id_of(object_of(status.conversation).get("id")) or "",
    )


def _pricing(raw: Mapping[str, Any]) -> Pricing:
    billable = raw.get("billable")
    return Pricing(
        billable=billable if isinstance(billable, bool) else None,
        **{
            name: (text_of(raw.get(key)) or "")[:_WORD_CHARACTERS_MAX]
            for name, key in (("model", "pricing_model"), ("type", "type"), ("category", "category"))
        },
    )


# The rest -----------------------------------------------------------------------------------------


def _read(raw: Any, shape: type[_S], reader: Callable[[_S], Iterator[_Item]], kind: str) -> Iterator[_Item]:
    """The items of one value of the wire; a single Unhandled of this kind when it has not the shape."""
    try:
        value = msgspec.convert(raw, shape)
    except ValueError as error:
        # msgspec's words name types and places, never values.
        yield Unhandled(kind, f"{shape.__name__.strip('_').lower()}: {_line(error)}")
    else:
        yield from reader(value)


def _of_field(field: Any, reason: str, value: Any = None) -> Unhandled:
    name = _known(field, FIELDS)
    return Unhandled(f"field:{name}", reason, field=name, value=value)


def _known(name: Any, names: frozenset[str]) -> str:
    return name if isinstance(name, str) and name in names else "unknown"


def _codes(raw: Any) -> str:
    """The codes of a list of errors, in words; empty when there is no list or nothing in it."""
    return ", ".join("an error without a code" if code is None else f"error {code}" for code in codes_of(raw))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
