"""Finds the days that a text names: "5 May", "May 5th 2027", "2027-05-05", "tomorrow", "next Friday".

Rule 1: what could be a date is found by its shape; `dateparser` says what it means, in the languages below.
Rule 2: a day without a year is the next to come, and the first of two is the last such day before the second.
Rule 3: of 3/4/2027 the day comes first, as in most of the world.
"""

import calendar
import datetime
import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import attrs

# Where "5 mai" is understood.  More languages make words mean dates that are none.
_LANGUAGES: Final = ("en", "de", "fr", "es", "it", "nl", "pl", "pt", "he", "ru", "sv", "da")
# A question is shorter.
_CHARACTERS_MAX: Final = 800
# Looked at as dates in one text; each may take milliseconds.
_CANDIDATES_MAX: Final = 12
_DAY: Final = datetime.timedelta(days=1)
# Enough years to find a 29 February.
_YEARS_AROUND: Final = 8

_ORDINAL = r"(?:st|nd|rd|th|er|\.|º)?"  # as it is typed in Spanish
_YEAR = r"(?:,?\s+(?:de\s+)?(?P<{}>(?:19|20|21)\d\d)\b)?"
_RANGE = rf"(?:(?P<from>\d{{1,2}}){_ORDINAL}\s*(?:to|until|till|through|and|bis|au|al|-|–)\s*(?:the\s+)?)?"  # noqa: RUF001
_SHAPES: Final = re.compile(
    r"\b(?P<iso>\d{4}-\d{1,2}-\d{1,2})\b"
    r"|\b(?P<numbers>\d{1,2}[./]\d{1,2}[./]\d{4})\b"
    rf"|\b{_RANGE}(?P<dm>\d{{1,2}}{_ORDINAL}\s+(?:of\s+|de\s+)?[^\W\d_]{{3,}}){_YEAR.format('dmy')}"
    rf"|\b(?P<md>[^\W\d_]{{3,}}\.?\s+\d{{1,2}}(?!\d)(?:st|nd|rd|th)?){_YEAR.format('mdy')}",
    re.IGNORECASE,
)
WEEKDAYS: Final = {name.lower(): index for index, name in enumerate(calendar.day_name)}
_UNITS: Final = {"day": 1, "week": 7}
_WORDS: Final = {
    **dict.fromkeys(("today", "tonight", "now", "aujourd'hui", "heute", "hoy", "oggi", "היום"), 0),
    **dict.fromkeys(("tomorrow", "demain", "domani", "mañana", "morgen", "מחר"), 1),
    "yesterday": -1,
}
_WEEKS: Final = {"last": -1, "this": 0, "next": 1}
_RELATIVE: Final = re.compile(
    r"\b(?:(?P<after>(?:the\s+)?day after tomorrow)|(?P<before>(?:the\s+)?day before yesterday)"
    rf"|(?P<word>{'|'.join(_WORDS)})"
    r"|(?P<week>this|next|last) week"
    r"|in (?P<ahead>\d{1,3}) (?P<ahead_unit>day|week)s?"
    r"|(?P<ago>\d{1,3}) (?P<ago_unit>day|week)s? ago"
    rf"|(?:(?P<which>next|this|coming|last)\s+)?(?P<weekday>{'|'.join(WEEKDAYS)}))\b",
    re.IGNORECASE,
)
_MONTHS: Final = {
    name.lower(): index
    for names in (calendar.month_name, calendar.month_abbr)
    for index, name in enumerate(names)
    if name
}
_MONTH: Final = re.compile(
    rf"\b(?:(?P<which>this|next|last) month|(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
    r"(?:\s+(?P<year>(?:19|20|21)\d\d))?)\b",
    re.IGNORECASE,
)


@attrs.frozen
class Found:
    """The days that a text names, in its order, and the text without them."""

    days: tuple[datetime.date, ...]
    rest: str


@attrs.frozen
class _Date:
    start: int
    end: int
    month: int
    day: int
    # None: it is said without a year.
    year: int | None
    is_weekday: bool = False


def find_days(text: str, today: datetime.date, *, past: bool = False, weekdays: bool = True) -> Found:
    """At most two of them.

    `past`: a day without a year is the last that was, not the next.  `weekdays`: "Friday" is a day, and not
    part of a name.
    """
    text = text[:_CHARACTERS_MAX]
    relative = [date for date in _relative(text, today) if weekdays or not date.is_weekday]
    dates = sorted([*_absolute(_blanked(text, relative), today), *relative], key=lambda date: date.start)
    dates = [date for date, after in pairwise([*dates, None]) if date and not _introduces(date, after)][:2]
    rest = text
    for date in reversed(dates):
        rest = f"{rest[: date.start]} {rest[date.end :]}"
    days: list[datetime.date] = []
    for date in reversed(dates):
        # The one before a day that is known already is the last such day before it.
        days.append(_day(date, days[-1] if days else today, before=bool(days) or past))
    days.reverse()
    if len(days) == 2 and dates[1].is_weekday and days[1] < days[0]:
        # "From Monday to Friday": of one week.
        days[1] += 7 * _DAY
    return Found(tuple(days), " ".join(rest.split()))


def _blanked(text: str, dates: Iterable[_Date]) -> str:
    for date in dates:
        text = text[: date.start] + " " * (date.end - date.start) + text[date.end :]
    return text


def _introduces(date: _Date, after: _Date | None) -> bool:
    """Whether it is but the weekday of the date after it: "Friday, 5 May"."""
    return date.is_weekday and after is not None and after.start - date.end <= len(", ")


def find_month(text: str, today: datetime.date) -> tuple[datetime.date, datetime.date] | None:
    """The first and the last day of the month that a text names: "in March", "next month"."""
    found = _MONTH.search(text[:_CHARACTERS_MAX])
    if found is None:
        return None
    if found["which"]:
        months = {"last": -1, "this": 0, "next": 1}[found["which"].lower()]
        index = today.year * 12 + today.month - 1 + months
        year, month = index // 12, index % 12 + 1
    else:
        month = _MONTHS[found["name"].lower()]
        year = int(found["year"]) if found["year"] else today.year + (month < today.month)
    first = datetime.date(year, month, 1)
    return first, first.replace(day=calendar.monthrange(year, month)[1])


def _absolute(text: str, today: datetime.date) -> Iterator[_Date]:
    at = 0
    for _ in range(_CANDIDATES_MAX):
        found = _SHAPES.search(text, at)
        if found is None:
            return
        read = _read(found, today)
        if read is None:
            # It may be part of another: "after 3" of "after 3 March".
            at = found.start() + len(re.match(r"\w*", text[found.start() :])[0])  # type: ignore[index]
            continue
        month, day, year = read
        start = found.start("dm") if found["from"] else found.start()
        if found["from"] and (other := _date_of(year or today.year, month, int(found["from"]))):
            yield _Date(found.start(), start, month, other.day, year)
        yield _Date(start, found.end(), month, day, year)
        at = found.end()


def _read(found: re.Match[str], today: datetime.date) -> tuple[int, int, int | None] | None:
    """The month, day and year of what has a date's shape; None when it is no date."""
    if found["iso"]:
        year, month, day = map(int, found["iso"].split("-"))
        return (month, day, year) if _date_of(year, month, day) else None
    if found["numbers"]:
        day, month, year = map(int, re.split(r"[./]", found["numbers"]))
        if month > 12:
            day, month = month, day
        return (month, day, year) if _date_of(year, month, day) else None
    parsed = _parse(found["dm"] or found["md"], today)
    named = found["dmy"] or found["mdy"]
    return (parsed.month, parsed.day, int(named) if named else None) if parsed else None


def _parse(text: str, today: datetime.date) -> datetime.date | None:
    """The day and month that a text means, in whatever year; None when it means none."""
    import dateparser  # lazily: start-up need not pay for it

    with warnings.catch_warnings():
        # It reads days without a year, which Python says will be an error for 29 February.
        warnings.simplefilter("ignore")
        found = dateparser.parse(
            text,
            languages=list(_LANGUAGES),
            settings={
                "RELATIVE_BASE": datetime.datetime.combine(today, datetime.time()),
                "REQUIRE_PARTS": ["day", "month"],
                "PREFER_DATES_FROM": "future",
            },
        )
    return found.date() if found is not None else None


def _relative(text: str, today: datetime.date) -> Iterator[_Date]:
    for found in _RELATIVE.finditer(text):
        if found["week"]:
            monday = today + (7 * _WEEKS[found["week"].lower()] - today.weekday()) * _DAY
            sunday = monday + 6 * _DAY
            yield _Date(found.start(), found.start(), monday.month, monday.day, monday.year)
            yield _Date(found.start(), found.end(), sunday.month, sunday.day, sunday.year)
            continue
        day = today + _distance(found, today) * _DAY
        is_weekday = found["weekday"] is not None
        yield _Date(found.start(), found.end(), day.month, day.day, day.year, is_weekday)


def _distance(found: re.Match[str], today: datetime.date) -> int:
    """How many days from today."""
    if found["after"]:
        return 2
    if found["before"]:
        return -2
    if found["word"]:
        return _WORDS[found["word"].lower()]
    if found["ahead"]:
        return int(found["ahead"]) * _UNITS[found["ahead_unit"].lower()]
    if found["ago"]:
        return -int(found["ago"]) * _UNITS[found["ago_unit"].lower()]
    weekday, which = WEEKDAYS[found["weekday"].lower()], (found["which"] or "").lower()
    if which == "next":
        # That of the week to come, which begins on Monday.
        return 7 - today.weekday() + weekday
    ahead = (weekday - today.weekday()) % 7
    return (ahead - 7) if which == "last" else ahead


def _day(date: _Date, near: datetime.date, *, before: bool) -> datetime.date:
    """The day; without a year the nearest to a day `near` on its side, that day included."""
    if date.year is not None:
        found = _date_of(date.year, date.month, date.day)
        if found is not None:
            return found
    years = range(_YEARS_AROUND + 1)
    days = [_date_of(near.year + (-year if before else year), date.month, date.day) for year in years]
    return next(day for day in days if day is not None and (day <= near if before else day >= near))


def _date_of(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
