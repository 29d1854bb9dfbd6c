"""A store that is slow, refuses, and loses its process at a record point; and sees what it is asked to write.

Rule 1: writes are applied in the order in which they were handed over, however slow one is.
Rule 2: a write that a death comes before was never made; after one that a death follows nobody is told.
"""

import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import attrs
import trio

from engine.errors import StoreUnavailable
from engine.model import Failed, Fate, Ignored, Merged, Message, Rejected, Stopped, Superseded
from engine.phases import Phase
from engine.plan import Call
from engine.simulation.scenario import Death, Trouble
from engine.simulation.world import EPOCH, World
from engine.store import (
    Accept,
    Begin,
    Change,
    Committed,
    End,
    Happened,
    Intended,
    Interrupt,
    Listener,
    Mark,
    Planned,
    Resume,
    Suspend,
    UndoIntended,
    Undone,
)
from engine.store.memory import MemoryStore

T = TypeVar("T")


@attrs.define(eq=False)
class _Write:
    changes: Sequence[Change]
    delay: float
    done: trio.Event = attrs.field(factory=trio.Event)
    error: Exception | None = None


class FaultyStore(MemoryStore):
    """Everything durable of one world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._queue: deque[_Write] = deque()
        self._arrived = trio.Event()
        self._deaths = {death.write: death for death in world.scenario.deaths if death.write}
        self._troubles = world.scenario.troubles
        self._death: Death | None = None  # it follows the write that is made just now: nobody hears of that
        self._applied: Sequence[Change] = ()
        # Whose an operation or a row of the outbox is.
        self._users: dict[str, str] = {}

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """See `Store.open`."""

        def hear(committed: Committed) -> None:
            self._note(committed)
            if self._death is None:
                listener(committed)
            else:
                self._die(self._death)

        self._queue.clear()
        async with super().open(hear), trio.open_nursery() as nursery:
            nursery.start_soon(self._run_writer)
            yield
            nursery.cancel_scope.cancel()

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        world = self._world
        if world.dead:
            await trio.sleep_forever()
        trouble = self._trouble()
        self._see(changes)
        if trouble is not None and trouble.refuses:
            await trio.lowlevel.checkpoint()
            raise StoreUnavailable("the disk is full")
        if trouble is None and not self._queue:
            await self._apply(changes)
            return
        write = _Write(changes, trouble.delay if trouble else 0.0)
        self._queue.append(write)
        self._arrived.set()
        await write.done.wait()
        if write.error is not None:
            raise write.error

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        trouble = self._trouble()
        if trouble is not None and trouble.refuses:
            await trio.lowlevel.checkpoint()
            raise StoreUnavailable("the disk cannot be read")
        return await super()._read(query)

    def _trouble(self) -> Trouble | None:
        if not self._troubles:
            return None
        at = self._world.seconds
        for trouble in self._troubles:
            if trouble.at <= at < trouble.at + trouble.seconds:
                return trouble
        return None

    async def _run_writer(self) -> None:
        while True:
            if not self._queue:
                self._arrived = trio.Event()
                await self._arrived.wait()
            write = self._queue[0]
            await trio.sleep(write.delay)
            try:
                await self._apply(write.changes)
            except Exception as error:
                write.error = error
            self._queue.popleft()
            write.done.set()

    async def _apply(self, changes: Sequence[Change]) -> None:
        world = self._world
        if world.dead:
            await trio.sleep_forever()
        world.writes += 1
        self._death = self._deaths.get(world.writes)
        if self._death is not None and self._death.before:
            self._die(self._death)
            await trio.sleep_forever()
        self._applied = changes  # until the listener hears of them, in the same step
        await super().write(changes)

    def _die(self, death: Death) -> None:
        self._world.down = death.down
        self._world.die()

    # What it sees ---------------------------------------------------------------------------------

    def _see(self, changes: Sequence[Change]) -> None:
        """What it is asked to write, whether or not it does."""
        write = self._world.write
        for change in changes:
            match change:
                case Begin():
                    self._users[change.operation_id] = user = change.message.user.id
                    write("begins", user, change.operation_id, *_begun(change))
                case Intended():
                    for call_id in change.call_ids:
                        write("intends", self._user(change), f"{change.operation_id}/{call_id}")
                case End(phase=Phase.COMPLETED):
                    write("commits", self._user(change), change.operation_id)
                case Interrupt():
                    write(
                        "interrupts", self._user(change), change.operation_id, change.reason.value, change.by
                    )

    def _note(self, committed: Committed) -> None:
        """What it has written."""
        write, number = self._world.write, self._world.writes
        for moved in committed.moved:
            self._world.move(moved.user_id, moved.to)
        for accepted in committed.accepted:
            message = accepted.message
            write("heard", message.user.id, message.id, _seconds(message), accepted.burst_id)
        came = {change.message.id for change in self._applied if type(change) is Accept}
        for settled in committed.settled:
            if settled.message.id in came:  # it is in the conversation and no more
                write("kept", settled.message.user.id, settled.message.id, _seconds(settled.message))
        for change in self._applied:
            note = _NOTES.get(type(change))
            if note is not None:
                for what, key, *more in note(change):
                    write(what, self._users.get(key.partition("/")[0], ""), key, *more)
            elif type(change) is End:
                write("ended", self._user(change), change.operation_id, change.phase.value, number)
            elif type(change) is Mark:
                write("marked", self._users[change.row_id], change.row_id, change.state.value)
        for settled in committed.settled:
            fate = settled.fate
            write("fate", settled.message.user.id, settled.message.id, fate.name, _detail(fate))
        for row in committed.dropped:
            write("dropped", row.user.id, row.id)
        for row in committed.queued:
            self._users[row.id] = row.user.id
            what = (row.kind.value, row.operation_id, number, row.text)
            write("queued", row.user.id, row.id, *what)
        for reported in committed.reported:
            write("reported", reported.row.user.id, reported.row.id, reported.report.delivery.value)

    def _user(self, change: Any) -> str:
        return self._users.get(change.operation_id, "")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All of a table, for whoever looks at what was left."""
        cursor = self._connection.execute(f"SELECT * FROM {table}")  # noqa: S608  # a name of ours
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _begun(change: Begin) -> tuple[str, str]:
    return ",".join(change.burst), change.message.id


def _planned(call: Call) -> str:
    about = call.args["act"]
    return f"{call.id}:{call.tool}:{about if isinstance(about, str) else ''}"


def _seconds(message: Message) -> int:
    return (message.timestamp or 0) - EPOCH


def _detail(fate: Fate) -> str:
    """By which, into which, why, or what was told."""
    match fate:
        case Superseded():
            return fate.by
        case Merged():
            return fate.into
        case Stopped():
            return fate.told
        case Rejected() | Ignored() | Failed():
            return fate.reason
    return ""


# What is noted of each change: what, which, what else.
_NOTES: Final[Mapping[type, Callable[[Any], Iterable[tuple[Any, ...]]]]] = {
    Begin: lambda change: [("begun", change.operation_id, *_begun(change))],
    Resume: lambda change: [("resumed", change.operation_id)],
    Suspend: lambda change: [("suspended", change.operation_id)],
    Planned: lambda change: [
        (
            "planned",
            change.operation_id,
            change.round,
            ",".join(change.joined),
            ",".join(map(_planned, change.calls)),
        )
    ],
    Intended: lambda change: [("intended", f"{change.operation_id}/{id}") for id in change.call_ids],
    Happened: lambda change: [
        (
            "outcome",
            f"{change.operation_id}/{outcome.call_id}",
            outcome.status.value,
            outcome.reused,
        )
        for outcome in change.outcomes
    ],
    UndoIntended: lambda change: [("undo intended", f"{change.operation_id}/{change.call_id}")],
    Undone: lambda change: [("undone", f"{change.operation_id}/{change.call_id}", change.status.value)],
    Interrupt: lambda change: [
        ("interrupted", change.operation_id, change.reason.value, change.by or "", change.undo)
    ],
}
