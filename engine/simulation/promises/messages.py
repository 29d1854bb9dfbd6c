"""What becomes of a message: one fate, durable, before the next plan; which is newer: P4, P5, P7, P12."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from engine.simulation.evidence import INTERRUPTING, THOUGHTS, Broken, Evidence

# How many messages back, at the least, a plan is shown what was superseded: each may have had an answer.
_SHOWN_PART: Final = 2


def one_fate(evidence: Evidence) -> Iterator[Broken]:
    """P4: what is in the inbox has one fate, and its user was told where the fate says so."""
    fates = Counter(entry.key for entry in evidence.ledger.of("fate"))
    for id, message in evidence.messages.items():
        if message["fate"] is None:
            yield Broken(4, f"message {id} has no fate")
        elif fates[id] != 1:
            yield Broken(4, f"message {id} was given {fates[id]} fates")
        elif not _was_told(evidence, id):
            yield Broken(4, f"message {id} is {message['fate']}, and nobody was told")


def _was_told(evidence: Evidence, id: str) -> bool:
    message, fate = evidence.messages[id], evidence.fate(id)
    rows = [row for row in evidence.outbox.values() if row["user_id"] == message["user_id"]]
    match message["fate"]:
        case "failed":
            # One that failed before it began has no operation.
            return any(
                row["kind"] == "apology" and message["operation_id"] in (row["operation_id"], None)
                for row in rows
            )
        case "rejected":
            return any(row["kind"] == "notice" and row["text"] == fate["reason"] for row in rows)
        case "stopped" if fate["told"]:
            return any(row["kind"] == "notice" and row["text"] == fate["told"] for row in rows)
    return True


def fates_fit(evidence: Evidence) -> Iterator[Broken]:
    """P4: each fate is one that the policy has, and says of whom it speaks."""
    for id, message in evidence.messages.items():
        fate, fields = message["fate"], evidence.fate(id) if message["fate"] else {}
        if evidence.is_stop(id) and fate not in ("stopped", "ignored", None):
            yield Broken(4, f"message {id} said stop and is {fate}")
        if fate == "ignored" and not (evidence.is_stop(id) and evidence.is_late(id)):
            yield Broken(4, f"message {id} was ignored")
        if fate == "superseded":
            by = fields["by"]
            if evidence.scenario.policy not in INTERRUPTING:
                yield Broken(4, f"message {id} was superseded under {evidence.scenario.policy}")
            if by not in evidence.messages or evidence.messages[by]["user_id"] != message["user_id"]:
                yield Broken(4, f"message {id} was superseded by {by!r}")
            elif evidence.order(by) <= evidence.order(id):
                yield Broken(12, f"message {id} was superseded by {by}, which is not newer")


def merged_was_seen(evidence: Evidence) -> Iterator[Broken]:
    """P4: a message is merged by the plan that saw it, and not before."""
    thoughts = list(evidence.doings("plan", "adapt"))
    for entry in evidence.ledger.of("fate"):
        if entry.more[0] != "merged":
            continue
        both = {entry.key, evidence.fate(entry.key)["into"]}
        if not any(
            doing.how == "well" and doing.end and doing.end.n < entry.n
            for doing in thoughts
            if both <= set(doing.start.more[0].split(","))
        ):
            yield Broken(4, f"message {entry.key} was merged before a plan had seen it")


def stop_is_no_request(evidence: Evidence) -> Iterator[Broken]:
    """P4: the stop word is never shown to an assistant as something to do."""
    for doing in evidence.doings(*THOUGHTS):
        for id in doing.start.more[0].split(","):
            if evidence.is_stop(id):
                yield Broken(4, f"{doing.start.what} {doing.start.key} was shown the stop word {id}")


def accepted_is_durable(evidence: Evidence) -> Iterator[Broken]:
    """P5: whoever is told that a message was accepted is told so after its commit; it comes in once."""
    heard = {entry.key: entry.n for entry in reversed(evidence.ledger.of("heard"))}
    for entry in evidence.ledger.of("accepted"):
        if heard.get(entry.key, entry.n) >= entry.n:
            yield Broken(5, f"message {entry.key} was accepted before it was in the inbox")
    for id, count in Counter(entry.key for entry in evidence.ledger.of("heard")).items():
        if count > 1:
            yield Broken(5, f"message {id} was heard of {count} times")


def results_are_kept(evidence: Evidence) -> Iterator[Broken]:
    """P7: a request that was taken back is in front of every later plan, with what it had finished."""
    finished: dict[str, Counter[str]] = defaultdict(Counter)
    for call in evidence.calls:
        finished[call["operation_id"]][call["status"]] += 1
    settled: dict[str, list[str]] = defaultdict(list)
    superseded: dict[str, list[str]] = defaultdict(list)
    most = evidence.scenario.limits.history_messages_max // _SHOWN_PART
    for entry in evidence.ledger.of("fate", "plan starts"):
        if entry.what == "fate":
            settled[entry.user].append(entry.key)
            if entry.more[0] == "superseded" and entry.key in evidence.operation_of:
                superseded[entry.user].append(entry.key)
            continue
        burst, taken_back, history = entry.more
        missing = {*settled[entry.user][-most:]} - {*history.split(","), *burst.split(",")}
        if missing:
            yield Broken(7, f"the plan for {entry.key} was not shown {', '.join(sorted(missing))}")
        shown = dict(item.split(":", 1) for item in taken_back.split(",") if item)
        for id in superseded[entry.user][-most:]:
            counts = finished[evidence.operation_of[id]]
            expected = "+".join(f"{counts[status]} {status}" for status in sorted(counts))
            if shown.get(id) != expected:
                yield Broken(7, f"the plan for {entry.key} was shown {shown.get(id)} of {id}: {expected}")


def late_is_not_new(evidence: Evidence) -> Iterator[Broken]:
    """P12: an older message never interrupts; where a newer one takes its place it is never run."""
    for operation in evidence.operations.values():
        by = operation["interrupted_by"]
        if by and evidence.order(by) <= evidence.order(operation["message_id"]):
            yield Broken(12, f"{operation['id']} was interrupted by {by}, which is not newer")
    if evidence.scenario.policy not in INTERRUPTING:
        return
    for id, message in evidence.messages.items():
        if evidence.is_late(id) and id in evidence.operation_of and message["burst_id"] == id:
            yield Broken(12, f"message {id} came late and was run")


CHECKS: Final = (
    one_fate,
    fates_fit,
    merged_was_seen,
    stop_is_no_request,
    accepted_is_durable,
    results_are_kept,
    late_is_not_new,
)
