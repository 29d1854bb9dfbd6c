"""The scenarios that the engine exists for, each with its whole trail.

Times are seconds on the mock clock.  Planning takes 0.25 s, the first wave 2 s, the second 3 s, adapting
0.5 s, responding 0.25 s.
"""

import trio
from trio.testing import MockClock

from engine import Call, MemoryStore, Plan, SendDelayed, SendRefused
from engine.testing import (
    RecordingOutbound,
    Trail,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ACK = "Got it! Switching to your new request..."


def two_waves(trail: Trail):
    """a, then b."""
    first = sleeping_tool("first", 2.0, trail=trail)
    second = sleeping_tool("second", 3.0, trail=trail)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=0.25,
        adapting_seconds=0.5,
        responding_seconds=0.25,
    )


def whole_run(message: str, text: str, at: float) -> list[tuple[float, str, str]]:
    """The trail of an operation that nobody interrupts, begun at `at`."""
    return [
        (at, "started", message),
        (at + 0.25, "planned", "a | b"),
        (at + 0.25, "wave", "a"),
        (at + 2.25, "acted", "first"),
        (at + 2.25, "wave finished", "1"),
        (at + 2.25, "wave", "b"),
        (at + 5.25, "acted", "second"),
        (at + 5.25, "wave finished", "2"),
        (at + 6.0, "answered", message),
        (at + 6.0, "completed", "2 tools"),
        (at + 6.0, "reply", f"done: {text}"),
    ]


async def test_single_message(autojump_clock: MockClock) -> None:
    """One message: plan, two waves, a reply, and no row left in the table (P10)."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.entries == whole_run("m1", "Check Hanukkah", 0)


async def test_two_rapid_messages(autojump_clock: MockClock) -> None:
    """The second comes while the first is being planned: planning is cut at once, no wave ever starts."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(0.125)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(20)
    assert sorted(trail.entries[1:5]) == [
        (0.125, "acknowledgement", ACK),
        (0.125, "cancelled", "new_message_received"),
        (0.125, "started", "m2"),
        (0.125, "superseded", "m1 by m2"),
    ]
    assert trail.entries[:1] + trail.entries[5:] == [
        (0, "started", "m1"),
        *whole_run("m2", "Actually Passover", 0.125)[1:],
    ]


async def test_message_during_wave_1(autojump_clock: MockClock) -> None:
    """Wave 1 completes and is recorded, wave 2 is skipped, the new one starts with what was learnt."""
    trail = Trail()
    store = MemoryStore()
    assistant = two_waves(trail)
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(1)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(20)
    assert trail.entries == [
        (0, "started", "m1"),
        (0.25, "planned", "a | b"),
        (0.25, "wave", "a"),
        (1, "acknowledgement", ACK),
        (2.25, "acted", "first"),
        (2.25, "wave finished", "1"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "cancelled", "new_message_received"),
        *whole_run("m2", "Actually Passover", 2.25),
    ]
    (taken_back,) = assistant.planner.contexts["m2"].superseded
    assert taken_back.message.text == "Check Hanukkah"
    assert [(name, outcome.status.value) for name, outcome in taken_back.results.items()] == [
        ("a", "succeeded"),
        ("b", "skipped"),
    ]
    assert taken_back.results["a"].value == "first"


async def test_message_during_adaptation(autojump_clock: MockClock) -> None:
    """Both waves are done and the planner is being asked for more: that question is cut, no reply is made."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(5.5)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(20)
    first = whole_run("m1", "Check Hanukkah", 0)[:-3]
    assert trail.entries[: len(first)] == first
    assert sorted(trail.entries[len(first) :][:4]) == [
        (5.5, "acknowledgement", ACK),
        (5.5, "cancelled", "new_message_received"),
        (5.5, "started", "m2"),
        (5.5, "superseded", "m1 by m2"),
    ]
    assert trail.entries[len(first) + 4 :] == whole_run("m2", "Actually Passover", 5.5)[1:]


async def test_three_rapid_messages(autojump_clock: MockClock) -> None:
    """The first two are superseded, the third is processed; one acknowledgement, for the one that ran."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(1)
        await conversation.send(("m2", "Actually Passover"))
        await trio.sleep(0.5)
        await conversation.send(("m3", "No, Easter"))
        await trio.sleep(20)
        history = await conversation.engine.read_history("15551234567")
    assert trail.entries == [
        (0, "started", "m1"),
        (0.25, "planned", "a | b"),
        (0.25, "wave", "a"),
        (1, "acknowledgement", ACK),
        (2.25, "acted", "first"),
        (2.25, "wave finished", "1"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "cancelled", "new_message_received"),
        (2.25, "superseded", "m2 by m3"),
        *whole_run("m3", "No, Easter", 2.25),
    ]
    assert [turn.text for turn in history] == [
        "Check Hanukkah",
        "Actually Passover",
        "No, Easter",
        "done: No, Easter",
    ]


async def test_message_after_completion(autojump_clock: MockClock) -> None:
    """The first was answered: nothing is cancelled and nobody is told anything."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(10)
        await conversation.send(("m2", "And Passover"))
        await trio.sleep(20)
    assert trail.entries == [
        *whole_run("m1", "Check Hanukkah", 0),
        *whole_run("m2", "And Passover", 10),
    ]


# The edges ----------------------------------------------------------------------------------------


async def test_a_message_while_the_previous_is_cancelling(autojump_clock: MockClock) -> None:
    """P9: a third message during the interrupted wave waits; the user is told once, the newest runs."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        for number in (2, 3, 4):
            await conversation.send((f"m{number}", f"text {number}"))
            await trio.sleep(0.25)
        await trio.sleep(20)
    assert [entry for entry in trail.entries if entry[1] == "acknowledgement"] == [
        (1, "acknowledgement", ACK)
    ]
    assert [entry for entry in trail.entries if entry[1] in ("superseded", "answered", "started")] == [
        (0, "started", "m1"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "superseded", "m2 by m4"),
        (2.25, "superseded", "m3 by m4"),
        (2.25, "started", "m4"),
        (8.25, "answered", "m4"),
    ]


async def test_completion_then_a_message_in_the_same_instant(autojump_clock: MockClock) -> None:
    """P8: the reply was handed to the store first: it stands, and the message starts anew."""
    trail = Trail()
    store = MemoryStore()
    async with open_conversation(two_waves(trail), trail=trail, store=store) as conversation:

        def at_the_commit(event: object) -> None:
            if type(event).__name__ == "MessageSettled" and event.message_id == "m1":
                nursery.start_soon(conversation.send, ("m2", "And Passover"))

        async with trio.open_nursery() as nursery:
            conversation.engine.events.subscribe(at_the_commit)
            await conversation.send(("m1", "Check Hanukkah"))
            await trio.sleep(20)
    assert [
        entry for entry in trail.entries if entry[1] in ("answered", "superseded", "reply", "cancelled")
    ] == [
        (6, "answered", "m1"),
        (6, "reply", "done: Check Hanukkah"),
        (12, "answered", "m2"),
        (12, "reply", "done: And Passover"),
    ]


async def test_a_message_then_completion_in_the_same_instant(autojump_clock: MockClock) -> None:
    """P3: the message was delivered before the reply was handed over: that reply is never sent."""
    trail = Trail()
    assistant = two_waves(trail)
    async with open_conversation(assistant, trail=trail) as conversation:

        async def respond_while_a_message_comes(message, results, context):
            if message.id == "m1":
                with trio.CancelScope(shield=True):  # so that it does hand its reply over
                    await conversation.send(("m2", "Actually Passover"))
            return f"done: {message.text}"

        object.__setattr__(assistant, "responder", respond_while_a_message_comes)
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(30)
    assert [entry for entry in trail.entries if entry[1] in ("superseded", "answered", "reply")] == [
        (5.75, "superseded", "m1 by m2"),
        (11.5, "answered", "m2"),
        (11.5, "reply", "done: Actually Passover"),
    ]


async def test_several_messages_within_milliseconds(autojump_clock: MockClock) -> None:
    """Ten messages, a millisecond apart: the last is answered, each has one fate."""
    trail = Trail()
    async with open_conversation(two_waves(trail), trail=trail) as conversation:
        for number in range(10):
            await conversation.send((f"m{number}", f"text {number}"))
            await trio.sleep(1 / 1024)
        await trio.sleep(30)
    fates = [entry[1:] for entry in trail.entries if entry[1] in ("superseded", "answered")]
    assert fates == [
        *(("superseded", f"m{number} by m{number + 1}") for number in range(9)),
        ("answered", "m9"),
    ]
    assert [detail for _, word, detail in trail.entries if word == "acted"] == ["first", "second"]


async def test_several_messages_in_one_post(autojump_clock: MockClock) -> None:
    """They are one burst: the planner is given all of them, in order, and nobody is told anything."""
    trail = Trail()
    assistant = two_waves(trail)
    async with open_conversation(assistant, trail=trail) as conversation:
        await conversation.send(("m1", "one"), ("m2", "two"), ("m3", "three"))
        await trio.sleep(20)
        history = await conversation.engine.read_history("15551234567")
    began, *rest = whole_run("m3", "three", 0)
    # With the record of the plan that saw them, not before.
    assert trail.entries == [began, (0.25, "merged", "m1"), (0.25, "merged", "m2"), *rest]
    assert [each.text for each in assistant.planner.contexts["m3"].burst] == ["one", "two", "three"]
    assert [turn.text for turn in history] == ["one", "two", "three", "done: three"]


async def test_the_user_is_unreachable_in_the_middle(autojump_clock: MockClock) -> None:
    """P10: sends fail, the operation does not; the session ends while the reply still waits to be sent."""
    trail = Trail()
    outbound = RecordingOutbound(trail)
    outbound.failures = [SendDelayed("unreachable", whole_number=True)] * 3
    async with open_conversation(two_waves(trail), trail=trail, outbound=outbound) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(6.5)
        assert conversation.engine.live_sessions == 0
        assert (await conversation.engine.read_depths()).outbox == 1
        await trio.sleep(60)
    assert trail.entries == [
        *whole_run("m1", "Check Hanukkah", 0)[:-1],
        (6 + 1 + 2 + 4, "reply", "done: Check Hanukkah"),
    ]


async def test_a_user_who_can_never_be_reached(autojump_clock: MockClock) -> None:
    """A refusal for good is a dead letter; the next reply is sent as ever."""
    trail = Trail()
    outbound = RecordingOutbound(trail)
    outbound.failures = [SendRefused("not on WhatsApp", 131026)]
    async with open_conversation(two_waves(trail), trail=trail, outbound=outbound) as conversation:
        await conversation.send(("m1", "Check Hanukkah"))
        await trio.sleep(10)
        await conversation.send(("m2", "Check Passover"))
        await trio.sleep(10)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert outbound.texts == ["done: Check Passover"]


async def test_an_interruption_during_a_database_like_tool(autojump_clock: MockClock) -> None:
    """P2: a transfer that takes two awaits is not cut between them, and its outcome is recorded."""
    trail = Trail()
    store = MemoryStore()
    assistant = two_waves(trail)
    account = {"from": 100, "to": 0}

    from engine import tool

    @tool(timeout=10)
    async def transfer(amount: int) -> int:
        """Moves money."""
        account["from"] -= amount
        await trio.sleep(1)
        account["to"] += amount
        return account["to"]

    assistant = scripted_assistant(
        Plan(Call("t", transfer, {"amount": 30}), Call("again", transfer, {"amount": 30}, after=["t"])),
        tools=[transfer],
    )
    async with open_conversation(
        assistant, trail=trail, store=store, new_id=iter("ABCDEFGH").__next__
    ) as conversation:
        await conversation.send(("m1", "pay"))
        await trio.sleep(0.5)
        assert conversation.engine.stop("15551234567")
        await trio.sleep(5)
        record = await store.read_operation("A")
    assert account == {"from": 70, "to": 30}
    assert [(call.call.id, call.outcome.status.value, call.outcome.raw) for call in record.calls] == [
        ("t", "succeeded", 30),
        ("again", "skipped", None),
    ]
    assert trail.entries[-4:] == [
        (1, "wave finished", "1"),
        (1, "stopped", "m1"),
        (1, "cancelled", "user_stopped"),
        (1, "notice", "Stopped. Already done: transfer."),
    ]
