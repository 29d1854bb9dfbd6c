"""Each type of body becomes the request of Meta's documentation, with nothing in it that is not set."""

import json
from typing import Any

import pytest

from engine import (
    AudioBody,
    Body,
    Button,
    ButtonsBody,
    CardAddress,
    CardPhone,
    ContactCard,
    ContactsBody,
    CopyCode,
    DocumentBody,
    File,
    ImageBody,
    Inline,
    Link,
    ListBody,
    LocationBody,
    MediaId,
    QuickReply,
    ReactionBody,
    Row,
    Section,
    SendRefused,
    StickerBody,
    TemplateBody,
    TextBody,
    UrlEnd,
    VideoBody,
)
from web.whatsapp.outgoing import TEXT_CHARACTERS_MAX, file_of, message_request, with_media_id

LINK = Link("https://example.com/file")
ID = MediaId("1037543291543636")
FILE = File("/srv/room.png")
DAYS = [Button("mon", "Monday"), Button("tue", "Tuesday")]


def request(body: Body, **more: Any) -> dict[str, Any]:
    """The request for a phone number, as it crosses the wire."""
    made = message_request(body, **{"user_id": "16505551234", "tracker": "row-1", **more})
    decoded: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return decoded


# What stands around the body ----------------------------------------------------------------------


def test_a_text_is_written_as_it_always_was() -> None:
    """Byte for byte: a test of the client has the same."""
    made = message_request(TextBody("Hi <b> äöå 😀"), user_id="16505551234", tracker="row-1")
    assert json.dumps(made) == json.dumps(
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "16505551234",
            "type": "text",
            "text": {"body": "Hi <b> äöå 😀", "preview_url": False},
            "biz_opaque_callback_data": "row-1",
        }
    )


@pytest.mark.parametrize("user_id", ["US.13491208655302741918", "١٦٥٠"])
def test_a_user_without_a_phone_number_is_a_recipient(user_id: str) -> None:
    """`to` is for phone numbers; a business-scoped id goes into `recipient`."""
    made = request(TextBody("Hi"), user_id=user_id)
    assert made["recipient"] == user_id
    assert "to" not in made


def test_a_group_is_written_to_as_a_group() -> None:
    """Its id looks like nothing else."""
    made = request(TextBody("Hi"), user_id="Y2FwaV9ncm91cDo", is_group=True)
    assert (made["recipient_type"], made["to"]) == ("group", "Y2FwaV9ncm91cDo")
    assert "recipient" not in made


@pytest.mark.parametrize("body", [TextBody("Hi"), ImageBody(LINK), ButtonsBody("?", DAYS)])
def test_what_is_quoted_stands_beside_the_body(body: Body) -> None:
    """Whatever the body is; and without it nothing does."""
    assert request(body, reply_to="wamid.IN")["context"] == {"message_id": "wamid.IN"}
    assert "context" not in request(body)


# The bodies ---------------------------------------------------------------------------------------

CARD = ContactCard(
    "Barbara J. Johnson",
    [CardPhone("+16505559999", label="Landline"), CardPhone("+19175559999", "19175559999", "Mobile")],
    ["bjohnson@example.com"],
    ["https://example.com"],
    [CardAddress(street="1 Lucky Shrub Way", zip="94025", country_code="US", label="Office")],
    first_name="Barbara",
    last_name="Johnson",
    company="Lucky Shrub",
    department="Legal",
    job_title="Lead Counsel",
    birthday="1999-01-23",
)

REQUESTS: list[tuple[Body, str, Any]] = [
    (TextBody("Hi", preview=True), "text", {"body": "Hi", "preview_url": True}),
    (
        ButtonsBody("Which day?", DAYS),
        "interactive",
        {
            "type": "button",
            "body": {"text": "Which day?"},
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "mon", "title": "Monday"}},
                    {"type": "reply", "reply": {"id": "tue", "title": "Tuesday"}},
                ]
            },
        },
    ),
    (
        ButtonsBody("Which day?", DAYS[:1], header="Your table", footer="Until noon"),
        "interactive",
        {
            "type": "button",
            "header": {"type": "text", "text": "Your table"},
            "body": {"text": "Which day?"},
            "footer": {"text": "Until noon"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "mon", "title": "Monday"}}]},
        },
    ),
    (
        ListBody(
            "When?",
            "Times",
            [
                Section([Row("12", "12:00")], "Lunch"),
                Section([Row("18", "18:00", "By the window")], "Dinner"),
            ],
            header="Your table",
            footer="Until noon",
        ),
        "interactive",
        {
            "type": "list",
            "header": {"type": "text", "text": "Your table"},
            "body": {"text": "When?"},
            "footer": {"text": "Until noon"},
            "action": {
                "button": "Times",
                "sections": [
                    {"title": "Lunch", "rows": [{"id": "12", "title": "12:00"}]},
                    {
                        "title": "Dinner",
                        "rows": [{"id": "18", "title": "18:00", "description": "By the window"}],
                    },
                ],
            },
        },
    ),
    (
        ListBody("When?", "Times", [Row("12", "12:00")]),
        "interactive",
        {
            "type": "list",
            "body": {"text": "When?"},
            "action": {"button": "Times", "sections": [{"rows": [{"id": "12", "title": "12:00"}]}]},
        },
    ),
    (ImageBody(LINK), "image", {"link": "https://example.com/file"}),
    (ImageBody(ID, "Room"), "image", {"id": "1037543291543636", "caption": "Room"}),
    (VideoBody(ID, "Room"), "video", {"id": "1037543291543636", "caption": "Room"}),
    (AudioBody(ID), "audio", {"id": "1037543291543636"}),
    (AudioBody(LINK, voice=True), "audio", {"link": "https://example.com/file", "voice": True}),
    (DocumentBody(LINK), "document", {"link": "https://example.com/file"}),
    (
        DocumentBody(ID, "Our menu", "Menu.pdf"),
        "document",
        {"id": "1037543291543636", "caption": "Our menu", "filename": "Menu.pdf"},
    ),
    (StickerBody(ID), "sticker", {"id": "1037543291543636"}),
    (LocationBody(47.5, -8), "location", {"latitude": 47.5, "longitude": -8.0}),
    (
        LocationBody(0, 0, "Linde", "Lindenhof 4"),
        "location",
        {"latitude": 0.0, "longitude": 0.0, "name": "Linde", "address": "Lindenhof 4"},
    ),
    (
        ContactsBody([CARD]),
        "contacts",
        [
            {
                "name": {
                    "formatted_name": "Barbara J. Johnson",
                    "first_name": "Barbara",
                    "last_name": "Johnson",
                },
                "phones": [
                    {"phone": "+16505559999", "type": "Landline"},
                    {"phone": "+19175559999", "type": "Mobile", "wa_id": "19175559999"},
                ],
                "emails": [{"email": "bjohnson@example.com"}],
                "urls": [{"url": "https://example.com"}],
                "addresses": [
                    {"type": "Office", "street": "1 Lucky Shrub Way", "zip": "94025", "country_code": "US"}
                ],
                "org": {"company": "Lucky Shrub", "department": "Legal", "title": "Lead Counsel"},
                "birthday": "1999-01-23",
            }
        ],
    ),
    (
        ContactsBody([ContactCard("Linde"), ContactCard("Anna B.", last_name="B.")]),
        "contacts",
        [
            {"name": {"formatted_name": "Linde", "first_name": "Linde"}},
            {"name": {"formatted_name": "Anna B.", "last_name": "B."}},
        ],
    ),
    (ReactionBody("wamid.IN", "👍"), "reaction", {"message_id": "wamid.IN", "emoji": "👍"}),
    (ReactionBody("wamid.IN", ""), "reaction", {"message_id": "wamid.IN", "emoji": ""}),
    (TemplateBody("hello", "en"), "template", {"name": "hello", "language": {"code": "en"}}),
    (
        TemplateBody(
            "voucher", "en_US", ["Anna", "18:00"], "August", [QuickReply("no"), None, CopyCode("A1")]
        ),
        "template",
        {
            "name": "voucher",
            "language": {"code": "en_US"},
            "components": [
                {"type": "header", "parameters": [{"type": "text", "text": "August"}]},
                {
                    "type": "body",
                    "parameters": [{"type": "text", "text": "Anna"}, {"type": "text", "text": "18:00"}],
                },
                {
                    "type": "button",
                    "index": "0",
                    "sub_type": "quick_reply",
                    "parameters": [{"type": "payload", "payload": "no"}],
                },
                {
                    "type": "button",
                    "index": "2",
                    "sub_type": "copy_code",
                    "parameters": [{"type": "coupon_code", "coupon_code": "A1"}],
                },
            ],
        },
    ),
    (
        TemplateBody(
            "voucher", "en", {"guest": "Anna"}, DocumentBody(LINK, filename="A.pdf"), [UrlEnd("r/1")]
        ),
        "template",
        {
            "name": "voucher",
            "language": {"code": "en"},
            "components": [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "document",
                            "document": {"link": "https://example.com/file", "filename": "A.pdf"},
                        }
                    ],
                },
                {
                    "type": "body",
                    "parameters": [{"type": "text", "parameter_name": "guest", "text": "Anna"}],
                },
                {
                    "type": "button",
                    "index": "0",
                    "sub_type": "url",
                    "parameters": [{"type": "text", "text": "r/1"}],
                },
            ],
        },
    ),
    (
        TemplateBody("way", "en", header=LocationBody(1, 2, "Linde")),
        "template",
        {
            "name": "way",
            "language": {"code": "en"},
            "components": [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "location",
                            "location": {"latitude": 1.0, "longitude": 2.0, "name": "Linde"},
                        }
                    ],
                }
            ],
        },
    ),
]


@pytest.mark.parametrize(("body", "kind", "content"), REQUESTS, ids=lambda value: type(value).__name__)
def test_a_body_is_written_as_metas_documentation_has_it(body: Body, kind: str, content: Any) -> None:
    """Under its type, with no field that was not set."""
    made = request(body)
    assert (made["type"], made[kind]) == (kind, content)
    assert made.keys() == {
        "messaging_product",
        "recipient_type",
        "to",
        "type",
        kind,
        "biz_opaque_callback_data",
    }


@pytest.mark.parametrize("media", [ImageBody(ID), VideoBody(ID), DocumentBody(ID)])
def test_media_may_stand_above_buttons_and_in_a_template(media: ImageBody | VideoBody | DocumentBody) -> None:
    """In the form that they have alone."""
    expected = {"type": media.tag, media.tag: {"id": "1037543291543636"}}
    assert request(ButtonsBody("?", DAYS, header=media))["interactive"]["header"] == expected
    [header] = request(TemplateBody("t", "en", header=media))["template"]["components"]
    assert header == {"type": "header", "parameters": [expected]}


def test_a_text_that_is_too_long_is_refused() -> None:
    """Whoever queued it should have split it; the bound itself passes."""
    assert len(request(TextBody("x" * TEXT_CHARACTERS_MAX))["text"]["body"]) == 4096
    with pytest.raises(SendRefused, match=r"^a text may have 4096 characters, this has 4097$"):
        request(TextBody("x" * 4097))


class Hologram(Body):
    """A body of somebody's own."""


def test_a_body_that_whatsapp_has_not_is_refused() -> None:
    """It would never be sent."""
    with pytest.raises(SendRefused, match=r"^a Hologram cannot be sent on WhatsApp$"):
        request(Hologram())


# Files to upload ----------------------------------------------------------------------------

WITH_FILES: list[tuple[Body, Body]] = [
    (ImageBody(FILE, "Room"), ImageBody(ID, "Room")),
    (AudioBody(File("a.ogg"), voice=True), AudioBody(ID, voice=True)),
    (StickerBody(File("a.webp")), StickerBody(ID)),
    (DocumentBody(File("/srv/menu.pdf")), DocumentBody(ID, filename="menu.pdf")),
    (DocumentBody(Inline("menu.pdf", b"%PDF")), DocumentBody(ID, filename="menu.pdf")),
    (ImageBody(Inline("a.png", b"PNG")), ImageBody(ID)),
    (DocumentBody(File("/srv/menu.pdf"), "Menu", "M.pdf"), DocumentBody(ID, "Menu", "M.pdf")),
    (ButtonsBody("?", DAYS, ImageBody(FILE), "F"), ButtonsBody("?", DAYS, ImageBody(ID), "F")),
    (TemplateBody("t", "en", ["a"], VideoBody(File("a.mp4"))), TemplateBody("t", "en", ["a"], VideoBody(ID))),
]


@pytest.mark.parametrize(("body", "uploaded"), WITH_FILES, ids=lambda value: type(value).__name__)
def test_a_file_is_uploaded_before_its_message_is_written(body: Body, uploaded: Body) -> None:
    """Wherever it stands: it is named, refused as it is, and sent once its id is in its place."""
    assert file_of(body) is not None
    with pytest.raises(SendRefused, match=r"^a file must be uploaded before it is sent$"):
        request(body)
    assert with_media_id(body, ID.id) == uploaded
    assert file_of(uploaded) is None
    assert ID.id in json.dumps(request(uploaded))


def test_a_document_keeps_the_name_of_its_file() -> None:
    """What its user saves is called as it was here."""
    uploaded = with_media_id(DocumentBody(File("/srv/menu.pdf")), ID.id)
    assert request(uploaded)["document"] == {"id": ID.id, "filename": "menu.pdf"}


@pytest.mark.parametrize(
    "body",
    [
        TextBody("Hi"),
        ImageBody(LINK),
        ImageBody(ID),
        ButtonsBody("?", DAYS),
        ButtonsBody("?", DAYS, header="Table"),
        TemplateBody("t", "en", header=LocationBody(0, 0)),
        ListBody("When?", "Times", [Row("12", "12:00")]),
    ],
)
def test_nothing_else_is_uploaded(body: Body) -> None:
    """What has no file of its own goes out as it is."""
    assert file_of(body) is None


@pytest.mark.parametrize("body", [TextBody("Hi"), ButtonsBody("?", DAYS, header="Table"), LocationBody(0, 0)])
def test_an_id_changes_no_body_that_has_no_place_for_it(body: Body) -> None:
    """Whoever asks first never comes here."""
    assert with_media_id(body, ID.id) is body
