"""Simulates seed after seed until a promise is broken: run in a folder with an engine that has a fault.

    python hunt.py PROMISE SEEDS

prints one line of JSON: the seed, and what it broke; no seed when none did.
"""

import json
import os
import sys
from pathlib import Path

import structlog

import engine
from engine.simulation import make_scenario, simulate


def hunt(promise: int, seeds: int) -> dict[str, object]:
    for seed in range(seeds):
        report = simulate(make_scenario(seed))
        if any(broken.promise == promise for broken in report.broken):
            return {
                "seed": seed,
                "policy": report.scenario.policy,
                "broken": [str(broken) for broken in report.broken if broken.promise == promise],
                "checks": sorted({broken.check for broken in report.broken}),
            }
    return {"seed": None, "policy": "", "broken": [], "checks": []}


if __name__ == "__main__":
    assert Path(engine.__file__).is_relative_to(os.getcwd()), "this is not the engine that has the fault"
    # What goes wrong here is meant to.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])
    print(json.dumps(hunt(int(sys.argv[1]), int(sys.argv[2]))))
