"""What a soak must come to: nothing of the server grows, and nothing that it accepted is lost.  Pure.

Rule 1: growth is asked of medians, a quarter of the time after the warm-up against its last quarter: one
moment with more to do is no growth.
Rule 2: what was sent is the Graph server's word, what was accepted the load's; the fates are the database's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import attrs

MEGABYTE: Final = 1_000_000
# Of each part: when everything is broken, nobody reads every line of it.
_LINES_MAX: Final = 10
# What a reply, or the end of its operation, overtakes.
_DROPPABLE: Final = ("acknowledgement", "note")


@attrs.frozen(kw_only=True)
class Sample:
    """The server at one moment: bytes, and numbers of what it holds open."""

    seconds: float  # since the load began
    memory: int
    files: int
    threads: int
    database: int


@attrs.frozen(kw_only=True)
class Bound:
    """How much a level may grow: by a share of itself, and by so much besides."""

    name: str
    of: Callable[[Sample], float]
    share: float = 0.0
    more: float = 0.0
    unit: float = 1.0

    def shown(self, level: float) -> str:
        return f"{level / self.unit:.1f} MB" if self.unit == MEGABYTE else f"{level:g}"


BOUNDS: Final = (
    # An hour has some 65,000 messages: a hundred bytes lost with each of them are seen.
    Bound(name="memory", of=lambda s: s.memory, share=0.02, more=2 * MEGABYTE, unit=MEGABYTE),
    # As many as connections that happen to be open.
    Bound(name="file descriptors", of=lambda s: s.files, more=8),
    # Trio keeps an idle one for 10 s.
    Bound(name="threads", of=lambda s: s.threads, more=4),
    Bound(name="database", of=lambda s: s.database, share=0.25, more=MEGABYTE, unit=MEGABYTE),
)


def warm_up(seconds: float) -> float:
    """How much of a run of that length says nothing yet."""
    return min(0.4 * seconds, 600.0)


def levels(samples: Sequence[Sample], bound: Bound) -> tuple[float, float] | None:
    """The median of the first and of the last quarter after the warm-up; None when there is too little."""
    if not samples:
        return None
    from_then = warm_up(samples[-1].seconds)
    counted = [bound.of(sample) for sample in samples if sample.seconds >= from_then]
    if len(counted) < 8:
        return None
    quarter = len(counted) // 4
    return median(counted[:quarter]), median(counted[-quarter:])


def check_flat(samples: Sequence[Sample]) -> list[str]:
    """A line for whatever has grown by more than its bound."""
    broken = []
    for bound in BOUNDS:
        found = levels(samples, bound)
        if found is None:
            return [f"too short to say whether anything grows: {len(samples)} samples"]
        first, last = found
        if last - first > first * bound.share + bound.more:
            broken.append(f"{bound.name} grew from {bound.shown(first)} to {bound.shown(last)}")
    return broken


@attrs.frozen(kw_only=True)
class Row:
    """A row of the outbox."""

    kind: str
    operation_id: str
    state: str


@attrs.frozen(kw_only=True)
class Evidence:
    """What was accepted, what became of it, and what reached the Graph server.

    `fates` by message id; `operations`: the operation that answered a message; `rows` and `sends` by row id.
    """

    accepted: Sequence[str]
    fates: Mapping[str, str]
    operations: Mapping[str, str]
    rows: Mapping[str, Row]
    sends: Mapping[str, int]


def check_lost(evidence: Evidence) -> list[str]:
    """P4, P5, P8: what was accepted has a fate; what was answered has one reply; each reply was sent once."""
    return [
        *_some(_without_fate(evidence)),
        *_some(_unanswered(evidence)),
        *_some(_missent(evidence)),
    ]


def _without_fate(evidence: Evidence) -> list[str]:
    return [
        f"message {id} was accepted and has no fate" for id in evidence.accepted if id not in evidence.fates
    ]


def _unanswered(evidence: Evidence) -> list[str]:
    replies = Counter(row.operation_id for row in evidence.rows.values() if row.kind == "reply")
    return [
        f"message {id} was answered and has {replies[evidence.operations[id]]} replies"
        for id, fate in evidence.fates.items()
        if fate == "answered" and replies[evidence.operations[id]] != 1
    ]


def _missent(evidence: Evidence) -> list[str]:
    broken = [
        f"row {id} was sent and is not in the outbox" for id in evidence.sends if id not in evidence.rows
    ]
    for id, row in evidence.rows.items():
        is_dropped = row.state == "dropped" and row.kind in _DROPPABLE
        if evidence.sends.get(id, 0) != (0 if is_dropped else 1):
            broken.append(f"{row.kind} row {id}, {row.state}, was sent {evidence.sends.get(id, 0)} times")
    return broken


def _some(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    left = len(every) - _LINES_MAX
    return every[:_LINES_MAX] + ([f"... and {left} more like that"] if left > 0 else [])
