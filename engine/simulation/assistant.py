"""The assistant of a made-up world: it plans, acts and answers as the scenario says, and is seen."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import trio

from engine.assistant import Assistant, Context
from engine.model import Message, Outcome, Results
from engine.plan import Call, Plan, Ref
from engine.replies import Reply
from engine.simulation.scenario import TOOLS, Ending, Work
from engine.simulation.world import World
from engine.tools import Tool, ToolContext, tool

TOOL_SECONDS: Final = 8.0
IDEMPOTENT: Final = ("look", "hold")
UNDOABLE: Final = ("hold", "book")
REUSABLE_SECONDS: Final = 20.0


def make_assistant(world: World) -> Assistant:
    """The assistant of this world."""
    mind = _Mind(world)
    return Assistant(planner=mind, responder=mind.respond, tools=[mind.tool(name) for name in TOOLS])


@attrs.frozen(eq=False)
class _Mind:
    world: World

    def tool(self, name: str) -> Tool:
        async def act(act: str, seconds: float, ending: str, undo: str, *, context: ToolContext) -> str:
            with self._seen("act", context.user.id, context.idempotency_key, name, act):
                await _take(seconds, ending)
            return act

        act.__name__ = act.__qualname__ = name
        made = tool(
            TOOL_SECONDS,
            idempotent=name in IDEMPOTENT,
            undo=self.undo if name in UNDOABLE else None,
            reusable_seconds=REUSABLE_SECONDS if name == "look" else 0,
        )
        return made(act)

    async def undo(self, args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        with self._seen("undo", context.user.id, context.idempotency_key, outcome.status.value):
            await _take(0.5, args["undo"])

    async def plan(self, message: Message, context: Context) -> Plan:
        work = self._work(message)
        with self._seen("plan", message.user.id, message.id, *_shown(context)):
            await trio.sleep(work.planning)
            _fail_if(work.fails == "plan")
        return self._round(message, 0)

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        work = self._work(message)
        with self._seen("adapt", message.user.id, message.id, _burst(context)):
            await trio.sleep(work.adapting)
            _fail_if(work.fails == "adapt")
        rounds = {id.split(".")[1] for id in results if id.startswith(f"{message.id}.")}
        if not rounds and work.keeps:
            return None
        return self._round(message, len(rounds)) if len(rounds) < len(work.rounds) else None

    async def respond(self, message: Message, results: Results, context: Context) -> tuple[Reply, ...]:
        work = self._work(message)
        with self._seen("respond", message.user.id, message.id, _burst(context)):
            await trio.sleep(work.responding)
            _fail_if(work.fails == "respond")
        more = (Reply(f"answer {number} to {message.id}") for number in range(1, work.answers))
        return (Reply(f"answer to {message.id}"), *more)

    def _work(self, message: Message) -> Work:
        return self.world.scenario.said[message.id].work

    def _round(self, message: Message, number: int) -> Plan:
        """The calls of a round; each wave after the one before it."""
        work = self._work(message)
        calls: list[Call] = []
        before: str | None = None
        for wave, acts in enumerate(work.rounds[number] if work.rounds else ()):
            ids = [f"{message.id}.{number}.{wave}.{index}" for index in range(len(acts))]
            for id, act in zip(ids, acts, strict=True):
                # A look-up is the same for everybody who asks; that is what makes it reusable.
                name = f"topic {act.seconds}" if act.tool == "look" else id
                args = {"act": name, "seconds": act.seconds, "ending": act.ending, "undo": act.undo}
                if before is not None and act.tool == "hold":
                    calls.append(Call(id, act.tool, {**args, "act": Ref(before, default=name)}))
                else:
                    calls.append(Call(id, act.tool, args, after=[before] if before else ()))
            before = ids[0]
        return Plan(*calls)

    @contextmanager
    def _seen(self, what: str, user: str, key: str, *more: Any) -> Iterator[None]:
        """Its start and its end in the ledger, and how it ended."""
        self.world.write(f"{what} starts", user, key, *more)
        how = "well"
        try:
            yield
        except trio.Cancelled:
            how = "cut"
            raise
        except BaseException:
            how = "raised"
            raise
        finally:
            self.world.write(f"{what} ends", user, key, how)


def _burst(context: Context) -> str:
    """The messages to work on."""
    return ",".join(message.id for message in context.burst)


def _shown(context: Context) -> tuple[Any, ...]:
    """What a planner is shown, as far as promises speak of it."""
    return (
        _burst(context),
        ",".join(f"{one.message.id}:{_statuses(one.results)}" for one in context.superseded),
        ",".join(turn.message_id for turn in context.history if turn.role == "user"),
    )


def _statuses(results: Results) -> str:
    counts = Counter(outcome.status.value for outcome in results.values())
    return "+".join(f"{counts[status]} {status}" for status in sorted(counts))


def _fail_if(fails: bool) -> None:
    if fails:
        raise RuntimeError("as planned")


async def _take(seconds: float, ending: str) -> None:
    match ending:
        case Ending.HANGS:
            await trio.sleep_forever()
        case Ending.STUBBORN:
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds)
        case _:
            await trio.sleep(seconds)
    await trio.lowlevel.checkpoint_if_cancelled()
    _fail_if(ending == Ending.RAISES)
