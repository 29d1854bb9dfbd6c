"""What holidays are called in other languages, and those that are counted from Easter."""

import datetime

import pytest

from engine.assistants.almanac import catalogue, civil
from engine.assistants.almanac.traditions import (
    COUNTED_DAYS,
    NATIONAL_ALIASES,
    REGIONAL_DAYS,
    TRADITION_ALIASES,
)
from engine.assistants.almanac.words import normalise

date = datetime.date

# What people type in their own language, with the name under which the almanac answers.
TYPED = [
    ("Pâques", "Easter Sunday"),
    ("Pentecôte", "Pentecost"),
    ("Toussaint", "All Saints' Day"),
    ("Weihnachten", "Christmas Day"),
    ("Heiligabend", "Christmas Eve"),
    ("Christi Himmelfahrt", "Ascension Day"),
    ("Fronleichnam", "Corpus Christi"),
    ("Navidad", "Christmas Day"),
    ("Nochebuena", "Christmas Eve"),
    ("Viernes Santo", "Good Friday"),
    ("Reyes Magos", "Epiphany"),
    ("Pasquetta", "Easter Monday"),
    ("Ferragosto", "Assumption Day"),
    ("Páscoa", "Easter Sunday"),
    ("Kerst", "Christmas Day"),
    ("Hemelvaart", "Ascension Day"),
    ("Wielkanoc", "Easter Sunday"),
    ("Boże Narodzenie", "Christmas Day"),
    ("Boże Ciało", "Corpus Christi"),
    ("Velikonoce", "Easter Sunday"),
    ("Vánoce", "Christmas Day"),
    ("Húsvét", "Easter Sunday"),
    ("Påsk", "Easter Sunday"),
    ("Joulu", "Christmas Day"),
    ("Пасха", "Orthodox Easter"),
    ("Великдень", "Orthodox Easter"),
    ("Рождество", "Orthodox Christmas Day"),
    ("Πάσχα", "Orthodox Easter"),
    ("פסח", "Passover"),
    ("ראש השנה", "Rosh Hashanah"),
    ("חנוכה", "Hanukkah"),
    ("عيد الفطر", "Eid al-Fitr"),
    ("عيد الأضحى", "Eid al-Adha"),
    ("رمضان", "First Day of Ramadan"),
    ("المولد النبوي", "Prophet's Birthday"),
    ("Milad un-Nabi", "Prophet's Birthday"),
    ("Kurban Bayramı", "Eid al-Adha"),  # noqa: RUF001  # Turkish has that letter
    ("Hari Raya Haji", "Eid al-Adha"),
    ("Lebaran", "Eid al-Fitr"),
    ("نوروز", "Nowruz"),
    ("दीपावली", "Diwali"),
    ("होली", "Holi"),
    ("Guru Nanak Jayanti", "Guru Nanak's Birthday"),
    ("Krishna Janmashtami", "Janmashtami (Vaishnava)"),
    ("春节", "Chinese New Year"),
    ("中秋节", "Mid-Autumn Festival"),
    ("端午节", "Dragon Boat Festival"),
    ("Mardi Gras", "Shrove Tuesday"),
    ("Pancake Day", "Shrove Tuesday"),
]


@pytest.mark.parametrize(("typed", "name"), TYPED)
async def test_a_name_in_another_language_means_the_same_day(typed, name, autojump_clock):
    """In whatever year it is asked for: what the library calls its days differs from year to year."""
    for year in (2025, 2026, 2027):
        found = (await catalogue.familiar_names(year)).get(normalise(typed))
        assert (found.name if found else None) == name, year


async def test_every_other_name_means_what_the_table_says(autojump_clock):
    """No name of a country's own day comes before it."""
    names = await catalogue.familiar_names(2026)
    for other, name in TRADITION_ALIASES.items():
        assert names[other] == names[normalise(name)], other


def test_two_holidays_on_a_day_do_not_take_each_others_names():
    """Magh Bihu and Pongal, 14 January 2026: in Hindi the library has them in the other order."""
    assert civil.names("IN", "", 2026, True).get(normalise("पोंगल")) in (None, "Pongal")
    assert civil.names("IN", "", 2026, True).get(normalise("माघ बिहू")) in (None, "Magh Bihu")


# Western: Rosetta Code, "Holidays related to Easter" (Trinity); alarmclock.top (Mothering Sunday, as exactly
# three weeks before Easter); pudseyparish.org.uk, "The Church Calendar 2016 to 2021" (the day before its Ash
# Wednesdays).  Orthodox: American Carpatho-Russian Orthodox Diocese, "Listing of Movable Feasts".
COUNTED = [
    ("Trinity Sunday", [date(2019, 6, 16), date(2020, 6, 7)]),
    ("Mothering Sunday", [date(2028, 3, 26), date(2029, 3, 11), date(2030, 3, 31)]),
    ("Shrove Tuesday", [date(2018, 2, 13), date(2019, 3, 5), date(2020, 2, 25)]),
    ("Orthodox Palm Sunday", [date(2023, 4, 9), date(2024, 4, 28), date(2025, 4, 13), date(2026, 4, 5)]),
    ("Orthodox Good Friday", [date(2023, 4, 14), date(2024, 5, 3), date(2025, 4, 18), date(2026, 4, 10)]),
    ("Orthodox Pentecost", [date(2023, 6, 4), date(2024, 6, 23), date(2025, 6, 8), date(2026, 5, 31)]),
    # The Saudi Gazette, 29 July 2022, by the Umm al-Qura calendar; viralnaama.info, "Saudi and Gulf nations".
    ("Ashura", [date(2022, 8, 8), date(2025, 7, 5)]),
    # The 27th of Ramadan, whose first days were 11 March 2024 and 1 March 2025 in Saudi Arabia.
    ("Laylat al-Qadr", [date(2024, 4, 6), date(2025, 3, 27)]),
    # officeholidays.com, Goa 2024: a Saturday, the day before the 8th, when Mauritius keeps it.
    ("Ganesh Chaturthi", [date(2024, 9, 7)]),
]


@pytest.mark.parametrize(("name", "days"), COUNTED)
async def test_a_day_that_is_counted_from_easter_is_as_published(name, days, autojump_clock):
    """The library has Easter everywhere and these in few countries."""
    holiday = (await catalogue.familiar_names(2026))[normalise(name)]
    for day in days:
        (found,) = civil.find(holiday.country, "", holiday.key, day.year, eve=False)
        assert (found.first, found.last) == (day, day)


def test_a_day_that_is_counted_over_new_year_belongs_to_its_own_year():
    """Wikipedia, "Islamic calendar": 1429 ended with 28 December 2008, and 10 Muharram came in January."""
    found = [found.first for found in civil.find("MV", "", "Ashura", 2009, eve=True)]
    assert found == [date(2009, 1, 7), date(2009, 12, 27)]
    assert date(2009, 1, 7) not in [found.first for found in civil.find("MV", "", "Ashura", 2008, eve=True)]


def test_a_chinese_new_year_on_a_sunday_is_found():
    """Hong Kong Observatory: 22 January 2023, for which Hong Kong's list has the days after it only."""
    (found,) = civil.find("HK", "", "Chinese New Year", 2023, eve=False)
    assert found.first == date(2023, 1, 22)


async def test_nowruz_is_irans(autojump_clock):
    """Iran Press, "Countdown to Nowruz 1398": 21 March 2019.  Iraq has the 21st whatever the sun does."""
    nowruz = (await catalogue.familiar_names(2026))["nowruz"]
    (found,) = civil.find(nowruz.country, "", nowruz.key, 2019, eve=False)
    assert (nowruz.country, found.first) == ("IR", date(2019, 3, 21))


def test_every_counted_day_is_compared_with_a_published_one():
    """Who adds one looks it up."""
    assert {name for name, _, _ in COUNTED_DAYS} == {name for name, _ in COUNTED}


# Global Health Travel Clinic, "Lunar New Year 2026", of Tết and Seollal; Canada's Thanksgiving is the second
# Monday in October, Midsummer Day the Saturday between 20 and 26 June.
NATIONAL = [
    ("Seollal", date(2026, 2, 17)),
    ("Tết", date(2026, 2, 17)),
    ("Canadian Thanksgiving", date(2026, 10, 12)),
    ("Juhannus", date(2026, 6, 20)),
    ("Midsommar", date(2026, 6, 20)),
]


@pytest.mark.parametrize(("typed", "day"), NATIONAL)
async def test_a_countrys_day_is_found_by_the_name_people_use(typed, day, autojump_clock):
    """The library calls it by another."""
    holiday = (await catalogue.familiar_names(2026))[normalise(typed)]
    assert civil.find(holiday.country, "", holiday.key, 2026, eve=False)[0].first == day


# By law: St Andrew's Day Bank Holiday (Scotland) Act 2007; the third Monday in April in Massachusetts and in
# February in Ontario; the Wednesday before 23 November in Saxony; fixed dates the others.
REGIONAL = [
    ("St Andrew's Day", date(2026, 11, 30)),
    ("Patriots' Day", date(2026, 4, 20)),
    ("Battle of the Boyne", date(2026, 7, 12)),
    ("Family Day", date(2026, 2, 16)),
    ("Buß- und Bettag", date(2026, 11, 18)),
    ("Reformationstag", date(2026, 10, 31)),
    ("Saint-Jean-Baptiste", date(2026, 6, 24)),
]


@pytest.mark.parametrize(("typed", "day"), REGIONAL)
async def test_a_day_of_a_part_of_a_country_is_found_without_naming_it(typed, day, autojump_clock):
    """St Andrew's Day is Scotland's, not the Georgian one in May."""
    holiday = (await catalogue.familiar_names(2026))[normalise(typed)]
    assert civil.find(holiday.country, "", holiday.key, 2026, eve=False)[0].first == day


def test_another_part_of_the_country_does_not_get_it():
    """Who asks for England's is told that there is none."""
    assert civil.find("GB", "ENG", "Saint Andrew's Day", 2026, eve=False) == []


@pytest.mark.parametrize("year", [2025, 2026, 2027])
async def test_every_such_name_comes_round_each_year(year, autojump_clock):
    """A new version of the library that calls it otherwise is noticed here."""
    names = await catalogue.familiar_names(year)
    for name, *_ in (*NATIONAL_ALIASES, *REGIONAL_DAYS):
        holiday = names[normalise(name)]
        assert civil.find(holiday.country, "", holiday.key, year, eve=False) != [], name
