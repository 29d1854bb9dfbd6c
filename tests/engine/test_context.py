"""What a planner is shown: bounded, typed, kept."""

import attrs
import trio
from trio.testing import MockClock

from engine import Assistant, Call, Limits, MemoryStore, Plan, tool
from engine.testing import open_conversation, scripted_assistant

ANNA = "15551234567"


@attrs.frozen
class Table:
    """What a tool returns."""

    number: int
    seats: int


@tool(timeout=10)
async def find_table() -> Table:
    """Finds a table."""
    await trio.sleep(1)
    return Table(7, 2)


async def switch(assistant: Assistant, store: MemoryStore, **options) -> None:
    async with open_conversation(assistant, store=store, **options) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "two"))
        await trio.sleep(20)


async def test_a_superseded_result_has_the_type_its_tool_names(autojump_clock: MockClock) -> None:
    """P7: the same value as before the interruption."""
    assistant = scripted_assistant(Plan(Call("t", find_table)), tools=[find_table])
    await switch(assistant, MemoryStore())
    (taken_back,) = assistant.planner.contexts["m2"].superseded
    assert taken_back.results["t"].value == Table(7, 2)


async def test_a_tool_that_has_vanished_or_changed_since(autojump_clock: MockClock) -> None:
    """Vanished: the JSON form is the value.  Changed: the value is lost, and the outcome says why."""
    store = MemoryStore()
    await switch(scripted_assistant(Plan(Call("t", find_table)), tools=[find_table]), store)

    @tool(timeout=10)
    async def find_table_now() -> int:
        return 1

    changed = attrs.evolve(find_table_now, name="find_table")
    for tools, expected in (([], {"number": 7, "seats": 2}), ([changed], None)):
        assistant = scripted_assistant(Plan(), tools=tools)
        async with open_conversation(
            assistant, store=store, new_id=iter(f"{tools}{n}" for n in range(9)).__next__
        ) as conversation:
            await conversation.send((f"after {tools}", "three"))
            await trio.sleep(5)
        outcome = assistant.planner.contexts[f"after {tools}"].superseded[0].results["t"]
        assert outcome.value_or(None) == expected
        if expected is None:
            assert outcome.reason.startswith("succeeded, its value lost: it no longer fits 'find_table'")


async def test_the_history_is_bounded(autojump_clock: MockClock) -> None:
    """history_messages_max, the newest kept, oldest first; what was superseded goes with its message."""
    assistant = scripted_assistant(Plan(), tools=[])
    async with open_conversation(assistant, limits=Limits(history_messages_max=3)) as conversation:
        for number in range(5):
            await conversation.send((f"m{number}", f"text {number}"))
            await trio.sleep(1)
    assert [turn.text for turn in assistant.planner.contexts["m4"].history] == [
        "done: text 2",
        "text 3",
        "done: text 3",
    ]


async def test_the_burst_is_the_message(autojump_clock: MockClock) -> None:
    """One message is a burst of one; the user is the message's."""
    assistant = scripted_assistant(Plan(), tools=[])
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
    context = assistant.planner.contexts["m1"]
    assert [message.id for message in context.burst] == ["m1"]
    assert context.user.id == ANNA
    assert (context.history, context.superseded) == ((), ())


async def test_credentials_that_are_no_mapping_fail_without_being_shown(autojump_clock: MockClock) -> None:
    """What was returned may be the secret itself."""

    async def credentials(user):
        return "s3cret"

    assistant = scripted_assistant(Plan(), tools=[], credentials=credentials)
    async with open_conversation(assistant) as conversation:
        fate = await conversation.engine.process_message(ANNA, "go")
    assert fate.reason == "AssistantError: credentials must return a mapping, not str"


async def test_credentials_reach_planner_and_responder(autojump_clock: MockClock) -> None:
    """In the context, and in no repr of it."""

    async def credentials(user):
        return {"token": "s3cret"}

    assistant = scripted_assistant(Plan(), tools=[], credentials=credentials)
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
    context = assistant.planner.contexts["m1"]
    assert context.credentials == {"token": "s3cret"}
    assert "s3cret" not in repr(context)
