"""A real server in local mode and a real Chromium without a window; both are started once for a module.

Rule 1: where there is no browser the tests fail and say how to install one; they are never skipped.
Rule 2: no test waits for time to pass: the assistant's calls end when a test says so.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

sys.path.append(str(Path(__file__).parent))  # the parts beside this file, as the screenshot imports them

from headless import ARGUMENTS, find_chromium
from served import HANG_SECONDS, Server

expect.set_options(timeout=HANG_SECONDS * 1000)


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
