"""The table of sessions, phone -> session: what comes in, and what each message does.

Rule 1: a row exists while its user has work, and its removal is one step with the look at what waits (P10).
Rule 2: `deliver` is synchronous and called in inbox order: nobody sees a message without its decision.
"""

from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from engine.arrivals import EDITS_NOTHING, REVOKES_NOTHING, TAKEN_OVER, spoken_of
from engine.aside import Aside
from engine.bursts import Waiting
from engine.content import Edit, MediaSource, Text
from engine.endings import Endings
from engine.errors import one_line
from engine.events import Events, MessageAccepted, MessageDeferred, MessageRejected, PolicyFailed
from engine.languages import Languages
from engine.limits import Limits
from engine.model import Ignored, Message, Rejected, Stopped, Superseded, User
from engine.operation import Operation
from engine.phases import Phase, Reason
from engine.policy import CANCELS, POLICIES, Decision, Policy, Snapshot, decide
from engine.rates import Rate
from engine.records import Records
from engine.runner import Runner
from engine.session import ActiveSession
from engine.store import Accepted, Settle, Unfinished, UnfinishedOperation

# No message is lost under these: where too many wait they become one request.
_LOSES_NONE: Final = frozenset({Decision.ENQUEUE, Decision.JOIN, Decision.STEER})


@attrs.define(eq=False, kw_only=True)
class SessionManager:
    """Turns delivered messages into operations, one at a time for each user.

    `nursery` is the engine's; `on_suspended` hears of each message that stays without a fate until the
    restart; `now` is seconds since 1970.
    """

    nursery: trio.Nursery
    runner: Runner
    records: Records
    events: Events
    limits: Limits
    policy: Policy
    languages: Languages
    endings: Endings
    aside: Aside
    now: Callable[[], float]
    on_suspended: Callable[[str], None]
    media: MediaSource | None = None
    _rate: Rate = attrs.field(init=False)
    _sessions: dict[str, ActiveSession] = attrs.field(factory=dict)
    # Of users who were found to be somebody else's: they only end.
    _joining: set[ActiveSession] = attrs.field(factory=set)
    _emptied: trio.Event = attrs.field(factory=trio.Event)
    # In a drain: messages that wait for the next start.
    _left: set[str] = attrs.field(factory=set)

    @_rate.default
    def _of_limits(self) -> Rate:
        return Rate(self.limits.messages_per_minute_max)

    @property
    def draining(self) -> bool:
        """Whether the process was told to stop: nothing more begins."""
        return self.aside.has_ended

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
        self._take_in(accepted)

    def recover(self, unfinished: Iterable[Unfinished]) -> None:
        """Take up what an earlier process left; messages that wait are decided as if they came now."""
        for left in unfinished:
            sessions = [self._take_up(operation, left.interruptions) for operation in left.operations]
            if sessions:
                self._go_on_with_newest(sessions)
            if left.silent_until > self.now():
                for accepted in left.waiting:
                    self.aside.settle(accepted.message, Ignored(TAKEN_OVER))
                if left.operations:
                    self.take_over(left.operations[0].message.user.id)
                continue
            for accepted in left.waiting:
                self._take_in(accepted, is_recovered=True)

    def _take_up(self, left: UnfinishedOperation, interruptions: int) -> ActiveSession:
        session = self._open(left.message.user, interruptions, is_recovered=True)
        message = left.message.with_media_from(self.media)
        operation = session.operation = self.runner.new_operation(session, left.operation_id, message)
        operation.burst = tuple(each.with_media_from(self.media) for each in left.burst)
        operation.is_left = True
        if left.phase is not Phase.PLANNING:
            operation.phase = Phase.AT_BOUNDARY
        if left.reason is not None:
            operation.cancel(left.reason, by=left.interrupted_by or None, undo=left.undo)
        return session

    def _take_in(self, accepted: Accepted, *, is_recovered: bool = False) -> None:
        accepted = attrs.evolve(accepted, message=accepted.message.with_media_from(self.media))
        message = accepted.message
        session = self._sessions.get(message.user.id)
        if (other_id := spoken_of(message)) is not None and not self._changes(
            session, message, other_id, is_recovered=is_recovered
        ):
            return
        excess = 0 if is_recovered else self._rate.excess(message.user.id, trio.current_time())
        decision = self._decide(accepted, session)
        if decision is Decision.STOP:
            self._stop(session, message)
        elif excess:
            self._refuse_excess(message, is_first=excess == 1)
        elif decision is Decision.IGNORE:
            is_stop = self._says_stop(message)
            why = "it said stop before a newer message was written" if is_stop else "the policy decided so"
            self.aside.settle(message, Ignored(why))
        elif decision is Decision.SUPERSEDE:
            self.aside.settle(message, Superseded(accepted.newest or ""))
        elif decision is Decision.REJECT and session is not None and session.operation is not None:
            self._reject(message, "policy", "rejected", f"{session.operation.id}-rejected")
        elif not is_recovered and (limit := self._limit_reached(session, decision)):
            # Told once an operation, however many there are.
            running = session.operation if session else None
            row_id = f"{running.id}-{limit}" if running else None
            self._reject(message, limit, "too_busy" if session is None else "too_many_wait", row_id)
        else:
            self._admit(accepted, decision, is_recovered=is_recovered)

    def _changes(
        self, session: ActiveSession | None, message: Message, other_id: str, *, is_recovered: bool
    ) -> bool:
        """Whether a message that changes or takes back another is a request; settled when it is none."""
        if other_id in self._left:  # it is the next start's, and so is what is said of it
            self._leave(message.id)
            return False
        waiting = session.waiting.find(other_id) if session else None
        operation = session.operation if session else None
        is_worked_on = operation is not None and any(each.id == other_id for each in operation.burst)
        if session is not None and waiting is not None:
            # As if it had never been sent.
            session.waiting.remove([waiting])
            session.changed.set()
        if isinstance(message.content, Edit):
            if waiting is not None:
                self.aside.settle(waiting, Superseded(message.id))
            # What waited when the process ended had been found to be a request.
            elif not (is_worked_on or is_recovered):
                self.aside.settle(message, Ignored(EDITS_NOTHING))
                return False
            return True
        if waiting is not None:
            self.aside.write([waiting, message], Settle(waiting.id, Stopped()), Settle(message.id, Stopped()))
        elif (
            session is not None
            and operation is not None
            and is_worked_on
            and (operation.may_be_interrupted or operation.is_suspended or operation.reason is Reason.STOPPED)
        ):
            operation.stops.hear(message, ())
            self._interrupt(session, operation, Reason.STOPPED, message.id)
        else:
            self.aside.settle(message, Ignored(REVOKES_NOTHING))
        return False

    def _decide(self, accepted: Accepted, session: ActiveSession | None) -> Decision:
        message = accepted.message
        is_stop = self._says_stop(message)
        is_late = accepted.newest is not None
        if session is None:
            snapshot = Snapshot(phase=None, is_late=is_late)
        else:
            # A fragment that comes late is still a fragment of what waits.
            is_fragment = not is_stop and session.waiting.has_burst(accepted.burst_id)
            snapshot = session.snapshot(self.limits, is_late=is_late and not is_fragment)
        try:
            decision = decide(self.policy, message, snapshot, is_stop=is_stop)
        except (Exception, SystemExit) as error:  # a policy of somebody's own; no message must be lost
            self.events.emit(
                PolicyFailed(user_id=message.user.id, message_id=message.id, error=one_line(error))
            )
            decision = decide(POLICIES["interrupt"], message, snapshot, is_stop=is_stop)
        # P12: a late fragment waits with its burst, and so does, after a restart, what had waited for longer.
        operation = session.operation if session else None
        is_older = is_late or (operation is not None and message.order < operation.newest.order)
        return Decision.WAIT if is_older and decision in CANCELS else decision

    def _says_stop(self, message: Message) -> bool:
        # What was tapped, or stands under a picture, is the assistant's: "Cancel" may be its own button.
        said = message.content.content if isinstance(message.content, Edit) else message.content
        return isinstance(said, Text) and self.languages.stop_language(message.text) is not None

    def _limit_reached(self, session: ActiveSession | None, decision: Decision) -> str | None:
        """The name of the bound that keeps one more message out."""
        if session is None:
            return "sessions_max" if len(self._sessions) >= self.limits.sessions_max else None
        if decision in _LOSES_NONE:
            full = len(session.waiting) >= self.limits.burst_messages_max
            return "burst_messages_max" if full else None
        return "waiting_messages_max" if len(session.waiting) >= self.limits.waiting_messages_max else None

    def _admit(self, accepted: Accepted, decision: Decision, *, is_recovered: bool) -> None:
        message = accepted.message
        session = self._sessions.get(message.user.id)
        if session is None:
            session = self._open(message.user, accepted.interruptions, is_recovered=is_recovered)
        # A clock that was set back, or a restart, makes nobody wait longer than a message that comes now.
        wait = min(accepted.starts_at - self.now(), self.limits.debounce_seconds)
        session.waiting.add(
            Waiting(
                message=message,
                burst_id=accepted.burst_id,
                starts_at=trio.current_time() + max(0.0, wait),
                decision=decision,
            )
        )
        if decision in _LOSES_NONE and session.waiting.bursts > self.limits.waiting_messages_max:
            session.waiting.become_one_burst()
        session.changed.set()
        self._carry_out(decision, message, session)
        if session.notifier is not None:
            session.notifier.show_again(message.id)

    def _carry_out(self, decision: Decision, message: Message, session: ActiveSession) -> None:
        """What a decision does to the operation that runs."""
        operation = session.operation
        if operation is None:
            return
        if decision in CANCELS:
            undo = decision is Decision.ROLLBACK
            self._interrupt(session, operation, Reason.NEW_MESSAGE, message.id, undo=undo)
        elif decision is Decision.STEER:
            operation.cut_response()
        elif decision is Decision.DEFER:
            self.events.emit(
                MessageDeferred(
                    user_id=message.user.id,
                    message_id=message.id,
                    operation_id=operation.id,
                    interruptions=session.interruptions,
                )
            )
            self.aside.tell(message, "deferred", f"{operation.id}-deferred")

    def _open(self, user: User, interruptions: int, *, is_recovered: bool) -> ActiveSession:
        session = self._sessions[user.id] = ActiveSession(
            user=user, is_recovered=is_recovered, interruptions=interruptions
        )
        self.nursery.start_soon(self._serve, session)
        return session

    def _interrupt(
        self,
        session: ActiveSession,
        operation: Operation,
        reason: Reason,
        by: str | None,
        *,
        undo: bool = False,
    ) -> None:
        operation.cancel(reason, by=by, undo=undo)
        # The user is told now, while the wave still finishes; the end of the operation records the same.
        if session.nursery is not None and operation.reason is reason:
            # Not in the session's own nursery, which may just be closing.
            self.nursery.start_soon(self.records.offer, self.endings.interruption(operation))

    def stop(self, user_id: str) -> bool:
        """End the user's operation at its boundary, begin none; returns whether there was anything to end."""
        session = self._sessions.get(user_id)
        if session is not None:
            self._stop(session, None)
        return session is not None

    def _stop(self, session: ActiveSession | None, message: Message | None) -> None:
        """`message` is the one that says so, None when it is a command; it is answered when all has ended."""
        dropped = session.waiting.clear() if session else ()
        operation = session.operation if session else None
        if operation is not None and message is not None and operation.newest.order > message.order:
            operation = None  # after a restart: what it was said to has ended, and this was asked for since
        if session is not None:
            session.changed.set()
        if session is None or operation is None:
            if session is not None:
                session.interruptions = 0
            self.aside.answer_stops([message] if message else [], dropped)
            return
        for each in dropped:
            self.aside.settle(each, Stopped())
        operation.stops.hear(message, dropped)
        operation.notice_deadline()
        if operation.may_be_interrupted or operation.is_suspended:
            self._interrupt(session, operation, Reason.STOPPED, message.id if message else None)

    def take_over(self, user_id: str) -> None:
        """A person of the business answers: what runs ends at its boundary, what waits is not begun."""
        session = self._sessions.get(user_id)
        if session is None:
            return
        for message in session.waiting.clear():
            self.aside.settle(message, Ignored(TAKEN_OVER))
        session.changed.set()
        operation = session.operation
        if operation is not None and (operation.may_be_interrupted or operation.is_suspended):
            self._interrupt(session, operation, Reason.TAKEN_OVER, None)

    def _reject(self, message: Message, limit: str, text: str, row_id: str | None = None) -> None:
        self.events.emit(MessageRejected(user_id=message.user.id, message_id=message.id, limit=limit))
        self.aside.reject(message, text, row_id)

    def move(self, user_id: str, to: str) -> None:
        """Two users were found to be one: one of their sessions goes on, and the other joins it.

        Of two operations the one with the newer message goes on, the other is superseded by it.
        """
        moving, staying = self._sessions.pop(user_id, None), self._sessions.pop(to, None)
        if moving is None and staying is None:
            return
        user, typing = User(to), set()
        for session in (moving, staying):
            if session is not None:
                # Under the old id nobody would ever release it.
                if session.notifier is not None and session.notifier.stop_typing():
                    typing.add(session)
                session.become(user)
        goes_on = self._go_on_with_newest([each for each in (moving, staying) if each is not None])
        # One whose operation is just about to go shows it no more.
        is_typing = goes_on in typing and goes_on.operation and goes_on.operation.reason is None
        if goes_on.notifier is not None and is_typing:
            goes_on.notifier.start_typing()

    def _go_on_with_newest(self, sessions: Iterable[ActiveSession]) -> ActiveSession:
        """Of the sessions of one user one is in the table, and the others join it; there is one at least."""
        *ending, goes_on = sorted(sessions, key=_age)
        self._sessions[goes_on.user.id] = goes_on
        for session in ending:
            self._join(session, goes_on)
        return goes_on

    def _join(self, ends: ActiveSession, goes_on: ActiveSession) -> None:
        self._joining.add(ends)
        ends.waiting.hand_over(goes_on.waiting)
        # P1: a chain of them is waited for by its last.
        while goes_on.joining is not None:
            goes_on = goes_on.joining
        goes_on.joining = ends
        operation = ends.operation
        ends.gives_way_to = (
            goes_on_with.id if (goes_on_with := self._sessions[ends.user.id].message) else None
        )
        if operation is not None and (operation.may_be_interrupted or operation.is_suspended):
            newer = self._sessions[ends.user.id]
            by = newer.operation.newest.id if newer.operation else None
            self._interrupt(ends, operation, Reason.NEW_MESSAGE, by, undo=self._undoes(ends, newer))
        ends.changed.set()
        self._sessions[ends.user.id].changed.set()

    def _undoes(self, ends: ActiveSession, newer: ActiveSession) -> bool:
        """Whether the policy would take back what ends, for the message that goes on."""
        if newer.operation is None:
            return False
        try:
            decision = decide(self.policy, newer.operation.newest, ends.snapshot(self.limits), is_stop=False)
        except (Exception, SystemExit):
            return False
        return decision is Decision.ROLLBACK

    def _refuse_excess(self, message: Message, *, is_first: bool) -> None:
        """More than anybody can write in a minute; its user is told at the first."""
        if is_first:
            self._reject(message, "messages_per_minute_max", "too_many_wait")
            return
        self.events.emit(
            MessageRejected(user_id=message.user.id, message_id=message.id, limit="messages_per_minute_max")
        )
        self.aside.settle(message, Rejected(self.languages.said_to(message).too_many_wait))

    def suspend(self, wave_deadline: float) -> None:
        """Begin nothing more; every operation ends at its boundary, its wave by `wave_deadline`."""
        self.aside.end()
        for session in (*self._sessions.values(), *self._joining):
            session.changed.set()
            if session.operation is not None:
                session.operation.end_waves_by(wave_deadline)
                if session.operation.may_be_interrupted:
                    session.operation.cancel(Reason.SUSPENDED)

    async def wait_empty(self) -> None:
        """Wait until no session is left."""
        while self._sessions or self._joining:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def show_typing_again(self, user_id: str) -> None:
        """Something of ours has just hidden the typing indicator."""
        session = self._sessions.get(user_id)
        if session is not None and session.notifier is not None:
            session.notifier.show_again()

    # One user's session ---------------------------------------------------------------------------

    async def _serve(self, session: ActiveSession) -> None:
        try:
            await self.runner.run(session)
        finally:
            left = [waiting.message for waiting in session.waiting]
            if session.operation is not None:
                left += session.operation.open_messages
            for message in left:
                self._leave(message.id)
            session.has_ended.set()
            if session in self._joining:
                self._joining.remove(session)
            else:
                del self._sessions[session.user.id]
            if not self._sessions and not self._joining:
                self._emptied.set()

    def _leave(self, message_id: str) -> None:
        """It stays without a fate until the restart."""
        self._left.add(message_id)
        self.on_suspended(message_id)


def _age(session: ActiveSession) -> tuple[bool, tuple[int, int]]:
    """What goes on is the later of two: the one that has an operation, or the one with the newer message."""
    operation = session.operation
    return (operation is not None, operation.newest.order if operation else (0, 0))
