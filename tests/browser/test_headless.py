"""A machine without a browser is told so."""

import pytest
from headless import find_chromium


def test_without_a_browser_the_tests_fail_and_say_how_to_install_one(monkeypatch) -> None:
    """Never a pass, and never a skip, of what was not looked at."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pytest.fail.Exception, match="install it: apt-get install chromium"):
        find_chromium()
