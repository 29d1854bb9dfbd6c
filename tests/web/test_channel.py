"""Every door is one `Channel`, and Meta's own does what the webhook did before there were others."""

import socket
from pathlib import Path
from typing import Any

import pytest

from engine import OutboxRow, OutgoingKind, SendDelayed, User
from web.channel import Channel, Request
from web.dialog360.channel import Dialog360Channel
from web.twilio.channel import TwilioChannel
from web.whatsapp.channel import CloudChannel
from web.whatsapp.numbers import BusinessNumber
from web.whatsapp.payloads import parse
from web.whatsapp.signature import SIGNATURE_HEADER, sign

BODY = min((Path(__file__).parents[1] / "payloads").glob("*text*.json")).read_bytes()
SECRETS = {
    "access_token": "the-access-token",
    "app_secret": "the app secret",
    "verify_token": "the verify token",
}


def meta(**changed: str) -> CloudChannel:
    """Meta's door with made-up credentials."""
    given = {"phone_number_id": "1065", "graph_url": "https://graph.invalid/v26.0", **SECRETS, **changed}
    graph_url = given.pop("graph_url")
    return CloudChannel(numbers=(BusinessNumber(**given),), graph_url=graph_url)


DOORS: tuple[Channel, ...] = (
    meta(),
    TwilioChannel(account_sid="AC1", auth_token="t", numbers=("1",), webhook_url="https://x"),  # noqa: S106
    Dialog360Channel(api_key="k", webhook_secret="w"),  # noqa: S106
)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: type(door).__name__)
@pytest.mark.parametrize("body", [b"", BODY, b"\xff", b"Body=x&From=y"])
def test_no_door_believes_a_stranger(door: Channel, body: bytes) -> None:
    """A request that proves nothing holds nothing, and a check of nobody's has no answer."""
    assert door.read(Request(body=body, query="row=r")) is None
    assert door.challenge({}) is None


def test_a_header_is_found_by_any_case_and_the_first_of_two_counts() -> None:
    """The server gives names in lower case."""
    request = Request(body=b"", headers=[(b"a", b"0"), (b"x-one", b"1"), (b"x-one", b"2")])
    assert request.header("X-One") == b"1"
    assert request.header("X-Two") is None


def test_nothing_of_a_request_is_shown() -> None:
    """Neither what a user wrote nor what proves who called."""
    assert repr(Request(body=b"words", headers=[(b"a", b"proof")], query="row=1")) == "Request()"


# Meta's -------------------------------------------------------------------------------------------


def test_metas_door_reads_what_is_signed_with_the_app_secret() -> None:
    """The bytes count; another secret is nobody's."""
    signature = sign(BODY, SECRETS["app_secret"]).encode()
    request = Request(body=BODY, headers=[(SIGNATURE_HEADER.lower().encode(), signature)])
    assert meta().read(request) == parse(BODY)
    assert meta(app_secret="another").read(request) is None  # noqa: S106
    assert meta().read(Request(body=BODY + b" ", headers=request.headers)) is None


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({}, "1158201444"),
        ({"hub.challenge": ""}, ""),
        ({"hub.challenge": None}, None),
        ({"hub.mode": "unsubscribe"}, None),
        ({"hub.mode": None}, None),
        ({"hub.verify_token": "the verify token "}, None),
        ({"hub.verify_token": None}, None),
    ],
)
def test_metas_door_answers_the_challenge_of_whoever_knows_the_token(
    changed: dict[str, str | None], answer: str | None
) -> None:
    """As the callback URL is set in the dashboard."""
    arguments: dict[str, Any] = {
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444",
        "hub.verify_token": "the verify token",
        **changed,
    }
    given = {name: value for name, value in arguments.items() if value is not None}
    assert meta().challenge(given) == answer


async def test_metas_door_opens_the_graph_api() -> None:
    """Its own address, number and token; nothing listens there."""
    row = OutboxRow(id="r", user=User("1"), kind=OutgoingKind.REPLY, text="hi")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        async with meta(graph_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v26.0").open() as out:
            with pytest.raises(SendDelayed, match=r"^the Graph API could not be reached: ConnectError"):
                await out(row)


def test_metas_door_shows_no_secret() -> None:
    """Not in its repr."""
    assert not any(secret in repr(meta()) for secret in SECRETS.values())
