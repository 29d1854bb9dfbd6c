"""What a new message does to a running operation: a pure function, and a table.

Rule 1: a policy sees a message and a snapshot, and returns a Decision; it changes nothing.
Rule 2: what a policy may not decide is made harmless by `permitted`: an older message never interrupts
(P12), nothing interrupts twice or in a commit (P8), and an operation that was interrupted too often in a row
runs to its end (P13).
Rule 3: no policy is asked about a stop word: it always stops, unless it is late.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from engine.model import Message
from engine.phases import INTERRUPTIBLE, Phase


class Decision(enum.StrEnum):
    """What happens to a message that has just been delivered."""

    START = "start"  # nothing runs or waits: it begins an operation
    INTERRUPT = "interrupt"  # the running operation ends at its boundary, and this begins
    ROLLBACK = "rollback"  # the same, and what the operation did is taken back before this begins
    STEER = "steer"  # it joins the running operation at the next boundary
    WAIT = "wait"  # it runs when the present operation has ended, instead of what waits
    DEFER = "defer"  # as WAIT, and its user is told: an operation was interrupted too often (P13)
    ENQUEUE = "enqueue"  # it runs in its turn, after what waits
    JOIN = "join"  # it runs next, together with what waits
    REJECT = "reject"  # it is refused, and its user told; it stays in the conversation
    SUPERSEDE = (
        "supersede"  # it is older than what its user wrote last: into the conversation, not into a run
    )
    STOP = "stop"  # the running operation ends at its boundary, what waits is dropped, nothing begins
    IGNORE = "ignore"  # it asks for nothing: it stays in the conversation, and is all


@attrs.frozen(kw_only=True)
class Snapshot:
    """The session as a policy sees it.

    `phase` is that of the running operation, None when there is none; `running` is its message.
    `interrupted`: it was told already that it is over.  `waiting`: how many messages wait.  `is_late`: the
    new message is older than its user's newest.  `is_protected`: `interruptions_max` operations before this
    one were interrupted.  `can_adapt`: fewer than `adaptations_max` adaptations were made.
    """

    phase: Phase | None
    running: Message | None = None
    interrupted: bool = False
    waiting: int = 0
    is_late: bool = False
    is_protected: bool = False
    can_adapt: bool = True


# What the operation that runs is told at once; the message itself runs when that has ended.
CANCELS: Final = frozenset({Decision.INTERRUPT, Decision.ROLLBACK})

Policy = Callable[[Message, Snapshot], Decision]


class Situation(enum.StrEnum):
    """What a snapshot comes to: the rows of the tables."""

    IDLE = "idle"  # nothing runs, nothing waits
    GATHERING = "gathering"  # nothing runs yet, messages wait for their start
    WORKING = "working"  # planning, at a boundary, in a wave or adapting
    RESPONDING = "responding"
    COMMITTING = "committing"
    UNDOING = "undoing"
    ENDING = "ending"  # told that it is over, or over and about to go


_BY_PHASE: Final[Mapping[Phase, Situation]] = {
    Phase.PLANNING: Situation.WORKING,
    Phase.AT_BOUNDARY: Situation.WORKING,
    Phase.IN_WAVE: Situation.WORKING,
    Phase.ADAPTING: Situation.WORKING,
    Phase.RESPONDING: Situation.RESPONDING,
    Phase.COMMITTING: Situation.COMMITTING,
    Phase.UNDOING: Situation.UNDOING,
    Phase.COMPLETED: Situation.ENDING,
    Phase.INTERRUPTED: Situation.ENDING,
    Phase.FAILED: Situation.ENDING,
    Phase.SUSPENDED: Situation.ENDING,
}


def situation_of(snapshot: Snapshot) -> Situation:
    """The row of the table that a snapshot stands in."""
    if snapshot.phase is None:
        return Situation.GATHERING if snapshot.waiting else Situation.IDLE
    found = _BY_PHASE[snapshot.phase]
    is_told = snapshot.interrupted and found in (Situation.WORKING, Situation.RESPONDING)
    return Situation.ENDING if is_told else found


# In the order of Situation: idle, gathering, working, responding, committing, undoing, ending.
_START, _WAIT, _ENQUEUE, _JOIN = Decision.START, Decision.WAIT, Decision.ENQUEUE, Decision.JOIN
_INTERRUPT, _ROLLBACK, _STEER = Decision.INTERRUPT, Decision.ROLLBACK, Decision.STEER
_REJECT, _SUPERSEDE = Decision.REJECT, Decision.SUPERSEDE
_NEW: Final[Mapping[str, tuple[Decision, ...]]] = {
    "interrupt": (_START, _WAIT, _INTERRUPT, _INTERRUPT, _WAIT, _WAIT, _WAIT),
    "rollback": (_START, _WAIT, _ROLLBACK, _ROLLBACK, _WAIT, _WAIT, _WAIT),
    "enqueue": (_START, _ENQUEUE, _ENQUEUE, _ENQUEUE, _ENQUEUE, _ENQUEUE, _ENQUEUE),
    "reject": (_START, _ENQUEUE, _REJECT, _REJECT, _ENQUEUE, _ENQUEUE, _ENQUEUE),
    "steer": (_START, _JOIN, _STEER, _STEER, _JOIN, _JOIN, _JOIN),
}
# P12.  Where every message gets its answer, a late one takes its place by its time.
_LATE: Final[Mapping[str, tuple[Decision, ...]]] = {
    "interrupt": (_SUPERSEDE,) * len(Situation),
    "rollback": (_SUPERSEDE,) * len(Situation),
    "enqueue": _NEW["enqueue"],
    "reject": _NEW["reject"],
    "steer": _NEW["steer"],
}

# By name, and by whether the message is late: what each policy decides in each situation.
TABLE: Final[Mapping[str, Mapping[bool, Mapping[Situation, Decision]]]] = {
    name: {
        False: dict(zip(Situation, _NEW[name], strict=True)),
        True: dict(zip(Situation, _LATE[name], strict=True)),
    }
    for name in _NEW
}


def _by_table(name: str) -> Policy:
    def policy(message: Message, snapshot: Snapshot) -> Decision:
        return TABLE[name][snapshot.is_late][situation_of(snapshot)]

    policy.__name__ = policy.__qualname__ = name
    return policy


POLICIES: Final[Mapping[str, Policy]] = {name: _by_table(name) for name in TABLE}

# A wave is not cut, but its operation can be told meanwhile that it is over.
_MAY_BE_INTERRUPTED: Final = INTERRUPTIBLE | {Phase.IN_WAVE}


def permitted(decision: Decision, snapshot: Snapshot) -> Decision:
    """The decision, or the nearest one that breaks no promise in this situation."""
    is_running = snapshot.phase in _MAY_BE_INTERRUPTED and not snapshot.interrupted
    match decision:
        case Decision.INTERRUPT | Decision.ROLLBACK:
            if snapshot.is_late:
                return Decision.SUPERSEDE
            if not is_running:
                return Decision.START if situation_of(snapshot) is Situation.IDLE else Decision.WAIT
            return Decision.DEFER if snapshot.is_protected else decision
        case Decision.STEER if not (is_running and snapshot.can_adapt):
            return Decision.JOIN
        case Decision.START if situation_of(snapshot) is not Situation.IDLE:
            return Decision.ENQUEUE if snapshot.is_late else Decision.WAIT
        case Decision.STOP if snapshot.is_late:
            return Decision.IGNORE
        case Decision.SUPERSEDE if not snapshot.is_late:
            return Decision.WAIT
        case Decision.REJECT if not is_running:
            return Decision.ENQUEUE
        case Decision.WAIT | Decision.DEFER if snapshot.is_late:
            # Instead of what waits would be instead of something newer.
            return Decision.ENQUEUE
    return decision


def decide(policy: Policy, message: Message, snapshot: Snapshot, *, is_stop: bool) -> Decision:
    """What happens to a message.  Raises what the policy raises, TypeError when that gives no Decision."""
    if is_stop:
        return Decision.IGNORE if snapshot.is_late else Decision.STOP
    decision = policy(message, snapshot)
    if not isinstance(decision, Decision):
        raise TypeError(f"a policy returns a Decision, not {decision!r:.80}")
    return permitted(decision, snapshot)
