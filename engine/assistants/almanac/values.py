"""The frozen values that the almanac's tools hand to one another."""

import datetime

import attrs

from engine.assistants.almanac.facts import LongWeekend, PublicHoliday


class NothingFound(LookupError):
    """What was asked for is not in the libraries; the text says what."""


@attrs.frozen(kw_only=True)
class Place:
    """A city, or the capital that stands for a country named in the question.

    `country` is the ISO 3166 code, `subdivision` the part of it that has holidays of its own (or empty),
    `timezone` an IANA name.  `is_region`: it is such a part as a whole, so that the coordinates, which are
    those of the country's capital, say nothing of the sun there.
    """

    name: str
    country: str
    country_name: str
    subdivision: str = ""
    latitude: float
    longitude: float
    timezone: str
    is_region: bool = False


@attrs.frozen(kw_only=True)
class Where:
    """What place a question is about; None when neither it nor an earlier one names any.

    `remembered`: the question did not name it, an earlier one did.  That is no part of the place, so that
    what was found out for a place holds for it however it came up.
    """

    place: Place | None = None
    remembered: bool = False


@attrs.frozen(kw_only=True)
class Holiday:
    """Which holiday is meant, and where its dates are found.

    `name` as people read it and `key` as the library calls it.  `tradition` is empty for a day that a
    country keeps for itself; `country` is the code of the country whose dates hold when the question
    names none (empty for the Hebrew calendar).  `home` is the city whose sunset is shown when the question
    names no place; empty when there is none.
    """

    name: str
    key: str
    tradition: str = ""
    country: str = ""
    country_name: str = ""
    home: str = ""
    begins_at_sunset: bool = False
    # One sentence people should know, as that the moon may move the date.
    remark: str = ""


@attrs.frozen(kw_only=True)
class Occurrence:
    """One time that a holiday comes round: whole days `first` to `last`.

    `begins` is the day on which it starts: the one before `first` when it starts at sunset.  `country_name`
    is the country that keeps it, empty for a tradition's.  `days_elsewhere`: how many days it has outside
    of Israel when this is Israel's count, and in Israel otherwise.
    """

    begins: datetime.date
    first: datetime.date
    last: datetime.date
    estimated: bool = False
    country_name: str = ""
    days_elsewhere: int = 0

    @property
    def days(self) -> int:
        """How many whole days it has."""
        return (self.last - self.first).days + 1


@attrs.frozen(kw_only=True)
class Sunset:
    """When the sun sets on a day, in the local time of a place, to the minute."""

    day: datetime.date
    place: str
    at: datetime.datetime


@attrs.frozen(kw_only=True)
class PublicHolidays:
    """Public holidays in order: those of a year; of the days `first` to `last`; or else the next ones.

    `year` is 0 when no year as a whole was asked for.
    """

    year: int
    holidays: tuple[PublicHoliday, ...]
    first: datetime.date | None = None
    last: datetime.date | None = None


@attrs.frozen(kw_only=True)
class Festival:
    """One holiday of a tradition: its whole days, and whether it begins at the sunset before."""

    name: str
    first: datetime.date
    last: datetime.date
    begins_at_sunset: bool = False
    estimated: bool = False


@attrs.frozen(kw_only=True)
class Festivals:
    """The holidays of a tradition in order: those of a year, or the next ones when `year` is 0."""

    tradition: str
    year: int
    festivals: tuple[Festival, ...]


@attrs.frozen(kw_only=True)
class DayOff:
    """Whether a day is a public holiday, and whether people work on it.

    `asked`: the name of the holiday that it was asked of, if one was.
    """

    day: datetime.date
    holidays: tuple[PublicHoliday, ...]
    is_weekend: bool
    asked: str = ""


@attrs.frozen(kw_only=True)
class DayAway:
    """The day `count` workdays after another, or before it when `count` is negative."""

    first: datetime.date
    count: int
    day: datetime.date


@attrs.frozen(kw_only=True)
class LongWeekends:
    """The long weekends of a year, or those of them that touch the days `first` to `last`, in order."""

    year: int
    weekends: tuple[LongWeekend, ...]
    first: datetime.date | None = None
    last: datetime.date | None = None


@attrs.frozen(kw_only=True)
class CalendarFile:
    """A file that calendars take in (iCalendar); no content when there is nothing to put into one."""

    name: str
    content: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Weekday:
    """The English name of a day's weekday."""

    day: datetime.date
    name: str
