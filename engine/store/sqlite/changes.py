"""Each change as statements, inside the transaction of the caller."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from engine.model import Answered, Delivery, DeliveryReport, OutboxRow, SendState, Status
from engine.phases import Phase
from engine.store import (
    Accept,
    Accepted,
    Begin,
    Change,
    Committed,
    End,
    Happened,
    Intended,
    Interrupt,
    Mark,
    Planned,
    Queue,
    Report,
    Reported,
    Resume,
    Settle,
    Settled,
    Suspend,
    Uncommitted,
)
from engine.store.encoding import encode_args, encode_fate, to_text
from engine.store.sqlite.rows import MESSAGE_COLUMNS, ROW_COLUMNS, message_of, row_of

_TOUCH_BYTES: Final = 32_768


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> Committed:
    """Carry out the changes of one write inside the caller's transaction."""
    brought = Uncommitted()
    for change in changes:
        _APPLY[type(change)](connection, change, brought)
    return brought.committed()


def touch(connection: sqlite3.Connection, at: float) -> None:
    """Write something harmless, and as much of it as a message takes: a disk may have room for a page."""
    connection.execute("UPDATE touched SET at = ?, padding = randomblob(?)", (at, _TOUCH_BYTES))


def _next(connection: sqlite3.Connection) -> int:
    row = connection.execute("UPDATE counter SET value = value + 1 RETURNING value").fetchone()
    return int(row[0])


def _accept(connection: sqlite3.Connection, change: Accept, brought: Uncommitted) -> None:
    message = change.message
    if connection.execute("SELECT 1 FROM messages WHERE id = ?", (message.id,)).fetchone():
        return
    newest = connection.execute(
        "SELECT newest_id, newest_timestamp FROM users WHERE id = ?", (message.user.id,)
    ).fetchone()
    timestamp = message.timestamp
    if timestamp is None:
        timestamp = max(int(change.at), newest[1]) if newest else int(change.at)
    message = attrs.evolve(message, timestamp=timestamp, sequence=_next(connection))
    late_behind = newest[0] if newest is not None and timestamp < newest[1] else None
    connection.execute(
        "INSERT INTO messages (sequence, id, user_id, text, timestamp, late_behind)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (message.sequence, message.id, message.user.id, message.text, timestamp, late_behind),
    )
    if late_behind is None:
        connection.execute(
            "INSERT OR REPLACE INTO users VALUES (?, ?, ?)", (message.user.id, message.id, timestamp)
        )
    brought.accepted.append(Accepted(message=message, newest=late_behind))


def _begin(connection: sqlite3.Connection, change: Begin, brought: Uncommitted) -> None:
    connection.execute(
        "INSERT INTO operations (id, message_id, phase, started_at) VALUES (?, ?, ?, ?)",
        (change.operation_id, change.message.id, Phase.PLANNING, change.at),
    )
    found = connection.execute(
        "UPDATE messages SET operation_id = ? WHERE id = ?", (change.operation_id, change.message.id)
    ).rowcount
    if not found:
        raise LookupError("an operation began for a message that is not in the inbox")


def _resume(connection: sqlite3.Connection, change: Resume, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE operations SET crashes = crashes + 1 WHERE id = ? AND ended_at IS NULL",
        (change.operation_id,),
    )


def _suspend(connection: sqlite3.Connection, change: Suspend, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE operations SET crashes = -1 WHERE id = ? AND ended_at IS NULL", (change.operation_id,)
    )


def _set_phase(connection: sqlite3.Connection, operation_id: str, phase: Phase) -> None:
    connection.execute(
        "UPDATE operations SET phase = ? WHERE id = ? AND ended_at IS NULL", (phase, operation_id)
    )


def _planned(connection: sqlite3.Connection, change: Planned, brought: Uncommitted) -> None:
    (position,) = connection.execute(
        "SELECT count(*) FROM calls WHERE operation_id = ?", (change.operation_id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO calls (operation_id, position, id, round, tool, args, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                change.operation_id,
                position + index,
                call.id,
                change.round,
                call.tool,
                to_text(encode_args(call.args)),
                to_text(list(call.after)),
            )
            for index, call in enumerate(change.calls)
        ],
    )
    _set_phase(connection, change.operation_id, Phase.AT_BOUNDARY)


def _intended(connection: sqlite3.Connection, change: Intended, brought: Uncommitted) -> None:
    connection.executemany(
        "UPDATE calls SET intended_at = ? WHERE operation_id = ? AND id = ?",
        [(change.at, change.operation_id, call_id) for call_id in change.call_ids],
    )
    _set_phase(connection, change.operation_id, Phase.IN_WAVE)


def _happened(connection: sqlite3.Connection, change: Happened, brought: Uncommitted) -> None:
    connection.executemany(
        "UPDATE calls SET status = ?, value = ?, value_lost = ?, error = ?, seconds = ?"
        " WHERE operation_id = ? AND id = ? AND status IS NULL",
        [
            (
                outcome.status,
                to_text(outcome.raw),
                outcome.value_lost,
                outcome.error,
                outcome.seconds,
                change.operation_id,
                outcome.call_id,
            )
            for outcome in change.outcomes
        ],
    )
    under_way = connection.execute(
        "SELECT 1 FROM calls WHERE operation_id = ? AND intended_at IS NOT NULL AND status IS NULL",
        (change.operation_id,),
    ).fetchone()
    if not under_way:
        _set_phase(connection, change.operation_id, Phase.AT_BOUNDARY)


def _interrupt(connection: sqlite3.Connection, change: Interrupt, brought: Uncommitted) -> None:
    interrupted = connection.execute(
        "UPDATE operations SET interrupted_by = ?"
        " WHERE id = ? AND interrupted_by IS NULL AND ended_at IS NULL",
        (change.by, change.operation_id),
    ).rowcount
    if not interrupted:
        return
    dropped = connection.execute(
        f"UPDATE outbox SET state = ? WHERE operation_id = ? AND kind = 'note' AND state = ?"
        f" RETURNING {ROW_COLUMNS}",
        (SendState.DROPPED, change.operation_id, SendState.PENDING),
    ).fetchall()
    brought.dropped.extend(row_of(columns) for columns in dropped)
    if change.acknowledgement is not None:
        _queue(connection, Queue(change.acknowledgement), brought)


def _end(connection: sqlite3.Connection, change: End, brought: Uncommitted) -> None:
    ended = connection.execute(
        "UPDATE operations SET phase = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
        (change.phase, change.at, change.operation_id),
    ).rowcount
    if ended:
        connection.execute(
            "UPDATE calls SET status = CASE WHEN intended_at IS NULL THEN ? ELSE ? END, value = 'null'"
            " WHERE operation_id = ? AND status IS NULL",
            (Status.SKIPPED, Status.UNKNOWN, change.operation_id),
        )


def _settle(connection: sqlite3.Connection, change: Settle, brought: Uncommitted) -> None:
    answer_sequence = _next(connection) if isinstance(change.fate, Answered) else None
    settled = connection.execute(
        "UPDATE messages SET fate = ?, fate_fields = ?, answer_sequence = ?"
        f" WHERE id = ? AND fate IS NULL RETURNING {MESSAGE_COLUMNS}",
        (change.fate.name, encode_fate(change.fate), answer_sequence, change.message_id),
    ).fetchone()
    if settled:
        brought.settled.append(Settled(message=message_of(settled), fate=change.fate))


def _queue(connection: sqlite3.Connection, change: Queue, brought: Uncommitted) -> None:
    row = attrs.evolve(change.row, sequence=_next(connection))
    queued = connection.execute(
        f"INSERT OR IGNORE INTO outbox ({ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.sequence,
            row.id,
            row.user.id,
            row.kind,
            row.text,
            row.operation_id,
            row.message_id,
            row.state,
            row.attempts,
            row.provider_id,
            row.error,
            row.delivery,
        ),
    ).rowcount
    if queued:
        brought.queued.append(row)


# Before a request: what was sent or dropped meanwhile must not go out.
_BEFORE_A_REQUEST: Final = frozenset({SendState.SENDING, SendState.RESENDING})


def _mark(connection: sqlite3.Connection, change: Mark, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE outbox SET state = ?, attempts = ?, provider_id = ?, error = ?,"
        # What was reported of an earlier request says nothing of the next.
        " delivery = CASE ? WHEN 'pending' THEN '' ELSE delivery END"
        " WHERE id = ? AND NOT (? AND state IN ('sent', 'dropped'))",
        (
            change.state,
            change.attempts,
            change.provider_id,
            change.error,
            change.state,
            change.row_id,
            change.state in _BEFORE_A_REQUEST,
        ),
    )


def _report(connection: sqlite3.Connection, change: Report, brought: Uncommitted) -> None:
    report = change.report
    found = connection.execute(f"SELECT {ROW_COLUMNS} FROM outbox WHERE id = ?", (report.row_id,)).fetchone()
    if found is None:
        return
    row = row_of(found)
    if not _is_news(report, row):
        return
    # Whatever we know of the request: who reports of a message has taken it.
    state = SendState.FAILED if report.delivery is Delivery.FAILED else SendState.SENT
    connection.execute(
        "UPDATE outbox SET delivery = ?, state = ?, provider_id = ? WHERE id = ?",
        (report.delivery, state, report.provider_id or row.provider_id, row.id),
    )
    brought.reported.append(Reported(row=row, report=report))


def _is_news(report: DeliveryReport, row: OutboxRow) -> bool:
    # A row that is pending is not on its way: that is an old report, of a request that has failed since.
    if row.state is SendState.PENDING or not report.delivery.follows(row.delivery):
        return False
    if report.delivery is not Delivery.FAILED:
        return True
    # The same failure may be reported again, when the row has been sent anew since.
    is_same = bool(report.provider_id) and report.provider_id == row.provider_id
    is_other = bool(report.provider_id and row.provider_id) and not is_same
    is_on_its_way = row.state in _BEFORE_A_REQUEST
    return row.state is not SendState.DEAD and not (is_same if is_on_its_way else is_other)


_APPLY: Final[dict[type, Callable[..., None]]] = {
    Accept: _accept,
    Begin: _begin,
    Resume: _resume,
    Suspend: _suspend,
    Planned: _planned,
    Intended: _intended,
    Happened: _happened,
    Interrupt: _interrupt,
    End: _end,
    Settle: _settle,
    Queue: _queue,
    Mark: _mark,
    Report: _report,
}
