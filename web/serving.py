"""Serves: the socket, the store, the way out, the engine, and Hypercorn inside them, until told to stop.

Rule 1: the engine's nursery is around the server, so that a crash of either ends the process.
Rule 2: told to stop, the engine drains while the server still stores what comes; the store closes last.
"""

import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from engine import Assistant, Engine, SqliteStore, StoreUnusable, open_engine
from web.app import create_app
from web.assistants import suggestions_for
from web.channel import Channel
from web.doors import door_of
from web.local import LocalPhone
from web.logs import log_event
from web.settings import Settings, SettingsError

BACKLOG: Final = 512
_STOP: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_AGAIN: Final = signal.SIGHUP  # an operator has changed the outbox
_KILLED: Final = 128  # a shell's exit code for a process ended by a signal: this and the signal's number
_STUCK: Final = 70  # sysexits.h, EX_SOFTWARE: something did not end within its bound

_log: Final = structlog.get_logger("midstream.server")


async def run_server(settings: Settings, assistant: Assistant) -> None:
    """Serve until SIGTERM or SIGINT; returns when all is closed.

    Raises SettingsError when the address cannot be listened on, StoreUnusable when the store cannot be
    opened.  A second signal ends the process at once.
    """
    refusal: SettingsError | StoreUnusable | None = None
    with trio.open_signal_receiver(*_STOP, _LOOK_AGAIN) as signals:
        async with trio.open_nursery() as nursery:
            shutdown = _Shutdown()
            nursery.start_soon(shutdown.obey, signals)
            try:
                with shutdown.startup:
                    await _run(settings, assistant, shutdown)
            except (SettingsError, StoreUnusable) as error:
                refusal = error  # raised below: from in here it would arrive wrapped in a group
            nursery.cancel_scope.cancel()
    if refusal is not None:
        raise refusal


@attrs.define(eq=False)
class _Shutdown:
    """What the first signal begins and the second cuts short."""

    told: trio.Event = attrs.field(factory=trio.Event)
    # Until the engine is up there is nothing to drain: a signal then just ends the start.
    startup: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    engine: Engine | None = None

    async def obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number != _LOOK_AGAIN:
                self._stop(number)
            elif self.engine is not None:
                _log.info("told to read the outbox again")
                self.engine.read_outbox()

    def _stop(self, number: int) -> None:
        name = signal.Signals(number).name
        if self.told.is_set():
            _log.warning("told to stop a second time: exiting at once", signal=name)
            os._exit(_KILLED + number)
        _log.info("told to stop", signal=name)
        self.told.set()
        if self.engine is None:
            self.startup.cancel()


async def _run(settings: Settings, assistant: Assistant, shutdown: _Shutdown) -> None:
    listener = _listen(settings)
    url = _url(listener)
    phone = None
    if settings.is_local:
        [number] = settings.whatsapp.numbers
        phone = LocalPhone(
            phone_number_id=number.phone_number_id,
            access_token=number.access_token,
            app_secret=number.app_secret,
            server_url=lambda: url,
            suggestions=suggestions_for(settings.assistant),
        )
    channel = door_of(settings, graph_url=f"{url}/graph/v26.0")
    async with _open_engine(settings, assistant, channel) as engine:
        shutdown.engine = engine
        app = create_app(engine, channel)
        if phone is not None:
            app.register_blueprint(phone.blueprint)
            engine.events.subscribe(phone.hear)
            _log.info(
                "local mode: no WhatsApp credentials were given; talk to it at the page", page=f"{url}/"
            )
        listener.listen(BACKLOG)
        _log.info("serving", url=url)

        async def drain() -> None:
            await shutdown.told.wait()
            await engine.drain()
            if phone is not None:
                phone.close()

        await serve(app, server_config(listener), shutdown_trigger=drain)
        if not await engine.drain():
            # A tool that shields itself holds its wave: closing would wait for it, for ever perhaps.
            _log.error("operations did not end within the grace; exiting without them")
            os._exit(_STUCK)
    _log.info("stopped")


@asynccontextmanager
async def _open_engine(settings: Settings, assistant: Assistant, channel: Channel) -> AsyncIterator[Engine]:
    """The engine with what is around it: the way out is closed after it, the store by it."""
    async with (
        channel.open() as outbound,
        channel.open_media() as media,
        open_engine(
            assistant,
            store=SqliteStore(settings.database_path, owner_wait_seconds=settings.limits.owner_wait_seconds),
            outbound=outbound,
            policy=settings.policy,
            limits=settings.limits,
            languages=settings.languages,
            asking=settings.asking,
            media=media,
            template=settings.window_template,
        ) as engine,
    ):
        engine.events.subscribe(log_event)
        yield engine


def _listen(settings: Settings) -> socket.socket:
    """A socket bound to MIDSTREAM_BIND, before anything else is begun: whoever is second must not start."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        address = f"{settings.host}:{settings.port}"
        raise SettingsError(
            f"MIDSTREAM_BIND: cannot listen on {address}: {error.strerror}; choose another address"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(listener: socket.socket) -> Config:
    """Hypercorn's settings.  It takes the listener over."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.accesslog = None  # the events say more, and a line a request is a cost
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    return config
