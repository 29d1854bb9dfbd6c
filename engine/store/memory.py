"""A store without a disk: for tests, simulations and the REPL; everything is gone when its object is.

Rule 1: no thread, so that it runs on a mock clock; a write is applied and heard of in one step.
Rule 2: the tables and statements are those of the SQLite store: what a write means is said once.
"""

import sqlite3
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
import trio

from engine.errors import StoreError, StoreUnavailable
from engine.model import Fate, OutboxRow
from engine.store import Change, Conversation, Depths, Listener, OperationRecord, Unfinished
from engine.store.sqlite import reads
from engine.store.sqlite.changes import apply
from engine.store.sqlite.schema import SCHEMA

T = TypeVar("T")
_log: Final = structlog.get_logger("midstream.store")


class MemoryStore:
    """Nothing of it is durable; otherwise it keeps what `Store` promises."""

    def __init__(self) -> None:
        # check_same_thread: the garbage collector may close it from any thread.
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.executescript(SCHEMA)
        self._listener: Listener | None = None
        # Not at the end of `open`: another engine may open it again.
        weakref.finalize(self, self._connection.close)

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """Open for one engine; what an earlier engine wrote is still there."""
        self._listener = listener
        try:
            yield
        finally:
            self._listener = None

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        if self._listener is None:
            raise StoreUnavailable("the store is closed")
        self._connection.execute("BEGIN")
        try:
            committed = apply(self._connection, changes)
        except Exception as error:
            self._connection.execute("ROLLBACK")
            raise StoreError(f"a write was refused: {type(error).__name__}: {error}") from error
        self._connection.execute("COMMIT")
        try:
            self._listener(committed)
        except (Exception, SystemExit):
            _log.exception("listener_failed")
        await trio.lowlevel.checkpoint()

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        await trio.lowlevel.checkpoint()
        return query(self._connection)

    async def read_conversation(self, user_id: str, *, limit: int) -> Conversation:
        """See `Store.read_conversation`."""
        return await self._read(lambda connection: reads.read_conversation(connection, user_id, limit))

    async def read_operation(self, operation_id: str) -> OperationRecord | None:
        """See `Store.read_operation`."""
        return await self._read(lambda connection: reads.read_operation(connection, operation_id))

    async def read_fate(self, message_id: str) -> Fate | None:
        """See `Store.read_fate`."""
        return await self._read(lambda connection: reads.read_fate(connection, message_id))

    async def read_unfinished(self) -> tuple[Unfinished, ...]:
        """See `Store.read_unfinished`."""
        return await self._read(reads.read_unfinished)

    async def read_unsent(
        self, limit: int, *, after: int = 0, user_id: str | None = None
    ) -> tuple[OutboxRow, ...]:
        """See `Store.read_unsent`."""
        return await self._read(lambda connection: reads.read_unsent(connection, limit, after, user_id))

    async def read_depths(self) -> Depths:
        """See `Store.read_depths`."""
        return await self._read(reads.read_depths)

    async def check(self) -> None:
        """See `Store.check`."""
        if self._listener is None:
            raise StoreUnavailable("the store is closed")
        await trio.lowlevel.checkpoint()
