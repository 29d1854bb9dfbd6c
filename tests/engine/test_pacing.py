"""WhatsApp's pair limit, kept by waiting: one message per 6 s, a burst borrowed and paid back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Limits
from engine.pacing import Pace

LIMITS = Limits(pair_seconds=6, pair_burst_max=45)


def times(*wishes: float, limits: Limits = LIMITS) -> list[float]:
    """When messages go out that one wishes to send at these times, each after the one before."""
    pace, now, sent = Pace(), 0.0, []
    for wish in wishes:
        now = pace.next_at(max(now, wish), limits)
        pace = pace.sent(now, limits)
        sent.append(now)
    return sent


@pytest.mark.parametrize(
    ("wishes", "sent"),
    [
        ([0, 6, 12], [0, 6, 12]),
        ([0, 0, 0], [0, 0, 0]),
        ([0, 1, 7], [0, 1, 12]),
        ([0, 3, 20], [0, 3, 20]),
        ([*[0] * 20, 6], [*[0] * 20, 120]),
        ([0] * 46, [*[0] * 45, 270]),
    ],
    ids=["at pace", "a burst", "before it is paid", "after it is paid", "twenty: two minutes", "45 at most"],
)
def test_a_burst_is_borrowed_from_what_follows(wishes, sent) -> None:
    """The platform's own words and examples."""
    assert times(*wishes) == sent


def test_without_a_pace_nothing_waits() -> None:
    """Where no platform asks for one: a terminal, a test, the local phone."""
    assert times(0, 0, 0.5, 0.5, limits=Limits()) == [0, 0, 0.5, 0.5]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=120).map(sorted))
def test_no_more_than_a_burst_in_six_seconds_and_the_rate_over_all(wishes) -> None:
    """Whatever is wished: nothing early, at most 45 within 6 s, and each burst paid before the next."""
    sent = times(*map(float, wishes))
    assert all(at >= wish for at, wish in zip(sent, wishes, strict=True))
    bursts: list[list[float]] = []
    for at in sent:
        if bursts and at < bursts[-1][0] + 6 and len(bursts[-1]) < 45:
            bursts[-1].append(at)
        else:
            bursts.append([at])
    for burst, following in pairwise(bursts):
        assert following[0] >= burst[0] + 6 * len(burst)


def test_what_is_over_need_not_be_kept() -> None:
    """A line ends when nothing of its pace matters any more."""
    pace = Pace().sent(0, LIMITS).sent(1, LIMITS)
    assert not pace.is_over(11, LIMITS)
    assert pace.is_over(12, LIMITS)
    assert Pace().is_over(0, LIMITS)
