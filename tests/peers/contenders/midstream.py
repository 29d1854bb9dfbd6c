"""Midstream with its defaults: the policy `interrupt`, everything durable in SQLite."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from peers.ledger import Ledger
from peers.operation import WAVES, World, wave_of

from engine import (
    Assistant,
    Call,
    Context,
    Engine,
    Message,
    OutboxRow,
    OutgoingKind,
    Plan,
    Results,
    SqliteStore,
    Store,
    TypingSignal,
    User,
    open_engine,
    tool,
)

PACKAGES = ("midstream", "trio")
TRIO = True


class Midstream:
    """See the module."""

    def __init__(self, world: World, store: Store) -> None:
        self._world = world
        self._store = store
        self._engine: Engine | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        world = self._world

        @tool(timeout=10)
        async def act(name: str) -> str:
            """Acts on the world."""
            return await world.act(name)

        class Planner:
            async def plan(self, message: Message, context: Context) -> Plan:
                world.plan(
                    message.id,
                    [
                        *(turn.message_id for turn in context.history if turn.role == "user"),
                        *(one.id for one in context.burst),
                    ],
                    [
                        outcome.value
                        for request in context.superseded
                        for outcome in request.results.values()
                        if outcome.succeeded
                    ],
                )
                waves = [wave_of(message.id, wave) for wave in range(WAVES)]
                return Plan(
                    *(
                        Call(name, act, {"name": name}, after=waves[wave - 1] if wave else ())
                        for wave, names in enumerate(waves)
                        for name in names
                    )
                )

            async def adapt(self, message: Message, results: Results, context: Context) -> None:
                return None

        async def respond(message: Message, results: Results, context: Context) -> str:
            return f"done: {message.text}"

        async def send(outgoing: OutboxRow | TypingSignal) -> str:
            if isinstance(outgoing, OutboxRow) and outgoing.kind is OutgoingKind.REPLY:
                await world.reply(outgoing.message_id)
            return ""

        assistant = Assistant(planner=Planner(), responder=respond, tools=[act])
        async with open_engine(assistant, store=self._store, outbound=send) as self._engine:
            yield

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`: it returns when the message is on disk."""
        assert self._engine is not None
        await self._engine.receive([Message(id=message, user=User(user), text=message)])


def make(world: World, ledger: Ledger, folder: Path) -> Midstream:
    """See `Contender`."""
    return Midstream(world, SqliteStore(folder / "midstream.db"))
