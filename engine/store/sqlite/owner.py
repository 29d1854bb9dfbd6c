"""One process owns a database: a lock that the operating system drops when the process dies."""

import fcntl
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
import trio

from engine.errors import StoreUnusable

_POLL_SECONDS: Final = 0.1

_log: Final = structlog.get_logger("midstream.store")


@asynccontextmanager
async def hold_ownership(database: Path, *, wait_seconds: float) -> AsyncIterator[None]:
    """Own the database until the end of the block.

    Waits `wait_seconds` for an owner that is just leaving, then raises StoreUnusable with its name.
    """
    path = path_of_owner(database)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnusable(
            f"cannot write {path}: {error.strerror}; the database's folder must be writable"
        ) from error
    try:
        await _lock(file, database, wait_seconds)
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}@{socket.gethostname()}".encode(), 0)
        except OSError as error:
            raise StoreUnusable(f"cannot write {path}: {error.strerror}") from error
        # The file stays: removing it would let two processes lock two files of the same name.
        yield
    finally:
        os.close(file)


def path_of_owner(database: Path) -> Path:
    """The file beside a database that its owner locks."""
    meant = database.resolve()  # two names of one file have one owner
    return meant.with_name(meant.name + ".owner")


async def _lock(file: int, database: Path, wait_seconds: float) -> None:
    if try_lock(file, database):
        return
    _log.info("waiting for the database", database=str(database), owner=_owner(file), seconds=wait_seconds)
    deadline = trio.current_time() + wait_seconds
    while trio.current_time() < deadline:
        await trio.sleep(_POLL_SECONDS)
        if try_lock(file, database):
            return
    raise StoreUnusable(
        f"{database} is in use by process {_owner(file)}; stop that one, or use another database"
    )


def try_lock(file: int, database: Path) -> bool:
    """Take the lock on an open owner file; False when another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreUnusable(f"{database} cannot be locked: {error.strerror}") from error
    return True


def _owner(file: int) -> str:
    """The process that has the lock, as it wrote itself down."""
    return os.pread(file, 200, 0).decode(errors="replace") or "unknown"
