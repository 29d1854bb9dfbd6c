"""Measures what a durable message costs, against the same server without a disk.

Rule 1: both stores are measured in one run, in short rounds that take turns; figures are medians of rounds.
Rule 2: CPU time of the server's process comes first: a machine that stalls cannot bend it.
Rule 3: it measures and judges nothing: a target that is missed is told, and is no error.
"""

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from web.bench.figures import MEMORY, SQLITE, Figures, Round, summarise, table

RESULT: Final = "bench.json"
STORES: Final = (MEMORY, SQLITE)
# Messages of a round, by connections: about a second or two of work each.
MESSAGES: Final = {1: 200, 32: 900}
ROUNDS: Final = 5
# A page, as often as it takes for a median.
_SYNCS: Final = 50
_PAGE_BYTES: Final = 4096


class BenchBroken(Exception):
    """A process of the bench ended before its work did; it has said why on standard error."""


@attrs.define(eq=False)
class _Server:
    """A server's process, with one store.  It ends when its standard input does."""

    store: str
    process: subprocess.Popen[str]
    port: int = 0
    sent: int = 0
    accepted: int = 0

    def count(self) -> dict[str, Any]:
        """What it has done and what that cost, once everything accepted so far is done."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(f"{self.accepted}\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101
        return _read_line(self.process.stdout.readline())


def run_bench(folder: Path, *, rounds: int = ROUNDS, messages: Mapping[int, int] = MESSAGES) -> Figures:
    """Measure in this folder, print the table, and write bench.json there.

    `messages`: how many one round sends, by the number of connections.  A first round of each is not
    counted.  Raises BenchBroken.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as database_folder:
        machine = _describe_machine(Path(database_folder))
        with ExitStack() as stack:
            servers = [stack.enter_context(_serving(store, Path(database_folder))) for store in STORES]
            measured = [
                _measure(server, connections, count)
                for number in range(rounds + 1)
                for connections, count in messages.items()
                # Whoever is second may find a machine that the first has warmed: each is first in turn.
                for server in (servers if number % 2 else reversed(servers))
            ]
    counted = measured[len(messages) * len(STORES) :]
    figures = summarise(counted)
    print(table(machine, figures), flush=True)  # noqa: T201
    result = {"machine": machine, **attrs.asdict(figures), "rounds": [attrs.asdict(one) for one in counted]}
    (folder / RESULT).write_text(json.dumps(result, indent=2) + "\n")
    return figures


def _measure(server: _Server, connections: int, messages: int) -> Round:
    """One round, from the first message to the last reply that is sent and recorded."""
    before = server.count()
    load = subprocess.run(  # noqa: S603
        [
            sys.executable,
            *("-m", "web.bench.load", str(server.port), str(connections), str(server.sent), str(messages)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )
    answers = _read_line(load.stdout)
    if not answers["accepted"]:
        raise BenchBroken("the server accepted nothing")
    server.sent += messages
    server.accepted += answers["accepted"]
    after = server.count()
    return Round(
        store=server.store,
        connections=connections,
        sent=messages,
        accepted=answers["accepted"],
        seconds=answers["seconds"],
        **{name: after[name] - before[name] for name in after},
    )


@contextmanager
def _serving(store: str, folder: Path) -> Iterator[_Server]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "web.bench.server", store, str(folder / "bench.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to hear; it ends with its standard input
    )
    with process:
        server = _Server(store, process)
        server.port = server.read()["port"]
        yield server


def _read_line(line: str) -> dict[str, Any]:
    if not line:
        raise BenchBroken("a process of the bench broke; see above")
    read: dict[str, Any] = json.loads(line)
    return read


# The machine --------------------------------------------------------------------------------------


def _describe_machine(folder: Path) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        # Tells a disk from what only looks like one.
        "fsync_milliseconds": round(_time_fsync(folder / "page") * 1000, 3),
    }


def _time_fsync(path: Path) -> float:
    """Seconds that it takes here to write a page and have it on the disk: a median."""
    page = os.urandom(_PAGE_BYTES)
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            started_at = time.perf_counter()
            file.write(page)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started_at)
    return statistics.median(seconds)
