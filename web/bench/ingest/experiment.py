"""From a signed webhook to its 200: what it costs, how long it takes, and whether WhatsApp's tiers fit.

Rule 1: the server has one core and the load another, where there are two.
Rule 2: with a debounce no operation begins while requests are counted: what is measured is to take them in.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs

from web.bench.figures import MEMORY, SQLITE, Figure, at_most, figure, percentile, ratio_at_most
from web.bench.ingest.load import Order
from web.bench.ingest.server import NO_ENGINE
from web.bench.processes import BenchBroken, Child, child
from web.bench.stalls import watching
from web.bench.traffic import Traffic

NAME: Final = "ingest"
RIVAL: Final = "FastAPI"
TITLE: Final = """from a signed webhook to its 200, one message to three statuses, 32 connections, one core.
No engine: the same server and route, which accepts at once.
FastAPI: on uvicorn with uvloop and httptools, it checks the signature, reads the JSON and answers.
A tier: so much a second comes whether or not the last was answered; all that follows: with the operations,
which plan nothing and reply."""
SIDES: Final = (SQLITE, MEMORY, NO_ENGINE, RIVAL)
CONNECTIONS: Final = 32
# No operation begins in a round; they do between two.
_DEBOUNCE_SECONDS: Final = 8
_ENGINE_RATIO: Final = ratio_at_most(1.5)
_DEFAULT_SHARE: Final = at_most(30)
# Later than this in its last quarter, what comes is not kept up with.
_LATE_MILLISECONDS: Final = at_most(1_000)


@attrs.frozen(kw_only=True)
class Tier:
    """What WhatsApp lets one number do: messages a second, each with its statuses, in such batches."""

    name: str
    messages_per_second: int
    batch: int
    # Who writes: so many that hardly anybody writes again before the reply.
    users: int


DEFAULT: Final = Tier(name="default tier", messages_per_second=80, batch=1, users=1_000)
TOP: Final = Tier(name="top tier", messages_per_second=1_000, batch=40, users=20_000)


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: messages a round, and seconds of each tier."""

    rounds: int
    messages: int
    tier_seconds: int


FULL: Final = Sizes(rounds=5, messages=400, tier_seconds=12)
QUICK: Final = Sizes(rounds=3, messages=200, tier_seconds=4)


@attrs.frozen(kw_only=True)
class Round:
    """One round of one side.

    `cpu_seconds` of the server for all `requests`; `seconds` by the clock on the wall; `latencies` in seconds
    of the answers outside of a stall, of which `stalled` were thrown away.
    """

    side: str
    requests: int
    cpu_seconds: float
    seconds: float
    latencies: Sequence[float]
    stalled: int

    @property
    def cpu_microseconds(self) -> float:
        """CPU time a request."""
        return self.cpu_seconds / self.requests * 1e6


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """All sides in turn, then each tier.  Raises BenchBroken."""
    return (*figures_of(run_rounds(folder, sizes)), *_of_tiers(folder, sizes))


# Closed loop: all sides in turn -------------------------------------------------------------------


@attrs.define(eq=False)
class _Side:
    """A server's process, and what it has been sent."""

    name: str
    child: Child
    port: int
    sent: int = 0
    rows: Sequence[str] = ()

    def traffic(self, messages: int, tier: Tier | None = None) -> Traffic:
        """The next messages, with statuses of what the last ones were answered with."""
        made = Traffic(first=self.sent, messages=messages, rows=self.rows)
        self.sent += messages
        return attrs.evolve(made, batch=tier.batch, users=tier.users) if tier else made

    def settle(self) -> None:
        """Wait until all that it was sent is done; its replies are what the next statuses are of."""
        if self.name in (SQLITE, MEMORY):
            self.rows = self.child.ask(self.sent)["rows"]


def run_rounds(folder: Path, sizes: Sizes) -> Sequence[Round]:
    """The rounds that count, in the order of their measurement; a first one of each is not counted."""
    with ExitStack() as stack:
        watcher = stack.enter_context(watching())
        load = stack.enter_context(child("web.bench.ingest.load"))
        sides = [_open(stack, side, folder, _DEBOUNCE_SECONDS) for side in SIDES]
        _part(load, *(side.child for side in sides))
        rounds: list[Round] = []
        for number in range(sizes.rounds + 1):
            for side in sides if number % 2 else reversed(sides):
                rounds.append(_run(side, load, watcher, sizes.messages))
            for side in sides:
                side.settle()
    return rounds[len(SIDES) :]


def _open(stack: ExitStack, side: str, folder: Path, debounce_seconds: float) -> _Side:
    if side == RIVAL:
        process = stack.enter_context(child("web.bench.ingest.rival"))
    else:
        file = folder / f"ingest-{side.replace(' ', '-')}.db"
        process = stack.enter_context(child("web.bench.ingest.server", side, file, debounce_seconds))
    return _Side(side, process, port=process.read()["port"])


def _part(load: Child, *servers: Child) -> None:
    """A core for the load and another one for the servers, which are never busy together."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(load.process.pid, cores[1:])
        for server in servers:
            for task in Path(f"/proc/{server.process.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), cores[:1])


def _run(side: _Side, load: Child, watcher: Child, messages: int) -> Round:
    order = Order(port=side.port, connections=CONNECTIONS, traffic=side.traffic(messages))
    watcher.ask(None)
    before = side.child.ask(0)["samples"][-1]
    done = load.ask(order.as_json())
    after = side.child.ask(0)["samples"][-1]
    stalls = watcher.ask(None)
    answers = done["answers"]
    if done["accepted"] != len(answers):
        raise BenchBroken(f"{side.name} accepted {done['accepted']} of {len(answers)} requests")
    kept = [
        late for at, late in answers if not any(began < at + late and at < ended for began, ended in stalls)
    ]
    return Round(
        side=side.name,
        requests=len(answers),
        cpu_seconds=after[1] - before[1],
        seconds=max(at + late for at, late in answers) - min(at for at, _ in answers),
        latencies=kept,
        stalled=len(answers) - len(kept),
    )


def figures_of(rounds: Sequence[Round]) -> Sequence[Figure]:
    """What the rounds of all sides say, paired in the order of their measurement."""
    by_side = {side: [one for one in rounds if one.side == side] for side in SIDES}
    pairs = (
        (SQLITE, NO_ENGINE, True),
        (MEMORY, NO_ENGINE, False),
        (SQLITE, RIVAL, False),
        (NO_ENGINE, RIVAL, False),
    )
    return (
        *(
            figure(
                NAME,
                f"a request, {side}",
                "CPU µs",
                [one.cpu_microseconds for one in by_side[side]],
                rival=rival,
                rival_runs=[one.cpu_microseconds for one in by_side[rival]],
                target=_ENGINE_RATIO if is_target else None,
            )
            for side, rival, is_target in pairs
        ),
        *_of_wall_clock(by_side[SQLITE], by_side[RIVAL]),
    )


def _of_wall_clock(ours: Sequence[Round], rival: Sequence[Round]) -> Iterator[Figure]:
    yield figure(
        NAME,
        f"requests a second, stalls included, {SQLITE}",
        "requests/s",
        [one.requests / one.seconds for one in ours],
        rival=RIVAL,
        rival_runs=[one.requests / one.seconds for one in rival],
    )
    pairs = [
        (one.latencies, other.latencies)
        for one, other in zip(ours, rival, strict=True)
        if one.latencies and other.latencies
    ]
    for percent in (50, 99) if pairs else ():
        yield figure(
            NAME,
            f"to the 200, p{percent}, {SQLITE}",
            "ms",
            [percentile(mine, percent) * 1e3 for mine, _ in pairs],
            rival=RIVAL,
            rival_runs=[percentile(theirs, percent) * 1e3 for _, theirs in pairs],
            windows=sum(len(one.latencies) for one in ours),
            stalled=sum(one.stalled for one in ours),
        )


# Open loop: WhatsApp's tiers ----------------------------------------------------------------------


def _of_tiers(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    for tier in (DEFAULT, TOP):
        own = folder / tier.name.replace(" ", "-")
        own.mkdir()
        with ExitStack() as stack:
            load = stack.enter_context(child("web.bench.ingest.load"))
            side = _open(stack, SQLITE, own, 0)
            _part(load, side.child)
            load.ask(Order(port=side.port, connections=1, traffic=side.traffic(20)).as_json())
            side.settle()
            yield from _of_tier(tier, side, load, sizes.tier_seconds)


def _of_tier(tier: Tier, side: _Side, load: Child, seconds: int) -> Iterator[Figure]:
    traffic = side.traffic(tier.messages_per_second * seconds, tier)
    per_second = traffic.updates / tier.batch / seconds
    order = Order(port=side.port, connections=CONNECTIONS, traffic=traffic, per_second=per_second)
    before = side.child.ask(0)["samples"][-1]
    done: dict[str, Any] = load.ask(order.as_json())
    after = side.child.ask(0)["samples"][-1]
    settled = side.child.ask(side.sent)["samples"][-1]
    if done["accepted"] != len(done["answers"]):
        raise BenchBroken(f"{tier.name}: {done['accepted']} of {len(done['answers'])} requests were accepted")
    at = f"{tier.name}, {tier.messages_per_second:,} messages/s and their statuses"
    yield figure(
        NAME,
        f"{at}: all that follows, of one core",
        "CPU %",
        [(settled[1] - before[1]) / seconds * 100],
        target=_DEFAULT_SHARE if tier is DEFAULT else None,
    )
    yield figure(NAME, f"{at}: share of the core while it comes in", "CPU %", [share(before, after) * 100])
    yield figure(
        NAME,
        f"{at}: to the 200 in its last quarter, p50, stalls included",
        "ms",
        [percentile(last_quarter(done["answers"]), 50) * 1e3],
        target=_LATE_MILLISECONDS,
        windows=len(done["answers"]) // 4,
    )
    yield figure(NAME, f"{at}: done after its end, stalls included", "s", [max(settled[0] - after[0], 0.0)])


def share(before: Sequence[float], after: Sequence[float]) -> float:
    """CPU time in wall-clock time, of two looks at both clocks: the wall's first."""
    return (after[1] - before[1]) / (after[0] - before[0])


def last_quarter(answers: Sequence[Sequence[float]]) -> Sequence[float]:
    """How late those were answered that were due last: what is not kept up with shows there."""
    ordered = sorted(map(tuple, answers))
    return [late for _, late in ordered[len(ordered) * 3 // 4 :]]
