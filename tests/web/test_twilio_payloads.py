"""Each form of Twilio's comes out as the engine's own values, and none of them raises."""

import json
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import Delivery, DeliveryReport, Message, SendBlocked, SendDelayed, SendError, SendRefused, User
from engine.content import (
    Audio,
    ButtonReply,
    Content,
    Document,
    Image,
    ListReply,
    Location,
    Media,
    Profile,
    Quoted,
    Referral,
    Sticker,
    TemplateButton,
    Text,
    Unknown,
    Unsupported,
    Video,
)
from web.twilio.error_codes import CODES, classify, classify_failure
from web.twilio.payloads import STATUSES, parse
from web.whatsapp.payloads import Unhandled, Webhook

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "300"))
fuzzed = settings(max_examples=EXAMPLES)

# As one comes in, with parameters that nobody asked for.
TEXT: Final[Mapping[str, str]] = {
    "SmsMessageSid": "SM8824d91645395b17594d92659b878468",
    "NumMedia": "0",
    "ProfileName": "Zoë 🦊",
    "MessageType": "text",
    "SmsSid": "SM8824d91645395b17594d92659b878468",
    "WaId": "16505551234",
    "SmsStatus": "received",
    "Body": "Hi <b> äöå 😀\r\nbye ",
    "To": "whatsapp:+14155238886",
    "NumSegments": "1",
    "ReferralNumMedia": "0",
    "MessageSid": "SM8824d91645395b17594d92659b878468",
    "AccountSid": "ACefb707f7c4ce4d15bc4261fd1d5ed615",
    "ChannelMetadata": '{"type":"whatsapp"}',
    "From": "whatsapp:+16505551234",
    "ApiVersion": "2010-04-01",
}
MEDIA_URL = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME0123456789"


def form(*without: str, **changed: str) -> bytes:
    """The text above with other parameters; `without` names those that are left out."""
    parameters = {**TEXT, **changed}
    return urlencode({name: value for name, value in parameters.items() if name not in without}).encode()


def message_of(body: bytes) -> Message:
    """The one message of a form."""
    webhook = parse(body)
    [message] = webhook.messages
    assert webhook == Webhook(messages=(message,))
    return message


def other_of(body: bytes, query: str = "") -> Unhandled:
    """What a form is that is neither a message nor a report."""
    webhook = parse(body, query)
    [other] = webhook.others
    assert webhook == Webhook(others=(other,))
    return other


# Messages -----------------------------------------------------------------------------------------


def test_a_text_is_a_message_with_its_words_as_they_were_written() -> None:
    """Space at the end and line ends too; Twilio tells no time, so the store sets one."""
    assert message_of(form()) == Message(
        id="SM8824d91645395b17594d92659b878468",
        user=User("16505551234"),
        text="Hi <b> äöå 😀\r\nbye ",
        timestamp=None,
        content=Text(body="Hi <b> äöå 😀\r\nbye "),
        profile=Profile(name="Zoë 🦊"),
    )
    assert message_of(form()).raw == TEXT


@pytest.mark.parametrize(
    ("to", "number"),
    [("whatsapp:+14155238886", "14155238886"), ("whatsapp:US.1", ""), ("whatsapp:+1/2", ""), ("", "")],
)
def test_a_message_tells_the_number_that_it_was_written_to(to: str, number: str) -> None:
    """In digits; what is no number is none."""
    assert message_of(form(To=to)).number == number


def media(kind: str, mime_type: str, **more: str) -> dict[str, str]:
    """The parameters of a file."""
    return {
        "MessageType": kind,
        "MediaUrl0": MEDIA_URL,
        "MediaContentType0": mime_type,
        "NumMedia": "1",
        **more,
    }


def a_file(made: type[Media], mime_type: str, caption: str | None = None) -> Media:
    """The value it becomes."""
    return made(id="ME0123456789", mime_type=mime_type, url=MEDIA_URL, caption=caption)


@pytest.mark.parametrize(
    ("changed", "content", "text"),
    [
        (media("image", "image/jpeg", Body="look"), a_file(Image, "image/jpeg", "look"), "look"),
        (media("video", "video/mp4", Body=""), a_file(Video, "video/mp4"), ""),
        (media("audio", "audio/ogg", Body=""), a_file(Audio, "audio/ogg"), ""),
        (
            media("document", "application/pdf", Body="menu.pdf"),
            a_file(Document, "application/pdf", "menu.pdf"),
            "menu.pdf",
        ),
        (media("sticker", "image/webp", Body=""), a_file(Sticker, "image/webp"), ""),
        # A contact card is a file here.
        (media("contacts", "text/vcard", Body=""), a_file(Document, "text/vcard"), ""),
        # The type is not told, or is a new one: the file's own says it.
        (media("", "image/png", Body=""), a_file(Image, "image/png"), ""),
        (media("", "image/webp", Body=""), a_file(Sticker, "image/webp"), ""),
        (media("hologram", "video/3gpp", Body=""), a_file(Video, "video/3gpp"), ""),
        (media("", "", Body=""), attrs.evolve(a_file(Document, ""), mime_type=None), ""),
        (
            media("image", "image/jpeg", Body="", MediaUrl0="http://[bad"),
            Image(mime_type="image/jpeg", url="http://[bad"),
            "",
        ),
        (
            {
                "MessageType": "location",
                "Latitude": "52.5163",
                "Longitude": "-13.3777",
                "Label": "Gate",
                "Address": "Pariser Platz",
                "Body": "",
            },
            Location(latitude=52.5163, longitude=-13.3777, name="Gate", address="Pariser Platz"),
            "Gate, Pariser Platz",
        ),
        (
            {"MessageType": "location", "Latitude": "0", "Longitude": "0", "Body": ""},
            Location(latitude=0.0, longitude=0.0),
            "",
        ),
        (
            {
                "MessageType": "interactive",
                "ButtonText": "Confirm",
                "ButtonPayload": "confirm-7",
                "Body": "Confirm",
            },
            ButtonReply(id="confirm-7", title="Confirm"),
            "Confirm",
        ),
        (
            {"MessageType": "button", "ButtonText": "Yes", "ButtonPayload": "yes", "Body": "Yes"},
            TemplateButton(id="yes", title="Yes"),
            "Yes",
        ),
        (
            {"MessageType": "interactive", "ListId": "row-2", "ListTitle": "Two", "Body": "Two"},
            ListReply(id="row-2", title="Two"),
            "Two",
        ),
        # A choice whose parameters are not known here is what its user reads of it.
        ({"MessageType": "interactive", "Body": "Chosen"}, Text(body="Chosen"), "Chosen"),
        ({"MessageType": "unsupported", "Body": ""}, Unsupported(), ""),
        # No one says how these come, or they are new: they ask for nothing.
        ({"MessageType": "reaction", "Body": "👍"}, Unknown(type="reaction"), ""),
        ({"MessageType": "order", "Body": ""}, Unknown(type="order"), ""),
        ({"MessageType": "x" * 100, "Body": "?"}, Unknown(type="x" * 64), ""),
        (
            {"MessageType": "location", "Latitude": "north", "Longitude": "1", "Body": ""},
            Unknown(type="location"),
            "",
        ),
        (
            {"MessageType": "location", "Latitude": "nan", "Longitude": "inf", "Body": ""},
            Unknown(type="location"),
            "",
        ),
        ({"MessageType": "image", "NumMedia": "0", "Body": ""}, Unknown(type="image"), ""),
    ],
)
def test_each_type_becomes_its_value(changed: dict[str, str], content: Content, text: str) -> None:
    """The same values as through any other door."""
    message = message_of(form(**changed))
    assert message.content == content
    assert message.text == text


def test_a_message_without_a_type_is_a_text() -> None:
    """Older accounts send none."""
    assert message_of(form("MessageType")).content == Text(body=TEXT["Body"])


@pytest.mark.parametrize(
    ("changed", "quoted"),
    [
        (
            {"OriginalRepliedMessageSid": "SM7", "OriginalRepliedMessageSender": "whatsapp:+14155238886"},
            Quoted(message_id="SM7", sender="14155238886"),
        ),
        ({"Forwarded": "true"}, Quoted(is_forwarded=True)),
        (
            {"Forwarded": "true", "FrequentlyForwarded": "true"},
            Quoted(is_forwarded=True, is_frequently_forwarded=True),
        ),
        ({"Forwarded": "false", "FrequentlyForwarded": "false"}, None),
        ({"OriginalRepliedMessageSid": "", "OriginalRepliedMessageSender": ""}, None),
    ],
)
def test_what_it_answers_and_that_it_was_passed_on_is_told(
    changed: dict[str, str], quoted: Quoted | None
) -> None:
    """Twilio's ids are of the same kind as those of the messages that were sent."""
    assert message_of(form(**changed)).quoted == quoted


def test_the_advertisement_that_it_came_from_is_told() -> None:
    """All of it, in the engine's names."""
    names = {
        "ReferralSourceUrl": "https://fb.me/1",
        "ReferralSourceType": "ad",
        "ReferralSourceId": "2",
        "ReferralHeadline": "Tables",
        "ReferralBody": "Book one",
        "ReferralCtwaClid": "3",
    }
    assert message_of(form(**names)).referral == Referral(
        source_url="https://fb.me/1",
        source_type="ad",
        source_id="2",
        headline="Tables",
        body="Book one",
        click_id="3",
    )


def test_a_user_who_shows_no_number_is_known_by_the_scoped_id() -> None:
    """Twilio puts it in place of the number."""
    scoped = "whatsapp:US.13491208655302741918"
    message = message_of(form("WaId", From=scoped, ExternalUserId=scoped))
    assert message.user == User("US.13491208655302741918")
    beside = message_of(form(ExternalUserId=scoped))
    assert beside.user == User("16505551234")
    assert beside.raw["ExternalUserId"] == scoped


def test_of_a_name_that_comes_twice_the_first_value_counts() -> None:
    """And nothing is lost for the other."""
    assert message_of(form() + b"&Body=other&From=whatsapp%3A%2B1").text == TEXT["Body"]


def test_all_that_was_sent_is_kept() -> None:
    """Blank parameters too, and those that nobody here knows."""
    assert message_of(form(New="", Newer="of tomorrow")).raw == {**TEXT, "New": "", "Newer": "of tomorrow"}


def test_an_older_name_of_its_id_will_do() -> None:
    """Twilio still sends both."""
    assert message_of(form("MessageSid", SmsMessageSid="SM3")).id == "SM3"


def test_what_no_store_takes_is_taken_out() -> None:
    """NUL, and bytes that are no UTF-8."""
    message = message_of(form("Body") + b"&Body=a%00b%FFc&New%00Name=x%00")
    assert message.text == "ab\ufffdc"
    assert message.raw["NewName"] == "x"


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "message:malformed", "it names no user"),
        (b'{"From": "whatsapp:+1"}', "message:malformed", "it names no user"),
        (b"\xff\xfe&=&%", "message:malformed", "it names no user"),
        (form("From"), "message:malformed", "it names no user"),
        (form(From="whatsapp:"), "message:malformed", "it names no user"),
        (form(From="whatsapp:+1 650"), "message:malformed", "it names no user"),
        (form(From="whatsapp:+" + "1" * 30), "message:malformed", "it names no user"),
        (form(From="+16505551234"), "message:other_channel", "it did not come from WhatsApp"),
        (form(From="messenger:1234"), "message:other_channel", "it did not come from WhatsApp"),
        (
            form("MessageSid", "SmsMessageSid"),
            "message:malformed",
            "its id is missing, too long or not printable",
        ),
        (
            form("SmsMessageSid", MessageSid="SM 1"),
            "message:malformed",
            "its id is missing, too long or not printable",
        ),
        (form(Body=""), "message:text_empty", "its text shows nothing"),
        (form(Body=" \u200b\u2800\r\n"), "message:text_empty", "its text shows nothing"),
    ],
)
def test_what_is_no_message_says_why(body: bytes, kind: str, reason: str) -> None:
    """In words that hold nothing of its user's."""
    assert other_of(body) == Unhandled(kind, reason)


# Statuses -----------------------------------------------------------------------------------------


def status_form(status: str, **more: str) -> bytes:
    """A status of a message of ours, as it is called back."""
    return urlencode(
        {
            "ChannelToAddress": "+1650555XXXX",
            "SmsSid": "SM9",
            "SmsStatus": status,
            "MessageStatus": status,
            "ChannelPrefix": "whatsapp",
            "To": "whatsapp:+16505551234",
            "MessageSid": "SM9",
            "AccountSid": "AC1",
            "From": "whatsapp:+14155238886",
            "ApiVersion": "2010-04-01",
            **more,
        }
    ).encode()


@pytest.mark.parametrize(
    ("status", "delivery"),
    [("sent", Delivery.SENT), ("delivered", Delivery.DELIVERED), ("read", Delivery.READ)],
)
def test_a_status_is_a_report_of_the_row_that_its_url_names(status: str, delivery: Delivery) -> None:
    """That is what settles a send whose answer was lost."""
    assert parse(status_form(status, EventType=status.upper()), "row=op%2F1-rejected&x=") == Webhook(
        reports=(DeliveryReport(row_id="op/1-rejected", delivery=delivery, provider_id="SM9"),)
    )


@pytest.mark.parametrize("name", ["MessageStatus", "SmsStatus"])
def test_a_status_is_known_by_either_of_its_names(name: str) -> None:
    """One of them alone says that it is none of a user's messages."""
    [report] = parse(urlencode({name: "delivered", "MessageSid": "SM9"}).encode(), "row=r").reports
    assert report.delivery is Delivery.DELIVERED


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        (
            "undelivered",
            {"ErrorCode": "63016", "ErrorMessage": "to +16505551234 with SM8824d91645395b17594d92659b878468"},
            SendRefused(
                "the user wrote last more than 24 hours ago; only a template may be sent: to +…1234 with …",
                63016,
            ),
        ),
        (
            "failed",
            {"ErrorCode": "63018", "ChannelStatusMessage": "slow down"},
            SendDelayed("WhatsApp's rate limit is used up: slow down", 63018, whole_number=True),
        ),
        ("failed", {"ErrorCode": "63012"}, SendDelayed("something went wrong at WhatsApp", 63012)),
        ("failed", {"ErrorCode": "30002"}, SendBlocked("the account is suspended", 30002)),
        (
            "failed",
            {"ErrorCode": "99999"},
            SendRefused("it was not delivered, with an error code that is not known here", 99999),
        ),
        ("failed", {}, SendRefused("it was not delivered, and no error code says why")),
        (
            "failed",
            {"ErrorCode": "1" * 5000},
            SendRefused("it was not delivered, and no error code says why"),
        ),
        ("failed", {"ErrorCode": "٦٣"}, SendRefused("it was not delivered, and no error code says why")),
    ],
)
def test_a_failure_says_what_is_to_be_done(status: str, more: dict[str, str], expected: SendError) -> None:
    """By its code; no number and no id of anybody stands in it."""
    [report] = parse(status_form(status, **more), "row=r").reports
    assert report.delivery is Delivery.FAILED
    assert report.error is not None
    assert (type(report.error), attrs.asdict(report.error)) == (type(expected), attrs.asdict(expected))


@pytest.mark.parametrize(
    "query", ["", "row=", "row", "row=a+b", "other=r", "row=" + "r" * 600, "%", "\ud800"]
)
def test_a_status_without_a_row_is_no_report(query: str) -> None:
    """It is of a message that was sent by other means."""
    assert other_of(status_form("delivered"), query) == Unhandled(
        "status:delivered", "it does not say which message of ours"
    )


def test_other_statuses_are_counted_by_their_names() -> None:
    """Names that are not known are one kind: a metric has few."""
    kinds = {
        other_of(status_form(status), "row=r").kind for status in ("queued", "sending", "canceled", "odd")
    }
    assert kinds == {"status:queued", "status:sending", "status:canceled", "status:unknown"}


# Error codes --------------------------------------------------------------------------------------


def answer(code: Any, **more: Any) -> bytes:
    """A refusal in the shape of Twilio's."""
    return json.dumps(
        {"code": code, "message": "Told so", "more_info": "https://…", "status": 400, **more}
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "expected"),
    [
        (
            401,
            answer(20003),
            None,
            SendBlocked("the account SID or the auth token is not accepted: Told so", 20003),
        ),
        (404, answer(20404), None, SendBlocked("there is no such account at this address: Told so", 20404)),
        (
            429,
            answer(20429),
            "3",
            SendDelayed("too many requests to Twilio at once: Told so", 20429, True, 3.0),
        ),
        (
            400,
            answer(21211, message="The 'To' number +16505551234"),
            None,
            SendRefused("the recipient is no phone number: The 'To' number +…1234", 21211),
        ),
        (
            400,
            answer(63016),
            None,
            SendRefused(
                "the user wrote last more than 24 hours ago; only a template may be sent: Told so", 63016
            ),
        ),
        (400, answer(1), None, SendRefused("HTTP 400 with an error code that is not known here: Told so", 1)),
        (403, answer(1), None, SendBlocked("HTTP 403 with an error code that is not known here: Told so", 1)),
        (
            429,
            answer(1),
            "9" * 50,
            SendDelayed("HTTP 429 with an error code that is not known here: Told so", 1, True, 86_400.0),
        ),
        (
            503,
            answer(1, message=None),
            "soon",
            SendDelayed("HTTP 503 with an error code that is not known here", 1, True),
        ),
        (425, b"", None, SendDelayed("HTTP 425 without a Twilio error", None, True)),
        (429, b"slow down", None, SendDelayed("HTTP 429 without a Twilio error", None, True)),
        (500, None, None, SendDelayed("HTTP 500 without a Twilio error", None, True)),
        (
            302,
            b"",
            None,
            SendDelayed(
                "HTTP 302: a redirect is never followed; is the Twilio API's address right?", None, True
            ),
        ),
        (
            404,
            b"<html>",
            None,
            SendBlocked("HTTP 404 without a Twilio error: are the Twilio API's address and the proxy right?"),
        ),
        (400, b"[" * 100_000, None, SendRefused("HTTP 400 without a Twilio error")),
        (400, answer("21211"), None, SendRefused("HTTP 400 without a Twilio error")),
    ],
)
def test_a_refusal_says_what_is_to_be_done(
    status: int, body: bytes | None, retry_after: str | None, expected: SendError
) -> None:
    """The code decides, and the status where there is none that is known."""
    error = classify(status, body, retry_after=retry_after)
    assert (type(error), attrs.asdict(error)) == (type(expected), attrs.asdict(expected))


@pytest.mark.parametrize("code", CODES)
def test_each_code_says_the_same_in_an_answer_and_in_a_status(code: int) -> None:
    """There is one table."""
    now, later = classify(400, answer(code)), classify_failure(str(code), "Told so")
    assert (type(now), attrs.asdict(now)) == (type(later), attrs.asdict(later))


# Fuzzing ------------------------------------------------------------------------------------------

NAMES: Final = (
    *TEXT,
    *(
        "MessageStatus",
        "ErrorCode",
        "ErrorMessage",
        "MediaUrl0",
        "MediaContentType0",
        "Latitude",
        "Longitude",
    ),
    *("Label", "Address", "ButtonText", "ButtonPayload", "ListId", "ListTitle", "Forwarded", "ReferralBody"),
    *("OriginalRepliedMessageSid", "OriginalRepliedMessageSender", "ExternalUserId"),
)
VALUES: Final = st.one_of(
    st.text(),
    st.sampled_from(
        sorted({*TEXT.values(), *STATUSES, "", "image", "location", "1e400", "-0", MEDIA_URL, "+", ":"})
    ),
)


@fuzzed
@given(body=st.binary(), query=st.text())
@example(body=b"From=whatsapp%3A%2B1&MessageSid=%ED%A0%80", query="row=\udfff")
def test_no_body_raises(body: bytes, query: str) -> None:
    """It is one thing, always."""
    webhook = parse(body, query)
    assert len(webhook.messages) + len(webhook.reports) + len(webhook.others) == 1


@fuzzed
@given(
    changes=st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES),
    missing=st.sets(st.sampled_from(NAMES)),
)
def test_whatever_a_form_holds_can_be_stored_and_sent(changes: dict[str, str], missing: set[str]) -> None:
    """Its texts are UTF-8 without NUL, its ids are ids, its kinds are few, its reasons speak of nobody."""
    parameters = {**TEXT, **changes}
    body = urlencode(
        {name: value for name, value in parameters.items() if name not in missing}, errors="surrogatepass"
    ).encode()
    webhook = parse(body, "row=r")
    for message in webhook.messages:
        assert message.id.isprintable()
        assert message.user.id
        for text in (message.text, message.content.text, *message.raw, *message.raw.values()):
            assert "\0" not in text
            text.encode()
    for other in webhook.others:
        assert other.kind.startswith(("message:", "status:"))
        assert other.kind.partition(":")[2] in {
            *STATUSES,
            "malformed",
            "other_channel",
            "text_empty",
            "unknown",
        }
        assert other.reason.isascii()
