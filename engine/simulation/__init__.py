"""The simulator: the whole engine in a made-up world, thousands of times, each promise held against it.

A seed gives a scenario, and nothing else does: users who change their mind, plans of any shape, tools that
are slow, fail or hang, a store that fails and a process that dies at any record point, a Graph API that errs.
What the fake world saw stands in a ledger; the promises are held against each of its entries and against the
database that was left, never against what the engine said of itself.
"""

from engine.simulation.ledger import Entry, Ledger
from engine.simulation.rules import Broken
from engine.simulation.run import Report, simulate
from engine.simulation.scenario import Scenario
from engine.simulation.seeds import make_scenario
from engine.simulation.shrink import shrink

__all__ = [
    "Broken",
    "Entry",
    "Ledger",
    "Report",
    "Scenario",
    "make_scenario",
    "shrink",
    "simulate",
]
