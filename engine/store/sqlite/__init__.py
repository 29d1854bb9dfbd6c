"""The default store: one SQLite file, one writer thread, many writes to a commit.

Rule 1: everything that waits when the writer is free goes into one transaction, each write in a savepoint
of its own: one fsync for all of them, and one that fails takes no other with it.
Rule 2: nothing is answered, and nobody hears of it, before the commit.
Rule 3: reads have a connection of their own and never wait for writes (WAL).
"""

import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import attrs
import structlog
import trio

from engine.errors import StoreError, StoreUnavailable
from engine.limits import Limits
from engine.model import Fate, OutboxRow
from engine.store import Change, Committed, Conversation, Depths, Listener, OperationRecord, Unfinished
from engine.store.sqlite import reads
from engine.store.sqlite.changes import apply, touch
from engine.store.sqlite.connection import one_view
from engine.store.sqlite.opening import open_both
from engine.store.sqlite.owner import hold_ownership

T = TypeVar("T")

_log: Final = structlog.get_logger("midstream.store")
# A group larger than this delays its first write more than it saves its last.
_GROUP_MAX: Final = 256


@attrs.define(eq=False)
class _Write:
    """One write on its way through the writer thread and back.  Without changes it only touches the disk."""

    changes: Sequence[Change]
    done: trio.Event = attrs.field(factory=trio.Event)
    committed: Committed | None = None
    error: StoreError | None = None


class SqliteStore:
    """Everything durable in one file.

    `owner_wait_seconds`: how long to wait for another process that still owns the file.
    """

    def __init__(self, path: str | Path, *, owner_wait_seconds: float = Limits().owner_wait_seconds) -> None:
        self._path = Path(path)
        self._owner_wait_seconds = owner_wait_seconds
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._open = False
        self._reader: sqlite3.Connection | None = None
        self._reading: trio.CapacityLimiter | None = None

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """Own the file, make or check its tables, and serve until the end of the block.

        What was handed over before the end is written before the file is closed.
        """
        async with hold_ownership(self._path, wait_seconds=self._owner_wait_seconds):
            # Shielded: a connection that was opened for nobody would never be closed.
            with trio.CancelScope(shield=True):
                writer, reader = await trio.to_thread.run_sync(open_both, self._path)
            self._reader = reader
            self._reading = trio.CapacityLimiter(1)
            thread = threading.Thread(
                target=self._run_writer,
                args=(writer, listener, trio.lowlevel.current_trio_token()),
                name="midstream-store",
                daemon=True,
            )
            thread.start()
            self._open = True
            try:
                yield
            finally:
                self._open = False
                self._writes.put(None)
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(thread.join)
                    async with self._reading:
                        reader.close()

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        await self._hand_over(_Write(tuple(changes)))

    async def check(self) -> None:
        """See `Store.check`."""
        await self._hand_over(_Write(()))

    async def _hand_over(self, write: _Write) -> None:
        if not self._open:
            raise StoreUnavailable(f"{self._path} is closed")
        self._writes.put(write)
        await write.done.wait()
        if write.error is not None:
            raise write.error

    # The writer thread ----------------------------------------------------------------------------

    def _run_writer(
        self, connection: sqlite3.Connection, listener: Listener, token: trio.lowlevel.TrioToken
    ) -> None:
        while (first := self._writes.get()) is not None:
            group, last = self._gather(first)
            _commit_group(connection, group, self._path)
            token.run_sync_soon(_answer, group, listener)
            if last:
                break
        connection.close()

    def _gather(self, first: _Write) -> tuple[list[_Write], bool]:
        """What waits now, and whether the end was asked for."""
        group = [first]
        while len(group) < _GROUP_MAX:
            try:
                write = self._writes.get_nowait()
            except queue.Empty:
                break
            if write is None:
                return group, True
            group.append(write)
        return group, False

    # Reads ----------------------------------------------------------------------------------------

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if not self._open or self._reader is None:
            raise StoreUnavailable(f"{self._path} is closed")
        try:
            # Abandoned only after an interruption; the limiter keeps the connection until the thread ends.
            return await trio.to_thread.run_sync(
                _in_one_view, query, self._reader, abandon_on_cancel=True, limiter=self._reading
            )
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path} cannot be read: {error}") from error

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

    async def read_unsent(self, limit: int, *, after: int = 0) -> tuple[OutboxRow, ...]:
        """See `Store.read_unsent`."""
        return await self._read(lambda connection: reads.read_unsent(connection, limit, after))

    async def read_depths(self) -> Depths:
        """See `Store.read_depths`."""
        return await self._read(reads.read_depths)


def _answer(group: Sequence[_Write], listener: Listener) -> None:
    """In the engine's thread: tell the listener of each commit in order, then let each writer go on."""
    for write in group:
        if write.committed is not None:
            try:
                listener(write.committed)
            except Exception:  # a bug in the engine must not end the store
                _log.exception("listener_failed")
        write.done.set()


def _commit_group(connection: sqlite3.Connection, group: Sequence[_Write], path: Path) -> None:
    """Write the group in one transaction; each write has its result or its error afterwards."""
    try:
        if connection.in_transaction:  # a rollback has failed before
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        for write in group:
            _apply_one(connection, write)
        connection.execute("COMMIT")
    except Exception as error:
        for write in group:
            write.committed, write.error = None, _translated(error, path)
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _apply_one(connection: sqlite3.Connection, write: _Write) -> None:
    connection.execute("SAVEPOINT one")
    try:
        write.committed = apply(connection, write.changes)
        if not write.changes:
            touch(connection, time.time())
    except Exception as error:
        # A full disk ends the whole transaction by itself; then every write of the group has failed.
        if _is_of_the_disk(error) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO one")
        write.committed, write.error = None, _bug(error)
    connection.execute("RELEASE one")


def _is_of_the_disk(error: Exception) -> bool:
    # DatabaseError itself, not what derives from it: a file that is damaged.
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _translated(error: Exception, path: Path) -> StoreError:
    if isinstance(error, sqlite3.Error):
        return StoreUnavailable(f"{path} cannot be written: {error}")
    return _bug(error)


def _bug(error: Exception) -> StoreError:
    refused = StoreError(f"a write was refused: {type(error).__name__}: {error}")
    refused.__cause__ = error
    return refused


def _in_one_view(query: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    with one_view(connection):
        return query(connection)
