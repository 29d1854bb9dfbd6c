"""How many days people work between two dates, by the weekend and the public holidays of a country."""

import datetime
from typing import Any, Final

from engine.assistants.almanac import public
from engine.assistants.almanac.facts import Workdays
from engine.assistants.almanac.values import NothingFound, Place

# Longer spans are no question of planning, and each year takes the library milliseconds.
YEARS_MAX: Final = 20
_DAYS_MAX: Final = YEARS_MAX * 366
# About as many workdays as lie in that span.
WORKDAYS_MAX: Final = YEARS_MAX * 240
_DAY: Final = datetime.timedelta(days=1)


def workdays(place: Place, first: datetime.date, last: datetime.date) -> Workdays:
    """The workdays from one date to another, both included; which is the earlier does not matter.

    A day on which a country works although it is a weekend (as China does to make up for one) counts.  A day
    off instead of a holiday that fell on a weekend does not.  Raises NothingFound for more than 20 years, and
    where the library has no such country, part or year.
    """
    first, last = sorted((first, last))
    if (last - first).days > _DAYS_MAX:
        raise NothingFound(f"workdays are counted for at most {YEARS_MAX} years")
    table = public.table(place.country, place.subdivision, first.year, last.year)
    days = [first + index * _DAY for index in range((last - first).days + 1)]
    idle = [day for day in days if not table.is_working_day(day)]
    # A holiday that falls on a weekend takes no workday away.
    taken = [day for day in idle if not table.is_weekend(day)]
    return Workdays(
        first=first,
        last=last,
        count=len(days) - len(idle),
        weekend_days=len(idle) - len(taken),
        holiday_days=len(taken),
        holidays=tuple(holiday for day in taken for holiday in public.holidays_of(table, day)),
    )


def add_workdays(place: Place, day: datetime.date, count: int) -> datetime.date:
    """The date so many workdays after a day, or before it when `count` is negative; the day is not counted.

    With 0 it is the day itself.  Raises NothingFound for more than 4,800 workdays, and as `workdays` does.
    """
    if abs(count) > WORKDAYS_MAX:
        raise NothingFound(f"at most {WORKDAYS_MAX:,} workdays can be counted")
    step = _DAY if count > 0 else -_DAY
    table: Any = None
    year = None
    for _ in range(abs(count)):
        day += step
        while True:
            if day.year != year:
                year = day.year
                table = public.table(place.country, place.subdivision, year, year)
            if table.is_working_day(day):
                break
            day += step
    return day
