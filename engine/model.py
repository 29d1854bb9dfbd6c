"""The frozen values everything speaks in: users, messages, replies, outcomes, fates."""

import enum
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, Self

import attrs

from engine.content import (
    Choice,
    Contact,
    Contacts,
    Content,
    Edit,
    Location,
    Media,
    MediaSource,
    Order,
    Profile,
    Quoted,
    Reaction,
    Referral,
    Text,
    with_source,
)
from engine.errors import CallDidNotSucceed, SendError
from engine.replies import Body, Reply
from engine.texts import whole

_DIGITS_SHOWN: Final = 4
_AT_NUMBER: Final = re.compile(r"([0-9]+)/(.+)", re.DOTALL)


def mask(user_id: str) -> str:
    """A user id as logs may show it: its last four characters.

    >>> mask("15551234567")
    '…4567'
    """
    return f"…{user_id[-_DIGITS_SHOWN:]}" if len(user_id) > _DIGITS_SHOWN else "…"


@attrs.frozen
class User:
    """A person on the other side.  `id` is a phone number in digits, or a WhatsApp user id without one.

    Of several numbers of one business, only the users of the first are called just so; those of another have
    its id and a slash before their own (`at_number`): who writes to two numbers is two users.
    """

    id: str = attrs.field(repr=mask)

    @property
    def number(self) -> str:
        """The id of the business's number that they write to; empty for its first, or only, one."""
        found = _AT_NUMBER.fullmatch(self.id)
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """What the provider calls them."""
        found = _AT_NUMBER.fullmatch(self.id)
        return found[2] if found else self.id


def at_number(number: str, name: str) -> str:
    """The id, or another name, of a user of a further number; `number` is the provider's id of it, in digits.

    >>> User(at_number("2065", "15551234567")).number
    '2065'
    """
    return f"{number}/{name}"


@attrs.frozen(kw_only=True)
class Identity:
    """All that a provider calls the user who wrote: a phone number, ids; each may come, go and change.

    `names`: whoever has one of them is the same person.  `retired`: of those, the ones that mean them no
    longer.  `address`: where they are written to; empty when this message does not say.
    """

    names: tuple[str, ...] = attrs.field(repr=False)
    retired: tuple[str, ...] = attrs.field(default=(), repr=False)
    address: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Message:
    """What came in.

    `id` is the provider's (wamid…) or our own.  `timestamp` is whole seconds since 1970 as the provider
    gives it; None asks the store to set it at insertion, never before the user's newest.  `sequence` is
    the place in the inbox, given by the store (0 before that).

    `text` is what a person would read of it: the words, a picture's caption, the title of a button; empty
    when there is nothing to read.  `content` is all of it, by type; `raw` is the same as the provider wrote
    it.  `identity`: with it the store finds whose message this is, and sets `user`.  `quoted`: what it
    answers; `referral`: the advertisement it came from; `profile`: its user's names.  `number`: which of the
    business's numbers it was written to, by the provider's id; empty when nobody said.
    """

    id: str
    user: User
    text: str = attrs.field(repr=False, converter=whole)
    timestamp: int | None = None
    sequence: int = 0
    content: Content = attrs.field(repr=False)
    identity: Identity | None = attrs.field(default=None, repr=False, eq=False)
    quoted: Quoted | None = attrs.field(default=None, repr=False)
    referral: Referral | None = attrs.field(default=None, repr=False)
    profile: Profile | None = attrs.field(default=None, repr=False)
    number: str = attrs.field(default="", eq=False)
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @content.default
    def _written(self) -> Content:
        return Text(body=self.text)

    @property
    def order(self) -> tuple[int, int]:
        """P12: newer means a later second, or the same second and later arrival."""
        return (self.timestamp or 0, self.sequence)

    def with_media_from(self, source: MediaSource | None) -> Self:
        """The same message, with its file to be had from there."""
        if source is not None and self.user.number:
            source = partial(source, number=self.user.number)
        content = with_source(self.content, source)
        return self if content is self.content else attrs.evolve(self, content=content)

    @property
    def _holds(self) -> Content | None:
        # An edit holds what the message says now.
        return self.content.content if isinstance(self.content, Edit) else self.content

    @property
    def media(self) -> Media | None:
        """The file that it is, when it is one."""
        return self._holds if isinstance(self._holds, Media) else None

    @property
    def choice(self) -> Choice | None:
        """The button or the row that its user tapped."""
        return self.content if isinstance(self.content, Choice) else None

    @property
    def location(self) -> Location | None:
        """The place that it shows."""
        return self._holds if isinstance(self._holds, Location) else None

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """The contact cards in it."""
        return self._holds.contacts if isinstance(self._holds, Contacts) else ()

    @property
    def basket(self) -> Order | None:
        """What it orders from the catalogue."""
        return self.content if isinstance(self.content, Order) else None

    @property
    def reaction(self) -> Reaction | None:
        """The reaction that it is."""
        return self.content if isinstance(self.content, Reaction) else None


@attrs.frozen(kw_only=True)
class Turn:
    """One entry of a conversation's history.

    `role` is `"user"`, `"assistant"`, or `"business"`: a person who wrote to the user from the business's
    app.  What has no words stands as its kind in brackets: "[image]".

    `fate` is the name of the fate of the message it is, or answers: `"stopped"` for one whose user said stop.
    """

    role: str
    text: str = attrs.field(repr=False)
    message_id: str
    sequence: int
    fate: str = ""


# Outcomes -----------------------------------------------------------------------------------------


class Status(enum.StrEnum):
    """How a call ended (P6)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # it raised, or could not be called
    TIMED_OUT = "timed_out"  # its own timeout; the act may have been half done
    CUT_OFF = "cut_off"  # the wave's bound or the grace of a shutdown ended it
    UNKNOWN = "unknown"  # it was started and nobody knows how it ended
    SKIPPED = "skipped"  # it never started


class UndoStatus(enum.StrEnum):
    """What became of the attempt to take a call back."""

    UNDONE = "undone"
    FAILED = "failed"  # its undo raised, each time it was tried
    TIMED_OUT = "timed_out"  # its undo did not end within the tool's timeout


@attrs.frozen(kw_only=True)
class Outcome:
    """How one call ended, and its value when it has one.

    `raw` is the value in its JSON form: what the store keeps and what a `Ref` walks.  `error` is one line.
    `seconds` is how long the call took, `tool` the name of the tool.  `reused`: the call was not made, a
    superseded request's outcome was taken over.  `undo` is None for a call that nobody tried to take back;
    `undo_error` is one line.
    """

    call_id: str
    tool: str
    status: Status
    raw: Any = attrs.field(default=None, repr=False)
    error: str | None = None
    # Succeeded, but the result could not be stored: there is no value, and `error` says why.
    value_lost: bool = False
    seconds: float = 0.0
    reused: bool = False
    undo: UndoStatus | None = None
    undo_error: str | None = None
    _value: Any = attrs.field(default=None, repr=False, eq=False)

    @property
    def succeeded(self) -> bool:
        """Whether the call did what it was asked, its value stored or not."""
        return self.status is Status.SUCCEEDED

    @property
    def value(self) -> Any:
        """The result, in the type the tool's annotation names.

        Raises `CallDidNotSucceed` with the reason when there is none.
        """
        if not self.succeeded or self.value_lost:
            raise CallDidNotSucceed(f"call {self.call_id!r} has no value: {self.reason}")
        return self._value

    @property
    def reason(self) -> str:
        """One line for people: the status in words, and the error when there is one."""
        words = "succeeded, its value lost" if self.value_lost else self.status.value.replace("_", " ")
        return f"{words}: {self.error}" if self.error else words

    def value_or(self, default: Any) -> Any:
        """The result, or `default` when there is none."""
        return self._value if self.succeeded and not self.value_lost else default

    def with_value(self, value: Any) -> Self:
        """The same outcome with its value in the type that the tool's annotation names."""
        return attrs.evolve(self, value=value)


class Results(Mapping[str, Outcome]):
    """The outcomes of an operation's calls by call id, in the order they became known.

    A call that is not there, or not yet settled, is a KeyError that names it and what there is.
    """

    __slots__ = ("_outcomes",)

    def __init__(self, outcomes: Mapping[str, Outcome] | None = None) -> None:
        self._outcomes = dict(outcomes or {})

    def __getitem__(self, call_id: str) -> Outcome:
        try:
            return self._outcomes[call_id]
        except KeyError:
            known = ", ".join(self._outcomes) or "none"
            raise KeyError(f"no outcome of a call {call_id!r}; there are: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def __repr__(self) -> str:
        return f"Results({', '.join(f'{key}={outcome.status.value}' for key, outcome in self.items())})"


@attrs.frozen(kw_only=True)
class SupersededRequest:
    """A request its user took back, with what its operation had finished by then (P7).

    `burst`: all the messages it worked on, in order; the newest of them as a rule is `message`.  What of the
    results was taken back since has `.undo`.
    """

    message: Message
    results: Results
    burst: tuple[Message, ...] = ()


# Fates --------------------------------------------------------------------------------------------


@attrs.frozen
class Fate:
    """How an accepted message ended (P4).  Exactly one is recorded for each."""

    name: ClassVar[str]
    cancelled: ClassVar[bool] = False

    @property
    def message(self) -> str:
        """One sentence for people."""
        raise NotImplementedError


@attrs.frozen
class Answered(Fate):
    """Its reply stands in the outbox; `more` are those that follow it."""

    name = "answered"
    reply: Reply
    more: tuple[Reply, ...] = ()

    @property
    def message(self) -> str:
        return "\n\n".join(reply.text for reply in (self.reply, *self.more))


@attrs.frozen
class Superseded(Fate):
    """A newer message took its place; `by` is that message's id."""

    name = "superseded"
    cancelled = True
    by: str

    @property
    def message(self) -> str:
        return "Request cancelled"


@attrs.frozen
class Merged(Fate):
    """It became part of an operation that already ran; `into` is that operation's message."""

    name = "merged"
    into: str

    @property
    def message(self) -> str:
        return "Added to the request that was already being worked on"


@attrs.frozen
class Rejected(Fate):
    """It was refused, and the user told so; `reason` is one line."""

    name = "rejected"
    reason: str

    @property
    def message(self) -> str:
        return self.reason


@attrs.frozen
class Stopped(Fate):
    """Its user asked to stop; `told` is what the user was told, empty when another message's fate has it."""

    name = "stopped"
    told: str = ""

    @property
    def message(self) -> str:
        return self.told or "Stopped"


@attrs.frozen
class Ignored(Fate):
    """It asks for nothing; `reason` is one line."""

    name = "ignored"
    reason: str

    @property
    def message(self) -> str:
        return self.reason


@attrs.frozen
class Failed(Fate):
    """Its operation broke, and the user was told; `reason` is for the log, not for the user."""

    name = "failed"
    reason: str

    @property
    def message(self) -> str:
        return self.reason


@attrs.frozen
class Suspended(Fate):
    """Not an end, and never recorded: the process or its store stopped; it goes on after the restart."""

    name = "suspended"

    @property
    def message(self) -> str:
        return "Suspended; it goes on after the restart"


RECORDED_FATES: Final[Mapping[str, type[Fate]]] = {
    fate.name: fate for fate in (Answered, Superseded, Merged, Rejected, Stopped, Ignored, Failed)
}


# What goes out ------------------------------------------------------------------------------------


class OutgoingKind(enum.StrEnum):
    """Why something is sent to a user."""

    REPLY = "reply"
    ACKNOWLEDGEMENT = "acknowledgement"
    APOLOGY = "apology"
    NOTICE = "notice"
    NOTE = "note"


class SendState(enum.StrEnum):
    """Where an outbox row stands."""

    PENDING = "pending"
    SENDING = "sending"  # its request may be on the wire
    RESENDING = "resending"  # it may have been sent before; this is the last request
    SENT = "sent"
    FAILED = "failed"  # it was taken and could not be delivered; what follows is not decided yet
    DEAD = "dead"  # given up: a dead letter
    DROPPED = "dropped"  # a note of an operation that was interrupted before it was sent


class Delivery(enum.StrEnum):
    """What the provider reported of a message it took; later ones only ever take the place of earlier."""

    NONE = ""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"  # a voice message was listened to
    FAILED = "failed"  # it was taken, and could not be delivered

    def follows(self, before: "Delivery") -> bool:
        """Whether this is news after `before`: reports come in any order, and `failed` is the last word."""
        order = list(Delivery)
        return order.index(self) > order.index(before)


@attrs.frozen(kw_only=True)
class Pricing:
    """What a provider says that a message costs, in its words: `category` "service", `type` "regular"."""

    billable: bool | None = None
    model: str = ""
    type: str = ""
    category: str = ""


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """What the provider says became of an outbox row, whenever it says so.

    `provider_id` is its id of the message; `error` what is to be done when it failed; `conversation_id` its
    id of the conversation that is paid for.
    """

    row_id: str
    delivery: Delivery
    provider_id: str = ""
    error: SendError | None = None
    pricing: Pricing | None = None
    conversation_id: str = ""


@attrs.frozen(kw_only=True)
class OutboxRow:
    """One message to a user, durable until it is sent.

    `sequence` is its place among everything recorded (0 before the store gave it).  `operation_id` is
    empty for a notice that belongs to none.  `not_before`: seconds since 1970; it is not sent earlier.
    `body` is what it holds when that is more than its text; `reply_to` the id of a message that it quotes.
    `heard_at`: when its user last wrote, and `address`: where they are written to, as far as was known when
    it was read; 0 for never, and empty for the user's id.
    """

    id: str
    user: User
    kind: OutgoingKind
    text: str = attrs.field(repr=False, converter=whole)
    operation_id: str = ""
    message_id: str = ""
    sequence: int = 0
    state: SendState = SendState.PENDING
    attempts: int = 0
    provider_id: str = ""
    error: str = ""
    delivery: Delivery = Delivery.NONE
    not_before: float = 0.0
    body: Body | None = attrs.field(default=None, repr=False)
    reply_to: str | None = None
    heard_at: float = attrs.field(default=0.0, eq=False)
    address: str = attrs.field(default="", repr=False, eq=False)

    @property
    def to(self) -> str:
        """Where it goes: a phone number in digits, or an id of the provider's."""
        return self.address or self.user.name


@attrs.frozen(kw_only=True)
class TypingSignal:
    """Marks a message as read and shows that an answer is being typed; ephemeral, never retried."""

    user: User
    message_id: str
