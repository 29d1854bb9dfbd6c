"""Meta's own door: its Cloud API, with an app whose secret signs each webhook."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

import attrs

from engine import Outbound
from engine.content import MediaSource
from web.channel import Request, Thanks
from web.whatsapp.client import open_client
from web.whatsapp.media import open_media
from web.whatsapp.numbers import BusinessNumber, MediaByNumber, OutboundByNumber, by_number
from web.whatsapp.payloads import Webhook, parse
from web.whatsapp.signature import SIGNATURE_HEADER, is_signed, is_token


@attrs.frozen(kw_only=True)
class CloudChannel:
    """A `Channel` of the numbers of one business at Meta: at least one, the first first."""

    numbers: tuple[BusinessNumber, ...]
    graph_url: str

    thanks: ClassVar[Thanks] = Thanks()

    def challenge(self, arguments: Mapping[str, str]) -> str | None:
        """The challenge back, for a subscription that carries a right token."""
        if arguments.get("hub.mode") != "subscribe":
            return None
        # Each is compared, so that the time tells of none.
        known = [is_token(arguments.get("hub.verify_token"), each.verify_token) for each in self.numbers]
        return arguments.get("hub.challenge") if any(known) else None

    def read(self, request: Request) -> Webhook | None:
        """What a signed body holds."""
        header = request.header(SIGNATURE_HEADER)
        secrets = dict.fromkeys(each.app_secret for each in self.numbers)
        right = {secret for secret in secrets if is_signed(request.body, header, secret)}
        signed = {each.phone_number_id for each in self.numbers if each.app_secret in right}
        if not signed:
            return None
        return by_number(parse(request.body), [each.phone_number_id for each in self.numbers], signed)

    @asynccontextmanager
    async def open_media(self) -> AsyncIterator[MediaSource]:
        """The Graph API, and where it says that files are."""
        async with AsyncExitStack() as stack:
            sources = {
                key: await stack.enter_async_context(
                    open_media(
                        graph_url=self.graph_url,
                        phone_number_id=number.phone_number_id,
                        access_token=number.access_token,
                    )
                )
                for key, number in self._by_key.items()
            }
            yield MediaByNumber(sources)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Outbound]:
        """The Graph API."""
        async with AsyncExitStack() as stack:
            ways = {
                key: await stack.enter_async_context(
                    open_client(
                        graph_url=self.graph_url,
                        phone_number_id=number.phone_number_id,
                        access_token=number.access_token,
                    )
                )
                for key, number in self._by_key.items()
            }
            yield OutboundByNumber(ways)

    @property
    def _by_key(self) -> dict[str, BusinessNumber]:
        """The numbers as `User.number` has them."""
        first, *further = self.numbers
        return {"": first, **{each.phone_number_id: each for each in further}}
