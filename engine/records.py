"""Writes and reads that an operation cannot go on without: bounded, and tried again for a while.

Rule 1: a write is shielded; nothing may land between an act and its record.
Rule 2: `record_seconds_max` bounds the write and all its attempts together.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
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
        with self._bound(shield=True):
            return await self._patiently(lambda: self.store.write(changes))
        raise self._too_late()

    async def write_once(self, *changes: Change) -> None:
        """Record the changes in a single attempt, shielded and bounded like `write`."""
        with self._bound(shield=True):
            return await self._once(lambda: self.store.write(changes))
        raise self._too_late()

    async def offer(self, *changes: Change) -> bool:
        """Record what can also be lost: one attempt, not shielded.  Returns whether it was recorded."""
        try:
            with self._bound():
                await self._once(lambda: self.store.write(changes))
                return True
        except StoreError:
            return False
        self._too_late()
        return False

    async def read_conversation(self, user_id: str) -> Conversation:
        """The user's history; may be cancelled."""
        limit = self.limits.history_messages_max
        return await self._read(lambda: self.store.read_conversation(user_id, limit=limit))

    async def read_operation(self, operation_id: str) -> OperationRecord | None:
        """An operation with its calls, None when it never began; may be cancelled."""
        return await self._read(lambda: self.store.read_operation(operation_id))

    async def read_unsent(
        self, limit: int, *, after: int, user_id: str | None = None
    ) -> tuple[OutboxRow, ...]:
        """Outbox rows still to be sent, of everybody or of one user; may be cancelled."""
        return await self._read(lambda: self.store.read_unsent(limit, after=after, user_id=user_id))

    async def _read(self, act: Callable[[], Awaitable[T]]) -> T:
        with self._bound():
            return await self._patiently(act)
        raise self._too_late()

    def _bound(self, *, shield: bool = False) -> trio.CancelScope:
        deadline = trio.current_time() + self.limits.record_seconds_max
        return trio.CancelScope(deadline=deadline, shield=shield)

    def _too_late(self) -> StoreUnavailable:
        """What to raise when the bound has ended; it is told here."""
        error = StoreUnavailable(
            f"the store did not answer for {self.limits.record_seconds_max:g} s (record_seconds_max)"
        )
        self.events.emit(StoreFailed(error=str(error)))
        return error

    async def _once(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await act()
        except StoreUnavailable as error:
            self.events.emit(StoreFailed(error=str(error)))
            raise

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        with suppress(StoreUnavailable):
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
