"""One call: whatever a tool does ends as an outcome of its own call, never as a crash of its wave."""

import threading

import pytest
import trio
from trio.testing import MockClock

from engine import Call, Limits, MemoryStore, Plan, Ref, ToolContext, User, tool
from engine.testing import hanging_tool, open_conversation, scripted_assistant, sleeping_tool


async def outcomes_of(*calls: Call, tools, **options):
    """The outcomes of a plan by call id, as the planner's adapt saw them, and the events told."""
    assistant = scripted_assistant(Plan(*calls), tools=tools, **options.pop("assistant", {}))
    told = []
    async with open_conversation(assistant, **options) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.engine.process_message("15551234567", "go")
    (results,) = assistant.planner.results.values()
    return results, told


def words(results):
    return {name: (outcome.status.value, outcome.error) for name, outcome in results.items()}


async def test_a_tool_that_raises_fails_alone(autojump_clock: MockClock) -> None:
    """Its siblings run to their own end; the error is one line."""

    @tool(timeout=5)
    async def breaks() -> None:
        raise ValueError("no such\nday")

    fine = sleeping_tool("fine", 2)
    results, _ = await outcomes_of(Call("x", breaks), Call("y", fine), tools=[breaks, fine])
    assert words(results) == {"x": ("failed", "ValueError: no such day"), "y": ("succeeded", None)}


async def test_a_tool_with_a_nursery_of_its_own_fails_alone(autojump_clock: MockClock) -> None:
    """An exception group is an error like any other; its first member says why."""

    async def child() -> None:
        raise OSError("no route")

    @tool(timeout=5)
    async def breaks() -> None:
        async with trio.open_nursery() as nursery:  # noqa: ASYNC112  # the group is the point
            nursery.start_soon(child)

    results, _ = await outcomes_of(Call("x", breaks), tools=[breaks])
    assert words(results) == {"x": ("failed", "OSError: no route")}


async def test_a_tool_that_exits_means_only_itself(autojump_clock: MockClock) -> None:
    """sys.exit() in a tool does not end everybody's process."""

    @tool(timeout=5)
    async def leaves() -> None:
        raise SystemExit(3)

    results, _ = await outcomes_of(Call("x", leaves), tools=[leaves])
    assert words(results) == {"x": ("failed", "SystemExit: 3")}


async def test_a_tool_that_hangs_times_out_alone(autojump_clock: MockClock) -> None:
    """The timeout is the tool's own; a sibling that takes longer is not touched."""
    hangs = hanging_tool("hangs", timeout=1.5)
    fine = sleeping_tool("fine", 4)
    results, _ = await outcomes_of(Call("x", hangs), Call("y", fine), tools=[hangs, fine])
    assert words(results) == {"x": ("timed_out", "after 1.5 s"), "y": ("succeeded", None)}
    assert results["x"].seconds == 1.5


async def test_the_wave_has_a_bound_of_its_own(autojump_clock: MockClock) -> None:
    """What it cuts off is recorded as cut off; what had ended keeps its outcome."""
    hangs = hanging_tool("hangs", timeout=100)
    fine = sleeping_tool("fine", 4)
    results, _ = await outcomes_of(
        Call("x", hangs), Call("y", fine), tools=[hangs, fine], limits=Limits(wave_seconds_max=10)
    )
    assert words(results) == {"x": ("cut_off", "the wave ran out of time"), "y": ("succeeded", None)}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (object(), "its result cannot be stored"),
        ("x" * 200, "its 202 bytes are over value_bytes_max"),
        (float("nan"), None),
    ],
)
async def test_a_result_that_cannot_be_stored_is_a_lost_value(
    autojump_clock: MockClock, value: object, error: str | None
) -> None:
    """The act succeeded: the call is succeeded, its value is lost, and an event says so."""

    @tool(timeout=5)
    async def returns():
        return value

    results, told = await outcomes_of(Call("x", returns), tools=[returns], limits=Limits(value_bytes_max=100))
    assert results["x"].status.value == "succeeded"
    if error is None:
        assert results["x"].value is None  # JSON has no NaN
    else:
        assert results["x"].value_lost
        assert error in results["x"].error
        assert [event.call_id for event in told if event.name == "value_lost"] == ["x"]


async def test_retries_have_one_idempotency_key_and_stay_within_the_timeout(
    autojump_clock: MockClock,
) -> None:
    """A tool that may be tried again is, with the same key each time."""
    keys = []

    @tool(timeout=5, idempotent=True, retries=2)
    async def flaky(*, context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        if len(keys) < 3:
            raise ConnectionError("down")
        return "up"

    results, _ = await outcomes_of(Call("x", flaky), tools=[flaky])
    assert results["x"].value == "up"
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0].endswith("/x")


async def test_retries_end(autojump_clock: MockClock) -> None:
    """The last error is the call's."""
    attempts = []

    @tool(timeout=60, idempotent=True, retries=2)
    async def down() -> None:
        attempts.append(1)
        raise ConnectionError(f"down {len(attempts)}")

    results, _ = await outcomes_of(Call("x", down), tools=[down])
    assert words(results) == {"x": ("failed", "ConnectionError: down 3")}


async def test_credentials_reach_the_tools_of_their_user(autojump_clock: MockClock) -> None:
    """They are asked for once an operation, whatever the number of calls."""
    asked = []

    async def credentials(user: User):
        asked.append(user.id)
        return {"token": f"t-{user.id}"}

    seen = []

    @tool(timeout=5)
    async def look(*, context: ToolContext) -> None:
        seen.append((context.user.id, context.credentials["token"]))

    await outcomes_of(Call("x", look), Call("y", look), tools=[look], assistant={"credentials": credentials})
    assert asked == ["15551234567"]
    assert seen == [("15551234567", "t-15551234567")] * 2


async def test_a_dependency_that_failed_skips_what_needs_it(autojump_clock: MockClock) -> None:
    """A Ref with a default does without it; a call that only comes after it is skipped, naming it."""

    @tool(timeout=5)
    async def breaks() -> dict[str, int]:
        raise ValueError("no")

    @tool(timeout=5)
    async def echo(value: int = 0) -> int:
        return value

    results, _ = await outcomes_of(
        Call("x", breaks),
        Call("needs", echo, {"value": Ref("x", "n")}),
        Call("can_do_without", echo, {"value": Ref("x", "n", default=7)}),
        Call("after", echo, after=["x"]),
        Call("further", echo, {"value": Ref("needs")}),
        tools=[breaks, echo],
    )
    assert words(results) == {
        "x": ("failed", "ValueError: no"),
        "needs": ("skipped", "'x' failed: ValueError: no"),
        "can_do_without": ("succeeded", None),
        "after": ("skipped", "'x' failed: ValueError: no"),
        "further": ("skipped", "'needs' skipped: 'x' failed: ValueError: no"),
    }
    assert results["can_do_without"].value == 7


async def test_arguments_that_do_not_fit_fail_the_call(autojump_clock: MockClock) -> None:
    """What another call returned is of the wrong type, or has no such part: the call fails, naming it."""

    @tool(timeout=5)
    async def say() -> dict[str, str]:
        return {"day": "Monday"}

    @tool(timeout=5)
    async def count(number: int) -> int:
        return number

    results, _ = await outcomes_of(
        Call("s", say),
        Call("wrong", count, {"number": Ref("s", "day")}),
        Call("missing", count, {"number": Ref("s", "hour")}),
        tools=[say, count],
    )
    assert (
        results["wrong"].error == "argument 'number' of tool 'count': TypeError: expected int, got 'Monday'"
    )
    assert results["missing"].error == "the value of 's' has no ['hour']"


# Worker threads; on the real clock ----------------------------------------------------------------


async def test_a_plain_function_runs_in_a_worker_thread() -> None:
    """Its result is a result like any other; the loop is not blocked by it."""
    here = threading.get_ident()

    @tool(timeout=60)
    def where() -> bool:
        return threading.get_ident() != here

    @tool(timeout=60)
    def breaks() -> None:
        raise ValueError("no")

    results, _ = await outcomes_of(Call("x", where), Call("y", breaks), tools=[where, breaks])
    assert results["x"].value is True
    assert results["y"].error == "ValueError: no"


async def test_a_thread_gives_its_places_back() -> None:
    """The next call finds one, though there is only one in all."""

    @tool(timeout=60)
    def plain() -> int:
        return 1

    calls = [Call(f"c{number}", plain, after=[f"c{number - 1}"] if number else []) for number in range(3)]
    results, _ = await outcomes_of(
        *calls, tools=[plain], limits=Limits(threads_max=1, threads_per_user_max=1)
    )
    assert [outcome.status.value for outcome in results.values()] == ["succeeded"] * 3


async def test_a_thread_that_outlives_its_call_is_a_straggler() -> None:
    """Its outcome is unknown; it is counted until it ends, and its late end is an event."""
    release = threading.Event()

    @tool(timeout=0.05)
    def slow() -> None:
        release.wait(60)
        raise ValueError("too late")

    told = []
    assistant = scripted_assistant(Plan(Call("x", slow)), tools=[slow])
    async with open_conversation(assistant) as conversation:
        conversation.engine.events.subscribe(told.append)
        returned = trio.Event()

        def hear(event) -> None:
            if event.name == "straggler_returned":
                returned.set()

        conversation.engine.events.subscribe(hear)
        fate = await conversation.engine.process_message("15551234567", "go")
        assert fate.name == "answered"
        assert conversation.engine.stragglers == 1
        release.set()
        await returned.wait()
        assert conversation.engine.stragglers == 0
    (results,) = assistant.planner.results.values()
    assert words(results) == {"x": ("unknown", "its thread did not end in time and may still be at work")}
    named = {event.name: event for event in told}
    assert named["straggler_appeared"].call_id == "x"
    assert named["straggler_returned"].error == "ValueError: too late"


async def test_one_users_threads_do_not_starve_another() -> None:
    """P11: a user whose threads all hang waits for a place; another user's tool runs."""
    release = threading.Event()

    @tool(timeout=0.2)
    def hang() -> None:
        release.wait(60)

    @tool(timeout=60)
    def quick() -> str:
        return "quick"

    assistant = scripted_assistant(
        Plan(Call("a", hang), Call("b", hang), Call("c", hang)), tools=[hang, quick]
    )
    other = scripted_assistant(Plan(Call("q", quick)), tools=[hang, quick])
    assistant.planner.plans = [Plan(Call("a", hang), Call("b", hang), Call("c", hang))]
    try:
        async with open_conversation(
            assistant, limits=Limits(threads_per_user_max=2, threads_max=3), store=MemoryStore()
        ) as conversation:
            await conversation.engine.process_message("15551234567", "hang")
            (results,) = assistant.planner.results.values()
            assert sorted(outcome.status.value for outcome in results.values()) == [
                "timed_out",
                "unknown",
                "unknown",
            ]
            assert "no worker thread was free for 0.2 s" in [outcome.error for outcome in results.values()]
            assistant.planner.plans = other.planner.plans
            await conversation.engine.process_message("15557654321", "quick")
            *_, results = assistant.planner.results.values()
            assert results["q"].value == "quick"
            assert conversation.engine.stragglers == 2
    finally:
        release.set()


async def test_an_error_that_cannot_be_shown_is_an_outcome_like_any_other(autojump_clock: MockClock) -> None:
    """Its type's name must do; siblings are not disturbed, on the loop or in a thread."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    @tool(timeout=5)
    async def breaks() -> None:
        raise Unspeakable

    fine = sleeping_tool("fine", 1)
    results, _ = await outcomes_of(Call("x", breaks), Call("y", fine), tools=[breaks, fine])
    assert words(results) == {"x": ("failed", "Unspeakable"), "y": ("succeeded", None)}
