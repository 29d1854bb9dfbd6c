"""Writes the reply from what the calls found."""

import datetime
from collections.abc import Iterator
from typing import Any, Final

from engine import Results
from engine.assistants.almanac import jewish
from engine.assistants.almanac.planner import HOLIDAY, PLACE, SIMILAR, SUNSET, WEEKDAY, found_dates
from engine.assistants.almanac.values import Holiday, Occurrence, Place, Sunset, Where

HELP: Final = (
    "I know when holidays are: Jewish, Christian, Muslim, Indian and Chinese ones, and those of most "
    'countries. Ask me "Check Hanukkah in London", "When is Easter in Rome?", "Thanksgiving in Canada" or '
    '"Actually Passover".'
)


def write(results: Results, today: datetime.date) -> str:
    """The reply: dates with weekdays and sunsets, or what could be asked instead.

    `results`: what was found out for the question, by the planner's names.
    """
    if not results[HOLIDAY].succeeded:
        return _write_unknown(results)
    holiday: Holiday = results[HOLIDAY].value
    dates = found_dates(results)
    if not dates:
        return f"I know {holiday.name}, but no date of it in the years I looked at. {HELP}"
    where: Where = results[PLACE].value_or(Where())
    lines = [_headline(holiday, dates, where.place)]
    sunsets = {value.day: value for value in _values(results, SUNSET)}
    weekdays = {value.day: value.name for value in _values(results, WEEKDAY)}
    for date in dates:
        line = _date_line(holiday, date, weekdays.get(date.begins, ""), sunsets.get(date.begins))
        lines.append(f"{line} (past)" if date.last < today else line)
    lines += _remarks(holiday, results, where)
    return "\n".join(lines)


def _write_unknown(results: Results) -> str:
    similar = results[SIMILAR].value_or([]) if SIMILAR in results else []
    if not similar:
        return f"I did not find a holiday in that. {HELP}"
    *first, last = similar
    names = f"{', '.join(first)} or {last}" if first else last
    return f"I do not know that holiday. Did you mean {names}? {HELP}"


def _headline(holiday: Holiday, dates: list[Occurrence], place: Place | None) -> str:
    """The name, whose it is, and how long it is when that is more than a day."""
    days, elsewhere = dates[0].days, dates[0].days_elsewhere
    if dates[0].country_name:
        return f"{holiday.name} ({dates[0].country_name}):"
    if elsewhere and place is not None and place.country == jewish.ISRAEL:
        return f"{holiday.name}, {_count(days)} in Israel, {_count(elsewhere)} outside:"
    if elsewhere:
        return f"{holiday.name}, {_count(days)} outside Israel, {_count(elsewhere)} in Israel:"
    return f"{holiday.name}, {_count(days)}:" if days > 1 else f"{holiday.name}:"


def _count(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _date_line(holiday: Holiday, date: Occurrence, weekday: str, sunset: Sunset | None) -> str:
    day = f"{weekday} {_day(date.begins)}".strip()
    clock = f"sunset {sunset.at:%H:%M}" if sunset else ""
    if holiday.begins_at_sunset:
        line = f"evening of {day}"
        line += f", {clock}" if clock else ""
        line += f", to {_day(date.last)}"
    else:
        line = f"{day} to {_day(date.last)}" if date.days > 1 else day
        line += f", {clock}" if clock else ""
    return f"{date.first.year}: {line}" + (" (estimated)" if date.estimated else "")


def _day(date: datetime.date) -> str:
    return f"{date.day} {date:%B}"


def _remarks(holiday: Holiday, results: Results, where: Where) -> Iterator[str]:
    if holiday.begins_at_sunset:
        yield "It begins at sunset on the evening before its first day."
    if holiday.remark:
        yield holiday.remark
    if not results[PLACE].succeeded:
        yield "I do not know the place you named."
    shown = next((value.place for value in _values(results, SUNSET)), "")
    if not shown:
        return
    if where.place is None:
        yield f'Sunset times are for {shown}; name a city for yours, as in "{holiday.name} in London".'
    else:
        yield f"Sunset times are for {shown}{', as before' if where.remembered else ''}."


def _values(results: Results, kind: str) -> list[Any]:
    """The values of every call of a kind that has one, in order."""
    found = (outcome.value_or(None) for key, outcome in results.items() if key.startswith(f"{kind}-"))
    return [value for value in found if value is not None]
