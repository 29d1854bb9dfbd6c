"""What a new message does, for every phase, every policy and every kind of message, written out by hand."""

import itertools
from typing import Any

import attrs
import pytest

from engine import POLICIES, Message, User
from engine.phases import Phase
from engine.policy import Decision, Policy, Snapshot, decide, permitted

MESSAGE = Message(id="m2", user=User("15551234567"), text="rather this", timestamp=1_700_000_000, sequence=2)

Table = dict[tuple[str, str], Decision]


def table(text: str) -> Table:
    """The decisions by row and policy; the first line names the policies."""
    policies, *rows = (line.split() for line in text.strip().splitlines())
    return {
        (row, policy): Decision(decision)
        for row, *decisions in rows
        for policy, decision in zip(policies, decisions, strict=True)
    }


# `idle`: nothing runs and nothing waits; `gathering`: nothing runs yet, and messages wait for their start.
# A wave is not cut (P2), but its operation is told that it is over: the cancellation waits at the boundary.
# A reply that is being recorded is not interrupted (P8), nor what is being taken back.
NEW = table("""
               interrupt  rollback   enqueue    reject     steer
idle           start      start      start      start      start
gathering      wait       wait       enqueue    enqueue    join
planning       interrupt  rollback   enqueue    reject     steer
at_boundary    interrupt  rollback   enqueue    reject     steer
in_wave        interrupt  rollback   enqueue    reject     steer
adapting       interrupt  rollback   enqueue    reject     steer
responding     interrupt  rollback   enqueue    reject     steer
committing     wait       wait       enqueue    enqueue    join
undoing        wait       wait       enqueue    enqueue    join
completed      wait       wait       enqueue    enqueue    join
interrupted    wait       wait       enqueue    enqueue    join
failed         wait       wait       enqueue    enqueue    join
suspended      wait       wait       enqueue    enqueue    join
""")
# P12: where only the newest message counts, an older one counts for nothing.
LATE = table("""
               interrupt  rollback   enqueue    reject     steer
idle           supersede  supersede  start      start      start
gathering      supersede  supersede  enqueue    enqueue    join
planning       supersede  supersede  enqueue    reject     steer
at_boundary    supersede  supersede  enqueue    reject     steer
in_wave        supersede  supersede  enqueue    reject     steer
adapting       supersede  supersede  enqueue    reject     steer
responding     supersede  supersede  enqueue    reject     steer
committing     supersede  supersede  enqueue    enqueue    join
undoing        supersede  supersede  enqueue    enqueue    join
completed      supersede  supersede  enqueue    enqueue    join
interrupted    supersede  supersede  enqueue    enqueue    join
failed         supersede  supersede  enqueue    enqueue    join
suspended      supersede  supersede  enqueue    enqueue    join
""")
# No policy has a say: it always stops, whatever runs, and it answers where nothing does.
STOP = table("""
               interrupt  rollback   enqueue    reject     steer
idle           stop       stop       stop       stop       stop
gathering      stop       stop       stop       stop       stop
planning       stop       stop       stop       stop       stop
at_boundary    stop       stop       stop       stop       stop
in_wave        stop       stop       stop       stop       stop
adapting       stop       stop       stop       stop       stop
responding     stop       stop       stop       stop       stop
committing     stop       stop       stop       stop       stop
undoing        stop       stop       stop       stop       stop
completed      stop       stop       stop       stop       stop
interrupted    stop       stop       stop       stop       stop
failed         stop       stop       stop       stop       stop
suspended      stop       stop       stop       stop       stop
""")
# It was said before what its user wrote last: what that began does not stop.
LATE_STOP = table("""
               interrupt  rollback   enqueue    reject     steer
idle           ignore     ignore     ignore     ignore     ignore
gathering      ignore     ignore     ignore     ignore     ignore
planning       ignore     ignore     ignore     ignore     ignore
at_boundary    ignore     ignore     ignore     ignore     ignore
in_wave        ignore     ignore     ignore     ignore     ignore
adapting       ignore     ignore     ignore     ignore     ignore
responding     ignore     ignore     ignore     ignore     ignore
committing     ignore     ignore     ignore     ignore     ignore
undoing        ignore     ignore     ignore     ignore     ignore
completed      ignore     ignore     ignore     ignore     ignore
interrupted    ignore     ignore     ignore     ignore     ignore
failed         ignore     ignore     ignore     ignore     ignore
suspended      ignore     ignore     ignore     ignore     ignore
""")
# The operation was told already that it is over: it is not told twice, and takes nothing in any more.
NEW_AFTER_AN_INTERRUPTION = table("""
               interrupt  rollback   enqueue    reject     steer
planning       wait       wait       enqueue    enqueue    join
at_boundary    wait       wait       enqueue    enqueue    join
in_wave        wait       wait       enqueue    enqueue    join
adapting       wait       wait       enqueue    enqueue    join
responding     wait       wait       enqueue    enqueue    join
committing     wait       wait       enqueue    enqueue    join
undoing        wait       wait       enqueue    enqueue    join
completed      wait       wait       enqueue    enqueue    join
interrupted    wait       wait       enqueue    enqueue    join
failed         wait       wait       enqueue    enqueue    join
suspended      wait       wait       enqueue    enqueue    join
""")
LATE_AFTER_AN_INTERRUPTION = table("""
               interrupt  rollback   enqueue    reject     steer
planning       supersede  supersede  enqueue    enqueue    join
at_boundary    supersede  supersede  enqueue    enqueue    join
in_wave        supersede  supersede  enqueue    enqueue    join
adapting       supersede  supersede  enqueue    enqueue    join
responding     supersede  supersede  enqueue    enqueue    join
committing     supersede  supersede  enqueue    enqueue    join
undoing        supersede  supersede  enqueue    enqueue    join
completed      supersede  supersede  enqueue    enqueue    join
interrupted    supersede  supersede  enqueue    enqueue    join
failed         supersede  supersede  enqueue    enqueue    join
suspended      supersede  supersede  enqueue    enqueue    join
""")
# P13: it runs to its end; whoever would have interrupted it is told so.
NEW_TO_A_PROTECTED = table("""
               interrupt  rollback   enqueue    reject     steer
planning       defer      defer      enqueue    reject     steer
at_boundary    defer      defer      enqueue    reject     steer
in_wave        defer      defer      enqueue    reject     steer
adapting       defer      defer      enqueue    reject     steer
responding     defer      defer      enqueue    reject     steer
committing     wait       wait       enqueue    enqueue    join
undoing        wait       wait       enqueue    enqueue    join
completed      wait       wait       enqueue    enqueue    join
interrupted    wait       wait       enqueue    enqueue    join
failed         wait       wait       enqueue    enqueue    join
suspended      wait       wait       enqueue    enqueue    join
""")

IDLE, GATHERING = "idle", "gathering"
ROWS = (IDLE, GATHERING, *Phase)
RUNNING = {Phase.PLANNING, Phase.AT_BOUNDARY, Phase.IN_WAVE, Phase.ADAPTING, Phase.RESPONDING}


def snapshot_of(row: str, **more: Any) -> Snapshot:
    """The session in one row of the tables."""
    if row in (IDLE, GATHERING):
        return Snapshot(phase=None, waiting=int(row == GATHERING), **more)
    return Snapshot(phase=Phase(row), **more)


def decided(row: str, policy: str, *, is_stop: bool = False, **more: Any) -> Decision:
    return decide(POLICIES[policy], MESSAGE, snapshot_of(row, **more), is_stop=is_stop)


def test_these_are_the_policies() -> None:
    """A name that is not in this table is refused at start; each function has its name."""
    assert list(POLICIES) == ["interrupt", "rollback", "enqueue", "reject", "steer"]
    assert [policy.__name__ for policy in POLICIES.values()] == list(POLICIES)


def test_the_tables_leave_nothing_out() -> None:
    """A phase or a policy that is added later needs a decision here."""
    for each in (NEW, LATE, STOP, LATE_STOP):
        assert set(each) == set(itertools.product(ROWS, POLICIES))
    for each in (NEW_AFTER_AN_INTERRUPTION, LATE_AFTER_AN_INTERRUPTION, NEW_TO_A_PROTECTED):
        assert set(each) == set(itertools.product(Phase, POLICIES))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", ROWS)
def test_a_new_message(row: str, policy: str) -> None:
    """However many wait behind an operation.  The policy says so itself: nothing has to be put right."""
    assert POLICIES[policy](MESSAGE, snapshot_of(row)) is NEW[row, policy]
    assert decided(row, policy) is NEW[row, policy]
    if row not in (IDLE, GATHERING):
        running = snapshot_of(row, running=attrs.evolve(MESSAGE, id="m1"))
        many = attrs.evolve(running, waiting=9)
        assert decide(POLICIES[policy], MESSAGE, many, is_stop=False) is NEW[row, policy]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", ROWS)
def test_a_late_message(row: str, policy: str) -> None:
    """P12: also where no operation may be interrupted any more, for other reasons."""
    assert POLICIES[policy](MESSAGE, snapshot_of(row, is_late=True)) is LATE[row, policy]
    assert decided(row, policy, is_late=True) is LATE[row, policy]
    assert decided(row, policy, is_late=True, is_protected=True) is LATE[row, policy]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", ROWS)
def test_a_stop_word(row: str, policy: str) -> None:
    """It beats whatever protects an operation (P13)."""
    assert decided(row, policy, is_stop=True) is STOP[row, policy]
    more = {"is_protected": True, "interrupted": True, "can_adapt": False}
    assert decided(row, policy, is_stop=True, **more) is STOP[row, policy]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", ROWS)
def test_a_late_stop_word(row: str, policy: str) -> None:
    """P12: it stops nothing that came after it."""
    assert decided(row, policy, is_stop=True, is_late=True) is LATE_STOP[row, policy]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("phase", Phase)
def test_a_message_to_an_operation_that_was_interrupted(phase: Phase, policy: str) -> None:
    """P9: a further message only waits while the first interruption is being carried out."""
    assert (
        POLICIES[policy](MESSAGE, snapshot_of(phase, interrupted=True))
        is NEW_AFTER_AN_INTERRUPTION[phase, policy]
    )
    for is_protected in (False, True):
        more = {"interrupted": True, "is_protected": is_protected}
        assert decided(phase, policy, **more) is NEW_AFTER_AN_INTERRUPTION[phase, policy]
        assert decided(phase, policy, is_late=True, **more) is LATE_AFTER_AN_INTERRUPTION[phase, policy]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("phase", Phase)
def test_a_message_to_an_operation_that_is_protected(phase: Phase, policy: str) -> None:
    """P13: nothing interrupts it; messages that need not interrupt it do as ever."""
    assert decided(phase, policy, is_protected=True) is NEW_TO_A_PROTECTED[phase, policy]


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_a_message_that_nobody_would_read_any_more(row: str, is_late: bool) -> None:
    """Past `adaptations_max` a message that would steer begins the next operation instead."""
    expected = LATE if is_late else NEW
    for policy in POLICIES:
        before = expected[row, policy]
        after = Decision.JOIN if before is Decision.STEER else before
        assert decided(row, policy, is_late=is_late, can_adapt=False) is after


# Policies of one's own ----------------------------------------------------------------------------

# Every snapshot there is, but for how many wait beyond one.
SNAPSHOTS = [
    Snapshot(
        phase=phase,
        interrupted=interrupted,
        waiting=waiting,
        is_late=is_late,
        is_protected=is_protected,
        can_adapt=can_adapt,
    )
    for phase, interrupted, waiting, is_late, is_protected, can_adapt in itertools.product(
        [None, *Phase], [False, True], [0, 1], [False, True], [False, True], [False, True]
    )
]


@pytest.mark.parametrize("decision", Decision)
def test_whatever_a_policy_decides_breaks_no_promise(decision: Decision) -> None:
    """Rule 2: it is made lawful in every snapshot, and what is lawful stays as it is."""
    for snapshot in SNAPSHOTS:
        after = permitted(decision, snapshot)
        is_running = snapshot.phase in RUNNING and not snapshot.interrupted
        is_idle = snapshot.phase is None and not snapshot.waiting
        lawful = {
            # P8, P12, P13.
            Decision.INTERRUPT: is_running and not snapshot.is_late and not snapshot.is_protected,
            Decision.ROLLBACK: is_running and not snapshot.is_late and not snapshot.is_protected,
            Decision.STEER: is_running and snapshot.can_adapt,
            Decision.REJECT: is_running,
            Decision.START: is_idle,
            Decision.SUPERSEDE: snapshot.is_late,
            # They take the place of what waits, which is newer than a late one.
            Decision.WAIT: not snapshot.is_late,
            Decision.DEFER: not snapshot.is_late,
            # It would end what something newer has begun.
            Decision.STOP: not snapshot.is_late,
        }
        assert lawful.get(after, True), (snapshot, after)
        assert permitted(after, snapshot) is after
        if lawful.get(decision, True):
            assert after is decision


# By hand: what becomes of a decision that cannot be had, in a session where most can be.
WORKING = Snapshot(phase=Phase.IN_WAVE)


@pytest.mark.parametrize(
    ("decision", "snapshot", "instead"),
    [
        (Decision.INTERRUPT, Snapshot(phase=None), Decision.START),
        (Decision.ROLLBACK, Snapshot(phase=None), Decision.START),
        (Decision.INTERRUPT, Snapshot(phase=None, waiting=1), Decision.WAIT),
        (Decision.INTERRUPT, Snapshot(phase=Phase.COMMITTING), Decision.WAIT),
        (Decision.ROLLBACK, Snapshot(phase=Phase.UNDOING), Decision.WAIT),
        (Decision.INTERRUPT, attrs.evolve(WORKING, interrupted=True), Decision.WAIT),
        (Decision.INTERRUPT, attrs.evolve(WORKING, is_protected=True), Decision.DEFER),
        (Decision.ROLLBACK, attrs.evolve(WORKING, is_protected=True), Decision.DEFER),
        (Decision.INTERRUPT, attrs.evolve(WORKING, is_late=True), Decision.SUPERSEDE),
        (Decision.ROLLBACK, Snapshot(phase=None, is_late=True), Decision.SUPERSEDE),
        (Decision.STEER, Snapshot(phase=None), Decision.JOIN),
        (Decision.STEER, Snapshot(phase=Phase.COMMITTING), Decision.JOIN),
        (Decision.STEER, attrs.evolve(WORKING, can_adapt=False), Decision.JOIN),
        (Decision.START, WORKING, Decision.WAIT),
        (Decision.START, Snapshot(phase=None, waiting=1), Decision.WAIT),
        (Decision.REJECT, Snapshot(phase=None), Decision.ENQUEUE),
        (Decision.REJECT, Snapshot(phase=Phase.UNDOING), Decision.ENQUEUE),
        (Decision.SUPERSEDE, WORKING, Decision.WAIT),
        (Decision.WAIT, attrs.evolve(WORKING, is_late=True), Decision.ENQUEUE),
        (Decision.DEFER, attrs.evolve(WORKING, is_late=True), Decision.ENQUEUE),
        (Decision.START, attrs.evolve(WORKING, is_late=True), Decision.ENQUEUE),
        (Decision.STOP, attrs.evolve(WORKING, is_late=True), Decision.IGNORE),
    ],
)
def test_what_cannot_be_had_becomes_the_nearest_thing(
    decision: Decision, snapshot: Snapshot, instead: Decision
) -> None:
    """A message is never lost, and nobody is told of an interruption that was none (P9)."""
    assert permitted(decision, snapshot) is instead
    assert decide(lambda message, snapshot: decision, MESSAGE, snapshot, is_stop=False) is instead


@pytest.mark.parametrize("returned", [None, "interrupt", 1, True, "x" * 500])
def test_a_policy_that_returns_no_decision_is_wrong(returned: Any) -> None:
    """Whatever it looks like; what it returned is shown, as far as a log line goes."""
    with pytest.raises(TypeError) as wrong:
        decide(lambda message, snapshot: returned, MESSAGE, WORKING, is_stop=False)
    assert str(wrong.value) == f"a policy returns a Decision, not {returned!r:.80}"


def test_what_a_policy_raises_is_let_through() -> None:
    """Whoever asks it decides what to do then."""

    def policy(message: Message, snapshot: Snapshot) -> Decision:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decide(policy, MESSAGE, WORKING, is_stop=False)
    # Rule 3: nobody asks it about a stop word.
    assert decide(policy, MESSAGE, WORKING, is_stop=True) is Decision.STOP


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_changes_nothing_and_decides_the_same_again(policy: Policy) -> None:
    """Rule 1."""
    for snapshot in SNAPSHOTS:
        before = attrs.asdict(snapshot), attrs.asdict(MESSAGE)
        assert policy(MESSAGE, snapshot) is policy(MESSAGE, snapshot)
        assert (attrs.asdict(snapshot), attrs.asdict(MESSAGE)) == before


def test_a_snapshot_cannot_be_changed() -> None:
    """Rule 1: a policy sees the session, it does not hold it."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Snapshot(phase=None).phase = Phase.PLANNING  # type: ignore[misc]
