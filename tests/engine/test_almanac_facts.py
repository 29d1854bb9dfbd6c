"""Dates and sunsets against published tables."""

import datetime

import pytest

from engine.assistants.almanac import civil, jewish, libraries, places, sky, values
from engine.assistants.almanac.traditions import COUNTED_DAYS, TRADITION_ALIASES, TRADITIONS
from engine.assistants.almanac.words import normalise

date = datetime.date


# Hebcal's holiday calendars (hebcal.com, diaspora): the evening on which each begins, and its last day.
HEBCAL = [
    ("Hanukkah", date(2024, 12, 25), date(2025, 1, 2)),
    ("Hanukkah", date(2025, 12, 14), date(2025, 12, 22)),
    ("Hanukkah", date(2026, 12, 4), date(2026, 12, 12)),
    ("Passover", date(2025, 4, 12), date(2025, 4, 20)),
    ("Passover", date(2026, 4, 1), date(2026, 4, 9)),
    ("Passover", date(2027, 4, 21), date(2027, 4, 29)),
    ("Rosh Hashanah", date(2025, 9, 22), date(2025, 9, 24)),
    ("Rosh Hashanah", date(2026, 9, 11), date(2026, 9, 13)),
    ("Yom Kippur", date(2025, 10, 1), date(2025, 10, 2)),
    ("Yom Kippur", date(2026, 9, 20), date(2026, 9, 21)),
    ("Sukkot", date(2025, 10, 6), date(2025, 10, 13)),
    ("Simchat Torah", date(2025, 10, 14), date(2025, 10, 15)),
    ("Purim", date(2024, 3, 23), date(2024, 3, 24)),
    ("Purim", date(2026, 3, 2), date(2026, 3, 3)),
    ("Tu BiShvat", date(2026, 2, 1), date(2026, 2, 2)),
    ("Lag BaOmer", date(2026, 5, 4), date(2026, 5, 5)),
    ("Shavuot", date(2026, 5, 21), date(2026, 5, 23)),
    # The ninth of Av was a Sabbath: the fast is kept a day later.
    ("Tisha B'Av", date(2022, 8, 6), date(2022, 8, 7)),
    ("Tisha B'Av", date(2026, 7, 22), date(2026, 7, 23)),
]


@pytest.mark.parametrize(("name", "begins", "last"), HEBCAL)
def test_jewish_holidays_are_as_published(name, begins, last):
    """They begin at sunset of the day before the first."""
    holiday = jewish.names()[normalise(name)]
    first = begins + datetime.timedelta(days=1)
    (found,) = jewish.find(holiday, first.year, israel=False)
    assert (found.begins, found.first, found.last) == (begins, first, last)


@pytest.mark.parametrize(
    ("name", "israel", "abroad"), [("Passover", 7, 8), ("Shavuot", 1, 2), ("Hanukkah", 8, 8)]
)
def test_the_length_depends_on_israel_and_both_are_said(name, israel, abroad):
    """The second day of the diaspora; Hanukkah has eight days everywhere."""
    holiday = jewish.names()[normalise(name)]
    (here,) = jewish.find(holiday, 2026, israel=True)
    (there,) = jewish.find(holiday, 2026, israel=False)
    assert (here.days, there.days) == (israel, abroad)
    assert (here.days_elsewhere, there.days_elsewhere) == ((abroad, israel) if israel != abroad else (0, 0))


def test_simchat_torah_is_a_day_earlier_in_israel():
    """Hebcal: 14 October 2025 in Israel, 15 October elsewhere."""
    (found,) = jewish.find(jewish.names()["simchat torah"], 2025, israel=True)
    assert (found.begins, found.first, found.last) == (
        date(2025, 10, 13),
        date(2025, 10, 14),
        date(2025, 10, 14),
    )


def test_a_fast_from_dawn_has_no_evening_before_and_may_come_twice_or_never():
    """Hebcal: 10 Tevet fell on 10 January and 30 December 2025, 20 December 2026, and not in 2027."""
    holiday = jewish.names()["10 tevet"]
    firsts = [
        [found.first for found in jewish.find(holiday, year, israel=False)] for year in (2025, 2026, 2027)
    ]
    assert firsts == [[date(2025, 1, 10), date(2025, 12, 30)], [date(2026, 12, 20)], []]
    assert all(found.begins == found.first for found in jewish.find(holiday, 2025, israel=False))


def test_every_jewish_holiday_has_a_date():
    """Each name of the table is one that pyluach uses: over a leap cycle each comes round."""
    for holiday in set(jewish.names().values()):
        assert any(jewish.find(holiday, year, israel=False) for year in range(2024, 2028)), holiday.name


# Country, name as people say it, first day.
PUBLISHED = [
    # US Naval Observatory, Astronomical Applications Department, "The Date of Easter".
    ("VA", "Easter", date(2024, 3, 31)),
    ("US", "Easter", date(2025, 4, 20)),
    ("IT", "Easter", date(2026, 4, 5)),
    ("IT", "Easter", date(2027, 3, 28)),
    # The same page, Orthodox; Greece has only Easter Monday on record, Romania calls it Easter.
    ("GR", "Easter Sunday", date(2024, 5, 5)),
    ("GR", "Easter Sunday", date(2026, 4, 12)),
    ("RO", "Easter Sunday", date(2027, 5, 2)),
    # US Office of Personnel Management; Canada Labour Code.
    ("US", "Thanksgiving", date(2025, 11, 27)),
    ("US", "Thanksgiving", date(2026, 11, 26)),
    ("CA", "Thanksgiving", date(2025, 10, 13)),
    ("CA", "Thanksgiving", date(2026, 10, 12)),
    # Government of India, list of holidays.
    ("IN", "Diwali", date(2025, 10, 20)),
    ("IN", "Diwali", date(2026, 11, 8)),
    # Government of India, Department of Personnel and Training, list of holidays 2016.
    ("IN", "Maha Shivaratri", date(2016, 3, 7)),
    ("IN", "Holi", date(2016, 3, 24)),
    ("IN", "Ram Navami", date(2016, 4, 15)),
    ("IN", "Buddha Purnima", date(2016, 5, 21)),
    ("IN", "Janmashtami", date(2016, 8, 25)),
    ("IN", "Dussehra", date(2016, 10, 11)),
    ("IN", "Diwali", date(2016, 10, 30)),
    ("IN", "Guru Nanak's Birthday", date(2016, 11, 14)),
    # The same of 2024, as upkiran.org has it.
    ("IN", "Ram Navami", date(2024, 4, 17)),
    ("IN", "Buddha Purnima", date(2024, 5, 23)),
    ("IN", "Janmashtami", date(2024, 8, 26)),
    ("IN", "Dussehra", date(2024, 10, 12)),
    ("IN", "Diwali", date(2024, 10, 31)),
    ("IN", "Guru Nanak's Birthday", date(2024, 11, 15)),
    # holidays-calendar.net, "Hongkong calendar" 2015.
    ("HK", "Chinese New Year", date(2015, 2, 19)),
    ("HK", "Ching Ming", date(2015, 4, 5)),
    ("HK", "Dragon Boat Festival", date(2015, 6, 20)),
    ("HK", "Double Ninth Festival", date(2015, 10, 21)),
    # Saudi Arabia's Supreme Court: 7 July 2024 (newsoftown.com), 26 June 2025 (filipinotimes.net).
    ("MV", "Islamic New Year", date(2024, 7, 7)),
    ("MV", "Islamic New Year", date(2025, 6, 26)),
    # Hong Kong Observatory, Gregorian-Lunar calendar conversion.
    ("HK", "Chinese New Year", date(2025, 1, 29)),
    ("HK", "Chinese New Year", date(2026, 2, 17)),
    ("CN", "Chinese New Year", date(2026, 2, 17)),
    # Umm al-Qura calendar.
    ("MV", "Eid al-Fitr", date(2026, 3, 20)),
    ("MV", "First Day of Ramadan", date(2026, 2, 18)),
    # Knesset: moved from a Sabbath to the Thursday before.
    ("IL", "Independence Day", date(2025, 5, 1)),
    # Government of the Netherlands: 27 April was a Sunday.
    ("NL", "King's Day", date(2025, 4, 26)),
    # Fixed days that a weekend does not move.
    ("FR", "National Day", date(2025, 7, 14)),
    ("US", "Independence Day", date(2026, 7, 4)),
    ("PL", "Wielkanoc", date(2026, 4, 5)),
]


@pytest.mark.parametrize(("country", "name", "first"), PUBLISHED)
def test_civil_holidays_are_as_published(country, name, first):
    """One occurrence, on the published day."""
    name = TRADITION_ALIASES.get(normalise(name), name)
    (found,) = civil.find(country, "", name, first.year, eve=False)
    assert found.first == found.begins == first
    assert found.country_name == civil.countries()[country]


def test_neighbouring_days_of_one_name_are_one_holiday():
    """Thailand keeps Songkran for three days (Bank of Thailand: 13 to 15 April)."""
    (found,) = civil.find("TH", "", "Songkran Festival", 2026, eve=False)
    assert (found.first, found.last, found.days) == (date(2026, 4, 13), date(2026, 4, 15), 3)


def test_an_islamic_day_begins_the_evening_before_and_says_when_it_is_an_estimate():
    """The sighting of the moon may move it."""
    (found,) = civil.find("MV", "", "Eid al-Adha", 2026, eve=True)
    assert (found.begins, found.first) == (date(2026, 5, 26), date(2026, 5, 27))
    assert found.estimated


def test_a_holiday_that_a_country_does_not_keep_is_not_found():
    """No guess."""
    assert civil.find("GB", "", "Diwali", 2026, eve=False) == []


def test_a_part_of_a_country_has_days_of_its_own():
    """Saint Andrew's Day is a bank holiday in Scotland only (gov.uk/bank-holidays)."""
    assert civil.find("GB", "ENG", "St Andrew's Day", 2026, eve=False) == []
    (found,) = civil.find("GB", "SCT", "St Andrew's Day", 2026, eve=False)
    assert found.first == date(2026, 11, 30)


def test_a_short_name_is_one_that_means_nothing_else():
    """ "Labour" alone is no holiday, "St Patrick's" is."""
    assert "labour" not in civil.names("CA", "", 2026)
    assert civil.names("US", "", 2026)["st patricks"] == "Saint Patrick's Day"


def test_days_off_around_a_holiday_name_none():
    """Substitutes and days after are no answer to "when is"."""
    assert [name for name in civil.names("HK", "", 2026) if "following" in name] == []
    assert [name for name in civil.names("CN", "", 2026) if "day off" in name] == []


async def test_every_name_of_a_tradition_is_one_the_library_uses(autojump_clock):
    """A name that a new version of the library spells otherwise is noticed here; so is a missing city."""
    await libraries.load()
    for tradition in TRADITIONS:
        known = {
            key for country in tradition.countries for key in civil.names(country, "", 2026, True).values()
        }
        assert tradition.names - known == set(), tradition.name
        assert places.find(tradition.home) is not None
    every = {name for tradition in TRADITIONS for name in tradition.names}
    assert {other for _, other, _ in COUNTED_DAYS} - every == set()
    every |= {name for name, _, _ in COUNTED_DAYS}
    assert set(TRADITION_ALIASES.values()) - every == set()
    assert [alias for alias in TRADITION_ALIASES if alias != normalise(alias)] == []


# NOAA Solar Calculator and the US Naval Observatory's tables: local clock time.
SUNSETS = [
    ("New York", date(2025, 12, 21), datetime.time(16, 32)),
    ("London", date(2025, 12, 21), datetime.time(15, 53)),
    ("London", date(2026, 6, 21), datetime.time(21, 21)),
    ("Sydney", date(2025, 12, 21), datetime.time(20, 5)),
    ("Rome", date(2026, 4, 5), datetime.time(19, 39)),
]


@pytest.mark.parametrize(("city", "day", "clock"), SUNSETS)
def test_sunset_is_as_published_to_within_two_minutes(city, day, clock):
    """Cities are wide; minutes differ by the point that stands for one."""
    place = places.find(city)
    assert place is not None
    found = sky.sunset(day, place)
    published = datetime.datetime.combine(day, clock, tzinfo=found.at.tzinfo)
    assert abs(found.at - published) <= datetime.timedelta(minutes=2)
    assert (found.at.second, found.at.microsecond) == (0, 0)


def test_the_sun_does_not_set_everywhere():
    """Midsummer in Tromsø has none, and says so."""
    tromso = values.Place(
        name="Tromsø",
        country="NO",
        country_name="Norway",
        latitude=69.65,
        longitude=18.96,
        timezone="Europe/Oslo",
    )
    with pytest.raises(values.NothingFound, match="the sun does not set in Tromsø on 2026-06-21"):
        sky.sunset(date(2026, 6, 21), tromso)


@pytest.mark.parametrize(
    ("name", "city", "country", "subdivision"),
    [
        ("London", "London", "GB", "ENG"),
        ("the UK", None, "", ""),
        ("UK", "London", "GB", "ENG"),
        ("Scotland", "Edinburgh", "GB", "SCT"),
        ("usa", "Washington DC", "US", ""),
        ("Canada", "Ottawa", "CA", ""),
        ("Australia", "Canberra", "AU", ""),
        ("Hong Kong", "Hong Kong", "HK", ""),
        ("Viet Nam", "Hanoi", "VN", ""),
        ("NYC", "New York", "US", ""),
        ("Czechia", "Prague", "CZ", ""),
        ("Atlantis", None, "", ""),
        # astral has it in the wrong hemisphere.
        ("Nouakchott", None, "", ""),
    ],
)
def test_a_place_is_a_city_or_the_capital_of_a_country(name, city, country, subdivision):
    """By any name people use."""
    found = places.find(name)
    assert ((found.name, found.country, found.subdivision) if found else (None, "", "")) == (
        city,
        country,
        subdivision,
    )


def test_the_sun_of_every_place_agrees_with_its_clock():
    """On an equinox the sun sets between four and eight in the evening wherever there is one."""
    for place in set(places.names().values()):
        assert 16 <= sky.sunset(date(2026, 3, 20), place).at.hour <= 20, place


@pytest.mark.parametrize(("country", "year"), [("IN", 2050), ("KR", 1900), ("US", 2101), ("SZ", 1938)])
def test_beyond_the_librarys_tables_there_is_no_warning(country, year):
    """India's end with 2035, all with 2100; operators need not read about it."""
    assert civil.find(country, "", "Diwali", year, eve=False) == []
