"""The calendar file, read back with the library that reads calendars."""

import datetime
from zoneinfo import ZoneInfo

import attrs
import icalendar

from engine.assistants.almanac.calendar_file import calendar_file
from engine.assistants.almanac.facts import Moment, WholeDays

date = datetime.date
STAMP = datetime.datetime(2026, 1, 1, 12, 30, tzinfo=datetime.UTC)
PASSOVER = WholeDays(title="Passover", first=date(2026, 4, 2), last=date(2026, 4, 9))
CANDLES = Moment(
    title="Candle lighting",
    at=datetime.datetime(2026, 4, 1, 19, 2, tzinfo=ZoneInfo("America/New_York")),
    where="New York",
)


def read(*entries: WholeDays | Moment) -> list[icalendar.Event]:
    return icalendar.Calendar.from_ical(calendar_file(entries, STAMP)).walk("VEVENT")


def test_whole_days_end_with_the_first_day_that_is_not_in_them():
    """RFC 5545, 3.6.1: DTEND is exclusive; both are dates without a time."""
    (event,) = read(PASSOVER)
    assert event.decoded("dtstart") == date(2026, 4, 2)
    assert event.decoded("dtend") == date(2026, 4, 10)
    assert str(event["summary"]) == "Passover"


def test_the_file_says_who_made_it_and_when():
    """RFC 5545 requires PRODID, VERSION, and in each entry UID and DTSTAMP in UTC."""
    calendar = icalendar.Calendar.from_ical(calendar_file([PASSOVER], STAMP))
    assert (str(calendar["prodid"]), str(calendar["version"])) == ("-//Midstream//Almanac//EN", "2.0")
    (event,) = calendar.walk("VEVENT")
    assert event.decoded("dtstamp") == STAMP
    assert b"DTSTAMP:20260101T123000Z\r\n" in calendar_file([PASSOVER], STAMP)


def test_a_holiday_makes_nobody_busy():
    """Who takes it in can still be invited to something."""
    assert [str(event["transp"]) for event in read(PASSOVER, CANDLES)] == ["TRANSPARENT", "TRANSPARENT"]


def test_an_entry_keeps_its_id_whatever_is_said_of_it():
    """A second file must not double what the first one brought; another year's is another entry."""
    (first,) = read(PASSOVER)
    (again,) = read(attrs.evolve(PASSOVER, note="Eight days", remind_minutes=60))
    (other,) = read(attrs.evolve(PASSOVER, first=date(2027, 4, 22), last=date(2027, 4, 29)))
    assert first["uid"] == again["uid"]
    assert first["uid"] != other["uid"]


def test_a_moment_is_in_its_own_timezone_whose_rules_are_in_the_file():
    """It shows the right hour to someone elsewhere, by a program that knows no timezones."""
    content = calendar_file([CANDLES], STAMP)
    assert b"DTSTART;TZID=America/New_York:20260401T190200\r\n" in content
    calendar = icalendar.Calendar.from_ical(content)
    (event,) = calendar.walk("VEVENT")
    assert event.decoded("dtstart") == CANDLES.at
    assert str(event["location"]) == "New York"
    assert "dtend" not in event
    assert [zone["tzid"] for zone in calendar.walk("VTIMEZONE")] == ["America/New_York"]
    # The rules of some years, not of a century.
    assert len(content) < 2_000


def test_a_moment_may_have_a_length():
    """As a fast has."""
    (event,) = read(attrs.evolve(CANDLES, until=CANDLES.at + datetime.timedelta(hours=25)))
    assert event.decoded("dtend") == CANDLES.at + datetime.timedelta(hours=25)


def test_a_reminder_comes_before_the_entry_and_only_when_it_was_asked_for():
    """A phone that rings unasked is a reason to throw the file away."""
    (event,) = read(attrs.evolve(CANDLES, remind_minutes=45))
    (alarm,) = event.walk("VALARM")
    assert alarm.decoded("trigger") == datetime.timedelta(minutes=-45)
    assert read(CANDLES)[0].walk("VALARM") == []


def test_any_text_comes_through():
    """Commas, line breaks, other scripts, and lines longer than the 75 bytes after which they are folded."""
    title = "פסח, Pésach; " + "a long name " * 12
    (event,) = read(attrs.evolve(PASSOVER, title=title, note="first\nsecond, third"))
    assert str(event["summary"]) == title
    assert str(event["description"]) == "first\nsecond, third"
    lines = calendar_file([attrs.evolve(PASSOVER, title=title)], STAMP).split(b"\r\n")
    assert max(len(line) for line in lines) <= 75
