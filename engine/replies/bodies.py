"""The bodies of one piece: words, a place, a reaction."""

import re
from typing import ClassVar

import attrs

from engine.errors import ReplyError
from engine.replies.checks import (
    as_number,
    as_optional,
    as_text,
    check_flag,
    check_number,
    check_optional,
    check_text,
    kind_of,
)


@attrs.frozen
class Body:
    """What one message holds: any of the types here, in `media`, `choices`, `contacts` and `templates`.

    `tag` is its name in JSON form.
    """

    tag: ClassVar[str]

    @property
    def text(self) -> str:
        """What a person would read of it; in brackets what it is, when there is nothing to read."""
        raise NotImplementedError


@attrs.frozen
class TextBody(Body):
    """Written words.  One that is longer than a message may be goes out in several.

    `preview`: the first URL in it is shown with a picture of its page.
    """

    tag = "text"
    text: str = attrs.field(repr=False, converter=as_text)
    preview: bool = False

    def __attrs_post_init__(self) -> None:
        # An empty one is refused where it is answered with, by `as_replies`.
        if not isinstance(self.text, str):
            raise ReplyError(f"text: a text, not {kind_of(self.text)}")
        check_flag("preview", self.preview)


@attrs.frozen
class LocationBody(Body):
    """A place on the map, in degrees.  WhatsApp shows the address only of a place that has a name."""

    tag = "location"
    latitude: float = attrs.field(repr=False, converter=as_number)
    longitude: float = attrs.field(repr=False, converter=as_number)
    name: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    address: str | None = attrs.field(default=None, repr=False, converter=as_optional)

    def __attrs_post_init__(self) -> None:
        check_number("latitude", self.latitude, 90.0)
        check_number("longitude", self.longitude, 180.0)
        check_optional("name", self.name)
        check_optional("address", self.address)

    @property
    def text(self) -> str:
        return ", ".join(filter(None, (self.name, self.address))) or "[location]"


@attrs.frozen
class ReactionBody(Body):
    """An emoji on the message `message_id`; an empty one takes it away."""

    tag = "reaction"
    message_id: str = attrs.field(converter=as_text)
    emoji: str = attrs.field(repr=False, converter=as_text)

    def __attrs_post_init__(self) -> None:
        check_text("message_id", self.message_id)
        if not isinstance(self.emoji, str):
            raise ReplyError(f"emoji: a text, not {kind_of(self.emoji)}")
        # A keycap has a digit in it; no emoji has a letter of ASCII or a blank.
        if re.search(r"[A-Za-z\s]", self.emoji):
            raise ReplyError("emoji: one emoji, or nothing")

    @property
    def text(self) -> str:
        return self.emoji or "[reaction]"
