"""What the client writes on a real socket, and what it makes of every way a server may answer or not."""

import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from engine import (
    Outbound,
    OutboxRow,
    OutgoingKind,
    SendAmbiguous,
    SendBlocked,
    SendDelayed,
    SendError,
    SendRefused,
    TypingSignal,
    User,
)
from web.whatsapp.client import ANSWER_BYTES_MAX, GraphClient, Timeouts, open_client

TOKEN = "EAAJtoken0123456789"  # noqa: S105  # made up
ROW = OutboxRow(id="row-1", user=User("16505551234"), kind=OutgoingKind.REPLY, text="Hi <b> äöå 😀")
TYPING = TypingSignal(user=User("16505551234"), message_id="wamid.IN")
SENT = {"messaging_product": "whatsapp", "contacts": [{"input": "1"}], "messages": [{"id": "wamid.OUT"}]}

Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


@attrs.define(eq=False)
class Server:
    """A server that reads whole requests and then does, for each, what its script says next.

    The last item of the script stays.  `connections` counts what was accepted.
    """

    url: str
    script: list[Behaviour]
    requests: list[tuple[str, dict[str, str], bytes]] = attrs.field(factory=list)
    connections: int = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, until either side ends it."""
        self.connections += 1
        received = b""
        async with stream:
            while True:
                while b"\r\n\r\n" not in received:
                    if not (more := await stream.receive_some()):
                        return
                    received += more
                head, _, received = received.partition(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                length = int(headers.get("content-length", "0"))
                while len(received) < length:
                    received += await stream.receive_some()
                self.requests.append((first, headers, received[:length]))
                received = received[length:]
                behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                try:
                    await behaviour(stream)
                except trio.BrokenResourceError:
                    return


def answer(status: int, body: Any = b"", **headers: str) -> Behaviour:
    """A whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def raw(content: bytes, *, close: bool = False) -> Behaviour:
    """These bytes, and the end of the connection if so."""

    async def behave(stream: trio.SocketStream) -> None:
        await stream.send_all(content)
        if close:
            await stream.aclose()
            raise trio.BrokenResourceError

    return behave


def hang(arrived: trio.Event | None = None) -> Behaviour:
    """The request was read, as `arrived` tells, and nothing comes."""

    async def behave(stream: trio.SocketStream) -> None:
        if arrived is not None:
            arrived.set()
        await trio.sleep_forever()

    return behave


async def drip(stream: trio.SocketStream) -> None:
    """An answer that never ends and never pauses for long."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await stream.send_all(b" ")
        await trio.sleep(0.005)


@asynccontextmanager
async def open_server(*script: Behaviour) -> AsyncIterator[Server]:
    """A server on a free port of loopback."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}/v26.0", list(script))
        await nursery.start(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_pair(
    *script: Behaviour, timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[Server, GraphClient]]:
    """A server with this script, and a client for it."""
    async with (
        open_server(*script) as server,
        open_client(
            graph_url=server.url, phone_number_id="1065", access_token=TOKEN, timeouts=timeouts
        ) as client,
    ):
        yield server, client


async def send_fails(client: Outbound, outgoing: OutboxRow | TypingSignal = ROW) -> SendError:
    """The error of a send that must fail; nothing in it or its causes may show the token."""
    with pytest.raises(SendError) as caught:
        await client(outgoing)
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in everything
    return caught.value


def unreachable(why: str) -> SendDelayed:
    """What a request that was never written raises."""
    return SendDelayed(f"the Graph API could not be reached: {why}", whole_number=True)


def told(error: SendError) -> tuple[type[SendError], dict[str, Any]]:
    """An error as a value: errors are compared by identity."""
    return type(error), attrs.asdict(error)


NO_ID = SendAmbiguous("HTTP 200 without the id of a message")
USAGE = '{"1":[{"estimated_time_to_regain_access":2}]}'


# What is written ----------------------------------------------------------------------------------


async def test_a_text_is_sent_and_its_id_comes_back() -> None:
    """The request of Meta's documentation, with our row's id as what its statuses echo."""
    async with open_pair(answer(200, SENT)) as (server, client):
        assert await client(ROW) == "wamid.OUT"
    [(first, headers, body)] = server.requests
    assert first == "POST /v26.0/1065/messages HTTP/1.1"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert json.loads(body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "16505551234",
        "type": "text",
        "text": {"body": "Hi <b> äöå 😀", "preview_url": False},
        "biz_opaque_callback_data": "row-1",
    }


@pytest.mark.parametrize("user_id", ["US.13491208655302741918", "١٦٥٠"])
async def test_a_user_without_a_phone_number_is_a_recipient(user_id: str) -> None:
    """`to` is for phone numbers; a business-scoped id goes into `recipient`."""
    async with open_pair(answer(200, SENT)) as (server, client):
        await client(attrs.evolve(ROW, user=User(user_id)))
    body = json.loads(server.requests[0][2])
    assert body["recipient"] == user_id
    assert "to" not in body


async def test_a_typing_signal_marks_the_message_as_read_too() -> None:
    """One call for both; it has no id of its own."""
    async with open_pair(answer(200, {"success": True})) as (server, client):
        assert await client(TYPING) == ""
    assert json.loads(server.requests[0][2]) == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.IN",
        "typing_indicator": {"type": "text"},
    }


async def test_a_text_that_is_too_long_is_refused_before_it_is_sent() -> None:
    """Whoever queued it should have split it; the bound itself passes."""
    async with open_pair(answer(200, SENT)) as (server, client):
        assert await client(attrs.evolve(ROW, text="x" * 4096)) == "wamid.OUT"
        error = await send_fails(client, attrs.evolve(ROW, text="x" * 4097))
    assert isinstance(error, SendRefused)
    assert len(server.requests) == 1


async def test_a_slash_behind_the_url_is_no_matter() -> None:
    """Both ways of writing the root give one address."""
    async with (
        open_server(answer(200, SENT)) as server,
        open_client(graph_url=f"{server.url}/", phone_number_id="1065", access_token=TOKEN) as client,
    ):
        await client(ROW)
    assert server.requests[0][0] == "POST /v26.0/1065/messages HTTP/1.1"


async def test_requests_one_after_the_other_share_a_connection() -> None:
    """A handshake a message would cost more than the message; errors do not end it either."""
    async with open_pair(answer(200, SENT), answer(400, {}), answer(200, SENT)) as (server, client):
        await client(ROW)
        await send_fails(client)
        await client(ROW)
    assert (server.connections, len(server.requests)) == (1, 3)


# Answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (
            answer(400, {"error": {"code": 131056, "message": "m"}}),
            SendDelayed("too many messages to this user in a short time: m", 131056),
        ),
        (
            answer(400, {"error": {"code": 80007}}, X_Business_Use_Case_Usage=USAGE),
            SendDelayed(
                "the business account's Graph API calls are used up",
                80007,
                whole_number=True,
                wait_seconds=120.0,
            ),
        ),
        (
            answer(503, b"<html>Busy</html>", Retry_After="7"),
            SendDelayed("HTTP 503 without a Graph error", whole_number=True, wait_seconds=7.0),
        ),
        (
            answer(400, {"error": {"code": 131047}}),
            SendRefused("the user wrote last more than 24 hours ago; only a template may be sent", 131047),
        ),
        (
            answer(401, {"error": {"code": 190, "message": f"Malformed access token {TOKEN}"}}),
            SendBlocked("the access token has expired; make a new one: Malformed access token ...", 190),
        ),
        (answer(200, b"<html>Welcome to the hotel</html>"), NO_ID),
        (answer(200, {"messages": []}), NO_ID),
        (answer(200, {"messages": [{"id": 5}]}), NO_ID),
        (answer(200, b"[" * 100_000), NO_ID),
        (answer(200), NO_ID),
        (answer(200, b" " * (ANSWER_BYTES_MAX + 1)), NO_ID),
        (
            answer(500, b"x" * (ANSWER_BYTES_MAX + 1)),
            SendDelayed("HTTP 500 without a Graph error", whole_number=True),
        ),
        (
            answer(404, b"<html>Not Found</html>"),
            SendBlocked("HTTP 404 without a Graph error: are the Graph API's address and the proxy right?"),
        ),
    ],
)
async def test_an_answer_says_what_is_to_be_done(behaviour: Behaviour, expected: SendError) -> None:
    """Success has an id; everything else is one kind of SendError with its reason."""
    async with open_pair(behaviour) as (_, client):
        error = await send_fails(client)
    assert told(error) == told(expected)


async def test_a_typing_signal_that_is_refused_says_so_too() -> None:
    """Whoever sends it decides that it does not matter."""
    async with open_pair(answer(400, {"error": {"code": 131009}})) as (_, client):
        assert isinstance(await send_fails(client, TYPING), SendRefused)


async def test_a_redirect_is_never_followed() -> None:
    """The token would go to a host that nobody chose; the message waits for a right address."""
    async with open_server(answer(200, SENT)) as other:
        for status in (301, 302, 303, 307, 308):
            async with open_pair(answer(status, Location=f"{other.url}/x")) as (server, client):
                error = await send_fails(client)
            assert isinstance(error, SendDelayed)
            assert error.whole_number
            assert f"HTTP {status}: a redirect is never followed" in str(error)
            assert len(server.requests) == 1
    assert other.connections == 0


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """A small body that unpacks to a large one must not be unpacked; it was not asked for."""
    async with open_pair(answer(200, b"\x1f\x8b\x08", Content_Encoding="gzip")) as (_, client):
        assert isinstance(await send_fails(client), SendAmbiguous)


# No answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        raw(b"", close=True),
        raw(b"HTTP/1.1 20", close=True),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", close=True),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n", close=True),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
    ],
    ids=["nothing", "half a status", "half a body", "another protocol", "broken chunks"],
)
async def test_a_connection_lost_after_the_request_is_ambiguous(behaviour: Behaviour) -> None:
    """Meta may have taken the message: it must not be sent again before its status settles that."""
    async with open_pair(behaviour) as (server, client):
        assert isinstance(await send_fails(client), SendAmbiguous)
    assert len(server.requests) == 1


async def test_an_error_status_counts_even_when_its_body_breaks_off() -> None:
    """The status alone says that the message was not taken."""
    behaviour = raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 500\r\n\r\n{", close=True)
    async with open_pair(behaviour) as (_, client):
        assert isinstance(await send_fails(client), SendDelayed)


async def test_a_server_that_never_answers_is_ambiguous() -> None:
    """The request was read: silence says nothing about it."""
    async with open_pair(hang(), timeouts=Timeouts(read_seconds=0.05)) as (_, client):
        error = await send_fails(client)
    assert told(error) == told(SendAmbiguous("the request was written, then ReadTimeout"))


async def test_an_answer_that_drips_has_an_end() -> None:
    """Each byte is in time; all of them together are not."""
    async with open_pair(drip, timeouts=Timeouts(total_seconds=0.2)) as (_, client):
        error = await send_fails(client)
    assert told(error) == told(SendAmbiguous("no whole answer within 0.2 s"))


async def test_a_server_that_is_not_there_has_sent_nothing() -> None:
    """Refused connections: the message, and all others, wait."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_client(graph_url=url, phone_number_id="1", access_token=TOKEN) as client:
            error = await send_fails(client)
    assert isinstance(error, SendDelayed)
    assert error.whole_number
    assert str(error).startswith("the Graph API could not be reached: ConnectError: ")


async def test_a_server_that_does_not_accept_has_sent_nothing() -> None:
    """A handshake that never ends is no ambiguous send."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        timeouts = Timeouts(connect_seconds=0.05)
        async with open_client(
            graph_url=url, phone_number_id="1", access_token=TOKEN, timeouts=timeouts
        ) as client:
            error = await send_fails(client)
    assert told(error) == told(unreachable("ConnectTimeout"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v26.0", "graph.facebook.com/v26.0"])
async def test_an_address_that_is_none_has_sent_nothing(url: str) -> None:
    """Settings refuse it at start; here it is at least no loss."""
    async with open_client(graph_url=url, phone_number_id="1", access_token=TOKEN) as client:
        error = await send_fails(client)
    assert told(error) == told(unreachable("UnsupportedProtocol"))


async def test_a_cancelled_send_leaves_the_client_whole(nursery: trio.Nursery) -> None:
    """A shutdown or an engine that gives up may cut a send; the next one works."""
    arrived = trio.Event()
    async with open_pair(hang(arrived), answer(200, SENT)) as (server, client):
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_after, arrived, scope)
            await client(ROW)
        assert scope.cancelled_caught
        assert await client(ROW) == "wamid.OUT"
    assert len(server.requests) == 2


async def cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    """Cancels the scope as soon as the event is set."""
    await event.wait()
    scope.cancel()


async def test_one_slow_answer_delays_no_other() -> None:
    """Sends of different users run side by side."""
    arrived = trio.Event()
    async with (
        open_pair(hang(arrived), answer(200, SENT)) as (server, client),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client, ROW)
        await arrived.wait()
        assert await client(ROW) == "wamid.OUT"
        nursery.cancel_scope.cancel()
    assert server.connections == 2


# Secrets ------------------------------------------------------------------------------------------


async def test_no_log_and_no_repr_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every logger, over success and failure."""
    caplog.set_level(logging.DEBUG)
    async with open_pair(answer(200, SENT), answer(302, Location="/"), raw(b"", close=True)) as (_, client):
        await client(ROW)
        await send_fails(client)
        await send_fails(client)
        assert TOKEN not in repr(client)
    assert caplog.records
    assert TOKEN not in caplog.text
    assert ROW.user.id not in caplog.text
    assert not any(TOKEN in repr(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("token", ["", "se cret", "secret\n", "secret\r\nX: y", "sécret", "secret\0"])
async def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    """The library's own error would quote it."""
    with pytest.raises(ValueError, match="the access token is empty or holds characters") as caught:
        async with open_client(graph_url="http://127.0.0.1:1", phone_number_id="1", access_token=token):
            pytest.fail("it was opened")  # pragma: no cover
    assert "cret" not in str(caught.value)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the environment's proxy for every scheme."""

    def use(url: str) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.lower(), url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

    return use


async def test_a_proxy_of_the_environment_sees_the_host_and_never_the_token(
    proxies: Callable[[str], None],
) -> None:
    """Over https it is asked for a tunnel; when it refuses, nothing was sent."""
    async with open_server(answer(407)) as proxy:
        proxies(proxy.url.removesuffix("/v26.0"))
        url = "https://graph.invalid/v26.0"
        async with open_client(graph_url=url, phone_number_id="1", access_token=TOKEN) as client:
            error = await send_fails(client)
    assert told(error) == told(unreachable("ProxyError"))
    [(first, headers, body)] = proxy.requests
    assert (first, body) == ("CONNECT graph.invalid:443 HTTP/1.1", b"")
    assert "authorization" not in headers


async def test_plain_http_goes_past_every_proxy(proxies: Callable[[str], None]) -> None:
    """A proxy would see the token then, and loopback needs none."""
    async with open_server(answer(200, SENT)) as proxy, open_server(answer(200, SENT)) as server:
        proxies(proxy.url.removesuffix("/v26.0"))
        async with open_client(graph_url=server.url, phone_number_id="1", access_token=TOKEN) as client:
            await client(ROW)
    assert (proxy.connections, server.connections) == (0, 1)
