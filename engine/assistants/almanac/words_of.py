"""Words for the answers that are no holiday's dates."""

import datetime
from collections.abc import Iterable

from engine.assistants.almanac import public
from engine.assistants.almanac.facts import LongWeekend, PublicHoliday, Rest, SunTimes, Workdays
from engine.assistants.almanac.values import DayAway, DayOff, Festivals, LongWeekends, Place, PublicHolidays

_WITH_ARTICLE = ("Bahamas", "Netherlands", "Philippines", "United ")
# Days off that take a workday to bridge: as many as one plans with.
_BRIDGES_MAX = 6


def public_holidays(found: PublicHolidays, place: Place) -> str:
    """A line a holiday."""
    where = _country(place)
    if found.first and found.last:
        span = f"from {_long_day(found.first)} to {_long_day(found.last)}"
        if not found.holidays:
            return f"No public holiday in {where} {span}."
        headline = f"Public holidays in {where} {span}:"
    elif found.year:
        headline = f"Public holidays in {where} {found.year}:"
    else:
        headline = f"Next public holidays in {where}:"
    return "\n".join([headline, *(_holiday_line(each, with_year=not found.year) for each in found.holidays)])


def festivals(found: Festivals) -> str:
    """A line a holiday."""
    name = found.tradition.capitalize()
    lines = [f"{name} holidays {found.year}:" if found.year else f"Next {name} holidays:"]
    for each in found.festivals:
        year = "" if found.year else f" {each.first.year}"
        span = _short_day(each.first) + (f" to {_short_day(each.last)}" if each.last > each.first else "")
        lines.append(f"{span}{year}: {each.name}{' (estimated)' if each.estimated else ''}")
    if any(each.begins_at_sunset for each in found.festivals):
        lines.append("Most of them begin at sunset on the evening before.")
    return "\n".join(lines)


def day_off(found: DayOff, place: Place) -> str:
    """What the day is."""
    where, day = _country(place), _long_day(found.day)
    it = f"{found.asked} is on {day}, which" if found.asked else day
    if found.holidays:
        names = _and(each.name + _mark(each) for each in found.holidays)
        weekend = ", and a day of the weekend" if found.is_weekend else ""
        return f"{it} is a public holiday in {where}: {names}{weekend}."
    if found.is_weekend:
        return f"{it} is a day of the weekend in {where}, and no public holiday."
    return f"{it} is a workday in {where}: no public holiday and no weekend."


def workdays(found: Workdays, place: Place) -> str:
    """How many, and what was left out."""
    total = (found.last - found.first).days + 1
    lines = [
        f"{_count(found.count, 'workday')} in {_country(place)} from {_long_day(found.first)} to"
        f" {_long_day(found.last)}, both included.",
        f"Of the {_count(total, 'day')}, {_count(found.weekend_days, 'weekend day')} and"
        f" {_count(found.holiday_days, 'public holiday')} are off.",
    ]
    if len(found.holidays) <= 12:
        lines += [
            _holiday_line(each, with_year=found.first.year != found.last.year) for each in found.holidays
        ]
    return "\n".join(lines)


def day_away(found: DayAway, place: Place) -> str:
    """The day, and from where it was counted."""
    side = "before" if found.count < 0 else "after"
    return (
        f"{_count(abs(found.count), 'workday')} {side} {_long_day(found.first)} in {_country(place)}:"
        f" {_long_day(found.day)}."
    )


def sun(found: SunTimes) -> str:
    """A line each: the sun, the length of the day, the twilights."""
    lines = [f"The sun in {found.place} on {_long_day(found.day)}:"]
    if found.polar == "day":
        lines.append("It does not set.")
    elif found.polar == "night":
        lines.append("It does not rise.")
    else:
        # Before and after a time without one there is a day with only the other.
        rise = f"sunrise {_clock(found.sunrise)}" if found.sunrise else "no sunrise"
        lines.append(
            rise + (f", sunset {_clock(found.sunset, found.day)}" if found.sunset else ", no sunset")
        )
        hours, minutes = divmod(found.day_minutes, 60)
        lines.append(f"day of {hours} h {minutes} min, noon {_clock(found.noon)}")
    for name, dawn, dusk, edge in (
        ("civil", found.civil_dawn, found.civil_dusk, -6),
        ("nautical", found.nautical_dawn, found.nautical_dusk, -12),
        ("astronomical", found.astronomical_dawn, found.astronomical_dusk, -18),
    ):
        if found.polar != "day" and found.noon_degrees > edge:
            lines.append(f"{name} twilight {_twilight(dawn, dusk, found.day)}")
    return "\n".join(lines)


def rest(found: Rest) -> str:
    """When candles are lit for each day, and when it ends."""
    names = list(dict.fromkeys(name for lighting in found.lightings for name in lighting.for_what))
    lines = [f"{_and(names)} in {found.place}:"]
    for lighting in found.lightings:
        at = _clock(lighting.at) if lighting.at else "no time: the sun does not go down far enough"
        how = " from a flame that burns already" if lighting.from_flame else ""
        lines.append(f"candle lighting {_long_day(lighting.evening)}, {at}{how}")
    ends = _clock(found.ends, found.last) if found.ends else "no time: it does not get dark"
    lines.append(f"havdalah {_long_day(found.last)}, {ends}")
    lines.append(
        f"Candles {found.minutes_before} minutes before sunset, havdalah at three stars (sun 8.5° below the"
        " horizon). Ask your community for its custom."
    )
    return "\n".join(lines)


def long_weekends(found: LongWeekends, place: Place, today: datetime.date) -> str:
    """Those without a day off, then the ones that one day off makes."""
    where = _country(place)
    free = [each for each in found.weekends if each.bridge is None]
    bridged = [each for each in found.weekends if each.bridge is not None and each.last >= today]
    when = str(found.year)
    if found.first and found.last:
        when = f"from {_long_day(found.first)} to {_long_day(found.last)}"
    lines = [f"Long weekends in {where} {when}:" if free else f"No long weekends in {where} {when}."]
    lines += [_weekend_line(each) for each in free]
    if bridged:
        lines.append("With one day off:")
        lines += [
            f"{_weekend_line(each)} (off: {_short_day(each.bridge)})"
            for each in bridged[:_BRIDGES_MAX]
            if each.bridge
        ]
    return "\n".join(lines)


def _weekend_line(weekend: LongWeekend) -> str:
    names = ", ".join(dict.fromkeys(each.name for each in weekend.holidays))
    span = f"{_short_day(weekend.first)} to {_short_day(weekend.last)}"
    return f"{span}, {weekend.days} days: {names}"


def _twilight(dawn: datetime.datetime | None, dusk: datetime.datetime | None, day: datetime.date) -> str:
    if dawn is None and dusk is None:
        return "all night"
    return f"from {_clock(dawn)}, and until {_clock(dusk, day)}"


def _clock(at: datetime.datetime | None, day: datetime.date | None = None) -> str:
    """`day`: the day that was asked for, when the time may be after midnight."""
    if at is None:
        return "none"
    return f"{at:%H:%M}" + (" (after midnight)" if day is not None and at.date() > day else "")


def _holiday_line(holiday: PublicHoliday, *, with_year: bool) -> str:
    year = f" {holiday.day.year}" if with_year else ""
    return f"{_short_day(holiday.day)}{year}: {holiday.name}{_mark(holiday)}"


def _mark(holiday: PublicHoliday) -> str:
    marks = [
        word for word, is_so in (("observed", holiday.observed), ("estimated", holiday.estimated)) if is_so
    ]
    return f" ({', '.join(marks)})" if marks else ""


def _long_day(day: datetime.date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def _short_day(day: datetime.date) -> str:
    return f"{day:%a} {day.day} {day:%B}"


def _country(place: Place) -> str:
    name = public.name_of(place.country, place.subdivision)
    return f"the {name}" if name.startswith(_WITH_ARTICLE) else name


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
