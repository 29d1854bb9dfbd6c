"""Verified fakes for tests of assistants and of the engine itself: all of them run on Trio's mock clock.

Rule 1: a fake keeps the promises of what it stands for, and is itself under test.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from engine.assistant import Assistant, Context
from engine.errors import SendError, StoreUnavailable
from engine.events import (
    Event,
    MessageSettled,
    PlanAccepted,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    WaveFinished,
    WaveStarted,
)
from engine.model import Message, OutboxRow, Outcome, OutgoingKind, Results, TypingSignal, User
from engine.plan import Plan
from engine.runtime import Engine, open_engine
from engine.store import Change, Listener
from engine.store.memory import MemoryStore
from engine.tools import Tool, ToolContext, tool

# What happened: seconds on Trio's clock, a word, a detail.
Entry = tuple[float, str, str]
_SAID: Final = frozenset(OutgoingKind)


@attrs.define(eq=False)
class Trail:
    """What happened, in order, as a test asserts it once."""

    entries: list[Entry] = attrs.field(factory=list)

    def add(self, word: str, detail: str = "") -> None:
        """Note something at the present time."""
        self.entries.append((trio.current_time(), word, detail))

    def of(self, *words: str) -> list[Entry]:
        """What happened of this kind."""
        return [entry for entry in self.entries if entry[1] in words]

    @property
    def said(self) -> list[Entry]:
        """What the user was sent.  Who sends is not who works: within one instant their order is chance."""
        return [entry for entry in self.entries if entry[1] in _SAID]

    @property
    def done(self) -> list[Entry]:
        """Everything else, in order."""
        return [entry for entry in self.entries if entry[1] not in _SAID]

    def hear(self, event: Event) -> None:
        """A hook for `engine.events.subscribe`: the life of operations, and fates."""
        match event:
            case SessionStarted():
                self.add("started", event.message.id)
            case PlanAccepted():
                self.add("planned", " | ".join(",".join(wave) for wave in event.waves))
            case WaveStarted():
                self.add("wave", ",".join(event.call_ids))
            case WaveFinished():
                self.add("wave finished", str(event.wave))
            case SessionCancelled():
                self.add("cancelled", event.reason)
            case SessionCompleted():
                self.add("completed", f"{event.tools_executed} tools")
            case SessionFailed():
                self.add("failed", event.reason)
            case SessionSuspended():
                self.add("suspended", event.reason)
            case MessageSettled():
                by = getattr(event.fate, "by", "")
                self.add(event.fate.name, f"{event.message_id} by {by}" if by else event.message_id)


@attrs.define(eq=False)
class RecordingOutbound:
    """A way out that keeps what it was given.

    `failures` are raised in order, one a row; `seconds` is how long each row takes; typing signals are kept
    in `typing` and never fail.
    """

    trail: Trail = attrs.field(factory=Trail)
    rows: list[OutboxRow] = attrs.field(factory=list)
    typing: list[tuple[float, str]] = attrs.field(factory=list)
    failures: list[SendError] = attrs.field(factory=list)
    seconds: float = 0.0

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """See `engine.Outbound`."""
        if isinstance(outgoing, TypingSignal):
            self.typing.append((trio.current_time(), outgoing.message_id))
            await trio.lowlevel.checkpoint()
            return ""
        await trio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        self.rows.append(outgoing)
        self.trail.add(outgoing.kind.value, outgoing.text)
        return f"sent-{len(self.rows)}"

    @property
    def texts(self) -> list[str]:
        """The texts that were sent, in order."""
        return [row.text for row in self.rows]


@attrs.define(eq=False)
class ScriptedPlanner:
    """Plans in the order given: the first answers `plan`, each further one `adapt`, then nothing more.

    Each message begins anew.  `contexts` keeps what the planner was shown, by message id.
    """

    plans: Sequence[Plan]
    planning_seconds: float = 0.0
    adapting_seconds: float = 0.0
    contexts: dict[str, Context] = attrs.field(factory=dict)
    results: dict[str, Results] = attrs.field(factory=dict)
    _rounds: dict[str, int] = attrs.field(factory=dict)

    async def plan(self, message: Message, context: Context) -> Plan:
        """See `engine.Planner`."""
        self.contexts[message.id] = context
        self._rounds[message.id] = 0
        await trio.sleep(self.planning_seconds)
        return self.plans[0]

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """See `engine.Planner`."""
        self.results[message.id] = results
        await trio.sleep(self.adapting_seconds)
        # An operation that goes on after a restart was planned by another process.
        round = self._rounds[message.id] = self._rounds.get(message.id, 0) + 1
        return self.plans[round] if round < len(self.plans) else None


def scripted_assistant(
    *plans: Plan,
    tools: Sequence[Tool],
    planning_seconds: float = 0.0,
    adapting_seconds: float = 0.0,
    responding_seconds: float = 0.0,
    **more: Any,
) -> Assistant:
    """An assistant that runs the given plans and replies `done: <text>`; `more` is for `Assistant`."""

    async def respond(message: Message, results: Results, context: Context) -> str:
        await trio.sleep(responding_seconds)
        return f"done: {message.text}"

    planner = ScriptedPlanner(plans, planning_seconds, adapting_seconds)
    return Assistant(planner=planner, responder=respond, tools=tools, **more)


def sleeping_tool(name: str, seconds: float, *, timeout: float = 60.0, trail: Trail | None = None) -> Tool:
    """A tool that takes `seconds` and returns its name; the trail hears when it was through."""

    async def sleep() -> str:
        """Sleeps."""
        await trio.sleep(seconds)
        if trail is not None:
            trail.add("acted", name)
        return name

    sleep.__name__ = sleep.__qualname__ = name
    return tool(timeout=timeout)(sleep)


def undoable_tool(
    name: str,
    seconds: float,
    *,
    trail: Trail,
    undo_seconds: float = 0.0,
    undo_failures: int = 0,
    **more: Any,
) -> Tool:
    """A tool that takes `seconds` and returns its name, with an undo that takes `undo_seconds`.

    The trail hears when it was through (`acted`) and of each attempt to take it back (`undo`, at its start);
    the first `undo_failures` of these fail.  `more` is for `@tool`.
    """
    failures = undo_failures

    async def act() -> str:
        await trio.sleep(seconds)
        trail.add("acted", name)
        return name

    async def undo(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        nonlocal failures
        trail.add("undo", name)
        await trio.sleep(undo_seconds)
        if failures:
            failures -= 1
            raise ValueError(f"{name} is sold out")

    act.__name__ = act.__qualname__ = name
    return tool(**{"timeout": 60.0, "undo": undo, **more})(act)


def hanging_tool(name: str, *, timeout: float) -> Tool:
    """A tool that never returns; its timeout ends it."""

    async def hang() -> None:
        """Hangs."""
        await trio.sleep_forever()

    hang.__name__ = hang.__qualname__ = name
    return tool(timeout=timeout)(hang)


class UnreliableStore(MemoryStore):
    """A store that can be slow or refuse.  A write that is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        # How many of the next writes are refused; a negative number: all of them.
        self.refusals = 0
        # Seconds before a write is applied or refused; the caller's cancellation does not stop it.
        self.seconds = 0.0
        # Only writes with one of these kinds of change are refused or slow; empty: every write.
        self.only: tuple[type[Change], ...] = ()
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def open(self, listener: Listener) -> AsyncIterator[None]:
        """See `Store.open`."""
        async with super().open(listener), trio.open_nursery() as self._nursery:
            yield

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        if self.only and not any(isinstance(change, self.only) for change in changes):
            await super().write(changes)
            return
        if self.refusals:
            self.refusals -= 1
            await trio.sleep(self.seconds)
            raise StoreUnavailable("the disk is full")
        if self.seconds and self._nursery is not None:
            written = trio.Event()
            self._nursery.start_soon(self._write_later, changes, written)
            await written.wait()
        else:
            await super().write(changes)

    async def _write_later(self, changes: Sequence[Change], written: trio.Event) -> None:
        await trio.sleep(self.seconds)
        await super().write(changes)
        written.set()


def left_by_a_crash(store: MemoryStore) -> MemoryStore:
    """What the next process finds when this one dies now: a copy, of which the living one knows nothing."""
    left = MemoryStore()
    store._connection.backup(left._connection)
    return left


@attrs.define(eq=False)
class Conversation:
    """An engine in a test, with everything it does written down in `trail`."""

    engine: Engine
    trail: Trail
    outbound: RecordingOutbound
    user: User

    async def send(self, *messages: tuple[str, str]) -> None:
        """Take messages in, each an id and a text, all in one delivery."""
        await self.engine.receive([Message(id=id, user=self.user, text=text) for id, text in messages])


@asynccontextmanager
async def open_conversation(
    assistant: Assistant, *, user_id: str = "15551234567", trail: Trail | None = None, **options: Any
) -> AsyncIterator[Conversation]:
    """An engine on a fresh MemoryStore, unless `options` (of `open_engine`) say otherwise."""
    trail = trail or Trail()
    outbound = RecordingOutbound(trail)
    options = {"store": MemoryStore(), "outbound": outbound, "now": trio.current_time, **options}
    async with open_engine(assistant, **options) as engine:
        engine.events.subscribe(trail.hear)
        yield Conversation(engine, trail, outbound, User(user_id))
