"""The server as it is shipped, but for a store and a way out that kill the process at a record point.

Each line of its input, JSON, is a life: a process forked from this one, which has imported everything
already.  The n-th passing of the point that the line names kills it; without a point it lives.  `before X`
and `after X` stand around the commit that holds a record of the kind X, `after request` between the answer to
a send and its record.  The output has the id of each process, then its exit code.

Every record is also kept in a history, by triggers and so in the same transaction: what was recorded when,
even if it was recorded over.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ledger

import web.serving
import web.whatsapp.channel
from engine import OutboxRow, Rejected, SendState, SqliteStore, TypingSignal
from engine.phases import Phase
from engine.store import (
    Begin,
    End,
    Happened,
    Intended,
    Interrupt,
    Mark,
    Planned,
    Report,
    Resume,
    Settle,
    UndoIntended,
    Undone,
)
from web.__main__ import main
from web.whatsapp.client import open_client

HEAD_START_SECONDS = 0.05
# Temporary triggers know of no other connection: the file stays one that anybody may write.
HISTORY = """
CREATE TABLE IF NOT EXISTS crash_history (
    n INTEGER PRIMARY KEY, life INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL
);
CREATE TEMP TRIGGER a_fate AFTER UPDATE OF fate ON messages WHEN NEW.fate IS NOT NULL
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'fate', NEW.id, NEW.fate); END;
CREATE TEMP TRIGGER an_arrival AFTER INSERT ON messages
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'inbox', NEW.id, NEW.user_id); END;
CREATE TEMP TRIGGER a_begin AFTER INSERT ON operations
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'begin', NEW.id, NEW.message_id); END;
CREATE TEMP TRIGGER an_end AFTER UPDATE OF ended_at ON operations WHEN NEW.ended_at IS NOT NULL
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'end', NEW.id, NEW.phase); END;
CREATE TEMP TRIGGER a_plan AFTER INSERT ON calls
    BEGIN INSERT INTO crash_history VALUES
        (NULL, {life}, 'plan', NEW.operation_id || '/' || NEW.id, NEW.round); END;
CREATE TEMP TRIGGER an_outcome AFTER UPDATE OF status ON calls WHEN NEW.status IS NOT NULL
    BEGIN INSERT INTO crash_history VALUES
        (NULL, {life}, 'outcome', NEW.operation_id || '/' || NEW.id, NEW.status); END;
CREATE TEMP TRIGGER an_undo AFTER UPDATE OF undo ON calls WHEN NEW.undo IS NOT NULL
    BEGIN INSERT INTO crash_history VALUES
        (NULL, {life}, 'undo', NEW.operation_id || '/' || NEW.id, NEW.undo); END;
CREATE TEMP TRIGGER a_row AFTER INSERT ON outbox
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'row', NEW.id, NEW.state); END;
CREATE TEMP TRIGGER a_mark AFTER UPDATE OF state ON outbox
    BEGIN INSERT INTO crash_history VALUES (NULL, {life}, 'row', NEW.id, NEW.state); END;
"""


class Reaper:
    """Counts how often points are passed, and kills at the one that was asked for."""

    def __init__(self, life: int, point: str = "", passing: int = 0) -> None:
        self.life = life
        self._point, self._passing = point, passing
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passes(self, point: str) -> None:
        with self._lock:
            self._passed[point] += 1
            if point == self._point and self._passed[point] == self._passing:
                ledger.write(Path("deaths"), life=self.life, point=point, passing=self._passing)
                if point.startswith("before"):
                    # What did not wait for this record would show now.
                    time.sleep(HEAD_START_SECONDS)
                os.kill(os.getpid(), signal.SIGKILL)


def kind_of(change: Any) -> str | None:
    """What a point calls this record; None for one that no point is about."""
    match change:
        case Begin():
            return "begin"
        case Planned(joined=joined, round=round) if joined and round:
            return "merge"
        case Planned():
            return "plan"
        case UndoIntended():
            return "undo"
        case Undone():
            return "undone"
        case Intended():
            return "intent"
        case Happened():
            return "outcome"
        case Settle(fate=Rejected()):
            return "rejection"
        case End(phase=Phase.COMPLETED):
            return "completion"
        case End():
            return "end"
        case Interrupt():
            return "interruption"
        case Resume():
            return "resumption"
        case Mark(state=SendState.SENDING):
            return "sending"
        case Mark(state=SendState.SENT):
            return "sent"
        case Report():
            return "status"
    return None


class Watched:
    """A connection that says when it commits."""

    def __init__(
        self, connection: sqlite3.Connection, kinds: Callable[[], list[str]], reaper: Reaper
    ) -> None:
        self._connection = connection
        self._reaper = reaper
        self._kinds = kinds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement != "COMMIT":
            return self._connection.execute(statement, *parameters)
        kinds = self._kinds()
        for kind in kinds:
            self._reaper.passes(f"before {kind}")
        cursor = self._connection.execute(statement)
        for kind in kinds:
            self._reaper.passes(f"after {kind}")
        return cursor


class DyingStore(SqliteStore):
    """The store, its writer watched."""

    def __init__(self, reaper: Reaper, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._reaper = reaper
        self._group: Sequence[Any] = ()

    def _write_group(self, connection: sqlite3.Connection, group: Sequence[Any]) -> None:
        if not self._group:
            connection.executescript(HISTORY.format(life=self._reaper.life))
        self._group = group
        super()._write_group(Watched(connection, self._kinds, self._reaper), group)  # type: ignore[arg-type]

    def _kinds(self) -> list[str]:
        """What stands in the transaction; what was refused or known already does not."""
        kinds: list[str] = []
        for write in self._group:
            if write.committed is not None:
                kinds += ["inbox"] * len(write.committed.accepted)
                kinds += filter(None, map(kind_of, write.changes))
        return kinds


@asynccontextmanager
async def open_dying_client(
    reaper: Reaper, **settings: Any
) -> AsyncIterator[Callable[[OutboxRow | TypingSignal], Awaitable[str]]]:
    async with open_client(**settings) as client:

        async def send(outgoing: OutboxRow | TypingSignal) -> str:
            provider_id = await client(outgoing)
            if isinstance(outgoing, OutboxRow):
                reaper.passes("after request")
            return provider_id

        yield send


def live(life: int, **death: Any) -> int:
    """One life, in a process of its own; returns its exit code."""
    log = os.open(f"log.{life}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, sys.stderr.fileno())
    os.environ["CRASH_LIFE"] = str(life)
    reaper = Reaper(life, **death)
    web.serving.SqliteStore = partial(DyingStore, reaper)  # type: ignore[misc, assignment]
    web.whatsapp.channel.open_client = partial(open_dying_client, reaper)
    return main(["serve"])


def run_lives() -> int:
    """Life after life, until the input ends."""
    for line in sys.stdin:
        process_id = os.fork()
        if process_id == 0:
            return live(**json.loads(line))
        print(process_id, flush=True)
        _, status = os.waitpid(process_id, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_lives())
