"""What the engine tells of an operation, as one drawing that each further event makes anew; pure.

Rule 1: a user has at most one operation at a time (P1), so the events of a user go to the one that runs.
Rule 2: a drawing is whole: a page that has seen the newest one has missed nothing of the operation.
Rule 3: a call that finished before an interruption is kept (P7), unless it was undone; one that never
        started is skipped.
"""

from functools import singledispatch
from typing import Any, Final

import attrs

from engine import (
    CallFinished,
    CallStarted,
    CallUndone,
    Event,
    Fate,
    Ignored,
    Merged,
    MessageAccepted,
    MessageDeferred,
    MessageSettled,
    OutgoingKind,
    OutgoingQueued,
    PlanAccepted,
    Rejected,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionResumed,
    SessionStarted,
    SessionSuspended,
    Status,
    Stopped,
    WaveStarted,
)

TITLE_CHARACTERS_MAX: Final = 200
# An operation that is cancelled right after a wave had no time to think of anything.
_THOUGHT_SECONDS_MIN: Final = 0.1
_REASONS: Final = {
    "new_message_received": "Interrupted by a newer message",
    "user_stopped": "Stopped by the user",
    "deadline": "Ended: it took too long",
    "taken_over": "A person of the business took over",
}
_INTERRUPTS: Final = "interrupts"
# What an arrived message did to the operation, when the fate it got says so.
_DECISIONS: Final[dict[type[Fate], str]] = {
    Merged: "joined",
    Rejected: "refused",
    Ignored: "asks for nothing",
    Stopped: "said stop",
}


@attrs.frozen(kw_only=True)
class Row:
    """One line of the drawing.  `began` and `ended` are seconds since 1970; None: not yet, or never.

    `kind`: `thinking`, `call`, `undo` or `arrival` (of a message, a moment).  `state`: of a call `planned`,
    `running`, a `Status`, `reused`, or `kept`; of a thought `running`, `done` or `cut`; of an undo an
    `UndoStatus`; of an arrival what became of it.  `wave` counts from 1; 0 is outside of waves.
    """

    kind: str
    id: str
    state: str
    label: str
    tool: str = ""
    wave: int = 0
    began: float | None = None
    ended: float | None = None
    error: str | None = None


@attrs.frozen(kw_only=True)
class Drawing:
    """One operation.  `state`: `running`, `interrupted`, `completed`, `failed` or `suspended`.

    `boundary`: where an interruption landed, seconds since 1970.  `said`: how it ends, for people.
    """

    id: str
    user_id: str = attrs.field(repr=False)
    message_id: str = attrs.field(repr=False)
    title: str = attrs.field(repr=False)
    began: float
    ended: float | None = None
    boundary: float | None = None
    state: str = "running"
    said: str = ""
    rows: tuple[Row, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it but whose it is."""
        return attrs.asdict(self, filter=lambda field, _: field.name != "user_id")


def advance(drawing: Drawing | None, event: Event, at: float) -> Drawing | None:
    """The drawing after the event, which was told at that moment.

    `drawing` is that of the user's operation that runs; None when none does.  What says nothing about it
    leaves it as it is.
    """
    if isinstance(event, SessionStarted | SessionResumed):
        return _begin(event, at)
    if drawing is None or drawing.user_id != getattr(event, "user_id", None):
        return drawing
    if getattr(event, "operation_id", drawing.id) != drawing.id:
        return drawing
    return _after(event, drawing, at)


def _begin(event: SessionStarted | SessionResumed, at: float) -> Drawing:
    label = "plan" if isinstance(event, SessionStarted) else "resume"
    return Drawing(
        id=event.operation_id,
        user_id=event.user_id,
        message_id=event.message.id,
        title=event.message.text[:TITLE_CHARACTERS_MAX],
        began=at,
        rows=(_thought(label, at),),
    )


@singledispatch
def _after(event: Event, drawing: Drawing, at: float) -> Drawing:
    return drawing


# Calls --------------------------------------------------------------------------------------------


@_after.register
def _(event: PlanAccepted, drawing: Drawing, at: float) -> Drawing:
    planned_anew = {call_id for wave in event.waves for call_id in wave}
    rows = [row for row in _think(drawing, "adapt", at).rows if _is_left(row, planned_anew)]
    first = 1 + max((row.wave for row in rows), default=0)
    rows += [
        Row(kind="call", id=call_id, label=call_id, state="planned", wave=number)
        for number, wave in enumerate(event.waves, first)
        for call_id in wave
    ]
    return _think_when_idle(attrs.evolve(drawing, rows=tuple(rows)), at)


def _is_left(row: Row, planned_anew: set[str]) -> bool:
    return not (row.kind == "call" and row.state == "planned" and row.id in planned_anew)


@_after.register
def _(event: WaveStarted, drawing: Drawing, at: float) -> Drawing:
    """The calls of a plan that an earlier process accepted are met here first."""
    known = {row.id for row in drawing.rows if row.kind == "call"}
    number = 1 + max((row.wave for row in drawing.rows), default=0)
    more = (
        Row(kind="call", id=call_id, label=call_id, state="planned", wave=number)
        for call_id in event.call_ids
        if call_id not in known
    )
    drawing = _think(drawing, None, at)
    return attrs.evolve(drawing, rows=(*drawing.rows, *more))


@_after.register
def _(event: CallStarted, drawing: Drawing, at: float) -> Drawing:
    return _with_call(drawing, event.call_id, tool=event.tool, state="running", began=at)


@_after.register
def _(event: CallFinished, drawing: Drawing, at: float) -> Drawing:
    was_made = event.status is not Status.SKIPPED and not event.reused
    drawing = _with_call(
        drawing,
        event.call_id,
        tool=event.tool,
        state="reused" if event.reused else event.status.value,
        ended=at if was_made else None,
        error=event.error,
    )
    return _think_when_idle(drawing, at)


@_after.register
def _(event: CallUndone, drawing: Drawing, at: float) -> Drawing:
    row = Row(
        kind="undo",
        id=event.call_id,
        label=f"undo {event.call_id}",
        state=event.status.value,
        began=at - event.seconds,
        ended=at,
        error=event.error,
    )
    boundary = drawing.boundary if drawing.boundary is not None else row.began
    return attrs.evolve(drawing, boundary=boundary, rows=(*drawing.rows, row))


def _with_call(drawing: Drawing, call_id: str, **changes: Any) -> Drawing:
    rows = tuple(
        attrs.evolve(row, **changes) if row.kind == "call" and row.id == call_id else row
        for row in drawing.rows
    )
    return attrs.evolve(drawing, rows=rows)


# Thoughts -----------------------------------------------------------------------------------------


def _thought(label: str, at: float) -> Row:
    return Row(kind="thinking", id=label, label=label, state="running", began=at)


def _think_when_idle(drawing: Drawing, at: float) -> Drawing:
    """Once nothing is left to call, the assistant thinks: of more calls, or of the reply."""
    if any(row.state in ("planned", "running") for row in drawing.rows):
        return drawing
    return attrs.evolve(drawing, rows=(*drawing.rows, _thought("reply", at)))


def _think(drawing: Drawing, label: str | None, at: float, state: str = "done") -> Drawing:
    """End the thought that goes on, if any; one after a call turns out to have been about `label`."""
    rows = []
    for row in drawing.rows:
        if row.kind == "thinking" and row.state == "running":
            name = label if label is not None and row.id == "reply" else row.label
            if state != "done" and row.id == "reply" and at - (row.began or at) < _THOUGHT_SECONDS_MIN:
                continue
            row = attrs.evolve(row, id=name, label=name, state=state, ended=at)
        rows.append(row)
    return attrs.evolve(drawing, rows=tuple(rows))


# Messages -----------------------------------------------------------------------------------------


@_after.register
def _(event: MessageAccepted, drawing: Drawing, at: float) -> Drawing:
    row = Row(kind="arrival", id=event.message_id, label="new message", state="waits", began=at, ended=at)
    return attrs.evolve(drawing, rows=(*drawing.rows, row))


@_after.register
def _(event: MessageDeferred, drawing: Drawing, at: float) -> Drawing:
    return _with_arrival(drawing, event.message_id, "must wait: interrupted too often")


@_after.register
def _(event: OutgoingQueued, drawing: Drawing, at: float) -> Drawing:
    """The acknowledgement goes out while the wave that it interrupts still runs."""
    if event.kind is not OutgoingKind.ACKNOWLEDGEMENT:
        return drawing
    return attrs.evolve(_with_arrival(drawing, None, _INTERRUPTS), said="Interrupted: finishes its wave")


@_after.register
def _(event: MessageSettled, drawing: Drawing, at: float) -> Drawing:
    decision = _DECISIONS.get(type(event.fate))
    return drawing if decision is None else _with_arrival(drawing, event.message_id, decision)


def _with_arrival(drawing: Drawing, message_id: str | None, state: str) -> Drawing:
    """Say what became of that message, or, without one, of all that wait."""
    rows = tuple(
        attrs.evolve(row, state=state)
        if row.kind == "arrival" and (row.id == message_id or (message_id is None and row.state == "waits"))
        else row
        for row in drawing.rows
    )
    return attrs.evolve(drawing, rows=rows)


# Ends ---------------------------------------------------------------------------------------------


@_after.register
def _(event: SessionCompleted, drawing: Drawing, at: float) -> Drawing:
    drawing = _with_arrival(_think(drawing, None, at), None, "waited for the next")
    return attrs.evolve(drawing, ended=at, state="completed", said="Answered")


@_after.register
def _(event: SessionCancelled, drawing: Drawing, at: float) -> Drawing:
    if event.reason == "new_message_received":
        drawing = _with_arrival(drawing, None, _INTERRUPTS)
    drawing = _think(drawing, "adapt or reply", at, "cut")
    undone = {row.id for row in drawing.rows if row.kind == "undo" and row.state == "undone"}
    rows = tuple(_after_cancel(row, undone) for row in drawing.rows)
    said = _REASONS.get(event.reason, "Interrupted")
    boundary = at if drawing.boundary is None else drawing.boundary
    return attrs.evolve(drawing, rows=rows, ended=at, boundary=boundary, state="interrupted", said=said)


def _after_cancel(row: Row, undone: set[str]) -> Row:
    if row.kind == "call" and row.state == "planned":
        return attrs.evolve(row, state="skipped")
    if row.kind == "call" and row.state == "succeeded" and row.id not in undone:
        return attrs.evolve(row, state="kept")
    return row


@_after.register
def _(event: SessionFailed, drawing: Drawing, at: float) -> Drawing:
    drawing = _think(drawing, None, at, "cut")
    return attrs.evolve(drawing, ended=at, state="failed", said=f"Failed: {event.reason}")


@_after.register
def _(event: SessionSuspended, drawing: Drawing, at: float) -> Drawing:
    drawing = _think(drawing, None, at, "cut")
    return attrs.evolve(drawing, ended=at, state="suspended", said="Suspended until the restart")
