"""A real server in local mode and a real Chromium without a window; both are started once for a module.

Rule 1: where there is no browser the tests fail and say how to install one; they are never skipped.
Rule 2: no test waits for time to pass: the assistant's calls end when a test says so.
"""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# Not a bound on how fast anything is: only so that a hanging test ends.
HANG_SECONDS = 60.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# In a container, as root, there is no sandbox, and little shared memory.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]

sys.path.append(str(Path(__file__).parent))
expect.set_options(timeout=HANG_SECONDS * 1000)


def find_chromium() -> str:
    """The path of a Chromium; fails with how to get one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(
            "the tests of the page need Chromium and there is none; install it: apt-get install chromium"
            f" (on other systems anything that is called {' or '.join(BROWSERS)})",
            pytrace=False,
        )
    return found


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

    def stop(self) -> None:
        """As an operator does it; returns when the process has ended."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(HANG_SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def open_gate(self, name: str) -> None:
        """Let the calls of `Book NAME` end."""
        (self.folder / name).touch()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("phone"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@attrs.define(eq=False)
class Phones:
    """Opens pages, each for people whom no other test knows, and sees that no page had an error."""

    server: Server
    browser: Browser
    errors: list[str] = attrs.field(factory=list)
    _contexts: list[BrowserContext] = attrs.field(factory=list)

    def open(
        self, *numbers: str, width: int = 1280, height: int = 900, url: str = "", **settings: object
    ) -> Page:
        """A page at the server, or at `url`; `settings` are Playwright's of a context."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, **settings)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANG_SECONDS * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if is_fault(said.text) else None)
        page.goto(f"{url or self.server.url}/#{','.join(numbers)}")
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def is_fault(text: str) -> bool:
    """What the policy refused; that a server is away is what some tests are about."""
    return re.search("Content Security Policy|Refused to", text) is not None


@pytest.fixture
def phones(server: Server, browser: Browser) -> Iterator[Phones]:
    phones = Phones(server, browser)
    yield phones
    phones.close()
    assert phones.errors == []
