"""Plays one script on Midstream and on its peers, and prints who did what: `make bench-peers`.

    python -m peers.bench [--seed N] [--users N] [--seconds N] [MODULE...]

Each contender runs in a process of its own, one after the other; those that need packages of theirs in the
environment .venv-peers.  The table is printed, and written with all counts, seeds and versions to peers.json.

Rule 1: only loopback: a proxy that does not exist stands before everything else.
Rule 2: it measures and judges nothing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.counting import Counted, as_json, count, table
from peers.ledger import read_lines
from peers.operation import CALL_SECONDS, CALLS, SEND_SECONDS, WAVES
from peers.script import make_script

ROOT = Path(__file__).parents[2]
RESULT = "peers.json"
SEED = 1
# Five and a half a second: what no contender is too slow for on two cores that have nothing else to do.
USERS = 90
SECONDS = 16.0
# A contender that hangs ends here; a run takes half a minute.
HANG_SECONDS = 240.0
# Port 9 of this machine: nobody listens there.
_NOWHERE = "http://127.0.0.1:9"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CLOSED = {
    **dict.fromkeys((*_PROXIES, *map(str.lower, _PROXIES)), _NOWHERE),
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@dataclass(frozen=True)
class Entry:
    """A contender as the table has it: its module, its name, and whether it needs .venv-peers."""

    module: str
    name: str
    is_peer: bool = False


ENTRIES = (
    Entry("langgraph_server", "LangGraph server, interrupt", is_peer=True),
    Entry("dbos_workflows", "DBOS, cancel and start", is_peer=True),
    Entry("dbos_joined", "DBOS, cancel, wait, start", is_peer=True),
    Entry("plain_asyncio", "asyncio, task.cancel()"),
    Entry("lock_and_flag", "lock and flag"),
    Entry("midstream", "Midstream, interrupt"),
)


def play(entry: Entry, ledger: Path, *, seed: int, users: int, seconds: float) -> dict[str, str]:
    """Run one contender; returns the versions of what it ran on.  Raises RuntimeError when it fails."""
    python = str(ROOT / ".venv-peers/bin/python") if entry.is_peer else sys.executable
    ran = subprocess.run(
        [python, "-m", "peers.contender", entry.module, str(ledger), str(seed), str(users), str(seconds)],
        cwd=ledger.parent,
        env={**os.environ, **_CLOSED, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    # asyncio tells of every cancelled workflow that nobody waited for; only what ends a contender matters.
    if ran.returncode:
        raise RuntimeError(f"{entry.name}: {ran.stderr[-4000:]}")
    versions: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
    return versions


def main(arguments: list[str]) -> None:
    """Play, print, write."""
    parser = argparse.ArgumentParser(prog="peers.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--users", type=int, default=USERS, help="how many users there are")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="within which each of them begins")
    parser.add_argument("--keep", type=Path, help="a folder for the ledgers")
    parser.add_argument("modules", nargs="*", help="only these contenders")
    asked = parser.parse_args(arguments)
    options = {"seed": asked.seed, "users": asked.users, "seconds": asked.seconds}
    counted: dict[str, Counted] = {}
    versions: dict[str, dict[str, str]] = {}
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        folder = asked.keep.absolute() if asked.keep else Path(temporary)
        folder.mkdir(exist_ok=True)
        for entry in ENTRIES:
            if asked.modules and entry.module not in asked.modules:
                continue
            print(f"{entry.name} ...", file=sys.stderr, flush=True)
            ledger = folder / f"{entry.module}.ledger"
            ledger.unlink(missing_ok=True)
            began = time.monotonic()
            versions[entry.name] = play(entry, ledger, **options)
            took[entry.name] = round(time.monotonic() - began, 1)
            script = make_script(asked.seed, users=asked.users, seconds=asked.seconds)
            counted[entry.name] = count(script, read_lines(ledger))
    print("\n".join(table(counted)))
    print()
    for name, own in versions.items():
        print(f"{name}: {', '.join(f'{package} {number}' for package, number in own.items())}")
    (ROOT / RESULT).write_text(json.dumps(_figures(options, counted, versions, took), indent=2) + "\n")
    print(f"\nseed {asked.seed}, {asked.users} users; all of it in {RESULT}")


def _figures(
    options: dict[str, Any],
    counted: dict[str, Counted],
    versions: dict[str, dict[str, str]],
    took: dict[str, float],
) -> dict[str, Any]:
    return {
        "script": {
            **options,
            "waves": WAVES,
            "calls": CALLS,
            "call_seconds": CALL_SECONDS,
            "send_seconds": SEND_SECONDS,
        },
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "contenders": {
            name: {"versions": versions[name], "seconds": took[name], **as_json(one)}
            for name, one in counted.items()
        },
    }


if __name__ == "__main__":
    main(sys.argv[1:])
