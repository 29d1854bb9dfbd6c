"""The simulator catches what it is for: each deliberate fault, within a thousand seeds."""

from pathlib import Path

import catching
import pytest
from faults import FAULTS

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
    assert caught.seed is not None
