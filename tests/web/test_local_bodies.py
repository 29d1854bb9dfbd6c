"""The local phone is given every part of whatever an assistant sends."""

from typing import Any

import pytest

from engine.replies import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
    CardPhone,
    ContactCard,
    ContactsBody,
    DocumentBody,
    ImageBody,
    Link,
    ListBody,
    LocationBody,
    MediaId,
    ReactionBody,
    Row,
    Section,
    StickerBody,
    TemplateBody,
    TemplateValue,
    TextBody,
    VideoBody,
)
from web.local.graph import GraphError, Send, parse_request
from web.local.meta import message_id
from web.whatsapp.outgoing import message_request

USER = "15551234567"
LINK = Link("https://example.org/a.bin")
SHOWN: list[tuple[Body, dict[str, Any]]] = [
    (TextBody("Hello"), {"text": "Hello"}),
    (ImageBody(LINK, caption="a cat"), {"text": "a cat", "file": {"kind": "image", "link": LINK.url}}),
    (VideoBody(MediaId("1")), {"text": "", "file": {"kind": "video", "id": "1"}}),
    (AudioBody(LINK), {"text": "", "file": {"kind": "audio", "link": LINK.url}}),
    (
        DocumentBody(MediaId("1"), filename="bill.pdf"),
        {"text": "", "file": {"kind": "document", "id": "1", "name": "bill.pdf"}},
    ),
    (StickerBody(LINK), {"text": "", "file": {"kind": "sticker", "link": LINK.url}}),
    (
        ButtonsBody("Which?", [Button("a", "One"), Button("b", "Two")], header="Head", footer="Foot"),
        {
            "text": "Which?",
            "header": "Head",
            "footer": "Foot",
            "buttons": [{"id": "a", "title": "One"}, {"id": "b", "title": "Two"}],
        },
    ),
    (
        ButtonsBody("Which?", [Button("a", "One")], header=ImageBody(LINK)),
        {
            "text": "Which?",
            "file": {"kind": "image", "link": LINK.url},
            "buttons": [{"id": "a", "title": "One"}],
        },
    ),
    (
        ListBody("Pick", "Open", [Section([Row("a", "One", "the first"), Row("b", "Two")], "Numbers")]),
        {
            "text": "Pick",
            "list": {
                "button": "Open",
                "sections": [
                    {
                        "title": "Numbers",
                        "rows": [
                            {"id": "a", "title": "One", "description": "the first"},
                            {"id": "b", "title": "Two"},
                        ],
                    }
                ],
            },
        },
    ),
    (
        LocationBody(52.5, 13.25, name="Here"),
        {"text": "", "location": {"latitude": 52.5, "longitude": 13.25, "name": "Here"}},
    ),
    (
        ContactsBody([ContactCard("Ben Doe", first_name="Ben", phones=[CardPhone("+1 555")])]),
        {"text": "", "contacts": [{"name": "Ben Doe", "lines": ["+1 555"]}]},
    ),
    (
        ReactionBody(message_id(USER, "k1"), "👍"),
        {"text": "", "reaction": {"to": "k1", "emoji": "👍"}},
    ),
    (ReactionBody("wamid.1", ""), {"text": "", "reaction": {"to": "", "emoji": ""}}),
    (
        TemplateBody("reminder", "en", values=[TemplateValue("Friday")]),
        {"text": "", "template": {"name": "reminder", "language": "en", "values": ["Friday"]}},
    ),
]


@pytest.mark.parametrize(("body", "shown"), SHOWN, ids=[type(body).__name__ for body, _ in SHOWN])
def test_every_part_of_a_body_reaches_the_page(body: Body, shown: dict[str, Any]) -> None:
    """From the request as it goes out to Meta."""
    wish = parse_request(message_request(body, user_id=USER, tracker="r1"))
    assert isinstance(wish, Send)
    assert (wish.shown, wish.tracker) == (shown, "r1")


def test_an_answer_names_the_message_that_it_quotes() -> None:
    """By the key under which the page has it; a message from elsewhere is not quoted."""
    quotes = []
    for wamid in (message_id(USER, "k1"), "wamid.elsewhere"):
        wish = parse_request(message_request(TextBody("Hi"), user_id=USER, tracker="", reply_to=wamid))
        assert isinstance(wish, Send)
        quotes.append(wish.shown)
    assert quotes == [{"text": "Hi", "quote": "k1"}, {"text": "Hi"}]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("hologram", {}),
        ("image", None),
        ("image", "x"),
        ("interactive", {"action": {"buttons": [1]}}),
        ("contacts", [{}]),
        ("location", {"name": "here"}),
        ("location", {"latitude": "north", "longitude": 1}),
        ("reaction", {"emoji": "x"}),
        (["text"], {}),
    ],
)
def test_what_is_no_message_is_refused_as_meta_would(kind: object, content: object) -> None:
    """With a code, and never a crash."""
    fields = {"messaging_product": "whatsapp", "to": USER, "type": kind, str(kind): content}
    with pytest.raises(GraphError) as refusal:
        parse_request(fields)
    assert refusal.value.code == 131009
