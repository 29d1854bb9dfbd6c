"""The tools that put an answer into a calendar file."""

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence

import trio

from engine.assistants.almanac import public
from engine.assistants.almanac.calendar_file import calendar_file
from engine.assistants.almanac.facts import Moment, PublicHoliday, Rest, WholeDays
from engine.assistants.almanac.values import (
    CalendarFile,
    Holiday,
    LongWeekends,
    Occurrence,
    Place,
    PublicHolidays,
)


async def write_holiday(
    holiday: Holiday, dates: Sequence[list[Occurrence]], today: datetime.date
) -> CalendarFile:
    """A calendar file of the dates of a holiday that are still to come."""
    note = "It begins at sunset on the evening before." if holiday.begins_at_sunset else ""
    ahead = [date for found in dates for date in found if date.last >= today]
    return await _file(
        holiday.name,
        [
            WholeDays(
                title=holiday.name, first=date.first, last=date.last, note=note, where=date.country_name
            )
            for date in ahead
        ],
        today,
    )


async def write_public(found: PublicHolidays, place: Place, today: datetime.date) -> CalendarFile:
    """A calendar file of public holidays."""
    where = public.name_of(place.country, place.subdivision)
    entries = [
        WholeDays(title=each.name, first=each.day, last=each.day, note=_note(each), where=where)
        for each in found.holidays
    ]
    return await _file(f"Public holidays {where} {found.year or ''}", entries, today)


async def write_weekends(found: LongWeekends, place: Place, today: datetime.date) -> CalendarFile:
    """A calendar file of the long weekends of a year, without those that need a day off."""
    where = public.name_of(place.country, place.subdivision)
    entries = [
        WholeDays(
            title="Long weekend",
            first=each.first,
            last=each.last,
            note=", ".join(holiday.name for holiday in each.holidays),
            where=where,
        )
        for each in found.weekends
        if each.bridge is None
    ]
    return await _file(f"Long weekends {where} {found.year}", entries, today)


async def write_rest(rest: Rest, today: datetime.date) -> CalendarFile:
    """A calendar file of candle lighting and havdalah."""
    return await _file(f"Candle lighting {rest.place} {rest.first}", _moments(rest), today)


def _moments(rest: Rest) -> Iterator[Moment]:
    for lighting in rest.lightings:
        if lighting.at is not None:
            names = ", ".join(lighting.for_what)
            yield Moment(title=f"Candle lighting: {names}", at=lighting.at, where=rest.place)
    if rest.ends is not None:
        yield Moment(title="Havdalah", at=rest.ends, where=rest.place)


def _note(holiday: PublicHoliday) -> str:
    return "The date is estimated." if holiday.estimated else ""


async def _file(name: str, entries: Iterable[WholeDays | Moment], today: datetime.date) -> CalendarFile:
    """Empty when there are no entries."""
    await trio.lowlevel.checkpoint()
    entries = list(entries)
    if not entries:
        return CalendarFile(name="", content="")
    # The day is enough of a stamp: the same question asked again gives the same file.
    stamp = datetime.datetime.combine(today, datetime.time(), datetime.UTC)
    plain = " ".join(re.sub(r"[^\w\- ]", " ", name).split())
    return CalendarFile(name=f"{plain}.ics", content=calendar_file(entries, stamp).decode())
