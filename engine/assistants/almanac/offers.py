"""What a reply offers to ask next, as buttons; and the question that a tapped one stands for."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from engine import Button, Message
from engine.assistants.almanac import jewish, public
from engine.assistants.almanac.facts import Rest, SunTimes, Workdays
from engine.assistants.almanac.values import (
    DayAway,
    DayOff,
    Festivals,
    Holiday,
    LongWeekends,
    Occurrence,
    Place,
    PublicHolidays,
)

# An id of this form holds the question in words.
_PREFIX: Final = "ask:"
# WhatsApp's bounds of a button: its id, its title, how many a message has.
_ID_CHARACTERS_MAX: Final = 256
_TITLE_CHARACTERS_MAX: Final = 20
_BUTTONS_MAX: Final = 3

# Who knows nothing yet.
EXAMPLES: Final = (
    ("Check Hanukkah", "Check Hanukkah"),
    ("Scotland's holidays", "Next bank holidays in Scotland"),
    ("Sun in London", "Sunrise and sunset in London"),
)
COUNTRIES: Final = (
    ("In the US", "In the US"),
    ("In Scotland", "In Scotland"),
    ("In Germany", "In Germany"),
)
CITIES: Final = (
    ("In London", "In London"),
    ("In New York", "In New York"),
    ("In Tel Aviv", "In Tel Aviv"),
)


def asked_by(message: Message) -> str:
    """What a message asks: its text, or the question of the button that was tapped."""
    choice = message.choice
    if choice is not None and choice.id.startswith(_PREFIX):
        return choice.id.removeprefix(_PREFIX)
    return message.text


def buttons(offers: Iterable[tuple[str, str]]) -> tuple[Button, ...]:
    """The first three offers (a title and the question it asks) as buttons, without two of one title."""
    made: dict[str, Button] = {}
    for title, question in offers:
        short = title if len(title) <= _TITLE_CHARACTERS_MAX else f"{title[: _TITLE_CHARACTERS_MAX - 1]}…"
        made.setdefault(short, Button(f"{_PREFIX}{question}"[:_ID_CHARACTERS_MAX], short))
    return tuple(made.values())[:_BUTTONS_MAX]


def after_holiday(
    holiday: Holiday, dates: list[Occurrence], place: Place | None
) -> Iterator[tuple[str, str]]:
    """More years; what else there is to know of a festival; the other reckoning."""
    where = f" in {place.name}" if place else ""
    if dates:
        year = dates[-1].first.year + 1
        yield f"In {year}", f"{holiday.name} in {year}{where}"
    if holiday.tradition == jewish.TRADITION:
        if place is None and dates and dates[0].days_elsewhere:
            yield "In Israel", f"{holiday.name} in Israel"
        yield "Shabbat times", f"Shabbat times in {place.name if place else holiday.home}"
        return
    if country := _country(holiday, place):
        yield "Public holidays", f"Public holidays in {country}"
        yield "Long weekends", f"Long weekends in {country}"


def after_public(found: PublicHolidays, place: Place) -> Iterator[tuple[str, str]]:
    """The other view of them, and what they are good for."""
    where = _named(place)
    # Of the next ones the last stands for the year that people plan for.
    year = found.year + 1 if found.year else (found.last or found.holidays[-1].day).year
    yield f"All of {year}", f"Public holidays in {where} {year}"
    yield "Long weekends", f"Long weekends in {where} {found.year or year}"
    yield "Workdays left", f"How many workdays are left this year in {where}"


def after_festivals(found: Festivals, today: datetime.date) -> Iterator[tuple[str, str]]:
    """Another year, and the next of them by itself."""
    year = found.year + 1 if found.year else today.year + 1
    yield f"All of {year}", f"{found.tradition} holidays {year}"
    ahead = [festival for festival in found.festivals if festival.last >= today]
    for festival in ahead[:1]:
        yield festival.name, festival.name


def after_weekends(found: LongWeekends, place: Place) -> Iterator[tuple[str, str]]:
    """The year after, and the holidays themselves."""
    yield f"In {found.year + 1}", f"Long weekends in {_named(place)} {found.year + 1}"
    yield "Public holidays", f"Public holidays in {_named(place)} {found.year}"


def after_days(found: DayOff | DayAway | Workdays, place: Place) -> Iterator[tuple[str, str]]:
    """What the country keeps."""
    yield "Public holidays", f"Public holidays in {_named(place)}"
    yield "Long weekends", f"Long weekends in {_named(place)}"


def after_sun(found: SunTimes) -> Iterator[tuple[str, str]]:
    """Another day: the longest and the shortest."""
    for title, month in (("On 21 June", 6), ("On 21 December", 12)):
        if (found.day.month, found.day.day) != (month, 21):
            yield title, f"Sun in {found.place} {title.lower().removeprefix('on ')}"
    yield "Shabbat times", f"Shabbat times in {found.place}"


def after_rest(found: Rest) -> Iterator[tuple[str, str]]:
    """The week after, and the sun of the day."""
    after = found.last.fromordinal(found.last.toordinal() + 1)
    yield "The one after", f"Candle lighting in {found.place} on {after}"
    yield "Sun that day", f"Sun in {found.place} on {found.lightings[0].evening}"


def _country(holiday: Holiday, place: Place | None) -> str:
    return _named(place) if place else holiday.country_name


def _named(place: Place) -> str:
    return public.name_of(place.country, place.subdivision)
