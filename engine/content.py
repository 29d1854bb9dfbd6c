"""What a message holds, by type: frozen values, the same whatever door it came through.

Rule 1: a field that the sender left out is None, or an empty tuple; nothing here is checked or refused.
Rule 2: `text` is what a person would read of it: a body, a caption, the title of a choice; empty when none.
Source of the types: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import attrs

from engine.errors import MediaError


class Kind(enum.StrEnum):
    """The types of message, by the name that settings, metrics and the history have for them."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACTS = "contacts"
    BUTTON_REPLY = "button_reply"
    LIST_REPLY = "list_reply"
    FLOW_REPLY = "flow_reply"
    TEMPLATE_BUTTON = "template_button"
    ORDER = "order"
    REACTION = "reaction"
    SYSTEM = "system"
    EDIT = "edit"
    REVOKE = "revoke"
    REQUEST_WELCOME = "request_welcome"
    ECHO = "echo"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Content:
    """Any of the types below."""

    kind: ClassVar[Kind]

    @property
    def text(self) -> str:
        """What a person would read of it; empty when there is nothing to read."""
        return ""


@attrs.frozen(kw_only=True)
class Text(Content):
    """Written words."""

    kind = Kind.TEXT
    body: str = attrs.field(repr=False)

    @property
    def text(self) -> str:
        return self.body


# WhatsApp takes nothing larger.
BYTES_MAX: Final = 100 * 1024 * 1024


class MediaSource(Protocol):
    """Where files are downloaded from: a door to WhatsApp."""

    async def __call__(self, media: "Media", to: Path, *, bytes_max: int, number: str = "") -> Path:
        """See `Media.download`.  `number`: the business's number that it came to; empty for the first."""
        ...


def with_source(content: Content, source: MediaSource | None) -> Content:
    """The content, with its file to be had from there."""
    if isinstance(content, Edit | Echo) and content.content is not None:
        return attrs.evolve(content, content=with_source(content.content, source))
    if not isinstance(content, Media) or source is None:
        return content
    bound = attrs.evolve(content)
    object.__setattr__(bound, "_source", source)  # a new value of our own, frozen from here on
    return bound


# Media --------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Media(Content):
    """A file.  Any of the five types below.

    `id` is the provider's, good for seven days on WhatsApp; `url`, when there is one, for five minutes.
    `sha256` is of the file, in base64 as WhatsApp gives it; `mime_type` may have parameters
    ("audio/ogg; codecs=opus").
    """

    id: str = ""
    mime_type: str | None = None
    sha256: str | None = None
    url: str | None = attrs.field(default=None, repr=False)
    caption: str | None = attrs.field(default=None, repr=False)
    # Where it comes from; given to it by the engine, before an assistant sees it.
    _source: "MediaSource | None" = attrs.field(default=None, init=False, eq=False, repr=False)

    @property
    def text(self) -> str:
        return self.caption or ""

    async def download(self, to: Path | str, *, bytes_max: int = BYTES_MAX) -> Path:
        """Download it to a file `to`, or into a folder `to` under a name made of its id; returns the file.

        Raises MediaError: it is gone, larger than `bytes_max`, not what was sent, or cannot be had just now.
        Nothing of it is left then.  May be cancelled at any time.
        """
        if self._source is None:
            raise MediaError("this way in has no files to download")
        return await self._source(self, Path(to), bytes_max=bytes_max)


@attrs.frozen(kw_only=True)
class Image(Media):
    """A picture."""

    kind = Kind.IMAGE


@attrs.frozen(kw_only=True)
class Video(Media):
    """A film."""

    kind = Kind.VIDEO


@attrs.frozen(kw_only=True)
class Audio(Media):
    """Sound.  `voice`: it was recorded in the chat."""

    kind = Kind.AUDIO
    voice: bool = False


@attrs.frozen(kw_only=True)
class Document(Media):
    """A file of any other type, with the name that its sender's device had for it."""

    kind = Kind.DOCUMENT
    filename: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Sticker(Media):
    """A sticker."""

    kind = Kind.STICKER
    animated: bool = False


# Places and people --------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Location(Content):
    """A place on the map, in degrees."""

    kind = Kind.LOCATION
    latitude: float = attrs.field(repr=False)
    longitude: float = attrs.field(repr=False)
    name: str | None = attrs.field(default=None, repr=False)
    address: str | None = attrs.field(default=None, repr=False)
    url: str | None = attrs.field(default=None, repr=False)

    @property
    def text(self) -> str:
        return ", ".join(filter(None, (self.name, self.address)))


@attrs.frozen(kw_only=True)
class ContactPhone:
    """One number of a contact card.  `user_id`: its digits on WhatsApp, when it is there."""

    phone: str | None = attrs.field(default=None, repr=False)
    user_id: str | None = attrs.field(default=None, repr=False)
    type: str | None = None


@attrs.frozen(kw_only=True)
class Contact:
    """One contact card; all that WhatsApp says of it is in `Message.raw`."""

    name: str = attrs.field(default="", repr=False)
    phones: tuple[ContactPhone, ...] = ()
    emails: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Contacts(Content):
    """Contact cards."""

    kind = Kind.CONTACTS
    contacts: tuple[Contact, ...] = ()

    @property
    def text(self) -> str:
        return ", ".join(filter(None, (contact.name for contact in self.contacts)))


# Choices ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Choice(Content):
    """What its user tapped.  Any of the three types below.

    `id` is what we gave the button or the row; `title` is what was shown.
    """

    id: str = attrs.field(default="", repr=False)
    title: str = attrs.field(default="", repr=False)

    @property
    def text(self) -> str:
        return self.title


@attrs.frozen(kw_only=True)
class ButtonReply(Choice):
    """A button under a message of ours."""

    kind = Kind.BUTTON_REPLY


@attrs.frozen(kw_only=True)
class ListReply(Choice):
    """A row of a list of ours."""

    kind = Kind.LIST_REPLY
    description: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class TemplateButton(Choice):
    """A quick reply under a template; `id` is its payload."""

    kind = Kind.TEMPLATE_BUTTON


@attrs.frozen(kw_only=True)
class FlowReply(Content):
    """A form that was filled in.  `response` is its JSON, decoded; empty when it cannot be."""

    kind = Kind.FLOW_REPLY
    name: str = ""
    body: str = attrs.field(default="", repr=False)
    response: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def text(self) -> str:
        return self.body


@attrs.frozen(kw_only=True)
class OrderItem:
    """One line of an order."""

    product_id: str = ""
    quantity: float | None = None
    price: float | None = None
    currency: str | None = None


@attrs.frozen(kw_only=True)
class Order(Content):
    """A basket from the catalogue, with a word of its user's."""

    kind = Kind.ORDER
    catalog_id: str = ""
    note: str = attrs.field(default="", repr=False)
    items: tuple[OrderItem, ...] = ()

    @property
    def text(self) -> str:
        return self.note


# What is said of other messages, and by others ----------------------------------------------------


@attrs.frozen(kw_only=True)
class Reaction(Content):
    """An emoji on a message; empty when it was taken away."""

    kind = Kind.REACTION
    message_id: str = ""
    emoji: str = ""

    @property
    def text(self) -> str:
        return self.emoji

    @property
    def is_removal(self) -> bool:
        """Whether the reaction was taken away."""
        return not self.emoji


@attrs.frozen(kw_only=True)
class Edit(Content):
    """A message was changed by its user; `content` is what it holds now, None when it is not told."""

    kind = Kind.EDIT
    message_id: str = ""
    content: Content | None = None

    @property
    def text(self) -> str:
        return self.content.text if self.content else ""


@attrs.frozen(kw_only=True)
class Revoke(Content):
    """A message was taken back by its user."""

    kind = Kind.REVOKE
    message_id: str = ""


@attrs.frozen(kw_only=True)
class System(Content):
    """Something about the user: a new number, a new id.

    `event` is the provider's word ("user_changed_number"); `phone`, `user_id` and `parent_user_id` are the
    new ones, `previous_*` the old.
    """

    kind = Kind.SYSTEM
    event: str = ""
    body: str = attrs.field(default="", repr=False)
    phone: str | None = attrs.field(default=None, repr=False)
    user_id: str | None = attrs.field(default=None, repr=False)
    parent_user_id: str | None = attrs.field(default=None, repr=False)
    previous_phone: str | None = attrs.field(default=None, repr=False)
    previous_user_id: str | None = attrs.field(default=None, repr=False)
    previous_parent_user_id: str | None = attrs.field(default=None, repr=False)

    @property
    def text(self) -> str:
        return self.body


@attrs.frozen(kw_only=True)
class RequestWelcome(Content):
    """The chat was opened for the first time."""

    kind = Kind.REQUEST_WELCOME


@attrs.frozen(kw_only=True)
class Echo(Content):
    """What a person of the business wrote to the user from the app: somebody has taken over."""

    kind = Kind.ECHO
    content: Content

    @property
    def text(self) -> str:
        return self.content.text


@attrs.frozen(kw_only=True)
class Unsupported(Content):
    """A message that the provider does not pass on: `subtype` says of what type ("poll", "view_once")."""

    kind = Kind.UNSUPPORTED
    subtype: str | None = None
    errors: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class Unknown(Content):
    """A type that is not known here, by the provider's name; its body is in `Message.raw`."""

    kind = Kind.UNKNOWN
    type: str = ""


CONTENT_TYPES: Final[Mapping[Kind, type[Content]]] = {
    each.kind: each
    for each in (
        Text,
        Image,
        Video,
        Audio,
        Document,
        Sticker,
        Location,
        Contacts,
        ButtonReply,
        ListReply,
        FlowReply,
        TemplateButton,
        Order,
        Reaction,
        System,
        Edit,
        Revoke,
        RequestWelcome,
        Echo,
        Unsupported,
        Unknown,
    )
}


# What stands around a message ---------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Product:
    """A product that a message asks about."""

    catalog_id: str = ""
    product_id: str = ""


@attrs.frozen(kw_only=True)
class Quoted:
    """What a message answers, or that it was passed on.

    `message_id` is None for a message that was forwarded; `sender` is who wrote the one it answers.
    """

    message_id: str | None = None
    sender: str | None = attrs.field(default=None, repr=False)
    is_forwarded: bool = False
    is_frequently_forwarded: bool = False
    product: Product | None = None


@attrs.frozen(kw_only=True)
class Referral:
    """The advertisement or post that a chat came from; all that is said of it is in `Message.raw`."""

    source_url: str | None = None
    source_type: str | None = None
    source_id: str | None = None
    headline: str | None = None
    body: str | None = None
    click_id: str | None = None


@attrs.frozen(kw_only=True)
class Profile:
    """What its user says of themselves; either changes freely and is no identity."""

    name: str | None = attrs.field(default=None, repr=False)
    username: str | None = attrs.field(default=None, repr=False)
