"""Public holidays against the lists that governments publish."""

import datetime

import pytest

from engine.assistants.almanac import civil, public
from engine.assistants.almanac.facts import PublicHoliday
from engine.assistants.almanac.values import NothingFound

date = datetime.date

# Two islands where nobody lives and one with a base only; and Ukraine, whose law of martial law (2136-IX of
# 15 March 2022) makes its holidays workdays.
WITHOUT = {"BV", "HM", "IO", "UA"}

# Days off that are no weekend days, for such lists name a substitute only.
PUBLISHED = [
    # gov.uk/bank-holidays, England and Wales, with the coronation.
    ("GB", "ENG", 2023, "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26"),
    ("GB", "WLS", 2023, "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26"),
    # The same, Scotland: substitutes on 4 January, 27 and 28 December; no Easter Monday.
    ("GB", "SCT", 2021, "01-01 01-04 04-02 05-03 05-31 08-02 11-30 12-27 12-28"),
    # US Office of Personnel Management, federal holidays.
    ("US", "", 2024, "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"),
]


@pytest.mark.parametrize(("country", "subdivision", "year", "days"), PUBLISHED)
def test_the_holidays_of_a_year_are_as_published(country, subdivision, year, days):
    """In order, and none besides."""
    found = [
        holiday.day for holiday in public.year_of(country, subdivision, year) if holiday.day.weekday() < 5
    ]
    assert found == [date.fromisoformat(f"{year}-{day}") for day in days.split()]


def test_a_day_off_instead_of_a_weekend_says_so():
    """St Andrew's Day Bank Holiday (Scotland) Act 2007, section 1: on a Saturday, the Monday after it."""
    assert public.public_on("GB", "SCT", date(2024, 12, 2)) == (
        PublicHoliday(day=date(2024, 12, 2), name="Saint Andrew's Day", observed=True),
    )
    assert public.public_on("GB", "SCT", date(2024, 11, 30)) == (
        PublicHoliday(day=date(2024, 11, 30), name="Saint Andrew's Day"),
    )


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        # The Nation, "15 bank holidays announced for 2023": a substitution for 10 December, a Sunday.
        ("TH", date(2023, 12, 11), "Constitution Day"),
        # China's State Council, 2025: at work on Sunday 26 January and Saturday 8 February instead.
        ("CN", date(2025, 2, 4), "Day off"),
        # islandlife.org, "Public Holidays Guernsey 2009 - 2012": in lieu of 25 December, a Saturday.
        ("GG", date(2010, 12, 27), "Christmas Day"),
    ],
)
def test_a_day_off_instead_of_another_is_named_without_the_librarys_own_words(country, day, name):
    """It writes "(in lieu)" in one country and "(substituted from 02/08/2025)" in another."""
    assert public.public_on(country, "", day) == (PublicHoliday(day=day, name=name, observed=True),)


def test_a_part_of_a_country_has_holidays_of_its_own():
    """gov.uk/bank-holidays: 30 November is one in Scotland, not in England."""
    assert public.public_on("GB", "ENG", date(2026, 11, 30)) == ()
    assert [holiday.name for holiday in public.public_on("GB", "SCT", date(2026, 11, 30))] == [
        "Saint Andrew's Day"
    ]


def test_an_estimate_says_so():
    """Eid al-Adha waits for the moon."""
    found = [holiday for holiday in public.year_of("MV", "", 2026) if holiday.name == "Eid al-Adha"]
    assert [(holiday.day, holiday.estimated) for holiday in found] == [(date(2026, 5, 27), True)]


def test_the_next_holidays_begin_with_the_day_itself_and_go_on_over_new_year():
    """gov.uk/bank-holidays, Northern Ireland: Christmas 2026 with Boxing Day's substitute, and New Year."""
    found = public.next_public("GB", "NIR", date(2026, 12, 25), 4)
    assert [holiday.day for holiday in found] == [
        date(2026, 12, 25),
        date(2026, 12, 26),
        date(2026, 12, 28),
        date(2027, 1, 1),
    ]
    assert public.next_public("GB", "NIR", date(2026, 12, 29), 1)[0].day == date(2027, 1, 1)


def test_names_are_english_whatever_the_machine_speaks(monkeypatch):
    """The library would take its translations from the environment."""
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    public.year_of.cache_clear()
    assert public.public_on("DE", "", date(2026, 10, 3))[0].name == "German Unity Day"


def test_a_year_beyond_a_part_of_the_tables_has_the_rest():
    """The library warns that India's Hindu days end with 2035; Republic Day goes on."""
    assert [holiday.name for holiday in public.public_on("IN", "", date(2036, 1, 26))] == ["Republic Day"]


def test_no_list_is_endless():
    """A question for a million gets what one can read."""
    assert len(public.next_public("TH", "", date(2026, 1, 1), 1_000_000)) == 30


def test_parts_are_found_by_name_and_code():
    """As the library calls them."""
    assert public.subdivisions("GB")["scotland"] == public.subdivisions("GB")["sct"] == "SCT"
    assert public.subdivisions("US")["california"] == "CA"
    assert public.subdivisions("DE")["bayern"] == "BY"
    assert public.subdivisions("PT").get("scotland") is None


def test_a_place_is_called_as_people_call_it():
    """In sentences for the user."""
    assert public.name_of("GB", "SCT") == "Scotland"
    assert public.name_of("PL", "") == "Poland"


@pytest.mark.parametrize(
    ("country", "subdivision", "year", "text"),
    [
        ("ZZ", "", 2026, "no country with the code ZZ is on record"),
        ("GB", "XX", 2026, "United Kingdom has no part called XX"),
        ("GB", "", 2101, "on record from 1872 to 2100 only"),
        ("GB", "", 1871, "on record from 1872 to 2100 only"),
    ],
)
def test_what_the_library_does_not_know_is_said_in_a_sentence(country, subdivision, year, text):
    """Never an empty list that reads as "no holidays"."""
    with pytest.raises(NothingFound, match=text):
        public.year_of(country, subdivision, year)


def test_at_the_end_of_the_tables_fewer_are_found_and_then_none():
    """They end with the year 2100, whose Christmas is on a weekend and has two substitutes."""
    assert [holiday.day.day for holiday in public.next_public("GB", "", date(2100, 12, 25), 9)] == [
        25,
        26,
        27,
        28,
    ]
    with pytest.raises(NothingFound, match="on record from 2100-12-30 on"):
        public.next_public("GB", "", date(2100, 12, 30), 1)


def test_every_country_has_public_holidays_but_four():
    """The tables of each country can be read in the way we read them."""
    without = set()
    for code in civil.countries():
        try:
            assert public.year_of(code, "", 2026) != ()
        except NothingFound:
            without.add(code)
    assert without == WITHOUT
