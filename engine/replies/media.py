"""Files that are sent: where they are, and the five types of body that hold one."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, ClassVar, Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body
from engine.replies.checks import (
    as_optional,
    as_text,
    check_flag,
    check_optional,
    check_text,
    check_url,
    kind_of,
)

# "Image messages", "Video messages", "Document messages".
CAPTION_CHARACTERS_MAX: Final = 1_024

# Bytes.  It stands in the outbox and in the conversation, and is read with them: for what is made for one
# message (a date, a ticket, a bill), not for films.
INLINE_BYTES_MAX: Final = 64 * 1_024

# "Supported media types" of Meta's page "Media", and ".jpg", which everybody writes for ".jpeg".
MIME_TYPES: Final[Mapping[str, str]] = {
    ".aac": "audio/aac",
    ".amr": "audio/amr",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".txt": "text/plain",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".pdf": "application/pdf",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".3gp": "video/3gpp",
    ".mp4": "video/mp4",
}


@attrs.frozen
class Link:
    """A file somewhere on the web; WhatsApp fetches it, and keeps it for ten minutes."""

    url: str = attrs.field(repr=False, converter=as_text)


@attrs.frozen
class MediaId:
    """A file that was uploaded before, by the provider's id; good for 30 days."""

    id: str = attrs.field(converter=as_text)


def _path(value: str | PurePath) -> str:
    return as_text(str(value) if isinstance(value, PurePath) else value)


@attrs.frozen
class File:
    """A file of this machine; it is uploaded when the message is sent, and must be there until then.

    `mime_type` goes by the end of its name unless it is given.
    """

    path: str = attrs.field(repr=False, converter=_path)
    mime_type: str | None = attrs.field(default=None, converter=as_optional)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePath(self.path).name

    @property
    def media_type(self) -> str:
        """Its MIME type; empty when none is given and its name tells none."""
        return _media_type(self)


@attrs.frozen
class Inline:
    """A small file that is in the message itself, under a name; nothing has to be there later.

    `mime_type` goes by the end of its name unless it is given.
    """

    name: str = attrs.field(repr=False, converter=as_text)
    content: bytes = attrs.field(repr=False)
    mime_type: str | None = attrs.field(default=None, converter=as_optional)

    @property
    def media_type(self) -> str:
        """Its MIME type; empty when none is given and its name tells none."""
        return _media_type(self)


# What has to be uploaded before it is sent.
Upload = File | Inline
Source = Link | MediaId | Upload


def _media_type(file: Upload) -> str:
    return file.mime_type or MIME_TYPES.get(PurePath(file.name).suffix.lower(), "")


@attrs.frozen
class MediaBody(Body):
    """A file.  Any of the five types below."""

    # What it is called, and which MIME types it may have; none named: any.
    called: ClassVar[str]
    mime_types: ClassVar[frozenset[str]] = frozenset()

    source: Source

    def __attrs_post_init__(self) -> None:
        match self.source:
            case Link(url=url):
                check_url("source.url", url)
            case MediaId(id=id):
                check_text("source.id", id)
            case File(path=path):
                check_text("source.path", path)
                self._check_type(self.source)
            case Inline(name=name, content=content):
                check_text("source.name", name)
                _check_content(content)
                self._check_type(self.source)
            case _:
                kind = kind_of(self.source)
                raise ReplyError(f"source: a Link, a MediaId, a File or an Inline, not {kind}")

    def _check_type(self, file: Upload) -> None:
        check_optional("source.mime_type", file.mime_type)
        if not file.media_type:
            raise ReplyError("source.mime_type: must be given, as the name of the file tells no type")
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(;[ -~]*)?", file.media_type, re.ASCII):
            raise ReplyError('source.mime_type: a type as "image/png"')
        if self.mime_types and _essence(file.media_type) not in self.mime_types:
            allowed = " or ".join(sorted(self.mime_types))
            raise ReplyError(f"source.mime_type: {self.called} is {allowed}, this is {file.media_type}")

    @property
    def text(self) -> str:
        return f"[{self.tag}]"


def _check_content(content: Any) -> None:
    if not isinstance(content, bytes):
        raise ReplyError(f"source.content: bytes, not {kind_of(content)}")
    if not content:
        raise ReplyError("source.content: must not be empty")
    if len(content) > INLINE_BYTES_MAX:
        raise ReplyError(f"source.content: at most {INLINE_BYTES_MAX} bytes, this has {len(content)}")


def _essence(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()


@attrs.frozen
class _CaptionedBody(MediaBody):
    caption: str | None = attrs.field(default=None, repr=False, converter=as_optional)

    def __attrs_post_init__(self) -> None:
        MediaBody.__attrs_post_init__(self)
        check_optional("caption", self.caption, CAPTION_CHARACTERS_MAX)

    @property
    def text(self) -> str:
        return self.caption or f"[{self.tag}]"


@attrs.frozen
class ImageBody(_CaptionedBody):
    """A picture: JPEG or PNG."""

    tag = "image"
    called = "an image"
    mime_types = frozenset({"image/jpeg", "image/png"})


@attrs.frozen
class VideoBody(_CaptionedBody):
    """A film: MP4 or 3GPP."""

    tag = "video"
    called = "a video"
    mime_types = frozenset({"video/mp4", "video/3gpp"})


@attrs.frozen
class DocumentBody(_CaptionedBody):
    """Any file, under the name `filename`; a File or an Inline has its own unless another is given."""

    tag = "document"
    called = "a document"
    filename: str | None = attrs.field(default=None, repr=False, converter=as_optional)

    def __attrs_post_init__(self) -> None:
        _CaptionedBody.__attrs_post_init__(self)
        check_optional("filename", self.filename)

    @property
    def shown_name(self) -> str | None:
        """The name that it is shown under; None when there is none to know."""
        return self.filename or (self.source.name if isinstance(self.source, Upload) else None)


@attrs.frozen
class AudioBody(MediaBody):
    """Sound.  `voice`: it is shown as if it was recorded in the chat; Ogg with Opus only."""

    tag = "audio"
    called = "an audio"
    mime_types = frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})
    voice: bool = False

    def __attrs_post_init__(self) -> None:
        MediaBody.__attrs_post_init__(self)
        check_flag("voice", self.voice)
        if self.voice and isinstance(self.source, Upload) and _essence(self.source.media_type) != "audio/ogg":
            raise ReplyError(f"voice: a voice message is audio/ogg, this is {self.source.media_type}")


@attrs.frozen
class StickerBody(MediaBody):
    """A sticker: WebP, still or moving."""

    tag = "sticker"
    called = "a sticker"
    mime_types = frozenset({"image/webp"})


# What may stand above a text with buttons, or a template's.
HeaderMedia = ImageBody | VideoBody | DocumentBody


def check_header_media(header: HeaderMedia) -> None:
    """That it has no caption."""
    if header.caption is not None:
        raise ReplyError("header.caption: a header has none")
