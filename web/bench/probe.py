"""The assistant that a bench measures with: it stamps the clock and does nothing else.

Messages say what becomes of them: `work` is planned as one wave that waits to be released; `think` is a
planner that never ends; whatever else is answered at once.
"""

import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from engine import (
    Assistant,
    Call,
    Context,
    Event,
    Limits,
    MemoryStore,
    Message,
    MessageAccepted,
    OutboxRow,
    OutgoingKind,
    OutgoingQueued,
    Plan,
    Results,
    SqliteStore,
    Store,
    ToolContext,
    TypingSignal,
    User,
    tool,
)
from web.bench.figures import MEMORY

WORK: Final = "work"
THINK: Final = "think"
# Longer than any bench.
EVER_SECONDS: Final = 1e6


@attrs.define(eq=False)
class Probe:
    """What is seen of one user; of all others nothing is noted."""

    user_id: str = ""
    # The last instant of each kind.
    at: dict[str, float] = attrs.field(factory=dict)
    released: trio.Event = attrs.field(factory=trio.Event)
    # How many calls have begun, of all users.
    begun: int = 0
    _news: trio.Event = attrs.field(factory=trio.Event)

    def watch(self, user_id: str) -> None:
        """Look at this user from now on."""
        self.user_id = user_id
        self.at.clear()
        self.released = trio.Event()

    def stamp(self, what: str, user_id: str) -> None:
        """It happens now, if it is the user's that is watched."""
        if user_id == self.user_id:
            self.at[what] = time.perf_counter()
            self._news.set()

    async def wait(self, *what: str) -> None:
        """Return when all these have happened."""
        while not all(each in self.at for each in what):
            self._news = trio.Event()
            await self._news.wait()

    async def wait_begun(self, calls: int) -> None:
        """Return when so many calls have begun, of all users."""
        while self.begun < calls:
            self._news = trio.Event()
            await self._news.wait()

    def forget(self) -> None:
        """What happens from now on counts."""
        self.at.clear()

    async def work(self, user_id: str) -> None:
        """A call of a wave: it ends when it is released, or never if nobody looks."""
        self.begun += 1
        self.stamp("working", user_id)
        self._news.set()
        if user_id != self.user_id:
            await trio.sleep_forever()
        await self.released.wait()
        self.stamp("worked", user_id)

    async def think(self, text: str, user_id: str) -> None:
        """A planner."""
        self.stamp("planning", user_id)
        if text == THINK:
            try:
                await trio.sleep_forever()
            finally:
                self.stamp("cut", user_id)

    def hear(self, event: Event) -> None:
        """A hook for events of the engine."""
        if isinstance(event, MessageAccepted):
            self.stamp("accepted", event.user_id)
        elif isinstance(event, OutgoingQueued):
            if event.kind is OutgoingKind.ACKNOWLEDGEMENT:
                self.stamp("acknowledged", event.user_id)
            elif event.kind is OutgoingKind.REPLY:
                self.stamp("answered", event.user_id)


def assistant_of(probe: Probe) -> Assistant:
    """An assistant that does what messages say, before the eyes of this probe."""

    @tool(timeout=EVER_SECONDS, idempotent=True)
    async def work(*, context: ToolContext) -> None:
        """Waits to be released."""
        await probe.work(context.user.id)

    class Planner:
        async def plan(self, message: Message, context: Context) -> Plan:
            await probe.think(message.text, message.user.id)
            return Plan(Call("work", work)) if message.text == WORK else Plan()

        async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
            return None

    async def respond(message: Message, results: Results, context: Context) -> str:
        return "Done."

    return Assistant(planner=Planner(), responder=respond, tools=[work])


def limits_of(sessions: int) -> Limits:
    """Bounds that are out of the way of so many live sessions; typing is shown once."""
    return Limits(
        wave_seconds_max=EVER_SECONDS,
        operation_seconds_max=EVER_SECONDS,
        typing_seconds=EVER_SECONDS,
        receive_seconds_max=EVER_SECONDS,
        record_seconds_max=EVER_SECONDS,
        recoveries_max=sessions + 100,
        sessions_max=sessions + 100,
    )


def message(user_id: str, id: str, text: str) -> Message:
    """One as the webhook would hand it over."""
    return Message(id=id, user=User(user_id), text=text)


def user(number: int) -> str:
    """A phone number."""
    return str(15_550_000_000 + number)


def store_of(name: str, database: str) -> Store:
    """The store of this name; `database` is the file of the one that has one."""
    return MemoryStore() if name == MEMORY else SqliteStore(database)


async def swallow(outgoing: OutboxRow | TypingSignal) -> str:
    """A way out that leads nowhere."""
    return ""


def rss_bytes() -> int:
    """What this process has in memory, as Linux counts it; everything that can be freed has been."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def questions() -> AsyncIterator[Any]:
    """What a child is asked, one number a line.

    Then the process ends at once: nothing of it is to be kept.
    """
    async for line in trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())):
        yield int(line)
    os._exit(0)
