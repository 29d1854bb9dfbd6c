"""The numbers of one business: whose users are whose, and who is believed about which.

Rule 1: the users of the first number are called as their provider calls them, those of a further one by its
id as well: who writes to two numbers is two users (`engine.at_number`).
Rule 2: a message is believed only when it was signed with the secret of the number that it came to.  One to a
number that is not ours counts as one to the first.
Rule 3: nothing is sent from another number than the one that was written to.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from engine import (
    Identity,
    MediaError,
    Message,
    Outbound,
    OutboxRow,
    SendRefused,
    TypingSignal,
    User,
    at_number,
)
from engine.content import Media
from web.whatsapp.payloads import Unhandled, Webhook


@attrs.frozen(kw_only=True)
class BusinessNumber:
    """One number, by Meta's id of it, and its credentials.  Numbers of one app share some of them."""

    phone_number_id: str
    access_token: str = attrs.field(repr=False)
    app_secret: str = attrs.field(repr=False)
    verify_token: str = attrs.field(repr=False)


def by_number(webhook: Webhook, ids: Sequence[str], signed: Collection[str]) -> Webhook:
    """The same, with each user called as Rule 1 has it, and without what is not believed.

    `ids`: of our numbers, as `Message.number` has them, the first first; `signed`: of those with whose secret
    the body was signed.
    """
    if len(ids) == 1:
        return webhook
    messages, others = [], list(webhook.others)
    for message in webhook.messages:
        number = message.number if message.number in ids else ids[0]
        if number not in signed:
            others.append(Unhandled("message:foreign", "it was signed with another number's secret"))
        else:
            messages.append(message if number == ids[0] else _of_further(number, message))
    return attrs.evolve(webhook, messages=tuple(messages), others=tuple(others))


def _of_further(number: str, message: Message) -> Message:
    identity = message.identity
    return attrs.evolve(
        message,
        user=User(at_number(number, message.user.id)),
        identity=identity and _named(number, identity),
    )


def _named(number: str, identity: Identity) -> Identity:
    """They are written to as ever: the number is no part of an address."""
    return attrs.evolve(
        identity,
        names=tuple(at_number(number, name) for name in identity.names),
        retired=tuple(at_number(number, name) for name in identity.retired),
    )


@attrs.frozen(eq=False)
class OutboundByNumber:
    """The ways out of several numbers as one; the first's is under the empty text."""

    _ways: Mapping[str, Outbound]

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """Send from the number that its user writes to.  Raises a `SendError`."""
        number = outgoing.user.number
        if number not in self._ways:
            raise SendRefused(f"its user writes to the number {number}, which is not configured")
        return await self._ways[number](outgoing)


class Download(Protocol):
    """Where the files are that came to one number."""

    async def __call__(self, media: Media, to: Path, *, bytes_max: int) -> Path:
        """See `engine.content.MediaSource`."""
        ...


@attrs.frozen(eq=False)
class MediaByNumber:
    """The downloads of several numbers as one; the first's is under the empty text."""

    _sources: Mapping[str, Download]

    async def __call__(self, media: Media, to: Path, *, bytes_max: int, number: str = "") -> Path:
        """Download through the number that it came to.  Raises MediaError."""
        if number not in self._sources:
            raise MediaError(f"it came to the number {number}, which is not configured")
        return await self._sources[number](media, to, bytes_max=bytes_max)
