"""Loads the calendar libraries when a first question needs them, never at start-up."""

import importlib
from typing import Final

import trio

# In an order that keeps each step short: the parts that `holidays` would pull in come before it.
_MODULES: Final = (
    "importlib.metadata",
    "dateutil.parser",
    "holidays",
    "holidays.groups",
    # All countries come at once, and take longest of all: 0.1 s, once a process.
    "holidays.countries",
    "astral.geocoder",
    "astral.sun",
    "pyluach.hebrewcal",
    "dateparser",
    "icalendar",
    "rapidfuzz.fuzz",
    "rapidfuzz.process",
)


async def load() -> None:
    """Import them, one at a time: other users' operations go on in between."""
    for module in _MODULES:
        await trio.lowlevel.checkpoint()
        importlib.import_module(module)
