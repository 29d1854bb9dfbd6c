"""The local phone shows whatever an assistant sends, in words."""

import pytest

from engine.replies import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
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
    StickerBody,
    TemplateBody,
    TextBody,
    VideoBody,
)
from web.local.graph import GraphError, TextSend, parse_request
from web.whatsapp.outgoing import message_request

LINK = Link("https://example.org/a.bin")
SHOWN: list[tuple[Body, str]] = [
    (TextBody("Hello"), "Hello"),
    (ImageBody(LINK, caption="a cat"), "a cat\n[image https://example.org/a.bin]"),
    (VideoBody(MediaId("1")), "[video]"),
    (AudioBody(LINK), "[audio https://example.org/a.bin]"),
    (DocumentBody(LINK, filename="bill.pdf"), "[document bill.pdf]"),
    (StickerBody(LINK), "[sticker https://example.org/a.bin]"),
    (
        ButtonsBody("Which?", [Button("a", "One"), Button("b", "Two")], header="Head", footer="Foot"),
        "Head\nWhich?\nFoot\n[ One ]\n[ Two ]",
    ),
    (ListBody("Pick", "Open", [Row("a", "One"), Row("b", "Two")]), "Pick\n[ One ]\n[ Two ]"),
    (LocationBody(52.5, 13.25, name="Here"), "[location 52.5, 13.25] Here"),
    (LocationBody(52.5, 13.25), "[location 52.5, 13.25]"),
    (ContactsBody([ContactCard("Ben Doe", first_name="Ben")]), "[contact] Ben Doe"),
    (ReactionBody("wamid.1", "👍"), "[reaction] 👍"),
    (ReactionBody("wamid.1", ""), "[reaction taken away]"),
    (TemplateBody("reminder", "en"), "[template reminder]"),
]


@pytest.mark.parametrize(("body", "words"), SHOWN, ids=[type(body).__name__ for body, _ in SHOWN])
def test_every_body_is_shown_in_words(body: Body, words: str) -> None:
    """As it goes out to Meta."""
    wish = parse_request(message_request(body, user_id="15551234567", tracker="r1"))
    assert isinstance(wish, TextSend)
    assert wish.text == words


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("hologram", {}),
        ("image", None),
        ("image", "x"),
        ("interactive", {"action": {"buttons": [1]}}),
        ("contacts", [{}]),
        ("location", {"name": "here"}),
        (["text"], {}),
    ],
)
def test_what_is_no_message_is_refused_as_meta_would(kind: object, content: object) -> None:
    """With a code, and never a crash."""
    fields = {"messaging_product": "whatsapp", "to": "15551234567", "type": kind, str(kind): content}
    with pytest.raises(GraphError) as refusal:
        parse_request(fields)
    assert refusal.value.code == 131009
