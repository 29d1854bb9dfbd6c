"""After a crash: what is recorded stands, what was left goes on, and nothing is done or said twice (P14)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock

from engine import (
    Answered,
    Assistant,
    Call,
    Limits,
    MemoryStore,
    Message,
    OutboxRow,
    OutgoingKind,
    Plan,
    Ref,
    Reply,
    SendState,
    Tool,
    ToolContext,
    User,
    tool,
)
from engine.store import Accept, Begin, Committed, Intended, Mark, Planned, Queue
from engine.testing import Conversation, RecordingOutbound, ScriptedPlanner, Trail, open_conversation

ANNA = "15551234567"


class MortalStore(MemoryStore):
    """A store whose process can die: from then on nothing is written, as nothing is by the dead."""

    dead = False

    async def write(self, changes) -> None:
        if self.dead:
            await trio.sleep_forever()
        await super().write(changes)


@attrs.define(eq=False)
class World:
    """What outlives a process: the store, and what the tools did, by the time, the tool and the key."""

    store: MortalStore = attrs.field(factory=MortalStore)
    acts: list[tuple[float, str, str]] = attrs.field(factory=list)

    def tool(self, name: str, *, idempotent: bool, seconds: float = 2.0) -> Tool:
        async def act(*, context: ToolContext) -> str:
            self.acts.append((trio.current_time(), name, context.idempotency_key.partition("/")[2]))
            await trio.sleep(seconds)
            return f"{name} done"

        act.__name__ = act.__qualname__ = name
        return tool(timeout=100, idempotent=idempotent)(act)


@asynccontextmanager
async def open_life(
    world: World, assistant: Assistant, *, until: float | None = None, **options: Any
) -> AsyncIterator[Conversation]:
    """A process on the world's store; with `until` it dies at that time, whatever it does then."""
    options = {"limits": Limits(grace_seconds=0, record_seconds_max=0.25), **options}
    async with open_conversation(assistant, store=world.store, **options) as conversation:
        yield conversation
        if until is not None:
            await trio.sleep_until(until)
            world.store.dead = True
    world.store.dead = False


async def settle(conversation: Conversation, seconds: float = 50) -> None:
    await trio.sleep(seconds)
    assert await conversation.engine.read_depths() == attrs.evolve(
        await conversation.engine.read_depths(), inbox=0, outbox=0
    )


def words(trail: Trail, *left_out: str) -> list[tuple[str, str]]:
    return [(word, detail) for _, word, detail in trail.entries if word not in left_out]


def two_waves(world: World, *, idempotent: bool) -> Assistant:
    """Wave 1 has `a`, wave 2 `b`, wave 3 `c`, which needs `b`; the reply tells how each ended."""
    tools = [world.tool(name, idempotent=idempotent) for name in "abc"]
    a, b, c = tools
    plan = Plan(Call("a", a), Call("b", b, after=["a"]), Call("c", c, after=["b"]))

    async def respond(message, results, context):
        return f"{message.text}: " + ", ".join(f"{id} {one.status}" for id, one in results.items())

    return Assistant(planner=ScriptedPlanner([plan]), responder=respond, tools=tools)


# Operations ---------------------------------------------------------------------------------------


async def test_an_operation_goes_on_at_its_first_unfinished_wave(autojump_clock: MockClock) -> None:
    """It is not planned again, wave 1 does not run again, and wave 2 runs again with the same key."""
    world = World()
    async with open_life(world, two_waves(world, idempotent=True), until=3) as first:
        await first.send(("m1", "go"))
    began = trio.current_time()
    again = two_waves(world, idempotent=True)
    async with open_life(world, again) as second:
        await settle(second)
    assert [(name, key) for _, name, key in world.acts] == [("a", "a"), ("b", "b"), ("b", "b"), ("c", "c")]
    assert again.planner.contexts == {}
    assert words(second.trail) == [
        ("wave", "b"),
        ("wave finished", "2"),
        ("wave", "c"),
        ("wave finished", "3"),
        ("answered", "m1"),
        ("completed", "3 tools"),
        ("reply", "go: a succeeded, b succeeded, c succeeded"),
    ]
    assert second.trail.entries[0][0] == began


async def test_a_call_that_may_have_acted_is_not_made_again(autojump_clock: MockClock) -> None:
    """Its outcome is unknown, what depends on it is skipped, and the reply is made knowing that."""
    world = World()
    async with open_life(world, two_waves(world, idempotent=False), until=3) as first:
        await first.send(("m1", "go"))
    again = two_waves(world, idempotent=False)
    async with open_life(world, again) as second:
        await settle(second)
    assert [name for _, name, _ in world.acts] == ["a", "b"]
    assert again.planner.results["m1"]["a"].value == "a done"
    assert second.outbound.texts == ["go: a succeeded, b unknown, c skipped"]


async def test_a_tool_that_has_vanished_fails_its_call(autojump_clock: MockClock) -> None:
    """The assistant was changed between the two starts; the rest of the plan goes on."""
    world = World()
    async with open_life(world, two_waves(world, idempotent=True), until=1) as first:
        await first.send(("m1", "go"))
    changed = two_waves(world, idempotent=True)
    kept = [tool for name, tool in changed.tools.items() if name != "b"]
    changed = Assistant(planner=changed.planner, responder=changed.responder, tools=kept)
    async with open_life(world, changed) as second:
        await settle(second)
    assert second.outbound.texts == ["go: a succeeded, b failed, c skipped"]
    assert "'b'" in changed.planner.results["m1"]["b"].error


async def test_values_come_back_in_the_types_of_their_tools(autojump_clock: MockClock) -> None:
    """A `Ref` and the responder see after the restart what they would have seen before."""

    @attrs.frozen
    class Table:
        number: int

    seen = []

    @tool(timeout=100, idempotent=True)
    async def find() -> Table:
        return Table(7)

    @tool(timeout=100, idempotent=True)
    async def book(table: Table) -> str:
        await trio.sleep(2)
        return f"table {table.number}"

    async def respond(message, results, context):
        seen.append(results["t"].value)
        return results["b"].value

    plan = Plan(Call("t", find), Call("b", book, {"table": Ref("t")}))
    world = World()
    for until in (1, None):
        assistant = Assistant(planner=ScriptedPlanner([plan]), responder=respond, tools=[find, book])
        async with open_life(world, assistant, until=until) as life:
            if until:
                await life.send(("m1", "go"))
            else:
                await settle(life)
    assert seen == [Table(7)]
    assert life.outbound.texts == ["table 7"]


async def test_a_crash_before_the_plan_is_recorded_plans_again(autojump_clock: MockClock) -> None:
    """Nothing of it was acted on."""
    world = World()
    act = world.tool("act", idempotent=False)

    def slow_to_plan() -> Assistant:
        planner = ScriptedPlanner([Plan(Call("x", act))], planning_seconds=2)
        return Assistant(planner=planner, responder=echo, tools=[act])

    async with open_life(world, slow_to_plan(), until=1) as first:
        await first.send(("m1", "go"))
    async with open_life(world, slow_to_plan()) as second:
        await settle(second)
    assert [word for word, _ in words(second.trail)] == [
        "planned",
        "wave",
        "wave finished",
        "answered",
        "completed",
        "reply",
    ]


async def test_two_crashes_before_the_plan_is_recorded_plan_again(autojump_clock: MockClock) -> None:
    """What was resumed and had no plan has none yet: it is not answered without one."""
    world = World()
    act = world.tool("act", idempotent=False)

    def slow_to_plan() -> Assistant:
        planner = ScriptedPlanner([Plan(Call("x", act))], planning_seconds=2)
        return Assistant(planner=planner, responder=echo, tools=[act])

    async with open_life(world, slow_to_plan(), until=1) as first:
        await first.send(("m1", "go"))
    async with open_life(world, slow_to_plan(), until=trio.current_time() + 1):
        pass
    async with open_life(world, slow_to_plan()) as third:
        await settle(third)
    assert [key for _, _, key in world.acts] == ["x"]
    assert third.outbound.texts == ["done: go"]


async def echo(message, results, context):
    return f"done: {message.text}"


@pytest.mark.parametrize("left", ["adapting", "responding"])
async def test_a_crash_after_the_last_wave_goes_on_there(autojump_clock: MockClock, left) -> None:
    """No wave runs again; adapt is asked anew when its answer was not recorded, and counts its rounds."""
    world = World()
    act = world.tool("act", idempotent=False, seconds=0.5)
    plans = [Plan(Call("x", act)), Plan(Call("y", act))]

    async def respond(message, results, context):
        await trio.sleep(2)
        return f"done: {list(results)}"

    def assistant() -> Assistant:
        planner = ScriptedPlanner(plans, adapting_seconds=1)
        return Assistant(planner=planner, responder=respond, tools=[act])

    limits = Limits(grace_seconds=0, record_seconds_max=0.25, adaptations_max=1)
    async with open_life(world, assistant(), until=1 if left == "adapting" else 3, limits=limits) as first:
        await first.send(("m1", "go"))
    async with open_life(world, assistant(), limits=limits) as second:
        await settle(second)
    assert [key for _, _, key in world.acts] == ["x", "y"]
    assert second.outbound.texts == ["done: ['x', 'y']"]


async def test_an_operation_that_keeps_crashing_fails_with_an_apology(autojump_clock: MockClock) -> None:
    """It may be what kills the process: after `recovery_attempts_max` deaths it is not tried again."""
    world = World()
    limits = Limits(grace_seconds=0, record_seconds_max=0.25, recovery_attempts_max=3)
    until = 1.0
    async with open_life(world, two_waves(world, idempotent=True), until=until, limits=limits) as life:
        await life.send(("m1", "go"))
    for _ in range(2):
        until = trio.current_time() + 1
        async with open_life(world, two_waves(world, idempotent=True), until=until, limits=limits) as life:
            pass
    with structlog.testing.capture_logs() as logs:
        async with open_life(world, two_waves(world, idempotent=True), limits=limits) as life:
            await settle(life)
    assert logs == []  # foreseen: the event says it, no traceback
    assert [name for _, name, _ in world.acts] == ["a", "a", "a"]
    assert words(life.trail) == [
        ("failed", "m1"),
        ("failed", "KeepsCrashing: the process died 3 times in a row while it ran"),
        ("apology", "Sorry, something went wrong with your request. Please try again."),
    ]


async def test_a_suspension_is_no_crash(autojump_clock: MockClock) -> None:
    """Ten restarts in good order end no operation."""
    world = World()
    tools = [world.tool(f"t{number}", idempotent=True, seconds=0.25) for number in range(12)]
    calls = [
        Call(f"c{number}", tool, after=[f"c{number - 1}"] if number else [])
        for number, tool in enumerate(tools)
    ]

    def assistant() -> Assistant:
        return Assistant(planner=ScriptedPlanner([Plan(*calls)]), responder=echo, tools=tools)

    limits = Limits(grace_seconds=5, recovery_attempts_max=2)
    async with open_life(world, assistant(), limits=limits) as life:
        await life.send(("m1", "go"))
        await trio.sleep(0.125)
    for _ in range(10):
        async with open_life(world, assistant(), limits=limits) as life:
            await trio.sleep(0.125)
    assert [name for _, name, _ in world.acts] == [f"t{number}" for number in range(11)]
    async with open_life(world, assistant(), limits=limits) as life:
        await settle(life)
    assert life.outbound.texts == ["done: go"]


# Messages -----------------------------------------------------------------------------------------


async def test_messages_that_wait_are_decided_as_if_they_came_now(autojump_clock: MockClock) -> None:
    """The newest runs, those between are superseded, the operation that was left gives way and is told of."""
    world = World()
    async with open_life(world, two_waves(world, idempotent=True), until=3) as first:
        await first.send(("m1", "one"))
    # The process died right after their commit: nobody has decided anything about them.
    async with world.store.open(lambda committed: None):
        user = User(ANNA)
        for id in ("m2", "m3"):
            await world.store.write([Accept(message=Message(id=id, user=user, text=id, timestamp=99), at=0)])
    again = two_waves(world, idempotent=True)
    async with open_life(world, again) as second:
        await settle(second)
    assert second.outbound.texts[0] == "Got it! Switching to your new request..."
    assert words(second.trail, "wave", "wave finished", "planned", "acknowledgement") == [
        ("superseded", "m1 by m2"),
        ("cancelled", "new_message_received"),
        ("superseded", "m2 by m3"),
        ("started", "m3"),
        ("answered", "m3"),
        ("completed", "3 tools"),
        ("reply", "m3: a succeeded, b succeeded, c succeeded"),
    ]
    (taken_back, _) = again.planner.contexts["m3"].superseded
    assert taken_back.results["a"].value == "a done"
    assert taken_back.results["b"].status == "unknown"


async def test_messages_of_one_delivery_are_still_one_burst(autojump_clock: MockClock) -> None:
    """Also when the process died before anybody had decided anything about them."""
    world = World()
    async with world.store.open(lambda committed: None):
        user = User(ANNA)
        await world.store.write(
            [Accept(message=Message(id=id, user=user, text=id, timestamp=99), at=0) for id in ("m1", "m2")]
        )
    assistant = two_waves(world, idempotent=True)
    async with open_life(world, assistant) as life:
        await settle(life)
    assert words(life.trail, "wave", "wave finished") == [
        ("started", "m2"),
        ("merged", "m1"),
        ("planned", "a | b | c"),
        ("answered", "m2"),
        ("completed", "3 tools"),
        ("reply", "m2: a succeeded, b succeeded, c succeeded"),
    ]
    assert [each.id for each in assistant.planner.contexts["m2"].burst] == ["m1", "m2"]


async def test_an_interruption_that_is_recorded_stands(autojump_clock: MockClock) -> None:
    """P3, P9: the wave that died with the process is not made again, and nobody is told a second time."""
    world = World()
    async with open_life(world, two_waves(world, idempotent=True), until=3) as first:
        await first.send(("m1", "one"))
        await trio.sleep(2.5)
        await first.send(("m2", "two"))
        await trio.sleep(0.25)
    assert first.outbound.texts == ["Got it! Switching to your new request..."]
    async with open_life(world, two_waves(world, idempotent=True)) as second:
        await settle(second)
    assert [name for _, name, _ in world.acts] == ["a", "b", "a", "b", "c"]
    assert second.outbound.texts == ["two: a succeeded, b succeeded, c succeeded"]
    assert ("superseded", "m1 by m2") in words(second.trail)


async def test_a_late_message_is_superseded_by_the_newest_after_a_crash_too(
    autojump_clock: MockClock,
) -> None:
    """P12: it was older than what its user had written, and still is."""
    world = World()
    async with world.store.open(lambda committed: None):
        for id, timestamp in (("new", 100), ("old", 50)):
            message = Message(id=id, user=User(ANNA), text=id, timestamp=timestamp)
            await world.store.write([Accept(message=message, at=0)])
    async with open_life(world, two_waves(world, idempotent=True)) as life:
        await settle(life)
    assert ("superseded", "old by new") in words(life.trail)
    assert life.outbound.texts == ["new: a succeeded, b succeeded, c succeeded"]


async def test_at_most_so_many_are_resumed_together(autojump_clock: MockClock) -> None:
    """And a user who writes meanwhile does not wait for a turn."""
    world = World()
    assistant = two_waves(world, idempotent=True)
    async with open_life(world, assistant, until=1) as first:
        for number in range(10):
            user = User(f"1555000000{number}")
            await first.engine.receive([Message(id=f"m{number}", user=user, text=str(number))])
    world.acts.clear()
    began = trio.current_time()
    limits = Limits(recoveries_max=3)
    async with open_life(world, two_waves(world, idempotent=True), limits=limits) as second:
        await trio.sleep(1)
        assert len(world.acts) == 3
        assert second.engine.live_sessions == 10
        assert len(second.outbound.typing) == 3  # and nobody is shown work that has not begun
        waiting = next(
            number
            for number in range(10)
            if second.engine.sessions.get(f"1555000000{number}").operation.is_left
        )
        user = User(f"1555000000{waiting}")
        await second.engine.receive([Message(id="newer", user=user, text="newer")])
        await trio.sleep(0.5)
        assert len(world.acts) == 4
        await settle(second)
    per_time = [at - began for at, name, _ in world.acts if name == "a"]
    assert [per_time.count(at) for at in (0, 1, 6, 12)] == [3, 1, 3, 3]
    assert len(second.outbound.texts) == 11  # ten replies and one acknowledgement


async def test_an_operation_that_a_newer_one_overtook_is_superseded(autojump_clock: MockClock) -> None:
    """The store failed in the middle and two operations of one user were left: only the newer goes on."""
    world = World()
    act = world.tool("a", idempotent=True)
    async with world.store.open(lambda committed: None):
        for id in ("m1", "m2"):
            message = Message(id=id, user=User(ANNA), text=id, timestamp=1)
            await world.store.write(
                [
                    Accept(message=message, at=0),
                    Begin(operation_id=f"o-{id}", message=message, at=0),
                    Planned(operation_id=f"o-{id}", round=0, calls=(Call("a", act),)),
                    Intended(operation_id=f"o-{id}", call_ids=("a",), at=0),
                ]
            )
    async with open_life(world, two_waves(world, idempotent=True)) as life:
        await settle(life)
    assert [key for _, _, key in world.acts] == ["a"]
    assert words(life.trail, "wave", "wave finished") == [
        ("superseded", "m1 by m2"),
        ("cancelled", "new_message_received"),
        ("acknowledgement", "Got it! Switching to your new request..."),
        ("answered", "m2"),
        ("completed", "1 tools"),
        ("reply", "m2: a succeeded"),
    ]


# The outbox ---------------------------------------------------------------------------------------


def row(id: str, state: SendState = SendState.PENDING, **fields: Any) -> OutboxRow:
    return OutboxRow(id=id, user=User(ANNA), kind=OutgoingKind.REPLY, text=id, state=state, **fields)


async def life_with(*rows: OutboxRow, **options: Any) -> tuple[list[tuple[float, str]], Conversation]:
    """What is sent, and when, by a process that finds these rows."""
    world = World()
    async with world.store.open(lambda committed: None):
        await world.store.write([Queue(one) for one in rows])
    async with open_life(world, two_waves(world, idempotent=True), **options) as life:
        await trio.sleep(200)
    return [(at, text) for at, word, text in life.trail.entries if word == "reply"], life


async def test_rows_that_were_not_sent_are_sent_in_order(autojump_clock: MockClock) -> None:
    """Once each."""
    sent, _ = await life_with(row("r1"), row("r2"), row("r3"))
    assert sent == [(0, "r1"), (0, "r2"), (0, "r3")]


async def test_a_row_found_on_its_way_waits_for_a_report_and_holds_back_no_other(
    autojump_clock: MockClock,
) -> None:
    """It may have been sent: after `settle_seconds` it is sent once more."""
    sent, _ = await life_with(row("r1", SendState.SENDING, attempts=1), row("r2"))
    assert sent == [(0, "r2"), (30, "r1")]


async def test_a_row_found_on_its_way_a_second_time_is_given_up(autojump_clock: MockClock) -> None:
    """Once more, at most: nobody knows, and a third request might be a third message."""
    told = []
    world = World()
    async with world.store.open(lambda committed: None):
        await world.store.write([Queue(row("r1")), Mark(row_id="r1", state=SendState.RESENDING, attempts=2)])
    async with open_life(world, two_waves(world, idempotent=True)) as life:
        life.engine.events.subscribe(told.append)
        await trio.sleep(100)
        assert (await life.engine.read_depths()).outbox == 0
        assert life.outbound.texts == []
        assert [event.name for event in told] == ["outgoing_delayed", "outgoing_given_up"]


async def test_rows_beyond_the_bound_wait_in_the_store(autojump_clock: MockClock) -> None:
    """A way out that is down for an hour costs delay; every row goes out once, in order."""
    outbound = RecordingOutbound()
    outbound.seconds = 1
    in_memory: list[int] = []
    world = World()
    async with world.store.open(lambda committed: None):
        await world.store.write([Queue(row(f"r{number:02}")) for number in range(10)])
    limits = Limits(outbox_rows_max=4)
    async with open_life(world, quick(), outbound=outbound, limits=limits) as life:
        for number in range(10, 30):
            await trio.sleep(0.25)
            await world.store.write([Queue(row(f"r{number:02}"))])
            in_memory.append(len(life.engine._outbox._letters))
        await trio.sleep(50)
    assert outbound.texts == [f"r{number:02}" for number in range(30)]
    assert max(in_memory) <= 4


async def write_unheard(store: MemoryStore, *changes) -> None:
    """Another process writes: nobody here hears of it."""
    listener, store._listener = store._listener, lambda committed: None
    await store.write(changes)
    store._listener = listener


async def test_rows_that_somebody_else_put_into_the_store_are_read(autojump_clock: MockClock) -> None:
    """An operator brought a dead letter back; whatever was sent meanwhile, it is found, and nothing twice."""
    world = World()
    outbound = RecordingOutbound()
    outbound.seconds = 1
    async with open_life(world, quick(), outbound=outbound) as life:
        await trio.sleep(1)
        await write_unheard(world.store, Queue(row("r1")))
        await world.store.write([Queue(row("r2")), Queue(row("r3"))])
        await trio.sleep(0.5)
        life.engine.read_outbox()
        await trio.sleep(10)
    assert sorted(outbound.texts) == ["r1", "r2", "r3"]


async def test_a_row_that_is_read_before_its_commit_is_heard_of_is_sent_once(
    autojump_clock: MockClock,
) -> None:
    """The reader of a database may be faster than the word of its writer."""
    world = World()
    outbound = RecordingOutbound()
    outbound.seconds = 1
    async with open_life(world, quick(), outbound=outbound) as life:
        await trio.sleep(1)
        await write_unheard(world.store, Queue(row("r1")))
        life.engine.read_outbox()
        await trio.sleep(0.5)
        life.engine.on_commit(Committed(queued=await world.store.read_unsent(9)))
        await trio.sleep(100)
    assert outbound.texts == ["r1"]


def quick() -> Assistant:
    return Assistant(planner=ScriptedPlanner([Plan()]), responder=echo, tools=[])


async def test_what_was_answered_is_not_answered_again(autojump_clock: MockClock) -> None:
    """P8: the reply stands in the outbox with the end of its operation; the next start only sends it."""
    world = World()
    outbound = RecordingOutbound()
    outbound.seconds = 1000
    async with open_life(world, quick(), outbound=outbound, until=1) as first:
        await first.send(("m1", "go"))
    async with open_life(world, quick()) as second:
        await trio.sleep(100)
        assert await world.store.read_fate("m1") == Answered(Reply("done: go"))
    assert second.outbound.texts == ["done: go"]
    assert words(second.trail) == [("reply", "done: go")]


async def test_a_row_that_was_sent_while_all_rows_were_read_is_not_sent_again(
    autojump_clock: MockClock,
) -> None:
    """The reader saw it on its way; when it has done reading, the row has arrived."""

    class SlowToRead(MortalStore):
        async def read_unsent(self, limit, *, after=0, user_id=None):
            rows = await super().read_unsent(limit, after=after, user_id=user_id)
            await trio.sleep(5)
            return rows

    world = World(store=SlowToRead())
    outbound = RecordingOutbound()
    outbound.seconds = 2
    async with open_life(world, quick(), outbound=outbound, limits=Limits()) as life:
        await trio.sleep(6)
        await world.store.write([Queue(row("r1"))])
        await trio.sleep(1)
        life.engine.read_outbox()
        await trio.sleep(100)
    assert outbound.texts == ["r1"]


async def test_what_is_committed_after_the_end_is_the_next_starts(autojump_clock: MockClock) -> None:
    """All tasks have ended and the store is not closed yet: nothing is begun that nobody would finish."""
    world = World()

    class LateWord(MortalStore):
        @asynccontextmanager
        async def open(self, listener):
            async with super().open(listener):
                yield
                await self.write([Accept(message=Message(id="m1", user=User(ANNA), text="go"), at=0)])

    world.store = LateWord()
    with structlog.testing.capture_logs() as logs:
        async with open_life(world, quick()) as first:
            pass
    assert logs == []
    assert first.trail.entries == []
    async with open_life(world, quick()) as second:
        await settle(second)
    assert second.outbound.texts == ["done: go"]


async def test_messages_superseded_before_their_successor_began_have_their_fate(
    autojump_clock: MockClock,
) -> None:
    """P4: an operation that waits for its turn after a restart is interrupted: those it superseded, too."""
    world = World()
    async with world.store.open(lambda committed: None):
        for id, user in (("b1", "15557654321"), ("m1", ANNA), ("m2", ANNA)):
            await world.store.write([Accept(message=Message(id=id, user=User(user), text=id), at=1)])
    async with open_life(world, two_waves(world, idempotent=True), limits=Limits(recoveries_max=1)) as life:
        await life.send(("m3", "three"))
        await settle(life)
    fates = {detail.split(" ")[0]: word for word, detail in words(life.trail) if word != "started"}
    assert (fates["m1"], fates["m2"], fates["m3"]) == ("superseded", "superseded", "answered")
