"""Bodies made to cost time, memory or stack, signed and posted to the webhook: never a 5xx, never a hang.

A reader whose time grows with the square of a body's length would take hours here, and the run end it.
"""

import json
from collections.abc import Callable
from typing import Final

import pytest
import trio
from trio.testing import MockClock
from werkzeug.datastructures import Headers

from engine import Plan
from engine.testing import open_conversation, scripted_assistant
from web.app import BODY_BYTES_MAX, create_app
from web.doors import door_of
from web.settings import load_settings
from web.whatsapp.signature import SIGNATURE_HEADER, sign

SECRET = "the app secret"  # noqa: S105
DOOR = door_of(
    load_settings(
        {
            "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
            "WHATSAPP_ACCESS_TOKEN": "token",
            "WHATSAPP_APP_SECRET": SECRET,
            "WHATSAPP_VERIFY_TOKEN": "the verify token",
        }
    )
)
ROUTE = "/webhook/whatsapp"
MILLION: Final = 1_000_000
# What stands around the bomb takes less.
FULL: Final = BODY_BYTES_MAX - 1000
GOOD: Final = (
    b'{"from":"15551234567","id":"m1","timestamp":"10","type":"text","text":{"body":"Check Hanukkah"}}'
)


def body_of(
    *, messages: bytes = b"", contacts: bytes = b"", statuses: bytes = b"", more: bytes = b""
) -> bytes:
    """A batch, each list as it is written between its brackets."""
    return (
        b'{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{'
        b'"messaging_product":"whatsapp","metadata":{"phone_number_id":"106540352242922"},'
        b'"contacts":[%b],"statuses":[%b],"messages":[%b]}}%b]}]}' % (contacts, statuses, messages, more)
    )


def filled(with_what: bytes, of: int = FULL) -> bytes:
    """As often as it fits."""
    return with_what * (of // len(with_what))


def beside(item: bytes) -> bytes:
    """A message, and then so many of these."""
    return body_of(messages=GOOD + filled(b"," + item, FULL - len(GOOD)))


def with_member(value: bytes) -> bytes:
    """A message with one more member."""
    return body_of(messages=GOOD[:-1] + b',"bomb":' + value + b"}")


# They are read, and the message in them is answered.
READ: Final[dict[str, Callable[[], bytes]]] = {
    "a number of 4 million digits": lambda: with_member(b"9" * (FULL - 200)),
    "a fraction of 4 million digits": lambda: with_member(b"0." + b"9" * (FULL - 200)),
    "a number with a large exponent": lambda: with_member(b"1e" + b"9" * MILLION),
    "a timestamp of 4 million digits": lambda: body_of(messages=GOOD.replace(b"10", b"9" * (FULL - 200))),
    "an id of 3 million characters": lambda: body_of(
        messages=GOOD + b"," + GOOD.replace(b"m1", b"m" * 3 * MILLION)
    ),
    "a million nulls": lambda: beside(b"null"),
    "two million zeros": lambda: beside(b"0"),
    "a million objects with nothing in them": lambda: beside(b"{}"),
    "one message forty thousand times": lambda: beside(GOOD),
    "a hundred thousand statuses": lambda: body_of(
        messages=GOOD, statuses=b",".join([b'{"id":"w","status":"read"}'] * 100_000)
    ),
    "a hundred thousand contacts": lambda: body_of(
        messages=GOOD, contacts=b",".join(b'{"wa_id":"1555%07d"}' % number for number in range(100_000))
    ),
    "a hundred thousand changes": lambda: body_of(messages=GOOD, more=b',{"field":"x"}' * 100_000),
    "two hundred thousand keys": lambda: with_member(
        b"{" + b",".join(b'"%d":0' % number for number in range(200_000)) + b"}"
    ),
    "one key half a million times": lambda: with_member(b"{" + b",".join([b'"a":0'] * 500_000) + b"}"),
    "a million commas in a text": lambda: with_member(b'"' + b"," * MILLION + b'"'),
    "halves of half a million emoji": lambda: with_member(b'"' + filled(rb"\ud83d", 3 * MILLION) + b'"'),
    "a million NULs": lambda: with_member(b'"' + filled(rb"\u0000", 3 * MILLION) + b'"'),
    "lists of 500 levels": lambda: with_member(b"[" * 500 + b"]" * 500),
}
# They cannot be read; a 200 all the same, or they would come again for days.
UNREADABLE: Final[dict[str, Callable[[], bytes]]] = {
    "a million commas": lambda: b"," * MILLION,
    "a million commas in a list": lambda: body_of(messages=GOOD + b"," * MILLION),
    "a million lists in each other": lambda: body_of(messages=GOOD + b"," + b"[" * MILLION + b"]" * MILLION),
    "a million open lists": lambda: b"[" * MILLION,
    "half a million objects in each other": lambda: with_member(b'{"a":' * 500_000 + b"1" + b"}" * 500_000),
    "objects and lists in each other": lambda: with_member(b'[{"a":' * 400_000 + b"1" + b"}]" * 400_000),
    "an open text": lambda: body_of(messages=GOOD[:-1] + b',"bomb":"' + b"x" * MILLION),
    "a million backslashes": lambda: b'"' + b"\\" * MILLION,
    "a number of 4 million digits and no more": lambda: b"9" * FULL,
    "four million spaces": lambda: b" " * BODY_BYTES_MAX,
}


async def replies_to(body: bytes) -> list[str]:
    """What the user is told after this body, which must be taken."""
    async with open_conversation(scripted_assistant(Plan(), tools=[])) as conversation:
        client = create_app(conversation.engine, DOOR).test_client()
        response = await client.post(ROUTE, data=body, headers={SIGNATURE_HEADER: sign(body, SECRET)})
        assert (response.status_code, await response.get_data()) == (200, b"")
        await trio.sleep(60)
    return list(conversation.outbound.texts)


@pytest.mark.parametrize("bomb", READ)
async def test_a_bomb_that_can_be_read_loses_no_neighbour(autojump_clock: MockClock, bomb: str) -> None:
    """The message beside it is answered, once."""
    body = READ[bomb]()
    assert len(body) <= BODY_BYTES_MAX
    assert await replies_to(body) == ["done: Check Hanukkah"]


@pytest.mark.parametrize("bomb", UNREADABLE)
async def test_a_bomb_that_cannot_be_read_is_taken_and_does_nothing(
    autojump_clock: MockClock, bomb: str
) -> None:
    """Only who knows the secret can post it, and who knows it has no reason to."""
    body = UNREADABLE[bomb]()
    assert len(body) <= BODY_BYTES_MAX
    assert await replies_to(body) == []


@pytest.mark.parametrize("bomb", [*READ, *UNREADABLE])
async def test_a_bomb_that_is_not_signed_is_not_read(
    autojump_clock: MockClock, bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's costs its bytes and one hash."""

    def read(text: object) -> object:
        pytest.fail("it was read")  # pragma: no cover

    monkeypatch.setattr("web.whatsapp.payloads.read_json", read)
    body = (READ | UNREADABLE)[bomb]()
    async with open_conversation(scripted_assistant(Plan(), tools=[])) as conversation:
        client = create_app(conversation.engine, DOOR).test_client()
        response = await client.post(ROUTE, data=body, headers={SIGNATURE_HEADER: sign(b"", SECRET)})
    assert response.status_code == 401


# Two signatures -----------------------------------------------------------------------------------

RIGHT: Final = sign(body_of(messages=GOOD), SECRET)
WRONG: Final = sign(body_of(messages=GOOD), "another secret")


@pytest.mark.parametrize(
    ("signatures", "expected"),
    [
        ([RIGHT], 200),
        ([RIGHT, RIGHT], 200),
        ([WRONG, RIGHT], 401),
        ([WRONG, WRONG], 401),
        ([f"{RIGHT}, {RIGHT}"], 401),
        (["", RIGHT], 401),
    ],
)
async def test_of_two_signatures_the_first_counts(
    autojump_clock: MockClock, signatures: list[str], expected: int
) -> None:
    """Two headers are no error; what something in between has joined into one is none of Meta's."""
    body = body_of(messages=GOOD)
    assert json.loads(body)
    headers = Headers([(SIGNATURE_HEADER, signature) for signature in signatures])
    async with open_conversation(scripted_assistant(Plan(), tools=[])) as conversation:
        client = create_app(conversation.engine, DOOR).test_client()
        response = await client.post(ROUTE, data=body, headers=headers)
        await trio.sleep(60)
    assert response.status_code == expected
    assert conversation.outbound.texts == ["done: Check Hanukkah"] * (expected == 200)
