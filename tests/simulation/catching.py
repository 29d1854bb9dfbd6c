"""Puts a fault into a copy of the engine, and looks how soon the simulator sees it.

    python tests/simulation/catching.py [FAULT...]

prints the table of all of them, or of these.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
from faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
SEEDS = 1000
# Only so that a hunt ends when a fault hangs the engine.
HANG_SECONDS = 600.0


@attrs.frozen(kw_only=True)
class Caught:
    """What caught a fault: where its promise is broken first, a seed or its own world; "none" if nowhere."""

    where: str
    policy: str
    broken: str


def put(fault: Fault, folder: Path) -> None:
    """A copy of the engine with the fault."""
    shutil.copytree(ROOT / "engine", folder / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    for file, there, then in fault.substitutions:
        path = folder / "engine" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(there) == 1, f"{file} has it {text.count(there)} times: {there!r}"
        path.write_text(text.replace(there, then), encoding="utf-8")


def catch(fault: Fault, folder: Path) -> Caught:
    """Put the fault into a folder, and run it there until it is caught."""
    put(fault, folder)
    hunt = str(Path(__file__).with_name("hunt.py"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ran = subprocess.run(
        [sys.executable, hunt, str(fault.promise), str(SEEDS), *([fault.world] if fault.world else [])],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return Caught(**json.loads(ran.stdout))


def table(caught: Mapping[str, Caught]) -> Iterator[str]:
    """Each fault with what caught it."""
    width = max(map(len, caught), default=0)
    yield f"{'fault':{width}}  seed   policy     what caught it"
    for name, one in caught.items():
        yield f"{name:{width}}  {one.where:>5}  {one.policy:9}  {one.broken}".rstrip()


def catch_all(names: Iterable[str]) -> Mapping[str, Caught]:
    """Each of them, as many at a time as there are cores."""
    with tempfile.TemporaryDirectory() as parent, ThreadPoolExecutor(os.cpu_count()) as pool:
        hunts = {name: pool.submit(catch, FAULTS[name], Path(parent, str(n))) for n, name in enumerate(names)}
        return {name: hunt.result() for name, hunt in hunts.items()}


if __name__ == "__main__":
    for line in table(catch_all(sys.argv[1:] or FAULTS)):
        print(line)
