"""A thread with work of its own: what waits is done together, and answered in the engine's thread."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Worker(Generic[T]):
    """`do` is called in the thread with what waits, at most `group_max`; `answer` in Trio's, in order."""

    def __init__(
        self,
        name: str,
        *,
        do: Callable[[Sequence[T]], None],
        answer: Callable[[Sequence[T]], None],
        group_max: int,
    ) -> None:
        self._do = do
        self._answer = answer
        self._group_max = group_max
        self._jobs: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: T) -> None:
        """Hand a job over.  `do` must not raise."""
        self._jobs.put(job)

    async def finish(self) -> None:
        """Do what was handed over and end the thread.  To be shielded by the caller."""
        self._jobs.put(None)
        await trio.to_thread.run_sync(self._thread.join)

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            group, is_last = self._gather(first)
            self._do(group)
            self._token.run_sync_soon(self._answer, group)
            if is_last:
                break

    def _gather(self, first: T) -> tuple[list[T], bool]:
        """What waits now, and whether the end was asked for."""
        group = [first]
        while len(group) < self._group_max:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False
