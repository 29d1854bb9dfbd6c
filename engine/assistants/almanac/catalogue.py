"""Every name of a holiday that the libraries know, and the holiday it means."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from engine.assistants.almanac import civil, jewish, places
from engine.assistants.almanac.traditions import (
    COUNTED_DAYS,
    FAMILIAR_COUNTRIES,
    NATIONAL_ALIASES,
    REGIONAL_DAYS,
    TRADITION_ALIASES,
    TRADITIONS,
    Tradition,
)
from engine.assistants.almanac.values import Holiday
from engine.assistants.almanac.words import add_missing, normalise

Names = Mapping[str, Holiday]

# By year: names are the same for everybody, and a process sees few years.
_familiar: Final[dict[int, Names]] = {}
_worldwide: Final[dict[int, Names]] = {}


async def familiar_names(year: int) -> Names:
    """The names of all traditions, then of the familiar countries, as of a year.

    Made once, a country at a time, so that nobody waits for more than a few milliseconds of it.
    """
    if year not in _familiar:
        names = dict(jewish.names())
        for tradition in TRADITIONS:
            for country in tradition.countries:
                await trio.lowlevel.checkpoint()
                add_missing(names, _of_tradition(tradition, country, year))
        for name, other, _ in COUNTED_DAYS:
            if (base := names.get(normalise(other))) is not None:
                day = attrs.evolve(base, name=name, key=name)
                same = [known for known, each in names.items() if each.tradition and each.key == name]
                names.update(dict.fromkeys((normalise(name), *same), day))
        for alias, key in TRADITION_ALIASES.items():
            if normalise(key) in names:
                names[alias] = names[normalise(key)]
        for country in FAMILIAR_COUNTRIES:
            await trio.lowlevel.checkpoint()
            add_missing(names, of_country(country, "", year, names, all_languages=True))
        regional = ((name, country, key) for name, country, _, key in REGIONAL_DAYS)
        for name, country, key in (*NATIONAL_ALIASES, *regional):
            names[normalise(name)] = _national(country, key, name)
        _familiar[year] = names
    return _familiar[year]


async def worldwide_names(year: int) -> Names:
    """The familiar names, then those of every other country the library knows."""
    if year not in _worldwide:
        names = dict(await familiar_names(year))
        for country in civil.countries():
            await trio.lowlevel.checkpoint()
            add_missing(names, of_country(country, "", year, names))
        _worldwide[year] = names
    return _worldwide[year]


def of_country(
    country: str, subdivision: str, year: int, shared: Names, *, all_languages: bool = False
) -> Names:
    """The names of the days that a country keeps: its own, and its names for a tradition's in `shared`."""
    known = civil.names(country, subdivision, year, all_languages)
    meant = {}
    for key in dict.fromkeys(known.values()):
        same = shared.get(normalise(key))
        meant[key] = same if same is not None and same.tradition else _national(country, key, key)
    # "Canada" asks for the country, not for Canada Day.
    return {name: meant[key] for name, key in known.items() if name not in places.names()}


def _of_tradition(tradition: Tradition, country: str, year: int) -> Names:
    return {
        name: Holiday(
            name=key,
            key=key,
            tradition=tradition.name,
            country=country,
            home=tradition.home,
            begins_at_sunset=tradition.begins_at_sunset,
            remark=tradition.remark,
        )
        for name, key in civil.names(country, "", year, True).items()
        if key in tradition.names
    }


def _national(country: str, key: str, name: str) -> Holiday:
    capital = places.capital(country)
    return Holiday(
        name=name,
        key=key,
        country=country,
        country_name=civil.countries()[country],
        home=capital.name if capital else "",
    )
