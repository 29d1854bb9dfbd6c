"""The long weekends of a year: days off in a row, as they are or with one workday taken off."""

import datetime
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from engine.assistants.almanac import public
from engine.assistants.almanac.facts import LongWeekend
from engine.assistants.almanac.values import Place

_DAYS_MIN: Final = 3
_DAY: Final = datetime.timedelta(days=1)
# A row of days off goes on over New Year: as far as this into the years beside.
_MARGIN_DAYS: Final = 15

Run = tuple[datetime.date, datetime.date]


def long_weekends(place: Place, year: int) -> tuple[LongWeekend, ...]:
    """The rows of three and more days off that a public holiday makes, in order; then, where it comes, those
    that one workday between two rows would make.

    One belongs to the year of its first holiday that is no weekend day.  Empty when there is none.  Raises
    NothingFound when the library has no such country, part or year.
    """
    table = _table(place, year)
    runs = list(_runs(table, year))
    found = [
        *(_long(table, run, None) for run in runs),
        *(
            _long(table, (before[0], after[1]), before[1] + _DAY)
            for before, after in pairwise(runs)
            if after[0] - before[1] == 2 * _DAY
        ),
    ]
    kept = [long for long in found if _belongs(long, year)]
    return tuple(sorted(kept, key=lambda long: (long.first, long.bridge is not None)))


def _table(place: Place, year: int) -> Any:
    """The holidays of a year and of those beside it that the library has."""
    whole = public.table(place.country, place.subdivision, year, year)
    first = max(whole.start_year, year - 1)
    last = min(whole.end_year, year + 1)
    return public.table(place.country, place.subdivision, first, last)


def _runs(table: Any, year: int) -> Iterator[Run]:
    """Each row of days without work, from shortly before a year until shortly after it."""
    margin = _MARGIN_DAYS * _DAY
    day = max(datetime.date(year, 1, 1) - margin, datetime.date(table.start_year, 1, 1))
    last = min(datetime.date(year, 12, 31) + margin, datetime.date(table.end_year, 12, 31))
    first = None
    while day <= last:
        if table.is_working_day(day):
            if first is not None:
                yield first, day - _DAY
            first = None
        elif first is None:
            first = day
        day += _DAY
    if first is not None:
        yield first, last


def _long(table: Any, run: Run, bridge: datetime.date | None) -> LongWeekend:
    days: Sequence[datetime.date] = [run[0] + index * _DAY for index in range((run[1] - run[0]).days + 1)]
    holidays = [
        holiday for day in days if not table.is_weekend(day) for holiday in public.holidays_of(table, day)
    ]
    return LongWeekend(first=run[0], last=run[1], holidays=tuple(holidays), bridge=bridge)


def _belongs(long: LongWeekend, year: int) -> bool:
    return long.days >= _DAYS_MIN and bool(long.holidays) and long.holidays[0].day.year == year
