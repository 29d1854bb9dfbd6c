"""One operation in lines: its fields, then its waves with their calls."""

from collections.abc import Iterator

from engine import Call, Fate, Merged, Outcome, Superseded, UndoStatus
from engine.store.sqlite.admin import CallRecord, OperationDetails, Wave
from web.logs import hash_id, mask_user
from web.operator.printing import aligned, counted, hashed, one_line, safe, utc


def operation_lines(details: OperationDetails, *, text: bool) -> Iterator[str]:
    """Everything recorded of an operation; what people said and values only with `text`."""
    yield from aligned(_fields(details, text=text))
    for wave in details.waves:
        yield ""
        yield f"round {wave.round}, wave {wave.number}"
        yield from (f"  {line}" for line in aligned(_rows(wave, text=text)))


def _fields(details: OperationDetails, *, text: bool) -> Iterator[tuple[str, object]]:
    record = details.record
    yield "operation", record.operation_id
    yield "user", mask_user(record.message.user.id)
    yield "message", hash_id(record.message.id)
    yield "burst", _burst([message.id for message in record.burst])
    yield "phase", record.phase.value
    yield "started", f"{utc(record.started_at)} UTC"
    yield "ended", "-" if record.ended_at is None else f"{utc(record.ended_at)} UTC"
    yield "interrupted by", hashed(record.interrupted_by)
    yield "reason", f"{record.reason or '-'}{', with undo' if record.undo else ''}"
    yield "crashes", "0, suspended" if record.crashes < 0 else record.crashes
    yield "fate", fate_text(details.fate, text=text)
    if text:
        for message in record.burst:
            yield "text", one_line(message.text)


def _burst(ids: list[str]) -> str:
    """All the messages it works on; whoever has one of them finds it in the logs."""
    size = counted(len(ids), "message")
    return f"{size}: {', '.join(map(hash_id, ids))}" if len(ids) > 1 else size


def _rows(wave: Wave, *, text: bool) -> Iterator[list[str]]:
    for each in wave.calls:
        call, outcome = each.call, each.outcome
        undo = undo_ended(outcome, is_begun=each.undo_intended_at is not None)
        yield [safe(call.id), call.tool, *call_ended(each), undo, *([_said(call, outcome)] if text else [])]


def call_ended(record: CallRecord) -> tuple[str, str]:
    """How a call ended, and how long it took."""
    outcome = record.outcome
    if outcome is None:
        return "started, no outcome yet" if record.intended else "not started", "-"
    return safe(outcome.reason), "reused" if outcome.reused else f"{outcome.seconds:.3f} s"


def undo_ended(outcome: Outcome | None, *, is_begun: bool) -> str:
    """What became of taking a call back; empty when nobody did."""
    if outcome is None or outcome.undo is None:
        return "undo started, no outcome yet" if is_begun else ""
    if outcome.undo is UndoStatus.UNDONE:
        return "taken back"
    why = f": {safe(outcome.undo_error)}" if outcome.undo_error else ""
    return f"not taken back, {outcome.undo.value.replace('_', ' ')}{why}"


def _said(call: Call, outcome: Outcome | None) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.args.items())
    value = "-" if outcome is None else one_line(repr(outcome.raw))
    return f"{one_line(f'({arguments})')} -> {value}"


def fate_text(fate: Fate | None, *, text: bool) -> str:
    """A message's fate in one line; what its user was told only with `text`."""
    if isinstance(fate, Superseded):
        return f"superseded by {hash_id(fate.by)}"
    if isinstance(fate, Merged):
        return f"merged into {hash_id(fate.into)}"
    if fate is None:
        return "none yet"
    if reason := getattr(fate, "reason", ""):
        return f"{fate.name}: {safe(reason)}"
    return f"{fate.name}: {one_line(fate.message)}" if text else fate.name
