"""What an operator sees and does in a database file, whether or not a server runs on it.

Rule 1: a file is never made here, nor brought to another version: that is a server's part.
Rule 2: every change is one transaction, or many short ones, so that a server's writes get their turn.
Rule 3: what a running server works on is not touched.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import attrs

from engine.errors import EngineError, StoreUnavailable, StoreUnusable
from engine.model import Delivery, Fate, OutboxRow, SendState, User, mask
from engine.phases import Phase
from engine.plan import waves
from engine.store import CallRecord, OperationRecord, Queue
from engine.store.sqlite import reads
from engine.store.sqlite.changes import apply
from engine.store.sqlite.owner import path_of_owner, try_lock
from engine.store.sqlite.reads import UNSENT
from engine.store.sqlite.rows import ROW_COLUMNS, row_of
from engine.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

# A server's commit takes milliseconds; what holds the file for longer is stuck, or a shell.
_BUSY_SECONDS: Final = 5.0
# A server's writer waits for at most 2 s: emptying the log must let it in before.
_CHECKPOINT_SECONDS: Final = 0.5
_CHECKPOINT_ATTEMPTS: Final = 10
# A batch holds the file for some milliseconds.
_BATCH_MESSAGES: Final = 250
_BACKUP_PAGES: Final = 1024


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
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise StoreUnusable(f"{path} is not a database of Midstream; name another file")
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path} was written by a newer Midstream (schema {version}, this one knows {SCHEMA_VERSION});"
            " use that version"
        )
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
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


# The owner ----------------------------------------------------------------------------------------


@contextmanager
def try_to_own(path: Path) -> Iterator[bool]:
    """Keep servers from starting on this database; yields False when one runs on it already."""
    try:
        file = os.open(path_of_owner(path), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # no server has ever run on it here; made by us it could be another user's
        yield True
        return
    except OSError as error:
        raise StoreUnusable(f"cannot open {path_of_owner(path)}: {error.strerror}") from error
    try:
        yield try_lock(file, path)
    finally:
        os.close(file)


@attrs.frozen
class Owner:
    """The process that runs on a database, as it wrote itself down, and whether it was told to look again."""

    name: str
    was_told: bool


def wake_owner(path: Path) -> Owner | None:
    """Ask the server that runs on this database to read its outbox again; None when there is none."""
    with try_to_own(path) as nobody_runs:
        if nobody_runs:
            return None
        name = path_of_owner(path).read_text(errors="replace")
        pid = name.partition("@")[0]
        # To who does not expect it, this signal is the end: no stranger may get it, nor an owner that is
        # still starting, or is another program.
        told = pid.isascii() and pid.isdigit() and _has_open(pid, path) and _expects_hangup(pid)
        if told:
            try:
                os.kill(int(pid), signal.SIGHUP)
            except OSError:
                told = False
        return Owner(name or "unknown", told)


def _has_open(pid: str, path: Path) -> bool:
    """Whether it is that process, of this host, that has the owner's file."""
    owned = os.stat(path_of_owner(path))
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # no such process, another user's, or a system without /proc
        return False
    for file in files:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file.stat(), owned):
                return True
    return False


def _expects_hangup(pid: str) -> bool:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
        return bool(int(caught, 16) & 1 << (signal.SIGHUP - 1))
    return False


# Operations ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class OperationSummary:
    """One operation in a list.  `calls_ended` of its `calls_planned` have an outcome."""

    operation_id: str
    user: User
    message_id: str
    phase: Phase
    started_at: float
    ended_at: float | None
    interrupted_by: str | None
    crashes: int
    calls_planned: int
    calls_ended: int


def list_operations(
    connection: sqlite3.Connection, *, finished: bool, limit: int
) -> tuple[OperationSummary, ...]:
    """The newest `limit` unfinished operations; with `finished`, of all."""
    rows = connection.execute(
        "SELECT o.id, m.user_id, phase, crashes, o.message_id, started_at, ended_at, interrupted_by,"
        " (SELECT count(*) FROM calls WHERE operation_id = o.id),"
        " (SELECT count(*) FROM calls WHERE operation_id = o.id AND status IS NOT NULL)"
        " FROM operations AS o JOIN messages AS m ON m.id = o.message_id"
        f" {'' if finished else 'WHERE ended_at IS NULL'} ORDER BY started_at DESC, o.id LIMIT ?",
        (limit,),
    )
    return tuple(_summary(*columns) for columns in rows)


def _summary(operation_id: str, user_id: str, phase: str, crashes: int, *columns: Any) -> OperationSummary:
    message_id, started_at, ended_at, interrupted_by, calls_planned, calls_ended = columns
    return OperationSummary(
        operation_id=operation_id,
        user=User(user_id),
        message_id=message_id,
        phase=Phase(phase),
        started_at=started_at,
        ended_at=ended_at,
        interrupted_by=interrupted_by,
        crashes=max(crashes, 0),  # below it is the sign of a suspension
        calls_planned=calls_planned,
        calls_ended=calls_ended,
    )


@attrs.frozen
class Wave:
    """Calls that run together, with what is recorded of them; the first round's first wave is 0, 1."""

    round: int
    number: int
    calls: tuple[CallRecord, ...]


@attrs.frozen(kw_only=True)
class OperationDetails:
    """One operation, its waves in their order, and its message's fate."""

    record: OperationRecord
    waves: tuple[Wave, ...]
    fate: Fate | None


def find_operation(connection: sqlite3.Connection, prefix: str) -> OperationDetails:
    """The operation whose id begins so.  Raises NotPossible when it is not one."""
    connection.execute("BEGIN")  # one view of a file that a server may be writing
    try:
        rows = connection.execute("SELECT id FROM operations WHERE id >= ? ORDER BY id LIMIT 2", (prefix,))
        found = [operation_id for (operation_id,) in rows if operation_id.startswith(prefix)]
        record = reads.read_operation(connection, _only(found, prefix, "operation"))
        if record is None:
            raise AssertionError("unreachable: it was found in the same view")
        fate = reads.read_fate(connection, record.message.id)
        return OperationDetails(record=record, waves=tuple(_waves(record.calls)), fate=fate)
    finally:
        connection.execute("ROLLBACK")


def _waves(records: Sequence[CallRecord]) -> Iterator[Wave]:
    for round, planned in groupby(records, key=lambda record: record.round):
        by_id = {record.call.id: record for record in planned}
        for number, calls in enumerate(waves([record.call for record in by_id.values()]), start=1):
            yield Wave(round, number, tuple(by_id[call.id] for call in calls))


def _only(found: Sequence[str], prefix: str, what: str) -> str:
    """The one id that was meant.  An id that another one begins with is meant itself."""
    if not prefix or not found:
        raise NotPossible(f"there is no {what} {prefix!r}")
    if len(found) > 1 and prefix not in found:
        raise NotPossible(f"more than one {what} begins with {prefix!r}; give more of it")
    return prefix if prefix in found else found[0]


# The outbox ---------------------------------------------------------------------------------------


def list_outbox(
    connection: sqlite3.Connection, *, state: SendState | None, limit: int
) -> tuple[OutboxRow, ...]:
    """The first `limit` rows in one state; without one, of all that are not yet sent, or given up."""
    wanted = f"({UNSENT} OR state = 'dead')" if state is None else "state = ?"
    rows = connection.execute(
        f"SELECT {ROW_COLUMNS} FROM outbox WHERE {wanted} ORDER BY sequence LIMIT ?",
        (limit,) if state is None else (state, limit),
    )
    return tuple(row_of(columns) for columns in rows)


def retry(connection: sqlite3.Connection, prefixes: Sequence[str] | None) -> int:
    """Let dead letters be sent after all, as if they were queued now; returns how many.

    `prefixes` of ids; None for all dead letters.  Raises NotPossible, having changed nothing, when one of
    them is none.
    """
    with _transaction(connection):
        letters = _dead_letters(connection, prefixes)
        connection.executemany("DELETE FROM outbox WHERE id = ?", [(row.id,) for row in letters])
        apply(connection, [Queue(_as_new(row)) for row in letters])
    return len(letters)


def _as_new(row: OutboxRow) -> OutboxRow:
    return attrs.evolve(
        row, state=SendState.PENDING, attempts=0, provider_id="", error="", delivery=Delivery.NONE
    )


def drop(connection: sqlite3.Connection, prefixes: Sequence[str] | None) -> int:
    """Give dead letters up for good; see `retry`."""
    with _transaction(connection):
        letters = _dead_letters(connection, prefixes)
        connection.executemany(
            "UPDATE outbox SET state = ? WHERE id = ?", [(SendState.DROPPED, row.id) for row in letters]
        )
    return len(letters)


def _dead_letters(connection: sqlite3.Connection, prefixes: Sequence[str] | None) -> list[OutboxRow]:
    """Those that are meant, in the order they were queued."""
    rows = connection.execute(f"SELECT {ROW_COLUMNS} FROM outbox WHERE state = 'dead' ORDER BY sequence")
    letters = [row_of(columns) for columns in rows]
    if prefixes is None:
        return letters
    wanted = {_dead_letter(connection, letters, prefix) for prefix in prefixes}
    return [row for row in letters if row.id in wanted]


def _dead_letter(connection: sqlite3.Connection, letters: Sequence[OutboxRow], prefix: str) -> str:
    found = [row.id for row in letters if row.id.startswith(prefix)]
    other = connection.execute("SELECT state FROM outbox WHERE id = ?", (prefix,)).fetchone()
    if not found and other is not None:
        raise NotPossible(f"{prefix} is {other[0]}, not a dead letter")
    return _only(found, prefix, "dead letter")


# Forgetting ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Removed:
    """How much of each kind."""

    messages: int = 0
    operations: int = 0
    calls: int = 0
    outbox: int = 0
    users: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        mine, theirs = attrs.astuple(self), attrs.asdict(other)
        return Removed(**{name: mine[index] + theirs[name] for index, name in enumerate(theirs)})

    def __bool__(self) -> bool:
        return any(attrs.astuple(self))


def forget(connection: sqlite3.Connection, path: Path, user_id: str) -> Removed:
    """Remove everything about a person, in one transaction.

    Raises NotPossible when a running server works for that person just now; unfinished work that no server
    has is forgotten too.
    """
    with try_to_own(path) as nobody_runs, _transaction(connection):
        if not nobody_runs and _is_worked_for(connection, user_id):
            raise NotPossible(
                f"the server is at work for {mask(user_id)}; stop it, or try again when it is done"
            )
        with _doomed(connection):
            connection.execute(
                "INSERT INTO doomed SELECT sequence, id, operation_id, user_id FROM messages"
                " WHERE user_id = :user AND fate IS NOT NULL"
                " UNION ALL SELECT sequence, id, operation_id, user_id FROM messages"
                " WHERE user_id = :user AND fate IS NULL",
                {"user": user_id},
            )
            removed = _remove_doomed(connection)
        # What belongs to no message of theirs that is still there.
        outbox = connection.execute("DELETE FROM outbox WHERE user_id = ?", (user_id,)).rowcount
        users = connection.execute("DELETE FROM users WHERE id = ?", (user_id,)).rowcount
        return removed + Removed(outbox=outbox, users=users)


def _is_worked_for(connection: sqlite3.Connection, user_id: str) -> bool:
    # An operation has not ended while its message has no fate.
    found = connection.execute(
        "SELECT 1 FROM messages WHERE user_id = :user AND fate IS NULL"
        f" UNION ALL SELECT 1 FROM outbox WHERE user_id = :user AND {UNSENT}",
        {"user": user_id},
    ).fetchone()
    return found is not None


@contextmanager
def _doomed(connection: sqlite3.Connection) -> Iterator[None]:
    """A table of the messages that are to go, in memory, for one transaction."""
    connection.execute(
        "CREATE TEMP TABLE doomed (sequence INTEGER PRIMARY KEY, id TEXT, operation_id TEXT, user_id TEXT)"
    )
    yield
    connection.execute("DROP TABLE temp.doomed")


def _remove_doomed(connection: sqlite3.Connection) -> Removed:
    """Remove the doomed messages with all that belongs to them."""

    def remove(condition: str) -> int:
        return connection.execute(f"DELETE FROM {condition}").rowcount

    return Removed(
        calls=remove("calls WHERE operation_id IN (SELECT operation_id FROM doomed)"),
        operations=remove("operations WHERE id IN (SELECT operation_id FROM doomed)"),
        # By user first: that has an index.
        outbox=remove(
            "outbox WHERE user_id IN (SELECT user_id FROM doomed) AND (message_id IN (SELECT id FROM doomed)"
            " OR operation_id IN (SELECT operation_id FROM doomed))"
        ),
        messages=remove("messages WHERE sequence IN (SELECT sequence FROM doomed)"),
        users=remove(
            "users WHERE id IN (SELECT user_id FROM doomed)"
            " AND NOT EXISTS (SELECT 1 FROM messages WHERE user_id = users.id AND fate IS NOT NULL)"
            " AND NOT EXISTS (SELECT 1 FROM messages WHERE user_id = users.id AND fate IS NULL)"
        ),
    )


# Old enough to go: settled, with nothing of it unfinished, unsent or younger.
_PURGEABLE: Final = (
    "fate IS NOT NULL AND timestamp < :before"
    " AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.id = messages.operation_id"
    "  AND (ended_at IS NULL OR ended_at >= :before))"
    f" AND messages.id NOT IN (SELECT message_id FROM outbox WHERE {UNSENT})"
    f" AND (operation_id IS NULL OR operation_id NOT IN (SELECT operation_id FROM outbox WHERE {UNSENT}))"
)


def purge(connection: sqlite3.Connection, *, before: int, pause: Callable[[], None]) -> Removed:
    """Remove what was settled before that second (since 1970), in batches with a pause after each."""
    removed, last = Removed(), 0
    while True:
        # Looked for without a lock, and asked again under it.
        rows = connection.execute(
            f"SELECT sequence FROM messages WHERE sequence > :last AND {_PURGEABLE}"
            " ORDER BY sequence LIMIT :max",
            {"before": before, "last": last, "max": _BATCH_MESSAGES},
        )
        sequences = [sequence for (sequence,) in rows]
        if not sequences:
            return removed
        last = sequences[-1]
        with _transaction(connection), _doomed(connection):
            connection.execute(
                "INSERT INTO doomed SELECT sequence, id, operation_id, user_id FROM messages"
                f" WHERE sequence IN ({','.join(map(str, sequences))}) AND {_PURGEABLE}",
                {"before": before},
            )
            removed += _remove_doomed(connection)
        pause()


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring the write-ahead log into the file and cut it off, so that nothing removed is left in either.

    Returns False when a reader was in the way.
    """
    connection.execute(f"PRAGMA busy_timeout = {int(_CHECKPOINT_SECONDS * 1000)}")
    for _ in range(_CHECKPOINT_ATTEMPTS):
        (is_busy, *_pages) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            return True
    return False


# Backup -------------------------------------------------------------------------------------------


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
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM counter").fetchone()
        try:
            connection.backup(copy, pages=_BACKUP_PAGES, sleep=0)
        finally:
            connection.execute("ROLLBACK")
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
