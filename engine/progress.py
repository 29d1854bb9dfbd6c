"""What a user sees while an operation runs: the typing indicator, and a few progress notes.

Rule 1: typing is shown at once, and again whenever something else has hidden it.
Rule 2: notes are counted and paced for each operation anew; an interruption drops those not yet sent.
"""

import math
from collections.abc import Callable

import attrs
import trio

from engine.errors import AssistantError
from engine.events import Events, ProgressDropped
from engine.limits import Limits
from engine.model import OutboxRow, OutgoingKind, TypingSignal
from engine.operation import Operation
from engine.records import Records
from engine.store import Queue
from engine.typing_signals import TypingSignals


@attrs.define(eq=False, kw_only=True)
class ProgressNotifier:
    """Tells one operation's user how it goes."""

    operation: Operation
    records: Records
    events: Events
    limits: Limits
    new_id: Callable[[], str]
    typing: TypingSignals
    _message_id: str = ""
    _is_typing: bool = False
    _notes: int = 0
    _last_note_at: float = -math.inf

    def start_typing(self) -> None:
        """Show the typing indicator until `stop_typing`."""
        self._is_typing = True
        message_id = self._message_id or self.operation.message.id
        self.typing.keep(TypingSignal(user=self.operation.user, message_id=message_id))

    def stop_typing(self) -> bool:
        """Nothing is under way any more; returns whether it was shown until now."""
        was_typing, self._is_typing = self._is_typing, False
        if was_typing:
            self.typing.release(self.operation.user.id)
        return was_typing

    def show_again(self, message_id: str = "") -> None:
        """Show typing anew: a newer message came (its id), or something of ours has hidden the indicator."""
        self._message_id = message_id or self._message_id
        if self._is_typing:
            self.start_typing()

    async def note(self, text: str) -> bool:
        """Send a progress note, unless there were enough; returns whether it was sent."""
        # A planner that is cut must not say anything more.
        await trio.lowlevel.checkpoint_if_cancelled()
        if not isinstance(text, str) or not text.strip() or len(text) > self.limits.text_characters_max:
            raise AssistantError(
                f"a progress note is a text of 1 to {self.limits.text_characters_max} characters"
            )
        if refusal := self._refusal():
            self._drop(refusal)
            return False
        self._notes += 1
        self._last_note_at = trio.current_time()
        row = OutboxRow(
            id=self.new_id(),
            user=self.operation.user,
            kind=OutgoingKind.NOTE,
            text=text,
            operation_id=self.operation.id,
            message_id=self.operation.message.id,
        )
        return await self.records.offer(Queue(row))

    def _refusal(self) -> str | None:
        if self._notes >= self.limits.progress_notes_max:
            return "count"
        if trio.current_time() - self._last_note_at < self.limits.progress_seconds_min:
            return "pace"
        return None

    def _drop(self, reason: str) -> None:
        self.events.emit(
            ProgressDropped(user_id=self.operation.user.id, operation_id=self.operation.id, reason=reason)
        )
