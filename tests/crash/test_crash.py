"""A real server dies over and over, at named record points and at random instants, and nothing is lost.

The seed is printed with what broke; CRASH_SEED=... runs the same deaths at the same record points again.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scenario

from engine import POLICIES

SEED = os.environ.get("CRASH_SEED") or str(random.SystemRandom().randrange(10**9))
# Each of at least 27 deaths and 2 stops, its two halves beside each other, each under its policy.
ROUNDS = [
    ("interrupt", "interrupt"),
    ("rollback", "rollback"),
    ("steer", "steer"),
    ("enqueue", "reject"),
]
# Only so that a hanging run ends.
HANG_SECONDS = 900.0


def start(round: int, half: int, folder: Path) -> "subprocess.Popen[str]":
    script = str(Path(scenario.__file__))
    policies = ROUNDS[round]
    arguments = ["--seed", SEED, "--round", str(round), "--half", str(half), "--folder", str(folder)]
    arguments += ["--policy", policies[half], "--with", policies[1 - half]]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.Popen([sys.executable, script, *arguments], env=kept, stdout=subprocess.PIPE, text=True)


def report_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    output, _ = process.communicate(timeout=HANG_SECONDS)
    lines = output.splitlines()
    assert lines, f"a run broke off, seed {SEED}"
    report: dict[str, Any] = json.loads(lines[-1])
    return report


@pytest.mark.parametrize("round", range(len(ROUNDS)))
def test_nothing_is_lost_and_nothing_done_twice(round, tmp_path) -> None:
    """P1, P4 to P6, P8 to P10, P14, after a death at every point and some at random instants.

    Under every policy, with bursts and with people who say stop.
    """
    print(f"CRASH_SEED={SEED}, round {round}, {ROUNDS[round]}, folder {tmp_path}")
    processes = [start(round, half, tmp_path / f"{half}") for half in (0, 1)]
    try:
        reports = [report_of(process) for process in processes]
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    print(json.dumps(reports, indent=2))
    broken = [line for report in reports for line in report["broken"]]
    assert not broken, "\n".join([f"CRASH_SEED={SEED}, round {round}:", *broken])
    died_at = [point for report in reports for point in report["deaths"]]
    assert set(died_at) == {*scenario.points_of(ROUNDS[round]), scenario.AT_RANDOM}


def test_every_policy_is_killed() -> None:
    """And an operation that is taken back, and one that takes a message in, at records of their own."""
    assert {policy for policies in ROUNDS for policy in policies} == set(POLICIES)
    assert set(scenario.POINTS_OF) <= set(POLICIES)


def test_a_point_of_one_policy_is_for_the_half_that_runs_it() -> None:
    """The other would never pass it; what both pass is shared."""
    policies = ("enqueue", "reject")
    deaths = scenario.schedule("7", 3, policies)
    first, second = (scenario.share(deaths, half, policies[half], policies) for half in (0, 1))
    assert sorted(map(repr, [*first, *second])) == sorted(map(repr, deaths))
    of_one = {death.point for death in second if "rejection" in death.point}
    assert of_one == set(scenario.POINTS_OF["reject"])
    assert not any("rejection" in death.point for death in first)
    assert abs(len(first) - len(second) + len(of_one)) <= 1
    halves = [scenario.share(deaths, half, "reject", ("reject", "reject")) for half in (0, 1)]
    assert halves == [deaths[0::2], deaths[1::2]]


def test_a_seed_replays_the_same_record_points() -> None:
    """Another one gives others; all the rounds together make at least a hundred deaths."""
    rounds = [scenario.schedule("7", round, policies) for round, policies in enumerate(ROUNDS)]
    assert rounds == [scenario.schedule("7", round, policies) for round, policies in enumerate(ROUNDS)]
    assert rounds[0] != scenario.schedule("7", 1, ROUNDS[0])
    assert rounds[0] != scenario.schedule("8", 0, ROUNDS[0])
    deaths = [death for round in rounds for death in round if death.point != scenario.TOLD_TO_STOP]
    assert len(deaths) >= 100
