"""Where Twilio has a file that a user sent: its address is in the message, and leads on to a signed one.

Rule 1: the credentials go to the API alone, whatever host the message names, for files of our account.
Rule 2: Twilio tells no SHA-256: what comes cannot be checked, only bounded.
Source: https://www.twilio.com/docs/messaging/api/media-resource
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import attrs
import httpx2

from engine import MediaError
from engine.content import Media
from web.downloading import Downloader, Found, Hosts, open_downloader
from web.twilio.client import basic_credentials

# Where the API sends whoever asks with credentials, and who asks for what was sent before it wanted any:
# https://help.twilio.com/articles/223183748
HOSTS: Final = Hosts(
    whose="Twilio's",
    names=frozenset({"s3-external-1.amazonaws.com"}),
    endings=(".twiliocdn.com",),
)
# Two letters and 32 digits; any that can be no more than one part of a path will do.
_SID: Final = "[A-Za-z0-9]{1,64}"


@asynccontextmanager
async def open_media(*, api_url: str, account_sid: str, auth_token: str) -> AsyncIterator[Downloader]:
    """Downloads for one account.  Raises ValueError, without the token, when it cannot stand in a header."""
    credentials = basic_credentials(account_sid, auth_token)
    async with open_downloader(
        api_url=api_url.rstrip("/"),
        find=_Find(api_url=api_url.rstrip("/"), account_sid=account_sid),
        hosts=HOSTS,
        credentials={"Authorization": f"Basic {credentials}"},
    ) as downloader:
        yield downloader


@attrs.frozen(eq=False, kw_only=True)
class _Find:
    """Reads the address in the message: a `web.downloading.Find`."""

    api_url: str
    account_sid: str

    async def __call__(self, http: httpx2.AsyncClient, media: Media) -> Found:
        """No request.  Raises MediaError."""
        path = _path(media.url or "")
        ours = f"/2010-04-01/Accounts/{re.escape(self.account_sid)}/Messages/{_SID}/Media/({_SID})"
        found = re.fullmatch(ours, path)
        if found is None:
            raise MediaError("the message has no file that Twilio could be asked for")
        return Found(
            url=httpx2.URL(f"{self.api_url}{path}"),
            name=Found.name_of(found[1], media.mime_type),
            gone="Twilio does not have the file: it was deleted there",
        )


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
