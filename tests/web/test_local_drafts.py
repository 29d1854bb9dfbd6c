"""What the page may send as the user, and what WhatsApp would post of it."""

import json
from typing import Any

import pytest

from engine.content import ButtonReply, Content, ListReply, Reaction
from web.local.drafts import Draft, parse_draft
from web.local.meta import message_id, webhook_body
from web.whatsapp.contents import content_of, quoted_of

USER = "15551234567"


def make_draft(**fields: Any) -> Draft:
    draft = parse_draft({"user": USER, "key": "k2", **fields})
    assert isinstance(draft, Draft)
    return draft


def posted(draft: Draft) -> dict[str, Any]:
    """The message object of the webhook's body."""
    body = webhook_body(phone_number_id="42", user_id=USER, key=draft.key, content=draft.content, timestamp=7)
    [message] = json.loads(body)["entry"][0]["changes"][0]["value"]["messages"]
    return dict(message)


BUTTON = {"kind": "button_reply", "id": "yes", "title": "Yes"}
ROW = {"kind": "list_reply", "id": "rome", "title": "Rome", "description": "Italy"}
READ_BACK: list[tuple[dict[str, Any], Content]] = [
    ({"choice": BUTTON}, ButtonReply(id="yes", title="Yes")),
    ({"choice": ROW}, ListReply(id="rome", title="Rome", description="Italy")),
    ({"reaction": {"to": "k1", "emoji": "👍"}}, Reaction(message_id=message_id(USER, "k1"), emoji="👍")),
    ({"reaction": {"to": "k1", "emoji": ""}}, Reaction(message_id=message_id(USER, "k1"), emoji="")),
]


@pytest.mark.parametrize(("fields", "content"), READ_BACK)
def test_what_is_sent_is_read_back_by_the_webhooks_own_reader(
    fields: dict[str, Any], content: Content
) -> None:
    """The page and the route speak of the same thing."""
    assert content_of(posted(make_draft(**fields))) == content


def test_a_tapped_button_is_posted_as_whatsapp_does() -> None:
    """The shape of Meta's example, with the message that the button was in."""
    assert posted(make_draft(choice=BUTTON, reply_to="k1")) == {
        "from": USER,
        "id": message_id(USER, "k2"),
        "timestamp": "7",
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
        "context": {"from": "15550100000", "id": message_id(USER, "k1")},
    }


def test_a_quote_is_shown_and_posted() -> None:
    """The bubble refers to the key, the webhook to the id."""
    draft = make_draft(text="Yes", reply_to="k1")
    quoted = quoted_of(posted(draft))
    assert quoted is not None
    assert (draft.text, draft.more, quoted.message_id) == ("Yes", {"quote": "k1"}, message_id(USER, "k1"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "text must"),
        ({"text": "Hi", "reply_to": "a b"}, "reply_to must"),
        ({"choice": "yes"}, "choice must"),
        ({"choice": {**BUTTON, "kind": "nfm_reply"}}, "choice must"),
        ({"choice": {**BUTTON, "title": " "}}, "choice must"),
        ({"choice": {**BUTTON, "id": "x" * 257}}, "choice must"),
        ({"reaction": {"emoji": "👍"}}, "reaction must have the key"),
        ({"reaction": {"to": "k1"}}, "reaction must have an emoji"),
        ({"reaction": {"to": "k1", "emoji": "x" * 33}}, "reaction must have an emoji"),
    ],
)
def test_what_cannot_be_sent_says_why(fields: dict[str, Any], words: str) -> None:
    """In words that name the field."""
    wrong = parse_draft({"user": USER, "key": "k2", **fields})
    assert isinstance(wrong, str)
    assert wrong.startswith(words)
