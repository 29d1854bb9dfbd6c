"""What the engine says to a user fits into one message and gives nothing away."""

from typing import Any

import pytest

from engine import Limits, Message, OutboxRow, OutgoingKind, Reply, User, texts
from engine.split import split_text
from engine.texts import whole

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


def test_half_an_emoji_can_be_stored_and_sent() -> None:
    """A text cut in the middle of one, by an assistant or a file name, loses that one and nothing else."""
    assert whole("Hanukkah 🕎 is late \ud83d") == "Hanukkah 🕎 is late ?"
    user = User("15551234567")
    assert Reply("\ud83d").text == Message(id="m1", user=user, text="\ud83d").text == "?"
    assert OutboxRow(id="r1", user=user, kind=OutgoingKind.NOTE, text="\ud83d").text == "?"
