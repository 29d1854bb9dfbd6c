"""The almanac as an assistant: its tools, and whole operations in the engine."""

import datetime
import subprocess
import sys

import attrs
import pytest
import trio

from engine import (
    Answered,
    CallFinished,
    Context,
    Limits,
    MemoryStore,
    Message,
    OutboxRow,
    Superseded,
    User,
    open_engine,
)
from engine.assistants.almanac import make_almanac
from engine.assistants.almanac.values import Place, Where
from engine.events import WaveStarted
from engine.testing import open_conversation
from engine.tools import from_json_form, to_json_form

USER = User("15551234567")
TODAY = datetime.date(2025, 11, 20)


def test_every_tool_has_a_schema_and_can_be_called_again():
    """For a model to be shown; a call that a crash cut off is simply made again."""
    tools = make_almanac().tools
    assert sorted(tools) == [
        "add_workdays",
        "check_day",
        "count_workdays",
        "find_dates",
        "find_holiday",
        "find_long_weekends",
        "find_place",
        "find_public_holidays",
        "find_rest",
        "find_similar_names",
        "find_sun",
        "find_sunset",
        "find_tradition",
        "find_weekday",
        "write_holiday",
        "write_public",
        "write_rest",
        "write_weekends",
    ]
    for name, tool in tools.items():
        assert tool.idempotent
        assert tool.is_async
        assert tool.schema["name"] == name
        assert tool.schema["description"]
    assert tools["find_dates"].schema["parameters"]["required"] == ["holiday", "year"]


async def test_a_paced_call_takes_its_time_whatever_comes_of_it(autojump_clock):
    """So that people can change their mind; the timeout allows for it."""
    tools = make_almanac(pace_seconds=30).tools
    assert tools["find_weekday"].timeout > 30
    assert (await tools["find_weekday"](datetime.date(2026, 4, 5))).name == "Sunday"
    assert trio.current_time() == 30
    with pytest.raises(LookupError, match="no holiday by that name"):
        await tools["find_holiday"](text="hello", year=2026)
    assert trio.current_time() == 60


def test_today_is_asked_when_it_is_needed():
    """Importing and making the almanac looks at no clock."""

    def today():
        raise AssertionError

    make_almanac(today=today)


async def test_the_default_clock_is_the_real_one(autojump_clock):
    """This year and next, whatever year it is."""
    assistant = make_almanac()
    plan = await assistant.planner.plan(
        Message(id="m1", user=USER, text="Check Hanukkah"), Context(user=USER)
    )
    year = datetime.datetime.now(datetime.UTC).year
    assert plan.waves()[1][0].id in (f"dates-{year}", f"dates-{year - 1}")


def test_importing_the_almanac_loads_none_of_the_heavy_libraries():
    """Start-up is part of the experience."""
    program = (
        "import sys, engine.assistants.almanac as almanac; almanac.make_almanac();"
        "print([name for name in ('holidays', 'astral', 'pyluach', 'rapidfuzz') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_place_crosses_the_store_unchanged():
    """What a plan sees is what it would see after a restart."""
    london = Place(
        name="London",
        country="GB",
        country_name="United Kingdom",
        latitude=51.5,
        longitude=-0.1,
        timezone="Europe/London",
    )
    where = Where(place=london, remembered=True)
    assert from_json_form(to_json_form(where), Where) == where


def test_a_user_is_told_what_was_done_in_words():
    """ "Already done: finding the holiday, finding the place."; nobody reads `find_holiday` there."""
    titles = {name: tool.title for name, tool in make_almanac().tools.items()}
    assert titles == {
        "find_holiday": "finding the holiday",
        "find_place": "finding the place",
        "find_dates": "looking up the dates",
        "find_sunset": "working out the sunsets",
        "find_weekday": "working out the weekdays",
        "find_similar_names": "looking for similar names",
        "find_public_holidays": "looking up the public holidays",
        "find_tradition": "looking up the holidays",
        "check_day": "looking up the day",
        "count_workdays": "counting the workdays",
        "add_workdays": "counting the workdays",
        "find_sun": "working out the sun",
        "find_rest": "working out the candle lighting",
        "find_long_weekends": "looking for long weekends",
        "write_holiday": "writing a calendar file",
        "write_public": "writing a calendar file",
        "write_weekends": "writing a calendar file",
        "write_rest": "writing a calendar file",
    }


# In the engine ------------------------------------------------------------------------------------


async def test_a_change_of_mind_during_the_first_wave(autojump_clock):
    """P2, P3, P7, P9: wave 1 ends, wave 2 never starts, one acknowledgement, and London is remembered."""
    sent = []
    waves = []

    async def outbound(outgoing):
        if isinstance(outgoing, OutboxRow):
            sent.append(outgoing.text)
            if len(sent) == 3:
                all_sent.set()
        return ""

    def note(event):
        if isinstance(event, WaveStarted):
            waves.append((trio.current_time() - began, event.call_ids))

    fates = {}
    all_sent = trio.Event()
    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with (
        open_engine(
            assistant, store=MemoryStore(), outbound=outbound, acknowledgement="Switching!"
        ) as engine,
        trio.open_nursery() as nursery,
    ):
        engine.events.subscribe(note)
        began = trio.current_time()

        async def send(text):
            fates[text] = await engine.process_message(USER.id, text)

        nursery.start_soon(send, "Check Hanukkah in London")
        await trio.sleep(0.5)
        nursery.start_soon(send, "Actually Passover")
        await all_sent.wait()

    assert isinstance(fates["Check Hanukkah in London"], Superseded)
    assert isinstance(fates["Actually Passover"], Answered)
    assert waves == [
        (0, ("holiday", "place")),
        (1, ("holiday", "place")),
        (2, ("dates-2025", "dates-2026")),
        (3, ("sunset-2025", "weekday-2025", "sunset-2026", "weekday-2026", "calendar")),
    ]
    assert sent == [
        "Switching!",
        "Passover, 8 days outside Israel, 7 days in Israel:\n"
        "2025: evening of Saturday 12 April, sunset 19:52, to 20 April (past)\n"
        "2026: evening of Wednesday 1 April, sunset 19:33, to 9 April\n"
        "It begins at sunset on the evening before its first day.\n"
        "Sunset times are for London, as before.",
        "[document]",
    ]


FIRST_PLAN = (
    "holiday,place | dates-2025,dates-2026 | sunset-2025,weekday-2025,sunset-2026,weekday-2026,calendar"
)
SECOND_PLAN = (
    "holiday/2,place/2 | dates-2025/2,dates-2026/2"
    " | sunset-2025/2,weekday-2025/2,sunset-2026/2,weekday-2026/2,calendar/2"
)


# The message behind the answer, as texts have it.
CALENDAR_FILE = ("[document]", "[document]")


def lines_of(conversation):
    """What was sent, by the first line and the last of each; and the life of the operations without waves."""
    life = ("started", "planned", "merged", "superseded", "cancelled", "answered")
    sent = [text.splitlines() for text in conversation.outbound.texts]
    return [(lines[0], lines[-1]) for lines in sent], [
        entry for entry in conversation.trail.entries if entry[1] in life
    ]


@pytest.mark.parametrize("seconds", [0, 0.5, 1.5, 2.5])
async def test_a_follow_up_steers_the_question_under_way(seconds, autojump_clock):
    """Before its first wave and in each, the last included: the wave ends, and both are asked together."""
    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with open_conversation(assistant, policy="steer") as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(seconds)
        await conversation.send(("m2", "and in London?"))
        await trio.sleep(20)
    sent, life = lines_of(conversation)
    boundary = -(-seconds // 1)
    assert life == [
        (0, "started", "m1"),
        (0, "planned", FIRST_PLAN),
        (boundary, "merged", "m2"),
        (boundary, "planned", SECOND_PLAN),
        (boundary + 3, "answered", "m1"),
    ]
    assert sent == [("Hanukkah, 8 days:", "Sunset times are for London."), CALENDAR_FILE]


async def test_another_question_while_the_reply_is_made_is_the_one_that_is_answered(autojump_clock):
    """The reply to the first is cut; the place that it named still holds."""
    almanac = make_almanac(pace_seconds=1, today=lambda: TODAY)

    async def respond(message, results, context):
        await trio.sleep(5)
        return await almanac.responder(message, results, context)

    async with open_conversation(attrs.evolve(almanac, responder=respond), policy="steer") as conversation:
        await conversation.send(("m1", "Check Hanukkah in London"))
        await trio.sleep(4)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(20)
    sent, life = lines_of(conversation)
    assert life == [
        (0, "started", "m1"),
        (0, "planned", FIRST_PLAN),
        (4, "merged", "m2"),
        (4, "planned", SECOND_PLAN),
        (12, "answered", "m1"),
    ]
    assert sent == [
        ("Passover, 8 days outside Israel, 7 days in Israel:", "Sunset times are for London."),
        CALENDAR_FILE,
    ]


async def test_one_follow_up_after_the_other_steers(autojump_clock):
    """Each makes another question; the calls for none of them are mixed up."""
    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with open_conversation(assistant, policy="steer") as conversation:
        for number, text in enumerate(["Check Hanukkah", "in London", "no, Passover", "in Rome"]):
            await conversation.send((f"m{number}", text))
            await trio.sleep(1.5)
        await trio.sleep(20)
    sent, life = lines_of(conversation)
    assert [entry[1] for entry in life] == ["started", "planned", *["merged", "planned"] * 3, "answered"]
    assert sent == [
        ("Passover, 8 days outside Israel, 7 days in Israel:", "Sunset times are for Rome."),
        CALENDAR_FILE,
    ]


async def test_a_question_in_two_fragments_is_asked_once(autojump_clock):
    """Half a second of debounce: one operation, one answer, nobody is told of any switching."""
    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with open_conversation(assistant, limits=Limits(debounce_seconds=0.5)) as conversation:
        await conversation.send(("m1", "When is Hanukkah"))
        await trio.sleep(0.25)
        await conversation.send(("m2", "in London"))
        await trio.sleep(20)
    sent, life = lines_of(conversation)
    assert life == [
        (0.75, "started", "m2"),
        (0.75, "merged", "m1"),
        (0.75, "planned", SECOND_PLAN),
        (3.75, "answered", "m2"),
    ]
    assert sent == [("Hanukkah, 8 days:", "Sunset times are for London."), CALENDAR_FILE]


async def test_what_was_looked_up_before_a_change_of_mind_and_back_is_not_looked_up_again(autojump_clock):
    """The place is London's whether this question named it or the one before."""
    made = []

    def note(event):
        if isinstance(event, CallFinished) and event.reused:
            made.append((trio.current_time(), event.call_id))

    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with open_conversation(assistant) as conversation:
        conversation.engine.events.subscribe(note)
        await conversation.send(("m1", "Hanukkah in London"))
        await trio.sleep(1.5)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(1)
        await conversation.send(("m3", "no, Hanukkah"))
        await trio.sleep(20)
    sent, _ = lines_of(conversation)
    assert made == [(4, "dates-2025"), (4, "dates-2026")]
    assert sent[-2:] == [("Hanukkah, 8 days:", "Sunset times are for London, as before."), CALENDAR_FILE]


async def test_a_question_that_is_stopped_says_what_was_done(autojump_clock):
    """In the words of the tools' titles."""
    assistant = make_almanac(pace_seconds=1, today=lambda: TODAY)
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(1.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert conversation.outbound.texts == [
        "Stopped. Already done: finding the holiday, finding the place, looking up the dates (2x)."
    ]
