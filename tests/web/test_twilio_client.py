"""What is posted to Twilio on a real socket, and what is made of its answers; the door around it."""

import base64
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import attrs
import pytest
import trio

from engine import (
    Delivery,
    DeliveryReport,
    Outbound,
    OutboxRow,
    OutgoingKind,
    SendAmbiguous,
    SendBlocked,
    SendDelayed,
    SendError,
    SendRefused,
    TypingSignal,
    User,
)
from web.channel import Request
from web.twilio.channel import TwilioChannel
from web.twilio.client import API_URL, TYPING_URL
from web.twilio.signature import sign

SID = "ACefb707f7c4ce4d15bc4261fd1d5ed615"
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  # made up
CREDENTIALS = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
WEBHOOK_URL = "https://bot.example.com/webhook/whatsapp"
ROW = OutboxRow(
    id="op-1/äö", user=User("16505551234"), kind=OutgoingKind.REPLY, text="Hi <b> äöå 😀 1+1=2 & more"
)
TYPING = TypingSignal(user=User("16505551234"), message_id="SM0123456789abcdef0123456789abcdef")
TAKEN = {"sid": "SM9", "status": "queued", "error_code": None}


@attrs.define(eq=False)
class Server:
    """A server that reads whole requests and answers each with what its script says next; the last stays.

    An empty answer ends the connection.
    """

    url: str
    script: list[bytes]
    requests: list[tuple[str, dict[str, str], bytes]] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, until either side ends it."""
        received = b""
        async with stream:
            while more := await stream.receive_some():
                received += more
                head, end, body = received.partition(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                if not end or len(body) < int(headers["content-length"]):
                    continue
                self.requests.append((first, headers, body))
                received = b""
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if not answer:
                    return
                await stream.send_all(answer)


def answer(status: int, body: Any = None, **headers: str) -> bytes:
    """A whole answer."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@asynccontextmanager
async def open_pair(*script: bytes, **changed: Any) -> AsyncIterator[tuple[Server, Outbound]]:
    """A server with this script, and the way out of a door that has it in place of Twilio."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Server(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", list(script))
        await nursery.start(trio.serve_listeners, server.serve, [listener])
        async with door(
            api_url=server.url, typing_url=f"{server.url}/v2/Indicators/Typing.json", **changed
        ).open() as out:
            yield server, out
        nursery.cancel_scope.cancel()


def door(**changed: Any) -> TwilioChannel:
    """A door with made-up credentials."""
    given = {
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": ("14155238886",),
        "webhook_url": WEBHOOK_URL,
    }
    return TwilioChannel(**{**given, **changed})


async def send_fails(out: Outbound, outgoing: OutboxRow | TypingSignal = ROW) -> SendError:
    """The error of a send that must fail; nothing in it or its causes may show the token."""
    with pytest.raises(SendError) as caught:
        await out(outgoing)
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in everything
    assert CREDENTIALS not in everything
    return caught.value


def told(error: SendError) -> tuple[type[SendError], dict[str, Any]]:
    """An error as a value: errors are compared by identity."""
    return type(error), attrs.asdict(error)


# What is written ----------------------------------------------------------------------------------


async def test_a_text_is_sent_with_a_url_for_its_statuses_and_its_id_comes_back() -> None:
    """The request of Twilio's documentation; the URL brings our row's id back, escaped."""
    async with open_pair(answer(201, TAKEN)) as (server, out):
        assert await out(ROW) == "SM9"
    [(first, headers, body)] = server.requests
    assert first == f"POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1"
    assert headers["authorization"] == f"Basic {CREDENTIALS}"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept-encoding"] == "identity"
    assert dict(parse_qsl(body.decode(), strict_parsing=True)) == {
        "From": "whatsapp:+14155238886",
        "To": "whatsapp:+16505551234",
        "Body": "Hi <b> äöå 😀 1+1=2 & more",
        "StatusCallback": f"{WEBHOOK_URL}?row=op-1%2F%C3%A4%C3%B6",
    }


async def test_a_user_is_answered_from_the_number_that_they_write_to() -> None:
    """The first number's users are called by their number alone; another's have its number before it."""
    async with open_pair(answer(201, TAKEN), numbers=("14155238886", "14155550000")) as (server, out):
        await out(ROW)
        await out(attrs.evolve(ROW, user=User("14155550000/16505551234")))
        error = await send_fails(out, attrs.evolve(ROW, user=User("14155559999/16505551234")))
    sent = [dict(parse_qsl(body.decode())) for _, _, body in server.requests]
    assert [(each["From"], each["To"]) for each in sent] == [
        ("whatsapp:+14155238886", "whatsapp:+16505551234"),
        ("whatsapp:+14155550000", "whatsapp:+16505551234"),
    ]
    assert error.reason == "its user writes to the number 14155559999, which is not configured"


async def test_a_user_without_a_phone_number_is_written_to_by_the_scoped_id() -> None:
    """It stands where the number would, without a plus."""
    async with open_pair(answer(201, TAKEN)) as (server, out):
        await out(attrs.evolve(ROW, user=User("US.13491208655302741918")))
    assert dict(parse_qsl(server.requests[0][2].decode()))["To"] == "whatsapp:US.13491208655302741918"


async def test_a_typing_signal_names_the_message_it_is_for() -> None:
    """It marks it as read too, and has no id of its own."""
    async with open_pair(answer(200, {"success": True})) as (server, out):
        assert await out(TYPING) == ""
    [(first, headers, body)] = server.requests
    assert first == "POST /v2/Indicators/Typing.json HTTP/1.1"
    assert headers["authorization"] == f"Basic {CREDENTIALS}"
    assert dict(parse_qsl(body.decode())) == {"messageId": TYPING.message_id, "channel": "whatsapp"}


async def test_a_text_that_is_too_long_is_refused_before_it_is_sent() -> None:
    """Whoever queued it should have split it; the bound itself passes."""
    async with open_pair(answer(201, TAKEN)) as (server, out):
        assert await out(attrs.evolve(ROW, text="x" * 1600)) == "SM9"
        error = await send_fails(out, attrs.evolve(ROW, text="x" * 1601))
    assert told(error) == told(SendRefused("a text may have 1600 characters, this has 1601"))
    assert len(server.requests) == 1


def test_without_other_addresses_it_is_twilio_itself() -> None:
    """Over TLS."""
    assert (door().api_url, door().typing_url) == (API_URL, TYPING_URL)
    assert {"https://api.twilio.com", "https://messaging.twilio.com/v2/Indicators/Typing.json"} == {
        API_URL,
        TYPING_URL,
    }


# Answers ------------------------------------------------------------------------------------------

NO_ID = SendAmbiguous("HTTP 201 without the id of a message")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            answer(401, {"code": 20003, "message": f"Authenticate {CREDENTIALS} {TOKEN}", "status": 401}),
            SendBlocked("the account SID or the auth token is not accepted: Authenticate ... ...", 20003),
        ),
        (
            answer(429, {"code": 20429, "message": "Too Many Requests"}, Retry_After="7"),
            SendDelayed("too many requests to Twilio at once: Too Many Requests", 20429, True, 7.0),
        ),
        (
            answer(400, {"code": 63016, "message": "m"}),
            SendRefused("the user wrote last more than 24 hours ago; only a template may be sent: m", 63016),
        ),
        (answer(503, "busy"), SendDelayed("HTTP 503 without a Twilio error", None, True)),
        (answer(201, {"status": "queued"}), NO_ID),
        (answer(201, {"sid": 5}), NO_ID),
        (answer(201, "<html>Welcome to the hotel</html>"), NO_ID),
        (
            answer(302, Location="http://127.0.0.1:1/"),
            SendDelayed(
                "HTTP 302: a redirect is never followed; is the Twilio API's address right?", None, True
            ),
        ),
        (b"", SendAmbiguous("the request was written, then RemoteProtocolError")),
    ],
)
async def test_an_answer_says_what_is_to_be_done(reply: bytes, expected: SendError) -> None:
    """Success has an id; a lost answer is ambiguous; all else is decided by its code."""
    async with open_pair(reply) as (server, out):
        error = await send_fails(out)
    assert told(error) == told(expected)
    assert len(server.requests) == 1


async def test_a_typing_signal_that_is_refused_says_so_too() -> None:
    """Whoever sends it decides that it does not matter."""
    async with open_pair(answer(400, {"code": 20422, "message": "m"})) as (_, out):
        assert isinstance(await send_fails(out, TYPING), SendRefused)


async def test_an_api_that_is_not_there_has_sent_nothing() -> None:
    """The message, and all others, wait."""
    async with door(api_url="ftp://127.0.0.1").open() as out:
        error = await send_fails(out)
    expected = SendDelayed("Twilio's API could not be reached: UnsupportedProtocol", whole_number=True)
    assert told(error) == told(expected)


# Secrets ------------------------------------------------------------------------------------------


async def test_no_log_and_no_repr_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every logger, over success and failure."""
    caplog.set_level(logging.DEBUG)
    async with open_pair(answer(201, TAKEN), answer(500), b"") as (_, out):
        await out(ROW)
        await send_fails(out)
        await send_fails(out)
        shown = repr(out) + repr(door()) + caplog.text + repr([record.__dict__ for record in caplog.records])
    assert caplog.records
    for secret in (TOKEN, CREDENTIALS, ROW.user.id, "14155238886"):
        assert secret not in shown


@pytest.mark.parametrize("name", ["account_sid", "auth_token"])
@pytest.mark.parametrize("value", ["", "se cret", "secret\n", "secret\r\nX: y", "sécret"])
async def test_credentials_that_cannot_be_right_are_refused_without_being_shown(
    name: str, value: str
) -> None:
    """A line that was copied with its end, for instance."""
    with pytest.raises(ValueError, match="the account SID or the auth token is empty or holds") as caught:
        async with door(**{name: value}).open():
            pytest.fail("it was opened")  # pragma: no cover
    assert "cret" not in str(caught.value)


# The door -----------------------------------------------------------------------------------------


def post(url: str, parameters: dict[str, str], *, signed_for: str | None = None) -> Request:
    """What Twilio posts to a URL, signed with the token."""
    body = urlencode(parameters).encode()
    signature = sign(signed_for or url, body, TOKEN).encode()
    headers = [
        (b"host", b"127.0.0.1:8080"),
        (b"x-forwarded-host", b"evil.example"),
        (b"x-twilio-signature", signature),
    ]
    return Request(body=body, headers=headers, query=url.partition("?")[2])


def test_a_signed_form_comes_in_by_the_public_url_whatever_the_headers_say() -> None:
    """The server behind the proxy has another name; the setting is what was signed."""
    request = post(WEBHOOK_URL, {"MessageSid": "SM1", "From": "whatsapp:+16505551234", "Body": "hi"})
    webhook = door().read(request)
    assert webhook is not None
    assert [(message.id, message.text) for message in webhook.messages] == [("SM1", "hi")]
    assert door(webhook_url="http://127.0.0.1:8080/webhook/whatsapp").read(request) is None
    assert door(auth_token="another").read(request) is None  # noqa: S106
    assert door(auth_token="").read(request) is None


@pytest.mark.parametrize(
    ("to", "user"),
    [
        ("whatsapp:+14155238886", "16505551234"),
        ("whatsapp:+14155550000", "14155550000/16505551234"),
        ("whatsapp:+14155559999", "16505551234"),
    ],
)
def test_who_writes_to_two_numbers_of_an_account_is_two_users(to: str, user: str) -> None:
    """A number that is not ours counts as the first, as with Meta's own numbers."""
    request = post(
        WEBHOOK_URL, {"MessageSid": "SM1", "From": "whatsapp:+16505551234", "To": to, "Body": "hi"}
    )
    webhook = door(numbers=("14155238886", "14155550000")).read(request)
    assert webhook is not None
    assert [message.user.id for message in webhook.messages] == [user]


async def test_a_status_comes_back_to_the_url_that_was_sent_with_its_message() -> None:
    """All the way round: what the sender wrote is what the door reads the row's id from."""
    async with open_pair(answer(201, TAKEN)) as (server, out):
        await out(ROW)
    url = dict(parse_qsl(server.requests[0][2].decode()))["StatusCallback"]
    webhook = door().read(post(url, {"MessageSid": "SM9", "MessageStatus": "delivered"}))
    assert webhook is not None
    assert webhook.reports == (DeliveryReport(row_id=ROW.id, delivery=Delivery.DELIVERED, provider_id="SM9"),)


def test_a_row_that_was_not_signed_for_is_not_believed() -> None:
    """The query is a part of what is signed."""
    url = f"{WEBHOOK_URL}?row=row-2"
    assert door().read(post(url, {"MessageStatus": "read"}, signed_for=f"{WEBHOOK_URL}?row=row-1")) is None


def test_an_unsigned_request_is_not_read() -> None:
    """Nothing of it is believed."""
    assert door().read(Request(body=b"MessageSid=SM1&From=whatsapp%3A%2B1&Body=hi")) is None


def test_it_is_thanked_in_its_own_language_and_asks_for_no_challenge() -> None:
    """A plain text would be sent to the user."""
    assert (door().thanks.content_type, door().thanks.body) == ("text/xml; charset=utf-8", b"<Response/>")
    assert door().challenge({"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}) is None
