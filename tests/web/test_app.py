"""The routes, over the engine: what each kind of request is answered, and what it does."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
import trio
from quart.testing import QuartClient
from trio.testing import MockClock, wait_all_tasks_blocked

from engine import Assistant, Call, MemoryStore, Plan, StoreUnavailable
from engine.testing import (
    Conversation,
    UnreliableStore,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)
from web.app import BODY_BYTES_MAX, create_app
from web.doors import door_of
from web.settings import load_settings
from web.whatsapp.signature import SIGNATURE_HEADER, sign

PAYLOADS = Path(__file__).parents[1] / "payloads"
SECRET = "the app secret"  # noqa: S105
DOOR = door_of(
    load_settings(
        {
            "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
            "WHATSAPP_ACCESS_TOKEN": "token",
            "WHATSAPP_APP_SECRET": SECRET,
            "WHATSAPP_VERIFY_TOKEN": "the verify token",
        }
    )
)
ROUTE = "/webhook/whatsapp"


def quick() -> Assistant:
    return scripted_assistant(Plan(), tools=[])


def slow(seconds: float = 4.0) -> Assistant:
    act = sleeping_tool("act", seconds)
    return scripted_assistant(Plan(Call("x", act)), tools=[act])


@attrs.define(eq=False)
class Bench:
    """An application in front of an engine, and who calls it."""

    conversation: Conversation
    client: QuartClient

    async def post(self, body: bytes, **headers: str) -> Any:
        headers = {SIGNATURE_HEADER: sign(body, SECRET), **headers}
        return await self.client.post(ROUTE, data=body, headers=headers)


@asynccontextmanager
async def open_bench(assistant: Assistant | None = None, **options: Any) -> AsyncIterator[Bench]:
    async with open_conversation(assistant or quick(), **options) as conversation:
        app = create_app(conversation.engine, DOOR)
        yield Bench(conversation, app.test_client())


def text_message(
    id: str, text: str = "Check Hanukkah", user: str = "15551234567", at: int = 10
) -> dict[str, Any]:
    return {"from": user, "id": id, "timestamp": str(at), "type": "text", "text": {"body": text}}


def body_of(*messages: Any) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "messages": list(messages),
    }
    change = {"field": "messages", "value": value}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()


# The verification ---------------------------------------------------------------------------------

QUESTION = {
    "hub.mode": "subscribe",
    "hub.verify_token": "the verify token",
    "hub.challenge": "<b>1158201444</b>",
}


async def test_the_right_token_gets_its_challenge_as_plain_text(autojump_clock: MockClock) -> None:
    """Exactly the challenge; what a stranger wrote is never shown as a page."""
    async with open_bench() as bench:
        response = await bench.client.get(ROUTE, query_string=QUESTION)
    assert response.status_code == 200
    assert await response.get_data() == b"<b>1158201444</b>"
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": "tökèn"},
        {"hub.verify_token": ""},
        {"hub.verify_token": None},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": None},
        {"hub.challenge": None},
    ],
)
async def test_any_other_verification_is_refused(autojump_clock: MockClock, change) -> None:
    """403, and nothing is echoed."""
    question = {name: value for name, value in (QUESTION | change).items() if value is not None}
    async with open_bench() as bench:
        response = await bench.client.get(ROUTE, query_string=question)
    assert response.status_code == 403
    assert b"1158201444" not in await response.get_data()


# The webhook --------------------------------------------------------------------------------------


async def test_a_signed_message_is_answered_200_and_becomes_an_operation(autojump_clock: MockClock) -> None:
    """The main job, at the seam."""
    async with open_bench(slow()) as bench:
        response = await bench.post(body_of(text_message("m1")))
        assert (response.status_code, await response.get_data()) == (200, b"")
        assert trio.current_time() == 0  # an operation's length never shows in the response time
        await trio.sleep(5)
    assert bench.conversation.trail.entries == [
        (0, "started", "m1"),
        (0, "planned", "x"),
        (0, "wave", "x"),
        (4, "wave finished", "1"),
        (4, "answered", "m1"),
        (4, "completed", "1 tools"),
        (4, "reply", "done: Check Hanukkah"),
    ]


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "ümlaut",
        sign(b"another body", SECRET),
        sign(body_of(text_message("m1")), "another secret"),
    ],
)
async def test_an_unsigned_body_is_refused_before_it_is_read(autojump_clock: MockClock, signature) -> None:
    """401, whatever the body says; nothing of it comes in."""
    headers = {} if signature is None else {SIGNATURE_HEADER: signature}
    async with open_bench() as bench:
        response = await bench.client.post(ROUTE, data=body_of(text_message("m1")), headers=headers)
        metrics = await (await bench.client.get("/metrics")).get_data(as_text=True)
    assert response.status_code == 401
    assert bench.conversation.trail.entries == []
    assert 'midstream_webhook_items_total{kind="unsigned"} 1.0' in metrics


async def test_a_body_over_4_mib_is_refused_and_one_of_4_mib_is_not(autojump_clock: MockClock) -> None:
    """Meta sends up to 3 MB; a 413 would be redelivered for days."""
    async with open_bench() as bench:
        fits = await bench.post(b" " * BODY_BYTES_MAX)
        too_long = await bench.post(b" " * (BODY_BYTES_MAX + 1))
    assert (fits.status_code, too_long.status_code) == (200, 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"entry":' * 50_000,
        b"\xff\xfe",
        b'{"entry": 7}',
        b'{"entry": [{"changes": [{"field": "messages", "value": {"messages": [null, 7, {"id": []}]}}]}]}',
        b"1" * 10_000,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_signed_and_makes_no_sense_is_answered_200(autojump_clock: MockClock, body) -> None:
    """A 5xx would bring it back for seven days."""
    async with open_bench() as bench:
        assert (await bench.post(body)).status_code == 200
    assert bench.conversation.trail.entries == []


@pytest.mark.parametrize("payload", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
async def test_every_sample_of_the_platform_is_answered_200(autojump_clock: MockClock, payload) -> None:
    """All that Meta's pages show: every type of message, and every field."""
    async with open_bench() as bench:
        response = await bench.post(payload.read_bytes())
        assert (response.status_code, await response.get_data()) == (200, b"")


async def test_a_bad_item_never_loses_its_neighbours(autojump_clock: MockClock) -> None:
    """Three in one POST, the middle one of wrong types: the others come in, in order, as one request."""
    async with open_bench() as bench:
        await bench.post(body_of(text_message("m1"), {"type": 7, "id": {}}, text_message("m2", at=11)))
        await trio.sleep(1)
    life = bench.conversation.trail.of("started", "merged", "superseded", "answered")
    assert [entry[1:] for entry in life] == [("started", "m2"), ("merged", "m1"), ("answered", "m2")]


@pytest.mark.parametrize(
    "item",
    [
        {
            "statuses": [
                {"id": "wamid.out", "status": "read", "timestamp": "9", "recipient_id": "15551234567"}
            ]
        },
        {
            "messages": [
                text_message("m2") | {"type": "reaction", "reaction": {"message_id": "m1", "emoji": "👍"}}
            ]
        },
        {"messages": [text_message("m2") | {"type": "system", "system": {"type": "user_changed_number"}}]},
        {"messages": [text_message("m1", "again")]},
        {"messages": [text_message("m0", "older", at=9)]},
    ],
    ids=["status", "reaction", "system", "duplicate", "older"],
)
async def test_only_a_message_that_asks_for_something_interrupts(autojump_clock: MockClock, item) -> None:
    """P5, P12: the running operation ends with its own reply."""
    async with open_bench(slow()) as bench:
        await bench.post(body_of(text_message("m1")))
        await trio.sleep(1)
        change = {"field": "messages", "value": item}
        response = await bench.post(json.dumps({"entry": [{"changes": [change]}]}).encode())
        assert response.status_code == 200
        await trio.sleep(5)
    assert bench.conversation.outbound.texts == ["done: Check Hanukkah"]


async def test_a_status_of_what_we_sent_is_recorded(autojump_clock: MockClock) -> None:
    """Its tracker is the row; it is counted, told as an event, and interrupts nothing."""
    told = []
    async with open_bench() as bench:
        bench.conversation.engine.events.subscribe(told.append)
        await bench.post(body_of(text_message("m1")))
        await trio.sleep(1)
        (row,) = bench.conversation.outbound.rows
        status = {"id": "wamid.1", "status": "read", "timestamp": "11", "biz_opaque_callback_data": row.id}
        change = {"field": "messages", "value": {"statuses": [status]}}
        response = await bench.post(json.dumps({"entry": [{"changes": [change]}]}).encode())
        metrics = await (await bench.client.get("/metrics")).get_data(as_text=True)
    assert response.status_code == 200
    assert [(event.row_id, event.delivery) for event in told if event.name == "outgoing_reported"] == [
        (row.id, "read")
    ]
    assert 'midstream_webhook_items_total{kind="status:read"} 1.0' in metrics


async def test_what_is_no_message_is_counted_and_logged_without_its_text(autojump_clock: MockClock) -> None:
    """One line a kind, however many; an operator sees what is passed over."""
    nobodys = text_message("m1", "🤐", user="")
    with structlog.testing.capture_logs() as logs:
        async with open_bench() as bench:
            await bench.post(body_of(nobodys, nobodys | {"id": "m2"}))
            metrics = await (await bench.client.get("/metrics")).get_data(as_text=True)
    assert 'midstream_webhook_items_total{kind="message:malformed"} 2.0' in metrics
    (line,) = [line for line in logs if line["event"] == "not a message"]
    assert (line["kind"], line["count"]) == ("message:malformed", 2)
    assert "🤐" not in str(line)


async def test_a_store_that_fails_is_a_503_that_asks_to_come_again(autojump_clock: MockClock) -> None:
    """Meta redelivers; the second time it comes in."""
    store = UnreliableStore()
    async with open_bench(store=store) as bench:
        store.refusals = 1
        refused = await bench.post(body_of(text_message("m1")))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert b"the disk is full" in await refused.get_data()
        assert (await bench.post(body_of(text_message("m1")))).status_code == 200
        await trio.sleep(1)
    assert bench.conversation.outbound.texts == ["done: Check Hanukkah"]


async def test_a_caller_that_hangs_up_loses_nothing(autojump_clock: MockClock) -> None:
    """Delivery hangs on the commit, not on the request: Meta may hang up once the body is there."""
    store = UnreliableStore()
    async with open_bench(store=store) as bench:
        store.seconds = 2
        with trio.move_on_after(1):
            await bench.post(body_of(text_message("m1")))
        store.seconds = 0
        await trio.sleep(5)
    assert bench.conversation.outbound.texts == ["done: Check Hanukkah"]


# The operator's routes ----------------------------------------------------------------------------


async def test_healthz_is_alive_whatever_the_store_does(autojump_clock: MockClock) -> None:
    """A supervisor must not restart a process because a disk is full."""
    store = UnreliableStore()
    async with open_bench(store=store) as bench:
        store.refusals = -1
        assert (await bench.client.get("/healthz")).status_code == 200
        store.refusals = 0


async def test_readyz_says_why_it_is_not_ready(autojump_clock: MockClock, monkeypatch) -> None:
    """The store first, then the drain: a load balancer looks elsewhere."""
    async with open_bench() as bench:
        assert (await bench.client.get("/readyz")).status_code == 200

        async def refuse() -> None:
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(bench.conversation.engine, "check_store", refuse)
            full = await bench.client.get("/readyz")
        assert (full.status_code, await full.get_data()) == (503, b"the disk is full\n")

        await bench.conversation.engine.drain()
        draining = await bench.client.get("/readyz")
        assert (draining.status_code, await draining.get_data()) == (503, b"told to stop\n")
        assert (await bench.client.get("/healthz")).status_code == 200


async def test_a_message_that_comes_during_the_drain_is_stored(autojump_clock: MockClock) -> None:
    """It is on disk for the next start, so 200 is the truth; nothing begins with it now."""
    store = MemoryStore()
    async with open_bench(store=store) as bench:
        await bench.conversation.engine.drain()
        assert (await bench.post(body_of(text_message("m1")))).status_code == 200
        await wait_all_tasks_blocked()
        assert (await store.read_depths()).inbox == 1
    assert bench.conversation.trail.entries == []


async def test_metrics_show_what_runs(autojump_clock: MockClock) -> None:
    """Read at the moment they are asked for."""
    async with open_bench(slow()) as bench:
        await bench.post(body_of(text_message("m1")))
        await trio.sleep(1)
        response = await bench.client.get("/metrics")
        metrics = await response.get_data(as_text=True)
    assert response.content_type.startswith("text/plain; version=")
    assert "\nmidstream_live_sessions 1.0\n" in metrics
    assert "\nmidstream_inbox_messages 1.0\n" in metrics


async def test_metrics_come_without_a_store(autojump_clock: MockClock, monkeypatch) -> None:
    """Just then they are needed; what cannot be known is not shown as 0."""
    async with open_bench() as bench:

        async def refuse() -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(bench.conversation.engine, "read_depths", refuse)
        response = await bench.client.get("/metrics")
        metrics = await response.get_data(as_text=True)
    assert response.status_code == 200
    assert "\nmidstream_live_sessions 0.0\n" in metrics
    assert "\nmidstream_inbox_messages NaN\n" in metrics


async def test_other_paths_and_methods_are_refused(autojump_clock: MockClock) -> None:
    """Nothing else is there; no page of anybody's is served with credentials given."""
    async with open_bench() as bench:
        assert (await bench.client.get("/")).status_code == 404
        assert (await bench.client.put(ROUTE)).status_code == 405
