"""Who waits for a message's fate."""

import attrs
import trio

from engine.model import Fate, Suspended


@attrs.define(eq=False)
class _Waiter:
    event: trio.Event = attrs.field(factory=trio.Event)
    fate: Fate = attrs.field(factory=Suspended)


class Waiters:
    """Message ids, and the tasks that wait for what becomes of them."""

    def __init__(self) -> None:
        self._by_message: dict[str, _Waiter] = {}

    def expect(self, message_id: str) -> None:
        """Somebody is going to wait for this message; what happens from now on is kept for them."""
        self._by_message[message_id] = _Waiter()

    async def wait(self, message_id: str) -> Fate:
        """The message's fate, once it has one."""
        waiter = self._by_message[message_id]
        await waiter.event.wait()
        return waiter.fate

    def forget(self, message_id: str) -> None:
        """Nobody waits any more."""
        self._by_message.pop(message_id, None)

    def settle(self, message_id: str, fate: Fate) -> None:
        """Tell whoever waits; the first fate stands."""
        waiter = self._by_message.get(message_id)
        if waiter is not None and not waiter.event.is_set():
            waiter.fate = fate
            waiter.event.set()

    def suspend(self, message_id: str) -> None:
        """It has no fate, and will have none before the restart."""
        self.settle(message_id, Suspended())
