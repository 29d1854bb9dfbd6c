"""Workdays against published tables."""

import calendar
import datetime

import pytest

from engine.assistants.almanac import workdays
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


def by_month(place: Place, year: int) -> list[int]:
    return [
        workdays.workdays(
            place, date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        ).count
        for month in range(1, 13)
    ]


# jobvoting.de, "Tabelle Arbeitstage 2012": Monday to Friday without the public holidays of each Land.
GERMANY_2012 = [
    ("BW", [21, 21, 22, 19, 20, 20, 22, 23, 20, 22, 21, 19]),
    ("BE", [22, 21, 22, 19, 20, 21, 22, 23, 20, 22, 22, 19]),
    ("BB", [22, 21, 22, 19, 20, 21, 22, 23, 20, 21, 22, 19]),
    ("HE", [22, 21, 22, 19, 20, 20, 22, 23, 20, 22, 22, 19]),
    ("SL", [22, 21, 22, 19, 20, 20, 22, 22, 20, 22, 21, 19]),
    ("SN", [22, 21, 22, 19, 20, 21, 22, 23, 20, 21, 21, 19]),
]


@pytest.mark.parametrize(("subdivision", "published"), GERMANY_2012)
def test_the_workdays_of_the_german_lander_are_as_published(subdivision, published):
    """Each month of 2012, both its ends included."""
    assert by_month(land("DE", subdivision), 2012) == published


def test_the_workdays_of_austria_are_as_published():
    """alle-feiertage.at, "Arbeitstage 2017", Monday to Friday: 248 in all."""
    assert by_month(land("AT"), 2017) == [21, 20, 23, 19, 21, 20, 21, 22, 21, 21, 21, 18]


def test_the_workdays_of_poland_are_as_published():
    """cgolegal.com, "Working time in 2025".

    Without May and November, in which that table takes off one more for a holiday on a Saturday, and
    December, whose 24th was made a holiday after it was written.
    """
    found = by_month(land("PL"), 2025)
    assert [*found[:4], *found[5:10]] == [21, 20, 21, 21, 20, 23, 20, 22, 23]


def test_the_weekend_is_the_countrys_own():
    """Israel rests on Friday and Saturday; the first day of Passover 2025, 13 April, was a Sunday."""
    found = workdays.workdays(land("IL"), date(2025, 4, 6), date(2025, 4, 20))
    assert (found.count, found.weekend_days, found.holiday_days) == (10, 4, 1)
    assert [(holiday.day, holiday.name) for holiday in found.holidays] == [(date(2025, 4, 13), "Pesach")]


def test_a_weekend_on_which_a_country_works_counts():
    """China's State Council, 2025: off 28 January to 4 February, at work on 26 January and 8 February."""
    found = workdays.workdays(land("CN"), date(2025, 1, 26), date(2025, 2, 9))
    assert (found.count, found.weekend_days, found.holiday_days) == (6, 3, 6)


def test_a_substitute_is_no_workday_and_a_holiday_on_a_weekend_takes_none_away():
    """gov.uk/bank-holidays: Boxing Day 2026 is a Saturday, its substitute Monday the 28th."""
    found = workdays.workdays(land("GB", "ENG"), date(2026, 12, 24), date(2026, 12, 31))
    assert (found.count, found.weekend_days, found.holiday_days) == (4, 2, 2)
    assert [(holiday.day.day, holiday.observed) for holiday in found.holidays] == [(25, False), (28, True)]


def test_one_day_is_a_span_and_the_order_of_its_ends_does_not_matter():
    """Who says "from Friday back to Monday" means the same days."""
    monday, friday = date(2026, 3, 2), date(2026, 3, 6)
    assert workdays.workdays(land("PL"), monday, monday).count == 1
    assert workdays.workdays(land("PL"), friday, monday) == workdays.workdays(land("PL"), monday, friday)
    assert workdays.workdays(land("PL"), friday, monday).count == 5


def test_a_span_is_bounded():
    """Nobody plans for more than twenty years, and each takes the library time."""
    with pytest.raises(NothingFound, match="workdays are counted for at most 20 years"):
        workdays.workdays(land("PL"), date(2006, 1, 1), date(2026, 12, 31))
    assert workdays.workdays(land("PL"), date(2006, 1, 1), date(2026, 1, 1)).count > 4_800


def test_workdays_are_added_over_weekends_and_holidays():
    """Poland 2025: the 24th (a holiday since that year), 25th and 26th of December, then a weekend."""
    assert workdays.add_workdays(land("PL"), date(2025, 12, 23), 1) == date(2025, 12, 29)
    assert workdays.add_workdays(land("PL"), date(2025, 12, 29), -1) == date(2025, 12, 23)


def test_no_workdays_added_is_the_day_itself():
    """Even on a Sunday."""
    assert workdays.add_workdays(land("PL"), date(2026, 3, 1), 0) == date(2026, 3, 1)


@pytest.mark.parametrize("count", [1, 5, 23, 250, 600])
def test_what_is_added_is_what_is_counted(count):
    """The two functions are each other's inverse, over the ends of years too."""
    start = date(2024, 11, 30)
    end = workdays.add_workdays(land("PL"), start, count)
    assert workdays.workdays(land("PL"), start + datetime.timedelta(days=1), end).count == count


@pytest.mark.parametrize("count", [4_801, -4_801])
def test_what_is_added_is_bounded(count):
    """As the span is."""
    with pytest.raises(NothingFound, match="at most 4,800 workdays can be counted"):
        workdays.add_workdays(land("PL"), date(2026, 1, 1), count)
