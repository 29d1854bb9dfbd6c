"""Runs one wave: every call whose dependencies are settled, at once, shielded, and recorded.

Rule 1: the intent is recorded before the act (P6).
Rule 2: act and record share one shield: an interruption neither shortens a wave nor loses it (P2).  Each
outcome is recorded as its call ends.
Rule 3: every part of the shield has its own bound; a shutdown can only lower the deadline of the act.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs
import trio

from engine.calls import Caller
from engine.errors import StoreUnavailable, ToolFailed
from engine.events import CallFinished, Events, WaveFinished, WaveStarted
from engine.limits import Limits
from engine.model import Outcome, Status
from engine.operation import Operation
from engine.phases import Fact
from engine.plan import Call, blocked_by, resolve
from engine.records import Records
from engine.store import Intended


@attrs.frozen(eq=False)
class Waves:
    """Runs waves, one after the other, for any operation.  `now`: seconds since 1970."""

    caller: Caller
    records: Records
    events: Events
    limits: Limits
    now: Callable[[], float]

    async def run(self, wave: Sequence[Call], operation: Operation) -> None:
        """Run one wave, unless the operation was cancelled before it.

        Raises StoreUnavailable when an intent or an outcome could not be recorded; without its intent
        recorded no call starts.
        """
        # P3.  An operation that is already cancelled would still run the wave: the shield hides it.
        await trio.lowlevel.checkpoint_if_cancelled()
        ready = self._take_over(self._skip_blocked(wave, operation), operation)
        operation.advance(Fact.WAVE_STARTED)
        started_at = trio.current_time()
        if ready:
            await self._act(ready, operation)
        # A finished tool has acted on the world: nothing may land between the act and its record.
        if operation.unrecorded:
            await self.records.write(*operation.happened())
            operation.unrecorded.clear()
        operation.advance(Fact.WAVE_FINISHED)
        if ready:
            self.events.emit(
                WaveFinished(
                    user_id=operation.user.id,
                    operation_id=operation.id,
                    wave=operation.waves_run,
                    seconds=trio.current_time() - started_at,
                )
            )

    def _skip_blocked(self, wave: Sequence[Call], operation: Operation) -> tuple[Call, ...]:
        """The calls that may run; the others are skipped, naming what they waited for."""
        ready = []
        for call in wave:
            reason = blocked_by(call, operation.outcomes)
            if reason is None:
                ready.append(call)
            else:
                self._skip(call, reason, operation)
        return tuple(ready)

    def _skip(self, call: Call, reason: str, operation: Operation) -> None:
        skipped = Outcome(call_id=call.id, tool=call.tool, status=Status.SKIPPED, error=reason)
        self._settle(skipped, operation)

    def _take_over(self, ready: Sequence[Call], operation: Operation) -> tuple[Call, ...]:
        """The calls that must be made; the others have a superseded request's outcome."""
        to_make = []
        for call in ready:
            found = self._find_reusable(call, operation)
            if found is None:
                to_make.append(call)
            else:
                self._settle(attrs.evolve(found, call_id=call.id, reused=True, seconds=0.0), operation)
        return tuple(to_make)

    def _find_reusable(self, call: Call, operation: Operation) -> Outcome | None:
        tool = self.caller.tools.get(call.tool)
        if tool is None or not tool.reusable_seconds:
            return None
        try:
            arguments = resolve(call.args, operation.outcomes)
        except ToolFailed:  # the call itself says so when it is made
            return None
        return operation.reusable.find(tool, arguments, now=self.now())

    def _settle(self, outcome: Outcome, operation: Operation) -> None:
        """The outcome of a call that is not made."""
        operation.unrecorded.add(outcome.call_id)
        operation.outcomes[outcome.call_id] = outcome
        self.events.emit(
            CallFinished(
                user_id=operation.user.id,
                operation_id=operation.id,
                call_id=outcome.call_id,
                tool=outcome.tool,
                status=outcome.status,
                seconds=0.0,
                error=outcome.error,
                reused=outcome.reused,
            )
        )

    async def _act(self, ready: Sequence[Call], operation: Operation) -> None:
        call_ids = tuple(call.id for call in ready)
        await self.records.write(Intended(operation_id=operation.id, call_ids=call_ids, at=self.now()))
        operation.waves_run += 1
        operation.started.extend(call_ids)
        operation.unrecorded.update(call_ids)
        self.events.emit(
            WaveStarted(
                user_id=operation.user.id,
                operation_id=operation.id,
                wave=operation.waves_run,
                call_ids=call_ids,
            )
        )
        async with trio.open_nursery() as nursery:
            # No checkpoint lies between this shield and those of the writes before and after it.
            nursery.cancel_scope.shield = True
            operation.bound_wave(nursery.cancel_scope, self.limits.wave_seconds_max)
            for call in ready:
                nursery.start_soon(self._make, call, operation)
        operation.wave_scope = None

    async def _make(self, call: Call, operation: Operation) -> None:
        """One call and its record: a crash while its siblings are still at work must not lose it."""
        await self.caller.call(call, operation)
        # Those that end in the same instant share a write: it is the first one's.
        await trio.lowlevel.cancel_shielded_checkpoint()
        if call.id in operation.unrecorded:
            await self._record(operation)

    async def _record(self, operation: Operation) -> None:
        """The outcomes that are there and not on their way to the store.  The end of the wave tries again."""
        happened = operation.happened()
        ids = {outcome.call_id for change in happened for outcome in change.outcomes}
        operation.unrecorded -= ids
        is_recorded = False
        try:
            with suppress(StoreUnavailable):
                await self.records.write_once(*happened)
                is_recorded = True
        finally:
            if not is_recorded:
                operation.unrecorded |= ids
