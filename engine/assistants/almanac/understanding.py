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

_WORKDAYS: Final = re.compile(
    r"\b(?:(?:work|working|business) ?days?|weekdays|days? (?:do|must|will) i (?:have to )?work"
    r"|arbeitstage?|werktage?|werkdagen|jours? ouvr\w+"
    r"|dias? (?:laborables?|habiles|uteis)|giorni lavorativi|dni robocz\w+|ימי עבודה)\b"
)
# The tradition's name in the table of traditions, by how people call it.
_TRADITIONS: Final = {
    "buddhist": "buddhist",
    "chinese": "chinese",
    "christian": "christian",
    "hebrew": "jewish",
    "hindu": "indian",
    "indian": "indian",
    "islamic": "islamic",
    "jewish": "jewish",
    "moslem": "islamic",
    "muslim": "islamic",
    "orthodox": "orthodox",
}
_OF_TRADITION: Final = re.compile(
    rf"\b({'|'.join(_TRADITIONS)}) (?:high |holy |religious )?"
    r"(?:holidays?|holydays?|days|festivals?|feasts?)\b"
)
_LONG_WEEKENDS: Final = re.compile(
    r"\b(?:long ?week ?ends?|(?:three|3) day week ?ends?|bridge days?|bridging days?|bruckentage?|puentes?)\b"
)
_CANDLES: Final = re.compile(
    r"\b(?:candles?|candle ?light\w*|light(?:ing)? candles?"
    r"|(?:do|should|must) (?:i|we) light|havdal\w*|shabb?at\w*|shabb?os|shabbes|sabbath"
    r"|sabbat|motzei|licht bentshen|שבת|הבדלה|נרות)\b"
)
_LIGHTS: Final = re.compile(r"\b(?:candles?|light\w*|נרות)\b")
# Those candles are lit on eight evenings, and not for rest.
_HANUKKAH: Final = re.compile(r"\b(?:c?han+uk\w*|חנוכה)\b")
_SUN: Final = re.compile(
    r"\b(?:sun|sun ?rises?|sun ?sets?|sun (?:goes|go) down|sun (?:comes|come) up|twilight|dawn|dusk"
    r"|solar noon|golden hour|daylight"
    r"|midnight sun|polar (?:night|day)|nightfall|first light|last light|gets? dark|dark"
    r"|length of (?:the )?day|day length|how long is the day|sonnenaufgang|sonnenuntergang"
    r"|(?:lever|coucher) du soleil|(?:salida|puesta) del? sol|tramonto|שקיעה|זריחה)\b"
)
# With a holiday: the question is when that is, and the sunset an addition which every answer has.
_AND_SUN: Final = re.compile(r"\b(?:that day|and (?:the |its |also )*(?:sun|sunset|sunrise))\b")
_HOLIDAYS: Final = (
    r"(?:public|bank|national|federal|legal|statutory|official) holidays?|feiertage?|jours? feries?"
    r"|(?:dias )?festivos|feriados?|giorni festivi|dni wolne|days? off"
)
_PUBLIC: Final = re.compile(rf"\b(?:{_HOLIDAYS})\b")
_MAYBE_PUBLIC: Final = re.compile(r"\bholidays\b|\b(?:next|upcoming|coming|first|last) holiday\b")
# "Is 5 May a holiday", "are banks open tomorrow".
_IS: Final = re.compile(
    r"^(?:so |and |hey |hi |hello )*(?:is|was|will|are|were|do|does|did|ist|war|am)\b(?! there)"
)
_OFF: Final = re.compile(
    rf"\b(?:{_HOLIDAYS}|holidays?|off|free|open|closed|shut|work|working|work(?:ing)? ?day|feiertag"
    r"|arbeitstag)\b"
)
_WAS: Final = re.compile(r"\b(?:was|were|did|war)\b")
_COUNT: Final = re.compile(r"\b(\d{1,4}) (?=(?:work|working|business) ?days?\b|arbeitstage?\b|werktage?\b)")
_BACK: Final = re.compile(r"\b(?:before|ago|earlier|back)\b")
_UNTIL: Final = re.compile(r"\b(?:until|till|to|before|left|remain\w*|bis)\b")
_RELATIVE_YEARS: Final = {"this year": 0, "next year": 1, "last year": -1, "year after next": 2}
# They sound like questions of ours, and are none.
_NOT_KNOWN: Final = re.compile(r"\b(?:weather|forecast|temperature|rain|raining|snow|news|price|cost|joke)\b")
# Words of a question that are no part of a holiday's name, besides those that never are.
_QUESTION_TEXT = """
bonjour bye ciao danke gracias grazie hallo hola lot merci shalom so
a again astronomical bank banks bridge business calendar candle candles civil closed come comes coming
country date days de down du due during each en evening every exactly federal free from full gets goes
has havdala havdalah having how im in la le left legal length level light lighting list long longest
many minutes month months morning much name national nautical nightfall noon number of off official open
people public regional remain remaining rest rise rises schools set sets shabat shabbat shabbos shops
shut state statutory sunday tell then there time times total upcoming weekend weekends weeks work
workday workdays working works זמני כניסת צאת יציאת
"""
_QUESTION_WORDS: Final = frozenset(_QUESTION_TEXT.split())
_MONTHS: Final = """
january february march april may june july august september october november december month
jan feb mar apr jun jul aug sep oct nov dec
"""
_MONTH_WORDS: Final = frozenset(_MONTHS.split())
# Words of a question that are long enough to be known in spite of a typo.
_SPELT: Final = (
    *("candles", "daylight", "havdalah", "holidays", "lighting", "shabbat", "sunrise", "sunset"),
    *("twilight", "weekend", "weekends", "workdays", "working"),
)
_SPELT_LIKE: Final = re.compile(r"[^\W\d_]{6,}")
_SPELT_SCORE: Final = 85.0
# "And the sunset?": of what was asked before.
_GOES_ON: Final = re.compile(r"^(?:and|what about|how about|also|und|et|y)\b|\b(?:that day|then|there)\b")
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
        found = find_days(text, today, past=bool(_WAS.search(plain)), weekdays=weekdays)
        days, rest = found.days, found.rest
    words = split(rest)
    joined = " ".join(words)
    years = _years(words, joined, today)
    count = _count(joined)
    month = find_month(rest, today) if _WORKDAYS.search(joined) or not days else None
    names = [gram for gram in find_exact(words, holidays) if _is_topical(gram.text, month is not None)]
    taken = place_words(without(words, *names))
    named = wanted(names, words)
    topic = named.text if named else _topic(without(words, *taken), month is not None)
    kind = _kind(plain, joined, topic, len(days), count)
    if not named and (tradition := _OF_TRADITION.search(joined)):
        kind, topic = Kind.TRADITION, _TRADITIONS[tradition[1]]
    return _Partial(
        kind=kind,
        topic=topic,
        years=years,
        days=days,
        month=month,
        count=count,
        names_place=bool(taken),
        goes_on=bool(_GOES_ON.search(plain)),
        until=bool(_UNTIL.search(joined)),
        lights=bool(_LIGHTS.search(plain)),
    )


def _kind(plain: str, rest: str, topic: str, days: int, count: int) -> Kind | None:
    """`plain`: all comparable words; `rest`: those without the days."""
    is_question = bool(_IS.search(plain))
    if _NOT_KNOWN.search(rest) and not topic:
        return Kind.HELP
    if _LONG_WEEKENDS.search(rest):
        return Kind.LONG_WEEKENDS
    if is_question and _OFF.search(rest) and (days or topic) and not count:
        return Kind.DAY_OFF
    if _WORKDAYS.search(rest):
        return Kind.ADD_WORKDAYS if count else Kind.WORKDAYS
    if _CANDLES.search(rest) and not _HANUKKAH.search(rest):
        return Kind.CANDLES
    if _SUN.search(rest) and not (topic and _AND_SUN.search(rest)):
        return Kind.SUN
    if _PUBLIC.search(rest) or (_MAYBE_PUBLIC.search(rest) and not topic):
        return Kind.DAY_OFF if days == 1 else Kind.PUBLIC
    return Kind.HOLIDAY if topic else None


def _years(words: Sequence[str], joined: str, today: datetime.date) -> tuple[int, ...]:
    named = read_years(words)
    return (
        named or tuple(today.year + years for said, years in _RELATIVE_YEARS.items() if said in joined)[-1:]
    )


def _count(joined: str) -> int:
    found = _COUNT.search(joined)
    if found is None:
        return 0
    return -int(found[1]) if _BACK.search(joined) else int(found[1])


def _topic(words: Sequence[str], has_month: bool) -> str:
    """What may name a holiday: the words from the first to the last that are not the question's own."""
    joined = " ".join(words)
    for pattern in (_WORKDAYS, _LONG_WEEKENDS, _SUN, _PUBLIC, _AND_SUN):
        joined = pattern.sub(" ", joined)
    if not _HANUKKAH.search(joined):
        joined = _CANDLES.sub(" ", joined)
    left = joined.split()
    marks = [index for index, word in enumerate(left) if _is_topical(word, has_month)]
    return " ".join(left[marks[0] : marks[-1] + 1]) if marks else ""


def _is_topical(word: str, has_month: bool) -> bool:
    if has_month and normalise(word) in _MONTH_WORDS:
        return False
    return not (word in FILLERS or word in _QUESTION_WORDS or word.isdigit())
