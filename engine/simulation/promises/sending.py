"""One commit point, told once, and each user's rows in order: P8, P9."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from engine.languages import built_in
from engine.simulation.evidence import Broken, Evidence
from engine.simulation.ledger import Entry

_BEFORE_A_REQUEST: Final = ("sending", "resending")


def one_commit(evidence: Evidence) -> Iterator[Broken]:
    """P8: an answered message has one completed operation with its reply, every other has none."""
    replies = Counter(row["operation_id"] for row in evidence.outbox.values() if row["kind"] == "reply")
    for id, operation in evidence.operations.items():
        is_completed = operation["phase"] == "completed"
        fate = evidence.messages[operation["message_id"]]["fate"]
        if replies[id] != is_completed or (fate == "answered") != is_completed:
            yield Broken(8, f"operation {id} is {operation['phase']}: {replies[id]} replies, message {fate}")
        if operation["ended_at"] is None:
            yield Broken(8, f"operation {id} has no end")


def in_one_transaction(evidence: Evidence) -> Iterator[Broken]:
    """P8: a reply is recorded by the write that completes its operation."""
    for entry in evidence.ledger.of("queued"):
        kind, operation, write = entry.more
        if kind == "reply" and evidence.ends[operation].more != ("completed", write):
            yield Broken(8, f"the reply of {operation} was recorded by another write than its end")


def told_once(evidence: Evidence) -> Iterator[Broken]:
    """P9: one acknowledgement for an interrupted operation, none for any other; one refusal each."""
    told = Counter(
        row["operation_id"] for row in evidence.outbox.values() if row["kind"] == "acknowledgement"
    )
    for id, operation in evidence.operations.items():
        is_interrupted = operation["reason"] == "new_message_received"
        if told[id] > is_interrupted:
            yield Broken(9, f"{told[id]} acknowledgements for {id}, {operation['reason']}")
    begun = Counter(entry.user for entry in evidence.ledger.of("begun"))
    texts = built_in().texts[built_in().default]
    once = (texts.rejected, texts.deferred)
    notices = Counter(
        (row["user_id"], row["text"])
        for row in evidence.outbox.values()
        if row["kind"] == "notice" and row["text"] in once
    )
    for (user, text), count in notices.items():
        if count > begun[user]:
            yield Broken(9, f"{user} was told {text!r} {count} times, in {begun[user]} operations")


def no_acknowledgement_after_the_reply(evidence: Evidence) -> Iterator[Broken]:
    """P9: once the new reply is recorded, no acknowledgement goes on its way."""
    of_user: dict[str, list[str]] = defaultdict(list)  # those that are not on their way yet
    too_late: set[str] = set()
    for entry in evidence.ledger.of("queued", "marked", "dropped"):
        waiting = of_user[entry.user]
        if entry.what == "queued" and entry.more[0] == "acknowledgement":
            waiting.append(entry.key)
        elif entry.what == "queued" and entry.more[0] == "reply":
            too_late.update(waiting)
            waiting.clear()
        elif entry.what == "marked" and entry.key in waiting:
            waiting.remove(entry.key)
    for entry in evidence.ledger.of("request"):
        if entry.key in too_late:
            yield Broken(9, f"acknowledgement {entry.key} was sent after the reply was recorded")


@attrs.define
class _Row:
    """One row on its way: what may have been seen of it."""

    shown: int = 0
    may_be_shown: int = 1
    is_known: bool = True  # how the last showing went


def sent_once(evidence: Evidence) -> Iterator[Broken]:
    """P9, the outbox: a row is shown once, and once more where nobody can know whether it was."""
    rows: dict[str, _Row] = defaultdict(_Row)
    for entry in evidence.ledger.of("shown", "marked", "reported", "death"):
        match entry.what:
            case "shown":
                row = rows[entry.key]
                row.shown += 1
                row.is_known = False
                if entry.more[1] == "lost":
                    row.may_be_shown = max(row.may_be_shown, 2)
            case "marked" if entry.more[0] not in _BEFORE_A_REQUEST:
                rows[entry.key].is_known = True
            case "reported" if entry.more[0] == "failed":
                rows[entry.key].may_be_shown += 2  # it was taken, and not delivered
            case "death":
                for row in rows.values():
                    if not row.is_known:
                        row.may_be_shown = max(row.may_be_shown, 2)
    for id, row in rows.items():
        if row.shown > row.may_be_shown:
            yield Broken(9, f"row {id} was shown {row.shown} times")
    for id, columns in evidence.outbox.items():
        if columns["state"] == "sent" and not rows[id].shown:
            yield Broken(9, f"row {id} counts as sent, and never was")


def in_order(evidence: Evidence) -> Iterator[Broken]:
    """P9, the outbox: each user's rows are first requested in their order.

    But for those that a process may have sent and did not live to say: they wait for a report.
    """
    doubtful = _doubtful(evidence)
    first: set[str] = set()
    last: dict[str, Entry] = {}
    for entry in evidence.ledger.of("request"):
        if entry.key in first or entry.key in doubtful:
            continue
        first.add(entry.key)
        before = last.get(entry.user)
        if before and _place(evidence, before.key) > _place(evidence, entry.key):
            yield Broken(9, f"row {entry.key} was sent after {before.key}, which came later")
        last[entry.user] = entry


def _doubtful(evidence: Evidence) -> Mapping[str, int]:
    """The rows that were marked before a request in a life that made none of them."""
    marked: dict[str, int] = {}
    for entry in evidence.ledger.of("marked", "request"):
        if entry.what == "request":
            if marked.get(entry.key) == entry.life:
                del marked[entry.key]
        elif entry.more[0] in _BEFORE_A_REQUEST:
            marked.setdefault(entry.key, entry.life)
    return marked


def _place(evidence: Evidence, row_id: str) -> int:
    place: int = evidence.outbox[row_id]["sequence"]
    return place


CHECKS: Final = (
    one_commit,
    in_one_transaction,
    told_once,
    no_acknowledgement_after_the_reply,
    sent_once,
    in_order,
)
