"""Several numbers of one business in one process: users, belief, ways out and files are each number's own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    MediaError,
    MemoryStore,
    OutboxRow,
    OutgoingKind,
    Plan,
    SendBlocked,
    SendRefused,
    TypingSignal,
    User,
    at_number,
    open_engine,
)
from engine.content import Image
from engine.testing import RecordingOutbound, left_by_a_crash, scripted_assistant
from web.channel import Request
from web.whatsapp.channel import CloudChannel
from web.whatsapp.numbers import BusinessNumber, MediaByNumber, OutboundByNumber
from web.whatsapp.payloads import Webhook
from web.whatsapp.signature import SIGNATURE_HEADER, sign

FIRST, SECOND, STRANGE = "1065", "2065", "3065"
PHONE = "15551234567"


def number(id: str, app_secret: str = "secret") -> BusinessNumber:  # noqa: S107
    return BusinessNumber(
        phone_number_id=id, access_token=f"token{id}", app_secret=app_secret, verify_token=f"verify{id}"
    )


def door(*numbers: BusinessNumber) -> CloudChannel:
    return CloudChannel(numbers=numbers, graph_url="https://graph.invalid/v26.0")


def change(number_id: str, **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "1", "phone_number_id": number_id}
    return {"field": "messages", "value": {"metadata": metadata, **value}}


def text(id: str, words: str = "hi", **more: Any) -> dict[str, Any]:
    return {"id": id, "from": PHONE, "timestamp": "1", "type": "text", "text": {"body": words}, **more}


def read(channel: CloudChannel, *changes: dict[str, Any], app_secret: str = "secret") -> Webhook | None:  # noqa: S107
    body = json.dumps({"entry": [{"changes": changes}]}).encode()
    header = (SIGNATURE_HEADER.lower().encode(), sign(body, app_secret).encode())
    return channel.read(Request(body=body, headers=[header]))


def webhook(channel: CloudChannel, *changes: dict[str, Any], **more: str) -> Webhook:
    found = read(channel, *changes, **more)
    assert found is not None
    return found


# Whose users -------------------------------------------------------------------------------------


def test_who_writes_to_two_numbers_is_two_users() -> None:
    """The first number's keep their names, so that a second number changes nothing for anybody."""
    both = webhook(
        door(number(FIRST), number(SECOND)),
        change(FIRST, messages=[text("a", from_user_id="US.1")]),
        change(SECOND, messages=[text("b", from_user_id="US.1")]),
    )
    assert [message.user.id for message in both.messages] == [PHONE, f"{SECOND}/{PHONE}"]
    identities = [message.identity for message in both.messages]
    assert [identity and identity.names for identity in identities] == [
        (PHONE, "US.1"),
        (f"{SECOND}/{PHONE}", f"{SECOND}/US.1"),
    ]
    assert [identity and identity.address for identity in identities] == [PHONE, PHONE]
    assert [message.number for message in both.messages] == [FIRST, SECOND]


def test_what_a_user_is_no_longer_called_is_so_at_that_number_only() -> None:
    """A changed phone number of a further number's user retires no name of the first's."""
    system = {
        "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "15557654321", "body": "changed"},
    }
    [message] = webhook(
        door(number(FIRST), number(SECOND)), change(SECOND, messages=[{**text("s"), **system}])
    ).messages
    assert message.identity is not None
    assert message.identity.retired == (f"{SECOND}/{PHONE}",)
    assert message.identity.names == (f"{SECOND}/{PHONE}", f"{SECOND}/15557654321")


def test_a_group_of_a_further_number_is_written_to_as_ever() -> None:
    """The number tells conversations apart and is no part of an address."""
    [message] = webhook(
        door(number(FIRST), number(SECOND)), change(SECOND, messages=[text("g", group_id="G1")])
    ).messages
    assert message.identity is not None
    assert (message.user.id, message.identity.address) == (f"{SECOND}/G1", "group:G1")


def test_with_one_number_whatever_number_stands_in_a_body_is_ours() -> None:
    """As it was before there could be several."""
    [message] = webhook(door(number(FIRST)), change(STRANGE, messages=[text("a")])).messages
    assert (message.user.id, message.number) == (PHONE, STRANGE)


def test_a_number_that_is_not_ours_counts_as_the_first() -> None:
    """What is configured late loses nothing meanwhile."""
    [message] = webhook(door(number(FIRST), number(SECOND)), change(STRANGE, messages=[text("a")])).messages
    assert message.user.id == PHONE


@pytest.mark.parametrize("value", [None, 7, "", "20 65", {"a": 1}])
def test_a_number_that_cannot_be_read_loses_no_message(value: Any) -> None:
    """Lenient in all but the signature."""
    [message] = webhook(door(number(FIRST), number(SECOND)), change(value, messages=[text("a")])).messages
    assert (message.user.id, message.number) == (PHONE, "")


def test_a_user_tells_the_number_and_the_name() -> None:
    """Of the first number only the name; an id that merely holds a slash is a name."""
    assert [(user.number, user.name) for user in map(User, (PHONE, f"{SECOND}/{PHONE}", "ab/cd"))] == [
        ("", PHONE),
        (SECOND, PHONE),
        ("", "ab/cd"),
    ]


# Who is believed ---------------------------------------------------------------------------------


def test_a_message_is_believed_only_with_the_secret_of_its_number() -> None:
    """Whoever holds the secret of one number cannot write in the name of another's users."""
    channel = door(number(FIRST, "one"), number(SECOND, "two"))
    changes = [change(FIRST, messages=[text("a")]), change(SECOND, messages=[text("b")])]
    assert [message.id for message in webhook(channel, *changes, app_secret="one").messages] == ["a"]  # noqa: S106
    found = webhook(channel, *changes, app_secret="two")  # noqa: S106
    assert [message.id for message in found.messages] == ["b"]
    assert [other.kind for other in found.others] == ["message:foreign"]
    assert read(channel, *changes, app_secret="three") is None  # noqa: S106


def test_a_number_that_is_not_ours_is_believed_with_the_firsts_secret_only() -> None:
    """It counts as the first in this, too."""
    channel = door(number(FIRST, "one"), number(SECOND, "two"))
    assert webhook(channel, change(STRANGE, messages=[text("a")]), app_secret="one").messages  # noqa: S106
    assert not webhook(channel, change(STRANGE, messages=[text("a")]), app_secret="two").messages  # noqa: S106


def test_the_callback_is_checked_with_the_token_of_any_number() -> None:
    """Each app sets it up by itself."""
    channel = door(number(FIRST), number(SECOND))
    asked = {"hub.mode": "subscribe", "hub.challenge": "7"}
    assert channel.challenge({**asked, "hub.verify_token": "verify2065"}) == "7"
    assert channel.challenge({**asked, "hub.verify_token": "verify1065"}) == "7"
    assert channel.challenge({**asked, "hub.verify_token": "verify3065"}) is None


# The ways out ------------------------------------------------------------------------------------


@asynccontextmanager
async def open_numbers(**options: Any) -> AsyncIterator[tuple[Any, dict[str, RecordingOutbound]]]:
    ways = {"": RecordingOutbound(), SECOND: RecordingOutbound()}
    async with open_engine(
        scripted_assistant(Plan(), tools=[]),
        store=MemoryStore(),
        outbound=OutboundByNumber(ways),
        now=trio.current_time,
        **options,
    ) as engine:
        yield engine, ways


async def test_each_number_answers_what_was_written_to_it(autojump_clock: MockClock) -> None:
    """One person, two numbers, two conversations: neither interrupts the other, each has its own way out."""
    both = webhook(
        door(number(FIRST), number(SECOND)),
        change(FIRST, messages=[text("a", "to the first")]),
        change(SECOND, messages=[text("b", "to the second")]),
    )
    async with open_numbers() as (engine, ways):
        await engine.receive(both.messages)
        await trio.sleep(60)
        assert [ways[""].texts, ways[SECOND].texts] == [["done: to the first"], ["done: to the second"]]
        assert [row.to for way in ways.values() for row in way.rows] == [PHONE, PHONE]
        assert [len(way.typing) for way in ways.values()] == [1, 1]


async def test_a_number_that_is_blocked_holds_back_no_other(autojump_clock: MockClock) -> None:
    """A token that has ended is one number's; the alarm names it."""
    told = []
    async with open_numbers() as (engine, ways):
        engine.events.subscribe(told.append)
        ways[SECOND].failures = [SendBlocked("token expired", 190)]
        await engine.process_message(at_number(SECOND, PHONE), "1")
        await trio.sleep(1)
        await engine.process_message(PHONE, "2")
        await engine.process_message(at_number(SECOND, "15557654321"), "3")
        await trio.sleep(1)
        assert (ways[""].texts, ways[SECOND].texts) == (["done: 2"], [])
        # Who was told that somebody is at it would wait for what cannot come.
        assert (len(ways[""].typing), len(ways[SECOND].typing)) == (1, 1)
        await trio.sleep(10_000)
        assert sorted(ways[SECOND].texts) == ["done: 1", "done: 3"]
    assert [event.number for event in told if event.name == "outgoing_blocked"] == [SECOND]


async def test_nothing_goes_out_from_another_number_than_was_written_to() -> None:
    """When a number is taken out of the settings, what waits for its users is a dead letter with a reason."""
    send = OutboundByNumber({"": RecordingOutbound()})
    row = OutboxRow(id="r", user=User(at_number(SECOND, PHONE)), kind=OutgoingKind.REPLY, text="hi")
    for outgoing in (row, TypingSignal(user=row.user, message_id="m")):
        with pytest.raises(
            SendRefused, match=r"^its user writes to the number 2065, which is not configured$"
        ):
            await send(outgoing)


async def test_a_file_is_downloaded_through_the_number_that_it_came_to(tmp_path: Path) -> None:
    """Its id means nothing to another's token."""
    asked = []

    def source(name: str) -> Any:
        async def download(media: Any, to: Path, *, bytes_max: int) -> Path:
            asked.append((name, media.id, bytes_max))
            return to

        return download

    media = MediaByNumber({"": source("first"), SECOND: source("second")})
    image = {"type": "image", "image": {"id": "77", "mime_type": "image/jpeg", "sha256": "x"}}
    found = webhook(
        door(number(FIRST), number(SECOND)),
        change(FIRST, messages=[{**text("a"), **image}]),
        change(SECOND, messages=[{**text("b"), **image}]),
    )
    for message in found.messages:
        bound = message.with_media_from(media).media
        assert isinstance(bound, Image)
        assert await bound.download(to=tmp_path / "file", bytes_max=9) == tmp_path / "file"
    assert asked == [("first", "77", 9), ("second", "77", 9)]
    gone = attrs.evolve(found.messages[1]).with_media_from(MediaByNumber({"": source("first")})).media
    assert gone is not None
    with pytest.raises(MediaError, match=r"^it came to the number 2065, which is not configured$"):
        await gone.download(to=tmp_path / "file")


async def test_the_store_keeps_which_number_a_message_came_to(autojump_clock: MockClock) -> None:
    """What goes on after a crash is what was written."""
    store = MemoryStore()
    [message] = webhook(door(number(FIRST)), change(FIRST, messages=[text("a")])).messages
    seen = []

    async def respond(given: Any, results: Any, context: Any) -> str:
        seen.append(given.number)
        return "done"

    assistant = attrs.evolve(scripted_assistant(Plan(), tools=[], planning_seconds=9), responder=respond)
    async with open_engine(assistant, store=store, outbound=RecordingOutbound()) as engine:
        await engine.receive([message])
        await trio.sleep(1)
        left = left_by_a_crash(store)
    assert seen == []
    async with open_engine(assistant, store=left, outbound=RecordingOutbound()):
        await trio.sleep(60)
    assert seen == [FIRST]


def test_a_user_whose_address_nobody_told_is_written_to_by_name() -> None:
    """Without the number before it."""
    row = OutboxRow(id="r", user=User(at_number(SECOND, PHONE)), kind=OutgoingKind.REPLY, text="hi")
    assert row.to == PHONE
