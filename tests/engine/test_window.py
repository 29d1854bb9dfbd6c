"""The 24-hour window: what comes later than a day after its user wrote is a template, or a dead letter.

The store was left with a reply that was not sent; the next process begins a day and an hour later.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import Answered, Engine, Limits, MemoryStore, Message, OutboxRow, Plan, User
from engine.errors import SendDelayed, SendError
from engine.events import OutgoingGivenUp
from engine.model import OutgoingKind, SendState, TypingSignal
from engine.replies import Reply, TemplateBody
from engine.store import Accept, Queue, Settle
from engine.testing import RecordingOutbound, open_conversation, scripted_assistant

ANNA = User("15551234567")
DAY = 86_400
TEMPLATE = TemplateBody("we_have_an_answer", "en")
WROTE_AT = 1_000_000


async def left_with(*rows: OutboxRow, at: int = WROTE_AT) -> MemoryStore:
    store = MemoryStore()
    async with store.open(lambda committed: None):
        await store.write([Accept(message=Message(id="m1", user=ANNA, text="hi", timestamp=at), at=at)])
        await store.write([Settle("m1", Answered(Reply("answer"))), *(Queue(row) for row in rows)])
    return store


def row(id: str, body: TemplateBody | None = None) -> OutboxRow:
    return OutboxRow(id=id, user=ANNA, kind=OutgoingKind.REPLY, text=f"answer {id}", body=body)


async def sent_after(
    seconds: float, store: MemoryStore, *, template: TemplateBody | None, heard: Sequence[Message] = ()
) -> tuple[list[tuple[str, object]], list[str]]:
    given_up: list[str] = []
    now = WROTE_AT + seconds
    limits = Limits(window_seconds=DAY)
    assistant = scripted_assistant(Plan(), tools=[])
    async with open_conversation(
        assistant, store=store, limits=limits, template=template, now=lambda: now
    ) as conversation:
        conversation.engine.events.subscribe(
            lambda event: given_up.append(event.error) if isinstance(event, OutgoingGivenUp) else None
        )
        if heard:
            await conversation.engine.receive(heard)
        await trio.sleep(60)
    sent = [(each.id, each.body) for each in conversation.outbound.rows if each.id.startswith("r")]
    return sent, given_up


@pytest.mark.parametrize("seconds", [0, DAY])
async def test_within_a_day_a_reply_goes_out_as_it_is(autojump_clock: MockClock, seconds: int) -> None:
    """At the bound still."""
    store = await left_with(row("r1"))
    assert await sent_after(seconds, store, template=TEMPLATE) == ([("r1", None)], [])


async def test_later_the_template_stands_in_for_it_once(autojump_clock: MockClock) -> None:
    """However many parts there are: one is enough to bring the user back."""
    store = await left_with(row("r1"), row("r2"))
    sent, given_up = await sent_after(25 * 3_600, store, template=TEMPLATE)
    assert sent == [("r1", TEMPLATE)]
    assert given_up == ["its user last wrote 25 h ago: after 24 h only a template may be sent, which was"]


async def test_later_and_without_a_template_it_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """With the reason, and without a request that Meta would refuse."""
    store = await left_with(row("r1"))
    sent, given_up = await sent_after(25 * 3_600, store, template=None)
    assert sent == []
    assert given_up == [
        "its user last wrote 25 h ago: after 24 h only a template may be sent, and none is configured"
    ]


async def test_a_template_of_the_assistant_may_be_sent_at_any_time(autojump_clock: MockClock) -> None:
    """That is what it is for."""
    own = TemplateBody("reminder", "en")
    store = await left_with(row("r1", own))
    assert await sent_after(25 * 3_600, store, template=None) == ([("r1", own)], [])


async def test_whoever_has_written_again_is_answered_freely(autojump_clock: MockClock) -> None:
    """Also what had waited for longer."""
    store = await left_with(row("r1"))
    again = Message(id="m2", user=ANNA, text="well?", timestamp=WROTE_AT + 25 * 3_600)
    assert await sent_after(25 * 3_600, store, template=None, heard=[again]) == ([("r1", None)], [])


@asynccontextmanager
async def two_days_later(
    store: MemoryStore, *failures: SendError
) -> AsyncIterator[tuple[Engine, list[object]]]:
    """An engine on what was left, and the bodies of the requests for r1, of which the first fail so."""
    outbound, tried = RecordingOutbound(failures=list(failures)), []

    async def out(outgoing: OutboxRow | TypingSignal) -> str:
        if isinstance(outgoing, OutboxRow) and outgoing.id == "r1":
            tried.append(outgoing.body)
        return await outbound(outgoing)

    async with open_conversation(
        scripted_assistant(Plan(), tools=[]),
        store=store,
        outbound=out,
        limits=Limits(window_seconds=DAY),
        template=TEMPLATE,
        now=lambda: WROTE_AT + 2 * DAY,
    ) as conversation:
        yield conversation.engine, tried


LATER = Message(id="m2", user=ANNA, text="hello?", timestamp=WROTE_AT + 2 * DAY)


async def test_what_waited_for_a_report_is_no_template_once_its_user_has_written(
    autojump_clock: MockClock,
) -> None:
    """It may have been sent, and is in no line meanwhile."""
    store = await left_with(attrs.evolve(row("r1"), state=SendState.SENDING))
    async with two_days_later(store) as (engine, tried):
        await trio.sleep(1)
        await engine.receive([LATER])
        await trio.sleep(600)
    assert tried == [None]


async def test_a_template_that_did_not_come_is_tried_again_and_then_the_reply_itself(
    autojump_clock: MockClock,
) -> None:
    """Once its user has written, it may be sent as it is."""
    store = await left_with(row("r1"))
    async with two_days_later(store, SendDelayed("not now"), SendDelayed("not now")) as (engine, tried):
        await trio.sleep(3)
        assert tried == [TEMPLATE, TEMPLATE]
        await engine.receive([LATER])
        await trio.sleep(600)
    assert tried == [TEMPLATE, TEMPLATE, None]
