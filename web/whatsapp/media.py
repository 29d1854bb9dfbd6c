"""Downloads a file that a user sent: asks the Graph API where it is, then streams it to the disk.

Rule 1: the token goes to Meta's hosts over https and to the Graph API's own address, and along no redirect to
another host; no other host is asked at all, whoever names it.
Rule 2: nobody sees half a file: it is written beside its place, checked, and then moved there.
Rule 3: no name that a user chose becomes part of a path.
Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import httpx2
import trio

from engine import MediaError
from engine.content import Media
from web.posting import ANSWER_BYTES_MAX, CONNECTIONS_MAX, Timeouts, can_stand_in_header
from web.whatsapp.error_codes import classify
from web.whatsapp.values import number_of, object_of, read_json, text_of

# Where the Graph API is, and where it says that files are.
HOSTS: Final = frozenset({"graph.facebook.com", "lookaside.fbsbx.com"})
# Meta's other hosts for files.  The documentation shows `lookaside` alone and promises nothing.
HOST_ENDINGS: Final = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net")
# WhatsApp takes nothing larger, and refuses what a user sends that is (error 131052).
BYTES_MAX: Final = 100 * 1024 * 1024
# As long as an address lives.  100 MB in this time is a third of a megabyte a second.
SECONDS_MAX: Final = 300.0
# An address and a fresh one.  More would be of no use, and Meta blocks who asks in vain for long.
_ADDRESSES_MAX: Final = 2
_REDIRECTS_MAX: Final = 3
# To remove what was written when a download fails.
_REMOVE_SECONDS_MAX: Final = 5.0

# Meta's are digits.  This is also what may stand in a path, on the disk and in an address.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_SHA256_BYTES: Final = 32
_HOST_CHARACTERS_SHOWN: Final = 100

# WhatsApp's own list.  The system's would differ from machine to machine.
EXTENSIONS: Final[Mapping[str, str]] = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "text/csv": ".csv",
    "text/plain": ".txt",
}
_ANY_EXTENSION: Final = ".bin"


@asynccontextmanager
async def open_media(
    *,
    graph_url: str,
    phone_number_id: str,
    access_token: str,
    timeouts: Timeouts | None = None,
    seconds_max: float = SECONDS_MAX,
) -> AsyncIterator["MediaDownloader"]:
    """Downloads for one business number.  `graph_url` is the root with its version: `https://host/v26.0`.

    The proxies of the environment count as they do for `open_client`.  `seconds_max` is for one download in
    all; of `timeouts`, the total does not count here.
    Raises ValueError, without the token, when the token could not stand in a header.
    """
    if not can_stand_in_header(access_token):
        raise ValueError("the access token is empty or holds characters that no HTTP header can carry")
    timeouts = timeouts or Timeouts()
    url = httpx2.URL(graph_url.rstrip("/"))
    async with httpx2.AsyncClient(
        # The token is not among these: each request says for itself whether it carries it.
        headers={"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(
            connect=timeouts.connect_seconds,
            write=timeouts.write_seconds,
            read=timeouts.read_seconds,
            pool=timeouts.pool_seconds,
        ),
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
        follow_redirects=False,
        trust_env=url.scheme == "https",
    ) as http:
        yield MediaDownloader(
            http=http,
            graph_url=url,
            phone_number_id=phone_number_id,
            token=access_token,
            seconds_max=seconds_max,
        )


@attrs.frozen(eq=False, kw_only=True)
class MediaDownloader:
    """Where the files are that users sent to one number."""

    _http: httpx2.AsyncClient = attrs.field(repr=False)
    _graph_url: httpx2.URL
    _phone_number_id: str = attrs.field(repr=False)
    _token: str = attrs.field(repr=False)
    _seconds_max: float = attrs.field(repr=False)

    async def __call__(self, media: Media, to: Path, bytes_max: int = BYTES_MAX) -> Path:
        """Download the file; returns where it is.

        `to` is a path, or a directory that is there: the name in it is then the id and an ending by type.
        A file that is there already is replaced, in one step and only by a whole one.  May be cancelled at
        any await, and leaves nothing then.  Raises MediaError.
        """
        with trio.move_on_after(self._seconds_max):
            try:
                return await self._download(media, to, bytes_max)
            except OSError as error:  # of the disk: those of the network have become a RequestError
                raise MediaError(f"the file cannot be written: {error.strerror}") from error
        raise MediaError(f"the file was not there within {self._seconds_max:g} s")

    async def _download(self, media: Media, to: Path, bytes_max: int) -> Path:
        for _ in range(_ADDRESSES_MAX):
            found = await self._ask(media)
            if found.size is not None and found.size > bytes_max:
                raise _too_large(bytes_max, found.size)
            path = to / found.name if await trio.Path(to).is_dir() else to
            async with _beside(path) as part:
                digest = await self._fetch(found.url, part, bytes_max)
                if digest is None:
                    continue
                if not all(hmac.compare_digest(digest, expected) for expected in found.digests):
                    raise MediaError("the file is not the one that was sent: its SHA-256 is another")
                # Nothing can land after it: a thread that has begun is waited for.
                await trio.Path(part).replace(path)
            return path
        raise MediaError("the file's address has expired, and so has a fresh one")

    async def _ask(self, media: Media) -> "_Found":
        """Where the file is just now; the address lives five minutes."""
        if not _ID.fullmatch(media.id):
            raise MediaError("the message has no file that the Graph API could be asked for")
        body = bytearray()
        try:
            async with self._http.stream(
                "GET",
                httpx2.URL(f"{self._graph_url}/{media.id}"),
                params={"phone_number_id": self._phone_number_id},
                headers=self._authorization,
            ) as response:
                is_whole = await _pour(response, body.extend, ANSWER_BYTES_MAX)
        except httpx2.RequestError as error:
            raise MediaError(f"the Graph API could not be reached: {type(error).__name__}") from error
        if not 200 <= response.status_code < 300:
            quoted = bytes(body).replace(self._token.encode(), b"...")
            raise _refusal(response.status_code, quoted if is_whole else None)
        return _found(media, bytes(body) if is_whole else b"")

    @property
    def _authorization(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def _fetch(self, url: httpx2.URL, part: Path, bytes_max: int) -> bytes | None:
        """Write what is at this address to `part`; returns its SHA-256, None when the address has expired."""
        authorization = self._authorization
        for _ in range(1 + _REDIRECTS_MAX):
            host = _host(url)[:_HOST_CHARACTERS_SHOWN]
            if not (is_metas(url) or _origin(url) == _origin(self._graph_url)):
                raise MediaError(f"{host or 'its address'} is not one of Meta's hosts over https: not asked")
            try:
                async with self._http.stream("GET", url, headers=authorization) as response:
                    if not response.has_redirect_location:
                        return await _keep(response, part, bytes_max)
                    following = response.next_request
            except httpx2.RequestError as error:
                raise MediaError(f"{host} could not be reached: {type(error).__name__}") from error
            if following is None:
                break
            if _origin(following.url) != _origin(url):
                authorization = {}
            url = following.url
        raise MediaError(f"{host} answers with redirects that lead nowhere")


def is_metas(url: httpx2.URL) -> bool:
    """Whether it is an address of Meta's, over https, that the token may go to."""
    return (
        url.scheme == "https"
        and url.port is None
        and not url.userinfo
        and (_host(url) in HOSTS or _host(url).endswith(HOST_ENDINGS))
    )


def _host(url: httpx2.URL) -> str:
    # As it is looked up, not as a person would read it: the two might differ.
    return url.raw_host.decode("ascii")


def _origin(url: httpx2.URL) -> tuple[str, bytes, str, int | None]:
    return url.scheme, url.userinfo, _host(url), url.port


# What the Graph API answers -----------------------------------------------------------------------

# To a GET of an id that is gone, or of another number's: "Object with ID '…' does not exist …".
_NO_SUCH_OBJECT: Final = 100
_GONE: Final = (
    "WhatsApp does not have the file: it keeps what a user sends for 7 days,"
    " and gives it to the number it was sent to alone"
)


@attrs.frozen(kw_only=True)
class _Found:
    """A file that is there: where, under what name to keep it, how large, with which SHA-256."""

    url: httpx2.URL
    name: str
    size: int | None
    digests: tuple[bytes, ...]


def _found(media: Media, body: bytes) -> _Found:
    try:
        answer = object_of(read_json(body))
        url = httpx2.URL(text_of(answer.get("url")) or "")
    except (ValueError, RecursionError, httpx2.InvalidURL) as error:
        raise MediaError("the Graph API did not say where the file is") from error
    digests = [_digest(given) for given in (text_of(answer.get("sha256")), media.sha256) if given]
    readable = tuple(digest for digest in digests if digest is not None)
    if not readable:
        raise MediaError("nobody says which SHA-256 the file has: it cannot be checked")
    size = number_of(answer.get("file_size"))
    return _Found(
        url=url,
        name=media.id + _extension(text_of(answer.get("mime_type")) or media.mime_type or ""),
        size=None if size is None else int(size),
        digests=readable,
    )


def _digest(text: str) -> bytes | None:
    """A SHA-256 in hex, as the Graph API writes it, or in base64, as webhooks do."""
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            digest = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(digest) == _SHA256_BYTES:
            return digest
    return None


def _extension(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type.partition(";")[0].strip().lower(), _ANY_EXTENSION)


def _refusal(status: int, body: bytes | None) -> MediaError:
    refused = classify(status, body)
    if refused.code == _NO_SUCH_OBJECT:
        return MediaError(_GONE, refused.code)
    return MediaError(f"the Graph API refuses: {refused.reason}", refused.code)


# To the disk --------------------------------------------------------------------------------------


@asynccontextmanager
async def _beside(path: Path) -> AsyncIterator[Path]:
    """A path for the unfinished file: in the same directory, and gone afterwards unless it was moved."""
    part = path.with_name(f".midstream-{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        with (
            trio.move_on_after(_REMOVE_SECONDS_MAX, shield=True),
            # What cannot be removed must not hide why.
            contextlib.suppress(OSError),
        ):
            await trio.Path(part).unlink(missing_ok=True)


async def _keep(response: httpx2.Response, part: Path, bytes_max: int) -> bytes | None:
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        host = _host(response.url)[:_HOST_CHARACTERS_SHOWN]
        raise MediaError(f"HTTP {response.status_code} from {host} instead of the file")
    length = number_of(response.headers.get("Content-Length"))
    if length is not None and length > bytes_max:
        raise _too_large(bytes_max, int(length))
    sha256 = hashlib.sha256()
    async with await trio.open_file(part, "xb") as file:

        def keep(chunk: bytes) -> None:
            sha256.update(chunk)
            file.wrapped.write(chunk)

        if not await _pour(response, keep, bytes_max):
            raise _too_large(bytes_max)
    return sha256.digest()


async def _pour(response: httpx2.Response, keep: Callable[[bytes], object], bytes_max: int) -> bool:
    """Give the body to `keep`, piece by piece in a worker thread; returns whether `bytes_max` held it all."""
    count = 0
    failure: OSError | None = None
    with trio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            # Never `break` or raise in here: the library's generators would be left to the garbage collector.
            count += len(chunk)
            if count > bytes_max or failure is not None:
                reading.cancel()
                continue
            try:
                # A thread is waited for in any case; so nothing is raised before it, either.
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(keep, chunk)
            except OSError as error:
                failure = error
                reading.cancel()
    if failure is not None:
        raise failure
    return count <= bytes_max


def _too_large(bytes_max: int, size: int | None = None) -> MediaError:
    known = "" if size is None else f" with its {size:,}"
    return MediaError(f"the file is too large{known}: at most {bytes_max:,} bytes are allowed")
