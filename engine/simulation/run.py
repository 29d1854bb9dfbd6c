"""Runs one scenario: life after life of an engine in the world, until all is at rest or a promise is broken.

Rule 1: Trio's own chance is seeded: the same scenario gives the same trace, on every run and machine.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock

from engine.errors import StoreUnavailable, one_line
from engine.replies import TemplateBody
from engine.runtime import Engine, open_engine
from engine.simulation.assistant import make_assistant
from engine.simulation.ledger import Ledger
from engine.simulation.phone import Phone
from engine.simulation.promises import RULES
from engine.simulation.rules import Broken, Watch
from engine.simulation.scenario import Death, Scenario
from engine.simulation.seen import Left, Seen
from engine.simulation.store import FaultyStore
from engine.simulation.world import World

# Longer than any retry of the outbox and any operation; what has not come to rest by then never does.
_REST_SECONDS_MAX: Final = 100_000.0
_LIVES_MAX: Final = 40
_TEMPLATE: Final = TemplateBody("we_have_an_answer", "en")
_LAST_TASKS_SECONDS: Final = 60.0


@attrs.frozen(kw_only=True)
class Report:
    """What a simulation gave: the promises that were broken, what was seen, how much there was."""

    scenario: Scenario
    broken: tuple[Broken, ...]
    ledger: Ledger = attrs.field(repr=False)
    operations: int
    lives: int

    @property
    def trace(self) -> str:
        """The hash of what was seen: the same for the same seed, on every run and machine."""
        return self.ledger.hash

    @property
    def trail(self) -> tuple[str, ...]:
        """What was seen, a line each."""
        return tuple(map(str, self.ledger))


def simulate(scenario: Scenario) -> Report:
    """Run a scenario to its end, or to where a promise is broken."""
    _seed_trio(scenario.seed)
    watch = Watch(scenario, RULES)
    world = World(scenario, watch)
    store = FaultyStore(world)
    try:
        _live_on(world, store)
    except BaseExceptionGroup as error:
        if error.subgroup(KeyboardInterrupt):
            raise
        if not world.is_over:
            world.broken.append(Broken(11, f"the engine broke: {one_line(error)}", "simulate"))
    if world.error:
        raise world.error
    broken = world.broken or watch.see_end(_what_is_left(world, store, watch.seen))
    return Report(
        scenario=scenario,
        broken=tuple(broken),
        ledger=world.ledger,
        operations=watch.seen.begun,
        lives=world.life,
    )


def _what_is_left(world: World, store: FaultyStore, seen: Seen) -> Left:
    return Left(
        seen=seen,
        messages={row["id"]: row for row in store.rows("messages")},
        operations={row["id"]: row for row in store.rows("operations")},
        calls=store.rows("calls"),
        outbox={row["id"]: row for row in store.rows("outbox")},
        is_at_rest=world.is_at_rest,
    )


def _live_on(world: World, store: FaultyStore) -> None:
    """Life after life, until all is at rest."""
    assistant, phone = make_assistant(world), Phone(world)
    at = 0.0
    stops = [death for death in world.scenario.deaths if not death.write]
    while not (world.is_at_rest or world.is_restless or world.is_over) and world.life < _LIVES_MAX:
        next_stop = stops.pop(0) if stops else None
        clock = MockClock(autojump_threshold=0)
        open_ = partial(
            open_engine,
            assistant,
            store=store,
            outbound=phone.send,
            policy=world.scenario.policy,
            limits=world.scenario.limits,
            template=_TEMPLATE if world.scenario.has_template else None,
            now=world.now,
            new_id=world.new_id,
        )
        trio.run(_live, world, open_, at, next_stop, clock=clock)
        at = world.died_at + world.down


def _seed_trio(seed: int) -> None:
    # Trio shuffles its run queue on purpose; it has no public way to make that repeatable.
    run: Any = trio._core._run
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)


async def _live(
    world: World, open_: Callable[[], AbstractAsyncContextManager[Engine]], at: float, stop: Death | None
) -> None:
    """One process, from its start to its death, to a stop, or to rest."""
    world.begin(at)
    with suppress(StoreUnavailable), world.scope:  # it could not be opened: the supervisor tries again
        async with open_() as engine:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.deliver, engine)
                stop_at = max(stop.at, at) if stop else float("inf")
                with trio.move_on_after(min(stop_at - world.seconds, _REST_SECONDS_MAX)):
                    await _rest(world, engine)
                    world.is_at_rest = True
                world.is_restless = stop is None and not world.is_at_rest
                if stop is not None and not world.is_at_rest:
                    world.write("told to stop", "", str(world.life))
                    world.down = stop.down
                    await engine.drain()
                nursery.cancel_scope.cancel()
            _look_for_leaks(world, engine)
    if not world.dead:
        world.die()


async def _rest(world: World, engine: Engine) -> None:
    """Wait until nothing comes in any more and nothing is left to do."""
    pause = 0.5
    while True:
        await trio.sleep(pause)
        pause = min(pause * 1.5, 60.0)
        if world.coming or world.under_way or engine.live_sessions or await _depths(engine) != (0, 0):
            continue
        # What was given up may still be tried once more; then there must be nothing.
        await trio.sleep(_LAST_TASKS_SECONDS)
        if not world.coming:
            return


async def _depths(engine: Engine) -> tuple[int, int]:
    try:
        depths = await engine.read_depths()
    except StoreUnavailable:
        return (-1, -1)
    return (depths.inbox, depths.outbox)


def _look_for_leaks(world: World, engine: Engine) -> None:
    if world.is_at_rest:
        tasks = sorted(task.name for task in engine._nursery.child_tasks)
        letters = len(engine._outbox._letters)
        world.write("rest", "", str(world.life), engine.live_sessions, letters, *tasks)
