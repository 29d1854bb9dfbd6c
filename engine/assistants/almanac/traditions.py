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

# Days that the library has in few countries or none: name, the day from which they are counted, and how far.
COUNTED_DAYS: Final[tuple[tuple[str, str, int], ...]] = (
    ("Shrove Tuesday", "Easter Sunday", -47),
    ("Mothering Sunday", "Easter Sunday", -21),
    ("Trinity Sunday", "Easter Sunday", 56),
    ("Orthodox Palm Sunday", "Orthodox Easter", -7),
    ("Orthodox Good Friday", "Orthodox Easter", -2),
    ("Orthodox Pentecost", "Orthodox Easter", 49),
)
# How else people call a tradition's day, in comparable words; in other languages where the library has only
# the full name that stands in a law.
TRADITION_ALIASES: Final[Mapping[str, str]] = {
    "ano nuevo": "New Year's Day",
    "baisakhi": "Vaisakhi",
    "bakrid": "Eid al-Adha",
    "boze ciało": "Corpus Christi",
    "boze narodzenie": "Christmas Day",
    "buddha day": "Vesak Day",
    "capodanno": "New Year's Day",
    "ching ming": "Tomb-Sweeping Day",
    "chung yeung": "Double Ninth Festival",
    "day of the dead": "All Souls' Day",
    "deepavali": "Diwali",
    "dia de muertos": "All Souls' Day",
    "duanwu": "Dragon Boat Festival",
    "eid": "Eid al-Fitr",
    "eid ul adha": "Eid al-Adha",
    "eid ul fitr": "Eid al-Fitr",
    "faschingsdienstag": "Shrove Tuesday",
    "fastnacht": "Shrove Tuesday",
    "fat tuesday": "Shrove Tuesday",
    "feast of sacrifice": "Eid al-Adha",
    "ferragosto": "Assumption Day",
    "greek easter": "Orthodox Easter",
    "gurpurab": "Guru Nanak's Birthday",
    "guru nanak jayanti": "Guru Nanak's Birthday",
    "hari raya": "Eid al-Fitr",
    "hari raya aidilfitri": "Eid al-Fitr",
    "hari raya haji": "Eid al-Adha",
    "hari raya puasa": "Eid al-Fitr",
    "heiligabend": "Christmas Eve",
    "heilige drei konige": "Epiphany",
    "hemelvaart": "Ascension Day",
    "hijri new year": "Islamic New Year",
    "hogmanay": "New Year's Eve",
    "holy thursday": "Maundy Thursday",
    "husvet": "Easter Sunday",
    "idul adha": "Eid al-Adha",
    "idul fitri": "Eid al-Fitr",
    "janmashtami": "Janmashtami (Vaishnava)",
    "joulu": "Christmas Day",
    "julafton": "Christmas Eve",
    "karacsony": "Christmas Day",
    "kerst": "Christmas Day",
    "kerstmis": "Christmas Day",
    "krishna janmashtami": "Janmashtami (Vaishnava)",
    "kristi himmelsfardsdag": "Ascension Day",
    "kurban bayrami": "Eid al-Adha",
    "lebaran": "Eid al-Fitr",
    "lunar new year": "Chinese New Year",
    "mahashivratri": "Maha Shivaratri",
    "mardi gras": "Shrove Tuesday",
    "mawlid": "Prophet's Birthday",
    "milad un nabi": "Prophet's Birthday",
    "moon festival": "Mid-Autumn Festival",
    "nevruz": "Nowruz",
    "new year": "New Year's Day",
    "newroz": "Nowruz",
    "nochebuena": "Christmas Eve",
    "nochevieja": "New Year's Eve",
    "norooz": "Nowruz",
    "norouz": "Nowruz",
    "novruz": "Nowruz",
    "ognissanti": "All Saints' Day",
    "orthodox christmas": "Orthodox Christmas Day",
    "ostern": "Easter Sunday",
    "oudejaarsavond": "New Year's Eve",
    "paasiainen": "Easter Sunday",
    "paddys day": "Saint Patrick's Day",
    "pancake day": "Shrove Tuesday",
    "paques": "Easter Sunday",
    "pascha": "Orthodox Easter",
    "pascoa": "Easter Sunday",
    "pascua": "Easter Sunday",
    "pasen": "Easter Sunday",
    "pask": "Easter Sunday",
    "paske": "Easter Sunday",
    "pasquetta": "Easter Monday",
    "pentecoste": "Pentecost",
    "pentecostes": "Pentecost",
    "pentecote": "Pentecost",
    "persian new year": "Nowruz",
    "pfingsten": "Pentecost",
    "pfingstsonntag": "Pentecost",
    "pingst": "Pentecost",
    "pinksteren": "Pentecost",
    "pinse": "Pentecost",
    "punkosd": "Pentecost",
    "qingming": "Tomb-Sweeping Day",
    "rakhi": "Raksha Bandhan",
    "rama navami": "Ram Navami",
    "ramadan": "First Day of Ramadan",
    "ramadhan": "First Day of Ramadan",
    "ramazan bayrami": "Eid al-Fitr",
    "reveillon": "Christmas Eve",
    "reyes magos": "Epiphany",
    "russian christmas": "Orthodox Christmas Day",
    "semana santa": "Palm Sunday",
    "shivratri": "Maha Shivaratri",
    "silvester": "New Year's Eve",
    "spring festival": "Chinese New Year",
    "stedry den": "Christmas Eve",
    "tabaski": "Eid al-Adha",
    "toussaint": "All Saints' Day",
    "trzech kroli": "Epiphany",
    "tweede pinksterdag": "Pentecost Monday",
    "vanoce": "Christmas Day",
    "velikonoce": "Easter Sunday",
    "velka noc": "Easter Sunday",
    "vesak": "Vesak Day",
    "vianoce": "Christmas Day",
    "vijayadashami": "Dussehra",
    "vinayaka chaturthi": "Ganesh Chaturthi",
    "weihnachten": "Christmas Day",
    "wesak": "Vesak Day",
    "whit monday": "Pentecost Monday",
    "whit sunday": "Pentecost",
    "whitsun": "Pentecost",
    "wielkanoc": "Easter Sunday",
    "wielki piatek": "Good Friday",
    "wigilia": "Christmas Eve",
    "wniebowstapienie": "Ascension Day",
    "wszystkich swietych": "All Saints' Day",
    "xmas": "Christmas Day",
    "xmas eve": "Christmas Eve",
    "zhongqiu": "Mid-Autumn Festival",
    "zielone swiatki": "Pentecost",
    "πασχα": "Orthodox Easter",
    "χριστουγεννα": "Christmas Day",
    "великден": "Orthodox Easter",
    "великдень": "Orthodox Easter",
    "новыи год": "New Year's Day",
    "пасха": "Orthodox Easter",
    "рождество": "Orthodox Christmas Day",
    "المولد النبوي": "Prophet's Birthday",
    "راس السنة الهجرية": "Islamic New Year",
    "رمضان": "First Day of Ramadan",
    "نوروز": "Nowruz",
    "春节": "Chinese New Year",
    "दीपावली": "Diwali",
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
    ("Canadian Thanksgiving", "CA", "Thanksgiving Day"),
    ("Chhath Puja", "IN", "Pratihar Shashthi or Surya Shashthi (Chhath Puja)"),
    ("Juhannus", "FI", "Midsummer Day"),
    ("Karva Chauth", "IN", "Karaka Chaturthi (Karwa Chouth)"),
    ("Midsommar", "SE", "Midsummer Day"),
    ("Midsummer", "SE", "Midsummer Day"),
    ("Seollal", "KR", "Korean New Year"),
    ("Tet", "VN", "Lunar New Year"),
    ("Yom HaAtzmaut", "IL", "Independence Day"),
    ("Yom HaZikaron", "IL", "Remembrance Day"),
    ("Yom Yerushalayim", "IL", "Jerusalem Day"),
)
# Days that only a part of a country keeps, or several do: name, country, one that does, the library's name.
REGIONAL_DAYS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("Battle of the Boyne", "GB", "NIR", "Battle of the Boyne"),
    ("Buß- und Bettag", "DE", "SN", "Repentance and Prayer Day"),
    ("Diada", "ES", "CT", "National Day of Catalonia"),
    ("Family Day", "CA", "ON", "Family Day"),
    ("Kamehameha Day", "US", "HI", "Kamehameha Day"),
    ("Melbourne Cup", "AU", "VIC", "Melbourne Cup Day"),
    ("Nunavut Day", "CA", "NU", "Nunavut Day"),
    ("Patriots' Day", "US", "MA", "Patriots' Day"),
    ("Pioneer Day", "US", "UT", "Pioneer Day"),
    ("Reformation Day", "DE", "BB", "Reformation Day"),
    ("Reformationstag", "DE", "BB", "Reformation Day"),
    ("Saint-Jean-Baptiste", "CA", "QC", "Saint John the Baptist Day"),
    ("St Andrew's Day", "GB", "SCT", "Saint Andrew's Day"),
    ("Saint Andrew's Day", "GB", "SCT", "Saint Andrew's Day"),
    ("Texas Independence Day", "US", "TX", "Texas Independence Day"),
)
# Whose day is meant by a name that many countries use, when the question names none: the first that has it.
FAMILIAR_COUNTRIES: Final = (
    "US", "GB", "IE", "CA", "AU", "NZ", "IN", "FR", "DE", "IT", "ES", "NL", "PL", "MX", "BR", "IL", "TR",
    "JP", "CN", "KR", "TH", "RU", "ZA",
)  # fmt: skip
