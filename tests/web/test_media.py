"""What a download asks on a real socket, whom it shows the token, and what it leaves on the disk."""

import base64
import contextlib
import hashlib
import json
import logging
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

from engine import MediaError
from engine.content import Audio, Document, Image, Media, MediaSource
from web.dialog360.channel import Dialog360Channel
from web.downloading import Downloader, Hosts
from web.posting import ANSWER_BYTES_MAX, Timeouts
from web.twilio.channel import TwilioChannel
from web.twilio.media import HOSTS as TWILIO_HOSTS
from web.whatsapp.media import HOSTS, open_media

TOKEN = "EAAJtoken0123456789"  # noqa: S105  # made up
# More than one read from a socket.
FILE = bytes(range(256)) * 1024
DIGEST = hashlib.sha256(FILE)
IN_HEX = DIGEST.hexdigest()
IN_BASE64 = base64.b64encode(DIGEST.digest()).decode()
IMAGE = Image(id="1037543291543636", mime_type="image/jpeg", sha256=IN_BASE64)
GONE = {
    "error": {
        "message": "Unsupported get request. Object with ID '1037543291543636' does not exist",
        "type": "GraphMethodException",
        "code": 100,
        "error_subcode": 33,
        "fbtrace_id": "A1",
    }
}
TOLD_GONE = (
    "WhatsApp does not have the file: it keeps what a user sends for 7 days,"
    " and gives it to the number it was sent to alone"
)

Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


@attrs.define(eq=False)
class Server:
    """A server that does, for each request, what the script of its path says next; the last item stays."""

    origin: str
    scripts: dict[str, list[Behaviour]] = attrs.field(factory=dict)
    # The first line of each request, without its method and version, and its headers.
    requests: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    connections: int = 0

    @property
    def graph_url(self) -> str:
        return f"{self.origin}/v26.0"

    @property
    def asked(self) -> list[str]:
        """What was asked for, in order."""
        return [target for target, _ in self.requests]

    def describe(self, **changes: Any) -> Behaviour:
        """The Graph API's answer about IMAGE, whose file is at `/file`; a field that is None is left out."""
        described = {
            "url": f"{self.origin}/file?mid=1&hash=x",
            "mime_type": "image/jpeg",
            "sha256": IN_HEX,
            "file_size": len(FILE),
            "id": IMAGE.id,
            "messaging_product": "whatsapp",
            **changes,
        }
        return answer(200, {name: value for name, value in described.items() if value is not None})

    def on(self, path: str, *script: Behaviour) -> None:
        """What to do for requests of this path, query not counted."""
        self.scripts[path] = list(script)

    def on_graph(self, *script: Behaviour) -> None:
        """What to do when it is asked where IMAGE is."""
        self.on(f"/v26.0/{IMAGE.id}", *script)

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, until either side ends it."""
        self.connections += 1
        with contextlib.suppress(trio.BrokenResourceError):
            await self._answer_all(stream)

    async def _answer_all(self, stream: trio.SocketStream) -> None:
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
                method, target, _ = first.split(" ")
                assert method == "GET"
                self.requests.append((target, headers))
                script = self.scripts[target.partition("?")[0]]
                behaviour = script.pop(0) if len(script) > 1 else script[0]
                await behaviour(stream)


def answer(status: int, body: Any = b"", **headers: str) -> Behaviour:
    """A whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def chunked(*chunks: bytes) -> Behaviour:
    """A success whose length is not told in advance."""
    content = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content)


def raw(content: bytes, *, close: bool = False) -> Behaviour:
    """These bytes, and the end of the connection if so."""

    async def behave(stream: trio.SocketStream) -> None:
        await stream.send_all(content)
        if close:
            await stream.aclose()
            raise trio.BrokenResourceError

    return behave


def stall(content: bytes = b"") -> Behaviour:
    """These bytes, and then nothing more."""

    async def behave(stream: trio.SocketStream) -> None:
        await stream.send_all(content)
        await trio.sleep_forever()

    return behave


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FILE) + FILE[: len(FILE) // 2]
WHOLE = answer(200, FILE)


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    """A server on a free port of loopback: IMAGE is there, and its file."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Server(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        server.on_graph(server.describe())
        server.on("/file", WHOLE)
        await nursery.start(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncIterator[tuple[Server, Downloader]]:
    """A server and downloads from it."""
    async with (
        open_server() as server,
        open_media(
            graph_url=server.graph_url, phone_number_id="1065", access_token=TOKEN, **options
        ) as download,
    ):
        yield server, download


def files(directory: Path) -> list[Path]:
    """The files in it, and in what is below."""
    return [path for path in directory.rglob("*") if path.is_file()]


async def download_fails(
    download: MediaSource | Downloader, to: Path, *, media: Media = IMAGE, bytes_max: int = len(FILE)
) -> str:
    """The words of a download that must fail.

    Nothing in the error or its causes may show the token, and nothing may be left in the directory `to`.
    """
    with pytest.raises(MediaError) as caught:
        await download(media, to, bytes_max=bytes_max)
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in everything
    assert files(to) == []
    return str(caught.value)


# A file that is there -----------------------------------------------------------------------------


async def test_a_file_is_asked_for_downloaded_and_kept(tmp_path: Path) -> None:
    """Two requests with the token, the first for our number alone; the file is as it was sent."""
    async with open_pair() as (server, download):
        path = await download(IMAGE, tmp_path / "picture", len(FILE))
    assert path == tmp_path / "picture"
    assert path.read_bytes() == FILE
    assert files(tmp_path) == [path]
    assert server.asked == [f"/v26.0/{IMAGE.id}?phone_number_id=1065", "/file?mid=1&hash=x"]
    for _, headers in server.requests:
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert headers["accept-encoding"] == "identity"
        # Meta's file server turns away who does not say what it is.
        assert headers["user-agent"]


async def test_a_slash_behind_the_url_is_no_matter(tmp_path: Path) -> None:
    """Both ways of writing the root give one address."""
    async with (
        open_server() as server,
        open_media(graph_url=f"{server.graph_url}/", phone_number_id="1065", access_token=TOKEN) as download,
    ):
        await download(IMAGE, tmp_path)
    assert server.asked[0] == f"/v26.0/{IMAGE.id}?phone_number_id=1065"


async def test_a_file_arrives_on_the_disk_bit_by_bit_beside_its_place(tmp_path: Path) -> None:
    """A hundred megabytes are never in memory, and nobody sees half a file in its place."""
    first, second = FILE[:200_000], FILE[200_000:]
    seen: dict[str, int] = {}

    async def in_two_parts(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FILE) + first)
        while sum(seen.values()) < len(first) - 65_536:  # less than one buffer may be on its way
            await trio.lowlevel.checkpoint()
            seen.update((path.name, path.stat().st_size) for path in files(tmp_path))
        await stream.send_all(second)

    async with open_pair() as (server, download):
        server.on("/file", in_two_parts)
        path = await download(IMAGE, tmp_path / "picture", len(FILE))
    [unfinished] = seen
    assert unfinished.startswith(".midstream-")
    assert unfinished.endswith(".part")
    assert path.read_bytes() == FILE
    assert files(tmp_path) == [path]


async def test_a_length_that_is_not_told_in_advance_is_no_matter(tmp_path: Path) -> None:
    """Neither by the Graph API nor by the server of files."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(file_size=None))
        server.on("/file", chunked(FILE[:1000], FILE[1000:]))
        path = await download(IMAGE, tmp_path, len(FILE))
    assert path.read_bytes() == FILE


async def test_a_file_that_is_there_already_is_replaced(tmp_path: Path) -> None:
    """A plan that is made again downloads again."""
    async with open_pair() as (_, download):
        first = await download(IMAGE, tmp_path, len(FILE))
        first.write_bytes(b"spoilt")
        second = await download(IMAGE, tmp_path, len(FILE))
    assert first == second
    assert second.read_bytes() == FILE
    assert files(tmp_path) == [second]


async def test_downloads_of_one_file_side_by_side_do_not_meet(tmp_path: Path) -> None:
    """Two calls of one wave may want the same picture."""
    async with open_pair() as (_, download), trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(download, IMAGE, tmp_path, len(FILE))
    [path] = files(tmp_path)
    assert path.read_bytes() == FILE


# Its name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "by_message", "ending"),
    [
        ("image/jpeg", "image/png", ".jpg"),
        (None, "audio/ogg; codecs=opus", ".ogg"),
        ("AUDIO/OGG;codecs=opus", None, ".ogg"),
        ("application/x-whatever", None, ".bin"),
        ("../../etc/passwd", None, ".bin"),
        (None, None, ".bin"),
    ],
)
async def test_in_a_directory_its_name_is_the_id_and_an_ending_by_type(
    tmp_path: Path, told: str | None, by_message: str | None, ending: str
) -> None:
    """The type that the Graph API tells goes before that of the message."""
    media = Audio(id=IMAGE.id, mime_type=by_message, sha256=IN_BASE64)
    async with open_pair() as (server, download):
        server.on_graph(server.describe(mime_type=told))
        assert await download(media, tmp_path, len(FILE)) == tmp_path / f"{IMAGE.id}{ending}"


async def test_the_name_that_its_user_gave_it_is_no_path(tmp_path: Path) -> None:
    """Or somebody sends a document named `../../.ssh/authorized_keys`."""
    media = Document(id=IMAGE.id, filename="../../escaped.pdf", mime_type="application/pdf", sha256=IN_HEX)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    async with open_pair() as (server, download):
        server.on_graph(server.describe(mime_type=None))
        path = await download(media, inner, len(FILE))
    assert path == inner / f"{IMAGE.id}.pdf"
    assert files(tmp_path) == [path]


@pytest.mark.parametrize(
    "media_id", ["", "..", "../me", "a/b", "1?fields=id", "1#", "1%2F2", "ä", "1" * 201, "1\n", "a b"]
)
async def test_an_id_that_could_be_a_path_is_not_asked_for(tmp_path: Path, media_id: str) -> None:
    """It would be one in the address and on the disk."""
    async with open_pair() as (server, download):
        error = await download_fails(download, tmp_path, media=attrs.evolve(IMAGE, id=media_id))
    assert error == "the message has no file that the Graph API could be asked for"
    assert server.connections == 0


# Not what was sent --------------------------------------------------------------------------------

OTHER_HEX = hashlib.sha256(b"other").hexdigest()
OTHER_BASE64 = base64.b64encode(hashlib.sha256(b"other").digest()).decode()


@pytest.mark.parametrize(
    ("told", "by_message"),
    [
        (IN_HEX, IN_BASE64),
        (IN_HEX.upper(), None),
        (IN_BASE64, None),
        (None, IN_BASE64),
        (None, IN_HEX),
        (IN_HEX, "cut off…"),
        ("", IN_BASE64),
    ],
)
async def test_either_form_of_its_hash_will_do(
    tmp_path: Path, told: str | None, by_message: str | None
) -> None:
    """The Graph API writes hex, webhooks base64; what is neither says nothing while there is another."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(sha256=told))
        path = await download(attrs.evolve(IMAGE, sha256=by_message), tmp_path, len(FILE))
    assert path.read_bytes() == FILE


@pytest.mark.parametrize(
    ("told", "by_message"),
    [(OTHER_HEX, None), (OTHER_HEX, IN_BASE64), (IN_HEX, OTHER_BASE64), (None, OTHER_BASE64)],
)
async def test_another_file_than_the_one_that_was_sent_is_not_kept(
    tmp_path: Path, told: str | None, by_message: str | None
) -> None:
    """Every hash must be that of the file: the message's is the one that its webhook was signed with."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(sha256=told))
        error = await download_fails(download, tmp_path, media=attrs.evolve(IMAGE, sha256=by_message))
    assert error == "the file is not the one that was sent: its SHA-256 is another"


@pytest.mark.parametrize("given", [None, "", "abc", "a1b2c3d4e5f6...", IN_HEX[:-2], IN_BASE64[:-4], "Ä"])
async def test_a_file_without_a_hash_cannot_be_checked(tmp_path: Path, given: str | None) -> None:
    """It is not even asked for."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(sha256=given))
        error = await download_fails(download, tmp_path, media=attrs.evolve(IMAGE, sha256=given))
    assert error == "nobody says which SHA-256 the file has: it cannot be checked"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        raw(HALF, close=True),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", close=True),
        raw(b"", close=True),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n", close=True),
    ],
    ids=["half", "half a chunk", "nothing", "another protocol"],
)
async def test_a_file_that_breaks_off_leaves_nothing(tmp_path: Path, behaviour: Behaviour) -> None:
    """A connection may be lost at any byte."""
    async with open_pair() as (server, download):
        server.on("/file", behaviour)
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 could not be reached: RemoteProtocolError"


async def test_a_failure_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    """Only a whole file replaces one."""
    place = tmp_path / "picture"
    place.write_bytes(b"before")
    async with open_pair() as (server, download):
        server.on("/file", answer(200, b"other"))
        with pytest.raises(MediaError, match="SHA-256"):
            await download(IMAGE, place, len(FILE))
    assert place.read_bytes() == b"before"
    assert files(tmp_path) == [place]


# Too large ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [len(FILE), str(len(FILE))])
async def test_a_size_that_is_told_too_large_is_not_asked_for(tmp_path: Path, size: int | str) -> None:
    """Meta's documentation writes the size as a number here and as a text there; the bound itself passes."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(file_size=size))
        error = await download_fails(download, tmp_path, bytes_max=len(FILE) - 1)
        assert error == "the file is too large with its 262,144: at most 262,143 bytes are allowed"
        assert len(server.asked) == 1
        await download(IMAGE, tmp_path, len(FILE))


async def test_a_length_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Whoever serves the file may say something else than the Graph API."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(file_size=10))
        server.on("/file", stall(b"HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n"))
        error = await download_fails(download, tmp_path, bytes_max=1000)
    assert error == "the file is too large with its 262,144: at most 1,000 bytes are allowed"


async def test_what_comes_is_counted(tmp_path: Path) -> None:
    """Nobody has said how much it is, and it does not end."""

    async def pour(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            await stream.send_all(b"2710\r\n" + b"x" * 10_000 + b"\r\n")

    async with open_pair() as (server, download):
        server.on_graph(server.describe(file_size=None))
        server.on("/file", pour)
        error = await download_fails(download, tmp_path, bytes_max=100_000)
        assert error == "the file is too large: at most 100,000 bytes are allowed"
        server.on("/file", chunked(FILE, b"x"))
        error = await download_fails(download, tmp_path)
        assert error == "the file is too large: at most 262,144 bytes are allowed"


# Expired, refused, out of reach -------------------------------------------------------------------


async def test_an_address_that_has_expired_is_asked_for_again(tmp_path: Path) -> None:
    """It lives five minutes, also at Meta's end of a slow line."""
    async with open_pair() as (server, download):
        server.on_graph(server.describe(), server.describe(url=f"{server.origin}/fresh"))
        server.on("/file", answer(404, b"<html>URL signature expired</html>"))
        server.on("/fresh", WHOLE)
        path = await download(IMAGE, tmp_path, len(FILE))
    assert path.read_bytes() == FILE
    assert [target.partition("?")[0] for target in server.asked] == [
        f"/v26.0/{IMAGE.id}",
        "/file",
        f"/v26.0/{IMAGE.id}",
        "/fresh",
    ]


async def test_an_address_is_asked_for_again_once(tmp_path: Path) -> None:
    """Meta blocks who asks in vain again and again."""
    async with open_pair() as (server, download):
        server.on("/file", answer(404))
        error = await download_fails(download, tmp_path)
    assert error == "the file's address has expired, and so has a fresh one"
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("behaviour", "words", "code"),
    [
        (answer(400, GONE), TOLD_GONE, 100),
        (
            answer(401, {"error": {"code": 190, "message": f"Malformed access token {TOKEN}"}}),
            "the Graph API refuses: the access token has expired; make a new one: Malformed access token ...",
            190,
        ),
        (
            answer(400, {"error": {"code": 4, "message": "Application request limit reached"}}),
            "the Graph API refuses: the app's Graph API calls are used up: Application request limit reached",
            4,
        ),
        (
            answer(503, b"<html>Busy</html>"),
            "the Graph API refuses: HTTP 503 without a Graph error",
            None,
        ),
        (
            answer(500, b"x" * (ANSWER_BYTES_MAX + 1)),
            "the Graph API refuses: HTTP 500 without a Graph error",
            None,
        ),
    ],
)
async def test_what_the_graph_api_refuses_is_told_with_its_words_and_its_code(
    tmp_path: Path, behaviour: Behaviour, words: str, code: int | None
) -> None:
    """An id that is older than seven days is what happens most; it says so."""
    async with open_pair() as (server, download):
        server.on_graph(behaviour)
        with pytest.raises(MediaError) as caught:
            await download(IMAGE, tmp_path, len(FILE))
        await download_fails(download, tmp_path)
    assert (caught.value.reason, caught.value.code) == (words, code)
    assert str(caught.value) == (words if code is None else f"{words} (error {code})")
    assert not any("/file" in target for target in server.asked)


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(200, b"<html>Welcome to the hotel</html>"),
        answer(200, b"[" * 100_000),
        answer(200, b"[]"),
        answer(200, {"url": 5, "sha256": IN_HEX}),
        answer(200, {"url": "http://a:port/", "sha256": IN_HEX}),
        answer(200, b" " * (ANSWER_BYTES_MAX + 1)),
    ],
)
async def test_an_answer_without_an_address_is_none(tmp_path: Path, behaviour: Behaviour) -> None:
    """Whoever answered may not have been Meta."""
    async with open_pair() as (server, download):
        server.on_graph(behaviour)
        error = await download_fails(download, tmp_path)
    assert error in (
        "the Graph API did not say where the file is",
        "its address is not one of Meta's hosts over https: not asked",
    )


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 410, 500, 503])
async def test_only_a_whole_success_is_the_file(tmp_path: Path, status: int) -> None:
    """The body of an error would be kept as the picture otherwise."""
    async with open_pair() as (server, download):
        server.on("/file", answer(status))
        error = await download_fails(download, tmp_path)
    assert error == f"HTTP {status} from 127.0.0.1 instead of the file"


async def test_a_graph_api_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Refused connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_media(graph_url=url, phone_number_id="1", access_token=TOKEN) as download:
            error = await download_fails(download, tmp_path)
    assert error == "the Graph API could not be reached: ConnectError"


async def test_a_file_that_stalls_has_an_end(tmp_path: Path) -> None:
    """Between two bytes, as each request has it."""
    async with open_pair(timeouts=Timeouts(read_seconds=0.1)) as (server, download):
        server.on("/file", stall(HALF))
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 could not be reached: ReadTimeout"


async def test_a_file_that_drips_has_an_end(tmp_path: Path) -> None:
    """Each byte is in time; all of them together are not."""

    async def drip(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.005)

    async with open_pair(seconds_max=0.3) as (server, download):
        server.on("/file", drip)
        error = await download_fails(download, tmp_path)
    assert error == "the file was not there within 0.3 s"


# The disk -----------------------------------------------------------------------------------------


async def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In words, and without the path, in which a user's number may stand."""
    async with open_pair() as (_, download):
        with pytest.raises(MediaError) as caught:
            await download(IMAGE, tmp_path / "absent" / "picture", len(FILE))
    assert str(caught.value) == "the file cannot be written: No such file or directory"
    assert files(tmp_path) == []


async def test_a_disk_that_is_full_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails in the middle of the file."""
    opened = trio.open_file

    class Full:
        """A file that takes one piece."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner
            self.pieces = 0

        def write(self, piece: bytes) -> None:
            self.pieces += 1
            if self.pieces > 1:
                raise OSError(28, "No space left on device")
            self.inner.write(piece)

    class Wrapper:
        """As `trio.open_file` gives it."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner
            self.wrapped = Full(inner.wrapped)

        async def __aenter__(self) -> "Wrapper":
            return self

        async def __aexit__(self, *_: object) -> None:
            await self.inner.aclose()

    async def open_full(*arguments: Any) -> Wrapper:
        return Wrapper(await opened(*arguments))

    monkeypatch.setattr(trio, "open_file", open_full)
    async with open_pair() as (_, download):
        error = await download_fails(download, tmp_path)
        monkeypatch.undo()
        assert error == "the file cannot be written: No space left on device"
        assert (await download(IMAGE, tmp_path, len(FILE))).read_bytes() == FILE


# Cancelled ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", HALF], ids=["before the first byte", "in the middle"])
async def test_a_download_that_is_cancelled_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    """A planner is cut at once when its user writes again; the next download works."""
    async with open_pair() as (server, download):
        cancelled = trio.CancelScope()

        async def send_and_cancel(stream: trio.SocketStream) -> None:
            await stream.send_all(content)
            written = 0
            while content and not written:
                await trio.lowlevel.checkpoint()
                written = sum(path.stat().st_size for path in files(tmp_path))
            cancelled.cancel()
            await trio.sleep_forever()

        server.on("/file", send_and_cancel, WHOLE)
        with cancelled:
            await download(IMAGE, tmp_path, len(FILE))
        assert cancelled.cancelled_caught
        assert files(tmp_path) == []
        assert (await download(IMAGE, tmp_path, len(FILE))).read_bytes() == FILE


async def test_a_download_that_is_cancelled_while_it_writes_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step of the way to the disk: the file is whole and in its place, or there is none."""
    run_sync = trio.to_thread.run_sync
    # Cancels what it is told to at the given step; a step is a piece of work for a worker thread.
    steps: list[trio.CancelScope] = []

    async def step_by_step(*arguments: Any, **options: Any) -> Any:
        if steps:
            steps.pop().cancel()
        return await run_sync(*arguments, **options)

    monkeypatch.setattr(trio.to_thread, "run_sync", step_by_step)
    idle = trio.CancelScope()
    number = 0
    is_too_late = False
    async with open_pair() as (_, download):
        while not is_too_late:
            with trio.CancelScope() as cancelled:
                steps[:] = [cancelled, *[idle] * number]
                await download(IMAGE, tmp_path / "picture", len(FILE))
            is_too_late = not cancelled.cancelled_caught
            assert [path.name for path in files(tmp_path)] == ["picture"] * is_too_late
            number += 1
    # The answer, the place, opening, at least one piece, closing, moving; and then it is too late.
    assert number > 6


# Who sees the token -------------------------------------------------------------------------------


async def test_an_address_at_another_host_is_not_asked(tmp_path: Path) -> None:
    """Nobody but Meta gets the token, or makes this machine ask something of its own network."""
    async with open_server() as other, open_pair() as (server, download):
        server.on_graph(server.describe(url=f"{other.origin}/file"))
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 is not one of Meta's hosts over https: not asked"
    assert (other.connections, other.requests) == (0, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path, status: int) -> None:
    """Whoever answers for Meta cannot send the token on."""
    async with open_server() as other, open_pair() as (server, download):
        server.on("/file", answer(status, Location=f"{other.origin}/file"))
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 is not one of Meta's hosts over https: not asked"
    assert (other.connections, other.requests) == (0, [])


async def test_a_redirect_of_the_graph_api_is_not_followed(tmp_path: Path) -> None:
    """Where the token goes is a setting, not an answer."""
    async with open_server() as other, open_pair() as (server, download):
        server.on_graph(answer(302, Location=f"{other.graph_url}/{IMAGE.id}"))
        error = await download_fails(download, tmp_path)
    assert error.startswith("the Graph API refuses: HTTP 302: a redirect is never followed")
    assert other.connections == 0


async def test_a_redirect_at_the_same_host_is_followed(tmp_path: Path) -> None:
    """With the token, and not for ever."""
    async with open_pair() as (server, download):
        server.on("/file", answer(302, Location="/there"))
        server.on("/there", WHOLE)
        assert (await download(IMAGE, tmp_path, len(FILE))).read_bytes() == FILE
        assert server.requests[-1][1]["authorization"] == f"Bearer {TOKEN}"
        (tmp_path / f"{IMAGE.id}.jpg").unlink()
        server.on("/there", answer(302, Location="/file"))
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 answers with redirects that lead nowhere"


async def test_a_redirect_to_nowhere_is_told(tmp_path: Path) -> None:
    """Its address is none."""
    async with open_pair() as (server, download):
        server.on("/file", answer(302, Location="http://a:port/"))
        error = await download_fails(download, tmp_path)
    assert error == "127.0.0.1 answers with redirects that lead nowhere"


async def test_a_redirect_to_another_host_of_metas_does_not_get_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is signed; and once the token is off, no host gets it back."""
    monkeypatch.setattr(Hosts, "has", lambda *_: True)
    async with open_server() as lookaside, open_server() as content, open_pair() as (graph, download):
        graph.on_graph(graph.describe(url=f"{lookaside.origin}/attachment"))
        lookaside.on("/attachment", answer(302, Location=f"{content.origin}/moved"))
        content.on("/moved", answer(302, Location=f"{lookaside.origin}/file"))
        path = await download(IMAGE, tmp_path, len(FILE))
    assert path.read_bytes() == FILE
    shown = [
        [(target, headers.get("authorization")) for target, headers in server.requests]
        for server in (lookaside, content)
    ]
    assert shown == [[("/attachment", f"Bearer {TOKEN}"), ("/file", None)], [("/moved", None)]]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", True),
        ("https://LOOKASIDE.fbsbx.com/x", True),
        ("https://lookaside.fbsbx.com:443/x", True),
        ("https://graph.facebook.com/v26.0/1", True),
        ("https://scontent.xx.fbcdn.net/v/1", True),
        ("https://mmg.whatsapp.net/d/1", True),
        ("http://lookaside.fbsbx.com/x", False),
        ("https://lookaside.fbsbx.com:8443/x", False),
        ("https://lookaside.fbsbx.com./x", False),
        ("https://lookaside.fbsbx.com@evil.example/x", False),
        ("https://evil@lookaside.fbsbx.com/x", False),
        ("https://evil.example/lookaside.fbsbx.com", False),
        ("https://evil.example?lookaside.fbsbx.com", False),
        ("https://evil.example#.fbsbx.com", False),
        ("https://lookaside.fbsbx.com.evil.example/x", False),
        ("https://xn--lookaside-.xn--fbsbx-.com/x", False),
        ("https://lookaside.fbsbx.com\\@evil.example/x", False),
        ("https://evilfbsbx.com/x", False),
        ("https://evilfbcdn.net/x", False),
        ("https://fbcdn.net/x", False),
        ("https://graph.facebook.com.evil.example/x", False),
        ("https://www.facebook.com/x", False),
        ("https://127.0.0.1/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://[::1]/x", False),
        ("ftp://lookaside.fbsbx.com/x", False),
        ("file:///etc/passwd", False),
        ("//lookaside.fbsbx.com/x", False),
        ("/x", False),
        ("", False),
    ],
)
def test_an_address_is_metas_by_its_whole_host_over_https(url: str, expected: bool) -> None:
    """Another scheme, another port, a host that only looks like it: none of them is."""
    assert HOSTS.has(httpx2.URL(url)) is expected


async def test_the_address_in_a_webhook_is_not_asked(tmp_path: Path) -> None:
    """It is old, and a fresh one costs one request."""
    async with open_server() as other, open_pair() as (_, download):
        await download(attrs.evolve(IMAGE, url=f"{other.origin}/file"), tmp_path, len(FILE))
    assert other.connections == 0


async def test_plain_http_goes_past_every_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would see the token then, and loopback needs none."""
    async with open_server() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
            monkeypatch.setenv(name.lower(), proxy.origin)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with open_pair() as (_, download):
            await download(IMAGE, tmp_path, len(FILE))
    assert proxy.connections == 0


async def test_no_log_and_no_repr_shows_the_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every logger, over success and failure."""
    caplog.set_level(logging.DEBUG)
    async with open_pair() as (server, download):
        path = await download(IMAGE, tmp_path, len(FILE))
        path.unlink()
        server.on("/file", raw(b"", close=True))
        await download_fails(download, tmp_path)
        server.on_graph(answer(400, GONE))
        await download_fails(download, tmp_path)
        assert TOKEN not in repr(download)
    assert caplog.records
    assert TOKEN not in caplog.text
    assert not any(TOKEN in repr(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("token", ["", "se cret", "secret\r\nX: y", "sécret"])
async def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    """The library's own error would quote it."""
    with pytest.raises(ValueError, match="the access token is empty or holds characters") as caught:
        async with open_media(graph_url="http://127.0.0.1:1", phone_number_id="1", access_token=token):
            pytest.fail("it was opened")  # pragma: no cover
    assert "cret" not in str(caught.value)


# Through 360dialog --------------------------------------------------------------------------------


@asynccontextmanager
async def open_dialog360() -> AsyncIterator[tuple[Server, MediaSource]]:
    """A server that is 360dialog's API, and downloads through it: what it tells is Meta's own address."""
    async with (
        open_server() as server,
        Dialog360Channel(api_key=TOKEN, api_url=f"{server.origin}/").open_media() as download,
    ):
        server.on(f"/{IMAGE.id}", server.describe(url="https://lookaside.fbsbx.com/file?mid=1&hash=x%2F"))
        yield server, download


async def test_through_360dialog_a_file_is_asked_for_at_its_api_in_place_of_metas_host(
    tmp_path: Path,
) -> None:
    """The path and the query stay as they are; the key is in both requests, and nothing else of ours."""
    async with open_dialog360() as (server, download):
        path = await download(IMAGE, tmp_path, bytes_max=len(FILE))
    assert path == tmp_path / f"{IMAGE.id}.jpg"
    assert path.read_bytes() == FILE
    assert server.asked == [f"/{IMAGE.id}", "/file?mid=1&hash=x%2F"]
    for _, headers in server.requests:
        assert headers["d360-api-key"] == TOKEN
        assert "authorization" not in headers


async def test_through_360dialog_an_address_at_its_own_api_stays(tmp_path: Path) -> None:
    """Whenever it tells one of its own."""
    async with open_dialog360() as (server, download):
        server.on(f"/{IMAGE.id}", server.describe())
        assert (await download(IMAGE, tmp_path, bytes_max=len(FILE))).read_bytes() == FILE
    assert server.asked[-1] == "/file?mid=1&hash=x"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_through_360dialog_no_other_host_is_asked(tmp_path: Path, scheme: str) -> None:
    """Nor made one of ours: its path would mean something else here."""
    async with open_dialog360() as (server, download):
        server.on(f"/{IMAGE.id}", server.describe(url=f"{scheme}://evil.example/file"))
        error = await download_fails(download, tmp_path)
    assert error == "evil.example is not one of Meta's hosts over https: not asked"
    assert len(server.asked) == 1


async def test_through_360dialog_another_file_than_the_one_that_was_sent_is_not_kept(tmp_path: Path) -> None:
    """It passes on the hash of Meta's, and the message has one."""
    async with open_dialog360() as (server, download):
        server.on("/file", answer(200, FILE[:-1] + b"?"))
        error = await download_fails(download, tmp_path)
    assert error == "the file is not the one that was sent: its SHA-256 is another"


@pytest.mark.parametrize(
    ("behaviour", "words", "code"),
    [
        (answer(400, GONE), TOLD_GONE, 100),
        (
            answer(401, {"meta": {"developer_message": f"Invalid api key {TOKEN}"}}),
            "360dialog's API refuses: 360dialog does not accept the API key, or not for this:"
            " Invalid api key ...",
            None,
        ),
        (answer(200, b"<html>"), "360dialog's API did not say where the file is", None),
    ],
)
async def test_what_360dialog_refuses_is_told_in_its_name(
    tmp_path: Path, behaviour: Behaviour, words: str, code: int | None
) -> None:
    """And by its own table, where the words are its own."""
    async with open_dialog360() as (server, download):
        server.on(f"/{IMAGE.id}", behaviour)
        with pytest.raises(MediaError) as caught:
            await download(IMAGE, tmp_path, bytes_max=len(FILE))
        await download_fails(download, tmp_path)
    assert (caught.value.reason, caught.value.code) == (words, code)


# Through Twilio -----------------------------------------------------------------------------------

IN_BASIC = "Basic " + base64.b64encode(f"AC1:{TOKEN}".encode()).decode()
AT_TWILIO = "/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
# As a webhook of Twilio's makes it: its address, and no hash.
PICTURE = Image(id="ME1", mime_type="image/jpeg", url=f"https://api.twilio.com{AT_TWILIO}")


@asynccontextmanager
async def open_twilio() -> AsyncIterator[tuple[Server, Server, MediaSource]]:
    """A server that is Twilio's API, one that the API sends on to, and downloads through them."""
    async with (
        open_server() as server,
        open_server() as content,
        TwilioChannel(
            account_sid="AC1",
            auth_token=TOKEN,
            numbers=("1",),
            webhook_url="https://bot.example.org/webhook",
            api_url=f"{server.origin}/",
        ).open_media() as download,
    ):
        server.on(AT_TWILIO, answer(307, Location=f"{content.origin}/file?Signature=x"))
        yield server, content, download


def trust(monkeypatch: pytest.MonkeyPatch, *servers: Server) -> None:
    """Take these for hosts of the provider's, which a server without a certificate cannot be."""
    ports = {int(server.origin.rpartition(":")[2]) for server in servers}
    monkeypatch.setattr(Hosts, "has", lambda _, url: url.port in ports)


async def test_through_twilio_the_credentials_go_to_the_api_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends on to a signed address at another host, which is good for four hours."""
    async with open_twilio() as (server, content, download):
        trust(monkeypatch, content)
        path = await download(PICTURE, tmp_path, bytes_max=len(FILE))
    assert path == tmp_path / "ME1.jpg"
    assert path.read_bytes() == FILE
    shown = [
        [(target, headers.get("authorization")) for target, headers in each.requests]
        for each in (server, content)
    ]
    assert shown == [[(AT_TWILIO, IN_BASIC)], [("/file?Signature=x", None)]]


async def test_through_twilio_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    """Only its own are, over https."""
    async with open_twilio() as (_, content, download):
        error = await download_fails(download, tmp_path, media=PICTURE)
    assert error == "127.0.0.1 is not one of Twilio's hosts over https: not asked"
    assert content.connections == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://mms.twiliocdn.com/AC1/x?Expires=1&Signature=x", True),
        ("https://media.twiliocdn.com/x", True),
        ("https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/x", True),
        ("https://other.s3-external-1.amazonaws.com/x", False),
        ("http://mms.twiliocdn.com/x", False),
        ("https://eviltwiliocdn.com/x", False),
        ("https://mms.twiliocdn.com.evil.example/x", False),
        ("https://mms.twiliocdn.com@evil.example/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
    ],
)
def test_an_address_is_twilios_by_its_whole_host_over_https(url: str, expected: bool) -> None:
    """Where its API sends on to, today and for what is old."""
    assert TWILIO_HOSTS.has(httpx2.URL(url)) is expected


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://[bad",
        "https://api.twilio.com/",
        "https://api.twilio.com/2010-04-01/Accounts/AC2/Messages/MM1/Media/ME1",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/../ME1",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/..",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/%2e%2e",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/" + "x" * 65,
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
    ],
)
async def test_through_twilio_nothing_is_asked_but_a_file_of_our_account(
    tmp_path: Path, url: str | None
) -> None:
    """The address is in the message: what it names is asked with our credentials."""
    async with open_twilio() as (server, _, download):
        error = await download_fails(download, tmp_path, media=attrs.evolve(PICTURE, url=url))
    assert error == "the message has no file that Twilio could be asked for"
    assert server.connections == 0


async def test_through_twilio_the_host_that_a_message_names_is_not_asked(tmp_path: Path) -> None:
    """The API that is configured is, whoever the message says has the file."""
    async with open_twilio() as (server, other, download):
        server.on(AT_TWILIO, WHOLE)
        await download(
            attrs.evolve(PICTURE, url=f"{other.origin}{AT_TWILIO}?x=1"), tmp_path, bytes_max=len(FILE)
        )
    assert server.asked == [AT_TWILIO]
    assert other.connections == 0


async def test_through_twilio_the_numbers_of_an_account_have_one_way_to_their_files(tmp_path: Path) -> None:
    """The credentials are the account's; what came to another's number is not asked for."""
    async with (
        open_server() as server,
        TwilioChannel(
            account_sid="AC1",
            auth_token=TOKEN,
            numbers=("1", "2"),
            webhook_url="https://bot.example.org/webhook",
            api_url=server.origin,
        ).open_media() as download,
    ):
        server.on(AT_TWILIO, WHOLE)
        assert (await download(PICTURE, tmp_path, bytes_max=len(FILE), number="2")).read_bytes() == FILE
        with pytest.raises(MediaError, match=r"^it came to the number 3, which is not configured$"):
            await download(PICTURE, tmp_path, bytes_max=len(FILE), number="3")


async def test_through_twilio_what_comes_is_counted(tmp_path: Path) -> None:
    """Twilio tells no size beforehand."""
    async with open_twilio() as (server, _, download):
        server.on(AT_TWILIO, chunked(FILE, b"x"))
        error = await download_fails(download, tmp_path, media=PICTURE)
    assert error == "the file is too large: at most 262,144 bytes are allowed"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "HTTP 401 from 127.0.0.1 instead of the file"),
        (404, "Twilio does not have the file: it was deleted there"),
        (429, "HTTP 429 from 127.0.0.1 instead of the file"),
    ],
)
async def test_what_twilio_refuses_is_told(tmp_path: Path, status: int, words: str) -> None:
    """It keeps a file until somebody deletes it."""
    async with open_twilio() as (server, _, download):
        server.on(AT_TWILIO, answer(status, {"code": 20404, "message": "not found"}))
        error = await download_fails(download, tmp_path, media=PICTURE)
    assert error == words


# Whichever door -----------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "se cret", "secret\r\nX: y", "sécret"])
async def test_no_door_opens_with_a_token_that_no_header_can_carry(token: str) -> None:
    """The library's own error would quote it."""
    doors = (
        Dialog360Channel(api_key=token),
        TwilioChannel(account_sid="AC1", auth_token=token, numbers=("1",), webhook_url="https://x"),
    )
    for door in doors:
        with pytest.raises(ValueError, match="is empty or holds") as caught:
            async with door.open_media():
                pytest.fail("it was opened")  # pragma: no cover
        assert "cret" not in str(caught.value)
