"""What was seen: by the tools, by the planner, by the phone.  Nobody asks a contender about itself.

sent      the phone sent a message
accepted  the contender has taken it
planned   an operation begins: which messages and which finished results its planner was shown
start     a call begins
end       it is through
cut       it was ended in its middle
reply     the phone got the answer to a message
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

What = Literal["sent", "accepted", "planned", "start", "end", "cut", "reply"]


@dataclass(frozen=True)
class Line:
    """One thing that happened.

    `at` is seconds on a clock that all processes share.  `message` is the one that an operation answers;
    `call` names a call of it.  `messages` and `results` are what a planner was shown.
    """

    at: float
    what: What
    message: str
    call: str = ""
    messages: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """Whose it is."""
        return self.message.partition("-")[0]


class Ledger:
    """Lines in a file; several processes may write to it."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._now = now
        self._file = path.open("ab")

    def write(
        self,
        what: What,
        message: str,
        call: str = "",
        *,
        messages: Iterable[str] = (),
        results: Iterable[str] = (),
    ) -> None:
        """Append one line, whole."""
        line = {
            "at": self._now(),
            "what": what,
            "message": message,
            "call": call,
            "messages": [*messages],
            "results": [*results],
        }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing is written after this."""
        self._file.close()


def read_lines(path: Path) -> list[Line]:
    """Everything so far, in the order of time."""
    lines = [
        Line(**{**fields, "messages": tuple(fields["messages"]), "results": tuple(fields["results"])})
        for text in path.read_text().splitlines()
        for fields in [json.loads(text)]
    ]
    return sorted(lines, key=lambda line: line.at)
