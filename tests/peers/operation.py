"""The operation that every contender runs: three waves of two calls of half a second, then a reply."""

from collections.abc import Awaitable, Callable, Iterable

from peers.ledger import Ledger

WAVES = 3
CALLS = 2
CALL_SECONDS = 0.5
# What the network takes to carry a reply.
SEND_SECONDS = 0.05

Sleep = Callable[[float], Awaitable[object]]


def wave_of(message: str, wave: int) -> list[str]:
    """The calls of one wave; a call has its message's name in front."""
    return [f"{message}/{wave}{'ab'[number]}" for number in range(CALLS)]


class World:
    """What the operations of a contender act on: two kinds of act, and the ledger that sees them."""

    def __init__(self, ledger: Ledger, sleep: Sleep) -> None:
        self._ledger = ledger
        self._sleep = sleep

    def plan(self, message: str, messages: Iterable[str], results: Iterable[str]) -> None:
        """An operation begins, and this is all that it knows."""
        self._ledger.write("planned", message, messages=messages, results=results)

    async def act(self, call: str) -> str:
        """One call; its result is its own name."""
        message = call.partition("/")[0]
        self._ledger.write("start", message, call)
        try:
            await self._sleep(CALL_SECONDS)
        except BaseException:
            self._ledger.write("cut", message, call)
            raise
        self._ledger.write("end", message, call)
        return call

    async def reply(self, message: str) -> None:
        """The phone gets the answer; the sender hears of that a little later."""
        self._ledger.write("reply", message)
        await self._sleep(SEND_SECONDS)
