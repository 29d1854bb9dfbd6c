"""A database that a server has made, opened for one command."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.errors import EngineError, StoreUnavailable, StoreUnusable
from engine.store.sqlite.connection import read_identity, refuse_newer
from engine.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

# A server's commit takes milliseconds; what holds the file for longer is stuck, or a shell.
_BUSY_SECONDS: Final = 5.0


class NotPossible(EngineError):
    """What an operator asked for cannot be done; one line that says why."""


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database that a server has made, for one command.

    Raises StoreUnusable for a file that is none, or of another version; whatever goes wrong with the file
    inside the block is a StoreUnavailable.
    """
    if not path.is_file():
        raise StoreUnusable(f"there is no database {path}; the server makes it when it starts")
    try:
        # mode=rw: a file that goes away just now is not made anew.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as opened:
            _check_version(opened, path)
            # What is removed is overwritten, not only unlinked; and no list of ids goes to a temporary file.
            opened.execute("PRAGMA secure_delete = ON")
            opened.execute("PRAGMA temp_store = MEMORY")
            yield opened
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    application_id, version = read_identity(connection)
    if application_id != APPLICATION_ID:
        raise StoreUnusable(f"{path} is not a database of Midstream; name another file")
    refuse_newer(path, version, remedy="use that version")
    if version < SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path} was written by an older Midstream (schema {version}, this one has {SCHEMA_VERSION});"
            " start the server once: it brings the tables up to date"
        )


def _translated(error: sqlite3.Error, path: Path) -> EngineError:
    match getattr(error, "sqlite_errorname", ""):
        case "SQLITE_NOTADB":
            return StoreUnusable(f"{path} is not a database of Midstream; name another file")
        case name if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreUnavailable(
                f"{path} is locked by another program for more than {_BUSY_SECONDS:.0f} s; try again"
            )
        case _:
            return StoreUnavailable(f"{path} cannot be used just now: {error}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All changes of the block, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
