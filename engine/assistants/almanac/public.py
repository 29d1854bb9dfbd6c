"""The days off by law of a country or a part of it, from the `holidays` library."""

import datetime
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from engine.assistants.almanac import civil
from engine.assistants.almanac.facts import PublicHoliday
from engine.assistants.almanac.values import NothingFound
from engine.assistants.almanac.words import normalise

_PUBLIC: Final = "public"
_ENGLISH: Final = "en_US"
# What the library adds to a name: the day stands for another one; the moon may move it.
_SUFFIX: Final = re.compile(
    r" \((observed|in lieu|substitute day|substituted from [\d/]+)?(?:, )?(estimated)?\)$"
)
# More than most countries have in a year: nobody reads on.
_COUNT_MAX: Final = 30


def next_public(country: str, subdivision: str, day: datetime.date, count: int) -> tuple[PublicHoliday, ...]:
    """The next holidays from a day on, that day's own included, in order; at most 30.

    `country`: ISO 3166.  `subdivision`: the library's code of a part of it ("SCT", "CA", "BY"), or empty for
    what the whole country keeps.  Fewer than `count` where the library's tables end; raises NothingFound when
    there is none, or no such country or part.
    """
    wanted = min(count, _COUNT_MAX)
    found = [
        holiday
        for year in (day.year, day.year + 1, day.year + 2)
        if _is_known(country, subdivision, year)
        for holiday in year_of(country, subdivision, year)
        if holiday.day >= day
    ]
    if not found:
        raise NothingFound(
            f"no public holidays of {name_of(country, subdivision)} are on record from {day} on"
        )
    return tuple(found[:wanted])


@lru_cache(maxsize=1024)
def year_of(country: str, subdivision: str, year: int) -> tuple[PublicHoliday, ...]:
    """All holidays of a year, in order; two on one day are two entries.

    Raises NothingFound when the library knows no such country or part, or nothing of that year.
    """
    found = tuple(_holidays(table(country, subdivision, year, year)))
    if not found:
        raise NothingFound(f"no public holidays of {name_of(country, subdivision)} are on record for {year}")
    return found


def public_on(country: str, subdivision: str, day: datetime.date) -> tuple[PublicHoliday, ...]:
    """The holidays of one day; empty when it is none.  Raises as year_of does."""
    return tuple(holiday for holiday in year_of(country, subdivision, day.year) if holiday.day == day)


def subdivisions(country: str) -> Mapping[str, str]:
    """The codes of the parts of a country, by their comparable names and by the codes in comparable form.

    Empty for a country whose holidays are the same everywhere.  Belgium and the Netherlands have codes only.
    """
    kind = _kind(country)
    return MappingProxyType(
        {normalise(code): code for code in kind.subdivisions}
        | {normalise(name): code for name, code in kind.subdivisions_aliases.items()}
    )


def name_of(country: str, subdivision: str) -> str:
    """What people call a country or a part of it: "Scotland", "Bayern", "Poland"."""
    kind = _kind(country)
    names = {code: name for name, code in reversed(kind.subdivisions_aliases.items())}
    return names.get(subdivision, subdivision) or civil.countries()[country]


def table(country: str, subdivision: str, first_year: int, last_year: int) -> Any:
    """The library's own table of some years: public holidays only, and what it knows of weekends.

    Raises NothingFound when there is no such country or part, or the library does not reach these years.
    """
    kind = _kind(country)
    if subdivision and subdivision not in kind.subdivisions:
        raise NothingFound(f"{civil.countries()[country]} has no part called {subdivision}")
    if first_year < kind.start_year or last_year > kind.end_year:
        raise NothingFound(
            f"the public holidays of {civil.countries()[country]} are on record from {kind.start_year} "
            f"to {kind.end_year} only"
        )
    with warnings.catch_warnings():
        # It warns where a part of its tables ends, as that of the Hindu calendar.
        warnings.simplefilter("ignore")
        return kind(
            years=range(first_year, last_year + 1),
            subdiv=subdivision or None,
            expand=False,
            language=_ENGLISH if _ENGLISH in kind.supported_languages else None,
            categories=(_PUBLIC,),
        )


def holidays_of(table: Any, day: datetime.date) -> Iterator[PublicHoliday]:
    """The holidays that a table has on one day."""
    for name in table.get_list(day):
        suffix = _SUFFIX.search(name)
        yield PublicHoliday(
            day=day,
            name=_SUFFIX.sub("", name),
            observed=bool(suffix and suffix[1]),
            estimated=bool(suffix and suffix[2]),
        )


def _holidays(table: Any) -> Iterator[PublicHoliday]:
    for day in sorted(table):
        yield from holidays_of(table, day)


def _is_known(country: str, subdivision: str, year: int) -> bool:
    kind = _kind(country)
    return bool(kind.start_year <= year <= kind.end_year and len(table(country, subdivision, year, year)))


def _kind(country: str) -> Any:
    """The library's class of a country."""
    if country not in civil.countries():
        raise NothingFound(f"no country with the code {country} is on record")
    return getattr(civil.library(), country)
