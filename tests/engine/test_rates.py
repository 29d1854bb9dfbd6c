"""A user who writes faster than a hand can is refused, told so once a minute, and delays nobody."""

import trio
from trio.testing import MockClock

from engine import Limits, Message, Plan, User
from engine.rates import Rate
from engine.testing import Trail, open_conversation, scripted_assistant

ANNA, BEN = User("15551234567"), User("15557654321")


def test_each_user_has_a_count_and_each_minute_begins_anew() -> None:
    """And nothing is kept of a minute that is over."""
    rate = Rate(2)
    assert [rate.excess(user, 59.0) for user in ("a", "a", "a", "a", "b")] == [0, 0, 1, 2, 0]
    assert rate.excess("a", 60.0) == 0
    assert rate._counts == {"a": 1}


async def test_what_is_too_much_is_refused_and_told_once(autojump_clock: MockClock) -> None:
    """P11: another user is answered; in the next minute so is this one.  A stop word always stops."""
    trail = Trail()
    limits = Limits(messages_per_minute_max=2)
    assistant = scripted_assistant(Plan(), tools=[], planning_seconds=1)
    async with open_conversation(assistant, trail=trail, limits=limits, policy="enqueue") as conversation:
        receive = conversation.engine.receive
        for index in range(5):
            await receive([Message(id=f"a{index}", user=ANNA, text="more")])
        await receive([Message(id="b1", user=BEN, text="hello")])
        await trio.sleep(30)
        await receive([Message(id="a5", user=ANNA, text="stop")])
        await trio.sleep(31)
        await receive([Message(id="a6", user=ANNA, text="again")])
        await trio.sleep(10)
    assert sorted(trail.of("answered", "rejected", "stopped")) == [
        (0, "rejected", "a2"),
        (0, "rejected", "a3"),
        (0, "rejected", "a4"),
        (1, "answered", "a0"),
        (1, "answered", "b1"),
        (2, "answered", "a1"),
        (30, "stopped", "a5"),
        (62, "answered", "a6"),
    ]
    notices = [row.message_id for row in conversation.outbound.rows if row.kind.value == "notice"]
    assert notices == ["a2", "a5"]
