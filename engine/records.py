"""Writes and reads that an operation cannot go on without: bounded, and tried again for a while.

Rule 1: a write is shielded; nothing may land between an act and its record.
Rule 2: `record_seconds_max` bounds the write and all its attempts together.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs
import stamina
import trio

from engine.errors import StoreError, StoreUnavailable
from engine.events import Events, StoreFailed
from engine.limits import Limits
from engine.model import OutboxRow
from engine.store import Change, Conversation, OperationRecord, Store

T = TypeVar("T")

_WAIT_SECONDS_MIN: Final = 0.125
_WAIT_SECONDS_MAX: Final = 2.0


@attrs.frozen(eq=False)
class Records:
    """The store, as operations use it.  Raises StoreUnavailable when it stayed so for too long."""

    store: Store
    events: Events
    limits: Limits

    async def write(self, *changes: Change) -> None:
        """Record the changes, whoever cancels meanwhile.  Hands them over before its first checkpoint."""
        await self._bounded(lambda: self._repeatedly(lambda: self.store.write(changes)), shield=True)

    async def write_once(self, *changes: Change) -> None:
        """Record the changes in a single attempt, shielded and bounded like `write`."""
        await self._bounded(lambda: self._once(lambda: self.store.write(changes)), shield=True)

    async def offer(self, *changes: Change) -> bool:
        """Record what can also be lost: one attempt, not shielded.  Returns whether it was recorded."""
        try:
            await self._bounded(lambda: self._once(lambda: self.store.write(changes)))
        except StoreError:
            return False
        return True

    async def read_conversation(self, user_id: str) -> Conversation:
        """The user's history; may be cancelled."""
        limit = self.limits.history_messages_max
        return await self._patiently(lambda: self.store.read_conversation(user_id, limit=limit))

    async def read_operation(self, operation_id: str) -> OperationRecord | None:
        """An operation with its calls, None when it never began; may be cancelled."""
        return await self._patiently(lambda: self.store.read_operation(operation_id))

    async def read_unsent(self, limit: int, *, after: int) -> tuple[OutboxRow, ...]:
        """Outbox rows still to be sent; may be cancelled."""
        return await self._patiently(lambda: self.store.read_unsent(limit, after=after))

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        return await self._bounded(lambda: self._repeatedly(act))

    async def _bounded(self, act: Callable[[], Awaitable[T]], *, shield: bool = False) -> T:
        deadline = trio.current_time() + self.limits.record_seconds_max
        with trio.CancelScope(deadline=deadline, shield=shield):
            return await act()
        error = StoreUnavailable(
            f"the store did not answer for {self.limits.record_seconds_max:g} s (record_seconds_max)"
        )
        self.events.emit(StoreFailed(error=str(error)))
        raise error

    async def _once(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await act()
        except StoreUnavailable as error:
            self.events.emit(StoreFailed(error=str(error)))
            raise

    async def _repeatedly(self, act: Callable[[], Awaitable[T]]) -> T:
        with contextlib.suppress(StoreUnavailable):
            return await self._once(act)
        attempts = stamina.retry_context(
            on=StoreUnavailable,
            attempts=None,
            timeout=None,
            wait_initial=_WAIT_SECONDS_MIN,
            wait_max=_WAIT_SECONDS_MAX,
            wait_jitter=0,
        )
        async for attempt in attempts:
            with attempt:
                return await act()
        raise AssertionError("unreachable: the attempts have no end")
