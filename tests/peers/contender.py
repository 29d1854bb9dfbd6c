"""What a contender is, and how the script is played on it.

    python -m peers.contender MODULE LEDGER SEED USERS SECONDS

plays the script on one of `peers.contenders`, in the environment that this runs in, and prints the versions
of what it ran on.
"""

import asyncio
import importlib
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from peers.ledger import Ledger, read_lines
from peers.operation import Sleep, World
from peers.script import Script, Sending, make_script

# Whoever has not answered by then will not.
PATIENCE_SECONDS = 20.0
# What comes although it should not: an operation that goes on, a reply to a question taken back.
QUIET_SECONDS = 2.5
_LOOK_SECONDS = 0.25
# What a contender needs to be ready is not measured.
_LEAD_SECONDS = 0.5


class Contender(Protocol):
    """One tool, used as its own documentation says.

    A module of `peers.contenders` has `PACKAGES`, the distributions whose versions are to be told; `TRIO`,
    whether it runs on Trio instead of asyncio; and `make`, of this signature:
    make(world: World, ledger: Ledger, folder: Path) -> Contender.
    """

    def open(self) -> AbstractAsyncContextManager[None]:
        """Ready within the block."""
        ...

    async def deliver(self, user: str, message: str) -> None:
        """Take one message; returns as soon as the tool has it, long before it is answered.

        Messages of one user come one after the other, in order.
        """
        ...


async def send_all(contender: Contender, ledger: Ledger, sendings: Sequence[Sending], sleep: Sleep) -> None:
    """One user's phone."""
    now = 0.0
    for sending in sendings:
        await sleep(sending.at - now)
        now = sending.at
        ledger.write("sent", sending.message)
        await contender.deliver(sending.message.partition("-")[0], sending.message)
        ledger.write("accepted", sending.message)


async def wait_for_answers(script: Script, ledger: Ledger, sleep: Sleep) -> None:
    """Until each newest message is answered, or nobody would wait any longer; and then a while."""
    for _ in range(int(PATIENCE_SECONDS / _LOOK_SECONDS)):
        if script.newest <= {line.message for line in read_lines(ledger.path) if line.what == "reply"}:
            break
        await sleep(_LOOK_SECONDS)
    await sleep(QUIET_SECONDS)


async def play_on_asyncio(contender: Contender, script: Script, ledger: Ledger) -> None:
    """The whole script."""
    async with contender.open():
        await asyncio.sleep(_LEAD_SECONDS)
        await asyncio.gather(
            *(send_all(contender, ledger, sendings, asyncio.sleep) for sendings in script.users.values())
        )
        await wait_for_answers(script, ledger, asyncio.sleep)


async def play_on_trio(contender: Contender, script: Script, ledger: Ledger) -> None:
    """The whole script."""
    import trio

    async with contender.open():
        await trio.sleep(_LEAD_SECONDS)
        async with trio.open_nursery() as nursery:
            for sendings in script.users.values():
                nursery.start_soon(send_all, contender, ledger, sendings, trio.sleep)
        await wait_for_answers(script, ledger, trio.sleep)


def main(module: str, path: str, seed: str, users: str, seconds: str) -> None:
    """Play, and tell the versions."""
    contenders = importlib.import_module(f"peers.contenders.{module}")
    script = make_script(int(seed), users=int(users), seconds=float(seconds))
    ledger = Ledger(Path(path))
    with tempfile.TemporaryDirectory(prefix=f"peers-{module}-", dir=Path(path).parent) as folder:
        if contenders.TRIO:
            import trio

            world = World(ledger, trio.sleep)
            trio.run(play_on_trio, contenders.make(world, ledger, Path(folder)), script, ledger)
        else:
            world = World(ledger, asyncio.sleep)
            asyncio.run(play_on_asyncio(contenders.make(world, ledger, Path(folder)), script, ledger))
    ledger.close()
    versions = {name: version(name) for name in contenders.PACKAGES}
    print(json.dumps({"python": platform.python_version(), **versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
