"""What a new message does to a running operation, for every phase it can be in."""

import itertools

import attrs
import pytest

from engine import POLICIES, Message, User
from engine.phases import Phase
from engine.policy import Decision, Snapshot, interrupt

MESSAGE = Message(id="m2", user=User("15551234567"), text="rather this", timestamp=1_700_000_000, sequence=2)

# By hand: what the policy `interrupt` decides while an operation runs that was not interrupted yet.
EXPECTED = {
    Phase.PLANNING: Decision.INTERRUPT,
    Phase.AT_BOUNDARY: Decision.INTERRUPT,
    # Not cut (P2), but told that it is over: the cancellation waits at the boundary.
    Phase.IN_WAVE: Decision.INTERRUPT,
    Phase.ADAPTING: Decision.INTERRUPT,
    Phase.RESPONDING: Decision.INTERRUPT,
    # Its reply is being recorded: a message that comes now only waits (P8).
    Phase.COMMITTING: Decision.WAIT,
    # It has ended and its session is about to notice.
    Phase.COMPLETED: Decision.WAIT,
    Phase.INTERRUPTED: Decision.WAIT,
    Phase.FAILED: Decision.WAIT,
    Phase.SUSPENDED: Decision.WAIT,
}


def test_the_expectations_leave_no_phase_out() -> None:
    """A phase that is added later needs a decision here."""
    assert set(EXPECTED) == set(Phase)


@pytest.mark.parametrize("phase", list(Phase))
def test_the_newest_message_wins_as_long_as_no_reply_is_being_recorded(phase: Phase) -> None:
    """P3 and P8 as one column."""
    assert interrupt(MESSAGE, Snapshot(phase=phase)) is EXPECTED[phase]


@pytest.mark.parametrize("phase", list(Phase))
def test_an_operation_is_interrupted_once(phase: Phase) -> None:
    """P9: a further message only waits while the first interruption is being carried out."""
    assert interrupt(MESSAGE, Snapshot(phase=phase, interrupted=True)) is Decision.WAIT


@pytest.mark.parametrize("interrupted", [False, True])
def test_where_nothing_runs_an_operation_starts(interrupted: bool) -> None:
    """There is nothing to interrupt, so nobody is told of an interruption (P9)."""
    assert interrupt(MESSAGE, Snapshot(phase=None, interrupted=interrupted)) is Decision.START


def test_a_policy_changes_nothing_and_decides_the_same_again() -> None:
    """Rule 1."""
    for phase, interrupted in itertools.product([None, *Phase], [False, True]):
        snapshot = Snapshot(phase=phase, interrupted=interrupted)
        before = attrs.asdict(snapshot), attrs.asdict(MESSAGE)
        assert interrupt(MESSAGE, snapshot) is interrupt(MESSAGE, snapshot)
        assert (attrs.asdict(snapshot), attrs.asdict(MESSAGE)) == before


def test_a_snapshot_cannot_be_changed() -> None:
    """Rule 1: a policy sees the session, it does not hold it."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Snapshot(phase=None).phase = Phase.PLANNING  # type: ignore[misc]


def test_interrupt_is_the_policy_there_is() -> None:
    """A name that is not in this table is refused at start."""
    assert dict(POLICIES) == {"interrupt": interrupt}
