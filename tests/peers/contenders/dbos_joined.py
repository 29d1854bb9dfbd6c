"""DBOS once more, for whoever knows that a cancelled workflow goes on until its present steps are through.

The handle of a workflow that runs in this process waits for its task (`get_result`), also of a cancelled one;
a lock and the newest message of each user do the rest.  DBOS's documentation does not ask for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dbos import error
from peers.contenders.dbos_workflows import DbosWorkflows
from peers.ledger import Ledger
from peers.operation import World

PACKAGES = ("dbos",)
TRIO = False


class DbosJoined(DbosWorkflows):
    """See the module."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world, folder)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        async with super().open():
            yield
            await asyncio.gather(*self._tasks)

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`: the message is on disk only when the old workflow has ended."""
        self._messages[user].append(message)
        await self.cancel(user)
        task = asyncio.create_task(self._start_after(user, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_after(self, user: str, message: str) -> None:
        async with self._locks[user]:
            if self._handles[user]:
                with suppress(error.DBOSAwaitedWorkflowCancelledError):
                    await self._handles[user][-1].get_result(polling_interval_sec=0.05)
            if self._messages[user][-1] == message:
                await self.start(user, message)
            # Another one may have come while this was being started, too early to cancel it.
            if self._messages[user][-1] != message:
                await self.cancel(user)


def make(world: World, ledger: Ledger, folder: Path) -> DbosJoined:
    """See `Contender`."""
    return DbosJoined(world, folder)
