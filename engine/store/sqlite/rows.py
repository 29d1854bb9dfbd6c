"""Values from the columns of rows."""

from collections.abc import Sequence
from typing import Any, Final

from engine.model import (
    Delivery,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    SendState,
    Status,
    UndoStatus,
    User,
)
from engine.plan import Call
from engine.store import CallRecord
from engine.store.encoding import decode_args, decode_body_of, decode_details, from_text

MESSAGE_COLUMNS: Final = "id, user_id, text, timestamp, sequence, kind, details"
ROW_COLUMNS: Final = (
    "sequence, id, user_id, kind, text, operation_id, message_id, state, attempts, provider_id, error, "
    "delivery, not_before, body"
)
# When the user of an outbox row last wrote, and where they are written to.
OF_THE_USER: Final = (
    "coalesce((SELECT heard_at FROM users WHERE users.id = outbox.user_id), 0),"
    " coalesce((SELECT address FROM users WHERE users.id = outbox.user_id), '')"
)
CALL_COLUMNS: Final = (
    "id, round, tool, args, after, intended_at, status, value, value_lost, error, seconds, reused,"
    " undo_intended_at, undo, undo_error"
)


def message_of(columns: Sequence[Any]) -> Message:
    message_id, user_id, text, timestamp, sequence, kind, details = columns
    return Message(
        id=message_id,
        user=User(user_id),
        text=text,
        timestamp=timestamp,
        sequence=sequence,
        **decode_details(kind, details),
    )


def call_record_of(
    call_id: str,
    round: int,
    tool: str,
    args: str,
    after: str,
    intended_at: float | None,
    status: str | None,
    value: str | None,
    value_lost: int,
    error: str | None,
    seconds: float,
    reused: int,
    undo_intended_at: float | None,
    undo: str | None,
    undo_error: str | None,
) -> CallRecord:
    outcome = None
    if status is not None:
        outcome = Outcome(
            call_id=call_id,
            tool=tool,
            status=Status(status),
            raw=from_text(value or "null"),
            error=error,
            value_lost=bool(value_lost),
            seconds=seconds,
            reused=bool(reused),
            undo=UndoStatus(undo) if undo else None,
            undo_error=undo_error,
        )
    return CallRecord(
        call=Call(call_id, tool, decode_args(from_text(args)), from_text(after)),
        round=round,
        intended_at=intended_at,
        undo_intended_at=undo_intended_at,
        outcome=outcome,
    )


def row_of(columns: Sequence[Any]) -> OutboxRow:
    sequence, row_id, user_id, kind, text, operation_id, message_id, state, attempts, *rest = columns
    provider_id, error, delivery, not_before, body = rest
    return OutboxRow(
        id=row_id,
        user=User(user_id),
        kind=OutgoingKind(kind),
        text=text,
        operation_id=operation_id,
        message_id=message_id,
        sequence=sequence,
        state=SendState(state),
        attempts=attempts,
        provider_id=provider_id,
        error=error,
        delivery=Delivery(delivery),
        not_before=not_before,
        **decode_body_of(body),
    )
