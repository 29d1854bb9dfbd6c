"""A door to WhatsApp: all that the server asks of it, whoever stands behind it.

Rule 1: a door believes nothing of a request before it knows who sent it.
Rule 2: what comes out of it is the engine's: the engine does not know which door it was.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from engine import Outbound
from engine.content import MediaSource
from web.whatsapp.payloads import Webhook


@attrs.frozen(kw_only=True)
class Request:
    """A POST to the webhook, as it came: nothing is known of who sent it.

    `query` is what stands behind the question mark, as it was written.  `headers` are as the server has them:
    names in lower case, the same name perhaps twice.  What the public address is, a request cannot say.
    """

    body: bytes = attrs.field(repr=False)
    headers: Iterable[tuple[bytes, bytes]] = attrs.field(default=(), repr=False)
    query: str = attrs.field(default="", repr=False)

    def header(self, name: str) -> bytes | None:
        """The first value of the header with this name; None when there is none."""
        wanted = name.lower().encode()
        return next((value for each, value in self.headers if each == wanted), None)


@attrs.frozen(kw_only=True)
class Thanks:
    """What is answered, with a 200, when a request has been taken."""

    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""


class Channel(Protocol):
    """One way to WhatsApp."""

    @property
    def thanks(self) -> Thanks:
        """What the other side wants to hear of a request that was taken."""
        ...

    def challenge(self, arguments: Mapping[str, str]) -> str | None:
        """What to answer to a GET that asks whether the webhook is ours; None: nobody we know has asked.

        `arguments` are those of its query.
        """
        ...

    def read(self, request: Request) -> Webhook | None:
        """What a request holds; None when it is not genuine.  Whatever stands in it, nothing is raised."""
        ...

    def open(self) -> AbstractAsyncContextManager[Outbound]:
        """The way out, for as long as the context lasts.

        Raises ValueError, without the secret, when a secret could not stand in a header.
        """
        ...

    def open_media(self) -> AbstractAsyncContextManager[MediaSource]:
        """Where the files that users send are downloaded from, for as long as the context lasts."""
        ...
