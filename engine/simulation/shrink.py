"""Makes a failing scenario small: leaves out whatever can go while the same promise is still broken."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from engine.simulation.run import Report, simulate
from engine.simulation.scenario import Delivery, Scenario, Work

# Enough for a scenario of a few dozen parts; a minute at the most.
_TRIES_MAX: Final = 600


def shrink(report: Report, *, run: Callable[[Scenario], Report] = simulate) -> Report:
    """The smallest report found that breaks one of the promises that this one breaks."""
    promises = {broken.promise for broken in report.broken}
    tries = 0
    while True:
        for smaller in _smaller(report.scenario):
            tries += 1
            if tries > _TRIES_MAX:
                return report
            again = run(smaller)
            if any(broken.promise in promises for broken in again.broken):
                report = again
                break
        else:
            return report


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """The scenario with one thing less, the largest things first."""
    for name in ("deaths", "troubles", "jumps", "sends"):
        things = getattr(scenario, name)
        fewer: list[Any] = [()] if things else []
        fewer += [things[:index] + things[index + 1 :] for index in range(len(things))]
        for left in fewer:
            changes: dict[str, Any] = {name: left}
            yield attrs.evolve(scenario, **changes)
    users = sorted({said.user for said in scenario.said.values()})
    for user in users:
        kept = tuple(delivery for delivery in scenario.deliveries if delivery.said[0].user != user)
        if kept:
            yield attrs.evolve(scenario, deliveries=kept)
    for index, delivery in enumerate(scenario.deliveries):
        rest = scenario.deliveries[:index] + scenario.deliveries[index + 1 :]
        if rest:
            yield attrs.evolve(scenario, deliveries=rest)
        before, after = scenario.deliveries[:index], scenario.deliveries[index + 1 :]
        for simpler in _simpler(delivery):
            yield attrs.evolve(scenario, deliveries=(*before, simpler, *after))


def _simpler(delivery: Delivery) -> Iterator[Delivery]:
    """The delivery with one message or one piece of work less."""
    for number, said in enumerate(delivery.said):
        before, after = delivery.said[:number], delivery.said[number + 1 :]
        if before or after:
            yield attrs.evolve(delivery, said=(*before, *after))
        for work in _less_work(said.work):
            yield attrs.evolve(delivery, said=(*before, attrs.evolve(said, work=work), *after))


def _less_work(work: Work) -> Iterator[Work]:
    if work.rounds:
        yield attrs.evolve(work, rounds=work.rounds[:-1])
    for number, waves in enumerate(work.rounds):
        for place in range(len(waves)):
            fewer = waves[:place] + waves[place + 1 :]
            yield attrs.evolve(work, rounds=(*work.rounds[:number], fewer, *work.rounds[number + 1 :]))
            if len(waves[place]) > 1:
                thinner = (*waves[:place], waves[place][:1], *waves[place + 1 :])
                yield attrs.evolve(work, rounds=(*work.rounds[:number], thinner, *work.rounds[number + 1 :]))
