"""One user's live row in the table of sessions: what runs, what waits, and the parent of its tasks."""

from collections.abc import Mapping
from typing import Any

import attrs
import trio

from engine.model import Message, User
from engine.operation import Operation
from engine.policy import Snapshot
from engine.progress import ProgressNotifier


def _order(message: Message) -> tuple[int, int]:
    return message.order


@attrs.define(eq=False, kw_only=True)
class ActiveSession:
    """One user's live row in the table."""

    user: User
    # Messages that have been delivered and not begun, in inbox order.
    waiting: list[Message] = attrs.field(factory=list, repr=False)
    # The operation that runs, with its scope; None between operations.
    operation: Operation | None = None
    # The parent of everything the operation does; open while there is one.
    nursery: trio.Nursery | None = attrs.field(default=None, repr=False)
    notifier: ProgressNotifier | None = attrs.field(default=None, repr=False)
    # Its first operation is an earlier process's, or a message's that waited then: it waits its turn.
    is_recovered: bool = False

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
        return self.operation.credentials if self.operation else {}

    def newest_waiting_id(self) -> str | None:
        """The id of the message that runs next."""
        newest = max(self.waiting, key=_order, default=None)
        return newest.id if newest else None

    def take_waiting(self) -> tuple[Message, tuple[Message, ...]]:
        """The message that runs next, and those it supersedes; nothing waits afterwards."""
        newest = max(self.waiting, key=_order)
        between = tuple(message for message in self.waiting if message is not newest)
        self.waiting = []
        return newest, between

    def snapshot(self) -> Snapshot:
        """The session as a policy sees it."""
        if self.operation is None:
            return Snapshot(phase=None)
        return Snapshot(phase=self.operation.phase, interrupted=self.operation.reason is not None)
