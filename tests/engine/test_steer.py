"""The policy steer: a new message joins the operation that runs, at its next boundary.

Planning takes 0.25 s, `first` 2 s, `second` after it 3 s, adapting 0.5 s, responding 0.25 s.  An operation
that nobody steers is answered at 6.
"""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Context,
    Event,
    Limits,
    MemoryStore,
    Message,
    MessageAccepted,
    Phase,
    Plan,
    Results,
    User,
)
from engine.store import End, Happened, Planned
from engine.testing import (
    Conversation,
    Trail,
    UnreliableStore,
    left_by_a_crash,
    open_conversation,
    sleeping_tool,
)

ANNA = "15551234567"


@attrs.define(eq=False)
class Steered:
    """Plans `first`, then `second`; when a message has joined, `answers` says what becomes of the plan.

    An answer that is an exception is raised.  `asked`: when adapt was asked, with which burst and outcomes.
    """

    calls: Plan
    answers: Mapping[str, Plan | Exception | None] = attrs.field(factory=dict)
    contexts: dict[str, Context] = attrs.field(factory=dict)
    asked: list[tuple[float, str, list[str]]] = attrs.field(factory=list)

    async def plan(self, message: Message, context: Context) -> Plan:
        self.contexts[message.id] = context
        await trio.sleep(0.25)
        return self.calls

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        assert message == context.burst[-1]
        self.contexts.setdefault(message.id, context)
        burst = " ".join(one.text for one in context.burst)
        known = [f"{id} {one.status}" for id, one in results.items()]
        self.asked.append((trio.current_time(), burst, known))
        await trio.sleep(0.5)
        answer = self.answers.get(message.text)
        if isinstance(answer, Exception):
            raise answer
        # What was answered before would repeat ids: the planner has enough then.
        is_new = isinstance(answer, Plan) and not {call.id for call in answer.calls} & results.keys()
        return answer if is_new else None


def steered(trail: Trail, answers: Mapping[str, Any] | None = None, **more: Any) -> Assistant:
    first, second = sleeping_tool("first", 2, trail=trail), sleeping_tool("second", 3, trail=trail)
    third = sleeping_tool("third", 1, trail=trail)
    planner = Steered(Plan(Call("a", first), Call("b", second, after=["a"])), answers or {})

    async def respond(message: Message, results: Results, context: Context) -> str:
        await trio.sleep(0.25)
        return "done: " + " ".join(one.text for one in context.burst)

    return Assistant(planner=planner, responder=respond, tools=[first, second, third], **more)


THIRD = Plan(Call("c", "third"))
NOTHING = Plan()


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("answered", "superseded", "merged", "failed", "stopped", "started")


async def go_and_add(conversation: Conversation, *, after: float, text: str = "more") -> None:
    await conversation.send(("m1", "go"))
    await trio.sleep(after)
    await conversation.send(("m2", text))


UP_TO_THE_FIRST_WAVE = [
    (0, "started", "m1"),
    (0.25, "planned", "a | b"),
]


async def test_a_message_in_a_wave_joins_at_its_end(autojump_clock: MockClock) -> None:
    """P2: the wave finishes.  The new plan takes the place of what had not begun; one reply for both."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.entries == [
        *UP_TO_THE_FIRST_WAVE,
        (0.25, "wave", "a"),
        (2.25, "acted", "first"),
        (2.25, "wave finished", "1"),
        (2.75, "merged", "m2"),
        (2.75, "planned", "c"),
        (2.75, "wave", "c"),
        (3.75, "acted", "third"),
        (3.75, "wave finished", "2"),
        (4.5, "answered", "m1"),
        (4.5, "completed", "2 tools"),
        (4.5, "reply", "done: go more"),
    ]
    assert assistant.planner.asked == [
        (2.25, "go more", ["a succeeded"]),
        (3.75, "go more", ["a succeeded", "b skipped", "c succeeded"]),
    ]


async def test_a_message_while_it_plans_joins_before_anything_is_done(autojump_clock: MockClock) -> None:
    """The planning is not cut; nothing of its plan has begun."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=0.125)
        await trio.sleep(20)
    assert trail.entries == [
        *UP_TO_THE_FIRST_WAVE,
        (0.75, "merged", "m2"),
        (0.75, "planned", "c"),
        (0.75, "wave", "c"),
        (1.75, "acted", "third"),
        (1.75, "wave finished", "1"),
        (2.5, "answered", "m1"),
        (2.5, "completed", "1 tools"),
        (2.5, "reply", "done: go more"),
    ]


async def test_a_message_between_two_waves_joins_before_the_next(autojump_clock: MockClock) -> None:
    """The first wave has acted, and its outcome is being written down."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (Happened,), 1
    assistant = steered(trail, {"more": NOTHING})
    async with open_conversation(assistant, trail=trail, store=store, policy="steer") as conversation:
        await go_and_add(conversation, after=3)
        await trio.sleep(20)
    assert trail.done == [
        *UP_TO_THE_FIRST_WAVE,
        (0.25, "wave", "a"),
        (2.25, "acted", "first"),
        (3.25, "wave finished", "1"),
        (4.75, "merged", "m2"),  # 0.5 s for the planner, 1 s for the record of what it skips
        (4.75, "planned", ""),
        (5, "answered", "m1"),
        (5, "completed", "1 tools"),
    ]


async def test_a_message_while_it_adapts_is_asked_about_next(autojump_clock: MockClock) -> None:
    """That question goes on to its end, and was about other things."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=5.5)
        await trio.sleep(20)
    assert assistant.planner.asked == [
        (5.25, "go", ["a succeeded", "b succeeded"]),
        (5.75, "go more", ["a succeeded", "b succeeded"]),
        (7.25, "go more", ["a succeeded", "b succeeded", "c succeeded"]),
    ]
    assert fates(trail) == [(0, "started", "m1"), (6.25, "merged", "m2"), (8, "answered", "m1")]


async def test_a_message_in_the_last_wave_joins_at_its_end(autojump_clock: MockClock) -> None:
    """There was nothing more to do, and now there is."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=5)
        await trio.sleep(20)
    assert trail.done[-8:] == [
        (5.25, "wave finished", "2"),
        (5.75, "merged", "m2"),
        (5.75, "planned", "c"),
        (5.75, "wave", "c"),
        (6.75, "acted", "third"),
        (6.75, "wave finished", "3"),
        (7.5, "answered", "m1"),
        (7.5, "completed", "3 tools"),
    ]
    assert trail.said == [(7.5, "reply", "done: go more")]


async def test_a_message_while_the_reply_is_made_cuts_it(autojump_clock: MockClock) -> None:
    """It did not know of the message: it is never sent, the planner is asked, and a reply is made anew."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=5.875)
        await trio.sleep(20)
    assert assistant.planner.asked == [
        (5.25, "go", ["a succeeded", "b succeeded"]),
        (5.875, "go more", ["a succeeded", "b succeeded"]),
        (7.375, "go more", ["a succeeded", "b succeeded", "c succeeded"]),
    ]
    assert fates(trail) == [(0, "started", "m1"), (6.375, "merged", "m2"), (8.125, "answered", "m1")]
    assert trail.said == [(8.125, "reply", "done: go more")]


async def test_a_reply_that_was_made_before_the_cut_is_not_sent_either(autojump_clock: MockClock) -> None:
    """P3: the message was delivered before the reply was handed to the store."""
    trail = Trail()
    assistant = steered(trail)
    respond = assistant.responder

    async def respond_while_a_message_comes(message: Message, results: Results, context: Context) -> str:
        reply = await respond(message, results, context)
        if message.id == "m1":
            with trio.CancelScope(shield=True):
                await conversation.send(("m2", "more"))
        return reply

    assistant = attrs.evolve(assistant, responder=respond_while_a_message_comes)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert fates(trail) == [(0, "started", "m1"), (6.5, "merged", "m2"), (6.75, "answered", "m1")]
    assert trail.said == [(6.75, "reply", "done: go more")]


async def test_a_message_in_the_commit_starts_the_next_operation(autojump_clock: MockClock) -> None:
    """P8: the reply is as good as given."""
    trail = Trail()
    store = UnreliableStore()
    store.only, store.seconds = (End,), 1
    async with open_conversation(steered(trail), trail=trail, store=store, policy="steer") as conversation:
        await go_and_add(conversation, after=6.5)
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (7, "answered", "m1"),
        (7, "started", "m2"),
        (14, "answered", "m2"),
    ]
    assert trail.said == [(7, "reply", "done: go"), (14, "reply", "done: more")]


async def test_beyond_adaptations_max_a_message_starts_the_next_operation(autojump_clock: MockClock) -> None:
    """Somebody who goes on steering is answered at some time; what waited together runs together."""
    trail = Trail()
    assistant = steered(trail, {"two": NOTHING})
    limits = Limits(adaptations_max=1)
    async with open_conversation(assistant, trail=trail, policy="steer", limits=limits) as conversation:
        await go_and_add(conversation, after=1, text="two")
        await trio.sleep(1.875)  # the response is under way
        assert conversation.engine.sessions.get(ANNA).operation.phase is Phase.RESPONDING
        await conversation.send(("m3", "three"))
        await conversation.send(("m4", "four"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2.75, "merged", "m2"),
        (3, "answered", "m1"),
        (3, "started", "m4"),
        (3.25, "merged", "m3"),
        (9, "answered", "m4"),
    ]
    assert trail.said == [(3, "reply", "done: go two"), (9, "reply", "done: three four")]


async def test_a_message_that_came_too_late_to_be_taken_in_waits(autojump_clock: MockClock) -> None:
    """Two come in one wave's time and one adaptation is left: it is asked once, with both."""
    trail = Trail()
    assistant = steered(trail, {"three": NOTHING})
    limits = Limits(adaptations_max=1)
    async with open_conversation(assistant, trail=trail, policy="steer", limits=limits) as conversation:
        await go_and_add(conversation, after=1, text="two")
        await conversation.send(("m3", "three"))
        await trio.sleep(1.5)  # adapting
        await conversation.send(("m4", "four"))
        await trio.sleep(20)
    assert assistant.planner.asked[0] == (2.25, "go two three", ["a succeeded"])
    assert fates(trail)[:6] == [
        (0, "started", "m1"),
        (2.75, "merged", "m2"),
        (2.75, "merged", "m3"),
        (3, "answered", "m1"),
        (3, "started", "m4"),
        (9, "answered", "m4"),
    ]


# What the planner answers -------------------------------------------------------------------------


async def test_none_keeps_the_calls(autojump_clock: MockClock) -> None:
    """The plan goes on as it was, and is asked about as ever when its waves have ended."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(20)
    assert trail.entries == [
        *UP_TO_THE_FIRST_WAVE,
        (0.25, "wave", "a"),
        (2.25, "acted", "first"),
        (2.25, "wave finished", "1"),
        (2.75, "merged", "m2"),
        (2.75, "wave", "b"),
        (5.75, "acted", "second"),
        (5.75, "wave finished", "2"),
        (6.5, "answered", "m1"),
        (6.5, "completed", "2 tools"),
        (6.5, "reply", "done: go more"),
    ]


async def test_an_empty_plan_drops_them(autojump_clock: MockClock) -> None:
    """P6: what was dropped is skipped, and says why."""
    trail, store = Trail(), MemoryStore()
    assistant = steered(trail, {"more": NOTHING})
    async with open_conversation(
        assistant, trail=trail, store=store, policy="steer", new_id=iter("ABCD").__next__
    ) as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(20)
        record = await store.read_operation("A")
    assert fates(trail) == [(0, "started", "m1"), (2.75, "merged", "m2"), (3, "answered", "m1")]
    assert [(one.call.id, one.outcome.status, one.outcome.error) for one in record.calls] == [
        ("a", "succeeded", None),
        ("b", "skipped", "a later plan left it out"),
    ]


async def test_a_plan_may_use_the_ids_of_calls_not_started(autojump_clock: MockClock) -> None:
    """It says "b" for what it now means by b, and may build on what is done."""
    trail, store = Trail(), MemoryStore()
    assistant = steered(
        trail, {"more": Plan(Call("c", "third", after=["a"]), Call("b", "first", after=["c"]))}
    )
    async with open_conversation(
        assistant, trail=trail, store=store, policy="steer", new_id=iter("ABCD").__next__
    ) as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(20)
        record = await store.read_operation("A")
    assert trail.of("planned", "acted") == [
        (0.25, "planned", "a | b"),
        (2.25, "acted", "first"),
        (2.75, "planned", "c | b"),
        (3.75, "acted", "third"),
        (5.75, "acted", "first"),
    ]
    assert [(one.call.id, one.call.tool, one.round, one.outcome.status) for one in record.calls] == [
        ("a", "first", 0, "succeeded"),
        ("c", "third", 1, "succeeded"),
        ("b", "first", 1, "succeeded"),
    ]


# Several messages ---------------------------------------------------------------------------------


async def test_several_messages_join_together_in_order(autojump_clock: MockClock) -> None:
    """A question each would cost an adaptation each; texts are never glued."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=0.5, text="two")
        await trio.sleep(0.5)
        await conversation.send(("m3", "three"), ("m4", "four"))
        await trio.sleep(20)
    assert assistant.planner.asked == [
        (2.25, "go two three four", ["a succeeded"]),
        (5.75, "go two three four", ["a succeeded", "b succeeded"]),
    ]
    assert fates(trail) == [
        (0, "started", "m1"),
        (2.75, "merged", "m2"),
        (2.75, "merged", "m3"),
        (2.75, "merged", "m4"),
        (6.5, "answered", "m1"),
    ]


async def test_one_after_the_other_each_joins_at_its_boundary(autojump_clock: MockClock) -> None:
    """What joined before is still in the burst, in order."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=0.5, text="two")
        await trio.sleep(2.5)  # 3: the second wave runs
        await conversation.send(("m3", "three"))
        await trio.sleep(20)
    assert [(at, burst) for at, burst, _ in assistant.planner.asked] == [
        (2.25, "go two"),
        (5.75, "go two three"),
    ]
    assert trail.said == [(6.5, "reply", "done: go two three")]


async def test_late_messages_join_in_their_place(autojump_clock: MockClock) -> None:
    """P12: by time; the newest is the one that the planner is asked about."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        for id, timestamp in (("m3", 103), ("m1", 101), ("m4", 104), ("m2", 102)):
            message = Message(id=id, user=User(ANNA), text=id, timestamp=timestamp)
            await conversation.engine.receive([message])
            await trio.sleep(0.5)
        await trio.sleep(20)
    assert assistant.planner.asked[0][:2] == (2.25, "m1 m2 m3 m4")
    assert trail.said == [(6.5, "reply", "done: m1 m2 m3 m4")]


async def test_what_has_joined_is_history_for_the_next_request_only(autojump_clock: MockClock) -> None:
    """The running operation has it in its burst; the next one reads it where it was written."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(20)
        await conversation.send(("m3", "next"))
        await trio.sleep(20)
    assert assistant.planner.contexts["m1"].history == ()
    assert [(turn.text, turn.fate) for turn in assistant.planner.contexts["m3"].history] == [
        ("go", "answered"),
        ("more", "merged"),
        ("done: go more", "answered"),
    ]
    assert assistant.planner.contexts["m3"].superseded == ()


# What goes wrong ----------------------------------------------------------------------------------


async def test_stop_drops_what_has_not_joined(autojump_clock: MockClock) -> None:
    """The wave finishes, nobody is asked to adapt, nothing else runs."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(0.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert assistant.planner.asked == []
    assert fates(trail) == [
        (0, "started", "m1"),
        (1.5, "stopped", "m2"),
        (2.25, "stopped", "m1"),
        (2.25, "stopped", "m3"),
    ]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]


async def test_stop_while_it_is_taken_in_drops_it(autojump_clock: MockClock) -> None:
    """The planner is being asked with it; no plan has seen it."""
    trail = Trail()
    assistant = steered(trail)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(1.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert sorted(fates(trail)[1:]) == [
        (2.5, "stopped", "m1"),
        (2.5, "stopped", "m2"),
        (2.5, "stopped", "m3"),
    ]
    assert trail.said == [(2.5, "notice", "Stopped. Already done: first.")]


@pytest.mark.parametrize("text", ["raises", "is wrong"])
async def test_an_operation_that_fails_over_a_message_leaves_it_to_the_next(
    autojump_clock: MockClock, text: str
) -> None:
    """Merged is recorded with the plan that saw it, not before: it is not lost with the operation."""
    trail = Trail()
    answers = {"raises": ValueError("no idea"), "is wrong": Plan(Call("x", "no such tool"))}
    assistant = steered(trail, answers)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=1, text=text)
        await trio.sleep(2.5)
        # It is asked about again at the end of the waves of its own operation, and fails that as well.
        assert fates(trail)[:2] == [(0, "started", "m1"), (2.75, "failed", "m1")]
        assert fates(trail)[3] == (2.75, "started", "m2")
        await trio.sleep(20)
    assert trail.of("apology")[0][0] == 2.75


async def test_a_planner_that_fails_before_it_is_asked_leaves_it_to_the_next(
    autojump_clock: MockClock,
) -> None:
    """The message came while the plan was made, and the plan was never made."""
    trail = Trail()
    assistant = steered(trail)

    class Failing(Steered):
        async def plan(self, message: Message, context: Context) -> Plan:
            if message.id == "m1":
                await trio.sleep(0.25)
                raise ValueError("no idea")
            return await super().plan(message, context)

    planner = Failing(assistant.planner.calls)
    assistant = attrs.evolve(assistant, planner=planner)
    async with open_conversation(assistant, trail=trail, policy="steer") as conversation:
        await go_and_add(conversation, after=0.125)
        await trio.sleep(20)
    assert [entry[1:] for entry in fates(trail)] == [
        ("started", "m1"),
        ("failed", "m1"),
        ("failed", "ValueError: no idea"),
        ("started", "m2"),
        ("answered", "m2"),
    ]


async def test_a_store_that_refuses_the_merge_delays_it(autojump_clock: MockClock) -> None:
    """No restart: the planner is asked again when the store is back, and no wave is run twice."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    store = UnreliableStore()
    store.only = (Planned,)
    async with open_conversation(
        assistant, trail=trail, store=store, policy="steer", limits=Limits(record_seconds_max=5)
    ) as conversation:
        await go_and_add(conversation, after=1)
        store.refusals = -1
        await trio.sleep(8)
        store.refusals = 0
        await trio.sleep(20)
    assert trail.of("acted", "merged", "suspended", "answered") == [
        (2.25, "acted", "first"),
        (7.75, "suspended", "store"),
        (13.25, "merged", "m2"),
        (14.25, "acted", "third"),
        (15, "answered", "m1"),
    ]
    assert [(at, burst) for at, burst, _ in assistant.planner.asked] == [
        (2.25, "go more"),
        (12.75, "go more"),
        (14.25, "go more"),
    ]


async def test_a_merge_that_is_written_late_is_not_made_again(autojump_clock: MockClock) -> None:
    """The store wrote it when nobody waited any more: the message is in the burst, once."""
    trail = Trail()
    assistant = steered(trail, {"more": THIRD})
    store = UnreliableStore()
    store.only = (Planned,)
    async with open_conversation(
        assistant, trail=trail, store=store, policy="steer", limits=Limits(record_seconds_max=5)
    ) as conversation:
        await go_and_add(conversation, after=1)
        store.seconds = 7
        await trio.sleep(7)
        store.seconds = 0
        await trio.sleep(30)
    assert trail.of("merged", "answered", "suspended") == [
        (7.75, "suspended", "store"),
        (9.75, "merged", "m2"),
        (14.5, "answered", "m1"),
    ]
    assert trail.said == [(14.5, "reply", "done: go more")]


async def test_the_deadline_leaves_what_has_not_joined_to_the_next(autojump_clock: MockClock) -> None:
    """The operation is over; the message is not."""
    trail = Trail()
    async with open_conversation(
        steered(trail), trail=trail, policy="steer", limits=Limits(operation_seconds_max=2)
    ) as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(1.5)
    assert fates(trail)[:2] == [(0, "started", "m1"), (2.25, "failed", "m1")]
    assert (2.25, "started", "m2") in trail.entries


# Crashes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2.5], ids=["before_it_was_asked", "while_it_was_asked"])
async def test_a_crash_before_the_plan_saw_it_steers_again(autojump_clock: MockClock, at: float) -> None:
    """It has no fate: it waits in the inbox, and joins after the restart."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        steered(first), trail=first, store=store, policy="steer", limits=Limits(grace_seconds=0)
    ) as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(at - 1)
        left = left_by_a_crash(store)
    assistant = steered(second, {"more": THIRD})
    async with open_conversation(assistant, trail=second, store=left, policy="steer") as conversation:
        await trio.sleep(20)
    known = "a unknown" if at == 1 else "a succeeded"
    assert assistant.planner.asked[0] == (at, "go more", [known])
    assert second.done == [
        (at + 0.5, "merged", "m2"),
        (at + 0.5, "planned", "c"),
        (at + 0.5, "wave", "c"),
        (at + 1.5, "acted", "third"),
        (at + 1.5, "wave finished", "2"),
        (at + 2.25, "answered", "m1"),
        (at + 2.25, "completed", "2 tools"),
    ]
    assert second.said == [(at + 2.25, "reply", "done: go more")]


async def test_a_wave_that_a_crash_cut_short_is_finished_first(autojump_clock: MockClock) -> None:
    """P2, P6: a call that was started and may be made again is, before a message joins: none replaces it."""
    first, second, store = Trail(), Trail(), MemoryStore()

    def idempotent(trail: Trail, answers: Mapping[str, Any]) -> Assistant:
        assistant = steered(trail, answers)
        tools = [attrs.evolve(tool, idempotent=True) for tool in assistant.tools.values()]
        return attrs.evolve(assistant, tools=tools)

    async with open_conversation(
        idempotent(first, {}), trail=first, store=store, policy="steer", limits=Limits(grace_seconds=0)
    ) as conversation:
        await go_and_add(conversation, after=1)
        left = left_by_a_crash(store)
    assistant = idempotent(second, {"more": NOTHING})
    async with open_conversation(assistant, trail=second, store=left, policy="steer"):
        await trio.sleep(20)
    assert assistant.planner.asked == [(3, "go more", ["a succeeded"])]
    assert second.done == [
        (1, "wave", "a"),
        (3, "acted", "first"),
        (3, "wave finished", "1"),
        (3.5, "merged", "m2"),
        (3.5, "planned", ""),
        (3.75, "answered", "m1"),
        (3.75, "completed", "1 tools"),
    ]


async def test_a_crash_after_the_plan_saw_it_keeps_it_in_the_burst(autojump_clock: MockClock) -> None:
    """It was merged: it is not taken in again, and the planner and the reply still know of it."""
    first, second, store = Trail(), Trail(), MemoryStore()
    async with open_conversation(
        steered(first, {"more": THIRD}),
        trail=first,
        store=store,
        policy="steer",
        limits=Limits(grace_seconds=0),
    ) as conversation:
        await go_and_add(conversation, after=1)
        await trio.sleep(2)
        left = left_by_a_crash(store)
    assistant = steered(second, {"more": THIRD})
    async with open_conversation(assistant, trail=second, store=left, policy="steer") as conversation:
        await trio.sleep(20)
    assert first.of("merged") == [(2.75, "merged", "m2")]
    assert assistant.planner.asked == [(3, "go more", ["a succeeded", "b skipped", "c unknown"])]
    assert assistant.planner.contexts["m2"].history == ()
    assert second.entries == [
        (3.75, "answered", "m1"),
        (3.75, "completed", "2 tools"),
        (3.75, "reply", "done: go more"),
    ]


async def test_a_crash_while_the_reply_is_cut_asks_again(autojump_clock: MockClock) -> None:
    """It came in the instant before the crash: nobody has decided anything on it."""
    first, second, store = Trail(), Trail(), MemoryStore()
    left: list[MemoryStore] = []
    async with open_conversation(
        steered(first), trail=first, store=store, policy="steer", limits=Limits(grace_seconds=0)
    ) as conversation:

        def crash(event: Event) -> None:
            if isinstance(event, MessageAccepted) and event.message_id == "m2":
                left.append(left_by_a_crash(store))

        conversation.engine.events.subscribe(crash)
        await go_and_add(conversation, after=5.875)
    assistant = steered(second)
    async with open_conversation(assistant, trail=second, store=left[0], policy="steer") as conversation:
        await trio.sleep(20)
    assert assistant.planner.asked == [(5.875, "go more", ["a succeeded", "b succeeded"])]
    assert second.entries == [
        (6.375, "merged", "m2"),
        (6.625, "answered", "m1"),
        (6.625, "completed", "2 tools"),
        (6.625, "reply", "done: go more"),
    ]
