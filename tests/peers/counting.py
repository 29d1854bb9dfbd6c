"""What the lines of a ledger come to: pure.

Rule 1: an operation is superseded when its user wrote again before it had replied.
Rule 2: only what tools, planner and phone saw is counted, nothing that a contender says of itself.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from peers.ledger import Line
from peers.script import Script


@dataclass(frozen=True)
class Counted:
    """How one contender did.

    Out of: `users`; `calls` that began; `superseded` operations (that had begun); `earlier` messages, which
    the newest operation of each user ought to know with its own; `finished` results of superseded operations.

    `cut`: calls that were ended in their middle.  `overlapping`: users for whom a call of a later operation
    began before one of an earlier operation had ended.  `late_replies`: replies that were sent after the
    contender had accepted a newer message.  `unanswered`: users whose newest message got no reply.
    `missing`: messages that the newest operation's planner was not shown.  `seen`: finished results that it
    was.
    `waits`: for each user whose newest message came while an operation was under way, the seconds to the new
    operation's first call; counted from the end of the calls that were running then, if it waited for them.
    """

    users: int
    calls: int
    cut: int
    overlapping: int
    superseded: int
    late_replies: int
    unanswered: int
    earlier: int
    missing: int
    finished: int
    seen: int
    waits: tuple[float, ...]


@dataclass(frozen=True)
class _Call:
    message: str
    began: float
    ended: float
    cut: bool
    whole: bool


@dataclass
class _User:
    """The lines of one user, by what they say."""

    order: list[str]
    sent: dict[str, float]
    accepted: dict[str, float]
    planned: dict[str, Line]
    replied: dict[str, float]
    calls: dict[str, _Call]

    @property
    def newest(self) -> str:
        return self.order[-1]

    def is_superseded(self, message: str) -> bool:
        """Whether its operation had begun, and its user wrote again before it had replied (Rule 1)."""
        later = self.order.index(message) + 1
        if message not in self.planned or later == len(self.order):
            return False
        return self.replied.get(message, math.inf) > self.sent.get(self.order[later], math.inf)

    def is_overlapping(self) -> bool:
        """Whether a call of a later operation began before one of an earlier operation had ended."""
        return any(
            later.began < earlier.ended and earlier.began < later.ended
            for earlier in self.calls.values()
            for later in self.calls.values()
            if self.order.index(earlier.message) < self.order.index(later.message)
        )

    def late_replies(self) -> int:
        """How many replies were sent after a newer message was accepted."""
        return sum(
            at
            > min((self.accepted.get(later, math.inf) for later in self.order[index + 1 :]), default=math.inf)
            for index, message in enumerate(self.order)
            for at in [self.replied.get(message, -math.inf)]
        )

    def finished(self) -> set[str]:
        """The calls of superseded operations that were through at some time."""
        return {name for name, call in self.calls.items() if call.whole and self.is_superseded(call.message)}

    def wait(self) -> float | None:
        """Seconds to the newest operation's first call; None when nothing was under way or none was made."""
        first = min((c.began for c in self.calls.values() if c.message == self.newest), default=None)
        sent = self.sent.get(self.newest, math.inf)
        if first is None or not any(
            self.is_superseded(message) and self.replied.get(message, math.inf) > sent
            for message in self.order[:-1]
        ):
            return None
        accepted = self.accepted.get(self.newest, sent)
        waited_for = [
            call.ended
            for call in self.calls.values()
            if call.message != self.newest and call.began <= accepted and sent < call.ended <= first
        ]
        return first - max([sent, *waited_for])


def count(script: Script, lines: Iterable[Line]) -> Counted:
    """Count one contender's ledger; a message that is not in the script is an error (KeyError)."""
    users = _sort(script, lines)
    calls = [call for user in users for call in user.calls.values()]
    known = [(user, user.planned[user.newest]) for user in users if user.newest in user.planned]
    waits = (user.wait() for user in users)
    return Counted(
        users=len(users),
        calls=len(calls),
        cut=sum(call.cut for call in calls),
        overlapping=sum(user.is_overlapping() for user in users),
        superseded=sum(user.is_superseded(message) for user in users for message in user.order),
        late_replies=sum(user.late_replies() for user in users),
        unanswered=sum(user.newest not in user.replied for user in users),
        earlier=sum(len(user.order) for user, _ in known),
        missing=sum(len({*user.order} - {*plan.messages}) for user, plan in known),
        finished=sum(len(user.finished()) for user, _ in known),
        seen=sum(len(user.finished() & {*plan.results}) for user, plan in known),
        waits=tuple(sorted(wait for wait in waits if wait is not None)),
    )


def _sort(script: Script, lines: Iterable[Line]) -> list[_User]:
    users = {
        name: _User([sending.message for sending in sendings], {}, {}, {}, {}, {})
        for name, sendings in script.users.items()
    }
    began: dict[str, Line] = {}
    for line in lines:
        user = users[line.user]
        match line.what:
            case "sent":
                user.sent[line.message] = line.at
            case "accepted":
                user.accepted[line.message] = line.at
            case "planned":
                user.planned.setdefault(line.message, line)
            case "reply":
                user.replied.setdefault(line.message, line.at)
            case "start":
                began[line.call] = line
                user.calls[line.call] = _Call(line.message, line.at, math.inf, cut=False, whole=False)
            case "end" | "cut":
                cut = line.what == "cut"
                user.calls[line.call] = _Call(
                    line.message, began[line.call].at, line.at, cut=cut, whole=not cut
                )
    return list(users.values())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed; not a number when there are none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def as_json(counted: Counted) -> dict[str, Any]:
    """The counts and, instead of the single waits, what the table says of them, in milliseconds."""
    fields = asdict(counted)
    waits = fields.pop("waits")
    return {
        **fields,
        "waits": len(waits),
        "wait_ms_p50": round(median(waits) * 1000, 1) if waits else None,
        "wait_ms_p95": round(percentile(waits, 0.95) * 1000, 1) if waits else None,
    }


_ROWS = (
    ("calls cut in the middle", "cut", "calls"),
    ("old and new overlapping", "overlapping", "users"),
    ("superseded operations that replied", "late_replies", "superseded"),
    ("newest message unanswered", "unanswered", "users"),
    ("messages missing from the conversation", "missing", "earlier"),
    ("finished results that the new operation saw", "seen", "finished"),
)


def table(counted: Mapping[str, Counted]) -> list[str]:
    """Markdown: what is counted downwards, the contenders across; each count with what it is out of."""
    figures = {name: as_json(one) for name, one in counted.items()}
    rows = [["", *counted]]
    rows += [
        [title, *(f"{one[what]} of {one[total]}" for one in figures.values())] for title, what, total in _ROWS
    ]
    for share in ("p50", "p95"):
        rows.append(
            [
                f"to the new first call, ms {share}",
                *(_shown(one[f"wait_ms_{share}"]) for one in figures.values()),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
