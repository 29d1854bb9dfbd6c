"""The routes: what Meta calls, and what an operator's tools call."""

from contextlib import suppress
from typing import Final

import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart import Response, request
from quart_trio import QuartTrio

from engine import Depths, Engine, StoreUnavailable
from web.channel import Channel
from web.metrics import Metrics
from web.webhook import BODY_BYTES_MAX, RETRY_SECONDS, ROUTE, Webhook

# The last part of an answer is a few kilobytes.
_LAST_PART_SECONDS_MAX: Final = 10.0


def create_app(engine: Engine, channel: Channel) -> QuartTrio:
    """The web application of a running engine, whose messages come through this door."""
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    metrics = Metrics()
    engine.events.subscribe(metrics.hear)
    # Quart's way to wrap an application.
    app.asgi_app = Webhook(  # type: ignore[method-assign]
        _WholeAnswers(app.asgi_app), engine, metrics, channel
    )

    @app.get(ROUTE)
    async def verify() -> Response:
        """Meta's check that this callback URL is ours: the challenge back, for the right token."""
        challenge = channel.challenge(request.args)
        if challenge is None:
            return _plain("this is not the verification that was expected", 403)
        return _plain(challenge)

    # Answered before it comes to Quart; known here, so that another method is told which there are.
    app.add_url_rule(ROUTE, endpoint="receive", methods=["POST"])

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
