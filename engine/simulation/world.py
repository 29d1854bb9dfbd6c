"""The made-up world around an engine: its clock, its lives and what comes in; it writes the ledger.

Rule 1: the world outlives processes: what a dead one still does changes nothing and is not seen.
Rule 2: what it does follows from the scenario alone.
Rule 3: it ends at the entry that breaks a promise: nothing is seen after that.
"""

import heapq
import itertools
from typing import Any, Final

import attrs
import trio

from engine.content import Content, Echo, Edit, Reaction, Revoke, System, Text
from engine.errors import EngineError
from engine.model import DeliveryReport, Identity, Message, User
from engine.runtime import Engine
from engine.simulation.ledger import Ledger
from engine.simulation.rules import Broken, Watch
from engine.simulation.scenario import Delivery, Said, Scenario, What

# When the world began, in seconds since 1970.
EPOCH: Final = 1_700_000_000
# What has no answer is delivered again after so long, as Meta does.
_AGAIN_SECONDS: Final = 2.0


@attrs.frozen(order=True)
class _Due:
    """Something that comes in: a webhook with messages, or reports of what was sent."""

    at: float
    number: int
    delivery: Delivery | None = attrs.field(default=None, order=False)
    report: DeliveryReport | None = attrs.field(default=None, order=False)


class World:
    """One scenario on its way.  `seconds` is world time, over all lives."""

    def __init__(self, scenario: Scenario, watch: Watch) -> None:
        self.scenario = scenario
        self.ledger = Ledger()
        self.broken: list[Broken] = []
        # What a rule itself has raised: it must not look like a fault of a tool.
        self.error: Exception | None = None
        self._see = watch.see
        self.life = 0
        self.dead = True
        self.writes = 0
        self.died_at = 0.0
        self.down = 1.0  # seconds from this life's end to the next one's beginning
        self.scope = trio.CancelScope()
        self.is_at_rest = False
        self.is_restless = False  # nothing happens any more, and it does not come to rest
        self._began_at = 0.0  # world time at the start of this life
        self._clock = trio.current_time  # this life's own
        # By an id that its user has no longer: which they have now.
        self._became: dict[str, str] = {}
        self._ids = itertools.count(1)
        self._numbers = itertools.count()
        self.coming: list[_Due] = [
            _Due(delivery.at, next(self._numbers), delivery=delivery) for delivery in scenario.deliveries
        ]
        heapq.heapify(self.coming)
        self.under_way = 0
        self._more = trio.Event()

    # Time -----------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """World time."""
        return self._began_at + self._clock()

    def now(self) -> float:
        """The wall clock, in seconds since 1970; it may have been set by somebody."""
        return EPOCH + self.scenario.wall_clock(self.seconds)

    def new_id(self) -> str:
        """An id nobody has used."""
        return f"id{next(self._ids)}"

    def begin(self, at: float) -> None:
        """A process starts at this world time.  Called inside its Trio run."""
        self.life += 1
        self._clock = trio.lowlevel.current_clock().current_time
        self._began_at = at - self._clock()
        self.dead = False
        self.down = 1.0
        self.scope = trio.CancelScope()
        self.under_way = 0
        self._more = trio.Event()
        self.write("life", "", str(self.life))

    def die(self) -> None:
        """The process is gone: from here on it does nothing."""
        self.write("death", "", str(self.life))
        self._end_life()

    def _end_life(self) -> None:
        if not self.dead:
            self.died_at = self.seconds
            self.dead = True
            self.scope.cancel()

    @property
    def is_over(self) -> bool:
        """Whether a promise is broken: it does not go on."""
        return bool(self.broken or self.error)

    def write(self, what: str, user: str, key: str, *more: Any) -> None:
        """Into the ledger, unless it is the dead who write; the promises are held against it at once."""
        if self.dead:
            return
        user = self._became.get(user, user)
        entry = self.ledger.write(self.seconds, self.life, what, user, key, *more)
        try:
            broken = self._see(entry)
        except Exception as error:
            self.error = error
            self._end_life()
            return
        if broken:
            self.broken.extend(broken)
            self._end_life()

    def move(self, user: str, to: str) -> None:
        """Two users were found to be one: whatever is seen of the one is seen of the other from here on."""
        for id, became in self._became.items():
            if became == user:
                self._became[id] = to
        self._became[user] = to
        self.write("moved", to, user)

    # What comes in --------------------------------------------------------------------------------

    def come(self, at: float, **what: Any) -> None:
        """Something is to come in at that time."""
        heapq.heappush(self.coming, _Due(at, next(self._numbers), **what))
        self._more.set()

    async def deliver(self, engine: Engine) -> None:
        """Bring in whatever is due, for the length of a life."""
        async with trio.open_nursery() as nursery:
            while True:
                self._more = trio.Event()
                seconds = self.coming[0].at - self.seconds if self.coming else float("inf")
                if seconds > 0:
                    with trio.move_on_after(seconds):
                        await self._more.wait()
                    continue
                self.under_way += 1
                nursery.start_soon(self._bring, engine, heapq.heappop(self.coming))

    async def _bring(self, engine: Engine, due: _Due) -> None:
        """One webhook: until it is answered with 200 it comes again, the server dead or alive."""
        is_taken = False
        try:
            if due.delivery is not None:
                said = due.delivery.said
                self.write("posted", said[0].user, ",".join(each.id for each in said))
                await engine.receive([self._message(each, due.delivery.at) for each in said])
                for each in said:
                    self.write("accepted", each.user, each.id)
            elif due.report is not None:
                await engine.receive([], [due.report])
            is_taken = True
        except EngineError:
            pass  # 503: once more, later
        finally:
            if not is_taken:
                again = attrs.evolve(
                    due, at=max(self.died_at if self.dead else self.seconds, due.at) + _AGAIN_SECONDS
                )
                heapq.heappush(self.coming, again)
                self._more.set()
            if not self.dead:
                self.under_way -= 1

    def _message(self, said: Said, at: float) -> Message:
        identity = None
        if said.names:
            identity = Identity(names=said.names, retired=said.retired, address=said.names[0])
        return Message(
            id=said.id,
            user=User(said.names[0] if said.names else said.user),
            text=said.text,
            content=_content(said),
            identity=identity,
            # Meta's own clock, which nobody sets.
            timestamp=int(EPOCH + at) - said.age,
        )


def _content(said: Said) -> Content:
    match said.what:
        case What.EDITS:
            return Edit(message_id=said.about, content=Text(body=said.text))
        case What.REVOKES:
            return Revoke(message_id=said.about)
        case What.REACTS:
            return Reaction(message_id=said.about, emoji=said.text)
        case What.TAKES_OVER:
            return Echo(content=Text(body=said.text))
        case What.RENAMES:
            return System(event="user_changed_number", body=said.text)
    return Text(body=said.text)
