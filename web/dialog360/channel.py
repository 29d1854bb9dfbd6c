"""360dialog's door: Meta's envelope in, Meta's requests out, with an API key in place of a token."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar, Final

import attrs

from engine import Outbound
from engine.content import MediaSource
from web.channel import Request, Thanks
from web.dialog360.error_codes import classify
from web.dialog360.media import open_media
from web.dialog360.signature import PROOF_HEADER, SIGNATURE_HEADER, has_secret, is_signed
from web.posting import can_stand_in_header
from web.whatsapp.client import open_sender
from web.whatsapp.numbers import MediaByNumber
from web.whatsapp.payloads import Webhook, parse

# No id of a number stands in the path: the key says which it is.
API_URL: Final = "https://waba-v2.360dialog.io"


@attrs.frozen(kw_only=True)
class Dialog360Channel:
    """A `Channel` of one number at 360dialog.

    `webhook_secret` is what it repeats in a header; `platform_secret`, which only partners have, is what it
    signs with.  Of the two that are not empty each must hold; with neither, nothing is genuine.
    """

    api_key: str = attrs.field(repr=False)
    webhook_secret: str = attrs.field(default="", repr=False)
    platform_secret: str = attrs.field(default="", repr=False)
    api_url: str = API_URL

    thanks: ClassVar[Thanks] = Thanks()

    def challenge(self, arguments: Mapping[str, str]) -> str | None:
        """360dialog asks for none."""
        return None

    def read(self, request: Request) -> Webhook | None:
        """What a body holds, Meta's own."""
        return parse(request.body) if self._is_genuine(request) else None

    def _is_genuine(self, request: Request) -> bool:
        proofs = []
        if self.webhook_secret:
            proofs.append(has_secret(request.header(PROOF_HEADER), self.webhook_secret))
        if self.platform_secret:
            proofs.append(is_signed(request.body, request.header(SIGNATURE_HEADER), self.platform_secret))
        return bool(proofs) and all(proofs)

    @asynccontextmanager
    async def open_media(self) -> AsyncIterator[MediaSource]:
        """360dialog's API, which passes on what Meta has."""
        async with open_media(api_url=self.api_url, api_key=self.api_key) as download:
            yield MediaByNumber({"": download})

    def open(self) -> AbstractAsyncContextManager[Outbound]:
        """360dialog's messaging API."""
        if not can_stand_in_header(self.api_key):
            raise ValueError("the API key is empty or holds characters that no HTTP header can carry")
        return open_sender(
            url=f"{self.api_url.rstrip('/')}/messages",
            api="360dialog's API",
            header=("D360-API-KEY", self.api_key),
            secret=self.api_key,
            classify=classify,
        )
