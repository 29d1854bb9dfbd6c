"""The assistant of the soak: three waves of two calls, one of them in a worker thread, some of which fail."""

# ruff: noqa: S311  # chance, not cryptography

import random
import time

import trio

from engine import Assistant, Call, Context, Message, Plan, Ref, Results, tool

WAVES = 3


def _result(name: str) -> str:
    if random.random() < 0.05:
        raise RuntimeError("the world said no")
    return f"found {name}"


@tool(timeout=30, idempotent=True)
async def look(name: str, seen: str = "") -> str:
    """Looks something up."""
    await trio.sleep(random.uniform(0, 0.2))
    return _result(name)


@tool(timeout=30, idempotent=True)
def measure(name: str, seen: str = "") -> str:
    """Looks something up in a worker thread."""
    time.sleep(random.uniform(0, 0.1))
    return _result(name)


@tool(timeout=30, idempotent=True, reusable_seconds=60)
async def find(topic: str) -> str:
    """Finds out what a superseded request may have found out before."""
    await trio.sleep(0.02)
    return f"found {topic}"


class Planner:
    async def plan(self, message: Message, context: Context) -> Plan:
        if random.random() < 0.1:
            await context.progress("One moment ...")
        await trio.sleep(random.uniform(0, 0.2))
        calls = [Call("w0c0", find, {"topic": message.user.id}), Call("w0c1", measure, {"name": "w0c1"})]
        for wave in range(1, WAVES):
            seen = Ref(f"w{wave - 1}c1", default="nothing")
            calls.append(Call(f"w{wave}c0", look, {"name": f"w{wave}c0", "seen": seen}))
            calls.append(Call(f"w{wave}c1", measure, {"name": f"w{wave}c1", "seen": seen}))
        return Plan(*calls)

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        if "more" in results or random.random() < 0.8:
            return None
        return Plan(Call("more", look, {"name": "more"}))


async def respond(message: Message, results: Results, context: Context) -> str:
    await trio.sleep(random.uniform(0, 0.2))
    return f"{message.text}: " + ", ".join(f"{id} {outcome.status}" for id, outcome in results.items())


assistant = Assistant(planner=Planner(), responder=respond, tools=[look, measure, find])
