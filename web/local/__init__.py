"""Local mode's phone: a page at `/` to chat from, and the Graph API that brings the replies back to it.

Everything between the two is the real thing: the page's messages are signed and posted to the webhook
route over HTTP, and the replies come through the same client as Meta's would.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from quart import Blueprint, Response, request

from engine import Event, OutgoingKind, OutgoingQueued
from web.local.chats import Chats
from web.local.files import Files
from web.local.graph import Graph
from web.local.guard import check_host, protect
from web.local.phone import Page
from web.local.timeline import Drawing, advance

__all__ = ["LocalPhone"]

KINDS_MAX: Final = 1_000  # rows that wait to be sent: far more than one person at a desk makes


def _new_id() -> str:
    return secrets.token_hex(16)


@attrs.define(eq=False, kw_only=True)
class LocalPhone:
    """The phone of one number.  Register `.blueprint`; call `.close()` when the server is told to stop.

    `server_url` gives the address the server is bound to, as `http://127.0.0.1:8080`; it is asked at each
    message, so it may be known only once the server listens.  The Graph API is at `<server_url>/graph/v26.0`.
    `now` gives seconds since 1970.  `suggestions` are messages that one may send by a click.
    """

    phone_number_id: str
    access_token: str = attrs.field(repr=False)
    app_secret: str = attrs.field(repr=False)
    server_url: Callable[[], str]
    suggestions: Sequence[str] = ()
    now: Callable[[], float] = time.time
    new_id: Callable[[], str] = _new_id
    blueprint: Blueprint = attrs.field(init=False)
    _chats: Chats = attrs.field(init=False, repr=False)
    # By user: the operation that runs.
    _drawings: dict[str, Drawing] = attrs.field(factory=dict, init=False, repr=False)
    # By row of the outbox: why it is sent.
    _kinds: OrderedDict[str, str] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._chats = Chats(epoch=self.new_id(), now=self.now)
        files = Files()
        self.blueprint = Blueprint("local", __name__)
        self.blueprint.before_request(_check_request)
        self.blueprint.after_request(_protect_response)
        Page(
            chats=self._chats,
            files=files,
            phone_number_id=self.phone_number_id,
            app_secret=self.app_secret,
            server_url=self.server_url,
            suggestions=self.suggestions,
        ).add_routes(self.blueprint)
        Graph(
            chats=self._chats,
            files=files,
            phone_number_id=self.phone_number_id,
            access_token=self.access_token,
            kind_of=self._kind_of,
            new_id=self.new_id,
        ).add_routes(self.blueprint)

    def hear(self, event: Event) -> None:
        """Subscribe this to the engine's events: the page draws operations, and names acknowledgements."""
        if isinstance(event, OutgoingQueued):
            self._kinds[event.row_id] = event.kind.value
            if len(self._kinds) > KINDS_MAX:
                self._kinds.popitem(last=False)
        user_id = getattr(event, "user_id", "")
        before = self._drawings.get(user_id)
        drawing = advance(before, event, self.now())
        if drawing is None or drawing == before:
            return
        self._drawings[user_id] = drawing
        if drawing.ended is not None:
            del self._drawings[user_id]
        self._chats.draw(user_id, drawing.to_json())

    def _kind_of(self, row_id: str) -> str:
        return self._kinds.get(row_id, OutgoingKind.REPLY.value)

    def close(self) -> None:
        """End the pages' event streams, which otherwise hold the server until its grace is over."""
        self._chats.close()


async def _check_request() -> Response | None:
    return check_host(request)


async def _protect_response(response: Response) -> Response:
    return protect(response)
