"""The routes: what Meta calls, and what an operator's tools call."""

from collections import Counter
from contextlib import suppress
from typing import Final

import structlog
import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart import Response, request
from quart_trio import QuartTrio

from engine import Depths, Engine, InboxFull, StoreUnavailable
from web.metrics import Metrics
from web.settings import Settings
from web.whatsapp.payloads import Unhandled, parse
from web.whatsapp.signature import SIGNATURE_HEADER, is_signed, is_token

# WhatsApp: payloads of up to 3 MB.  A 413 is redelivered for days, so there is room to spare.
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
# Meta's own intervals count; this is for whoever else posts.
RETRY_SECONDS: Final = 5
# The last part of an answer is a few kilobytes.
_LAST_PART_SECONDS_MAX: Final = 10.0

_log: Final = structlog.get_logger("midstream.web")


def create_app(engine: Engine, settings: Settings) -> QuartTrio:
    """The web application of a running engine."""
    app = QuartTrio(__name__, static_folder=None)
    app.asgi_app = _WholeAnswers(app.asgi_app)  # type: ignore[method-assign]  # Quart's way to wrap an app
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    metrics = Metrics()
    engine.events.subscribe(metrics.hear)

    @app.get("/webhook/whatsapp")
    async def verify() -> Response:
        """Meta's check that this callback URL is ours: the challenge back, for the right token."""
        arguments = request.args
        challenge = arguments.get("hub.challenge")
        token = arguments.get("hub.verify_token")
        if (
            arguments.get("hub.mode") != "subscribe"
            or challenge is None
            or not is_token(token, settings.whatsapp.verify_token)
        ):
            return _plain("this is not the verification that was expected", 403)
        return _plain(challenge)

    @app.post("/webhook/whatsapp")
    async def receive() -> Response:
        """Signed, read, durable, then 200.  Never a 5xx for what a body says, or it comes again for days."""
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        if not is_signed(body, request.headers.get(SIGNATURE_HEADER), settings.whatsapp.app_secret):
            metrics.count_webhook("unsigned")
            return _plain("the signature is missing or wrong", 401)
        webhook = parse(body)
        try:
            await engine.receive(webhook.messages, webhook.reports)
        except (StoreUnavailable, InboxFull) as error:
            metrics.count_webhook("refused", len(webhook.messages))
            return _try_later(str(error))
        metrics.count_webhook("message", len(webhook.messages))
        for report in webhook.reports:
            metrics.count_webhook(f"status:{report.delivery}")
        for kind, count in _by_kind(webhook.others).items():
            metrics.count_webhook(kind, count)
        return _plain("")

    @app.get("/healthz")
    async def answer_health() -> Response:
        return _plain("alive\n")

    @app.get("/readyz")
    async def answer_readiness() -> Response:
        if engine.draining:
            return _try_later("told to stop")
        try:
            await engine.check_store()
        except StoreUnavailable as error:
            return _try_later(str(error))
        return _plain("ready\n")

    @app.get("/metrics")
    async def answer_metrics() -> Response:
        depths: Depths | None = None
        with suppress(StoreUnavailable):  # the counters are worth having all the more then
            depths = await engine.read_depths()
        content, content_type = metrics.render(
            live_sessions=engine.live_sessions, stragglers=engine.stragglers, depths=depths
        )
        return Response(content, content_type=content_type)

    return app


def _plain(text: str, status: int = 200) -> Response:
    # Bytes, even none: an answer with no body at all would be left unfinished.
    return Response(
        text.encode(),
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def _try_later(reason: str) -> Response:
    response = _plain(f"{reason}\n", 503)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _by_kind(others: tuple[Unhandled, ...]) -> Counter[str]:
    """How many there were of each kind, each kind one line in the log with the reason of its first."""
    counts = Counter(other.kind for other in others)
    reasons = {other.kind: other.reason for other in reversed(others)}
    for kind, count in counts.items():
        _log.info("not a message", kind=kind, count=count, reason=reasons[kind])
    return counts


class _WholeAnswers:
    """Lets Hypercorn finish with an answer before Quart-Trio cancels the request's task.

    Otherwise the cancellation lands in Hypercorn's own bookkeeping after the last byte: the connection's
    idle time-out never starts, and every connection that is kept alive stays open for ever.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_whole(event: ASGISendEvent) -> None:
            is_last = event["type"] == "http.response.body" and not event.get("more_body", False)
            with trio.move_on_after(_LAST_PART_SECONDS_MAX, shield=True) if is_last else trio.CancelScope():
                await send(event)

        await self._app(scope, receive, send_whole)
