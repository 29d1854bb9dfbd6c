"""A copy of the database in a new file, made while a server may write on."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.store.sqlite.admin.opening import NotPossible
from engine.store.sqlite.connection import one_view

_BACKUP_PAGES: Final = 1024


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database as it is now into a new file, while a server may write on.

    The file has its name only when it is complete and sound.  Raises NotPossible when the name is taken.
    """
    part = target.with_name(f"{target.name}.part")
    _refuse_taken(target, "name another file")
    try:
        # Its owner's alone: it holds what people said.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise NotPossible(f"{part} exists: another backup writes it, or was cut off; remove it") from None
    except OSError as error:
        raise NotPossible(f"{part} cannot be written: {error.strerror}") from error
    try:
        _copy(connection, part)
        _refuse_taken(target, "it was made meanwhile")
        os.rename(part, target)
        _sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise NotPossible(f"the backup {target} was not made: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _refuse_taken(target: Path, remedy: str) -> None:
    if os.path.lexists(target):
        raise NotPossible(f"{target} exists and is not overwritten; {remedy}")


def _copy(connection: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        # One view for all steps: without it each commit of the server would begin the copy anew.
        with one_view(connection):
            connection.execute("SELECT 1 FROM counter").fetchone()
            connection.backup(copy, pages=_BACKUP_PAGES, sleep=0)
        [(found,), *_more] = copy.execute("PRAGMA integrity_check").fetchall()
        if found != "ok":
            raise NotPossible(f"the copy is not sound, and so the database may not be: {found}")
    _sync(part)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
