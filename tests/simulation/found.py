"""Worlds in which the simulator found a bug that shows itself less often than once in a thousand seeds."""

from collections.abc import Mapping
from typing import Final

from engine import Limits
from engine.simulation import Scenario
from engine.simulation.scenario import STOP_WORD, Act, Delivery, Said, Trouble, Work


def _said(at: float, id: str, user: str, work: Work) -> Delivery:
    return Delivery(at=at, said=(Said(id=id, user=user, text=f"please {id}", work=work),))


def _stop(id: str, user: str) -> Said:
    return Said(id=id, user=user, text=STOP_WORD)


def _one_call(tool: str, seconds: float, **more: float) -> Work:
    return Work(rounds=(((Act(tool=tool, seconds=seconds),),),), **more)


def _limits(record_seconds_max: float) -> Limits:
    return Limits(
        debounce_seconds=0.5,
        receive_seconds_max=4.0,
        settle_seconds=5.0,
        record_seconds_max=record_seconds_max,
    )


WORLDS: Final[Mapping[str, Scenario]] = {
    # The disk stalls from 4.5 to 9.5: each write takes three seconds, and they queue.  The commit is handed
    # over at 9.25 and given up at 17.25; a message waits, and it is written at 17.5.
    "a commit that is written after it was given up": Scenario(
        seed=0,
        policy="rollback",
        limits=_limits(8.0),
        deliveries=(
            _said(1.5, "m1", "u1", _one_call("hold", 2.75, planning=0.75, adapting=0.25, responding=0.5)),
            _said(7.25, "m2", "u2", Work(responding=0.75)),
            _said(7.75, "m3", "u1", Work(planning=0.5, responding=0.75)),
        ),
        troubles=(Trouble(at=4.5, seconds=5.0, delay=3.0),),
    ),
    # The disk is slow from 36 to 48: the outcome of the call cannot be written in time, and its operation is
    # suspended.  A message is heard of in that instant.
    "a message to an operation that is suspended": Scenario(
        seed=0,
        policy="interrupt",
        limits=_limits(1.0),
        deliveries=(
            _said(34.0, "m1", "u1", _one_call("book", 2.0, responding=1.0)),
            _said(35.0, "m2", "u2", Work(planning=1.0, responding=1.0)),
            _said(38.5, "m3", "u1", Work(responding=1.0)),
        ),
        troubles=(Trouble(at=36.0, seconds=12.0, delay=2.0),),
    ),
    # The disk is full from 1 to 6, and the operation suspended until 8.  At 7 its user writes, and says stop:
    # the end of the operation records an acknowledgement and drops it, in one write; it says what was done.
    "an acknowledgement that is dropped as it is written": Scenario(
        seed=0,
        policy="interrupt",
        limits=_limits(1.0),
        deliveries=(
            _said(0.0, "m1", "u1", _one_call("book", 2.0)),
            Delivery(at=7.0, said=(Said(id="m2", user="u1", text="wait"), _stop("m3", "u1"))),
        ),
        troubles=(Trouble(at=1.0, seconds=5.0),),
    ),
}
