"""Understands a question: which holiday it names, and where."""

from collections.abc import Sequence
from typing import Final

import attrs

from engine.assistants.almanac import catalogue, libraries, places
from engine.assistants.almanac.fuzzy import find_typo
from engine.assistants.almanac.values import Holiday, Place
from engine.assistants.almanac.words import (
    FILLERS,
    Gram,
    find_exact,
    grams,
    has_topic,
    split,
    wanted,
    without,
)

# "Diwali in London", "for Rome", "sunset at New York".
_BEFORE_PLACES: Final = frozenset({"around", "at", "for", "from", "in", "near", "of", "on", "over", "to"})
# Only these make an unknown word a place: "for Xyzzy" may be anything.
_ONLY_PLACES: Final = frozenset({"in", "near"})
_NO_PLACES = "january february march april may june july august september october november december advance"
_NEVER_PLACES: Final = frozenset(_NO_PLACES.split())
# A question in more pieces than that is several questions.
_TOGETHER_MAX: Final = 4
# Words that are also cities or countries; alone they mean the place only after a preposition.
_AMBIGUOUS: Final = frozenset({"america", "jersey", "male", "reading", "turkey", "us"})
# Among the names of the whole world a near miss is mostly a coincidence.
_WORLDWIDE_SCORE: Final = 90.0


@attrs.frozen(kw_only=True)
class Reading:
    """What a text says.  `unknown_place`: it names a place that is not in the database.

    `has_topic`: it has words that name neither place nor holiday and might be one nobody knows.
    """

    holiday: Holiday | None = None
    place: Place | None = None
    unknown_place: str = ""
    has_topic: bool = False


async def read(text: str, year: int, elsewhere: Place | None = None) -> Reading:
    """Understand a text as of a year; `elsewhere` is the place known from before, when it names none."""
    await libraries.load()
    words = split(text)
    where = _place_after_preposition(words)
    rest = without(words, where) if where else words
    place = places.names()[where.text] if where else None
    here = place or elsewhere

    what, holiday = await _find_holiday(rest, year, here)
    rest = without(rest, what) if what else rest
    if place is None and (bare := wanted(_exact_places(rest), rest)):
        place, rest = places.names()[bare.text], without(rest, bare)
        if holiday is not None and place.country != (here.country if here else ""):
            # Told apart only now: "Thanksgiving Canada" names the country after the holiday.
            _, holiday = await _find_holiday(without(words, bare), year, place)
    unknown = ""
    if place is None and (guess := _unknown_place(rest)):
        typo = await find_typo(grams(_only(rest, guess)), list(places.names()))
        place = places.names()[typo.text] if typo else None
        unknown = "" if typo else guess.text
        rest = without(rest, guess)
    return Reading(holiday=holiday, place=place, unknown_place=unknown, has_topic=has_topic(rest))


async def read_together(texts: Sequence[str], year: int, elsewhere: Place | None = None) -> Reading:
    """Understand a question that came in several messages, the newest last.

    What the newest names counts; what it does not name, it may name together with those right before it:
    "When is Hanukkah", "in London".
    """
    newest, *longer = (" ".join(texts[-count:]) for count in range(1, min(len(texts), _TOGETHER_MAX) + 1))
    where = await read(newest, year, elsewhere)
    if not longer:
        return where
    for run in longer:
        if where.place is not None or where.unknown_place:
            break
        where = await read(run, year, elsewhere)
    # Only now, since the place decides whose day is meant: "in Canada", "Thanksgiving".
    what = await read(newest, year, where.place or elsewhere)
    for run in longer:
        if what.holiday is not None:
            break
        what = await read(run, year, where.place or elsewhere)
    return attrs.evolve(where, holiday=what.holiday, has_topic=what.has_topic)


async def _find_holiday(
    words: Sequence[str], year: int, place: Place | None
) -> tuple[Gram | None, Holiday | None]:
    familiar = await catalogue.familiar_names(year)
    if place is not None:
        # What a country calls its own day, unless a tradition has that name.
        local = catalogue.of_country(place.country, place.subdivision, year, familiar, all_languages=True)
        shared = {name: day for name, day in familiar.items() if day.tradition}
        familiar = {**familiar, **local, **shared}
    found = await _match(words, familiar)
    if found is None and has_topic(words):
        worldwide = await catalogue.worldwide_names(year)
        found = await _match(words, {**worldwide, **familiar}, _WORLDWIDE_SCORE)
    return found or (None, None)


async def _match(
    words: Sequence[str], names: catalogue.Names, score: float | None = None
) -> tuple[Gram, Holiday] | None:
    exact = [gram for gram in find_exact(words, names) if gram.text not in FILLERS]
    found = wanted(exact, words)
    if found is None:
        close = {} if score is None else {"score": score}
        found = await find_typo(grams(words), list(names), **close)
    return (found, names[found.text]) if found else None


def place_words(words: Sequence[str]) -> list[Gram]:
    """The words that name places, known ones and one nobody told us of."""
    led = [gram for gram in _exact_places(words, bare=False) if _leads(words, gram.start)]
    known = list(dict.fromkeys([*led, *_exact_places(words)]))
    unknown = _unknown_place(without(words, *known))
    return [*known, unknown] if unknown else known


def _place_after_preposition(words: Sequence[str]) -> Gram | None:
    return wanted([gram for gram in _exact_places(words, bare=False) if _leads(words, gram.start)], words)


def _leads(words: Sequence[str], start: int) -> bool:
    """Whether a preposition stands before the word, an article between them or not."""
    if start and words[start - 1] == "the":
        start -= 1
    return start > 0 and words[start - 1] in _BEFORE_PLACES


def _exact_places(words: Sequence[str], bare: bool = True) -> list[Gram]:
    found = find_exact(words, places.names())
    return [gram for gram in found if not (bare and gram.text in _AMBIGUOUS)]


def _unknown_place(words: Sequence[str]) -> Gram | None:
    """The words after the last "in" that could be a place nobody told us of."""
    for index in range(len(words) - 2, -1, -1):
        if words[index] not in _ONLY_PLACES:
            continue
        end = start = index + 1 + (words[index + 1] == "the")
        while end < len(words) and end < start + 3 and _could_be_place(words[end]):
            end += 1
        if end > start:
            return Gram(start, end, " ".join(words[start:end]))
    return None


def _could_be_place(word: str) -> bool:
    return bool(word) and not word.isdigit() and word not in FILLERS and word not in _NEVER_PLACES


def _only(words: Sequence[str], gram: Gram) -> Sequence[str]:
    return tuple(word if gram.start <= index < gram.end else "" for index, word in enumerate(words))
