"""P13: who changes their mind over and over is answered at some time, and no operation takes for ever.

In the first part one wave of 2 s is all there is to an operation.  In the second planning takes 0.25 s,
`first` 2 s, `second` after it 3 s, adapting 0.5 s, responding 0.25 s.
"""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Failed,
    Limits,
    MemoryStore,
    MessageDeferred,
    Plan,
    SessionCancelled,
    built_in,
)
from engine.store import End
from engine.testing import (
    Conversation,
    Trail,
    UnreliableStore,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
    undoable_tool,
)

ANNA = "15551234567"
ACK = "Got it! Switching to your new request..."
TEXTS = built_in().texts["en"]
OUT_OF_TIME = "Sorry, your request took too long, so I ended it."


def two_seconds(**more: Any) -> Assistant:
    act = sleeping_tool("act", 2)
    return scripted_assistant(Plan(Call("x", act)), tools=[act], **more)


async def write(conversation: Conversation, *ids: str, pause: float) -> None:
    """One message after the other, and a pause after each."""
    for id in ids:
        await conversation.send((id, f"text {id}"))
        await trio.sleep(pause)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("started", "answered", "superseded", "merged", "stopped", "failed")


# Interruptions in a row ---------------------------------------------------------------------------

INTERRUPTED_TWICE = [
    (0, "started", "m1"),
    (2, "superseded", "m1 by m2"),
    (2, "started", "m2"),
    (4, "superseded", "m2 by m3"),
    (4, "started", "m3"),
]


@pytest.mark.parametrize("policy", ["interrupt", "rollback"])
async def test_after_so_many_in_a_row_an_operation_runs_to_its_end(
    autojump_clock: MockClock, policy: str
) -> None:
    """What comes waits, the newest runs next, and the user is told so, once."""
    trail, told = Trail(), []
    async with open_conversation(
        two_seconds(), trail=trail, policy=policy, limits=Limits(interruptions_max=2)
    ) as conversation:
        conversation.engine.events.subscribe(told.append)
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=2)
        await write(conversation, "m3", pause=2)
        await write(conversation, "m4", "m5", pause=0.25)
        await trio.sleep(20)
    assert fates(trail) == [
        *INTERRUPTED_TWICE,
        (6, "answered", "m3"),
        (6, "superseded", "m4 by m5"),
        (6, "started", "m5"),
        (8, "answered", "m5"),
    ]
    assert trail.said == [
        (1, "acknowledgement", ACK),
        (3, "acknowledgement", ACK),
        (5, "notice", TEXTS.deferred),
        (6, "reply", "done: text m3"),
        (8, "reply", "done: text m5"),
    ]
    assert [(one.message_id, one.interruptions) for one in told if isinstance(one, MessageDeferred)] == [
        ("m4", 2),
        ("m5", 2),
    ]


async def test_an_answer_ends_the_row(autojump_clock: MockClock) -> None:
    """The operation after it may be interrupted again."""
    trail = Trail()
    async with open_conversation(
        two_seconds(), trail=trail, limits=Limits(interruptions_max=1)
    ) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=2)
        await write(conversation, "m3", pause=2)
        await write(conversation, "m4", pause=1)
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "started", "m2"),
        (4, "answered", "m2"),
        (4, "started", "m3"),
        (6, "superseded", "m3 by m4"),
        (6, "started", "m4"),
        (8, "answered", "m4"),
    ]


async def test_messages_that_only_waited_do_not_count(autojump_clock: MockClock) -> None:
    """Ten messages in one wave are one interruption."""
    trail = Trail()
    async with open_conversation(
        two_seconds(), trail=trail, limits=Limits(interruptions_max=2)
    ) as conversation:
        await write(conversation, *(f"m{number}" for number in range(10)), pause=0.125)
        await trio.sleep(1.75)
        await write(conversation, "last", pause=20)
    assert trail.of("superseded")[-1] == (4, "superseded", "m9 by last")


@pytest.mark.parametrize("at", [4.5, 3.5], ids=["while_it_runs", "before_it_began"])
async def test_the_count_survives_a_restart(autojump_clock: MockClock, at: float) -> None:
    """It stands in the store; what was interrupted before the crash counts after it."""
    first, second, store = Trail(), Trail(), MemoryStore()
    limits = Limits(interruptions_max=2, grace_seconds=0)
    async with open_conversation(two_seconds(), trail=first, store=store, limits=limits) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=2)
        await write(conversation, "m3", pause=at - 3)
        left = left_by_a_crash(store)
    async with open_conversation(
        two_seconds(planning_seconds=2, adapting_seconds=2), trail=second, store=left, limits=limits
    ) as conversation:
        await trio.sleep(0.5)
        await write(conversation, "m4", pause=20)
    assert [entry[1:] for entry in fates(second)][-3:] == [
        ("answered", "m3"),
        ("started", "m4"),
        ("answered", "m4"),
    ]
    assert [text for _, kind, text in second.said if kind == "notice"] == [TEXTS.deferred]


async def test_the_user_is_told_once_over_a_restart(autojump_clock: MockClock) -> None:
    """The operation is the same one."""
    first, second, store = Trail(), Trail(), MemoryStore()
    limits = Limits(interruptions_max=1, grace_seconds=0)
    async with open_conversation(two_seconds(), trail=first, store=store, limits=limits) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=1.5)
        await write(conversation, "m3", pause=0.25)
        left = left_by_a_crash(store)
    async with open_conversation(two_seconds(), trail=second, store=left, limits=limits) as conversation:
        await trio.sleep(20)
    assert first.of("notice") == [(2.5, "notice", TEXTS.deferred)]
    assert second.of("notice") == []
    assert fates(second)[0] == (2.75, "answered", "m2")


async def test_stop_always_beats_it(autojump_clock: MockClock) -> None:
    """Who really wants it to end says so."""
    trail = Trail()
    async with open_conversation(
        two_seconds(), trail=trail, limits=Limits(interruptions_max=1)
    ) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=1.5)
        await write(conversation, "m3", pause=0.25)
        await conversation.send(("m4", "stop"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "started", "m2"),
        (2.75, "stopped", "m3"),
        (4, "stopped", "m2"),
        (4, "stopped", "m4"),
    ]
    assert trail.said[-1] == (4, "notice", "Stopped. Already done: act.")


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_stop_ends_the_row(autojump_clock: MockClock, restarts: bool) -> None:
    """Whoever stops has begun anew; with a restart between or without, it comes to the same."""
    store, trail = MemoryStore(), Trail()
    limits = Limits(interruptions_max=1)
    async with open_conversation(two_seconds(), store=store, limits=limits) as conversation:
        await write(conversation, "m1", "m2", pause=0.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(5)
        if not restarts:
            conversation.engine.events.subscribe(trail.hear)
            await write(conversation, "m4", pause=1)
            await write(conversation, "m5", pause=20)
    if restarts:
        async with open_conversation(two_seconds(), trail=trail, store=store, limits=limits) as conversation:
            await write(conversation, "m4", pause=1)
            await write(conversation, "m5", pause=20)
    assert fates(trail) == [
        (6, "started", "m4"),
        (8, "superseded", "m4 by m5"),
        (8, "started", "m5"),
        (10, "answered", "m5"),
    ]


async def test_a_protected_operation_does_not_give_way_when_its_commit_fails(
    autojump_clock: MockClock,
) -> None:
    """P8 lets a message supersede it that would interrupt; this one would not."""
    trail, store = Trail(), UnreliableStore()
    async with open_conversation(
        two_seconds(), trail=trail, store=store, limits=Limits(interruptions_max=1)
    ) as conversation:
        await write(conversation, "m1", pause=1)
        await write(conversation, "m2", pause=2)
        store.only, store.refusals = (End,), 2
        await write(conversation, "m3", pause=20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "started", "m2"),
        (4, "answered", "m2"),
        (4, "started", "m3"),
        (6, "answered", "m3"),
    ]


# operation_seconds_max ----------------------------------------------------------------------------


def two_waves(
    *, planning: float = 0.25, adapting: float = 0.5, responding: float = 0.25, **more: Any
) -> Assistant:
    first, second = sleeping_tool("first", 2), sleeping_tool("second", 3)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=planning,
        adapting_seconds=adapting,
        responding_seconds=responding,
        **more,
    )


@pytest.mark.parametrize(
    ("hangs", "seconds", "ends", "done"),
    [
        ({"planning": 1000}, 7, 7, "Nothing had been done yet."),
        ({}, 1, 2.25, "Already done: first."),
        ({}, 3, 5.25, "Already done: first, second."),
        ({"adapting": 1000}, 7, 7, "Already done: first, second."),
        ({"responding": 1000}, 7, 7, "Already done: first, second."),
    ],
    ids=["planning", "in_wave_1", "in_wave_2", "adapting", "responding"],
)
async def test_an_operation_that_takes_too_long_ends_at_its_boundary(
    autojump_clock: MockClock, hangs: dict[str, float], seconds: float, ends: float, done: str
) -> None:
    """P2: a wave finishes.  Its user is told what is done, the fate says why, the event says deadline."""
    trail, told, store = Trail(), [], MemoryStore()
    async with open_conversation(
        two_waves(**hangs), trail=trail, store=store, limits=Limits(operation_seconds_max=seconds)
    ) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.send(("m1", "go"))
        await trio.sleep(30)
        fate = await store.read_fate("m1")
        assert conversation.engine.live_sessions == 0
    assert trail.done[-2:] == [(ends, "failed", "m1"), (ends, "cancelled", "deadline")]
    assert trail.said == [(ends, "apology", f"{OUT_OF_TIME} {done}")]
    assert fate == Failed(f"it ran longer than {seconds} s (operation_seconds_max)")
    (cancelled,) = [one for one in told if isinstance(one, SessionCancelled)]
    assert (cancelled.elapsed_time, cancelled.switch_seconds) == (ends, ends - seconds)


async def test_a_commit_is_not_cut(autojump_clock: MockClock) -> None:
    """P8: the reply was made in time; that the store takes its own is not held against it."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 5
    async with open_conversation(
        two_waves(), trail=trail, store=store, limits=Limits(operation_seconds_max=7)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(9)  # a message that comes after the time is over changes nothing
        await conversation.send(("m2", "more"))
        store.seconds = 0
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (11, "answered", "m1"),
        (11, "started", "m2"),
        (17, "answered", "m2"),
    ]
    assert trail.of("completed", "cancelled") == [(11, "completed", "2 tools"), (17, "completed", "2 tools")]


@pytest.mark.parametrize("policy", ["enqueue", "steer"])
async def test_what_waited_runs_next(autojump_clock: MockClock, policy: str) -> None:
    """The operation is over, and the message has lost nothing."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, policy=policy, limits=Limits(operation_seconds_max=1)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "more"))
        await trio.sleep(3)
    assert fates(trail)[:1] == [(0, "started", "m1")]
    assert (2.25, "failed", "m1") in fates(trail)
    assert (2.25, "started", "m2") in fates(trail)


async def test_a_message_after_its_time_interrupts_nothing_any_more(autojump_clock: MockClock) -> None:
    """The wave still finishes; the operation has failed and is not superseded; nobody is told of a switch."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, limits=Limits(operation_seconds_max=3)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(4)
        await conversation.send(("m2", "no"))
        await trio.sleep(1.5)
    assert [entry for entry in fates(trail) if entry[2] in ("m1", "m2")][:3] == [
        (0, "started", "m1"),
        (5.25, "failed", "m1"),
        (5.25, "started", "m2"),
    ]
    assert trail.said[0] == (5.25, "apology", f"{OUT_OF_TIME} Already done: first, second.")


async def test_a_message_before_its_time_interrupts_it(autojump_clock: MockClock) -> None:
    """What comes first counts, though the time is over when the wave is."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, limits=Limits(operation_seconds_max=4)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(3)
        await conversation.send(("m2", "no"))
        await trio.sleep(2.5)
    assert fates(trail)[1:3] == [(5.25, "superseded", "m1 by m2"), (5.25, "started", "m2")]
    assert trail.said[0] == (3, "acknowledgement", ACK)


async def test_a_stop_after_its_time_is_answered_as_well(autojump_clock: MockClock) -> None:
    """It cannot be stopped any more; what was done is said to both."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, limits=Limits(operation_seconds_max=3)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(4)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert [entry for entry in fates(trail) if entry[2] in ("m1", "m2")] == [
        (0, "started", "m1"),
        (5.25, "failed", "m1"),
        (5.25, "stopped", "m2"),
    ]
    assert trail.said == [
        (5.25, "notice", "Stopped. Already done: first, second."),
        (5.25, "apology", f"{OUT_OF_TIME} Already done: first, second."),
    ]


async def test_nothing_is_taken_back_for_it(autojump_clock: MockClock) -> None:
    """Under rollback a change of mind takes back; that it took too long is none."""
    trail = Trail()
    table = undoable_tool("table", 2, trail=trail)
    assistant = scripted_assistant(Plan(Call("a", table), Call("b", table, after=["a"])), tools=[table])
    async with open_conversation(
        assistant, trail=trail, policy="rollback", limits=Limits(operation_seconds_max=1)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert trail.of("acted", "undo") == [(2, "acted", "table")]
    assert trail.said == [(2, "apology", f"{OUT_OF_TIME} Already done: table.")]


async def test_the_apology_is_in_the_language_of_its_user(autojump_clock: MockClock) -> None:
    """As everything that the engine says."""
    trail = Trail()
    assistant = two_waves(language=lambda message: "it")
    async with open_conversation(
        assistant, trail=trail, limits=Limits(operation_seconds_max=1)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert [text for _, _, text in trail.said] == [
        "Spiacente, la richiesta ha richiesto troppo tempo e l'ho terminata. Già fatto: first."
    ]


async def test_its_time_is_over_for_each_of_a_burst(autojump_clock: MockClock) -> None:
    """P4: what was not merged yet fails with it."""
    trail = Trail()
    async with open_conversation(
        two_waves(planning=1000), trail=trail, limits=Limits(operation_seconds_max=3)
    ) as conversation:
        await conversation.send(("m1", "one"), ("m2", "two"))
        await trio.sleep(20)
    assert [entry for entry in fates(trail) if entry[2] in ("m1", "m2")] == [
        (0, "started", "m2"),
        (3, "failed", "m1"),
        (3, "failed", "m2"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["apology"]
