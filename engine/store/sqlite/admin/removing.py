"""What is removed for good: everything about a person, or what was settled long ago."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from engine.model import mask
from engine.store.sqlite.admin.opening import NotPossible, transaction
from engine.store.sqlite.admin.owner import try_to_own
from engine.store.sqlite.reads import UNSENT

# A server's writer waits for at most 2 s: emptying the log must let it in before.
_CHECKPOINT_SECONDS: Final = 0.5
_CHECKPOINT_ATTEMPTS: Final = 10
# A batch holds the file for some milliseconds.
_BATCH_MESSAGES: Final = 250


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
    """Remove everything about a person, at each number that they wrote to, in one transaction.

    Raises NotPossible when a running server works for that person just now; unfinished work that no server
    has is forgotten too.
    """
    with try_to_own(path) as nobody_runs, transaction(connection):
        ids = _ids(connection, user_id)
        if not nobody_runs and any(_is_worked_for(connection, id) for id in ids):
            raise NotPossible(
                f"the server is at work for {mask(user_id)}; stop it, or try again when it is done"
            )
        return sum((_forget(connection, id) for id in ids), Removed())


def _ids(connection: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """The users who are this person, whatever they are called now; a further number stands before a name."""
    named = connection.execute("SELECT user_id FROM names WHERE name = ?", (name,)).fetchone()
    further = connection.execute(
        "SELECT user_id FROM names WHERE name GLOB '[0-9]*/*' AND substr(name, instr(name, '/') + 1) = ?",
        (name,),
    ).fetchall()
    # An id that is no name any more may be another person's.
    return tuple(dict.fromkeys([named[0] if named else name, *(row[0] for row in further)]))


def _forget(connection: sqlite3.Connection, user_id: str) -> Removed:
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
    connection.execute("DELETE FROM names WHERE user_id = ?", (user_id,))
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

    removed = Removed(
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
    remove(
        "names WHERE user_id IN (SELECT user_id FROM doomed)"
        " AND NOT EXISTS (SELECT 1 FROM users WHERE id = names.user_id)"
    )
    return removed


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
        with transaction(connection), _doomed(connection):
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
