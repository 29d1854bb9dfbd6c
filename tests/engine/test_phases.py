"""The life of an operation is the table, the whole table and nothing but the table."""

import itertools

import pytest

from engine import IllegalTransition
from engine.model import Message, User
from engine.operation import Operation
from engine.phases import ENDED, INTERRUPTIBLE, TRANSITIONS, Fact, Phase, next_phase

# Written out by hand: a row that is missing, wrong or too many in the engine's table shows here.
EXPECTED = {
    (Phase.PLANNING, Fact.PLANNED): Phase.AT_BOUNDARY,
    (Phase.PLANNING, Fact.INTERRUPTED): Phase.INTERRUPTED,
    (Phase.PLANNING, Fact.UNDO_STARTED): Phase.UNDOING,
    (Phase.PLANNING, Fact.BROKE): Phase.FAILED,
    (Phase.PLANNING, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.AT_BOUNDARY, Fact.WAVE_STARTED): Phase.IN_WAVE,
    (Phase.AT_BOUNDARY, Fact.ADAPT_ASKED): Phase.ADAPTING,
    (Phase.AT_BOUNDARY, Fact.RESPOND_ASKED): Phase.RESPONDING,
    (Phase.AT_BOUNDARY, Fact.INTERRUPTED): Phase.INTERRUPTED,
    (Phase.AT_BOUNDARY, Fact.UNDO_STARTED): Phase.UNDOING,
    (Phase.AT_BOUNDARY, Fact.BROKE): Phase.FAILED,
    (Phase.AT_BOUNDARY, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.IN_WAVE, Fact.WAVE_FINISHED): Phase.AT_BOUNDARY,
    (Phase.IN_WAVE, Fact.BROKE): Phase.FAILED,
    (Phase.IN_WAVE, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.ADAPTING, Fact.ADAPTED): Phase.AT_BOUNDARY,
    (Phase.ADAPTING, Fact.INTERRUPTED): Phase.INTERRUPTED,
    (Phase.ADAPTING, Fact.UNDO_STARTED): Phase.UNDOING,
    (Phase.ADAPTING, Fact.BROKE): Phase.FAILED,
    (Phase.ADAPTING, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.RESPONDING, Fact.REPLY_MADE): Phase.COMMITTING,
    (Phase.RESPONDING, Fact.STEERED): Phase.AT_BOUNDARY,
    (Phase.RESPONDING, Fact.INTERRUPTED): Phase.INTERRUPTED,
    (Phase.RESPONDING, Fact.UNDO_STARTED): Phase.UNDOING,
    (Phase.RESPONDING, Fact.BROKE): Phase.FAILED,
    (Phase.RESPONDING, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.COMMITTING, Fact.REPLY_RECORDED): Phase.COMPLETED,
    (Phase.COMMITTING, Fact.COMMIT_FAILED): Phase.AT_BOUNDARY,
    (Phase.COMMITTING, Fact.BROKE): Phase.FAILED,
    (Phase.COMMITTING, Fact.SUSPENDED): Phase.SUSPENDED,
    (Phase.UNDOING, Fact.UNDONE): Phase.INTERRUPTED,
    (Phase.UNDOING, Fact.BROKE): Phase.FAILED,
    (Phase.UNDOING, Fact.SUSPENDED): Phase.SUSPENDED,
}

EVERY_PAIR = list(itertools.product(Phase, Fact))
NO_ROW = [pair for pair in EVERY_PAIR if pair not in EXPECTED]


def operation_in(phase: Phase) -> Operation:
    """An operation that stands in `phase`."""
    message = Message(id="m1", user=User("15551234567"), text="hi")
    return Operation(id="o1", message=message, started_at=0.0, phase=phase)


def go(operation: Operation, *facts: Fact) -> None:
    """These happen to it, in order."""
    for fact in facts:
        operation.advance(fact)


def test_the_table_is_the_one_written_out_here() -> None:
    """Every row and no other."""
    rows = {(phase, fact): after for phase, row in TRANSITIONS.items() for fact, after in row.items()}
    assert rows == EXPECTED


def test_every_phase_has_a_row() -> None:
    """A phase that is not in the table could not even refuse."""
    assert set(TRANSITIONS) == set(Phase)


@pytest.mark.parametrize(("phase", "fact"), list(EXPECTED))
def test_a_fact_with_a_row_changes_the_phase(phase: Phase, fact: Fact) -> None:
    """Rule 1."""
    assert next_phase(phase, fact) is EXPECTED[phase, fact]
    operation = operation_in(phase)
    operation.advance(fact)
    assert operation.phase is EXPECTED[phase, fact]


@pytest.mark.parametrize(("phase", "fact"), NO_ROW)
def test_a_fact_without_a_row_is_refused_and_changes_nothing(phase: Phase, fact: Fact) -> None:
    """Rule 1: the error names the phase and the fact."""
    operation = operation_in(phase)
    with pytest.raises(IllegalTransition) as refusal:
        operation.advance(fact)
    assert str(refusal.value) == f"an operation that is {phase.value} cannot take {fact.value!r}"
    assert operation.phase is phase


def test_the_refusal_in_words() -> None:
    """As it stands in a log."""
    with pytest.raises(IllegalTransition, match=r"^an operation that is in_wave cannot take 'interrupted'$"):
        next_phase(Phase.IN_WAVE, Fact.INTERRUPTED)


@pytest.mark.parametrize("phase", [Phase.IN_WAVE, Phase.COMMITTING, Phase.UNDOING])
def test_what_acts_or_commits_or_takes_back_cannot_be_interrupted(phase: Phase) -> None:
    """Rule 2 (P2), rule 3 (P8) and rule 4: the table has no such row, nor one that begins to take back."""
    assert not TRANSITIONS[phase].keys() & {Fact.INTERRUPTED, Fact.UNDO_STARTED}


def test_what_can_be_interrupted_can_be_taken_back() -> None:
    """A rollback is an interruption with more to do before its end."""
    undone = {phase for phase, row in TRANSITIONS.items() if Fact.UNDO_STARTED in row}
    assert undone == INTERRUPTIBLE


def test_only_thinking_and_standing_between_waves_can_be_interrupted() -> None:
    """P3: a model call in flight is cut at once, a wave is not."""
    assert {Phase.PLANNING, Phase.AT_BOUNDARY, Phase.ADAPTING, Phase.RESPONDING} == INTERRUPTIBLE


def test_an_end_has_no_way_out() -> None:
    """Whatever comes afterwards is refused."""
    assert {Phase.COMPLETED, Phase.INTERRUPTED, Phase.FAILED, Phase.SUSPENDED} == ENDED
    assert all(TRANSITIONS[phase] == {} for phase in ENDED)


def test_whatever_runs_can_break_and_be_suspended() -> None:
    """A bug or a shutdown can come in every phase that is not an end."""
    for phase in set(Phase) - ENDED:
        assert next_phase(phase, Fact.BROKE) is Phase.FAILED
        assert next_phase(phase, Fact.SUSPENDED) is Phase.SUSPENDED


def test_the_whole_way_of_an_operation() -> None:
    """Two waves with an adaptation between them, and a reply."""
    operation = operation_in(Phase.PLANNING)
    go(
        operation,
        Fact.PLANNED,
        Fact.WAVE_STARTED,
        Fact.WAVE_FINISHED,
        Fact.ADAPT_ASKED,
        Fact.ADAPTED,
        Fact.WAVE_STARTED,
        Fact.WAVE_FINISHED,
        Fact.RESPOND_ASKED,
        Fact.REPLY_MADE,
        Fact.REPLY_RECORDED,
    )
    assert operation.phase is Phase.COMPLETED


def test_the_way_of_an_operation_that_is_steered() -> None:
    """A message joins while the reply is made: the planner is asked again, and what it plans is run."""
    operation = operation_in(Phase.PLANNING)
    go(operation, Fact.PLANNED, Fact.RESPOND_ASKED, Fact.STEERED, Fact.ADAPT_ASKED, Fact.ADAPTED)
    go(operation, Fact.WAVE_STARTED, Fact.WAVE_FINISHED, Fact.RESPOND_ASKED, Fact.REPLY_MADE)
    assert operation.phase is Phase.COMMITTING


@pytest.mark.parametrize(
    ("facts", "end"),
    [
        ([Fact.INTERRUPTED], Phase.INTERRUPTED),
        ([Fact.UNDO_STARTED, Fact.UNDONE], Phase.INTERRUPTED),
        ([Fact.UNDO_STARTED, Fact.SUSPENDED], Phase.SUSPENDED),
    ],
)
def test_an_operation_whose_commit_failed_can_give_way(facts: list[Fact], end: Phase) -> None:
    """P8: it stands between waves again, and ends there as any other."""
    operation = operation_in(Phase.COMMITTING)
    go(operation, Fact.COMMIT_FAILED, *facts)
    assert operation.phase is end
