"""Each type of message, and what is absent, new or wrong in it: through `parse`, as it comes."""

import json
from typing import Any

import pytest

from engine import Message
from engine.content import (
    Audio,
    ButtonReply,
    Contact,
    ContactPhone,
    Contacts,
    Content,
    Document,
    Edit,
    FlowReply,
    Image,
    ListReply,
    Location,
    Order,
    OrderItem,
    Product,
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
from web.whatsapp.payloads import parse

# Of a wrong type, wherever it stands.
WRONG: list[Any] = [None, 5, True, "", [], {}, ["x"], {"x": 1}]


def came(type: Any, **fields: Any) -> Message:
    """What a message of this type comes out as."""
    item = {"from": "16505551234", "id": "wamid.1", "timestamp": "1749416383", "type": type, **fields}
    change = {"field": "messages", "value": {"messages": [item]}}
    webhook = parse(json.dumps({"entry": [{"changes": [change]}]}).encode())
    (message,) = webhook.messages
    assert (message.id, message.user.id, message.timestamp) == ("wamid.1", "16505551234", 1749416383)
    return message


def content(type: Any, **fields: Any) -> Content:
    """The content of it; `text` is always the content's."""
    message = came(type, **fields)
    assert message.text == message.content.text
    return message.content


# Media --------------------------------------------------------------------------------------------

MEDIA = {"image": Image, "video": Video, "audio": Audio, "document": Document, "sticker": Sticker}
# Samples of the provider's pages hold the rest.
FILE = {
    "id": "1003383421387256",
    "mime_type": "image/webp",
    "sha256": "SfIn=",
    "url": "https://x.test/?mid=1",
}


@pytest.mark.parametrize("name", MEDIA)
def test_a_file_comes_out_by_its_type(name: str) -> None:
    """The five have the same fields; what is particular to one is left out here."""
    assert content(name, **{name: {**FILE, "caption": "Look"}}) == MEDIA[name](**FILE, caption="Look")


def test_what_is_particular_to_a_type_of_file() -> None:
    """Recorded in the chat, animated, and the name of a document; and no type takes another's."""
    more = {**FILE, "voice": True, "animated": True, "filename": "receipt.pdf"}
    assert content("audio", audio=more) == Audio(**FILE, voice=True)
    assert content("sticker", sticker=more) == Sticker(**FILE, animated=True)
    assert content("document", document=more) == Document(**FILE, filename="receipt.pdf")
    assert content("image", image=more) == Image(**FILE)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("field", ["mime_type", "sha256", "url", "caption", "filename"])
def test_a_field_of_a_file_may_be_absent_or_wrong(field: str, wrong: Any) -> None:
    """None, and nothing else is lost."""
    given = {**FILE, "caption": "Look", "filename": "receipt.pdf"}
    assert content("document", document={**given, field: wrong}) == Document(**{**given, field: None})


@pytest.mark.parametrize("flag", [None, 1, "true", [], False])
def test_a_flag_of_a_file_is_true_or_it_is_not(flag: Any) -> None:
    """A voice note is only what is said to be one."""
    assert content("audio", audio={**FILE, "voice": flag}) == Audio(**FILE)
    assert content("sticker", sticker={**FILE, "animated": flag}) == Sticker(**FILE)


def test_a_file_without_an_id_keeps_its_words() -> None:
    """It cannot be had; what its user wrote under it can."""
    assert content("image", image={"id": 5, "caption": "Look"}) == Image(caption="Look")
    assert content("image", image={"url": "https://x.test/"}) == Image(url="https://x.test/")


# Places and people --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "degrees"),
    [(37.5, 37.5), (37, 37.0), ("37.5", 37.5), ("-37", -37.0), (0, 0.0), (-0.0, 0.0), (1e-7, 1e-7)],
)
def test_a_location_is_in_degrees_however_they_are_written(given: Any, degrees: float) -> None:
    """As numbers or as texts."""
    location = content("location", location={"latitude": given, "longitude": 1, "name": 5, "address": "A 1"})
    assert location == Location(latitude=degrees, longitude=1.0, address="A 1")
    assert location.text == "A 1"


@pytest.mark.parametrize(
    "wrong", [None, True, "", [], {}, "north", "nan", "inf", "1_0", "1" * 41, float("nan")]
)
def test_a_location_without_degrees_is_none(wrong: Any) -> None:
    """Nobody can be sent to a name alone; it stays in `raw`."""
    given = {"latitude": 1, "longitude": wrong, "name": "Philz Coffee"}
    assert content("location", location=given) == Unknown(type="location")


def test_contact_cards_come_out_with_all_their_numbers() -> None:
    """A card without a name, a number without a type, and what is no card at all."""
    cards: list[Any] = [
        {"name": {"formatted_name": "Ada L.", "first_name": "Ada"}, "emails": [{"email": "a@x.test"}, {}, 5]},
        {"name": {"first_name": "Ada", "last_name": "Lovelace"}, "phones": [{"phone": "+1 2"}, None]},
        {"phones": {"phone": "+1 3", "wa_id": "13", "type": "HOME"}, "vcard": "BEGIN:VCARD"},
        {"name": 5, "phones": [{"wa_id": "+13", "type": 5}]},
        "BEGIN:VCARD",
    ]
    contacts = content("contacts", contacts=cards)
    assert contacts == Contacts(
        contacts=(
            Contact(name="Ada L.", emails=("a@x.test",)),
            Contact(name="Ada Lovelace", phones=(ContactPhone(phone="+1 2"),)),
            Contact(phones=(ContactPhone(phone="+1 3", user_id="13", type="HOME"),)),
            Contact(phones=(ContactPhone(),)),
        )
    )
    assert contacts.text == "Ada L., Ada Lovelace"


# Choices ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interactive", "expected"),
    [
        (
            {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
            ButtonReply(id="yes", title="Yes"),
        ),
        ({"type": "button_reply", "button_reply": {"title": "Yes"}}, ButtonReply(title="Yes")),
        ({"type": "button_reply", "button_reply": {"id": "yes", "title": 5}}, ButtonReply(id="yes")),
        ({"type": "list_reply", "list_reply": {"id": "1"}}, ListReply(id="1")),
        (
            {"type": "list_reply", "list_reply": {"id": "1", "title": "One", "description": ["x"]}},
            ListReply(id="1", title="One"),
        ),
        ({"type": "button_reply", "button_reply": {}}, Unknown(type="interactive/button_reply")),
        ({"type": "button_reply", "list_reply": {"id": "1"}}, Unknown(type="interactive/button_reply")),
        ({"type": "list_reply", "list_reply": {"id": 5}}, Unknown(type="interactive/list_reply")),
        ({"type": "list_reply", "list_reply": "1"}, Unknown(type="interactive/list_reply")),
        ({"type": "nfm_reply", "nfm_reply": {}}, Unknown(type="interactive/nfm_reply")),
        (
            {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
            Unknown(type="interactive/call_permission_reply"),
        ),
        ({"type": "x" * 100}, Unknown(type=f"interactive/{'x' * 52}")),
        ({"type": 5, "button_reply": {"id": "yes"}}, Unknown(type="interactive")),
        ({}, Unknown(type="interactive")),
    ],
)
def test_what_was_tapped(interactive: Any, expected: Content) -> None:
    """By what kind of reply it is; one that is new is known by its name."""
    assert content("interactive", interactive=interactive) == expected


def test_a_template_button_is_a_choice() -> None:
    """Its payload is the id that we gave it."""
    assert came("button", button={"payload": "stop", "text": "No more"}).choice == TemplateButton(
        id="stop", title="No more"
    )
    assert content("button", button={"text": "No more", "payload": None}) == TemplateButton(title="No more")


def form(response: Any) -> Content:
    """A form that was filled in."""
    reply = {"name": "flow", "body": "Sent", "response_json": response}
    return content("interactive", interactive={"type": "nfm_reply", "nfm_reply": reply})


@pytest.mark.parametrize(
    ("given", "response"),
    [
        (
            '{"day": "Friday", "people": 4, "extra": [{"x": null}]}',
            {"day": "Friday", "people": 4, "extra": [{"x": None}]},
        ),
        ('{"a": NaN, "b": 1e999, "c": "\\ud83d"}', {"a": None, "b": None, "c": "\ufffd"}),
        ({"day": "Friday"}, {"day": "Friday"}),
        *((text, {}) for text in ("", "{", "[1]", "5", "null", '"x"', "[" * 100_000, '{"a":' * 100_000)),
        *((raw, {}) for raw in (None, 5, ["{}"], True)),
    ],
)
def test_the_answers_of_a_form_are_decoded(given: Any, response: dict[str, Any]) -> None:
    """JSON within the JSON; empty when it cannot be read."""
    assert form(given) == FlowReply(name="flow", body="Sent", response=response)


def test_the_answers_of_a_form_may_be_so_deep_and_no_deeper() -> None:
    """The bound of the body counts for what is hidden in it too."""
    deep = '{"x":' * 64 + "1" + "}" * 64
    reply = form(deep)
    assert isinstance(reply, FlowReply)
    assert reply.response == json.loads(deep)
    assert form('{"x":' + deep + "}") == FlowReply(name="flow", body="Sent")


def test_an_order_is_read_however_its_numbers_are_written() -> None:
    """As numbers or as texts; a line that is half wrong keeps the other half."""
    items: list[Any] = [
        {"product_retailer_id": "a", "quantity": "2", "item_price": "30.50", "currency": "USD"},
        {"product_retailer_id": 5, "quantity": "many", "item_price": None, "currency": 840},
        "b",
    ]
    order = content("order", order={"catalog_id": "1", "text": "Quick!", "product_items": items})
    assert order == Order(
        catalog_id="1",
        note="Quick!",
        items=(OrderItem(product_id="a", quantity=2.0, price=30.5, currency="USD"), OrderItem()),
    )
    assert order.text == "Quick!"
    assert content("order", order={"text": "Quick!", "product_items": 5}) == Order(note="Quick!")


# About other messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "emoji"), [("👍🏽", "👍🏽"), ("", ""), (None, ""), (5, ""), ("\ud83d", "\ufffd")]
)
def test_a_reaction_without_an_emoji_takes_one_away(given: Any, emoji: str) -> None:
    """Left out, or empty as it was before."""
    reaction = content("reaction", reaction={"message_id": "wamid.0", "emoji": given})
    assert reaction == Reaction(message_id="wamid.0", emoji=emoji)
    assert reaction.is_removal is not emoji


def edit_to(message: Any) -> Content:
    """An edit that makes a message this one."""
    return content("edit", edit={"original_message_id": "wamid.0", "message": message})


@pytest.mark.parametrize(
    ("message", "now"),
    [
        ({"type": "text", "text": {"body": "No, Friday"}}, Text(body="No, Friday")),
        ({"type": "image", "image": {"id": "1", "caption": "This one"}}, Image(id="1", caption="This one")),
        ({"type": "text", "text": {"body": " "}}, None),
        ({"type": "text"}, None),
        ({"type": "hologram", "hologram": {}}, None),
        ({"text": {"body": "No, Friday"}}, None),
        *((wrong, None) for wrong in WRONG),
    ],
)
def test_an_edit_holds_what_the_message_says_now(message: Any, now: Content | None) -> None:
    """None when that is not told, or shows nothing."""
    assert edit_to(message) == Edit(message_id="wamid.0", content=now)


def test_an_edit_within_an_edit_ends() -> None:
    """Nobody sends one; as deep as a body may be it is read."""
    message: Any = {"type": "text", "text": {"body": "Hi"}}
    for _ in range(20):
        message = {"type": "edit", "edit": {"original_message_id": "wamid.0", "message": message}}
    assert edit_to(message).text == "Hi"


def test_a_revoke_names_what_it_takes_back() -> None:
    """Nothing else is told."""
    assert content("revoke", revoke={"original_message_id": "wamid.0"}) == Revoke(message_id="wamid.0")


@pytest.mark.parametrize("wrong", [*WRONG, "a b", "x" * 513, "a\nb"])
@pytest.mark.parametrize(
    ("name", "field"),
    [("reaction", "message_id"), ("edit", "original_message_id"), ("revoke", "original_message_id")],
)
def test_what_speaks_of_no_message_says_nothing(name: str, field: str, wrong: Any) -> None:
    """It is kept as a type whose body is of no use."""
    assert content(name, **{name: {field: wrong, "emoji": "👍"}}) == Unknown(type=name)


# Of the user, and of the provider -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "system", "expected"),
    [
        (
            {},
            {
                "type": "user_changed_number",
                "body": "User A changed from 16505551234 to 12195555358",
                "wa_id": "12195555358",
                "user_id": "US.2",
                "parent_user_id": "US.ENT.2",
                "previous_user_id": "US.1",
                "previous_parent_user_id": "US.ENT.1",
            },
            System(
                event="user_changed_number",
                body="User A changed from 16505551234 to 12195555358",
                phone="12195555358",
                user_id="US.2",
                parent_user_id="US.ENT.2",
                previous_phone="16505551234",
                previous_user_id="US.1",
                previous_parent_user_id="US.ENT.1",
            ),
        ),
        (
            {"type": "system"},
            {"type": "customer_changed_number", "new_wa_id": "12195555358", "customer": "1"},
            System(event="customer_changed_number", phone="12195555358", previous_phone="16505551234"),
        ),
        (
            {"from": "", "from_user_id": "US.1"},
            {"type": "customer_changed_number", "wa_id": "12", "customer": "11"},
            System(event="customer_changed_number", phone="12", previous_phone="11"),
        ),
        (
            {},
            {"type": "customer_identity_changed", "identity": {"hash": "x"}},
            System(event="customer_identity_changed", previous_phone="16505551234"),
        ),
        (
            {},
            {"type": "brand_new", "wa_id": 5, "user_id": "US. 1", "body": [], "previous_user_id": "x" * 161},
            System(event="brand_new", previous_phone="16505551234"),
        ),
        ({}, {"type": "x" * 100}, System(event="x" * 64, previous_phone="16505551234")),
    ],
)
def test_a_system_message_says_who_the_user_was_and_is(
    sender: dict[str, Any], system: Any, expected: System
) -> None:
    """Under the names of now and of before; what is wrong is not there."""
    item = {"from": "16505551234", "id": "wamid.1", "type": "system", "system": system, **sender}
    body = {"entry": [{"changes": [{"field": "messages", "value": {"messages": [item]}}]}]}
    assert [one.content for one in parse(json.dumps(body).encode()).messages] == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Unsupported()),
        ({"unsupported": {"type": "poll"}}, Unsupported(subtype="poll")),
        ({"unsupported": {"type": "x" * 100}}, Unsupported(subtype="x" * 64)),
        ({"unsupported": {"type": 5}, "errors": 5}, Unsupported()),
        (
            {"errors": [{"code": 131051}, {"code": "131051"}, 5, {"code": True}]},
            Unsupported(errors=(131051,)),
        ),
        ({"errors": {"code": 131051}}, Unsupported(errors=(131051,))),
        ({"errors": [{"code": number} for number in range(100)]}, Unsupported(errors=(0, 1, 2, 3, 4))),
    ],
)
@pytest.mark.parametrize("name", ["unsupported", "unknown"])
def test_what_is_not_passed_on_says_of_what_type_it_was(name: str, fields: Any, expected: Content) -> None:
    """As far as it is told; by both names that it has had."""
    assert content(name, **fields) == expected


def test_the_first_opening_of_a_chat_holds_nothing() -> None:
    """Whatever stands in it."""
    assert content("request_welcome", request_welcome={"x": 1}) == RequestWelcome()


# All types that have a body of their name.
BODIES = [
    *MEDIA,
    "location",
    "contacts",
    "interactive",
    "button",
    "order",
    "reaction",
    "edit",
    "revoke",
    "system",
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", BODIES)
def test_a_type_whose_body_is_of_no_use_is_not_lost(name: str, wrong: Any) -> None:
    """It is a message all the same, and `raw` has what there was."""
    if (name, wrong) == ("contacts", {"x": 1}):
        assert content(name, contacts=wrong) == Contacts(contacts=(Contact(),))
    else:
        assert content(name, **{name: wrong}) == Unknown(type=name)
        assert content(name) == Unknown(type=name)


# What stands around -------------------------------------------------------------------------------

TEXT: dict[str, Any] = {"text": {"body": "Hi"}}


@pytest.mark.parametrize(
    ("context", "quoted"),
    [
        ({"from": "1", "id": "wamid.0"}, Quoted(message_id="wamid.0", sender="1")),
        ({"from_user_id": "US.1", "id": "wamid.0"}, Quoted(message_id="wamid.0", sender="US.1")),
        ({"forwarded": True}, Quoted(is_forwarded=True)),
        ({"frequently_forwarded": True}, Quoted(is_frequently_forwarded=True)),
        ({"forwarded": "true", "frequently_forwarded": 1}, None),
        ({"from": "a b", "id": ["wamid.0"]}, None),
        (
            {"referred_product": {"catalog_id": "1", "product_retailer_id": "a"}},
            Quoted(product=Product(catalog_id="1", product_id="a")),
        ),
        (
            {"id": "wamid.0", "referred_product": {"catalog_id": 1, "product_retailer_id": "a"}},
            Quoted(message_id="wamid.0", product=Product(product_id="a")),
        ),
        *((wrong, None) for wrong in WRONG),
    ],
)
def test_what_a_message_answers(context: Any, quoted: Quoted | None) -> None:
    """Or that it was passed on, or which product it is about; None when it stands for itself."""
    assert came("text", context=context, **TEXT).quoted == quoted


@pytest.mark.parametrize(
    ("referral", "expected"),
    [
        (
            {
                "source_url": "https://fb.me/1",
                "source_type": "ad",
                "source_id": "1",
                "ctwa_clid": "x",
                "new": 1,
            },
            Referral(source_url="https://fb.me/1", source_type="ad", source_id="1", click_id="x"),
        ),
        ({"headline": "Hi", "body": "Here", "source_id": 1}, Referral(headline="Hi", body="Here")),
        *((wrong, None) for wrong in WRONG),
    ],
)
def test_where_a_chat_came_from(referral: Any, expected: Referral | None) -> None:
    """An advertisement or a post; what is wrong in it is not there."""
    assert came("text", referral=referral, **TEXT).referral == expected
