"""One operation: plan, waves, adapt, respond, commit, and everything that can be wrong with them."""

import pytest
import trio
from trio.testing import MockClock

from engine import Assistant, Call, Failed, Limits, MemoryStore, Plan, Ref, Reply, Suspended, tool
from engine.store import End
from engine.testing import (
    Trail,
    UnreliableStore,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

APOLOGY = "Sorry, something went wrong with your request. Please try again."


@tool(timeout=5)
async def echo(value: int) -> int:
    """Gives back what it was given."""
    return value


async def run(assistant: Assistant, **options):
    """The fate of one message and the texts that were sent."""
    async with open_conversation(assistant, **options) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
        await trio.sleep(10)
        return fate, conversation.outbound.texts


async def test_adapting_adds_calls_that_may_use_earlier_ones(autojump_clock: MockClock) -> None:
    """Each round's waves run before the planner is asked again."""
    trail = Trail()
    assistant = scripted_assistant(
        Plan(Call("a", echo, {"value": 1})),
        Plan(Call("b", echo, {"value": Ref("a")}), Call("c", echo, {"value": Ref("b")})),
        tools=[echo],
    )
    fate, texts = await run(assistant, trail=trail)
    assert [entry[1:] for entry in trail.entries if entry[1] in ("planned", "wave")] == [
        ("planned", "a"),
        ("wave", "a"),
        ("planned", "b | c"),
        ("wave", "b"),
        ("wave", "c"),
    ]
    assert fate.name == "answered"
    assert texts == ["done: go"]


async def test_a_planner_that_never_has_enough_is_asked_adaptations_max_times(
    autojump_clock: MockClock,
) -> None:
    """Then the reply is made from what there is."""
    plans = [Plan(Call(f"c{number}", echo, {"value": number})) for number in range(10)]
    assistant = scripted_assistant(*plans, tools=[echo])
    fate, _ = await run(assistant, limits=Limits(adaptations_max=3))
    assert fate.name == "answered"
    (results,) = assistant.planner.results.values()
    assert list(results) == ["c0", "c1", "c2"]  # what it saw when it was asked the third and last time


async def test_an_empty_plan_is_answered_at_once(autojump_clock: MockClock) -> None:
    """Small talk needs no tools; an empty adaptation is none."""
    fate, texts = await run(scripted_assistant(Plan(), tools=[]))
    assert (fate.name, texts) == ("answered", ["done: go"])
    fate, _ = await run(scripted_assistant(Plan(Call("a", echo, {"value": 1})), Plan(), tools=[echo]))
    assert fate.name == "answered"


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ("tables please", "a planner returns a Plan, not 'tables please'"),
        (lambda: Plan(Call("x", "vanished")), "call 'x': the assistant has no tool 'vanished'"),
        (lambda: Plan(Call("x", echo, {"value": Ref("y")})), "call 'x': it depends on 'y'"),
        (lambda: Plan(Call("x", echo, {"value": "one"})), "call 'x': argument 'value' cannot be stored"),
        (lambda: Plan(Call("x", echo), Call("x", echo)), "call 'x': the plan has two calls of that id"),
    ],
)
async def test_a_wrong_plan_fails_before_any_wave(autojump_clock: MockClock, plan, reason: str) -> None:
    """One clear error that names the call; the user gets an apology, the message the fate failed."""

    class Planner:
        async def plan(self, message, context):
            return plan() if callable(plan) else plan

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "unreachable"

    trail = Trail()
    fate, texts = await run(Assistant(planner=Planner(), responder=respond, tools=[echo]), trail=trail)
    assert isinstance(fate, Failed)
    assert reason in fate.reason
    assert texts == [APOLOGY]
    assert [entry[1] for entry in trail.entries] == ["started", "failed", "failed", "apology"]


async def test_a_planner_that_raises_fails_its_own_operation(autojump_clock: MockClock) -> None:
    """Whatever it raises, sys.exit() included: an apology, and the next message is served."""
    errors = [RuntimeError("model is down"), SystemExit(1), ExceptionGroup("two", [ValueError("first")])]

    class Planner:
        async def plan(self, message, context):
            if errors:
                raise errors.pop(0)
            return Plan()

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "fine again"

    async with open_conversation(Assistant(planner=Planner(), responder=respond, tools=[])) as conversation:
        fates = [await conversation.engine.process_message("15551234567", "go") for _ in range(4)]
        await trio.sleep(5)
    assert [fate.message for fate in fates] == [
        "RuntimeError: model is down",
        "SystemExit: 1",
        "ValueError: first",
        "fine again",
    ]
    assert conversation.outbound.texts == [APOLOGY] * 3 + ["fine again"]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (None, "ReplyError: a responder returns a text, a Reply or a list of them, not None"),
        ("  \n", "ReplyError: a responder's reply must not be empty"),
        (["fine", ""], "ReplyError: a responder's replies[1] must not be empty"),
        (
            ["x" * 50, "x" * 51],
            "AssistantError: the reply has 101 characters, more than reply_characters_max",
        ),
        ("x" * 101, "AssistantError: the reply has 101 characters, more than reply_characters_max"),
    ],
)
async def test_a_reply_that_cannot_be_sent_fails(
    autojump_clock: MockClock, made: object, reason: str
) -> None:
    """The log has the reason, the user an apology."""

    async def respond(message, results, context):
        return made

    planner = scripted_assistant(Plan(), tools=[]).planner
    fate, texts = await run(
        Assistant(planner=planner, responder=respond, tools=[]), limits=Limits(reply_characters_max=100)
    )
    assert fate == Failed(reason)
    assert texts == [APOLOGY]


async def test_a_long_reply_goes_out_in_parts(autojump_clock: MockClock) -> None:
    """In order, cut between words; the conversation has it whole."""

    async def respond(message, results, context):
        return Reply("one two three four")

    assistant = Assistant(planner=scripted_assistant(Plan(), tools=[]).planner, responder=respond, tools=[])
    async with open_conversation(assistant, limits=Limits(text_characters_max=9)) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
        await trio.sleep(1)
        history = await conversation.engine.read_history("15551234567")
    assert conversation.outbound.texts == ["one two", "three", "four"]
    assert fate.reply.text == history[-1].text == "one two three four"


async def test_an_interruption_in_the_last_wave_asks_the_assistant_nothing_more(
    autojump_clock: MockClock,
) -> None:
    """P3: neither `adapt` nor the responder is called for a request that was taken back."""
    called = []
    act = sleeping_tool("act", 2)

    class Planner:
        async def plan(self, message, context):
            return Plan(Call("x", act))

        async def adapt(self, message, results, context):
            called.append(("adapt", message.id))

    async def respond(message, results, context):
        called.append(("respond", message.id))
        return "done"

    for adaptations_max, expected in ((5, [("adapt", "m2"), ("respond", "m2")]), (0, [("respond", "m2")])):
        called.clear()
        async with open_conversation(
            Assistant(planner=Planner(), responder=respond, tools=[act]),
            limits=Limits(adaptations_max=adaptations_max),
        ) as conversation:
            await conversation.send(("m1", "one"))
            await trio.sleep(1)
            await conversation.send(("m2", "two"))
            await trio.sleep(20)
        assert called == expected


# The commit point (P8) ----------------------------------------------------------------------------


def quick() -> Assistant:
    return scripted_assistant(Plan(), tools=[])


async def test_a_message_during_the_commit_only_waits(autojump_clock: MockClock) -> None:
    """COMMITTING has no Interrupted row: the reply stands, nobody is acknowledged, the next one runs."""
    trail = Trail()
    store = UnreliableStore()
    store.seconds, store.only = 2, (End,)
    async with open_conversation(quick(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    assert trail.entries == [
        (0, "started", "m1"),
        (0, "planned", ""),
        (2, "answered", "m1"),
        (2, "completed", "0 tools"),
        *sorted(
            [(2, "reply", "done: one"), (2, "started", "m2"), (2, "planned", "")], key=trail.entries.index
        ),
        (4, "answered", "m2"),
        (4, "completed", "0 tools"),
        (4, "reply", "done: two"),
    ]


async def test_a_commit_that_fails_while_nobody_waits_is_tried_again(autojump_clock: MockClock) -> None:
    """The reply is late and sent once."""
    store = UnreliableStore()
    store.refusals, store.only = 3, (End,)
    fate, texts = await run(quick(), store=store)
    assert (fate.name, texts) == ("answered", ["done: go"])


async def test_a_commit_that_fails_while_a_message_waits_is_superseded(autojump_clock: MockClock) -> None:
    """P8: the reply is dropped, its user acknowledged once, the newer message runs."""
    trail = Trail()
    store = UnreliableStore()
    store.refusals, store.only, store.seconds = 1, (End,), 2
    async with open_conversation(quick(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    # What happens in one instant is in no order.
    assert sorted(entry for entry in trail.entries if entry[1] not in ("planned", "completed")) == [
        (0, "started", "m1"),
        (2, "acknowledgement", "Got it! Switching to your new request..."),
        (4, "cancelled", "new_message_received"),
        (4, "started", "m2"),
        (4, "superseded", "m1 by m2"),
        (6, "answered", "m2"),
        (6, "reply", "done: two"),
    ]


async def test_a_commit_that_never_succeeds_suspends(autojump_clock: MockClock) -> None:
    """Nothing was sent and nothing is lost: it goes on after the restart."""
    store = UnreliableStore()
    store.refusals, store.only = -1, (End,)
    trail = Trail()
    async with open_conversation(
        quick(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        assert await conversation.engine.process_message("15551234567", "go") == Suspended()
        assert conversation.outbound.texts == []
        assert (await conversation.engine.read_depths()).inbox == 1


async def test_a_straggling_commit_is_superseded_when_a_message_came_late(autojump_clock: MockClock) -> None:
    """The second chance fails too, and by then a message waits."""
    store = UnreliableStore()
    store.refusals, store.only = -1, (End,)
    trail = Trail()
    async with open_conversation(
        quick(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(2)
        await conversation.send(("m2", "two"))
        await trio.sleep(2.5)
        assert conversation.engine.sessions.get("15551234567").operation.phase.value == "committing"
        await trio.sleep(0.75)
        store.refusals = 0
        await trio.sleep(20)
    assert [entry[1:] for entry in trail.entries if entry[1] in ("superseded", "answered", "reply")] == [
        ("superseded", "m1 by m2"),
        ("answered", "m2"),
        ("reply", "done: two"),
    ]


async def test_an_operation_is_recorded_with_its_calls(autojump_clock: MockClock) -> None:
    """What a restart needs to know stands in the store: plan, intents, outcomes, phase."""
    store = MemoryStore()
    act = sleeping_tool("act", 2)
    assistant = scripted_assistant(Plan(Call("x", act), Call("y", act, after=["x"])), tools=[act])
    ids = iter(["operation", "row"])
    async with open_conversation(assistant, store=store, new_id=lambda: next(ids)) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        record = await store.read_operation("operation")
        assert (record.phase.value, record.message.id) == ("in_wave", "m1")
        assert [(call.call.id, call.intended, call.outcome) for call in record.calls] == [
            ("x", True, None),
            ("y", False, None),
        ]
        await trio.sleep(5)
        record = await store.read_operation("operation")
        assert (record.phase.value, record.ended_at) == ("completed", 4)
        assert [call.outcome.raw for call in record.calls] == ["act", "act"]
