"""Midstream's rival: bare Trio doing the same, as one would write it in an afternoon, and keeping nothing.

A dict of users; each has a task with a nursery and a cancel scope.  A newer message cancels the scope; a
wave is shielded.  No record, no bound, no policy, no history.
"""

from collections import deque
from collections.abc import Callable

import attrs
import trio

from web.bench.probe import WORK, Probe


@attrs.define(eq=False)
class Row:
    """One user's."""

    waiting: deque[str] = attrs.field(factory=deque)
    scope: trio.CancelScope | None = None


@attrs.define(eq=False)
class Bare:
    """The sessions.  `joined` hears of each operation that has ended."""

    nursery: trio.Nursery
    probe: Probe
    joined: Callable[[str], None]
    outbox: deque[tuple[str, str]] = attrs.field(factory=lambda: deque(maxlen=1000))
    rows: dict[str, Row] = attrs.field(factory=dict)

    @property
    def live_sessions(self) -> int:
        """How many users have work under way."""
        return len(self.rows)

    def deliver(self, user_id: str, text: str) -> None:
        """A message has come."""
        self.probe.stamp("accepted", user_id)
        row = self.rows.get(user_id)
        if row is None:
            row = self.rows[user_id] = Row()
            self.nursery.start_soon(self._serve, user_id, row)
        row.waiting.append(text)
        if row.scope is not None:
            row.scope.cancel()
            self.nursery.start_soon(self._acknowledge, user_id)

    async def _acknowledge(self, user_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self.outbox.append((user_id, "acknowledgement"))
        self.probe.stamp("acknowledged", user_id)

    async def _serve(self, user_id: str, row: Row) -> None:
        while row.waiting:
            text = row.waiting.popleft()
            async with trio.open_nursery():
                with trio.CancelScope() as row.scope:
                    await self._run(user_id, text)
            row.scope = None
            self.joined(user_id)
        del self.rows[user_id]

    async def _run(self, user_id: str, text: str) -> None:
        await self.probe.think(text, user_id)
        if text == WORK:
            await trio.lowlevel.checkpoint_if_cancelled()
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as wave:  # noqa: ASYNC112  # as many calls as there are
                    wave.start_soon(self.probe.work, user_id)
        await trio.lowlevel.checkpoint_if_cancelled()
        self.outbox.append((user_id, "Done."))
        self.probe.stamp("answered", user_id)
