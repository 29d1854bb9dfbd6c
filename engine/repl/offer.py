"""The choices that a person at the terminal can tap, by their numbers.

Rule 1: no I/O, no clock, no Trio.
"""

from collections.abc import Iterable

import attrs

from engine.content import Choice
from engine.model import OutboxRow


@attrs.frozen
class Offer:
    """The choices under the newest reply, in the order of their numbers, each with the id of its message.

    `operation_id`: whose reply it is; its messages, if it has several, are numbered on.
    """

    operation_id: str = ""
    choices: tuple[tuple[str, Choice], ...] = ()

    def before(self, row: OutboxRow) -> "Offer":
        """What is offered when this message of a reply comes, without its own choices."""
        return self if row.operation_id == self.operation_id else Offer(row.operation_id)

    def with_choices(self, message_id: str, choices: Iterable[Choice]) -> "Offer":
        """The same with these of one message, too."""
        return attrs.evolve(self, choices=(*self.choices, *((message_id, choice) for choice in choices)))

    def find(self, text: str) -> tuple[str, Choice] | None:
        """The choice of that number, behind the id of its message."""
        if text.isdecimal() and 1 <= int(text) <= len(self.choices):
            return self.choices[int(text) - 1]
        return None
