"""The frozen values in which the almanac's fact modules answer."""

import datetime
from typing import Literal

import attrs

# Where the sun stays all day: above the horizon, below it, or neither.
Polar = Literal["", "day", "night"]


@attrs.frozen(kw_only=True)
class SunTimes:
    """The sun around one solar noon at a place, each time in local time to the minute.

    A time is None when the sun does not come to that height between the midnights before and after `noon`.
    In summer far north an evening's time can fall after twelve at night: its date says so.
    `noon_degrees` is the sun's height at noon: a twilight that is None never ends when the sun is higher than
    that twilight's edge (6, 12, 18 degrees below the horizon), and never comes when it is lower.
    """

    place: str
    day: datetime.date
    astronomical_dawn: datetime.datetime | None
    nautical_dawn: datetime.datetime | None
    civil_dawn: datetime.datetime | None
    sunrise: datetime.datetime | None
    noon: datetime.datetime
    sunset: datetime.datetime | None
    civil_dusk: datetime.datetime | None
    nautical_dusk: datetime.datetime | None
    astronomical_dusk: datetime.datetime | None
    # From sunrise to sunset, or as far as the midnight where one is missing: 1,440 on a polar day.
    day_minutes: int
    polar: Polar
    noon_degrees: float


@attrs.frozen(kw_only=True)
class Lighting:
    """When candles are lit on the evening before a day of rest.

    `evening`: the civil date of that evening.  `at`: local time, to the minute; None where the sun does not
    go down that far.  `for_what`: names of the day of rest that begins.  `from_flame`: another day of rest is
    going on, so the light is taken from a flame that burns already.
    """

    evening: datetime.date
    at: datetime.datetime | None
    for_what: tuple[str, ...]
    from_flame: bool


@attrs.frozen(kw_only=True)
class Rest:
    """Days of rest that follow one another without a working day: a Sabbath, a festival, or both.

    `first` to `last` are the whole days; each begins on the evening before it, with the lighting of the same
    position in `lightings`.  `ends`: havdalah, local time to the minute on the evening of `last`; None where
    it does not get dark.  `minutes_before`: how long before sunset candles are lit at this place.
    `israel`: whether the festivals are those of Israel's calendar.
    """

    place: str
    first: datetime.date
    last: datetime.date
    lightings: tuple[Lighting, ...]
    ends: datetime.datetime | None
    minutes_before: int
    israel: bool


@attrs.frozen(kw_only=True)
class PublicHoliday:
    """A day off by law.

    `name` in English.  `observed`: a day off instead of another, for the holiday fell on a weekend, or a
    workday was exchanged for a day of the weekend.  `estimated`: the moon may move it.
    """

    day: datetime.date
    name: str
    observed: bool = False
    estimated: bool = False


@attrs.frozen(kw_only=True)
class Workdays:
    """How many workdays there are from `first` to `last`, both included.

    `weekend_days`: days of the weekend on which nobody works.  `holidays`: those that take a workday away,
    in order; two on one day are two entries.  `holiday_days`: how many days that makes.
    """

    first: datetime.date
    last: datetime.date
    count: int
    weekend_days: int
    holiday_days: int
    holidays: tuple[PublicHoliday, ...]


@attrs.frozen(kw_only=True)
class LongWeekend:
    """At least three days off in a row, `first` to `last`.

    `holidays`: the public holidays in it that are no weekend days.  `bridge`: the one workday one has to take
    off for it, or None.
    """

    first: datetime.date
    last: datetime.date
    holidays: tuple[PublicHoliday, ...]
    bridge: datetime.date | None = None

    @property
    def days(self) -> int:
        """How many days it has, the bridge included."""
        return (self.last - self.first).days + 1


@attrs.frozen(kw_only=True)
class WholeDays:
    """An entry of a calendar file for the days `first` to `last`, both included.

    `remind_minutes`: how long before the midnight at which it begins the calendar reminds one; None: never.
    """

    title: str
    first: datetime.date
    last: datetime.date
    note: str = ""
    where: str = ""
    remind_minutes: int | None = None


@attrs.frozen(kw_only=True)
class Moment:
    """An entry of a calendar file for a time of day: `at`, in a timezone with an IANA name (ZoneInfo).

    `until` None: it has no length.  `remind_minutes`: as for whole days, before `at`.
    """

    title: str
    at: datetime.datetime
    until: datetime.datetime | None = None
    note: str = ""
    where: str = ""
    remind_minutes: int | None = None
