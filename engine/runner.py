"""Runs one user's session: operation after operation, until nothing waits.

Rule 1: one operation at a time: the next begins when the nursery of the previous one has closed (P1).
Rule 2: nothing that goes wrong for one user leaves this module (P11).
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

import attrs
import structlog
import trio

from engine.aside import Aside
from engine.beginnings import Beginnings
from engine.bursts import Next
from engine.endings import Endings
from engine.events import Events
from engine.limits import Limits
from engine.model import Message
from engine.operation import Operation, Overtaking
from engine.orchestrator import Orchestrator
from engine.phases import Phase, Reason
from engine.policy import CANCELS, POLICIES, Decision, Policy, decide
from engine.progress import ProgressNotifier
from engine.records import Records
from engine.session import ActiveSession
from engine.typing_signals import TypingSignals

_log: Final = structlog.get_logger("midstream.sessions")


@attrs.define(eq=False, kw_only=True)
class Runner:
    """Runs the operations of any session.

    `on_suspended` hears of each message that stays without a fate until the restart.
    """

    orchestrator: Orchestrator
    beginnings: Beginnings
    endings: Endings
    aside: Aside
    records: Records
    events: Events
    limits: Limits
    policy: Policy
    new_id: Callable[[], str]
    typing: TypingSignals
    on_suspended: Callable[[str], None]
    _recoveries: trio.CapacityLimiter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._recoveries = trio.CapacityLimiter(self.limits.recoveries_max)

    async def run(self, session: ActiveSession) -> None:
        """Run what waits, burst by burst, until nothing does or the process is told to stop.

        Returns in one step with the look at what waits.
        """
        while (session.operation or session.waiting or session.joining) and not self.aside.has_ended:
            if session.operation is None and not await self._gathered(session):
                continue
            operation = session.operation = session.operation or self._take_next(session)
            await self._run_apart(session, operation)
            session.nursery = session.notifier = None
            session.is_recovered = False
            session.operation = None
            session.count(operation)
            if operation.phase is not Phase.SUSPENDED:
                # Those that came while its end was being written down.
                self.aside.answer_stops(operation.stops.words, operation.stops.dropped)
            elif not self.aside.has_ended:
                self._go_on(session, operation)
                await self.aside.pause()

    def _go_on(self, session: ActiveSession, operation: Operation) -> None:
        """Take up an operation that was suspended, unless a message came in the instant of that."""
        again = session.operation = operation.again()
        overtaking = again.overtaking()
        if session.gives_way_to is not None:
            again.cancel(Reason.NEW_MESSAGE, by=session.gives_way_to)
        if overtaking is not None:
            again.cancel(Reason.NEW_MESSAGE, by=overtaking.message_id, undo=overtaking.undo)

    async def _gathered(self, session: ActiveSession) -> bool:
        """Wait until what runs next may start; False when that has to be asked again."""
        if session.joining is not None:
            # P1: another session of this user, found to be the same, has not ended yet.
            await session.joining.has_ended.wait()
            session.joining = session.joining.joining
            return False  # and meanwhile it may be time to stop
        waiting = session.waiting.next()
        if waiting is None or waiting.starts_at <= trio.current_time():
            return waiting is not None
        session.changed = trio.Event()
        with trio.move_on_at(waiting.starts_at):
            await session.changed.wait()
        return False

    async def _run_apart(self, session: ActiveSession, operation: Operation) -> None:
        """The crash boundary of a user: nothing that goes wrong in here goes any further."""
        try:
            async with trio.open_nursery() as session.nursery:
                session.notifier = self._notifier(operation)
                try:
                    await self._run(session, operation, session.notifier)
                finally:
                    session.notifier.stop_typing()
        except* Exception:
            _log.exception("session_crashed", operation_id=operation.id)
            self.beginnings.overtake(operation)
            for message in operation.open_messages:
                self.on_suspended(message.id)

    def _take_next(self, session: ActiveSession) -> Operation:
        """An operation for the burst that runs next."""
        taken = session.waiting.next() or Next(burst=())
        session.waiting.take(taken)
        messages = tuple(waiting.message for waiting in taken.burst)
        operation = self.new_operation(session, self.new_id(), messages[-1])
        operation.burst = messages
        operation.passed_over = tuple(waiting.message for waiting in taken.passed_over)
        return operation

    def new_operation(self, session: ActiveSession, operation_id: str, message: Message) -> Operation:
        return Operation(
            id=operation_id,
            message=message,
            started_at=trio.current_time(),
            waiting=session.waiting,
            overtaking=lambda: self._overtaking(session),
            is_protected=session.interruptions >= self.limits.interruptions_max,
        )

    def _overtaking(self, session: ActiveSession) -> Overtaking | None:
        """What takes the place of an operation whose commit has failed, by the policy's word (P8)."""
        newest = session.waiting.newest()
        if newest is None or session.operation is None:
            return None
        is_late = newest.message.order < session.operation.newest.order  # P12
        as_before = session.snapshot(self.limits, is_late=is_late, phase=Phase.RESPONDING)
        try:
            decision = decide(self.policy, newest.message, as_before, is_stop=False)
        except (Exception, SystemExit):  # it was told when the message came
            decision = decide(POLICIES["interrupt"], newest.message, as_before, is_stop=False)
        if decision not in CANCELS:
            return None
        return Overtaking(newest.message.id, undo=decision is Decision.ROLLBACK)

    async def _run(
        self,
        session: ActiveSession,
        operation: Operation,
        notifier: ProgressNotifier,
    ) -> None:
        """Run one operation to its recorded end."""
        error: BaseExceptionGroup | None = None
        is_over = False
        try:
            with operation.scope:
                async with self._recoveries if session.is_recovered else nullcontext():
                    operation.scope.deadline = trio.current_time() + self.limits.operation_seconds_max
                    notifier.start_typing()
                    is_over = not await self.beginnings.enter(operation)
                    if not is_over:
                        await self.orchestrator.run(operation, notifier)
        # SystemExit: an assistant that calls sys.exit() must not end everybody's process.
        except* (Exception, SystemExit) as errors:
            error = errors
        if not is_over:
            await self.endings.conclude(operation, error)

    def _notifier(self, operation: Operation) -> ProgressNotifier:
        return ProgressNotifier(
            operation=operation,
            records=self.records,
            events=self.events,
            limits=self.limits,
            new_id=self.new_id,
            typing=self.typing,
        )
