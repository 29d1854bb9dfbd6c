"""The assistant of the crash runs: plans of several waves whose acts on the world stand in a ledger.

Whatever books or pays can be taken back; that stands in the ledger too.

Rule 1: what is planned for a message follows from the seed and the message's id alone.
Rule 2: an act names itself by its arguments, so that the same act under two idempotency keys is seen.
"""

# ruff: noqa: S311  # chance, not cryptography

import os
import random
import time
from pathlib import Path
from typing import Any

import ledger
import trio

from engine import Assistant, Call, Context, Message, Outcome, Plan, Ref, Results, ToolContext, tool

SEED = os.environ["CRASH_SEED"]
LIFE = int(os.environ["CRASH_LIFE"])
ACTS = Path("acts")


class _Act:
    """One act: its start and its end in the ledger."""

    def __init__(self, name: str, context: ToolContext, *, idempotent: bool) -> None:
        operation, _, call = context.idempotency_key.partition("/")
        self._fields = {
            "life": LIFE,
            "name": name,
            "user": context.user.id,
            "operation": operation,
            "call": call,
            "key": context.idempotency_key,
            "idempotent": idempotent,
        }

    def __enter__(self) -> None:
        ledger.write(ACTS, what="start", **self._fields)

    def __exit__(self, *error: object) -> None:
        ledger.write(ACTS, what="end", **self._fields)


def _result(name: str, fails: bool) -> str:
    if fails:
        raise RuntimeError("the world said no")
    return f"did {name}"


def _undo(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
    operation, _, call = context.idempotency_key.partition("/")
    ledger.write(
        ACTS,
        what="undo",
        life=LIFE,
        name=args["name"],
        user=context.user.id,
        operation=operation,
        call=call,
        key=context.idempotency_key,
        status=outcome.status.value,
    )
    if random.Random(f"{SEED} {args['name']} undo").random() < 0.1:
        raise RuntimeError("the world does not take it back")


async def unbook(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
    """Takes a booking back; once more does no harm."""
    await trio.sleep(args["ms"] / 1000)
    _undo(args, outcome, context)


def unpay(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
    """Takes a payment back, in a worker thread."""
    _undo(args, outcome, context)


@tool(timeout=30, idempotent=True)
async def look(name: str, ms: int, fails: bool, seen: str = "", *, context: ToolContext) -> str:
    """Looks something up."""
    with _Act(name, context, idempotent=True):
        await trio.sleep(ms / 1000)
    return _result(name, fails)


@tool(timeout=30, undo=unbook)
async def book(name: str, ms: int, fails: bool, seen: str = "", *, context: ToolContext) -> str:
    """Books something, once more each time."""
    with _Act(name, context, idempotent=False):
        await trio.sleep(ms / 1000)
    return _result(name, fails)


@tool(timeout=30, idempotent=True)
def measure(name: str, ms: int, fails: bool, seen: str = "", *, context: ToolContext) -> str:
    """Looks something up in a worker thread."""
    with _Act(name, context, idempotent=True):
        time.sleep(ms / 1000)
    return _result(name, fails)


@tool(timeout=30, undo=unpay)
def pay(name: str, ms: int, fails: bool, seen: str = "", *, context: ToolContext) -> str:
    """Pays in a worker thread, once more each time."""
    with _Act(name, context, idempotent=False):
        time.sleep(ms / 1000)
    return _result(name, fails)


@tool(timeout=30, idempotent=True, reusable_seconds=600)
async def find(topic: str, *, context: ToolContext) -> str:
    """Finds out what a superseded request may have found out before."""
    with _Act(context.idempotency_key, context, idempotent=True):
        await trio.sleep(0.02)
    return f"found {topic}"


TOOLS = (look, book, measure, pay)


def plan_for(message_id: str, round: int) -> Plan:
    """One to three waves; an adaptation is one wave more."""
    chance = random.Random(f"{SEED} {message_id} {round}")
    calls: list[Call] = []
    before: list[str] = []
    for wave in range(1 if round else chance.randint(1, 3)):
        ids = [f"{message_id}/r{round}w{wave}c{number}" for number in range(chance.randint(1, 3))]
        for id in ids:
            args: dict[str, Any] = {
                "name": id,
                "ms": chance.randint(0, 50),
                "fails": chance.random() < 0.05,
            }
            if not before and chance.random() < 0.3:
                calls.append(Call(id, find, {"topic": f"{message_id.split('.')[1]} {chance.randint(0, 1)}"}))
                continue
            after = [chance.choice(before)] if before else []
            if before and chance.random() < 0.5:
                # Goes on whatever became of the other; `after` alone would be skipped.
                args["seen"], after = Ref(after[0], default="nothing"), []
            calls.append(Call(id, chance.choice(TOOLS), args, after=after))
        before = ids
    return Plan(*calls)


def _note(what: str, message: Message, context: Context) -> None:
    """What the planner was asked for, with the messages that it was shown."""
    burst = [each.id for each in context.burst]
    ledger.write(ACTS, what=what, life=LIFE, name=message.id, user=message.user.id, burst=burst)


class Planner:
    async def plan(self, message: Message, context: Context) -> Plan:
        _note("plan", message, context)
        chance = random.Random(f"{SEED} {message.id} plan")
        if chance.random() < 0.1:
            await context.progress("One moment ...")
        await trio.sleep(chance.uniform(0, 0.03))
        return plan_for(message.id, 0)

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        _note("adapt", message, context)
        chance = random.Random(f"{SEED} {message.id} adapt")
        adaptations = chance.choice([0, 0, 0, 1, 2])
        own = [int(id.rpartition("/r")[2][0]) for id in results if id.startswith(f"{message.id}/")]
        if not own:  # it has joined what was planned for another
            return None if chance.random() < 0.3 else plan_for(message.id, 0)
        round = 1 + max(own)
        return plan_for(message.id, round) if round <= adaptations else None


async def respond(message: Message, results: Results, context: Context) -> str:
    await trio.sleep(random.Random(f"{SEED} {message.id} respond").uniform(0, 0.03))
    return f"{message.id}: " + ", ".join(f"{id} {outcome.status}" for id, outcome in results.items())


assistant = Assistant(planner=Planner(), responder=respond, tools=[*TOOLS, find])
