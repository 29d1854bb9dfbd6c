"""Opens a database file: makes it, checks that it is ours, and brings it to the tables of this version."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from engine.errors import StoreUnusable
from engine.store.sqlite.changes import touch
from engine.store.sqlite.connection import read_identity, refuse_newer
from engine.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA, SCHEMA_VERSION

_log: Final = structlog.get_logger("midstream.store")
# Another program that reads the file (a backup, a shell) lets go within this.
_BUSY_SECONDS: Final = 2.0


def connect(path: Path) -> sqlite3.Connection:
    # Transactions are ours to begin and to end (isolation_level=None).
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def open_both(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The connection that writes, to a file that is ours, and the one that reads."""
    try:
        _make_private(path)
        writer = connect(path)
        try:
            _prepare(writer, path)
            return writer, connect(path)
        except BaseException:
            writer.close()
            raise
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path} cannot be used as a database: {error}") from error


def _make_private(path: Path) -> None:
    """A new file is its owner's alone: it holds what people say.  The log beside it takes over its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnusable(f"{path} cannot be used as a database: {error.strerror}") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is ours, and bring it into WAL mode and to the tables of this version."""
    _check_version(connection, path)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnusable(
            f"{path} cannot have a write-ahead log there ({mode}); name a file on a local disk"
        )
    # What is removed is overwritten, so that a person can be forgotten; some builds do so anyway.
    connection.execute("PRAGMA secure_delete = ON")
    # FULL: what was answered with 200 survives the loss of power, not only of the process (P5).
    connection.execute("PRAGMA synchronous = FULL")
    _make_tables(connection)
    touch(connection, time.time())


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    application_id, version = read_identity(connection)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise StoreUnusable(f"{path} is the database of another program; name another file")
    refuse_newer(path, version, remedy="start that version")


def _make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or bring those of an older version up to this one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        _run_script(connection, f"{SCHEMA} PRAGMA application_id = {APPLICATION_ID};", SCHEMA_VERSION)
    else:
        for before in range(version, SCHEMA_VERSION):
            _run_script(connection, MIGRATIONS[before], before + 1)
            _log.info("database migrated", version=before + 1)


def _run_script(connection: sqlite3.Connection, script: str, version: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {version}; COMMIT;")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
