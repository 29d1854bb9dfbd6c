"""A Graph API in a process of its own: takes every send and writes it to its output, one JSON line each.

The first line is its address.  Started by the tests as a script, with no arguments.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

numbers = count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        # A file comes as a form of several parts; only its size is shown.
        is_file = self.path.endswith("/media")
        request = {"bytes": len(sent)} if is_file else json.loads(sent)
        answer: dict[str, Any]
        if is_file:
            answer = {"id": f"media-{next(numbers)}"}
        elif request.get("status") == "read":
            answer = {"success": True}
        else:
            answer = {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.sent-{next(numbers)}"}]}
        line = {"path": self.path, "token": self.headers["Authorization"], **request}
        print(json.dumps(line), flush=True)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """No access log: the output is the tests'."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
