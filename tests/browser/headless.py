"""Finds the Chromium that the tests drive, and says how it is started."""

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# In a container, as root, there is no sandbox, and little shared memory.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]


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
