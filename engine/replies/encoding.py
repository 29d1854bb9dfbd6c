"""Bodies and replies in JSON form, as the store keeps them."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body, LocationBody, ReactionBody, TextBody
from engine.replies.checks import kind_of
from engine.replies.choices import Button, ButtonsBody, ListBody, Row, Section
from engine.replies.contacts import CardAddress, CardPhone, ContactCard, ContactsBody
from engine.replies.media import (
    AudioBody,
    DocumentBody,
    File,
    ImageBody,
    Inline,
    Link,
    MediaId,
    StickerBody,
    VideoBody,
)
from engine.replies.reply import Reply
from engine.replies.templates import CopyCode, QuickReply, TemplateBody, TemplateValue, UrlEnd

_BODIES: Final[tuple[type[Body], ...]] = (
    TextBody,
    ImageBody,
    VideoBody,
    AudioBody,
    DocumentBody,
    StickerBody,
    ButtonsBody,
    ListBody,
    LocationBody,
    ContactsBody,
    ReactionBody,
    TemplateBody,
)
# And the parts of them.
TAGS: Final[Mapping[type, str]] = {
    **{body: body.tag for body in _BODIES},
    Link: "link",
    MediaId: "media_id",
    File: "file",
    Inline: "inline",
    Button: "button",
    Section: "section",
    Row: "row",
    ContactCard: "card",
    CardPhone: "card_phone",
    CardAddress: "card_address",
    TemplateValue: "template_value",
    QuickReply: "quick_reply",
    UrlEnd: "url_end",
    CopyCode: "copy_code",
}
_TAG: Final = "type"
_BYTES_TAG: Final = "bytes"


def _bytes(base64: str) -> bytes:
    try:
        return b64decode(base64, validate=True)
    except ValueError as error:
        raise ReplyError(f"bytes: {error}") from error


_MAKERS: Final[Mapping[str, Callable[..., Any]]] = {
    **{tag: kind for kind, tag in TAGS.items()},
    _BYTES_TAG: _bytes,
}


def encode_body(body: Body) -> dict[str, Any]:
    """The body in JSON form: its `type` and its fields, its parts likewise; what is not set is left out.

    Raises ValueError for a type of body that is not known here.
    """
    if type(body) not in TAGS:
        raise ValueError(f"{kind_of(body)} is not a type of body")
    encoded: dict[str, Any] = _encoded(body)
    return encoded


def _encoded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, bytes):
        return {_TAG: _BYTES_TAG, "base64": b64encode(value).decode("ascii")}
    if type(value) not in TAGS:
        return value
    fields = {
        field.name: _encoded(getattr(value, field.name))
        for field in attrs.fields(type(value))
        if getattr(value, field.name) is not None and getattr(value, field.name) != ()
    }
    return {_TAG: TAGS[type(value)], **fields}


def decode_body(encoded: Mapping[str, Any]) -> Body:
    """The body that `encode_body` wrote.

    Raises ValueError when it is none: a type or a field that is not known, a limit that it does not keep.
    """
    try:
        body = _decoded(encoded)
    except (TypeError, ReplyError) as error:
        raise ValueError(f"not the body of a reply: {error}") from error
    if not isinstance(body, Body):
        raise ValueError(f"not the body of a reply: {kind_of(body)}")
    return body


def _decoded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_decoded(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    make = _MAKERS.get(tag) if isinstance(tag := value.get(_TAG), str) else None
    if make is None:
        raise ValueError(f"not the body of a reply: the type {tag!r} is not known")
    return make(**{name: _decoded(item) for name, item in value.items() if name != _TAG})


def encode_reply(reply: Reply) -> dict[str, Any]:
    """A reply in JSON form; one of nothing but words is `{"text": ...}`."""
    if reply == Reply(reply.text):
        return {"text": reply.text}
    encoded = {"body": encode_body(reply.body)}
    return encoded if reply.reply_to is None else {**encoded, "reply_to": reply.reply_to}


def decode_reply(encoded: Mapping[str, Any]) -> Reply:
    """The reply that `encode_reply` wrote.  Raises ValueError when it is none."""
    try:
        body = encoded["text"] if "text" in encoded else _decoded(encoded.get("body"))
        return Reply(body, reply_to=encoded.get("reply_to"))
    except (TypeError, ReplyError) as error:
        raise ValueError(f"not a reply: {error}") from error
