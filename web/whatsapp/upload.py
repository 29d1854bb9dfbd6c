"""Uploads one file, of this machine or of a message, in Meta's form, and returns the id that it has there.

Rule 1: what is too large for its type is refused before anything is sent.
Rule 2: nothing is tried again here.  To upload twice does no harm, so no error is ambiguous.
Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import io
import re
import secrets
from pathlib import PurePath
from typing import Any, Final, Self

import attrs
import httpx2
import msgspec
import trio

from engine import SendAmbiguous, SendDelayed, SendRefused
from engine.replies import Inline, Upload
from web.posting import Poster
from web.whatsapp.error_codes import Classify, classify, refusal

# What `trio.open_file` and `trio.wrap_file` return; Trio has no public name for it.
_Content = Any

# Bytes.  Meta writes "5 MB" and "100 KB": the larger reading, as nothing that it takes may be refused here.
IMAGE_BYTES_MAX: Final = 5 * 1_024 * 1_024
AUDIO_BYTES_MAX: Final = 16 * 1_024 * 1_024
VIDEO_BYTES_MAX: Final = 16 * 1_024 * 1_024
DOCUMENT_BYTES_MAX: Final = 100 * 1_024 * 1_024
STILL_STICKER_BYTES_MAX: Final = 100 * 1_024
MOVING_STICKER_BYTES_MAX: Final = 500 * 1_024
# The largest document over three megabits a second.
UPLOAD_SECONDS_MAX: Final = 300.0
_CHUNK_BYTES: Final = 65_536

# The beginning of a WebP file, up to the byte whose bit says that it moves:
# https://developers.google.com/speed/webp/docs/riff_container#extended_file_format
_WEBP_HEAD_BYTES: Final = 21
_WEBP_MOVES: Final = 0x02


async def upload_media(
    poster: Poster,
    url: str,
    file: Upload,
    *,
    classify: Classify = classify,
    seconds_max: float = UPLOAD_SECONDS_MAX,
) -> str:
    """Upload the file; returns its id, which is good for 30 days.

    `url` is `{root}/{phone number id}/media`; `classify` judges what is not a success.  Takes at most
    `seconds_max`.
    Raises a `SendError`: SendRefused for a file that cannot be read, is empty or too large; what
    `classify` says of a refusal; SendDelayed when there was no answer, or none with an id.
    """
    try:
        async with await _open(file) as content:
            size = await _checked_size(content, file.media_type)
            form = _Form.of(content, size=size, name=_file_name(file.name), mime_type=file.media_type)
            answer = await poster.post(url, form, headers=form.headers, seconds_max=seconds_max)
    except OSError as error:
        # Its text has the path, which is nobody's business but this machine's.
        raise SendRefused(
            f"the file to send cannot be read: {error.strerror or type(error).__name__}"
        ) from None
    except _FileShrunk as error:
        raise SendDelayed("the file was not uploaded: it became shorter meanwhile") from error
    except SendAmbiguous as error:
        raise SendDelayed(f"the file was not uploaded: {error.reason}") from error
    if not answer.is_success:
        raise refusal(classify, answer.status, answer.headers, answer.body)
    if media_id := _media_id(answer.body):
        return media_id
    raise SendDelayed(f"HTTP {answer.status} without the id of an upload")


async def _open(file: Upload) -> _Content:
    return (
        trio.wrap_file(io.BytesIO(file.content))
        if isinstance(file, Inline)
        else await trio.open_file(file.path, "rb")
    )


# How large it may be ------------------------------------------------------------------------------


async def _checked_size(file: _Content, mime_type: str) -> int:
    head = await file.read(_WEBP_HEAD_BYTES)
    size = int(await file.seek(0, 2))
    await file.seek(0)
    bound = bytes_max(mime_type, head)
    if size == 0:
        raise SendRefused("the file to send is empty")
    if size > bound:
        raise SendRefused(f"the file to send may have {bound} bytes as {mime_type}, it has {size}")
    return size


def bytes_max(mime_type: str, head: bytes) -> int:
    """How many bytes a file of this type may have; `head` are its first bytes."""
    main, _, _ = mime_type.lower().partition("/")
    if mime_type.lower().startswith("image/webp"):
        return MOVING_STICKER_BYTES_MAX if _moves(head) else STILL_STICKER_BYTES_MAX
    return {"image": IMAGE_BYTES_MAX, "audio": AUDIO_BYTES_MAX, "video": VIDEO_BYTES_MAX}.get(
        main, DOCUMENT_BYTES_MAX
    )


def _moves(head: bytes) -> bool:
    """Whether a WebP file is in the extended format and says that it has an animation."""
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) >= _WEBP_HEAD_BYTES
    return is_extended and bool(head[_WEBP_HEAD_BYTES - 1] & _WEBP_MOVES)


# What is written ----------------------------------------------------------------------------------


def _file_name(name: str) -> str:
    """A name for the upload that tells no more than its type; the user sees the one in the message."""
    suffix = PurePath(name).suffix
    return f"file{suffix}" if re.fullmatch(r"\.[A-Za-z0-9]+", suffix) else "file"


class _FileShrunk(Exception):
    """It has less than was announced: what is on the wire cannot be ended as it should."""


@attrs.define(eq=False)
class _Form(httpx2.AsyncByteStream):
    """A form with a file in it, read bit by bit.  No generator: a cancelled one would be left unclosed."""

    _file: _Content
    _before: bytes
    _after: bytes
    # How much of the file is to come.
    _rest: int
    headers: dict[str, str]
    _step: int = 0

    @classmethod
    def of(cls, file: _Content, *, size: int, name: str, mime_type: str) -> Self:
        """The form as Meta's page has it."""
        boundary = secrets.token_hex(16)
        before = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="type"\r\n\r\n{mime_type}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {mime_type}\r\n\r\n"
        ).encode()
        after = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(before) + size + len(after)),
        }
        return cls(file=file, before=before, after=after, rest=size, headers=headers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._step == 0:
            self._step = 1
            return self._before
        if self._rest:
            # Never more than was announced: a file may grow while it is read.
            chunk = bytes(await self._file.read(min(_CHUNK_BYTES, self._rest)))
            if not chunk:
                raise _FileShrunk
            self._rest -= len(chunk)
            return chunk
        if self._step == 1:
            self._step = 2
            return self._after
        raise StopAsyncIteration


class _Uploaded(msgspec.Struct):
    id: str


def _media_id(body: bytes | None) -> str:
    """The id of what was uploaded; empty when the answer has none."""
    try:
        return msgspec.json.decode(body or b"", type=_Uploaded).id
    except (ValueError, RecursionError):
        return ""
