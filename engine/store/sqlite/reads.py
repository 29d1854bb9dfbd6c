"""Each read as a query."""

import sqlite3
from typing import Final

import attrs

from engine.model import RECORDED_FATES, Fate, Message, OutboxRow, Turn
from engine.phases import Phase, Reason
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
from engine.store.sqlite.identity import present_id
from engine.store.sqlite.rows import (
    CALL_COLUMNS,
    MESSAGE_COLUMNS,
    OF_THE_USER,
    ROW_COLUMNS,
    call_record_of,
    message_of,
    row_of,
)

# As the index outbox_unsent has it.
UNSENT: Final = "state IN ('pending', 'sending', 'resending', 'failed')"


def read_conversation(connection: sqlite3.Connection, user_id: str, limit: int) -> Conversation:
    """See `Store.read_conversation`."""
    user_id = present_id(connection, user_id)
    columns = connection.execute(
        "SELECT * FROM ("
        " SELECT sequence, CASE kind WHEN 'echo' THEN 'business' ELSE 'user' END,"
        "  CASE WHEN text = '' AND kind != 'text' THEN '[' || replace(kind, '_', ' ') || ']' ELSE text END,"
        "  id, fate, operation_id FROM messages"
        "  WHERE user_id = :user AND fate IS NOT NULL ORDER BY sequence DESC LIMIT :limit)"
        " UNION ALL SELECT * FROM ("
        " SELECT answer_sequence, 'assistant', fate_fields, id, fate, NULL FROM messages"
        "  WHERE user_id = :user AND answer_sequence IS NOT NULL ORDER BY answer_sequence DESC LIMIT :limit)"
        " ORDER BY 1 DESC LIMIT :limit",
        {"user": user_id, "limit": limit},
    ).fetchall()[::-1]
    superseded = (
        _superseded(connection, message_id, operation_id)
        for _, role, _, message_id, fate, operation_id in columns
        if role == "user" and RECORDED_FATES[fate].cancelled
    )
    return Conversation(
        turns=tuple(_turn(*row[:5]) for row in columns),
        superseded=tuple(record for record in superseded if record is not None),
    )


def _superseded(
    connection: sqlite3.Connection, message_id: str, operation_id: str | None
) -> SupersededRecord | None:
    """None for a message whose burst stands in the record of its newest."""
    if operation_id is not None:
        operation = connection.execute(
            "SELECT message_id FROM operations WHERE id = ?", (operation_id,)
        ).fetchone()
        # A purge may have removed it, and not yet all of its burst.
        if operation is not None and operation[0] != message_id:
            return None
    return SupersededRecord(
        message=_read_message(connection, message_id),
        burst=_read_burst(connection, operation_id),
        calls=_read_calls(connection, operation_id),
    )


def _turn(sequence: int, role: str, text: str, message_id: str, fate: str) -> Turn:
    if role == "assistant":
        text = decode_fate(fate, text).message
    return Turn(role=role, text=text, message_id=message_id, sequence=sequence, fate=fate)


def read_operation(connection: sqlite3.Connection, operation_id: str) -> OperationRecord | None:
    """See `Store.read_operation`."""
    columns = connection.execute(
        "SELECT message_id, phase, interrupted_by, reason, undo, crashes, started_at, ended_at, round"
        " FROM operations WHERE id = ?",
        (operation_id,),
    ).fetchone()
    if columns is None:
        return None
    message_id, phase, interrupted_by, reason, undo, crashes, started_at, ended_at, round = columns
    return OperationRecord(
        operation_id=operation_id,
        message=_read_message(connection, message_id),
        burst=_read_burst(connection, operation_id),
        phase=Phase(phase),
        interrupted_by=interrupted_by,
        reason=Reason(reason) if reason else None,
        undo=bool(undo),
        crashes=crashes,
        started_at=started_at,
        ended_at=ended_at,
        round=round,
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
        "SELECT messages.id, user_id, text, timestamp, sequence, kind, details,"
        " late_behind, messages.burst_id, starts_at,"
        " coalesce(interruptions, 0), coalesce(silent_until, 0),"
        " operations.id, message_id, phase, interrupted_by, reason, undo"
        " FROM messages LEFT JOIN users ON users.id = user_id"
        " LEFT JOIN operations ON operations.id = operation_id AND ended_at IS NULL"
        " WHERE fate IS NULL ORDER BY sequence"
    )
    for row in rows:
        message, rest = message_of(row[:7]), row[7:]
        late_behind, burst_id, starts_at, interruptions, silent_until, *of_operation = rest
        operation_id, works_on, *state = of_operation
        before = left.get(message.user.id, Unfinished(interruptions=interruptions, silent_until=silent_until))
        if operation_id is None:
            waiting = Accepted(
                message=message,
                newest=late_behind,
                burst_id=burst_id,
                starts_at=starts_at,
                interruptions=interruptions,
            )
            left[message.user.id] = attrs.evolve(before, waiting=(*before.waiting, waiting))
        elif works_on == message.id:
            burst = _read_burst(connection, operation_id)
            operation = _unfinished(operation_id, message, burst, *state)
            left[message.user.id] = attrs.evolve(before, operations=(*before.operations, operation))
    return tuple(left.values())


def _unfinished(
    operation_id: str,
    message: Message,
    burst: tuple[Message, ...],
    phase: str,
    by: str | None,
    reason: str | None,
    undo: int,
) -> UnfinishedOperation:
    return UnfinishedOperation(
        operation_id=operation_id,
        message=message,
        burst=burst,
        phase=Phase(phase),
        interrupted_by=by,
        reason=Reason(reason) if reason else None,
        undo=bool(undo),
    )


def read_unsent(
    connection: sqlite3.Connection, limit: int, after: int, user_id: str | None
) -> tuple[OutboxRow, ...]:
    """See `Store.read_unsent`."""
    user_id = user_id and present_id(connection, user_id)
    rows = connection.execute(
        # By name: not through all the rows that a user ever had.
        f"SELECT {ROW_COLUMNS}, {OF_THE_USER} FROM outbox INDEXED BY outbox_unsent"
        f" WHERE {UNSENT} AND sequence > :after AND (:user IS NULL OR user_id = :user)"
        " ORDER BY sequence LIMIT :limit",
        {"after": after, "user": user_id, "limit": limit},
    )
    return tuple(
        attrs.evolve(row_of(columns[:-2]), heard_at=columns[-2], address=columns[-1]) for columns in rows
    )


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


def _read_calls(connection: sqlite3.Connection, operation_id: str | None) -> tuple[CallRecord, ...]:
    rows = connection.execute(
        f"SELECT {CALL_COLUMNS} FROM calls WHERE operation_id = ? ORDER BY position",
        (operation_id,),
    )
    return tuple(call_record_of(*columns) for columns in rows)


def _read_burst(connection: sqlite3.Connection, operation_id: str | None) -> tuple[Message, ...]:
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE operation_id = ? ORDER BY timestamp, sequence",
        (operation_id,),
    )
    return tuple(message_of(columns) for columns in rows)
