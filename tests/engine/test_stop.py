"""Stop: a word that ends what runs, drops what waits, begins nothing, and is answered with what was done.

Planning takes 0.25 s, `first` 2 s, `second` after it 3 s, adapting 0.5 s, responding 0.25 s.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Event,
    Ignored,
    Limits,
    MemoryStore,
    Message,
    MessageAccepted,
    Phase,
    Plan,
    SessionSuspended,
    Stopped,
    StoreError,
    Suspended,
    Tool,
    User,
    built_in,
    parse_languages,
    tool,
)
from engine.store import Change, End, Happened, Planned
from engine.testing import (
    Trail,
    UnreliableStore,
    hanging_tool,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
)

ANNA, BEN = "15551234567", "15557654321"
ACK = "Got it! Switching to your new request..."


def two_waves(**more: Any) -> Assistant:
    first, second = sleeping_tool("first", 2), sleeping_tool("second", 3)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=0.25,
        adapting_seconds=0.5,
        responding_seconds=0.25,
        **more,
    )


def one_wave(*tools: Tool, **more: Any) -> Assistant:
    return scripted_assistant(Plan(*(Call(one.name, one) for one in tools)), tools=tools, **more)


def fates(trail: Trail) -> list[tuple[float, str, str]]:
    return trail.of("started", "answered", "superseded", "merged", "stopped", "ignored", "rejected", "failed")


# In every phase -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "phase", "ends", "told"),
    [
        (0.125, "planning", 0.125, "Stopped. Nothing had been done yet."),
        (1, "in_wave", 2.25, "Stopped. Already done: first."),
        (3, "in_wave", 5.25, "Stopped. Already done: first, second."),
        (5.5, "adapting", 5.5, "Stopped. Already done: first, second."),
        (5.875, "responding", 5.875, "Stopped. Already done: first, second."),
    ],
)
@pytest.mark.parametrize("policy", ["interrupt", "enqueue", "reject", "rollback", "steer"])
async def test_it_ends_at_its_boundary_and_is_answered(
    autojump_clock: MockClock, at: float, phase: str, ends: float, told: str, policy: str
) -> None:
    """P2, P3: a wave finishes, nothing after it starts.  No policy is asked, no acknowledgement is sent."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store, policy=policy) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(at)
        assert conversation.engine.sessions.get(ANNA).operation.phase == phase
        operation_id = conversation.engine.sessions.get(ANNA).operation.id
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
        record = await store.read_operation(operation_id)
    assert (record.interrupted_by, record.reason) == ("m2", "user_stopped")
    assert trail.done[-3:] == [
        (ends, "stopped", "m1"),
        (ends, "stopped", "m2"),
        (ends, "cancelled", "user_stopped"),
    ]
    assert trail.said == [(ends, "notice", told)]


async def test_in_the_commit_there_is_nothing_left_to_stop(autojump_clock: MockClock) -> None:
    """P8: the reply is as good as sent, and comes first."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 1
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(6.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert fates(trail) == [(0, "started", "m1"), (7, "answered", "m1"), (7, "stopped", "m2")]
    assert trail.said == [(7, "reply", "done: go"), (7, "notice", "There is nothing to stop.")]


async def test_what_waits_behind_the_commit_is_dropped(autojump_clock: MockClock) -> None:
    """The answer is the first one's; whoever said stop is told that the second is not coming."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 1
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(6.25)
        await conversation.send(("m2", "and more"))
        await trio.sleep(0.25)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (6.5, "stopped", "m2"),
        (7, "answered", "m1"),
        (7, "stopped", "m3"),
    ]
    assert trail.said == [(7, "reply", "done: go"), (7, "notice", "Stopped.")]


async def test_when_nothing_runs_there_is_nothing_to_stop(autojump_clock: MockClock) -> None:
    """It is answered, and no session is opened for it."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(("m1", "stop"))
        assert conversation.engine.live_sessions == 0
        await trio.sleep(1)
    assert fates(trail) == [(0, "stopped", "m1")]
    assert trail.said == [(0, "notice", "There is nothing to stop.")]


async def test_what_was_interrupted_already_begins_nothing(autojump_clock: MockClock) -> None:
    """The first was superseded and stays so; the second is dropped; one answer for all."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "no"))
        await trio.sleep(0.5)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (1, "stopped", "m2"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "stopped", "m3"),
    ]
    assert trail.said == [
        (0.5, "acknowledgement", ACK),
        (2.25, "notice", "Stopped. Already done: first."),
    ]


async def test_in_the_instant_of_the_end_what_waits_is_dropped(autojump_clock: MockClock) -> None:
    """The end of the first is being written down, and the second is about to begin: it does not."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 1
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "no"))
        await trio.sleep(1.75)
        await conversation.send(("m3", "stop"))
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert fates(trail) == [
        (0, "started", "m1"),
        (2.75, "stopped", "m2"),
        (3.25, "superseded", "m1 by m2"),
        (3.25, "stopped", "m3"),
    ]
    assert trail.said == [(1, "acknowledgement", ACK), (3.25, "notice", "Stopped.")]


async def test_a_failure_is_answered_together_with_a_stop(autojump_clock: MockClock) -> None:
    """The operation broke, and while its end is written down somebody says stop."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 1

    @tool(timeout=5)
    async def act() -> None:
        """Acts."""

    async def break_down(message: Message, results: Any, context: Any) -> str:
        raise ValueError("no idea")

    assistant = attrs.evolve(one_wave(act), responder=break_down)
    async with open_conversation(assistant, trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert [entry for entry in fates(trail) if entry[2] in ("m1", "m2")] == [
        (0, "started", "m1"),
        (1, "failed", "m1"),
        (1, "stopped", "m2"),
    ]
    assert [kind for _, kind, _ in trail.said] == ["apology", "notice"]


async def test_a_commit_that_is_refused_is_answered_together_with_a_stop(autojump_clock: MockClock) -> None:
    """The store takes the reply never: the operation has failed, and the stop word came before its end."""

    class Refusing(MemoryStore):
        async def write(self, changes: Sequence[Change]) -> None:
            if any(isinstance(change, End) and change.phase is Phase.COMPLETED for change in changes):
                await trio.sleep(1)
                raise StoreError("no such reply")
            await super().write(changes)

    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, store=Refusing()) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(6.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert [entry for entry in fates(trail) if entry[2] in ("m1", "m2")] == [
        (0, "started", "m1"),
        (7, "failed", "m1"),
        (7, "stopped", "m2"),
    ]
    assert trail.said == [
        (7, "notice", "Stopped. Already done: first, second."),
        (7, "apology", built_in().texts["en"].apology),
    ]


async def test_all_that_waits_its_turn_is_dropped_first(autojump_clock: MockClock) -> None:
    """Under enqueue, too: nothing is begun after a stop."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, policy="enqueue") as conversation:
        await conversation.send(("m1", "go"))
        for number in (2, 3, 4):
            await conversation.send((f"m{number}", "more"))
        await trio.sleep(1)
        await conversation.send(("m5", "stop"))
        await trio.sleep(20)
    assert fates(trail)[0] == (0, "started", "m1")
    assert sorted(fates(trail)[1:4]) == [(1, "stopped", f"m{number}") for number in (2, 3, 4)]
    assert fates(trail)[4:] == [(2.25, "stopped", "m1"), (2.25, "stopped", "m5")]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]


async def test_a_request_after_a_stop_runs_at_the_boundary(autojump_clock: MockClock) -> None:
    """It interrupts nothing: what runs is over already, and nobody is told of a switch."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(0.5)
        await conversation.send(("m3", "again"))
        await trio.sleep(20)
    assert fates(trail) == [
        (0, "started", "m1"),
        (2.25, "stopped", "m1"),
        (2.25, "stopped", "m2"),
        (2.25, "started", "m3"),
        (8.25, "answered", "m3"),
    ]
    assert trail.said == [
        (2.25, "notice", "Stopped. Already done: first."),
        (8.25, "reply", "done: again"),
    ]


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        (
            [("m1", "go"), ("m2", "stop")],
            [(0, "stopped", "m1"), (0, "stopped", "m2"), (0, "notice", "Stopped.")],
        ),
        (
            [("m1", "stop"), ("m2", "go")],
            [
                (0, "started", "m2"),
                (0, "stopped", "m1"),
                (6, "answered", "m2"),
                (0, "notice", "There is nothing to stop."),
                (6, "reply", "done: go"),
            ],
        ),
    ],
    ids=["last", "first"],
)
async def test_a_stop_word_in_a_post_means_what_was_written_before_it(
    autojump_clock: MockClock, post: list[tuple[str, str]], expected: list[tuple[float, str, str]]
) -> None:
    """In the order in which they were written, though they came together."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(*post)
        await trio.sleep(20)
    in_their_instant = sorted(fates(trail), key=lambda entry: entry[0:2])
    assert [*in_their_instant, *trail.said] == expected


async def test_several_stops_have_one_answer(autojump_clock: MockClock) -> None:
    """Who is impatient is not told three times."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        for number in (2, 3, 4):
            await conversation.send((f"m{number}", "STOP!!"))
            await trio.sleep(0.25)
        await trio.sleep(20)
        told = [await store.read_fate(id) for id in ("m1", "m2", "m3", "m4")]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]
    assert told == [Stopped("Stopped. Already done: first."), Stopped(), Stopped(), Stopped()]


async def test_a_late_stop_word_is_ignored(autojump_clock: MockClock) -> None:
    """P12: it meant what was written before it, and something newer has been written since."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.engine.receive([Message(id="m1", user=User(ANNA), text="go", timestamp=100)])
        await trio.sleep(1)
        await conversation.engine.receive([Message(id="m2", user=User(ANNA), text="stop", timestamp=99)])
        await trio.sleep(20)
        fate = await store.read_fate("m2")
    assert fates(trail) == [(0, "started", "m1"), (1, "ignored", "m2"), (6, "answered", "m1")]
    assert trail.said == [(6, "reply", "done: go")]
    assert isinstance(fate, Ignored)


# What the user is told ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        (("free_tables",), "Stopped. Already done: free tables."),
        (("table",), "Stopped. Already done: a table booked."),
        (("table", "look"), "Stopped. Already done: a table booked."),
        (("look",), "Stopped. Nothing had been done yet."),
        (("table", "table"), "Stopped. Already done: a table booked (2x)."),
        (("hang",), "Stopped. Possibly done: hang."),
        (("table", "hang"), "Stopped. Already done: a table booked. Possibly done: hang."),
        (("broken",), "Stopped. Nothing had been done yet."),
    ],
)
async def test_the_answer_says_what_was_done(
    autojump_clock: MockClock, tools: tuple[str, ...], told: str
) -> None:
    """By the titles of the tools; what timed out may have been done; what failed was not."""

    @tool(timeout=5)
    async def broken() -> None:
        """Breaks."""
        raise ValueError("sold out")

    quiet = attrs.evolve(sleeping_tool("quiet", 1), title="")  # still at work when the word comes
    known = [
        sleeping_tool("free_tables", 1),
        attrs.evolve(sleeping_tool("table", 1), title="a table booked"),
        attrs.evolve(sleeping_tool("look", 1), title=""),
        hanging_tool("hang", timeout=1),
        broken,
    ]
    calls = [Call(f"c{number}", name) for number, name in enumerate(tools)]
    assistant = scripted_assistant(Plan(*calls, Call("q", quiet)), tools=[*known, quiet])
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert conversation.outbound.texts == [told]


async def test_a_wave_that_is_cut_off_was_possibly_done(autojump_clock: MockClock) -> None:
    """`wave_seconds_max` ended it: nobody knows how far it came."""
    slow = sleeping_tool("slow", 30)
    limits = Limits(wave_seconds_max=5)
    async with open_conversation(one_wave(slow), limits=limits) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert conversation.outbound.texts == ["Stopped. Possibly done: slow."]


@pytest.mark.parametrize(
    ("word", "language", "told"),
    [
        ("para", None, "Detenido. Ya hecho: first."),
        ("¡PARA!", None, "Detenido. Ya hecho: first."),
        ("Arrête.", None, "Arrêté. Déjà fait : first."),
        ("ARRETE", None, "Arrêté. Déjà fait : first."),
        ("cancel", None, "Stopped. Already done: first."),
        ("annuleer", None, "Stopped. Already done: first."),  # of Dutch only the words are known
        ("stop", "de-AT", "Angehalten. Schon erledigt: first."),
        ("para", "pt", "Parado. Já feito: first."),
        ("para", "xx", "Detenido. Ya hecho: first."),
    ],
)
async def test_the_answer_is_in_the_language_of_who_said_stop(
    autojump_clock: MockClock, word: str, language: str | None, told: str
) -> None:
    """The assistant's word on it goes first, then the stop word's own language, then the default."""
    assistant = two_waves(language=(lambda message: language) if language else None)
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", word))
        await trio.sleep(20)
    assert conversation.outbound.texts == [told]


async def test_there_is_nothing_to_stop_in_any_language(autojump_clock: MockClock) -> None:
    """Nothing runs; the word says which language it is."""
    async with open_conversation(two_waves()) as conversation:
        await conversation.send(("m1", "laisse tomber"))
        await trio.sleep(20)
    assert conversation.outbound.texts == ["Il n'y a rien à arrêter."]


@pytest.mark.parametrize("text", ["stop the car", "please do not stop", "stopping", ""])
async def test_only_a_whole_message_is_a_stop_word(autojump_clock: MockClock, text: str) -> None:
    """Anything more is a request."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(("m1", text))
        await trio.sleep(20)
    assert fates(trail) == [(0, "started", "m1"), (6, "answered", "m1")]


async def test_the_words_can_be_set(autojump_clock: MockClock) -> None:
    """They take the place of the built-in ones of their language; those of others stay."""
    trail = Trail()
    languages = parse_languages('[en]\nstop_words = ["basta ya"]', built_in())
    async with open_conversation(two_waves(), trail=trail, languages=languages) as conversation:
        await conversation.send(("m1", "Basta ya!"))
        await trio.sleep(1)
        await conversation.send(("m2", "stop"))
        await trio.sleep(20)
    assert fates(trail) == [(0, "stopped", "m1"), (1, "started", "m2"), (7, "answered", "m2")]


async def test_no_plan_ever_sees_it_as_a_request(autojump_clock: MockClock) -> None:
    """It stands in the conversation with what was said to it, and is nobody's message or burst."""
    assistant = two_waves()
    async with open_conversation(assistant) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "stop"))
        await trio.sleep(10)
        await conversation.send(("m3", "stop"))
        await conversation.send(("m4", "again"))
        await trio.sleep(20)
    assert set(assistant.planner.contexts) == {"m1", "m4"}
    seen = assistant.planner.contexts["m4"]
    assert [one.id for one in seen.burst] == ["m4"]
    assert seen.superseded == ()
    assert [(turn.role, turn.text, turn.fate) for turn in seen.history] == [
        ("user", "go", "stopped"),
        ("user", "stop", "stopped"),
        ("assistant", "Stopped. Already done: first.", "stopped"),
        ("user", "stop", "stopped"),
        ("assistant", "There is nothing to stop.", "stopped"),
    ]


# The command --------------------------------------------------------------------------------------


async def test_the_command_is_answered_like_the_word(autojump_clock: MockClock) -> None:
    """Whoever gives it, the user is told what was done."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        assert not conversation.engine.stop(ANNA)
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        assert conversation.engine.stop(ANNA)
        assert conversation.engine.stop(ANNA)
        await trio.sleep(20)
    assert fates(trail) == [(0, "started", "m1"), (2.25, "stopped", "m1")]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]


async def test_the_command_is_answered_when_something_else_was_to_follow(autojump_clock: MockClock) -> None:
    """The user was told that the new request comes next, and it does not: like the word."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "no"))
        await trio.sleep(0.5)
        assert conversation.engine.stop(ANNA)
        await trio.sleep(20)
    assert fates(trail) == [(0, "started", "m1"), (1, "stopped", "m2"), (2.25, "superseded", "m1 by m2")]
    assert trail.said == [
        (0.5, "acknowledgement", ACK),
        (2.25, "notice", "Stopped. Already done: first."),
    ]


async def test_the_command_is_answered_when_nothing_had_begun(autojump_clock: MockClock) -> None:
    """What waited for more of its burst is dropped, and its user told."""
    trail = Trail()
    limits = Limits(debounce_seconds=1)
    async with open_conversation(two_waves(), trail=trail, limits=limits) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
        assert conversation.engine.stop(ANNA)
        await trio.sleep(20)
    assert fates(trail) == [(0.5, "stopped", "m1")]
    assert trail.said == [(0.5, "notice", "Stopped.")]


# A store that fails, a shutdown, a crash ----------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (Planned, "Stopped. Nothing had been done yet."),
        (Happened, "Stopped. Already done: first."),
    ],
)
async def test_what_a_failing_store_suspended_is_stopped(
    autojump_clock: MockClock, refused: type, told: str
) -> None:
    """It does not go on when the store is back; it is answered then."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.refusals = (refused,), -1
    async with open_conversation(
        two_waves(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(8)
        assert conversation.engine.sessions.get(ANNA).operation.is_left
        await conversation.send(("m2", "stop"))
        store.refusals = 0
        await trio.sleep(20)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert [entry[1:] for entry in fates(trail)] == [
        ("started", "m1"),
        ("stopped", "m1"),
        ("stopped", "m2"),
    ]
    assert [text for _, _, text in trail.said] == [told]


async def test_a_stop_in_the_instant_of_a_suspension_loses_nothing(autojump_clock: MockClock) -> None:
    """The session's tasks are just ending: what is in the same POST is delivered as well (P4).

    Forty users, whose words come in each of the instants after it.
    """
    trail, store = Trail(), UnreliableStore()
    users = [f"user {number}" for number in range(40)]
    async with (
        open_conversation(
            two_waves(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
        ) as conversation,
        trio.open_nursery() as nursery,
    ):

        async def write(user: str) -> None:
            for _ in range(users.index(user) % 8):
                await trio.lowlevel.checkpoint()
            await conversation.engine.receive(
                [Message(id=f"{text} of {user}", user=User(user), text=text) for text in ("stop", "more")]
            )

        def at_the_suspension(event: Event) -> None:
            if isinstance(event, SessionSuspended):
                nursery.start_soon(write, event.user_id)

        await conversation.engine.receive([Message(id=user, user=User(user), text="go") for user in users])
        conversation.engine.events.subscribe(at_the_suspension)
        await trio.sleep(1)
        store.only, store.refusals = (Happened,), -1
        await trio.sleep(8)
        store.refusals = 0
        await trio.sleep(60)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert sorted(id for _, _, id in trail.of("stopped")) == sorted(
        [*users, *(f"stop of {user}" for user in users)]
    )
    assert sorted(id for _, _, id in trail.of("answered")) == sorted(f"more of {user}" for user in users)


async def test_a_stop_in_a_commit_that_never_succeeds_is_kept(autojump_clock: MockClock) -> None:
    """The store fails until the operation is suspended: it is at a boundary then, and stops there."""
    trail, store = Trail(), UnreliableStore()
    store.only, store.refusals = (End,), -1
    async with open_conversation(
        two_waves(), trail=trail, store=store, limits=Limits(record_seconds_max=5)
    ) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(7)
        assert conversation.engine.sessions.get(ANNA).operation.phase == "committing"
        await conversation.send(("m2", "stop"))
        await trio.sleep(5)
        store.refusals = 0
        await trio.sleep(20)
    assert [entry[1:] for entry in fates(trail)] == [
        ("started", "m1"),
        ("stopped", "m1"),
        ("stopped", "m2"),
    ]
    assert [text for _, _, text in trail.said] == ["Stopped. Already done: first, second."]


async def test_a_stop_while_the_process_ends_is_carried_out(autojump_clock: MockClock) -> None:
    """A stop beats a suspension: the wave ends within the grace, and its user is told."""
    trail = Trail()
    async with (
        open_conversation(two_waves(), trail=trail) as conversation,
        trio.open_nursery() as nursery,
    ):
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        nursery.start_soon(conversation.engine.drain)
        await trio.sleep(0.5)
        await conversation.send(("m2", "stop"))
    assert fates(trail) == [(0, "started", "m1"), (2.25, "stopped", "m1"), (2.25, "stopped", "m2")]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]


async def test_a_stop_after_the_suspension_is_the_next_starts(autojump_clock: MockClock) -> None:
    """Nothing runs any more, and yet there is something to stop: the next process knows."""
    first, second, store, got = Trail(), Trail(), MemoryStore(), []
    async with open_conversation(two_waves(), trail=first, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.125)
        await conversation.engine.drain()
        got.append(await conversation.engine.process_message(ANNA, "stop"))
    assert got == [Suspended()]
    assert first.said == []
    async with open_conversation(two_waves(), trail=second, store=store):
        await trio.sleep(20)
    assert [(at, word) for at, word, _ in fates(second)] == [(0.125, "stopped"), (0.125, "stopped")]
    assert second.said == [(0.125, "notice", "Stopped. Nothing had been done yet.")]


async def test_a_stop_in_a_pause_of_the_store_is_told_of_at_the_end(autojump_clock: MockClock) -> None:
    """Whoever waits for its fate does not wait for ever when the process ends before the store is back."""
    store, got = UnreliableStore(), []
    store.only, store.refusals = (Planned,), -1
    async with (
        open_conversation(two_waves(), store=store, limits=Limits(record_seconds_max=5)) as conversation,
        trio.open_nursery() as nursery,
    ):

        async def ask() -> None:
            got.append(await conversation.engine.process_message(ANNA, "stop"))

        await conversation.send(("m1", "go"))
        await trio.sleep(7)
        nursery.start_soon(ask)
        await trio.sleep(1)
        await conversation.engine.drain()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert got == [Suspended()]


@pytest.mark.parametrize("is_decided", [True, False])
async def test_a_stop_before_a_crash_is_carried_out_after_it(
    autojump_clock: MockClock, is_decided: bool
) -> None:
    """P14: whether or not it was recorded as decided; the wave that died with the process may be done."""
    store, left = MemoryStore(), []
    async with open_conversation(two_waves(), store=store, limits=Limits(grace_seconds=0)) as conversation:

        def crash(event: Event) -> None:
            if isinstance(event, MessageAccepted) and event.message_id == "m2" and not is_decided:
                left.append(left_by_a_crash(store))

        conversation.engine.events.subscribe(crash)
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "stop"))
        await trio.sleep(0.5)
        left.append(left_by_a_crash(store))
    trail = Trail()
    restarted = trio.current_time()
    async with open_conversation(two_waves(), trail=trail, store=left[0]) as conversation:
        await trio.sleep(20)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert trail.done == [
        (restarted, "stopped", "m1"),
        (restarted, "stopped", "m2"),
        (restarted, "cancelled", "user_stopped"),
    ]
    assert trail.said == [(restarted, "notice", "Stopped. Possibly done: first.")]


async def test_what_waits_for_its_turn_after_a_crash_is_stopped_without_it(
    autojump_clock: MockClock,
) -> None:
    """Somebody else's operation goes on first; this one never does."""
    store = MemoryStore()
    async with open_conversation(two_waves(), store=store, limits=Limits(grace_seconds=0)) as conversation:
        for user in (ANNA, BEN):
            await conversation.engine.receive([Message(id=f"of {user}", user=User(user), text="go")])
        await trio.sleep(1)
        left = left_by_a_crash(store)
    trail = Trail()
    assistant = two_waves()
    async with open_conversation(
        assistant, trail=trail, store=left, limits=Limits(recoveries_max=1)
    ) as conversation:
        await trio.sleep(0.5)
        sessions = conversation.engine.sessions
        waits, goes_on = sorted((ANNA, BEN), key=lambda user: not sessions.get(user).operation.is_left)
        await conversation.engine.receive([Message(id="m2", user=User(waits), text="stop")])
        await trio.sleep(20)
    assert fates(trail) == [
        (1.5, "stopped", f"of {waits}"),
        (1.5, "stopped", "m2"),
        (1.75, "answered", f"of {goes_on}"),
    ]
    assert set(assistant.planner.results) == {f"of {goes_on}"}
    assert trail.said == [
        (1.5, "notice", "Stopped. Possibly done: first."),
        (1.75, "reply", "done: go"),
    ]
