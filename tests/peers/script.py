"""Who writes what and when: the same for every contender, and given by the seed alone.

The modules here but the contender for Midstream run without Midstream's environment: no attrs, no Trio.
"""

# ruff: noqa: S311  # chance, not cryptography

import random
from collections.abc import Iterator
from dataclasses import dataclass

# An operation takes a second and a half: a change of mind may come in any of its waves, or just too late.
CHANGE_OF_MIND_SECONDS = 1.7
# How far apart the three messages of a burst are.
BURST_SECONDS = (0.05, 0.25)
# One user in three sends a burst of three; the others one message, and a second one at some moment.
BURST_EVERY = 3


@dataclass(frozen=True)
class Sending:
    """One message: when it is sent, in seconds from the start, and which one of its user's it is."""

    at: float
    message: str


@dataclass(frozen=True)
class Script:
    """The sendings of each user, in order."""

    seed: int
    users: dict[str, tuple[Sending, ...]]

    @property
    def newest(self) -> frozenset[str]:
        """The message of each user that must be answered."""
        return frozenset(sendings[-1].message for sendings in self.users.values())


def make_script(seed: int, *, users: int, seconds: float) -> Script:
    """So many users, each of whom begins at a random moment within these seconds."""
    chance = random.Random(seed)
    return Script(
        seed,
        {
            user: tuple(
                Sending(round(at, 3), f"{user}-m{number}")
                for number, at in enumerate(_moments(chance, index, seconds), 1)
            )
            for index in range(users)
            for user in [f"u{index:03}"]
        },
    )


def _moments(chance: random.Random, index: int, seconds: float) -> Iterator[float]:
    begin = chance.uniform(0.0, seconds)
    yield begin
    if index % BURST_EVERY == BURST_EVERY - 1:
        second = begin + chance.uniform(*BURST_SECONDS)
        yield second
        yield second + chance.uniform(*BURST_SECONDS)
    else:
        yield begin + chance.uniform(0.0, CHANGE_OF_MIND_SECONDS)
