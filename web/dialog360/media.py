"""Where 360dialog has a file that a user sent: its API is asked each time, and passes on what Meta has.

Rule: the address that it tells is Meta's, and is asked for at the API in place of Meta's host; the key goes
nowhere else.
Source: https://docs.360dialog.com/docs/waba-messaging/media/upload-retrieve-or-delete-media
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from web.dialog360.error_codes import classify
from web.downloading import Downloader, open_downloader
from web.posting import can_stand_in_header
from web.whatsapp.media import HOSTS, Lookup


@asynccontextmanager
async def open_media(*, api_url: str, api_key: str) -> AsyncIterator[Downloader]:
    """Downloads for one number.  Raises ValueError, without the key, when it could not stand in a header."""
    if not can_stand_in_header(api_key):
        raise ValueError("the API key is empty or holds characters that no HTTP header can carry")
    api = httpx2.URL(api_url.rstrip("/"))
    credentials = {"D360-API-KEY": api_key}

    def place(url: httpx2.URL) -> httpx2.URL:
        # Another host than Meta's stays as it is, to be refused by its name.
        return url.copy_with(scheme=api.scheme, host=api.host, port=api.port) if HOSTS.has(url) else url

    find = Lookup(
        url=str(api),
        parameters={},
        api="360dialog's API",
        credentials=credentials,
        secret=api_key,
        classify=classify,
        place=place,
    )
    async with open_downloader(
        api_url=str(api), find=find, hosts=HOSTS, credentials=credentials
    ) as downloader:
        yield downloader
