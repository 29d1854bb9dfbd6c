"""The promises, each asked of what the world saw and of the database that was left.

Rule 1: nothing here asks the engine: its events and its logs are what is in doubt.
Rule 2: a rule says no more than its promise; where a trouble of the world excuses something, it says which.
"""

from typing import Final

from engine.simulation.promises import arriving, calls, lasting, messages, running, sending
from engine.simulation.rules import Rule

__all__ = ["RULES"]

RULES: Final[tuple[Rule, ...]] = (
    *running.RULES,
    *messages.RULES,
    *arriving.RULES,
    *calls.RULES,
    *sending.RULES,
    *lasting.RULES,
)
