"""What must hold after all the deaths: each check returns a line for every promise that was broken.

Rule 1: a check reads what is on disk, the database and the ledgers, and nothing that a process said.
Rule 2: no check asks how long anything took.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import ledger

Row = Mapping[str, Any]
# A row of the history is (life, what, id, value), in the order of the commits.
_TABLES: Final = ("messages", "operations", "calls", "outbox", "crash_history")
_ERRORS_EXPECTED: Final = frozenset({"session_failed"})
_DELIVERIES: Final = ("", "sent", "delivered", "read")
_THINKING: Final = ("plan", "adapt")
_GAUGES: Final = ("midstream_live_sessions", "midstream_inbox_messages", "midstream_outbox_messages")


@attrs.frozen(kw_only=True)
class Evidence:
    """All that a run has left behind."""

    messages: Sequence[Row] = ()
    operations: Sequence[Row] = ()
    calls: Sequence[Row] = ()
    outbox: Sequence[Row] = ()
    history: Sequence[Row] = ()
    acts: Sequence[Row] = ()
    sends: Sequence[Row] = ()
    statuses: Sequence[Row] = ()
    accepted: Sequence[Row] = ()
    errors: Sequence[Row] = ()
    metrics: str = ""
    policy: str = "interrupt"
    interruptions_max: int = 10

    def recorded(self, what: str) -> Iterator[Row]:
        """The history of one kind of record."""
        return (row for row in self.history if row["what"] == what)


def gather(folder: Path, metrics: str, policy: str, interruptions_max: int) -> Evidence:
    """The evidence in a run's folder; `metrics` is the last scrape."""
    with sqlite3.connect(f"file:{folder / 'midstream.db'}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608
            for name in _TABLES
        }
    history = sorted(tables.pop("crash_history"), key=lambda row: row["n"])
    return Evidence(
        **tables,
        history=history,
        acts=ledger.read(folder / "acts"),
        sends=ledger.read(folder / "sends"),
        statuses=ledger.read(folder / "statuses"),
        accepted=ledger.read(folder / "accepted"),
        errors=tuple(errors(folder)),
        metrics=metrics,
        policy=policy,
        interruptions_max=interruptions_max,
    )


def errors(folder: Path) -> Iterator[Row]:
    """What the server's logs call an error, and what is no line of a log at all."""
    for path in sorted(folder.glob("log.*")):
        for text in path.read_text().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                # The last line of a process that was killed may be cut.
                if text.startswith(("{", " ")):
                    continue
                line = {"event": text, "level": "error"}
            if line["level"] in ("error", "critical"):
                yield line


def check_all(evidence: Evidence) -> list[str]:
    """Every line of every check."""
    return [line for check in CHECKS for line in check(evidence)]


# P4, P5 -------------------------------------------------------------------------------------------


def check_fates(evidence: Evidence) -> list[str]:
    """P4, P5: what was accepted is in the inbox; what is in the inbox has one fate."""
    broken = []
    fates = Counter(row["id"] for row in evidence.recorded("fate"))
    known = {message["id"] for message in evidence.messages}
    for id in sorted({line["id"] for line in evidence.accepted} - known):
        broken.append(f"message {id} was accepted and is not in the inbox")
    for message in evidence.messages:
        if message["fate"] is None:
            broken.append(f"message {message['id']} has no fate")
        if fates[message["id"]] != 1:
            broken.append(f"message {message['id']} was given {fates[message['id']]} fates")
    return broken


def check_answers(evidence: Evidence) -> list[str]:
    """P8: an answered message has one completed operation, any other none; each operation its own message."""
    broken = []
    phases = defaultdict(list)
    for operation in evidence.operations:
        phases[operation["message_id"]].append(operation["phase"])
        if operation["ended_at"] is None:
            broken.append(f"operation {operation['id']} has no end")
    for message in evidence.messages:
        found = phases[message["id"]]
        if len(found) > 1:
            broken.append(f"message {message['id']} had {len(found)} operations: {found}")
        if (message["fate"] == "answered") != ("completed" in found):
            broken.append(f"message {message['id']} is {message['fate']}, its operations {found}")
    return broken


def check_told(evidence: Evidence) -> list[str]:
    """P4: whoever was rejected, and whoever said stop, was told so in those words."""
    told = {(row["user_id"], row["text"]) for row in evidence.outbox if row["kind"] == "notice"}
    broken = []
    for message in evidence.messages:
        fields = json.loads(message["fate_fields"])
        text = fields.get("reason") if message["fate"] == "rejected" else fields.get("told")
        if message["fate"] == "rejected" and (message["user_id"], text) not in told:
            broken.append(f"message {message['id']} was rejected and nobody was told")
        if message["fate"] == "stopped" and text and (message["user_id"], text) not in told:
            broken.append(f"message {message['id']} was stopped and nobody was told")
    return broken


def check_merged(evidence: Evidence) -> list[str]:
    """A merged message stands with the operation that took it in, and its planner was shown both."""
    broken = []
    operations = {operation["id"]: operation for operation in evidence.operations}
    shown = [set(line["burst"]) for line in evidence.acts if line["what"] in _THINKING]
    for message in evidence.messages:
        if message["fate"] == "merged":
            into = json.loads(message["fate_fields"])["into"]
            operation = operations.get(message["operation_id"] or "", {})
            if operation.get("message_id") != into:
                broken.append(f"message {message['id']} was merged into {into}, and {operation} worked on it")
            if not any({message["id"], into} <= burst for burst in shown):
                broken.append(f"message {message['id']} was merged into {into}, and no planner was shown it")
    return broken


def check_rejected(evidence: Evidence) -> list[str]:
    """A message is refused only while something runs: between its arrival and its fate an operation did."""
    users = {message["id"]: message["user_id"] for message in evidence.messages}
    user_of = {operation["id"]: users[operation["message_id"]] for operation in evidence.operations}
    open_of: Counter[str] = Counter()
    seen: dict[str, bool] = {}  # by message that has no fate yet: whether something ran meanwhile
    broken = []
    for row in evidence.history:
        if row["what"] == "begin":
            user = user_of[row["id"]]
            open_of[user] += 1
            seen.update((id, True) for id in seen if users[id] == user)
        elif row["what"] == "end":
            open_of[user_of[row["id"]]] -= 1
        elif row["what"] == "inbox":
            seen[row["id"]] = open_of[row["value"]] > 0
        elif row["what"] == "fate" and not seen.pop(row["id"], False) and row["value"] == "rejected":
            broken.append(f"message {row['id']} was rejected, and nothing ran")
    return broken


# Where every message gets its answer, none gives way to another; only reject refuses one.
_SUPERSEDING: Final = ("interrupt", "rollback")


def check_policy(evidence: Evidence) -> list[str]:
    """A fate, and an undo, that the policy does not have."""
    broken = []
    for message in evidence.messages:
        by_policy = message["fate"] == "superseded" and evidence.policy not in _SUPERSEDING
        if by_policy or (message["fate"] == "rejected" and evidence.policy != "reject"):
            broken.append(f"message {message['id']} was {message['fate']} under {evidence.policy}")
    for operation in evidence.operations:
        if operation["undo"] and evidence.policy != "rollback":
            broken.append(f"operation {operation['id']} was taken back under {evidence.policy}")
    return broken


def check_stops(evidence: Evidence) -> list[str]:
    """A stop word is never worked on: it stops, or comes too late."""
    return [
        f"message {message['id']} says stop and was {message['fate']}"
        for message in evidence.messages
        if message["text"] == "stop" and message["fate"] not in ("stopped", "ignored")
    ]


def check_starvation(evidence: Evidence) -> list[str]:
    """P13: not more operations of a user in a row are interrupted by messages than there may be."""
    users = {message["id"]: message["user_id"] for message in evidence.messages}
    operations = {operation["id"]: operation for operation in evidence.operations}
    in_a_row: Counter[str] = Counter()
    broken = []
    for row in evidence.history:
        if row["what"] == "end":
            operation = operations[row["id"]]
            user = users[operation["message_id"]]
            is_one_more = row["value"] == "interrupted" and operation["reason"] == "new_message_received"
            in_a_row[user] = in_a_row[user] + 1 if is_one_more else 0
            if in_a_row[user] > evidence.interruptions_max:
                broken.append(f"operation {row['id']} was the {in_a_row[user]}th in a row to be interrupted")
        elif row["what"] == "fate" and row["value"] == "stopped":
            in_a_row[users[row["id"]]] = 0
    return broken


def check_order(evidence: Evidence) -> list[str]:
    """Where messages wait for their turn, the oldest of those that wait begins.

    What comes between the end of an operation and the record of the next may be too late to be chosen.
    """
    if evidence.policy != "enqueue":
        return []
    messages = {message["id"]: message for message in evidence.messages}
    bursts = defaultdict(list)
    for message in evidence.messages:
        bursts[message["operation_id"]].append(message)
    arrived: dict[str, int] = {}
    ended: dict[str, int] = {}  # by user, when an operation ended last: then the next one was chosen
    begun: dict[str, tuple[int, str]] = {}  # by user, the operation that began last, and when it was chosen
    user_of: dict[str, str] = {}
    broken = []
    for n, row in enumerate(evidence.history):
        if row["what"] == "inbox":
            arrived[row["id"]] = n
        elif row["what"] == "end":
            ended[user_of[row["id"]]] = n
        elif row["what"] == "begin":
            user = user_of[row["id"]] = messages[row["value"]]["user_id"]
            chosen, before = begun.get(user, (0, row["id"]))
            waited = all(arrived[message["id"]] < chosen for message in bursts[row["id"]])
            if waited and min(map(_order, bursts[row["id"]])) < min(map(_order, bursts[before])):
                broken.append(f"operation {before} of user {user} began before {row['id']}, which is older")
            begun[user] = ended.get(user, 0), row["id"]
    return broken


def check_interruptions(evidence: Evidence) -> list[str]:
    """P5, P12: what interrupts is a newer message of the same user, not one that came again."""
    messages = {message["id"]: message for message in evidence.messages}
    broken = []
    for operation in evidence.operations:
        if operation["interrupted_by"]:
            before, by = messages[operation["message_id"]], messages[operation["interrupted_by"]]
            if by["user_id"] != before["user_id"] or _order(by) <= _order(before):
                broken.append(
                    f"operation {operation['id']} was interrupted by {by['id']}, which is not newer"
                )
    return broken


def _order(message: Row) -> tuple[int, int]:
    return message["timestamp"], message["sequence"]


# P6, P14 ------------------------------------------------------------------------------------------


def check_outcomes(evidence: Evidence) -> list[str]:
    """P6: a call that was intended has one outcome, every other is skipped; none acted unintended."""
    broken = []
    recorded = Counter(row["id"] for row in evidence.recorded("outcome"))
    acted = {line["key"] for line in _starts(evidence)}
    ended = {line["key"] for line in evidence.acts if line["what"] == "end"}
    for call in evidence.calls:
        key = f"{call['operation_id']}/{call['id']}"
        intended, status = call["intended_at"] is not None, call["status"]
        if recorded[key] != 1:
            broken.append(f"call {key} was given {recorded[key]} outcomes")
        if call["reused"]:
            if intended or key in acted or status != "succeeded":
                broken.append(f"call {key} is {status}, reused, and intended: {intended}")
            continue
        if status is None or intended == (status == "skipped"):
            broken.append(f"call {key} is {status}, intended: {intended}")
        if key in acted and not intended:
            broken.append(f"call {key} acted without an intent")
        if status in ("succeeded", "failed") and key not in ended and _was_made(call):
            broken.append(f"call {key} is {status} and never acted to its end")
    return broken


def _was_made(call: Row) -> bool:
    """Whether the tool itself made the outcome: an argument that is not there fails a call before its act."""
    return call["status"] == "succeeded" or "the world said no" in (call["error"] or "")


def check_repetitions(evidence: Evidence) -> list[str]:
    """P14: what is recorded is not done again; what is not idempotent acts once, the rest by one key."""
    broken = []
    recorded_in = {row["id"]: row["life"] for row in evidence.recorded("outcome")}
    keys: dict[str, set[str]] = defaultdict(set)
    acts: Counter[tuple[str, bool]] = Counter()
    in_one_life: Counter[tuple[str, int]] = Counter()
    for line in _starts(evidence):
        key = line["key"]
        keys[line["name"]].add(key)
        acts[key, line["idempotent"]] += 1
        in_one_life[key, line["life"]] += 1
        if line["life"] > recorded_in.get(key, line["life"]):
            broken.append(f"call {key} has an outcome of life {recorded_in[key]} and acted in {line['life']}")
    broken += [f"act {name} went by {len(used)} keys" for name, used in keys.items() if len(used) > 1]
    broken += [
        f"call {key} acted {n} times in life {life}" for (key, life), n in in_one_life.items() if n > 1
    ]
    broken += [
        f"call {key} is not idempotent and acted {n} times"
        for (key, idempotent), n in acts.items()
        if n > 1 and not idempotent
    ]
    return broken


def check_plans(evidence: Evidence) -> list[str]:
    """P14: an operation that was planned goes on with its recorded plan."""
    messages = {operation["id"]: operation["message_id"] for operation in evidence.operations}
    planned_in: dict[str, int] = {}
    for row in evidence.recorded("plan"):
        planned_in.setdefault(messages[row["id"].partition("/")[0]], row["life"])
    return [
        f"message {line['name']} was planned in life {planned_in[line['name']]} and again in {line['life']}"
        for line in evidence.acts
        if line["what"] == "plan" and line["life"] > planned_in.get(line["name"], line["life"])
    ]


def _starts(evidence: Evidence) -> Iterator[Row]:
    return (line for line in evidence.acts if line["what"] == "start")


# Rollback -----------------------------------------------------------------------------------------

_WITH_UNDO: Final = ("book", "pay")
_MAY_HAVE_ACTED: Final = ("succeeded", "timed_out", "cut_off", "unknown")


def check_undos(evidence: Evidence) -> list[str]:
    """What may have acted of an operation that is taken back is taken back, and nothing else is.

    After its record it is not taken back again.
    """
    broken = []
    taken_back = {operation["id"] for operation in evidence.operations if operation["undo"]}
    made = Counter(line["key"] for line in evidence.acts if line["what"] == "undo")
    for call in evidence.calls:
        key = f"{call['operation_id']}/{call['id']}"
        is_due = call["tool"] in _WITH_UNDO and call["status"] in _MAY_HAVE_ACTED
        is_due = is_due and call["operation_id"] in taken_back
        if is_due != (call["undo"] is not None):
            broken.append(f"call {key}, {call['status']}, was taken back: {call['undo']}")
        # The process may have died too often meanwhile: then it is given up.
        is_given_up = call["undo"] == "failed" and "times in a row" in call["undo_error"]
        if call["undo"] is not None and not made[key] and not is_given_up:
            broken.append(f"call {key} counts as {call['undo']} and nobody took it back")
        if call["undo"] is not None and call["undo_intended_at"] is None and not is_given_up:
            broken.append(f"call {key} is {call['undo']}, and nobody had recorded that it would be")
        if call["undo"] is None and made[key]:
            broken.append(f"call {key} was taken back and has no record of that")
    broken += _out_of_order(evidence)
    recorded_in = {row["id"]: row["life"] for row in evidence.recorded("undo")}
    for line in evidence.acts:
        if line["what"] == "undo" and line["life"] > recorded_in.get(line["key"], line["life"]):
            broken.append(f"call {line['key']} was taken back in life {line['life']} again")
    return broken


def _out_of_order(evidence: Evidence) -> Iterator[str]:
    """What was done last is taken back first; calls of one wave were done together."""
    intended_at = {f"{call['operation_id']}/{call['id']}": call["intended_at"] for call in evidence.calls}
    last: dict[tuple[str, int], float] = {}
    for line in evidence.acts:
        if line["what"] == "undo":
            at, of = intended_at[line["key"]] or 0.0, (line["operation"], line["life"])
            if at > last.get(of, at):
                yield f"call {line['key']} was taken back after what was done before it"
            last[of] = at


# P9, the outbox -----------------------------------------------------------------------------------


def ambiguities(evidence: Evidence) -> Counter[str]:
    """How often a row was left half sent by a life that ended: nobody knows whether it was sent."""
    last: dict[tuple[str, int], str] = {}
    for row in evidence.recorded("row"):
        last[row["id"], row["life"]] = row["value"]
    return Counter(id for (id, _), state in last.items() if state in ("sending", "resending"))


def check_sends(evidence: Evidence) -> list[str]:
    """A row reaches its user once; at most twice where a death left it ambiguous."""
    broken = []
    rows = {row["id"]: row for row in evidence.outbox}
    sends = Counter(line["row"] for line in evidence.sends)
    ambiguous = ambiguities(evidence)
    for line in evidence.sends:
        row = rows.get(line["row"])
        if row is None:
            broken.append(f"row {line['row']} was sent and is not in the outbox")
        elif (row["user_id"], row["text"]) != (line["user"], line["text"]):
            broken.append(f"row {row['id']} was sent to somebody else or with another text")
    for row in evidence.outbox:
        most = 2 if ambiguous[row["id"]] else 1
        if sends[row["id"]] > most:
            broken.append(
                f"{row['kind']} row {row['id']} was sent {sends[row['id']]} times,"
                f" ambiguous {ambiguous[row['id']]} times"
            )
        if row["state"] == "sent" and not sends[row["id"]]:
            broken.append(f"{row['kind']} row {row['id']} counts as sent and never was")
    return broken


def check_replies(evidence: Evidence) -> list[str]:
    """P8: the reply of every completed operation has reached the Graph server."""
    broken = []
    sent = {line["row"] for line in evidence.sends}
    ambiguous = ambiguities(evidence)
    replies = defaultdict(list)
    for row in evidence.outbox:
        if row["kind"] == "reply":
            replies[row["operation_id"]].append(row)
    for operation in evidence.operations:
        rows = replies.pop(operation["id"], [])
        if len(rows) != (operation["phase"] == "completed"):
            broken.append(f"operation {operation['id']} is {operation['phase']}, its replies: {len(rows)}")
        for row in rows:
            # Twice ambiguous, it has been tried as often as it may be.
            if row["id"] not in sent and ambiguous[row["id"]] < 2:
                broken.append(f"reply row {row['id']} is {row['state']} and never reached the Graph server")
    return broken + [f"a reply belongs to no operation: {id}" for id in replies]


def check_acknowledgements(evidence: Evidence) -> list[str]:
    """P9: an interrupted operation's user is told once, nobody else is told anything."""
    broken = []
    sends = Counter(line["row"] for line in evidence.sends)
    ambiguous = ambiguities(evidence)
    rows = defaultdict(list)
    for row in evidence.outbox:
        if row["kind"] == "acknowledgement":
            rows[row["operation_id"]].append(row["id"])
    for operation in evidence.operations:
        told = rows.pop(operation["id"], [])
        if len(told) != (operation["reason"] == "new_message_received"):
            broken.append(f"operation {operation['id']} has {len(told)} acknowledgements")
        reached = sum(sends[id] for id in told)
        if reached > 1 and not any(ambiguous[id] for id in told):
            broken.append(f"operation {operation['id']}: its user was told {reached} times")
    return broken + [f"an acknowledgement belongs to no operation: {id}" for id in rows]


def check_acknowledged_in_time(evidence: Evidence) -> list[str]:
    """P9: nobody who has the next reply is told any more that it is being looked for."""
    rows = {row["id"]: row for row in evidence.outbox}
    queued: dict[str, list[str]] = defaultdict(list)  # by user, acknowledgements that no request was made of
    overtaken: set[str] = set()
    broken = []
    for change in evidence.recorded("row"):
        row = rows[change["id"]]
        if change["value"] == "pending" and row["kind"] == "acknowledgement":
            queued[row["user_id"]].append(row["id"])
        elif change["value"] == "pending" and row["kind"] == "reply":
            overtaken.update(queued.pop(row["user_id"], []))
        elif change["value"] == "sending" and row["id"] in overtaken:
            broken.append(f"row {row['id']} was sent after the next reply was recorded")
        elif change["value"] == "sending" and row["id"] in queued[row["user_id"]]:
            queued[row["user_id"]].remove(row["id"])
    return broken


def check_deliveries(evidence: Evidence) -> list[str]:
    """A status that was accepted is recorded, and never taken back by one that comes out of order."""
    delivery = {row["id"]: row["delivery"] for row in evidence.outbox}
    return [
        f"row {line['row']} is {delivery[line['row']] or 'unreported'} after a status {line['status']}"
        for line in evidence.statuses
        if _DELIVERIES.index(delivery[line["row"]]) < _DELIVERIES.index(line["status"])
    ]


# P1 -----------------------------------------------------------------------------------------------


def check_one_at_a_time(evidence: Evidence) -> list[str]:
    """P1: a user's next operation begins when the one before has ended, in the records and in its acts."""
    return [*_overlapping_records(evidence), *_overlapping_acts(evidence)]


def _overlapping_records(evidence: Evidence) -> Iterator[str]:
    users = {message["id"]: message["user_id"] for message in evidence.messages}
    user_of: dict[str, str] = {}
    open_of: dict[str, str] = {}
    for row in evidence.history:
        if row["what"] == "begin":
            user = user_of[row["id"]] = users[row["value"]]
            if user in open_of:
                yield f"operation {row['id']} of user {user} began before {open_of[user]} had ended"
            open_of[user] = row["id"]
        elif row["what"] == "end" and open_of.get(user_of.get(row["id"], "")) == row["id"]:
            del open_of[user_of[row["id"]]]


def _overlapping_acts(evidence: Evidence) -> Iterator[str]:
    present: dict[str, str] = {}  # by user, the operation that acted last
    acting: dict[tuple[str, int], set[str]] = defaultdict(set)
    over: set[str] = set()
    for line in evidence.acts:
        if line["what"] in _THINKING:
            continue
        user, operation, life = line["user"], line["operation"], line["life"]
        if line["what"] == "end":
            acting[user, life].discard(line["key"])
            continue
        before = present.get(user, operation)
        if operation != before:
            over.add(before)
            if acting[user, life]:
                yield f"operation {operation} of user {user} acted while {before} did, in life {life}"
        if operation in over:
            yield f"operation {operation} of user {user} acted after a later one had, in life {life}"
        present[user] = operation
        if line["what"] == "start":  # an undo is through when it stands there
            acting[user, life].add(line["key"])


# P10 ----------------------------------------------------------------------------------------------


def check_rest(evidence: Evidence) -> list[str]:
    """P10: nothing is left to do."""
    return check_nothing_is_left(evidence.metrics)


def check_nothing_is_left(metrics: str) -> list[str]:
    """A line for every gauge of a scrape that is not 0."""
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    return [
        f"{gauge} is {values.get(gauge, 'missing')}"
        for gauge in _GAUGES
        if float(values.get(gauge, "nan")) != 0
    ]


def check_logs(evidence: Evidence) -> list[str]:
    """No life met an error that nobody had foreseen."""
    found = Counter(
        f"{line['event']} {line.get('error', '')} {line.get('exception', '')}".strip()
        for line in evidence.errors
        if line["event"] not in _ERRORS_EXPECTED
    )
    return [f"{times} times in the logs: {what}" for what, times in found.items()]


CHECKS: Final[tuple[Callable[[Evidence], list[str]], ...]] = (
    check_fates,
    check_answers,
    check_told,
    check_merged,
    check_rejected,
    check_policy,
    check_stops,
    check_starvation,
    check_order,
    check_interruptions,
    check_outcomes,
    check_repetitions,
    check_plans,
    check_undos,
    check_sends,
    check_replies,
    check_acknowledgements,
    check_acknowledged_in_time,
    check_deliveries,
    check_one_at_a_time,
    check_rest,
    check_logs,
)


def count(evidence: Evidence) -> dict[str, Any]:
    """What a run was made of, for its report."""
    return {
        "messages": len(evidence.messages),
        "fates": dict(Counter(str(message["fate"]) for message in evidence.messages)),
        "calls": dict(Counter(str(call["status"]) for call in evidence.calls)),
        "rows": dict(Counter(f"{row['kind']} {row['state']}" for row in evidence.outbox)),
        "sends": len(evidence.sends),
        "ambiguous": dict(Counter(ambiguities(evidence).values())),
        "reused": sum(call["reused"] for call in evidence.calls),
        "undos": dict(Counter(str(call["undo"]) for call in evidence.calls if call["undo"])),
        "acts_again": sum(n > 1 for n in Counter(line["key"] for line in _starts(evidence)).values()),
    }
