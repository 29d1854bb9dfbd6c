"""What follows an error of a send, as a table: wait, give up, or send once more."""

import pytest

from engine import Limits, SendAmbiguous, SendBlocked, SendDelayed, SendError, SendRefused
from engine.sending import PAIR_BACKOFF, GiveUp, SendOnceMore, Wait, after

LIMITS = Limits(
    send_retry_seconds_min=2.0, send_retry_seconds_max=60.0, settle_seconds=30.0, send_attempts_max=5
)


def verdict(
    error: SendError, *, attempts: int = 1, number_failures: int = 0, was_ambiguous: bool = False
) -> Wait | GiveUp | SendOnceMore:
    """What follows `error` under the limits above."""
    return after(
        error,
        attempts=attempts,
        number_failures=number_failures,
        was_ambiguous=was_ambiguous,
        limits=LIMITS,
    )


@pytest.mark.parametrize("attempts", [1, 4, 5, 100])
@pytest.mark.parametrize("was_ambiguous", [False, True])
def test_a_refused_message_is_given_up_at_once(attempts: int, was_ambiguous: bool) -> None:
    """It will never be delivered, however often it is tried."""
    assert verdict(SendRefused("no such number"), attempts=attempts, was_ambiguous=was_ambiguous) == GiveUp()


@pytest.mark.parametrize("attempts", [1, 4, 5, 100])
def test_a_send_that_may_have_happened_is_made_once_more(attempts: int) -> None:
    """Rule 2: after the time in which a status would have settled it, whatever came before."""
    assert verdict(SendAmbiguous("no answer"), attempts=attempts) == SendOnceMore(30.0)


@pytest.mark.parametrize("attempts", [1, 2, 100])
def test_a_send_that_may_have_happened_twice_is_given_up(attempts: int) -> None:
    """Rule 2: at most one message too many."""
    assert verdict(SendAmbiguous("no answer"), attempts=attempts, was_ambiguous=True) == GiveUp()


@pytest.mark.parametrize("attempts", [1, 5, 100])
@pytest.mark.parametrize("number_failures", [0, 1, 9])
@pytest.mark.parametrize("was_ambiguous", [False, True])
def test_a_blocked_number_waits_its_longest(attempts: int, number_failures: int, was_ambiguous: bool) -> None:
    """Rule 1: an operator mends it, nobody else; until then no message is given up."""
    error = SendBlocked("token expired", 190)
    options = {"attempts": attempts, "number_failures": number_failures}
    assert verdict(error, was_ambiguous=was_ambiguous, **options) == Wait(60.0, whole_number=True)


@pytest.mark.parametrize(
    ("number_failures", "seconds"),
    [(0, 2.0), (1, 4.0), (2, 8.0), (3, 16.0), (4, 32.0), (5, 60.0), (6, 60.0), (40, 60.0), (1000, 60.0)],
)
def test_a_delayed_number_backs_off_up_to_the_longest_pause(number_failures: int, seconds: float) -> None:
    """Each failure in a row doubles the pause."""
    error = SendDelayed("service down", 131016, whole_number=True)
    assert verdict(error, number_failures=number_failures) == Wait(seconds, whole_number=True)


@pytest.mark.parametrize("attempts", [1, 5, 6, 1000])
@pytest.mark.parametrize("was_ambiguous", [False, True])
def test_a_delayed_number_never_counts_against_a_message(attempts: int, was_ambiguous: bool) -> None:
    """Rule 1: an outage of any length loses nothing."""
    error = SendDelayed("service down", whole_number=True)
    assert verdict(error, attempts=attempts, was_ambiguous=was_ambiguous) == Wait(2.0, whole_number=True)


@pytest.mark.parametrize("wait_seconds", [0.0, 7.5, 3600.0])
@pytest.mark.parametrize("number_failures", [0, 9])
def test_the_providers_own_hint_goes_before_ours(wait_seconds: float, number_failures: int) -> None:
    """For the whole number: also when it is longer than our longest pause, and when it is zero."""
    error = SendDelayed("throughput", 130429, whole_number=True, wait_seconds=wait_seconds)
    assert verdict(error, number_failures=number_failures) == Wait(wait_seconds, whole_number=True)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (1, Wait(1.0, whole_number=False)),
        (2, Wait(4.0, whole_number=False)),
        (3, Wait(16.0, whole_number=False)),
        (4, Wait(64.0, whole_number=False)),
        (5, GiveUp()),
        (6, GiveUp()),
    ],
)
@pytest.mark.parametrize("number_failures", [0, 9])
@pytest.mark.parametrize("was_ambiguous", [False, True])
def test_a_delayed_message_backs_off_by_fours_and_is_given_up(
    attempts: int, expected: Wait | GiveUp, number_failures: int, was_ambiguous: bool
) -> None:
    """Retried in 4^X seconds for X = 0, 1, 2, …; other messages do not wait for it."""
    options = {"attempts": attempts, "number_failures": number_failures}
    assert verdict(SendDelayed("pair limit", 131056), was_ambiguous=was_ambiguous, **options) == expected
    assert PAIR_BACKOFF == 4


@pytest.mark.parametrize("wait_seconds", [0.0, 0.5, 3600.0])
def test_a_hint_for_one_message_goes_before_the_fours(wait_seconds: float) -> None:
    """Until its attempts are used up: a hint gives no more of them."""
    error = SendDelayed("later", wait_seconds=wait_seconds)
    assert verdict(error, attempts=4) == Wait(wait_seconds, whole_number=False)
    assert verdict(error, attempts=5) == GiveUp()


def test_an_error_of_no_kind_counts_as_delayed() -> None:
    """A way out that raises the bare SendError is tried again, and not for ever."""
    assert verdict(SendError("odd"), attempts=2) == Wait(4.0, whole_number=False)
    assert verdict(SendError("odd"), attempts=5) == GiveUp()


def test_by_default_a_message_is_tried_for_an_hour_and_a_half() -> None:
    """What the default limits come to: eight attempts, with 4^0 to 4^6 seconds between them."""
    seconds = 0.0
    for attempts in range(1, 8):
        wait = after(
            SendDelayed("pair limit"),
            attempts=attempts,
            number_failures=0,
            was_ambiguous=False,
            limits=Limits(),
        )
        assert isinstance(wait, Wait)
        seconds += wait.seconds
    assert seconds == 5461
    last = after(
        SendDelayed("pair limit"), attempts=8, number_failures=0, was_ambiguous=False, limits=Limits()
    )
    assert last == GiveUp()
