"""What is settled without a session: fates and notices that no operation records.

Rule 1: the caller waits for nothing; a store that fails is asked again until it answers or the end comes.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from engine.errors import StoreError, StoreUnavailable
from engine.languages import Languages
from engine.model import Fate, Message, OutboxRow, OutgoingKind, Rejected, Stopped
from engine.records import Records
from engine.store import Change, Queue, Settle

_log: Final = structlog.get_logger("midstream.sessions")
# After the store has failed for `record_seconds_max`: before it is asked again.
_AGAIN_SECONDS: Final = 5.0


@attrs.define(eq=False, kw_only=True)
class Aside:
    """Writes from tasks of its own.  `on_suspended` hears of a message that stays without a fate."""

    nursery: trio.Nursery
    records: Records
    languages: Languages
    new_id: Callable[[], str]
    on_suspended: Callable[[str], None]
    _ended: trio.Event = attrs.field(factory=trio.Event)

    @property
    def has_ended(self) -> bool:
        """Whether the process was told to stop."""
        return self._ended.is_set()

    def end(self) -> None:
        """Ask a store that fails no more: the process stops."""
        self._ended.set()

    async def pause(self) -> None:
        """Give a store that failed a moment, unless it is the end of all."""
        with trio.move_on_after(_AGAIN_SECONDS):
            await self._ended.wait()

    def settle(self, message: Message, fate: Fate) -> None:
        """A message's fate, and nothing else."""
        self.write([message], Settle(message.id, fate))

    def reject(self, message: Message, text: str, row_id: str | None = None) -> None:
        """A message is refused, and its user told; with a `row_id`, once however many there are of it."""
        told: str = getattr(self.languages.said_to(message), text)
        self.write([message], Settle(message.id, Rejected(told)), self._notice(message, told, row_id))

    def answer_stops(self, words: Sequence[Message], dropped: Sequence[Message]) -> None:
        """One answer to all who said stop when nothing ran; what waited is dropped.

        Without words it was a command: there is an answer if anything was dropped.
        """
        if words and self.has_ended:  # what they mean may be suspended: the next start knows
            self._suspend([*dropped, *words])
            return
        if not (words or dropped):
            return
        *before, last = (*dropped, *words)
        texts = self.languages.said_to(last)
        told = texts.stopped if dropped else texts.nothing_to_stop
        self.write(
            [*before, last],
            *(Settle(message.id, Stopped()) for message in before),
            Settle(last.id, Stopped(told)),
            self._notice(last, told, None),
        )

    def tell(self, message: Message, text: str, row_id: str) -> None:
        """Its user is told something, once however often a row of that id is written."""
        told: str = getattr(self.languages.said_to(message), text)
        self.nursery.start_soon(self.records.offer, self._notice(message, told, row_id))

    def write(self, messages: Sequence[Message], *changes: Change) -> None:
        """These changes, which settle those messages."""
        self.nursery.start_soon(self._write, messages, changes)

    def _notice(self, message: Message, text: str, row_id: str | None) -> Queue:
        return Queue(
            OutboxRow(
                id=row_id or self.new_id(),
                user=message.user,
                kind=OutgoingKind.NOTICE,
                text=text,
                message_id=message.id,
            )
        )

    async def _write(self, messages: Sequence[Message], changes: tuple[Change, ...]) -> None:
        try:
            await self._write_at_last(messages, changes)
        except StoreError as error:
            _log.error("fate_not_recorded", error=str(error))
            self._suspend(messages)

    async def _write_at_last(self, messages: Sequence[Message], changes: tuple[Change, ...]) -> None:
        """Write, however long the store fails; raises StoreUnavailable when the end comes before that."""
        while True:
            try:
                return await self.records.write(*changes)
            except StoreUnavailable:
                if self._ended.is_set():
                    raise
                self._suspend(messages)
                await self.pause()

    def _suspend(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.on_suspended(message.id)
