"""The scenario of a seed.

Rule 1: all of it follows from the seed; no chance is taken after this.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from engine.limits import Limits
from engine.policy import POLICIES
from engine.simulation.chance import STEPS, Chance
from engine.simulation.scenario import (
    STOP_WORD,
    TOOLS,
    Act,
    Death,
    Delivery,
    Ending,
    Jump,
    Said,
    Scenario,
    Send,
    Trouble,
    Work,
)
from engine.simulation.whatsapp import with_whatsapp

T = TypeVar("T")

_ANSWERS: Final = ("ok", "ok", "ok", "delayed", "throughput", "refused", "blocked", "silent", "lost")
# How many requests the Graph API takes in a way of its own, and in which: its answers may get lost.
_SERVICES: Final = (
    (0.1, _ANSWERS),
    (0.1, _ANSWERS),
    (0.1, _ANSWERS),
    (0.5, _ANSWERS),
    (0.6, ("silent", "lost")),
)


def make_scenario(seed: int, *, policy: str | None = None, is_calm: bool = False) -> Scenario:
    """The scenario of a seed; with `is_calm` nothing goes wrong in it but people's minds."""
    chance = Chance(seed)
    chance.step = chance.choice(STEPS)
    chosen = chance.choice(list(POLICIES))
    limits = _limits(chance)
    deliveries = _deliveries(chance, users=chance.randint(1, 4))
    end = max(delivery.at for delivery in deliveries)
    goes_wrong = 0.0 if is_calm else 1.0
    how_often, answers = chance.choice(_SERVICES)
    scenario = Scenario(
        seed=seed,
        policy=policy or chosen,
        limits=limits,
        deliveries=deliveries,
        troubles=_some(chance, 0.4 * goes_wrong, 2, lambda: _trouble(chance, end)),
        deaths=_some(chance, 0.5 * goes_wrong, 3, lambda: _death(chance, end)),
        jumps=_some(chance, 0.2 * goes_wrong, 2, lambda: _jump(chance, end)),
        sends=tuple(
            (number, _send(chance, answers))
            for number in range(60)
            if chance.random() < how_often * goes_wrong
        ),
    )
    return scenario if is_calm else with_whatsapp(scenario)


def _limits(chance: Chance) -> Limits:
    debounce = chance.choice([0.0, 0.0, 0.5, 1.0])
    return Limits(
        # A world's clock jumps by hours; what comes late for it is told apart elsewhere.
        stale_seconds=math.inf,
        debounce_seconds=debounce,
        debounce_seconds_max=max(debounce, chance.choice([1.0, 2.0, 10.0])),
        interruptions_max=chance.choice([1, 2, 3, 10]),
        operation_seconds_max=chance.choice([8.0, 30.0, 600.0]),
        acknowledgement_seconds_min=chance.choice([0.0, 0.0, 2.0]),
        wave_seconds_max=chance.choice([4.0, 20.0, 60.0]),
        adaptations_max=chance.choice([1, 2, 5]),
        waiting_messages_max=chance.choice([2, 5, 100]),
        record_seconds_max=chance.choice([1.0, 2.0, 8.0]),
        receive_seconds_max=4.0,
        grace_seconds=chance.choice([0.0, 1.0, 5.0]),
        settle_seconds=5.0,
        recovery_attempts_max=chance.choice([2, 3, 10]),
        pair_seconds=chance.choice([0.0, 6.0]),
        pair_burst_max=chance.choice([2, 45]),
        send_retry_seconds_max=30.0,
        send_attempts_max=4,
    )


def _deliveries(chance: Chance, *, users: int) -> tuple[Delivery, ...]:
    found = []
    count = 0
    for user in range(users):
        at = chance.instant(4.0)
        for _ in range(chance.randint(1, 7)):
            batch = []
            for _ in range(chance.choice([1, 1, 1, 1, 2, 3])):
                batch.append(_said(chance, f"m{count}", f"u{user}"))
                count += 1
            found.append(Delivery(at=at, said=tuple(batch)))
            if chance.random() < 0.15:  # once more, perhaps with others
                found.append(Delivery(at=at + chance.instant(6.0), said=tuple(batch)))
            at += chance.instant(chance.choice([0.5, 2.0, 6.0, 30.0]))
    return tuple(sorted(found, key=lambda delivery: delivery.at))


def _said(chance: Chance, id: str, user: str) -> Said:
    is_stop = chance.random() < 0.08
    return Said(
        id=id,
        user=user,
        text=STOP_WORD if is_stop else f"please {id}",
        age=chance.choice([0, 0, 0, 0, 0, 0, 0, 2, 10]),
        work=_work(chance),
    )


def _work(chance: Chance) -> Work:
    rounds = chance.choice([0, 1, 1, 1, 1, 2, 3])
    return Work(
        rounds=tuple(
            tuple(
                tuple(_act(chance) for _ in range(chance.choice([1, 1, 2, 3])))
                for _ in range(chance.choice([1, 1, 2, 3]))
            )
            for _ in range(rounds)
        ),
        planning=chance.instant(1.0),
        adapting=chance.instant(0.5),
        responding=chance.instant(1.0),
        fails=chance.choice(["plan", "adapt", "respond"]) if chance.random() < 0.05 else "",
        keeps=chance.random() < 0.4,
    )


def _act(chance: Chance) -> Act:
    ending, undo = Ending.WELL, Ending.WELL
    if chance.random() < 0.12:
        ending = chance.choice([Ending.RAISES, Ending.HANGS, Ending.STUBBORN])
    if chance.random() < 0.15:
        undo = chance.choice([Ending.RAISES, Ending.HANGS])
    return Act(tool=chance.choice(TOOLS), seconds=chance.instant(3.0), ending=ending, undo=undo)


def _trouble(chance: Chance, end: float) -> Trouble:
    delay = chance.choice([0.0, 0.0, 0.25, 1.0, 3.0])
    seconds = chance.choice([1.0, 5.0, 15.0])
    return Trouble(at=chance.instant(end + 5), seconds=seconds, delay=delay)


def _death(chance: Chance, end: float) -> Death:
    down = chance.instant(5.0)
    if chance.random() < 0.2:
        return Death(at=chance.instant(end + 5), down=down)
    return Death(write=chance.randint(1, 90), before=chance.random() < 0.5, down=down)


def _jump(chance: Chance, end: float) -> Jump:
    return Jump(at=chance.instant(end + 5), by=float(chance.choice([-3600, -30, -2, 2, 30, 3600])))


def _send(chance: Chance, answers: Sequence[str]) -> Send:
    reports = ["sent", "delivered", "read"]
    if chance.random() < 0.1:
        reports = ["sent", "failed"]
    if chance.random() < 0.3:
        chance.shuffle(reports)
    if chance.random() < 0.3:
        reports += [chance.choice(reports)]
    statuses = tuple((chance.instant(4.0), report) for report in reports)
    answer = chance.choice(answers)
    return Send(
        answer=answer,
        seconds=chance.instant(2.0),
        statuses=statuses if answer in ("ok", "lost") and chance.random() < 0.7 else (),
    )


def _some(chance: Chance, likelihood: float, most: int, make: Callable[[], T]) -> tuple[T, ...]:
    return tuple(make() for _ in range(most) if chance.random() < likelihood)
