"""Replies of more than words: recorded with the operation, sent in order, and still whole after a crash."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import Answered, Assistant, Context, Failed, MemoryStore, Message, Plan, Reply, Results
from engine.replies import Button, ButtonsBody, DocumentBody, ImageBody, Link, TextBody
from engine.testing import ScriptedPlanner, Trail, left_by_a_crash, open_conversation

CHOICES = ButtonsBody("Which day?", [Button("mon", "Monday"), Button("tue", "Tuesday")])
PICTURE = ImageBody(Link("https://example.org/cat.png"), caption="a cat")


def says(made: Any) -> Assistant:
    async def respond(message: Message, results: Results, context: Context) -> Any:
        return made

    return Assistant(planner=ScriptedPlanner([Plan()]), responder=respond, tools=[])


async def test_several_replies_are_rows_in_their_order(autojump_clock: MockClock) -> None:
    """P8: all of them in the transaction that completes; the fate has them all, the history their words."""
    made = ["Here you are:", Reply(PICTURE), Reply(CHOICES, reply_to="wamid.1")]
    async with open_conversation(says(made), trail=Trail()) as conversation:
        fate = await conversation.engine.process_message("15551234567", "show me")
        await trio.sleep(60)
        history = await conversation.engine.read_history("15551234567")
    assert fate == Answered(Reply("Here you are:"), (Reply(PICTURE), Reply(CHOICES, reply_to="wamid.1")))
    assert [(row.text, row.body, row.reply_to) for row in conversation.outbound.rows] == [
        ("Here you are:", None, None),
        ("a cat", PICTURE, None),
        ("Which day?", CHOICES, "wamid.1"),
    ]
    assert [turn.text for turn in history] == ["show me", "Here you are:\n\na cat\n\nWhich day?"]


async def test_a_long_text_goes_out_in_parts_of_which_the_first_quotes(autojump_clock: MockClock) -> None:
    """And each shows its links, when that was asked for."""
    long = f"{'a' * 4_000}\n\n{'b' * 4_000}"
    made = Reply(TextBody(long, preview=True), reply_to="wamid.1")
    async with open_conversation(says(made), trail=Trail()) as conversation:
        await conversation.engine.process_message("15551234567", "tell me")
        await trio.sleep(60)
    assert [(row.body, row.reply_to) for row in conversation.outbound.rows] == [
        (TextBody("a" * 4_000, preview=True), "wamid.1"),
        (TextBody("b" * 4_000, preview=True), None),
    ]


async def test_a_body_survives_a_crash_before_it_was_sent(autojump_clock: MockClock) -> None:
    """P14: what stands in the outbox is sent as it was recorded."""
    store = MemoryStore()
    async with open_conversation(says(Reply(CHOICES)), store=store) as conversation:
        await conversation.engine.process_message("15551234567", "when?")
        left = left_by_a_crash(store)
    async with open_conversation(says("unused"), store=left) as conversation:
        await trio.sleep(100)
    [row] = conversation.outbound.rows
    assert row.body == CHOICES


@pytest.mark.parametrize("made", [[], 3, [None], ["x"] * 11, DocumentBody(Link("https://example.org/x"))])
async def test_what_is_no_reply_fails_with_an_apology(autojump_clock: MockClock, made: Any) -> None:
    """The log says what was returned."""
    async with open_conversation(says(made), trail=Trail()) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
        await trio.sleep(60)
    assert isinstance(fate, Failed)
    assert fate.reason.startswith("ReplyError: a responder")
    assert [row.kind.value for row in conversation.outbound.rows] == ["apology"]
