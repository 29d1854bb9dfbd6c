"""Who changes their mind is told that it was heard: once, in their language, or not at all (P9).

One wave of 2 s is all there is to an operation.  Messages come at 0 and at 1: the first is superseded at 2,
the second is answered at 4.
"""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Limits,
    MemoryStore,
    Message,
    OutgoingKind,
    Plan,
    SendDelayed,
    User,
    built_in,
    parse_languages,
)
from engine.store import End
from engine.testing import (
    Conversation,
    RecordingOutbound,
    Trail,
    UnreliableStore,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ACK = "Got it! Switching to your new request..."


def two_seconds(seconds: float = 2, **more: Any) -> Assistant:
    act = sleeping_tool("act", seconds)
    return scripted_assistant(Plan(Call("x", act)), tools=[act], **more)


async def change_mind(conversation: Conversation) -> None:
    await conversation.send(("m1", "one"))
    await trio.sleep(1)
    await conversation.send(("m2", "two"))


async def said_with(assistant: Assistant, **options: Any) -> list[tuple[float, str, str]]:
    """What is said to somebody who changes their mind."""
    trail = Trail()
    async with open_conversation(assistant, trail=trail, **options) as conversation:
        await change_mind(conversation)
        await trio.sleep(60)
    return trail.said


REPLY = (4, "reply", "done: two")


async def test_it_is_said_at_once(autojump_clock: MockClock) -> None:
    """While the wave still finishes."""
    assert await said_with(two_seconds()) == [(1, "acknowledgement", ACK), REPLY]


async def test_its_text_can_be_set(autojump_clock: MockClock) -> None:
    """The same in every language, then."""
    said = await said_with(two_seconds(language=lambda message: "fr"), acknowledgement="One moment.")
    assert said == [(1, "acknowledgement", "One moment."), REPLY]


async def test_without_a_text_nothing_is_said(autojump_clock: MockClock) -> None:
    """The switch itself is the same."""
    assert await said_with(two_seconds(), acknowledgement="") == [REPLY]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "¡Entendido! Paso a tu nueva petición..."),
        ("de-CH", "Gleich."),
        ("fr", ""),
        ("tlh", ACK),  # nobody has texts of it
    ],
)
async def test_it_is_in_the_language_of_the_user(autojump_clock: MockClock, language: str, text: str) -> None:
    """Its text may be set for each, and be empty in one of them."""
    languages = parse_languages('[de]\nacknowledgement = "Gleich."\n[fr]\nacknowledgement = ""', built_in())
    said = await said_with(two_seconds(language=lambda message: language), languages=languages)
    assert said == [*([(1, "acknowledgement", text)] if text else []), REPLY]


async def test_each_interrupted_operation_has_its_own(autojump_clock: MockClock) -> None:
    """P9: one for each that was interrupted, however many messages did so."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail) as conversation:
        await change_mind(conversation)
        await trio.sleep(0.5)
        await conversation.send(("m3", "three"))
        await trio.sleep(1.5)
        await conversation.send(("m4", "four"))
        await trio.sleep(0.5)
        await conversation.send(("m5", "five"))
        await trio.sleep(20)
    assert trail.said == [
        (1, "acknowledgement", ACK),
        (3, "acknowledgement", ACK),
        (6, "reply", "done: five"),
    ]


async def test_a_commit_that_gave_way_is_acknowledged_then(autojump_clock: MockClock) -> None:
    """P8, P9: a message that waited behind it has interrupted it after all."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds, store.refusals = (End,), 1, 1
    async with open_conversation(two_seconds(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(2.5)
        await conversation.send(("m2", "two"))
        store.seconds = 0
        await trio.sleep(20)
    assert trail.said == [(3, "acknowledgement", ACK), (5, "reply", "done: two")]


# Kept back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (2, [(3, "acknowledgement", ACK), REPLY]),
        (4, [REPLY]),
        (40, [REPLY]),
    ],
)
async def test_a_reply_that_comes_before_it_makes_it_needless(
    autojump_clock: MockClock, seconds: float, expected: list[tuple[float, str, str]]
) -> None:
    """`acknowledgement_seconds_min` after the interruption; the reply itself is never kept back."""
    limits = Limits(acknowledgement_seconds_min=seconds)
    assert await said_with(two_seconds(), limits=limits) == expected


@pytest.mark.parametrize(("seconds", "is_said"), [(2, True), (4, False)])
async def test_a_restart_keeps_it_back_no_longer_and_no_shorter(
    autojump_clock: MockClock, seconds: float, is_said: bool
) -> None:
    """P14: its time stands in the outbox: at 3 it is said, at 5 the reply is there already."""
    store, trail = MemoryStore(), Trail()
    limits = Limits(acknowledgement_seconds_min=seconds)
    async with open_conversation(two_seconds(), store=store, limits=limits) as conversation:
        await change_mind(conversation)
        await trio.sleep(0.5)
        left = left_by_a_crash(store)
        async with open_conversation(two_seconds(), trail=trail, store=left, limits=limits):
            await trio.sleep(60)
    told = [(3, "acknowledgement", ACK)] if is_said else []
    # The wave of the first request died with the process: the second begins at 1.5.
    assert trail.said == [*told, (3.5, "reply", "done: two")]


async def test_one_that_is_kept_back_is_said_once_over_restarts(autojump_clock: MockClock) -> None:
    """P9: whichever process is alive when its time has come says it; the planning takes all their lives."""
    store, trail = MemoryStore(), Trail()
    limits = Limits(acknowledgement_seconds_min=8)
    for life in range(4):
        async with open_conversation(
            two_seconds(planning_seconds=100), trail=trail, store=store, limits=limits
        ) as conversation:
            if not life:
                await change_mind(conversation)
            await trio.sleep(3)
    assert trail.said == [(9, "acknowledgement", ACK)]


async def test_a_clock_that_is_set_back_keeps_it_back_no_longer(autojump_clock: MockClock) -> None:
    """It was to be said at 3 of another clock: now it is, 2 s after the restart."""
    store, trail = MemoryStore(), Trail()
    limits = Limits(acknowledgement_seconds_min=2)
    async with open_conversation(
        two_seconds(5), store=store, limits=limits, now=lambda: trio.current_time() + 1000
    ) as conversation:
        await change_mind(conversation)
        await trio.sleep(0.5)
        left = left_by_a_crash(store)
        async with open_conversation(two_seconds(5), trail=trail, store=left, limits=limits):
            await trio.sleep(60)
    assert trail.said == [(3.5, "acknowledgement", ACK), (6.5, "reply", "done: two")]


async def test_a_shutdown_does_not_wait_for_it(autojump_clock: MockClock) -> None:
    """The next process says it when its time has come; this one ends with its wave, at 2."""
    limits = Limits(acknowledgement_seconds_min=60)
    async with open_conversation(two_seconds(), limits=limits) as conversation:
        await change_mind(conversation)
    assert trio.current_time() == 2
    assert conversation.trail.said == []


async def test_nobody_is_told_of_a_switch_after_a_stop(autojump_clock: MockClock) -> None:
    """It was kept back, and what it would speak of is not coming: the answer to the stop is all."""
    trail = Trail()
    limits = Limits(acknowledgement_seconds_min=8)
    async with open_conversation(two_seconds(), trail=trail, limits=limits) as conversation:
        await change_mind(conversation)
        await trio.sleep(0.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert trail.said == [(2, "notice", "Stopped. Already done: act.")]


async def test_an_apology_is_not_kept_back_behind_it(autojump_clock: MockClock) -> None:
    """The new request has failed: its user is told at once, and not first of a switch to it."""
    trail = Trail()

    async def respond(message: Any, results: Any, context: Any) -> str:
        raise ValueError("no idea")

    act = sleeping_tool("act", 2)
    assistant = Assistant(planner=two_seconds().planner, responder=respond, tools=[act])
    limits = Limits(acknowledgement_seconds_min=8)
    async with open_conversation(assistant, trail=trail, limits=limits) as conversation:
        await change_mind(conversation)
        await trio.sleep(20)
    assert trail.said == [(4, "apology", built_in().texts["en"].apology)]


# A way out that is down ---------------------------------------------------------------------------


async def test_after_the_reply_is_recorded_it_is_not_said_any_more(autojump_clock: MockClock) -> None:
    """P9: the way out was down since before it; when it is back there is an answer, and that is sent."""
    trail = Trail()
    outbound = RecordingOutbound(trail)
    # Tried at 0.75, 1.75 and 3.75, and then at 7.75.
    outbound.failures = [SendDelayed("down", whole_number=True)] * 3
    async with open_conversation(two_seconds(), trail=trail, outbound=outbound) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(0.75)
        await conversation.send(("m2", "two"))
        await trio.sleep(60)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert trail.said == [(7.75, "reply", "done: two")]


async def test_one_that_fails_while_the_reply_is_recorded_is_not_tried_again(
    autojump_clock: MockClock,
) -> None:
    """P9: its request was on the way from 1 to 5 and certainly did not arrive; the reply came at 4."""
    trail = Trail()
    outbound = RecordingOutbound(trail, seconds=4)
    outbound.failures = [SendDelayed("down", whole_number=True)]
    async with open_conversation(two_seconds(), trail=trail, outbound=outbound) as conversation:
        await change_mind(conversation)
        await trio.sleep(60)
    assert trail.said == [(10, "reply", "done: two")]


async def test_one_that_is_on_its_way_when_the_reply_is_recorded_comes_first(
    autojump_clock: MockClock,
) -> None:
    """It cannot be called back; the reply follows it."""
    outbound = RecordingOutbound(seconds=5)
    async with open_conversation(two_seconds(), outbound=outbound) as conversation:
        await change_mind(conversation)
        await trio.sleep(60)
    assert [row.kind for row in outbound.rows] == [OutgoingKind.ACKNOWLEDGEMENT, OutgoingKind.REPLY]


async def test_the_reply_to_somebody_else_drops_nothing(autojump_clock: MockClock) -> None:
    """P11: each user's acknowledgements are their own."""
    outbound = RecordingOutbound()
    limits = Limits(acknowledgement_seconds_min=2)
    async with open_conversation(two_seconds(), outbound=outbound, limits=limits) as conversation:
        await conversation.engine.receive([Message(id="b1", user=User("15557654321"), text="b1")])
        await change_mind(conversation)
        await trio.sleep(60)
    assert outbound.texts == ["done: b1", ACK, "done: two"]
