"""A store without a disk: for tests, simulations and the REPL; everything is gone when it closes."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from engine.errors import StoreUnavailable
from engine.model import Answered, Fate, Message, OutboxRow, Outcome, OutgoingKind, SendState, Status, Turn
from engine.phases import ENDED, Phase
from engine.plan import Call
from engine.store import (
    Accept,
    Accepted,
    Begin,
    CallRecord,
    Change,
    Conversation,
    Depths,
    End,
    Happened,
    Intended,
    Interrupt,
    Listener,
    Mark,
    OperationRecord,
    Planned,
    Queue,
    Settle,
    Settled,
    SupersededRecord,
    Uncommitted,
)

_UNSENT = (SendState.PENDING, SendState.SENDING)


@attrs.define(eq=False)
class _Call:
    call: Call
    round: int
    intended: bool = False
    outcome: Outcome | None = None


@attrs.define(eq=False, kw_only=True)
class _Operation:
    message: Message
    started_at: float
    phase: Phase = Phase.PLANNING
    ended_at: float | None = None
    interrupted_by: str | None = None
    calls: dict[str, _Call] = attrs.field(factory=dict)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED


@attrs.define(eq=False)
class _Entry:
    """A message with what became of it."""

    message: Message
    fate: Fate | None = None
    operation_id: str | None = None
    answer_sequence: int = 0


class MemoryStore:
    """Keeps everything in dictionaries.  A write is applied in one step, before its checkpoint."""

    def __init__(self) -> None:
        self._sequence = 0
        self._messages: dict[str, _Entry] = {}
        self._by_user: dict[str, list[_Entry]] = {}
        self._newest: dict[str, Message] = {}
        self._operations: dict[str, _Operation] = {}
        self._outbox: dict[str, OutboxRow] = {}
        self._listener: Listener | None = None

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """Open for one engine; what an earlier engine wrote is still there."""
        self._listener = listener
        try:
            yield
        finally:
            self._listener = None

    async def write(self, changes: Sequence[Change]) -> None:
        """Apply the changes at once, tell the listener, then give others a turn."""
        if self._listener is None:
            raise StoreUnavailable("the store is closed")
        brought = Uncommitted()
        for change in changes:
            _APPLY[type(change)](self, change, brought)
        self._listener(brought.committed())
        await trio.lowlevel.checkpoint()

    # Changes --------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _accept(self, change: Accept, brought: Uncommitted) -> None:
        message = change.message
        if message.id in self._messages:
            return
        newest = self._newest.get(message.user.id)
        timestamp = message.timestamp
        if timestamp is None:
            timestamp = max(int(change.at), newest.timestamp or 0) if newest else int(change.at)
        message = attrs.evolve(message, timestamp=timestamp, sequence=self._next())
        entry = self._messages[message.id] = _Entry(message)
        self._by_user.setdefault(message.user.id, []).append(entry)
        late = newest is not None and message.order < newest.order
        if not late:
            self._newest[message.user.id] = message
        brought.accepted.append(Accepted(message=message, newest=newest.id if newest and late else None))

    def _begin(self, change: Begin, brought: Uncommitted) -> None:
        self._operations[change.operation_id] = _Operation(message=change.message, started_at=change.at)
        self._messages[change.message.id].operation_id = change.operation_id

    def _planned(self, change: Planned, brought: Uncommitted) -> None:
        operation = self._operations[change.operation_id]
        operation.calls.update({call.id: _Call(call, change.round) for call in change.calls})
        operation.phase = operation.phase if operation.ended else Phase.AT_BOUNDARY

    def _intended(self, change: Intended, brought: Uncommitted) -> None:
        operation = self._operations[change.operation_id]
        for call_id in change.call_ids:
            operation.calls[call_id].intended = True
        operation.phase = operation.phase if operation.ended else Phase.IN_WAVE

    def _happened(self, change: Happened, brought: Uncommitted) -> None:
        operation = self._operations[change.operation_id]
        for outcome in change.outcomes:
            record = operation.calls[outcome.call_id]
            record.outcome = record.outcome or _as_stored(outcome)
        operation.phase = operation.phase if operation.ended else Phase.AT_BOUNDARY

    def _interrupt(self, change: Interrupt, brought: Uncommitted) -> None:
        operation = self._operations.get(change.operation_id)
        if operation is None or operation.ended or operation.interrupted_by is not None:
            return
        operation.interrupted_by = change.by
        for row in tuple(self._outbox.values()):
            if (row.operation_id, row.kind, row.state) == (
                change.operation_id,
                OutgoingKind.NOTE,
                SendState.PENDING,
            ):
                self._outbox[row.id] = attrs.evolve(row, state=SendState.DROPPED)
                brought.dropped.append(self._outbox[row.id])
        if change.acknowledgement is not None:
            self._queue(Queue(change.acknowledgement), brought)

    def _end(self, change: End, brought: Uncommitted) -> None:
        operation = self._operations[change.operation_id]
        if operation.ended:
            return
        operation.phase, operation.ended_at = change.phase, change.at
        for record in operation.calls.values():
            if record.outcome is None:
                status = Status.UNKNOWN if record.intended else Status.SKIPPED
                record.outcome = Outcome(call_id=record.call.id, tool=record.call.tool, status=status)

    def _settle(self, change: Settle, brought: Uncommitted) -> None:
        entry = self._messages[change.message_id]
        if entry.fate is not None:
            return
        entry.fate = change.fate
        if isinstance(change.fate, Answered):
            entry.answer_sequence = self._next()
        brought.settled.append(Settled(message=entry.message, fate=change.fate))

    def _queue(self, change: Queue, brought: Uncommitted) -> None:
        if change.row.id not in self._outbox:
            row = attrs.evolve(change.row, sequence=self._next())
            self._outbox[row.id] = row
            brought.queued.append(row)

    def _mark(self, change: Mark, brought: Uncommitted) -> None:
        self._outbox[change.row_id] = attrs.evolve(
            self._outbox[change.row_id],
            state=change.state,
            attempts=change.attempts,
            provider_id=change.provider_id,
            error=change.error,
        )

    # Reads ----------------------------------------------------------------------------------------

    async def read_conversation(self, user_id: str, *, limit: int) -> Conversation:
        """See `Store.read_conversation`."""
        await trio.lowlevel.checkpoint()
        settled = (entry for entry in reversed(self._by_user.get(user_id, [])) if entry.fate is not None)
        entries = list(itertools.islice(settled, limit))[::-1]
        turns = sorted((turn for entry in entries for turn in _turns(entry)), key=lambda turn: turn.sequence)
        turns = turns[-limit:]
        shown = {turn.message_id for turn in turns if turn.role == "user"}
        return Conversation(
            turns=tuple(turns),
            superseded=tuple(
                SupersededRecord(message=entry.message, outcomes=self._outcomes(entry.operation_id))
                for entry in entries
                if entry.message.id in shown and entry.fate is not None and entry.fate.cancelled
            ),
        )

    def _outcomes(self, operation_id: str | None) -> tuple[Outcome, ...]:
        if operation_id is None:
            return ()
        calls = self._operations[operation_id].calls.values()
        return tuple(record.outcome for record in calls if record.outcome is not None)

    async def read_operation(self, operation_id: str) -> OperationRecord | None:
        """See `Store.read_operation`."""
        await trio.lowlevel.checkpoint()
        operation = self._operations.get(operation_id)
        if operation is None:
            return None
        return OperationRecord(
            operation_id=operation_id,
            message=operation.message,
            phase=operation.phase,
            interrupted_by=operation.interrupted_by,
            started_at=operation.started_at,
            ended_at=operation.ended_at,
            calls=tuple(
                CallRecord(
                    call=record.call, round=record.round, intended=record.intended, outcome=record.outcome
                )
                for record in operation.calls.values()
            ),
        )

    async def read_fate(self, message_id: str) -> Fate | None:
        """See `Store.read_fate`."""
        await trio.lowlevel.checkpoint()
        entry = self._messages.get(message_id)
        return entry.fate if entry else None

    async def read_unsent(self, limit: int) -> tuple[OutboxRow, ...]:
        """See `Store.read_unsent`."""
        await trio.lowlevel.checkpoint()
        return tuple(row for row in self._outbox.values() if row.state in _UNSENT)[:limit]

    async def read_depths(self) -> Depths:
        """See `Store.read_depths`."""
        await trio.lowlevel.checkpoint()
        return Depths(
            inbox=sum(entry.fate is None for entry in self._messages.values()),
            outbox=sum(row.state in _UNSENT for row in self._outbox.values()),
        )

    async def check(self) -> None:
        """A dictionary can always be written."""
        await trio.lowlevel.checkpoint()


_APPLY: dict[type, Callable[..., None]] = {
    Accept: MemoryStore._accept,
    Begin: MemoryStore._begin,
    Planned: MemoryStore._planned,
    Intended: MemoryStore._intended,
    Happened: MemoryStore._happened,
    Interrupt: MemoryStore._interrupt,
    End: MemoryStore._end,
    Settle: MemoryStore._settle,
    Queue: MemoryStore._queue,
    Mark: MemoryStore._mark,
}


def _as_stored(outcome: Outcome) -> Outcome:
    """Without the live value: what comes back from a store is the JSON form, in every store."""
    return outcome.with_value(None)


def _turns(entry: _Entry) -> Iterator[Turn]:
    message = entry.message
    yield Turn(role="user", text=message.text, message_id=message.id, sequence=message.sequence)
    if isinstance(entry.fate, Answered):
        yield Turn(
            role="assistant",
            text=entry.fate.reply.text,
            message_id=message.id,
            sequence=entry.answer_sequence,
        )
