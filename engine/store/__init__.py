"""What the engine asks of a store: one write, a few reads, and a word on every commit.

Rule 1: `write` applies its changes in one transaction, all or nothing, in the order of the calls.
Rule 2: `write` hands its changes over before its first checkpoint: once called, they are written
whether or not the caller still waits (P8).
Rule 3: the listener hears of every commit, in commit order, in the engine's thread, before `write` returns.
Rule 4: every write about an operation names the operation.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from engine.model import DeliveryReport, Fate, Message, OutboxRow, Outcome, SendState, Turn
from engine.phases import Phase
from engine.plan import Call

# Changes ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Accept:
    """A message came.  A known id changes nothing and is not heard of (P5).

    `at`: seconds since 1970; the timestamp of a message that has none, but never before its user's newest.
    """

    message: Message
    at: float


@attrs.frozen(kw_only=True)
class Begin:
    """An operation begins for a message.  Everything it does is recorded under its id."""

    operation_id: str
    message: Message
    at: float


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
    """A plan was accepted.  `round` 0 is the first, then one more for each adaptation."""

    operation_id: str
    round: int
    calls: tuple[Call, ...]


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
    stands, and one that comes after the operation's end changes nothing.
    """

    operation_id: str
    by: str
    acknowledgement: OutboxRow | None = None


@attrs.frozen(kw_only=True)
class End:
    """An operation is over; the first end recorded stands.

    Its calls that never began are skipped; those that began and have no outcome are unknown (P6).
    """

    operation_id: str
    phase: Phase
    at: float


@attrs.frozen
class Settle:
    """A message's fate (P4).  The first one recorded stands.  An answer takes its place in the history."""

    message_id: str
    fate: Fate


@attrs.frozen
class Queue:
    """A message to a user, to be sent.  A known row id changes nothing."""

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
    """

    message: Message
    newest: str | None = None


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
class Committed:
    """What one transaction brought: what the engine must hear of."""

    accepted: tuple[Accepted, ...] = ()
    queued: tuple[OutboxRow, ...] = ()
    dropped: tuple[OutboxRow, ...] = ()
    settled: tuple[Settled, ...] = ()
    reported: tuple[Reported, ...] = ()


@attrs.define(eq=False)
class Uncommitted:
    """What the changes of one write have brought so far."""

    accepted: list[Accepted] = attrs.field(factory=list)
    queued: list[OutboxRow] = attrs.field(factory=list)
    dropped: list[OutboxRow] = attrs.field(factory=list)
    settled: list[Settled] = attrs.field(factory=list)
    reported: list[Reported] = attrs.field(factory=list)

    def committed(self) -> Committed:
        """The same, frozen, for the listener."""
        return Committed(
            accepted=tuple(self.accepted),
            queued=tuple(self.queued),
            dropped=tuple(self.dropped),
            settled=tuple(self.settled),
            reported=tuple(self.reported),
        )


Listener = Callable[[Committed], None]

# Reads --------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SupersededRecord:
    """A superseded message and the recorded outcomes of its operation (none when it never began)."""

    message: Message
    outcomes: tuple[Outcome, ...]


@attrs.frozen(kw_only=True)
class Conversation:
    """A user's history as the store has it, oldest first; the outcomes' values are still in JSON form."""

    turns: tuple[Turn, ...] = ()
    superseded: tuple[SupersededRecord, ...] = ()


@attrs.frozen(kw_only=True)
class CallRecord:
    """A planned call and how far it came: `outcome` None and `intended` says that it was started."""

    call: Call
    round: int
    intended: bool
    outcome: Outcome | None


@attrs.frozen(kw_only=True)
class OperationRecord:
    """An operation as the store has it."""

    operation_id: str
    message: Message
    phase: Phase
    interrupted_by: str | None
    started_at: float
    ended_at: float | None
    calls: tuple[CallRecord, ...]
    # How often in a row a process died while it ran; -1 after a suspension.
    crashes: int = 0


@attrs.frozen(kw_only=True)
class UnfinishedOperation:
    """An operation without an end, as far as it is recorded; its calls are read when it goes on."""

    operation_id: str
    message: Message
    phase: Phase
    interrupted_by: str | None


@attrs.frozen(kw_only=True)
class Unfinished:
    """What an earlier process left of one user's work: operations, at most one as a rule, and messages.

    Both in inbox order; a message that an operation works on is not among those that wait.
    """

    operations: tuple[UnfinishedOperation, ...] = ()
    waiting: tuple[Accepted, ...] = ()


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

    async def read_unsent(self, limit: int, *, after: int = 0) -> tuple[OutboxRow, ...]:
        """The first `limit` outbox rows still to be sent whose sequence is above `after`, in order."""
        ...

    async def read_depths(self) -> Depths:
        """How much waits."""
        ...

    async def check(self) -> None:
        """Write something harmless; raises StoreUnavailable when that fails."""
        ...
