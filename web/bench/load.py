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

from web.whatsapp.signature import SIGNATURE_HEADER, sign

SECRET: Final = "the bench's"  # noqa: S105
# So many that nobody writes again before the reply, so few that everybody has a history.
_USERS: Final = 1000
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
                answer = await _read_answer(stream)
                self.accepted += answer.startswith(_ACCEPTED)


async def _read_answer(stream: trio.SocketStream) -> bytes:
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


def _request(number: int) -> bytes:
    """A signed webhook with one text message, in the shape and of the size that Meta sends."""
    phone = str(15_550_000_000 + number % _USERS)
    message = {
        "from": phone,
        "id": f"wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz{number:020d}",
        "timestamp": "1749416383",
        "type": "text",
        "text": {"body": "Does it come in another color?"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": phone}],
        "messages": [message],
    }
    entry = {"id": "419561257915477", "changes": [{"value": value, "field": "messages"}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    head = (
        "POST /webhook/whatsapp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{SIGNATURE_HEADER}: {sign(body, SECRET)}\r\n\r\n"
    )
    return head.encode() + body


async def _run(port: int, connections: int, first: int, count: int) -> None:
    load = Load(port, iter([_request(number) for number in range(first, first + count)]))
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
