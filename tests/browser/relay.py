"""A line between a browser and a server that a test can cut and mend."""

import contextlib
import socket
import socketserver
import threading
from typing import Any, Final

_CHUNK_BYTES: Final = 65_536


class _Relay(socketserver.BaseRequestHandler):
    """One connection, until either side ends it or the line is cut."""

    server: "Line"

    def handle(self) -> None:
        if not self.server.is_whole:
            return
        with socket.create_connection(self.server.target) as onward:
            self.server.open += [self.request, onward]
            back = threading.Thread(target=_copy, args=(onward, self.request))
            back.start()
            _copy(self.request, onward)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Everything from one to the other; then neither has anything more to say."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Line(socketserver.ThreadingTCPServer):
    """Listens at `.url` and goes on to the server at `url`.  A context manager."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.target = (host, int(port))
        self.is_whole = True
        self.open: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Relay)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self.is_whole = False
        while self.open:
            with contextlib.suppress(OSError):
                self.open.pop().shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_whole = True

    def __exit__(self, *error: Any) -> None:
        self.cut()
        self.shutdown()
        super().__exit__(*error)
