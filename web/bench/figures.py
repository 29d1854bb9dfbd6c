"""What the rounds of a bench say: medians, ratios, targets.  No I/O, no clock, no Trio."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

import attrs

MEMORY: Final = "memory"
SQLITE: Final = "SQLite"
# The connections at which the targets hold: one alone has nobody to share a commit with.
_LOADED: Final = 32
_CPU_RATIO_MAX: Final = 1.4
_ACCEPTED_PER_COMMIT_MIN: Final = 8.0


@attrs.frozen(kw_only=True)
class Round:
    """One round, as it was counted.

    `seconds`: from the first message posted to the last answer.  `cpu_seconds`: the server's, user and
    system, all threads, until every reply was sent and that was recorded.  `commits` are all until then,
    `accepting_commits` those of them that took messages in.
    """

    store: str
    connections: int
    sent: int
    accepted: int
    answered: int
    seconds: float
    cpu_seconds: float
    commits: int
    accepting_commits: int

    @property
    def cpu_microseconds(self) -> float:
        """CPU time a message."""
        return self.cpu_seconds / self.accepted * 1e6

    @property
    def accepted_per_commit(self) -> float:
        """How many messages a commit takes in, if it takes in any."""
        return self.accepted / self.accepting_commits

    @property
    def commits_per_message(self) -> float:
        """All commits: what follows from a message is written as well."""
        return self.commits / self.accepted

    @property
    def accepted_per_second(self) -> float:
        """By the clock on the wall, stalls of the machine included."""
        return self.accepted / self.seconds


@attrs.frozen(kw_only=True)
class Row:
    """The medians of the rounds with one store and one number of connections."""

    store: str
    connections: int
    rounds: int
    cpu_microseconds: float
    accepted_per_commit: float
    commits_per_message: float
    accepted_per_second: float


@attrs.frozen(kw_only=True)
class Target:
    """A median that should be on one side of a bound; `lowest` and `highest` of any round."""

    name: str
    value: float
    lowest: float
    highest: float
    wanted: str
    is_met: bool


@attrs.frozen(kw_only=True)
class Figures:
    """All that a run says; `writes_per_commit` is None, and no target stands, without rounds under load."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]
    writes_per_commit: float | None
    sent: int
    accepted: int
    answered: int


def summarise(rounds: Sequence[Round]) -> Figures:
    """The figures of these rounds, which are in the order of their measurement."""
    by_row: dict[tuple[int, str], list[Round]] = {}
    for one in rounds:
        by_row.setdefault((one.connections, one.store), []).append(one)
    memory, sqlite = by_row.get((_LOADED, MEMORY), []), by_row.get((_LOADED, SQLITE), [])
    return Figures(
        rows=tuple(_row(by_row[key]) for key in sorted(by_row, key=lambda key: (key[0], key[1] == SQLITE))),
        targets=_targets(memory, sqlite) if memory and sqlite else (),
        writes_per_commit=_writes_per_commit(memory, sqlite) if memory and sqlite else None,
        sent=sum(one.sent for one in rounds),
        accepted=sum(one.accepted for one in rounds),
        answered=sum(one.answered for one in rounds),
    )


def _row(rounds: Sequence[Round]) -> Row:
    return Row(
        store=rounds[0].store,
        connections=rounds[0].connections,
        rounds=len(rounds),
        cpu_microseconds=median(one.cpu_microseconds for one in rounds),
        accepted_per_commit=median(one.accepted_per_commit for one in rounds),
        commits_per_message=median(one.commits_per_message for one in rounds),
        accepted_per_second=median(one.accepted_per_second for one in rounds),
    )


def _targets(memory: Sequence[Round], sqlite: Sequence[Round]) -> tuple[Target, ...]:
    # Pair by pair: what slowed the machine down for a while slowed both of a pair.
    ratios = [
        durable.cpu_microseconds / rival.cpu_microseconds
        for durable, rival in zip(sqlite, memory, strict=True)
    ]
    shared = [one.accepted_per_commit for one in sqlite]
    return (
        Target(
            name=f"CPU time a message, SQLite / memory, {_LOADED} connections",
            value=median(ratios),
            lowest=min(ratios),
            highest=max(ratios),
            wanted=f"at most {_CPU_RATIO_MAX:g}",
            is_met=median(ratios) <= _CPU_RATIO_MAX,
        ),
        Target(
            name=f"messages accepted a commit, SQLite, {_LOADED} connections",
            value=median(shared),
            lowest=min(shared),
            highest=max(shared),
            wanted=f"at least {_ACCEPTED_PER_COMMIT_MIN:g}",
            is_met=median(shared) >= _ACCEPTED_PER_COMMIT_MIN,
        ),
    )


def _writes_per_commit(memory: Sequence[Round], sqlite: Sequence[Round]) -> float:
    # The store in memory commits each write by itself: its commits are the writes.
    writes = median(one.commits_per_message for one in memory)
    return writes / median(one.commits_per_message for one in sqlite)


# On paper -----------------------------------------------------------------------------------------

_HEADER: Final = "connections  store   CPU µs/message  accepted/commit  commits/message  accepted/s"


def table(machine: Mapping[str, Any], figures: Figures) -> str:
    """The figures for a person, ratios first, with what they were measured on."""
    lines = [
        "What a durable message costs: one server, its store on disk or in memory, all else the same",
        f"Python {machine['python']}, SQLite {machine['sqlite']}, {machine['system']},"
        f" {machine['cpus']} CPUs; a page with fsync takes {machine['fsync_milliseconds']:g} ms",
        f"rounds of each: {max(row.rounds for row in figures.rows)}, in turn; medians (lowest to highest)",
        "",
        *map(_target_line, figures.targets),
        *([_writes_line(figures.writes_per_commit)] if figures.writes_per_commit else []),
        "",
        _HEADER,
        *map(_row_line, figures.rows),
        "",
        "The assistant plans nothing, the way out swallows replies, the log is made and thrown away.",
        "CPU: the server's process, all threads, from the webhook to the reply recorded as sent",
        "accepted/commit: of the commits that take messages in; commits/message: of all commits",
        "accepted/s: webhooks answered, by the clock on the wall; the replies may come later",
        f"{figures.sent} messages sent, {figures.accepted} accepted, {figures.answered} answered",
    ]
    return "\n".join(lines)


def _target_line(target: Target) -> str:
    spread = f"({target.lowest:.2f} to {target.highest:.2f})"
    verdict = "met" if target.is_met else "MISSED"
    return f"{target.name:<51}{target.value:6.2f}  {spread:<16}  target {target.wanted}: {verdict}"


def _writes_line(writes_per_commit: float) -> str:
    return f"{f'writes a commit, SQLite, {_LOADED} connections':<51}{writes_per_commit:6.2f}"


def _row_line(row: Row) -> str:
    return (
        f"{row.connections:>11}  {row.store:<6}  {row.cpu_microseconds:>14,.0f}"
        f"  {row.accepted_per_commit:>15.2f}  {row.commits_per_message:>15.2f}"
        f"  {row.accepted_per_second:>10,.0f}"
    )
