"""How long it takes from one operation to the next, while so many sessions are live.

Rule 1: a session is live while an operation of it is in a wave; one user at a time changes their mind.
Rule 2: the spans are stamped by what the engine calls: its planner, its tools, its events, its `new_id`.

`python -m web.bench.switch SIDE SESSIONS DATABASE [USER]` is one side: a store's name, or `bare Trio`.  It
says when its sessions are live.  Each line it reads is a number of switches, which it makes, measures
and prints.  All are of the user with this number; without one each is of somebody new.
"""

import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from engine import open_engine
from web.bench.bare import Bare
from web.bench.figures import MEMORY, SQLITE, Figure, Target, at_most, figure, percentile, ratio_at_most
from web.bench.probe import (
    THINK,
    WORK,
    Probe,
    assistant_of,
    limits_of,
    message,
    questions,
    rss_bytes,
    store_of,
    swallow,
    user,
)
from web.bench.processes import Child, child, say
from web.bench.stalls import Delays, Window, clean, watching

NAME: Final = "switch"
BARE: Final = "bare Trio"
TITLE: Final = """from one operation to the next, while so many sessions are live, each in a wave.
One user at a time writes again, in a wave or, for the cancellation, while the planner thinks.
CPU time: from the new message to the new planner, with all that is recorded on the way.
Bare Trio: a dict of cancel scopes, a nursery a user, a shielded wave; it records nothing."""
SPANS: Final = {
    "accepted -> cancellation visible": ("accepted", "cut"),
    "wave end -> old operation joined": ("worked", "joined"),
    "joined -> new planner called": ("joined", "planning"),
    "accepted -> acknowledgement in the outbox": ("accepted", "acknowledged"),
}
# Sessions are made in batches of so many.
_AT_ONCE: Final = 500
# Users that nobody has heard of have numbers from here on.
NEW_USER: Final = 10_000_000
# At this many live sessions, and more, the targets hold.
_LOADED: Final = 10_000
_P99_MILLISECONDS: Final = at_most(5)
_P50_RATIO: Final = ratio_at_most(3)


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: `switches` in each of the `rounds`, at each number of live sessions."""

    sessions: Sequence[int]
    rounds: int
    switches: int


FULL: Final = Sizes(sessions=(1, 1_000, 10_000), rounds=5, switches=100)
QUICK: Final = Sizes(sessions=(1, 1_000), rounds=3, switches=50)


@attrs.frozen(kw_only=True)
class Round:
    """What one side said of one round, stalled windows thrown away.  `cpu_seconds` for all its switches."""

    side: str
    sessions: int
    switches: int
    cpu_seconds: float
    windows: int
    stalled: int
    # By span, in seconds.
    samples: Mapping[str, Sequence[float]]


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """All sides in turn, at each number of live sessions.  Raises BenchBroken."""
    figures: list[Figure] = []
    with watching() as watcher:
        for sessions in sizes.sessions:
            figures += figures_of(run_rounds(folder, sizes, sessions, watcher))
    return figures


def run_rounds(folder: Path, sizes: Sizes, sessions: int, watcher: Child) -> Sequence[Round]:
    """The rounds of all sides, in turn; a first one of each is not counted."""
    with ExitStack() as stack:
        sides = {
            side: stack.enter_context(child("web.bench.switch", side, sessions, folder / f"{sessions}.db"))
            for side in (MEMORY, SQLITE, BARE)
        }
        for each in sides.values():
            each.read()
        rounds = []
        for number in range(sizes.rounds + 1):
            for side in sides if number % 2 else reversed(sides):
                watcher.ask(None)
                answer = sides[side].ask(sizes.switches)
                if number:
                    rounds.append(_round(side, sessions, sizes.switches, answer, watcher.ask(None)))
    return rounds


def _round(side: str, sessions: int, switches: int, answer: Any, stalls: Any) -> Round:
    windows = [Window(**each) for each in answer["windows"]]
    kept = clean(windows, stalls)
    return Round(
        side=side,
        sessions=sessions,
        switches=switches,
        cpu_seconds=answer["cpu_seconds"],
        windows=len(kept),
        stalled=len(windows) - len(kept),
        samples={span: [each.seconds[span] for each in kept if span in each.seconds] for span in SPANS},
    )


# The figures --------------------------------------------------------------------------------------


def figures_of(rounds: Sequence[Round]) -> Sequence[Figure]:
    """What the rounds at one number of live sessions say; a pair in which all stalled is left out."""
    by_side = {side: [one for one in rounds if one.side == side] for side in (MEMORY, SQLITE, BARE)}
    return [one for store in (MEMORY, SQLITE) for one in _of_store(store, by_side[store], by_side[BARE])]


def _of_store(store: str, ours: Sequence[Round], bare: Sequence[Round]) -> Iterator[Figure]:
    at = f"{ours[0].sessions:,} live, {store}"
    yield figure(
        NAME,
        f"a switch, {at}",
        "CPU µs",
        [one.cpu_seconds / one.switches * 1e6 for one in ours],
        rival=BARE,
        rival_runs=[one.cpu_seconds / one.switches * 1e6 for one in bare],
    )
    for span in SPANS:
        pairs = [
            (one.samples[span], rival.samples[span])
            for one, rival in zip(ours, bare, strict=True)
            if one.samples[span] and rival.samples[span]
        ]
        for percent in (50, 99) if pairs else ():
            yield figure(
                NAME,
                f"{span}, p{percent}, {at}",
                "ms",
                [percentile(samples, percent) * 1e3 for samples, _ in pairs],
                rival=BARE,
                rival_runs=[percentile(samples, percent) * 1e3 for _, samples in pairs],
                target=_target(percent, store, ours[0].sessions),
                windows=sum(one.windows for one in ours),
                stalled=sum(one.stalled for one in ours),
            )


def _target(percent: int, store: str, sessions: int) -> Target | None:
    if sessions < _LOADED:
        return None
    if percent == 99:
        return _P99_MILLISECONDS
    # Bare Trio keeps nothing: what the disk takes has no rival in it.
    return _P50_RATIO if store == MEMORY else None


# One side, in its process -------------------------------------------------------------------------


@attrs.define(eq=False)
class Side:
    """Switches users, one at a time.  `deliver` takes in messages, each as its user and its text."""

    probe: Probe
    deliver: Callable[[Sequence[tuple[str, str]]], Awaitable[None]]
    live: Callable[[], int]
    sessions: int
    # Who changes their mind next.
    users: Iterator[str]

    async def fill(self) -> None:
        """Make all sessions but one live."""
        users = [user(number) for number in range(self.sessions - 1)]
        for first in range(0, len(users), _AT_ONCE):
            some = users[first : first + _AT_ONCE]
            await self.deliver([(user_id, WORK) for user_id in some])
            await self.probe.wait_begun(first + len(some))

    async def switch(self, times: int) -> dict[str, Any]:
        """So many switches, each of a user of its own, who is the last of the live ones."""
        delays = Delays()
        windows: list[Window] = []
        cpu_seconds = life_seconds = 0.0
        for _ in range(times):
            user_id = next(self.users)
            began_cpu = time.process_time()
            self.probe.watch(user_id)
            await self.deliver([(user_id, WORK)])
            await self.probe.wait("working")
            cpu_seconds += await self._switch_in_wave(user_id, delays, windows)
            await self._switch_in_planner(user_id, delays, windows)
            await self.probe.wait("answered")
            while self.live() >= self.sessions:  # noqa: ASYNC110  # no event tells of it
                await trio.sleep(0.001)
            life_seconds += time.process_time() - began_cpu
        delays.close()
        return {
            "cpu_seconds": cpu_seconds,
            "life_seconds": life_seconds,
            "rss_bytes": rss_bytes(),
            "windows": [attrs.asdict(each) for each in windows],
        }

    async def _switch_in_wave(self, user_id: str, delays: Delays, windows: list[Window]) -> float:
        self.probe.forget()
        delay, began, cpu = delays.seconds(), time.perf_counter(), time.process_time()
        await self.deliver([(user_id, THINK)])
        await self.probe.wait("accepted", "acknowledged")
        self.probe.released.set()
        await self.probe.wait("planning")
        cpu = time.process_time() - cpu
        windows.append(self._window(began, delays.seconds() - delay))
        return cpu

    async def _switch_in_planner(self, user_id: str, delays: Delays, windows: list[Window]) -> None:
        self.probe.forget()
        delay, began = delays.seconds(), time.perf_counter()
        await self.deliver([(user_id, "end")])
        await self.probe.wait("accepted", "cut")
        windows.append(self._window(began, delays.seconds() - delay))

    def _window(self, began: float, delay: float) -> Window:
        at = self.probe.at
        spans = {
            span: at[until] - at[since]
            for span, (since, until) in SPANS.items()
            # When a planner was cut, only that was awaited.
            if since in at and until in at and (until == "cut") is ("cut" in at)
        }
        return Window(began=began, ended=time.perf_counter(), delay=delay, seconds=spans)


async def _run_bare(sessions: int, users: Iterator[str]) -> None:
    probe = Probe()
    async with trio.open_nursery() as nursery:
        bare = Bare(nursery, probe, joined=lambda user_id: probe.stamp("joined", user_id))

        async def deliver(messages: Sequence[tuple[str, str]]) -> None:
            for user_id, text in messages:
                bare.deliver(user_id, text)
            await trio.lowlevel.checkpoint()

        await _answer(Side(probe, deliver, lambda: bare.live_sessions, sessions, users))


async def _run_engine(store: str, sessions: int, database: str, users: Iterator[str]) -> None:
    probe = Probe()

    def new_id() -> str:
        # The last one before a planner is called names its operation: the old one has been joined.
        if "planning" not in probe.at:
            probe.stamp("joined", probe.user_id)
        return uuid.uuid4().hex

    async with open_engine(
        assistant_of(probe),
        store=store_of(store, database),
        outbound=swallow,
        limits=limits_of(sessions),
        new_id=new_id,
    ) as engine:
        engine.events.subscribe(probe.hear)

        async def deliver(messages: Sequence[tuple[str, str]]) -> None:
            await engine.receive([message(user_id, uuid.uuid4().hex, text) for user_id, text in messages])

        await _answer(Side(probe, deliver, lambda: engine.live_sessions, sessions, users))


async def _answer(side: Side) -> None:
    before = rss_bytes()
    cpu = time.process_time()
    await side.fill()
    say({"cpu_seconds": time.process_time() - cpu, "rss_bytes": rss_bytes() - before})
    async for switches in questions():
        say(await side.switch(switches))


def main(side: str, sessions: str, database: str, number: str = "") -> None:
    """Be this side."""
    users = repeat(user(int(number))) if number else map(user, count(NEW_USER))
    if side == BARE:
        trio.run(_run_bare, int(sessions), users)
    else:
        trio.run(_run_engine, side, int(sessions), database, users)


if __name__ == "__main__":
    main(*sys.argv[1:])
