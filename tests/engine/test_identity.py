"""Who wrote: one person through numbers and ids that appear, vanish and change; two who are found to be one.

Planning takes 0.25 s, `first` 2 s, `second` after it 3 s, responding 0.25 s.
"""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import Assistant, Call, Identity, MemoryStore, Message, Plan, SqliteStore, User
from engine.content import System
from engine.store import Accept, Committed, Moved, Store
from engine.testing import Trail, open_conversation, scripted_assistant, sleeping_tool

PHONE, NEW_PHONE = "15551234567", "15559999999"
SCOPED, NEW_SCOPED = "US.1", "US.2"


def two_waves() -> Assistant:
    first, second = sleeping_tool("first", 2), sleeping_tool("second", 3)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=0.25,
        responding_seconds=0.25,
    )


def message(id: str, *names: str, text: str = "go", **more: Any) -> Message:
    """Under its first name, which is also where its user is written to."""
    identity = Identity(names=names, address=names[0])
    return Message(id=id, user=User(names[0]), text=text, identity=identity, **more)


def changed(id: str, *, old: tuple[str, ...], new: tuple[str, ...], **more: Any) -> Message:
    """The system says that a user has other names now."""
    return Message(
        id=id,
        user=User(old[0]),
        text="changed",
        content=System(event="user_changed_number", body="changed"),
        identity=Identity(names=(*new, *old), retired=old, address=new[0]),
        **more,
    )


class Heard:
    """What a store tells of whose message each is, and of users who became one."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.moved: list[Moved] = []

    def __call__(self, committed: Committed) -> None:
        self.moved += committed.moved
        for accepted in committed.accepted:
            self.users[accepted.message.id] = accepted.message.user.id
        for settled in committed.settled:
            self.users[settled.message.id] = settled.message.user.id


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "midstream.db")


async def users_of(store: Store, *messages: Message) -> Heard:
    heard = Heard()
    async with store.open(heard):
        for index, each in enumerate(messages):
            await store.write([Accept(message=each, at=1_000.0 + index)])
    return heard


# In the store -------------------------------------------------------------------------------------


async def test_one_who_is_known_by_any_name_is_the_same_person(store: Store) -> None:
    """The phone is there, vanishes, and comes back."""
    heard = await users_of(
        store,
        message("m1", PHONE),
        message("m2", PHONE, SCOPED),
        message("m3", SCOPED),
        message("m4", SCOPED, "US.ENT.1"),
        message("m5", "US.ENT.1", PHONE),
        message("other", NEW_PHONE),
    )
    assert heard.users == {**dict.fromkeys(["m1", "m2", "m3", "m4", "m5"], PHONE), "other": NEW_PHONE}
    assert heard.moved == []


async def test_a_message_without_an_identity_is_its_users(store: Store) -> None:
    """Whoever calls the engine from Python says whose it is."""
    heard = await users_of(store, Message(id="m1", user=User("anna"), text="hi"), message("m2", "anna"))
    assert heard.users == {"m1": "anna", "m2": "anna~m2"}


async def test_a_changed_number_moves_all_and_the_old_one_is_somebody_new(store: Store) -> None:
    """WhatsApp gives numbers away again."""
    heard = await users_of(
        store,
        message("m1", PHONE, SCOPED),
        changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE, NEW_SCOPED)),
        message("m2", NEW_PHONE, NEW_SCOPED),
        message("m3", PHONE, "US.77"),
        message("m4", "US.77"),
        message("m5", NEW_SCOPED),
    )
    assert heard.users == {
        **dict.fromkeys(["m1", "s1", "m2", "m5"], PHONE),
        **dict.fromkeys(["m3", "m4"], f"{PHONE}~m3"),
    }


async def test_two_who_are_found_to_be_one_are_made_one(store: Store) -> None:
    """All that was written is in the conversation of the one who wrote last."""
    heard = await users_of(
        store,
        message("m1", PHONE, text="by phone", timestamp=1_000),
        message("m2", SCOPED, text="by id", timestamp=2_000),
        message("m3", PHONE, SCOPED, text="both", timestamp=3_000),
        message("m4", PHONE, text="phone again", timestamp=4_000),
    )
    assert heard.moved == [Moved(user_id=PHONE, to=SCOPED)]
    assert heard.users == {"m1": PHONE, "m2": SCOPED, "m3": SCOPED, "m4": SCOPED}
    async with store.open(heard):
        [left] = await store.read_unfinished()
        assert [each.message.user.id for each in left.waiting] == [SCOPED] * 4


# While operations run -----------------------------------------------------------------------------


async def test_a_changed_number_cancels_nothing_and_the_answer_goes_to_the_new_one(
    autojump_clock: MockClock,
) -> None:
    """History, the running operation and what waits to be sent move along."""
    trail, assistant = Trail(), two_waves()
    async with open_conversation(assistant, trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, SCOPED)])
        await trio.sleep(1)
        await conversation.engine.receive([changed("s1", old=(PHONE, SCOPED), new=(NEW_PHONE, NEW_SCOPED))])
        await trio.sleep(9)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="thanks")])
        await trio.sleep(10)
    assert trail.of("cancelled", "answered", "ignored") == [
        (1, "ignored", "s1"),
        (5.5, "answered", "m1"),
        (15.5, "answered", "m2"),
    ]
    assert [(row.to, row.text) for row in conversation.outbound.rows] == [
        (NEW_PHONE, "done: go"),
        (NEW_PHONE, "done: thanks"),
    ]
    history = [turn.text for turn in assistant.planner.contexts["m2"].history]
    assert history == ["go", "changed", "done: go"]


async def test_a_new_name_alone_interrupts_as_its_message_does(autojump_clock: MockClock) -> None:
    """The phone vanishes in the middle: it is the same person."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, SCOPED)])
        await trio.sleep(1)
        await conversation.engine.receive([message("m2", SCOPED, text="other")])
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.of("superseded", "answered") == [(2.25, "superseded", "m1 by m2"), (7.75, "answered", "m2")]
    assert [row.to for row in conversation.outbound.rows if row.kind == "reply"] == [SCOPED]


async def test_of_two_running_operations_the_newer_goes_on(autojump_clock: MockClock) -> None:
    """The message that shows it interrupts as any other; nothing starts before both waves have ended (P1)."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="by phone")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", SCOPED, text="by id")])
        await trio.sleep(0.5)
        assert conversation.engine.live_sessions == 2
        await conversation.engine.receive([message("m3", PHONE, SCOPED, text="both")])
        assert conversation.engine.live_sessions == 1
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.of("superseded", "started", "answered") == [
        (0, "started", "m1"),
        (0.5, "started", "m2"),
        (2.25, "superseded", "m1 by m2"),
        (2.75, "superseded", "m2 by m3"),
        (2.75, "started", "m3"),
        (8.25, "answered", "m3"),
    ]


async def test_a_system_message_alone_makes_two_one_and_cancels_only_the_older(
    autojump_clock: MockClock,
) -> None:
    """They had written under the new number before the word of it came."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old phone")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="new phone")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.of("superseded", "started", "answered", "cancelled", "completed") == [
        (0, "started", "m1"),
        (0.5, "started", "m2"),
        (2.25, "superseded", "m1 by m2"),
        (2.25, "cancelled", "new_message_received"),
        (6, "answered", "m2"),
        (6, "completed", "2 tools"),
    ]


async def test_what_waits_joins(autojump_clock: MockClock) -> None:
    """Under a policy that answers every message none is lost, and they run one after the other."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, policy="enqueue") as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="one")])
        await conversation.engine.receive([message("m2", PHONE, text="two")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m3", NEW_PHONE, text="three")])
        await conversation.engine.receive([message("m4", NEW_PHONE, text="four")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
        await trio.sleep(60)
        assert conversation.engine.live_sessions == 0
    assert trail.of("started", "superseded", "answered") == [
        (0, "started", "m1"),
        (0.5, "started", "m3"),
        (2.25, "superseded", "m1 by m3"),
        (6, "answered", "m3"),
        (6, "started", "m2"),
        (11.5, "answered", "m2"),
        (11.5, "started", "m4"),
        (17, "answered", "m4"),
    ]


async def test_a_session_that_only_ends_is_drained_too(autojump_clock: MockClock) -> None:
    """The process waits for its wave, and the next start goes on with the newer operation."""
    trail, store = Trail(), MemoryStore()
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await conversation.engine.receive([message("m1", PHONE, text="old")])
        await trio.sleep(0.5)
        await conversation.engine.receive([message("m2", NEW_PHONE, text="new")])
        await trio.sleep(0.5)
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,))])
    async with open_conversation(two_waves(), trail=trail, store=store) as conversation:
        await trio.sleep(20)
    assert trail.of("superseded", "suspended", "answered") == [
        (2.25, "superseded", "m1 by m2"),
        (2.75, "suspended", "shutdown"),
        (6, "answered", "m2"),
    ]


async def test_a_late_message_makes_no_old_number_theirs_again(store: Store) -> None:
    """A redelivery may come after the word of another number; the old one is somebody else's soon."""
    heard = await users_of(
        store,
        message("m1", PHONE, SCOPED, timestamp=1_000),
        changed("s1", old=(PHONE,), new=(NEW_PHONE, SCOPED), timestamp=2_000),
        message("late", PHONE, SCOPED, timestamp=1_500),
        message("later", PHONE, timestamp=2_000),
        message("m2", NEW_PHONE, timestamp=3_000),
        message("other", PHONE, "US.77", timestamp=9_000),
        message("latest", PHONE, SCOPED, timestamp=1_600),
        message("other again", PHONE, timestamp=9_001),
    )
    assert heard.moved == []
    assert heard.users == {
        **dict.fromkeys(["m1", "s1", "late", "later", "m2", "latest"], PHONE),
        **dict.fromkeys(["other", "other again"], f"{PHONE}~other"),
    }


async def test_a_number_may_be_anothers_again_and_again(store: Store) -> None:
    """What was written while somebody had it is theirs."""
    heard = await users_of(
        store,
        message("m1", PHONE, SCOPED, timestamp=1_000),
        changed("s1", old=(PHONE,), new=(NEW_PHONE, SCOPED), timestamp=2_000),
        message("n1", PHONE, "US.77", timestamp=3_000),
        changed("s2", old=(PHONE,), new=("15550000001", "US.77"), timestamp=4_000),
        message("m2", PHONE, timestamp=1_900),
        message("n2", PHONE, timestamp=3_500),
        message("o1", PHONE, timestamp=5_000),
    )
    assert [heard.users[id] for id in ("m2", "n2", "o1")] == [PHONE, f"{PHONE}~n1", f"{PHONE}~o1"]


async def test_a_late_message_from_the_old_number_says_no_address(autojump_clock: MockClock) -> None:
    """Though it is the newest that its user has written."""
    async with open_conversation(two_waves(), now=lambda: 3_000 + trio.current_time()) as conversation:
        await conversation.engine.receive([message("m1", PHONE, SCOPED, timestamp=1_000)])
        await conversation.engine.receive([changed("s1", old=(PHONE,), new=(NEW_PHONE,), timestamp=2_000)])
        await conversation.engine.receive([message("m2", PHONE, SCOPED, timestamp=1_500)])
        await trio.sleep(60)
        assert {row.to for row in conversation.outbound.rows} == {NEW_PHONE}
