"""The messages of one user that wait: whoever looks and takes does both in one step."""

from collections.abc import Sequence

import pytest

from engine import Message, User
from engine.bursts import Waiting
from engine.policy import Decision
from engine.waiting import WaitingMessages

ANNA = User("15551234567")
SECOND = 1_800_000_000
WAIT, ENQUEUE, JOIN, STEER = Decision.WAIT, Decision.ENQUEUE, Decision.JOIN, Decision.STEER


def waits(number: int, decision: Decision = WAIT, burst: str = "", *, seconds: int = 0) -> Waiting:
    """Message m<number>, in a burst of its own unless another is named; `seconds`: when it was written."""
    id = f"m{number}"
    message = Message(id=id, user=ANNA, text=id, timestamp=SECOND + seconds, sequence=number)
    return Waiting(message=message, burst_id=burst or id, starts_at=0.0, decision=decision)


def waiting_messages(*waiting: Waiting) -> WaitingMessages:
    messages = WaitingMessages()
    for each in waiting:
        messages.add(each)
    return messages


def ids(waiting: Sequence[Waiting]) -> list[str]:
    return [each.message.id for each in waiting]


def test_nothing_waits_at_first() -> None:
    """And what looks for something finds nothing."""
    messages = WaitingMessages()
    assert not messages
    assert (len(messages), list(messages), messages.bursts) == (0, [], 0)
    assert (messages.next(), messages.newest(), messages.steering(), messages.clear()) == (None, None, (), ())
    assert not messages.has_burst("m1")
    messages.become_one_burst()
    messages.remove([waits(1).message])
    assert not messages


def test_what_waits_stands_in_the_order_of_delivery() -> None:
    """Each with how it waits."""
    first, second = waits(1, seconds=5), waits(2)
    messages = waiting_messages(first, second)
    assert list(messages) == [first, second]
    assert messages
    assert len(messages) == 2


def test_the_newest_was_written_last() -> None:
    """P12: not the one that came last; within one second arrival decides."""
    messages = waiting_messages(waits(1, seconds=5), waits(2))
    assert messages.newest() == waits(1, seconds=5)
    messages.add(waits(3, seconds=5))
    assert messages.newest() == waits(3, seconds=5)


def test_messages_of_one_burst_are_one_operation() -> None:
    """Those that wait are counted by what they would be."""
    messages = waiting_messages(waits(1), waits(2, burst="m1"), waits(3))
    assert (len(messages), messages.bursts) == (3, 2)
    assert messages.has_burst("m1")
    assert messages.has_burst("m3")
    assert not messages.has_burst("m2")


def test_all_can_become_one_burst() -> None:
    """None is lost, and they run together."""
    messages = waiting_messages(waits(1, ENQUEUE), waits(2, ENQUEUE), waits(3, ENQUEUE))
    messages.become_one_burst()
    assert (len(messages), messages.bursts) == (3, 1)
    assert messages.has_burst("m1")
    taken = messages.next()
    assert taken is not None
    assert ids(taken.burst) == ["m1", "m2", "m3"]


def test_what_runs_next_waits_until_it_is_taken() -> None:
    """What it passes over waits no more either; what comes between still does."""
    messages = waiting_messages(waits(1), waits(2))
    taken = messages.next()
    assert taken is not None
    assert (ids(taken.burst), ids(taken.passed_over)) == (["m2"], ["m1"])
    assert len(messages) == 2
    messages.add(waits(3, ENQUEUE))
    messages.take(taken)
    assert list(messages) == [waits(3, ENQUEUE)]


def test_only_what_steers_joins_what_runs() -> None:
    """In its user's order."""
    messages = waiting_messages(
        waits(1, STEER, seconds=5), waits(2, ENQUEUE), waits(3, STEER), waits(4, JOIN), waits(5)
    )
    assert [message.id for message in messages.steering()] == ["m3", "m1"]
    assert len(messages) == 5


@pytest.mark.parametrize("removed", [["m2"], ["m1", "m3"], ["m9"], []])
def test_what_is_removed_waits_no_more(removed: list[str]) -> None:
    """By id; the others stay in their order."""
    messages = waiting_messages(waits(1), waits(2), waits(3))
    messages.remove([Message(id=id, user=ANNA, text="") for id in removed])
    assert ids(list(messages)) == [id for id in ("m1", "m2", "m3") if id not in removed]


def test_all_can_be_dropped() -> None:
    """Whoever drops them learns what they were, in the order of delivery."""
    messages = waiting_messages(waits(1, seconds=5), waits(2))
    assert messages.clear() == (waits(1, seconds=5).message, waits(2).message)
    assert not messages


def test_whoever_iterates_sees_one_moment() -> None:
    """Dropping and taking while somebody looks pulls nothing away."""
    messages = waiting_messages(waits(1), waits(2))
    seen = []
    for each in messages:
        messages.remove([each.message])
        seen.append(each.message.id)
    assert seen == ["m1", "m2"]
