"""The almanac's tools: each answers one small question from the libraries."""

import datetime
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, ParamSpec, TypeVar

import trio

from engine import Tool, tool
from engine.assistants.almanac import answers, calendars, catalogue, libraries, places, sky
from engine.assistants.almanac.dates_of import occurrences
from engine.assistants.almanac.fuzzy import find_similar
from engine.assistants.almanac.reading import read, read_together
from engine.assistants.almanac.values import (
    Holiday,
    NothingFound,
    Occurrence,
    Place,
    Sunset,
    Weekday,
    Where,
)
from engine.assistants.almanac.words import grams, split

P = ParamSpec("P")
T = TypeVar("T")

# A call takes milliseconds; the very first ones load the libraries, on a slow machine within seconds.
_TIMEOUT_SECONDS: Final = 10.0
# The libraries change with a release; who changes their mind within an hour may have what was looked up.
_REUSABLE_SECONDS: Final = 3600.0
_CALENDAR: Final = "writing a calendar file"
# As many as one reads at a glance.
_SIMILAR_MAX: Final = 3


async def find_holiday(
    text: str,
    year: int,
    fragments: Sequence[str] = (),
    earlier: Sequence[str] = (),
    known: Holiday | None = None,
    near: Place | None = None,
    goes_on: bool = False,
) -> Holiday:
    """Which holiday a question names.

    `fragments`: messages right before it that belong to it, in order.  `earlier`: the user's questions before
    it, newest first, for one that names a place only ("and in Rome?"), which `known` then answers when it is
    there; `goes_on`: this is one that names none.  `near`: the place known from before.  Raises
    NothingFound when no holiday is named that the libraries know.
    """
    for before in earlier:
        near = near or (await read(before, year)).place
    reading = await read_together([*fragments, text], year, near)
    if reading.holiday is not None:
        return reading.holiday
    if goes_on or (reading.place is not None and not reading.has_topic):
        if known is not None:
            return known
        for before in earlier:
            if (remembered := (await read(before, year)).holiday) is not None:
                return remembered
    raise NothingFound("no holiday by that name")


async def find_place(
    text: str,
    year: int,
    fragments: Sequence[str] = (),
    earlier: Sequence[str] = (),
    known: Place | None = None,
) -> Where:
    """Which place a question is about, named by it or by an earlier one.

    `fragments` and `earlier`: as for the holiday.  `known`: the place found for a question before it.  Raises
    NothingFound, with the place's name as the text, when the question names one that is not in the database.
    """
    reading = await read_together([*fragments, text], year)
    if reading.place is not None:
        return Where(place=reading.place)
    if reading.unknown_place:
        raise NothingFound(reading.unknown_place)
    for before in earlier:
        known = known or (await read(before, year)).place
    return Where(place=known, remembered=known is not None)


async def find_dates(holiday: Holiday, year: int, place: Place | None = None) -> list[Occurrence]:
    """When a holiday comes round in a year, at a place's reckoning if it has its own.

    Never empty: raises NothingFound when it does not come round that year.
    """
    found = occurrences(holiday, year, place)
    if not found:
        raise NothingFound(f"{holiday.name} does not fall in {year}")
    return found


async def find_sunset(day: datetime.date, holiday: Holiday, place: Place | None = None) -> Sunset:
    """When the sun sets on a day, at the place or else where the holiday is at home."""
    there = place or places.find(holiday.home)
    if there is None or there.is_region:
        raise NothingFound(f"no city is known for {there.name if there else holiday.name}")
    return sky.sunset(day, there)


async def find_weekday(day: datetime.date) -> Weekday:
    """The weekday of a date."""
    return Weekday(day=day, name=f"{day:%A}")


async def find_similar_names(text: str, year: int) -> list[str]:
    """The known holidays whose names are most like what a question says, best first; may be empty."""
    await libraries.load()
    names = await catalogue.worldwide_names(year)
    similar = await find_similar(grams(split(text)), list(names), _SIMILAR_MAX * 3)
    shown = (
        f"{day.name} in {day.country_name}" if day.country_name else day.name
        for day in map(names.get, similar)
        if day
    )
    return list(dict.fromkeys(shown))[:_SIMILAR_MAX]


def make_tools(pace_seconds: float) -> list[Tool]:
    """The tools, each call of which takes at least `pace_seconds`."""
    # What a question says depends on what was said before; a date does not.
    tools: tuple[tuple[Callable[..., Awaitable[object]], str, float], ...] = (
        (find_holiday, "finding the holiday", 0.0),
        (find_place, "finding the place", 0.0),
        (find_dates, "looking up the dates", _REUSABLE_SECONDS),
        (find_sunset, "working out the sunsets", _REUSABLE_SECONDS),
        (find_weekday, "working out the weekdays", _REUSABLE_SECONDS),
        (find_similar_names, "looking for similar names", 0.0),
        (answers.find_public_holidays, "looking up the public holidays", _REUSABLE_SECONDS),
        (answers.find_tradition, "looking up the holidays", _REUSABLE_SECONDS),
        (answers.check_day, "looking up the day", _REUSABLE_SECONDS),
        (answers.count_workdays, "counting the workdays", _REUSABLE_SECONDS),
        (answers.add_workdays, "counting the workdays", _REUSABLE_SECONDS),
        (answers.find_sun, "working out the sun", _REUSABLE_SECONDS),
        (answers.find_rest, "working out the candle lighting", _REUSABLE_SECONDS),
        (answers.find_long_weekends, "looking for long weekends", _REUSABLE_SECONDS),
        (calendars.write_holiday, _CALENDAR, _REUSABLE_SECONDS),
        (calendars.write_public, _CALENDAR, _REUSABLE_SECONDS),
        (calendars.write_weekends, _CALENDAR, _REUSABLE_SECONDS),
        (calendars.write_rest, _CALENDAR, _REUSABLE_SECONDS),
    )
    return [
        tool(
            timeout=_TIMEOUT_SECONDS + pace_seconds,
            idempotent=True,
            title=title,
            reusable_seconds=reusable_seconds,
        )(_paced(function, pace_seconds))
        for function, title, reusable_seconds in tools
    ]


def _paced(function: Callable[P, Awaitable[T]], pace_seconds: float) -> Callable[P, Awaitable[T]]:
    @functools.wraps(function)
    async def paced(*args: P.args, **kwargs: P.kwargs) -> T:
        # First, so that a call which raises takes its time too.
        await trio.sleep(pace_seconds)
        return await function(*args, **kwargs)

    return paced
