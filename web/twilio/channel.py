"""Twilio's door: forms signed over the public URL in, one message or one status in each."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

import attrs

from engine import Outbound
from engine.content import MediaSource
from web.channel import Request, Thanks
from web.twilio.client import API_URL, TYPING_URL, open_client
from web.twilio.media import open_media
from web.twilio.payloads import parse
from web.twilio.signature import SIGNATURE_HEADER, is_signed
from web.whatsapp.numbers import MediaByNumber, OutboundByNumber, by_number
from web.whatsapp.payloads import Webhook


@attrs.frozen(kw_only=True)
class TwilioChannel:
    """A `Channel` of the numbers of one account: at least one, the first first.

    `numbers` are in digits, with the country's.  `webhook_url` is the webhook's public address, without a
    query, letter for letter as it is set at Twilio: what Twilio signs begins with it.
    """

    account_sid: str
    auth_token: str = attrs.field(repr=False)
    numbers: tuple[str, ...] = attrs.field(repr=False)
    webhook_url: str
    api_url: str = API_URL
    typing_url: str = TYPING_URL

    # To a message Twilio wants to hear what to do: nothing.  A plain text would be sent to the user.
    thanks: ClassVar[Thanks] = Thanks(content_type="text/xml; charset=utf-8", body=b"<Response/>")

    def challenge(self, arguments: Mapping[str, str]) -> str | None:
        """Twilio asks for none."""
        return None

    def read(self, request: Request) -> Webhook | None:
        """What a signed form holds."""
        url = f"{self.webhook_url}?{request.query}" if request.query else self.webhook_url
        if not is_signed(url, request.body, request.header(SIGNATURE_HEADER), self.auth_token):
            return None
        # One account has one token: what is signed with it is believed of each of its numbers.
        return by_number(parse(request.body, request.query), self.numbers, signed=self.numbers)

    @asynccontextmanager
    async def open_media(self) -> AsyncIterator[MediaSource]:
        """Twilio's API, and where it says that files are."""
        async with open_media(
            api_url=self.api_url, account_sid=self.account_sid, auth_token=self.auth_token
        ) as download:
            yield MediaByNumber(dict.fromkeys(self._by_key, download))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Outbound]:
        """Twilio's Messages API."""
        async with AsyncExitStack() as stack:
            ways = {
                key: await stack.enter_async_context(
                    open_client(
                        account_sid=self.account_sid,
                        auth_token=self.auth_token,
                        number=number,
                        webhook_url=self.webhook_url,
                        api_url=self.api_url,
                        typing_url=self.typing_url,
                    )
                )
                for key, number in self._by_key.items()
            }
            yield OutboundByNumber(ways)

    @property
    def _by_key(self) -> dict[str, str]:
        """The numbers as `User.number` has them."""
        first, *further = self.numbers
        return {"": first, **{each: each for each in further}}
