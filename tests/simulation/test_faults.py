"""The simulator catches what it is for: each fault within a thousand seeds, or in a world of its own."""

from pathlib import Path

import catching
import pytest
from faults import FAULTS
from found import WORLDS

from engine.simulation import simulate

LISTED = {
    "shield removed",
    "record outside the shield",
    "no check before the wave",
    "acknowledgement sent twice",
    "fate not written",
    "table row leaked",
    "late message interrupts",
    "intent after act",
    "commit point split in two",
    "restart cap ignored",
    "duplicate id runs",
    "outbox reordered",
    "undo skipped",
    "old and new operation overlap",
}


def test_the_faults_are_all_there() -> None:
    """Those that the simulator was asked to catch, and more."""
    assert set(FAULTS) >= LISTED


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_caught(name: str, tmp_path: Path) -> None:
    """By the promise that it breaks; `python tests/simulation/catching.py` prints them all as a table."""
    caught = catching.catch(FAULTS[name], tmp_path)
    print("\n".join(catching.table({name: caught})))
    assert caught.where != "none"


@pytest.mark.parametrize("name", list(WORLDS))
def test_a_world_in_which_a_bug_was_found_is_clean_now(name: str) -> None:
    """Each of them breaks no promise with the engine as it is."""
    report = simulate(WORLDS[name])
    assert not report.broken, "\n".join((*report.trail, *map(str, report.broken)))


def test_each_of_those_worlds_shows_a_fault() -> None:
    """They are kept for nothing else."""
    assert {fault.world for fault in FAULTS.values() if fault.world} == set(WORLDS)
