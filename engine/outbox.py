"""Sends what stands in the outbox: each user's rows in order, one user's failures delaying nobody else.

Rule 1: a row is marked `sending` durably before its request.
Rule 2: a line lives while it has rows; no session waits for it (P10).
Rule 3: the typing indicator goes out at once or not at all, and never after the reply it announces.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import structlog
import trio

from engine.assistant import Outbound
from engine.errors import SendBlocked, SendDelayed, SendError
from engine.events import (
    Events,
    OutgoingBlocked,
    OutgoingDelayed,
    OutgoingGivenUp,
    OutgoingQueued,
    OutgoingSent,
)
from engine.limits import Limits
from engine.model import OutboxRow, OutgoingKind, SendState, TypingSignal
from engine.records import Records
from engine.sending import GiveUp, SendOnceMore, Wait, after
from engine.store import Mark

_log: Final = structlog.get_logger("midstream.outbox")


@attrs.define(eq=False)
class _Letter:
    """A row on its way, with what happened to it so far."""

    row: OutboxRow
    queued_at: float
    attempts: int
    # It may have been sent already: one more attempt, at most.
    was_ambiguous: bool = False


@attrs.define(eq=False)
class _Line:
    """One user's letters, in order.  A task sends them until there are none."""

    user_id: str
    letters: deque[_Letter] = attrs.field(factory=deque)


class Outbox:
    """Hands rows to the way out.  `on_sent` hears of each row that was taken."""

    def __init__(
        self,
        nursery: trio.Nursery,
        outbound: Outbound,
        records: Records,
        events: Events,
        limits: Limits,
        on_sent: Callable[[OutboxRow], None],
    ) -> None:
        self._nursery = nursery
        self._outbound = outbound
        self._records = records
        self._events = events
        self._limits = limits
        self._on_sent = on_sent
        self._lines: dict[str, _Line] = {}
        self._typing: dict[str, TypingSignal | None] = {}
        self._requests = trio.CapacityLimiter(limits.sends_max)
        self._number_failures = 0
        self._held_until = 0.0
        self._line_ended = trio.Event()

    # What is to be sent; all of it synchronous ----------------------------------------------------

    def enqueue(self, rows: Iterable[OutboxRow]) -> None:
        """Send these rows, each user's in order.  Called when they were committed."""
        for row in rows:
            self._events.emit(OutgoingQueued(user_id=row.user.id, row_id=row.id, kind=row.kind))
            if row.kind is OutgoingKind.REPLY and row.user.id in self._typing:
                self._typing[row.user.id] = None
            self._put(_Letter(row, queued_at=trio.current_time(), attempts=row.attempts))

    def drop(self, rows: Iterable[OutboxRow]) -> None:
        """Forget rows that were dropped before they were on their way."""
        for row in rows:
            line = self._lines.get(row.user.id)
            if line is not None:
                line.letters = deque(letter for letter in line.letters if letter.row.id != row.id)

    def signal(self, typing: TypingSignal) -> None:
        """Show the typing indicator; of several that wait, only the newest is shown."""
        under_way = typing.user.id in self._typing
        self._typing[typing.user.id] = typing
        if not under_way:
            self._nursery.start_soon(self._show_typing, typing.user.id)

    def _put(self, letter: _Letter) -> None:
        user_id = letter.row.user.id
        line = self._lines.get(user_id)
        if line is None:
            line = self._lines[user_id] = _Line(user_id)
            self._nursery.start_soon(self._run_line, line)
        line.letters.append(letter)

    async def flush(self, seconds: float) -> None:
        """Wait until every line is empty, at most `seconds`."""
        with trio.move_on_after(seconds):
            while self._lines:
                self._line_ended = trio.Event()
                await self._line_ended.wait()

    # One user's line ------------------------------------------------------------------------------

    async def _run_line(self, line: _Line) -> None:
        while line.letters:
            letter = line.letters[0]
            try:
                await self._deliver(letter, line)
            except Exception:  # a bug of ours must not stop other users' lines
                _log.exception("sending_failed", row_id=letter.row.id)
            if letter in line.letters:
                line.letters.remove(letter)
        del self._lines[line.user_id]
        self._line_ended.set()

    async def _deliver(self, letter: _Letter, line: _Line) -> None:
        """Send one letter, however often it takes; returns when it needs no more of this line."""
        while letter in line.letters:  # until it is sent, or dropped
            await trio.sleep_until(self._held_until)
            async with self._requests:
                if letter not in line.letters or trio.current_time() < self._held_until:
                    continue
                error = await self._attempt(letter)
                if error is None:
                    return
                verdict = self._judge(error, letter)
            match verdict:
                case Wait():
                    await self._wait(letter, error, verdict)
                case GiveUp():
                    await self._give_up(letter, error)
                    return
                case SendOnceMore():
                    self._delayed(letter, error, verdict.seconds)
                    self._nursery.start_soon(self._send_once_more, letter, verdict.seconds)
                    return

    async def _attempt(self, letter: _Letter) -> SendError | None:
        """One request; None when the row was taken."""
        letter.attempts += 1
        if not await self._mark(letter, SendState.SENDING):
            letter.attempts -= 1
            return SendDelayed("the store cannot be written", whole_number=True)
        try:
            provider_id = await self._outbound(letter.row)
        except SendError as error:
            return error
        except Exception as error:
            _log.exception("outbound_failed", row_id=letter.row.id)
            return SendDelayed(f"{type(error).__name__} in the way out")
        self._number_failures = 0
        await self._mark(letter, SendState.SENT, provider_id=provider_id or "")
        self._events.emit(
            OutgoingSent(
                user_id=letter.row.user.id,
                row_id=letter.row.id,
                kind=letter.row.kind,
                attempts=letter.attempts,
                seconds=trio.current_time() - letter.queued_at,
            )
        )
        self._on_sent(letter.row)
        return None

    def _judge(self, error: SendError, letter: _Letter) -> Wait | GiveUp | SendOnceMore:
        """What follows an error.  The whole number is held before another request can begin."""
        verdict = after(
            error,
            attempts=letter.attempts,
            number_failures=self._number_failures,
            was_ambiguous=letter.was_ambiguous,
            limits=self._limits,
        )
        # Several requests may fail together: that is one failure of the number.
        if isinstance(verdict, Wait) and verdict.whole_number and trio.current_time() >= self._held_until:
            self._number_failures += 1
            self._held_until = trio.current_time() + verdict.seconds
            if isinstance(error, SendBlocked):
                self._events.emit(OutgoingBlocked(error=str(error), wait_seconds=verdict.seconds))
        return verdict

    async def _wait(self, letter: _Letter, error: SendError, wait: Wait) -> None:
        # Certainly not sent: nothing about it is ambiguous, and a note may still be dropped.
        await self._mark(letter, SendState.PENDING, error=str(error))
        self._delayed(letter, error, wait.seconds)
        if not wait.whole_number:
            await trio.sleep(wait.seconds)

    async def _give_up(self, letter: _Letter, error: SendError) -> None:
        await self._mark(letter, SendState.DEAD, error=str(error))
        self._events.emit(
            OutgoingGivenUp(
                user_id=letter.row.user.id,
                row_id=letter.row.id,
                kind=letter.row.kind,
                attempts=letter.attempts,
                error=str(error),
            )
        )

    async def _send_once_more(self, letter: _Letter, seconds: float) -> None:
        await trio.sleep(seconds)
        letter.was_ambiguous = True
        self._put(letter)

    def _delayed(self, letter: _Letter, error: SendError, seconds: float) -> None:
        self._events.emit(
            OutgoingDelayed(
                user_id=letter.row.user.id,
                row_id=letter.row.id,
                kind=letter.row.kind,
                attempts=letter.attempts,
                wait_seconds=seconds,
                error=str(error),
            )
        )

    async def _mark(
        self, letter: _Letter, state: SendState, *, provider_id: str = "", error: str = ""
    ) -> bool:
        return await self._records.offer(
            Mark(
                row_id=letter.row.id,
                state=state,
                attempts=letter.attempts,
                provider_id=provider_id,
                error=error,
            )
        )

    # Typing ---------------------------------------------------------------------------------------

    async def _show_typing(self, user_id: str) -> None:
        shown: TypingSignal | None = None
        while (typing := self._typing[user_id]) is not shown:
            shown = typing
            if typing is not None and trio.current_time() >= self._held_until:
                await self._show_once(typing)
        del self._typing[user_id]

    async def _show_once(self, typing: TypingSignal) -> None:
        # Older than this it announces nothing.
        with trio.move_on_after(self._limits.typing_seconds):
            try:
                await self._outbound(typing)
            except SendError as error:
                _log.debug("typing_not_shown", error=str(error))
            except Exception:
                _log.exception("outbound_failed")
