"""The live state of one operation: what it works on, where it stands, why it was cancelled."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import trio

from engine.model import Message, Outcome, User
from engine.phases import INTERRUPTIBLE, Fact, Phase, Reason, next_phase
from engine.plan import Call
from engine.reuse import Reusable
from engine.store import Happened
from engine.waiting import WaitingMessages


@attrs.frozen
class Overtaking:
    """A message that waits and would interrupt; `undo`: what was done is to be taken back for it."""

    message_id: str
    undo: bool


def _nothing_overtakes() -> Overtaking | None:
    return None


@attrs.define(eq=False)
class Stops:
    """What was said of stopping while an operation ran, and is not answered yet.

    `words` are messages; `commands` counts the others; `dropped` waited when they came, and has its fate at
    the latest with theirs.
    """

    words: list[Message] = attrs.field(factory=list)
    commands: int = 0
    dropped: list[Message] = attrs.field(factory=list)
    were_heard: bool = False

    def __bool__(self) -> bool:
        return bool(self.words or self.commands)

    def hear(self, word: Message | None, dropped: Sequence[Message]) -> None:
        """One more; None for a command."""
        self.were_heard = True
        self.dropped.extend(dropped)
        if word is None:
            self.commands += 1
        else:
            self.words.append(word)

    def copy(self) -> "Stops":
        """As they are now, for an answer that takes a moment to be written."""
        return Stops(list(self.words), self.commands, list(self.dropped))

    def forget(self, answered: "Stops") -> None:
        """These are answered; what came meanwhile is not."""
        self.words = [word for word in self.words if word not in answered.words]
        self.dropped = [message for message in self.dropped if message not in answered.dropped]
        self.commands -= answered.commands


_BEAT_A_SUSPENSION: Final = frozenset({Reason.STOPPED, Reason.TAKEN_OVER})


@attrs.define(eq=False, kw_only=True)
class Operation:
    """The work for one message, or for a burst whose newest it is.  `started_at`: by Trio's clock."""

    id: str
    message: Message
    started_at: float
    # All the messages it works on, in order; those that joined it later included.
    burst: tuple[Message, ...] = attrs.field(factory=tuple, repr=False)
    # Messages of its user that waited with its own and are older: it supersedes them.
    passed_over: tuple[Message, ...] = attrs.field(default=(), repr=False)
    # Begun before, and not yet restored from its records: an earlier process left it, or the store failed.
    is_left: bool = False
    was_suspended: bool = False  # in this process: that was no crash
    # How often in a row a process died while it was taken back.
    crashes: int = 0
    # The ids of calls whose outcomes the store does not have yet.
    unrecorded: set[str] = attrs.field(factory=set, repr=False)
    # Entered only by SessionManager, cancelled only through cancel() below, or by its own deadline.
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, repr=False)
    # The request to the responder that is under way; a message that joins cuts it.
    response_scope: trio.CancelScope | None = attrs.field(default=None, repr=False)
    # What else its user has written: some of it may join this operation.
    waiting: WaitingMessages = attrs.field(factory=WaitingMessages, repr=False)
    # What takes its place when its completing commit fails (P8).
    overtaking: Callable[[], Overtaking | None] = attrs.field(default=_nothing_overtakes, repr=False)
    # P13: too many before it were interrupted.
    is_protected: bool = False
    credentials: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    # What superseded requests found out, and this one need not.
    reusable: Reusable = attrs.field(factory=Reusable, repr=False)
    phase: Phase = Phase.PLANNING
    # What was planned so far, over all rounds, and how each call ended.
    calls: dict[str, Call] = attrs.field(factory=dict, repr=False)
    outcomes: dict[str, Outcome] = attrs.field(factory=dict, repr=False)
    # The ids of the calls that were started, in order.
    started: list[str] = attrs.field(factory=list, repr=False)
    # The ids of calls that were under way at a crash, and are made again.
    cut_short: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    round: int = 0
    waves_run: int = 0
    # The bound of the wave, or of the undo, that is running, where a shutdown can lower its deadline.
    wave_scope: trio.CancelScope | None = attrs.field(default=None, repr=False)
    waves_end_by: float = math.inf
    reason: Reason | None = None
    # What it did is taken back before it ends.
    undo: bool = False
    # Its completing commit was handed over: given up, it may have been written all the same.
    is_commit_in_doubt: bool = False
    interrupted_by: str | None = None
    cancelled_at: float = 0.0
    # What its user said of stopping: answered at its end.
    stops: Stops = attrs.field(factory=Stops, repr=False)

    def __attrs_post_init__(self) -> None:
        self.burst = self.burst or (self.message,)

    @property
    def user(self) -> User:
        """Whose operation this is."""
        return self.message.user

    @property
    def newest(self) -> Message:
        """The newest message it works on: what the planner and the responder are given."""
        return self.burst[-1]

    @property
    def open_messages(self) -> tuple[Message, ...]:
        """The messages whose fates are written with its end, or its beginning."""
        return (*self.passed_over, *self.burst, *self.stops.dropped, *self.stops.words)

    @property
    def unsettled(self) -> tuple[Call, ...]:
        """The planned calls that have no outcome yet."""
        return tuple(call for id, call in self.calls.items() if id not in self.outcomes)

    @property
    def to_finish(self) -> tuple[Call, ...]:
        """The calls of the wave that a crash cut short: it finishes before anything else begins (P2)."""
        return tuple(call for call in self.unsettled if call.id in self.cut_short)

    @property
    def made(self) -> tuple[Outcome, ...]:
        """The outcomes of the calls that were started, in the order of their starts."""
        return tuple(self.outcomes[id] for id in self.started if id in self.outcomes)

    @property
    def may_be_interrupted(self) -> bool:
        """Whether a cancellation would still change its course: not twice, and not in its commit (P8).

        A wave is not cut, but its operation can be told meanwhile that it is over.
        """
        return self.reason is None and (self.phase in INTERRUPTIBLE or self.phase is Phase.IN_WAVE)

    @property
    def is_suspended(self) -> bool:
        """Whether it is to go on later: a stop still beats that."""
        return self.reason is Reason.SUSPENDED or self.phase is Phase.SUSPENDED

    def happened(self) -> tuple[Happened, ...]:
        """The record of what is not recorded yet; none when there is nothing."""
        outcomes = tuple(outcome for id, outcome in self.outcomes.items() if id in self.unrecorded)
        return (Happened(operation_id=self.id, outcomes=outcomes),) if outcomes else ()

    def become(self, user: User) -> None:
        """Its user has another id now."""
        self.message = attrs.evolve(self.message, user=user)
        self.burst = tuple(attrs.evolve(each, user=user) for each in self.burst)
        self.passed_over = tuple(attrs.evolve(each, user=user) for each in self.passed_over)

    def advance(self, fact: Fact) -> None:
        """Change phase by the table.  Raises IllegalTransition, changing nothing, when it has no such row."""
        self.phase = next_phase(self.phase, fact)

    def cancel(self, reason: Reason, *, by: str | None = None, undo: bool = False) -> None:
        """Cancel at the next boundary.  The first reason stands, but a stop beats a suspension."""
        if self.reason is None or (self.reason is Reason.SUSPENDED and reason in _BEAT_A_SUSPENSION):
            self.reason, self.interrupted_by, self.undo = reason, by, undo
            self.cancelled_at = trio.current_time()
            self.scope.cancel(reason=reason.value)

    def notice_deadline(self) -> None:
        """Say so when its scope was cancelled by nobody: its time has run out."""
        if self.reason is None and self.scope.cancel_called:
            self.cancel(Reason.DEADLINE)
            self.cancelled_at = self.scope.deadline

    def cut_response(self) -> None:
        """A message has come that joins: what is being said does not know of it yet."""
        if self.response_scope is not None:
            self.response_scope.cancel(reason="a message joined")

    def again(self) -> "Operation":
        """The same operation, to go on from its records: what this one still knows and they do not, kept."""
        again = Operation(
            id=self.id,
            message=self.message,
            started_at=self.started_at,
            burst=self.burst,
            passed_over=self.passed_over,
            waiting=self.waiting,
            overtaking=self.overtaking,
            is_protected=self.is_protected,
            is_left=True,
            was_suspended=True,
            outcomes={id: self.outcomes[id] for id in self.unrecorded},
            unrecorded=set(self.unrecorded),
            stops=self.stops,
            is_commit_in_doubt=self.is_commit_in_doubt,
        )
        if self.reason is not None:
            again.cancel(self.reason, by=self.interrupted_by, undo=self.undo)
        elif self.stops:  # they came in its commit, and that has failed
            again.cancel(Reason.STOPPED, by=self.stops.words[0].id if self.stops.words else None)
        return again

    def end_waves_by(self, deadline: float) -> None:
        """Give the wave that is running, or just starts, no longer than `deadline`: a shutdown's grace."""
        self.waves_end_by = deadline
        if self.wave_scope is not None:
            self.wave_scope.deadline = min(self.wave_scope.deadline, deadline)

    @property
    def is_ending(self) -> bool:
        """Whether a shutdown has come: nothing more is begun."""
        return self.waves_end_by < math.inf

    def bound_wave(self, scope: trio.CancelScope, seconds_max: float) -> None:
        """Bound the wave, or the undo, that starts now in this scope."""
        scope.deadline = min(trio.current_time() + seconds_max, self.waves_end_by)
        self.wave_scope = scope
