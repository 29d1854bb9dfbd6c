"""What events, fates and records say, to the letter: an operator reads them when something is wrong."""

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Call,
    Event,
    Ignored,
    Limits,
    MemoryStore,
    Message,
    MessageRejected,
    MessageSettled,
    OutgoingDelayed,
    OutgoingGivenUp,
    OutgoingSent,
    Plan,
    SendAmbiguous,
    SendState,
    WaveFinished,
)
from engine.testing import Conversation, open_conversation, scripted_assistant, sleeping_tool

_E = TypeVar("_E", bound=Event)


def heard(conversation: Conversation, kind: type[_E]) -> list[_E]:
    """Events of a kind, as they come."""
    found: list[_E] = []
    conversation.engine.events.subscribe(
        lambda event: found.append(event) if isinstance(event, kind) else None
    )
    return found


async def send_all(conversation: Conversation, texts: Sequence[str]) -> None:
    for index, text in enumerate(texts):
        await conversation.send((f"m{index}", text))


def says_at_once(**more: Any) -> Any:
    return scripted_assistant(Plan(), tools=[], **more)


async def test_a_wave_and_a_send_take_as_long_as_they_took(autojump_clock: MockClock) -> None:
    """Whenever they begin."""
    slow = sleeping_tool("slow", 2)
    assistant = scripted_assistant(Plan(Call("a", slow)), tools=[slow])
    async with open_conversation(assistant) as conversation:
        waves, sent = heard(conversation, WaveFinished), heard(conversation, OutgoingSent)
        conversation.outbound.seconds = 3
        await trio.sleep(5)
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert [event.seconds for event in waves] == [2]
    assert [event.seconds for event in sent] == [3]


async def test_the_last_request_for_a_message_stands_as_that_in_the_store(autojump_clock: MockClock) -> None:
    """A crash then must not make a third of it."""
    store, limits = MemoryStore(), Limits(settle_seconds=30)
    async with open_conversation(says_at_once(), store=store, limits=limits) as conversation:
        conversation.outbound.failures = [SendAmbiguous("no answer")]
        await conversation.send(("m1", "go"))
        states = []
        for seconds in (15, 20):  # in the middle of the 30 s between the two, and of the second
            await trio.sleep(seconds)
            conversation.outbound.seconds = 10
            states += [row.state for row in await store.read_unsent(10)]
        await trio.sleep(60)
        states += [row.state for row in await store.read_unsent(10)]
    assert states == [SendState.SENDING, SendState.RESENDING]


async def test_what_was_ambiguous_twice_is_told_both_times(autojump_clock: MockClock) -> None:
    """With the error that it was each time."""
    limits = Limits(settle_seconds=30)
    async with open_conversation(says_at_once(), limits=limits) as conversation:
        delayed, given_up = heard(conversation, OutgoingDelayed), heard(conversation, OutgoingGivenUp)
        conversation.outbound.failures = [SendAmbiguous("no answer"), SendAmbiguous("no answer again")]
        await conversation.send(("m1", "go"))
        await trio.sleep(120)
    assert [(event.error, event.wait_seconds) for event in delayed] == [("no answer", 30)]
    assert [event.error for event in given_up] == ["no answer again"]


@pytest.mark.parametrize(
    ("policy", "limits", "limit"),
    [
        ("interrupt", Limits(waiting_messages_max=1), "waiting_messages_max"),
        ("enqueue", Limits(burst_messages_max=1), "burst_messages_max"),
    ],
)
async def test_a_bound_that_keeps_a_message_out_is_named(
    autojump_clock: MockClock, policy: str, limits: Limits, limit: str
) -> None:
    """By the name that it has in the settings."""
    slow = sleeping_tool("slow", 20)
    assistant = scripted_assistant(Plan(Call("a", slow)), tools=[slow])
    async with open_conversation(assistant, policy=policy, limits=limits) as conversation:
        rejected = heard(conversation, MessageRejected)
        await conversation.send(("m0", "go"))
        await trio.sleep(1)
        for index in range(1, 4):
            await conversation.send((f"m{index}", "more"))
        await trio.sleep(100)
    assert {(event.message_id, event.limit) for event in rejected} >= {("m3", limit)}


async def test_a_late_stop_word_says_why_it_is_ignored(autojump_clock: MockClock) -> None:
    """It was said before something newer was written."""
    async with open_conversation(says_at_once()) as conversation:
        settled = heard(conversation, MessageSettled)
        user = conversation.user
        await conversation.engine.receive([Message(id="new", user=user, text="go", timestamp=2_000)])
        await trio.sleep(5)
        await conversation.engine.receive([Message(id="old", user=user, text="stop", timestamp=1_000)])
        await trio.sleep(5)
    [fate] = [event.fate for event in settled if event.message_id == "old"]
    assert fate == Ignored("it said stop before a newer message was written")
