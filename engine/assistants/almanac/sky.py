"""What the sun does on a day at a place, from astral."""

import datetime
from typing import Final
from zoneinfo import ZoneInfo

from engine.assistants.almanac.facts import Polar, SunTimes
from engine.assistants.almanac.values import NothingFound, Place, Sunset

# The centre of the sun, in degrees below the horizon, when its upper edge is seen on it: 16 arcminutes of the
# disc and 34 of refraction (US Naval Observatory, "Rise, Set, and Twilight Definitions").
EDGE: Final = 50 / 60
# The same page: where each twilight begins and ends.
_CIVIL, _NAUTICAL, _ASTRONOMICAL = 6.0, 12.0, 18.0
_DAY: Final = datetime.timedelta(days=1)
_SECOND: Final = datetime.timedelta(seconds=1)


def sunset(day: datetime.date, place: Place) -> Sunset:
    """Raises NothingFound where the sun does not set that day."""
    at = evening(place, day, EDGE)
    if at is None:
        raise NothingFound(f"the sun does not set in {place.name} on {day}")
    return Sunset(day=day, place=place.name, at=to_minute(at))


def sun(place: Place, day: datetime.date) -> SunTimes:
    """The sun's times of a day, the twilights' included; see SunTimes for what is None when.

    Raises NothingFound on the first and the last day that a calendar has.
    """
    noon = _noon(place, day)
    rise, set_ = morning(place, day, EDGE), evening(place, day, EDGE)
    degrees = _height(place, noon)
    is_up = degrees >= -EDGE
    polar: Polar = "" if rise or set_ else "day" if is_up else "night"
    # As instants: the difference of two local times would leave out a change of the clock between them.
    half = _DAY.total_seconds() / 2
    up_from = rise.timestamp() if rise else noon.timestamp() - half
    up_to = set_.timestamp() if set_ else noon.timestamp() + half
    return SunTimes(
        place=place.name,
        day=day,
        astronomical_dawn=_to_minute(morning(place, day, _ASTRONOMICAL)),
        nautical_dawn=_to_minute(morning(place, day, _NAUTICAL)),
        civil_dawn=_to_minute(morning(place, day, _CIVIL)),
        sunrise=_to_minute(rise),
        noon=to_minute(noon),
        sunset=_to_minute(set_),
        civil_dusk=_to_minute(evening(place, day, _CIVIL)),
        nautical_dusk=_to_minute(evening(place, day, _NAUTICAL)),
        astronomical_dusk=_to_minute(evening(place, day, _ASTRONOMICAL)),
        day_minutes=round((up_to - up_from) / 60) if is_up else 0,
        polar=polar,
        noon_degrees=round(degrees, 2),
    )


def morning(place: Place, day: datetime.date, depression: float) -> datetime.datetime | None:
    """When the sun comes up to so many degrees below the horizon, in the half day before noon; or None."""
    return _crossing(place, day, depression, rising=True)


def evening(place: Place, day: datetime.date, depression: float) -> datetime.datetime | None:
    """When the sun goes down to so many degrees below the horizon, in the half day after noon; or None."""
    return _crossing(place, day, depression, rising=False)


def to_minute(at: datetime.datetime) -> datetime.datetime:
    """The nearest minute, to which almanacs round."""
    return (at + datetime.timedelta(seconds=30)).replace(second=0, microsecond=0)


def _to_minute(at: datetime.datetime | None) -> datetime.datetime | None:
    return to_minute(at) if at is not None else None


def _noon(place: Place, day: datetime.date) -> datetime.datetime:
    """The solar noon that falls on a day of the place's own calendar."""
    from astral import Observer, sun

    if not datetime.date.min + 2 * _DAY < day < datetime.date.max - 2 * _DAY:
        raise NothingFound(f"the sun of {day} is not known")
    observer, zone = Observer(place.latitude, place.longitude), ZoneInfo(place.timezone)
    # astral's day is that of Greenwich: beside the date line it is another one than the place's.
    for other in (day, day - _DAY, day + _DAY):
        noon = sun.noon(observer, other, zone)
        if noon.date() == day:
            return noon
    raise NothingFound(f"{day} is no day in {place.name}")


def _height(place: Place, at: datetime.datetime) -> float:
    """The sun's height in degrees, without refraction."""
    from astral import Observer, sun

    return float(sun.elevation(Observer(place.latitude, place.longitude), at, with_refraction=False))


def _crossing(
    place: Place, day: datetime.date, depression: float, *, rising: bool
) -> datetime.datetime | None:
    """The local time in half a day before or after noon at which the sun passes a height, if it does.

    Found by halving the time between the lowest and the highest point, for astral's own search leaves out a
    day of the year wherever the sun rises at midnight by Greenwich's clock (in Dhaka, 23 March 2026).
    """
    # In UTC, for a clock that is changed at night makes a half day of 11 or 13 hours.
    high = _noon(place, day).astimezone(datetime.UTC)
    low = high - _DAY / 2 if rising else high + _DAY / 2
    # The depressions are defined without refraction, or have it in them.
    if not _height(place, low) < -depression <= _height(place, high):
        return None
    while abs(high - low) > _SECOND:
        middle = low + (high - low) / 2
        if _height(place, middle) < -depression:
            low = middle
        else:
            high = middle
    return high.astimezone(ZoneInfo(place.timezone))
