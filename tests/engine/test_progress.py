"""Typing and notes: what a user sees while an operation runs."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from engine import Assistant, Call, Limits, Message, Plan, SendDelayed, SendRefused, TypingSignal, User
from engine.testing import RecordingOutbound, open_conversation, scripted_assistant, sleeping_tool
from engine.typing_signals import TypingSignals


def slow(seconds: float = 50) -> Assistant:
    act = sleeping_tool("act", seconds)
    return scripted_assistant(Plan(Call("x", act)), tools=[act])


def noting(*notes: tuple[float, str], seconds: float = 0.0):
    """A planner that sends notes, each after a pause; and what `progress` returned."""
    returned = []

    class Planner:
        async def plan(self, message, context):
            for pause, text in notes:
                await trio.sleep(pause)
                returned.append(await context.progress(text))
            await trio.sleep(seconds)
            return Plan()

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "done"

    return Assistant(planner=Planner(), responder=respond, tools=[]), returned


async def test_typing_is_shown_at_once_and_again_before_it_fades(autojump_clock: MockClock) -> None:
    """WhatsApp's indicator fades after 25 s; it ends with the reply."""
    async with open_conversation(slow()) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(200)
    assert conversation.outbound.typing == [(0, "m1"), (20, "m1"), (40, "m1")]


async def test_each_users_typing_is_shown_again_by_itself(autojump_clock: MockClock) -> None:
    """One task does it for all; who is done first takes nobody's indicator along."""
    shown: list[tuple[float, str]] = []

    async def out(outgoing: object) -> str:
        if isinstance(outgoing, TypingSignal):
            shown.append((trio.current_time(), outgoing.message_id))
        return ""

    async with open_conversation(slow(30), outbound=out) as conversation:
        await wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        for id, user_id in (("m1", "15551"), ("m2", "15552")):
            await conversation.engine.receive([Message(id=id, user=User(user_id), text="go")])
            await trio.sleep(15)
        await trio.sleep(100)
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        await conversation.engine.receive([Message(id="m3", user=User("15551"), text="again")])
        await trio.sleep(100)
    assert shown == [(0, "m1"), (15, "m2"), (20, "m1"), (35, "m2"), (130, "m3"), (150, "m3")]


async def test_typing_that_ends_in_the_instant_of_its_beginning_is_not_shown_again(
    autojump_clock: MockClock,
) -> None:
    """The task that would show it finds nothing to wait for."""
    shown: list[object] = []

    async def out(outgoing: object) -> str:
        shown.append(outgoing)
        return ""

    async with trio.open_nursery() as nursery:
        signals = TypingSignals(nursery, out, Limits(), is_held=lambda user: False)
        for _ in range(2):
            signals.keep(TypingSignal(user=User("15551"), message_id="m1"))
            signals.release("15551")
        await trio.sleep(100)
    assert len(shown) == 1


async def test_typing_is_shown_for_a_new_message_and_after_the_acknowledgement(
    autojump_clock: MockClock,
) -> None:
    """A message of ours hides the indicator; the new message is marked as read by it."""
    async with open_conversation(slow(5)) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        conversation.outbound.seconds = 0.5
        await conversation.send(("m2", "two"))
        await trio.sleep(20)
    assert conversation.outbound.typing == [(0, "m1"), (1, "m2"), (1.5, "m2"), (5, "m2")]


async def test_typing_that_fails_hurts_nothing(autojump_clock: MockClock) -> None:
    """It is ephemeral: not retried, not reported to the user, whatever the way out raises."""
    errors = [SendRefused("no"), RuntimeError("bug")]

    class Out(RecordingOutbound):
        async def __call__(self, outgoing):
            if not hasattr(outgoing, "text") and errors:
                raise errors.pop(0)
            return await super().__call__(outgoing)

    outbound = Out()
    async with open_conversation(slow(), outbound=outbound) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(200)
    assert outbound.typing == [(40, "m1")]
    assert outbound.texts == ["done: go"]


async def test_a_slow_typing_request_shows_only_the_newest(autojump_clock: MockClock) -> None:
    """One under way for each user; what it would announce after the reply is not sent at all."""
    started = []

    class Out(RecordingOutbound):
        async def __call__(self, outgoing):
            if not hasattr(outgoing, "text"):
                started.append((trio.current_time(), outgoing.message_id))
                await trio.sleep(3)
            return await super().__call__(outgoing)

    outbound = Out()
    async with open_conversation(slow(4), outbound=outbound, acknowledgement="") as conversation:
        await conversation.send(("m1", "one"))
        for number in (2, 3, 4):
            await trio.sleep(0.5)
            await conversation.send((f"m{number}", "more"))
        await trio.sleep(30)
    assert started == [(0, "m1"), (3, "m4"), (6, "m4")]


async def test_notes_are_sent_in_order_before_the_reply(autojump_clock: MockClock) -> None:
    """`progress` says whether the note was sent."""
    assistant, returned = noting((1, "1 of 2"), (6, "2 of 2"))
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(20)
    assert [(row.kind.value, row.text) for row in conversation.outbound.rows] == [
        ("note", "1 of 2"),
        ("note", "2 of 2"),
        ("reply", "done"),
    ]
    assert returned == [True, True]


async def test_notes_are_bounded_in_number_and_pace(autojump_clock: MockClock) -> None:
    """Each costs 6 s of WhatsApp's pair limit; what is not sent is an event."""
    assistant, returned = noting((0, "a"), (5.75, "too soon"), (0.25, "b"), (6, "c"), (6, "too many"))
    told = []
    async with open_conversation(assistant) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.send(("m1", "go"))
        await trio.sleep(60)
    assert conversation.outbound.texts == ["a", "b", "c", "done"]
    assert returned == [True, False, True, True, False]
    assert [event.reason for event in told if event.name == "progress_dropped"] == ["pace", "count"]


async def test_an_interruption_drops_unsent_notes_and_begins_the_count_anew(
    autojump_clock: MockClock,
) -> None:
    """A note about a request that was taken back would confuse; the new request has all of its own."""
    assistant, _ = noting((0, "a"), (6, "b"), seconds=30)
    outbound = RecordingOutbound()
    outbound.failures = [SendDelayed("busy", whole_number=True, wait_seconds=20)]
    limits = Limits(progress_notes_max=2)
    async with open_conversation(assistant, outbound=outbound, limits=limits) as conversation:
        await conversation.send(("m1", "one"))
        await trio.sleep(10)
        await conversation.send(("m2", "two"))
        await trio.sleep(100)
    assert [(row.kind.value, row.text) for row in outbound.rows] == [
        ("acknowledgement", "Got it! Switching to your new request..."),
        ("note", "a"),
        ("note", "b"),
        ("reply", "done"),
    ]


@pytest.mark.parametrize("text", ["", "  ", "x" * 4097, None])
async def test_a_note_that_is_no_text_is_refused(autojump_clock: MockClock, text: object) -> None:
    """A clear error for the author of the assistant."""
    assistant, _ = noting((0, text))
    async with open_conversation(assistant) as conversation:
        fate = await conversation.engine.process_message("15551234567", "go")
    assert fate.reason == "AssistantError: a progress note is a text of 1 to 4096 characters"


async def test_a_planner_that_is_cut_cannot_send_a_note(autojump_clock: MockClock) -> None:
    """P3: its clean-up code runs, and nothing it says goes out."""

    class Planner:
        async def plan(self, message, context):
            try:
                await trio.sleep(10)
            finally:
                await context.progress("still here")  # noqa: ASYNC102  # what a careless planner does
            return Plan()

        async def adapt(self, message, results, context):
            return None

    async def respond(message, results, context):
        return "done"

    assistant = Assistant(planner=Planner(), responder=respond, tools=[])
    told = []
    async with open_conversation(assistant) as conversation:
        conversation.engine.events.subscribe(
            lambda event: told.append((event.name, getattr(event, "kind", "")))
        )
        await conversation.send(("m1", "one"))
        await trio.sleep(1)
        conversation.engine.stop("15551234567")
        await trio.sleep(20)
    assert ("session_cancelled", "") in told
    # The answer to the stop, and nothing before it.
    assert [kind for name, kind in told if name == "outgoing_queued"] == ["notice"]
    assert conversation.outbound.texts == ["Stopped. Nothing had been done yet."]
