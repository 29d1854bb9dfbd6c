"""Waves: intent before act, everything inside one shield, nothing after an interruption."""

import pytest
import trio
from trio.testing import MockClock

from engine import Call, Limits, Plan, Suspended, tool
from engine.store import Happened, Intended
from engine.testing import Trail, UnreliableStore, open_conversation, scripted_assistant, sleeping_tool


class WatchedStore(UnreliableStore):
    """Tells the trail of each intent and outcome, when it is written."""

    def __init__(self, trail: Trail) -> None:
        super().__init__()
        self.trail = trail

    async def write(self, changes) -> None:
        await super().write(changes)
        for change in changes:
            if isinstance(change, Intended):
                self.trail.add("intended", ",".join(change.call_ids))
            if isinstance(change, Happened):
                self.trail.add("happened", ",".join(outcome.call_id for outcome in change.outcomes))


async def test_intents_are_recorded_before_acts_and_outcomes_after_them(autojump_clock: MockClock) -> None:
    """P6: all intents of a wave at once; each outcome as its call ends, whatever its siblings still do."""
    trail = Trail()
    store = WatchedStore(trail)
    store.seconds, store.only = 0.5, (Intended, Happened)
    quick, slow = (sleeping_tool(name, seconds, trail=trail) for name, seconds in (("quick", 1), ("slow", 3)))
    assistant = scripted_assistant(Plan(Call("x", slow), Call("y", quick)), tools=[quick, slow])
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert [
        entry for entry in trail.entries if entry[1] in ("intended", "acted", "happened", "answered")
    ] == [
        (0.5, "intended", "x,y"),
        (1.5, "acted", "quick"),
        (2, "happened", "y"),
        (3.5, "acted", "slow"),
        (4, "happened", "x"),
        (4, "answered", "m1"),
    ]


@pytest.mark.parametrize("refusals", [1, 2])
async def test_an_outcome_that_was_refused_is_recorded_with_the_next_or_at_the_end_of_its_wave(
    autojump_clock: MockClock, refusals: int
) -> None:
    """A disk that was full for a moment loses nothing; siblings are not disturbed."""
    trail = Trail()
    store = WatchedStore(trail)
    store.refusals, store.only = refusals, (Happened,)
    quick, slow = (sleeping_tool(name, seconds, trail=trail) for name, seconds in (("quick", 1), ("slow", 3)))
    assistant = scripted_assistant(Plan(Call("x", slow), Call("y", quick)), tools=[quick, slow])
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert [entry for entry in trail.entries if entry[1] in ("acted", "happened", "answered")] == [
        (1, "acted", "quick"),
        (3, "acted", "slow"),
        (3, "happened", "y,x"),
        (3, "answered", "m1"),
    ]


async def test_an_interruption_while_the_outcomes_are_written_loses_none(autojump_clock: MockClock) -> None:
    """P2: act and record share one shield; the next plan sees the outcome."""
    trail = Trail()
    store = WatchedStore(trail)
    store.seconds, store.only = 2, (Happened,)
    act = sleeping_tool("act", 1, trail=trail)
    assistant = scripted_assistant(Plan(Call("x", act)), tools=[act])
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(2)
        await conversation.send(("m2", "no"))
        await trio.sleep(30)
    (taken_back,) = assistant.planner.contexts["m2"].superseded
    assert taken_back.results["x"].value == "act"
    assert (3, "superseded", "m1 by m2") in trail.entries


async def test_an_interruption_while_the_intent_is_written_still_runs_the_wave(
    autojump_clock: MockClock,
) -> None:
    """P6: what is written down as begun is begun; the wave is the boundary's last."""
    trail = Trail()
    store = WatchedStore(trail)
    store.seconds, store.only = 2, (Intended,)
    act = sleeping_tool("act", 1, trail=trail)
    assistant = scripted_assistant(Plan(Call("x", act), Call("y", act, after=["x"])), tools=[act])
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        conversation.engine.stop("15551234567")
        await trio.sleep(30)
    assert [entry for entry in trail.entries if entry[1] != "planned"] == [
        (0, "started", "m1"),
        (2, "intended", "x"),
        (2, "wave", "x"),
        (3, "acted", "act"),
        (3, "happened", "x"),
        (3, "wave finished", "1"),
        (3, "stopped", "m1"),
        (3, "cancelled", "user_stopped"),
        (3, "notice", "Stopped. Already done: act."),
    ]


async def test_without_its_intent_recorded_no_call_starts(autojump_clock: MockClock) -> None:
    """A store that refuses for record_seconds_max suspends the operation; nothing acted on the world."""
    trail = Trail()
    store = UnreliableStore()
    store.refusals, store.only = -1, (Intended,)
    act = sleeping_tool("act", 1, trail=trail)
    assistant = scripted_assistant(Plan(Call("x", act)), tools=[act])
    async with open_conversation(
        assistant, trail=trail, store=store, limits=Limits(record_seconds_max=10)
    ) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
        assert fate == Suspended()
        assert trio.current_time() == 10
    assert [entry[1] for entry in trail.entries] == ["started", "planned", "suspended"]


async def test_an_intent_is_tried_again_while_the_store_refuses(autojump_clock: MockClock) -> None:
    """A disk that was full for a moment costs a moment; the refusal is an event."""
    store = UnreliableStore()
    store.refusals, store.only = 3, (Intended,)
    act = sleeping_tool("act", 1)
    told = []
    assistant = scripted_assistant(Plan(Call("x", act)), tools=[act])
    async with open_conversation(assistant, store=store) as conversation:
        conversation.engine.events.subscribe(lambda event: told.append(event.name))
        fate = await conversation.engine.process_message("15551234567", "go")
    assert fate.name == "answered"
    assert told.count("store_failed") == 1


async def test_a_wave_with_nothing_to_run_starts_nothing(autojump_clock: MockClock) -> None:
    """All of its calls are skipped: no wave is told, the outcomes are recorded all the same."""
    trail = Trail()

    @tool(timeout=1)
    async def breaks() -> None:
        raise ValueError("no")

    assistant = scripted_assistant(Plan(Call("x", breaks), Call("y", breaks, after=["x"])), tools=[breaks])
    store = WatchedStore(trail)
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(5)
    assert [entry[1:] for entry in trail.entries if entry[1] in ("wave", "happened")] == [
        ("wave", "x"),
        ("happened", "x"),
        ("happened", "y"),
    ]


async def test_a_tool_that_swallows_its_cancellation_still_succeeds_or_ends(
    autojump_clock: MockClock,
) -> None:
    """It returned something after its timeout: that is its outcome, and the wave goes on."""

    @tool(timeout=1)
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)
        return "late"

    assistant = scripted_assistant(Plan(Call("x", stubborn)), tools=[stubborn])
    async with open_conversation(assistant) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
    assert fate.name == "answered"
    (results,) = assistant.planner.results.values()
    assert (results["x"].status.value, results["x"].value) == ("succeeded", "late")
