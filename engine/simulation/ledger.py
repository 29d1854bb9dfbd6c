"""What the fake world saw, in order: the one witness of a simulation.

Rule 1: an entry is written at once by whoever saw it happen: a tool, a planner, the store, the phone.
Rule 2: what a dead process still does is seen by nobody.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """Something that was seen.

    `n` is its place, `at` seconds of world time, `life` the process that ran then.  `what` is a word of few,
    `user` whose it is, `key` which one (a message, an operation and call, a row), `more` what else was seen.
    """

    n: int
    at: float
    life: int
    what: str
    user: str
    key: str
    more: tuple[Any, ...]

    def __str__(self) -> str:
        more = " ".join(map(str, self.more))
        return f"{self.at:10.3f}  life {self.life}  {self.user:<3} {self.what:<15} {self.key} {more}".rstrip()


class Ledger:
    """The entries so far."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def write(self, at: float, life: int, what: str, user: str, key: str, *more: Any) -> Entry:
        """One more."""
        entry = Entry(len(self.entries), at, life, what, user, key, more)
        self.entries.append(entry)
        return entry

    def of(self, *what: str) -> list[Entry]:
        """The entries of these kinds, in order."""
        return [entry for entry in self.entries if entry.what in what]

    @property
    def hash(self) -> str:
        """The same for the same trace, on every run and machine."""
        text = "\n".join(map(str, self.entries))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
