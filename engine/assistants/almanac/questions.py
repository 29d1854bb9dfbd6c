"""What a question asks for: its kind, and the days, years and names that it brings."""

import datetime
from enum import StrEnum

import attrs


class Kind(StrEnum):
    """What can be asked."""

    HELP = "help"
    # When a holiday is, with weekday and sunset.
    HOLIDAY = "holiday"
    # The public holidays of a country: the next ones, or those of a year.
    PUBLIC = "public holidays"
    # Whether people work on a day.
    DAY_OFF = "day off"
    # How many workdays there are from one day to another.
    WORKDAYS = "workdays"
    # The day that is so many workdays away.
    ADD_WORKDAYS = "add workdays"
    # All holidays of a tradition.
    TRADITION = "tradition"
    SUN = "sun"
    CANDLES = "candles"
    LONG_WEEKENDS = "long weekends"


@attrs.frozen(kw_only=True)
class Question:
    """One question, as far as it can be understood without looking anything up.

    `goes_on`: it names no holiday itself, and goes on from one before it.  `topic`: the words that may name
    a holiday, or the tradition; the place is found in the text by a call of its own.  `years`: those named.
    `day`: the day it is about, or the first of two; `last` the second.  `count`: how many workdays to add.
    """

    kind: Kind
    goes_on: bool = False
    topic: str = ""
    years: tuple[int, ...] = ()
    # Of candles: it asks when they are lit, and not when the day ends.
    lights: bool = False
    day: datetime.date | None = None
    last: datetime.date | None = None
    count: int = 0
