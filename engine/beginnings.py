"""How an operation begins: a new one for what waits, or one that was left and goes on from its records.

Rule 1: nothing runs before its beginning is recorded.
Rule 2: operations of the same user that were left without an end are ended by the next beginning.
"""

from collections.abc import Callable

import attrs
import trio

from engine.endings import Endings
from engine.events import Events, SessionStarted
from engine.model import Superseded
from engine.operation import Operation
from engine.records import Records
from engine.recovery import Recovery
from engine.store import Begin, Change, OperationRecord, Settle, Suspend


@attrs.define(eq=False, kw_only=True)
class Beginnings:
    """Records the beginnings of operations.  `now`: seconds since 1970."""

    recovery: Recovery
    endings: Endings
    records: Records
    events: Events
    now: Callable[[], float]
    # Operations without an end that will not go on, by user: the next one's beginning ends them.
    _overtaken: dict[str, list[Operation]] = attrs.field(factory=dict)

    def overtake(self, operation: Operation) -> None:
        """It will not go on; the next beginning for its user ends it."""
        self._overtaken.setdefault(operation.user.id, []).append(operation)

    async def enter(self, operation: Operation) -> bool:
        """Begin an operation, or go on with one that was begun before; False when its end is recorded.

        Raises KeepsCrashing for one that was running at too many crashes, StoreUnavailable.
        """
        if not operation.is_left:
            await self._begin(operation)
            return True
        await trio.lowlevel.checkpoint_if_cancelled()  # its user may have written since
        if operation.was_suspended:
            await self.records.write(*operation.happened(), Suspend(operation.id))
            operation.unrecorded.clear()
        record = await self.records.read_operation(operation.id)
        if record is None:  # the store failed before it was begun
            await self._begin(operation)
        elif record.ended_at is not None:  # its end was written when nobody waited for that any more
            return False
        else:
            await self._resume(operation, record)
        return True

    async def _begin(self, operation: Operation) -> None:
        message = operation.message
        await self.records.write(
            *self._overtaking(operation),
            *(Settle(older.id, Superseded(message.id)) for older in operation.passed_over),
            Begin(
                operation_id=operation.id,
                message=message,
                at=self.now(),
                burst=tuple(each.id for each in operation.burst),
            ),
        )
        self._overtaken.pop(operation.user.id, None)
        operation.is_left = False
        self.events.emit(
            SessionStarted(user_id=operation.user.id, message=message, operation_id=operation.id)
        )

    async def _resume(self, operation: Operation, record: OperationRecord) -> None:
        if overtaking := self._overtaking(operation):
            await self.records.write(*overtaking)
            del self._overtaken[operation.user.id]
        await self.recovery.restore(operation, record)

    def _overtaking(self, operation: Operation) -> tuple[Change, ...]:
        """The ends of its user's operations that were suspended before it: nobody waits for them any more."""
        suspended = self._overtaken.get(operation.user.id, ())
        return tuple(
            change for before in suspended for change in self.endings.giving_way(before, operation.message.id)
        )
