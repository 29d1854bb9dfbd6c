"""Takes the picture of the phone for the documentation: `python tests/browser/screenshot.py [FILE]`."""

import sys
import tempfile
from pathlib import Path

from headless import ARGUMENTS, find_chromium
from playwright.sync_api import Page, expect, sync_playwright
from served import Server

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "phone.png"
ANNA, BEN = "15551234567", "15551234568"
# So long the calls have been running when something happens: bars that one can see.
LOOK_MS = 1500


def say(page: Page, person: int, text: str) -> None:
    box = page.get_by_role("textbox", name="Message").nth(person)
    box.fill(text)
    box.press("Enter")


def act(page: Page, server: Server) -> None:
    """Anna changes her mind while her first wave runs; Ben has a file and a question."""
    say(page, 1, "Send me the dates")
    expect(page.get_by_role("link", name="passover.ics")).to_be_visible()
    say(page, 0, "Book Lisbon")
    expect(page.locator(".row.running")).to_have_count(2)
    page.wait_for_timeout(LOOK_MS)
    say(page, 0, "Actually Porto")
    expect(page.locator(".bubble.acknowledgement")).to_be_visible()
    say(page, 1, "Which hotel?")
    expect(page.get_by_role("button", name="Yes, book")).to_be_visible()
    page.wait_for_timeout(LOOK_MS)
    server.open_gate("Lisbon")
    expect(page.locator(".row.skipped")).to_have_count(2)
    expect(page.locator(".row.running")).to_have_count(2)
    page.wait_for_timeout(LOOK_MS)


def main(picture: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            server.start()
            page = browser.new_page(viewport={"width": 1200, "height": 1040}, locale="en-GB")
            page.goto(f"{server.url}/#{ANNA},{BEN}")
            act(page, server)
            picture.parent.mkdir(exist_ok=True)
            page.screenshot(path=picture)
        finally:
            browser.close()
            server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
