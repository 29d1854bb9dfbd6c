"""The operations in a list, and one of them with its waves."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import attrs

from engine.model import Fate, OutboxRow, User
from engine.phases import Phase
from engine.plan import waves
from engine.store import CallRecord, OperationRecord
from engine.store.sqlite import reads
from engine.store.sqlite.admin.ids import only_one
from engine.store.sqlite.connection import one_view
from engine.store.sqlite.rows import ROW_COLUMNS, row_of


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
class Interrupter:
    """The message that interrupted an operation: when it was sent, and the operation that works on it."""

    sent_at: int
    operation_id: str | None


@attrs.frozen(kw_only=True)
class OperationDetails:
    """One operation, its waves in their order, and its message's fate.

    `told`: what its user was told of it, in the order it was recorded.  `interrupter`: None when no message
    interrupted it, or when that is purged.
    """

    record: OperationRecord
    waves: tuple[Wave, ...]
    fate: Fate | None
    told: tuple[OutboxRow, ...] = ()
    interrupter: Interrupter | None = None


def find_operation(connection: sqlite3.Connection, prefix: str) -> OperationDetails:
    """The operation whose id begins so.  Raises NotPossible when it is not one."""
    with one_view(connection):
        rows = connection.execute("SELECT id FROM operations WHERE id >= ? ORDER BY id LIMIT 2", (prefix,))
        found = [operation_id for (operation_id,) in rows if operation_id.startswith(prefix)]
        record = reads.read_operation(connection, only_one(found, prefix, "operation"))
        if record is None:
            raise AssertionError("unreachable: it was found in the same view")
        fate = reads.read_fate(connection, record.message.id)
        return OperationDetails(
            record=record,
            waves=tuple(_waves(record.calls)),
            fate=fate,
            told=tuple(_told(connection, record)),
            interrupter=_interrupter(connection, record.interrupted_by),
        )


def _told(connection: sqlite3.Connection, record: OperationRecord) -> Iterator[OutboxRow]:
    rows = connection.execute(
        # The user too: there is an index on it.
        f"SELECT {ROW_COLUMNS} FROM outbox WHERE user_id = ? AND operation_id = ? ORDER BY sequence",
        (record.message.user.id, record.operation_id),
    )
    return map(row_of, rows)


def _interrupter(connection: sqlite3.Connection, message_id: str | None) -> Interrupter | None:
    found = connection.execute(
        "SELECT timestamp, operation_id FROM messages WHERE id = ?", (message_id,)
    ).fetchone()
    return Interrupter(sent_at=found[0], operation_id=found[1]) if found else None


def _waves(records: Sequence[CallRecord]) -> Iterator[Wave]:
    for round, planned in groupby(records, key=lambda record: record.round):
        by_id = {record.call.id: record for record in planned}
        for number, calls in enumerate(waves([record.call for record in by_id.values()]), start=1):
            yield Wave(round, number, tuple(by_id[call.id] for call in calls))
