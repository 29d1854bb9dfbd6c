"""The promises, each asked of what the world saw and of the database that was left.

Rule 1: nothing here asks the engine: its events and its logs are what is in doubt.
Rule 2: a check returns a line for every break; its number is the promise's.
Rule 3: a check says no more than its promise; where a trouble of the world excuses something, it says which.
"""

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from engine.simulation.evidence import Broken, Evidence
from engine.simulation.promises import calls, lasting, messages, running, sending

__all__ = ["CHECKS", "check_all"]

CHECKS: Final[tuple[Callable[[Evidence], Iterator[Broken]], ...]] = (
    *running.CHECKS,
    *messages.CHECKS,
    *calls.CHECKS,
    *sending.CHECKS,
    *lasting.CHECKS,
)


def check_all(evidence: Evidence) -> Iterator[Broken]:
    """Every break of every promise."""
    for check in CHECKS:
        yield from (attrs.evolve(broken, check=check.__name__) for broken in check(evidence))
