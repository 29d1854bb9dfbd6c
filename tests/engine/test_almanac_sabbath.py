"""Candle-lighting and havdalah against Hebcal's times."""

import datetime
from zoneinfo import ZoneInfo

import attrs
import pytest

from engine.assistants.almanac import sabbath
from engine.assistants.almanac.values import NothingFound, Place

date = datetime.date


def city(name: str, country: str, latitude: float, longitude: float, timezone: str) -> Place:
    return Place(
        name=name,
        country=country,
        country_name="",
        latitude=latitude,
        longitude=longitude,
        timezone=timezone,
    )


MIAMI = city("Miami", "US", 25.7742, -80.1936, "America/New_York")
PROVIDENCE = city("Providence", "US", 41.82399, -71.41283, "America/New_York")
BOSTON = city("Boston", "US", 42.35843, -71.05977, "America/New_York")
HELSINKI = city("Helsinki", "FI", 60.16952, 24.93545, "Europe/Helsinki")
JERUSALEM = city("Jerusalem", "IL", 31.76904, 35.21633, "Asia/Jerusalem")
HAIFA = city("Haifa", "IL", 32.794, 34.9896, "Asia/Jerusalem")
NEW_YORK = city("New York", "US", 40.7128, -74.006, "America/New_York")
LOS_ANGELES = city("Los Angeles", "US", 34.0522, -118.2437, "America/Los_Angeles")
TEL_AVIV = city("Tel Aviv", "IL", 32.08088, 34.78057, "Asia/Jerusalem")
# Hebcal counts in the height of some cities above the sea, which moves their sunset by a minute, and rounds
# the end to the nearest minute where we round it up.
TOLERANCE = datetime.timedelta(minutes=1)


def is_near(time: datetime.datetime, day: date, clock: str, place: Place) -> bool:
    zone = ZoneInfo(place.timezone)
    published = datetime.datetime.combine(day, datetime.time.fromisoformat(clock), tzinfo=zone)
    return abs(time - published) <= TOLERANCE


# As Hebcal's own library (hebcal/hebcal-es6, test/candles.spec.ts) has them.
LIGHTINGS = [
    (PROVIDENCE, date(2020, 12, 11), "15:56"),
    (PROVIDENCE, date(2020, 12, 18), "15:58"),
    (PROVIDENCE, date(2022, 4, 15), "19:08"),
    (MIAMI, date(2022, 6, 3), "19:51"),
    (BOSTON, date(2022, 10, 4), "18:03"),
    (TEL_AVIV, date(2020, 5, 1), "19:04"),
    (TEL_AVIV, date(2020, 5, 28), "19:22"),
    # At sea level, 40 minutes before sunset; the last after the clocks went forward.
    (JERUSALEM, date(2020, 1, 3), "16:07"),
    (JERUSALEM, date(2020, 2, 7), "16:38"),
    (JERUSALEM, date(2020, 3, 6), "17:00"),
    (JERUSALEM, date(2020, 3, 27), "18:15"),
]


# The Jerusalem Post, 23 October 2024, Shemini Atzeret and Simchat Torah: lightings, and in Israel the end.
# Without the lighting in Tel Aviv, which the paper has 22 minutes before sunset where Hebcal has 18.
FESTIVAL = [
    (NEW_YORK, ["17:45", "18:43"], None),
    (LOS_ANGELES, ["17:51", "18:46"], None),
    (JERUSALEM, ["17:18"], "18:34"),
    (TEL_AVIV, [], "18:35"),
    (HAIFA, ["17:28"], "18:34"),
]


@pytest.mark.parametrize(("place", "clocks", "ends"), FESTIVAL)
def test_a_festivals_lightings_and_end_are_as_published(place, clocks, ends):
    """Two days outside of Israel, the second from a flame; and there the Sabbath follows at once."""
    wednesday, thursday = date(2024, 10, 23), date(2024, 10, 24)
    found = sabbath.candle_lighting(place, wednesday)
    for lighting, evening, clock in zip(found.lightings, (wednesday, thursday), clocks, strict=False):
        assert is_near(lighting.at, evening, clock, place)
    assert [lighting.from_flame for lighting in found.lightings] == [False, True, True][: 1 if ends else 3]
    assert found.last == (thursday if ends else date(2024, 10, 26))
    assert ends is None or is_near(found.ends, thursday, ends, place)


@pytest.mark.parametrize(("place", "evening", "clock"), LIGHTINGS)
def test_candle_lighting_is_as_published(place, evening, clock):
    """The evening's own lighting is the first that is found from that day on."""
    first = sabbath.candle_lighting(place, evening).lightings[0]
    assert first.evening == evening
    assert is_near(first.at, evening, clock, place)
    assert not first.from_flame


# The same source.
ENDS = [
    (PROVIDENCE, date(2020, 12, 12), "17:01", 0),
    (PROVIDENCE, date(2020, 12, 19), "17:04", 0),
    (PROVIDENCE, date(2022, 8, 6), "20:44", 0),
    (MIAMI, date(2022, 6, 6), "20:49", 0),
    (BOSTON, date(2022, 10, 5), "19:00", 0),
    (HELSINKI, date(2020, 5, 16), "23:49", 0),
    # So far north three stars can come after midnight.
    (HELSINKI, date(2020, 5, 23), "00:31", 1),
    (city("Null Island", "GB", 0, 0, "UTC"), date(2020, 5, 16), "18:32", 0),
]


@pytest.mark.parametrize(("place", "last", "clock", "days_later"), ENDS)
def test_havdalah_is_as_published(place, last, clock, days_later):
    """Three small stars: the sun stands 8.5 degrees below the horizon."""
    found = sabbath.havdalah(place, last)
    assert found.last == last
    assert is_near(found.ends, last + datetime.timedelta(days=days_later), clock, place)


def test_a_festival_after_the_sabbath_is_lit_from_a_flame_after_nightfall():
    """Hebcal, Miami, Shavuot 2022: 19:51 on Friday, 20:48 on Saturday, 20:49 on Sunday, the end on Monday."""
    found = sabbath.candle_lighting(MIAMI, date(2022, 6, 3))
    assert (found.first, found.last) == (date(2022, 6, 4), date(2022, 6, 6))
    assert [
        (lighting.evening.day, lighting.for_what, lighting.from_flame) for lighting in found.lightings
    ] == [
        (3, ("Sabbath",), False),
        (4, ("Shavuot",), True),
        (5, ("Shavuot",), True),
    ]
    assert is_near(found.lightings[1].at, date(2022, 6, 4), "20:48", MIAMI)
    assert is_near(found.lightings[2].at, date(2022, 6, 5), "20:49", MIAMI)


def test_a_sabbath_after_a_festival_is_lit_before_sunset():
    """On the Sabbath no flame is lit, so that after Rosh Hashanah 2024 Friday's comes before sunset."""
    found = sabbath.sabbath(BOSTON, date(2024, 10, 4))
    assert [
        (lighting.evening.day, lighting.for_what, lighting.from_flame) for lighting in found.lightings
    ] == [
        (2, ("Rosh Hashanah",), False),
        (3, ("Rosh Hashanah",), True),
        (4, ("Sabbath",), True),
    ]
    friday, thursday = found.lightings[2].at.time(), found.lightings[1].at.time()
    assert friday < thursday


def test_a_festival_on_a_sabbath_is_both():
    """Passover 2022 began on a Sabbath (Hebcal)."""
    first = sabbath.candle_lighting(PROVIDENCE, date(2022, 4, 15)).lightings[0]
    assert first.for_what == ("Sabbath", "Passover")


def test_israel_keeps_one_day_of_a_festival():
    """Hebcal: Shavuot 2026 is 22 May in Israel, where the Sabbath follows, and 22 and 23 May elsewhere."""
    here = sabbath.candle_lighting(JERUSALEM, date(2026, 5, 21))
    there = sabbath.candle_lighting(MIAMI, date(2026, 5, 21))
    assert [lighting.for_what for lighting in here.lightings] == [("Shavuot",), ("Sabbath",)]
    assert [lighting.for_what for lighting in there.lightings] == [("Shavuot",), ("Sabbath", "Shavuot")]
    assert (here.israel, there.israel) == (True, False)


def test_the_days_between_are_working_days():
    """The Sabbath within Sukkot 2025, 11 October, is a Sabbath alone (Hebcal: Shabbat Chol ha-Moed)."""
    found = sabbath.sabbath(MIAMI, date(2025, 10, 10))
    assert (found.first, found.last) == (date(2025, 10, 11), date(2025, 10, 11))
    assert [lighting.for_what for lighting in found.lightings] == [("Sabbath",)]


@pytest.mark.parametrize(
    ("name", "country", "minutes"),
    [
        ("Jerusalem", "IL", 40),
        ("Haifa", "IL", 30),
        ("Zikhron Ya'akov", "IL", 30),
        ("Tel Aviv", "IL", 18),
        ("Antwerp", "BE", 18),
        # There is one in Ohio.
        ("Jerusalem", "US", 18),
    ],
)
def test_some_cities_light_earlier(name, country, minutes):
    """Hebcal, "Candle-lighting, Havdalah & Fast times"."""
    place = attrs.evolve(TEL_AVIV, name=name, country=country)
    assert sabbath.minutes_before(place) == minutes
    assert sabbath.candle_lighting(place, date(2026, 1, 1)).minutes_before == minutes


def test_on_a_sabbath_the_next_lighting_is_next_weeks_but_it_still_has_an_end():
    """Who asks on a Saturday for candles means Friday; who asks for havdalah means tonight."""
    saturday = date(2026, 1, 3)
    assert sabbath.candle_lighting(MIAMI, saturday).first == date(2026, 1, 10)
    assert sabbath.havdalah(MIAMI, saturday).last == saturday
    assert sabbath.sabbath(MIAMI, saturday).first == saturday


def test_who_asks_for_the_sabbath_is_not_told_of_a_festival_before_it():
    """Yom Kippur 2025 was Thursday, 2 October (Hebcal), with a working day before the Sabbath."""
    assert sabbath.sabbath(MIAMI, date(2025, 10, 1)).first == date(2025, 10, 4)
    assert sabbath.candle_lighting(MIAMI, date(2025, 10, 1)).first == date(2025, 10, 2)


def test_where_it_does_not_get_dark_there_is_no_end():
    """Hebcal has no havdalah in Helsinki on 30 May 2020."""
    found = sabbath.sabbath(HELSINKI, date(2020, 5, 30))
    assert found.ends is None
    assert found.lightings[-1].at is not None


def test_where_the_sun_does_not_set_there_is_no_lighting():
    """Midsummer in Tromsø."""
    tromso = city("Tromsø", "NO", 69.65, 18.96, "Europe/Oslo")
    found = sabbath.sabbath(tromso, date(2026, 6, 19))
    assert (found.lightings[0].at, found.ends) == (None, None)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_beyond_the_calendar_nothing_is_found(day):
    """A sentence instead of an overflow."""
    with pytest.raises(NothingFound, match=f"the Hebrew calendar of {day.year} is not known"):
        sabbath.candle_lighting(MIAMI, day)
