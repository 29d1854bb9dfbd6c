"""Takes back what an interrupted operation did: in reverse order, each undo recorded before and after.

Rule 1: the intent is recorded before the undo is made; a crash between makes it again, which is harmless by
the contract of `@tool(undo=...)`.
Rule 2: a call that may have acted is taken back: one that succeeded, timed out, was cut off or is unknown.
Rule 3: nothing interrupts it; told to stop, the process finishes the undo under way, and a restart goes on.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import stamina
import trio

from engine.context import ContextManager
from engine.errors import one_line
from engine.events import CallUndone, Events
from engine.limits import Limits
from engine.model import Outcome, Status, UndoStatus
from engine.operation import Operation
from engine.phases import Fact
from engine.plan import Call, resolve
from engine.records import Records
from engine.store import UndoIntended, Undone
from engine.threads import Run, Threads
from engine.tools import Tool, ToolContext

_MAY_HAVE_ACTED: Final = frozenset({Status.SUCCEEDED, Status.TIMED_OUT, Status.CUT_OFF, Status.UNKNOWN})
_RETRY_SECONDS_MIN: Final = 0.125
_RETRY_SECONDS_MAX: Final = 5.0


@attrs.frozen(eq=False, kw_only=True)
class Undoing:
    """Takes back operations of one assistant.  `now`: seconds since 1970."""

    tools: Mapping[str, Tool]
    threads: Threads
    contexts: ContextManager
    records: Records
    events: Events
    limits: Limits
    now: Callable[[], float]

    async def run(self, operation: Operation) -> bool:
        """Take back what was done; False when a shutdown came before everything was.

        Raises StoreUnavailable when an intent or an outcome could not be recorded.
        """
        operation.advance(Fact.UNDO_STARTED)
        for call in self._to_undo(operation):
            if operation.is_ending or not await self._undo(call, operation):
                return False
        operation.advance(Fact.UNDONE)
        return True

    def _to_undo(self, operation: Operation) -> Iterator[Call]:
        for call_id in reversed(operation.started):
            outcome, tool = operation.outcomes[call_id], self.tools.get(operation.calls[call_id].tool)
            if outcome.status in _MAY_HAVE_ACTED and outcome.undo is None and (tool is None or tool.undo):
                yield operation.calls[call_id]

    async def _undo(self, call: Call, operation: Operation) -> bool:
        """One undo with its records; False when the end of the grace cut it."""
        started_at = trio.current_time()
        with trio.CancelScope(shield=True):  # each of its parts is bounded
            await self.records.write(UndoIntended(operation_id=operation.id, call_id=call.id, at=self.now()))
            attempted = await self._act(call, operation)
            if attempted is None:
                return False
            status, error = attempted
            await self.records.write(
                Undone(operation_id=operation.id, call_id=call.id, status=status, error=error)
            )
        outcome = operation.outcomes[call.id]
        operation.outcomes[call.id] = attrs.evolve(outcome, undo=status, undo_error=error)
        self.events.emit(
            CallUndone(
                user_id=operation.user.id,
                operation_id=operation.id,
                call_id=call.id,
                tool=call.tool,
                status=status,
                seconds=trio.current_time() - started_at,
                error=error,
            )
        )
        return True

    async def _act(self, call: Call, operation: Operation) -> tuple[UndoStatus, str | None] | None:
        """Make the undo, and say how it went; None when a shutdown cut it."""
        if operation.crashes >= self.limits.recovery_attempts_max:
            return UndoStatus.FAILED, f"the process died {operation.crashes} times in a row meanwhile"
        tool = self.tools.get(call.tool)
        if tool is None or tool.undo is None:
            return UndoStatus.FAILED, f"the assistant has no tool {call.tool!r} any more"
        error: str | None = None
        with trio.CancelScope() as scope:
            operation.bound_wave(scope, tool.timeout)
            try:
                await self._attempt(tool, call, operation)
            # SystemExit: an undo that calls sys.exit() means itself, not the other users' process.
            except* (Exception, SystemExit) as errors:
                error = one_line(errors)
        operation.wave_scope = None
        if scope.cancelled_caught:
            if operation.waves_end_by <= trio.current_time():
                return None
            return UndoStatus.TIMED_OUT, f"after {tool.timeout:g} s"
        return (UndoStatus.FAILED, error) if error is not None else (UndoStatus.UNDONE, None)

    async def _attempt(self, tool: Tool, call: Call, operation: Operation) -> None:
        context = ToolContext(
            user=operation.user,
            # The call's own: whoever acted by it can find what was done by it.
            idempotency_key=f"{operation.id}/{call.id}",
            credentials=await self.contexts.load_credentials(operation),
        )
        arguments = _arguments(tool, call, operation.outcomes, context)
        attempts = stamina.retry_context(
            on=Exception,
            attempts=self.limits.undo_attempts_max,
            timeout=None,
            wait_initial=_RETRY_SECONDS_MIN,
            wait_max=_RETRY_SECONDS_MAX,
            wait_jitter=0,
        )
        async for attempt in attempts:
            with attempt:
                await self._once(tool, (arguments, operation.outcomes[call.id], context))

    async def _once(self, tool: Tool, arguments: tuple[object, Outcome, ToolContext]) -> None:
        undo = tool.undo
        assert undo is not None  # noqa: S101  # looked at before
        if inspect.iscoroutinefunction(undo) or inspect.iscoroutinefunction(getattr(undo, "__call__", None)):  # noqa: B004
            await undo(*arguments)
        else:
            run = Run(self.threads, arguments[2].user.id, lambda error: None)
            await self.threads.run(run, lambda: undo(*arguments))


def _arguments(
    tool: Tool, call: Call, outcomes: Mapping[str, Outcome], context: ToolContext
) -> dict[str, object]:
    """What the tool was called with, by name.  Raises ToolFailed when that cannot be known any more."""
    arguments = tool.arguments(resolve(call.args, outcomes), context)
    arguments.pop("context", None)
    return arguments
