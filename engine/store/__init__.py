"""What the engine asks of a store: one write, a few reads, and a word on every commit.

Rule 1: `write` applies its changes in one transaction, all or nothing, in the order of the calls.
Rule 2: `write` hands its changes over before its first checkpoint: once called, they are written
whether or not the caller still waits (P8).
Rule 3: the listener hears of every commit, in commit order, in the engine's thread, before `write` returns.
Rule 4: every write about an operation names the operation.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import attrs

from engine.bursts import Debounce
from engine.model import (
    DeliveryReport,
    Fate,
    Message,
    OutboxRow,
    Outcome,
    SendState,
    Turn,
    UndoStatus,
    User,
)
from engine.phases import Phase, Reason
from engine.plan import Call

# Changes ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Accept:
    """A message came.  A known id changes nothing and is not heard of (P5).

    `at`: seconds since 1970; the timestamp of a message that has none, but never before its user's newest.
    With a `fate` it is in the conversation and no more: it is heard of as settled, not as accepted.  So is
    any message of a user whose assistant is silent until `silent_until` (seconds since 1970).
    `debounce` says which burst it belongs to and when that may start; messages accepted in one write are one
    delivery.
    """

    message: Message
    at: float
    debounce: Debounce = attrs.field(factory=Debounce)
    fate: Fate | None = None
    silent_until: float | None = None


@attrs.frozen(kw_only=True)
class Begin:
    """An operation begins for a message.  Everything it does is recorded under its id.

    `burst`: the ids of all the messages it works on; empty: of that one alone.
    """

    operation_id: str
    message: Message
    at: float
    burst: tuple[str, ...] = ()


@attrs.frozen
class Resume:
    """An operation that a process left unfinished goes on in this one: one crash more, unless suspended."""

    operation_id: str


@attrs.frozen
class Suspend:
    """An operation stopped in good order: the start that goes on with it follows no crash."""

    operation_id: str


@attrs.frozen(kw_only=True)
class Planned:
    """A plan was accepted.  `round` 0 is the first, then one more for each adaptation.

    A call whose id is known takes the place of the one that has it, which must not have been started.
    `joined`: the ids of messages that the operation works on from here on.
    """

    operation_id: str
    round: int
    calls: tuple[Call, ...]
    joined: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Intended:
    """These calls are about to be made: the intent before the act (P6)."""

    operation_id: str
    call_ids: tuple[str, ...]
    at: float


@attrs.frozen(kw_only=True)
class Happened:
    """These calls have ended; exactly one outcome a call (P6)."""

    operation_id: str
    outcomes: tuple[Outcome, ...]


@attrs.frozen(kw_only=True)
class Interrupt:
    """An operation was interrupted; its notes not yet on their way are dropped.

    The acknowledgement is queued with it, once an operation (P9): the first record of an interruption
    stands, and one that comes after the operation's end changes nothing.  `by` is a message's id, empty when
    it was none; `undo`: what was done is to be taken back before the operation ends.
    """

    operation_id: str
    by: str
    reason: Reason = Reason.NEW_MESSAGE
    undo: bool = False
    acknowledgement: OutboxRow | None = None


@attrs.frozen(kw_only=True)
class UndoIntended:
    """A call is about to be taken back: the intent before the act."""

    operation_id: str
    call_id: str
    at: float


@attrs.frozen(kw_only=True)
class Undone:
    """What became of taking a call back; the first record stands.  `error` is one line."""

    operation_id: str
    call_id: str
    status: UndoStatus
    error: str | None = None


@attrs.frozen(kw_only=True)
class End:
    """An operation is over; the first end recorded stands.

    Its calls that never began are skipped; those that began and have no outcome are unknown (P6).  It counts
    as one interruption more in a row, or ends that row (P13).
    """

    operation_id: str
    phase: Phase
    at: float


@attrs.frozen
class Settle:
    """A message's fate (P4).  The first one recorded stands.

    What its user was told with it (an answer, a word on what was stopped) takes its place in the history.
    """

    message_id: str
    fate: Fate


@attrs.frozen
class Queue:
    """A message to a user, to be sent.  A known row id changes nothing.

    With a reply or an apology its user's acknowledgements that are not on their way are dropped (P9).
    """

    row: OutboxRow


@attrs.frozen(kw_only=True)
class Mark:
    """How an outbox row fared."""

    row_id: str
    state: SendState
    attempts: int
    provider_id: str = ""
    error: str = ""


@attrs.frozen
class Report:
    """What the provider says became of a row.  Only news is kept and heard of.

    A row that was not known to be sent is sent by it: that settles an ambiguous send.  No news is what is
    said of an unknown row, of one that is pending (an earlier request of it failed), and that a dead one
    has failed.
    """

    report: DeliveryReport


Change = (
    Accept
    | Begin
    | Resume
    | Suspend
    | Planned
    | Intended
    | Happened
    | Interrupt
    | UndoIntended
    | Undone
    | End
    | Settle
    | Queue
    | Mark
    | Report
)


@attrs.frozen(kw_only=True)
class Accepted:
    """A message that was new to the store, with its place in the inbox.

    `newest` is the id of a newer message of the same user when there is one: then this one is late (P12).
    `burst_id` names the burst it belongs to, `starts_at` (seconds since 1970) is when that may start.
    `interruptions`: how many of its user's operations in a row were interrupted last (P13).
    """

    message: Message
    newest: str | None = None
    burst_id: str
    starts_at: float
    interruptions: int = 0


@attrs.frozen(kw_only=True)
class Settled:
    """A fate that was recorded just now."""

    message: Message
    fate: Fate


@attrs.frozen(kw_only=True)
class Reported:
    """News of a row that was sent, or is being sent; the row as it was before the report."""

    row: OutboxRow
    report: DeliveryReport


@attrs.frozen(kw_only=True)
class Moved:
    """Two users were found to be one: all of `user_id` is of `to` from here on.

    `silent_until`, in seconds since 1970: until then a person of the business answers one of them.
    """

    user_id: str
    to: str
    silent_until: float = 0.0


@attrs.frozen(kw_only=True)
class Committed:
    """What one transaction brought: what the engine must hear of."""

    accepted: tuple[Accepted, ...] = ()
    queued: tuple[OutboxRow, ...] = ()
    dropped: tuple[OutboxRow, ...] = ()
    settled: tuple[Settled, ...] = ()
    reported: tuple[Reported, ...] = ()
    moved: tuple[Moved, ...] = ()


@attrs.define(eq=False)
class Uncommitted:
    """What the changes of one write have brought so far."""

    accepted: list[Accepted] = attrs.field(factory=list)
    queued: list[OutboxRow] = attrs.field(factory=list)
    dropped: list[OutboxRow] = attrs.field(factory=list)
    settled: list[Settled] = attrs.field(factory=list)
    reported: list[Reported] = attrs.field(factory=list)
    moved: list[Moved] = attrs.field(factory=list)

    def move(self, user_id: str, to: str, silent_until: float) -> None:
        """Two users were found to be one: so is whose all this is that was brought before."""
        self.moved.append(Moved(user_id=user_id, to=to, silent_until=silent_until))
        self.accepted = [_moved(each, user_id, to) for each in self.accepted]
        self.settled = [_moved(each, user_id, to) for each in self.settled]

    def committed(self) -> Committed:
        """The same, frozen, for the listener."""
        return Committed(
            accepted=tuple(self.accepted),
            queued=tuple(self.queued),
            dropped=tuple(self.dropped),
            settled=tuple(self.settled),
            reported=tuple(self.reported),
            moved=tuple(self.moved),
        )


_M = TypeVar("_M", Accepted, Settled)


def _moved(of: _M, user_id: str, to: str) -> _M:
    message = of.message
    return (
        of if message.user.id != user_id else attrs.evolve(of, message=attrs.evolve(message, user=User(to)))
    )


Listener = Callable[[Committed], None]

# Reads --------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class CallRecord:
    """A planned call and how far it came.  Times are seconds since 1970, None for what was not begun."""

    call: Call
    round: int
    intended_at: float | None = None
    undo_intended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def intended(self) -> bool:
        """Whether it was started, or may have been."""
        return self.intended_at is not None


@attrs.frozen(kw_only=True)
class SupersededRecord:
    """A superseded message, the burst it was the newest of, and its operation's calls.

    The burst and the calls are empty when no operation began for it.
    """

    message: Message
    burst: tuple[Message, ...] = ()
    calls: tuple[CallRecord, ...] = ()


@attrs.frozen(kw_only=True)
class Conversation:
    """A user's history as the store has it, oldest first; the outcomes' values are still in JSON form."""

    turns: tuple[Turn, ...] = ()
    superseded: tuple[SupersededRecord, ...] = ()


@attrs.frozen(kw_only=True)
class OperationRecord:
    """An operation as the store has it.

    `burst`: all the messages it works on, in order.  `round`: how many adaptations were made.
    """

    operation_id: str
    message: Message
    burst: tuple[Message, ...]
    phase: Phase
    interrupted_by: str | None
    reason: Reason | None
    undo: bool
    started_at: float
    ended_at: float | None
    round: int
    calls: tuple[CallRecord, ...]
    # How often in a row a process died while it ran; -1 after a suspension.
    crashes: int = 0


@attrs.frozen(kw_only=True)
class UnfinishedOperation:
    """An operation without an end, as far as it is recorded; its calls are read when it goes on.

    `burst`: all the messages it works on, in order; those that have joined it have their fate already.
    """

    operation_id: str
    message: Message
    phase: Phase
    interrupted_by: str | None
    reason: Reason | None = None
    undo: bool = False
    burst: tuple[Message, ...] = ()


@attrs.frozen(kw_only=True)
class Unfinished:
    """What an earlier process left of one user's work: operations, at most one as a rule, and messages.

    Both in inbox order; a message that an operation works on is not among those that wait.
    `interruptions`: how many of the user's operations in a row were interrupted last (P13).
    """

    operations: tuple[UnfinishedOperation, ...] = ()
    waiting: tuple[Accepted, ...] = ()
    interruptions: int = 0
    silent_until: float = 0.0


@attrs.frozen(kw_only=True)
class Depths:
    """How much waits: messages without a fate, outbox rows not yet sent."""

    inbox: int
    outbox: int


class Store(Protocol):
    """Everything durable.  Raises StoreUnavailable when it cannot write or read just now."""

    def open(self, listener: Listener) -> AbstractAsyncContextManager[None]:
        """Open for one engine; the listener hears of every commit.

        Raises StoreUnusable, in one line, when it cannot be opened.
        """
        ...

    async def write(self, changes: Sequence[Change]) -> None:
        """Apply the changes in one transaction; see the rules above."""
        ...

    async def read_conversation(self, user_id: str, *, limit: int) -> Conversation:
        """The last `limit` turns of a user, and what was superseded among them.

        A message without a fate is not history yet: it waits, or is being worked on.
        An id that its user no longer has, since they were found to be somebody known, means them still.
        """
        ...

    async def read_operation(self, operation_id: str) -> OperationRecord | None:
        """One operation with its calls."""
        ...

    async def read_fate(self, message_id: str) -> Fate | None:
        """A message's fate; None when it has none yet or is not known."""
        ...

    async def read_unfinished(self) -> tuple[Unfinished, ...]:
        """What earlier processes left behind, one item a user, in the order of their first message."""
        ...

    async def read_unsent(
        self, limit: int, *, after: int = 0, user_id: str | None = None
    ) -> tuple[OutboxRow, ...]:
        """The first `limit` outbox rows still to be sent whose sequence is above `after`, in order.

        Of one user only, when it is named, by whatever id they have had.
        """
        ...

    async def read_depths(self) -> Depths:
        """How much waits."""
        ...

    async def check(self) -> None:
        """Write something harmless; raises StoreUnavailable when that fails."""
        ...
