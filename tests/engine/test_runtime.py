"""The engine as a whole: taking in, opening, closing, draining."""

import pytest
import trio
from trio.testing import MockClock

from engine import (
    AssistantError,
    Call,
    InboxFull,
    Limits,
    MemoryStore,
    Message,
    Plan,
    Stopped,
    StoreUnavailable,
    StoreUnusable,
    Suspended,
    User,
    open_engine,
    print_outbound,
)
from engine.store import Accept
from engine.testing import (
    RecordingOutbound,
    Trail,
    UnreliableStore,
    hanging_tool,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA = "15551234567"


def message(id: str) -> Message:
    return Message(id=id, user=User(ANNA), text=id)


def slow(trail: Trail | None = None, seconds: float = 4):
    act = sleeping_tool("act", seconds, trail=trail)
    return scripted_assistant(Plan(Call("x", act), Call("y", act, after=["x"])), tools=[act])


def quick():
    return scripted_assistant(Plan(), tools=[])


# Taking in ----------------------------------------------------------------------------------------


async def test_receive_returns_when_the_message_is_written(autojump_clock: MockClock) -> None:
    """P5: and not before."""
    store = UnreliableStore()
    store.seconds, store.only = 2, (Accept,)
    async with open_conversation(quick(), store=store) as conversation:
        await conversation.engine.receive([message("m1")])
        assert trio.current_time() == 2
        await conversation.engine.receive([])
        assert trio.current_time() == 2


async def test_a_request_that_hangs_up_loses_nothing(autojump_clock: MockClock) -> None:
    """Delivery hangs on the commit: cancelled while it is being written, the message still runs."""
    store = UnreliableStore()
    store.seconds, store.only = 2, (Accept,)
    async with open_conversation(quick(), store=store) as conversation:
        with trio.move_on_after(1):
            await conversation.engine.receive([message("m1")])
        await trio.sleep(10)
    assert conversation.outbound.texts == ["done: m1"]


async def test_a_store_that_takes_too_long_is_unavailable(autojump_clock: MockClock) -> None:
    """The sender is told to come again; what was written all the same is known then (P5)."""
    store = UnreliableStore()
    store.seconds, store.only = 100, (Accept,)
    async with open_conversation(quick(), store=store) as conversation:
        with pytest.raises(StoreUnavailable, match=r"did not answer for 8 s \(receive_seconds_max\)"):
            await conversation.engine.receive([message("m1")])
        assert trio.current_time() == 8
        await trio.sleep(200)
        store.seconds = 0
        await conversation.engine.receive([message("m1")])
        await trio.sleep(200)
    assert conversation.outbound.texts == ["done: m1"]


async def test_a_store_that_refuses_is_heard_by_the_sender(autojump_clock: MockClock) -> None:
    """Nothing is half-written: sent again, it is new."""
    store = UnreliableStore()
    store.refusals, store.only = 1, (Accept,)
    async with open_conversation(quick(), store=store) as conversation:
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await conversation.engine.receive([message("m1")])
        await conversation.engine.receive([message("m1")])
        await trio.sleep(5)
    assert conversation.outbound.texts == ["done: m1"]


async def test_more_than_may_wait_to_be_written_is_refused(autojump_clock: MockClock) -> None:
    """writes_waiting_max counts messages, over all requests under way."""
    store = UnreliableStore()
    store.seconds, store.only = 5, (Accept,)
    async with (
        open_conversation(quick(), store=store, limits=Limits(writes_waiting_max=3)) as conversation,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(conversation.engine.receive, [message("m1"), message("m2")])
        await trio.sleep(1)
        with pytest.raises(InboxFull, match="writes_waiting_max"):
            await conversation.engine.receive([message("m3"), message("m4")])
        await conversation.engine.receive([message("m3")])


async def test_cancelling_the_caller_cancels_only_its_wait(autojump_clock: MockClock) -> None:
    """process_message: the operation goes on, its reply is sent."""
    async with open_conversation(slow()) as conversation:
        with trio.move_on_after(1) as scope:
            await conversation.engine.process_message(ANNA, "go")
        assert scope.cancelled_caught
        await trio.sleep(20)
    assert conversation.outbound.texts == ["done: go"]


# Opening and closing ------------------------------------------------------------------------------


async def test_a_policy_that_does_not_exist_is_refused(autojump_clock: MockClock) -> None:
    """By name, with those that do."""
    refusal = "there is no policy 'ask'; there are: interrupt, rollback, enqueue, reject, steer"
    with pytest.raises(AssistantError, match=refusal):
        async with open_engine(quick(), store=MemoryStore(), outbound=print_outbound, policy="ask"):
            pass


async def test_a_policy_of_ones_own(autojump_clock: MockClock) -> None:
    """A function of the message and the session's snapshot."""
    from engine.policy import Decision

    async with open_conversation(slow(), policy=lambda message, snapshot: Decision.WAIT) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.receive([message("m2")])
        await trio.sleep(50)
    assert conversation.outbound.texts == ["done: m1", "done: m2"]


async def test_a_store_that_cannot_be_opened_is_one_error(autojump_clock: MockClock) -> None:
    """Not a group of errors, and nothing is left running."""

    class Broken(MemoryStore):
        def open(self, listener):
            raise StoreUnusable("no such disk")

    with pytest.raises(StoreUnusable, match="no such disk"):
        async with open_engine(quick(), store=Broken(), outbound=print_outbound):
            pass


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
async def test_an_error_in_the_block_comes_out_as_it_is(
    autojump_clock: MockClock, error: BaseException
) -> None:
    """After the engine was drained."""
    trail = Trail()
    with pytest.raises(type(error)) as raised:
        async with open_conversation(slow(trail), trail=trail) as conversation:
            await conversation.engine.receive([message("m1")])
            await trio.sleep(1)
            raise error
    assert raised.value is error
    assert trail.entries[-2:] == [(4, "wave finished", "1"), (4, "suspended", "shutdown")]


async def test_the_print_outbound_prints_texts(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shows no typing."""
    async with open_engine(quick(), store=MemoryStore(), outbound=print_outbound) as engine:
        await engine.process_message(ANNA, "hello")
    assert capsys.readouterr().out == "done: hello\n"


# Draining -----------------------------------------------------------------------------------------


async def test_drain_finishes_the_wave_and_suspends(autojump_clock: MockClock) -> None:
    """Nothing new starts, nothing is said to the user, what comes is stored; all waits for the restart."""
    trail = Trail()
    async with open_conversation(slow(trail), trail=trail) as conversation:
        engine = conversation.engine
        got = {}

        async def ask(text: str) -> None:
            got[text] = await engine.process_message(ANNA, text)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "one")
            await trio.sleep(1)
            nursery.start_soon(engine.drain)
            await trio.sleep(1)
            assert engine.draining
            nursery.start_soon(ask, "two")
            nursery.start_soon(engine.drain)  # asked twice, drained once
        assert trio.current_time() == 4
        assert engine.live_sessions == 0
        assert (await engine.read_depths()).inbox == 2
    assert got == {"one": Suspended(), "two": Suspended()}
    assert [entry[:2] for entry in trail.entries] == [
        (0, "started"),
        (0, "planned"),
        (0, "wave"),
        (4, "acted"),
        (4, "wave finished"),
        (4, "suspended"),
    ]
    assert conversation.outbound.texts == []


async def test_drain_cuts_a_wave_at_the_end_of_the_grace(autojump_clock: MockClock) -> None:
    """The outcome is recorded as cut off."""
    hang = hanging_tool("hang", timeout=1000)
    store = MemoryStore()
    ids = iter(["operation", "row"])
    async with open_conversation(
        scripted_assistant(Plan(Call("x", hang)), tools=[hang]),
        store=store,
        limits=Limits(grace_seconds=3, wave_seconds_max=500),
        new_id=lambda: next(ids),
    ) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.drain()
        assert trio.current_time() == 4
        record = await store.read_operation("operation")
    assert record.calls[0].outcome.status.value == "cut_off"
    assert record.ended_at is None


async def test_drain_cuts_a_wave_that_is_just_starting(autojump_clock: MockClock) -> None:
    """Its intent is being written when the process is told to stop."""
    from engine.store import Intended

    hang = hanging_tool("hang", timeout=1000)
    store = UnreliableStore()
    store.seconds, store.only = 2, (Intended,)
    async with open_conversation(
        scripted_assistant(Plan(Call("x", hang)), tools=[hang]),
        store=store,
        limits=Limits(grace_seconds=3),
    ) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.drain()
        assert trio.current_time() == 4


async def test_drain_lets_a_commit_finish_and_sends_its_reply(autojump_clock: MockClock) -> None:
    """COMMITTING completes; a way out that works gets the last replies."""
    from engine.store import End

    store = UnreliableStore()
    store.seconds, store.only = 2, (End,)
    async with open_conversation(quick(), store=store) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.drain()
        assert trio.current_time() == 2
    assert conversation.outbound.texts == ["done: m1"]


async def test_drain_is_bounded_even_by_a_tool_that_shields_itself(autojump_clock: MockClock) -> None:
    """Nothing can end such a tool; the drain says so by coming back while a session is still there."""
    from engine import tool

    @tool(timeout=1)
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    limits = Limits(grace_seconds=3, record_seconds_max=5)
    async with open_conversation(
        scripted_assistant(Plan(Call("x", stubborn)), tools=[stubborn]), limits=limits
    ) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.drain()
        assert trio.current_time() == 1 + 3 + 5
        assert conversation.engine.live_sessions == 1


async def test_the_store_is_checked_within_a_bound(autojump_clock: MockClock) -> None:
    """What /readyz asks."""

    class Hanging(MemoryStore):
        async def check(self) -> None:
            await trio.sleep_forever()

    async with open_conversation(quick(), store=Hanging()) as conversation:
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            await conversation.engine.check_store()
    async with open_conversation(quick()) as conversation:
        await conversation.engine.check_store()


async def test_what_was_said_is_still_there_after_a_restart(autojump_clock: MockClock) -> None:
    """P7: messages, replies and superseded requests with their results are in front of the next plan."""
    store = MemoryStore()
    async with open_conversation(slow(), store=store) as conversation:
        await conversation.engine.receive([message("m1")])
        await trio.sleep(1)
        await conversation.engine.receive([message("m2")])
        await trio.sleep(50)
    assistant = slow()
    async with open_conversation(assistant, store=store, outbound=RecordingOutbound()) as conversation:
        await conversation.engine.receive([message("m3")])
        await trio.sleep(50)
    context = assistant.planner.contexts["m3"]
    assert [(turn.role, turn.text) for turn in context.history] == [
        ("user", "m1"),
        ("user", "m2"),
        ("assistant", "done: m2"),
    ]
    (taken_back,) = context.superseded
    assert (taken_back.message.id, taken_back.results["x"].value) == ("m1", "act")


async def test_a_clock_that_is_set_back_makes_no_message_late(autojump_clock: MockClock) -> None:
    """P12 goes by the platform's timestamps; where we set them ourselves, they never run backwards."""
    wall = 10_000.0
    async with open_conversation(quick(), now=lambda: wall) as conversation:
        first = await conversation.engine.process_message(ANNA, "one")
        wall -= 3600
        second = await conversation.engine.process_message(ANNA, "two")
        history = await conversation.engine.read_history(ANNA)
    assert (first.message, second.message) == ("done: one", "done: two")
    assert [turn.text for turn in history] == ["one", "done: one", "two", "done: two"]


async def test_a_drain_whose_caller_gives_up_ends_all_the_same(autojump_clock: MockClock) -> None:
    """Others wait for its end: the close of the engine, above all."""
    async with open_conversation(slow(seconds=5)) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        with trio.move_on_after(1):
            await conversation.engine.drain()
    assert trio.current_time() == 5


async def test_a_stop_during_the_drain_beats_the_suspension(autojump_clock: MockClock) -> None:
    """What its user took back does not go on after the restart."""
    store = MemoryStore()
    async with open_conversation(slow(seconds=5), store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conversation.engine.drain)
            await trio.sleep(1)
            assert conversation.engine.stop(ANNA)
        assert await store.read_fate("m1") == Stopped("Stopped. Already done: act.")
