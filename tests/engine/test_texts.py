"""What the engine says to a user: which texts there are, and what becomes of their lists of calls."""

import attrs
import pytest

from engine import Message, OutboxRow, OutgoingKind, Reply, User
from engine.languages import built_in
from engine.texts import ACKNOWLEDGEMENT, CALLS, MAY_BE_EMPTY, NAMES, WITH_CALLS, Texts, whole, with_calls

# By hand, in English: a text that is added or changed needs a look at what it says.
ENGLISH = {
    "acknowledgement": "Got it! Switching to your new request...",
    "apology": "Sorry, something went wrong with your request. Please try again.",
    "out_of_time": "Sorry, your request took too long, so I ended it.",
    "too_many_wait": (
        "Sorry, too many of your messages are waiting, so I could not take this one."
        " Please send it again later."
    ),
    "too_busy": ("Sorry, I am talking to too many people just now. Please send that again in a few minutes."),
    "rejected": (
        "I am still working on your last request, so I could not take this one."
        " Please send it again when you have my answer."
    ),
    "deferred": "I will finish what I am doing first. Your new request comes right after it.",
    "stopped": "Stopped.",
    "nothing_to_stop": "There is nothing to stop.",
    "done": "Already done: {calls}.",
    "nothing_done": "Nothing had been done yet.",
    "not_certain": "Possibly done: {calls}.",
    "undone": "Taken back: {calls}.",
    "not_undone": "Could not be taken back: {calls}.",
}


def test_these_are_the_texts() -> None:
    """In the order in which a file of texts has them."""
    assert attrs.asdict(built_in().texts["en"]) == ENGLISH
    assert list(ENGLISH) == list(NAMES) == [field.name for field in attrs.fields(Texts)]


def test_the_acknowledgement_is_the_one_that_was_promised() -> None:
    """It is a default of the settings too, and the only text that may be left unsaid."""
    assert ENGLISH["acknowledgement"] == ACKNOWLEDGEMENT
    assert {"acknowledgement"} == MAY_BE_EMPTY


def test_a_text_that_lists_calls_says_where() -> None:
    """And no other has a place for them."""
    assert CALLS == "{calls}"
    assert {name for name, text in ENGLISH.items() if CALLS in text} == WITH_CALLS
    assert {"done", "not_certain", "undone", "not_undone"} == WITH_CALLS


@pytest.mark.parametrize("name", ["apology", "out_of_time", "too_many_wait", "too_busy"])
def test_whoever_is_failed_is_asked_for_pardon(name: str) -> None:
    """P4: nobody is left without a word."""
    assert ENGLISH[name].startswith("Sorry, ")


@pytest.mark.parametrize("name", ["apology", "too_many_wait", "too_busy", "rejected"])
def test_whoever_is_refused_is_told_to_try_again(name: str) -> None:
    """P4: what they wrote is not done later."""
    assert "again" in ENGLISH[name]


@pytest.mark.parametrize(
    ("titles", "said"),
    [
        ([], ""),
        (["a table"], "Done: a table."),
        (["a table", "a taxi"], "Done: a table, a taxi."),
        # Each once, where it stood first.
        (["a table", "a taxi", "a table", "a table"], "Done: a table (3x), a taxi."),
        # Tools of which nothing is said.
        (["", "a taxi", ""], "Done: a taxi."),
        (["", ""], ""),
        # A title is no text with a place.
        (["{calls}"], "Done: {calls}."),
    ],
)
def test_calls_are_listed_in_their_place(titles: list[str], said: str) -> None:
    """Where there is nothing to list, nothing is said."""
    assert with_calls("Done: {calls}.", titles) == said
    assert with_calls("Done: {calls}.", iter(titles)) == said


def test_half_an_emoji_can_be_stored_and_sent() -> None:
    """A text cut in the middle of one, by an assistant or a file name, loses that one and nothing else."""
    assert whole("Hanukkah 🕎 is late \ud83d") == "Hanukkah 🕎 is late ?"
    user = User("15551234567")
    assert Reply("\ud83d").text == Message(id="m1", user=user, text="\ud83d").text == "?"
    assert OutboxRow(id="r1", user=user, kind=OutgoingKind.NOTE, text="\ud83d").text == "?"
