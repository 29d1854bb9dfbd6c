"""What the engine says to a user fits into one message and gives nothing away."""

from typing import Any

import pytest

from engine import Limits, texts
from engine.split import split_text

SAID: dict[str, Any] = {name: value for name, value in vars(texts).items() if name.isupper()}


def test_these_are_the_texts() -> None:
    """A text that is added needs a look at what it says."""
    assert set(SAID) == {"ACKNOWLEDGEMENT", "APOLOGY", "TOO_MANY_WAIT", "TOO_BUSY"}


def test_the_acknowledgement_is_the_one_that_was_promised() -> None:
    """It is a default of the settings too."""
    assert texts.ACKNOWLEDGEMENT == "Got it! Switching to your new request..."


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_text_is_one_line_in_one_message(name: str) -> None:
    """And can be shown on a phone as it is."""
    text = SAID[name]
    assert split_text(text, Limits().text_characters_max) == (text,)
    assert text == " ".join(text.split())


@pytest.mark.parametrize("name", ["APOLOGY", "TOO_MANY_WAIT", "TOO_BUSY"])
def test_whoever_is_refused_is_told_to_try_again(name: str) -> None:
    """P4: and is asked for pardon."""
    assert SAID[name].startswith("Sorry, ")
    assert "again" in SAID[name]
