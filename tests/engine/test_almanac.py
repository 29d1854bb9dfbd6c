"""The almanac as an assistant: its tools, and whole operations in the engine."""

import datetime
import subprocess
import sys

import pytest
import trio

from engine import (
    Answered,
    Context,
    MemoryStore,
    Message,
    OutboxRow,
    Superseded,
    User,
    open_engine,
)
from engine.assistants.almanac import make_almanac
from engine.assistants.almanac.values import Place
from engine.events import WaveStarted
from engine.tools import from_json_form, to_json_form

USER = User("15551234567")
TODAY = datetime.date(2025, 11, 20)


def test_every_tool_has_a_schema_and_can_be_called_again():
    """For a model to be shown; a call that a crash cut off is simply made again."""
    tools = make_almanac().tools
    assert sorted(tools) == [
        "find_dates",
        "find_holiday",
        "find_place",
        "find_similar_names",
        "find_sunset",
        "find_weekday",
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
    assert from_json_form(to_json_form(london), Place) == london


# In the engine ------------------------------------------------------------------------------------


async def test_a_change_of_mind_during_the_first_wave(autojump_clock):
    """P2, P3, P7, P9: wave 1 ends, wave 2 never starts, one acknowledgement, and London is remembered."""
    sent = []
    waves = []

    async def outbound(outgoing):
        if isinstance(outgoing, OutboxRow):
            sent.append(outgoing.text)
            if len(sent) == 2:
                both_sent.set()
        return ""

    def note(event):
        if isinstance(event, WaveStarted):
            waves.append((trio.current_time() - began, event.call_ids))

    fates = {}
    both_sent = trio.Event()
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
        await both_sent.wait()

    assert isinstance(fates["Check Hanukkah in London"], Superseded)
    assert isinstance(fates["Actually Passover"], Answered)
    assert waves == [
        (0, ("holiday", "place")),
        (1, ("holiday", "place")),
        (2, ("dates-2025", "dates-2026")),
        (3, ("sunset-2025", "weekday-2025", "sunset-2026", "weekday-2026")),
    ]
    assert sent == [
        "Switching!",
        "Passover, 8 days outside Israel, 7 days in Israel:\n"
        "2025: evening of Saturday 12 April, sunset 19:52, to 20 April (past)\n"
        "2026: evening of Wednesday 1 April, sunset 19:33, to 9 April\n"
        "It begins at sunset on the evening before its first day.\n"
        "Sunset times are for London, as before.",
    ]
