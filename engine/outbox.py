"""Sends what stands in the outbox: each user's rows in order, one user's failures delaying nobody else.

Rule 1: a row is marked durably before its request: what is found so after a crash may have been sent.
Rule 2: a row that may have been sent is sent once more, at most, and holds back no other.
Rule 3: what holds up one of the business's numbers holds up no other.
Rule 4: rows are in memory up to a bound, a user's up to a smaller one; the others wait in the store, and no
session waits for any (P10).
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import structlog
import trio

from engine.assistant import Outbound
from engine.errors import (
    SendAmbiguous,
    SendBlocked,
    SendDelayed,
    SendError,
    SendRefused,
    StoreError,
    StoreUnavailable,
)
from engine.events import (
    Events,
    OutgoingBlocked,
    OutgoingDelayed,
    OutgoingGivenUp,
    OutgoingQueued,
    OutgoingReported,
    OutgoingSent,
)
from engine.limits import Limits
from engine.model import Delivery, OutboxRow, OutgoingKind, SendState, User
from engine.number import Number
from engine.pacing import Pace
from engine.records import Records
from engine.replies import TemplateBody
from engine.sending import GiveUp, SendOnceMore, Wait, after
from engine.store import Mark, Reported
from engine.texts import whole
from engine.typing_signals import TypingSignals

_log: Final = structlog.get_logger("midstream.outbox")
_READ_AGAIN_SECONDS: Final = 1.0
_MARK_AGAIN_SECONDS: Final = 1.0
# A user's letters in a line: whoever has more to wait for must not take the places of all others (P11).
_LINE_MAX: Final = 50


@attrs.define(eq=False)
class _Letter:
    """A row on its way, with what happened to it so far."""

    row: OutboxRow
    queued_at: float
    attempts: int
    # It may have been sent already: one more attempt, at most.
    was_ambiguous: bool = False
    # The provider spoke of it: it was taken, whatever became of our request.
    is_reported: trio.Event = attrs.field(factory=trio.Event)
    # Where it is to be sent in its turn; None while it waits for a report, or for another attempt.
    line: "_Line | None" = None
    # A template was sent in its place.
    had_template: bool = False
    # It is in no line any more; made when somebody waits for that.
    has_left: trio.Event | None = None


@attrs.define(eq=False)
class _Line:
    """One user's letters, in order.  A task sends them until there are none and the pace allows more.

    Rows up to `loaded_to`, by sequence, are or were in memory; those up to `passed_to` wait in the store.
    """

    user_id: str
    letters: deque[_Letter] = attrs.field(factory=deque)
    pace: Pace = attrs.field(factory=Pace)
    arrived: trio.Event = attrs.field(factory=trio.Event)
    loaded_to: int = 0
    passed_to: int = 0
    # When its user last wrote, seconds since 1970; 0 when that is not known.
    heard_at: float = 0.0
    # Since then a template was sent in place of what may not be sent any more.
    had_template: bool = False

    @property
    def has_more(self) -> bool:
        """Whether some of its rows are in the store only."""
        return self.passed_to > self.loaded_to

    def pass_over(self, row: OutboxRow) -> bool:
        """Whether there is no room for this row: it is read when there is."""
        if not self.has_more and len(self.letters) < _LINE_MAX:
            self.loaded_to = max(self.loaded_to, row.sequence)
            return False
        # One that an operator has put back may be older than what is in memory.
        self.loaded_to = min(self.loaded_to, row.sequence - 1)
        self.passed_to = max(self.passed_to, row.sequence)
        return True


class Outbox:
    """Hands rows to the way out.

    `on_sent` hears of each row that was taken; `now`: seconds since 1970; `template` is sent in place of what
    comes later than `window_seconds` after its user wrote.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        outbound: Outbound,
        records: Records,
        events: Events,
        limits: Limits,
        on_sent: Callable[[OutboxRow], None],
        now: Callable[[], float],
        template: TemplateBody | None = None,
    ) -> None:
        self._template = template
        self._nursery = nursery
        self._outbound = outbound
        self._records = records
        self._events = events
        self._limits = limits
        self._on_sent = on_sent
        self._now = now
        # By the number's id, as `User.number` has it.
        self._numbers: defaultdict[str, Number] = defaultdict(lambda: Number(limits))
        self.typing: Final = TypingSignals(
            nursery, outbound, limits, lambda user: self._numbers[user.number].is_held
        )
        self._lines: dict[str, _Line] = {}
        # Every letter in memory, by row id: in a line, or waiting for a report.
        self._letters: dict[str, _Letter] = {}
        # The same by user: in whatever line, the letter goes where they are written to now.
        self._of_user: defaultdict[str, dict[str, _Letter]] = defaultdict(dict)
        self._fewer = trio.Event()  # whenever there is a letter less
        # Rows up to `_loaded_to`, by sequence, are or were in memory.  While the store is read, what is
        # committed up to `_passed_to` was left for the reader.
        self._loaded_to = 0
        self._passed_to = 0
        self._from_the_first = False
        self._is_reading = False
        # Rows that were taken and not delivered, until it is decided what follows.
        self._failing: set[str] = set()
        # Rows that need no more sending since a read began that goes on: it may have seen them before.
        self._ended: set[str] = set()
        self._reads = 0

    # What is to be sent; all of it synchronous ----------------------------------------------------

    def enqueue(self, rows: Iterable[OutboxRow]) -> None:
        """Send these rows, each user's in order.  Called when they were committed."""
        for row in rows:
            self._events.emit(OutgoingQueued(user_id=row.user.id, row_id=row.id, kind=row.kind))
            if row.kind is OutgoingKind.REPLY:
                self.typing.forget(row.user.id)
            if self._is_reading or len(self._letters) >= self._limits.outbox_rows_max:
                self._passed_to = row.sequence
                self._start_reading()
            else:
                self._loaded_to = max(self._loaded_to, row.sequence)
                self._take(row)

    def drop(self, rows: Iterable[OutboxRow]) -> None:
        """Forget rows that were dropped before they were on their way."""
        for row in rows:
            if (letter := self._letters.get(row.id)) is not None:
                self._end(letter)
            elif self._reads:
                self._ended.add(row.id)

    def hear(self, news: Iterable[Reported]) -> None:
        """What the provider says of rows that were sent, or may have been."""
        for reported in news:
            row, report = reported.row, reported.report
            self._events.emit(
                OutgoingReported(
                    user_id=row.user.id,
                    row_id=row.id,
                    kind=row.kind,
                    delivery=report.delivery,
                    error=str(report.error) if report.error else None,
                    billable=report.pricing.billable if report.pricing else None,
                    category=report.pricing.category if report.pricing else "",
                    conversation_id=report.conversation_id,
                )
            )
            if (letter := self._letters.get(row.id)) is not None:
                letter.is_reported.set()
            if report.delivery is Delivery.FAILED:
                self._begin_failing(row, report.error or SendRefused("it was not delivered"))

    def hear_user(self, user_id: str, at: float) -> None:
        """A user wrote, at these seconds since 1970: they may be answered freely again."""
        lines = [self._lines.get(user_id)]
        for letter in self._of_user.get(user_id, {}).values():
            letter.row = attrs.evolve(letter.row, heard_at=max(at, letter.row.heard_at))
            lines.append(letter.line)
        for line in lines:
            if line is not None and at > line.heard_at:
                line.heard_at, line.had_template = at, False

    def move(self, user_id: str, to: str) -> None:
        """Two users were found to be one.  When both are being sent to, each line ends by itself."""
        for letter in self._of_user.pop(user_id, {}).values():
            letter.row = attrs.evolve(letter.row, user=User(to))
            self._of_user[to][letter.row.id] = letter
        line = self._lines.get(user_id)
        if line is None:
            return
        if to in self._lines:
            if line.has_more:  # they are the other's now, who has read beyond them
                self.read_all()
            return
        line.user_id = to
        self._lines[to] = self._lines.pop(user_id)

    def readdress(self, user_id: str, address: str) -> None:
        """A user is written to elsewhere from now on."""
        for letter in self._of_user.get(user_id, {}).values():
            letter.row = attrs.evolve(letter.row, address=address)

    def read_all(self) -> None:
        """Read all that waits in the store: at the start, or when somebody else has changed it."""
        self._from_the_first = True
        self._start_reading()

    def _start_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._nursery.start_soon(self._read)

    async def flush(self, seconds: float) -> None:
        """Wait until nothing that may be sent now waits in any line, at most `seconds`."""
        with trio.move_on_after(seconds):
            while self._is_reading or any(
                letter.row.not_before <= self._now()
                for line in self._lines.values()
                for letter in line.letters
            ):
                await self._fewer.wait()

    # The letters in memory ------------------------------------------------------------------------

    def _take(self, row: OutboxRow, *, is_next: bool = False) -> None:
        """Bring a row into memory, unless it is there: a reader may see one before its commit is heard of.

        `is_next`: it was read for its user's line, which has room for it.
        """
        if row.id in self._letters:
            return
        line = self._lines.get(row.user.id)
        if row.state is SendState.PENDING and line is not None and not is_next and line.pass_over(row):
            return
        if row.state is SendState.FAILED:
            # Its report came before a crash; why it failed is told again if it fails again.
            self._begin_failing(row, SendDelayed("it was not delivered"))
            return
        letter = self._write_letter(row)
        if row.state is SendState.PENDING:
            self._line_up(letter)
        else:
            letter.was_ambiguous = row.state is SendState.RESENDING
            error = SendAmbiguous("the process died while it was sent")
            self._nursery.start_soon(self._settle, letter, error)

    def _write_letter(self, row: OutboxRow) -> _Letter:
        letter = _Letter(row, queued_at=trio.current_time(), attempts=row.attempts)
        self._letters[row.id] = self._of_user[row.user.id][row.id] = letter
        return letter

    def _line_up(self, letter: _Letter) -> None:
        user_id = letter.row.user.id
        line = self._lines.get(user_id)
        if line is None:
            line = self._lines[user_id] = _Line(user_id, loaded_to=letter.row.sequence)
            self._nursery.start_soon(self._run_line, line)
        line.heard_at = max(line.heard_at, letter.row.heard_at)
        line.letters.append(letter)
        letter.line = line
        line.arrived.set()

    def _leave_line(self, letter: _Letter) -> None:
        if letter.line is not None:
            letter.line.letters.remove(letter)
            letter.line = None
            if letter.has_left is not None:
                letter.has_left.set()
            self._tell_fewer()

    def _end(self, letter: _Letter) -> None:
        """Forget a letter: it was sent, given up or dropped."""
        self._leave_line(letter)
        self._letters.pop(letter.row.id, None)
        of_user = self._of_user.get(letter.row.user.id, {})
        of_user.pop(letter.row.id, None)
        if not of_user:
            self._of_user.pop(letter.row.user.id, None)
        if self._reads:
            self._ended.add(letter.row.id)
        self._tell_fewer()

    def _tell_fewer(self) -> None:
        told, self._fewer = self._fewer, trio.Event()
        told.set()

    async def _read(self) -> None:
        """Bring rows from the store into memory as there is room, until none was passed over."""
        while True:
            while len(self._letters) > self._limits.outbox_rows_max // 2:
                await self._fewer.wait()
            if self._from_the_first:
                self._from_the_first, self._loaded_to = False, 0
            passed_to = self._passed_to
            room = self._limits.outbox_rows_max - len(self._letters)
            rows = await self._read_unsent(room, after=self._loaded_to)
            for row in rows:
                self._loaded_to = max(self._loaded_to, row.sequence)
                if row.id not in self._ended:
                    self._take(row)
            self._end_read()
            if len(rows) < room:
                # What was committed before the read and is not in it needs no sending any more.
                self._loaded_to = max(self._loaded_to, passed_to)
                if self._passed_to <= self._loaded_to and not self._from_the_first:
                    break
        self._is_reading = False
        self._tell_fewer()

    async def _read_line(self, line: _Line) -> None:
        """Bring the next rows of one user into memory; what is committed meanwhile is passed over."""
        loaded_to, passed_to = line.loaded_to, line.passed_to
        rows = await self._read_unsent(_LINE_MAX, after=loaded_to, user_id=line.user_id)
        if line.loaded_to == loaded_to:  # else an older one was passed over meanwhile
            newest = rows[-1].sequence if rows else 0
            line.loaded_to = newest if len(rows) == _LINE_MAX else max(newest, passed_to)
        for row in rows:
            if row.id not in self._ended:
                self._take(row, is_next=True)
        self._end_read()

    async def _read_unsent(
        self, limit: int, *, after: int, user_id: str | None = None
    ) -> tuple[OutboxRow, ...]:
        """Rows of the store.  Until `_end_read`, those that need no more sending are in `_ended`."""
        self._reads += 1
        while True:
            try:
                return await self._records.read_unsent(limit, after=after, user_id=user_id)
            except Exception as error:  # whatever a row holds: it must not end everybody's work
                _log.error("outbox_not_read", error=f"{type(error).__name__}: {error}")
            await trio.sleep(_READ_AGAIN_SECONDS)

    def _end_read(self) -> None:
        self._reads -= 1
        if not self._reads:
            self._ended.clear()

    # One user's line ------------------------------------------------------------------------------

    async def _run_line(self, line: _Line) -> None:
        while line.letters or line.has_more or not line.pace.is_over(trio.current_time(), self._limits):
            if not line.letters and line.has_more:
                await self._read_line(line)
                continue
            if not line.letters:
                line.arrived = trio.Event()
                with trio.move_on_at(line.pace.paid_at(self._limits)):
                    await line.arrived.wait()
                continue
            letter = line.letters[0]
            try:
                await self._deliver(letter, line)
            except Exception:  # a bug of ours must not stop other users' lines
                _log.exception("sending_failed", row_id=letter.row.id)
                self._end(letter)
        del self._lines[line.user_id]

    async def _deliver(self, letter: _Letter, line: _Line) -> None:
        """Send one letter, however often it takes, until it is in this line no more."""
        number = self._numbers[letter.row.user.number]
        while letter in line.letters:
            if letter.is_reported.is_set():
                self._tell_sent(letter)
                return
            await self._keep_back(letter)
            await self._wait_for_pace(line)
            await number.wait_released()
            async with number.requests:
                if not await number.wait_turn() or not self._is_due(letter, line):
                    continue
                instead = self._instead(letter, line)
                error = (
                    instead
                    if isinstance(instead, SendRefused)
                    else await self._attempt(letter, line, instead)
                )
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
                    self._leave_line(letter)
                    self._nursery.start_soon(self._settle, letter, error)
                    return

    async def _wait_for_pace(self, line: _Line) -> None:
        now = trio.current_time()
        if (at := line.pace.next_at(now, self._limits)) > now:
            await trio.sleep_until(at)

    async def _keep_back(self, letter: _Letter) -> None:
        """Wait until it may be sent, or is dropped before that: the reply has come first."""
        # A clock that was set back keeps nothing back for longer than one that goes on.
        seconds = min(letter.row.not_before - self._now(), self._limits.acknowledgement_seconds_min)
        if seconds > 0:
            letter.has_left = trio.Event()
            with trio.move_on_after(seconds):
                await letter.has_left.wait()

    def _is_due(self, letter: _Letter, line: _Line) -> bool:
        """Whether it still needs sending: it may have been dropped or reported of while it waited."""
        return letter in line.letters and not letter.is_reported.is_set()

    def _instead(self, letter: _Letter, line: _Line) -> TemplateBody | SendRefused | None:
        """The template, in place of what comes too late; an error when it may not be sent at all."""
        late = self._now() - line.heard_at if line.heard_at else 0.0
        if isinstance(letter.row.body, TemplateBody) or late <= self._limits.window_seconds:
            return None
        reason = f"its user last wrote {late / 3_600:.0f} h ago: after 24 h only a template may be sent"
        if self._template is None:
            return SendRefused(f"{reason}, and none is configured")
        if line.had_template and not letter.had_template:
            return SendRefused(f"{reason}, which was")
        line.had_template = letter.had_template = True
        return self._template

    async def _attempt(self, letter: _Letter, line: _Line, instead: TemplateBody | None) -> SendError | None:
        """One request; None when the row was taken."""
        # Marked when all has ended, it would count as one that may have been sent.
        await trio.lowlevel.checkpoint_if_cancelled()
        letter.attempts += 1
        state = SendState.RESENDING if letter.was_ambiguous else SendState.SENDING
        if not await self._records.offer(self._marked(letter, state)):
            return SendDelayed("the store cannot be written", whole_number=True)
        if not self._is_due(letter, line):
            return None
        line.pace = line.pace.sent(trio.current_time(), self._limits)
        try:
            row = attrs.evolve(letter.row, body=instead, reply_to=None) if instead else letter.row
            provider_id = await self._request(row)
        except SendError as error:
            if letter.is_reported.is_set() and isinstance(error, SendAmbiguous):
                self._tell_sent(letter)
                return None
            return error
        except Exception as error:
            _log.exception("outbound_failed", row_id=letter.row.id)
            return SendDelayed(f"{type(error).__name__} in the way out")
        self._numbers[letter.row.user.number].failures = 0
        await self._mark(letter, SendState.SENT, provider_id=provider_id)
        self._tell_sent(letter)
        return None

    async def _request(self, row: OutboxRow) -> str:
        """Hand a row to the way out, for a bounded time; raises SendError."""
        seconds = self._limits.send_seconds_max
        try:
            with trio.fail_after(seconds):
                taken: object = await self._outbound(row)
        except trio.TooSlowError:
            raise SendAmbiguous(f"no answer within {seconds:g} s (send_seconds_max)") from None
        if taken is not None and not isinstance(taken, str):
            # It was sent all the same: an error here would send it again.
            _log.error("outbound_without_id", row_id=row.id, returned=type(taken).__name__)
        return whole(taken) if isinstance(taken, str) else ""

    def _tell_sent(self, letter: _Letter) -> None:
        self._end(letter)
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

    # After an error -------------------------------------------------------------------------------

    def _judge(self, error: SendError, letter: _Letter) -> Wait | GiveUp | SendOnceMore:
        """What follows an error.  The whole number is held before another request can begin."""
        number = letter.row.user.number
        verdict = after(
            error,
            attempts=letter.attempts,
            number_failures=self._numbers[number].failures,
            was_ambiguous=letter.was_ambiguous,
            limits=self._limits,
        )
        if isinstance(verdict, Wait) and verdict.whole_number:
            letter.attempts -= 1  # it says nothing of this message
            is_first = self._numbers[number].hold(verdict.seconds)
            if is_first and isinstance(error, SendBlocked):
                self._events.emit(
                    OutgoingBlocked(error=str(error), wait_seconds=verdict.seconds, number=number)
                )
        return verdict

    async def _wait(self, letter: _Letter, error: SendError, wait: Wait) -> None:
        # Certainly not sent now: a note may still be dropped.  What may have been sent before, may still.
        state = SendState.SENDING if letter.was_ambiguous else SendState.PENDING
        await self._mark(letter, state, error=str(error))
        self._delayed(letter, error, wait.seconds)
        if not wait.whole_number:
            await trio.sleep(wait.seconds)

    async def _give_up(self, letter: _Letter, error: SendError) -> None:
        await self._mark(letter, SendState.DEAD, error=str(error))
        self._end(letter)
        self._events.emit(
            OutgoingGivenUp(
                user_id=letter.row.user.id,
                row_id=letter.row.id,
                kind=letter.row.kind,
                attempts=letter.attempts,
                error=str(error),
            )
        )

    async def _settle(self, letter: _Letter, error: SendError) -> None:
        """Wait for a report of a letter that may have been sent; without one, send it once more, no more."""
        self._delayed(letter, error, self._limits.settle_seconds)
        with trio.move_on_after(self._limits.settle_seconds):
            await letter.is_reported.wait()
        if letter.is_reported.is_set():
            self._tell_sent(letter)
        elif letter.was_ambiguous:
            await self._give_up(letter, error)
        else:
            letter.was_ambiguous = True
            self._line_up(letter)

    def _begin_failing(self, row: OutboxRow, error: SendError) -> None:
        """A row that was taken could not be delivered; who reads it, and who hears of it, may both say so."""
        if row.id not in self._failing:
            self._failing.add(row.id)
            self._nursery.start_soon(self._fail, row, error)

    async def _fail(self, row: OutboxRow, error: SendError) -> None:
        """The same table decides what follows."""
        while row.id in self._letters:  # its request has not ended yet
            await self._fewer.wait()
        letter = self._write_letter(row)
        verdict = self._judge(error, letter)
        if isinstance(verdict, Wait):
            await self._wait(letter, error, verdict)
            if row.id in self._letters:  # else it was dropped meanwhile
                self._line_up(letter)
        else:
            await self._give_up(letter, error)
        self._failing.remove(row.id)

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
    ) -> None:
        """Record how it fared, however long the store fails: what memory forgets the store must know."""
        mark = self._marked(letter, state, provider_id=provider_id, error=error)
        while True:
            try:
                return await self._records.write(mark)
            except StoreUnavailable:
                await trio.sleep(_MARK_AGAIN_SECONDS)
            except StoreError as refusal:
                _log.error("row_not_marked", row_id=letter.row.id, state=state.value, error=str(refusal))
                return None

    def _marked(self, letter: _Letter, state: SendState, *, provider_id: str = "", error: str = "") -> Mark:
        return Mark(
            row_id=letter.row.id,
            state=state,
            attempts=letter.attempts,
            provider_id=provider_id or letter.row.provider_id,
            error=whole(error),
        )
