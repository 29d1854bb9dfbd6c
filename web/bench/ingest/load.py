"""The load, as a process: each line of its standard input is an order; it posts, and prints what came of it.

Closed loop: each connection posts when its last request was answered.  Open loop: each request has its time,
and whoever is late is late by that time, however long the others took before it.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import trio

from web.bench.load import read_answer
from web.bench.processes import questions, say
from web.bench.traffic import Traffic

_ACCEPTED: Final = b"HTTP/1.1 200"
# Only so that a bench whose server hangs ends.
_SECONDS_MAX: Final = 120.0


@attrs.frozen(kw_only=True)
class Order:
    """What to post, and how.  `per_second` None: as fast as it is answered."""

    port: int
    connections: int
    traffic: Traffic
    per_second: float | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is sent to the process."""
        return attrs.asdict(self)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Order":
        """What `as_json` was made of."""
        return cls(**fields | {"traffic": Traffic(**fields["traffic"])})


@attrs.define(eq=False)
class Load:
    """One round's requests, made before the clock starts, and what came of them.

    `answers`: when each was due, by the clock that all processes share, and how many seconds later it was
    answered.
    """

    port: int
    requests: Iterator[bytes]
    per_second: float | None = None
    accepted: int = 0
    answers: list[tuple[float, float]] = attrs.field(factory=list)
    _started_at: float = attrs.field(factory=time.perf_counter)
    _begun: int = 0

    async def run_connection(self) -> None:
        """Post what is left, one request after the other, each when the last was answered."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            for request in self.requests:
                due_at = await self._wait_due()
                await stream.send_all(request)
                answer = await read_answer(stream)
                self.answers.append((due_at, time.perf_counter() - due_at))
                self.accepted += answer.startswith(_ACCEPTED)

    async def _wait_due(self) -> float:
        if self.per_second is None:
            return time.perf_counter()
        due_at = self._started_at + self._begun / self.per_second
        self._begun += 1
        if (seconds := due_at - time.perf_counter()) > 0:
            await trio.sleep(seconds)
        return due_at


async def _run(order: Order, requests: Sequence[bytes]) -> dict[str, Any]:
    load = Load(order.port, iter(requests), order.per_second)
    with trio.fail_after(_SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            for _ in range(order.connections):
                nursery.start_soon(load.run_connection)
    return {"accepted": load.accepted, "answers": load.answers}


def main() -> None:
    """Carry out orders until standard input ends."""
    for question in questions():
        order = Order.of(question)
        say(trio.run(_run, order, list(order.traffic.requests())))


if __name__ == "__main__":
    main()
