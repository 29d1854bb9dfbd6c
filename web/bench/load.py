"""The load of one round, as a process: connections that are kept alive, each posting one message at a time.

`python -m web.bench.load PORT CONNECTIONS FIRST COUNT` posts messages FIRST to FIRST + COUNT and prints how
many were accepted and how long that took.
"""

import json
import sys
from collections.abc import Iterator
from typing import Final

import attrs
import trio

from web.bench.traffic import Traffic

_CHUNK_BYTES: Final = 65_536
_ACCEPTED: Final = b"HTTP/1.1 200"
# Only so that a bench whose server hangs ends.
_SECONDS_MAX: Final = 60.0


@attrs.define(eq=False)
class Load:
    """One round's requests, made before the clock starts, and what came of them."""

    port: int
    requests: Iterator[bytes]
    accepted: int = 0

    async def run_connection(self) -> None:
        """Post what is left, one request after the other, each when the last was answered."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            for request in self.requests:
                await stream.send_all(request)
                answer = await read_answer(stream)
                self.accepted += answer.startswith(_ACCEPTED)


async def read_answer(stream: trio.SocketStream) -> bytes:
    """One answer, whole, so that the next one begins with its first byte."""
    answer = b""
    while _missing(answer) > 0:
        chunk = await stream.receive_some(_CHUNK_BYTES)
        if not chunk:
            raise ConnectionError("the server closed a connection in use")
        answer += chunk
    return answer


def _missing(answer: bytes) -> int:
    """How many bytes, at least, an answer still lacks."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return 1
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0].partition(b":")[2]) - len(body)


async def _run(port: int, connections: int, first: int, count: int) -> None:
    load = Load(port, iter(list(Traffic(first=first, messages=count, with_statuses=False).requests())))
    started_at = trio.current_time()
    with trio.fail_after(_SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(load.run_connection)
    seconds = trio.current_time() - started_at
    print(json.dumps({"accepted": load.accepted, "seconds": seconds}), flush=True)  # noqa: T201


if __name__ == "__main__":
    port, connections, first, count = map(int, sys.argv[1:])
    trio.run(_run, port, connections, first, count)
