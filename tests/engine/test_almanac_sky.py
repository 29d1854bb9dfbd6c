"""The sun's times against the tables of the US Naval Observatory."""

import datetime
from zoneinfo import ZoneInfo

import pytest

from engine.assistants.almanac import sky
from engine.assistants.almanac.values import NothingFound, Place

date = datetime.date


def at(latitude: float, longitude: float, timezone: str) -> Place:
    return Place(
        name="there",
        country="US",
        country_name="United States",
        latitude=latitude,
        longitude=longitude,
        timezone=timezone,
    )


# US Naval Observatory, Astronomical Applications API, rstt/oneday, by coordinates: begin of civil twilight,
# rise, upper transit, set, end of civil twilight.  The last from its page for Atlanta.
PUBLISHED = [
    (at(38.889444, -77.035278, "Etc/GMT+5"), date(2024, 3, 5), "06:07 06:34 12:19 18:06 18:32"),
    (at(40.93, -73.76, "America/New_York"), date(2022, 2, 5), "06:33 07:01 12:09 17:17 17:46"),
    (at(34.05, -118.25, "America/Los_Angeles"), date(2026, 6, 10), "05:12 05:41 12:53 20:04 20:33"),
    (at(33.8, -84.4, "America/New_York"), date(2009, 9, 6), "06:50 07:15 13:36 19:56 20:21"),
]


@pytest.mark.parametrize(("place", "day", "published"), PUBLISHED)
def test_the_sun_and_civil_twilight_are_as_published_to_within_a_minute(place, day, published):
    """The Observatory rounds to the minute, and so do we."""
    found = sky.sun(place, day)
    times = (found.civil_dawn, found.sunrise, found.noon, found.sunset, found.civil_dusk)
    for time, text in zip(times, published.split(), strict=True):
        clock = datetime.time.fromisoformat(text)
        expected = datetime.datetime.combine(day, clock, tzinfo=ZoneInfo(place.timezone))
        assert abs(time - expected) <= datetime.timedelta(minutes=1)
        assert (time.second, time.microsecond) == (0, 0)
    assert found.polar == ""


def test_the_length_of_a_day_is_as_published():
    """stjerneskinn.com, London 2024; a minute, for the point that stands for the city is not the same."""
    published = {date(2024, 1, 1): (7, 55), date(2024, 1, 31): (9, 6), date(2024, 2, 10): (9, 41)}
    for day, (hours, minutes) in published.items():
        found = sky.sun(at(51.4733, -0.0008, "Europe/London"), day)
        assert abs(found.day_minutes - (hours * 60 + minutes)) <= 1


@pytest.mark.parametrize(("dusk", "degrees"), [("nautical_dusk", -12), ("astronomical_dusk", -18)])
def test_nautical_and_astronomical_twilight_end_at_their_depth(dusk, degrees):
    """US Naval Observatory, "Rise, Set, and Twilight Definitions": 12 and 18 degrees below the horizon."""
    from astral import Observer, sun

    place = at(40.93, -73.76, "America/New_York")
    time = getattr(sky.sun(place, date(2022, 2, 5)), dusk)
    height = sun.elevation(Observer(place.latitude, place.longitude), time, with_refraction=False)
    # In half a minute, to which the time is rounded, the sun sinks by an eighth of a degree at most.
    assert height == pytest.approx(degrees, abs=0.125)


def test_dawns_and_dusks_come_in_order():
    """Each lies between its neighbours."""
    found = sky.sun(at(40.93, -73.76, "America/New_York"), date(2022, 2, 5))
    times = [
        found.astronomical_dawn,
        found.nautical_dawn,
        found.civil_dawn,
        found.sunrise,
        found.noon,
        found.sunset,
        found.civil_dusk,
        found.nautical_dusk,
        found.astronomical_dusk,
    ]
    assert times == sorted(times)


def test_a_day_on_which_the_sun_sets_twice_by_greenwichs_clock_has_its_sunset():
    """US Naval Observatory, 30° S 100° W, May 2024, in UTC: 5th 00:02, 6th 00:01, 7th 00:00 and 23:59.

    Quoted in astral's issue 102: its own search finds the second of the two only.
    """
    place = at(-30.0, -100.0, "Etc/GMT+7")
    published = {4: "17:02", 5: "17:01", 6: "17:00", 7: "16:59"}
    for number, clock in published.items():
        expected = datetime.datetime.combine(
            date(2024, 5, number), datetime.time.fromisoformat(clock), tzinfo=ZoneInfo(place.timezone)
        )
        # Which of 17:00:29 and 17:00:30 it is depends on the last digits of a place.
        assert abs(sky.sun(place, date(2024, 5, number)).sunset - expected) <= datetime.timedelta(minutes=1)


@pytest.mark.parametrize("month", range(1, 13))
def test_where_the_sun_rises_at_midnight_by_greenwichs_clock_it_rises_every_day(month):
    """Dhaka lies so far south that it has all nine times every day."""
    place = at(23.72, 90.37, "Asia/Dhaka")
    days = [date(2026, month, 1) + datetime.timedelta(days=index) for index in range(31)]
    found = [sky.sun(place, day) for day in days]
    assert {time.sunrise.date() for time in found} == set(days)
    assert {time.polar for time in found} == {""}
    assert None not in {time.astronomical_dawn for time in found}
    assert None not in {time.nautical_dawn for time in found}
    assert None not in {time.civil_dawn for time in found}


def test_sunset_and_the_next_sunrise_are_as_published_in_dhaka():
    """Bangladesh Sangbad Sangstha with the Meteorological Department, 26 March 2020: 6.13 pm and 5.55 am."""
    place = at(23.72, 90.37, "Asia/Dhaka")
    sunset = sky.sun(place, date(2020, 3, 26)).sunset
    sunrise = sky.sun(place, date(2020, 3, 27)).sunrise
    minute = datetime.timedelta(minutes=1)
    assert abs(sunset - datetime.datetime(2020, 3, 26, 18, 13, tzinfo=ZoneInfo("Asia/Dhaka"))) <= minute
    assert abs(sunrise - datetime.datetime(2020, 3, 27, 5, 55, tzinfo=ZoneInfo("Asia/Dhaka"))) <= minute


def test_on_the_days_around_a_polar_day_the_sun_rises_or_sets_only():
    """Tromsø: it comes up on 18 May 2026 and stays; on 25 July it goes down for the first time again.

    Each year's first midnight sun may be a day earlier or later; that no other day between them has an end,
    and that the length leads over from the days before, is what must hold.
    """
    place = at(69.65, 18.96, "Europe/Oslo")
    start, end = date(2026, 5, 1), date(2026, 8, 10)
    days = [start + datetime.timedelta(days=index) for index in range((end - start).days)]
    found = [sky.sun(place, day) for day in days]
    polar = [times.day for times in found if times.polar == "day"]
    assert polar == [polar[0] + datetime.timedelta(days=index) for index in range(len(polar))]
    before = found[days.index(polar[0]) - 1]
    after = found[days.index(polar[-1]) + 1]
    assert (before.sunrise is None, before.sunset is None) == (False, True)
    assert (after.sunrise is None, after.sunset is None) == (True, False)
    assert 1_380 < before.day_minutes < 1_440
    assert 1_380 < after.day_minutes < 1_440
    lengths = [times.day_minutes for times in found if times.day <= polar[0]]
    assert lengths == sorted(lengths)


def test_on_a_polar_day_the_sun_neither_rises_nor_sets():
    """US Naval Observatory, 70° N 150° W, 21 June 2026: continuously above the horizon, transit at 13:02."""
    found = sky.sun(at(70.0, -150.0, "Etc/GMT+9"), date(2026, 6, 21))
    assert (found.sunrise, found.sunset, found.civil_dusk) == (None, None, None)
    assert (found.polar, found.day_minutes) == ("day", 1440)
    assert (found.noon.hour, found.noon.minute) == (13, 2)
    assert found.noon_degrees > 0


def test_in_polar_night_there_is_twilight_at_noon():
    """Tromsø at the winter solstice: the sun stays below the horizon, but not by six degrees."""
    found = sky.sun(at(69.65, 18.96, "Europe/Oslo"), date(2026, 12, 21))
    assert (found.sunrise, found.sunset) == (None, None)
    assert (found.polar, found.day_minutes) == ("night", 0)
    assert found.civil_dawn < found.noon < found.civil_dusk
    assert -6 < found.noon_degrees < 0


def test_where_it_does_not_get_dark_only_that_twilight_is_missing():
    """London at midsummer: the sun never stands 18 degrees below the horizon."""
    found = sky.sun(at(51.5, -0.125, "Europe/London"), date(2025, 6, 20))
    assert (found.astronomical_dawn, found.astronomical_dusk) == (None, None)
    assert found.nautical_dusk is not None
    assert found.polar == ""


def test_a_sunset_after_midnight_belongs_to_the_day_before():
    """Fairbanks at midsummer, where the clock is two hours ahead of the sun."""
    place = at(64.84, -147.72, "America/Anchorage")
    found = sky.sun(place, date(2026, 6, 20))
    assert found.sunset.date() == date(2026, 6, 21)
    assert sky.sunset(date(2026, 6, 20), place).at == found.sunset


def test_beside_the_date_line_a_day_is_the_places_own():
    """Kiritimati is 14 hours ahead of Greenwich, at a longitude that is 10 hours behind."""
    found = sky.sun(at(1.87, -157.4, "Pacific/Kiritimati"), date(2026, 6, 21))
    times = (found.sunrise, found.noon, found.sunset)
    assert {time.date() for time in times} == {date(2026, 6, 21)}


@pytest.mark.parametrize(
    "day", [date.min, date.min + datetime.timedelta(days=1), date.max - datetime.timedelta(days=1), date.max]
)
def test_at_the_ends_of_the_calendar_nothing_is_known(day):
    """A sentence instead of an overflow."""
    with pytest.raises(NothingFound, match=f"the sun of {day} is not known"):
        sky.sun(at(51.5, -0.125, "Europe/London"), day)
