"""The webhook as it is posted to, ahead of Quart: genuine, read, durable, then 200.

Rule 1: never a 5xx for what a body says, or it comes again for days.
Rule 2: whether a request is genuine, and what it holds, is the door's to say (`web.channel`).

Quart's own work for a request is as much as all the rest of the way to the disk: this is the one route where
that counts.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import structlog
import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope

from engine import Engine, InboxFull, ProviderTold, StoreUnavailable
from web.channel import Channel, Request
from web.metrics import Metrics
from web.whatsapp.payloads import Unhandled

ROUTE: Final = "/webhook/whatsapp"
# WhatsApp: payloads of up to 3 MB.  A 413 is redelivered for days, so there is room to spare.
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
# Meta's own intervals count; this is for whoever else posts.
RETRY_SECONDS: Final = 5
# So long a body may take to arrive.
_BODY_SECONDS_MAX: Final = 60.0
# An answer says what it is, and that it is nothing else: some of them repeat what a stranger wrote.
_PLAIN: Final = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}

_log: Final = structlog.get_logger("midstream.web")


class Webhook:
    """An ASGI application: the POSTs of the webhook are its own, all else is the other's."""

    def __init__(self, app: ASGIFramework, engine: Engine, metrics: Metrics, channel: Channel) -> None:
        self._app = app
        self._engine = engine
        self._metrics = metrics
        self._channel = channel

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            with trio.fail_after(_BODY_SECONDS_MAX):
                body = await _read_body(receive)
        except trio.TooSlowError:
            await _refuse(receive, send, 408, "the body takes too long")
        except _TooLong:
            await _refuse(receive, send, 413, "the body is too long")
        except _HungUp:
            pass  # there is nobody to answer
        else:
            query = scope["query_string"].decode("latin-1")
            await self._take(Request(body=body, headers=scope["headers"], query=query), send)

    async def _take(self, request: Request, send: ASGISendCallable) -> None:
        webhook = self._channel.read(request)
        if webhook is None:
            self._metrics.count_webhook("unsigned")
            await _answer(send, 401, "the signature is missing or wrong")
            return
        try:
            await self._engine.receive(webhook.messages, webhook.reports)
        except (StoreUnavailable, InboxFull) as error:
            self._metrics.count_webhook("refused", len(webhook.messages))
            await _answer(send, 503, f"{error}\n", {"retry-after": str(RETRY_SECONDS)})
            return
        self._metrics.count_webhook("message", len(webhook.messages))
        for report in webhook.reports:
            self._metrics.count_webhook(f"status:{report.delivery}")
        for kind, count in _by_kind(webhook.others).items():
            self._metrics.count_webhook(kind, count)
        for other in webhook.others:
            if other.field:
                self._engine.events.emit(ProviderTold(field=other.field, value=other.value))
        thanks = self._channel.thanks
        await _answer(send, 200, thanks.body, {"content-type": thanks.content_type})


class _TooLong(Exception):
    """A body of more than BODY_BYTES_MAX."""


class _HungUp(Exception):
    """Whoever called is gone before the body was there."""


async def _read_body(receive: ASGIReceiveCallable) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise _HungUp
        body += event["body"]
        if len(body) > BODY_BYTES_MAX:
            raise _TooLong
        if not event["more_body"]:
            return bytes(body)


async def _refuse(receive: ASGIReceiveCallable, send: ASGISendCallable, status: int, reason: str) -> None:
    """Answer before the body is there; the connection ends with it."""

    async def pass_over() -> None:
        # Hypercorn waits for somebody to take what still comes, and would not come to our answer.
        while (await receive())["type"] == "http.request":
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_over)
        await _answer(send, status, reason)
        nursery.cancel_scope.cancel()


async def _answer(
    send: ASGISendCallable, status: int, text: str | bytes = "", more: Mapping[str, str] | None = None
) -> None:
    body = text if isinstance(text, bytes) else text.encode()
    headers = {**_PLAIN, "content-length": str(len(body)), **(more or {})}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _by_kind(others: tuple[Unhandled, ...]) -> Counter[str]:
    """How many there were of each kind, each kind one line in the log with the reason of its first."""
    counts = Counter(other.kind for other in others)
    reasons = {other.kind: other.reason for other in reversed(others)}
    for kind, count in counts.items():
        _log.info("not a message", kind=kind, count=count, reason=reasons[kind])
    return counts
