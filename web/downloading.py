"""Downloads a file that a user sent: is told where it is, and streams it to the disk.

Rule 1: credentials go to the address that they are for, and along no redirect to another host; no host but
the provider's is asked at all, whoever names it.
Rule 2: nobody sees half a file: it is written beside its place, checked, and then moved there.
Rule 3: no name that a user chose becomes part of a path.
"""

import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import attrs
import httpx2
import trio

from engine import MediaError
from engine.content import BYTES_MAX, Media
from web.posting import CONNECTIONS_MAX, Timeouts
from web.whatsapp.values import number_of

# As long as an address of Meta's lives.  100 MB in this time is a third of a megabyte a second.
SECONDS_MAX: Final = 300.0
# An address and a fresh one.  More would be of no use, and Meta blocks who asks in vain for long.
_ADDRESSES_MAX: Final = 2
_REDIRECTS_MAX: Final = 3
# To remove what was written when a download fails.
_REMOVE_SECONDS_MAX: Final = 5.0
_HOST_CHARACTERS_SHOWN: Final = 100

# Meta's are digits.  This is also what may stand in a path, on the disk and in an address.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")

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


def is_id(text: str) -> bool:
    """Whether it may stand in a path, on the disk and in an address."""
    return _ID.fullmatch(text) is not None


@attrs.frozen
class Hosts:
    """Where a provider keeps files.  `whose`, for an error: "Meta's"."""

    whose: str
    names: frozenset[str]
    # What a host may end in, each with its dot.
    endings: tuple[str, ...]

    def has(self, url: httpx2.URL) -> bool:
        """Whether it is an address of the provider's, over https."""
        host = host_of(url)
        return (
            url.scheme == "https"
            and url.port is None
            and not url.userinfo
            and (host in self.names or host.endswith(self.endings))
        )


@attrs.frozen(kw_only=True)
class Found:
    """A file that is there: where, under what name to keep it, how large, with which SHA-256.

    `gone`: what is to be said when it is there no more.
    """

    url: httpx2.URL
    name: str
    gone: str
    size: int | None = None
    digests: tuple[bytes, ...] = ()

    @classmethod
    def name_of(cls, media_id: str, mime_type: str | None) -> str:
        """The name of a file in a directory: its id, and an ending by its type."""
        essence = (mime_type or "").partition(";")[0].strip().lower()
        return media_id + EXTENSIONS.get(essence, _ANY_EXTENSION)


class Find(Protocol):
    """Finds out where a file is just now."""

    async def __call__(self, http: httpx2.AsyncClient, media: Media) -> Found:
        """Raises MediaError, httpx2.RequestError in it."""
        ...


@asynccontextmanager
async def open_downloader(
    *,
    api_url: str,
    find: Find,
    hosts: Hosts,
    credentials: Mapping[str, str],
    timeouts: Timeouts | None = None,
    seconds_max: float = SECONDS_MAX,
) -> AsyncIterator["Downloader"]:
    """Downloads from the API at `api_url` and from the hosts that belong to it.

    `credentials` are the headers that the API knows us by.  The proxies of the environment count as they do
    for `open_poster`.  `seconds_max` is for one download in all; the total of `timeouts` does not count.
    """
    timeouts = timeouts or Timeouts()
    url = httpx2.URL(api_url)
    async with httpx2.AsyncClient(
        # The credentials are not among these: each request says for itself whether it carries them.
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
        yield Downloader(
            http=http,
            api_url=url,
            find=find,
            hosts=hosts,
            credentials=credentials,
            seconds_max=seconds_max,
        )


@attrs.frozen(eq=False, kw_only=True)
class Downloader:
    """Where the files are that users sent to one number."""

    _http: httpx2.AsyncClient = attrs.field(repr=False)
    _api_url: httpx2.URL
    _find: Find = attrs.field(repr=False)
    _hosts: Hosts = attrs.field(repr=False)
    _credentials: Mapping[str, str] = attrs.field(repr=False)
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
            found = await self._find(self._http, media)
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
        raise MediaError(found.gone)

    async def _fetch(self, url: httpx2.URL, part: Path, bytes_max: int) -> bytes | None:
        """Write what is at this address to `part`; returns its SHA-256, None when the address has expired."""
        credentials = self._credentials
        for _ in range(1 + _REDIRECTS_MAX):
            host = host_of(url)[:_HOST_CHARACTERS_SHOWN]
            if not (self._hosts.has(url) or _origin(url) == _origin(self._api_url)):
                whose = self._hosts.whose
                raise MediaError(f"{host or 'its address'} is not one of {whose} hosts over https: not asked")
            try:
                async with self._http.stream("GET", url, headers=credentials) as response:
                    if not response.has_redirect_location:
                        return await _keep(response, part, bytes_max)
                    following = response.next_request
            except httpx2.RequestError as error:
                raise MediaError(f"{host} could not be reached: {type(error).__name__}") from error
            if following is None:
                break
            if _origin(following.url) != _origin(url):
                credentials = {}
            url = following.url
        raise MediaError(f"{host} answers with redirects that lead nowhere")


def host_of(url: httpx2.URL) -> str:
    """As it is looked up, not as a person would read it: the two might differ."""
    return url.raw_host.decode("ascii")


def _origin(url: httpx2.URL) -> tuple[str, bytes, str, int | None]:
    return url.scheme, url.userinfo, host_of(url), url.port


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
        host = host_of(response.url)[:_HOST_CHARACTERS_SHOWN]
        raise MediaError(f"HTTP {response.status_code} from {host} instead of the file")
    length = number_of(response.headers.get("Content-Length"))
    if length is not None and length > bytes_max:
        raise _too_large(bytes_max, int(length))
    sha256 = hashlib.sha256()
    async with await trio.open_file(part, "xb") as file:

        def keep(chunk: bytes) -> None:
            sha256.update(chunk)
            file.wrapped.write(chunk)

        if not await pour(response, keep, bytes_max):
            raise _too_large(bytes_max)
    return sha256.digest()


async def pour(response: httpx2.Response, keep: Callable[[bytes], object], bytes_max: int) -> bool:
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
