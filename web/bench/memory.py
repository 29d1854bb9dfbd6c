"""How much memory a live session takes, against a bare Trio task with a nursery and a scope.

Each number of sessions has a process of its own on each side: `web.bench.switch` makes sessions live, ours
and those of bare Trio that does the same; `python -m web.bench.memory TASKS` makes bare tasks.  Both say what
they took.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import attrs
import trio
import trio.testing

from web.bench.figures import SQLITE, Figure, at_most, figure, ratio_at_most
from web.bench.probe import questions, rss_bytes
from web.bench.processes import Child, child, say
from web.bench.switch import BARE

NAME: Final = "memory"
TASK: Final = "a bare task"
TITLE: Final = """what a live session, one in a wave, takes of the process's resident memory (Linux's count).
A bare task: Trio's, asleep, with a nursery and a cancel scope.
Bare Trio: the same session without the engine, a row, two tasks, two nurseries and their scopes."""
_RATIO: Final = ratio_at_most(3)
# At this many live sessions all of them should fit.
_MANY: Final = 100_000
_MEBIBYTES: Final = at_most(2048)


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: by numbers of sessions, how often."""

    sessions: dict[int, int]


FULL: Final = Sizes(sessions={1_000: 3, 10_000: 3, 100_000: 1})
QUICK: Final = Sizes(sessions={1_000: 2, 5_000: 1})


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """All sides in turn.  Raises BenchBroken."""
    figures: list[Figure] = []
    for sessions, runs in sizes.sessions.items():
        bytes_of: dict[str, list[float]] = {SQLITE: [], BARE: [], TASK: []}
        for run in range(runs):
            for side, so_far in bytes_of.items():
                with _filled(side, sessions, folder / f"{sessions}-{run}.db") as process:
                    so_far.append(process.read()["rss_bytes"] / sessions)
        figures += figures_of(sessions, bytes_of)
    return figures


def _filled(side: str, sessions: int, database: Path) -> AbstractContextManager[Child]:
    if side == TASK:
        return child("web.bench.memory", sessions)
    return child("web.bench.switch", side, sessions, database)


def figures_of(sessions: int, bytes_of: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    """What so many sessions say; `bytes_of`: one session's, by sides."""
    return (
        *(
            figure(
                NAME,
                f"a live session, of {sessions:,}, beside {rival}",
                "bytes",
                bytes_of[SQLITE],
                rival=rival,
                rival_runs=bytes_of[rival],
                target=_RATIO if rival == TASK else None,
            )
            for rival in (TASK, BARE)
        ),
        figure(
            NAME,
            f"{sessions:,} live sessions",
            "MiB",
            [each * sessions / 2**20 for each in bytes_of[SQLITE]],
            target=_MEBIBYTES if sessions >= _MANY else None,
        ),
    )


async def _sleep() -> None:
    async with trio.open_nursery():
        with trio.CancelScope():
            await trio.sleep_forever()


async def _fill(tasks: int) -> None:
    async with trio.open_nursery() as nursery:
        before = rss_bytes()
        for _ in range(tasks):
            nursery.start_soon(_sleep)
        await trio.testing.wait_all_tasks_blocked()
        say({"rss_bytes": rss_bytes() - before})
        async for _ in questions():
            pass


if __name__ == "__main__":
    trio.run(_fill, int(sys.argv[1]))
