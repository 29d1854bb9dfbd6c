"""Shows the typing indicator: at once or not at all, again before it fades, and never after the reply.

Rule 1: one task shows it again for everybody; a session has none for that.
"""

from collections.abc import Callable
from typing import Final

import structlog
import trio

from engine.assistant import Outbound
from engine.errors import SendError
from engine.limits import Limits
from engine.model import TypingSignal, User

_log: Final = structlog.get_logger("midstream.outbox")


class TypingSignals:
    """Sends typing signals, one at a time for each user.  `is_held`: nothing can be sent to them just now."""

    def __init__(
        self, nursery: trio.Nursery, outbound: Outbound, limits: Limits, is_held: Callable[[User], bool]
    ) -> None:
        self._nursery = nursery
        self._outbound = outbound
        self._limits = limits
        self._is_held = is_held
        # Users with a signal under way, and the signal that is to be shown last.
        self._newest: dict[str, TypingSignal | None] = {}
        # What is shown again, and when: all wait equally long, so the first is due first.
        self._kept: dict[str, tuple[float, TypingSignal]] = {}
        self._keeping: trio.CancelScope | None = None

    def keep(self, typing: TypingSignal) -> None:
        """Show the typing indicator now, and again before it fades, until it is released."""
        self._kept.pop(typing.user.id, None)
        self._kept[typing.user.id] = (trio.current_time() + self._limits.typing_seconds, typing)
        self.show(typing)
        if self._keeping is None:
            self._keeping = trio.CancelScope()
            self._nursery.start_soon(self._show_again, self._keeping)

    def release(self, user_id: str) -> None:
        """It is not shown again."""
        self._kept.pop(user_id, None)
        if not self._kept and self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    async def _show_again(self, until: trio.CancelScope) -> None:
        with until:
            while self._kept:
                due_at, typing = next(iter(self._kept.values()))
                if due_at > trio.current_time():
                    await trio.sleep_until(due_at)
                else:
                    self.keep(typing)

    def show(self, typing: TypingSignal) -> None:
        """Show the typing indicator; of several that wait, only the newest is shown."""
        under_way = typing.user.id in self._newest
        self._newest[typing.user.id] = typing
        if not under_way:
            self._nursery.start_soon(self._show, typing.user.id)

    def forget(self, user_id: str) -> None:
        """The reply is there: what waits announces nothing any more."""
        self.release(user_id)
        if user_id in self._newest:
            self._newest[user_id] = None

    async def _show(self, user_id: str) -> None:
        shown: TypingSignal | None = None
        while (typing := self._newest[user_id]) is not shown:
            shown = typing
            if typing is not None and not self._is_held(typing.user):
                await self._show_once(typing)
        del self._newest[user_id]

    async def _show_once(self, typing: TypingSignal) -> None:
        # Older than this it announces nothing.
        with trio.move_on_after(self._limits.typing_seconds):
            try:
                await self._outbound(typing)
            except SendError as error:
                _log.debug("typing_not_shown", error=str(error))
            except Exception:
                _log.exception("outbound_failed")
