"""Worker threads for plain-function tools: limited per user and in all, counted when they outlive their call.

Rule 1: a thread holds its places until it really ends, whoever has stopped waiting for it (P11).
Rule 2: a thread nobody waits for any more is a straggler: it cannot be stopped, only counted.
"""

from collections.abc import Callable
from typing import Any, cast

import attrs
import trio

from engine.errors import one_line
from engine.limits import Limits


@attrs.define(eq=False)
class Run:
    """One function on its way through a worker thread."""

    threads: "Threads"
    user_id: str
    # Called in the engine's thread when a straggler ends, with its error in one line, None when it returned.
    on_late_end: Callable[[str | None], None]
    started: bool = False
    ended: bool = False
    straggling: bool = False
    error: str | None = None

    # What trio.to_thread asks of a limiter: here, the user's place and then one of all.

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """Take both places.  The thread starts right after, without a checkpoint between."""
        mine = self.threads.limiter_of(self.user_id)
        await mine.acquire_on_behalf_of(borrower)
        try:
            await self.threads.all.acquire_on_behalf_of(borrower)
        except BaseException:
            mine.release_on_behalf_of(borrower)
            self.threads.forget(self.user_id)
            raise
        self.started = True

    def release_on_behalf_of(self, borrower: object) -> None:
        """The thread has ended."""
        self.ended = True
        self.threads.limiter_of(self.user_id).release_on_behalf_of(borrower)
        self.threads.all.release_on_behalf_of(borrower)
        self.threads.forget(self.user_id)
        if self.straggling:
            self.threads.stragglers -= 1
            self.on_late_end(self.error)


class Threads:
    """The places for worker threads, and the stragglers in them."""

    def __init__(self, limits: Limits) -> None:
        self.all = trio.CapacityLimiter(limits.threads_max)
        self.stragglers = 0
        self._per_user_max = limits.threads_per_user_max
        self._by_user: dict[str, trio.CapacityLimiter] = {}

    def limiter_of(self, user_id: str) -> trio.CapacityLimiter:
        """The user's own limiter; made when it is first asked for."""
        if user_id not in self._by_user:
            self._by_user[user_id] = trio.CapacityLimiter(self._per_user_max)
        return self._by_user[user_id]

    def forget(self, user_id: str) -> None:
        """Drop the user's limiter when nobody uses it (P10)."""
        limiter = self._by_user.get(user_id)
        if limiter and not limiter.borrowed_tokens and not limiter.statistics().tasks_waiting:
            del self._by_user[user_id]

    async def run(self, run: Run, function: Callable[[], Any]) -> Any:
        """The function's result, from a worker thread.

        When this is cancelled while the thread runs, the thread becomes a straggler and Cancelled goes on.
        """

        def work() -> Any:
            try:
                return function()
            except (Exception, SystemExit, KeyboardInterrupt, trio.Cancelled) as error:
                run.error = one_line(error)
                raise
            except (
                BaseException
            ) as error:  # asyncio's CancelledError, of a loop of its own: it ends nobody else
                run.error = one_line(error)
                raise RuntimeError(run.error) from error

        try:
            # cast: trio asks for the two methods above and nothing else of a limiter.
            return await trio.to_thread.run_sync(
                work, abandon_on_cancel=True, limiter=cast("trio.CapacityLimiter", run)
            )
        except trio.Cancelled:
            if run.started and not run.ended:
                run.straggling = True
                self.stragglers += 1
            raise
