"""How an operation ends: what is recorded, what its user is told, which event says so.

Rule 1: an operation that the store has no end of is suspended: nothing was lost, and nobody is told.
Rule 2: the acknowledgement is part of the record of the interruption (P9).
Rule 3: whoever said stop is answered with the end of what ran, in the same transaction where it was stopped.
"""

from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from engine.errors import EngineError, StoreError, StoreUnavailable, one_line
from engine.events import Events, SessionCancelled, SessionCompleted, SessionFailed, SessionSuspended
from engine.languages import Languages
from engine.limits import Limits
from engine.model import Failed, Fate, OutboxRow, OutgoingKind, Stopped, Superseded
from engine.operation import Operation
from engine.phases import INTERRUPTIBLE, Fact, Phase, Reason
from engine.records import Records
from engine.recovery import Recovery
from engine.report import done_so_far, taken_back
from engine.split import split_text
from engine.store import Change, End, Interrupt, Queue, Settle, Suspend
from engine.texts import Texts
from engine.undoing import Undoing

_log: Final = structlog.get_logger("midstream.sessions")


def _is_unforeseen(error: BaseException) -> bool:
    # A group is asked too, before its members.
    return not isinstance(error, EngineError | BaseExceptionGroup)


@attrs.frozen(eq=False, kw_only=True)
class Endings:
    """Records the ends of operations.

    `on_suspended` hears of a message that stays without a fate; `now` is seconds since 1970.
    """

    recovery: Recovery
    undoing: Undoing
    records: Records
    events: Events
    languages: Languages
    limits: Limits
    now: Callable[[], float]
    new_id: Callable[[], str]
    on_suspended: Callable[[str], None]

    async def conclude(self, operation: Operation, error: BaseExceptionGroup | None) -> None:
        """Bring a finished operation to its recorded end; `error` is what it raised."""
        operation.notice_deadline()
        try:
            if operation.phase is Phase.COMPLETED:
                self._completed(operation)
            elif error is not None and error.subgroup(StoreUnavailable):
                self._suspend(operation, "store")
            elif operation.reason is Reason.SUSPENDED:
                await self.records.offer(*operation.happened(), Suspend(operation.id))
                self._suspend(operation, "shutdown")
            elif operation.reason and operation.phase in INTERRUPTIBLE:
                await self._cancelled(operation)
            else:
                await self._failed(operation, error)
        except StoreError as refusal:
            _log.error("end_not_recorded", operation_id=operation.id, error=str(refusal))
            self._suspend(operation, "store")

    def interruption(self, operation: Operation) -> Interrupt:
        """The record of an interruption, with what its user is told."""
        told = None
        text = self._texts(operation).acknowledgement
        if text and operation.reason is Reason.NEW_MESSAGE:
            wait = self.limits.acknowledgement_seconds_min
            told = attrs.evolve(
                self._row(operation, OutgoingKind.ACKNOWLEDGEMENT, text),
                not_before=self.now() + wait if wait else 0.0,
            )
        return Interrupt(
            operation_id=operation.id,
            by=operation.interrupted_by or "",
            reason=operation.reason or Reason.NEW_MESSAGE,
            undo=operation.undo,
            acknowledgement=told,
        )

    def giving_way(self, operation: Operation, by: str) -> tuple[Change, ...]:
        """The records of an operation that was suspended, and that a newer message has overtaken since."""
        operation.cancel(Reason.NEW_MESSAGE, by=by)
        return (
            *operation.happened(),
            Interrupt(operation_id=operation.id, by=by),
            End(operation_id=operation.id, phase=Phase.INTERRUPTED, at=self.now()),
            *self._settled(operation, Superseded(by)),
        )

    # The ends -------------------------------------------------------------------------------------

    async def _cancelled(self, operation: Operation) -> None:
        """It was interrupted, stopped, or ran out of time; what it did is taken back where that was asked."""
        if operation.undo or operation.stops or operation.reason is not Reason.NEW_MESSAGE:
            await self.recovery.recall(operation)
        if operation.undo or operation.is_commit_in_doubt:
            await self.records.write(*operation.happened(), self.interruption(operation))
            operation.unrecorded.clear()
        if operation.is_commit_in_doubt and await self._is_completed(operation):
            operation.phase = Phase.COMPLETED
            self._completed(operation)
            return
        if operation.undo:
            if not await self.undoing.run(operation):
                await self.records.offer(Suspend(operation.id))
                self._suspend(operation, "shutdown")
                return
        else:
            operation.advance(Fact.INTERRUPTED)
        answered = operation.stops.copy()
        await self.records.write(
            *operation.happened(),
            self.interruption(operation),
            self._end(operation),
            *self._last_words(operation),
        )
        operation.stops.forget(answered)
        self.events.emit(
            SessionCancelled(
                user_id=operation.user.id,
                reason=str(operation.reason),
                elapsed_time=trio.current_time() - operation.started_at,
                operation_id=operation.id,
                switch_seconds=trio.current_time() - operation.cancelled_at,
            )
        )

    async def _is_completed(self, operation: Operation) -> bool:
        """Whether the commit that was given up has been written after all: what was answered is not undone.

        A write that was acknowledged since says that nothing of it is still on its way.
        """
        record = await self.records.read_operation(operation.id)
        return record is not None and record.ended_at is not None

    def _last_words(self, operation: Operation) -> tuple[Change, ...]:
        """The fates of a cancelled operation's messages, and what their user is told."""
        texts = self._texts(operation)
        tools = self.undoing.tools
        match operation.reason:
            case Reason.STOPPED:
                told = " ".join([texts.stopped, *done_so_far(operation.made, tools, texts)])
                return (
                    *self._settled(operation, Stopped(told)),
                    *(Settle(stop.id, Stopped()) for stop in operation.stops.words),
                    *self._notices(operation, told),
                )
            case Reason.TAKEN_OVER:  # whoever has taken over talks to the user
                return (*self._settled(operation, Stopped()), *self._answers_to_stops(operation))
            case Reason.DEADLINE:
                told = " ".join([texts.out_of_time, *done_so_far(operation.made, tools, texts)])
                reason = f"it ran longer than {self.limits.operation_seconds_max:g} s (operation_seconds_max)"
                return (
                    *self._settled(operation, Failed(reason)),
                    *self._answers_to_stops(operation),
                    *self._told(operation, OutgoingKind.APOLOGY, told),
                )
        # Whoever said stop meanwhile is told with the answer to that.
        told = "" if operation.stops else " ".join(taken_back(operation.made, tools, texts))
        return (
            *self._settled(operation, Superseded(operation.interrupted_by or "")),
            *self._answers_to_stops(operation),
            *self._notices(operation, told),
        )

    async def _failed(self, operation: Operation, error: BaseExceptionGroup | None) -> None:
        reason = one_line(error) if error is not None else "it ended without a reply"
        if error is not None and error.subgroup(_is_unforeseen):
            # Not foreseen: whoever wrote the assistant will want to see where.
            _log.error("operation_failed", operation_id=operation.id, exc_info=error)
        operation.advance(Fact.BROKE)
        answered = operation.stops.copy()
        await self.records.write(
            self._end(operation),
            *self._settled(operation, Failed(reason)),
            *self._answers_to_stops(operation),
            *self._told(operation, OutgoingKind.APOLOGY, self._texts(operation).apology),
        )
        operation.stops.forget(answered)
        self.events.emit(
            SessionFailed(
                user_id=operation.user.id,
                reason=reason,
                duration=trio.current_time() - operation.started_at,
                operation_id=operation.id,
            )
        )

    def _completed(self, operation: Operation) -> None:
        self.events.emit(
            SessionCompleted(
                user_id=operation.user.id,
                duration=trio.current_time() - operation.started_at,
                tools_executed=len(operation.started),
                operation_id=operation.id,
            )
        )

    def _suspend(self, operation: Operation, reason: str) -> None:
        operation.phase = Phase.SUSPENDED
        self.events.emit(
            SessionSuspended(user_id=operation.user.id, reason=reason, operation_id=operation.id)
        )
        for message in operation.open_messages:
            self.on_suspended(message.id)

    # Whoever said stop ----------------------------------------------------------------------------

    def _answers_to_stops(self, operation: Operation) -> tuple[Change, ...]:
        """They came when it could not be stopped any more: what waited behind it was dropped."""
        if not operation.stops:
            return ()
        texts = self._texts(operation)
        told = " ".join([texts.stopped, *done_so_far(operation.made, self.undoing.tools, texts)])
        words = operation.stops.words
        return (
            *(Settle(stop.id, Stopped()) for stop in words[:-1]),
            *(Settle(stop.id, Stopped(told)) for stop in words[-1:]),
            *self._notices(operation, told),
        )

    # Parts of records -----------------------------------------------------------------------------

    def _texts(self, operation: Operation) -> Texts:
        return self.languages.said_to((operation.stops.words or operation.burst)[-1])

    def _settled(self, operation: Operation, fate: Fate) -> tuple[Change, ...]:
        """Its messages' fates, and those of messages it superseded: it may have ended before it began."""
        others = [message for message in operation.burst if message.id != operation.message.id]
        is_told = isinstance(fate, Stopped)
        return (
            *(Settle(message.id, Superseded(operation.message.id)) for message in operation.passed_over),
            *(Settle(message.id, Stopped()) for message in operation.stops.dropped),
            *(Settle(message.id, Stopped() if is_told else fate) for message in others),
            Settle(operation.message.id, fate),
        )

    def _end(self, operation: Operation) -> End:
        return End(operation_id=operation.id, phase=operation.phase, at=self.now())

    def _notices(self, operation: Operation, text: str) -> tuple[Queue, ...]:
        return self._told(operation, OutgoingKind.NOTICE, text)

    def _told(self, operation: Operation, kind: OutgoingKind, text: str) -> tuple[Queue, ...]:
        """A text as rows: a list of what was done may be longer than a message can be."""
        parts = split_text(text, self.limits.text_characters_max)
        return tuple(Queue(self._row(operation, kind, part)) for part in parts)

    def _row(self, operation: Operation, kind: OutgoingKind, text: str) -> OutboxRow:
        return OutboxRow(
            id=self.new_id(),
            user=operation.user,
            kind=kind,
            text=text,
            operation_id=operation.id,
            message_id=operation.message.id,
        )
