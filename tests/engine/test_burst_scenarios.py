"""Bursts: somebody who writes one request in several messages.

Messages are a burst when each comes within `debounce_seconds` (0.5 s here) of the one before.  Planning
takes 0.25 s and the only wave 2 s: an operation that starts at 0.5 is answered at 2.75.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Event,
    Limits,
    MemoryStore,
    Message,
    MessageAccepted,
    Plan,
    Suspended,
    User,
)
from engine.testing import (
    Conversation,
    Trail,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA, BEN = "15551234567", "15557654321"
ACK = "Got it! Switching to your new request..."


def two_seconds(**more: Any) -> Assistant:
    act = sleeping_tool("act", 2)
    return scripted_assistant(Plan(Call("x", act)), tools=[act], planning_seconds=0.25, **more)


@asynccontextmanager
async def open_patient(assistant: Assistant, trail: Trail, **options: Any) -> AsyncIterator[Conversation]:
    """An engine that waits half a second for more, at most two."""
    limits = {"debounce_seconds": 0.5, "debounce_seconds_max": 2, **options.pop("limits", {})}
    async with open_conversation(assistant, trail=trail, limits=Limits(**limits), **options) as conversation:
        yield conversation


async def write(conversation: Conversation, *ids: str, pause: float = 0.25) -> None:
    """One message after the other, and a pause after each."""
    for id in ids:
        await conversation.send((id, f"text {id}"))
        await trio.sleep(pause)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("started", "answered", "superseded", "merged", "stopped", "rejected", "failed")


def burst_of(assistant: Assistant, message_id: str) -> list[str]:
    return [one.id for one in assistant.planner.contexts[message_id].burst]


async def test_a_start_waits_for_more(autojump_clock: MockClock) -> None:
    """Half a second, and that is all it costs."""
    trail = Trail()
    async with open_patient(two_seconds(), trail) as conversation:
        await write(conversation, "m1")
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.done == [
        (0.5, "started", "m1"),
        (0.75, "planned", "x"),
        (0.75, "wave", "x"),
        (2.75, "wave finished", "1"),
        (2.75, "answered", "m1"),
        (2.75, "completed", "1 tools"),
    ]
    assert trail.said == [(2.75, "reply", "done: text m1")]


async def test_fragments_are_one_request(autojump_clock: MockClock) -> None:
    """In order, never glued; merged with the plan that saw them; one reply, and nothing else is said."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", "m2", "m3")
        await trio.sleep(20)
    assert trail.done == [
        (1, "started", "m3"),
        (1.25, "merged", "m1"),
        (1.25, "merged", "m2"),
        (1.25, "planned", "x"),
        (1.25, "wave", "x"),
        (3.25, "wave finished", "1"),
        (3.25, "answered", "m3"),
        (3.25, "completed", "1 tools"),
    ]
    assert trail.said == [(3.25, "reply", "done: text m3")]
    assert [one.text for one in assistant.planner.contexts["m3"].burst] == ["text m1", "text m2", "text m3"]
    assert assistant.planner.contexts["m3"].history == ()


async def test_somebody_who_goes_on_typing_is_answered_at_some_time(autojump_clock: MockClock) -> None:
    """`debounce_seconds_max` after the first of them; what comes later is a new request."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail, limits={"debounce_seconds_max": 1}) as conversation:
        await write(conversation, "m1", "m2", "m3", pause=0.375)  # 0, 0.375, 0.75
        await write(conversation, "m4", pause=0.375)  # 1.125: the planning is under way
        await trio.sleep(20)
    assert fates(trail) == [
        (1, "started", "m3"),
        (1.125, "superseded", "m1 by m4"),
        (1.125, "superseded", "m2 by m4"),
        (1.125, "superseded", "m3 by m4"),
        (1.625, "started", "m4"),
        (3.875, "answered", "m4"),
    ]


async def test_the_first_fragment_interrupts_at_once(autojump_clock: MockClock) -> None:
    """Debounce delays only the start: planning is cut, the user is told, and then more is waited for."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", pause=0.625)
        await write(conversation, "m2", "m3")
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "m1"),
        (0.625, "superseded", "m1 by m2"),
        (1.375, "started", "m3"),
        (1.625, "merged", "m2"),
        (3.625, "answered", "m3"),
    ]
    assert trail.said == [(0.625, "acknowledgement", ACK), (3.625, "reply", "done: text m3")]


async def test_a_wave_takes_longer_than_a_burst(autojump_clock: MockClock) -> None:
    """P2: when it ends the burst has long been complete, and starts in the same instant."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", "m3", "m4")
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "m1"),
        (2.75, "superseded", "m1 by m2"),
        (2.75, "started", "m4"),
        (3, "merged", "m2"),
        (3, "merged", "m3"),
        (5, "answered", "m4"),
    ]
    assert burst_of(assistant, "m4") == ["m2", "m3", "m4"]
    assert trail.of("acknowledgement") == [(1, "acknowledgement", ACK)]


async def test_what_comes_after_a_burst_that_waits_supersedes_it(autojump_clock: MockClock) -> None:
    """It comes too late to be a fragment, and the wave is still running: only the newest burst runs."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", pause=0.875)
        await write(conversation, "m2", "m3", pause=0.25)  # 0.875, 1.125
        await trio.sleep(0.625)
        await write(conversation, "m4", "m5")  # 2, 2.25
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "m1"),
        (2.75, "superseded", "m1 by m2"),
        (2.75, "superseded", "m2 by m5"),
        (2.75, "superseded", "m3 by m5"),
        (2.75, "started", "m5"),
        (3, "merged", "m4"),
        (5, "answered", "m5"),
    ]


async def test_a_burst_that_is_superseded_is_in_front_of_the_next_plan(autojump_clock: MockClock) -> None:
    """P7: as the one request that it was, all its messages in order, with what was found out."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", "m2")
        await trio.sleep(1)  # its wave runs
        await write(conversation, "m3")
        await trio.sleep(20)
    assert fates(trail)[1:4] == [
        (1, "merged", "m1"),
        (3, "superseded", "m2 by m3"),
        (3, "started", "m3"),
    ]
    (request,) = assistant.planner.contexts["m3"].superseded
    assert request.message.id == "m2"
    assert [one.text for one in request.burst] == ["text m1", "text m2"]
    assert request.results["x"].value == "act"


async def test_a_burst_that_was_not_planned_yet_is_one_request_all_the_same(
    autojump_clock: MockClock,
) -> None:
    """All its messages were superseded; the next plan sees them once, together."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1", "m2")
        await trio.sleep(0.375)
        await write(conversation, "m3")
        await trio.sleep(20)
    assert fates(trail)[:3] == [
        (0.75, "started", "m2"),
        (0.875, "superseded", "m1 by m3"),
        (0.875, "superseded", "m2 by m3"),
    ]
    (request,) = assistant.planner.contexts["m3"].superseded
    assert ([one.id for one in request.burst], dict(request.results)) == (["m1", "m2"], {})


async def test_messages_of_one_post_are_one_burst_without_any_wait(autojump_clock: MockClock) -> None:
    """What the provider delivers together was written together."""
    trail = Trail()
    assistant = two_seconds()
    async with open_conversation(assistant, trail=trail) as conversation:
        await conversation.send(("m1", "one"), ("m2", "two"), ("m3", "three"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m3"),
        (0.25, "merged", "m1"),
        (0.25, "merged", "m2"),
        (2.25, "answered", "m3"),
    ]
    assert burst_of(assistant, "m3") == ["m1", "m2", "m3"]


async def test_a_post_interrupts_once(autojump_clock: MockClock) -> None:
    """P9: its first message interrupts, the others are its burst."""
    trail = Trail()
    assistant = two_seconds()
    async with open_conversation(assistant, trail=trail) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"), ("m3", "three"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "started", "m3"),
        (2.5, "merged", "m2"),
        (4.5, "answered", "m3"),
    ]
    assert trail.said == [(1, "acknowledgement", ACK), (4.5, "reply", "done: three")]


async def test_the_next_post_is_another_request(autojump_clock: MockClock) -> None:
    """Without debounce a second POST is a change of mind, however soon it comes."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail) as conversation:
        await conversation.send(("m1", "one"), ("m2", "two"))
        await conversation.send(("m3", "three"))
        await trio.sleep(20)
    assert [entry[1:] for entry in fates(trail) if entry[1] == "superseded"] == [
        ("superseded", "m1 by m3"),
        ("superseded", "m2 by m3"),
    ]
    assert trail.said[-1][1:] == ("reply", "done: three")


async def test_a_late_fragment_takes_its_place_in_the_burst(autojump_clock: MockClock) -> None:
    """The network turned them round; they are fragments of one request no less (P12: by time)."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        for id, timestamp in (("m2", 101), ("m1", 100), ("m3", 102)):
            await conversation.engine.receive([Message(id=id, user=User(ANNA), text=id, timestamp=timestamp)])
        await trio.sleep(20)
    assert burst_of(assistant, "m3") == ["m1", "m2", "m3"]
    assert [word for _, word, _ in fates(trail)] == ["started", "merged", "merged", "answered"]


async def test_a_late_message_that_is_no_fragment_starts_nothing(autojump_clock: MockClock) -> None:
    """P12: what it would be a fragment of has been begun."""
    trail = Trail()
    async with open_patient(two_seconds(), trail) as conversation:
        await conversation.engine.receive([Message(id="new", user=User(ANNA), text="new", timestamp=100)])
        await trio.sleep(1)
        await conversation.engine.receive([Message(id="old", user=User(ANNA), text="old", timestamp=99)])
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "new"),
        (1, "superseded", "old by new"),
        (2.75, "answered", "new"),
    ]


async def test_two_users_do_not_wait_for_each_other(autojump_clock: MockClock) -> None:
    """P11: one who goes on typing delays nobody, though both come in the same POSTs."""
    trail = Trail()
    async with open_patient(two_seconds(), trail) as conversation:
        await conversation.engine.receive(
            [Message(id="b1", user=User(BEN), text="b1"), Message(id="a1", user=User(ANNA), text="a1")]
        )
        for number in (2, 3):
            await trio.sleep(0.375)
            await conversation.engine.receive([Message(id=f"a{number}", user=User(ANNA), text="more")])
        await trio.sleep(20)
    assert trail.of("started", "answered") == [
        (0.5, "started", "b1"),
        (1.25, "started", "a3"),
        (2.75, "answered", "b1"),
        (3.5, "answered", "a3"),
    ]


# With other policies ------------------------------------------------------------------------------


async def test_fragments_that_wait_their_turn_are_one_request(autojump_clock: MockClock) -> None:
    """Under enqueue a burst is one in the queue; what comes later is the next."""
    trail = Trail()
    async with open_patient(two_seconds(), trail, policy="enqueue") as conversation:
        await write(conversation, "m1", pause=0.75)
        await write(conversation, "m2", "m3")  # 0.75, 1
        await trio.sleep(0.5)
        await write(conversation, "m4")  # 1.75
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "m1"),
        (2.75, "answered", "m1"),
        (2.75, "started", "m3"),
        (3, "merged", "m2"),
        (5, "answered", "m3"),
        (5, "started", "m4"),
        (7.25, "answered", "m4"),
    ]


async def test_a_fragment_that_steers_waits_for_no_more(autojump_clock: MockClock) -> None:
    """Nothing starts anew: the boundary comes when it comes."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail, policy="steer") as conversation:
        await write(conversation, "m1", pause=2.625)
        await write(conversation, "m2", pause=20)
    assert fates(trail) == [(0.5, "started", "m1"), (2.75, "merged", "m2"), (2.75, "answered", "m1")]


async def test_a_burst_begins_when_what_ran_has_been_taken_back(autojump_clock: MockClock) -> None:
    """Under rollback its first fragment interrupts at once, as under interrupt."""
    trail = Trail()
    async with open_patient(two_seconds(), trail, policy="rollback") as conversation:
        await write(conversation, "m1", pause=0.625)
        await write(conversation, "m2", "m3")
        await trio.sleep(20)
    assert fates(trail) == [
        (0.5, "started", "m1"),
        (0.625, "superseded", "m1 by m2"),
        (1.375, "started", "m3"),
        (1.625, "merged", "m2"),
        (3.625, "answered", "m3"),
    ]


# Stop ---------------------------------------------------------------------------------------------


async def test_a_stop_word_does_not_wait_and_drops_what_does(autojump_clock: MockClock) -> None:
    """Nothing of the burst begins, and its user is told at once."""
    trail = Trail()
    async with open_patient(two_seconds(), trail) as conversation:
        await write(conversation, "m1", "m2")
        await conversation.send(("m3", "stop"))
        await trio.testing.wait_all_tasks_blocked()
        assert conversation.engine.live_sessions == 0  # P10: at once, not when the burst would have begun
        await trio.sleep(20)
    assert sorted(fates(trail)) == [(0.5, "stopped", "m1"), (0.5, "stopped", "m2"), (0.5, "stopped", "m3")]
    assert trail.said == [(0.5, "notice", "Stopped.")]


async def test_what_comes_after_a_stop_word_is_a_request_of_its_own(autojump_clock: MockClock) -> None:
    """It is within half a second of what was dropped, and has nothing to do with it."""
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail) as conversation:
        await write(conversation, "m1")
        await conversation.send(("m2", "stop"))
        await trio.sleep(0.125)
        await write(conversation, "m3")
        await trio.sleep(20)
    assert trail.of("started", "answered") == [(0.875, "started", "m3"), (3.125, "answered", "m3")]
    assert burst_of(assistant, "m3") == ["m3"]


# Clocks, restarts and crashes ---------------------------------------------------------------------


@attrs.define
class WallClock:
    """Seconds since 1970 that somebody may set."""

    ahead: float = 1000.0

    def __call__(self) -> float:
        return trio.current_time() + self.ahead


@pytest.mark.parametrize("by", [-900, 900])
async def test_a_clock_that_is_set_makes_nobody_wait_longer(autojump_clock: MockClock, by: float) -> None:
    """Half a second after the last message, whatever the clock said at the first."""
    trail = Trail()
    clock = WallClock()
    async with open_patient(two_seconds(), trail, now=clock) as conversation:
        await write(conversation, "m1")
        clock.ahead += by
        await write(conversation, "m2")
        await trio.sleep(20)
    assert trail.of("started", "answered") == [(0.75, "started", "m2"), (3, "answered", "m2")]


async def test_a_clock_that_was_set_back_over_a_restart_makes_nobody_wait(autojump_clock: MockClock) -> None:
    """The deadline is the stored one or half a second from now, whichever comes first."""
    store, clock = MemoryStore(), WallClock()
    async with open_patient(two_seconds(), Trail(), store=store, now=clock) as conversation:
        await write(conversation, "m1")
    trail = Trail()
    clock.ahead -= 900
    async with open_patient(two_seconds(), trail, store=store, now=clock) as conversation:
        await trio.sleep(20)
    assert trail.of("started") == [(0.75, "started", "m1")]


async def test_a_burst_goes_on_over_a_crash(autojump_clock: MockClock) -> None:
    """Two fragments before it, one after: one request, half a second after the last of them."""
    store = MemoryStore()
    async with open_patient(two_seconds(), Trail(), store=store) as conversation:
        await write(conversation, "m1", "m2", pause=0.125)
        left = left_by_a_crash(store)
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail, store=left) as conversation:
        await trio.sleep(0.25)
        await write(conversation, "m3")
        await trio.sleep(20)
    assert fates(trail) == [
        (1, "started", "m3"),
        (1.25, "merged", "m1"),
        (1.25, "merged", "m2"),
        (3.25, "answered", "m3"),
    ]
    assert burst_of(assistant, "m3") == ["m1", "m2", "m3"]


@pytest.mark.parametrize(
    ("down", "starts"),
    [(0.125, 0.625), (100, 100.25)],
    ids=["the_stored_deadline_stands", "it_has_passed_long_ago"],
)
async def test_a_burst_starts_after_a_crash_as_it_would_have(
    autojump_clock: MockClock, down: float, starts: float
) -> None:
    """A restart costs no more wait; it was the last message at 0.125 that was waited for."""
    store = MemoryStore()
    async with open_patient(two_seconds(), Trail(), store=store) as conversation:
        await write(conversation, "m1", "m2", pause=0.125)
        left = left_by_a_crash(store)
    await trio.sleep(down)
    trail = Trail()
    async with open_patient(two_seconds(), trail, store=left) as conversation:
        await trio.sleep(20)
    assert fates(trail)[:2] == [(starts, "started", "m2"), (starts + 0.25, "merged", "m1")]


async def test_a_crash_while_a_burst_is_planned_forgets_none_of_it(autojump_clock: MockClock) -> None:
    """P14: it was begun and not planned: it is planned again, with all of it."""
    store = MemoryStore()
    async with open_patient(two_seconds(), Trail(), store=store) as conversation:
        await write(conversation, "m1", "m2")
        await trio.sleep(0.375)
        left = left_by_a_crash(store)
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail, store=left) as conversation:
        await trio.sleep(20)
    assert fates(trail) == [(1.125, "merged", "m1"), (3.125, "answered", "m2")]
    assert burst_of(assistant, "m2") == ["m1", "m2"]


async def test_a_burst_that_was_left_gives_way_as_a_whole(autojump_clock: MockClock) -> None:
    """P4: a newer message was accepted and the process died: it supersedes each message of the burst."""
    store, left = MemoryStore(), []
    async with open_patient(two_seconds(), Trail(), store=store) as conversation:

        def crash(event: Event) -> None:
            if isinstance(event, MessageAccepted) and event.message_id == "m3":
                left.append(left_by_a_crash(store))

        conversation.engine.events.subscribe(crash)
        await write(conversation, "m1", "m2")
        await trio.sleep(0.375)
        await write(conversation, "m3", pause=0)
    trail = Trail()
    assistant = two_seconds()
    async with open_patient(assistant, trail, store=left[0]) as conversation:
        await trio.sleep(20)
    assert fates(trail) == [
        (0.875, "superseded", "m1 by m3"),
        (0.875, "superseded", "m2 by m3"),
        (1.375, "started", "m3"),
        (3.625, "answered", "m3"),
    ]
    (request,) = assistant.planner.contexts["m3"].superseded
    assert [one.id for one in request.burst] == ["m1", "m2"]


async def test_a_shutdown_does_not_wait_for_more(autojump_clock: MockClock) -> None:
    """What has not begun is the next start's; whoever waits for its fate is told so."""
    store, got = MemoryStore(), []
    async with (
        open_patient(two_seconds(), Trail(), store=store, limits={"debounce_seconds": 5}) as conversation,
        trio.open_nursery() as nursery,
    ):

        async def ask() -> None:
            got.append(await conversation.engine.process_message(ANNA, "go"))

        nursery.start_soon(ask)
        await trio.sleep(1)
        assert await conversation.engine.drain()
    assert (trio.current_time(), got) == (1, [Suspended()])
    trail = Trail()
    async with open_patient(two_seconds(), trail, store=store) as conversation:
        await trio.sleep(20)
    assert [(at, word) for at, word, _ in fates(trail)] == [(1.5, "started"), (3.75, "answered")]
