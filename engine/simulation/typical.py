"""The workload that speed is told of: calm worlds of operations that are all alike.

An operation is three waves of two calls.  Of three, one is interrupted.  Once a user has written for a while,
each has a history of 20 messages.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Final

from engine.limits import Limits
from engine.simulation.scenario import Act, Delivery, Said, Scenario, Work

HISTORY: Final = 20
USERS: Final = 4
# Each of a user's turns is three operations: one that is interrupted, by the second, and one that is not.
TURNS: Final = 20
OPERATIONS: Final = 3 * USERS * TURNS

_TURN_SECONDS: Final = 10.0
_WAVE: Final = (Act(tool="book", seconds=0.5), Act(tool="pay", seconds=0.25))
_WORK: Final = Work(rounds=((_WAVE, _WAVE, _WAVE),), planning=0.25, adapting=0.25, responding=0.25)
# An operation takes 2.25 seconds, and for its last instant it cannot be interrupted any more.
_INTERRUPTED_AFTER: Final = tuple(step * 0.25 for step in range(1, 9))


def make_typical_scenario(seed: int) -> Scenario:
    """`OPERATIONS` typical operations.  By the seed: at which moment each changed mind comes."""
    chance = random.Random(seed)  # noqa: S311  # what it makes is to be the same each time
    deliveries = [delivery for user in range(USERS) for delivery in _of_user(f"u{user}", user * 0.25, chance)]
    return Scenario(
        seed=seed,
        policy="interrupt",
        limits=Limits(history_messages_max=HISTORY, pair_seconds=0.0),
        deliveries=tuple(sorted(deliveries, key=lambda delivery: delivery.at)),
    )


def _of_user(user: str, first_at: float, chance: random.Random) -> Iterator[Delivery]:
    numbers = itertools.count()
    for turn in range(TURNS):
        at = first_at + turn * _TURN_SECONDS
        for seconds in (0.0, chance.choice(_INTERRUPTED_AFTER), _TURN_SECONDS / 2):
            id = f"{user}m{next(numbers)}"
            said = Said(id=id, user=user, text=f"please {id}", work=_WORK)
            yield Delivery(at=at + seconds, said=(said,))
