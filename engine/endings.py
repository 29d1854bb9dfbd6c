"""How an operation ends: what is recorded, what its user is told, which event says so.

Rule 1: an operation that the store has no end of is suspended: nothing was lost, and nobody is told.
Rule 2: the acknowledgement is part of the record of the interruption (P9).
"""

from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from engine import texts
from engine.errors import EngineError, StoreError, StoreUnavailable, one_line
from engine.events import Events, SessionCancelled, SessionCompleted, SessionFailed, SessionSuspended
from engine.model import Failed, Fate, OutboxRow, OutgoingKind, Stopped, Superseded
from engine.operation import Operation, Reason
from engine.phases import INTERRUPTIBLE, Fact, Phase
from engine.records import Records
from engine.store import Change, End, Interrupt, Queue, Settle, Suspend

_log: Final = structlog.get_logger("midstream.sessions")


def _is_unforeseen(error: BaseException) -> bool:
    # A group is asked too, before its members.
    return not isinstance(error, EngineError | BaseExceptionGroup)


@attrs.frozen(eq=False, kw_only=True)
class Endings:
    """Records the ends of operations.  `on_suspended` hears of a message that stays without a fate."""

    records: Records
    events: Events
    acknowledgement: str
    now: Callable[[], float]
    new_id: Callable[[], str]
    on_suspended: Callable[[str], None]

    async def conclude(self, operation: Operation, error: BaseExceptionGroup | None) -> None:
        """Bring a finished operation to its recorded end; `error` is what it raised."""
        try:
            if operation.phase is Phase.COMPLETED:
                self._tell_completed(operation)
            elif error is not None and error.subgroup(StoreUnavailable):
                self._suspend(operation, "store")
            elif operation.reason is Reason.SUSPENDED:
                await self.records.offer(*operation.happened(), Suspend(operation.id))
                self._suspend(operation, "shutdown")
            elif operation.reason and operation.phase in INTERRUPTIBLE | {Phase.INTERRUPTED}:
                await self._interrupted(operation)
            else:
                await self._failed(operation, error)
        except StoreError as refusal:
            _log.error("end_not_recorded", operation_id=operation.id, error=str(refusal))
            self._suspend(operation, "store")

    def interruption(self, operation: Operation) -> Interrupt:
        """The record of an interruption, with what its user is told."""
        told = None
        if self.acknowledgement and operation.reason is Reason.NEW_MESSAGE:
            told = self._row(operation, OutgoingKind.ACKNOWLEDGEMENT, self.acknowledgement)
        return Interrupt(operation_id=operation.id, by=operation.interrupted_by or "", acknowledgement=told)

    def giving_way(self, operation: Operation, by: str) -> tuple[Change, ...]:
        """The records of an operation that was suspended, and that a newer message has overtaken since."""
        operation.cancel(Reason.NEW_MESSAGE, by=by)
        return (
            *operation.happened(),
            Interrupt(operation_id=operation.id, by=by),
            End(operation_id=operation.id, phase=Phase.INTERRUPTED, at=self.now()),
            *self._settled(operation, Superseded(by)),
        )

    async def _interrupted(self, operation: Operation) -> None:
        if operation.phase is not Phase.INTERRUPTED:
            operation.advance(Fact.INTERRUPTED)
        by = operation.interrupted_by
        fate: Fate = Superseded(by) if by else Stopped()
        await self.records.write(
            *operation.happened(),
            self.interruption(operation),
            self._end(operation),
            *self._settled(operation, fate),
        )
        self.events.emit(
            SessionCancelled(
                user_id=operation.user.id,
                reason=str(operation.reason),
                elapsed_time=trio.current_time() - operation.started_at,
                operation_id=operation.id,
                switch_seconds=trio.current_time() - operation.cancelled_at,
            )
        )

    async def _failed(self, operation: Operation, error: BaseExceptionGroup | None) -> None:
        reason = one_line(error) if error is not None else "it ended without a reply"
        if error is not None and error.subgroup(_is_unforeseen):
            # Not foreseen: whoever wrote the assistant will want to see where.
            _log.error("operation_failed", operation_id=operation.id, exc_info=error)
        operation.advance(Fact.BROKE)
        await self.records.write(
            self._end(operation),
            *self._settled(operation, Failed(reason)),
            Queue(self._row(operation, OutgoingKind.APOLOGY, texts.APOLOGY)),
        )
        self.events.emit(
            SessionFailed(
                user_id=operation.user.id,
                reason=reason,
                duration=trio.current_time() - operation.started_at,
                operation_id=operation.id,
            )
        )

    def _tell_completed(self, operation: Operation) -> None:
        self.events.emit(
            SessionCompleted(
                user_id=operation.user.id,
                duration=trio.current_time() - operation.started_at,
                tools_executed=operation.calls_started,
                operation_id=operation.id,
            )
        )

    def _suspend(self, operation: Operation, reason: str) -> None:
        operation.phase = Phase.SUSPENDED
        self.events.emit(
            SessionSuspended(user_id=operation.user.id, reason=reason, operation_id=operation.id)
        )
        self.on_suspended(operation.message.id)

    def _settled(self, operation: Operation, fate: Fate) -> tuple[Change, ...]:
        """Its message's fate, and that of those it superseded: it may have ended before it began."""
        older = Superseded(operation.message.id)
        between = (Settle(message.id, older) for message in operation.between)
        return (*between, Settle(operation.message.id, fate))

    def _end(self, operation: Operation) -> End:
        return End(operation_id=operation.id, phase=operation.phase, at=self.now())

    def _row(self, operation: Operation, kind: OutgoingKind, text: str) -> OutboxRow:
        return OutboxRow(
            id=self.new_id(),
            user=operation.user,
            kind=kind,
            text=text,
            operation_id=operation.id,
            message_id=operation.message.id,
        )
