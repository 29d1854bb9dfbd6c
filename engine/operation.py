"""The live state of one operation: what it works on, where it stands, why it was cancelled."""

import enum
import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from engine.model import Message, Outcome, User
from engine.phases import INTERRUPTIBLE, Fact, Phase, next_phase
from engine.plan import Call
from engine.store import Happened


class Reason(enum.StrEnum):
    """Why an operation was cancelled; the first three are the `reason` of `session_cancelled`."""

    NEW_MESSAGE = "new_message_received"
    STOPPED = "user_stopped"
    DEADLINE = "deadline"
    SUSPENDED = "suspended"


def _nothing_waits() -> str | None:
    return None


@attrs.define(eq=False, kw_only=True)
class Operation:
    """The work for one message.  `started_at` is Trio's clock, in seconds."""

    id: str
    message: Message
    started_at: float
    # Messages of its user that waited with its own and are older: it supersedes them.
    between: tuple[Message, ...] = attrs.field(default=(), repr=False)
    # Begun before, and not yet restored from its records: an earlier process left it, or the store failed.
    is_left: bool = False
    was_suspended: bool = False  # in this process: that was no crash
    # The ids of calls whose outcomes the store does not have yet.
    unrecorded: set[str] = attrs.field(factory=set, repr=False)
    # Entered only by SessionManager, cancelled only through cancel() below.
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, repr=False)
    # The id of the newest message that waits, if any: asked when the completing commit fails (P8).
    newest_waiting: Callable[[], str | None] = attrs.field(default=_nothing_waits, repr=False)
    credentials: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    phase: Phase = Phase.PLANNING
    # What was planned so far, over all rounds, and how each call ended.
    calls: dict[str, Call] = attrs.field(factory=dict, repr=False)
    outcomes: dict[str, Outcome] = attrs.field(factory=dict, repr=False)
    round: int = 0
    waves_run: int = 0
    calls_started: int = 0
    # The bound of the wave that is running, where a shutdown can lower its deadline.
    wave_scope: trio.CancelScope | None = attrs.field(default=None, repr=False)
    waves_end_by: float = math.inf
    reason: Reason | None = None
    interrupted_by: str | None = None
    cancelled_at: float = 0.0

    @property
    def user(self) -> User:
        """Whose operation this is."""
        return self.message.user

    @property
    def unsettled(self) -> tuple[Call, ...]:
        """The planned calls that have no outcome yet."""
        return tuple(call for id, call in self.calls.items() if id not in self.outcomes)

    @property
    def may_be_interrupted(self) -> bool:
        """Whether a cancellation would still change its course: not twice, and not in its commit (P8).

        A wave is not cut, but its operation can be told meanwhile that it is over.
        """
        return self.reason is None and (self.phase in INTERRUPTIBLE or self.phase is Phase.IN_WAVE)

    def happened(self) -> tuple[Happened, ...]:
        """The record of what is not recorded yet; none when there is nothing."""
        outcomes = tuple(outcome for id, outcome in self.outcomes.items() if id in self.unrecorded)
        return (Happened(operation_id=self.id, outcomes=outcomes),) if outcomes else ()

    def advance(self, fact: Fact) -> None:
        """Change phase by the table.  Raises IllegalTransition, changing nothing, when it has no such row."""
        self.phase = next_phase(self.phase, fact)

    def cancel(self, reason: Reason, *, by: str | None = None) -> None:
        """Cancel at the next boundary.  The first reason stands, but a stop beats a suspension."""
        if self.reason is None or (self.reason is Reason.SUSPENDED and reason is Reason.STOPPED):
            self.reason, self.interrupted_by = reason, by
            self.cancelled_at = trio.current_time()
            self.scope.cancel(reason=reason.value)

    def again(self) -> "Operation":
        """The same operation, to go on from its records: what this one still knows and they do not, kept."""
        again = Operation(
            id=self.id,
            message=self.message,
            started_at=self.started_at,
            between=self.between,
            newest_waiting=self.newest_waiting,
            is_left=True,
            was_suspended=True,
            outcomes={id: self.outcomes[id] for id in self.unrecorded},
            unrecorded=set(self.unrecorded),
        )
        if self.reason is not None:
            again.cancel(self.reason, by=self.interrupted_by)
        return again

    def end_waves_by(self, deadline: float) -> None:
        """Give the wave that is running, or just starts, no longer than `deadline`: a shutdown's grace."""
        self.waves_end_by = deadline
        if self.wave_scope is not None:
            self.wave_scope.deadline = min(self.wave_scope.deadline, deadline)

    def open_wave_scope(self, seconds_max: float) -> trio.CancelScope:
        """The bound of the wave that starts now."""
        deadline = min(trio.current_time() + seconds_max, self.waves_end_by)
        self.wave_scope = trio.CancelScope(deadline=deadline)
        return self.wave_scope
