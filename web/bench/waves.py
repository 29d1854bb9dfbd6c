"""What a wave costs beyond its calls: no-op calls in waves, against the same tasks in bare nurseries.

`python -m web.bench.waves SIDE DATABASE` is one side: a store's name, or `bare Trio`.  Each line it reads
is a number of operations times 1,000 plus the calls of a wave; it runs them and prints what a wave has cost.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs
import trio

from engine import (
    Assistant,
    Call,
    Context,
    Event,
    Message,
    Plan,
    Results,
    WaveFinished,
    open_engine,
    tool,
)
from web.bench.figures import MEMORY, SQLITE, Figure, figure
from web.bench.probe import limits_of, questions, store_of, swallow, user
from web.bench.processes import child, say

NAME: Final = "waves"
BARE: Final = "bare Trio"
TITLE: Final = """what a wave of no-op calls costs, its records included, in operations of three waves.
Bare Trio: a shielded scope and a nursery with as many tasks."""
# As an assistant has them; what precedes the end of the first wave is not the wave's.
_WAVES: Final = 3
_SHIFT: Final = 1000


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: so many operations in each round, with so many calls in a wave."""

    calls: Sequence[int]
    rounds: int
    operations: int


FULL: Final = Sizes(calls=(1, 3, 10), rounds=5, operations=60)
QUICK: Final = Sizes(calls=(1, 3, 10), rounds=3, operations=20)


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """All sides in turn; a first round of each is not counted.  Raises BenchBroken."""
    runs: dict[tuple[int, str], list[float]] = {}
    with ExitStack() as stack:
        sides = {
            side: stack.enter_context(child("web.bench.waves", side, folder / "waves.db"))
            for side in (MEMORY, SQLITE, BARE)
        }
        for number in range(sizes.rounds + 1):
            for calls in sizes.calls:
                for side in sides if number % 2 else reversed(sides):
                    seconds = sides[side].ask(sizes.operations * _SHIFT + calls)
                    if number:
                        runs.setdefault((calls, side), []).append(seconds * 1e6)
    return [
        figure(
            NAME,
            f"a wave of {calls} call{'' if calls == 1 else 's'}, {store}",
            "CPU µs",
            runs[calls, store],
            rival=BARE,
            rival_runs=runs[calls, BARE],
        )
        for store in (MEMORY, SQLITE)
        for calls in sizes.calls
    ]


# One side, in its process -------------------------------------------------------------------------


@tool(timeout=60, idempotent=True)
async def rest() -> None:
    """Does nothing."""
    await trio.lowlevel.checkpoint()


class _Planner:
    """Waves of as many calls as the message says."""

    async def plan(self, message: Message, context: Context) -> Plan:
        width = range(int(message.text))
        return Plan(
            *(
                Call(f"{wave}.{number}", rest, after=[f"{wave - 1}.{each}" for each in width if wave])
                for wave in range(_WAVES)
                for number in width
            )
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def _respond(message: Message, results: Results, context: Context) -> str:
    return "Done."


@attrs.define(eq=False)
class _Meter:
    """CPU time from the end of each operation's first wave to that of its last."""

    seconds: float = 0.0

    def hear(self, event: Event) -> None:
        """A hook for events of the engine."""
        if isinstance(event, WaveFinished) and event.wave in (1, _WAVES):
            self.seconds += time.process_time() * (1 if event.wave == _WAVES else -1)


async def _run_engine(store: str, database: str) -> None:
    assistant = Assistant(planner=_Planner(), responder=_respond, tools=[rest])
    async with open_engine(
        assistant, store=store_of(store, database), outbound=swallow, limits=limits_of(1)
    ) as engine:
        meter = _Meter()
        engine.events.subscribe(meter.hear)
        number = 0
        async for question in questions():
            operations, calls = divmod(question, _SHIFT)
            meter.seconds = 0.0
            for _ in range(operations):
                number += 1
                await engine.process_message(user(number), str(calls))
            say(meter.seconds / operations / (_WAVES - 1))


async def _run_bare() -> None:
    async for question in questions():
        waves, calls = divmod(question, _SHIFT)
        began = time.process_time()
        for _ in range(waves):
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    for _ in range(calls):
                        nursery.start_soon(trio.lowlevel.checkpoint)
        say((time.process_time() - began) / waves)


def main(side: str, database: str) -> None:
    """Be this side."""
    if side == BARE:
        trio.run(_run_bare)
    else:
        trio.run(_run_engine, side, database)


if __name__ == "__main__":
    main(*sys.argv[1:])
