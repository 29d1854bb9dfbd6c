"""A lock for each user, and a flag in each operation that it looks at between waves.

The lock keeps the operations of a user apart (docs.python.org/3/library/asyncio-sync.html#asyncio.Lock); it
is fair, so whoever waits gets it in order.  The flag belongs to the operation, not to its user: a flag that
the next operation resets is lost when a third message comes meanwhile.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from peers.ledger import Ledger
from peers.operation import WAVES, World, wave_of

PACKAGES = ()
TRIO = False


@dataclass(eq=False)
class _Operation:
    message: str
    cancelled: bool = False


@dataclass(eq=False)
class _User:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: _Operation | None = None
    messages: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


class LockAndFlag:
    """See the module."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._users: dict[str, _User] = defaultdict(_User)
        # A task that nobody holds may be collected before it is through.
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        yield
        await asyncio.gather(*self._tasks)

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`."""
        state = self._users[user]
        state.messages.append(message)
        if state.newest is not None:
            state.newest.cancelled = True
        state.newest = _Operation(message)
        task = asyncio.create_task(self._run(state, state.newest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, state: _User, operation: _Operation) -> None:
        async with state.lock:
            if operation.cancelled:
                return
            self._world.plan(operation.message, state.messages, state.results)
            for wave in range(WAVES):
                state.results += await asyncio.gather(
                    *(self._world.act(call) for call in wave_of(operation.message, wave))
                )
                if operation.cancelled:
                    return
            await self._world.reply(operation.message)
            state.results.clear()


def make(world: World, ledger: Ledger, folder: Path) -> LockAndFlag:
    """See `Contender`."""
    return LockAndFlag(world)
