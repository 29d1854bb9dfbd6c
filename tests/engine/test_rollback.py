"""The policy rollback: what an interrupted request did is taken back before the new one begins.

Planning takes 0.25 s.  `table` takes 2 s, `taxi` after it 3 s; each undo takes 1 s.  Only a message that
says "go" is planned like that; every other is answered at once, at the end of its planning.
"""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    CallUndone,
    Context,
    Decision,
    Event,
    Limits,
    MemoryStore,
    Message,
    MessageAccepted,
    Outcome,
    Phase,
    Plan,
    Ref,
    Results,
    Superseded,
    Tool,
    ToolContext,
    UndoStatus,
    User,
    tool,
)
from engine.store import End, UndoIntended, Undone
from engine.testing import (
    Conversation,
    Trail,
    UnreliableStore,
    left_by_a_crash,
    open_conversation,
    sleeping_tool,
    undoable_tool,
)

ANNA = "15551234567"
ACK = "Got it! Switching to your new request..."


@attrs.define(eq=False)
class OnceBusy:
    """Plans `plan` for a message that says "go", and nothing for any other."""

    calls: Plan
    contexts: dict[str, Context] = attrs.field(factory=dict)

    async def plan(self, message: Message, context: Context) -> Plan:
        self.contexts[message.id] = context
        await trio.sleep(0.25)
        return self.calls if message.text == "go" else Plan()

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def respond(message: Message, results: Results, context: Context) -> str:
    return f"done: {message.text}"


def busy(plan: Plan, *tools: Tool, **more: Any) -> Assistant:
    return Assistant(planner=OnceBusy(plan), responder=respond, tools=tools, **more)


def table_and_taxi(trail: Trail, *, undo_seconds: float = 1.0, **more: Any) -> Assistant:
    table = undoable_tool("table", 2, trail=trail, undo_seconds=undo_seconds, **more)
    taxi = undoable_tool("taxi", 3, trail=trail, undo_seconds=undo_seconds)
    return busy(Plan(Call("a", table), Call("b", taxi, after=["a"])), table, taxi)


def ids() -> Callable[[], str]:
    """A, B, C ...: the first operation is A."""
    return iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ").__next__


async def go_and_change_mind(conversation: Conversation, *, after: float) -> None:
    await conversation.send(("m1", "go"))
    await trio.sleep(after)
    await conversation.send(("m2", "no"))


INTERRUPTED_IN_WAVE_2 = [
    (0, "started", "m1"),
    (0.25, "planned", "a | b"),
    (0.25, "wave", "a"),
    (2.25, "acted", "table"),
    (2.25, "wave finished", "1"),
    (2.25, "wave", "b"),
    (5.25, "acted", "taxi"),
    (5.25, "wave finished", "2"),
]


async def test_what_was_done_is_taken_back_in_reverse_order(autojump_clock: MockClock) -> None:
    """P2: the wave finishes first.  P1: the new request begins when all is taken back, and knows of it."""
    trail = Trail()
    assistant = table_and_taxi(trail)
    async with open_conversation(assistant, trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.done == [
        *INTERRUPTED_IN_WAVE_2,
        (5.25, "undo", "taxi"),
        (6.25, "undo", "table"),
        (7.25, "superseded", "m1 by m2"),
        (7.25, "cancelled", "new_message_received"),
        (7.25, "started", "m2"),
        (7.5, "planned", ""),
        (7.5, "answered", "m2"),
        (7.5, "completed", "0 tools"),
    ]
    assert trail.said == [
        (3, "acknowledgement", ACK),
        (7.25, "notice", "Taken back: table, taxi."),
        (7.5, "reply", "done: no"),
    ]
    (request,) = assistant.planner.contexts["m2"].superseded
    assert {id: (one.value, one.undo) for id, one in request.results.items()} == {
        "a": ("table", UndoStatus.UNDONE),
        "b": ("taxi", UndoStatus.UNDONE),
    }


async def test_what_was_not_begun_is_not_taken_back(autojump_clock: MockClock) -> None:
    """P3: the second wave never starts, and nobody takes back what it did not do."""
    trail = Trail()
    async with open_conversation(table_and_taxi(trail), trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    assert trail.of("acted", "undo", "started") == [
        (0, "started", "m1"),
        (2.25, "acted", "table"),
        (2.25, "undo", "table"),
        (3.25, "started", "m2"),
    ]
    assert trail.of("notice") == [(3.25, "notice", "Taken back: table.")]


async def test_where_nothing_was_done_nothing_is_said_of_it(autojump_clock: MockClock) -> None:
    """The plan was still being made: cut at once, as ever."""
    trail = Trail()
    async with open_conversation(table_and_taxi(trail), trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=0.125)
        await trio.sleep(20)
    assert trail.of("superseded", "started", "undo") == [
        (0, "started", "m1"),
        (0.125, "superseded", "m1 by m2"),
        (0.125, "started", "m2"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["acknowledgement", "reply"]


async def test_it_is_recorded_and_the_operator_hears_of_it(autojump_clock: MockClock) -> None:
    """Each call's intent and outcome, the operation's end, and an event for each."""
    trail, told, store = Trail(), [], MemoryStore()
    async with open_conversation(
        table_and_taxi(trail), trail=trail, store=store, policy="rollback", new_id=ids()
    ) as conversation:
        conversation.engine.events.subscribe(told.append)
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(20)
        record = await store.read_operation("A")
    assert (record.phase, record.interrupted_by, record.undo) == (Phase.INTERRUPTED, "m2", True)
    assert [(one.call.id, one.undo_intended_at, one.outcome.undo) for one in record.calls] == [
        ("a", 6.25, UndoStatus.UNDONE),
        ("b", 5.25, UndoStatus.UNDONE),
    ]
    assert [
        (one.operation_id, one.call_id, one.tool, one.status, one.seconds, one.error)
        for one in told
        if isinstance(one, CallUndone)
    ] == [("A", "b", "taxi", "undone", 1, None), ("A", "a", "table", "undone", 1, None)]


async def test_an_undo_knows_what_was_done(autojump_clock: MockClock) -> None:
    """The arguments in their types, references resolved; the outcome; the key that the call had."""

    @attrs.frozen
    class Table:
        number: int

    keys: list[str] = []
    given: list[tuple[dict[str, Any], Outcome, ToolContext]] = []

    async def free(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        given.append((args, outcome, context))

    @tool(timeout=10)
    async def find() -> list[Table]:
        return [Table(7)]

    @tool(timeout=10, undo=free)
    async def book(table: Table, people: int, *, context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        await trio.sleep(2)
        return "B-7"

    async def credentials(user: User) -> dict[str, str]:
        return {"bookings": "token"}

    plan = Plan(Call("t", find), Call("b", book, {"table": Ref("t", 0), "people": 2}))
    assistant = busy(plan, find, book, credentials=credentials)
    async with open_conversation(assistant, policy="rollback", new_id=ids()) as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    ((args, outcome, context),) = given
    assert args == {"table": Table(7), "people": 2}
    assert (outcome.call_id, outcome.tool, outcome.status, outcome.value) == ("b", "book", "succeeded", "B-7")
    assert keys == [context.idempotency_key] == ["A/b"]
    assert (context.user, context.credentials) == (User(ANNA), {"bookings": "token"})


async def test_whatever_may_have_acted_is_taken_back_and_nothing_else(autojump_clock: MockClock) -> None:
    """Succeeded, timed out, cut off; not what failed, not what was skipped, not what has no undo."""
    trail = Trail()

    def undo_of(name: str) -> Callable[..., Any]:
        async def undo(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
            trail.add("undo", f"{name} {outcome.status}")

        return undo

    def made(name: str, seconds: float, *, timeout: float = 60, raises: bool = False) -> Tool:
        async def act() -> None:
            await trio.sleep(seconds)
            if raises:
                raise ValueError("sold out")

        act.__name__ = act.__qualname__ = name
        return tool(timeout=timeout, undo=undo_of(name))(act)

    quick, late, cut = made("quick", 1), made("late", 9, timeout=2), made("cut", 9)
    broken, after = made("broken", 1, raises=True), made("after", 1)
    plain = sleeping_tool("plain", 1)
    tools = (quick, late, cut, broken, after, plain)
    plan = Plan(*(Call(one.name, one, after=["broken"] if one is after else []) for one in tools))
    async with open_conversation(
        busy(plan, *tools), trail=trail, policy="rollback", limits=Limits(wave_seconds_max=5)
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    assert trail.of("undo", "notice") == [
        (5.25, "undo", "cut cut_off"),
        (5.25, "undo", "late timed_out"),
        (5.25, "undo", "quick succeeded"),
        (5.25, "notice", "Taken back: quick, late, cut."),
    ]


async def test_what_was_taken_over_from_another_request_is_not_taken_back(
    autojump_clock: MockClock,
) -> None:
    """The request that is rolled back did not do it; its own call is, alone."""
    trail = Trail()
    table = undoable_tool("table", 2, trail=trail, reusable_seconds=60)
    taxi = undoable_tool("taxi", 3, trail=trail)
    plan = Plan(Call("a", table), Call("b", taxi, after=["a"]))

    def by_text(message: Message, snapshot: object) -> Decision:
        return Decision.ROLLBACK if message.text == "no" else Decision.INTERRUPT

    async with open_conversation(busy(plan, table, taxi), trail=trail, policy=by_text) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "go"))
        await trio.sleep(3)
        await conversation.send(("m3", "no"))
        await trio.sleep(20)
    assert trail.of("acted", "undo") == [
        (2.25, "acted", "table"),
        (5.5, "acted", "taxi"),
        (5.5, "undo", "taxi"),
    ]


# An undo that does not work -----------------------------------------------------------------------


async def test_an_undo_that_fails_is_tried_again(autojump_clock: MockClock) -> None:
    """After 0.125 s, then after 0.25 s; once it works, it has worked."""
    trail = Trail()
    async with open_conversation(
        table_and_taxi(trail, undo_seconds=0, undo_failures=2), trail=trail, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    assert [*trail.of("undo", "started")[1:], *trail.of("notice")] == [
        (2.25, "undo", "table"),
        (2.375, "undo", "table"),
        (2.625, "undo", "table"),
        (2.625, "started", "m2"),
        (2.625, "notice", "Taken back: table."),
    ]


async def test_an_undo_that_always_fails_is_given_up(autojump_clock: MockClock) -> None:
    """What else was done is taken back; user, operator and next plan are told which was not."""
    trail, told = Trail(), []
    table = undoable_tool("table", 2, trail=trail, title="a table for two")
    taxi = undoable_tool("taxi", 3, trail=trail, undo_failures=9)
    assistant = busy(Plan(Call("a", table), Call("b", taxi, after=["a"])), table, taxi)
    async with open_conversation(
        assistant, trail=trail, policy="rollback", limits=Limits(undo_attempts_max=2)
    ) as conversation:
        conversation.engine.events.subscribe(told.append)
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(20)
    assert trail.of("undo", "notice") == [
        (5.25, "undo", "taxi"),
        (5.375, "undo", "taxi"),
        (5.375, "undo", "table"),
        (5.375, "notice", "Taken back: a table for two. Could not be taken back: taxi."),
    ]
    assert [(one.tool, one.status, one.error) for one in told if isinstance(one, CallUndone)] == [
        ("taxi", "failed", "ValueError: taxi is sold out"),
        ("table", "undone", None),
    ]
    (request,) = assistant.planner.contexts["m2"].superseded
    assert (request.results["b"].undo, request.results["b"].undo_error) == (
        UndoStatus.FAILED,
        "ValueError: taxi is sold out",
    )
    assert request.results["b"].value == "taxi"  # it was done, and still is


async def test_an_undo_that_hangs_ends_at_its_tools_timeout(autojump_clock: MockClock) -> None:
    """Bounded like the call itself, all attempts together."""
    trail = Trail()
    assistant = table_and_taxi(trail, undo_seconds=1000, timeout=5)
    async with open_conversation(assistant, trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    assert [*trail.of("undo", "started")[1:], *trail.of("notice")] == [
        (2.25, "undo", "table"),
        (7.25, "started", "m2"),
        (7.25, "notice", "Could not be taken back: table."),
    ]
    (request,) = assistant.planner.contexts["m2"].superseded
    assert (request.results["a"].undo, request.results["a"].undo_error) == (
        UndoStatus.TIMED_OUT,
        "after 5 s",
    )


async def test_an_undo_that_calls_exit_ends_nobody_else(autojump_clock: MockClock) -> None:
    """P11: it means itself, not the process."""
    trail = Trail()

    async def undo(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        raise SystemExit(1)

    @tool(timeout=5, undo=undo)
    async def act() -> None:
        await trio.sleep(2)

    async with open_conversation(
        busy(Plan(Call("x", act)), act), trail=trail, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(20)
    assert trail.of("superseded", "answered") == [(2.25, "superseded", "m1 by m2"), (2.5, "answered", "m2")]
    assert trail.of("notice") == [(2.25, "notice", "Could not be taken back: act.")]


@pytest.mark.parametrize("works", [True, False])
async def test_an_undo_may_be_a_plain_function(works: bool) -> None:
    """It runs in a worker thread, like a tool that is one; no mock clock, which would not see the thread."""
    acted = trio.Event()
    undone: list[tuple[dict[str, Any], str]] = []

    def undo(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        if not works:
            raise ValueError("closed")
        undone.append((args, context.idempotency_key))

    @tool(timeout=10, undo=undo)
    async def book(people: int) -> str:
        acted.set()
        await may_end.wait()
        return "B-7"

    may_end = trio.Event()
    planner = OnceBusy(Plan(Call("b", book, {"people": 2})))
    assistant = Assistant(planner=planner, responder=respond, tools=[book])
    fates: dict[str, Any] = {}
    limits = Limits(undo_attempts_max=1)
    async with (
        open_conversation(assistant, policy="rollback", limits=limits, new_id=ids()) as conversation,
        trio.open_nursery() as nursery,
    ):

        async def ask(text: str) -> None:
            fates[text] = await conversation.engine.process_message(ANNA, text)

        nursery.start_soon(ask, "go")
        await acted.wait()
        nursery.start_soon(ask, "no")
        await trio.testing.wait_all_tasks_blocked()
        may_end.set()
    # "A" and "C" are the messages, "B" is the operation.
    assert (fates["go"], fates["no"].message) == (Superseded("C"), "done: no")
    assert undone == ([({"people": 2}, "B/b")] if works else [])
    expected = "Taken back: book." if works else "Could not be taken back: book."
    assert [row.text for row in conversation.outbound.rows if row.kind == "notice"] == [expected]


# While it is taken back ---------------------------------------------------------------------------


async def test_messages_wait_until_all_is_taken_back_and_the_newest_runs(autojump_clock: MockClock) -> None:
    """P9: nothing is interrupted a second time, and nobody is told a second time."""
    trail = Trail()
    async with open_conversation(table_and_taxi(trail), trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=3)
        for id in ("m3", "m4"):
            await trio.sleep(1.5)
            await conversation.send((id, f"no, {id}"))
        assert conversation.engine.sessions.get(ANNA).operation.phase is Phase.UNDOING
        await trio.sleep(20)
    assert trail.of("undo", "superseded", "started", "answered") == [
        (0, "started", "m1"),
        (5.25, "undo", "taxi"),
        (6.25, "undo", "table"),
        (7.25, "superseded", "m1 by m2"),
        (7.25, "superseded", "m2 by m4"),
        (7.25, "superseded", "m3 by m4"),
        (7.25, "started", "m4"),
        (7.5, "answered", "m4"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["acknowledgement", "notice", "reply"]


@pytest.mark.parametrize("at", [4, 5.5], ids=["in_the_wave", "while_undoing"])
async def test_stop_only_drops_what_waits(autojump_clock: MockClock, at: float) -> None:
    """What was begun to be taken back is taken back; then whoever said stop is told, once."""
    trail = Trail()
    async with open_conversation(table_and_taxi(trail), trail=trail, policy="rollback") as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(at - 3)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.of("undo", "stopped", "superseded", "started") == [
        (0, "started", "m1"),
        *([(4, "stopped", "m2")] if at == 4 else []),
        (5.25, "undo", "taxi"),
        *([(5.5, "stopped", "m2")] if at == 5.5 else []),
        (6.25, "undo", "table"),
        (7.25, "superseded", "m1 by m2"),
        (7.25, "stopped", "m3"),
    ]
    assert trail.said == [
        (3, "acknowledgement", ACK),
        (7.25, "notice", "Stopped. Taken back: table, taxi."),
    ]


async def test_stop_is_told_what_stands_and_what_was_taken_back(autojump_clock: MockClock) -> None:
    """What has no undo was done, and remains done."""
    trail = Trail()
    letter = sleeping_tool("letter", 2)
    table = undoable_tool("table", 2, trail=trail, undo_seconds=1)
    async with open_conversation(
        busy(Plan(Call("l", letter), Call("t", table)), letter, table), trail=trail, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
        await trio.sleep(1.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert trail.of("notice") == [(3.25, "notice", "Stopped. Already done: letter. Taken back: table.")]


async def test_a_commit_that_fails_gives_way_and_is_taken_back(autojump_clock: MockClock) -> None:
    """P8: the reply was refused by the store and a message waits: what was done for it is taken back."""
    trail = Trail()
    store = UnreliableStore()
    store.only, store.seconds, store.refusals = (End,), 1, 1
    async with open_conversation(
        table_and_taxi(trail), trail=trail, store=store, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=5.5)
        store.seconds = 0
        await trio.sleep(20)
    assert trail.of("undo", "superseded", "started", "answered")[1:] == [
        (6.25, "undo", "taxi"),
        (7.25, "undo", "table"),
        (8.25, "superseded", "m1 by m2"),
        (8.25, "started", "m2"),
        (8.5, "answered", "m2"),
    ]


async def test_a_store_that_fails_while_it_is_taken_back_delays_it(autojump_clock: MockClock) -> None:
    """No restart: it goes on when the store is back, with what is not known to be taken back."""
    trail = Trail()
    store = UnreliableStore()
    store.only = (UndoIntended,)
    async with open_conversation(
        table_and_taxi(trail),
        trail=trail,
        store=store,
        policy="rollback",
        limits=Limits(record_seconds_max=5),
    ) as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(3)  # the first undo is under way, the intent of the second will be refused
        store.refusals = -1
        await trio.sleep(6)
        store.refusals = 0
        await trio.sleep(30)
    assert trail.of("undo", "suspended", "superseded", "started", "answered")[1:] == [
        (5.25, "undo", "taxi"),
        (11.25, "suspended", "store"),
        (16.25, "undo", "table"),
        (17.25, "superseded", "m1 by m2"),
        (17.25, "started", "m2"),
        (17.5, "answered", "m2"),
    ]
    assert trail.of("notice") == [(17.25, "notice", "Taken back: table, taxi.")]


# Shutdown and crash -------------------------------------------------------------------------------


async def test_a_shutdown_suspends_and_the_restart_goes_on(autojump_clock: MockClock) -> None:
    """The undo under way finishes within the grace; nothing is taken back twice, and both are told of."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first), trail=first, store=store, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(2.5)
    assert first.of("undo", "suspended") == [(5.25, "undo", "taxi"), (6.25, "suspended", "shutdown")]
    assert [kind for _, kind, _ in first.said] == ["acknowledgement"]
    async with open_conversation(
        table_and_taxi(second), trail=second, store=store, policy="rollback"
    ) as conversation:
        await trio.sleep(20)
    assert second.done == [
        (6.25, "undo", "table"),
        (7.25, "superseded", "m1 by m2"),
        (7.25, "cancelled", "new_message_received"),
        (7.25, "started", "m2"),
        (7.5, "planned", ""),
        (7.5, "answered", "m2"),
        (7.5, "completed", "0 tools"),
    ]
    assert second.said == [(7.25, "notice", "Taken back: table, taxi."), (7.5, "reply", "done: no")]


async def test_an_undo_that_the_grace_cuts_is_made_again(autojump_clock: MockClock) -> None:
    """Its intent is recorded and its outcome is not: harmless by the contract of an undo."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first),
        trail=first,
        store=store,
        policy="rollback",
        limits=Limits(grace_seconds=0.25),
        new_id=ids(),
    ) as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(2.5)
    assert first.of("undo", "suspended") == [(5.25, "undo", "taxi"), (5.75, "suspended", "shutdown")]
    async with open_conversation(
        table_and_taxi(second), trail=second, store=store, policy="rollback"
    ) as conversation:
        await trio.sleep(20)
        record = await store.read_operation("A")
    assert second.of("undo", "started") == [
        (5.75, "undo", "taxi"),
        (6.75, "undo", "table"),
        (7.75, "started", "m2"),
    ]
    assert [one.outcome.undo for one in record.calls] == [UndoStatus.UNDONE, UndoStatus.UNDONE]


async def test_a_shutdown_in_the_wave_leaves_the_undo_to_the_restart(autojump_clock: MockClock) -> None:
    """Nothing new is begun once the process is told to stop, an undo included."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first), trail=first, store=store, policy="rollback"
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
    assert first.of("acted", "undo", "suspended") == [
        (2.25, "acted", "table"),
        (2.25, "suspended", "shutdown"),
    ]
    async with open_conversation(
        table_and_taxi(second), trail=second, store=store, policy="rollback"
    ) as conversation:
        await trio.sleep(20)
    assert second.of("undo", "acted", "superseded", "answered") == [
        (2.25, "undo", "table"),
        (3.25, "superseded", "m1 by m2"),
        (3.5, "answered", "m2"),
    ]


@pytest.mark.parametrize(
    ("at", "again"),
    [
        (4, [(4, "undo", "taxi"), (5, "undo", "table")]),  # in the wave: taxi is unknown
        (5.5, [(5.5, "undo", "taxi"), (6.5, "undo", "table")]),  # while taxi is taken back
        (6.5, [(6.5, "undo", "table")]),  # while table is taken back
    ],
)
async def test_a_crash_changes_nothing_of_what_is_taken_back(
    autojump_clock: MockClock, at: float, again: list[tuple[float, str, str]]
) -> None:
    """P14: what is known to be taken back is not again; what nobody knows of is; no wave runs again."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first),
        trail=first,
        store=store,
        policy="rollback",
        limits=Limits(grace_seconds=0),
    ) as conversation:
        await go_and_change_mind(conversation, after=3)
        await trio.sleep(at - 3)
        left = left_by_a_crash(store)
    assistant = table_and_taxi(second)
    async with open_conversation(assistant, trail=second, store=left, policy="rollback") as conversation:
        await trio.sleep(20)
    end = again[-1][0] + 1
    assert second.of("acted", "undo", "superseded", "answered") == [
        *again,
        (end, "superseded", "m1 by m2"),
        (end + 0.25, "answered", "m2"),
    ]
    assert second.said == [(end, "notice", "Taken back: table, taxi."), (end + 0.25, "reply", "done: no")]
    (request,) = assistant.planner.contexts["m2"].superseded
    assert [(one.status, one.undo) for one in request.results.values()] == [
        ("succeeded", "undone"),
        ("unknown" if at == 4 else "succeeded", "undone"),
    ]


async def test_an_undo_that_keeps_crashing_is_given_up(autojump_clock: MockClock) -> None:
    """It may be what kills the process: after `recovery_attempts_max` deaths it is not made again."""
    trail, store = Trail(), MemoryStore()
    limits = Limits(grace_seconds=0, recovery_attempts_max=3)
    for life in range(10):
        async with open_conversation(
            table_and_taxi(trail), trail=trail, store=store, policy="rollback", limits=limits
        ) as conversation:
            if not life:
                await go_and_change_mind(conversation, after=1)
                await trio.sleep(1.25)
            await trio.sleep(0.5)
            store = left_by_a_crash(store)
    assert len(trail.of("undo")) <= 3


async def test_a_crash_before_the_interruption_was_recorded_takes_back_all_the_same(
    autojump_clock: MockClock,
) -> None:
    """The message waits in the inbox: at the restart it is decided on as if it came now."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first), trail=first, store=store, policy="rollback", limits=Limits(grace_seconds=0)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(3)
        left: list[MemoryStore] = []

        def crash(event: Event) -> None:
            if isinstance(event, MessageAccepted):
                left.append(left_by_a_crash(store))

        conversation.engine.events.subscribe(crash)
        await conversation.send(("m2", "no"))
    async with open_conversation(
        table_and_taxi(second), trail=second, store=left[0], policy="rollback"
    ) as conversation:
        await trio.sleep(20)
    assert second.of("acted", "undo", "superseded", "answered") == [
        (3, "undo", "taxi"),
        (4, "undo", "table"),
        (5, "superseded", "m1 by m2"),
        (5.25, "answered", "m2"),
    ]
    assert second.of("acknowledgement") == [(3, "acknowledgement", ACK)]


async def test_a_tool_that_has_vanished_cannot_take_back(autojump_clock: MockClock) -> None:
    """The assistant was changed between the two starts; the rest is taken back, and all is told."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        table_and_taxi(first), trail=first, store=store, policy="rollback", limits=Limits(grace_seconds=0)
    ) as conversation:
        await go_and_change_mind(conversation, after=3)
        left = left_by_a_crash(store)
    table = undoable_tool("table", 2, trail=second)
    assistant = busy(Plan(Call("a", table)), table)
    async with open_conversation(assistant, trail=second, store=left, policy="rollback") as conversation:
        await trio.sleep(20)
    assert second.of("undo", "notice") == [
        (3, "undo", "table"),
        (3, "notice", "Taken back: table. Could not be taken back: taxi."),
    ]


async def test_an_undo_whose_outcome_cannot_be_recorded_is_made_again(autojump_clock: MockClock) -> None:
    """The store refused the outcome until the record's time was over: nobody knows that it was undone."""
    trail = Trail()
    store = UnreliableStore()
    store.only = (Undone,)
    async with open_conversation(
        table_and_taxi(trail),
        trail=trail,
        store=store,
        policy="rollback",
        limits=Limits(record_seconds_max=5),
    ) as conversation:
        await go_and_change_mind(conversation, after=1)
        store.refusals = -1
        await trio.sleep(8)
        store.refusals = 0
        await trio.sleep(30)
    assert trail.of("undo", "suspended", "superseded")[:4] == [
        (2.25, "undo", "table"),
        (8.25, "suspended", "store"),
        (13.25, "undo", "table"),
        (14.25, "superseded", "m1 by m2"),
    ]
