"""Bursts: which messages belong together, when they may start, and which of those that wait run next.

Rule 1: messages of one delivery are one burst; so is one that comes before its predecessor's burst may start.
Rule 2: the deadline stands in the inbox, so that a burst survives a crash in its middle.
Rule 3: no I/O, no clock: times are the caller's.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from engine.model import Message
from engine.policy import Decision


@attrs.frozen(kw_only=True)
class Debounce:
    """How long to wait for more: `seconds` after each message, `seconds_max` after a burst's first."""

    seconds: float = 0.0
    seconds_max: float = 0.0


@attrs.frozen(kw_only=True)
class Burst:
    """The burst a message belongs to: `id` is its first message's.  Times are seconds since 1970."""

    id: str
    began_at: float
    starts_at: float


def gather(
    before: Burst | None, message_id: str, at: float, debounce: Debounce, *, same_delivery: bool
) -> Burst:
    """The burst of a message that comes at `at`, after its user's burst `before`."""
    if before is not None and (same_delivery or before.began_at <= at < before.starts_at):
        latest = before.began_at + debounce.seconds_max
        starts_at = max(before.starts_at, min(at + debounce.seconds, latest))
        return attrs.evolve(before, starts_at=starts_at)
    seconds = min(debounce.seconds, debounce.seconds_max)
    return Burst(id=message_id, began_at=at, starts_at=at + seconds)


@attrs.frozen(kw_only=True)
class Waiting:
    """A message that waits: `starts_at` is when its burst may start, `decision` how it waits."""

    message: Message
    burst_id: str
    starts_at: float
    decision: Decision


@attrs.frozen(kw_only=True)
class Next:
    """What runs next: `burst` in its users' order, the newest last; `passed_over` is superseded by it."""

    burst: tuple[Waiting, ...]
    passed_over: tuple[Waiting, ...] = ()

    @property
    def starts_at(self) -> float:
        """When all of its messages may start."""
        return max(waiting.starts_at for waiting in self.burst)


# A message that waits so takes the place of what waits, unless that waits for its turn.
_TAKES_PLACES: Final = frozenset({Decision.INTERRUPT, Decision.ROLLBACK, Decision.WAIT, Decision.DEFER})
_GIVES_PLACE: Final = _TAKES_PLACES | {Decision.START}
_JOINS: Final = frozenset({Decision.STEER, Decision.JOIN})


def _order(waiting: Waiting) -> tuple[int, int]:
    return waiting.message.order


def choose(waiting: Sequence[Waiting]) -> Next | None:
    """Which of those that wait run next; None when nothing waits."""
    bursts = _by_burst(waiting)
    if not bursts:
        return None
    last = max(
        (burst for burst in bursts if burst[-1].decision in _TAKES_PLACES),
        key=lambda burst: _order(burst[-1]),
        default=None,
    )
    passed_over = [
        burst
        for burst in bursts
        if last is not None and burst is not last and all(each.decision in _GIVES_PLACE for each in burst)
    ]
    out = {burst[0].burst_id for burst in passed_over}
    left = [burst for burst in bursts if burst[0].burst_id not in out]
    joining = [burst for burst in left[1:] if all(each.decision in _JOINS for each in burst)]
    runs = _sorted(each for burst in (left[0], *joining) for each in burst)
    # What is newer than all of it is not superseded by it: that still waits for its own successor.
    superseded = [burst for burst in passed_over if _order(burst[-1]) < _order(runs[-1])]
    return Next(burst=runs, passed_over=_sorted(each for burst in superseded for each in burst))


def as_one_burst(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Those that wait, all in the burst of the first of them: none is lost where too many wait."""
    waiting = _sorted(waiting)
    return [attrs.evolve(each, burst_id=waiting[0].burst_id) for each in waiting]


def count_bursts(waiting: Iterable[Waiting]) -> int:
    """How many operations those that wait would be, each in its turn."""
    return len({each.burst_id for each in waiting})


def _sorted(waiting: Iterable[Waiting]) -> tuple[Waiting, ...]:
    return tuple(sorted(waiting, key=_order))


def _by_burst(waiting: Iterable[Waiting]) -> list[tuple[Waiting, ...]]:
    """The bursts in the order of their first messages, each in order."""
    bursts: dict[str, list[Waiting]] = {}
    for each in _sorted(waiting):
        bursts.setdefault(each.burst_id, []).append(each)
    return [tuple(burst) for burst in bursts.values()]
