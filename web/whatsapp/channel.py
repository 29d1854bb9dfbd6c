"""Meta's own door: its Cloud API, with an app whose secret signs each webhook."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import attrs

from engine import Outbound
from engine.content import MediaSource
from web.channel import Request, Thanks
from web.whatsapp.client import TEXT_CHARACTERS_MAX, open_client
from web.whatsapp.media import open_media
from web.whatsapp.payloads import Webhook, parse
from web.whatsapp.signature import SIGNATURE_HEADER, is_signed, is_token


@attrs.frozen(kw_only=True)
class CloudChannel:
    """A `Channel` of one business number at Meta."""

    phone_number_id: str
    access_token: str = attrs.field(repr=False)
    app_secret: str = attrs.field(repr=False)
    verify_token: str = attrs.field(repr=False)
    graph_url: str

    text_characters_max: ClassVar[int] = TEXT_CHARACTERS_MAX
    thanks: ClassVar[Thanks] = Thanks()

    def challenge(self, arguments: Mapping[str, str]) -> str | None:
        """The challenge back, for a subscription that carries the right token."""
        if arguments.get("hub.mode") != "subscribe":
            return None
        if not is_token(arguments.get("hub.verify_token"), self.verify_token):
            return None
        return arguments.get("hub.challenge")

    def read(self, request: Request) -> Webhook | None:
        """What a signed body holds."""
        if not is_signed(request.body, request.header(SIGNATURE_HEADER), self.app_secret):
            return None
        return parse(request.body)

    def open_media(self) -> AbstractAsyncContextManager[MediaSource]:
        """The Graph API, and where it says that files are."""
        return open_media(
            graph_url=self.graph_url,
            phone_number_id=self.phone_number_id,
            access_token=self.access_token,
        )

    def open(self) -> AbstractAsyncContextManager[Outbound]:
        """The Graph API."""
        return open_client(
            graph_url=self.graph_url,
            phone_number_id=self.phone_number_id,
            access_token=self.access_token,
        )
