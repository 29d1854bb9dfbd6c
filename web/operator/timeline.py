"""One operation over time: thinking, waves, where an interruption landed, undos, what was told; pure.

Rule 1: it draws what is recorded.  Thinking is what lies between; an undo lasts until the next record.
Rule 2: rows stand in the order of what happened; what never began comes after where it all ended.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from engine import OutboxRow, Outcome, OutgoingKind, Phase, Status, UndoStatus
from engine.store.sqlite.admin import CallRecord, OperationDetails, Wave
from web.logs import hash_id, mask_user
from web.operator import chart
from web.operator.chart import Row, Scale, chart_lines, cut
from web.operator.operation import call_ended, fate_text, undo_ended
from web.operator.printing import clock, counted, duration, one_line, safe, utc

# A shorter time between two waves is that of the store.
_GAP_SECONDS: Final = 1.0
_NOTHING: Final = "nothing recorded"
# No thinking takes so long: a process was down, or a store was.
_LEFT_OUT_SECONDS: Final = 600.0
_MARKS: Final = {
    Status.SUCCEEDED: chart.SUCCEEDED,
    Status.FAILED: chart.FAILED,
    Status.TIMED_OUT: chart.IN_DOUBT,
    Status.CUT_OFF: chart.IN_DOUBT,
    Status.UNKNOWN: chart.IN_DOUBT,
}
_UNDO_MARKS: Final = {
    UndoStatus.UNDONE: chart.TAKEN_BACK,
    UndoStatus.FAILED: chart.FAILED,
    UndoStatus.TIMED_OUT: chart.IN_DOUBT,
}
_REASONS: Final = {
    "user_stopped": "the user said stop",
    "deadline": "it took too long",
    "taken_over": "a person took over",
}


def timeline_lines(details: OperationDetails, *, now: float, width: int, text: bool) -> Iterator[str]:
    """The operation as it is at `now`, seconds since 1970; what people said only with `text`."""
    ended = _last_moment(details, now)
    scale = Scale(began=details.record.started_at, ended=ended, left_out=tuple(_left_out(details, ended)))
    yield from (cut(line, width) for line in _head(details))
    if text:
        yield from (f"      {one_line(message.text)}" for message in details.record.burst)
    yield ""
    rows = list(_rows(details, ended, text=text))
    yield from chart_lines(rows, scale, _boundary(details), width)


def _head(details: OperationDetails) -> Iterator[str]:
    record = details.record
    yield f"operation {record.operation_id} of {mask_user(record.message.user.id)}: {_state(details)}"
    yield f"began {utc(record.started_at)} UTC"
    yield f"{counted(len(record.burst), 'message')}, fate: {fate_text(details.fate, text=False)}"
    if record.interrupted_by:
        by = details.interrupter
        sent = f", sent {clock(by.sent_at)[:8]}" if by is not None else ""
        yield f"interrupted by {hash_id(record.interrupted_by)}{sent}"
        if by is not None and by.operation_id is not None:
            yield f"which operation {by.operation_id} works on"


def _state(details: OperationDetails) -> str:
    record = details.record
    if record.crashes < 0 and record.ended_at is None:
        return f"{record.phase.value}, suspended"
    died = f", the process died {counted(record.crashes, 'time')}" if record.crashes > 0 else ""
    return f"{record.phase.value}{died}"


# Rows ---------------------------------------------------------------------------------------------


def _rows(details: OperationDetails, now: float, *, text: bool) -> Iterator[Row]:
    reached = [wave for wave in details.waves if _is_reached(wave)]
    last = details.record.started_at
    for round, waves in groupby(reached, key=lambda wave: wave.round):
        label, at_least = "adapt" if round else "plan", 0.0
        for wave in (made := list(waves)):
            began = _first_start(made if wave is made[0] else [wave])
            if began is not None and began - last >= at_least:
                yield _bar(label, last, began, chart.THINKING, "")
            yield from _wave_rows(wave, now)
            last = max(last, began or last, _last_end(wave))
            # Before the round's later waves nobody thinks, but a process or a store may have been down.
            label, at_least = _NOTHING, _GAP_SECONDS
    yield from _thought(details, reached, last, now)
    if details.record.reason is not None:
        at = _boundary(details)
        yield Row(label="interrupted", began=at, ended=at, mark=chart.BOUNDARY, said=_interruption(details))
    yield from _undo_rows(details, now)
    for wave in details.waves:
        if wave not in reached:
            yield from _wave_rows(wave, now)
    if details.told:
        yield Row(label="told")
        yield from (_told_row(row, details, text=text) for row in details.told)
    if (ended := details.record.ended_at) is not None:
        yield Row(label="end", began=ended, ended=ended, mark=chart.END, said=details.record.phase.value)


def _bar(label: str, began: float, ended: float, mark: str, said: str) -> Row:
    return Row(
        label=label, began=began, ended=ended, mark=mark, took=duration(max(ended - began, 0.0)), said=said
    )


def _under_way(label: str, began: float, now: float, mark: str, said: str) -> Row:
    return Row(label=label, began=began, mark=mark, took=f">{duration(max(now - began, 0.0))}", said=said)


def _wave_rows(wave: Wave, now: float) -> Iterator[Row]:
    yield Row(label=f"round {wave.round}, wave {wave.number}")
    yield from (_call_row(each, now) for each in wave.calls)


def _call_row(record: CallRecord, now: float) -> Row:
    call, outcome, began = record.call, record.outcome, record.intended_at
    label = f"  {safe(call.id)}" if call.tool == call.id else f"  {safe(call.id)}  {safe(call.tool)}"
    said = call_ended(record)[0]
    if outcome is not None and outcome.reused:
        return Row(label=label, said=f"{said}, reused")
    if began is None:
        return Row(label=label, said=said)
    if outcome is None:
        return _under_way(label, began, now, chart.SUCCEEDED, said)
    if outcome.status is Status.UNKNOWN and not outcome.seconds:
        return Row(label=label, began=began, ended=began, mark=chart.IN_DOUBT, said=said)
    return _bar(label, began, began + outcome.seconds, _MARKS.get(outcome.status, chart.IN_DOUBT), said)


def _thought(details: OperationDetails, reached: Sequence[Wave], since: float, now: float) -> Iterator[Row]:
    """What came after the last call that was made: a reply, or what was cut, or is under way."""
    record = details.record
    until = record.ended_at if (boundary := _boundary(details)) is None else boundary
    label = _after_calls(details, reached)
    if until is None:
        is_acting = any(each.intended and each.outcome is None for each in _calls(details))
        if record.crashes >= 0 and not is_acting:
            yield _under_way(label, since, now, chart.THINKING, record.phase.value)
    elif record.phase is Phase.COMPLETED:
        yield _bar(label, since, until, chart.THINKING, "")
    elif until - since >= _GAP_SECONDS or (until > since and label != _NOTHING):
        said = "failed" if record.phase is Phase.FAILED else "cut"
        yield _bar(label, since, until, chart.THINKING, "" if label == _NOTHING else said)


def _after_calls(details: OperationDetails, reached: Sequence[Wave]) -> str:
    """What an operation does where no call of it runs."""
    left = [wave for wave in details.waves if wave not in reached]
    if not left:
        what = "adapt" if details.waves else "plan"
        if details.record.phase is Phase.PLANNING:
            return what
        return f"{what}, reply" if details.record.phase is Phase.COMPLETED else f"{what} or reply"
    if left[0].round in {wave.round for wave in reached}:
        return _NOTHING
    return "adapt" if left[0].round else "plan"


def _interruption(details: OperationDetails) -> str:
    record = details.record
    said = _REASONS.get(str(record.reason), "by a message")
    return said if _boundary(details) is not None else f"{said}, at the next boundary"


def _undo_rows(details: OperationDetails, now: float) -> Iterator[Row]:
    # The newest call first where their clock says the same.
    begun = sorted(
        (each.undo_intended_at, -place, each)
        for place, each in enumerate(_calls(details))
        if each.undo_intended_at is not None
    )
    ends = [*(at for at, _, _ in begun[1:]), details.record.ended_at]
    for (at, _, each), end in zip(begun, ends, strict=False):
        label = f"  undo {safe(each.call.id)}"
        said = undo_ended(each.outcome, is_begun=True)
        status = each.outcome.undo if each.outcome else None
        if status is None and end is None:
            yield _under_way(label, at, now, chart.TAKEN_BACK, said)
        else:
            mark = chart.IN_DOUBT if status is None else _UNDO_MARKS[status]
            yield _bar(label, at, at if end is None else end, mark, said)


def _told_row(row: OutboxRow, details: OperationDetails, *, text: bool) -> Row:
    """When it was recorded is known of what stands in one transaction with a moment that is."""
    at = {OutgoingKind.NOTE: None, OutgoingKind.ACKNOWLEDGEMENT: _boundary(details)}.get(
        row.kind, details.record.ended_at
    )
    delivery = f", {row.delivery.value}" if row.delivery.value not in ("", row.state.value) else ""
    error = f": {safe(row.error)}" if row.error else ""
    return Row(
        label=f"  {row.kind.value}",
        began=at,
        ended=at,
        mark=chart.TOLD,
        said=f"{row.state.value}{delivery}{error}",
        text=one_line(row.text) if text else None,
    )


# Moments ------------------------------------------------------------------------------------------


def _is_reached(wave: Wave) -> bool:
    """Whether its turn came: what an end leaves over is skipped without a reason."""
    return any(
        each.intended or (each.outcome is not None and _is_settled(each.outcome)) for each in wave.calls
    )


def _is_settled(outcome: Outcome) -> bool:
    return outcome.status is not Status.SKIPPED or outcome.error is not None


def _calls(details: OperationDetails) -> tuple[CallRecord, ...]:
    return tuple(each for wave in details.waves for each in wave.calls)


def _first_start(waves: Sequence[Wave]) -> float | None:
    starts = (each.intended_at for wave in waves for each in wave.calls)
    return min((at for at in starts if at is not None), default=None)


def _last_end(wave: Wave) -> float:
    """When the last of its calls ended, as far as that is known; 0 when none was made."""
    return max((ended for each in wave.calls for _, ended in _acted(each)), default=0.0)


def _acted(record: CallRecord) -> Iterator[tuple[float, float]]:
    """When a call began and ended, if it did; what has no end yet ends as it begins."""
    if record.intended_at is not None:
        yield record.intended_at, record.intended_at + (record.outcome.seconds if record.outcome else 0.0)


def _boundary(details: OperationDetails) -> float | None:
    """Where an interruption landed: nothing begins after it but undos.  None when none has."""
    if details.record.reason is None:
        return None
    undos = (each.undo_intended_at for each in _calls(details))
    return min((at for at in undos if at is not None), default=details.record.ended_at)


def _last_moment(details: OperationDetails, now: float) -> float:
    """The end; of what is under way the present."""
    record = details.record
    if record.ended_at is not None:
        return max(record.started_at, record.ended_at)
    known = [moment for each in _calls(details) for span in _spans(each) for moment in span]
    is_suspended = record.crashes < 0
    return max([record.started_at, *known, *([] if is_suspended else [now])])


def _spans(record: CallRecord) -> Iterator[tuple[float, float]]:
    yield from _acted(record)
    if record.undo_intended_at is not None:
        yield record.undo_intended_at, record.undo_intended_at


def _left_out(details: OperationDetails, end: float) -> Iterator[tuple[float, float]]:
    """The long times in which nothing is recorded."""
    last = details.record.started_at
    spans = sorted(
        (began, end if began == ended and each.outcome is None else ended)
        for each in _calls(details)
        for began, ended in _spans(each)
    )
    for began, ended in [*spans, (end, end)]:
        if min(began, end) - last >= _LEFT_OUT_SECONDS:
            yield last, min(began, end)
        last = max(last, ended)
