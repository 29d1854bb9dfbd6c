"""Follow-ups: a tool may say how long what it found out is good enough for the next request.

`look` takes 2 s and is reusable for 10 s; `act` after it takes 3 s and is not.  A message is a place, and
every request looks at its place and then acts.
"""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    CallFinished,
    Context,
    Decision,
    Limits,
    MemoryStore,
    Message,
    Plan,
    Ref,
    Results,
    Snapshot,
    Tool,
    ToolContext,
    User,
    tool,
)
from engine.testing import Conversation, Trail, left_by_a_crash, open_conversation

ANNA, BEN = "15551234567", "15557654321"


@attrs.frozen
class Place:
    name: str
    seats: int


@attrs.define(eq=False)
class World:
    """The tools, and a ledger of what they did: the time, the tool, and of what."""

    reusable_seconds: float = 10
    fails: bool = False
    acts: list[tuple[float, str, str]] = attrs.field(factory=list)
    results: dict[str, Results] = attrs.field(factory=dict)

    def assistant(self, *, look_seconds: float = 2, act_seconds: float = 3) -> Assistant:
        @tool(timeout=60, reusable_seconds=self.reusable_seconds)
        async def look(place: str) -> Place:
            self.acts.append((trio.current_time(), "look", place))
            await trio.sleep(look_seconds)
            if self.fails:
                raise ValueError("no answer")
            return Place(place, 4)

        @tool(timeout=60)
        async def act(place: Place) -> str:
            self.acts.append((trio.current_time(), "act", place.name))
            await trio.sleep(act_seconds)
            return f"{place.seats} at {place.name}"

        return Assistant(planner=Looking(look, act), responder=self._respond, tools=[look, act])

    async def _respond(self, message: Message, results: Results, context: Context) -> str:
        self.results[message.id] = results
        return f"{message.text}: {results['act'].value_or('nothing')}"


@attrs.frozen(eq=False)
class Looking:
    look: Tool
    act: Tool

    async def plan(self, message: Message, context: Context) -> Plan:
        return Plan(
            Call("look", self.look, {"place": message.text}), Call("act", self.act, {"place": Ref("look")})
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def ask(conversation: Conversation, *requests: tuple[float, str, str]) -> None:
    """At which time, which message, which place."""
    for at, id, place in requests:
        await trio.sleep_until(at)
        await conversation.send((id, place))
    await trio.sleep(60)


async def test_what_was_found_out_is_not_looked_up_again(autojump_clock: MockClock) -> None:
    """The call takes over the outcome, its value in its type; it is marked, and costs no time."""
    world, told = World(), []
    async with open_conversation(world.assistant()) as conversation:
        conversation.engine.events.subscribe(told.append)
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Rome"))
    assert world.acts == [(0, "look", "Rome"), (2, "act", "Rome"), (5, "act", "Rome")]
    taken_over, made = world.results["m2"].values()
    assert (taken_over.value, taken_over.reused, taken_over.seconds) == (Place("Rome", 4), True, 0)
    assert (made.value, made.reused, made.seconds) == ("4 at Rome", False, 3)
    assert [(one.call_id, one.reused, one.seconds) for one in told if isinstance(one, CallFinished)] == [
        ("look", False, 2),
        ("act", False, 3),
        ("look", True, 0),
        ("act", False, 3),
    ]
    assert conversation.outbound.texts[-1] == "Rome: 4 at Rome"


async def test_it_is_no_wave_and_no_call_of_the_new_request(autojump_clock: MockClock) -> None:
    """Nothing was started for it: the trail of the second request begins with its second wave."""
    world, trail, store = World(), Trail(), MemoryStore()
    async with open_conversation(
        world.assistant(), trail=trail, store=store, new_id=iter("ABCDEFGHIJ").__next__
    ) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Rome"))
        operation = trail.done.index((5, "started", "m2"))
        ids = [row.operation_id for row in conversation.outbound.rows if row.kind == "reply"]
        record = await store.read_operation(ids[0])
    assert trail.done[operation:] == [
        (5, "started", "m2"),
        (5, "planned", "look | act"),
        (5, "wave", "act"),
        (8, "wave finished", "1"),
        (8, "answered", "m2"),
        (8, "completed", "1 tools"),
    ]
    look, act = record.calls
    assert (look.intended, look.outcome.reused, look.outcome.raw) == (
        False,
        True,
        {"name": "Rome", "seats": 4},
    )
    assert (act.intended, act.outcome.reused) == (True, False)


@pytest.mark.parametrize(
    ("reusable_seconds", "looks"),
    [(0, 2), (2.5, 2), (3, 1), (10, 1)],
    ids=["off", "too_old", "just_in_time", "fresh"],
)
async def test_it_is_good_for_so_long(autojump_clock: MockClock, reusable_seconds: float, looks: int) -> None:
    """Counted from when it was found out, at 2; the new request looks at 5."""
    world = World(reusable_seconds)
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Rome"))
    assert [name for _, name, _ in world.acts].count("look") == looks


async def test_it_is_off_by_default() -> None:
    """Whoever wants it says so."""

    @tool(timeout=1)
    async def look() -> None:
        """Looks."""

    assert look.reusable_seconds == 0


async def test_other_arguments_are_another_question(autojump_clock: MockClock) -> None:
    """Rome says nothing of Paris."""
    world = World()
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Paris"))
    assert [place for _, name, place in world.acts if name == "look"] == ["Rome", "Paris"]


async def test_a_failure_is_not_taken_over(autojump_clock: MockClock) -> None:
    """It may work this time."""
    world = World(fails=True)
    async with open_conversation(world.assistant()) as conversation:
        await conversation.send(("m1", "Rome"))
        await trio.sleep(1)
        await conversation.send(("m2", "Rome"))
        await trio.sleep(1.5)
        world.fails = False
        await trio.sleep(60)
    assert [(at, name) for at, name, _ in world.acts] == [(0, "look"), (2, "look"), (4, "act")]


async def test_an_answer_is_not_taken_over(autojump_clock: MockClock) -> None:
    """Who asks again after an answer wants to know anew; only what was taken back is gone on with."""
    world = World(reusable_seconds=1000)
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (6, "m2", "Rome"))
    assert [(at, name) for at, name, _ in world.acts] == [(0, "look"), (2, "act"), (6, "look"), (8, "act")]


async def test_what_was_stopped_is_not_taken_over(autojump_clock: MockClock) -> None:
    """Nor a request that its user has put an end to."""
    world = World(reusable_seconds=1000)
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "stop"), (6, "m3", "Rome"))
    assert [(at, name) for at, name, _ in world.acts] == [(0, "look"), (2, "act"), (6, "look"), (8, "act")]


async def test_nobody_takes_over_what_somebody_else_found_out(autojump_clock: MockClock) -> None:
    """P11: what is found out for one user is theirs."""
    world = World()
    async with open_conversation(world.assistant()) as conversation:
        await conversation.engine.receive([Message(id="b1", user=User(BEN), text="Rome")])
        await trio.sleep(3)
        await conversation.engine.receive([Message(id="b2", user=User(BEN), text="Paris")])
        await conversation.send(("m1", "Rome"))
        await trio.sleep(60)
    assert [(at, place) for at, name, place in world.acts if name == "look"] == [
        (0, "Rome"),
        (3, "Rome"),
        (5, "Paris"),
    ]


async def test_it_is_no_fresher_for_having_been_taken_over(autojump_clock: MockClock) -> None:
    """Found out at 2, taken over at 5, too old at 8: whatever was said of it between."""
    world = World(reusable_seconds=5)
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Rome"), (6, "m3", "Rome"))
    assert [(at, name) for at, name, _ in world.acts] == [
        (0, "look"),
        (2, "act"),
        (5, "act"),
        (8, "look"),
        (10, "act"),
    ]


async def test_it_is_found_behind_several_superseded_requests(autojump_clock: MockClock) -> None:
    """Whichever of them found it out; of two answers the newer one counts."""
    world = World(reusable_seconds=100)
    async with open_conversation(world.assistant()) as conversation:
        await ask(conversation, (0, "m1", "Rome"), (3, "m2", "Paris"), (8, "m3", "Rome"))
    assert [(at, name, place) for at, name, place in world.acts] == [
        (0, "look", "Rome"),
        (2, "act", "Rome"),
        (5, "look", "Paris"),
        (7, "act", "Paris"),
        (10, "act", "Rome"),
    ]


async def test_references_are_compared_by_what_they_name(autojump_clock: MockClock) -> None:
    """Another plan, other ids, the same arguments in the end."""
    acts: list[tuple[str, Any]] = []

    @tool(timeout=60)
    async def number(of: int) -> dict[str, int]:
        return {"is": of}

    @tool(timeout=60, reusable_seconds=60)
    async def look(place: int, *, context: ToolContext) -> int:
        acts.append(("look", place))
        await trio.sleep(1)
        return place

    @tool(timeout=60)
    async def act(place: int) -> None:
        acts.append(("act", place))
        await trio.sleep(5)

    plans = {
        "by reference": Plan(
            Call("n", number, {"of": 7}),
            Call("l", look, {"place": Ref("n", "is")}),
            Call("a", act, {"place": Ref("l")}),
        ),
        "plainly": Plan(Call("x", look, {"place": 7}), Call("y", act, {"place": Ref("x")})),
    }

    class Planner:
        async def plan(self, message: Message, context: Context) -> Plan:
            return plans[message.text]

        async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
            return None

    async def respond(message: Message, results: Results, context: Context) -> str:
        return "done"

    assistant = Assistant(planner=Planner(), responder=respond, tools=[number, look, act])
    async with open_conversation(assistant) as conversation:
        await ask(conversation, (0, "m1", "by reference"), (2, "m2", "plainly"), (7, "m3", "by reference"))
    assert acts == [("look", 7), ("act", 7), ("act", 7), ("act", 7)]


async def test_what_was_taken_back_is_not_taken_over(autojump_clock: MockClock) -> None:
    """It was undone: it is not there any more."""
    trail = Trail()
    acts: list[float] = []

    async def undo(args: dict[str, Any], outcome: Any, context: ToolContext) -> None:
        trail.add("undo")

    @tool(timeout=60, reusable_seconds=60, undo=undo)
    async def hold() -> str:
        acts.append(trio.current_time())
        await trio.sleep(1)
        return "held"

    @tool(timeout=60)
    async def act(what: str) -> None:
        await trio.sleep(5)

    class Planner:
        async def plan(self, message: Message, context: Context) -> Plan:
            return Plan(Call("h", hold), Call("a", act, {"what": Ref("h")}))

        async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
            return None

    async def respond(message: Message, results: Results, context: Context) -> str:
        return "done"

    def by_text(message: Message, snapshot: Snapshot) -> Decision:
        return Decision.ROLLBACK if message.text == "not that" else Decision.INTERRUPT

    assistant = Assistant(planner=Planner(), responder=respond, tools=[hold, act])
    async with open_conversation(assistant, trail=trail, policy=by_text) as conversation:
        await ask(conversation, (0, "m1", "go"), (2, "m2", "not that"), (8, "m3", "and again"))
    # m2's own, which m1 does not leave to it, is left to m3: that only interrupted.
    assert acts == [0, 6]
    assert trail.of("undo") == [(6, "undo", "")]


async def test_it_is_not_taken_over_again_after_a_crash(autojump_clock: MockClock) -> None:
    """P14: it is recorded like any outcome: found in the store, though its time is over by then."""
    world, store = World(reusable_seconds=4), MemoryStore()
    async with open_conversation(
        world.assistant(act_seconds=20), store=store, limits=Limits(grace_seconds=0, wave_seconds_max=3)
    ) as conversation:
        await conversation.send(("m1", "Rome"))
        await trio.sleep(3)
        await conversation.send(("m2", "Rome"))
        await trio.sleep(3)
        left = left_by_a_crash(store)
    await trio.sleep(100)
    again = World()
    async with open_conversation(again.assistant(), store=left):
        await trio.sleep(60)
    assert [name for _, name, _ in (*world.acts, *again.acts)] == ["look", "act", "act"]
    look, act = again.results["m2"].values()
    assert (look.value, look.reused, act.status) == (Place("Rome", 4), True, "unknown")
