"""Texts as comparable words, and the names found among them."""

import pytest

from engine.assistants.almanac import words
from engine.assistants.almanac.words import Gram


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When's Noël — New Year's Day?", "whens noel new years day"),
        ("  Tisha B’Av!! ", "tisha bav"),  # noqa: RUF001  # as phones type it
        ("EID AL-FITR", "eid al fitr"),
        ("ל״ג בעומר", "לג בעומר"),
        ("दिवाली", "दिवाली"),
        ("", ""),
        ("?!…", ""),
    ],
)
def test_case_accents_and_punctuation_do_not_count(text, expected):
    """The same name is the same however it is typed."""
    assert words.normalise(text) == expected


def test_a_novel_is_cut_short():
    """Matching costs time by the word: only the first ones are read."""
    assert words.split("word " * 100_000) == ("word",) * words.WORDS_MAX


def test_years_are_read_once_each_and_only_when_they_can_be_years():
    """Four digits of our centuries; a phone number is none."""
    assert words.read_years(words.split("Easter 2027, 2030 or 2027; 15551234567, 12, 9999")) == (2027, 2030)


@pytest.mark.parametrize(
    ("text", "expected"), [("when is it this year, please?", False), ("Check 2027", False), ("Holi", True)]
)
def test_a_topic_is_a_word_that_could_be_a_name(text, expected):
    """Courtesies and years are none."""
    assert words.has_topic(words.split(text)) is expected


def test_grams_come_longest_first_and_neither_begin_nor_end_in_a_filler():
    """A name may hold a small word, and may end in "day"."""
    assert [gram.text for gram in words.grams(words.split("when is feast of labour day"))] == [
        "feast of labour day",
        "feast of labour",
        "labour day",
        "feast",
        "labour",
    ]


def test_the_longest_of_overlapping_names_is_found():
    """ "Christmas Eve" is not Christmas; a word that was taken out joins nothing."""
    names = {"christmas", "christmas eve", "easter"}
    assert words.find_exact(("christmas", "eve", "or", "easter"), names) == [
        Gram(0, 2, "christmas eve"),
        Gram(3, 4, "easter"),
    ]
    assert words.find_exact(("christmas", "", "eve"), names) == [Gram(0, 1, "christmas")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hanukkah no wait purim", "purim"),
        ("purim instead of hanukkah", "purim"),
        ("purim rather than hanukkah", "purim"),
        ("not hanukkah but purim", "purim"),
        ("purim not hanukkah", "purim"),
        ("forget hanukkah purim", "purim"),
        ("not hanukkah", "hanukkah"),
    ],
)
def test_the_last_name_that_is_not_taken_back_is_wanted(text, expected):
    """People name what they no longer want; when it is all they name, it is still the topic."""
    found = words.find_exact(words.split(text), {"hanukkah", "purim"})
    wanted = words.wanted(found, words.split(text))
    assert wanted is not None
    assert wanted.text == expected


def test_nothing_found_is_nothing_wanted():
    """No name, no answer."""
    assert words.wanted([], ()) is None


def test_taking_words_out_leaves_the_places_of_the_others():
    """What was found before still points at the right words."""
    assert words.without(("easter", "in", "rome"), Gram(2, 3, "rome")) == ("easter", "in", "")


def test_names_that_came_first_stand():
    """A tradition's name is not taken by a country's."""
    names = {"easter": 1}
    words.add_missing(names, {"easter": 2, "holi": 3})
    assert names == {"easter": 1, "holi": 3}
