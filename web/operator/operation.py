"""One operation in lines: its fields, then its waves with their calls."""

from collections.abc import Iterator

from engine import Call, Fate, Merged, Outcome, Superseded
from engine.store.sqlite.admin import OperationDetails
from web.logs import hash_id, mask_user
from web.operator.printing import aligned, hashed, one_line, safe, utc


def operation_lines(details: OperationDetails, *, text: bool) -> Iterator[str]:
    """Everything recorded of an operation; what people said and values only with `text`."""
    record = details.record
    fields = {
        "operation": record.operation_id,
        "user": mask_user(record.message.user.id),
        "message": hash_id(record.message.id),
        "phase": record.phase.value,
        "started": f"{utc(record.started_at)} UTC",
        "ended": "-" if record.ended_at is None else f"{utc(record.ended_at)} UTC",
        "interrupted by": hashed(record.interrupted_by),
        "crashes": "0, suspended" if record.crashes < 0 else record.crashes,
        "fate": _fate(details.fate, text=text),
    }
    if text:
        fields["text"] = one_line(record.message.text)
    yield from aligned(fields.items())
    for wave in details.waves:
        yield ""
        yield f"round {wave.round}, wave {wave.number}"
        rows = [_call_cells(each.call, each.outcome, each.intended, text=text) for each in wave.calls]
        yield from (f"  {line}" for line in aligned(rows))


def _call_cells(call: Call, outcome: Outcome | None, intended: bool, *, text: bool) -> list[str]:
    cells = [safe(call.id), call.tool]
    if outcome is None:
        cells += ["started, no outcome yet" if intended else "not started", "-"]
    else:
        cells += [safe(outcome.reason), f"{outcome.seconds:.3f} s"]
    if text:
        value = "-" if outcome is None else one_line(repr(outcome.raw))
        cells.append(f"{one_line(_arguments(call))} -> {value}")
    return cells


def _arguments(call: Call) -> str:
    return f"({', '.join(f'{name}={value!r}' for name, value in call.args.items())})"


def _fate(fate: Fate | None, *, text: bool) -> str:
    if isinstance(fate, Superseded):
        return f"superseded by {hash_id(fate.by)}"
    if isinstance(fate, Merged):
        return f"merged into {hash_id(fate.into)}"
    if fate is None:
        return "none yet"
    if reason := getattr(fate, "reason", ""):
        return f"{fate.name}: {safe(reason)}"
    return f"{fate.name}: {one_line(fate.message)}" if text else fate.name
