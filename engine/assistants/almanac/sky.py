"""What the sun does on a day at a place, from astral."""

import datetime
from zoneinfo import ZoneInfo

from engine.assistants.almanac.values import NothingFound, Place, Sunset


def sunset(day: datetime.date, place: Place) -> Sunset:
    """Raises NothingFound where the sun does not set that day."""
    from astral import Observer, sun

    zone = ZoneInfo(place.timezone)
    try:
        at = sun.sunset(Observer(place.latitude, place.longitude), date=day, tzinfo=zone)
    except ValueError as error:
        raise NothingFound(f"the sun does not set in {place.name} on {day}") from error
    # Almanacs round to the nearest minute.
    at = (at + datetime.timedelta(seconds=30)).replace(second=0, microsecond=0)
    return Sunset(day=day, place=place.name, at=at)
