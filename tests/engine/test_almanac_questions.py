"""What the almanac answers to all but holidays' dates: plans, words, buttons, calendar files."""

import datetime

import pytest
from icalendar import Calendar
from test_almanac_answers import ask

from engine import Button, ButtonsBody, Message, Results, Status, TextBody, User
from engine.assistants.almanac.facts import PublicHoliday
from engine.assistants.almanac.offers import asked_by, buttons
from engine.assistants.almanac.reply import HELP, make_reply
from engine.assistants.almanac.values import PublicHolidays
from engine.content import ButtonReply

TODAY = datetime.date(2026, 11, 26)


async def reply_to(text, **more):
    return await ask(text, today=TODAY, **more)


def titles(answer):
    return [button.title for button in answer.offered]


async def test_the_next_public_holidays_of_a_part_of_a_country(autojump_clock):
    """Place, holidays, calendar file: three waves."""
    answer = await reply_to("next bank holiday in Scotland")
    assert answer.plans == [[["place"], ["answer"], ["calendar"]]]
    assert answer.reply.splitlines() == [
        "Next public holidays in Scotland:",
        "Mon 30 November 2026: Saint Andrew's Day",
        "Fri 25 December 2026: Christmas Day",
        "Sat 26 December 2026: Boxing Day",
        "Mon 28 December 2026: Boxing Day (observed)",
        "Fri 1 January 2027: New Year's Day",
    ]
    assert titles(answer) == ["All of 2027", "Long weekends", "Workdays left"]
    assert answer.file.name == "Public holidays Scotland.ics"


async def test_the_public_holidays_of_a_month_or_from_one_day_to_another(autojump_clock):
    """Those and no others; when there is none, that is said, and there is no file."""
    answer = await reply_to("bank holidays in England between 1 April and 31 May")
    assert answer.plans == [[["place"], ["answer"], ["calendar"]]]
    assert answer.reply.splitlines() == [
        "Public holidays in England from Thursday 1 April 2027 to Monday 31 May 2027:",
        "Mon 3 May 2027: May Day",
        "Mon 31 May 2027: Spring Bank Holiday",
    ]
    assert answer.file.name == "Public holidays England.ics"
    answer = await reply_to("public holidays in February 2027 in England")
    assert answer.reply == (
        "No public holiday in England from Monday 1 February 2027 to Sunday 28 February 2027."
    )
    assert titles(answer) == ["All of 2027", "Long weekends", "Workdays left"]
    assert answer.file is None


async def test_the_long_weekends_of_a_month_or_of_what_is_left_of_the_year(autojump_clock):
    """Those and no others; when there is none, nobody looks at the next year instead."""
    answer = await reply_to("any long weekends left this year in Poland")
    assert answer.reply.splitlines() == [
        "Long weekends in Poland from Thursday 26 November 2026 to Thursday 31 December 2026:",
        "Thu 24 December to Sun 27 December, 4 days: Christmas Eve, Christmas Day",
    ]
    answer = await ask("long weekends in England in December", today=datetime.date(2027, 11, 1))
    assert answer.reply.splitlines()[0] == (
        "Long weekends in England from Wednesday 1 December 2027 to Friday 31 December 2027:"
    )
    answer = await reply_to("long weekends in England in December 2026")
    assert len(answer.plans) == 1
    empty = await ask("long weekends in France in October", today=datetime.date(2026, 9, 1))
    assert empty.reply == (
        "No long weekends in France from Thursday 1 October 2026 to Saturday 31 October 2026."
    )
    assert len(empty.plans) == 1


async def test_a_city_that_is_a_state_has_its_holidays_and_its_sun(autojump_clock):
    """Women's Day is Berlin's own; and nobody is asked to name a city in Hamburg."""
    answer = await reply_to("public holidays in Berlin in March 2027")
    assert answer.reply.splitlines()[1:] == [
        "Mon 8 March 2027: Women's Day",
        "Fri 26 March 2027: Good Friday",
        "Mon 29 March 2027: Easter Monday",
    ]
    answer = await reply_to("sunset in Hamburg tomorrow")
    assert answer.reply.splitlines()[:2] == [
        "The sun in Hamburg on Friday 27 November 2026:",
        "sunrise 08:07, sunset 16:08",
    ]


async def test_workdays_between_two_days(autojump_clock):
    """With what was left out."""
    answer = await reply_to("how many working days are there from 3 March to 15 April in Poland")
    assert answer.reply.splitlines() == [
        "31 workdays in Poland from Wednesday 3 March 2027 to Thursday 15 April 2027, both included.",
        "Of the 44 days, 12 weekend days and 1 public holiday are off.",
        "Mon 29 March: Easter Monday",
    ]
    assert answer.file is None


async def test_workdays_until_a_holiday(autojump_clock):
    """Its day is found by a call of the first wave."""
    answer = await reply_to("business days until Christmas in Canada")
    assert answer.plans == [[["holiday", "place"], ["answer"]]]
    assert answer.reply.startswith(
        "21 workdays in Canada from Thursday 26 November 2026 to Friday 25 December"
    )


async def test_the_day_some_workdays_away(autojump_clock):
    """And before."""
    assert (await reply_to("10 working days after 3 March in Germany")).reply == (
        "10 workdays after Wednesday 3 March 2027 in Germany: Wednesday 17 March 2027."
    )
    assert (await reply_to("5 business days before 24 December 2026 in Israel")).reply == (
        "5 workdays before Thursday 24 December 2026 in Israel: Thursday 17 December 2026."
    )


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (
            "is 3 May a holiday in Poland?",
            "Monday 3 May 2027 is a public holiday in Poland: National Day of the Third of May.",
        ),
        (
            "is tomorrow a working day in Spain",
            "Friday 27 November 2026 is a workday in Spain: no public holiday and no weekend.",
        ),
        (
            "are banks open on 26 December in England",
            "Saturday 26 December 2026 is a public holiday in England: Boxing Day, and a day of the weekend.",
        ),
        (
            "is 28 November a holiday in Sweden",
            "Saturday 28 November 2026 is a day of the weekend in Sweden, and no public holiday.",
        ),
        (
            "is Christmas a public holiday in Japan",
            "Christmas Day is on Friday 25 December 2026, which is a workday in Japan: no public holiday and"
            " no weekend.",
        ),
    ],
)
async def test_what_a_day_is(text, reply, autojump_clock):
    """Public holiday, weekend or workday."""
    assert (await reply_to(text)).reply == reply


async def test_the_sun_of_a_day(autojump_clock):
    """Each time, and how long the day is."""
    answer = await reply_to("sunset in London on 5 May")
    lines = answer.reply.splitlines()
    assert lines[0] == "The sun in London on Wednesday 5 May 2027:"
    assert [line.split()[0] for line in lines[1:]] == ["sunrise", "day", "civil", "nautical", "astronomical"]
    assert titles(answer) == ["On 21 June", "On 21 December", "Shabbat times"]


async def test_the_sun_that_neither_rises_nor_sets(autojump_clock):
    """Said, and no time made up."""
    winter = (await reply_to("sun in Tromso on 21 December")).reply.splitlines()
    assert winter[1] == "It does not rise."
    assert winter[2].startswith("civil twilight from ")
    assert (await reply_to("sun in Tromso on 21 June")).reply.splitlines()[1:] == ["It does not set."]


async def test_the_sun_on_a_holiday_where_it_is_at_home(autojump_clock):
    """Who names no city is shown that of the holiday; a region has none."""
    answer = await reply_to("and the sunset?", history=["Check Hanukkah"])
    assert answer.reply.startswith("The sun in Jerusalem on Saturday 5 December 2026:")
    assert (await reply_to("sunset in California")).reply.startswith(
        "California is large: name a city in it."
    )


async def test_candles_for_a_sabbath_and_for_a_festival_that_joins_one(autojump_clock):
    """Each evening with its time; the file has the moments."""
    answer = await reply_to("candle lighting for Passover in London")
    lines = answer.reply.splitlines()
    assert lines[0] == "Passover and Sabbath in London:"
    assert [line.rsplit(",", 1)[0] for line in lines[1:5]] == [
        "candle lighting Wednesday 21 April 2027",
        "candle lighting Thursday 22 April 2027",
        "candle lighting Friday 23 April 2027",
        "havdalah Saturday 24 April 2027",
    ]
    events = Calendar.from_ical(answer.file.content).walk("VEVENT")
    assert [str(event["summary"]) for event in events] == [
        "Candle lighting: Passover",
        "Candle lighting: Passover",
        "Candle lighting: Sabbath",
        "Havdalah",
    ]


async def test_on_a_sabbath_candles_are_those_of_the_next_and_havdalah_is_that_evening(autojump_clock):
    """Saturday 28 November 2026."""
    saturday = datetime.date(2026, 11, 28)
    lights = await ask("when do I light candles in London", today=saturday)
    assert lights.reply.splitlines()[1].startswith("candle lighting Friday 4 December 2026")
    ends = await ask("when does Shabbat end in London", today=saturday)
    assert ends.reply.splitlines()[2].startswith("havdalah Saturday 28 November 2026")


async def test_a_holiday_for_which_no_candles_are_lit(autojump_clock):
    """Said plainly."""
    reply = (await reply_to("candle lighting for Easter in London")).reply
    assert reply.startswith("I know candle lighting for the Sabbath and Jewish festivals, not Easter Sunday.")
    reply = (await reply_to("candle lighting for Purim in London")).reply
    assert reply.startswith("Purim is no day of rest for which candles are lit.")


async def test_long_weekends_and_the_days_off_that_make_more(autojump_clock):
    """A file of those that need none."""
    answer = await reply_to("long weekends in Germany 2027")
    assert answer.reply.splitlines() == [
        "Long weekends in Germany 2027:",
        "Fri 1 January to Sun 3 January, 3 days: New Year's Day",
        "Fri 26 March to Mon 29 March, 4 days: Good Friday, Easter Monday",
        "Sat 15 May to Mon 17 May, 3 days: Pentecost Monday",
        "With one day off:",
        "Thu 6 May to Sun 9 May, 4 days: Ascension Day (off: Fri 7 May)",
    ]
    assert answer.file.name == "Long weekends Germany 2027.ics"


async def test_no_long_weekend_to_come_makes_it_look_at_the_next_year(autojump_clock):
    """The first plan finds only what is past."""
    answer = await ask("long weekends in Germany", today=datetime.date(2027, 12, 28))
    assert answer.plans == [[["place"], ["answer"], ["calendar"]], [["answer-next"], ["calendar-next"]]]
    assert answer.reply.startswith("Long weekends in Germany 2028:")
    named = await ask("long weekends in Germany 2027", today=datetime.date(2027, 12, 28))
    assert len(named.plans) == 1


async def test_the_holidays_of_a_tradition(autojump_clock):
    """Of a year or the next ones."""
    assert (await reply_to("orthodox holidays next year")).reply.splitlines() == [
        "Orthodox holidays 2027:",
        "Thu 7 January: Orthodox Christmas Day",
        "Sun 25 April: Orthodox Palm Sunday",
        "Fri 30 April: Orthodox Good Friday",
        "Sun 2 May: Orthodox Easter",
        "Sun 20 June: Orthodox Pentecost",
    ]
    lines = (await reply_to("next jewish holidays")).reply.splitlines()
    assert lines[:2] == ["Next Jewish holidays:", "Sat 5 December to Sat 12 December 2026: Hanukkah"]
    assert len(lines) == 10


@pytest.mark.parametrize(
    ("text", "reply", "offered"),
    [
        (
            "next bank holiday",
            'For which country? Write for instance "In Scotland".',
            ["In the US", "In Scotland"],
        ),
        ("sunset", 'For which city? Write for instance "In London".', ["In London", "In New York"]),
    ],
)
async def test_a_question_without_a_place_is_asked_back(text, reply, offered, autojump_clock):
    """And the place alone then is the answer: the question is remembered."""
    answer = await reply_to(text)
    assert answer.reply == reply
    assert titles(answer)[:2] == offered
    tapped = await reply_to(offered[-1], history=[text])
    assert tapped.results["answer"].succeeded


async def test_a_follow_up_takes_what_it_does_not_name_from_before(autojump_clock):
    """P7: kind, days and years."""
    answer = await reply_to("and in Germany?", history=["workdays from 3 March to 15 April in Poland"])
    assert answer.reply.startswith("30 workdays in Germany from Wednesday 3 March 2027 to Thursday 15 April")
    answer = await reply_to("and next year?", history=["bank holidays in Scotland"])
    assert answer.reply.startswith("Public holidays in Scotland 2027:")


async def test_a_place_or_a_year_nobody_knows_is_said(autojump_clock):
    """With what can be asked."""
    assert (await reply_to("public holidays in Xyzzy")).reply == f"I do not know the place you named. {HELP}"
    reply = (await reply_to("public holidays in Poland 2199")).reply
    assert reply == f"The public holidays of Poland are on record from 1925 to 2100 only. {HELP}"


async def test_a_call_that_timed_out_is_owned_up_to(autojump_clock):
    """The library is not blamed for what it was not asked."""
    answer = await reply_to("sunset in London", fails=("answer",))
    assert answer.reply == f"I could not find that out just now. {HELP}"


# Buttons and files --------------------------------------------------------------------------------

ASKED = [
    "Check Hanukkah",
    "Check Hanukkah in London",
    "Thanksgiving",
    "Diwali in Mumbai",
    "next bank holiday in Scotland",
    "public holidays in Bavaria 2027",
    "workdays in March 2027 in France",
    "10 working days after 3 March in Germany",
    "is 5 May a holiday in the Netherlands?",
    "sunset in London on 5 May",
    "Shabbat times London",
    "long weekends in Germany 2027",
    "jewish holidays 2027",
    "When is Bostille Weekk?",
    "hello",
]


@pytest.mark.parametrize("text", ASKED)
async def test_every_button_asks_a_question_that_is_answered(text, autojump_clock):
    """At most three, none of which leads to "I did not find"."""
    first = await reply_to(text)
    assert 1 <= len(first.offered) <= 3
    for button in first.offered:
        question = button.id.removeprefix("ask:")
        answer = await reply_to(question, history=[text])
        assert answer.plans[0], question
        failed = {
            name: outcome.error for name, outcome in answer.results.items() if outcome.status is Status.FAILED
        }
        assert not failed, question
        assert HELP not in answer.reply


def test_a_tapped_button_is_the_question_behind_it():
    """Its title is short; its id has the question.  Another assistant's button is its title."""
    user = User("15551234567")
    (offered,) = buttons([("In 2028", "Passover in 2028 in London")])
    tapped = Message(
        id="m1", user=user, text="In 2028", content=ButtonReply(id=offered.id, title=offered.title)
    )
    assert asked_by(tapped) == "Passover in 2028 in London"
    other = Message(id="m2", user=user, text="Yes", content=ButtonReply(id="yes", title="Yes"))
    assert asked_by(other) == "Yes"


def test_buttons_keep_within_whatsapps_bounds():
    """Three, of 20 characters, all different."""
    made = buttons(
        [("A title that is much too long", "one"), ("B", "x" * 400), ("B", "three"), ("C", "four"), ("D", "")]
    )
    assert [button.title for button in made] == ["A title that is muc…", "B", "C"]
    assert all(isinstance(button, Button) and len(button.id) <= 256 for button in made)


async def test_a_holidays_file_has_its_dates_to_come(autojump_clock):
    """Whole days, the end exclusive as calendars have it; none for what is past."""
    answer = await reply_to("Passover 2026 2027")
    (event,) = Calendar.from_ical(answer.file.content).walk("VEVENT")
    assert answer.file.name == "Passover.ics"
    assert answer.file.mime_type == "text/plain"
    assert str(event["summary"]) == "Passover"
    assert event.decoded("dtstart") == datetime.date(2027, 4, 22)
    assert event.decoded("dtend") == datetime.date(2027, 4, 30)
    assert (await reply_to("Passover 2026")).file is None


async def test_a_long_text_has_its_buttons_under_another(autojump_clock):
    """A message with buttons may have 1,024 characters."""
    answer = await reply_to("public holidays in Poland 2027")
    days = tuple(PublicHoliday(day=TODAY, name=f"Holiday number {number}") for number in range(40))
    many = answer.results["answer"].with_value(PublicHolidays(year=2027, holidays=days))
    text, under, *_ = make_reply(Results({**answer.results, "answer": many}), TODAY)
    assert isinstance(text.body, TextBody)
    assert len(text.body.text) > 1024
    assert isinstance(under.body, ButtonsBody)
    assert under.body.text == "What next?"
