"""Where a question is about: cities, the capitals of countries, and the states of federations."""

import datetime
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from engine.assistants.almanac import civil
from engine.assistants.almanac.cities import CITIES
from engine.assistants.almanac.values import Place
from engine.assistants.almanac.words import normalise

# Regions of astral's that are parts of a country with holidays of their own.
_SUBDIVISIONS: Final[Mapping[str, str]] = {
    "england": "ENG",
    "northern ireland": "NIR",
    "scotland": "SCT",
    "tasmania": "TAS",
    "wales": "WLS",
}
# Cities that have other holidays than the region astral puts them in.
_CITY_COUNTRIES: Final[Mapping[str, str]] = {"El Aaiun": "EH", "Hong Kong": "HK", "Pristina": "XK"}
# astral's names of regions that the holidays library calls otherwise.
_REGIONS: Final[Mapping[str, str]] = {
    "brunei darussalam": "BN",
    "cape verde": "CV",
    "cote divoire": "CI",
    "czech republic": "CZ",
    "democratic peoples republic of korea": "KP",
    "democratic republic of the congo": "CD",
    "dominica republic": "DO",
    "east timor": "TL",
    "england": "GB",
    "lao peoples democratic republic": "LA",
    "libyan arab jamahiriya": "LY",
    "macao": "MO",
    "netherlands antilles": "CW",
    "northern ireland": "GB",
    "priciplality of monaco": "MC",
    "republic of china taiwan": "TW",
    "republic of korea": "KR",
    "republic of singapore": "SG",
    "russian federation": "RU",
    "scotland": "GB",
    "swaziland": "SZ",
    "tasmania": "AU",
    "the former yugoslav republic of macedonia": "MK",
    "uae": "AE",
    "united republic of tanzania": "TZ",
    "united states of virgin islands": "VI",
    "usa": "US",
    "viet nam": "VN",
    "wales": "GB",
    "yugoslavia": "RS",
}
# Capitals where astral has several cities of a country and the capital is not the first of them.
_CAPITALS: Final[Mapping[str, str]] = {
    "AU": "Canberra",
    "BJ": "Porto-Novo",
    "BO": "Sucre",
    "CA": "Ottawa",
    "GB": "London",
    "IN": "New Delhi",
    "OM": "Muscat",
    "PW": "Ngerulmud",
    "SA": "Riyadh",
    "US": "Washington DC",
    "ZA": "Pretoria",
}
# Federations whose states people name; by their English names too, where the library has only its own.
_WITH_PARTS: Final = ("DE", "AT", "CH", "AU", "CA", "US", "ES", "IN", "BR")
_PART_NAMES: Final[Mapping[str, str]] = {
    "andalusia": "andalucia",
    "bavaria": "bayern",
    "catalonia": "cataluna",
    "hesse": "hessen",
    "lower saxony": "niedersachsen",
    "north rhine westphalia": "nordrhein westfalen",
    "rhineland palatinate": "rheinland pfalz",
    "saxony": "sachsen",
    "thuringia": "thuringen",
    "tyrol": "tirol",
}
# Shorter ones are codes, and words of other languages.
_PART_LETTERS_MIN: Final = 4
# Clocks follow the sun everywhere to within two hours and a bit.
_HOURS_APART_MAX: Final = 3.0
# How else people call a country, and a city.
_COUNTRY_NAMES: Final[Mapping[str, str]] = {
    "america": "US",
    "belgie": "BE",
    "belgique": "BE",
    "britain": "GB",
    "burma": "MM",
    "congo kinshasa": "CD",
    "deutschland": "DE",
    "espana": "ES",
    "great britain": "GB",
    "frankreich": "FR",
    "holland": "NL",
    "italia": "IT",
    "nederland": "NL",
    "osterreich": "AT",
    "polen": "PL",
    "polska": "PL",
    "schweiz": "CH",
    "spanien": "ES",
    "suisse": "CH",
    "the states": "US",
    "turkiye": "TR",
    "u k": "GB",
    "u s": "US",
    "u s a": "US",
    "uk": "GB",
    "united states of america": "US",
    "us": "US",
    "ישראל": "IL",
}
_CITY_NAMES: Final[Mapping[str, str]] = {
    "bengaluru": "bangalore",
    "bombay": "mumbai",
    "calcutta": "kolkata",
    "cracow": "krakow",
    "danzig": "gdansk",
    "delhi": "new delhi",
    "jlem": "jerusalem",
    "koln": "cologne",
    "kyiv": "kiev",
    "makka": "mecca",
    "mexico city": "mexico",
    "milano": "milan",
    "munchen": "munich",
    "muenchen": "munich",
    "new york city": "new york",
    "ny": "new york",
    "nyc": "new york",
    "roma": "rome",
    "saigon": "ho chi minh city",
    "st petersburg": "saint petersburg",
    "tel aviv yafo": "tel aviv",
    "washington": "washington dc",
    "washington d c": "washington dc",
    "wien": "vienna",
    "בחיפה": "haifa",
    "בירושלים": "jerusalem",
    "בתל אביב": "tel aviv",
    "חיפה": "haifa",
    "ירושלים": "jerusalem",
    "תל אביב": "tel aviv",
}


# Each is a part of its country with holidays of its own, and a city where the sun rises.
_CITY_STATES: Final = ("berlin", "bremen", "hamburg")


@lru_cache(maxsize=1)
def names() -> Mapping[str, Place]:
    """Every place by its comparable names; a country's name stands for its capital."""
    cities: dict[str, Place] = {}
    capitals: dict[str, Place] = {}
    regions: dict[str, Place] = {}
    for place, region in _cities():
        cities.setdefault(normalise(place.name), place)
        if region in _SUBDIVISIONS:
            regions.setdefault(region, place)
        if place.country not in capitals or place.name == _CAPITALS.get(place.country):
            capitals[place.country] = place
    regions["scotland"] = cities["edinburgh"]
    regions.update((region, capitals[code]) for region, code in _REGIONS.items() if region not in regions)
    by_country = {normalise(civil.countries()[code]): place for code, place in capitals.items()}
    known = {name: capitals[code] for name, code in _COUNTRY_NAMES.items()}
    known.update({name: cities[city] for name, city in _CITY_NAMES.items()})
    parts = {name: place for code in _WITH_PARTS for name, place in _parts(code, capitals[code])}
    parts.update((name, parts[local]) for name, local in _PART_NAMES.items())
    for name in _CITY_STATES:
        cities[name] = attrs.evolve(cities[name], subdivision=parts[name].subdivision)
    return {**parts, **cities, **regions, **by_country, **known}


def _parts(country: str, capital: Place) -> Iterator[tuple[str, Place]]:
    """The states of a federation, by their comparable names; a city or country of that name goes first."""
    for name, code in getattr(civil.library(), country).subdivisions_aliases.items():
        if len(name) >= _PART_LETTERS_MIN:
            yield (
                normalise(name),
                attrs.evolve(capital, name=name, subdivision=code, is_region=True),
            )


def find(name: str) -> Place | None:
    """The place of that name."""
    return names().get(normalise(name))


def capital(country: str) -> Place | None:
    """The city that stands for a country, by the country's code."""
    return find(civil.countries()[country])


def _cities() -> Iterator[tuple[Place, str]]:
    """astral's cities with their regions, then ours."""
    yield from _astrals()
    for name, code, latitude, longitude, timezone in CITIES:
        country = civil.countries()[code]
        place = Place(
            name=name,
            country=code,
            country_name=country,
            latitude=latitude,
            longitude=longitude,
            timezone=timezone,
        )
        yield place, normalise(country)


def _astrals() -> Iterator[tuple[Place, str]]:
    """All but those that are wrong, or whose country is not on record."""
    from astral.geocoder import all_locations, database

    codes = {normalise(name): code for code, name in civil.countries().items()}
    for city in all_locations(database()):
        region = normalise(city.region)
        code = _CITY_COUNTRIES.get(city.name) or _REGIONS.get(region) or codes.get(region)
        if code is not None and _is_plausible(city.longitude, city.timezone):
            yield (
                Place(
                    name=city.name,
                    country=code,
                    country_name=civil.countries()[code],
                    subdivision=_SUBDIVISIONS.get(region, ""),
                    latitude=round(city.latitude, 4),
                    longitude=round(city.longitude, 4),
                    timezone=city.timezone,
                ),
                region,
            )


def _is_plausible(longitude: float, timezone: str) -> bool:
    """Whether a city's clock agrees with the sun there: some of astral's have the wrong hemisphere."""
    offset = datetime.datetime(2026, 1, 1, tzinfo=ZoneInfo(timezone)).utcoffset() or datetime.timedelta()
    apart = (longitude / 15 - offset / datetime.timedelta(hours=1)) % 24
    return min(apart, 24 - apart) < _HOURS_APART_MAX
