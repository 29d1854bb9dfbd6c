"""The rival, as a process: FastAPI on uvicorn, which checks the signature, reads the JSON, and answers 200.

It talks to the bench as `server` does.  Nothing is stored, so that there is nothing to wait for.
"""

import hashlib
import hmac
import json
import socket
import threading
import time

import uvicorn
from fastapi import FastAPI, Request, Response

from web.bench.processes import questions, say
from web.bench.traffic import SECRET
from web.serving import BACKLOG
from web.webhook import ROUTE
from web.whatsapp.signature import SIGNATURE_HEADER

app = FastAPI()


@app.post(ROUTE)
async def receive(request: Request) -> Response:
    """Signed and read, and that is all."""
    body = await request.body()
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get(SIGNATURE_HEADER, "")):
        return Response(status_code=401)
    json.loads(body)
    return Response()


def main() -> None:
    """Serve on a free port of the loopback until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    server = uvicorn.Server(
        uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    )

    def answer_questions() -> None:
        for _ in questions():
            say({"samples": [(time.perf_counter(), time.process_time())]})
        server.should_exit = True

    say({"port": listener.getsockname()[1]})
    threading.Thread(target=answer_questions, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
