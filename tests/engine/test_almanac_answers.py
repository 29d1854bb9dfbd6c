"""What the almanac plans for a question, wave by wave, and what it answers."""

import datetime

import attrs
import pytest

from engine import (
    Button,
    ButtonsBody,
    Context,
    DocumentBody,
    Inline,
    Message,
    Outcome,
    Results,
    Status,
    SupersededRequest,
    ToolContext,
    Turn,
    User,
)
from engine.assistants.almanac import make_almanac
from engine.assistants.almanac.reply import HELP
from engine.assistants.almanac.values import Where
from engine.plan import accept, blocked_by, resolve, waves
from engine.tools import from_json_form, to_json_form

USER = User("15551234567")
TODAY = datetime.date(2025, 11, 20)
FIRST_PLAN = [
    ["holiday", "place"],
    ["dates-2025", "dates-2026"],
    ["sunset-2025", "weekday-2025", "sunset-2026", "weekday-2026", "calendar"],
]


@attrs.frozen
class Answer:
    """What one operation came to: the calls of each wave, plan by plan; the outcomes; the reply.

    `reply`: its words; `offered`: the buttons under them; `file`: the calendar file that is sent with it.
    """

    plans: list[list[list[str]]]
    results: Results
    reply: str = ""
    offered: tuple[Button, ...] = ()
    file: Inline | None = None


def message(text):
    return Message(id="m1", user=USER, text=text)


async def outcome_of(call, assistant, outcomes):
    """One call as the engine makes it: values cross as JSON, what raises is an outcome."""
    tool = assistant.tools[call.tool]
    if why := blocked_by(call, outcomes):
        return Outcome(call_id=call.id, tool=tool.name, status=Status.SKIPPED, error=why)
    try:
        arguments = tool.arguments(resolve(call.args, outcomes), ToolContext(user=USER, idempotency_key="k"))
        raw = to_json_form(await tool.function(**arguments), tool.returns)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return Outcome(call_id=call.id, tool=tool.name, status=Status.FAILED, error=text)
    value = from_json_form(raw, tool.returns)
    return Outcome(call_id=call.id, tool=tool.name, status=Status.SUCCEEDED, raw=raw).with_value(value)


async def ask(text, *, before=(), today=TODAY, history=(), superseded=(), waves_max=None, fails=()):
    """Run a whole operation for one text, or only its first waves.

    `before`: the texts before it in its burst; `fails`: calls that time out.
    """
    assistant = make_almanac(today=lambda: today)
    turns = tuple(
        Turn(role="user", text=turn, message_id=f"h{index}", sequence=index)
        for index, turn in enumerate(history)
    )
    burst = tuple(message(each) for each in (*before, text))
    context = Context(user=USER, history=turns, superseded=superseded, burst=burst)
    outcomes = {}
    plans = []
    plan = await assistant.planner.plan(message(text), context)
    while plan is not None:
        calls = accept(plan, known=outcomes, tools=assistant.tools, calls_max=200)
        plans.append([[call.id for call in wave] for wave in waves(calls)])
        for wave in waves(calls)[:waves_max]:
            for call in wave:
                outcomes[call.id] = (
                    Outcome(call_id=call.id, tool=call.tool, status=Status.TIMED_OUT)
                    if call.id in fails
                    else await outcome_of(call, assistant, outcomes)
                )
        if waves_max is not None:
            return Answer(plans, Results(outcomes))
        plan = await assistant.planner.adapt(message(text), Results(outcomes), context)
    results = Results(outcomes)
    replies = await assistant.responder(message(text), results, context)
    first, *more = [reply.body for reply in replies]
    offered = next((body.buttons for body in (first, *more) if isinstance(body, ButtonsBody)), ())
    file = next((body.source for body in more if isinstance(body, DocumentBody)), None)
    return Answer(plans, results, first.text, offered, file)


async def superseded_by_next(text, waves_max):
    answer = await ask(text, waves_max=waves_max)
    return SupersededRequest(message=message(text), results=answer.results)


# Plans --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Check Hanukkah", "Actually Passover", "When is Easter in Rome?", "Thanksgiving in Canada"]
)
async def test_a_question_takes_exactly_three_waves(text, autojump_clock):
    """Which holiday and where; its dates this and next year; sunset and weekday of each."""
    answer = await ask(text)
    assert answer.plans == [FIRST_PLAN]
    assert {outcome.status for outcome in answer.results.values()} == {Status.SUCCEEDED}


async def test_a_year_that_is_named_takes_the_place_of_this_and_next(autojump_clock):
    """One call a year still; nobody looks further than was asked."""
    answer = await ask("Easter 2027 and 2030")
    assert answer.plans[0][1] == ["dates-2027", "dates-2030"]
    assert answer.reply.splitlines()[1:3] == [
        "2027: Sunday 28 March, sunset 19:31",
        "2030: Sunday 21 April, sunset 19:58",
    ]


async def test_an_unknown_holiday_is_answered_with_the_closest_names(autojump_clock):
    """The first plan finds nothing: the next one looks for names like it, in all the world, once."""
    answer = await ask("When is Bostille Weekk?")
    assert answer.plans == [FIRST_PLAN, [["similar"]]]
    assert answer.results["holiday"].status is Status.FAILED
    assert {answer.results[call].status for wave in FIRST_PLAN[1:] for call in wave} == {Status.SKIPPED}
    assert answer.reply == f"I do not know that holiday. Did you mean Bastille Day in France? {HELP}"


@pytest.mark.parametrize("text", ["hello", "What can you do?", "👍", ""])
async def test_a_text_that_names_nothing_is_told_what_it_could_ask(text, autojump_clock):
    """At once, with examples, three of them to tap."""
    answer = await ask(text)
    assert answer.plans == [[]]
    assert answer.reply == HELP
    assert "Check Hanukkah in London" in HELP
    assert [button.title for button in answer.offered] == [
        "Check Hanukkah",
        "Scotland's holidays",
        "Sun in London",
    ]


async def test_no_date_to_come_makes_it_look_further(autojump_clock):
    """10 Tevet: past in 2026, none in 2027; five more years are tried, once."""
    answer = await ask("10 Tevet", today=datetime.date(2026, 12, 25))
    years = range(2028, 2033)
    assert answer.plans[1] == [
        [f"dates-{year}" for year in years],
        [*(f"{kind}-{year}" for year in years for kind in ("sunset", "weekday")), "calendar-2028"],
    ]
    assert answer.reply.splitlines()[1:3] == [
        "2026: Sunday 20 December, sunset 16:39 (past)",
        "2028: Sunday 9 January, sunset 16:52",
    ]


async def test_it_looks_further_only_once(autojump_clock):
    """The library ends with 2100: after its Christmas there is no other, however far one looks."""
    answer = await ask("Christmas", today=datetime.date(2100, 12, 30))
    assert [plan[0][:1] for plan in answer.plans] == [["holiday"], ["dates-2102"]]
    assert answer.reply.splitlines()[1:-1] == ["2100: Saturday 25 December, sunset 16:44 (past)"]


async def test_a_holiday_that_comes_twice_in_a_year_is_shown_twice(autojump_clock):
    """The first plan knew of one date a year; the second date gets its own sunset and weekday."""
    answer = await ask("10 Tevet")
    assert answer.plans == [FIRST_PLAN, [["sunset-2025-2", "weekday-2025-2"]]]
    assert answer.reply.splitlines()[1:4] == [
        "2025: Friday 10 January, sunset 16:54 (past)",
        "2025: Tuesday 30 December, sunset 16:45",
        "2026: Sunday 20 December, sunset 16:39",
    ]


async def test_a_year_out_of_range_finds_no_date(autojump_clock):
    """The library's tables end somewhere; the reply says so instead of inventing one."""
    answer = await ask("Juneteenth 1950")
    assert answer.plans == [
        [["holiday", "place"], ["dates-1950"], ["sunset-1950", "weekday-1950", "calendar"]]
    ]
    assert answer.reply.startswith(
        ("I know Juneteenth, but no date of it in the years I looked at.", "I did not")
    )


# What is known from before ------------------------------------------------------------------------


async def test_a_change_of_mind_keeps_the_place_that_was_found(autojump_clock):
    """P7: "Actually Passover" after "Check Hanukkah in London": the finished first wave is used."""
    before = await superseded_by_next("Check Hanukkah in London", waves_max=1)
    answer = await ask("Actually Passover", superseded=[before])
    where = answer.results["place"].value
    assert (where.place.name, where.remembered) == ("London", True)
    assert answer.reply.splitlines()[-1] == "Sunset times are for London, as before."


async def test_the_place_comes_from_the_conversation_when_no_result_has_it(autojump_clock):
    """Interrupted before its first wave, or answered before: the text itself is still there."""
    answer = await ask(
        "Actually Passover", history=["When is Easter in Rome?", "Check Hanukkah in London", "ok"]
    )
    assert answer.results["place"].value.place.name == "London"


async def test_a_new_place_counts_more_than_a_remembered_one(autojump_clock):
    """What is asked now wins."""
    before = await superseded_by_next("Check Hanukkah in London", waves_max=1)
    answer = await ask("Actually Passover in Jerusalem", superseded=[before])
    assert answer.reply.splitlines()[0] == "Passover, 7 days in Israel, 8 days outside:"
    assert answer.reply.splitlines()[-1] == "Sunset times are for Jerusalem."


@pytest.mark.parametrize("waves_max", [0, 1])
async def test_a_place_alone_asks_for_the_same_holiday_there(waves_max, autojump_clock):
    """ "And in New York?": the holiday comes from the finished wave, or from the text before."""
    before = await superseded_by_next("Check Hanukkah in London", waves_max=waves_max)
    answer = await ask("and in New York?", history=["Check Hanukkah in London"], superseded=[before])
    assert answer.results["holiday"].value.name == "Hanukkah"
    assert answer.results["place"].value == (await ask("Hanukkah in New York")).results["place"].value


async def test_what_was_asked_last_counts_more_than_what_an_older_request_found(autojump_clock):
    """Hanukkah in London was interrupted, Passover in Rome answered: "and next year?" is of the latter."""
    before = await superseded_by_next("Check Hanukkah in London", waves_max=1)
    history = ["Check Hanukkah in London", "Passover in Rome"]
    answer = await ask("and next year?", history=history, superseded=[before])
    assert answer.results["holiday"].value.name == "Passover"
    assert answer.results["place"].value.place.name == "Rome"


async def test_a_place_alone_with_nothing_before_asks_for_its_public_holidays(autojump_clock):
    """There is nothing to follow up."""
    answer = await ask("and in New York?", history=["hello"])
    assert answer.reply.startswith("Next public holidays in the United States:")


async def test_a_remembered_country_decides_whose_holiday_is_meant(autojump_clock):
    """Thanksgiving after a question about Canada is in October, whether text or finished wave says Canada."""
    before = await superseded_by_next("Canada Day in Canada", waves_max=1)
    by_result = await ask("Actually Thanksgiving", superseded=[before])
    by_text = await ask("Actually Thanksgiving", history=["Canada Day in Canada"])
    assert by_text.reply == by_result.reply
    assert by_text.reply.splitlines()[:2] == [
        "Thanksgiving Day (Canada):",
        "2025: Monday 13 October, sunset 18:20 (past)",
    ]


async def test_a_value_of_another_shape_is_not_used(autojump_clock):
    """A result that an older version of the program recorded is passed over, not stumbled upon."""
    old = Outcome(call_id="place", tool="find_place", status=Status.SUCCEEDED, raw="London").with_value(
        "London"
    )
    request = SupersededRequest(message=message("Check Hanukkah in London"), results=Results({"place": old}))
    assert (await ask("Actually Passover", superseded=[request])).results["place"].value == Where()


# Several messages ---------------------------------------------------------------------------------

NUMBERED_PLAN = [[f"{call}/2" for call in wave] for wave in FIRST_PLAN]


@pytest.mark.parametrize(
    ("fragments", "whole"),
    [
        (["When is Hanukkah", "in London"], "When is Hanukkah in London"),
        (["Check", "Hanukkah"], "Hanukkah"),
        (["in London", "Hanukkah"], "Hanukkah in London"),
        (["Hanukkah in New", "York"], "Hanukkah in New York"),
        (["Hanukkah", "2027", "in Rome"], "Hanukkah 2027 in Rome"),
        (["Hanukkah 2026", "no, 2027"], "Hanukkah 2027"),
        (["Check Hanukkah in London", "thank you!"], "Check Hanukkah in London"),
        (["Check Hanukkah in London", "no, Passover"], "Passover in London"),
        (["Hanukkah in London", "Easter in Rome"], "Easter in Rome"),
        (["Hanukkah in London", "pasover in Rome"], "Passover in Rome"),
        (["in Canada", "Thanksgiving"], "Thanksgiving in Canada"),
        (["Hanukkah in London", "Passover in Xyzzy"], "Passover in Xyzzy"),
        (["Bostille", "Weekk"], "Bostille Weekk"),
        (["hello", "you there?"], "hello"),
    ],
)
async def test_fragments_are_understood_as_the_question_that_they_make(fragments, whole, autojump_clock):
    """What the newest names counts; what it does not, it names together with those before it."""
    *before, newest = fragments
    assert (await ask(newest, before=before)).reply == (await ask(whole)).reply


async def test_the_calls_for_several_messages_have_their_number(autojump_clock):
    """So that a planner which keeps nothing knows, later on, what has been planned for how many."""
    assert (await ask("in London", before=["When is Hanukkah"])).plans == [NUMBERED_PLAN]


async def test_fragments_may_follow_up_as_well(autojump_clock):
    """ "and", "in Rome?": the holiday is the one asked for before them."""
    by_text = await ask("in Rome?", before=["and"], history=["Check Hanukkah"])
    assert by_text.reply == (await ask("Hanukkah in Rome")).reply
    before = await superseded_by_next("Check Hanukkah in London", waves_max=1)
    by_result = await ask("in Rome?", before=["and"], superseded=[before])
    assert by_result.reply == by_text.reply


async def test_what_several_messages_found_out_is_remembered(autojump_clock):
    """P7: the finished first wave of an interrupted burst, whose calls had other ids."""
    earlier = await ask("in London", before=["Check Hanukkah"], waves_max=1)
    burst = (message("Check Hanukkah"), message("in London"))
    request = SupersededRequest(message=burst[-1], burst=burst, results=earlier.results)
    answer = await ask("Actually Passover", superseded=[request])
    assert answer.reply.splitlines()[-1] == "Sunset times are for London, as before."


async def test_a_message_that_joins_makes_another_question(autojump_clock):
    """The plan for both has ids of its own: some calls of the first may have been made."""
    assistant = make_almanac(today=lambda: TODAY)
    burst = (message("Check Hanukkah"), message("and in London?"))
    context = Context(user=USER, burst=burst)
    for waves_max in (0, 1, 2, 3):
        so_far = await ask("Check Hanukkah", waves_max=waves_max)
        plan = await assistant.planner.adapt(burst[-1], so_far.results, context)
        assert [[call.id for call in wave] for wave in plan.waves()] == NUMBERED_PLAN


# Replies ------------------------------------------------------------------------------------------


async def test_hanukkah_is_answered_with_its_evenings_and_a_default_said_plainly(autojump_clock):
    """Hebcal: the first candle on 14 December 2025 and 4 December 2026."""
    assert (await ask("Check Hanukkah")).reply == (
        "Hanukkah, 8 days:\n"
        "2025: evening of Sunday 14 December, sunset 16:37, to 22 December\n"
        "2026: evening of Friday 4 December, sunset 16:35, to 12 December\n"
        "It begins at sunset on the evening before its first day.\n"
        'Sunset times are for Jerusalem; name a city for yours, as in "Hanukkah in London".'
    )


async def test_easter_is_answered_for_the_city_that_was_named(autojump_clock):
    """A date that has been is marked."""
    assert (await ask("When is Easter in Rome?")).reply == (
        "Easter Sunday:\n"
        "2025: Sunday 20 April, sunset 19:57 (past)\n"
        "2026: Sunday 5 April, sunset 19:40\n"
        "Sunset times are for Rome."
    )


async def test_both_lengths_of_passover_are_said(autojump_clock):
    """Outside of Israel it has an eighth day."""
    assert (await ask("Actually Passover")).reply.splitlines()[0] == (
        "Passover, 8 days outside Israel, 7 days in Israel:"
    )
    assert (await ask("Shavuot in Jerusalem")).reply.splitlines()[0] == (
        "Shavuot, 1 day in Israel, 2 days outside:"
    )


async def test_an_estimate_and_the_moon_are_said(autojump_clock):
    """Nobody should book a flight on it."""
    reply = (await ask("Eid in London")).reply.splitlines()
    assert reply[2] == "2026: evening of Thursday 19 March, sunset 18:11, to 20 March (estimated)"
    assert reply[4] == "The date may move by a day with the sighting of the moon."


async def test_a_country_that_keeps_a_tradition_by_its_own_reckoning_is_followed(autojump_clock):
    """Easter in Athens is the Orthodox one; Diwali in London is India's."""
    assert (await ask("Easter in Athens")).reply.splitlines()[2] == "2026: Sunday 12 April, sunset 19:58"
    assert (await ask("Diwali in London")).reply.splitlines()[2] == "2026: Sunday 8 November, sunset 16:21"


async def test_several_days_of_a_country_are_a_range(autojump_clock):
    """From its first day to its last."""
    assert (await ask("Songkran")).reply.splitlines()[:2] == [
        "Songkran (Thailand):",
        "2025: Sunday 13 April to 15 April, sunset 18:31 (past)",
    ]


async def test_a_place_nobody_knows_is_said_and_the_answer_still_comes(autojump_clock):
    """The default takes its place."""
    answer = await ask("Hanukkah in Xyzzy")
    assert answer.results["place"].status is Status.FAILED
    assert answer.reply.splitlines()[-2] == "I do not know the place you named."
    assert "2026: evening of Friday 4 December, sunset 16:35, to 12 December" in answer.reply


async def test_what_timed_out_is_left_out(autojump_clock):
    """A date without its weekday and sunset is still an answer."""
    fails = ("sunset-2025", "sunset-2026", "weekday-2025", "weekday-2026")
    assert (
        await ask("Easter in Rome", fails=fails)
    ).reply == "Easter Sunday:\n2025: 20 April (past)\n2026: 5 April"
    reply = (await ask("Hanukkah", fails=fails)).reply
    assert reply.splitlines()[1] == "2025: evening of 14 December, to 22 December"


async def test_several_close_names_are_offered(autojump_clock):
    """At most three, with the country where a day belongs to one."""
    reply = (await ask("Independense Week")).reply
    assert reply.startswith("I do not know that holiday. Did you mean ")
    assert " or " in reply.split("?")[0]


async def test_a_holiday_of_a_country_without_a_known_city_has_no_sunset(autojump_clock):
    """The Åland Islands are not in the city database: dates yes, sunset no."""
    answer = await ask("Ålands Autonomy Day")
    assert answer.results["dates-2026"].status is Status.SUCCEEDED
    assert answer.results["sunset-2026"].status is Status.FAILED
    assert answer.reply.splitlines()[2] == "2026: Tuesday 9 June"
