"""Each change as statements, inside the transaction of the caller."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from engine.arrivals import TAKEN_OVER, spoken_of, written_at
from engine.bursts import Burst, gather
from engine.content import Kind
from engine.model import (
    Answered,
    Delivery,
    DeliveryReport,
    Fate,
    Ignored,
    Message,
    OutboxRow,
    OutgoingKind,
    SendState,
    Status,
    Stopped,
    User,
)
from engine.phases import Phase, Reason
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
    UndoIntended,
    Undone,
)
from engine.store.encoding import encode_args, encode_body_of, encode_details, encode_fate, to_text
from engine.store.sqlite.identity import present_id, resolve
from engine.store.sqlite.rows import MESSAGE_COLUMNS, OF_THE_USER, ROW_COLUMNS, message_of, row_of

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
    message = resolve(connection, message, brought)
    known = connection.execute(
        "SELECT newest_id, newest_timestamp, interruptions, silent_until,"
        " burst_id, burst_began_at, burst_starts_at FROM users WHERE id = ?",
        (message.user.id,),
    ).fetchone()
    newest_id, newest_timestamp, interruptions, silent_until, *columns = known or (message.id, 0, 0, 0.0)
    timestamp = message.timestamp
    if timestamp is None:
        timestamp = max(int(change.at), newest_timestamp)
    message = attrs.evolve(message, timestamp=timestamp, sequence=_next(connection))
    if message.identity is not None and timestamp < newest_timestamp:
        # P12: where they are written to has been said since.
        message = attrs.evolve(message, identity=attrs.evolve(message.identity, address=""))
    fate = change.fate or (Ignored(TAKEN_OVER) if silent_until > change.at else None)
    if fate is not None:
        _keep(connection, change, message, fate, brought)
        return
    late_behind = newest_id if timestamp < newest_timestamp else None
    burst = gather(
        Burst(id=columns[0], began_at=columns[1], starts_at=columns[2]) if columns else None,
        message.id,
        change.at,
        change.debounce,
        same_delivery=any(before.message.user == message.user for before in brought.accepted),
    )
    connection.execute(
        "INSERT INTO messages"
        " (sequence, id, user_id, text, timestamp, late_behind, burst_id, starts_at, kind, details)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.sequence,
            message.id,
            message.user.id,
            message.text,
            timestamp,
            late_behind,
            burst.id,
            burst.starts_at,
            message.content.kind,
            encode_details(message),
        ),
    )
    # Whether an edit or a revoke asks for anything is seen later: nothing is late behind one that does not.
    if late_behind is None and spoken_of(message) is None:
        newest_id, newest_timestamp = message.id, timestamp
    connection.execute(
        "INSERT INTO users"
        " (id, newest_id, newest_timestamp, burst_id, burst_began_at, burst_starts_at, heard_at, address)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET newest_id = excluded.newest_id,"
        " newest_timestamp = excluded.newest_timestamp, burst_id = excluded.burst_id,"
        " burst_began_at = excluded.burst_began_at, burst_starts_at = excluded.burst_starts_at,"
        f" heard_at = max(heard_at, excluded.heard_at), {_READDRESS}",
        (
            message.user.id,
            newest_id,
            newest_timestamp,
            burst.id,
            burst.began_at,
            burst.starts_at,
            written_at(message, change.at),
            _address(message),
        ),
    )
    brought.accepted.append(
        Accepted(
            message=message,
            newest=late_behind,
            burst_id=burst.id,
            starts_at=burst.starts_at,
            interruptions=interruptions,
        )
    )


# The last address that a message said stands.
_READDRESS: Final = "address = CASE excluded.address WHEN '' THEN address ELSE excluded.address END"


def _address(message: Message) -> str:
    return message.identity.address if message.identity else ""


# Nobody of these wrote to us: they open no window in which a user may be answered.
_NOT_OF_THE_USER: Final = frozenset({Kind.ECHO, Kind.SYSTEM})


def _keep(
    connection: sqlite3.Connection, change: Accept, message: Message, fate: Fate, brought: Uncommitted
) -> None:
    """A message that is in the conversation and no more."""
    kind = message.content.kind
    connection.execute(
        "INSERT INTO messages"
        " (sequence, id, user_id, text, timestamp, fate, fate_fields, burst_id, kind, details)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.sequence,
            message.id,
            message.user.id,
            message.text,
            message.timestamp,
            fate.name,
            encode_fate(fate),
            message.id,
            kind,
            encode_details(message),
        ),
    )
    connection.execute(
        "INSERT INTO users (id, newest_id, newest_timestamp, silent_until, heard_at, address)"
        " VALUES (?, '', 0, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET silent_until = max(silent_until, excluded.silent_until),"
        f" heard_at = max(heard_at, excluded.heard_at), {_READDRESS}",
        (
            message.user.id,
            change.silent_until or 0.0,
            0 if kind in _NOT_OF_THE_USER else written_at(message, change.at),
            _address(message),
        ),
    )
    brought.settled.append(Settled(message=message, fate=fate))


def _begin(connection: sqlite3.Connection, change: Begin, brought: Uncommitted) -> None:
    connection.execute(
        "INSERT INTO operations (id, message_id, phase, started_at) VALUES (?, ?, ?, ?)",
        (change.operation_id, change.message.id, Phase.PLANNING, change.at),
    )
    for message_id in {change.message.id, *change.burst}:
        _work_on(connection, change.operation_id, message_id)


def _work_on(connection: sqlite3.Connection, operation_id: str, message_id: str) -> None:
    found = connection.execute(
        "UPDATE messages SET operation_id = ? WHERE id = ?", (operation_id, message_id)
    ).rowcount
    if not found:
        raise LookupError("an operation works on a message that is not in the inbox")


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
    position = 0
    if change.round:
        # A later plan may have the ids of calls that were not started.
        connection.executemany(
            "DELETE FROM calls WHERE operation_id = ? AND id = ? AND intended_at IS NULL AND status IS NULL",
            [(change.operation_id, call.id) for call in change.calls],
        )
        (position,) = connection.execute(
            "SELECT coalesce(max(position) + 1, 0) FROM calls WHERE operation_id = ?", (change.operation_id,)
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
    connection.execute(
        "UPDATE operations SET phase = ?, round = ? WHERE id = ? AND ended_at IS NULL",
        (Phase.AT_BOUNDARY, change.round, change.operation_id),
    )
    for message_id in change.joined:
        _work_on(connection, change.operation_id, message_id)


def _intended(connection: sqlite3.Connection, change: Intended, brought: Uncommitted) -> None:
    connection.executemany(
        "UPDATE calls SET intended_at = ? WHERE operation_id = ? AND id = ?",
        [(change.at, change.operation_id, call_id) for call_id in change.call_ids],
    )
    _set_phase(connection, change.operation_id, Phase.IN_WAVE)


def _happened(connection: sqlite3.Connection, change: Happened, brought: Uncommitted) -> None:
    connection.executemany(
        "UPDATE calls SET status = ?, value = ?, value_lost = ?, error = ?, seconds = ?, reused = ?"
        " WHERE operation_id = ? AND id = ? AND status IS NULL",
        [
            (
                outcome.status,
                to_text(outcome.raw),
                outcome.value_lost,
                outcome.error,
                outcome.seconds,
                outcome.reused,
                change.operation_id,
                outcome.call_id,
            )
            for outcome in change.outcomes
        ],
    )
    connection.execute(
        "UPDATE operations SET phase = ? WHERE id = ? AND ended_at IS NULL AND NOT EXISTS ("
        "SELECT 1 FROM calls WHERE operation_id = ? AND intended_at IS NOT NULL AND status IS NULL)",
        (Phase.AT_BOUNDARY, change.operation_id, change.operation_id),
    )


def _interrupt(connection: sqlite3.Connection, change: Interrupt, brought: Uncommitted) -> None:
    interrupted = connection.execute(
        "UPDATE operations SET interrupted_by = ?, reason = ?, undo = ?"
        " WHERE id = ? AND interrupted_by IS NULL AND ended_at IS NULL",
        (change.by, change.reason, change.undo, change.operation_id),
    ).rowcount
    if not interrupted:
        return
    _drop(connection, _NOTES, change.operation_id, brought)
    if change.acknowledgement is not None:
        _queue(connection, Queue(change.acknowledgement), brought)


# By name: SQLite would rather read all the rows that their user ever had.
_ACKNOWLEDGEMENTS: Final = "INDEXED BY outbox_acknowledgements", "user_id = ? AND kind = 'acknowledgement'"
_NOTES: Final = "", "operation_id = ? AND kind = 'note'"


def _drop(connection: sqlite3.Connection, rows: tuple[str, str], id: str, brought: Uncommitted) -> None:
    """Drop rows that are not on their way."""
    index, which = rows
    dropped = connection.execute(
        f"UPDATE outbox {index} SET state = 'dropped' WHERE {which} AND state = 'pending'"
        f" RETURNING {ROW_COLUMNS}",
        (id,),
    ).fetchall()
    brought.dropped.extend(row_of(columns) for columns in dropped)


def _undo_intended(connection: sqlite3.Connection, change: UndoIntended, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE calls SET undo_intended_at = ? WHERE operation_id = ? AND id = ? AND undo IS NULL",
        (change.at, change.operation_id, change.call_id),
    )
    _set_phase(connection, change.operation_id, Phase.UNDOING)


def _undone(connection: sqlite3.Connection, change: Undone, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE calls SET undo = ?, undo_error = ? WHERE operation_id = ? AND id = ? AND undo IS NULL",
        (change.status, change.error, change.operation_id, change.call_id),
    )


def _end(connection: sqlite3.Connection, change: End, brought: Uncommitted) -> None:
    ended = connection.execute(
        "UPDATE operations SET phase = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
        (change.phase, change.at, change.operation_id),
    ).rowcount
    if ended:
        # P13.  An end that is no interruption ends the row of them.
        connection.execute(
            "UPDATE users SET interruptions = CASE WHEN o.phase = 'interrupted' AND o.reason = ?"
            " THEN interruptions + 1 ELSE 0 END FROM operations AS o, messages AS m"
            " WHERE o.id = ? AND m.id = o.message_id AND users.id = m.user_id",
            (Reason.NEW_MESSAGE, change.operation_id),
        )
        connection.execute(
            "UPDATE calls SET status = CASE WHEN intended_at IS NULL THEN ? ELSE ? END, value = 'null'"
            " WHERE operation_id = ? AND status IS NULL",
            (Status.SKIPPED, Status.UNKNOWN, change.operation_id),
        )


def _settle(connection: sqlite3.Connection, change: Settle, brought: Uncommitted) -> None:
    is_told = isinstance(change.fate, Answered) or (isinstance(change.fate, Stopped) and change.fate.told)
    answer_sequence = _next(connection) if is_told else None
    settled = connection.execute(
        "UPDATE messages SET fate = ?, fate_fields = ?, answer_sequence = ?"
        f" WHERE id = ? AND fate IS NULL RETURNING {MESSAGE_COLUMNS}",
        (change.fate.name, encode_fate(change.fate), answer_sequence, change.message_id),
    ).fetchone()
    if settled:
        brought.settled.append(Settled(message=message_of(settled), fate=change.fate))
        if isinstance(change.fate, Stopped):
            # What the acknowledgement speaks of is not coming.
            _drop(connection, _ACKNOWLEDGEMENTS, settled[1], brought)
            # P13: whoever stops has ended the row of interruptions.
            connection.execute(
                "UPDATE users SET interruptions = 0 WHERE id = ? AND interruptions > 0",
                (settled[1],),
            )


def _queue(connection: sqlite3.Connection, change: Queue, brought: Uncommitted) -> None:
    user = User(present_id(connection, change.row.user.id))
    row = attrs.evolve(change.row, user=user, sequence=_next(connection))
    queued = connection.execute(
        f"INSERT OR IGNORE INTO outbox ({ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        f" RETURNING {OF_THE_USER}",
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
            row.not_before,
            encode_body_of(row),
        ),
    ).fetchone()
    if queued:
        if row.kind in (OutgoingKind.REPLY, OutgoingKind.APOLOGY):
            # P9: whoever has the answer need not be told that it is being looked for.
            _drop(connection, _ACKNOWLEDGEMENTS, row.user.id, brought)
        brought.queued.append(attrs.evolve(row, heard_at=queued[0], address=queued[1]))


# Before a request: what was sent or dropped meanwhile must not go out.
_BEFORE_A_REQUEST: Final = frozenset({SendState.SENDING, SendState.RESENDING})


# P9: an acknowledgement that was on its way when the answer was recorded, and did not arrive.
_OVERTAKEN: Final = (
    "",
    "id = ? AND kind = 'acknowledgement' AND EXISTS (SELECT 1 FROM outbox AS later"
    " WHERE later.user_id = outbox.user_id AND later.sequence > outbox.sequence"
    " AND later.kind IN ('reply', 'apology'))",
)


def _mark(connection: sqlite3.Connection, change: Mark, brought: Uncommitted) -> None:
    connection.execute(
        "UPDATE outbox SET state = ?, attempts = ?, provider_id = ?, error = ?,"
        # What was reported of an earlier request says nothing of the next.
        " delivery = CASE ? WHEN 'pending' THEN '' ELSE delivery END"
        # Dropped while it waited for another attempt, it stays so.
        " WHERE id = ? AND state != 'dropped' AND NOT (? AND state = 'sent')",
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
    if change.state is SendState.PENDING:
        _drop(connection, _OVERTAKEN, change.row_id, brought)


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
    UndoIntended: _undo_intended,
    Undone: _undone,
    End: _end,
    Settle: _settle,
    Queue: _queue,
    Mark: _mark,
    Report: _report,
}
