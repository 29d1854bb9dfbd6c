"""Each read as a query."""

import sqlite3
from typing import Final

import attrs

from engine.model import RECORDED_FATES, Fate, Message, OutboxRow, Outcome, Turn
from engine.phases import Phase
from engine.store import (
    Accepted,
    CallRecord,
    Conversation,
    Depths,
    OperationRecord,
    SupersededRecord,
    Unfinished,
    UnfinishedOperation,
)
from engine.store.encoding import decode_fate
from engine.store.sqlite.rows import (
    CALL_COLUMNS,
    MESSAGE_COLUMNS,
    ROW_COLUMNS,
    call_record_of,
    message_of,
    row_of,
)

# As the index outbox_unsent has it.
UNSENT: Final = "state IN ('pending', 'sending', 'resending', 'failed')"


def read_conversation(connection: sqlite3.Connection, user_id: str, limit: int) -> Conversation:
    """See `Store.read_conversation`."""
    columns = connection.execute(
        "SELECT * FROM ("
        " SELECT sequence, 'user', text, id, fate, operation_id FROM messages"
        "  WHERE user_id = :user AND fate IS NOT NULL ORDER BY sequence DESC LIMIT :limit)"
        " UNION ALL SELECT * FROM ("
        " SELECT answer_sequence, 'assistant', fate_fields, id, fate, NULL FROM messages"
        "  WHERE user_id = :user AND answer_sequence IS NOT NULL ORDER BY answer_sequence DESC LIMIT :limit)"
        " ORDER BY 1 DESC LIMIT :limit",
        {"user": user_id, "limit": limit},
    ).fetchall()[::-1]
    return Conversation(
        turns=tuple(_turn(*row[:5]) for row in columns),
        superseded=tuple(
            SupersededRecord(
                message=_read_message(connection, message_id),
                outcomes=_read_outcomes(connection, operation_id),
            )
            for _, role, _, message_id, fate, operation_id in columns
            if role == "user" and RECORDED_FATES[fate].cancelled
        ),
    )


def _turn(sequence: int, role: str, text: str, message_id: str, fate: str) -> Turn:
    if role == "assistant":
        text = decode_fate(fate, text).message
    return Turn(role=role, text=text, message_id=message_id, sequence=sequence)


def read_operation(connection: sqlite3.Connection, operation_id: str) -> OperationRecord | None:
    """See `Store.read_operation`."""
    columns = connection.execute(
        "SELECT message_id, phase, interrupted_by, crashes, started_at, ended_at FROM operations"
        " WHERE id = ?",
        (operation_id,),
    ).fetchone()
    if columns is None:
        return None
    message_id, phase, interrupted_by, crashes, started_at, ended_at = columns
    return OperationRecord(
        operation_id=operation_id,
        message=_read_message(connection, message_id),
        phase=Phase(phase),
        interrupted_by=interrupted_by,
        crashes=crashes,
        started_at=started_at,
        ended_at=ended_at,
        calls=_read_calls(connection, operation_id),
    )


def read_fate(connection: sqlite3.Connection, message_id: str) -> Fate | None:
    """See `Store.read_fate`."""
    columns = connection.execute(
        "SELECT fate, fate_fields FROM messages WHERE id = ? AND fate IS NOT NULL", (message_id,)
    ).fetchone()
    return decode_fate(*columns) if columns else None


def read_unfinished(connection: sqlite3.Connection) -> tuple[Unfinished, ...]:
    """See `Store.read_unfinished`."""
    left: dict[str, Unfinished] = {}
    rows = connection.execute(
        "SELECT messages.id, user_id, text, timestamp, sequence, late_behind,"
        " operations.id, phase, interrupted_by FROM messages"
        " LEFT JOIN operations ON operations.id = operation_id AND ended_at IS NULL"
        " WHERE fate IS NULL ORDER BY sequence"
    )
    for *columns, late_behind, operation_id, phase, interrupted_by in rows:
        message = message_of(columns)
        before = left.get(message.user.id, Unfinished())
        if operation_id is None:
            waiting = Accepted(message=message, newest=late_behind)
            left[message.user.id] = attrs.evolve(before, waiting=(*before.waiting, waiting))
        else:
            operation = UnfinishedOperation(
                operation_id=operation_id,
                message=message,
                phase=Phase(phase),
                interrupted_by=interrupted_by,
            )
            left[message.user.id] = attrs.evolve(before, operations=(*before.operations, operation))
    return tuple(left.values())


def read_unsent(connection: sqlite3.Connection, limit: int, after: int) -> tuple[OutboxRow, ...]:
    """See `Store.read_unsent`."""
    rows = connection.execute(
        f"SELECT {ROW_COLUMNS} FROM outbox WHERE {UNSENT} AND sequence > ? ORDER BY sequence LIMIT ?",
        (after, limit),
    )
    return tuple(row_of(columns) for columns in rows)


def read_depths(connection: sqlite3.Connection) -> Depths:
    """See `Store.read_depths`."""
    (inbox,) = connection.execute("SELECT count(*) FROM messages WHERE fate IS NULL").fetchone()
    (outbox,) = connection.execute(f"SELECT count(*) FROM outbox WHERE {UNSENT}").fetchone()
    return Depths(inbox=inbox, outbox=outbox)


def _read_message(connection: sqlite3.Connection, message_id: str) -> Message:
    return message_of(
        connection.execute(
            f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE id = ?",
            (message_id,),
        ).fetchone()
    )


def _read_calls(connection: sqlite3.Connection, operation_id: str) -> tuple[CallRecord, ...]:
    rows = connection.execute(
        f"SELECT {CALL_COLUMNS} FROM calls WHERE operation_id = ? ORDER BY position",
        (operation_id,),
    )
    return tuple(call_record_of(*columns) for columns in rows)


def _read_outcomes(connection: sqlite3.Connection, operation_id: str | None) -> tuple[Outcome, ...]:
    if operation_id is None:
        return ()
    records = _read_calls(connection, operation_id)
    return tuple(record.outcome for record in records if record.outcome is not None)
