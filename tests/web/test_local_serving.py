"""The local phone on a real server: a signed message out over a socket, and a reply back the same way."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import httpx2
import pytest
import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import Response, request
from quart_trio import QuartTrio

from web.local import LocalPhone
from web.local.phone import WEBHOOK_SECONDS_MAX
from web.whatsapp.signature import SIGNATURE_HEADER, is_signed

USER = "15551234567"
SECRET = "shared secret"  # noqa: S105
DRAFT = {"user": USER, "key": "k1", "text": 'Check "Hanukkah" 🕎'}


@attrs.define(eq=False)
class Bench:
    """A running server with the phone on it, and a webhook that records and does as it is told."""

    phone: LocalPhone
    client: httpx2.AsyncClient
    stop: trio.Event
    # What the webhook was given: the signature header and the raw body.
    posts: list[tuple[str, bytes]] = attrs.field(factory=list)


@asynccontextmanager
async def open_bench(answer: Callable[[Bench], Awaitable[int]]) -> AsyncIterator[Bench]:
    addresses: list[str] = []
    phone = LocalPhone(
        phone_number_id="42",
        access_token="token",  # noqa: S106
        app_secret=SECRET,
        server_url=lambda: addresses[0],
    )
    app = QuartTrio("local-phone-serving")
    app.register_blueprint(phone.blueprint)
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    # A test that hangs is worse than one that fails; nothing here takes a second.
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            bench = Bench(phone, httpx2.AsyncClient(trust_env=False, timeout=None), trio.Event())

            @app.post("/webhook/whatsapp")
            async def take_webhook() -> Response:
                raw = await request.get_data(cache=True, as_text=False, parse_form_data=False)
                bench.posts.append((request.headers[SIGNATURE_HEADER], raw))
                return Response(status=await answer(bench))

            serving = partial(serve, app, config, shutdown_trigger=bench.stop.wait)
            addresses += await nursery.start(serving)
            bench.client.base_url = addresses[0]
            try:
                yield bench
            finally:
                await bench.client.aclose()
                bench.phone.close()
                bench.stop.set()


async def send_through_graph(bench: Bench, **fields: Any) -> None:
    answer = await bench.client.post(
        "/graph/v26.0/42/messages",
        json={"messaging_product": "whatsapp", **fields},
        headers={"Authorization": "Bearer token"},
    )
    assert answer.status_code == 200


@asynccontextmanager
async def open_events(bench: Bench) -> AsyncIterator[trio.SocketStream]:
    """The chat's event stream as a browser asks for it."""
    stream = await trio.open_tcp_stream("127.0.0.1", bench.client.base_url.port or 0)
    async with stream:
        await stream.send_all(f"GET /local/events?user={USER} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield stream


async def read_until(bench: Bench, wanted: int) -> list[dict[str, Any]]:
    """The first so many events of the chat; the answer's chunks never split a line."""
    received = b""
    async with open_events(bench) as stream:
        while len(found := re.findall(rb"event: (?!hello)(\w+)\nid: .*\ndata: (.*)\n\n", received)) < wanted:
            received += await stream.receive_some()
    return [{"kind": kind.decode(), **json.loads(data)} for kind, data in found]


async def wait_for_followers(bench: Bench, number: int) -> None:
    """Return when so many pages follow; the server learns of a hang-up from the kernel, whenever it does."""
    while True:
        if bench.phone._chats.followers == number:
            return
        await trio.lowlevel.checkpoint()


async def accept(bench: Bench) -> int:
    return 200


async def test_a_message_goes_out_signed_and_the_reply_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's message reaches the real route as Meta would post it; an engine's answers reach the page."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # loopback is never reached through a proxy

    async def work(bench: Bench) -> int:
        value = json.loads(bench.posts[-1][1])["entry"][0]["changes"][0]["value"]
        message = value["messages"][0]
        typing = {"type": "text"}
        await send_through_graph(bench, status="read", message_id=message["id"], typing_indicator=typing)
        await send_through_graph(bench, to=message["from"], type="text", text={"body": "Friday <at> sunset"})
        return 200

    async with open_bench(work) as bench:
        answer = await bench.client.post("/local/messages", json=DRAFT)
        assert answer.json() == {"state": "accepted", "reason": ""}
        events = await read_until(bench, 4)
    [(signature, raw)] = bench.posts
    assert is_signed(raw, signature, SECRET)
    envelope = json.loads(raw)
    [entry] = envelope["entry"]
    [change] = entry["changes"]
    [message] = change["value"]["messages"]
    assert (envelope["object"], change["field"]) == ("whatsapp_business_account", "messages")
    assert change["value"]["messaging_product"] == "whatsapp"
    assert change["value"]["metadata"]["phone_number_id"] == "42"
    assert change["value"]["contacts"] == [{"profile": {"name": "Local phone"}, "wa_id": USER}]
    assert (message["from"], message["type"], message["text"]) == (USER, "text", {"body": DRAFT["text"]})
    assert message["timestamp"].isdigit()
    assert message["id"].startswith("wamid.")
    # The read mark overtook the webhook's 200, which therefore changes nothing any more.
    shown = [(event["kind"], event.get("state"), event.get("text")) for event in events]
    assert shown == [
        ("message", "sending", DRAFT["text"]),
        ("state", "read", None),
        ("typing", None, None),
        ("message", None, "Friday <at> sunset"),
    ]


async def test_a_message_that_the_webhook_refuses_says_so_and_goes_out_again_under_its_id() -> None:
    """As Meta redelivers: the same id, so that a message which was stored after all is not taken twice."""
    statuses = [503, 200]

    async def refuse_once(bench: Bench) -> int:
        return statuses[len(bench.posts) - 1]

    async with open_bench(refuse_once) as bench:
        first = await bench.client.post("/local/messages", json=DRAFT)
        second = await bench.client.post("/local/messages", json=DRAFT)
        events = await read_until(bench, 4)
    assert first.json() == {"state": "refused", "reason": "The webhook answered 503."}
    assert second.json() == {"state": "accepted", "reason": ""}
    assert [event["state"] for event in events] == ["sending", "refused", "sending", "accepted"]
    sent = [json.loads(raw)["entry"][0]["changes"][0]["value"]["messages"][0]["id"] for _, raw in bench.posts]
    assert sent[0] == sent[1]


async def test_a_webhook_that_never_answers_is_given_up(autojump_clock: object) -> None:
    """The bubble does not hang under its clock for ever."""

    async def sleep(bench: Bench) -> int:
        await trio.sleep_forever()
        return 200

    async with open_bench(sleep) as bench:
        before = trio.current_time()
        answer = await bench.client.post("/local/messages", json=DRAFT)
        assert (
            answer.json()["reason"] == f"The webhook did not answer within {WEBHOOK_SECONDS_MAX:g} seconds."
        )
        assert trio.current_time() - before >= WEBHOOK_SECONDS_MAX


async def test_a_page_that_goes_away_while_sending_leaves_no_message_in_between() -> None:
    """Its request is cancelled; the post to the webhook and its outcome are not."""
    arrived, go_on = trio.Event(), trio.Event()

    async def wait(bench: Bench) -> int:
        arrived.set()
        await go_on.wait()
        return 200

    async with open_bench(wait) as bench:
        async with trio.open_nursery() as page:
            page.start_soon(partial(bench.client.post, "/local/messages", json=DRAFT))
            await arrived.wait()
            page.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
        events = await read_until(bench, 2)
    assert [event["state"] for event in events] == ["sending", "accepted"]


async def test_a_page_that_hangs_up_is_forgotten_and_closing_ends_the_others() -> None:
    """A stream costs a task and a connection only while somebody reads it, and never holds a shutdown."""
    async with open_bench(accept) as bench:
        async with open_events(bench) as staying:
            async with open_events(bench):
                await wait_for_followers(bench, 2)
            await wait_for_followers(bench, 1)
            bench.phone.close()
            received = b""
            while not received.endswith(b"0\r\n\r\n"):  # the last chunk: the answer has ended
                received += await staying.receive_some()
        await wait_for_followers(bench, 0)
    assert received.startswith(b"HTTP/1.1 200")
