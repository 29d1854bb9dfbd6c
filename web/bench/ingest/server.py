"""The server whose route is measured, as a process: the real one, or its route without an engine.

It prints the port it listens on.  Then each line of its standard input is a number of messages: once that
many have their fate and their replies are sent, it prints what it has counted; for 0 at once.  It ends when
its input does.
"""

import os
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import attrs
import trio
from hypercorn.trio import serve

from engine import Assistant, DeliveryReport, Engine, Event, Events, Message, OutgoingSent, open_engine
from web.app import create_app
from web.bench.probe import store_of, swallow
from web.bench.processes import say
from web.bench.server import CountedConnection, Counts, NothingToDo, connect, reply_at_once
from web.bench.traffic import SECRET
from web.doors import door_of
from web.logs import configure_logs, log_event
from web.serving import BACKLOG, server_config
from web.settings import Settings, load_settings

NO_ENGINE: Final = "no engine"
_SAMPLE_SECONDS: Final = 1.0
# Only so that a bench whose server lost a message ends.
_WAIT_SECONDS_MAX: Final = 120.0


@attrs.define(eq=False)
class Ledger:
    """What has happened since it was last told.

    `rows` are the replies that were sent; `samples` the CPU time of this process, each with when that was, by
    the clock that all processes share.
    """

    rows: list[str] = attrs.field(factory=list)
    samples: list[tuple[float, float]] = attrs.field(factory=list)

    def hear(self, event: Event) -> None:
        """A hook for `Events`."""
        if isinstance(event, OutgoingSent):
            self.rows.append(event.row_id)

    async def sample(self) -> None:
        """Look at the clocks from time to time; does not return."""
        while True:
            self.look()
            await trio.sleep(_SAMPLE_SECONDS)

    def look(self) -> None:
        """Look at the clocks now."""
        self.samples.append((time.perf_counter(), time.process_time()))

    def tell(self) -> dict[str, Any]:
        """Everything, which is forgotten then."""
        self.look()
        told = {"rows": self.rows, "samples": self.samples}
        self.rows, self.samples = [], self.samples[-1:]
        return told


class _AcceptsAtOnce:
    """Stands in for an engine: what the route costs without one."""

    def __init__(self) -> None:
        self.events: Final = Events()

    async def receive(self, messages: Sequence[Message], reports: Sequence[DeliveryReport] = ()) -> None:
        """Nothing is stored, nothing begins."""
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def _open_stand_in() -> AsyncIterator[Engine]:
    yield cast(Engine, _AcceptsAtOnce())


def _open(name: str, database: str, settings: Settings) -> AbstractAsyncContextManager[Engine]:
    if name == NO_ENGINE:
        return _open_stand_in()
    assistant = Assistant(planner=NothingToDo(), responder=reply_at_once, tools=[])
    return open_engine(assistant, store=store_of(name, database), outbound=swallow, limits=settings.limits)


async def _serve(name: str, database: str, settings: Settings) -> None:
    """Serve on a free port of the loopback until standard input ends."""
    counts = Counts()
    ledger = Ledger()
    async with _open(name, database, settings) as engine, trio.open_nursery() as nursery:
        engine.events.subscribe(log_event)  # as in a server that serves
        engine.events.subscribe(counts.hear)
        engine.events.subscribe(ledger.hear)
        nursery.start_soon(ledger.sample)
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        say({"port": listener.getsockname()[1]})

        async def answer_questions() -> None:
            # One question at a time, and few bytes: each chunk is a whole line.
            async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as questions:
                async for line in questions:
                    if messages := int(line):
                        with trio.fail_after(_WAIT_SECONDS_MAX):
                            await counts.wait_done(messages)
                    commits = CountedConnection.accepting_commits
                    say({**ledger.tell(), "settled": counts.settled, "accepting_commits": commits})

        await serve(
            create_app(engine, door_of(settings)), server_config(listener), shutdown_trigger=answer_questions
        )
        nursery.cancel_scope.cancel()


def main(name: str, database: str, debounce_seconds: str) -> None:
    """Serve with this store, whose file is `database`, or without an engine.

    With a debounce no operation begins in that time: what is measured until then is what it takes to accept.
    """
    settings = load_settings({"MIDSTREAM_DEBOUNCE_SECONDS": debounce_seconds}, new_secret=lambda: SECRET)
    sqlite3.connect = connect  # type: ignore[assignment]
    # The lines are made as ever; a disk for them would be measured too.
    with Path(os.devnull).open("w") as log:
        configure_logs(log)
        trio.run(_serve, name, database, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
