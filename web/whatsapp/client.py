"""Sends one text or one typing signal through the Graph API, and says what is to be done when that fails.

Rule 1: nothing is tried again here; the outbox decides, by the kind of `SendError`.
Rule 2: only what certainly was not written counts as not sent; what was written and has no answer is
ambiguous, because the API knows no idempotency key.
Rule 3: the token goes to the Graph URL and nowhere else: not along a redirect, not into a log or an error.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httpx2
import msgspec
import trio

from engine import OutboxRow, SendAmbiguous, SendDelayed, SendRefused, TypingSignal
from web.whatsapp.error_codes import classify

# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
# Code points: what is longer than this is longer in any unit Meta may count in.
TEXT_CHARACTERS_MAX: Final = 4096
# Answers are a few hundred bytes; more comes from something that is not the Graph API.
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
    # Meta answers in under a second; giving up early makes a sent message ambiguous, so wait long.
    read_seconds: float = 20.0
    # For a connection that is free; there are more of them than senders.
    pool_seconds: float = 5.0
    # All of it together: an answer that drips byte by byte never meets `read_seconds`.
    total_seconds: float = 40.0


@asynccontextmanager
async def open_client(
    *, graph_url: str, phone_number_id: str, access_token: str, timeouts: Timeouts | None = None
) -> AsyncIterator["GraphClient"]:
    """A client for one business number.  `graph_url` is the root with its version: `https://host/v26.0`.

    Over https the environment's proxies are honoured (`HTTPS_PROXY`, `NO_PROXY`): they see the host, not the
    token.  Over plain http, which is for loopback, they are not: they would see everything.
    Raises ValueError, without the token, when the token could not stand in a header.
    """
    if not (
        access_token and access_token.isascii() and access_token.isprintable() and " " not in access_token
    ):
        raise ValueError("the access token is empty or holds characters that no HTTP header can carry")
    timeouts = timeouts or Timeouts()
    url = httpx2.URL(f"{graph_url.rstrip('/')}/{phone_number_id}/messages")
    async with httpx2.AsyncClient(
        headers={
            "Authorization": f"Bearer {access_token}",
            "Content-Type": "application/json",
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
        trust_env=url.scheme == "https",
    ) as http:
        yield GraphClient(
            http=http, url=url, token=access_token.encode(), total_seconds=timeouts.total_seconds
        )


@attrs.frozen(eq=False, kw_only=True)
class GraphClient:
    """The way out through the Graph API: an `engine.Outbound`."""

    _http: httpx2.AsyncClient = attrs.field(repr=False)
    _url: httpx2.URL
    # Only to take it out of what Meta quotes of it in an error.
    _token: bytes = attrs.field(repr=False)
    _total_seconds: float = attrs.field(repr=False)

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """Send it; returns the message's id at Meta (wamid…), empty for a typing signal.

        Raises a `SendError`: see `error_codes` for what Meta refuses.  SendRefused for a text that is longer
        than one message may be; SendAmbiguous for a text that was answered with success but no id: whoever
        answered may not have been Meta.
        """
        answer = await self._post(_request(outgoing))
        if not 200 <= answer.status < 300:
            raise classify(answer.status, answer.body, retry_after=answer.retry_after, usage=answer.usage)
        if isinstance(outgoing, TypingSignal):
            return ""
        if provider_id := _provider_id(answer.body):
            return provider_id
        raise SendAmbiguous(f"HTTP {answer.status} without the id of a message")

    async def _post(self, request: dict[str, Any]) -> "_Answer":
        content = json.dumps(request).encode()
        with trio.move_on_after(self._total_seconds):
            try:
                async with self._http.stream("POST", self._url, content=content) as response:
                    return await self._read(response)
            except _NOT_WRITTEN as error:
                reason = f"the Graph API could not be reached: {_why(error)}"
                raise SendDelayed(reason, whole_number=True) from error
            except httpx2.RequestError as error:
                raise SendAmbiguous(f"the request was written, then {type(error).__name__}") from error
        raise SendAmbiguous(f"no whole answer within {self._total_seconds:g} s")

    async def _read(self, response: httpx2.Response) -> "_Answer":
        return _Answer(
            status=response.status_code,
            body=await _read_body(response, self._token),
            retry_after=response.headers.get("Retry-After"),
            usage=response.headers.get("X-Business-Use-Case-Usage"),
        )


@attrs.frozen(kw_only=True)
class _Answer:
    status: int
    # None: it broke off, or was longer than ANSWER_BYTES_MAX.
    body: bytes | None
    retry_after: str | None
    usage: str | None


async def _read_body(response: httpx2.Response, token: bytes) -> bytes | None:
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
    return None if len(body) > ANSWER_BYTES_MAX else bytes(body).replace(token, b"...")


def _why(error: httpx2.RequestError) -> str:
    """The error in words; its own only where no request was written yet that they could quote."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, httpx2.ConnectError) else name


# What is sent -------------------------------------------------------------------------------------


def _request(outgoing: OutboxRow | TypingSignal) -> dict[str, Any]:
    if isinstance(outgoing, TypingSignal):
        # Marks the message, and all before it, as read; the dots fade after 25 s or with our next message.
        return {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": outgoing.message_id,
            "typing_indicator": {"type": "text"},
        }
    if len(outgoing.text) > TEXT_CHARACTERS_MAX:
        raise SendRefused(f"a text may have {TEXT_CHARACTERS_MAX} characters, this has {len(outgoing.text)}")
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # A phone number goes into `to`, a business-scoped user id into `recipient`.
        "to" if _is_phone(outgoing.user.id) else "recipient": outgoing.user.id,
        "type": "text",
        "text": {"body": outgoing.text, "preview_url": False},
        # Comes back with every status of this message: what settles an ambiguous send.
        "biz_opaque_callback_data": outgoing.id,
    }


def _is_phone(user_id: str) -> bool:
    return user_id.isascii() and user_id.isdigit()


class _Sent(msgspec.Struct):
    id: str


class _Success(msgspec.Struct):
    messages: list[_Sent]


def _provider_id(body: bytes | None) -> str:
    """The id of the message that was taken; empty when the answer has none."""
    try:
        sent = msgspec.json.decode(body or b"", type=_Success).messages
    except (ValueError, RecursionError):
        return ""
    return sent[0].id if sent else ""
