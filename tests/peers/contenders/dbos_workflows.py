"""DBOS Transact on SQLite: an operation is a workflow, a call a step; cancel the old one and start the new.

As its documentation has it: cancelling "preempts its execution (interrupting it at the beginning of its next
step)" (docs.dbos.dev/python/tutorials/workflow-management); async steps of one workflow run at once with
asyncio.gather (docs.dbos.dev/python/tutorials/workflow-tutorial, "Coroutine (Async) Workflows"); what the
steps of a workflow returned is read with `DBOS.list_workflow_steps`
(docs.dbos.dev/python/reference/contexts).  Steps are not `preemptible`: that would cut the calls.

A conversation is not DBOS's matter: a list beside it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync
from peers.ledger import Ledger
from peers.operation import WAVES, World, wave_of

PACKAGES = ("dbos",)
TRIO = False


class DbosWorkflows:
    """See the module."""

    def __init__(self, world: World, folder: Path) -> None:
        url = f"sqlite:///{folder / 'dbos.sqlite'}"
        # Neither traces nor a conductor: nothing leaves this machine.
        DBOS(config={"name": "peers", "system_database_url": url, "enable_otlp": False, "log_level": "ERROR"})

        @DBOS.step()
        async def plan(message: str, messages: list[str], results: list[str]) -> None:
            world.plan(message, messages, results)

        @DBOS.step()
        async def act(call: str) -> str:
            return await world.act(call)

        @DBOS.step()
        async def reply(message: str) -> None:
            await world.reply(message)

        @DBOS.workflow()
        async def operate(message: str, messages: list[str], superseded: list[str]) -> None:
            results = [
                step["output"]
                for workflow in superseded
                for step in await DBOS.list_workflow_steps_async(workflow)
                if step["function_name"] == act.__qualname__ and step["output"] is not None
            ]
            await plan(message, messages, results)
            for wave in range(WAVES):
                # The calls of a wave are waited for, also when one of them was not begun any more; then the
                # next step tells of the cancellation.
                await asyncio.gather(*(act(call) for call in wave_of(message, wave)), return_exceptions=True)
            await reply(message)

        self._operate = operate
        self._messages: dict[str, list[str]] = defaultdict(list)
        self._handles: dict[str, list[WorkflowHandleAsync[None]]] = defaultdict(list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        DBOS.launch()
        yield
        DBOS.destroy()

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`: it returns when the workflow is on disk."""
        self._messages[user].append(message)
        await self.cancel(user)
        await self.start(user, message)

    async def cancel(self, user: str) -> None:
        """The user's newest workflow, unless it is done."""
        if handles := self._handles[user]:
            await DBOS.cancel_workflow_async(handles[-1].get_workflow_id())

    async def start(self, user: str, message: str) -> None:
        """A workflow under its message's id: the same message again would start none."""
        superseded = []
        for handle in self._handles[user]:
            if (await handle.get_status()).status == "CANCELLED":
                superseded.append(handle.get_workflow_id())
            else:
                superseded.clear()
        with SetWorkflowID(message):
            handle = await DBOS.start_workflow_async(
                self._operate, message, list(self._messages[user]), superseded
            )
        self._handles[user].append(handle)


def make(world: World, ledger: Ledger, folder: Path) -> DbosWorkflows:
    """See `Contender`."""
    return DbosWorkflows(world, folder)
