"""The server in local mode, as a process that a test stops and starts."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import attrs

# Not a bound on how fast anything is: only so that a hanging test ends.
HANG_SECONDS = 60.0


@attrs.define(eq=False)
class Server:
    """`midstream serve` in local mode, in a folder of its own; it can be stopped and started again."""

    folder: Path
    url: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve; the second time at the address of the first."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MIDSTREAM_", "WHATSAPP_"))
        }
        here = Path(__file__)
        path = [str(here.parent), str(here.parents[2])]
        bind = self.url.removeprefix("http://") or "127.0.0.1:0"
        own = {
            "MIDSTREAM_BIND": bind,
            "MIDSTREAM_ASSISTANT": "bot:assistant",
            "PYTHONPATH": os.pathsep.join(path),
        }
        with (self.folder / "log").open("ab") as log:
            position = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "web", "serve"], cwd=self.folder, env=clean | own, stderr=log
            )
        self.url = self._wait_for_address(position)

    def _wait_for_address(self, position: int) -> str:
        assert self._process is not None
        give_up_at = time.monotonic() + HANG_SECONDS
        while True:
            written = (self.folder / "log").read_bytes()[position:].decode()
            for line in written.splitlines(keepends=True):
                if line.endswith("\n") and (fields := json.loads(line))["event"] == "serving":
                    return str(fields["url"])
            assert self._process.poll() is None, written
            assert time.monotonic() < give_up_at, written
            select.select([], [], [], 0.05)

    def kill(self) -> None:
        """End the process without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def open_gate(self, name: str) -> None:
        """Let the calls of `Book NAME` end."""
        (self.folder / name).touch()
