"""The page's routes: the page itself, sending as the user, files, and the chat's events live."""

import json
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import attrs
import httpx2
import trio
from quart import Blueprint, Response, request

from web.local.chats import Chat, Chats, State
from web.local.drafts import Draft, parse_draft
from web.local.files import Files
from web.local.guard import check_json, check_origin, read_json, refuse
from web.local.meta import USER_PATTERN, webhook_body
from web.whatsapp.signature import SIGNATURE_HEADER, sign

FOLLOWERS_MAX: Final = 32  # browsers keep six connections to one server; some tabs, some browsers
HEARTBEAT_SECONDS: Final = 15.0  # a page or proxy that hears nothing takes a connection for dead
WEBHOOK_SECONDS_MAX: Final = 10.0  # Meta asks for one; beyond this nobody at a desk waits
# Plain HTTP on loopback: a context that trusts nobody, and spares reading the machine's certificates.
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_POSITION: Final = re.compile(r"(.+)-([0-9]{1,18})")
_SUGGESTIONS: Final = b"<!-- suggestions -->"  # its place in the page
_CONTENT_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "phone.css": "text/css; charset=utf-8",
    **{
        f"{name}.js": "text/javascript; charset=utf-8"
        for name in ("phone", "person", "bubbles", "bodies", "timeline", "stream", "dom")
    },
    "icon.svg": "image/svg+xml",
}


def _frame(kind: str, data: Any, position: str = "") -> bytes:
    """One server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    number = f"id: {position}\n" if position else ""
    return f"event: {kind}\n{number}data: {json.dumps(data)}\n\n".encode()


def _find_place(chats: Chats, chat: Chat, position: str) -> tuple[int, str]:
    """The number to go on after, and what a returning page has missed (see `follow`)."""
    match = _POSITION.fullmatch(position)
    if match is None:
        return 0, ""
    if match[1] != chats.epoch:
        return 0, "restarted"
    return int(match[2]), "forgotten" if int(match[2]) < chat.forgotten_to else ""


async def follow(chats: Chats, user_id: str, position: str) -> AsyncGenerator[bytes, None]:
    """The chat as server-sent events: what came after `position`, then what comes, until closed.

    The first, `hello`, has in `gap` what the page has missed: "restarted" when its position is another
    process's, "forgotten" when events in between are no longer kept, else "".
    """
    chat = chats.of(user_id)
    chat.followers += 1
    try:
        number, gap = _find_place(chats, chat, position)
        number = max(number, chat.forgotten_to)
        # A page that was cut off comes back within a second.
        yield b"retry: 1000\n" + _frame("hello", {"gap": gap})
        # A page so slow that events were forgotten before it took them comes back, and is told so.
        while number >= chat.forgotten_to:
            changed = chat.changed
            if events := chat.events_after(number):
                number = events[-1].number
                yield b"".join(_frame(e.kind, e.data, f"{chats.epoch}-{e.number}") for e in events)
            elif chats.closed:
                return
            else:
                with trio.move_on_after(HEARTBEAT_SECONDS) as waiting:
                    await changed.wait()
                if waiting.cancelled_caught:
                    yield b": still here\n\n"
    finally:
        chat.followers -= 1


@attrs.frozen(eq=False, kw_only=True)
class Page:
    """The routes `/`, `/local/static/…`, `/local/messages`, `/local/files/…` and `/local/events`."""

    chats: Chats
    files: Files
    phone_number_id: str
    app_secret: str = attrs.field(repr=False)
    server_url: Callable[[], str]
    suggestions: Sequence[str] = ()
    _files: dict[str, bytes] = attrs.field(init=False, repr=False)

    @_files.default
    def _read_files(self) -> dict[str, bytes]:
        folder = Path(__file__).with_name("static")
        files = {name: (folder / name).read_bytes() for name in _CONTENT_TYPES}
        buttons = "".join(f'<button type="button">{escape(words)}</button>' for words in self.suggestions)
        files["index.html"] = files["index.html"].replace(_SUGGESTIONS, buttons.encode())
        return files

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.get("/")(self.answer_page)
        blueprint.get("/local/static/<name>")(self.answer_file)
        blueprint.post("/local/messages")(self.answer_draft)
        blueprint.get("/local/files/<id>")(self.answer_stored)
        blueprint.get("/local/events")(self.answer_events)

    async def answer_page(self) -> Response:
        return await self.answer_file("index.html")

    async def answer_file(self, name: str) -> Response:
        if name not in self._files:
            return refuse(404, "there is no such file")
        return Response(self._files[name], content_type=_CONTENT_TYPES[name])

    async def answer_draft(self) -> Response | dict[str, str]:
        """Send as the user; returns how far the message came: `accepted`, or `refused` and why."""
        if refusal := check_origin(request) or check_json(request):
            return refusal
        draft = parse_draft(await read_json(request))
        if isinstance(draft, str):
            return refuse(400, draft)
        if draft.reaction is None:
            self.chats.begin(draft.user_id, draft.key, draft.text, **draft.more)
        reason = await self._deliver(draft)
        state = State.REFUSED if reason else State.ACCEPTED
        if draft.reaction is None:
            self.chats.mark(draft.user_id, draft.key, state, reason)
        elif not reason:
            to, emoji = draft.reaction
            self.chats.react(draft.user_id, to=to, emoji=emoji, mine=True)
        return {"state": state, "reason": reason}

    async def answer_stored(self, id: str) -> Response:
        """A file that the phone was sent, to be saved: whatever it holds is never shown as a page of ours."""
        file = self.files.get(id)
        if file is None:
            return refuse(
                404, "this file is no longer kept; the local phone forgets the oldest, and at a restart all"
            )
        response = Response(file.content, content_type=file.mime_type)
        response.headers["Content-Disposition"] = "attachment"
        return response

    async def answer_events(self) -> Response:
        """The chat of `?user=`, live: all that is kept, or what came after a position.

        The position is in `Last-Event-ID`, which browsers send by themselves, or else in `?after=`.
        """
        if refusal := check_origin(request):
            return refusal
        user_id = request.args.get("user", "")
        if not USER_PATTERN.fullmatch(user_id):
            return refuse(400, "user must be a phone number of 5 to 15 digits")
        if self.chats.closed or self.chats.followers >= FOLLOWERS_MAX:
            return refuse(503, "no more pages can follow just now")
        position = request.headers.get("Last-Event-ID") or request.args.get("after", "")
        stream = follow(self.chats, user_id, position)
        response = Response(stream, content_type="text/event-stream; charset=utf-8")
        response.timeout = None  # Quart would end it after a minute
        return response

    async def _deliver(self, draft: Draft) -> str:
        """Take the message to the real webhook; returns why it was not accepted, or nothing."""
        body = webhook_body(
            phone_number_id=self.phone_number_id,
            user_id=draft.user_id,
            key=draft.key,
            content=draft.content,
            timestamp=int(self.chats.now()),
        )
        # A page that goes away cancels this task; the message would hang in SENDING for ever.
        with trio.move_on_after(WEBHOOK_SECONDS_MAX, shield=True):
            try:
                status = await self._post(body)
            except httpx2.HTTPError:
                return "The webhook could not be reached."
            return "" if status == HTTPStatus.OK else f"The webhook answered {status}."
        return f"The webhook did not answer within {WEBHOOK_SECONDS_MAX:g} seconds."

    async def _post(self, body: bytes) -> int:
        """Post it, signed, as Meta does; returns the status, which is all that Meta looks at."""
        url = f"{self.server_url()}/webhook/whatsapp"
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(body, self.app_secret)}
        # The environment may name a proxy; the loopback is never behind one.
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=None, verify=_NO_TLS) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            return answer.status_code
