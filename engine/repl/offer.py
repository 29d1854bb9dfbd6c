"""The choices that a person at the terminal can tap, by their numbers.

Rule 1: no I/O, no clock, no Trio.
"""

import attrs

from engine.content import Choice
from engine.model import OutboxRow


@attrs.frozen
class Offer:
    """The choices under the newest reply, in the order of their numbers.

    `operation_id`: whose reply it is; its messages, if it has several, are numbered on.  `message_id`: the
    last of them.
    """

    operation_id: str = ""
    message_id: str = ""
    choices: tuple[Choice, ...] = ()

    def before(self, row: OutboxRow) -> "Offer":
        """What is offered when this message of a reply comes, without its own choices."""
        choices = self.choices if row.operation_id == self.operation_id else ()
        return Offer(row.operation_id, row.id, choices)

    def with_choices(self, choices: tuple[Choice, ...]) -> "Offer":
        """The same with these, too."""
        return attrs.evolve(self, choices=self.choices + choices)

    def find(self, text: str) -> Choice | None:
        """The choice of that number."""
        if text.isdecimal() and 1 <= int(text) <= len(self.choices):
            return self.choices[int(text) - 1]
        return None
