"""LangGraph's in-memory server (`langgraph dev`), a thread for each user, `multitask_strategy="interrupt"`.

As its documentation has it: docs.langchain.com/langsmith/interrupt-concurrent and
docs.langchain.com/langsmith/double-texting ("halts the current execution and preserves the progress made up
to the interruption point").  The library alone has nothing for double texting, says the second of them.

The server is told to run as many runs at once as there may be (`--n-jobs-per-worker`; 10 by default).  It
needs no key and no licence; its statistics, its check for a newer version and tracing are off.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from langgraph_sdk import get_client
from peers.ledger import Ledger
from peers.operation import World

PACKAGES = ("langgraph", "langgraph-api", "langgraph-runtime-inmem", "langgraph-sdk", "langgraph-cli")
TRIO = False

_TESTS = Path(__file__).parents[2]
_JOBS = 200
_LOOK_SECONDS = 0.2
_QUIET = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
}


class LanggraphServer:
    """See the module."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger = ledger
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._client = get_client(url=f"http://127.0.0.1:{self._port}")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """See `Contender.open`."""
        config = self._folder / "langgraph.json"
        graph = Path(__file__).with_name("langgraph_graph.py")
        config.write_text(
            json.dumps({"dependencies": [str(_TESTS)], "graphs": {"agent": f"{graph}:graph"}, "env": {}})
        )
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--config", str(config), "--no-browser"]
        command += ["--no-reload", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--n-jobs-per-worker", str(_JOBS), "--server-log-level", "ERROR"]
        with (self._folder.parent / "langgraph.log").open("wb") as log:
            server = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._folder,
                env={**os.environ, **_QUIET, "PEERS_LEDGER": str(self._ledger.path)},
                stdout=log,
                stderr=log,
            )
        try:
            await self._wait_until_ready(server)
            yield
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()

    async def _wait_until_ready(self, server: asyncio.subprocess.Process) -> None:
        """It listens once it has started."""
        while True:
            if server.returncode is not None:
                raise RuntimeError("the server ended; langgraph.log beside the ledger says why (--keep)")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except ConnectionRefusedError:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                writer.close()
                return

    async def deliver(self, user: str, message: str) -> None:
        """See `Contender.deliver`."""
        thread = str(uuid5(NAMESPACE_OID, user))
        await self._client.runs.create(
            thread,
            "agent",
            input={"messages": [{"role": "user", "content": message}]},
            multitask_strategy="interrupt",
            if_not_exists="create",
        )


def make(world: World, ledger: Ledger, folder: Path) -> LanggraphServer:
    """See `Contender`."""
    return LanggraphServer(ledger, folder)
