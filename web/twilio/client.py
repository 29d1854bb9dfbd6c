"""Sends one message or one typing signal through Twilio's API, and says what is to be done when that fails.

Rule 1: how it is posted, and what is certain when no answer comes, is `web.posting`'s.
Rule 2: each message names the URL for its statuses, which holds our row's id: that settles an ambiguous send.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlencode

import attrs
import msgspec

from engine import OutboxRow, SendAmbiguous, TypingSignal
from web.posting import Poster, Timeouts, can_stand_in_header, open_poster
from web.twilio.error_codes import classify
from web.twilio.outgoing import parameters_of
from web.twilio.payloads import ADDRESS_PREFIX, ROW_PARAMETER

API_URL: Final = "https://api.twilio.com"
# A public beta: https://www.twilio.com/docs/whatsapp/api/typing-indicators-resource
TYPING_URL: Final = "https://messaging.twilio.com/v2/Indicators/Typing.json"


def basic_credentials(account_sid: str, auth_token: str) -> str:
    """What stands behind "Basic".  Raises ValueError, without the token, when it cannot stand in a header."""
    if not (can_stand_in_header(account_sid) and can_stand_in_header(auth_token)):
        raise ValueError(
            "the account SID or the auth token is empty or holds a blank or a letter beyond ASCII"
        )
    return base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()


@asynccontextmanager
async def open_client(
    *,
    account_sid: str,
    auth_token: str,
    number: str,
    webhook_url: str,
    api_url: str = API_URL,
    typing_url: str = TYPING_URL,
    timeouts: Timeouts | None = None,
) -> AsyncIterator["TwilioClient"]:
    """A client for one number of one account.

    `number` is in digits, with the country's; `webhook_url` is the public address, without a query, that
    Twilio posts statuses to.  Raises ValueError, without the token, when it could not stand in a header.
    """
    credentials = basic_credentials(account_sid, auth_token)
    async with open_poster(
        api="Twilio's API",
        urls=[api_url, typing_url],
        headers={
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        secrets=[auth_token, credentials],
        timeouts=timeouts,
    ) as poster:
        yield TwilioClient(
            poster=poster,
            messages_url=f"{api_url.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Messages.json",
            typing_url=typing_url,
            sender=f"{ADDRESS_PREFIX}+{number}",
            status_url=f"{webhook_url}?{ROW_PARAMETER}=",
        )


@attrs.frozen(eq=False, kw_only=True)
class TwilioClient:
    """The way out through Twilio: an `engine.Outbound`."""

    _poster: Poster = attrs.field(repr=False)
    _messages_url: str
    _typing_url: str
    _sender: str = attrs.field(repr=False)
    _status_url: str

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """Send it; returns the message's id at Twilio (SM…), empty for a typing signal.

        Raises a `SendError`: see `error_codes` for what Twilio refuses.  SendRefused for a text that is
        longer than one message may be; SendAmbiguous for a text that was answered with success but no id.
        """
        if isinstance(outgoing, TypingSignal):
            await self._post(
                self._typing_url,
                # Marks the message, and all before it, as read; the dots fade after 25 s or with our message.
                {"messageId": outgoing.message_id, "channel": "whatsapp"},
            )
            return ""
        status, body = await self._post(self._messages_url, self._message(outgoing))
        if sid := _sid(body):
            return sid
        raise SendAmbiguous(f"HTTP {status} without the id of a message")

    def _message(self, row: OutboxRow) -> dict[str, str]:
        return {
            "From": self._sender,
            "To": f"{ADDRESS_PREFIX}{_address(row.to)}",
            **parameters_of(row),
            # Our ids are letters, digits and hyphens: what needs no escape is signed in one form only.
            "StatusCallback": f"{self._status_url}{quote(row.id, safe='')}",
        }

    async def _post(self, url: str, parameters: dict[str, str]) -> tuple[int, bytes | None]:
        answer = await self._poster.post(url, urlencode(parameters).encode())
        if not answer.is_success:
            raise classify(answer.status, answer.body, retry_after=answer.headers.get("Retry-After"))
        return answer.status, answer.body


def _address(user_id: str) -> str:
    """A phone number has a plus before it; a business-scoped id stands as it is."""
    return f"+{user_id}" if user_id.isascii() and user_id.isdigit() else user_id


class _Taken(msgspec.Struct):
    sid: str


def _sid(body: bytes | None) -> str:
    """The id of the message that was taken; empty when the answer has none."""
    try:
        return msgspec.json.decode(body or b"", type=_Taken).sid
    except (ValueError, RecursionError):
        return ""
