"""Where Meta has a file that a user sent: the Graph API is asked each time, as an address lives 5 minutes.

Rule: the token goes to Meta's hosts over https and to the Graph API's own address; the rest is
`web.downloading`'s.
Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import attrs
import httpx2

from engine import MediaError
from engine.content import Media
from web.downloading import SECONDS_MAX, Downloader, Found, Hosts, is_id, open_downloader, pour
from web.posting import ANSWER_BYTES_MAX, Timeouts, can_stand_in_header
from web.whatsapp.error_codes import Classify, classify, refusal
from web.whatsapp.values import number_of, object_of, read_json, text_of

# The Graph API, where it says that files are, and Meta's other hosts for files.  The documentation shows
# `lookaside` alone and promises nothing.
HOSTS: Final = Hosts(
    whose="Meta's",
    names=frozenset({"graph.facebook.com", "lookaside.fbsbx.com"}),
    endings=(".fbsbx.com", ".fbcdn.net", ".whatsapp.net"),
)
_SHA256_BYTES: Final = 32


@asynccontextmanager
async def open_media(
    *,
    graph_url: str,
    phone_number_id: str,
    access_token: str,
    timeouts: Timeouts | None = None,
    seconds_max: float = SECONDS_MAX,
) -> AsyncIterator[Downloader]:
    """Downloads for one business number.  `graph_url` is the root with its version: `https://host/v26.0`.

    The rest is as `open_downloader` takes it.
    Raises ValueError, without the token, when the token could not stand in a header.
    """
    if not can_stand_in_header(access_token):
        raise ValueError("the access token is empty or holds characters that no HTTP header can carry")
    url = graph_url.rstrip("/")
    credentials = {"Authorization": f"Bearer {access_token}"}
    find = Lookup(
        url=url,
        parameters={"phone_number_id": phone_number_id},
        api="the Graph API",
        credentials=credentials,
        secret=access_token,
    )
    async with open_downloader(
        api_url=url,
        find=find,
        hosts=HOSTS,
        credentials=credentials,
        timeouts=timeouts,
        seconds_max=seconds_max,
    ) as downloader:
        yield downloader


@attrs.frozen(eq=False, kw_only=True)
class Lookup:
    """Asks an API in Meta's form where a file is: a `web.downloading.Find`.

    `api` is its name in an error; `secret` is what of the credentials nobody may see; `place` is where the
    file is to be had, for the address that the API tells.
    """

    url: str
    parameters: Mapping[str, str]
    api: str
    credentials: Mapping[str, str] = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    classify: Classify = classify
    place: Callable[[httpx2.URL], httpx2.URL] = lambda url: url

    async def __call__(self, http: httpx2.AsyncClient, media: Media) -> Found:
        """One request.  Raises MediaError."""
        if not is_id(media.id):
            raise MediaError(f"the message has no file that {self.api} could be asked for")
        body = bytearray()
        try:
            async with http.stream(
                "GET", f"{self.url}/{media.id}", params=self.parameters, headers=self.credentials
            ) as response:
                is_whole = await pour(response, body.extend, ANSWER_BYTES_MAX)
        except httpx2.RequestError as error:
            raise MediaError(f"{self.api} could not be reached: {type(error).__name__}") from error
        if not 200 <= response.status_code < 300:
            quoted = bytes(body).replace(self.secret.encode(), b"...")
            raise self._refusal(response, quoted if is_whole else None)
        return self._found(media, bytes(body) if is_whole else b"")

    def _found(self, media: Media, body: bytes) -> Found:
        try:
            answer = object_of(read_json(body))
            url = httpx2.URL(text_of(answer.get("url")) or "")
        except (ValueError, RecursionError, httpx2.InvalidURL) as error:
            raise MediaError(f"{self.api} did not say where the file is") from error
        digests = [_digest(given) for given in (text_of(answer.get("sha256")), media.sha256) if given]
        readable = tuple(digest for digest in digests if digest is not None)
        if not readable:
            raise MediaError("nobody says which SHA-256 the file has: it cannot be checked")
        size = number_of(answer.get("file_size"))
        return Found(
            url=self.place(url),
            name=Found.name_of(media.id, text_of(answer.get("mime_type")) or media.mime_type),
            gone="the file's address has expired, and so has a fresh one",
            size=None if size is None else int(size),
            digests=readable,
        )

    def _refusal(self, response: httpx2.Response, body: bytes | None) -> MediaError:
        refused = refusal(self.classify, response.status_code, response.headers, body)
        if refused.code == _NO_SUCH_OBJECT:
            return MediaError(_GONE, refused.code)
        return MediaError(f"{self.api} refuses: {refused.reason}", refused.code)


# To a GET of an id that is gone, or of another number's: "Object with ID '…' does not exist …".
_NO_SUCH_OBJECT: Final = 100
_GONE: Final = (
    "WhatsApp does not have the file: it keeps what a user sends for 7 days,"
    " and gives it to the number it was sent to alone"
)


def _digest(text: str) -> bytes | None:
    """A SHA-256 in hex, as the Graph API writes it, or in base64, as webhooks do."""
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            digest = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(digest) == _SHA256_BYTES:
            return digest
    return None
