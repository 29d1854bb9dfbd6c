"""One outcome a call, what is taken back, and what a crash leaves: P6, P14."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from engine.simulation.assistant import IDEMPOTENT, UNDOABLE
from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always, at_end
from engine.simulation.seen import STARTS, Call, Doing, Left, Operation, Seen

_MAY_HAVE_ACTED: Final = ("succeeded", "timed_out", "cut_off", "unknown")
# What may be recorded of an act that ended so.
_RECORDED_OF: Final = {"well": ("succeeded",), "raised": ("failed",), "cut": ("timed_out", "cut_off")}


@always(6, "outcome", "ended")
def one_outcome(seen: Seen) -> See:
    """What was started has the outcome that it had, and what was not is skipped.

    By its record, or by that of the end: what is known then must be known to both.
    """
    checked: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "outcome":
            checked.add(entry.key)
            return _misses(entry.key, seen.call(entry.key), entry.life)
        for id, call in seen.operation(entry.key).calls.items():
            key = f"{entry.key}/{id}"
            if key not in checked and (line := _misses(key, call, entry.life)):
                return line
        return None

    return see


def _misses(key: str, call: Call, life: int) -> str | None:
    """How what is recorded of a call, in that life, differs from what was seen of it."""
    if bool(call.intended) == bool(call.status == "skipped" or call.is_reused):
        return f"call {key} is {call.status}, {'intended' if call.intended else 'never intended'}"
    if call.act is not None and call.status not in _possible(call.act, life):
        return f"act {key} ended {call.act.how or 'never'}, and is {call.status}"
    if call.status == "succeeded" and call.act is None and not call.is_reused:
        return f"call {key} succeeded and was never made"
    return None


def _possible(act: Doing, recorded_in: int) -> tuple[str, ...]:
    """What may be recorded of a call that acted so: what its own process did not record is unknown."""
    if act.end is None or act.end.life != recorded_in:
        return ("unknown",)
    return _RECORDED_OF[act.how]


@at_end(6)
def what_is_recorded_is_there(left: Left) -> Iterator[str]:
    """The database has of each call what was written of it."""
    for row in left.calls:
        key = f"{row['operation_id']}/{row['id']}"
        call = left.seen.call(key)
        there = (row["intended_at"] is not None, row["status"], row["undo"])
        written = (call.intended is not None, call.status, call.undo)
        if there != written:
            yield f"call {key} is {there} in the database, and was written as {written}"


@always(6, "act starts", "undo starts", "intended", "undo intended")
def intent_before_act(seen: Seen) -> See:
    """No act, and no undo, comes before its intent."""
    intended: set[str] = set()
    to_undo: set[str] = set()

    def see(entry: Entry) -> str | None:
        match entry.what:
            case "intended":
                intended.add(entry.key)
            case "undo intended":
                to_undo.add(entry.key)
            case "act starts" if entry.key not in intended:
                return f"act {entry.key} came before its intent"
            case "undo starts" if entry.key not in to_undo:
                return f"undo {entry.key} came before its intent"
        return None

    return see


# What is taken back -------------------------------------------------------------------------------


@always(6, "undone", "ended")
def taken_back(seen: Seen) -> See:
    """Rollback: what an interrupted operation may have done was taken back, and nothing else was."""

    def see(entry: Entry) -> str | None:
        if entry.what == "ended":
            operation = seen.operation(entry.key)
            if operation.phase != "interrupted" or not operation.undo:
                return None
            left = [id for id, call in operation.calls.items() if _is_to_undo(call) and call.undo is None]
            return f"of {entry.key} {', '.join(left)} was not taken back" if left else None
        call, operation = seen.call(entry.key), seen.operation(entry.key.partition("/")[0])
        if not operation.undo or not _is_to_undo(call):
            return f"call {entry.key} was taken back for nothing"
        if call.undo == "undone" and not call.undone_well:
            return f"call {entry.key} counts as taken back, and was not"
        return None

    return see


def _is_to_undo(call: Call) -> bool:
    return call.status in _MAY_HAVE_ACTED and not call.is_reused and call.tool in UNDOABLE


@always(6, "undo starts")
def the_last_is_taken_back_first(seen: Seen) -> See:
    """Rollback: undos go in the reverse order of what they take back.

    Not asked where somebody sets the clock: after a restart the order is that of the records' times.
    """
    before: dict[Operation, float] = {}  # when what was undone last had been intended

    def see(entry: Entry) -> str | None:
        call = seen.call(entry.key)
        if seen.doing is None or call.intended is None or seen.scenario.jumps:
            return None
        at, operation = call.intended.at, seen.doing.operation
        if at > before.get(operation, at):
            return f"{entry.key} was taken back after what came before it"
        before[operation] = at
        return None

    return see


# P14 ----------------------------------------------------------------------------------------------


@always(14, "outcome", "planned", "plan starts", "act starts")
def nothing_again(seen: Seen) -> See:
    """What is recorded is not done again; what is not idempotent acts once."""
    recorded: set[str] = set()
    made_in: dict[str, int] = {}

    def see(entry: Entry) -> str | None:
        if entry.what in ("outcome", "planned"):
            recorded.add(entry.key)
            return None
        key = seen.doing.operation.id if seen.doing and entry.what == "plan starts" else entry.key
        if key in recorded:
            return f"{entry.what} {entry.key} after it was recorded"
        if entry.what == "act starts":
            life = made_in.get(key)
            made_in[key] = entry.life
            if life == entry.life:
                return f"act {key} was made again in life {life}"
            if life is not None and entry.more[0] not in IDEMPOTENT:
                return f"act {key} is not idempotent and was made again"
        return None

    return see


@always(14, "undone", "undo starts")
def undone_once(seen: Seen) -> See:
    """What became of taking a call back is recorded, and then it is not tried again.

    But for a record that came so late, from a store that stalled, that nobody waited for it any more.
    """
    recorded_in: dict[str, int] = {}

    def see(entry: Entry) -> str | None:
        if entry.what == "undone":
            recorded_in.setdefault(entry.key, entry.life)
        elif entry.key in recorded_in:
            may_be_late = seen.scenario.troubles and recorded_in[entry.key] == entry.life
            return None if may_be_late else f"{entry.key} was taken back again"
        return None

    return see


@always(14, "begun", "resumed", "suspended", "ended", "death", "fate", *STARTS)
def restarts_are_counted(seen: Seen) -> See:
    """What was running at `recovery_attempts_max` crashes in a row does nothing more, and fails."""
    most = seen.scenario.limits.recovery_attempts_max
    crashes: Counter[str] = Counter()
    running: set[str] = set()
    ended: set[str] = set()

    def see(entry: Entry) -> str | None:
        match entry.what:
            case "begun" | "resumed":
                running.add(entry.key)
            case "death":
                crashes.update(running)
                running.clear()
            case "ended":
                ended.add(entry.key)
                running.discard(entry.key)
            case "suspended":
                if entry.key not in ended:
                    running.discard(entry.key)
                    crashes[entry.key] = 0
            case "fate":
                name, reason = entry.more
                operation = seen.operation_of.get(entry.key)
                is_given_up = name == "failed" and "times in a row" in reason and operation
                if is_given_up and operation and crashes[operation.id] < most:
                    return f"{operation.id} was given up after {crashes[operation.id]} crashes in a row"
            case _ if seen.doing and crashes[seen.doing.operation.id] >= most:
                id = seen.doing.operation.id
                return f"{entry.what} of {id} came after {crashes[id]} crashes in a row"
        return None

    return see


RULES: Final = (
    one_outcome,
    what_is_recorded_is_there,
    intent_before_act,
    taken_back,
    the_last_is_taken_back_first,
    nothing_again,
    undone_once,
    restarts_are_counted,
)
