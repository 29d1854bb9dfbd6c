"""The holidays that countries keep: names and dates, from the `holidays` library."""

import datetime
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from engine.assistants.almanac.traditions import COUNTED_DAYS, REGIONAL_DAYS
from engine.assistants.almanac.values import Occurrence
from engine.assistants.almanac.words import normalise

_ENGLISH: Final = "en_US"
# What the library adds to a name: the moon may move the day; a weekend has moved it.
_SUFFIX: Final = re.compile(r" \((observed)?(?:, )?(estimated)?\)$")
# Days that only hang on another one: they are no answer to "when is".
_SECONDARY: Final = re.compile(
    r"\((?:from |additional|second|substituted|in lieu)|^day off|^bank holiday$|^public holiday$|"
    r"^(?:the )?(?:second |third |fourth )?day (?:after|before|following)|joint holiday",
    re.IGNORECASE,
)
# Some countries keep only the days around Easter Sunday, and by their own reckoning of it.
_RELATIVE: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "easter sunday": (("easter", 0), ("orthodox easter", 0), ("easter monday", -1), ("good friday", 2)),
    "pentecost": (("pentecost monday", -1), ("whit monday", -1)),
    "chinese new year": (("the second day of chinese new year", -1),),
    **{normalise(name): ((other, days),) for name, other, days in COUNTED_DAYS},
}
# Which part of a country to ask for a day that the whole of it does not keep.
_PARTS: Final[Mapping[tuple[str, str], str]] = {
    (country, key): part for _, country, part, key in REGIONAL_DAYS
}
# Said of many things besides a holiday.
_TOO_GENERAL_WORDS = """
africa alphabet army arrival bank bankers british capital children childrens citizenship colon commerce
commonwealth constitution culture decoration democracy discovery election environment europe evacuation
family farmers father fathers festival fishermans flag foundation founders freedom government health
heritage hero heroes independence king kings labor labour liberation liberty marine martyrs may memorial
missionary mother mothers mountain national natures navy palm parents patriots peace peasants police
possession president presidents princes public queen queens reconciliation republic restoration revolution
school separation show sports spring squeeze state statehood substitute summer teacher teachers territory
the throne transfer unification union unity uprising victory water white women womens work workers world
youth
"""
_TOO_GENERAL: Final = frozenset(_TOO_GENERAL_WORDS.split())


def library() -> ModuleType:
    """The library itself, imported when it is first needed."""
    import holidays

    return holidays


@lru_cache(maxsize=1)
def countries() -> Mapping[str, str]:
    """The English names of countries by their ISO codes."""
    library()
    from holidays.registry import COUNTRIES

    return {entry[1]: _title(module) for module, entry in COUNTRIES.items()}


def _title(module: str) -> str:
    """
    >>> _title("isle_of_man")
    'Isle of Man'
    """
    words = module.replace("hongkong", "hong_kong").split("_")
    return " ".join(word if word in ("and", "of", "the") else word.capitalize() for word in words)


@lru_cache(maxsize=4096)
def days(country: str, subdivision: str, year: int, language: str) -> tuple[tuple[datetime.date, str], ...]:
    """Every holiday of a country's year in one language, in order; two on one day are two entries."""
    kind = getattr(library(), country)
    with warnings.catch_warnings():
        # It warns where its tables of a country end; a date that is not there says as much.
        warnings.simplefilter("ignore")
        table: Mapping[datetime.date, str] = kind(
            years=[year],
            subdiv=subdivision or None,
            expand=False,
            language=language if language in kind.supported_languages else None,
            # "workday" is the opposite of a holiday.
            categories=tuple(name for name in kind.supported_categories if name != "workday"),
        )
    return tuple((day, name) for day, names in sorted(table.items()) for name in names.split("; "))


@lru_cache(maxsize=4096)
def names(country: str, subdivision: str, year: int, all_languages: bool = False) -> Mapping[str, str]:
    """The comparable names of a country's holidays, each with the library's English name (the key)."""
    english = days(country, subdivision, year, _ENGLISH)
    keys = [_key(name) for _, name in english]
    # The library puts the names of a day in alphabetical order, which is another in each language.
    crowded = {day for day, count in Counter(day for day, _ in english).items() if count > 1}
    # A real name stands before one made of another name's parts.
    known = {normalise(key): key for key in keys if key}
    for language in _languages(country, all_languages):
        local = days(country, subdivision, year, language)
        # Only then does the same place in both mean the same holiday.
        if [day for day, _ in local] == [day for day, _ in english]:
            for key, (day, name) in zip(keys, local, strict=True):
                if key and day not in crowded:
                    known.setdefault(normalise(re.sub(r"\s*\(.*?\)", "", name)), key)
    for key in filter(None, keys):
        for name in _variants(key):
            known.setdefault(name, key)
    known.pop("", None)
    return known


def find(country: str, subdivision: str, name: str, year: int, *, eve: bool) -> list[Occurrence]:
    """Each time a country keeps a holiday of that name in a year; `eve`: it begins at the sunset before.

    Without a subdivision, a few well-known days that only a part of the country keeps are found as well.
    """
    subdivision = subdivision or _PARTS.get((country, name), "")
    for other, offset in ((name, 0), *_RELATIVE.get(normalise(name), ())):
        # What is counted from a day can fall in the year beside that day's.
        around = (year - 1, year, year + 1) if offset else (year,)
        found = [
            occurrence
            for each in around
            if (key := names(country, subdivision, each).get(normalise(other))) is not None
            for occurrence in _occurrences(country, subdivision, key, each, offset, eve)
            if occurrence.first.year == year
        ]
        if found:
            return found
    return []


def _occurrences(
    country: str, subdivision: str, key: str, year: int, offset: int, eve: bool
) -> Iterator[Occurrence]:
    kept = [entry for entry in days(country, subdivision, year, _ENGLISH) if _key(entry[1]) == key]
    # A substitute is an extra day off, unless the holiday itself was moved to it.
    kept = [entry for entry in kept if "(observed" not in entry[1]] or kept
    runs: list[list[tuple[datetime.date, str]]] = []
    for entry in kept:
        if runs and (entry[0] - runs[-1][-1][0]).days == 1 and not offset:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    shift = datetime.timedelta(days=offset)
    for run in runs:
        first = run[0][0] + shift
        yield Occurrence(
            begins=first - datetime.timedelta(days=1 if eve else 0),
            first=first,
            last=run[-1][0] + shift,
            estimated=any(name.endswith("estimated)") for _, name in run),
            country_name=countries()[country],
        )


def _languages(country: str, all_languages: bool) -> Sequence[str]:
    kind: Any = getattr(library(), country)
    if all_languages:
        return [name for name in kind.supported_languages if name != _ENGLISH]
    return [kind.default_language] if kind.default_language not in (None, _ENGLISH) else []


def _key(name: str) -> str:
    """The name that all days of one holiday share; empty for a day that only hangs on another."""
    name = _SUFFIX.sub("", name)
    return "" if _SECONDARY.search(name) else name


def _variants(key: str) -> Iterator[str]:
    """
    >>> list(_variants("Saint Patrick's Day"))
    ['saint patricks', 'st patricks day', 'st patricks']
    """
    plain = normalise(re.sub(r"\s*\(.*?\)", "", key))
    for name in dict.fromkeys((plain, re.sub(r"\bsaint\b", "st", plain))):
        if name != normalise(key):
            yield name
        short = re.sub(r" (?:day|sunday|festival|holiday)$", "", name)
        if short != name and short not in _TOO_GENERAL:
            yield short
