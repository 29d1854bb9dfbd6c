"""When a holiday comes round: in a year, or next."""

import datetime

import attrs

from engine.assistants.almanac import civil, jewish
from engine.assistants.almanac.values import Holiday, NothingFound, Occurrence, Place

# No holiday of the libraries stays away longer than a leap day.
_YEARS_AHEAD = 5


def occurrences(holiday: Holiday, year: int, place: Place | None = None) -> list[Occurrence]:
    """Each time in a year, at a place's reckoning if it has its own; may be empty."""
    if holiday.tradition == jewish.TRADITION:
        return jewish.find(holiday, year, israel=place is not None and place.country == jewish.ISRAEL)
    found = []
    if place is not None:
        found = civil.find(place.country, place.subdivision, holiday.key, year, eve=holiday.begins_at_sunset)
    found = found or civil.find(holiday.country, "", holiday.key, year, eve=holiday.begins_at_sunset)
    if holiday.tradition:
        return [attrs.evolve(occurrence, country_name="") for occurrence in found]
    return found


def find_next(holiday: Holiday, place: Place | None, today: datetime.date, year: int | None) -> Occurrence:
    """The first time in a year, or without one the next that is not over.  Raises NothingFound."""
    for each in (year,) if year is not None else range(today.year, today.year + _YEARS_AHEAD + 1):
        for occurrence in occurrences(holiday, each, place):
            if year is not None or occurrence.last >= today:
                return occurrence
    raise NothingFound(f"I know no date of {holiday.name} {f'in {year}' if year else 'to come'}.")
