"""The tools for what is no holiday's date: public holidays, workdays, the sun, candles, long weekends.

Each raises NothingFound, with a sentence for the user, where the libraries know nothing.
"""

import datetime
from typing import Final

from engine.assistants.almanac import (
    bridges,
    catalogue,
    jewish,
    libraries,
    places,
    public,
    sabbath,
    sky,
    workdays,
)
from engine.assistants.almanac.dates_of import find_next, occurrences
from engine.assistants.almanac.facts import Rest, SunTimes, Workdays
from engine.assistants.almanac.values import (
    DayAway,
    DayOff,
    Festival,
    Festivals,
    Holiday,
    LongWeekends,
    NothingFound,
    Occurrence,
    Place,
    PublicHolidays,
)

# As many as one reads at a glance.
_NEXT: Final = 5
# Nobody reads the holidays of more.
_YEARS_MAX: Final = 2
_NEXT_OF_TRADITION: Final = 8
NO_COUNTRY: Final = "For which country?"
NO_CITY: Final = "For which city?"


async def find_public_holidays(
    today: datetime.date,
    place: Place | None = None,
    year: int | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> PublicHolidays:
    """The public holidays of a country or its part: from one day to another, of a year, or the next five."""
    await libraries.load()
    there = _country(place)
    if first is not None and last is not None:
        return _between(there, first, last)
    if year is not None:
        return PublicHolidays(year=year, holidays=public.year_of(there.country, there.subdivision, year))
    found = public.next_public(there.country, there.subdivision, today, _NEXT)
    return PublicHolidays(year=0, holidays=found)


def _between(place: Place, first: datetime.date, last: datetime.date) -> PublicHolidays:
    last = min(last, datetime.date(first.year + _YEARS_MAX - 1, 12, 31))
    found = tuple(
        holiday
        for year in range(first.year, last.year + 1)
        for holiday in public.year_of(place.country, place.subdivision, year)
        if first <= holiday.day <= last
    )
    return PublicHolidays(year=0, holidays=found, first=first, last=last)


async def find_tradition(tradition: str, today: datetime.date, year: int | None = None) -> Festivals:
    """The holidays of a tradition ("jewish", "islamic", "indian"): of a year, or the next eight."""
    await libraries.load()
    names = await catalogue.familiar_names(today.year)
    known = {day.name: day for day in names.values() if day.tradition == tradition}
    found = [
        Festival(
            name=holiday.name,
            first=occurrence.first,
            last=occurrence.last,
            begins_at_sunset=holiday.begins_at_sunset,
            estimated=occurrence.estimated,
        )
        for each in ((today.year, today.year + 1) if year is None else (year,))
        for holiday in known.values()
        for occurrence in occurrences(holiday, each)
    ]
    found.sort(key=lambda festival: (festival.first, festival.name))
    if year is None:
        found = [festival for festival in found if festival.last >= today][:_NEXT_OF_TRADITION]
    if not found:
        raise NothingFound(f"no {tradition} holidays are on record for {year}")
    return Festivals(tradition=tradition, year=year or 0, festivals=tuple(found))


async def check_day(
    today: datetime.date,
    place: Place | None = None,
    day: datetime.date | None = None,
    holiday: Holiday | None = None,
    year: int | None = None,
) -> DayOff:
    """Whether a day, or the next day of a holiday, is a public holiday or a weekend in a country."""
    await libraries.load()
    there = _country(place)
    when = day or (_next(holiday, there, today, year).first if holiday else today)
    table = public.table(there.country, there.subdivision, when.year, when.year)
    return DayOff(
        day=when,
        holidays=tuple(public.holidays_of(table, when)),
        is_weekend=not table.is_working_day(when) and table.is_weekend(when),
        asked=holiday.name if holiday and day is None else "",
    )


async def count_workdays(
    today: datetime.date,
    place: Place | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
    holiday: Holiday | None = None,
) -> Workdays:
    """How many workdays there are between two days, both included; the second may be a holiday's."""
    await libraries.load()
    there = _country(place)
    begin = first or today
    if last is None and holiday is None:
        raise NothingFound("I did not find the two days to count between.")
    return workdays.workdays(there, begin, last or _next(holiday, there, begin, None).first)


async def add_workdays(day: datetime.date, count: int, place: Place | None = None) -> DayAway:
    """The day that is so many workdays after another, or before it when the count is negative."""
    await libraries.load()
    return DayAway(first=day, count=count, day=workdays.add_workdays(_country(place), day, count))


async def find_sun(
    today: datetime.date,
    place: Place | None = None,
    day: datetime.date | None = None,
    holiday: Holiday | None = None,
    year: int | None = None,
) -> SunTimes:
    """Sunrise, sunset and twilight at a place on a day, or on the next day of a holiday."""
    await libraries.load()
    there = _city(place or _home(holiday))
    return sky.sun(there, day or (_next(holiday, there, today, year).first if holiday else today))


async def find_rest(
    today: datetime.date,
    place: Place | None = None,
    day: datetime.date | None = None,
    holiday: Holiday | None = None,
    year: int | None = None,
    lights: bool = False,
) -> Rest:
    """When candles are lit and when havdalah is, for the Sabbath or festival on a day or next after it.

    `lights`: for the one whose candles are still to be lit that day or later.
    """
    await libraries.load()
    there = _city(place or _home(holiday))
    if holiday is None or day is not None:
        find = sabbath.candle_lighting if lights else sabbath.havdalah
        return find(there, day or today)
    if holiday.tradition != jewish.TRADITION:
        raise NothingFound(
            f"I know candle lighting for the Sabbath and Jewish festivals, not {holiday.name}."
        )
    occurrence = _next(holiday, there, today, year)
    rest = sabbath.havdalah(there, occurrence.begins)
    if not rest.first <= occurrence.first <= rest.last:
        raise NothingFound(f"{holiday.name} is no day of rest for which candles are lit.")
    return rest


async def find_long_weekends(
    year: int,
    place: Place | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> LongWeekends:
    """The rows of three and more days off that a country has in a year, or in some days of it."""
    await libraries.load()
    found = bridges.long_weekends(_country(place), year)
    if first is not None and last is not None:
        found = tuple(weekend for weekend in found if first <= weekend.last and weekend.first <= last)
    return LongWeekends(year=year, weekends=found, first=first, last=last)


def _next(holiday: Holiday | None, place: Place, today: datetime.date, year: int | None) -> Occurrence:
    if holiday is None:
        raise NothingFound("I did not find a day in that.")
    return find_next(holiday, place, today, year)


def _home(holiday: Holiday | None) -> Place | None:
    """Where the holiday is at home: shown to who names no city."""
    return places.find(holiday.home) if holiday else None


def _country(place: Place | None) -> Place:
    if place is None:
        raise NothingFound(NO_COUNTRY)
    return place


def _city(place: Place | None) -> Place:
    if place is None:
        raise NothingFound(NO_CITY)
    if place.is_region:
        raise NothingFound(f"{place.name} is large: name a city in it.")
    return place
