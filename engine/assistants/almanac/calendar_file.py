"""Writes a calendar file (iCalendar, RFC 5545) that phones and desks can take in, with `icalendar`."""

import datetime
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from engine.assistants.almanac.facts import Moment, WholeDays

if TYPE_CHECKING:
    from icalendar import Event

# What made the file; the form is that of RFC 5545, 3.7.3.
_PRODUCT: Final = "-//Midstream//Almanac//EN"
# The root of the entries' ids; drawn once by uuid4.
_ROOT: Final = uuid.UUID("6f0d5f0e-6b3c-4e0e-9d57-2f6f3f1d8a44")


def calendar_file(entries: Iterable[WholeDays | Moment], stamp: datetime.datetime) -> bytes:
    """The file's content, UTF-8.

    `stamp`: when it is made, in UTC.  An entry keeps its id from file to file, so that who takes in a second
    one has no entry twice.  No entry makes its time busy.
    """
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    entries = list(entries)
    for entry in entries:
        calendar.add_component(_event(entry, stamp))
    if moments := [entry.at for entry in entries if isinstance(entry, Moment)]:
        # The rules of each timezone that is named, for not every program has them: in the years around the
        # entries only, since those of a century are longer than all the rest.
        calendar.add_missing_timezones(
            datetime.date(min(moments).year - 1, 1, 1), datetime.date(max(moments).year + 2, 1, 1)
        )
    return bytes(calendar.to_ical())


def _event(entry: WholeDays | Moment, stamp: datetime.datetime) -> "Event":
    from icalendar import Event

    event = Event()
    event.add("uid", _id(entry))
    event.add("dtstamp", stamp)
    event.add("summary", entry.title)
    if isinstance(entry, WholeDays):
        event.add("dtstart", entry.first)
        # The end of an entry is the first day that is not in it (RFC 5545, 3.6.1).
        event.add("dtend", entry.last + datetime.timedelta(days=1))
    else:
        event.add("dtstart", entry.at)
        if entry.until is not None:
            event.add("dtend", entry.until)
    if entry.note:
        event.add("description", entry.note)
    if entry.where:
        event.add("location", entry.where)
    event.add("transp", "TRANSPARENT")
    if entry.remind_minutes is not None:
        _remind(event, entry.title, entry.remind_minutes)
    return event


def _remind(event: "Event", title: str, minutes: int) -> None:
    from icalendar import Alarm

    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", title)
    alarm.add("trigger", datetime.timedelta(minutes=-minutes))
    event.add_component(alarm)


def _id(entry: WholeDays | Moment) -> str:
    """The same for the same title, place and time, whatever the note says."""
    when = entry.first if isinstance(entry, WholeDays) else entry.at
    return f"{uuid.uuid5(_ROOT, f'{entry.title}|{entry.where}|{when.isoformat()}')}@midstream"
