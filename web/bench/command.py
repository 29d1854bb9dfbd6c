"""Runs experiments, prints one table and writes the JSON beside it.

Rule: it measures and judges nothing: a target that is missed is told, and is no error.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from web.bench import durable, growth, memory, operations, switch, waves
from web.bench.figures import Figure, as_json, table
from web.bench.ingest import experiment as ingest
from web.bench.machine import describe_machine

RESULT: Final = "bench.json"


class Experiment(Protocol):
    """What a module of the bench is: a name, what it is about, how much it measures, and the measuring."""

    NAME: str
    TITLE: str
    FULL: Any
    QUICK: Any

    def measure(self, folder: Path, sizes: Any) -> Sequence[Figure]:
        """The figures; files go into the folder, which is empty and removed afterwards."""
        ...


# In the order of the table.
EXPERIMENTS: Final[Mapping[str, Experiment]] = {
    module.NAME: module for module in (switch, waves, ingest, durable, operations, memory, growth)
}


def run_bench(
    folder: Path, names: Sequence[str] = (), *, is_quick: bool = False, say: Any = print
) -> Sequence[Figure]:
    """Measure in this folder, print the table, and write bench.json there.

    `names`: the experiments, all of them when there are none.  Raises BenchBroken.
    """
    chosen = [EXPERIMENTS[name] for name in EXPERIMENTS if not names or name in names]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as files:
        machine = describe_machine(Path(files))
        for experiment in chosen:
            with tempfile.TemporaryDirectory(dir=files) as own:
                figures += experiment.measure(Path(own), experiment.QUICK if is_quick else experiment.FULL)
    say(table(machine, figures, {each.NAME: each.TITLE for each in chosen}))
    (folder / RESULT).write_text(json.dumps(as_json(machine, figures, is_quick=is_quick), indent=2) + "\n")
    return figures
