"""The server that the bench measures, as a process: the real one but for its assistant and its way out.

It prints the port it listens on.  Then each line of its standard input is a number of messages: once that
many have their fate and their replies are sent, it prints what it has counted.  It ends when its input does.
"""

import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from hypercorn.trio import serve

from engine import (
    Answered,
    Assistant,
    Context,
    Event,
    Message,
    MessageSettled,
    OutgoingKind,
    OutgoingSent,
    Plan,
    Results,
    Store,
    open_engine,
)
from web.app import create_app
from web.bench.probe import store_of, swallow
from web.bench.traffic import SECRET
from web.doors import door_of
from web.logs import configure_logs, log_event
from web.serving import BACKLOG, server_config
from web.settings import load_settings

# Only so that a bench whose server lost a message ends.
_WAIT_SECONDS_MAX: Final = 60.0


class CountedConnection(sqlite3.Connection):
    """Counts commits from outside: the stores know nothing of being measured.

    Not a trace callback: that writes out every statement, which costs more than what is counted.
    """

    # One connection of this process writes, so that the class may count.
    commits = 0
    accepting_commits = 0
    _accepts = False

    def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
        """Carry the statement out, and count it if it is a commit."""
        cursor = super().execute(sql, *parameters)
        if sql == "COMMIT":
            CountedConnection.commits += 1
            CountedConnection.accepting_commits += self._accepts
            self._accepts = False
        elif sql.startswith("INSERT INTO messages"):
            self._accepts = True
        return cursor


def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    return CountedConnection(*arguments, **options)


class NothingToDo:
    """Plans no call: what is measured is the way of a message, not of its work."""

    async def plan(self, message: Message, context: Context) -> Plan:
        return Plan()

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def reply_at_once(message: Message, results: Results, context: Context) -> str:
    return "Noted."


@attrs.define(eq=False)
class Counts:
    """What the engine has told of."""

    settled: int = 0
    answered: int = 0
    replies: int = 0
    _news: trio.Event = attrs.field(factory=trio.Event)

    def hear(self, event: Event) -> None:
        """Count an event.  A hook for `Events`."""
        if isinstance(event, MessageSettled):
            self.settled += 1
            self.answered += isinstance(event.fate, Answered)
        elif isinstance(event, OutgoingSent) and event.kind is OutgoingKind.REPLY:
            self.replies += 1
        self._news.set()

    async def wait_done(self, messages: int) -> None:
        """Return when this many messages have their fate, and their replies are sent."""
        while self.settled < messages or self.replies < self.answered:
            self._news = trio.Event()
            await self._news.wait()


async def _serve(store: Store) -> None:
    """Serve on a free port of the loopback until standard input ends."""
    settings = load_settings({}, new_secret=lambda: SECRET)
    counts = Counts()
    assistant = Assistant(planner=NothingToDo(), responder=reply_at_once, tools=[])
    async with open_engine(assistant, store=store, outbound=swallow, limits=settings.limits) as engine:
        engine.events.subscribe(log_event)  # as in a server that serves
        engine.events.subscribe(counts.hear)
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        _print({"port": listener.getsockname()[1]})

        async def answer_questions() -> None:
            # One question at a time, and few bytes: each chunk is a whole line.
            async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as questions:
                async for line in questions:
                    with trio.fail_after(_WAIT_SECONDS_MAX):
                        await counts.wait_done(int(line))
                    _print(
                        {
                            "cpu_seconds": time.process_time(),
                            "commits": CountedConnection.commits,
                            "accepting_commits": CountedConnection.accepting_commits,
                            "answered": counts.answered,
                        }
                    )

        await serve(
            create_app(engine, door_of(settings)), server_config(listener), shutdown_trigger=answer_questions
        )


def _print(counted: Mapping[str, float]) -> None:
    print(json.dumps(counted), flush=True)  # noqa: T201


def main(store: str, database: str) -> None:
    """Serve with this store; `database` is the file of the one that has one."""
    sqlite3.connect = connect  # type: ignore[assignment]
    # The lines are made as ever; a disk for them would be measured too.
    with Path(os.devnull).open("w") as log:
        configure_logs(log)
        trio.run(_serve, store_of(store, database))


if __name__ == "__main__":
    main(*sys.argv[1:])
