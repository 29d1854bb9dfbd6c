"""A policy of somebody's own: a function of a message and a snapshot, which cannot break a promise.

One wave of 2 s is all there is to an operation: one that begins at 0 is answered at 2.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    POLICIES,
    Assistant,
    AssistantError,
    Call,
    Decision,
    Ignored,
    Limits,
    MemoryStore,
    Message,
    Phase,
    Plan,
    PolicyFailed,
    Snapshot,
    User,
)
from engine.store import End
from engine.testing import (
    Conversation,
    Trail,
    UnreliableStore,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA = "15551234567"
ACK = "Got it! Switching to your new request..."


def two_seconds(**more: Any) -> Assistant:
    act = sleeping_tool("act", 2)
    return scripted_assistant(Plan(Call("x", act)), tools=[act], **more)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("started", "answered", "superseded", "merged", "rejected", "stopped", "ignored", "failed")


@attrs.define(eq=False)
class Scripted:
    """Decides by the text of a message, which is the name of a decision; keeps what it was shown."""

    shown: list[tuple[str, Snapshot]] = attrs.field(factory=list)

    def __call__(self, message: Message, snapshot: Snapshot) -> Decision:
        self.shown.append((message.id, snapshot))
        return Decision(message.text)


async def write(conversation: Conversation, id: str, text: str, *, timestamp: int | None = None) -> None:
    await conversation.engine.receive([Message(id=id, user=User(ANNA), text=text, timestamp=timestamp)])


async def trail_of(
    decisions: list[tuple[float, str, str, int | None]], policy: Any = None, **options: Any
) -> Trail:
    """What becomes of messages that come at these times, each with its decision and its timestamp."""
    trail = Trail()
    policy = policy or Scripted()
    async with open_conversation(two_seconds(), trail=trail, policy=policy, **options) as conversation:
        for at, id, decision, timestamp in decisions:
            await trio.sleep_until(at)
            await write(conversation, id, decision, timestamp=timestamp)
        await trio.sleep(60)
        assert conversation.engine.live_sessions == 0
        assert (await conversation.engine.read_depths()).inbox == 0
    return trail


# What it is shown and what it may do --------------------------------------------------------------


async def test_it_decides_message_by_message(autojump_clock: MockClock) -> None:
    """Some interrupt, some wait: whoever has written the assistant knows which."""

    def by_urgency(message: Message, snapshot: Snapshot) -> Decision:
        return POLICIES["interrupt" if "now" in message.text else "enqueue"](message, snapshot)

    trail = await trail_of(
        [(0, "m1", "one", None), (0.5, "m2", "two", None), (2.5, "m3", "three, now", None)], by_urgency
    )
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "answered", "m1"),
        (2, "started", "m2"),
        (4, "superseded", "m2 by m3"),
        (4, "started", "m3"),
        (6, "answered", "m3"),
    ]


async def test_it_sees_where_the_operation_stands(autojump_clock: MockClock) -> None:
    """The phase, the message that is worked on, what waits, and whether it is over already."""
    policy = Scripted()
    limits = Limits(adaptations_max=0)
    await trail_of(
        [
            (0, "m1", "start", 100),
            (0.5, "m2", "enqueue", 101),
            (1, "m3", "enqueue", 99),
            (1.5, "m4", "interrupt", 102),
            (1.75, "m5", "enqueue", 103),
        ],
        policy,
        limits=limits,
    )
    assert [
        (id, seen.phase, seen.running and seen.running.id, seen.waiting, seen.is_late, seen.interrupted)
        for id, seen in policy.shown
    ] == [
        ("m1", None, None, 0, False, False),
        ("m2", Phase.IN_WAVE, "m1", 0, False, False),
        ("m3", Phase.IN_WAVE, "m1", 1, True, False),
        ("m4", Phase.IN_WAVE, "m1", 2, False, False),
        ("m5", Phase.IN_WAVE, "m1", 3, False, True),
    ]
    assert not any(seen.can_adapt for id, seen in policy.shown if id != "m1")


async def test_an_assistants_own_goes_before_the_settings(autojump_clock: MockClock) -> None:
    """It was written for these tools."""
    trail = Trail()
    assistant = two_seconds(policy=POLICIES["enqueue"])
    async with open_conversation(assistant, trail=trail, policy="interrupt") as conversation:
        await write(conversation, "m1", "one")
        await trio.sleep(1)
        await write(conversation, "m2", "two")
        await trio.sleep(20)
    assert fates(trail)[1] == (2, "answered", "m1")


async def test_it_is_not_asked_about_a_stop_word(autojump_clock: MockClock) -> None:
    """Stop always stops."""
    policy = Scripted()
    trail = await trail_of([(0, "m1", "start", None), (1, "m2", "stop", None)], policy)
    assert [id for id, _ in policy.shown] == ["m1"]
    assert fates(trail)[1:] == [(2, "stopped", "m1"), (2, "stopped", "m2")]


async def test_it_may_stop_by_other_words(autojump_clock: MockClock) -> None:
    """Whoever understands more than stop words may say so: it is a stop in everything."""

    def understanding(message: Message, snapshot: Snapshot) -> Decision:
        return Decision.STOP if "never" in message.text else POLICIES["interrupt"](message, snapshot)

    trail = await trail_of([(0, "m1", "go", None), (1, "m2", "oh, never mind", None)], understanding)
    assert fates(trail) == [(0, "started", "m1"), (2, "stopped", "m1"), (2, "stopped", "m2")]
    assert trail.said == [(2, "notice", "Stopped. Already done: act.")]


async def test_it_may_ignore(autojump_clock: MockClock) -> None:
    """The fate says that it did, and nothing of stop words."""
    store = MemoryStore()
    trail = await trail_of([(0, "m1", "start", None), (1, "m2", "ignore", None)], store=store)
    async with store.open(lambda committed: None):
        fate = await store.read_fate("m2")
    assert fates(trail) == [(0, "started", "m1"), (1, "ignored", "m2"), (2, "answered", "m1")]
    assert isinstance(fate, Ignored)
    assert "stop" not in fate.reason


async def test_it_may_defer(autojump_clock: MockClock) -> None:
    """The user is told that it will be their turn, once."""
    trail = await trail_of([(0, "m1", "start", None), (0.5, "m2", "defer", None), (1, "m3", "defer", None)])
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "answered", "m1"),
        (2, "superseded", "m2 by m3"),
        (2, "started", "m3"),
        (4, "answered", "m3"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["notice", "reply", "reply"]


async def test_what_it_steers_and_what_it_makes_wait_are_different_things(autojump_clock: MockClock) -> None:
    """One joins the operation that runs, the other comes after it."""
    trail = await trail_of([(0, "m1", "start", None), (0.5, "m2", "enqueue", None), (1, "m3", "steer", None)])
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "merged", "m3"),
        (2, "answered", "m1"),
        (2, "started", "m2"),
        (4, "answered", "m2"),
    ]


# What goes wrong ----------------------------------------------------------------------------------


def raises(message: Message, snapshot: Snapshot) -> Decision:
    raise ValueError("no idea")


def nonsense(message: Message, snapshot: Snapshot) -> Any:
    return "interrupt"


def nothing(message: Message, snapshot: Snapshot) -> Any:
    return None


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (raises, "ValueError: no idea"),
        (nonsense, "TypeError: a policy returns a Decision, not 'interrupt'"),
        (nothing, "TypeError: a policy returns a Decision, not None"),
    ],
)
async def test_one_that_fails_interrupts(
    autojump_clock: MockClock, policy: Callable[..., Any], error: str
) -> None:
    """No message is lost for it: the operator hears of it, the default decides."""
    trail, told = Trail(), []
    async with open_conversation(two_seconds(), trail=trail, policy=policy) as conversation:
        conversation.engine.events.subscribe(told.append)
        await write(conversation, "m1", "one")
        await trio.sleep(1)
        await write(conversation, "m2", "two")
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "started", "m2"),
        (4, "answered", "m2"),
    ]
    assert [(one.message_id, one.error) for one in told if isinstance(one, PolicyFailed)] == [
        ("m1", error),
        ("m2", error),
    ]


async def test_one_that_fails_fails_for_its_message_alone(autojump_clock: MockClock) -> None:
    """Those that came in the same POST are decided on as ever."""

    def choosy(message: Message, snapshot: Snapshot) -> Decision:
        if message.id == "m2":
            raise ValueError("no idea")
        return Decision.ENQUEUE if snapshot.phase else Decision.START

    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy=choosy) as conversation:
        await write(conversation, "m1", "one")
        await trio.sleep(1)
        await conversation.send(("m2", "two"), ("m3", "three"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "started", "m3"),
        (2, "merged", "m2"),
        (4, "answered", "m3"),
    ]


async def test_one_that_fails_when_a_commit_has_failed_interrupts_as_well(autojump_clock: MockClock) -> None:
    """P8: it is asked again what would take the place of what could not be recorded."""

    def unreliable(message: Message, snapshot: Snapshot) -> Decision:
        if snapshot.phase is Phase.RESPONDING:
            raise ValueError("no idea")
        return POLICIES["enqueue"](message, snapshot)

    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds, store.refusals = (End,), 1, 1
    async with open_conversation(two_seconds(), trail=trail, store=store, policy=unreliable) as conversation:
        await write(conversation, "m1", "one")
        await trio.sleep(2.5)
        await write(conversation, "m2", "two")
        store.seconds = 0
        await trio.sleep(20)
    assert fates(trail)[1:3] == [(3, "superseded", "m1 by m2"), (3, "started", "m2")]


async def test_a_name_that_nobody_knows_is_refused() -> None:
    """At the start, with those that there are."""
    with pytest.raises(AssistantError, match="'intterupt'; there are: interrupt, rollback, enqueue"):
        async with open_conversation(two_seconds(), policy="intterupt"):
            pass


# What it may not decide ---------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["interrupt", "rollback"])
async def test_a_late_message_never_interrupts(autojump_clock: MockClock, decision: str) -> None:
    """P12: it is superseded by the newest."""
    trail = await trail_of([(0, "m1", "start", 100), (1, "m2", decision, 99)])
    assert fates(trail) == [(0, "started", "m1"), (1, "superseded", "m2 by m1"), (2, "answered", "m1")]


async def test_a_late_message_never_stops(autojump_clock: MockClock) -> None:
    """P12: as a late stop word does not."""
    trail = await trail_of(
        [(0, "m1", "start", 100), (1, "m2", "late", 99)],
        lambda message, snapshot: Decision.STOP if message.text == "late" else Decision.START,
    )
    assert fates(trail) == [(0, "started", "m1"), (1, "ignored", "m2"), (2, "answered", "m1")]


@pytest.mark.parametrize("decision", ["wait", "defer", "start"])
async def test_a_late_message_takes_no_newer_ones_place(autojump_clock: MockClock, decision: str) -> None:
    """P12: it has its turn, and what is newer has its own."""
    trail = await trail_of([(0, "m1", "start", 100), (0.5, "m2", "wait", 102), (1, "m3", decision, 101)])
    assert [entry for entry in fates(trail) if entry[1] != "started"] == [
        (2, "answered", "m1"),
        (4, "answered", "m3"),
        (6, "answered", "m2"),
    ]


async def test_a_late_message_takes_no_place_when_a_commit_fails(autojump_clock: MockClock) -> None:
    """P12: it waits its turn; that the reply could not be recorded at first makes it no newer."""
    store = UnreliableStore()
    store.only, store.seconds, store.refusals = (End,), 1, 1

    def always(message: Message, snapshot: Snapshot) -> Decision:
        return Decision.WAIT if snapshot.is_late else Decision.INTERRUPT

    trail = await trail_of([(0, "m1", "new", 100), (1, "m2", "old", 99)], always, store=store)
    assert [entry[1:] for entry in fates(trail)] == [
        ("started", "m1"),
        ("answered", "m1"),
        ("started", "m2"),
        ("answered", "m2"),
    ]


@pytest.mark.parametrize("decision", ["interrupt", "rollback", "reject", "steer", "start", "supersede"])
async def test_nothing_comes_between_a_reply_and_its_record(autojump_clock: MockClock, decision: str) -> None:
    """P8: whatever it says, in the commit a message only waits."""
    store = UnreliableStore()
    store.only, store.seconds = (End,), 1
    trail = await trail_of([(0, "m1", "start", None), (2.5, "m2", decision, None)], store=store)
    assert fates(trail) == [
        (0, "started", "m1"),
        (3, "answered", "m1"),
        (3, "started", "m2"),
        (6, "answered", "m2"),
    ]
    assert {kind for _, kind, _ in trail.said} == {"reply"}


async def test_nothing_is_interrupted_twice(autojump_clock: MockClock) -> None:
    """P9: the second one waits, and takes the first one's place."""
    trail = await trail_of(
        [(0, "m1", "start", None), (0.5, "m2", "interrupt", None), (1, "m3", "rollback", None)]
    )
    assert fates(trail) == [
        (0, "started", "m1"),
        (2, "superseded", "m1 by m2"),
        (2, "superseded", "m2 by m3"),
        (2, "started", "m3"),
        (4, "answered", "m3"),
    ]
    assert trail.of("acknowledgement") == [(0.5, "acknowledgement", ACK)]


async def test_what_was_interrupted_too_often_is_left_in_peace(autojump_clock: MockClock) -> None:
    """P13: whatever it says."""
    trail = await trail_of(
        [(0, "m1", "start", None), (1, "m2", "interrupt", None), (3, "m3", "interrupt", None)],
        limits=Limits(interruptions_max=1),
    )
    assert fates(trail)[2:] == [
        (2, "started", "m2"),
        (4, "answered", "m2"),
        (4, "started", "m3"),
        (6, "answered", "m3"),
    ]


@pytest.mark.parametrize("decision", list(Decision))
async def test_whatever_it_says_when_nothing_runs_each_message_has_its_fate(
    autojump_clock: MockClock, decision: Decision
) -> None:
    """P4: there is nothing to interrupt, to join or to wait for; a message is not lost for it."""
    trail = await trail_of([(0, "m1", "one", None)], lambda message, snapshot: decision)
    expected = {Decision.STOP: "stopped", Decision.IGNORE: "ignored"}.get(decision, "answered")
    assert [(word, id) for _, word, id in fates(trail) if word != "started"] == [(expected, "m1")]


async def test_whatever_it_says_each_message_has_one_fate(autojump_clock: MockClock) -> None:
    """P1, P4, P12: two messages while one runs, decided on in any way; a late one interrupts nothing.

    One user for each pair of decisions, early and late.
    """
    pairs = [
        (*pair, times) for pair in product(Decision, Decision) for times in ((100, 101, 102), (100, 99, 98))
    ]

    def by_id(message: Message, snapshot: Snapshot) -> Decision:
        pair, _, number = message.id.partition("-")
        return (Decision.START, *pairs[int(pair)][:2])[int(number)]

    trail = Trail()
    async with open_conversation(two_seconds(), trail=trail, policy=by_id) as conversation:
        for number in range(3):
            await conversation.engine.receive(
                [
                    Message(
                        id=f"{pair}-{number}", user=User(f"user {pair}"), text="go", timestamp=times[number]
                    )
                    for pair, (*_, times) in enumerate(pairs)
                ]
            )
            await trio.sleep(0.5)
        await trio.sleep(60)
    settled = [(at, word, id.split()[0]) for at, word, id in fates(trail) if word != "started"]
    assert sorted(id for _, _, id in settled) == sorted(
        f"{pair}-{number}" for pair in range(len(pairs)) for number in range(3)
    )
    late = [pair for pair, (*_, times) in enumerate(pairs) if times[1] < times[0]]
    assert {(2, "answered", f"{pair}-0") for pair in late} <= set(settled)
