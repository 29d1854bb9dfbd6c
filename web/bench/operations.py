"""Whole operations, each of three waves of two calls, from the message to the reply recorded as sent.

`python -m web.bench.operations STORE DATABASE` is one side: each line it reads is a number of operations of
many users at once; it prints what they cost.
"""

import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from engine import Assistant, Call, Context, Message, Plan, Results, open_engine, tool
from web.bench.figures import MEMORY, SQLITE, Figure, at_least, figure
from web.bench.probe import questions, store_of, swallow, user
from web.bench.processes import child, say
from web.bench.server import CountedConnection, connect

NAME: Final = "operations"
TITLE: Final = """three waves of two calls that do nothing, from the message to the reply recorded as sent.
64 users at once, each with a history; CPU time of all threads.
Of one core: what that time leaves room for."""
STORES: Final = (SQLITE, MEMORY)
_USERS: Final = 64
_PER_SECOND: Final = at_least(1_000)


@attrs.frozen(kw_only=True)
class Sizes:
    """How much is measured: operations a round."""

    rounds: int
    operations: int


FULL: Final = Sizes(rounds=7, operations=640)
QUICK: Final = Sizes(rounds=3, operations=320)


@attrs.frozen(kw_only=True)
class Round:
    """One round of one side: what all its operations took."""

    store: str
    operations: int
    cpu_seconds: float
    seconds: float
    commits: int


def measure(folder: Path, sizes: Sizes = FULL) -> Sequence[Figure]:
    """Both stores in turn; a first round of each is not counted.  Raises BenchBroken."""
    return figures_of(run_rounds(folder, sizes))


def run_rounds(folder: Path, sizes: Sizes) -> Sequence[Round]:
    """The rounds that count, in the order of their measurement."""
    with ExitStack() as stack:
        sides = {
            store: stack.enter_context(child("web.bench.operations", store, folder / "operations.db"))
            for store in STORES
        }
        rounds = [
            Round(store=store, operations=sizes.operations, **sides[store].ask(sizes.operations))
            for number in range(sizes.rounds + 1)
            for store in (STORES if number % 2 else reversed(STORES))
        ]
    return rounds[len(STORES) :]


def figures_of(rounds: Sequence[Round]) -> Sequence[Figure]:
    """What these rounds say; those of the two stores are paired in the order of their measurement."""
    sqlite, memory = ([one for one in rounds if one.store == store] for store in STORES)
    return (
        figure(
            NAME,
            f"an operation, {SQLITE}",
            "CPU µs",
            [one.cpu_seconds / one.operations * 1e6 for one in sqlite],
            rival=MEMORY,
            rival_runs=[one.cpu_seconds / one.operations * 1e6 for one in memory],
        ),
        figure(
            NAME,
            f"operations a second of one core, {SQLITE}",
            "CPU /s",
            [one.operations / one.cpu_seconds for one in sqlite],
            target=_PER_SECOND,
        ),
        figure(
            NAME,
            f"operations a second, stalls included, {SQLITE}",
            "/s",
            [one.operations / one.seconds for one in sqlite],
            rival=MEMORY,
            rival_runs=[one.operations / one.seconds for one in memory],
        ),
        # The store in memory commits each write by itself: its commits are the writes.
        figure(
            NAME,
            f"commits an operation, {SQLITE}",
            "commits",
            [one.commits / one.operations for one in sqlite],
            rival=MEMORY,
            rival_runs=[one.commits / one.operations for one in memory],
        ),
    )


# One side, in a process of its own ----------------------------------------------------------------


@tool(timeout=10, idempotent=True)
async def nothing() -> None:
    """Does nothing."""


class ThreeWaves:
    """Plans two calls in each of three waves."""

    async def plan(self, message: Message, context: Context) -> Plan:
        return Plan(
            *(
                Call(f"{wave}{part}", nothing, after=[f"{wave - 1}{part}"] if wave else [])
                for wave in range(3)
                for part in "ab"
            )
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def reply(message: Message, results: Results, context: Context) -> str:
    return f"{len(results)} calls done."


async def _serve(store: str, database: str) -> None:
    assistant = Assistant(planner=ThreeWaves(), responder=reply, tools=[nothing])
    async with open_engine(assistant, store=store_of(store, database), outbound=swallow) as engine:

        async def converse(number: int, messages: int) -> None:
            for _ in range(messages):
                await engine.process_message(user(number), "Does it come in another color?")

        async for operations in questions():
            started = time.perf_counter(), time.process_time(), CountedConnection.commits
            async with trio.open_nursery() as nursery:
                for number in range(_USERS):
                    share = operations // _USERS + (number < operations % _USERS)
                    nursery.start_soon(converse, number, share)
            while (await engine.read_depths()).outbox:  # noqa: ASYNC110  # no event tells of it
                await trio.sleep(0.001)
            say(_difference(started))


def _difference(started: tuple[float, float, int]) -> dict[str, Any]:
    return {
        "seconds": time.perf_counter() - started[0],
        "cpu_seconds": time.process_time() - started[1],
        "commits": CountedConnection.commits - started[2],
    }


def main(store: str, database: str) -> None:
    """Be this side."""
    sqlite3.connect = connect  # type: ignore[assignment]
    trio.run(_serve, store, database)


if __name__ == "__main__":
    main(*sys.argv[1:])
