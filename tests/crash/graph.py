"""A Graph API in a process of its own: writes each send to a ledger before it answers, and posts statuses.

What was sent goes into the ledger `sends` in the working directory; the file `server` there says where the
server listens now.  The first line of output is its own address.  Most sends get their statuses, some out of
order, some never; a status that is not taken is posted again, as Meta does.
"""

# ruff: noqa: S311  # chance, not cryptography

import heapq
import json
import os
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import ledger

from web.whatsapp.signature import SIGNATURE_HEADER, sign

SEED = os.environ["CRASH_SEED"]
SECRET = os.environ["WHATSAPP_APP_SECRET"]
POLL_SECONDS = 0.03
numbers = count(1)
# When, in which order, what: filled by the requests, emptied by the thread that posts.
due: list[tuple[float, int, dict[str, Any]]] = []
lock = threading.Lock()


def plan_statuses(row_id: str, wamid: str, to: str) -> None:
    chance = random.Random(f"{SEED} {row_id} statuses")
    if chance.random() < 0.3:
        return
    names = ["sent", "delivered", "read"][: chance.randint(1, 3)]
    if chance.random() < 0.3:
        chance.shuffle(names)
    at = time.monotonic()
    for name in names:
        at += chance.uniform(0, 0.3)
        status = {
            "id": wamid,
            "status": name,
            "timestamp": str(int(time.time())),
            "recipient_id": to,
            "biz_opaque_callback_data": row_id,
        }
        with lock:
            heapq.heappush(due, (at, next(numbers), status))


def post_statuses() -> None:
    """For ever: what is due, in one signed body, until it is taken."""
    batch: list[dict[str, Any]] = []
    with httpx2.Client(trust_env=False, timeout=5) as client:
        while True:
            time.sleep(POLL_SECONDS)
            with lock:
                while due and due[0][0] <= time.monotonic():
                    batch.append(heapq.heappop(due)[2])
            if batch and post(client, batch):
                batch = []


def post(client: httpx2.Client, statuses: list[dict[str, Any]]) -> bool:
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "statuses": statuses}}
    entry = {"id": "1", "changes": [change]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    try:
        url = f"{Path('server').read_text()}/webhook/whatsapp"
        answer = client.post(url, content=body, headers={SIGNATURE_HEADER: sign(body, SECRET)})
    except (OSError, httpx2.HTTPError):
        return False
    if answer.status_code != 200:
        return False
    for status in statuses:
        ledger.write(Path("statuses"), row=status["biz_opaque_callback_data"], status=status["status"])
    return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:  # whoever wrote it died meanwhile
            self.close_connection = True
            return
        body = json.dumps(self._answer(json.loads(content))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("status") == "read":
            ledger.write(Path("typing"), message=request["message_id"])
            return {"success": True}
        row_id, wamid = request["biz_opaque_callback_data"], f"wamid.sent-{next(numbers)}"
        ledger.write(Path("sends"), row=row_id, user=request["to"], text=request["text"]["body"], wamid=wamid)
        plan_statuses(row_id, wamid, request["to"])
        time.sleep(random.Random(f"{SEED} {row_id} {wamid}").uniform(0, 0.02))
        return {"messaging_product": "whatsapp", "messages": [{"id": wamid}]}

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            """The server died in the middle of it."""

    def log_message(self, format: str, *arguments: object) -> None:
        """No access log."""


class Server(ThreadingHTTPServer):
    # The connections of a server that has died are nobody's.
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=post_statuses, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/v26.0", flush=True)
    server.serve_forever()
