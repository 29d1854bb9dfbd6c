"""A dict of asyncio tasks: a new message cancels its user's task, and a new task takes its place.

What Python's documentation says of `Task.cancel()`: it requests; whoever cancelled awaits the task to know
that it has ended (docs.python.org/3/library/asyncio-task.html#task-cancellation).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from peers.ledger import Ledger
from peers.operation import WAVES, World, wave_of

PACKAGES = ()
TRIO = False


class PlainAsyncio:
    """See the module."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._messages: dict[str, list[str]] = defaultdict(list)
        # Noted call by call, so that what was finished outlives the cancellation.
        self._results: dict[str, list[str]] = defaultdict(list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        yield
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`."""
        self._messages[user].append(message)
        old = self._tasks.get(user)
        if old is not None:
            old.cancel()
        self._tasks[user] = asyncio.create_task(self._run(user, message, old))

    async def _run(self, user: str, message: str, old: asyncio.Task[None] | None) -> None:
        if old is not None:
            await asyncio.wait([old])
        self._world.plan(message, self._messages[user], self._results[user])
        for wave in range(WAVES):
            await asyncio.gather(*(self._call(user, call) for call in wave_of(message, wave)))
        await self._world.reply(message)
        self._results[user].clear()

    async def _call(self, user: str, call: str) -> None:
        self._results[user].append(await self._world.act(call))


def make(world: World, ledger: Ledger, folder: Path) -> PlainAsyncio:
    """See `Contender`."""
    return PlainAsyncio(world)
