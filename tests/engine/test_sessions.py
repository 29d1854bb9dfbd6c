"""The table of sessions: bounds, late messages, crash boundaries, rows that disappear."""

import pytest
import trio
from trio.testing import MockClock

from engine import Assistant, Call, Failed, Limits, Message, Plan, Superseded, User, tool
from engine.languages import built_in
from engine.phases import Fact
from engine.store import Begin, Happened, Settle
from engine.testing import (
    Trail,
    UnreliableStore,
    hanging_tool,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA, BEN = "15551234567", "15557654321"
SAID = built_in().texts["en"]


def slow(trail: Trail | None = None) -> Assistant:
    """One wave of 2 s."""
    act = sleeping_tool("act", 2, trail=trail)
    return scripted_assistant(Plan(Call("x", act)), tools=[act])


def message(id: str, *, user: str = ANNA, timestamp: int | None = None) -> Message:
    return Message(id=id, user=User(user), text=f"text {id}", timestamp=timestamp)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    words = {"answered", "superseded", "rejected", "failed", "stopped"}
    return [entry for entry in trail.entries if entry[1] in words]


async def test_the_row_says_what_runs_and_disappears_with_the_work(autojump_clock: MockClock) -> None:
    """P10: phone -> the message, its scope and when it began; no row, no task, no scope afterwards."""
    async with open_conversation(slow()) as conversation:
        sessions = conversation.engine.sessions
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        row = sessions.get(ANNA)
        assert (row.user_id, row.message.id, row.started_at, row.credentials) == (ANNA, "m1", 0, {})
        assert isinstance(row.scope, trio.CancelScope)
        assert conversation.engine.live_sessions == 1
        await trio.sleep(5)
        assert sessions.get(ANNA) is None
        assert conversation.engine.live_sessions == 0
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert (row.message, row.scope, row.started_at, row.credentials) == (None, None, None, {})


async def test_users_do_not_wait_for_each_other(autojump_clock: MockClock) -> None:
    """P11: one user's hanging tool and change of mind leave another's operation alone."""
    trail = Trail()
    hang = hanging_tool("hang", timeout=50)
    act = sleeping_tool("act", 2)

    class Planner:
        async def plan(self, message, context):
            return Plan(Call("x", hang if message.user.id == ANNA else act))

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "done"

    assistant = Assistant(planner=Planner(), responder=respond, tools=[hang, act])
    async with open_conversation(assistant, trail=trail) as conversation:
        await conversation.engine.receive([message("a1"), message("b1", user=BEN)])
        await trio.sleep(1)
        await conversation.engine.receive([message("a2")])
        await trio.sleep(200)
    assert fates(trail) == [(2, "answered", "b1"), (50, "superseded", "a1 by a2"), (100, "answered", "a2")]


async def test_one_operation_at_a_time(autojump_clock: MockClock) -> None:
    """P1: the next begins after the last task of the previous one has ended, a stubborn one included."""
    running = []
    most = []

    @tool(timeout=10)
    async def act() -> None:
        running.append(1)
        most.append(len(running))
        await trio.sleep(1)
        running.pop()

    class Planner:
        async def plan(self, message, context):
            running.append(1)
            most.append(len(running))
            try:
                await trio.sleep(0.5)
            finally:
                with trio.CancelScope(shield=True):  # a planner that tidies up after itself
                    await trio.sleep(2)
                running.pop()
            return Plan(Call("x", act))

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "done"

    trail = Trail()
    assistant = Assistant(planner=Planner(), responder=respond, tools=[act])
    async with open_conversation(assistant, trail=trail) as conversation:
        for number in range(4):
            await conversation.engine.receive([message(f"m{number}")])
            await trio.sleep(1.25)
        await trio.sleep(30)
    assert set(most) == {1}
    assert fates(trail)[-1][1:] == ("answered", "m3")


async def test_more_messages_than_may_wait_are_refused(autojump_clock: MockClock) -> None:
    """The user is told, an event says which bound, the fate is rejected; what waited still runs."""
    trail = Trail()
    told = []
    async with open_conversation(slow(), trail=trail, limits=Limits(waiting_messages_max=2)) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        for number in (2, 3, 4):
            await conversation.engine.receive([message(f"m{number}")])
        await trio.sleep(20)
    assert sorted(fates(trail)) == [
        (1, "rejected", "m4"),
        (2, "superseded", "m1 by m2"),
        (2, "superseded", "m2 by m3"),
        (4, "answered", "m3"),
    ]
    assert [(event.message_id, event.limit) for event in told if event.name == "message_rejected"] == [
        ("m4", "waiting_messages_max")
    ]
    assert [row.text for row in conversation.outbound.rows if row.kind.value == "notice"] == [
        SAID.too_many_wait
    ]


async def test_more_users_than_sessions_are_refused(autojump_clock: MockClock) -> None:
    """Those who have a session keep it; the one who is refused is told, and is served later."""
    trail = Trail()
    told = []
    async with open_conversation(slow(), trail=trail, limits=Limits(sessions_max=1)) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.engine.receive([message("a1"), message("b1", user=BEN)])
        await trio.sleep(5)
        await conversation.engine.receive([message("b2", user=BEN)])
        await trio.sleep(5)
    assert sorted(fates(trail)) == [
        (0, "rejected", "b1"),
        (2, "answered", "a1"),
        (7, "answered", "b2"),
    ]
    assert [row.text for row in conversation.outbound.rows if row.kind.value == "notice"] == [SAID.too_busy]
    assert [event.limit for event in told if event.name == "message_rejected"] == ["sessions_max"]


async def test_an_older_message_interrupts_nothing(autojump_clock: MockClock) -> None:
    """P12: it enters the conversation in its place and is superseded by the newest."""
    trail = Trail()
    async with open_conversation(slow(), trail=trail) as conversation:
        await conversation.engine.receive([message("new", timestamp=100)])
        await trio.sleep(1)
        await conversation.engine.receive([message("old", timestamp=99)])
        await trio.sleep(20)
        history = await conversation.engine.read_history(ANNA)
    assert fates(trail) == [(1, "superseded", "old by new"), (2, "answered", "new")]
    assert [row.kind.value for row in conversation.outbound.rows] == ["reply"]
    assert [turn.text for turn in history] == ["text new", "text old", "done: text new"]


async def test_within_one_second_arrival_decides(autojump_clock: MockClock) -> None:
    """P12: timestamps are whole seconds."""
    trail = Trail()
    async with open_conversation(slow(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", timestamp=100)])
        await trio.sleep(1)
        await conversation.engine.receive([message("m2", timestamp=100)])
        await trio.sleep(20)
    assert fates(trail) == [(2, "superseded", "m1 by m2"), (4, "answered", "m2")]


async def test_a_message_that_is_known_has_no_effect(autojump_clock: MockClock) -> None:
    """P5: a redelivery, in whatever batch, interrupts nothing."""
    trail = Trail()
    async with open_conversation(slow(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.receive([message("m1")])
        await trio.sleep(20)
        await conversation.engine.receive([message("m1")])
        await trio.sleep(20)
    assert fates(trail) == [(2, "answered", "m1")]
    assert [row.kind.value for row in conversation.outbound.rows] == ["reply"]


async def test_no_acknowledgement_when_its_text_is_empty(autojump_clock: MockClock) -> None:
    """The switch itself is the same."""
    trail = Trail()
    async with open_conversation(slow(), trail=trail, acknowledgement="") as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    assert fates(trail) == [(2, "superseded", "m1 by m2"), (4, "answered", "m2")]
    assert conversation.outbound.texts == ["done: two"]


async def test_stop_ends_what_runs_and_drops_what_waits(autojump_clock: MockClock) -> None:
    """The wave finishes; nothing further starts; False when there was nothing to end."""
    trail = Trail()
    async with open_conversation(slow(trail), trail=trail) as conversation:
        assert not conversation.engine.stop(ANNA)
        await conversation.send(("m1", "one"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "two"))
        await trio.sleep(0.5)
        assert conversation.engine.stop(ANNA)
        await trio.sleep(20)
    assert fates(trail) == [(1, "stopped", "m2"), (2, "superseded", "m1 by m2")]
    assert [entry for entry in trail.entries if entry[1] == "started"] == [(0, "started", "m1")]


async def test_a_crash_in_our_own_code_stays_with_its_user(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11: the row disappears, others and the next message of the same user are served."""
    trail = Trail()
    async with open_conversation(slow(), trail=trail) as conversation:
        sessions = conversation.engine.sessions
        conclude = sessions.endings.conclude

        async def breaks(operation, error):
            if operation.message.id == "m1":
                raise RuntimeError("a bug")
            await conclude(operation, error)

        with monkeypatch.context() as patch:
            patch.setattr(type(sessions.endings), "conclude", lambda self, *args: breaks(*args))
            await conversation.engine.receive([message("m1"), message("b1", user=BEN)])
            await trio.sleep(5)
            assert conversation.engine.live_sessions == 0
            await conversation.engine.receive([message("m2")])
            await trio.sleep(5)
    assert sorted(fates(trail)) == [
        (2, "answered", "b1"),
        (2, "answered", "m1"),
        (7, "answered", "m2"),
    ]


async def test_an_illegal_transition_fails_the_operation_and_nobody_else(autojump_clock: MockClock) -> None:
    """The table of phases is kept by force: what it does not have is an error that names both sides."""

    class Planner:
        async def plan(self, message, context):
            if message.text == "skip ahead":
                conversation.engine.sessions.get(ANNA).operation.advance(Fact.REPLY_MADE)
            return Plan()

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "done"

    async with open_conversation(Assistant(planner=Planner(), responder=respond, tools=[])) as conversation:
        fate = await conversation.engine.process_message(ANNA, "skip ahead")
        assert fate == Failed("IllegalTransition: an operation that is planning cannot take 'reply_made'")
        assert (await conversation.engine.process_message(ANNA, "properly")).name == "answered"


async def test_a_store_that_refuses_the_beginning_suspends_until_it_works(
    autojump_clock: MockClock,
) -> None:
    """Nothing of it was done; a newer message takes over, and is answered when the store is back."""
    trail = Trail()
    store = UnreliableStore()
    store.refusals, store.only = -1, (Begin,)
    async with open_conversation(
        slow(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(6)
        assert conversation.engine.live_sessions == 1
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
        store.refusals = 0
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
        assert (await conversation.engine.read_depths()).inbox == 0
    words = ("suspended", "superseded", "answered")
    told = [entry[1:] for entry in trail.entries if entry[1] in words]
    assert told[0] == ("suspended", "store")
    assert ("superseded", "m1 by m2") in told
    assert told[-1] == ("answered", "m2")


async def test_a_store_that_refuses_the_end_suspends(autojump_clock: MockClock) -> None:
    """Its end cannot be written down: its message gets its fate when the store is back, before the next."""
    trail = Trail()
    store = UnreliableStore()
    store.only = (Settle,)
    async with open_conversation(
        slow(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"))
        store.refusals = -1
        await trio.sleep(7)
        store.refusals = 0
        await trio.sleep(20)
    assert [entry for entry in trail.entries if entry[1] in ("suspended", "answered", "superseded")] == [
        (7, "suspended", "store"),
        (12, "superseded", "m1 by m2"),
        (14, "answered", "m2"),
    ]


async def test_an_operation_goes_on_by_itself_when_the_store_is_back(autojump_clock: MockClock) -> None:
    """A disk that was full for minutes costs minutes: no restart, no wave twice, no outcome lost."""
    acted = []

    @tool(timeout=100)
    async def act() -> str:
        acted.append(trio.current_time())
        await trio.sleep(1)
        return "booked"

    store = UnreliableStore()
    assistant = scripted_assistant(Plan(Call("x", act), Call("y", act, after=["x"])), tools=[act])
    async with open_conversation(
        assistant, store=store, limits=Limits(record_seconds_max=5, recovery_attempts_max=2)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        store.refusals = -1
        await trio.sleep(300)
        assert conversation.outbound.texts == []
        store.refusals = 0
        await trio.sleep(30)
        assert conversation.engine.live_sessions == 0
    assert len(acted) == 2
    assert conversation.outbound.texts == ["done: go"]
    assert assistant.planner.results["m1"]["x"].value == "booked"


async def test_what_had_finished_when_the_store_failed_is_known_to_the_next_plan(
    autojump_clock: MockClock,
) -> None:
    """P6, P7: its outcome could not be written down for a while, and is no less true for that."""
    act = sleeping_tool("act", 1)
    store = UnreliableStore()
    assistant = scripted_assistant(Plan(Call("x", act)), tools=[act])
    async with open_conversation(assistant, store=store, limits=Limits(record_seconds_max=5)) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        store.refusals, store.only = -1, (Happened,)
        await trio.sleep(20)
        await conversation.send(("m2", "no"))
        store.refusals = 0
        await trio.sleep(30)
    (taken_back,) = assistant.planner.contexts["m2"].superseded
    assert taken_back.results["x"].value == "act"


async def test_a_stop_while_the_store_fails_is_kept(autojump_clock: MockClock) -> None:
    """P4: what the user took back does not run when the store is back."""
    trail = Trail()
    store = UnreliableStore()
    async with open_conversation(
        slow(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        await conversation.send(("m2", "two"))
        store.refusals = -1
        conversation.engine.stop(ANNA)
        await trio.sleep(60)
        store.refusals = 0
        await trio.sleep(30)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert sorted(entry[1:] for entry in trail.entries if entry[1] in ("stopped", "superseded")) == [
        ("stopped", "m2"),
        ("superseded", "m1 by m2"),
    ]
    assert [detail for _, word, detail in trail.entries if word == "started"] == ["m1"]


async def test_a_fate_that_cannot_be_recorded_is_left_for_the_restart(autojump_clock: MockClock) -> None:
    """A late message, and a store that refuses: nothing breaks."""
    store = UnreliableStore()
    async with open_conversation(slow(), store=store, limits=Limits(record_seconds_max=5)) as conversation:
        await conversation.engine.receive([message("new", timestamp=100)])
        await trio.sleep(5)
        store.refusals, store.only = -1, (Settle,)
        await conversation.engine.receive([message("old", timestamp=99)])
        await trio.sleep(20)
        assert (await conversation.engine.read_depths()).inbox == 1
        assert await store.read_fate("old") is None


async def test_the_superseded_message_of_a_caller_is_told_it_was_cancelled(autojump_clock: MockClock) -> None:
    """design: `fate.cancelled`, with the message "Request cancelled"; nothing is raised."""
    got = {}
    async with open_conversation(slow()) as conversation, trio.open_nursery() as nursery:

        async def ask(text: str) -> None:
            got[text] = await conversation.engine.process_message(ANNA, text)

        nursery.start_soon(ask, "one")
        await trio.sleep(1)
        nursery.start_soon(ask, "two")
    assert isinstance(got["one"], Superseded)
    assert (got["one"].cancelled, got["one"].message) == (True, "Request cancelled")
    assert (got["two"].cancelled, got["two"].message) == (False, "done: two")
