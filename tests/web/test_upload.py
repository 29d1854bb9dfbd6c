"""What an upload writes on a real socket, and what it makes of every way that may end."""

import email.parser
import email.policy
import json
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest
import trio

from engine import SendBlocked, SendDelayed, SendError, SendRefused
from engine.replies import File, Inline
from web.posting import ANSWER_BYTES_MAX, Poster, open_poster
from web.whatsapp.upload import (
    AUDIO_BYTES_MAX,
    DOCUMENT_BYTES_MAX,
    IMAGE_BYTES_MAX,
    MOVING_STICKER_BYTES_MAX,
    STILL_STICKER_BYTES_MAX,
    VIDEO_BYTES_MAX,
    bytes_max,
    upload_media,
)

TOKEN = "EAAJtoken0123456789"  # noqa: S105  # made up
UPLOADED = {"id": "1037543291543636"}
CONTENT = b"%PDF\r\n--boundary--\r\n" + bytes(range(256)) * 1024

Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


@attrs.define(eq=False)
class Server:
    """A server that reads one request a connection, its head and then its body, and does what it is told.

    `reads_bodies`: else it answers as soon as the head is there.
    """

    url: str
    behaviour: Behaviour
    reads_bodies: bool
    requests: list[tuple[str, dict[str, str], bytes]] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, until either side ends it."""
        received = b""
        async with stream:
            while b"\r\n\r\n" not in received:
                if not (more := await stream.receive_some()):
                    return
                received += more
            head, _, received = received.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", "0"))
            while self.reads_bodies and len(received) < length:
                if not (more := await stream.receive_some()):
                    return
                received += more
            self.requests.append((first, headers, received))
            await self.behaviour(stream)


def answer(status: int, body: Any = b"", **headers: str) -> Behaviour:
    """A whole answer, and the end of the connection."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def raw(content: bytes) -> Behaviour:
    """These bytes, and the end of the connection."""

    async def behave(stream: trio.SocketStream) -> None:
        await stream.send_all(content)

    return behave


def hang(arrived: trio.Event | None = None) -> Behaviour:
    """Nothing comes; `arrived` tells when."""

    async def behave(stream: trio.SocketStream) -> None:
        if arrived is not None:
            arrived.set()
        await trio.sleep_forever()

    return behave


@asynccontextmanager
async def open_server(behaviour: Behaviour, *, reads_bodies: bool = True) -> AsyncIterator[Server]:
    """A server on a free port of loopback."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}/v26.0/1065/media", behaviour, reads_bodies)
        await nursery.start(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_api(url: str = "http://127.0.0.1:1") -> AsyncIterator[Poster]:
    """A poster with the headers that the one for messages has."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with open_poster(api="the Graph API", urls=[url], headers=headers, secrets=[TOKEN]) as poster:
        yield poster


@asynccontextmanager
async def open_fake(transport: httpx2.AsyncBaseTransport) -> AsyncIterator[Poster]:
    """A poster whose requests go there."""
    async with httpx2.AsyncClient(transport=transport) as http:
        yield Poster(http=http, api="the Graph API", secrets=(), total_seconds=40.0)


async def upload(url: str, path: Path, mime_type: str = "application/pdf", seconds_max: float = 60.0) -> str:
    """One upload, by a client of its own."""
    async with open_api(url) as poster:
        return await upload_media(poster, url, File(str(path), mime_type), seconds_max=seconds_max)


async def upload_fails(
    url: str, path: Path, mime_type: str = "application/pdf", seconds_max: float = 60.0
) -> SendError:
    """The error of an upload that must fail; nothing in it or its causes may show the token or the path."""
    with pytest.raises(SendError) as caught:
        await upload(url, path, mime_type, seconds_max)
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert str(path) not in str(caught.value)
    return caught.value


def told(error: SendError) -> tuple[type[SendError], dict[str, Any]]:
    """An error as a value: errors are compared by identity."""
    return type(error), attrs.asdict(error)


@pytest.fixture
def menu(tmp_path: Path) -> Path:
    """A file of several chunks, with bytes of every value and the like of a boundary in it."""
    path = tmp_path / "Menü für Anna.pdf"
    path.write_bytes(CONTENT)
    return path


# What is written ----------------------------------------------------------------------------------


async def test_a_file_is_uploaded_and_its_id_comes_back(menu: Path) -> None:
    """The form of Meta's documentation, of a known length, with nothing of the path in it."""
    async with open_server(answer(200, UPLOADED)) as server:
        assert await upload(server.url, menu) == "1037543291543636"
    [(first, headers, body)] = server.requests
    assert first == "POST /v26.0/1065/media HTTP/1.1"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert int(headers["content-length"]) == len(body)
    assert "transfer-encoding" not in headers
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body
    )
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert list(parts) == ["messaging_product", "type", "file"]
    assert parts["messaging_product"].get_payload(decode=True) == b"whatsapp"
    assert parts["type"].get_payload(decode=True) == b"application/pdf"
    assert parts["file"].get_content_type() == "application/pdf"
    assert parts["file"].get_filename() == "file.pdf"
    assert parts["file"].get_payload(decode=True) == CONTENT
    assert b"Anna" not in body


@pytest.mark.parametrize("name", ["menu", 'menu."x', "menu.p df"])
async def test_an_odd_end_of_a_name_is_left_out(tmp_path: Path, name: str) -> None:
    """It stands in a header of the form."""
    path = tmp_path / name
    path.write_bytes(b"x")
    async with open_server(answer(200, UPLOADED)) as server:
        await upload(server.url, path)
    assert b'name="file"; filename="file"\r\n' in server.requests[0][2]


async def test_a_file_in_the_message_is_uploaded_as_any_other() -> None:
    """From memory; the form is the same, and tells no more of its name."""
    file = Inline("Easter for Anna.ics", CONTENT[:60_000], "text/calendar")
    async with open_server(answer(200, UPLOADED)) as server, open_api() as poster:
        assert await upload_media(poster, server.url, file) == "1037543291543636"
    [(_, headers, body)] = server.requests
    assert int(headers["content-length"]) == len(body)
    assert b'filename="file.ics"\r\nContent-Type: text/calendar\r\n\r\n' + file.content + b"\r\n--" in body
    assert b"Anna" not in body


async def test_a_file_is_read_bit_by_bit(tmp_path: Path) -> None:
    """A document of 100 MB may not stand in memory: what goes out at once is a small part of it."""
    path = tmp_path / "large.pdf"
    path.write_bytes(b"x" * 8_000_000)
    largest = 0

    class Transport(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            nonlocal largest
            assert isinstance(request.stream, httpx2.AsyncByteStream)
            total = 0
            async for chunk in request.stream:
                largest = max(largest, len(chunk))
                total += len(chunk)
            assert total == int(request.headers["content-length"])
            return httpx2.Response(200, stream=httpx2.ByteStream(json.dumps(UPLOADED).encode()))

    async with open_fake(Transport()) as poster:
        await upload_media(poster, "https://graph.invalid/media", File(str(path)))
    assert largest == 65_536


# What is too large --------------------------------------------------------------------------------

MOVING = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02"
STILL = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10"


@pytest.mark.parametrize(
    ("mime_type", "head", "most"),
    [
        ("image/jpeg", b"", IMAGE_BYTES_MAX),
        ("IMAGE/PNG", b"", IMAGE_BYTES_MAX),
        ("audio/ogg; codecs=opus", b"", AUDIO_BYTES_MAX),
        ("video/mp4", b"", VIDEO_BYTES_MAX),
        ("application/pdf", b"", DOCUMENT_BYTES_MAX),
        ("text/plain", b"", DOCUMENT_BYTES_MAX),
        ("image/webp", b"", STILL_STICKER_BYTES_MAX),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x02", STILL_STICKER_BYTES_MAX),
        ("image/webp", MOVING[:-1], STILL_STICKER_BYTES_MAX),
        ("image/webp", STILL, STILL_STICKER_BYTES_MAX),
        ("image/webp", MOVING, MOVING_STICKER_BYTES_MAX),
        ("image/webp", MOVING[:-1] + b"\x12", MOVING_STICKER_BYTES_MAX),
    ],
)
def test_a_file_may_have_as_many_bytes_as_its_type_allows(mime_type: str, head: bytes, most: int) -> None:
    """A sticker that moves says so in its first bytes."""
    assert bytes_max(mime_type, head) == most


def test_the_sizes_are_those_of_metas_page() -> None:
    """In the larger reading of MB and KB."""
    megabytes = (IMAGE_BYTES_MAX, AUDIO_BYTES_MAX, VIDEO_BYTES_MAX, DOCUMENT_BYTES_MAX)
    assert [size / 1024**2 for size in megabytes] == [5, 16, 16, 100]
    assert (STILL_STICKER_BYTES_MAX / 1024, MOVING_STICKER_BYTES_MAX / 1024) == (100, 500)


@pytest.mark.parametrize(
    ("mime_type", "head", "most"),
    [
        ("image/png", b"", IMAGE_BYTES_MAX),
        ("image/webp", STILL, STILL_STICKER_BYTES_MAX),
        ("image/webp", MOVING, MOVING_STICKER_BYTES_MAX),
    ],
)
async def test_a_file_that_is_too_large_is_refused_before_anything_is_sent(
    tmp_path: Path, mime_type: str, head: bytes, most: int
) -> None:
    """The bound itself passes."""
    path = tmp_path / "file"
    async with open_server(answer(200, UPLOADED)) as server:
        path.write_bytes(head.ljust(most, b"x"))
        assert await upload(server.url, path, mime_type) == "1037543291543636"
        path.write_bytes(head.ljust(most + 1, b"x"))
        error = await upload_fails(server.url, path, mime_type)
    expected = f"the file to send may have {most} bytes as {mime_type}, it has {most + 1}"
    assert told(error) == told(SendRefused(expected))
    assert len(server.requests) == 1


async def test_a_document_of_100_mb_is_not_sent_when_it_has_one_byte_more(tmp_path: Path) -> None:
    """It is not even read: the file here is a hole."""
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.truncate(DOCUMENT_BYTES_MAX + 1)
    async with open_server(answer(200, UPLOADED)) as server:
        assert isinstance(await upload_fails(server.url, path), SendRefused)
    assert server.requests == []


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Meta would refuse it, too."""
    path = tmp_path / "empty.pdf"
    path.touch()
    error = await upload_fails("http://127.0.0.1:1", path)
    assert told(error) == told(SendRefused("the file to send is empty"))


async def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Gone, or a folder: it will not be there later, either."""
    error = await upload_fails("http://127.0.0.1:1", tmp_path / "gone.pdf")
    assert told(error) == told(SendRefused("the file to send cannot be read: No such file or directory"))
    error = await upload_fails("http://127.0.0.1:1", tmp_path)
    assert told(error) == told(SendRefused("the file to send cannot be read: Is a directory"))


# How it may end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (
            answer(400, {"error": {"code": 131053, "message": "m"}}),
            SendRefused("our media could not be uploaded: m", 131053),
        ),
        (
            answer(400, {"error": {"code": 130429}}, Retry_After="7"),
            SendDelayed("the number's throughput is used up", 130429, whole_number=True, wait_seconds=7.0),
        ),
        (
            answer(401, {"error": {"code": 190, "message": f"Malformed access token {TOKEN}"}}),
            SendBlocked("the access token has expired; make a new one: Malformed access token ...", 190),
        ),
        (
            answer(
                400,
                {"error": {"code": 80007}},
                X_Business_Use_Case_Usage='{"1":[{"estimated_time_to_regain_access":2}]}',
            ),
            SendDelayed(
                "the business account's Graph API calls are used up",
                80007,
                whole_number=True,
                wait_seconds=120.0,
            ),
        ),
        (
            answer(503, b"<html>Busy</html>"),
            SendDelayed("HTTP 503 without a Graph error", whole_number=True),
        ),
        (answer(200, b"<html>Hotel</html>"), SendDelayed("HTTP 200 without the id of an upload")),
        (answer(200, {"id": 5}), SendDelayed("HTTP 200 without the id of an upload")),
        (answer(200, {"id": ""}), SendDelayed("HTTP 200 without the id of an upload")),
        (answer(200, b"[" * 100_000), SendDelayed("HTTP 200 without the id of an upload")),
        (answer(200, b" " * (ANSWER_BYTES_MAX + 1)), SendDelayed("HTTP 200 without the id of an upload")),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
            SendDelayed("HTTP 200 without the id of an upload"),
        ),
        (
            raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 500\r\n\r\n{"),
            SendDelayed("HTTP 503 without a Graph error", whole_number=True),
        ),
        (
            raw(b""),
            SendDelayed("the file was not uploaded: the request was written, then RemoteProtocolError"),
        ),
        (
            raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
            SendDelayed("the file was not uploaded: the request was written, then RemoteProtocolError"),
        ),
    ],
)
async def test_an_answer_says_what_is_to_be_done(
    menu: Path, behaviour: Behaviour, expected: SendError
) -> None:
    """An id is success; everything else is one kind of SendError with its reason."""
    async with open_server(behaviour) as server:
        error = await upload_fails(server.url, menu)
    assert told(error) == told(expected)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [300, 301, 307])
async def test_a_redirect_is_never_followed(menu: Path, status: int) -> None:
    """The token and the file would go to a host that nobody chose."""
    async with (
        open_server(answer(200, UPLOADED)) as other,
        open_server(answer(status, Location=other.url)) as server,
    ):
        error = await upload_fails(server.url, menu)
    assert isinstance(error, SendDelayed)
    assert f"HTTP {status}: a redirect is never followed" in str(error)
    assert other.requests == []


async def test_an_answer_of_the_largest_size_is_read(menu: Path) -> None:
    """One byte more is not the Graph API."""
    content = json.dumps(UPLOADED).encode().ljust(ANSWER_BYTES_MAX)
    async with open_server(answer(200, content)) as server:
        assert await upload(server.url, menu) == UPLOADED["id"]


async def test_an_answer_that_comes_early_ends_the_upload(tmp_path: Path) -> None:
    """Whoever refuses by the head alone is heard, or the connection is lost; both may be tried again."""
    path = tmp_path / "large.pdf"
    path.write_bytes(b"x" * 8_000_000)
    async with open_server(answer(503), reads_bodies=False) as server:
        error = await upload_fails(server.url, path)
    assert isinstance(error, SendDelayed)


async def test_an_upload_has_an_end(menu: Path) -> None:
    """A server that never answers holds nobody for ever."""
    async with open_server(hang()) as server:
        error = await upload_fails(server.url, menu, seconds_max=0.1)
    assert told(error) == told(SendDelayed("the file was not uploaded: no whole answer within 0.1 s"))


async def test_a_server_that_is_not_there_delays_all(menu: Path) -> None:
    """Refused connections: the message, and all others, wait."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        error = await upload_fails(f"http://127.0.0.1:{taken.getsockname()[1]}/media", menu)
    assert isinstance(error, SendDelayed)
    assert error.whole_number
    assert str(error).startswith("the Graph API could not be reached: ConnectError: ")


async def test_an_api_that_is_not_there_is_called_by_its_name(menu: Path) -> None:
    """360dialog takes files in Meta's form and is not the Graph API."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/media"
        async with open_poster(api="360dialog's API", urls=[url], headers={}, secrets=[]) as poster:
            with pytest.raises(SendDelayed, match=r"^360dialog's API could not be reached: ConnectError: "):
                await upload_media(poster, url, File(str(menu)))


async def test_an_address_that_is_none_delays_all(menu: Path) -> None:
    """Settings refuse it at start; here it is at least no loss."""
    error = await upload_fails("ftp://127.0.0.1/media", menu)
    reason = "the Graph API could not be reached: UnsupportedProtocol"
    assert told(error) == told(SendDelayed(reason, whole_number=True))


class Changing(httpx2.AsyncBaseTransport):
    """Changes the file between its first chunk and the others, and says how much was written."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self.content = content
        self.announced = self.written = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Reads the request; the answer is success."""
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        self.announced = int(request.headers["content-length"])
        async for chunk in request.stream:
            if self.written == 0:
                self.path.write_bytes(self.content)
            self.written += len(chunk)
        return httpx2.Response(200, stream=httpx2.ByteStream(json.dumps(UPLOADED).encode()))


async def test_a_file_that_grows_is_sent_as_long_as_it_was(menu: Path) -> None:
    """Its length stands in the head of the request."""
    transport = Changing(menu, b"x" * 1_000_000)
    async with open_fake(transport) as poster:
        await upload_media(poster, "https://graph.invalid/media", File(str(menu)))
    assert transport.written == transport.announced


async def test_a_file_that_shrinks_is_tried_again(menu: Path) -> None:
    """What was announced cannot be sent; the next attempt measures it anew."""
    async with open_fake(Changing(menu, b"short")) as poster:
        with pytest.raises(SendDelayed, match=r"^the file was not uploaded: it became shorter meanwhile$"):
            await upload_media(poster, "https://graph.invalid/media", File(str(menu)))


async def test_a_cancelled_upload_leaves_nothing_open(menu: Path, nursery: trio.Nursery) -> None:
    """A shutdown may cut it: the client goes on, and no warning of an open file or generator follows."""
    arrived = trio.Event()
    async with (
        open_server(hang(arrived)) as server,
        open_server(answer(200, UPLOADED)) as other,
        open_api() as poster,
    ):
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_after, arrived, scope)
            await upload_media(poster, server.url, File(str(menu)))
        assert scope.cancelled_caught
        assert await upload_media(poster, other.url, File(str(menu))) == UPLOADED["id"]


async def test_an_upload_that_is_cut_in_its_middle_leaves_nothing_open(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """While the file is still being read."""
    path = tmp_path / "large.pdf"
    path.write_bytes(b"x" * 20_000_000)
    arrived = trio.Event()
    async with open_server(hang(arrived), reads_bodies=False) as server, open_api() as poster:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_after, arrived, scope)
            await upload_media(poster, server.url, File(str(path)))
        assert scope.cancelled_caught


async def cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    """Cancels the scope as soon as the event is set."""
    await event.wait()
    scope.cancel()
