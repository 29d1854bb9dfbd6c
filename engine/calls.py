"""Makes one call: the tool, its timeout, its retries; whatever happens becomes an outcome.

Rule 1: a tool that raises, hangs or returns what cannot be stored ends its own call and nothing else.
Rule 2: what a plain function did after its timeout is unknown: its thread cannot be stopped.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import stamina
import trio

from engine.errors import ToolFailed, one_line
from engine.events import (
    CallFinished,
    CallStarted,
    Event,
    Events,
    StragglerAppeared,
    StragglerReturned,
    ValueLost,
)
from engine.limits import Limits
from engine.model import Outcome, Status
from engine.operation import Operation
from engine.plan import Call, resolve
from engine.threads import Run, Threads
from engine.tools import Tool, ToolContext, from_json_form, json_size, to_json_form

_RETRY_SECONDS_MIN: Final = 0.125
_RETRY_SECONDS_MAX: Final = 5.0


@attrs.frozen(eq=False)
class Caller:
    """Makes calls of one assistant's tools."""

    tools: Mapping[str, Tool]
    threads: Threads
    events: Events
    limits: Limits

    async def call(self, call: Call, operation: Operation) -> None:
        """Make one call and put its outcome into `operation.outcomes`, however it ends."""
        attempt = _Attempt(self, call, operation)
        self.events.emit(attempt.event(CallStarted))
        try:
            await attempt.run()
        finally:
            attempt.note_straggler()
            outcome = operation.outcomes[call.id] = attempt.outcome()
            self.events.emit(
                attempt.event(
                    CallFinished, status=outcome.status, seconds=outcome.seconds, error=outcome.error
                )
            )


@attrs.define(eq=False)
class _Attempt:
    """One call under way.  Until it has ended it counts as cut off: that is what a cancellation leaves."""

    caller: Caller
    call: Call
    operation: Operation
    started_at: float = attrs.field(factory=trio.current_time)
    status: Status = Status.CUT_OFF
    error: str | None = "the wave ran out of time"
    raw: Any = None
    value: Any = None
    value_lost: bool = False
    thread: Run | None = None

    def event(self, kind: Callable[..., Event], **fields: Any) -> Event:
        return kind(
            user_id=self.operation.user.id,
            operation_id=self.operation.id,
            call_id=self.call.id,
            tool=self.call.tool,
            **fields,
        )

    @property
    def seconds(self) -> float:
        return trio.current_time() - self.started_at

    def outcome(self) -> Outcome:
        return Outcome(
            call_id=self.call.id,
            tool=self.call.tool,
            status=self.status,
            raw=self.raw,
            error=self.error,
            value_lost=self.value_lost,
            seconds=self.seconds,
            value=self.value,
        )

    async def run(self) -> None:
        tool = self.caller.tools.get(self.call.tool)
        if tool is None:
            self._fail(ToolFailed(f"the assistant has no tool {self.call.tool!r} any more"))
            return
        with trio.move_on_after(tool.timeout) as scope:
            try:
                self._succeed(await self._act(tool), tool)
            # SystemExit: a tool that calls sys.exit() means itself, not the other users' process.
            except* (Exception, SystemExit) as errors:
                self._fail(errors)
        if scope.cancelled_caught:
            waited = self.thread is not None and not self.thread.started
            self.status = Status.TIMED_OUT
            self.error = (
                f"no worker thread was free for {tool.timeout:g} s" if waited else f"after {tool.timeout:g} s"
            )

    def note_straggler(self) -> None:
        if self.thread is not None and self.thread.straggling:
            self.status = Status.UNKNOWN
            self.error = "its thread did not end in time and may still be at work"
            self.caller.events.emit(self.event(StragglerAppeared))

    async def _act(self, tool: Tool) -> Any:
        arguments = tool.arguments(
            resolve(self.call.args, self.operation.outcomes),
            ToolContext(
                user=self.operation.user,
                # The same for every attempt, over retries and restarts.
                idempotency_key=f"{self.operation.id}/{self.call.id}",
                credentials=self.operation.credentials or {},
            ),
        )
        if not tool.retries:
            return await self._once(tool, arguments)
        attempts = stamina.retry_context(
            on=Exception,
            attempts=tool.retries + 1,
            timeout=None,
            wait_initial=_RETRY_SECONDS_MIN,
            wait_max=_RETRY_SECONDS_MAX,
            wait_jitter=0,
        )
        async for attempt in attempts:
            with attempt:
                return await self._once(tool, arguments)
        raise AssertionError("unreachable: the last attempt raises")

    async def _once(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        if tool.is_async:
            return await tool.function(**arguments)
        self.thread = Run(self.caller.threads, self.operation.user.id, self._returned_late)
        return await self.caller.threads.run(self.thread, lambda: tool.function(**arguments))

    def _returned_late(self, error: str | None) -> None:
        self.caller.events.emit(self.event(StragglerReturned, seconds=self.seconds, error=error))

    def _succeed(self, value: Any, tool: Tool) -> None:
        self.status, self.error = Status.SUCCEEDED, None
        try:
            raw = to_json_form(value, tool.returns)
            if (size := json_size(raw)) > self.caller.limits.value_bytes_max:
                raise ToolFailed(f"its {size} bytes are over value_bytes_max")
            self.raw, self.value = raw, from_json_form(raw, tool.returns)
        except Exception as error:  # whatever a foreign type's own conversion raises
            self.value_lost = True
            self.error = f"its result cannot be stored: {error}"
            self.caller.events.emit(self.event(ValueLost, error=self.error))

    def _fail(self, error: BaseException) -> None:
        self.status = Status.FAILED
        self.error = one_line(error)
