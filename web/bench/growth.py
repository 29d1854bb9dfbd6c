"""How costs grow with live sessions, a user's history and the database, and recovery with what is left.

Rule: a cost of one, times how many there are, is a total; no total may grow faster than n log n.

`python -m web.bench.growth leave SESSIONS DATABASE` leaves as many unfinished operations and waiting messages
as it has sessions, and ends as if it had been killed.  `... recover SESSIONS DATABASE` takes them up, and
prints the CPU time until the last of them is at work again.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs
import trio

from engine import SqliteStore, open_engine
from web.bench.figures import SQLITE, Figure, figure
from web.bench.filling import fill_database
from web.bench.fit import NO_FASTER, exponent
from web.bench.probe import WORK, Probe, assistant_of, limits_of, message, swallow, user
from web.bench.processes import child, run_child, say

NAME: Final = "growth"
TITLE: Final = """how costs grow with live sessions, one user's history, messages in the database; SQLite.
The exponent e of (n log n)^e for the total of n: 1 is n log n, 0.87 is about n; the rows below are of one.
A life: three messages of one user, two of which interrupt, and a reply."""
_USERS: Final = 10_000
# Messages that are taken in together.
_AT_ONCE: Final = 500


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: the sizes of each kind, and how many switches in how many rounds at each."""

    sessions: Sequence[int]
    history: Sequence[int]
    database: Sequence[int]
    unfinished: Sequence[int]
    rounds: int
    switches: int


FULL: Final = Sizes(
    sessions=(100, 1_000, 10_000),
    history=(100, 3_000, 100_000),
    database=(1_000, 30_000, 1_000_000),
    unfinished=(100, 1_000, 5_000),
    rounds=3,
    switches=30,
)
QUICK: Final = Sizes(
    sessions=(100, 500),
    history=(100, 10_000),
    database=(1_000, 50_000),
    unfinished=(50, 500),
    rounds=2,
    switches=15,
)


@attrs.frozen(kw_only=True)
class Cost:
    """What something costs, by its size; each size has as many `runs`.  `is_total`: of all, not of one."""

    what: str
    of: str
    unit: str
    is_total: bool = False
    runs: dict[int, list[float]] = attrs.field(factory=dict)

    def add(self, size: int, value: float) -> None:
        """One run more at this size."""
        self.runs.setdefault(size, []).append(value)


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """Every kind, size by size.  Raises BenchBroken."""

    def live(size: int) -> Sequence[object]:
        return size, folder / f"live-{size}.db"

    def history(size: int) -> Sequence[object]:
        return 1, _filled(folder / f"history-{size}.db", size, users=1), 0

    def database(size: int) -> Sequence[object]:
        return 1, _filled(folder / f"database-{size}.db", size, users=min(size, _USERS))

    costs = [
        *_of_switches("live sessions", sizes.sessions, sizes, live),
        *_of_switches("messages of one user", sizes.history, sizes, history),
        *_of_switches("messages in the database", sizes.database, sizes, database),
        _of_recovery(sizes, folder),
    ]
    return [one for cost in costs for one in figures_of(cost)]


def _filled(path: Path, messages: int, *, users: int) -> Path:
    fill_database(path, messages, users=users)
    return path


def _of_switches(
    of: str, numbers: Sequence[int], sizes: Sizes, prepare: Callable[[int], Sequence[object]]
) -> Sequence[Cost]:
    """What switches cost at each size; all sizes have a process, and are asked in turn.

    `prepare`: the arguments of that process.  A first round is not counted: it warms, and after it every
    history ends in the same.
    """
    switch = Cost(what="a switch", of=of, unit="CPU µs")
    life = Cost(what="a life", of=of, unit="CPU µs")
    memory = Cost(what="memory", of=of, unit="MiB", is_total=True)
    with ExitStack() as stack:
        children = {
            size: stack.enter_context(child("web.bench.switch", SQLITE, *prepare(size))) for size in numbers
        }
        for each in children.values():
            each.read()
        for number in range(sizes.rounds + 1):
            for size, each in children.items():
                answer = each.ask(sizes.switches)
                if number:
                    switch.add(size, answer["cpu_seconds"] / sizes.switches * 1e6)
                    life.add(size, answer["life_seconds"] / sizes.switches * 1e6)
                    memory.add(size, answer["rss_bytes"] / 2**20)
    return switch, life, memory


def _of_recovery(sizes: Sizes, folder: Path) -> Cost:
    cost = Cost(
        what="recovery", of="unfinished operations and as many messages", unit="CPU ms", is_total=True
    )
    for number in range(sizes.rounds):
        for size in sizes.unfinished:
            path = folder / f"left-{size}-{number}.db"
            run_child("web.bench.growth", "leave", size, path)
            cost.add(size, run_child("web.bench.growth", "recover", size, path) * 1e3)
    return cost


# The figures --------------------------------------------------------------------------------------


def figures_of(cost: Cost) -> Sequence[Figure]:
    """How fast a cost grows, and what it is at each size."""
    sizes = sorted(cost.runs)
    exponents = [
        exponent(
            {size: total * (1 if cost.is_total else size) for size, total in zip(sizes, run, strict=True)}
        )
        for run in zip(*(cost.runs[size] for size in sizes), strict=True)
    ]
    return (
        figure(NAME, f"{cost.what}, by {cost.of}", "e", exponents, target=NO_FASTER),
        *(figure(NAME, f"{cost.what}, {size:,} {cost.of}", cost.unit, cost.runs[size]) for size in sizes),
    )


# Recovery, in processes of its own ----------------------------------------------------------------


async def _leave(sessions: int, database: str) -> None:
    """Every user's operation is in its wave, and another message of theirs waits."""
    probe = Probe()
    users = [user(number) for number in range(sessions)]
    async with open_engine(
        assistant_of(probe), store=SqliteStore(database), outbound=swallow, limits=limits_of(sessions)
    ) as engine:
        for _ in range(2):
            for first in range(0, sessions, _AT_ONCE):
                some = users[first : first + _AT_ONCE]
                await engine.receive([message(user_id, uuid.uuid4().hex, WORK) for user_id in some])
                await probe.wait_begun(min(first + _AT_ONCE, sessions))
        say("left")
        os._exit(0)


async def _recover(sessions: int, database: str) -> None:
    probe = Probe()
    began = time.process_time()
    async with open_engine(
        assistant_of(probe), store=SqliteStore(database), outbound=swallow, limits=limits_of(sessions)
    ):
        await probe.wait_begun(sessions)
        say(time.process_time() - began)
        os._exit(0)


def main(part: str, sessions: str, database: str) -> None:
    """Leave work behind, or take it up."""
    trio.run({"leave": _leave, "recover": _recover}[part], int(sessions), database)


if __name__ == "__main__":
    main(*sys.argv[1:])
