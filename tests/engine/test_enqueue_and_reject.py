"""Two policies that interrupt nothing: enqueue, where each message waits its turn, and reject.

One wave of 2 s is all there is to an operation: one that begins at 0 is answered at 2.
"""

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Limits,
    MemoryStore,
    Message,
    OutgoingKind,
    Plan,
    User,
    built_in,
)
from engine.store import End
from engine.testing import (
    Conversation,
    ScriptedPlanner,
    Trail,
    UnreliableStore,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA = "15551234567"
REJECTED = built_in().texts["en"].rejected


def two_seconds(**more) -> Assistant:
    act = sleeping_tool("act", 2)
    return scripted_assistant(Plan(Call("x", act)), tools=[act], **more)


def message(id: str, *, timestamp: int | None = None) -> Message:
    return Message(id=id, user=User(ANNA), text=f"text {id}", timestamp=timestamp)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("answered", "superseded", "merged", "rejected", "failed", "stopped", "ignored")


def begun(trail: Trail) -> list[tuple[float, str]]:
    return [(at, id) for at, _, id in trail.of("started")]


async def write_apart(conversation: Conversation, *ids: str) -> None:
    """One message every quarter of a second."""
    for id in ids:
        await conversation.engine.receive([message(id)])
        await trio.sleep(0.25)


# Enqueue ------------------------------------------------------------------------------------------


async def test_each_message_gets_its_own_answer_in_order(autojump_clock: MockClock) -> None:
    """Nothing is cut short, nothing starts before its turn, nobody is told anything but the answers."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy="enqueue") as conversation:
        await write_apart(conversation, "m1", "m2", "m3")
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.done == [
        (0, "started", "m1"),
        (0, "planned", "x"),
        (0, "wave", "x"),
        (2, "wave finished", "1"),
        (2, "answered", "m1"),
        (2, "completed", "1 tools"),
        (2, "started", "m2"),
        (2, "planned", "x"),
        (2, "wave", "x"),
        (4, "wave finished", "1"),
        (4, "answered", "m2"),
        (4, "completed", "1 tools"),
        (4, "started", "m3"),
        (4, "planned", "x"),
        (4, "wave", "x"),
        (6, "wave finished", "1"),
        (6, "answered", "m3"),
        (6, "completed", "1 tools"),
    ]
    assert trail.said == [
        (2, "reply", "done: text m1"),
        (4, "reply", "done: text m2"),
        (6, "reply", "done: text m3"),
    ]


@pytest.mark.parametrize(
    ("at", "phase"),
    [(0.5, "planning"), (2, "in_wave"), (3.5, "adapting"), (4.5, "responding")],
)
async def test_a_message_waits_in_whatever_phase_it_comes(autojump_clock: MockClock, at, phase) -> None:
    """Planning, adapting and responding are cut by an interruption; a message that waits cuts nothing."""
    trail = Trail()
    assistant = two_seconds(planning_seconds=1, adapting_seconds=1, responding_seconds=1)
    async with open_conversation(assistant, trail=trail, policy="enqueue") as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(at)
        assert conversation.engine.sessions.get(ANNA).operation.phase == phase
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    assert [*fates(trail), *trail.said] == [
        (5, "answered", "m1"),
        (10, "answered", "m2"),
        (5, "reply", "done: one"),
        (10, "reply", "done: two"),
    ]


async def test_at_the_bound_what_waits_becomes_one_burst(autojump_clock: MockClock) -> None:
    """None is lost and none refused: they are one request, in order, and the next one waits behind it."""
    trail = Trail()
    assistant = two_seconds()
    limits = Limits(waiting_messages_max=2)
    async with open_conversation(assistant, trail=trail, policy="enqueue", limits=limits) as conversation:
        await write_apart(conversation, "m1", "m2", "m3", "m4", "m5")
        await trio.sleep(20)
    assert begun(trail) == [(0, "m1"), (2, "m4"), (4, "m5")]
    assert fates(trail) == [
        (2, "answered", "m1"),
        (2, "merged", "m2"),
        (2, "merged", "m3"),
        (4, "answered", "m4"),
        (6, "answered", "m5"),
    ]
    assert [one.id for one in assistant.planner.contexts["m4"].burst] == ["m2", "m3", "m4"]
    assert {kind for _, kind, _ in trail.said} == {"reply"}


async def test_a_hundred_messages_beyond_the_bound_are_all_there(autojump_clock: MockClock) -> None:
    """However many come, each ends answered or merged into one that is (P4)."""
    trail = Trail()
    limits = Limits(waiting_messages_max=3)
    async with open_conversation(two_seconds(), trail=trail, policy="enqueue", limits=limits) as conversation:
        for number in range(100):
            await conversation.engine.receive([message(f"m{number:02}")])
        await trio.sleep(60)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert {word for _, word, _ in fates(trail)} == {"answered", "merged"}
    assert sorted(id for _, _, id in fates(trail)) == [f"m{number:02}" for number in range(100)]


async def test_even_a_burst_has_a_bound(autojump_clock: MockClock) -> None:
    """A planner can read so much: what is beyond `burst_messages_max` is refused, and its user told."""
    trail = Trail()
    limits = Limits(waiting_messages_max=1, burst_messages_max=2)
    async with open_conversation(two_seconds(), trail=trail, policy="enqueue", limits=limits) as conversation:
        await write_apart(conversation, "m1", "m2", "m3", "m4")
        await trio.sleep(20)
    assert fates(trail) == [
        (0.75, "rejected", "m4"),
        (2, "answered", "m1"),
        (2, "merged", "m2"),
        (4, "answered", "m3"),
    ]
    assert trail.of("notice") == [(0.75, "notice", built_in().texts["en"].too_many_wait)]


async def test_a_late_message_takes_its_place_by_its_time(autojump_clock: MockClock) -> None:
    """P12: it interrupts nothing, and runs before what was written after it."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy="enqueue") as conversation:
        for id, timestamp in (("m1", 100), ("m3", 103), ("m2", 102)):
            await conversation.engine.receive([message(id, timestamp=timestamp)])
            await trio.sleep(0.25)
        await trio.sleep(20)
    assert fates(trail) == [(2, "answered", "m1"), (4, "answered", "m2"), (6, "answered", "m3")]


async def test_a_late_message_is_answered_when_nothing_runs(autojump_clock: MockClock) -> None:
    """Where every message gets its answer, one that was long on its way gets one, too."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy="enqueue") as conversation:
        await conversation.engine.receive([message("new", timestamp=100)])
        await trio.sleep(5)
        await conversation.engine.receive([message("old", timestamp=50)])
        await trio.sleep(20)
    assert fates(trail) == [(2, "answered", "new"), (7, "answered", "old")]


async def test_a_commit_that_fails_is_tried_again_whatever_waits(autojump_clock: MockClock) -> None:
    """P8 lets what would interrupt supersede it; what waits its turn would not."""
    trail = Trail()
    store = UnreliableStore()
    store.only, store.refusals = (End,), 3
    async with open_conversation(two_seconds(), trail=trail, store=store, policy="enqueue") as conversation:
        await write_apart(conversation, "m1", "m2")
        await trio.sleep(20)
    # Refused three times, the last two of them patiently; written 0.125 s later.
    assert fates(trail) == [(2.125, "answered", "m1"), (4.125, "answered", "m2")]
    assert [text for _, _, text in trail.said] == ["done: text m1", "done: text m2"]


async def test_an_operation_that_fails_holds_nobody_up(autojump_clock: MockClock) -> None:
    """Its user gets an apology, and then the next answer."""
    act = sleeping_tool("act", 2)

    class Planner(ScriptedPlanner):
        async def plan(self, message, context):
            await trio.sleep(1)
            if message.id == "m1":
                raise ValueError("no idea")
            return await super().plan(message, context)

    async def respond(message, results, context):
        return f"done: {message.text}"

    trail = Trail()
    assistant = Assistant(planner=Planner([Plan(Call("x", act))]), responder=respond, tools=[act])
    async with open_conversation(assistant, trail=trail, policy="enqueue") as conversation:
        await write_apart(conversation, "m1", "m2")
        await trio.sleep(20)
    assert fates(trail) == [
        (1, "failed", "m1"),
        (1, "failed", "ValueError: no idea"),
        (4, "answered", "m2"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["apology", "reply"]


async def test_what_waited_at_a_crash_still_runs_in_order(autojump_clock: MockClock) -> None:
    """P14: the operation goes on, then each in its turn."""
    store = MemoryStore()
    grace = Limits(grace_seconds=0)
    async with open_conversation(two_seconds(), store=store, policy="enqueue", limits=grace) as conversation:
        await write_apart(conversation, "m1", "m2", "m3", "m4")
        left = left_by_a_crash(store)
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, store=left, policy="enqueue") as conversation:
        await trio.sleep(20)
    # The call of m1 was under way at the crash and is not idempotent: its outcome is unknown.
    assert fates(trail) == [
        (1, "answered", "m1"),
        (3, "answered", "m2"),
        (5, "answered", "m3"),
        (7, "answered", "m4"),
    ]


async def test_beyond_the_bound_nothing_is_lost_over_a_crash(autojump_clock: MockClock) -> None:
    """What had become one burst is one again, or several: each message has its fate."""
    store = MemoryStore()
    limits = Limits(waiting_messages_max=2, grace_seconds=0)
    async with open_conversation(two_seconds(), store=store, policy="enqueue", limits=limits) as conversation:
        await write_apart(conversation, "m1", "m2", "m3", "m4", "m5")
        left = left_by_a_crash(store)
    trail = Trail()
    async with open_conversation(
        two_seconds(), trail=trail, store=left, policy="enqueue", limits=limits
    ) as conversation:
        await trio.sleep(20)
    assert sorted(entry[1:] for entry in fates(trail)) == [
        ("answered", "m1"),
        ("answered", "m4"),
        ("answered", "m5"),
        ("merged", "m2"),
        ("merged", "m3"),
    ]


# Reject -------------------------------------------------------------------------------------------


async def test_a_message_that_comes_while_one_runs_is_refused(autojump_clock: MockClock) -> None:
    """Its user is told at once, once an operation however many come, and again in the next one."""
    trail = Trail()
    told = []
    async with open_conversation(two_seconds(), trail=trail, policy="reject") as conversation:
        conversation.engine.events.subscribe(told.append)
        await write_apart(conversation, "m1", "m2", "m3")
        await trio.sleep(9.25)
        await write_apart(conversation, "m4", "m5")
        await trio.sleep(20)
    assert fates(trail) == [
        (0.25, "rejected", "m2"),
        (0.5, "rejected", "m3"),
        (2, "answered", "m1"),
        (10.25, "rejected", "m5"),
        (12, "answered", "m4"),
    ]
    assert trail.said == [
        (0.25, "notice", REJECTED),
        (2, "reply", "done: text m1"),
        (10.25, "notice", REJECTED),
        (12, "reply", "done: text m4"),
    ]
    assert [(one.message_id, one.limit) for one in told if one.name == "message_rejected"] == [
        ("m2", "policy"),
        ("m3", "policy"),
        ("m5", "policy"),
    ]


async def test_what_was_refused_stays_in_the_conversation(autojump_clock: MockClock) -> None:
    """The next plan can read what its user had wanted, marked as refused, in its place."""
    assistant = two_seconds()
    async with open_conversation(assistant, policy="reject") as conversation:
        await write_apart(conversation, "m1", "m2")
        await trio.sleep(5)
        await write_apart(conversation, "m3")
        await trio.sleep(20)
    seen = assistant.planner.contexts["m3"]
    assert [(turn.role, turn.text, turn.fate) for turn in seen.history] == [
        ("user", "text m1", "answered"),
        ("user", "text m2", "rejected"),
        ("assistant", "done: text m1", "answered"),
    ]
    assert seen.superseded == ()


@pytest.mark.parametrize("at", [0.5, 2, 3.5, 4.5])
async def test_a_message_is_refused_in_whatever_phase_it_comes(autojump_clock: MockClock, at) -> None:
    """While it plans, acts, adapts or replies; nothing of it is cut."""
    trail = Trail()
    assistant = two_seconds(planning_seconds=1, adapting_seconds=1, responding_seconds=1)
    async with open_conversation(assistant, trail=trail, policy="reject") as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(at)
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    assert fates(trail) == [(at, "rejected", "m2"), (5, "answered", "m1")]


async def test_a_message_during_the_commit_waits_and_runs(autojump_clock: MockClock) -> None:
    """The answer is as good as given: there is nothing any more that a refusal would protect."""
    trail = Trail()
    store = UnreliableStore()
    store.only, store.seconds = (End,), 1
    async with open_conversation(two_seconds(), trail=trail, store=store, policy="reject") as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(2.25)
        await write_apart(conversation, "m2", "m3")
        await trio.sleep(20)
    assert fates(trail) == [(3, "answered", "m1"), (6, "answered", "m2"), (9, "answered", "m3")]
    assert {kind for _, kind, _ in trail.said} == {"reply"}


async def test_a_late_message_is_refused_like_any_other(autojump_clock: MockClock) -> None:
    """And when nothing runs, it is answered like any other."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy="reject") as conversation:
        await conversation.engine.receive([message("new", timestamp=100)])
        await trio.sleep(1)
        await conversation.engine.receive([message("old", timestamp=50)])
        await trio.sleep(9)
        await conversation.engine.receive([message("older", timestamp=40)])
        await trio.sleep(20)
    assert fates(trail) == [(1, "rejected", "old"), (2, "answered", "new"), (12, "answered", "older")]


async def test_a_refusal_is_said_once_over_a_restart(autojump_clock: MockClock) -> None:
    """The operation is the same one, and its user was told already."""
    store = MemoryStore()
    grace = Limits(grace_seconds=0)
    async with open_conversation(
        two_seconds(planning_seconds=1), store=store, policy="reject", limits=grace
    ) as first:
        await write_apart(first, "m1", "m2")
        left = left_by_a_crash(store)
    trail = Trail()
    async with open_conversation(
        two_seconds(planning_seconds=1), trail=trail, store=left, policy="reject"
    ) as second:
        await write_apart(second, "m3")
        await trio.sleep(20)
    assert [row.kind for row in first.outbound.rows] == [OutgoingKind.NOTICE]
    assert fates(trail) == [(0.5, "rejected", "m3"), (3.5, "answered", "m1")]
    assert trail.said == [(3.5, "reply", "done: text m1")]


async def test_a_refusal_is_in_the_language_of_its_user(autojump_clock: MockClock) -> None:
    """The assistant knows which that is."""
    assistant = two_seconds(language=lambda message: "es-AR")
    async with open_conversation(assistant, policy="reject") as conversation:
        await write_apart(conversation, "m1", "m2")
        await trio.sleep(20)
    assert conversation.outbound.texts == [built_in().texts["es"].rejected, "done: text m1"]


async def test_messages_of_one_post_refuse_none_of_each_other(autojump_clock: MockClock) -> None:
    """They are one burst, and its beginning has not begun yet."""
    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy="reject") as conversation:
        await conversation.send(("m1", "one"), ("m2", "two"))
        await trio.sleep(20)
    assert fates(trail) == [(0, "merged", "m1"), (2, "answered", "m2")]
