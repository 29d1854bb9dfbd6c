"""Sends one message or one typing signal in Meta's own form, and says what is to be done when that fails.

Rule 1: how it is posted, and what is certain when no answer comes, is `web.posting`'s.
Rule 2: whoever passes the form on unchanged (360dialog) has another address and another header, and no more.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec

from engine import OutboxRow, SendAmbiguous, TypingSignal
from engine.replies import TextBody
from web.posting import ANSWER_BYTES_MAX, Poster, Timeouts, can_stand_in_header, open_poster
from web.whatsapp.error_codes import Classify, classify, refusal
from web.whatsapp.outgoing import file_of, message_request, with_media_id
from web.whatsapp.payloads import GROUP_PREFIX
from web.whatsapp.upload import upload_media

__all__ = ["ANSWER_BYTES_MAX", "GraphClient", "Timeouts", "open_client", "open_sender"]


@asynccontextmanager
async def open_client(
    *, graph_url: str, phone_number_id: str, access_token: str, timeouts: Timeouts | None = None
) -> AsyncIterator["GraphClient"]:
    """A client for one business number.  `graph_url` is the root with its version: `https://host/v26.0`.

    Raises ValueError, without the token, when the token could not stand in a header.
    """
    if not can_stand_in_header(access_token):
        raise ValueError("the access token is empty or holds characters that no HTTP header can carry")
    async with open_sender(
        url=f"{graph_url.rstrip('/')}/{phone_number_id}/messages",
        api="the Graph API",
        header=("Authorization", f"Bearer {access_token}"),
        secret=access_token,
        timeouts=timeouts,
    ) as client:
        yield client


@asynccontextmanager
async def open_sender(
    *,
    url: str,
    api: str,
    header: tuple[str, str],
    secret: str,
    classify: Classify = classify,
    timeouts: Timeouts | None = None,
) -> AsyncIterator["GraphClient"]:
    """A client that posts to `url`, known there by `header`; `secret` is what of that nobody may see."""
    async with open_poster(
        api=api,
        urls=[url],
        headers=dict([header, ("Content-Type", "application/json")]),
        secrets=[secret],
        timeouts=timeouts,
    ) as poster:
        yield GraphClient(poster=poster, url=url, classify=classify)


@attrs.frozen(eq=False, kw_only=True)
class GraphClient:
    """The way out in Meta's form: an `engine.Outbound`."""

    _poster: Poster = attrs.field(repr=False)
    _url: str
    _classify: Classify = attrs.field(repr=False)

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """Send it; returns the message's id at Meta (wamid…), empty for a typing signal.

        Raises a `SendError`: see `error_codes` for what Meta refuses.  SendRefused for a text that is longer
        than one message may be; SendAmbiguous for a text that was answered with success but no id: whoever
        answered may not have been Meta.
        """
        if isinstance(outgoing, TypingSignal):
            request = _typing_request(outgoing)
        else:
            request = await self._message_request(outgoing)
        answer = await self._poster.post(self._url, json.dumps(request).encode())
        if not answer.is_success:
            raise refusal(self._classify, answer.status, answer.headers, answer.body)
        if isinstance(outgoing, TypingSignal):
            return ""
        if provider_id := _provider_id(answer.body):
            return provider_id
        raise SendAmbiguous(f"HTTP {answer.status} without the id of a message")

    async def _message_request(self, row: OutboxRow) -> dict[str, Any]:
        body = row.body or TextBody(row.text)
        if (file := file_of(body)) is not None:
            media_id = await upload_media(
                self._poster, f"{self._url.removesuffix('/messages')}/media", file, classify=self._classify
            )
            body = with_media_id(body, media_id)
        to = row.to
        return message_request(
            body,
            user_id=to.removeprefix(GROUP_PREFIX),
            tracker=row.id,
            reply_to=row.reply_to,
            is_group=to.startswith(GROUP_PREFIX),
        )


# What is sent -------------------------------------------------------------------------------------


def _typing_request(signal: TypingSignal) -> dict[str, Any]:
    # Marks the message, and all before it, as read; the dots fade after 25 s or with our next message.
    return {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": signal.message_id,
        "typing_indicator": {"type": "text"},
    }


class _Sent(msgspec.Struct):
    id: str


class _Success(msgspec.Struct):
    messages: list[_Sent]


def _provider_id(body: bytes | None) -> str:
    """The id of the message that was taken; empty when the answer has none."""
    try:
        sent = msgspec.json.decode(body or b"", type=_Success).messages
    except (ValueError, RecursionError):
        return ""
    return sent[0].id if sent else ""
