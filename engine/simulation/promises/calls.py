"""One outcome a call, and what a crash leaves: P6, P14."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from engine.simulation.assistant import IDEMPOTENT, UNDOABLE
from engine.simulation.evidence import THOUGHTS, Broken, Doing, Evidence
from engine.simulation.ledger import Entry

_MAY_HAVE_ACTED: Final = ("succeeded", "timed_out", "cut_off", "unknown")
# What may be recorded of an act that ended so.
_RECORDED_OF: Final = {"well": ("succeeded",), "raised": ("failed",), "cut": ("timed_out", "cut_off")}


def one_outcome(evidence: Evidence) -> Iterator[Broken]:
    """P6: what was started has the outcome that it had, and what was not is skipped."""
    acts: dict[str, list[Doing]] = defaultdict(list)
    for doing in evidence.doings("act"):
        acts[doing.start.key].append(doing)
    # By its record, or by that of the end: what is known then must be known to both.
    recorded_in = {entry.key: entry.life for entry in reversed(evidence.ledger.of("outcome"))}
    ended_in = {id: entry.life for id, entry in evidence.ends.items()}
    for call in evidence.calls:
        key, status = f"{call['operation_id']}/{call['id']}", call["status"]
        is_made = call["intended_at"] is not None
        if status is None or is_made == bool(status == "skipped" or call["reused"]):
            yield Broken(6, f"call {key} is {status}, intended at {call['intended_at']}")
        life = recorded_in.get(key, ended_in.get(call["operation_id"]))
        if acts[key] and status not in _possible(acts[key][-1], life):
            yield Broken(6, f"act {key} ended {acts[key][-1].how or 'never'}, and is {status}")
        if status == "succeeded" and not (acts[key] or call["reused"]):
            yield Broken(6, f"call {key} succeeded and was never made")


def _possible(act: Doing, recorded_in: int | None) -> tuple[str, ...]:
    """What may be recorded of a call that acted so: what its own process did not record is unknown."""
    if act.end is None or act.end.life != recorded_in:
        return ("unknown",)
    return _RECORDED_OF[act.how]


def intent_before_act(evidence: Evidence) -> Iterator[Broken]:
    """P6: no act, and no undo, comes before its intent."""
    intended = {entry.key: entry.n for entry in reversed(evidence.ledger.of("intended"))}
    to_undo = {entry.key: entry.n for entry in reversed(evidence.ledger.of("undo intended"))}
    for doing in evidence.doings("act", "undo"):
        recorded = intended if doing.kind == "act" else to_undo
        if recorded.get(doing.start.key, doing.start.n) >= doing.start.n:
            yield Broken(6, f"{doing.kind} {doing.start.key} came before its intent")


def taken_back(evidence: Evidence) -> Iterator[Broken]:
    """P6, rollback: what an interrupted operation may have done was taken back, and nothing else was."""
    for call in evidence.calls:
        operation = evidence.operations[call["operation_id"]]
        key = f"{call['operation_id']}/{call['id']}"
        is_due = operation["undo"] and operation["phase"] == "interrupted"
        may_have_acted = call["status"] in _MAY_HAVE_ACTED and not call["reused"]
        if is_due and may_have_acted and call["tool"] in UNDOABLE:
            if call["undo"] is None:
                yield Broken(6, f"call {key} was not taken back")
        elif call["undo"] is not None:
            yield Broken(6, f"call {key} was taken back for nothing")
    undone: defaultdict[str, list[str]] = defaultdict(list)
    for doing in evidence.doings("undo"):
        undone[doing.start.key].append(doing.how)
    for call in evidence.calls:
        key = f"{call['operation_id']}/{call['id']}"
        if call["undo"] == "undone" and "well" not in undone[key]:
            yield Broken(6, f"call {key} counts as taken back, and was not")


# P14 ----------------------------------------------------------------------------------------------


def nothing_again(evidence: Evidence) -> Iterator[Broken]:
    """P14: what is recorded is not done again; what is not idempotent acts once."""
    recorded = {entry.key: entry.n for entry in reversed(evidence.ledger.of("outcome", "planned"))}
    made: dict[str, list[Entry]] = defaultdict(list)
    for doing in evidence.doings("act", "plan"):
        key = doing.operation if doing.kind == "plan" else doing.start.key
        if recorded.get(key, doing.start.n) < doing.start.n:
            yield Broken(14, f"{doing.kind} {doing.start.key} came after it was recorded")
        if doing.kind == "act":
            made[key].append(doing.start)
    for key, starts in made.items():
        if len(starts) > 1 and starts[0].more[0] not in IDEMPOTENT:
            yield Broken(14, f"act {key} is not idempotent and was made {len(starts)} times")
        for life, count in Counter(entry.life for entry in starts).items():
            if count > 1:
                yield Broken(14, f"act {key} was made {count} times in life {life}")


def undone_once(evidence: Evidence) -> Iterator[Broken]:
    """P14: what became of taking a call back is recorded, and then it is not tried again.

    But for a record that came so late, from a store that stalled, that nobody waited for it any more.
    """
    recorded = {entry.key: entry for entry in reversed(evidence.ledger.of("undone"))}
    for doing in evidence.doings("undo"):
        before = recorded.get(doing.start.key, doing.start)
        may_be_late = evidence.scenario.troubles and before.life == doing.start.life
        if before.n < doing.start.n and not may_be_late:
            yield Broken(14, f"{doing.start.key} was taken back again")


def restarts_are_counted(evidence: Evidence) -> Iterator[Broken]:
    """P14: what was running at `recovery_attempts_max` crashes in a row does nothing more, and fails."""
    most = evidence.scenario.limits.recovery_attempts_max
    doers = {doing.start.n: doing.operation for doing in evidence.doings(*THOUGHTS, "act", "undo")}
    starts = [f"{kind} starts" for kind in (*THOUGHTS, "act", "undo")]
    crashes: Counter[str] = Counter()
    running: set[str] = set()
    ended: set[str] = set()
    for entry in evidence.ledger.of("begun", "resumed", "suspended", "ended", "death", *starts):
        match entry.what:
            case "begun" | "resumed":
                running.add(entry.key)
            case "death":
                crashes.update(running)
                running.clear()
            case "ended":
                ended.add(entry.key)
                running.discard(entry.key)
            case "suspended" if entry.key not in ended:
                running.discard(entry.key)
                crashes[entry.key] = 0
            case _ if entry.n in doers and crashes[doers[entry.n]] >= most:
                operation = doers[entry.n]
                yield Broken(
                    14, f"{entry.what} of {operation} came after {crashes[operation]} crashes in a row"
                )
    for id, row in evidence.operations.items():
        reason = evidence.fate(row["message_id"]).get("reason", "")
        if row["phase"] == "failed" and "times in a row" in reason and crashes[id] < most:
            yield Broken(14, f"{id} was given up after {crashes[id]} crashes in a row")


CHECKS: Final = (one_outcome, intent_before_act, taken_back, nothing_again, undone_once, restarts_are_counted)
