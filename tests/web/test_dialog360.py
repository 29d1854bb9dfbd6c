"""360dialog's door: Meta's form on a real socket, with another address and key, and who may call it."""

import hashlib
import hmac
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine import (
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
from engine.replies import DocumentBody, File
from web.channel import Request
from web.dialog360.channel import API_URL, Dialog360Channel
from web.dialog360.error_codes import classify
from web.dialog360.signature import is_signed
from web.whatsapp.payloads import parse

KEY = "Qx0123456789_apikey_AK"
WEBHOOK_SECRET = "0123456789abcdef"  # noqa: S105  # made up
PLATFORM_SECRET = "the platform's"  # noqa: S105
ROW = OutboxRow(id="row-1", user=User("16505551234"), kind=OutgoingKind.REPLY, text="Hi äöå 😀")
TYPING = TypingSignal(user=User("16505551234"), message_id="wamid.IN")
SENT = {"messaging_product": "whatsapp", "contacts": [{"input": "1"}], "messages": [{"id": "wamid.OUT"}]}
BODY = min((Path(__file__).parents[1] / "payloads").glob("*text*.json")).read_bytes()


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
async def open_pair(*script: bytes) -> AsyncIterator[tuple[Server, Outbound]]:
    """A server with this script, and the way out of a door that has it in place of 360dialog."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Server(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", list(script))
        await nursery.start(trio.serve_listeners, server.serve, [listener])
        async with Dialog360Channel(api_key=KEY, api_url=f"{server.url}/").open() as out:
            yield server, out
        nursery.cancel_scope.cancel()


async def send_fails(out: Outbound, outgoing: OutboxRow | TypingSignal = ROW) -> SendError:
    """The error of a send that must fail; nothing in it or its causes may show the key."""
    with pytest.raises(SendError) as caught:
        await out(outgoing)
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    return caught.value


def told(error: SendError) -> tuple[type[SendError], dict[str, Any]]:
    """An error as a value: errors are compared by identity."""
    return type(error), attrs.asdict(error)


# The sender ---------------------------------------------------------------------------------------


async def test_a_text_is_sent_in_metas_form_with_the_key_and_no_number() -> None:
    """The path has no id of a number; no header of Meta's goes along."""
    async with open_pair(answer(200, SENT)) as (server, out):
        assert await out(ROW) == "wamid.OUT"
    [(first, headers, body)] = server.requests
    assert first == "POST /messages HTTP/1.1"
    assert headers["d360-api-key"] == KEY
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert json.loads(body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "16505551234",
        "type": "text",
        "text": {"body": "Hi äöå 😀", "preview_url": False},
        "biz_opaque_callback_data": "row-1",
    }


async def test_a_typing_signal_is_metas_too() -> None:
    """It marks the message as read; it has no id of its own."""
    async with open_pair(answer(200, {"success": True})) as (server, out):
        assert await out(TYPING) == ""
    assert json.loads(server.requests[0][2])["typing_indicator"] == {"type": "text"}


async def test_a_file_is_uploaded_with_the_key_and_sent_by_its_id(tmp_path: Path) -> None:
    """Beside the messages, as Meta has it, and with no token of Meta's."""
    menu = tmp_path / "menu.pdf"
    menu.write_bytes(b"%PDF")
    row = attrs.evolve(ROW, body=DocumentBody(File(str(menu)), "Our menu"))
    async with open_pair(answer(200, {"id": "77"}), answer(200, SENT)) as (server, out):
        assert await out(row) == "wamid.OUT"
    [(first, headers, body), (second, _, message)] = server.requests
    assert (first, second) == ("POST /media HTTP/1.1", "POST /messages HTTP/1.1")
    assert (headers["d360-api-key"], "authorization" in headers) == (KEY, False)
    assert b"%PDF" in body
    assert json.loads(message)["document"] == {"id": "77", "caption": "Our menu", "filename": "menu.pdf"}


async def test_a_refused_upload_is_judged_as_360dialog_means_it(tmp_path: Path) -> None:
    """Its bound on pace makes everything wait; the file is not given up."""
    menu = tmp_path / "menu.pdf"
    menu.write_bytes(b"%PDF")
    row = attrs.evolve(ROW, body=DocumentBody(File(str(menu))))
    async with open_pair(answer(400, {"meta": {"developer_message": "Number limit reached"}})) as (_, out):
        error = await send_fails(out, row)
    assert isinstance(error, SendDelayed)
    assert str(error) == "too many requests to 360dialog: Number limit reached"


def test_without_another_address_it_is_360dialog_itself() -> None:
    """Over TLS."""
    assert Dialog360Channel(api_key=KEY).api_url == API_URL == "https://waba-v2.360dialog.io"


async def test_an_answer_that_was_lost_is_ambiguous_and_one_that_is_refused_says_so() -> None:
    """As through Meta's door: both are the same code."""
    refusal = answer(400, {"error": {"code": 131047, "message": KEY}})
    no_key = answer(401, {"meta": {"developer_message": "Invalid api_key"}})
    async with open_pair(b"", no_key, refusal, answer(200, {"messages": []})) as (_, out):
        assert isinstance(await send_fails(out), SendAmbiguous)
        own_refusal = await send_fails(out)
        assert isinstance(own_refusal, SendBlocked)
        assert str(own_refusal).startswith("360dialog does not accept the API key")
        error = await send_fails(out)
        assert isinstance(await send_fails(out), SendAmbiguous)
    expected = SendRefused(
        "the user wrote last more than 24 hours ago; only a template may be sent: ...", 131047
    )
    assert told(error) == told(expected)


async def test_an_api_that_is_not_there_has_sent_nothing() -> None:
    """The message, and all others, wait."""
    async with Dialog360Channel(api_key=KEY, api_url="ftp://127.0.0.1").open() as out:
        error = await send_fails(out)
    expected = SendDelayed("360dialog's API could not be reached: UnsupportedProtocol", whole_number=True)
    assert told(error) == told(expected)


def own(words: Any, *, name: str = "developer_message") -> bytes:
    """A refusal of 360dialog's own."""
    return json.dumps({"meta": {"success": False, "http_code": 400, name: words}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            401,
            own("Invalid api_key or token expired"),
            SendBlocked(
                "360dialog does not accept the API key, or not for this: Invalid api_key or token expired"
            ),
        ),
        (
            403,
            own("This URL is blocked", name="developerMessage"),
            SendBlocked("360dialog does not accept the API key, or not for this: This URL is blocked"),
        ),
        (
            400,
            own("Your WhatsApp for Business API has been disabled"),
            SendBlocked(
                "360dialog does not let the account send: Your WhatsApp for Business API has been disabled"
            ),
        ),
        (
            400,
            own("Could not send message due to lack of payment."),
            SendBlocked(
                "360dialog does not let the account send: Could not send message due to lack of payment."
            ),
        ),
        (
            400,
            own("You have exceeded the limit of 1 request every 2 seconds."),
            SendDelayed(
                "too many requests to 360dialog: You have exceeded the limit of 1 request every 2 seconds.",
                None,
                True,
                9.0,
            ),
        ),
        (
            400,
            own("You have exceeded the endpoint rate limit.", name="developerMessage"),
            SendDelayed(
                "too many requests to 360dialog: You have exceeded the endpoint rate limit.", None, True, 9.0
            ),
        ),
        (429, own(None), SendDelayed("too many requests to 360dialog", None, True, 9.0)),
        (
            500,
            own("Internal server error"),
            SendDelayed("360dialog is down for the moment: Internal server error", None, True, 9.0),
        ),
        (400, own("odd"), SendRefused("360dialog did not take the message: odd")),
        (400, own(5), SendRefused("360dialog did not take the message")),
        # What Meta says comes through, and Meta's table has it.
        (
            400,
            b'{"error":{"code":131056}}',
            SendDelayed("too many messages to this user in a short time", 131056, False, 9.0),
        ),
        (
            400,
            b'{"error":{"code":190},"meta":{}}',
            SendBlocked("the access token has expired; make a new one", 190),
        ),
        # Something in between.
        (
            302,
            own("moved"),
            SendDelayed(
                "HTTP 302: a redirect is never followed; is the 360dialog API's address right?",
                None,
                True,
                9.0,
            ),
        ),
        (502, b"<html>", SendDelayed("HTTP 502 without a 360dialog error", None, True, 9.0)),
        (
            404,
            None,
            SendBlocked(
                "HTTP 404 without a 360dialog error: are the 360dialog API's address and the proxy right?"
            ),
        ),
        (400, b'{"error":"Invalid request"}', SendRefused("HTTP 400 without a 360dialog error")),
        (400, b"[" * 100_000, SendRefused("HTTP 400 without a 360dialog error")),
    ],
)
def test_a_refusal_says_what_is_to_be_done(status: int, body: bytes | None, expected: SendError) -> None:
    """Meta's by its code; 360dialog's own by the status, and for a 400 by its documented words."""
    assert told(classify(status, body, retry_after="9")) == told(expected)


def test_the_capitals_of_its_words_do_not_count() -> None:
    """They are written for people."""
    assert isinstance(classify(400, own("Rate Limit Exceeded")), SendDelayed)


def test_metas_count_of_calls_says_how_long_to_wait() -> None:
    """The header comes through, too."""
    usage = '{"1":[{"estimated_time_to_regain_access":2}]}'
    error = classify(400, b'{"error":{"code":80007}}', usage=usage)
    assert isinstance(error, SendDelayed)
    assert error.wait_seconds == 120.0


async def test_no_log_and_no_repr_shows_the_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every logger, over success and failure."""
    caplog.set_level(logging.DEBUG)
    async with open_pair(answer(200, SENT), answer(500), b"") as (_, out):
        await out(ROW)
        await send_fails(out)
        await send_fails(out)
        shown = repr(out) + caplog.text + repr([record.__dict__ for record in caplog.records])
    assert caplog.records
    shown += repr(door(WEBHOOK_SECRET, PLATFORM_SECRET)) + repr(request(authorization=WEBHOOK_SECRET))
    for secret in (KEY, WEBHOOK_SECRET, PLATFORM_SECRET, ROW.user.id):
        assert secret not in shown


@pytest.mark.parametrize("key", ["", "se cret", "secret\n", "sécret"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    """The library's own error would quote it."""
    with pytest.raises(ValueError, match="the API key is empty or holds characters") as caught:
        Dialog360Channel(api_key=key).open()
    assert "cret" not in str(caught.value)


# Who calls ----------------------------------------------------------------------------------------


def door(webhook_secret: str = "", platform_secret: str = "") -> Dialog360Channel:
    """A door with these secrets."""
    return Dialog360Channel(api_key=KEY, webhook_secret=webhook_secret, platform_secret=platform_secret)


def request(body: bytes = BODY, **headers: str) -> Request:
    """A body with these headers."""
    given = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(body=body, headers=given)


def signature_of(body: bytes, secret: str = PLATFORM_SECRET) -> str:
    """By hand: 64 hex digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_webhook_that_repeats_the_secret_is_read_as_metas_is() -> None:
    """The envelope is the same."""
    webhook = door(WEBHOOK_SECRET).read(request(authorization=WEBHOOK_SECRET))
    assert webhook == parse(BODY)
    assert webhook is not None
    assert webhook.messages


@pytest.mark.parametrize(
    "value",
    ["", WEBHOOK_SECRET.upper(), WEBHOOK_SECRET + " ", "Bearer " + WEBHOOK_SECRET, "\xff", "x" * 9999],
)
def test_any_other_value_is_nobody(value: str) -> None:
    """No exception, whatever the bytes."""
    assert door(WEBHOOK_SECRET).read(request(authorization=value)) is None


def test_a_webhook_that_is_signed_with_the_platforms_secret_is_read() -> None:
    """With the algorithm's name before it, or without."""
    for value in (signature_of(BODY), f"sha256={signature_of(BODY)}"):
        assert door("", PLATFORM_SECRET).read(request(x_360dialog_signature=value)) == parse(BODY)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha256=",
        signature_of(BODY).upper(),
        signature_of(BODY)[:-1],
        signature_of(BODY + b" "),
        signature_of(BODY, ""),
        signature_of(BODY, "x"),
        f"sha256=sha256={signature_of(BODY)}",
        "\xff" * 64,
    ],
)
def test_any_other_signature_is_nobodys(value: str) -> None:
    """Of other bytes, by another secret, in another form."""
    assert door("", PLATFORM_SECRET).read(request(x_360dialog_signature=value)) is None


def test_metas_signature_counts_for_nothing() -> None:
    """It is made with a secret that only 360dialog has."""
    meta = {"x_hub_signature_256": f"sha256={signature_of(BODY)}"}
    assert door("", PLATFORM_SECRET).read(request(**meta)) is None


def test_of_two_secrets_both_must_hold() -> None:
    """Whoever has one only is nobody."""
    both = door(WEBHOOK_SECRET, PLATFORM_SECRET)
    proofs = {"authorization": WEBHOOK_SECRET, "x_360dialog_signature": signature_of(BODY)}
    assert both.read(request(**proofs)) == parse(BODY)
    for name in proofs:
        assert both.read(request(**{name: proofs[name]})) is None


def test_without_a_secret_nothing_is_genuine() -> None:
    """A setting that was forgotten must not open the door."""
    for headers in ({}, {"authorization": ""}, {"x_360dialog_signature": signature_of(BODY, "")}):
        assert door().read(request(**headers)) is None


def test_the_first_of_two_headers_counts() -> None:
    """A second one changes nothing."""
    headers = [(b"authorization", WEBHOOK_SECRET.encode()), (b"authorization", b"x")]
    assert door(WEBHOOK_SECRET).read(Request(body=BODY, headers=headers)) == parse(BODY)
    assert door(WEBHOOK_SECRET).read(Request(body=BODY, headers=headers[::-1])) is None


@given(body=st.binary(), header=st.none() | st.binary())
def test_no_header_raises(body: bytes, header: bytes | None) -> None:
    """Whatever comes, the answer is a bool."""
    assert is_signed(body, header, PLATFORM_SECRET) is False


def test_it_is_thanked_with_nothing_and_asks_for_no_challenge() -> None:
    """The webhook is registered by its API, which tries nothing out."""
    assert (door().thanks.content_type, door().thanks.body) == ("text/plain; charset=utf-8", b"")
    assert door().challenge({"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}) is None
