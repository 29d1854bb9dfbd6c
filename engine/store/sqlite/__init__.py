"""The default store: one SQLite file, one writer thread, many writes to a commit.

Rule 1: everything that waits when the writer is free goes into one transaction, with one fsync.  When one
write is refused, each is made again by itself: it takes no other with it.
Rule 2: nothing is answered, and nobody hears of it, before the commit.
Rule 3: reads have a thread and a connection of their own and never wait for writes (WAL).
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

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
from engine.store.sqlite.worker import Worker

T = TypeVar("T")

_log: Final = structlog.get_logger("midstream.store")
# A group larger than this delays its first write more than it saves its last.
_GROUP_MAX: Final = 256
_READS_MAX: Final = 32


@attrs.define(eq=False)
class _Write:
    """One write on its way through the writer and back.  Without changes it only touches the disk."""

    changes: Sequence[Change]
    done: trio.Event = attrs.field(factory=trio.Event)
    committed: Committed | None = None
    error: StoreError | None = None


@attrs.define(eq=False)
class _Read:
    """One read on its way through the reader's thread and back."""

    query: Callable[[sqlite3.Connection], Any]
    done: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    error: Exception | None = None


class SqliteStore:
    """Everything durable in one file.

    `owner_wait_seconds`: how long to wait for another process that still owns the file.
    """

    def __init__(self, path: str | Path, *, owner_wait_seconds: float = Limits().owner_wait_seconds) -> None:
        self._path = Path(path)
        self._owner_wait_seconds = owner_wait_seconds
        self._writer: Worker[_Write] | None = None
        self._reader: Worker[_Read] | None = None

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """Own the file, make or check its tables, and serve until the end of the block.

        What was handed over before the end is written before the file is closed.
        """
        async with hold_ownership(self._path, wait_seconds=self._owner_wait_seconds):
            # Shielded: a connection that was opened for nobody would never be closed.
            with trio.CancelScope(shield=True):
                writer, reader = await trio.to_thread.run_sync(open_both, self._path)
            try:
                self._writer = Worker(
                    "midstream-store",
                    do=partial(self._write_group, writer),
                    answer=lambda group: _answer(group, listener),
                    group_max=_GROUP_MAX,
                )
                self._reader = Worker(
                    "midstream-reader",
                    do=partial(_read_group, reader),
                    answer=_answer_reads,
                    group_max=_READS_MAX,
                )
                yield
            finally:
                with trio.CancelScope(shield=True):
                    await self._close(writer, reader)

    async def _close(self, *connections: sqlite3.Connection) -> None:
        workers = (self._writer, self._reader)
        self._writer = self._reader = None
        for worker in workers:
            if worker is not None:
                await worker.finish()
        for connection in connections:
            connection.close()

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        await self._hand_over(_Write(tuple(changes)))

    async def check(self) -> None:
        """See `Store.check`."""
        await self._hand_over(_Write(()))

    def _write_group(self, connection: sqlite3.Connection, group: Sequence[_Write]) -> None:
        """In the writer's thread."""
        _commit_group(connection, group, self._path)

    async def _hand_over(self, write: _Write) -> None:
        if self._writer is None:
            raise StoreUnavailable(f"{self._path} is closed")
        self._writer.put(write)
        await write.done.wait()
        if write.error is not None:
            raise write.error

    # Reads ----------------------------------------------------------------------------------------

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise StoreUnavailable(f"{self._path} is closed")
        read = _Read(query)
        self._reader.put(read)
        await read.done.wait()  # cancelled, it is read all the same, for nobody
        if isinstance(read.error, sqlite3.Error):
            raise StoreUnavailable(f"{self._path} cannot be read: {read.error}") from read.error
        if read.error is not None:
            raise read.error
        result: T = read.result
        return result

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


def _answer(group: Sequence[_Write], listener: Listener) -> None:
    """In the engine's thread: tell the listener of each commit in order, then let each writer go on."""
    for write in group:
        if write.committed is not None:
            try:
                listener(write.committed)
            except (Exception, SystemExit):  # a bug in the engine must not end the store
                _log.exception("listener_failed")
        write.done.set()


def _commit_group(connection: sqlite3.Connection, group: Sequence[_Write], path: Path) -> None:
    """Write the group in one transaction; each write has its result or its error afterwards."""
    if not _commit(connection, group, path) and len(group) > 1:
        for write in group:
            _commit(connection, [write], path)


def _commit(connection: sqlite3.Connection, group: Sequence[_Write], path: Path) -> bool:
    """One transaction.  False when one of its writes was refused: the others may be made without it."""
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
        return _is_of_the_disk(error)
    return True


def _apply_one(connection: sqlite3.Connection, write: _Write) -> None:
    write.committed, write.error = apply(connection, write.changes), None
    if not write.changes:
        touch(connection, time.time())


def _is_of_the_disk(error: Exception) -> bool:
    # DatabaseError itself, not what derives from it: a file that is damaged.
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _translated(error: Exception, path: Path) -> StoreError:
    if _is_of_the_disk(error):
        return StoreUnavailable(f"{path} cannot be written: {error}")
    refused = StoreError(f"a write was refused: {type(error).__name__}: {error}")
    refused.__cause__ = error
    return refused


def _read_group(connection: sqlite3.Connection, group: Sequence[_Read]) -> None:
    """All of the group in one view; each read has its result or its error afterwards."""
    try:
        with one_view(connection):
            for read in group:
                _read_one(connection, read)
    except sqlite3.Error as error:
        for read in group:
            read.error = read.error or error


def _read_one(connection: sqlite3.Connection, read: _Read) -> None:
    try:
        read.result = read.query(connection)
    except Exception as error:
        read.error = error


def _answer_reads(group: Sequence[_Read]) -> None:
    for read in group:
        read.done.set()
