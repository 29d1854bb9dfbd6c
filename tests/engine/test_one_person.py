"""Two who are one, edits and takeovers where they meet restarts, crashes, drains and each other."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Call,
    Context,
    Identity,
    Ignored,
    Limits,
    MemoryStore,
    Message,
    OutboxRow,
    Plan,
    Results,
    User,
)
from engine.content import Echo, Edit, Reaction, Revoke, System, Text
from engine.errors import SendAmbiguous, SendDelayed
from engine.model import OutgoingKind
from engine.store import Accept, End, Queue
from engine.testing import (
    Trail,
    left_by_a_crash,
    open_conversation,
    scripted_assistant,
    sleeping_tool,
    undoable_tool,
)

PHONE, NEW_PHONE, SCOPED = "15551234567", "15559999999", "US.1"


def message(id: str, *names: str, text: str = "go", **more: Any) -> Message:
    return Message(
        id=id, user=User(names[0]), text=text, identity=Identity(names=names, address=names[0]), **more
    )


def changed(id: str, *, old: tuple[str, ...], new: tuple[str, ...]) -> Message:
    return Message(
        id=id,
        user=User(old[0]),
        text="changed",
        content=System(event="user_changed_number", body="changed"),
        identity=Identity(names=(*new, *old), retired=old, address=new[0]),
    )


def two_waves() -> Assistant:
    first, second = sleeping_tool("first", 2), sleeping_tool("second", 3)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=0.25,
        responding_seconds=0.25,
    )


def by_text(**seconds: float) -> Assistant:
    """One wave: how long, by the text."""
    tools = {name: sleeping_tool(name, each) for name, each in seconds.items()}

    class Planner:
        async def plan(self, message: Message, context: Context) -> Plan:
            return Plan(Call("a", tools[message.text]))

        async def adapt(self, message, results, context):
            return None

    async def respond(message: Message, results: Results, context: Context) -> str:
        return f"done: {message.text}"

    return Assistant(planner=Planner(), responder=respond, tools=list(tools.values()))


async def test_a_batch_that_merges_leaves_one_session(autojump_clock: MockClock) -> None:
    """P1: what the batch brought before is the same person's."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive(
            [
                message("m1", PHONE, text="one"),
                message("m2", SCOPED, text="two"),
                message("m3", PHONE, SCOPED, text="three"),
            ]
        )
        assert conversation.engine.live_sessions == 1
        await trio.sleep(30)
    assert [e[2] for e in trail.of("answered")] == ["m3"]


async def test_nothing_starts_while_the_losing_wave_runs_though_the_winner_is_done(
    autojump_clock: MockClock,
) -> None:
    """P1: also when the one that goes on has long been answered."""
    trail = Trail()
    async with open_conversation(by_text(slow=30, quick=1), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="slow")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="quick")])
        await trio.sleep(0.25)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(9.25)  # 10
        await conversation.engine.receive([message("m3", NEW_PHONE, text="quick")])
        await trio.sleep(60)
    assert trail.of("started", "superseded", "answered") == [
        (0, "started", "m1"),
        (0.5, "started", "m2"),
        (1.5, "answered", "m2"),
        (30, "superseded", "m1 by m2"),
        (30, "started", "m3"),
        (31, "answered", "m3"),
    ]


async def test_nothing_begins_in_a_drain_after_a_join(autojump_clock: MockClock) -> None:
    """The process was told to stop while the next operation waited for the losing one."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(
        by_text(slow=10, quick=1), trail=trail, store=store, policy="enqueue"
    ) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="slow")])
        await conversation.engine.receive([message("m2", NEW_PHONE, text="quick")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m3", NEW_PHONE, text="quick")])
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(2.5)  # m2 is answered, m3 waits for m1's wave
    assert [e for e in trail.of("started") if e[2] == "m3"] == []


async def test_typing_ends_after_a_merge(autojump_clock: MockClock) -> None:
    """P10: under the old id nobody would release it."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="new")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(100)
        assert conversation.engine.live_sessions == 0
        assert [at for at, _ in conversation.outbound.typing if at > 10] == []


async def test_an_edit_that_took_a_place_survives_a_restart(autojump_clock: MockClock) -> None:
    """P4, P14: the old text is superseded by it, so it must be answered."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "two tables"))
        await trio.sleep(1)
        await conversation.engine.receive(
            [
                Message(
                    id="m2",
                    user=User(PHONE),
                    text="one table",
                    content=Edit(message_id="m1", content=Text(body="one table")),
                )
            ]
        )
        await trio.sleep(0.25)
    # drained: m1's wave ended, it is superseded by m2; m2 waits for the next start
    trail2 = Trail()
    async with open_conversation(two_waves(), trail=trail2, store=store) as conversation:
        await trio.sleep(60)
    assert [e[2] for e in trail2.of("answered")] == ["m2"]


async def test_an_edit_of_what_waits_survives_a_restart(autojump_clock: MockClock) -> None:
    """P4, P14: in a queue, too."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store, policy="enqueue") as conversation:
        await conversation.send(("m1", "first"))
        await trio.sleep(0.5)
        await conversation.send(("m2", "secnod"))
        await trio.sleep(0.5)
        await conversation.engine.receive(
            [
                Message(
                    id="m3",
                    user=User(PHONE),
                    text="second",
                    content=Edit(message_id="m2", content=Text(body="second")),
                )
            ]
        )
        await trio.sleep(0.25)
    trail2 = Trail()
    async with open_conversation(two_waves(), trail=trail2, store=store, policy="enqueue") as conversation:
        await trio.sleep(60)
    assert [e[2] for e in trail2.of("answered")] == ["m1", "m3"]


async def test_an_id_is_never_given_twice_after_a_merge(autojump_clock: MockClock) -> None:
    """A stranger who gets the old number gets no answers of somebody else, and gives none away."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        receive = conversation.engine.receive
        await receive([message("m1", PHONE, text="phone")])
        await trio.sleep(10)
        await receive([message("m2", SCOPED, text="scoped")])
        await trio.sleep(10)
        await receive([message("m3", PHONE, SCOPED, text="both")])  # PHONE -> SCOPED
        await trio.sleep(10)
        await receive([changed("s1", old=(PHONE,), new=(NEW_PHONE, SCOPED))])
        await trio.sleep(10)
        conversation.outbound.rows.clear()
        await receive([message("x1", PHONE, text="a stranger")])  # the number was given away
        await trio.sleep(10)
    assert [(row.to, row.text) for row in conversation.outbound.rows] == [(PHONE, "done: a stranger")]


async def test_a_message_and_an_echo_in_one_batch(autojump_clock: MockClock) -> None:
    """Whoever has taken over answers what was written before."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive(
            [
                Message(id="m1", user=User(PHONE), text="hi"),
                Message(
                    id="e1",
                    user=User(PHONE),
                    text="I am Carla",
                    content=Echo(content=Text(body="I am Carla")),
                ),
            ]
        )
        await trio.sleep(30)
    assert trail.of("answered") == []


async def test_a_stale_echo_silences_nobody(autojump_clock: MockClock) -> None:
    """It was redelivered a day later: the person has long gone."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, now=lambda: 100_000.0 + trio.current_time()
    ) as conversation:
        await conversation.engine.receive([Message(id="m1", user=User(PHONE), text="hi", timestamp=100_000)])
        await trio.sleep(1)
        await conversation.engine.receive(
            [
                Message(
                    id="e1",
                    user=User(PHONE),
                    text="I am Carla",
                    timestamp=10_000,
                    content=Echo(content=Text(body="I am Carla")),
                )
            ]
        )
        await trio.sleep(30)
        await conversation.engine.receive([Message(id="m2", user=User(PHONE), text="hi", timestamp=100_031)])
        await trio.sleep(30)
    assert [e[2] for e in trail.of("answered")] == ["m1", "m2"]


async def test_a_takeover_survives_a_crash(autojump_clock: MockClock) -> None:
    """P14: the process died before the operation was told."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(0.5)
    # suspended.  What is committed in the last instant is the next start's.
    async with store.open(lambda committed: None):
        await store.write(
            [
                Accept(
                    message=Message(
                        id="e1", user=User(PHONE), text="Carla", content=Echo(content=Text(body="Carla"))
                    ),
                    at=trio.current_time(),
                    fate=Ignored("x"),
                    silent_until=trio.current_time() + 3600,
                )
            ]
        )
    trail2 = Trail()
    async with open_conversation(two_waves(), trail=trail2, store=store) as conversation:
        await trio.sleep(60)
    assert trail2.of("answered") == []


async def test_a_takeover_in_a_drain_after_the_session_has_gone(autojump_clock: MockClock) -> None:
    """What was suspended is not answered by the next process."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(by_text(slow=10, quick=1), trail=trail, store=store) as conversation:
        await conversation.engine.receive([Message(id="m1", user=User("1"), text="slow")])
        await conversation.engine.receive([Message(id="m2", user=User(PHONE), text="quick")])
        await trio.sleep(0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conversation.engine.drain)
            await trio.sleep(
                2
            )  # m2's operation is suspended, its session gone; the server still takes messages
            await conversation.engine.receive(
                [Message(id="e1", user=User(PHONE), text="Carla", content=Echo(content=Text(body="Carla")))]
            )
    trail2 = Trail()
    async with open_conversation(by_text(slow=10, quick=1), trail=trail2, store=store) as conversation:
        await trio.sleep(60)
    assert [e[2] for e in trail2.of("answered")] == ["m1"]


async def test_a_loser_left_by_a_crash_gets_its_fate_when_the_winner_is_stopped(
    autojump_clock: MockClock,
) -> None:
    """P4: both operations end."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="new")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(0.25)
        await conversation.engine.receive([message("m3", NEW_PHONE, text="stop")])
        await trio.sleep(0.25)
        left = left_by_a_crash(store)
    trail2 = Trail()
    async with open_conversation(two_waves(), trail=trail2, store=left) as conversation:
        await trio.sleep(60)
        assert conversation.engine.live_sessions == 0
        assert (await conversation.engine.read_depths()).inbox == 0


async def test_undo_of_a_loser_left_by_a_crash_is_finished(autojump_clock: MockClock) -> None:
    """What was being taken back is taken back by the next process."""
    trail, store = Trail(), MemoryStore()

    def assistant(trail: Trail) -> Assistant:
        first, second = undoable_tool("first", 2, trail=trail, undo_seconds=5), sleeping_tool("second", 3)
        return scripted_assistant(
            Plan(Call("a", first), Call("b", second, after=["a"])), tools=[first, second]
        )

    async with open_conversation(
        assistant(trail), trail=trail, store=store, policy="rollback"
    ) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old")])
        await trio.sleep(1)
        await conversation.engine.receive([message("m2", PHONE, text="old, other")])
        await trio.sleep(1.5)  # undoing
        await conversation.engine.receive([message("m3", NEW_PHONE, text="new")])
        await trio.sleep(0.25)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(0.25)
        left = left_by_a_crash(store)
    trail2 = Trail()
    async with open_conversation(
        assistant(trail2), trail=trail2, store=left, policy="rollback"
    ) as conversation:
        await trio.sleep(60)
    assert left._connection.execute(
        "SELECT calls.undo FROM calls JOIN operations ON operations.id = operation_id"
        " WHERE message_id = 'm1' AND calls.id = 'a'"
    ).fetchall() == [("undone",)]


async def test_rollback_takes_back_what_the_loser_did(autojump_clock: MockClock) -> None:
    """One person must not have two bookings."""
    trail, store = Trail(), MemoryStore()
    first, second = undoable_tool("first", 2, trail=trail, undo_seconds=5), sleeping_tool("second", 3)
    assistant = scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])), tools=[first, second]
    )
    async with open_conversation(assistant, trail=trail, store=store, policy="rollback") as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old")])
        await trio.sleep(1)
        await conversation.engine.receive([message("m3", NEW_PHONE, text="new")])
        await trio.sleep(0.25)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(60)
    assert trail.of("undo") != []


async def test_rows_of_a_long_line_are_sent_after_a_merge(autojump_clock: MockClock) -> None:
    """Those that waited in the store are read again."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        conversation.outbound.seconds = 1.0
        await store.write([Accept(message=message("m1", PHONE), at=0.0, fate=Ignored("x"))])
        await store.write([Accept(message=message("m2", SCOPED), at=1.0, fate=Ignored("x"))])
        for user in (SCOPED, PHONE):
            await store.write(
                [
                    Queue(OutboxRow(id=f"{user}-{i}", user=User(user), kind=OutgoingKind.NOTICE, text=str(i)))
                    for i in range(60)
                ]
            )
        await trio.sleep(3)
        await store.write([Accept(message=message("m3", PHONE, SCOPED), at=2.0, fate=Ignored("x"))])
        await trio.sleep(600)
        assert (await conversation.engine.read_depths()).outbox == 0


async def test_a_late_message_from_the_old_number_changes_no_address(autojump_clock: MockClock) -> None:
    """P12: where they are written to has been said since."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, now=lambda: 1_000.0 + trio.current_time()
    ) as conversation:
        receive = conversation.engine.receive
        await receive([message("m1", NEW_PHONE, SCOPED, text="from the new", timestamp=1_000)])
        await trio.sleep(1)
        await receive([message("m0", PHONE, SCOPED, text="late, from the old", timestamp=900)])
        await trio.sleep(30)
    assert [row.to for row in conversation.outbound.rows] == [NEW_PHONE]


async def test_process_message_under_an_old_id(autojump_clock: MockClock) -> None:
    """P1: whoever calls from Python may know the old id only."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        receive = conversation.engine.receive
        await receive([message("m1", PHONE, text="phone")])
        await trio.sleep(10)
        await receive([message("m2", SCOPED, text="scoped")])
        await trio.sleep(10)
        await receive([message("m3", PHONE, SCOPED, text="both")])
        await receive([Message(id="m4", user=User(PHONE), text="python")])
        assert conversation.engine.live_sessions == 1


async def test_an_id_that_was_merged_away_still_finds_the_conversation(autojump_clock: MockClock) -> None:
    """A page that shows it may have been opened before, and a read may be under way at the merge."""
    async with open_conversation(two_waves()) as conversation:
        engine = conversation.engine
        await engine.receive([message("m1", PHONE, timestamp=1_000)])
        await trio.sleep(10)
        await engine.receive([message("m2", SCOPED, timestamp=2_000)])
        await trio.sleep(10)
        await engine.receive([message("m3", PHONE, SCOPED, timestamp=3_000)])
        await trio.sleep(10)
        by_old, by_new = await engine.read_history(PHONE), await engine.read_history(SCOPED)
        assert [turn.message_id for turn in by_new] == ["m1", "m1", "m2", "m2", "m3", "m3"]
        assert by_old == by_new


async def test_rows_of_an_id_that_was_merged_away_are_found(autojump_clock: MockClock) -> None:
    """A line that reads its next rows does not take them for sent when its user is moved just then."""
    store = MemoryStore()
    async with store.open(lambda committed: None):
        for at, names in ((1_000, (PHONE,)), (2_000, (SCOPED,))):
            await store.write([Accept(message=message(f"m{at}", *names, timestamp=at), at=at)])
        row = OutboxRow(id="r1", user=User(PHONE), kind=OutgoingKind.REPLY, text="for the phone")
        await store.write([Queue(row)])
        await store.write([Accept(message=message("m3", PHONE, SCOPED, timestamp=3_000), at=3_000)])
        [found] = await store.read_unsent(10, user_id=PHONE)
        assert (found.id, found.user) == ("r1", User(SCOPED))


async def test_a_reaction_opens_the_window_in_memory_too(autojump_clock: MockClock) -> None:
    """A reply that waits may be sent after all."""
    trail = Trail()
    async with open_conversation(
        two_waves(), trail=trail, limits=Limits(window_seconds=60.0), now=lambda: 1000.0 + trio.current_time()
    ) as conversation:
        conversation.outbound.failures = [SendDelayed("down") for _ in range(4)]
        await conversation.send(("m1", "go"))
        await trio.sleep(50)
        await conversation.engine.receive(
            [Message(id="r1", user=User(PHONE), text="", content=Reaction(message_id="m0", emoji="x"))]
        )
        await trio.sleep(100)
        dead = conversation.engine._store._connection.execute("SELECT state, error FROM outbox").fetchall()
        assert dead[0][0] == "sent"


async def test_a_revoke_that_stopped_is_stopped_after_a_crash(autojump_clock: MockClock) -> None:
    """P14: it has the fate that it would have had."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.engine.receive(
            [Message(id="m2", user=User(PHONE), text="", content=Revoke(message_id="m1"))]
        )
        await trio.sleep(0.25)
        left = left_by_a_crash(store)
    trail2 = Trail()
    async with open_conversation(two_waves(), trail=trail2, store=left) as conversation:
        await trio.sleep(60)
    assert (
        trail2.of("ignored", "stopped") == [(2.25, "stopped", "m1"), (2.25, "stopped", "m2")]
        or trail2.of("ignored") == []
    ), trail2.entries


async def test_a_merge_in_a_drain_while_the_newer_commits(autojump_clock: MockClock) -> None:
    """The older one is not suspended for ever after the restart."""
    from engine.testing import UnreliableStore

    trail, store = Trail(), UnreliableStore()
    store.only, store.seconds = (End,), 2.0
    async with open_conversation(by_text(slow=10, quick=1), trail=trail, store=store) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="slow")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="quick")])
        await trio.sleep(1.5)  # m2 is in its commit
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conversation.engine.drain)
            await trio.sleep(0.25)
            await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
    store.seconds = 0
    trail2 = Trail()
    async with open_conversation(by_text(slow=10, quick=1), trail=trail2, store=store) as conversation:
        await trio.sleep(100)
        assert (await conversation.engine.read_depths()).inbox == 0
        assert conversation.engine.live_sessions == 0


async def test_no_names_is_no_identity(autojump_clock: MockClock) -> None:
    """It is whose the message says."""
    async with open_conversation(two_waves()) as conversation:
        for index in range(3):
            await conversation.engine.receive(
                [Message(id=f"m{index}", user=User(PHONE), text="x", identity=Identity(names=()))]
            )
        assert conversation.engine.live_sessions == 1


async def test_the_survivor_is_still_seen_typing(autojump_clock: MockClock) -> None:
    """Under its new id."""
    trail = Trail()
    async with open_conversation(by_text(slow=5, slower=58), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", NEW_PHONE, text="slow")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", PHONE, text="slower")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(100)
        assert len([1 for at, _ in conversation.outbound.typing if 10 < at < 58.5]) == 2
        assert not [1 for at, _ in conversation.outbound.typing if at > 58.5]


async def test_a_resumed_loser_of_a_failed_commit_gives_way(autojump_clock: MockClock) -> None:
    """P1: it does not answer beside the one that went on."""
    from engine.testing import UnreliableStore

    trail, store = Trail(), UnreliableStore()
    async with open_conversation(
        by_text(slow=40, quick=1), trail=trail, store=store, limits=Limits(record_seconds_max=2.0)
    ) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="quick")])
        await trio.sleep(0.5)
        store.only, store.refusals = (End,), -1
        await conversation.engine.receive([message("m2", NEW_PHONE, text="slow")])
        await trio.sleep(1)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(3)
        store.refusals = 0
        await trio.sleep(60)
    assert trail.of("answered", "superseded")[0][1] == "superseded"


async def test_nothing_is_late_behind_a_revoke_that_asked_for_nothing(autojump_clock: MockClock) -> None:
    """P12: a message is late behind a request only."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        receive = conversation.engine.receive
        await receive(
            [Message(id="m2", user=User(PHONE), text="", content=Revoke(message_id="m0"), timestamp=101)]
        )
        await receive([Message(id="m1", user=User(PHONE), text="go", timestamp=100)])
        await trio.sleep(20)
    assert [e[2] for e in trail.of("answered")] == ["m1"]


async def test_what_may_have_been_sent_is_sent_again_to_the_new_number(autojump_clock: MockClock) -> None:
    """While it waits for a report it is in no line, and its user's address changes all the same."""
    async with open_conversation(two_waves(), limits=Limits(settle_seconds=5.0)) as conversation:
        conversation.outbound.failures = [SendAmbiguous("no answer")]
        await conversation.engine.receive([message("m1", PHONE, SCOPED)])
        await trio.sleep(7)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(10)
        [sent] = conversation.outbound.rows
        assert (sent.user, sent.to) == (User(PHONE), NEW_PHONE)


async def test_what_is_sent_to_one_who_is_somebody_known_goes_to_their_address(
    autojump_clock: MockClock,
) -> None:
    """Both are being sent to: the line of the one who was merged away hears of the new number, too."""
    async with open_conversation(two_waves()) as conversation:
        conversation.outbound.failures = [SendDelayed("not now")] * 2
        await conversation.engine.receive([message("m1", PHONE, timestamp=1_000)])
        await conversation.engine.receive([message("m2", SCOPED, timestamp=2_000)])
        await trio.sleep(5.75)
        await conversation.engine.receive([changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE,))])
        await trio.sleep(10)
        assert [(row.user, row.to) for row in conversation.outbound.rows] == [(User(SCOPED), NEW_PHONE)] * 2


@pytest.mark.parametrize("content", [Revoke(message_id="m2"), Edit(message_id="m2", content=Text(body="x"))])
async def test_what_joined_before_a_restart_may_still_be_changed(
    autojump_clock: MockClock, content: Revoke | Edit
) -> None:
    """It has its fate already, and is worked on all the same: P3, P14."""
    store = MemoryStore()
    async with open_conversation(two_waves(), store=store, policy="steer") as conversation:
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        await conversation.send(("m2", "and that"))
        await trio.sleep(2)
        left = left_by_a_crash(store)
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, store=left) as conversation:
        await conversation.engine.receive([Message(id="m3", user=User(PHONE), text="", content=content)])
        await trio.sleep(60)
    told = ("stopped", "m1") if isinstance(content, Revoke) else ("superseded", "m1 by m3")
    assert trail.of("answered", "ignored", told[0])[0][1:] == told


async def test_a_merge_shows_no_typing_of_what_has_just_ended(autojump_clock: MockClock) -> None:
    """P10: its notifier has stopped, and nobody would ever stop it again."""
    async with open_conversation(two_waves()) as conversation:
        engine = conversation.engine
        await engine.receive([message("m1", SCOPED)])
        await trio.sleep(60)
        await engine.receive([message("m2", PHONE)])
        await trio.sleep(1)
        notifier = engine.sessions._sessions[PHONE].notifier
        assert notifier is not None
        notifier.stop_typing()
        shown = len(conversation.outbound.typing)
        await engine.receive([changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE,))])
        await trio.sleep(60)
        assert conversation.outbound.typing[shown:] == []


@pytest.mark.parametrize("content", [Revoke(message_id="m2"), Edit(message_id="m2", content=Text(body="x"))])
async def test_what_is_said_in_a_drain_of_what_waits_for_the_next_start_waits_too(
    autojump_clock: MockClock, content: Revoke | Edit
) -> None:
    """P4: it is not ignored for that nothing works on its message just now."""
    store = MemoryStore()
    async with open_conversation(two_waves(), store=store) as conversation:
        engine = conversation.engine
        await conversation.send(("m1", "go"))
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drain)
            await trio.sleep(0.25)
            other = User("15557654321")
            await engine.receive([Message(id="m2", user=other, text="old")])
            await trio.sleep(0.25)
            await engine.receive([Message(id="m3", user=other, text="new", content=content)])
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, store=store):
        await trio.sleep(60)
    fates = trail.of("answered", "ignored", "stopped", "superseded")
    if isinstance(content, Revoke):
        assert [each[1:] for each in fates if each[2] != "m1"] == [("stopped", "m2"), ("stopped", "m3")]
    else:
        assert [each[1:] for each in fates if each[2] != "m1"] == [
            ("superseded", "m2 by m3"),
            ("answered", "m3"),
        ]


async def test_of_two_that_were_left_the_newer_goes_on_too(autojump_clock: MockClock) -> None:
    """P12, P14: in whatever order they came; what was found before the crash stands."""
    store = MemoryStore()
    async with open_conversation(two_waves(), store=store, now=in_time) as conversation:
        await conversation.engine.receive([message("m1", PHONE, timestamp=2_000)])
        await conversation.engine.receive([message("m2", SCOPED, timestamp=1_000)])
        await trio.sleep(1)
        await conversation.engine.receive([changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE,))])
        await trio.sleep(0.25)
        left = left_by_a_crash(store)
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, store=left, now=in_time):
        await trio.sleep(60)
    fates = trail.of("superseded", "answered")
    assert [each[1:] for each in fates] == [("superseded", "m2 by m1"), ("answered", "m1")]


def in_time() -> float:
    """Shortly after the messages were written."""
    return 2_000 + trio.current_time()


async def test_a_takeover_is_of_the_whole_person(autojump_clock: MockClock) -> None:
    """Who turns out to be somebody that a person of the business answers is answered by nobody else."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, now=in_time) as conversation:
        engine = conversation.engine
        echo = Echo(content=Text(body="I am here"))
        await engine.receive([message("m1", PHONE, timestamp=2_000, content=echo)])
        await engine.receive([message("m2", SCOPED, timestamp=2_000)])
        await trio.sleep(1)
        await engine.receive([changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE,))])
        await trio.sleep(60)
    assert trail.of("cancelled", "answered") == [(2.25, "cancelled", "taken_over")]
    assert conversation.outbound.texts == []
