"""Frozen facts in the past tense, and the hooks that hear of them.

Rule 1: a hook is synchronous and may not block; one that raises is logged and hurts nothing.
Rule 2: an event's fields hold no secret; user ids are masked by whoever writes them down.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

import attrs
import structlog

from engine.model import Delivery, Fate, Message, OutgoingKind, Status, UndoStatus

_log: Final = structlog.get_logger("midstream.events")


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened.  `name` is the class's name in snake case."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        # attrs makes the class twice (slots); the name is the same both times.
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


# Messages -----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class MessageAccepted(Event):
    """A message is on disk and has its place in the inbox."""

    user_id: str
    message_id: str
    sequence: int


@attrs.frozen(kw_only=True)
class MessageSettled(Event):
    """A message's fate is recorded (P4)."""

    user_id: str
    message_id: str
    fate: Fate


@attrs.frozen(kw_only=True)
class MessageRejected(Event):
    """A message was refused; the user was told.  `limit` names the bound that was reached, or is `policy`."""

    user_id: str
    message_id: str
    limit: str


@attrs.frozen(kw_only=True)
class MessageDeferred(Event):
    """A message would have interrupted and waits: too many before it did so in a row (P13)."""

    user_id: str
    message_id: str
    operation_id: str
    interruptions: int


@attrs.frozen(kw_only=True)
class PolicyFailed(Event):
    """A policy of somebody's own raised or returned no Decision; `interrupt` decided instead."""

    user_id: str
    message_id: str
    error: str


# Sessions -----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SessionStarted(Event):
    """An operation began."""

    user_id: str
    message: Message
    operation_id: str


@attrs.frozen(kw_only=True)
class SessionResumed(Event):
    """An operation that an earlier process left goes on; `crashes`: how many it has survived in a row."""

    user_id: str
    message: Message
    operation_id: str
    crashes: int


@attrs.frozen(kw_only=True)
class SessionCancelled(Event):
    """An operation was cancelled and has ended.

    `reason`: `new_message_received`, `user_stopped`, `deadline` or `taken_over`.  `elapsed_time`: seconds
    since its start.  `switch_seconds`: from the interruption to its end, the wave it had to finish included.
    """

    user_id: str
    reason: str
    elapsed_time: float
    operation_id: str
    switch_seconds: float


@attrs.frozen(kw_only=True)
class SessionCompleted(Event):
    """An operation's reply stands in the outbox.  `duration` in seconds, `tools_executed` started calls."""

    user_id: str
    duration: float
    tools_executed: int
    operation_id: str


@attrs.frozen(kw_only=True)
class SessionFailed(Event):
    """An operation broke; the user got an apology.  `reason` is one line."""

    user_id: str
    reason: str
    duration: float
    operation_id: str


@attrs.frozen(kw_only=True)
class SessionSuspended(Event):
    """An operation stopped without an end; it goes on after the restart.  `reason`: `shutdown` or `store`."""

    user_id: str
    reason: str
    operation_id: str


# Within an operation ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PlanAccepted(Event):
    """A plan was checked and recorded.  `round` is 0 for the first, then one more each adaptation."""

    user_id: str
    operation_id: str
    round: int
    waves: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class WaveStarted(Event):
    """The intents of a wave are recorded and its calls begin.  `wave` counts from 1."""

    user_id: str
    operation_id: str
    wave: int
    call_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class WaveFinished(Event):
    """The outcomes of a wave are recorded."""

    user_id: str
    operation_id: str
    wave: int
    seconds: float


@attrs.frozen(kw_only=True)
class CallStarted(Event):
    """A tool was called."""

    user_id: str
    operation_id: str
    call_id: str
    tool: str


@attrs.frozen(kw_only=True)
class CallFinished(Event):
    """A call ended, or was not made.  `error` is one line, None when it succeeded.

    `reused`: it was not made, since a superseded request had the outcome already.
    """

    user_id: str
    operation_id: str
    call_id: str
    tool: str
    status: Status
    seconds: float
    error: str | None
    reused: bool = False


@attrs.frozen(kw_only=True)
class CallUndone(Event):
    """A call of an interrupted operation was taken back, or could not be.  `error` is one line."""

    user_id: str
    operation_id: str
    call_id: str
    tool: str
    status: UndoStatus
    seconds: float
    error: str | None


@attrs.frozen(kw_only=True)
class ValueLost(Event):
    """A call succeeded and its result could not be stored."""

    user_id: str
    operation_id: str
    call_id: str
    tool: str
    error: str


@attrs.frozen(kw_only=True)
class StragglerAppeared(Event):
    """A worker thread outlived its call; it cannot be stopped, only counted."""

    user_id: str
    operation_id: str
    call_id: str
    tool: str


@attrs.frozen(kw_only=True)
class StragglerReturned(Event):
    """A straggler's thread ended.  `seconds` since its start; `error` is one line, None when it returned."""

    user_id: str
    operation_id: str
    call_id: str
    tool: str
    seconds: float
    error: str | None


@attrs.frozen(kw_only=True)
class ProgressDropped(Event):
    """A progress note was not sent.  `reason`: `count`, `pace` or `interrupted`."""

    user_id: str
    operation_id: str
    reason: str


# Sending ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class OutgoingQueued(Event):
    """A message to a user stands in the outbox."""

    user_id: str
    row_id: str
    kind: OutgoingKind


@attrs.frozen(kw_only=True)
class OutgoingSent(Event):
    """A message to a user was taken by the provider.  `seconds` since it stood in the outbox."""

    user_id: str
    row_id: str
    kind: OutgoingKind
    attempts: int
    seconds: float


@attrs.frozen(kw_only=True)
class OutgoingDelayed(Event):
    """A message to a user could not be sent yet and is tried again in `wait_seconds`."""

    user_id: str
    row_id: str
    kind: OutgoingKind
    attempts: int
    wait_seconds: float
    error: str


@attrs.frozen(kw_only=True)
class OutgoingGivenUp(Event):
    """A message to a user will not be sent: a dead letter."""

    user_id: str
    row_id: str
    kind: OutgoingKind
    attempts: int
    error: str


@attrs.frozen(kw_only=True)
class OutgoingBlocked(Event):
    """Nothing can be sent until the operator has mended the token, a permission or a policy: an alarm.

    `number`: from which of the business's numbers, by its id; empty for the first.
    """

    error: str
    wait_seconds: float
    number: str = ""


@attrs.frozen(kw_only=True)
class OutgoingReported(Event):
    """The provider told what became of a message.  `error` is one line, None unless it failed.

    `billable`, `category` and `conversation_id` are what it says of the price; None and empty if not.
    """

    user_id: str
    row_id: str
    kind: OutgoingKind
    delivery: Delivery
    error: str | None
    billable: bool | None = None
    category: str = ""
    conversation_id: str = ""


# The engine itself --------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class RecoveryStarted(Event):
    """An earlier process left work behind: operations to go on with, and messages that wait."""

    operations: int
    messages: int


@attrs.frozen(kw_only=True)
class StoreFailed(Event):
    """The store refused a read or a write; `error` is one line."""

    error: str


@attrs.frozen(kw_only=True)
class ProviderTold(Event):
    """The provider said something of an account, a number or a template: of no message.

    `field` is its word for it ("account_update"), or "unknown"; `value` is all of it, as it came.
    """

    field: str
    value: Any


@attrs.frozen(kw_only=True)
class DrainStarted(Event):
    """The process was told to stop: no new operation or wave starts."""

    grace_seconds: float
    sessions: int


@attrs.frozen(kw_only=True)
class DrainFinished(Event):
    """Every operation has ended or is suspended."""

    seconds: float


Hook = Callable[[Event], None]


class Events:
    """Where events are told, and who hears them.  `subscribe` returns the function that unsubscribes."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []

    def subscribe(self, hook: Hook) -> Callable[[], None]:
        """Call `hook(event)` for every event from now on, in order."""
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    def emit(self, event: Event) -> None:
        """Tell every hook; never raises."""
        for hook in tuple(self._hooks):
            try:
                hook(event)
            except (Exception, SystemExit):  # a hook that calls sys.exit() means itself
                _log.exception("hook_failed", event_name=event.name, hook=repr(hook))
