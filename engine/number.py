"""What all requests of one number share: how many at once, how many a second, and when none at all."""

import trio

from engine.limits import Limits


class Number:
    """One business number's way out.

    `requests` limits how many are made at once.  Nothing is sent before `held_until`, on Trio's clock.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = trio.CapacityLimiter(limits.sends_max)
        self._next_at = 0.0
        self.failures = 0  # how often in a row it was held up
        self.held_until = 0.0

    @property
    def is_held(self) -> bool:
        return trio.current_time() < self.held_until

    def hold(self, seconds: float) -> bool:
        """Send nothing for so long.  False when it is held already: what fails together counts once."""
        if self.is_held:
            return False
        self.failures += 1
        self.held_until = trio.current_time() + seconds
        return True

    async def wait_released(self) -> None:
        """Wait while it is held; not a checkpoint when it is not."""
        if self.is_held:
            await trio.sleep_until(self.held_until)

    async def wait_turn(self) -> bool:
        """Wait for the turn of one request.  False: the number was held meanwhile, make none."""
        if (at := self._reserve()) > trio.current_time():
            await trio.sleep_until(at)
        return not self.is_held

    def _reserve(self) -> float:
        """The time of the next request, kept free of others."""
        at = max(trio.current_time(), self._next_at)
        if self._limits.sends_per_second_max:
            self._next_at = at + 1 / self._limits.sends_per_second_max
        return at
