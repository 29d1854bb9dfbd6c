"""Holidays that belong to no one country, and the countries whose reckoning stands for each tradition."""

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Tradition:
    """A family of holidays that many countries keep.

    `countries`: where the library has them, the first that has a name counts.  `names` are the library's
    (a day it writes differently is given here under the name people know).  `home` is the city whose
    sunset stands for it.
    """

    name: str
    home: str
    countries: tuple[str, ...]
    names: frozenset[str]
    begins_at_sunset: bool = False
    remark: str = ""


TRADITIONS: Final[tuple[Tradition, ...]] = (
    Tradition(
        name="christian",
        home="Rome",
        countries=("US", "VA", "PL", "DE", "CO", "IT", "BR", "GB", "AR", "PS"),
        names=frozenset(
            {
                "All Saints' Day",
                "All Souls' Day",
                "Ascension Day",
                "Ash Wednesday",
                "Assumption Day",
                "Boxing Day",
                "Christmas Day",
                "Christmas Eve",
                "Corpus Christi",
                "Easter Monday",
                "Easter Sunday",
                "Epiphany",
                "Good Friday",
                "Holy Saturday",
                "Immaculate Conception",
                "Maundy Thursday",
                "Palm Sunday",
                "Pentecost",
                "Pentecost Monday",
                "Saint Patrick's Day",
                "Saint Stephen's Day",
                "Second Day of Christmas",
            }
        ),
    ),
    Tradition(
        name="orthodox",
        home="Athens",
        countries=("BY",),
        names=frozenset({"Orthodox Christmas Day", "Orthodox Easter"}),
    ),
    Tradition(
        name="islamic",
        home="Mecca",
        # The Maldives keep each day once, and where the calendar puts it.
        countries=("MV", "IN", "ID", "BD"),
        names=frozenset(
            {
                "Ashura",
                "Day of Arafah",
                "Eid al-Adha",
                "Eid al-Fitr",
                "First Day of Ramadan",
                "Islamic New Year",
                "Isra' and Mi'raj",
                "Laylat al-Qadr",
                "Prophet's Birthday",
            }
        ),
        begins_at_sunset=True,
        remark="The date may move by a day with the sighting of the moon.",
    ),
    Tradition(
        name="indian",
        home="New Delhi",
        countries=("IN", "MU", "NP"),
        names=frozenset(
            {
                "Buddha Purnima",
                "Diwali",
                "Dussehra",
                "Ganesh Chaturthi",
                "Guru Nanak's Birthday",
                "Holi",
                "Janmashtami (Vaishnava)",
                "Maha Shivaratri",
                "Onam",
                "Pongal",
                "Raksha Bandhan",
                "Ram Navami",
                "Vaisakhi",
            }
        ),
    ),
    Tradition(
        name="chinese",
        home="Beijing",
        countries=("HK", "CN"),
        names=frozenset(
            {
                "Chinese New Year",
                "Double Ninth Festival",
                "Dragon Boat Festival",
                "Mid-Autumn Festival",
                "Tomb-Sweeping Day",
            }
        ),
    ),
    Tradition(name="buddhist", home="Singapore", countries=("SG",), names=frozenset({"Vesak Day"})),
    Tradition(name="persian", home="Tehran", countries=("IQ", "IR"), names=frozenset({"Nowruz"})),
    Tradition(
        name="everywhere",
        home="Greenwich",
        countries=("US", "CN"),
        names=frozenset(
            {"Halloween", "International Women's Day", "New Year's Day", "New Year's Eve", "Valentine's Day"}
        ),
    ),
)

# How else people call a tradition's day.
TRADITION_ALIASES: Final[Mapping[str, str]] = {
    "bakrid": "Eid al-Adha",
    "baisakhi": "Vaisakhi",
    "buddha day": "Vesak Day",
    "ching ming": "Tomb-Sweeping Day",
    "deepavali": "Diwali",
    "eid": "Eid al-Fitr",
    "eid ul adha": "Eid al-Adha",
    "eid ul fitr": "Eid al-Fitr",
    "feast of sacrifice": "Eid al-Adha",
    "greek easter": "Orthodox Easter",
    "hijri new year": "Islamic New Year",
    "hogmanay": "New Year's Eve",
    "holy thursday": "Maundy Thursday",
    "janmashtami": "Janmashtami (Vaishnava)",
    "kurban bayrami": "Eid al-Adha",
    "lunar new year": "Chinese New Year",
    "mawlid": "Prophet's Birthday",
    "milad un nabi": "Prophet's Birthday",
    "moon festival": "Mid-Autumn Festival",
    "new year": "New Year's Day",
    "norouz": "Nowruz",
    "orthodox christmas": "Orthodox Christmas Day",
    "ostern": "Easter Sunday",
    "paques": "Easter Sunday",
    "pascoa": "Easter Sunday",
    "pascua": "Easter Sunday",
    "pasen": "Easter Sunday",
    "paddys day": "Saint Patrick's Day",
    "persian new year": "Nowruz",
    "pfingsten": "Pentecost",
    "qingming": "Tomb-Sweeping Day",
    "ramadan": "First Day of Ramadan",
    "ramadhan": "First Day of Ramadan",
    "ramazan bayrami": "Eid al-Fitr",
    "silvester": "New Year's Eve",
    "spring festival": "Chinese New Year",
    "vesak": "Vesak Day",
    "wesak": "Vesak Day",
    "whit monday": "Pentecost Monday",
    "whit sunday": "Pentecost",
    "whitsun": "Pentecost",
    "xmas": "Christmas Day",
    "wielkanoc": "Easter Sunday",
    "xmas eve": "Christmas Eve",
}
# A country's day that people elsewhere call by another name than the country: name, country, the library's.
NATIONAL_ALIASES: Final[tuple[tuple[str, str, str], ...]] = (
    ("Bastille Day", "FR", "National Day"),
    ("Fourth of July", "US", "Independence Day"),
    ("4th of July", "US", "Independence Day"),
    ("July 4th", "US", "Independence Day"),
    ("Juneteenth", "US", "Juneteenth National Independence Day"),
    ("MLK Day", "US", "Martin Luther King Jr. Day"),
    ("Presidents' Day", "US", "Washington's Birthday"),
    ("Remembrance Day", "CA", "Remembrance Day"),
    ("Songkran", "TH", "Songkran Festival"),
    ("Yom HaAtzmaut", "IL", "Independence Day"),
    ("Yom HaZikaron", "IL", "Remembrance Day"),
    ("Yom Yerushalayim", "IL", "Jerusalem Day"),
)
# Whose day is meant by a name that many countries use, when the question names none: the first that has it.
FAMILIAR_COUNTRIES: Final = (
    "US", "GB", "IE", "CA", "AU", "NZ", "IN", "FR", "DE", "IT", "ES", "NL", "PL", "MX", "BR", "IL", "TR",
    "JP", "CN", "KR", "TH", "RU", "ZA",
)  # fmt: skip
