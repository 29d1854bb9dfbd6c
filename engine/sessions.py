"""The table of sessions, phone -> session: deliver, interrupt, join, and a crash boundary for each user.

Rule 1: a row exists while its user has work, and its removal is one step with the look at what waits (P10).
Rule 2: one operation at a time: the next begins when the nursery of the previous one has closed (P1).
Rule 3: `deliver` is synchronous and called in inbox order: nobody sees a message without its decision.
Rule 4: nothing that goes wrong for one user leaves this module (P11).
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Final

import attrs
import structlog
import trio

from engine import texts
from engine.endings import Endings
from engine.errors import StoreError, StoreUnavailable
from engine.events import Events, MessageAccepted, MessageRejected, SessionStarted
from engine.limits import Limits
from engine.model import (
    Fate,
    Message,
    OutboxRow,
    OutgoingKind,
    Rejected,
    Stopped,
    Superseded,
    TypingSignal,
    User,
)
from engine.operation import Operation, Reason
from engine.orchestrator import Orchestrator
from engine.phases import Phase
from engine.policy import Decision, Policy
from engine.progress import ProgressNotifier
from engine.records import Records
from engine.recovery import Recovery
from engine.session import ActiveSession
from engine.store import (
    Accepted,
    Begin,
    Change,
    OperationRecord,
    Queue,
    Settle,
    Suspend,
    Unfinished,
    UnfinishedOperation,
)

_log: Final = structlog.get_logger("midstream.sessions")
# After the store has failed for `record_seconds_max`: before it is asked again.
_AGAIN_SECONDS: Final = 5.0


@attrs.define(eq=False, kw_only=True)
class SessionManager:
    """Turns delivered messages into operations, one at a time for each user.

    `nursery` is the engine's; `signal` shows a typing indicator; `on_suspended` hears of each message that
    stays without a fate until the restart.
    """

    nursery: trio.Nursery
    orchestrator: Orchestrator
    recovery: Recovery
    records: Records
    events: Events
    limits: Limits
    policy: Policy
    endings: Endings
    now: Callable[[], float]
    new_id: Callable[[], str]
    signal: Callable[[TypingSignal], None]
    on_suspended: Callable[[str], None]
    draining: bool = False
    _sessions: dict[str, ActiveSession] = attrs.field(factory=dict)
    # Operations without an end that will not go on, by user: the next one's beginning ends them.
    _overtaken: dict[str, list[Operation]] = attrs.field(factory=dict)
    _recoveries: trio.CapacityLimiter = attrs.field(init=False)
    _drain_told: trio.Event = attrs.field(factory=trio.Event)
    _emptied: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._recoveries = trio.CapacityLimiter(self.limits.recoveries_max)

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, user_id: str) -> ActiveSession | None:
        """The user's row, None when there is no work for them."""
        return self._sessions.get(user_id)

    # What comes in; all of it synchronous ---------------------------------------------------------

    def deliver(self, accepted: Accepted) -> None:
        """Decide what a message does.  Called once for each message, in inbox order, at its commit."""
        message = accepted.message
        self.events.emit(
            MessageAccepted(user_id=message.user.id, message_id=message.id, sequence=message.sequence)
        )
        if accepted.newest is not None:
            # P12: it was written before something that is already known.
            self._settle_aside(message, Superseded(accepted.newest))
        elif not self._refuse(message):
            self._admit(message)

    def recover(self, unfinished: Iterable[Unfinished]) -> None:
        """Take up what an earlier process left; messages that wait are decided as if they came now."""
        for left in unfinished:
            for operation in left.operations:
                self._take_up(operation)
            for accepted in left.waiting:
                if accepted.newest is not None:
                    self._settle_aside(accepted.message, Superseded(accepted.newest))
                else:
                    self._admit(accepted.message, is_recovered=True)

    def _take_up(self, left: UnfinishedOperation) -> None:
        operation = Operation(
            id=left.operation_id,
            message=left.message,
            started_at=trio.current_time(),
            phase=Phase.PLANNING if left.phase is Phase.PLANNING else Phase.AT_BOUNDARY,
            is_left=True,
        )
        session = self._sessions.get(left.message.user.id)
        if session is None:
            session = self._open(left.message.user, is_recovered=True)
        elif session.operation is not None:
            self._overtaken.setdefault(session.user.id, []).append(session.operation)
        session.operation = operation
        operation.newest_waiting = session.newest_waiting_id
        if left.interrupted_by is not None:
            reason = Reason.NEW_MESSAGE if left.interrupted_by else Reason.STOPPED
            operation.cancel(reason, by=left.interrupted_by or None)

    def _refuse(self, message: Message) -> bool:
        session = self._sessions.get(message.user.id)
        if session is None and len(self._sessions) >= self.limits.sessions_max:
            self._reject(message, "sessions_max", texts.TOO_BUSY)
        elif session is not None and len(session.waiting) >= self.limits.waiting_messages_max:
            self._reject(message, "waiting_messages_max", texts.TOO_MANY_WAIT)
        else:
            return False
        return True

    def _admit(self, message: Message, *, is_recovered: bool = False) -> None:
        session = self._sessions.get(message.user.id)
        if session is None:
            session = self._open(message.user, is_recovered=is_recovered)
        session.waiting.append(message)
        if self.policy(message, session.snapshot()) is Decision.INTERRUPT:
            self._interrupt(session, message)
        if session.notifier is not None:
            session.notifier.show_again(message.id)

    def _open(self, user: User, *, is_recovered: bool) -> ActiveSession:
        session = self._sessions[user.id] = ActiveSession(user=user, is_recovered=is_recovered)
        self.nursery.start_soon(self._serve, session)
        return session

    def _interrupt(self, session: ActiveSession, message: Message) -> None:
        operation, nursery = session.operation, session.nursery
        if operation is None or not operation.may_be_interrupted:
            return  # whatever a policy of somebody's own decides
        operation.cancel(Reason.NEW_MESSAGE, by=message.id)
        # The user is told now, while the wave still finishes; the end of the operation records the same.
        if nursery is not None:
            nursery.start_soon(self.records.offer, self.endings.interruption(operation))

    def stop(self, user_id: str) -> bool:
        """End the user's operation at its boundary, begin none; returns whether there was anything to end."""
        session = self._sessions.get(user_id)
        if session is None:
            return False
        waiting, session.waiting = session.waiting, []
        for message in waiting:
            self._settle_aside(message, Stopped())
        operation = session.operation
        if operation is not None and (operation.may_be_interrupted or operation.reason is Reason.SUSPENDED):
            operation.cancel(Reason.STOPPED)
        return True

    def suspend(self, wave_deadline: float) -> None:
        """Begin nothing more; every operation ends at its boundary, its wave by `wave_deadline`."""
        self.draining = True
        self._drain_told.set()
        for session in self._sessions.values():
            if session.operation is not None:
                session.operation.end_waves_by(wave_deadline)
                if session.operation.may_be_interrupted:
                    session.operation.cancel(Reason.SUSPENDED)

    async def wait_empty(self) -> None:
        """Wait until no session is left."""
        while self._sessions:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def show_typing_again(self, user_id: str) -> None:
        """Something of ours has just hidden the typing indicator."""
        session = self._sessions.get(user_id)
        if session is not None and session.notifier is not None:
            session.notifier.show_again()

    # One user's session ---------------------------------------------------------------------------

    async def _serve(self, session: ActiveSession) -> None:
        """Run what waits, the newest each time, until nothing does."""
        try:
            while (session.operation or session.waiting) and not self.draining:
                operation = session.operation = session.operation or self._take_newest(session)
                await self._run_apart(session, operation)
                session.nursery = session.notifier = None
                session.is_recovered = False
                session.operation = None
                if operation.phase is Phase.SUSPENDED and not self.draining:
                    session.operation = operation.again()
                    await self._pause()
        finally:
            for message in (*session.waiting, *([session.message] if session.message else [])):
                self.on_suspended(message.id)
            del self._sessions[session.user.id]
            if not self._sessions:
                self._emptied.set()

    async def _pause(self) -> None:
        """Give a store that failed a moment, unless it is the end of all."""
        with trio.move_on_after(_AGAIN_SECONDS):
            await self._drain_told.wait()

    async def _run_apart(self, session: ActiveSession, operation: Operation) -> None:
        """The crash boundary of a user: nothing that goes wrong in here goes any further."""
        try:
            async with trio.open_nursery() as session.nursery:
                session.notifier = self._notifier(operation)
                await self._run(session, operation, session.notifier, session.nursery)
                session.nursery.cancel_scope.cancel()  # typing
        except* Exception:
            _log.exception("session_crashed", operation_id=operation.id)
            self._overtaken.setdefault(session.user.id, []).append(operation)
            self.on_suspended(operation.message.id)

    def _take_newest(self, session: ActiveSession) -> Operation:
        """An operation for the newest message that waits; those between are superseded by it."""
        newest, between = session.take_waiting()
        return Operation(
            id=self.new_id(),
            message=newest,
            between=between,
            started_at=trio.current_time(),
            newest_waiting=session.newest_waiting_id,
        )

    async def _run(
        self,
        session: ActiveSession,
        operation: Operation,
        notifier: ProgressNotifier,
        nursery: trio.Nursery,
    ) -> None:
        """Run one operation to its recorded end."""
        error: BaseExceptionGroup | None = None
        is_over = False
        try:
            with operation.scope:
                async with self._recoveries if session.is_recovered else nullcontext():
                    nursery.start_soon(notifier.keep_typing)
                    is_over = not await self._enter(operation)
                    if not is_over:
                        await self.orchestrator.run(operation, notifier)
        # SystemExit: an assistant that calls sys.exit() must not end everybody's process.
        except* (Exception, SystemExit) as errors:
            error = errors
        if not is_over:
            await self.endings.conclude(operation, error)

    async def _enter(self, operation: Operation) -> bool:
        """Begin an operation, or go on with one that was begun before; False when its end is recorded."""
        if not operation.is_left:
            await self._begin(operation)
            return True
        await trio.lowlevel.checkpoint_if_cancelled()  # its user may have written since
        if operation.was_suspended:
            await self.records.write(*operation.happened(), Suspend(operation.id))
            operation.unrecorded.clear()
        record = await self.records.read_operation(operation.id)
        if record is None:  # the store failed before it was begun
            await self._begin(operation)
        elif record.ended_at is not None:  # its end was written when nobody waited for that any more
            return False
        else:
            await self._resume(operation, record)
        return True

    async def _begin(self, operation: Operation) -> None:
        message = operation.message
        await self.records.write(
            *self._overtaking(operation),
            *(Settle(older.id, Superseded(message.id)) for older in operation.between),
            Begin(operation_id=operation.id, message=message, at=self.now()),
        )
        self._overtaken.pop(operation.user.id, None)
        operation.is_left = False
        self.events.emit(
            SessionStarted(user_id=operation.user.id, message=message, operation_id=operation.id)
        )

    async def _resume(self, operation: Operation, record: OperationRecord) -> None:
        if overtaking := self._overtaking(operation):
            await self.records.write(*overtaking)
            del self._overtaken[operation.user.id]
        await self.recovery.restore(operation, record)

    def _overtaking(self, operation: Operation) -> tuple[Change, ...]:
        """The ends of its user's operations that were suspended before it: nobody waits for them any more."""
        suspended = self._overtaken.get(operation.user.id, ())
        return tuple(
            change for before in suspended for change in self.endings.giving_way(before, operation.message.id)
        )

    def _notifier(self, operation: Operation) -> ProgressNotifier:
        return ProgressNotifier(
            operation=operation,
            records=self.records,
            events=self.events,
            limits=self.limits,
            new_id=self.new_id,
            signal=self.signal,
        )

    # What is settled without a session ------------------------------------------------------------

    def _reject(self, message: Message, limit: str, text: str) -> None:
        self.events.emit(MessageRejected(user_id=message.user.id, message_id=message.id, limit=limit))
        told = OutboxRow(
            id=self.new_id(),
            user=message.user,
            kind=OutgoingKind.NOTICE,
            text=text,
            message_id=message.id,
        )
        self._settle_aside(message, Rejected(text), Queue(told))

    def _settle_aside(self, message: Message, fate: Fate, *more: Change) -> None:
        self.nursery.start_soon(self._write_aside, message.id, (Settle(message.id, fate), *more))

    async def _write_aside(self, message_id: str, changes: tuple[Change, ...]) -> None:
        try:
            await self._write_at_last(changes, message_id)
        except StoreError as error:
            _log.error("fate_not_recorded", error=str(error))
            self.on_suspended(message_id)

    async def _write_at_last(self, changes: tuple[Change, ...], message_id: str) -> None:
        """Write, however long the store fails; raises StoreUnavailable when the end comes before that."""
        while True:
            try:
                return await self.records.write(*changes)
            except StoreUnavailable:
                if self.draining:
                    raise
                self.on_suspended(message_id)
                await self._pause()
