"""What WhatsApp adds to a made-up world: changed minds of other kinds, other people, other names.

Rule 1: half of the worlds get nothing of it, and its chance is its own: all else is as it would be without.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import attrs

from engine.limits import Limits
from engine.simulation.chance import Chance
from engine.simulation.scenario import Delivery, Said, Scenario, What

# How likely it is that a message is followed by one of these.
_FOLLOWERS: Final[Mapping[What, float]] = {
    What.EDITS: 0.12,
    What.REVOKES: 0.06,
    What.REACTS: 0.08,
    What.TAKES_OVER: 0.03,
}
# What its id ends with.
_LETTERS: Final = {What.EDITS: "e", What.REVOKES: "v", What.REACTS: "r", What.TAKES_OVER: "t"}
# What the messages of one user bring: a phone number, an id, or both.
_STYLES: Final = (
    ("both",),
    ("phone", "id", "both"),
    ("phone", "phone", "id", "id", "both"),
    ("phone", "id"),
)
# Longer ago than any redelivery of a world makes a message old.
_OLD_SECONDS: Final = 100


def with_whatsapp(scenario: Scenario) -> Scenario:
    """The same world on WhatsApp, or as it was."""
    chance = Chance(f"{scenario.seed} on WhatsApp")
    if chance.random() < 0.5:
        return scenario
    chance.step = chance.choice([0.25, 1.0])
    first_at = {said.id: delivery.at for delivery in reversed(scenario.deliveries) for said in delivery.said}
    said = {id: _other(said, chance) for id, said in scenario.said.items()}
    deliveries = [_again(delivery, said, first_at) for delivery in scenario.deliveries]
    deliveries += _followers(deliveries, chance)
    if chance.random() < 0.8:
        # That a number was given up is known by the time somebody else has it, unless it was lost for long.
        is_sound = not (scenario.troubles or scenario.deaths)
        deliveries = _named(deliveries, chance, is_given_away=is_sound)
    return attrs.evolve(
        scenario,
        limits=_limits(scenario, chance),
        has_template=chance.random() < 0.5,
        deliveries=tuple(sorted(deliveries, key=lambda delivery: delivery.at)),
    )


def _limits(scenario: Scenario, chance: Chance) -> Limits:
    return attrs.evolve(
        scenario.limits,
        # Where somebody sets the clock by an hour all that comes is old, or nothing is.
        stale_seconds=math.inf if scenario.jumps else chance.choice([math.inf, 5.0, 60.0]),
        window_seconds=chance.choice([math.inf, 6.0, 30.0]),
        takeover_seconds=chance.choice([0.0, 2.0, 10.0, 60.0]),
    )


def _other(said: Said, chance: Chance) -> Said:
    """Perhaps old when it comes; perhaps with several replies."""
    if chance.random() < 0.05:
        said = attrs.evolve(said, age=_OLD_SECONDS)
    if chance.random() < 0.15:
        said = attrs.evolve(said, work=attrs.evolve(said.work, answers=chance.choice([2, 3])))
    return said


def _again(delivery: Delivery, said: Mapping[str, Said], first_at: Mapping[str, float]) -> Delivery:
    """With what its messages have become; when they are delivered again they were written as long ago."""
    later = (int(delivery.at) - int(first_at[each.id]) for each in delivery.said)
    return attrs.evolve(
        delivery,
        said=tuple(
            attrs.evolve(said[each.id], age=said[each.id].age + seconds)
            for each, seconds in zip(delivery.said, later, strict=True)
        ),
    )


def _followers(deliveries: Sequence[Delivery], chance: Chance) -> Iterator[Delivery]:
    """What follows messages; some of it comes before them, or in the same instant."""
    seen: set[str] = set()
    for delivery in tuple(deliveries):
        for said in delivery.said:
            if said.id in seen:
                continue
            seen.add(said.id)
            for what, likelihood in _FOLLOWERS.items():
                if chance.random() < likelihood:
                    at = delivery.at + chance.instant(chance.choice([0.0, 2.0, 6.0]))
                    yield Delivery(at=at, said=(_follower(said, what, chance),))


def _follower(said: Said, what: What, chance: Chance) -> Said:
    return Said(
        id=f"{said.id}{_LETTERS[what]}",
        user=said.user,
        text=f"{what} {said.id}",
        # What changes another asks for the same, once more.
        work=said.work,
        what=what,
        about=said.id if what in (What.EDITS, What.REVOKES, What.REACTS) else "",
        age=chance.choice([0, 0, said.age]),  # it is not older than what it is about
    )


def _named(deliveries: list[Delivery], chance: Chance, *, is_given_away: bool) -> list[Delivery]:
    """Its users under the names that they have: a phone number, an id, or both; some get another number."""
    users = sorted({said.user for delivery in deliveries for said in delivery.said})
    end = max(delivery.at for delivery in deliveries)
    numbers = _numbers(users, end, chance, is_given_away=is_given_away)
    styles = {user: chance.choice(_STYLES) for user in users}
    kinds: dict[str, str] = {}

    def name(said: Said, at: float) -> Said:
        kind = kinds.setdefault(said.id, chance.choice(styles[said.user]))
        # By when it was written: what comes late brings the number that they had.
        phone = next(number for until, number in numbers[said.user] if int(at) - said.age <= until)
        names = {"both": (phone, f"{said.user}i"), "phone": (phone,), "id": (f"{said.user}i",)}
        return attrs.evolve(said, names=names[kind])

    found = [
        attrs.evolve(delivery, said=tuple(name(said, delivery.at) for said in delivery.said))
        for delivery in sorted(deliveries, key=lambda delivery: delivery.at)
    ]
    for user in users:
        for number, ((until, old), (_, new)) in enumerate(pairwise(numbers[user])):
            renaming = _renaming(f"{user}renamed{number}", user, old, new, chance)
            found.append(Delivery(at=until, said=(renaming,)))
    return found


def _numbers(
    users: Sequence[str], end: float, chance: Chance, *, is_given_away: bool
) -> Mapping[str, list[tuple[float, str]]]:
    """The phone numbers of each user, each with the time until which they have it.

    The first of them has another in the end, as a rule; then the last may get the one that was given up.
    """
    at = float(math.floor(end / 2))
    changing = {user for user in users if chance.random() < (0.6 if user == users[0] else 0.3)}
    numbers = {
        user: [(at, user), (math.inf, f"{user}n")] if user in changing else [(math.inf, user)]
        for user in users
    }
    if is_given_away and users[0] in changing and len(users) > 1:
        # Nobody gets a number before it was given up.
        numbers[users[-1]] = [(at + 2.0, users[-1]), (math.inf, users[0])]
    return numbers


def _renaming(id: str, user: str, old: str, new: str, chance: Chance) -> Said:
    return Said(
        id=id,
        user=user,
        text="another number",
        what=What.RENAMES,
        names=(new, old, *([f"{user}i"] if chance.random() < 0.7 else [])),
        retired=(old,),
    )
