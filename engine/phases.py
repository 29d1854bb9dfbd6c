"""The life of one operation, as a table.  No I/O, no clock, no Trio.

Rule 1: an operation changes phase only through a row of TRANSITIONS.
Rule 2: IN_WAVE has no Interrupted row: a wave in flight always finishes (P2).
Rule 3: COMMITTING has no Interrupted row: a message that comes then only waits (P8).
Rule 4: UNDOING has no Interrupted row: what was begun to be taken back is taken back.
"""

import enum
from collections.abc import Mapping
from typing import Final

from engine.errors import IllegalTransition


class Phase(enum.StrEnum):
    """Where an operation stands."""

    PLANNING = "planning"
    AT_BOUNDARY = "at_boundary"  # between waves: the only place where it may be interrupted in its acts
    IN_WAVE = "in_wave"
    ADAPTING = "adapting"
    RESPONDING = "responding"
    COMMITTING = "committing"
    UNDOING = "undoing"  # interrupted, and taking back what it did
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    SUSPENDED = "suspended"


class Fact(enum.StrEnum):
    """What can happen to an operation."""

    PLANNED = "planned"
    WAVE_STARTED = "wave_started"
    WAVE_FINISHED = "wave_finished"
    ADAPT_ASKED = "adapt_asked"
    ADAPTED = "adapted"
    RESPOND_ASKED = "respond_asked"
    REPLY_MADE = "reply_made"
    REPLY_RECORDED = "reply_recorded"
    COMMIT_FAILED = "commit_failed"  # the record of the reply was refused and newer messages wait
    STEERED = "steered"  # a message came while the reply was made: back to the planner with it
    INTERRUPTED = "interrupted"
    UNDO_STARTED = "undo_started"
    UNDONE = "undone"
    BROKE = "broke"  # an error: the assistant's or ours
    SUSPENDED = "suspended"  # shutdown, or a store that does not write


class Reason(enum.StrEnum):
    """Why an operation was cancelled; the first four are the `reason` of `session_cancelled`."""

    NEW_MESSAGE = "new_message_received"
    STOPPED = "user_stopped"
    DEADLINE = "deadline"
    TAKEN_OVER = "taken_over"  # a person of the business answers
    SUSPENDED = "suspended"


_UNSHIELDED: Final[Mapping[Fact, Phase]] = {
    Fact.INTERRUPTED: Phase.INTERRUPTED,
    Fact.UNDO_STARTED: Phase.UNDOING,
    Fact.BROKE: Phase.FAILED,
    Fact.SUSPENDED: Phase.SUSPENDED,
}

TRANSITIONS: Final[Mapping[Phase, Mapping[Fact, Phase]]] = {
    Phase.PLANNING: {Fact.PLANNED: Phase.AT_BOUNDARY, **_UNSHIELDED},
    Phase.AT_BOUNDARY: {
        Fact.WAVE_STARTED: Phase.IN_WAVE,
        Fact.ADAPT_ASKED: Phase.ADAPTING,
        Fact.RESPOND_ASKED: Phase.RESPONDING,
        **_UNSHIELDED,
    },
    Phase.IN_WAVE: {
        Fact.WAVE_FINISHED: Phase.AT_BOUNDARY,
        Fact.BROKE: Phase.FAILED,
        Fact.SUSPENDED: Phase.SUSPENDED,
    },
    Phase.ADAPTING: {Fact.ADAPTED: Phase.AT_BOUNDARY, **_UNSHIELDED},
    Phase.RESPONDING: {
        Fact.REPLY_MADE: Phase.COMMITTING,
        Fact.STEERED: Phase.AT_BOUNDARY,
        **_UNSHIELDED,
    },
    Phase.COMMITTING: {
        Fact.REPLY_RECORDED: Phase.COMPLETED,
        Fact.COMMIT_FAILED: Phase.AT_BOUNDARY,
        Fact.BROKE: Phase.FAILED,
        Fact.SUSPENDED: Phase.SUSPENDED,
    },
    Phase.UNDOING: {
        Fact.UNDONE: Phase.INTERRUPTED,
        Fact.BROKE: Phase.FAILED,
        Fact.SUSPENDED: Phase.SUSPENDED,
    },
    Phase.COMPLETED: {},
    Phase.INTERRUPTED: {},
    Phase.FAILED: {},
    Phase.SUSPENDED: {},
}

ENDED: Final = frozenset(phase for phase, row in TRANSITIONS.items() if not row)
INTERRUPTIBLE: Final = frozenset(phase for phase, row in TRANSITIONS.items() if Fact.INTERRUPTED in row)


def next_phase(phase: Phase, fact: Fact) -> Phase:
    """The phase after `fact`.  Raises IllegalTransition when the table has no such row."""
    try:
        return TRANSITIONS[phase][fact]
    except KeyError:
        raise IllegalTransition(f"an operation that is {phase.value} cannot take {fact.value!r}") from None
