"""What a server and an operator's command both ask of a connection: whose file it is, and one view of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import StoreUnusable
from engine.store.sqlite.schema import SCHEMA_VERSION


def read_identity(connection: sqlite3.Connection) -> tuple[int, int]:
    """The program that the file belongs to, as its application id, and the version of its tables."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application_id, version


def refuse_newer(path: Path, version: int, *, remedy: str) -> None:
    """Raise StoreUnusable when the tables are of a version that is not known yet."""
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path} was written by a newer Midstream (schema {version}, this one knows {SCHEMA_VERSION});"
            f" {remedy}"
        )


@contextmanager
def one_view(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all statements of the block see the same commits, of a file that a server may be writing."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
