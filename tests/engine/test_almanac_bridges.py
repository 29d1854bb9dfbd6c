"""Long weekends and bridge days against what newspapers print for planning leave."""

import datetime

import pytest

from engine.assistants.almanac import bridges
from engine.assistants.almanac.values import NothingFound, Place

date = datetime.date


def land(country: str, subdivision: str = "") -> Place:
    return Place(
        name="there",
        country=country,
        country_name="",
        subdivision=subdivision,
        latitude=0,
        longitude=0,
        timezone="UTC",
    )


def shown(place: Place, year: int) -> list[tuple[str, str, int, str]]:
    return [
        (
            f"{long.first:%m-%d}",
            f"{long.last:%m-%d}",
            long.days,
            f"{long.bridge:%m-%d}" if long.bridge else "",
        )
        for long in bridges.long_weekends(place, year)
    ]


def test_the_bridges_of_bavaria_are_as_published():
    """br.de, "Brückentage 2023 Bayern", but Assumption Day, which is kept in a part of Bavaria only."""
    found = shown(land("DE", "BY"), 2023)
    assert found == [
        ("01-06", "01-08", 3, ""),
        ("04-07", "04-10", 4, ""),
        ("04-29", "05-01", 3, ""),
        ("05-18", "05-21", 4, "05-19"),
        ("05-27", "05-29", 3, ""),
        ("06-08", "06-11", 4, "06-09"),
        ("09-30", "10-03", 4, "10-02"),
        ("12-23", "12-26", 4, ""),
    ]


def test_the_bridges_of_germany_are_as_published():
    """faktastisch.de, "Brückentage 2026": 2 January, Easter, 1 May (a Friday), Pentecost."""
    assert shown(land("DE"), 2026) == [
        ("01-01", "01-04", 4, "01-02"),
        ("04-03", "04-06", 4, ""),
        ("05-01", "05-03", 3, ""),
        ("05-14", "05-17", 4, "05-15"),
        ("05-23", "05-25", 3, ""),
        ("12-25", "12-27", 3, ""),
    ]


def test_a_day_off_can_be_bridged_to_on_both_sides_of_a_weekend():
    """steirische-wirtschaft.at, "Fenstertage 2026": 1 to 4 January with the 2nd, 3 to 6 with the 5th.

    To June from thermen.at, "Fenstertage 2026"; after it from the table of karriere.at, "Zwickel- bzw.
    Fenstertage 2026", whose holidays are Monday 26 October and Tuesday 8 December.
    """
    assert shown(land("AT"), 2026) == [
        ("01-01", "01-04", 4, "01-02"),
        ("01-03", "01-06", 4, "01-05"),
        ("04-04", "04-06", 3, ""),
        ("05-01", "05-03", 3, ""),
        ("05-14", "05-17", 4, "05-15"),
        ("05-23", "05-25", 3, ""),
        ("06-04", "06-07", 4, "06-05"),
        ("10-24", "10-26", 3, ""),
        ("12-05", "12-08", 4, "12-07"),
        ("12-25", "12-27", 3, ""),
    ]


def test_a_year_with_few_bridges_has_no_more():
    """vienna.at, "2010: Leider kaum Fenstertage": after 13 May and 3 June, and before 26 October."""
    assert [long.bridge for long in bridges.long_weekends(land("AT"), 2010) if long.bridge] == [
        date(2010, 5, 14),
        date(2010, 6, 4),
        date(2010, 10, 25),
    ]


def test_two_days_in_the_middle_of_a_week_are_no_long_weekend_but_with_a_bridge():
    """derstandard.at, "Feier- und Fenstertage 2018": with Monday the 24th, from 22 to 26 December."""
    assert shown(land("AT"), 2018)[-1] == ("12-22", "12-26", 5, "12-24")
    assert not any(first <= "12-26" <= last and days == 2 for first, last, days, _ in shown(land("AT"), 2018))


def test_a_row_over_new_year_belongs_to_the_year_of_its_holiday():
    """1 January 2024 was a Monday: the weekend before it was in 2023."""
    assert ("12-30", "01-01", 3, "") in shown(land("DE"), 2024)
    assert "12-30" not in [first for first, *_ in shown(land("DE"), 2023)]


def test_its_holidays_are_named_and_weekend_days_are_not():
    """Boxing Day 2026 is a Saturday."""
    last = bridges.long_weekends(land("DE"), 2026)[-1]
    assert [holiday.name for holiday in last.holidays] == ["Christmas Day"]


def test_the_weekend_is_the_countrys_own():
    """Israel rests on Friday and Saturday: Shavuot 2026, Friday 22 May, makes no long weekend."""
    assert [long for long in bridges.long_weekends(land("IL"), 2026) if long.first.month == 5] == []


@pytest.mark.parametrize("year", [1872, 2100])
def test_the_first_and_last_year_on_record_have_theirs(year):
    """No year beside them is looked up."""
    assert bridges.long_weekends(land("GB", "ENG"), year) != ()


def test_a_year_that_is_not_on_record_is_said_in_a_sentence():
    """Instead of "there are none"."""
    with pytest.raises(NothingFound, match="on record from 1872 to 2100 only"):
        bridges.long_weekends(land("GB", "ENG"), 2101)
