"""Which messages belong together, when they may start, and which of those that wait run next."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import Message, User
from engine.bursts import Burst, Debounce, Next, Waiting, as_one_burst, choose, count_bursts, gather
from engine.policy import Decision

ANNA = User("15551234567")
SECOND = 1_800_000_000

# Which burst, and when it may start ---------------------------------------------------------------

HALF = Debounce(seconds=0.5, seconds_max=2.0)
# It began at 100 with a message; with others it may start at 101.
BEFORE = Burst(id="m1", began_at=100.0, starts_at=101.0)


@pytest.mark.parametrize(
    ("before", "at", "debounce", "same_delivery", "gathered"),
    [
        # The first message of a user.
        (None, 100.0, HALF, False, Burst(id="m9", began_at=100.0, starts_at=100.5)),
        (None, 100.0, Debounce(), False, Burst(id="m9", began_at=100.0, starts_at=100.0)),
        # One that comes before the burst may start belongs to it, and it waits for another after that.
        (BEFORE, 100.75, HALF, False, Burst(id="m1", began_at=100.0, starts_at=101.25)),
        (BEFORE, 100.0, HALF, False, BEFORE),
        # What was promised to an earlier message is not taken back.
        (BEFORE, 100.25, HALF, False, BEFORE),
        # Nobody waits longer than `seconds_max` after the first one.
        (
            Burst(id="m1", began_at=100.0, starts_at=101.875),
            101.75,
            HALF,
            False,
            Burst(id="m1", began_at=100.0, starts_at=102.0),
        ),
        # A burst that could have started by then has started.
        (BEFORE, 101.0, HALF, False, Burst(id="m9", began_at=101.0, starts_at=101.5)),
        (BEFORE, 500.0, HALF, False, Burst(id="m9", began_at=500.0, starts_at=500.5)),
        # A clock that was set back: a burst that is still to come gathers nothing.
        (BEFORE, 99.75, HALF, False, Burst(id="m9", began_at=99.75, starts_at=100.25)),
        # Without a debounce each message is its own.
        (
            Burst(id="m1", began_at=100.0, starts_at=100.0),
            100.0,
            Debounce(),
            False,
            Burst(id="m9", began_at=100.0, starts_at=100.0),
        ),
        # But those of one delivery are one request, whatever the clock says.
        (
            Burst(id="m1", began_at=100.0, starts_at=100.0),
            100.0,
            Debounce(),
            True,
            Burst(id="m1", began_at=100.0, starts_at=100.0),
        ),
        (BEFORE, 99.0, HALF, True, BEFORE),
        (BEFORE, 500.0, HALF, True, Burst(id="m1", began_at=100.0, starts_at=102.0)),
        # One that is alone waits for no more than `seconds_max` either.
        (None, 100.0, Debounce(seconds=5, seconds_max=2), False, Burst(id="m9", began_at=100, starts_at=102)),
        (
            Burst(id="m1", began_at=100, starts_at=105),
            104,
            Debounce(seconds=5, seconds_max=2),
            False,
            Burst(id="m1", began_at=100, starts_at=105),
        ),
    ],
)
def test_which_burst_a_message_belongs_to(
    before: Burst | None, at: float, debounce: Debounce, same_delivery: bool, gathered: Burst
) -> None:
    """Rule 1."""
    assert gather(before, "m9", at, debounce, same_delivery=same_delivery) == gathered


@given(
    pauses=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75, 5.0]), max_size=12),
    seconds=st.sampled_from([0.0, 0.5, 1.0]),
    seconds_max=st.sampled_from([1.0, 2.0]),
)
def test_a_burst_has_an_end_however_many_messages_come(
    pauses: Sequence[float], seconds: float, seconds_max: float
) -> None:
    """No message of it waits longer than `seconds` after the last, nor `seconds_max` after the first."""
    debounce = Debounce(seconds=seconds, seconds_max=seconds_max)
    at, burst = 100.0, None
    for number, pause in enumerate(pauses):
        at += pause
        before, burst = burst, gather(burst, f"m{number}", at, debounce, same_delivery=False)
        assert burst.began_at <= at <= burst.starts_at <= burst.began_at + seconds_max
        if before is None or burst.id != before.id:
            assert burst == Burst(id=f"m{number}", began_at=at, starts_at=at + seconds)
        else:
            assert burst.began_at == before.began_at
            assert burst.starts_at >= before.starts_at > at


# What runs next -----------------------------------------------------------------------------------


def waits(number: int, decision: Decision, burst: str = "", *, starts_at: float = 0.0, late: bool = False):
    """Message m<number>, in a burst of its own unless another is named."""
    id = f"m{number}"
    timestamp = SECOND - 100 + number if late else SECOND
    return Waiting(
        message=Message(id=id, user=ANNA, text=id, timestamp=timestamp, sequence=number),
        burst_id=burst or id,
        starts_at=starts_at,
        decision=decision,
    )


def ids(waiting: Sequence[Waiting]) -> list[str]:
    return [each.message.id for each in waiting]


START, WAIT, DEFER = Decision.START, Decision.WAIT, Decision.DEFER
INTERRUPT, ROLLBACK = Decision.INTERRUPT, Decision.ROLLBACK
ENQUEUE, JOIN, STEER = Decision.ENQUEUE, Decision.JOIN, Decision.STEER
TAKING_PLACES = [INTERRUPT, ROLLBACK, WAIT, DEFER]
LOSING_NONE = [ENQUEUE, JOIN, STEER]


def test_where_nothing_waits_nothing_runs() -> None:
    """A session that has nothing ends."""
    assert choose([]) is None


@pytest.mark.parametrize(
    ("waiting", "burst", "passed_over"),
    [
        ([waits(1, START)], ["m1"], []),
        # The newest wins, however each of them came to wait.
        ([waits(1, START), waits(2, WAIT)], ["m2"], ["m1"]),
        ([waits(1, INTERRUPT), waits(2, WAIT), waits(3, DEFER)], ["m3"], ["m1", "m2"]),
        ([waits(1, ROLLBACK), waits(2, WAIT)], ["m2"], ["m1"]),
        # With all of its burst, in order.
        ([waits(1, INTERRUPT), waits(2, WAIT, "m1"), waits(3, WAIT, "m1")], ["m1", "m2", "m3"], []),
        ([waits(1, INTERRUPT), waits(2, WAIT), waits(3, WAIT, "m2")], ["m2", "m3"], ["m1"]),
        # Fragments that came in another order than they were written in.
        ([waits(9, INTERRUPT), waits(8, WAIT, "m9", late=True)], ["m8", "m9"], []),
        # Newest by when it was written: the one that came last was written first.
        ([waits(1, INTERRUPT), waits(2, WAIT, late=True)], ["m1"], ["m2"]),
        # In its turn, each in an operation of its own.
        ([waits(1, START), waits(2, ENQUEUE), waits(3, ENQUEUE)], ["m1"], []),
        ([waits(2, ENQUEUE), waits(3, ENQUEUE)], ["m2"], []),
        # A burst stands where its first message does.
        ([waits(2, ENQUEUE), waits(3, ENQUEUE), waits(4, ENQUEUE, "m2")], ["m2", "m4"], []),
        ([waits(2, ENQUEUE), waits(3, ENQUEUE), waits(4, ENQUEUE, "m3", late=True)], ["m4", "m3"], []),
        # P12: by its time.
        ([waits(2, ENQUEUE), waits(3, ENQUEUE, late=True)], ["m3"], []),
        # Together with what waits.
        ([waits(1, START), waits(2, JOIN), waits(3, JOIN)], ["m1", "m2", "m3"], []),
        ([waits(2, STEER), waits(3, JOIN)], ["m2", "m3"], []),
        # A policy of somebody's own, that decides now this, now that.
        ([waits(1, ENQUEUE), waits(2, ENQUEUE), waits(3, JOIN)], ["m1", "m3"], []),
        ([waits(1, ENQUEUE), waits(2, ENQUEUE), waits(3, JOIN, "m2")], ["m1"], []),
        ([waits(1, ENQUEUE), waits(2, WAIT)], ["m1"], []),
        ([waits(1, WAIT), waits(2, ENQUEUE), waits(3, WAIT)], ["m2"], ["m1"]),
        # What is passed over is superseded by something newer: m2 waits for m3.
        ([waits(1, ENQUEUE), waits(2, WAIT), waits(3, WAIT)], ["m1"], []),
        ([waits(2, WAIT), waits(3, WAIT)], ["m3"], ["m2"]),
        # A burst that has one part that waits for its turn keeps its place.
        ([waits(1, ENQUEUE), waits(2, WAIT, "m1"), waits(3, INTERRUPT)], ["m1", "m2"], []),
    ],
)
def test_what_runs_next(waiting: list[Waiting], burst: list[str], passed_over: list[str]) -> None:
    """The burst in its user's order, and what is superseded by it."""
    taken = choose(waiting)
    assert taken is not None
    assert (ids(taken.burst), ids(taken.passed_over)) == (burst, passed_over)
    # However they stand in the list.
    assert choose(waiting[::-1]) == taken


def test_it_starts_when_all_of_it_may() -> None:
    """Also where bursts come together; what is passed over delays nothing."""
    assert Next(burst=(waits(1, JOIN, starts_at=2.5), waits(2, JOIN, starts_at=1.0))).starts_at == 2.5
    taken = choose([waits(1, INTERRUPT, starts_at=9.0), waits(2, WAIT, starts_at=4.0)])
    assert taken is not None
    assert taken.starts_at == 4.0


def any_waiting(*decisions: Decision) -> st.SearchStrategy[list[Waiting]]:
    """What may wait: in any order of writing and of coming, in any bursts."""

    def build(rows: list[tuple[int, int, Decision]]) -> list[Waiting]:
        return [
            Waiting(
                message=Message(
                    id=f"m{number}", user=ANNA, text="", timestamp=SECOND + late, sequence=number
                ),
                burst_id=f"b{burst}",
                starts_at=0.0,
                decision=decision,
            )
            for number, (late, burst, decision) in enumerate(rows, start=1)
        ]

    row = st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from(decisions))
    return st.lists(row, min_size=1, max_size=8).map(build)


def in_order(waiting: Sequence[Waiting]) -> list[Waiting]:
    return sorted(waiting, key=lambda each: each.message.order)


def first_burst(waiting: Sequence[Waiting]) -> list[Waiting]:
    """The burst of the oldest message."""
    oldest, *_ = in_order(waiting)
    return [each for each in in_order(waiting) if each.burst_id == oldest.burst_id]


@given(waiting=any_waiting(START, *TAKING_PLACES, *LOSING_NONE))
@example(waiting=[waits(1, ENQUEUE), waits(2, WAIT), waits(3, WAIT)])
def test_every_message_that_waits_runs_or_is_passed_over_or_still_waits(waiting: list[Waiting]) -> None:
    """P4: exactly one of the three, burst by burst, until nothing waits; and by something newer."""
    left = list(waiting)
    while left:
        taken = choose(left)
        assert taken is not None
        assert taken.burst
        gone = ids(taken.burst) + ids(taken.passed_over)
        assert len(gone) == len(set(gone))
        assert set(gone) <= set(ids(left))
        assert list(taken.burst) == in_order(taken.burst)
        assert list(taken.passed_over) == in_order(taken.passed_over)
        assert all(each.message.order < taken.burst[-1].message.order for each in taken.passed_over)
        left = [each for each in left if each.message.id not in gone]
        # Bursts are not torn apart.
        assert not {each.burst_id for each in left} & {each.burst_id for each in taken.burst}
        assert not {each.burst_id for each in left} & {each.burst_id for each in taken.passed_over}


@given(waiting=any_waiting(*TAKING_PLACES))
def test_where_messages_take_each_others_places_the_newest_wins(waiting: list[Waiting]) -> None:
    """P12: with its burst; all others are passed over at once."""
    taken = choose(waiting)
    assert taken is not None
    newest = in_order(waiting)[-1]
    assert taken.burst[-1] == newest
    assert {each.burst_id for each in taken.burst} == {newest.burst_id}
    assert in_order([*taken.burst, *taken.passed_over]) == in_order(waiting)


@given(waiting=any_waiting(*LOSING_NONE))
def test_where_no_message_is_lost_nothing_is_passed_over(waiting: list[Waiting]) -> None:
    """And whose turn it is does not wait for another."""
    taken = choose(waiting)
    assert taken is not None
    assert taken.passed_over == ()
    assert set(ids(first_burst(waiting))) <= set(ids(taken.burst))


@given(waiting=any_waiting(ENQUEUE))
def test_what_is_enqueued_runs_burst_by_burst(waiting: list[Waiting]) -> None:
    """None of them joins another."""
    taken = choose(waiting)
    assert taken is not None
    assert list(taken.burst) == first_burst(waiting)


@given(waiting=any_waiting(JOIN, STEER))
def test_what_joins_runs_at_once(waiting: list[Waiting]) -> None:
    """All of it is one request."""
    taken = choose(waiting)
    assert taken is not None
    assert list(taken.burst) == in_order(waiting)


@given(waiting=any_waiting(START, *TAKING_PLACES, *LOSING_NONE))
def test_where_too_many_wait_they_are_one_burst(waiting: list[Waiting]) -> None:
    """None is lost, and nothing of them changes but the burst, which is that of the first."""
    one = as_one_burst(waiting)
    assert ids(one) == ids(in_order(waiting))
    assert {each.burst_id for each in one} == {in_order(waiting)[0].burst_id}
    assert count_bursts(one) == 1
    assert count_bursts(waiting) == len({each.burst_id for each in waiting})
    taken = choose(one)
    assert taken is not None
    assert taken == Next(burst=tuple(one))
    assert as_one_burst([]) == []
