"""A long text is cut where a reader would, and nothing that can be seen is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.split import length, split_text


def test_a_text_that_fits_comes_back_as_it_is() -> None:
    """Up to the bound nothing changes, space included."""
    assert split_text("Hello", 4096) == ("Hello",)
    assert split_text("a" * 4096, 4096) == ("a" * 4096,)
    assert split_text("  indented\n\n", 4096) == ("  indented\n\n",)


@pytest.mark.parametrize("text", ["", " ", "\n\t " * 5000])
def test_a_text_of_space_has_no_parts(text: str) -> None:
    """There is nothing to send."""
    assert split_text(text, 4096) == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # Paragraphs before lines, lines before sentences, sentences before words.
        ("One. Two\nthree.\n\nFour. Five\nsix", ("One. Two\nthree.", "Four. Five\nsix")),
        ("One. Two. Ab\nThree four five", ("One. Two. Ab", "Three four five")),
        ("One two three. Four five six", ("One two three.", "Four five six")),
        ("Said “one two.” Three four five", ("Said “one two.”", "Three four five")),
        ("One two three four five six", ("One two three four", "five six")),
        (
            "一二三四五六七八九十。一二三四五六七八九十。",
            ("一二三四五六七八九十。", "一二三四五六七八九十。"),
        ),
        # A better place is not worth a part that is less than half full.
        ("A.\n\nOne two three four five six", ("A.\n\nOne two three", "four five six")),
        # A word that is too long is cut where it must be.
        ("abcdefghijklmnopqrstuvwxyz", ("abcdefghijklmnopqrst", "uvwxyz")),
        ("ab abcdefghijklmnopqrstuvwxyz", ("ab", "abcdefghijklmnopqrst", "uvwxyz")),
        # The bound falls right behind a word; and on a run of space.
        ("abcdefghij klmnopqrs tuv", ("abcdefghij klmnopqrs", "tuv")),
        ("  abcde" + " " * 40 + "fghij  ", ("abcde", "fghij")),
    ],
)
def test_a_text_is_cut_at_the_best_place(text: str, parts: tuple[str, ...]) -> None:
    """At most 20 characters a part."""
    assert split_text(text, 20) == parts


def test_an_emoji_counts_as_two() -> None:
    """The larger of the counts that WhatsApp may mean."""
    assert length("a😀é") == 4
    assert split_text("😀" * 5, 4) == ("😀😀", "😀😀", "😀")
    assert split_text("a😀", 2) == ("a", "😀")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("abcde\u0301fgh", ("abcd", "e\u0301fgh")),
        ("abc👍🏽d", ("abc", "👍🏽d")),
        ("ab👩\u200d🚀", ("ab", "👩\u200d🚀")),
        ("e" + "\u0301" * 9, ("e" + "\u0301" * 4, "\u0301" * 5)),
    ],
)
def test_a_letter_keeps_its_accents_and_an_emoji_its_other_half(text: str, parts: tuple[str, ...]) -> None:
    """At most 5 characters a part; a run of marks longer than that is cut all the same."""
    assert split_text(text, 5) == parts


@pytest.mark.parametrize("characters_max", [1, 0, -1])
def test_a_bound_below_one_emoji_is_refused(characters_max: int) -> None:
    """Otherwise the cutting would not end."""
    with pytest.raises(ValueError, match="at least 2"):
        split_text("abc", characters_max)


def visible(text: str) -> str:
    """The text without its space."""
    return "".join(text.split())


texts = st.text() | st.text(st.sampled_from("ab.!? \n\t“”。é\u0301😀\u200d🏽\ud800"), max_size=200)


@given(text=texts, characters_max=st.integers(2, 30))
def test_parts_fit_and_lose_nothing_visible(text: str, characters_max: int) -> None:
    """Whatever the text: the parts in order have all its letters, each fits and shows something."""
    parts = split_text(text, characters_max)
    assert visible("".join(parts)) == visible(text)
    assert all(length(part) <= characters_max for part in parts)
    assert all(part.strip() for part in parts)


def test_the_longest_reply_makes_full_parts() -> None:
    """65,520 characters of prose need 16 messages, not dozens: each cut costs at most half a part."""
    text = "The quick brown fox jumps over the lazy dog. " * 1456
    parts = split_text(text, 4096)
    assert len(parts) == 16
    assert visible("".join(parts)) == visible(text)
