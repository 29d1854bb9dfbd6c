"""One user's live row in the table of sessions: what runs, what waits, and the parent of its tasks."""

from collections.abc import Mapping
from typing import Any

import attrs
import trio

from engine.limits import Limits
from engine.model import Message, User
from engine.operation import Operation
from engine.phases import Phase, Reason
from engine.policy import Snapshot
from engine.progress import ProgressNotifier
from engine.waiting import WaitingMessages


@attrs.define(eq=False, kw_only=True)
class ActiveSession:
    """One user's live row in the table."""

    user: User
    # Messages that have been delivered and not begun.
    waiting: WaitingMessages = attrs.field(factory=WaitingMessages, repr=False)
    # What waits has changed, or it is time to stop: whoever waits for the next start looks again.
    changed: trio.Event = attrs.field(factory=trio.Event, repr=False)
    # The operation that runs, with its scope; None between operations.
    operation: Operation | None = None
    # The parent of everything the operation does; open while there is one.
    nursery: trio.Nursery | None = attrs.field(default=None, repr=False)
    notifier: ProgressNotifier | None = attrs.field(default=None, repr=False)
    # Its first operation is an earlier process's, or a message's that waited then: it waits its turn.
    is_recovered: bool = False
    # How many of its operations in a row were interrupted last (P13).
    interruptions: int = 0
    # Another session of the same user, found to be one with this: nothing starts before that has ended.
    joining: "ActiveSession | None" = attrs.field(default=None, repr=False)
    # The message whose operation goes on instead of this one's.
    gives_way_to: str | None = None
    has_ended: trio.Event = attrs.field(factory=trio.Event, repr=False)

    @property
    def user_id(self) -> str:
        return self.user.id

    @property
    def message(self) -> Message | None:
        """The message that is being worked on."""
        return self.operation.message if self.operation else None

    @property
    def scope(self) -> trio.CancelScope | None:
        """The cancel scope of the operation that runs."""
        return self.operation.scope if self.operation else None

    @property
    def started_at(self) -> float | None:
        """When the operation began, on Trio's clock."""
        return self.operation.started_at if self.operation else None

    @property
    def credentials(self) -> Mapping[str, Any]:
        """What the operation's tools may use; never stored or logged."""
        return (self.operation.credentials if self.operation else None) or {}

    def snapshot(self, limits: Limits, *, is_late: bool = False, phase: Phase | None = None) -> Snapshot:
        """The session as a policy sees it; `phase`: as if its operation stood there."""
        operation = self.operation
        if operation is None:
            return Snapshot(phase=None, waiting=len(self.waiting), is_late=is_late)
        operation.notice_deadline()
        return Snapshot(
            phase=phase or operation.phase,
            running=operation.message,
            interrupted=operation.reason is not None,
            waiting=len(self.waiting),
            is_late=is_late,
            is_protected=operation.is_protected,
            can_adapt=operation.round < limits.adaptations_max,
        )

    def become(self, user: User) -> None:
        """Its user has another id now; what runs goes on, under that."""
        self.user = user
        self.waiting.become(user)
        if self.operation is not None:
            self.operation.become(user)

    def count(self, operation: Operation) -> None:
        """An operation has ended: one interruption more in a row, or the end of that row (P13)."""
        is_interrupted = operation.phase is Phase.INTERRUPTED and operation.reason is Reason.NEW_MESSAGE
        if is_interrupted and not operation.stops.were_heard:
            self.interruptions += 1
        elif operation.phase is not Phase.SUSPENDED:
            self.interruptions = 0
