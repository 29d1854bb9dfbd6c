"""Brings an operation that an earlier process left back to where its records say it was (P14).

Rule 1: what is recorded stands: the plan is not made again, and a call with an outcome is not made again.
Rule 2: a call that was started and has no outcome is made again only if its tool is idempotent; otherwise
its outcome is unknown, and the plan is told so.
"""

from collections.abc import Mapping
from itertools import groupby

import attrs

from engine.context import ContextManager
from engine.errors import KeepsCrashing
from engine.events import Events, SessionResumed
from engine.limits import Limits
from engine.model import Outcome, Status
from engine.operation import Operation
from engine.phases import Phase
from engine.plan import Call, waves
from engine.records import Records
from engine.store import CallRecord, Happened, OperationRecord, Resume
from engine.tools import Tool


@attrs.frozen(eq=False, kw_only=True)
class Recovery:
    """Restores operations of one assistant."""

    tools: Mapping[str, Tool]
    contexts: ContextManager
    records: Records
    events: Events
    limits: Limits

    async def restore(self, operation: Operation, record: OperationRecord) -> None:
        """Fill in what is recorded of an operation, so that it goes on at its first unfinished wave.

        Raises KeepsCrashing for one that was running at `recovery_attempts_max` crashes in a row, and
        StoreUnavailable when its records cannot be read or kept.
        """
        crashes = record.crashes + 1
        if crashes >= self.limits.recovery_attempts_max:
            raise KeepsCrashing(f"the process died {crashes} times in a row while it ran")
        lost = tuple(_unknown(call.call) for call in record.calls if self._is_lost(call))
        # None when nothing was lost: a record of outcomes says that there is a plan.
        happened = (Happened(operation_id=operation.id, outcomes=lost),) if lost else ()
        await self.records.write(Resume(operation.id), *happened)
        self._fill(operation, record, lost)
        self.events.emit(
            SessionResumed(
                user_id=operation.user.id,
                message=operation.message,
                operation_id=operation.id,
                crashes=crashes,
            )
        )

    async def recall(self, operation: Operation) -> None:
        """Fill in what is recorded of an operation that an earlier process began and that only ends now.

        What was started and has no outcome is unknown.  Raises StoreUnavailable.
        """
        if operation.is_left:
            record = await self.records.read_operation(operation.id)
            if record is not None:
                if operation.undo and not operation.was_suspended:
                    # What is taken back may be what kills the process.
                    operation.crashes = record.crashes + 1
                    await self.records.write(Resume(operation.id))
                self._fill(operation, record, ())
        for call in operation.to_finish:
            operation.outcomes[call.id] = _unknown(call)
            operation.unrecorded.add(call.id)
            operation.started.append(call.id)

    def _is_lost(self, record: CallRecord) -> bool:
        tool = self.tools.get(record.call.tool)
        return record.intended and record.outcome is None and not (tool and tool.idempotent)

    def _fill(self, operation: Operation, record: OperationRecord, lost: tuple[Outcome, ...]) -> None:
        known = tuple(call.outcome for call in record.calls if call.outcome is not None)
        operation.calls.update({call.call.id: call.call for call in record.calls})
        operation.outcomes.update(self.contexts.results((*known, *lost)))
        operation.burst = record.burst
        # A write that nobody waited for any more may have taken them in.
        operation.waiting.remove(record.burst)
        operation.round = record.round
        # What is made again is started again.
        made = [call for call in record.calls if call.call.id in operation.outcomes]
        operation.started = [call.call.id for call in sorted(made, key=_start) if call.intended]
        operation.cut_short = frozenset(call.call.id for call in record.calls if call.intended)
        operation.waves_run = _waves_finished(record, operation)
        operation.phase = Phase.PLANNING if record.phase is Phase.PLANNING else Phase.AT_BOUNDARY
        operation.is_left = False


def _unknown(call: Call) -> Outcome:
    return Outcome(
        call_id=call.id, tool=call.tool, status=Status.UNKNOWN, error="the process died while it ran"
    )


def _start(record: CallRecord) -> float:
    return record.intended_at or 0.0


def _waves_finished(record: OperationRecord, operation: Operation) -> int:
    """How many waves ran to their end, as `WaveStarted` counts them: those with a call that was started."""
    started = {call.call.id for call in record.calls if call.intended}
    planned = [
        wave
        for _, calls in groupby(record.calls, lambda call: call.round)
        for wave in waves([call.call for call in calls])
    ]
    return sum(
        any(call.id in started for call in wave) and all(call.id in operation.outcomes for call in wave)
        for wave in planned
    )
