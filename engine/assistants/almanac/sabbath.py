"""When candles are lit before a Sabbath or festival and when it ends, from pyluach's calendar and the sun.

The rules are Hebcal's defaults (hebcal.com, "Candle-lighting, Havdalah & Fast times"): 18 minutes before
sunset, longer by the custom of some cities; the end when three small stars can be seen, which is when the
sun stands 8.5 degrees below the horizon.
"""

import datetime
from collections.abc import Mapping
from typing import Final

from engine.assistants.almanac import jewish, sky
from engine.assistants.almanac.facts import Lighting, Rest
from engine.assistants.almanac.values import NothingFound, Place
from engine.assistants.almanac.words import normalise

SABBATH: Final = "Sabbath"
_MINUTES: Final = 18
# In Israel only, for there are other cities of these names.
_MINUTES_IN: Final[Mapping[str, int]] = {"jerusalem": 40, "haifa": 30, "zikhron yaakov": 30}
_STARS: Final = 8.5
_FRIDAY, _SATURDAY = 4, 5
_DAY: Final = datetime.timedelta(days=1)
_MINUTE: Final = datetime.timedelta(minutes=1)
# The civil years in which both calendars have every day that is looked at.
_YEARS: Final = range(2, 9999)


def candle_lighting(place: Place, day: datetime.date) -> Rest:
    """The days of rest for which candles are lit next, on the evening of a day or later.

    Festivals are Israel's in Israel and the diaspora's elsewhere.  Raises NothingFound for a year that the
    calendars do not have.
    """
    return _rest(place, _next(place, day + _DAY if day.year in _YEARS else day))


def havdalah(place: Place, day: datetime.date) -> Rest:
    """The days of rest that go on or begin next, a day's own included.  Raises as candle_lighting does."""
    return _rest(place, _next(place, day))


def sabbath(place: Place, day: datetime.date) -> Rest:
    """The Sabbath on a day or next after it, with the festivals that it joins.

    Raises as candle_lighting does.
    """
    return _rest(place, _next(place, day, festivals=False))


def minutes_before(place: Place) -> int:
    """How long before sunset candles are lit at a place."""
    return _MINUTES_IN.get(normalise(place.name), _MINUTES) if _is_in_israel(place) else _MINUTES


def _next(place: Place, day: datetime.date, *, festivals: bool = True) -> datetime.date:
    """The first day of rest on or after a day."""
    if day.year not in _YEARS:
        raise NothingFound(f"the Hebrew calendar of {day.year} is not known")
    while not (day.weekday() == _SATURDAY or (festivals and _names(place, day))):
        day += _DAY
    return day


def _rest(place: Place, day: datetime.date) -> Rest:
    """All days of rest around one."""
    first = last = day
    while _names(place, first - _DAY):
        first -= _DAY
    while _names(place, last + _DAY):
        last += _DAY
    evenings = [first + index * _DAY for index in range(-1, (last - first).days)]
    return Rest(
        place=place.name,
        first=first,
        last=last,
        lightings=tuple(_lighting(place, evening) for evening in evenings),
        ends=_nightfall(place, last),
        minutes_before=minutes_before(place),
        israel=_is_in_israel(place),
    )


def _lighting(place: Place, evening: datetime.date) -> Lighting:
    resting = bool(_names(place, evening))
    # On a festival a flame may be passed on, but not before the day that it is for.  On the Sabbath it may
    # not, so that the Sabbath's has to burn before the sun sets.
    after_nightfall = resting and evening.weekday() != _FRIDAY
    return Lighting(
        evening=evening,
        at=_nightfall(place, evening) if after_nightfall else _before_sunset(place, evening),
        for_what=_names(place, evening + _DAY),
        from_flame=resting,
    )


def _before_sunset(place: Place, day: datetime.date) -> datetime.datetime | None:
    at = sky.evening(place, day, sky.EDGE)
    # Rounded to the safe side: down here, up at nightfall.
    return at.replace(second=0, microsecond=0) - minutes_before(place) * _MINUTE if at else None


def _nightfall(place: Place, day: datetime.date) -> datetime.datetime | None:
    at = sky.evening(place, day, _STARS)
    return (at + _MINUTE).replace(second=0, microsecond=0) if at else None


def _names(place: Place, day: datetime.date) -> tuple[str, ...]:
    """What makes a day one of rest; empty for a working day."""
    from pyluach.dates import GregorianDate  # type: ignore[import-untyped]

    date = GregorianDate(day.year, day.month, day.day)
    festival = date.festival(israel=_is_in_israel(place), include_working_days=False)
    sabbath = (SABBATH,) if day.weekday() == _SATURDAY else ()
    return (*sabbath, jewish.names()[normalise(festival)].name) if festival else sabbath


def _is_in_israel(place: Place) -> bool:
    return place.country == jewish.ISRAEL
