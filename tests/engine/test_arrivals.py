"""What a message does by what it holds and by its age: what interrupts, what is kept and no more.

Planning takes 0.25 s, `first` 2 s, `second` after it 3 s, responding 0.25 s.
"""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import Assistant, Call, Context, Limits, MemoryStore, Message, Plan, Results, SqliteStore, User
from engine.arrivals import EFFECTS, SETTABLE, Effect, effect_of, fate_on_arrival, written_at
from engine.content import (
    CONTENT_TYPES,
    Audio,
    ButtonReply,
    Contact,
    ContactPhone,
    Contacts,
    Content,
    Document,
    Echo,
    Edit,
    FlowReply,
    Image,
    Kind,
    ListReply,
    Location,
    Order,
    OrderItem,
    Product,
    Profile,
    Quoted,
    Reaction,
    Referral,
    RequestWelcome,
    Revoke,
    Sticker,
    System,
    TemplateButton,
    Text,
    Unknown,
    Unsupported,
    Video,
)
from engine.store import Accept
from engine.testing import Conversation, Trail, open_conversation, scripted_assistant, sleeping_tool

ANNA = "15551234567"
EVERYTHING: list[Content] = [
    Text(body="hello"),
    Image(id="1", mime_type="image/jpeg", sha256="abc=", url="https://example.org/1", caption="a cat"),
    Video(id="2"),
    Audio(id="3", mime_type="audio/ogg; codecs=opus", voice=True),
    Document(id="4", filename="bill.pdf"),
    Sticker(id="5", animated=True),
    Location(latitude=52.5, longitude=13.25, name="Here", address="A street", url="https://example.org/"),
    Contacts(contacts=(Contact(name="Ben", phones=(ContactPhone(phone="+1 555", user_id="1555"),)),)),
    ButtonReply(id="yes", title="Yes"),
    ListReply(id="mon", title="Monday", description="the first"),
    FlowReply(name="form", body="Sent", response={"day": ["mon", 2]}),
    TemplateButton(id="more", title="More"),
    Order(catalog_id="c", note="quick", items=(OrderItem(product_id="p", quantity=2, price=1.5),)),
    Reaction(message_id="m0", emoji="👍"),
    System(event="user_changed_number", body="A changed", phone="2", previous_phone="1"),
    Edit(message_id="m0", content=Image(id="6", caption="a dog")),
    Edit(message_id="m0"),
    Revoke(message_id="m0"),
    RequestWelcome(),
    Echo(content=Text(body="I am Carla")),
    Unsupported(subtype="poll", errors=(131051,)),
    Unknown(type="hologram"),
]


def message(id: str, content: Content | str, *, timestamp: int | None = None, **more: Any) -> Message:
    content = Text(body=content) if isinstance(content, str) else content
    return Message(id=id, user=User(ANNA), text=content.text, content=content, timestamp=timestamp, **more)


def two_waves() -> Assistant:
    first, second = sleeping_tool("first", 2), sleeping_tool("second", 3)
    return scripted_assistant(
        Plan(Call("a", first), Call("b", second, after=["a"])),
        tools=[first, second],
        planning_seconds=0.25,
        responding_seconds=0.25,
    )


def history(assistant: Assistant, message_id: str) -> list[tuple[str, str]]:
    """What the planner of that message was shown."""
    return [(turn.role, turn.text) for turn in assistant.planner.contexts[message_id].history]


async def send(conversation: Conversation, *messages: Message) -> None:
    await conversation.engine.receive(messages)


# The table ----------------------------------------------------------------------------------------


def test_every_kind_has_an_effect_and_a_class() -> None:
    """None is forgotten."""
    assert set(EFFECTS) == set(CONTENT_TYPES) == set(Kind) == {content.kind for content in EVERYTHING}


def test_what_a_user_writes_or_chooses_asks_and_all_else_does_not() -> None:
    """The table of the documentation."""
    asks = {kind.value for kind, effect in EFFECTS.items() if effect is Effect.ASKS}
    assert asks == {
        *("text", "image", "video", "audio", "document", "sticker", "location", "contacts"),
        *("button_reply", "list_reply", "flow_reply", "template_button", "order"),
    }
    nothing = {kind.value for kind, effect in EFFECTS.items() if effect is Effect.NOTHING}
    assert nothing == {"reaction", "system", "request_welcome", "unsupported", "unknown"}


@pytest.mark.parametrize("kind", sorted(SETTABLE))
def test_an_operator_may_say_what_asks(kind: Kind) -> None:
    """Both ways."""
    [content] = [each for each in EVERYTHING if each.kind is kind]
    assert effect_of(message("m", content), frozenset({kind})) is Effect.ASKS
    assert effect_of(message("m", content), frozenset()) is Effect.NOTHING


def test_an_edit_asks_when_its_new_content_would() -> None:
    """An edit whose text is not told asks for nothing."""
    told = message("m", Edit(message_id="m0", content=Text(body="new")))
    assert effect_of(told) is Effect.EDITS
    assert effect_of(told, frozenset({Kind.IMAGE})) is Effect.NOTHING
    assert effect_of(message("m", Edit(message_id="m0"))) is Effect.NOTHING


@pytest.mark.parametrize(
    ("age", "fate"),
    [
        (60, None),
        (61, "it came 61 s after it was written (stale_seconds)"),
        (-5, None),
        (8 * 86_400, "it came 691200 s after it was written (stale_seconds)"),
        (8 * 86_400 + 1, None),
    ],
)
def test_a_message_is_stale_beyond_its_age(age: int, fate: str | None) -> None:
    """At the bound it is not, nor one by a clock that is off: from the future, or older than a redelivery."""
    found = fate_on_arrival(message("m", "hi", timestamp=10**9 - age), at=10**9, stale_seconds=60)
    assert (found.reason if found else None) == fate


@pytest.mark.parametrize(
    ("timestamp", "at"), [(None, 10**9), (10**9 - 5, 10**9 - 5), (10**9 + 5, 10**9), (10, 10**9)]
)
def test_a_message_was_written_when_it_says_unless_that_cannot_be(timestamp: int | None, at: int) -> None:
    """Without a time, from the future, or older than any redelivery: when it came."""
    assert written_at(message("m", "hi", timestamp=timestamp), 10**9) == at


def test_a_message_without_a_time_is_never_stale() -> None:
    """The store gives it the present."""
    assert fate_on_arrival(message("m", "hi"), at=1e9, stale_seconds=1) is None


# While an operation runs --------------------------------------------------------------------------


@pytest.mark.parametrize("content", [each for each in EVERYTHING if EFFECTS[each.kind] is Effect.NOTHING])
async def test_what_asks_for_nothing_interrupts_nothing_and_is_kept(
    autojump_clock: MockClock, content: Content
) -> None:
    """Under a running wave; the next plan finds it in the conversation."""
    trail, assistant = Trail(), two_waves()
    async with open_conversation(assistant, trail=trail) as conversation:
        await send(conversation, message("m1", "go"))
        await trio.sleep(1)
        await send(conversation, message("m2", content))
        await trio.sleep(10)
        await send(conversation, message("m3", "again"))
        await trio.sleep(10)
    assert trail.of("ignored", "superseded", "answered", "cancelled") == [
        (1, "ignored", "m2"),
        (5.5, "answered", "m1"),
        (16.5, "answered", "m3"),
    ]
    shown = content.text or f"[{content.kind.value.replace('_', ' ')}]"
    assert history(assistant, "m3") == [
        ("user", "go"),
        ("user", shown),
        ("assistant", "done: go"),
    ]


async def test_a_reaction_begins_nothing(autojump_clock: MockClock) -> None:
    """Nothing runs, nobody is told anything, no session is opened."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await send(conversation, message("m1", Reaction(message_id="m0", emoji="👍")))
        assert conversation.engine.live_sessions == 0
        await trio.sleep(10)
    assert trail.entries == [(0, "ignored", "m1")]


async def test_a_picture_interrupts_and_its_plan_sees_all_of_it(autojump_clock: MockClock) -> None:
    """As a text does."""
    trail, seen = Trail(), list[Message]()

    async def respond(asked: Message, results: Results, context: Context) -> str:
        seen.append(asked)
        return "seen"

    assistant = attrs.evolve(two_waves(), responder=respond)
    picture = Image(id="77", caption="this one")
    async with open_conversation(assistant, trail=trail) as conversation:
        await send(conversation, message("m1", "go"))
        await trio.sleep(1)
        await send(conversation, message("m2", picture, raw={"type": "image"}))
        await trio.sleep(20)
    assert trail.of("superseded", "answered") == [(2.25, "superseded", "m1 by m2"), (7.5, "answered", "m2")]
    [asked] = seen
    assert (asked.text, asked.media, asked.raw) == ("this one", picture, {"type": "image"})


async def test_of_a_burst_from_an_outage_the_newest_that_is_fresh_is_answered(
    autojump_clock: MockClock,
) -> None:
    """One answer; the others are in the conversation."""
    trail, assistant = Trail(), two_waves()
    old = [message(f"old{index}", f"where? {index}", timestamp=1_000 + index) for index in range(3)]
    limits = Limits(stale_seconds=600)
    async with open_conversation(assistant, trail=trail, limits=limits, now=lambda: 10_000.0) as conversation:
        await send(conversation, *old, message("new", "hello?", timestamp=9_900))
        await trio.sleep(10)
        assert (await conversation.engine.read_depths()).inbox == 0
    assert trail.of("ignored", "started", "answered") == [
        (0, "ignored", "old0"),
        (0, "ignored", "old1"),
        (0, "ignored", "old2"),
        (0, "started", "new"),
        (5.5, "answered", "new"),
    ]
    assert history(assistant, "new") == [("user", f"where? {index}") for index in range(3)]
    assert [row.text for row in conversation.outbound.rows] == ["done: hello?"]


# Edits and revokes --------------------------------------------------------------------------------


async def test_an_edit_of_what_is_worked_on_is_a_new_message_with_the_new_text(
    autojump_clock: MockClock,
) -> None:
    """By the policy: here it interrupts."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await send(conversation, message("m1", "two tables"))
        await trio.sleep(1)
        await send(conversation, message("m2", Edit(message_id="m1", content=Text(body="one table"))))
        await trio.sleep(20)
    assert trail.of("superseded", "answered") == [(2.25, "superseded", "m1 by m2"), (7.75, "answered", "m2")]
    assert [row.text for row in conversation.outbound.rows if row.kind == "reply"] == ["done: one table"]


async def test_an_edit_of_what_waits_takes_its_place(autojump_clock: MockClock) -> None:
    """Under a policy that answers every message, the old text is answered no more."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, policy="enqueue") as conversation:
        await send(conversation, message("m1", "first"))
        await trio.sleep(1)
        await send(conversation, message("m2", "secnod"))
        await trio.sleep(1)
        await send(conversation, message("m3", Edit(message_id="m2", content=Text(body="second"))))
        await trio.sleep(20)
    assert trail.of("superseded", "answered") == [
        (2, "superseded", "m2 by m3"),
        (5.5, "answered", "m1"),
        (11, "answered", "m3"),
    ]
    assert [row.text for row in conversation.outbound.rows] == ["done: first", "done: second"]


@pytest.mark.parametrize("content", [Edit(message_id="m0", content=Text(body="x")), Revoke(message_id="m0")])
async def test_an_edit_or_a_revoke_of_anything_else_is_ignored(
    autojump_clock: MockClock, content: Content
) -> None:
    """While something runs, and when nothing does."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await send(conversation, message("m1", "go"))
        await trio.sleep(1)
        await send(conversation, message("m2", content))
        await trio.sleep(9)
        await send(conversation, message("m3", content))
        await trio.sleep(10)
    assert trail.of("ignored", "answered", "cancelled", "started") == [
        (0, "started", "m1"),
        (1, "ignored", "m2"),
        (5.5, "answered", "m1"),
        (10, "ignored", "m3"),
    ]


async def test_a_revoke_stops_the_operation_that_works_on_its_message(autojump_clock: MockClock) -> None:
    """As a stop word does: the wave finishes, and its user is told what was done."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await send(conversation, message("m1", "go"))
        await trio.sleep(1)
        await send(conversation, message("m2", Revoke(message_id="m1")))
        await trio.sleep(20)
    assert trail.done[-3:] == [
        (2.25, "stopped", "m1"),
        (2.25, "stopped", "m2"),
        (2.25, "cancelled", "user_stopped"),
    ]
    assert trail.said == [(2.25, "notice", "Stopped. Already done: first.")]


async def test_a_revoke_of_what_waits_is_as_if_it_had_never_been_sent(autojump_clock: MockClock) -> None:
    """What runs goes on, what else waits is done, and nobody is told."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, policy="enqueue") as conversation:
        await send(conversation, message("m1", "one"))
        await trio.sleep(1)
        await send(conversation, message("m2", "two"))
        await trio.sleep(0.5)
        await send(conversation, message("m3", "three"))
        await trio.sleep(0.5)
        await send(conversation, message("m4", Revoke(message_id="m2")))
        await trio.sleep(20)
    assert trail.of("stopped", "answered") == [
        (2, "stopped", "m2"),
        (2, "stopped", "m4"),
        (5.5, "answered", "m1"),
        (11, "answered", "m3"),
    ]


async def test_a_revoke_of_what_was_interrupted_already_stops_nothing(autojump_clock: MockClock) -> None:
    """The newer message is what its user wants."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail) as conversation:
        await send(conversation, message("m1", "one"))
        await trio.sleep(1)
        await send(conversation, message("m2", "two"))
        await send(conversation, message("m3", Revoke(message_id="m1")))
        await trio.sleep(20)
    assert trail.of("ignored", "superseded", "answered", "stopped") == [
        (1, "ignored", "m3"),
        (2.25, "superseded", "m1 by m2"),
        (7.75, "answered", "m2"),
    ]


# A person of the business takes over --------------------------------------------------------------


async def test_an_echo_ends_what_runs_and_nobody_is_told(autojump_clock: MockClock) -> None:
    """P2: its wave finishes.  What waits is not begun."""
    trail = Trail()
    async with open_conversation(two_waves(), trail=trail, policy="enqueue") as conversation:
        await send(conversation, message("m1", "go"))
        await trio.sleep(0.5)
        await send(conversation, message("m2", "and more"))
        await trio.sleep(0.5)
        await send(conversation, message("e1", Echo(content=Text(body="I am Carla"))))
        await trio.sleep(20)
        assert conversation.engine.live_sessions == 0
    assert trail.of("ignored", "stopped", "cancelled", "answered") == [
        (1, "ignored", "e1"),
        (1, "ignored", "m2"),
        (2.25, "stopped", "m1"),
        (2.25, "cancelled", "taken_over"),
    ]
    assert trail.said == []


async def test_the_assistant_is_silent_until_the_takeover_ends(autojump_clock: MockClock) -> None:
    """What is written meanwhile is in the conversation, by its roles; another user is answered."""
    trail, assistant, store = Trail(), two_waves(), MemoryStore()
    limits = Limits(takeover_seconds=60)
    async with open_conversation(assistant, trail=trail, limits=limits, store=store) as conversation:
        await send(conversation, message("e1", Echo(content=Text(body="I am Carla"))))
        await send(conversation, Message(id="b1", user=User("15557654321"), text="hi"))
        await trio.sleep(59)
        await send(conversation, message("m1", "Hello Carla"))
        await trio.sleep(1)
    async with open_conversation(assistant, trail=trail, limits=limits, store=store) as conversation:
        await send(conversation, message("m2", "Hello bot"))
        await trio.sleep(10)
    assert trail.of("ignored", "answered") == [
        (0, "ignored", "e1"),
        (5.5, "answered", "b1"),
        (59, "ignored", "m1"),
        (65.5, "answered", "m2"),
    ]
    assert history(assistant, "m2") == [
        ("business", "I am Carla"),
        ("user", "Hello Carla"),
    ]


# What the store keeps -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", EVERYTHING)
async def test_all_of_a_message_survives_a_restart(tmp_path: Path, content: Content) -> None:
    """P14: whoever goes on with it knows what the first one knew."""
    path = tmp_path / "midstream.db"
    sent = message(
        "m1",
        content,
        timestamp=1_700_000_000,
        quoted=Quoted(message_id="m0", sender="1", product=Product(catalog_id="c", product_id="p")),
        referral=Referral(source_url="https://example.org", headline="Buy"),
        profile=Profile(name="Anna", username="anna"),
        raw={"type": content.kind.value, "deep": [{"er": None}, 1.5, "ü"]},
    )
    async with SqliteStore(path).open(lambda committed: None):
        pass
    store = SqliteStore(path)
    async with store.open(lambda committed: None):
        await store.write([Accept(message=sent, at=1_700_000_000)])
    store = SqliteStore(path)
    async with store.open(lambda committed: None):
        [left] = await store.read_unfinished()
    [waiting] = left.waiting
    assert waiting.message == attrs.evolve(sent, sequence=1)
    assert waiting.message.raw == sent.raw
