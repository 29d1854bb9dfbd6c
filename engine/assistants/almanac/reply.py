"""Makes the reply from what the calls found: words, what to ask next as buttons, the calendar file."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Final

from engine import ButtonsBody, DocumentBody, Inline, Outcome, Reply, Results
from engine.assistants.almanac import jewish, offers, words_of
from engine.assistants.almanac.answers import NO_CITY, NO_COUNTRY
from engine.assistants.almanac.facts import Rest, SunTimes, Workdays
from engine.assistants.almanac.planner import (
    ANSWER,
    CALENDAR,
    HOLIDAY,
    PLACE,
    SIMILAR,
    SUNSET,
    WEEKDAY,
    found_dates,
)
from engine.assistants.almanac.values import (
    CalendarFile,
    DayAway,
    DayOff,
    Festivals,
    Holiday,
    LongWeekends,
    Occurrence,
    Place,
    PublicHolidays,
    Sunset,
    Where,
)

HELP: Final = (
    'I know when holidays are: "Check Hanukkah in London", "When is Easter in Rome?", "Thanksgiving in '
    'Canada". I know what countries keep: "Next bank holiday in Scotland", "Is 5 May a holiday in Poland?", '
    '"Long weekends in Germany 2027", "Workdays from 3 March to 15 April in Spain". And I know the sun: '
    '"Sunset in Paris tomorrow", "Shabbat times in Antwerp". What would you like to know?'
)
# Texts with buttons must be shorter than others.
_BUTTONS_TEXT_CHARACTERS_MAX: Final = 1024
# WhatsApp lists no text/calendar among the documents it takes; a phone goes by the name.
_CALENDAR_TYPE: Final = "text/plain"

Offers = Iterable[tuple[str, str]]


def make_reply(results: Results, today: datetime.date) -> list[Reply]:
    """The messages of the reply.  `results`: what was found out for the question, by the planner's names."""
    text, offered = _write(results, today)
    replies = _with_buttons(text, offered)
    if (file := _calendar(results)) is not None:
        replies.append(Reply(DocumentBody(Inline(file.name, file.content.encode(), _CALENDAR_TYPE))))
    return replies


def _with_buttons(text: str, offered: Offers) -> list[Reply]:
    buttons = offers.buttons(offered)
    if not buttons:
        return [Reply(text)]
    if len(text) > _BUTTONS_TEXT_CHARACTERS_MAX:
        return [Reply(text), Reply(ButtonsBody("What next?", buttons))]
    return [Reply(ButtonsBody(text, buttons))]


def _calendar(results: Results) -> CalendarFile | None:
    """The last calendar file that was written, unless there was nothing to put into it."""
    written = [outcome.value_or(None) for key, outcome in results.items() if key.startswith(CALENDAR)]
    files = [file for file in written if isinstance(file, CalendarFile) and file.content]
    return files[-1] if files else None


def _write(results: Results, today: datetime.date) -> tuple[str, Offers]:
    """The words of the reply, and what to offer next."""
    if PLACE not in results:
        return HELP, offers.EXAMPLES
    if ANSWER in results:
        return _write_answer(results, today)
    if not results[HOLIDAY].succeeded:
        return _write_unknown(results)
    holiday: Holiday = results[HOLIDAY].value
    where: Where = results[PLACE].value_or(Where())
    dates = found_dates(results)
    if not dates:
        return f"I know {holiday.name}, but no date of it in the years I looked at. {HELP}", ()
    return _write_holiday(results, holiday, dates, where, today), offers.after_holiday(
        holiday, dates, where.place
    )


# Everything but a holiday's dates ----------------------------------------------------------------


def _write_answer(results: Results, today: datetime.date) -> tuple[str, Offers]:
    *_, outcome = (outcome for key, outcome in results.items() if key.startswith(ANSWER))
    where: Where = results[PLACE].value_or(Where())
    if not outcome.succeeded:
        return _write_failed(results, outcome)
    # Those of the sun say themselves for which city they are.
    match outcome.value:
        case SunTimes():
            return words_of.sun(outcome.value), offers.after_sun(outcome.value)
        case Festivals():
            return words_of.festivals(outcome.value), offers.after_festivals(outcome.value, today)
        case Rest():
            return words_of.rest(outcome.value), offers.after_rest(outcome.value)
    if (place := where.place) is None:
        return _write_failed(results, outcome)
    return _of_answer(outcome.value, place, today)


def _of_answer(answer: Any, place: Place, today: datetime.date) -> tuple[str, Offers]:
    match answer:
        case PublicHolidays():
            return words_of.public_holidays(answer, place), offers.after_public(answer, place)
        case DayOff():
            return words_of.day_off(answer, place), offers.after_days(answer, place)
        case Workdays():
            return words_of.workdays(answer, place), offers.after_days(answer, place)
        case DayAway():
            return words_of.day_away(answer, place), offers.after_days(answer, place)
        case LongWeekends():
            return words_of.long_weekends(answer, place, today), offers.after_weekends(answer, place)
    raise TypeError(f"no words for {type(answer).__name__}")


def _write_failed(results: Results, outcome: Outcome) -> tuple[str, Offers]:
    """What is missing, or what the libraries do not know, in the words of whoever noticed."""
    if not results[PLACE].succeeded:
        return f"I do not know the place you named. {HELP}", ()
    error = outcome.error or ""
    why = error.removeprefix("NothingFound: ")
    if why == NO_COUNTRY:
        return f'{why} Write for instance "In Scotland".', offers.COUNTRIES
    if why == NO_CITY:
        return f'{why} Write for instance "In London".', offers.CITIES
    if why != error:
        return f"{why[0].upper()}{why[1:].removesuffix('.')}. {HELP}", ()
    return f"I could not find that out just now. {HELP}", ()


# A holiday ---------------------------------------------------------------------------------------


def _write_unknown(results: Results) -> tuple[str, Offers]:
    similar = results[SIMILAR].value_or([]) if SIMILAR in results else []
    if not similar:
        return f"I did not find a holiday in that. {HELP}", offers.EXAMPLES
    *first, last = similar
    names = f"{', '.join(first)} or {last}" if first else last
    text = f"I do not know that holiday. Did you mean {names}? {HELP}"
    return text, ((name, name) for name in similar)


def _write_holiday(
    results: Results, holiday: Holiday, dates: list[Occurrence], where: Where, today: datetime.date
) -> str:
    lines = [_headline(holiday, dates, where.place)]
    sunsets = {value.day: value for value in _values(results, SUNSET)}
    weekdays = {value.day: value.name for value in _values(results, WEEKDAY)}
    for date in dates:
        line = _date_line(holiday, date, weekdays.get(date.begins, ""), sunsets.get(date.begins))
        lines.append(f"{line} (past)" if date.last < today else line)
    lines += _remarks(holiday, results, where)
    return "\n".join(lines)


def _headline(holiday: Holiday, dates: list[Occurrence], place: Place | None) -> str:
    """The name, whose it is, and how long it is when that is more than a day."""
    days, elsewhere = dates[0].days, dates[0].days_elsewhere
    if dates[0].country_name:
        return f"{holiday.name} ({dates[0].country_name}):"
    if elsewhere and place is not None and place.country == jewish.ISRAEL:
        return f"{holiday.name}, {_count(days)} in Israel, {_count(elsewhere)} outside:"
    if elsewhere:
        return f"{holiday.name}, {_count(days)} outside Israel, {_count(elsewhere)} in Israel:"
    return f"{holiday.name}, {_count(days)}:" if days > 1 else f"{holiday.name}:"


def _count(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _date_line(holiday: Holiday, date: Occurrence, weekday: str, sunset: Sunset | None) -> str:
    day = f"{weekday} {_day(date.begins)}".strip()
    clock = f"sunset {sunset.at:%H:%M}" if sunset else ""
    if holiday.begins_at_sunset:
        line = f"evening of {day}"
        line += f", {clock}" if clock else ""
        line += f", to {_day(date.last)}"
    else:
        line = f"{day} to {_day(date.last)}" if date.days > 1 else day
        line += f", {clock}" if clock else ""
    return f"{date.first.year}: {line}" + (" (estimated)" if date.estimated else "")


def _day(date: datetime.date) -> str:
    return f"{date.day} {date:%B}"


def _remarks(holiday: Holiday, results: Results, where: Where) -> Iterator[str]:
    if holiday.begins_at_sunset:
        yield "It begins at sunset on the evening before its first day."
    if holiday.remark:
        yield holiday.remark
    if not results[PLACE].succeeded:
        yield "I do not know the place you named."
    shown = next((value.place for value in _values(results, SUNSET)), "")
    if not shown:
        return
    if where.place is None:
        yield f'Sunset times are for {shown}; name a city for yours, as in "{holiday.name} in London".'
    else:
        yield f"Sunset times are for {shown}{', as before' if where.remembered else ''}."


def _values(results: Results, kind: str) -> list[Any]:
    """The values of every call of a kind that has one, in order."""
    found = (outcome.value_or(None) for key, outcome in results.items() if key.startswith(f"{kind}-"))
    return [value for value in found if value is not None]
