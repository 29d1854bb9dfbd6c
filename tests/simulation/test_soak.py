"""`make soak-simulation`: how it judges, and that it runs."""

import itertools

import attrs
import pytest

from engine.simulation import Broken, Ledger, Report
from engine.simulation.scenario import Scenario
from engine.simulation.soak import growth, resident_bytes, run_soak
from engine.simulation.typical import OPERATIONS

MIB = 2**20


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [100 * MIB],
        [100 * MIB] * 100,
        [100 * MIB + (n % 7) * MIB for n in range(100)],
        # A warm-up, and one outlier.
        [(50 + 3 * min(n, 19)) * MIB for n in range(99)] + [900 * MIB],
    ],
)
def test_memory_that_is_flat_passes(samples: list[int]) -> None:
    """Whatever the first fifth does, and a single measurement."""
    assert growth(samples) is None


@pytest.mark.parametrize("step", [MIB // 2, MIB, 10 * MIB])
def test_memory_that_grows_is_told(step: int) -> None:
    """A leak of a few bytes an operation is a steady climb."""
    told = growth([100 * MIB + n * step for n in range(100)])
    assert told is not None
    assert told.startswith("memory grew from ")


def pretend(scenario: Scenario) -> Report:
    """As many operations as a typical world has, at no cost."""
    return Report(scenario=scenario, broken=(), ledger=Ledger(), operations=OPERATIONS, lives=1)


def test_a_soak_that_passes_says_how_far_it_is() -> None:
    """A hundred lines, and one at the end."""
    said: list[str] = []
    assert run_soak(200 * OPERATIONS, said.append, run=pretend, measure=lambda: 100 * MIB) == 0
    assert len(said) == 101
    assert said[0].startswith(f"{2 * OPERATIONS} operations, ")
    assert said[0].endswith(", 100.0 MiB")
    assert said[-1] == f"passed: {200 * OPERATIONS} operations, no promise broken, memory flat"


def test_a_soak_fails_when_memory_grows() -> None:
    """At its end, in a line that says so."""
    said: list[str] = []
    grows = itertools.count(100 * MIB, MIB)
    assert run_soak(200 * OPERATIONS, said.append, run=pretend, measure=lambda: next(grows)) == 1
    assert said[-1] == "FAILED: memory grew from 129.5 MiB to 189.5 MiB after the warm-up"


def test_a_soak_fails_at_once_when_a_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which, and of which world."""
    monkeypatch.setattr("engine.simulation.command.shrink", lambda report: report)

    def run(scenario: Scenario) -> Report:
        broken = (Broken(3, "a reply after all"),) if scenario.seed == 2 else ()
        return attrs.evolve(pretend(scenario), broken=broken)

    said: list[str] = []
    assert run_soak(200 * OPERATIONS, said.append, run=run, measure=lambda: MIB) == 1
    assert "  P3: a reply after all" in said
    assert said[-1] == "FAILED: a promise was broken in typical scenario 2"


def test_it_runs() -> None:
    """For the length of one world; too short to judge memory."""
    said: list[str] = []
    assert run_soak(1, said.append) == 0
    assert said[-1] == f"passed: {OPERATIONS} operations, no promise broken, memory flat"
    assert resident_bytes() > MIB
