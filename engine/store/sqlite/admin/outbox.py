"""The outbox in a list, and its dead letters: sent after all, or given up for good."""

import sqlite3
from collections.abc import Sequence

import attrs

from engine.model import Delivery, OutboxRow, SendState
from engine.store import Queue
from engine.store.sqlite.admin.ids import only_one
from engine.store.sqlite.admin.opening import NotPossible, transaction
from engine.store.sqlite.changes import apply
from engine.store.sqlite.reads import UNSENT
from engine.store.sqlite.rows import ROW_COLUMNS, row_of


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
    with transaction(connection):
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
    with transaction(connection):
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
    return only_one(found, prefix, "dead letter")
