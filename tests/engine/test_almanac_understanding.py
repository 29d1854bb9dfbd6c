"""What the almanac understands: phrasings as people write them, from the table beside this file."""

import datetime
from pathlib import Path

import attrs
import pytest

from engine import Context, Message, Turn, User
from engine.assistants.almanac import catalogue, libraries, make_almanac
from engine.assistants.almanac.dates import find_days, find_month
from engine.assistants.almanac.planner import HOLIDAY, PLACE
from engine.assistants.almanac.questions import Kind
from engine.assistants.almanac.understanding import understand

TODAY = datetime.date(2026, 11, 26)
USER = User("15551234567")
TABLE = Path(__file__).with_name("almanac_phrasings.md")


@attrs.frozen
class Row:
    """One line of the table."""

    before: str
    question: str
    kind: str
    holiday: str
    place: str
    when: str


def rows():
    lines = TABLE.read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [Row(*row) for row in cells[2:]]


ROWS = rows()


def test_the_table_has_at_least_150_phrasings():
    """All different, and of every kind."""
    assert len({(row.before, row.question) for row in ROWS}) == len(ROWS) >= 150
    assert {row.kind for row in ROWS} == set(Kind)


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row.before} > {row.question}" if row.before else row.question
)
async def test_a_phrasing_is_understood(row, autojump_clock):
    """Its kind and days by the planner; its names by the calls that the plan makes for them."""
    await libraries.load()
    names = await catalogue.familiar_names(TODAY.year)
    earlier = [row.before] if row.before else []
    question = understand(row.question, TODAY, names, earlier=earlier)
    history = tuple(Turn(role="user", text=text, message_id="h", sequence=0) for text in earlier)
    message = Message(id="m", user=USER, text=row.question)
    assistant = make_almanac(today=lambda: TODAY)
    plan = await assistant.planner.plan(message, Context(user=USER, history=history, burst=(message,)))
    calls = {call.id: call for call in plan.calls}
    holiday = await name_of(assistant, calls.get(HOLIDAY)) if HOLIDAY in calls else ""
    place = await name_of(assistant, calls.get(PLACE)) if PLACE in calls else ""
    if question.kind is Kind.TRADITION:
        holiday = question.topic
    assert Row(row.before, row.question, question.kind, holiday, place, when(question)) == row


async def name_of(assistant, call):
    """What a call of the first wave finds, as the table says it."""
    try:
        found = await assistant.tools[call.tool](**call.args)
    except LookupError:
        return "?"
    if call.id == PLACE:
        return found.place.name if found.place else ""
    return found.name if found.tradition else f"{found.name} ({found.country})"


def when(question):
    days = " to ".join(str(day) for day in (question.day, question.last) if day)
    said = days or " ".join(map(str, question.years))
    return f"{said} {question.count:+d}".strip() if question.count else said


# Days ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("on 5 May", ["2027-05-05"]),
        ("May 5th, 2027", ["2027-05-05"]),
        ("the 5th of May", ["2027-05-05"]),
        ("26 November", ["2026-11-26"]),
        ("25 November", ["2027-11-25"]),
        ("29 February", ["2028-02-29"]),
        ("31 June", []),
        ("2027-02-30", []),
        ("3/4/2027", ["2027-04-03"]),
        ("12/31/2026", ["2026-12-31"]),
        ("5 mai", ["2027-05-05"]),
        ("3 de marzo", ["2027-03-03"]),
        ("15. April", ["2027-04-15"]),
        ("24 décembre 2026", ["2026-12-24"]),
        ("today", ["2026-11-26"]),
        ("the day after tomorrow", ["2026-11-28"]),
        ("yesterday", ["2026-11-25"]),
        ("in 3 weeks", ["2026-12-17"]),
        ("2 days ago", ["2026-11-24"]),
        ("Thursday", ["2026-11-26"]),
        ("this Friday", ["2026-11-27"]),
        ("next Friday", ["2026-12-04"]),
        ("this week", ["2026-11-23", "2026-11-29"]),
        ("next week", ["2026-11-30", "2026-12-06"]),
        ("demain", ["2026-11-27"]),
        ("from Monday to Friday", ["2026-11-30", "2026-12-04"]),
        ("from Friday to Monday", ["2026-11-27", "2026-11-30"]),
        ("last Friday", ["2026-11-20"]),
        ("Friday, 5 May 2028", ["2028-05-05"]),
        ("from 3 March to 15 April", ["2027-03-03", "2027-04-15"]),
        ("from 20 December to 6 January", ["2026-12-20", "2027-01-06"]),
        ("from 1 November to 31 December", ["2026-11-01", "2026-12-31"]),
        ("3-15 March", ["2027-03-03", "2027-03-15"]),
        ("from 3 March to 15 April 2030", ["2030-03-03", "2030-04-15"]),
        ("10 workdays after 3 March", ["2027-03-03"]),
        ("5 people", []),
        ("", []),
        ("9" * 5000, []),
    ],
)
def test_the_days_of_a_text_are_found(text, days):
    """Without a year the next to come; of two the first before the second."""
    assert [str(day) for day in find_days(text, TODAY).days] == days


def test_what_is_left_of_a_text_has_no_days_in_it():
    """So that "May" is no place, and "5" no year."""
    assert find_days("sunset in London on 5 May 2027, please", TODAY).rest == "sunset in London on , please"


def test_of_the_past_the_last_such_day_is_meant():
    """ "Was 5 May a holiday": the one before today."""
    assert find_days("5 May", TODAY, past=True).days == (datetime.date(2026, 5, 5),)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("in March", "2027-03-01", "2027-03-31"),
        ("in December", "2026-12-01", "2026-12-31"),
        ("february 2028", "2028-02-01", "2028-02-29"),
        ("next month", "2026-12-01", "2026-12-31"),
        ("this month", "2026-11-01", "2026-11-30"),
        ("last month", "2026-10-01", "2026-10-31"),
    ],
)
def test_a_month_is_its_first_to_its_last_day(text, first, last):
    """Without a year the next to come, this one included."""
    assert [str(day) for day in find_month(text, TODAY)] == [first, last]


def test_no_month_is_none():
    """A text may name none."""
    assert find_month("workdays in Poland", TODAY) is None
