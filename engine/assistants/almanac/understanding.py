"""Understands what is asked: the kind of question, by its words; the days and years that it names.

Rule 1: nothing is looked up but names, to tell those of places from those of holidays.
Rule 2: a text that names only a place, a day or a year is the question before it again, with that.
"""

import calendar
import datetime
import re
from collections.abc import Collection, Sequence
from typing import Final

import attrs

from engine.assistants.almanac import vocabulary
from engine.assistants.almanac.dates import WEEKDAYS, find_days, find_month
from engine.assistants.almanac.questions import Kind, Question
from engine.assistants.almanac.reading import place_words
from engine.assistants.almanac.traditions import NATIONAL_ALIASES
from engine.assistants.almanac.words import (
    FILLERS,
    find_exact,
    normalise,
    read_years,
    split,
    wanted,
    without,
)

# Words of a question that are long enough to be known in spite of a typo.
_SPELT: Final = (
    *("candles", "daylight", "havdalah", "holidays", "lighting", "shabbat", "sunrise", "sunset"),
    *("twilight", "weekend", "weekends", "workdays", "working"),
)
_SPELT_LIKE: Final = re.compile(r"[^\W\d_]{6,}")
_SPELT_SCORE: Final = 85.0
_DAYS_OF_NAMES: Final = frozenset(normalise(name) for name, _, _ in NATIONAL_ALIASES)


@attrs.frozen(kw_only=True)
class _Partial:
    """What one text says by itself.  `goes_on`: it sounds as if it added to another."""

    kind: Kind | None
    topic: str
    years: tuple[int, ...]
    days: tuple[datetime.date, ...]
    month: tuple[datetime.date, datetime.date] | None
    count: int
    names_place: bool
    goes_on: bool
    until: bool
    lights: bool


def understand(
    text: str,
    today: datetime.date,
    holidays: Collection[str],
    *,
    fragments: Sequence[str] = (),
    earlier: Sequence[str] = (),
    knows_holiday: bool = False,
) -> Question:
    """What a text asks for.

    `holidays`: the comparable names of holidays that are familiar.  `fragments`: the texts right before it
    that belong to it, oldest first.  `earlier`: the questions before these, newest first, which it may go on
    from; `knows_holiday`: so it may from a holiday that is known in another way.  The calendar libraries
    must have been loaded.
    """
    newest = _read(text, today, holidays)
    if newest.topic and newest.topic not in holidays and (meant := _corrected(text)) != text:
        newest = _read(meant, today, holidays)
    for fragment in reversed(fragments):
        if newest.kind is not None:
            break
        newest = _joined(newest, _read(fragment, today, holidays))
    readings = (_read(other, today, holidays) for other in earlier)
    before = next((other for other in readings if other.kind), None)
    if newest.kind is None:
        return _go_on(newest, before, today, knows_holiday=knows_holiday)
    if before is not None and not newest.topic and newest.goes_on and _may_be_of_holiday(newest):
        newest = attrs.evolve(newest, topic=before.topic, days=before.days)
    return _question(newest, today)


def _corrected(text: str) -> str:
    """The text with the words of a question spelt right."""
    from rapidfuzz import fuzz, process  # lazily: 80 ms that a start-up need not pay

    def right(word: re.Match[str]) -> str:
        near = process.extractOne(word[0].casefold(), _SPELT, scorer=fuzz.ratio, score_cutoff=_SPELT_SCORE)
        return near[0] if near is not None else word[0]

    return _SPELT_LIKE.sub(right, text)


def _go_on(
    newest: _Partial, before: _Partial | None, today: datetime.date, *, knows_holiday: bool
) -> Question:
    """What a text asks for that has no words of a question: what was asked before, with what it adds."""
    if not (newest.names_place or newest.years or newest.days or newest.month):
        return Question(kind=Kind.HELP)
    if before is not None:
        return attrs.evolve(_question(_joined(newest, before), today), goes_on=True)
    if knows_holiday:
        return Question(kind=Kind.HOLIDAY, goes_on=True, years=newest.years)
    alone = Kind.DAY_OFF if newest.days else Kind.PUBLIC if newest.names_place else Kind.HELP
    return _question(attrs.evolve(newest, kind=alone), today)


def _joined(newest: _Partial, older: _Partial) -> _Partial:
    """What the newest says, and of the older what that does not say."""
    return attrs.evolve(
        newest,
        kind=older.kind,
        topic="" if newest.days else older.topic,
        # Another year of a day that was asked about is that day in it.
        years=(() if older.days else newest.years) or (() if newest.days else older.years),
        days=newest.days or _in_year(older.days, newest.years),
        month=newest.month or older.month,
        count=newest.count or older.count,
        names_place=newest.names_place or older.names_place,
        until=newest.until or older.until,
    )


def _in_year(days: tuple[datetime.date, ...], years: Sequence[int]) -> tuple[datetime.date, ...]:
    """The days in the first of some years, if there is one."""
    if not days or not years:
        return days
    moved = []
    for day in days:
        year = years[0] + day.year - days[0].year
        # The last of February, whatever the year.
        last = calendar.monthrange(year, day.month)[1]
        moved.append(datetime.date(year, day.month, min(day.day, last)))
    return tuple(moved)


def _may_be_of_holiday(newest: _Partial) -> bool:
    return newest.kind in (Kind.SUN, Kind.CANDLES, Kind.DAY_OFF) and not newest.days


def _question(asked: _Partial, today: datetime.date) -> Question:
    assert asked.kind is not None  # noqa: S101  # seen to before
    kind, days = asked.kind, asked.days
    if days and kind is not Kind.HOLIDAY:
        # A day that is named needs no holiday to be found by.
        asked = attrs.evolve(asked, topic="")
    day, last = days[0] if days else None, days[1] if len(days) > 1 else None
    if kind is Kind.ADD_WORKDAYS:
        return Question(kind=kind, topic=asked.topic, day=day or today, count=asked.count)
    if kind is Kind.WORKDAYS:
        day, last = _span(asked, today)
    if kind in (Kind.PUBLIC, Kind.LONG_WEEKENDS) and not days:
        if asked.month is not None:
            day, last = _month(asked.month, asked.years)
        elif asked.until and asked.years == (today.year,):
            day, last = today, datetime.date(today.year, 12, 31)
    lights = kind is Kind.CANDLES and asked.lights
    return Question(kind=kind, topic=asked.topic, years=asked.years, day=day, last=last, lights=lights)


def _span(asked: _Partial, today: datetime.date) -> tuple[datetime.date | None, datetime.date | None]:
    """From when to when workdays are counted; a holiday may be the end."""
    days, years, until = asked.days, asked.years, asked.until
    if len(days) == 2:
        return days[0], days[1]
    if days:
        return (min(today, days[0]), max(today, days[0])) if until else (days[0], days[0])
    if asked.topic:
        return today, None
    if asked.month is not None:
        return _month(asked.month, years)
    year = years[0] if years else today.year
    first = today if until and year == today.year else datetime.date(year, 1, 1)
    return first, datetime.date(years[-1] if years else year, 12, 31)


def _month(
    month: tuple[datetime.date, datetime.date], years: Sequence[int]
) -> tuple[datetime.date, datetime.date]:
    """The first and the last day of the month, in the first of the years that are named."""
    (first,) = _in_year(month[:1], years)
    return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _read(text: str, today: datetime.date, holidays: Collection[str]) -> _Partial:
    plain = " ".join(said := split(text))
    days: tuple[datetime.date, ...] = ()
    rest = text
    if not find_exact(said, _DAYS_OF_NAMES):
        # "Easter Monday" is no Monday to come.
        weekdays = not any(set(gram.text.split()) & WEEKDAYS.keys() for gram in find_exact(said, holidays))
        found = find_days(text, today, past=bool(vocabulary.WAS.search(plain)), weekdays=weekdays)
        days, rest = found.days, found.rest
    words = split(rest)
    joined = " ".join(words)
    years = _years(words, joined, today)
    count = _count(joined)
    month = find_month(rest, today) if vocabulary.WORKDAYS.search(joined) or not days else None
    names = [gram for gram in find_exact(words, holidays) if _is_topical(gram.text, month is not None)]
    taken = place_words(without(words, *names))
    named = wanted(names, words)
    topic = named.text if named else _topic(without(words, *taken), month is not None)
    kind = _kind(plain, joined, topic, len(days), count)
    if not named and (tradition := vocabulary.OF_TRADITION.search(joined)):
        kind, topic = Kind.TRADITION, vocabulary.TRADITIONS[tradition[1]]
    return _Partial(
        kind=kind,
        topic=topic,
        years=years,
        days=days,
        month=month,
        count=count,
        names_place=bool(taken),
        goes_on=bool(vocabulary.GOES_ON.search(plain)),
        until=bool(vocabulary.UNTIL.search(joined)),
        lights=bool(vocabulary.LIGHTS.search(plain)),
    )


def _kind(plain: str, rest: str, topic: str, days: int, count: int) -> Kind | None:
    """`plain`: all comparable words; `rest`: those without the days."""
    is_question = bool(vocabulary.IS.search(plain))
    if vocabulary.NOT_KNOWN.search(rest) and not topic:
        return Kind.HELP
    if vocabulary.LONG_WEEKENDS.search(rest):
        return Kind.LONG_WEEKENDS
    if is_question and vocabulary.OFF.search(rest) and (days or topic) and not count:
        return Kind.DAY_OFF
    if vocabulary.WORKDAYS.search(rest):
        return Kind.ADD_WORKDAYS if count else Kind.WORKDAYS
    if vocabulary.CANDLES.search(rest) and not vocabulary.HANUKKAH.search(rest):
        return Kind.CANDLES
    if vocabulary.SUN.search(rest) and not (topic and vocabulary.AND_SUN.search(rest)):
        return Kind.SUN
    if vocabulary.PUBLIC.search(rest) or (vocabulary.MAYBE_PUBLIC.search(rest) and not topic):
        return Kind.DAY_OFF if days == 1 else Kind.PUBLIC
    return Kind.HOLIDAY if topic else None


def _years(words: Sequence[str], joined: str, today: datetime.date) -> tuple[int, ...]:
    named = read_years(words)
    return (
        named
        or tuple(today.year + years for said, years in vocabulary.RELATIVE_YEARS.items() if said in joined)[
            -1:
        ]
    )


def _count(joined: str) -> int:
    found = vocabulary.COUNT.search(joined)
    if found is None:
        return 0
    return -int(found[1]) if vocabulary.BACK.search(joined) else int(found[1])


def _topic(words: Sequence[str], has_month: bool) -> str:
    """What may name a holiday: the words from the first to the last that are not the question's own."""
    joined = " ".join(words)
    for pattern in (
        vocabulary.WORKDAYS,
        vocabulary.LONG_WEEKENDS,
        vocabulary.SUN,
        vocabulary.PUBLIC,
        vocabulary.AND_SUN,
    ):
        joined = pattern.sub(" ", joined)
    if not vocabulary.HANUKKAH.search(joined):
        joined = vocabulary.CANDLES.sub(" ", joined)
    left = joined.split()
    marks = [index for index, word in enumerate(left) if _is_topical(word, has_month)]
    return " ".join(left[marks[0] : marks[-1] + 1]) if marks else ""


def _is_topical(word: str, has_month: bool) -> bool:
    if has_month and normalise(word) in vocabulary.MONTH_WORDS:
        return False
    return not (word in FILLERS or word in vocabulary.QUESTION_WORDS or word.isdigit())
