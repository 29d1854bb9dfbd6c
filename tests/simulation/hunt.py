"""Simulates seed after seed until a promise is broken: run in a folder with an engine that has a fault.

    python hunt.py PROMISE SEEDS [WORLD]

prints one line of JSON: the seed, and what it broke; none when none did.  With a world of `found.py` only
that one is simulated, under a few orders of what happens in one instant.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import attrs
import structlog
from found import WORLDS

import engine
from engine.simulation import Scenario, make_scenario, simulate


def hunt(promise: int, worlds: Iterable[tuple[str, Scenario]]) -> dict[str, object]:
    for name, scenario in worlds:
        report = simulate(scenario)
        broken = [broken for broken in report.broken if broken.promise == promise]
        if broken:
            return {"where": name, "policy": scenario.policy, "broken": str(broken[0])}
    return {"where": "none", "policy": "", "broken": ""}


if __name__ == "__main__":
    assert Path(engine.__file__).is_relative_to(os.getcwd()), "this is not the engine that has the fault"
    # What goes wrong here is meant to.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])
    promise, seeds, *names = sys.argv[1:]
    by_seed = ((str(seed), make_scenario(seed)) for seed in range(int(seeds)))
    found = (("world", attrs.evolve(WORLDS[name], seed=order)) for name in names for order in range(10))
    print(json.dumps(hunt(int(promise), found if names else by_seed)))
