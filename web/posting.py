"""Posts to a provider's API, messages and files, and says what is certain when no whole answer comes.

Rule 1: nothing is tried again here; the outbox decides, by the kind of `SendError`.
Rule 2: only what certainly was not written counts as not sent; what was written and has no answer is
ambiguous, because these APIs know no idempotency key.
Rule 3: the secrets go to the addresses they are for and nowhere else: not along a redirect, not into a log or
an error.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import httpx2
import trio

from engine import SendAmbiguous, SendDelayed

# Answers are a few hundred bytes; more comes from something that is not the API.
ANSWER_BYTES_MAX: Final = 1_048_576
# More than the outbox has under way at once, typing signals included.
CONNECTIONS_MAX: Final = 100

# The request was not written: the message was certainly not sent.
_NOT_WRITTEN: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long each step of a request may take, in seconds."""

    # Two lost SYNs (1 s, then 2 s later) and a TLS handshake.
    connect_seconds: float = 5.0
    # A request is a few kilobytes: a link that takes longer is broken.
    write_seconds: float = 5.0
    # An API answers in under a second; giving up early makes a sent message ambiguous, so wait long.
    read_seconds: float = 20.0
    # For a connection that is free; there are more of them than senders.
    pool_seconds: float = 5.0
    # All of it together: an answer that drips byte by byte never meets `read_seconds`.
    total_seconds: float = 40.0


@attrs.frozen(kw_only=True)
class ApiAnswer:
    """What the API answered.  `body` None: it broke off, or was longer than ANSWER_BYTES_MAX."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_success(self) -> bool:
        """Whether the request was taken."""
        return 200 <= self.status < 300


def can_stand_in_header(secret: str) -> bool:
    """Whether it can be sent; the library's own error would quote it."""
    return bool(secret) and secret.isascii() and secret.isprintable() and " " not in secret


@asynccontextmanager
async def open_poster(
    *,
    api: str,
    urls: Sequence[str],
    headers: Mapping[str, str],
    secrets: Sequence[str],
    timeouts: Timeouts | None = None,
) -> AsyncIterator["Poster"]:
    """A poster to these addresses, with these headers in each request.

    `api` is its name in an error ("the Graph API"); `secrets` is what stands in the headers and may stand
    nowhere else.

    Over https the environment's proxies are honoured (`HTTPS_PROXY`, `NO_PROXY`): they see the host, not the
    secrets.  Over plain http, which is for loopback, they are not: they would see everything.
    """
    timeouts = timeouts or Timeouts()
    async with httpx2.AsyncClient(
        headers={
            **headers,
            # Never decompressed, so that a small answer cannot become a large one.
            "Accept-Encoding": "identity",
        },
        timeout=httpx2.Timeout(
            connect=timeouts.connect_seconds,
            write=timeouts.write_seconds,
            read=timeouts.read_seconds,
            pool=timeouts.pool_seconds,
        ),
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
        follow_redirects=False,
        trust_env=all(httpx2.URL(url).scheme == "https" for url in urls),
    ) as http:
        yield Poster(
            http=http,
            api=api,
            secrets=tuple(secret.encode() for secret in secrets),
            total_seconds=timeouts.total_seconds,
        )


@attrs.frozen(eq=False, kw_only=True)
class Poster:
    """One connection pool to one API."""

    _http: httpx2.AsyncClient = attrs.field(repr=False)
    _api: str
    # Only to take them out of what the API quotes of them in an error.
    _secrets: tuple[bytes, ...] = attrs.field(repr=False)
    _total_seconds: float = attrs.field(repr=False)

    async def post(
        self,
        url: str,
        content: bytes | httpx2.AsyncByteStream,
        *,
        headers: Mapping[str, str] | None = None,
        seconds_max: float | None = None,
    ) -> ApiAnswer:
        """The API's answer, whatever its status.

        `headers` go over those of every request; a stream needs its `Content-Length` among them.
        `seconds_max` goes over the total of the timeouts.
        Raises SendDelayed when the request was not written, SendAmbiguous when it was and no answer came.
        """
        seconds_max = self._total_seconds if seconds_max is None else seconds_max
        request = self._request(url, content, headers)
        with trio.move_on_after(seconds_max):
            try:
                response = await self._http.send(request, stream=True)
                try:
                    return ApiAnswer(
                        status=response.status_code,
                        headers=response.headers,
                        body=await self._read_body(response),
                    )
                finally:
                    await response.aclose()
            except _NOT_WRITTEN as error:
                reason = f"{self._api} could not be reached: {_why(error)}"
                raise SendDelayed(reason, whole_number=True) from error
            except httpx2.RequestError as error:
                raise SendAmbiguous(f"the request was written, then {type(error).__name__}") from error
        raise SendAmbiguous(f"no whole answer within {seconds_max:g} s")

    def _request(
        self, url: str, content: bytes | httpx2.AsyncByteStream, headers: Mapping[str, str] | None
    ) -> httpx2.Request:
        if isinstance(content, bytes):
            return self._http.build_request("POST", url, headers=headers, content=content)
        request = self._http.build_request("POST", url, headers=headers)
        # Not as an argument: the library would put it into a generator, left unclosed by a cancellation.
        request.stream = content
        return request

    async def _read_body(self, response: httpx2.Response) -> bytes | None:
        body = bytearray()
        with trio.CancelScope() as reading:
            try:
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        # Not `break`: the library's generators would be left to the garbage collector.
                        reading.cancel()
            except httpx2.RequestError:
                # The status has been read: an error needs no more, a success without an id is ambiguous.
                return None
        return None if len(body) > ANSWER_BYTES_MAX else self._without_secrets(bytes(body))

    def _without_secrets(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"...")
        return body


def _why(error: httpx2.RequestError) -> str:
    """The error in words; its own only where no request was written yet that they could quote."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, httpx2.ConnectError) else name
