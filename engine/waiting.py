"""The messages of one user that have been delivered and not begun.

Rule 1: synchronous throughout: whoever looks and takes does both in one step.
"""

from collections.abc import Collection, Iterator

import attrs

from engine.bursts import Next, Waiting, as_one_burst, choose, count_bursts
from engine.model import Message, User
from engine.policy import Decision


@attrs.define(eq=False)
class WaitingMessages:
    """What waits, in the order of delivery, each with how it waits."""

    _all: list[Waiting] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._all)

    @property
    def bursts(self) -> int:
        """How many operations that would be, each in its turn."""
        return count_bursts(self._all)

    def has_burst(self, burst_id: str) -> bool:
        """Whether a message of that burst waits."""
        return any(waiting.burst_id == burst_id for waiting in self._all)

    def find(self, message_id: str) -> Message | None:
        """The message of that id, when it waits."""
        return next((each.message for each in self._all if each.message.id == message_id), None)

    def newest(self) -> Waiting | None:
        """The newest of them (P12)."""
        return max(self._all, key=lambda waiting: waiting.message.order, default=None)

    def add(self, waiting: Waiting) -> None:
        """One more."""
        self._all.append(waiting)

    def become(self, user: User) -> None:
        """Their user has another id now."""
        self._all = [attrs.evolve(each, message=attrs.evolve(each.message, user=user)) for each in self._all]

    def become_one_burst(self) -> None:
        """All of them are one request now, and none is lost."""
        self._all = as_one_burst(self._all)

    def next(self) -> Next | None:
        """What runs next; it still waits."""
        return choose(self._all)

    def take(self, taken: Next) -> None:
        """They wait no more, nor do those they pass over."""
        self.remove([each.message for each in (*taken.burst, *taken.passed_over)])

    def steering(self) -> tuple[Message, ...]:
        """Those that are to join the operation that runs, in order."""
        found = [waiting.message for waiting in self._all if waiting.decision is Decision.STEER]
        return tuple(sorted(found, key=lambda message: message.order))

    def remove(self, messages: Collection[Message]) -> None:
        """These wait no more."""
        ids = {message.id for message in messages}
        self._all = [waiting for waiting in self._all if waiting.message.id not in ids]

    def hand_over(self, to: "WaitingMessages") -> None:
        """All that waits here waits there, in the order of their arrival."""
        both = sorted([*to._all, *self._all], key=lambda each: each.message.sequence)
        to._all, self._all = both, []

    def clear(self) -> tuple[Message, ...]:
        """Nothing waits any more; what did."""
        cleared, self._all = self._all, []
        return tuple(waiting.message for waiting in cleared)
