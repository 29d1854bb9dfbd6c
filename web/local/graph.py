"""A Graph API of its own on loopback: takes what Midstream sends and puts it on the local phone."""

import hmac
from collections.abc import Callable
from typing import Any, Final

import attrs
from quart import Blueprint, Response, request

from web.local.bodies import Shown, shown_of
from web.local.chats import Chats
from web.local.files import Files, StoredFile
from web.local.guard import check_json, read_json
from web.local.meta import TEXT_CHARACTERS_MAX, USER_PATTERN, message_id, parse_message_id

_TRACKER_CHARACTERS_MAX: Final = 512  # WhatsApp: longest biz_opaque_callback_data


@attrs.frozen(auto_exc=True)
class GraphError(Exception):
    """A refusal in Meta's shape; people are to build on `code` and `details`."""

    code: int
    message: str
    details: str = ""
    status: int = 400
    subcode: int | None = None

    def to_json(self, trace_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": "OAuthException", "code": self.code}
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": {**error, "fbtrace_id": trace_id}}


def _missing(name: str) -> GraphError:
    return GraphError(100, f"(#100) The parameter {name} is required.")


def _wrong(details: str) -> GraphError:
    return GraphError(131009, "(#131009) Parameter value is not valid", details)


@attrs.frozen(kw_only=True)
class Send:
    """A message to a user.  `to` is what the caller wrote, `user_id` its digits.

    `shown` is what `bodies` makes of it, with the key of the message that it answers in `quote`; `tracker` is
    the caller's own id of it.
    """

    to: str
    user_id: str
    shown: Shown = attrs.field(repr=False)
    tracker: str = ""


@attrs.frozen(kw_only=True)
class ReadMark:
    """A message of the user's has been read, and perhaps an answer is being typed."""

    user_id: str
    key: str
    typing: bool


def parse_request(fields: object) -> Send | ReadMark:
    """What the JSON of `POST /<version>/<phone number id>/messages` asks for; raises GraphError."""
    if not isinstance(fields, dict):
        raise GraphError(100, "(#100) The body is not a JSON object.")
    if "messaging_product" not in fields:
        raise _missing("messaging_product")
    if fields["messaging_product"] != "whatsapp":
        raise GraphError(100, "(#100) Param messaging_product must be one of {WHATSAPP}.")
    return _parse_read_mark(fields) if "status" in fields else _parse_send(fields)


def _parse_read_mark(fields: dict[str, Any]) -> ReadMark:
    if fields["status"] != "read":
        raise _wrong("status must be 'read'")
    if "message_id" not in fields:
        raise _missing("message_id")
    wamid = fields["message_id"]
    known = parse_message_id(wamid) if isinstance(wamid, str) else None
    if known is None:
        raise _wrong("message_id is not the id of a message from a user")
    typing = fields.get("typing_indicator")
    if typing not in (None, {"type": "text"}):
        raise _wrong("typing_indicator must be {'type': 'text'}")
    return ReadMark(user_id=known[0], key=known[1], typing=typing is not None)


def _parse_send(fields: dict[str, Any]) -> Send:
    if "to" not in fields:
        raise _missing("to")
    to = fields["to"]
    user_id = to.removeprefix("+") if isinstance(to, str) else ""
    if not USER_PATTERN.fullmatch(user_id):
        raise _wrong("to must be a phone number in digits")
    if fields.get("recipient_type", "individual") != "individual":
        raise _wrong("the local phone knows individuals only")
    tracker = fields.get("biz_opaque_callback_data", "")
    if not isinstance(tracker, str) or len(tracker) > _TRACKER_CHARACTERS_MAX:
        raise _wrong(
            f"biz_opaque_callback_data must be a text of at most {_TRACKER_CHARACTERS_MAX} characters"
        )
    shown = {**_parse_shown(fields), **_parse_quote(fields)}
    return Send(to=to, user_id=user_id, shown=shown, tracker=tracker)


def _parse_quote(fields: dict[str, Any]) -> Shown:
    context = fields.get("context")
    wamid = context.get("message_id") if isinstance(context, dict) else None
    known = parse_message_id(wamid) if isinstance(wamid, str) else None
    return {"quote": known[1]} if known else {}


def _parse_shown(fields: dict[str, Any]) -> Shown:
    kind = fields.get("type", "text")
    if kind != "text":
        shown = shown_of(kind, fields.get(kind)) if isinstance(kind, str) else None
        if shown is None:
            raise _wrong("type is not one that the local phone shows, or its part is not as it must be")
        return shown
    text = fields.get("text")
    body = text.get("body") if isinstance(text, dict) else None
    if not isinstance(body, str) or not body.strip():
        raise _missing("text['body']")
    if len(body) > TEXT_CHARACTERS_MAX:
        limit = f"at most {TEXT_CHARACTERS_MAX} characters long"
        raise GraphError(100, f"(#100) Param text['body'] must be {limit}.")
    return {"text": body}


@attrs.frozen(eq=False, kw_only=True)
class Graph:
    """The routes `messages` and `media` of `/graph/<version>/<phone number id>`, for one number and token."""

    chats: Chats
    files: Files
    # Why a message is sent ("reply", "acknowledgement"), by the tracker it carries.
    kind_of: Callable[[str], str]
    phone_number_id: str
    access_token: str = attrs.field(repr=False)
    new_id: Callable[[], str]

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.post("/graph/<version>/<phone_number_id>/messages")(self.answer_messages)
        blueprint.post("/graph/<version>/<phone_number_id>/media")(self.answer_media)

    async def answer_messages(
        self, version: str, phone_number_id: str
    ) -> Response | tuple[dict[str, Any], int]:
        # Any version is this one: what the phone understands has not changed between them.
        try:
            self._check_caller(phone_number_id)
            if refusal := check_json(request):
                return refusal
            return self._carry_out(parse_request(await read_json(request))), 200
        except GraphError as error:
            return error.to_json(self.new_id()), error.status

    async def answer_media(self, version: str, phone_number_id: str) -> Response | tuple[dict[str, Any], int]:
        """Keep a file: its message comes next and names it by the id that is given here."""
        try:
            self._check_caller(phone_number_id)
            file = (await request.files).get("file")
            if file is None:
                raise _missing("file")
            id = self.new_id()
            self.files.add(id, StoredFile(content=file.read(), mime_type=file.mimetype))
            return {"id": id}, 200
        except GraphError as error:
            return error.to_json(self.new_id()), error.status

    def _check_caller(self, phone_number_id: str) -> None:
        # The bytes as they came: compare_digest raises on a str that is not ASCII.
        given = request.headers.get("Authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"Bearer {self.access_token}".encode()):
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token", status=401)
        if phone_number_id != self.phone_number_id:
            message = f"Unsupported post request. Object with ID '{phone_number_id}' does not exist"
            raise GraphError(100, message, subcode=33)

    def _carry_out(self, wish: Send | ReadMark) -> dict[str, Any]:
        if isinstance(wish, ReadMark):
            self.chats.mark_read(wish.user_id, wish.key)
            if wish.typing:
                self.chats.show_typing(wish.user_id)
            return {"success": True}
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": wish.to, "wa_id": wish.user_id}],
            "messages": [{"id": self._show(wish)}],
        }

    def _show(self, wish: Send) -> str:
        """Put it on the phone; returns its wamid."""
        key = self.new_id()
        if reaction := wish.shown.get("reaction"):
            self.chats.react(wish.user_id, **reaction, mine=False)
            return message_id(wish.user_id, key)
        shown = dict(wish.shown)
        if "file" in shown:
            shown["file"] = self._with_size(shown["file"])
        return self.chats.receive(wish.user_id, key, why=self.kind_of(wish.tracker), **shown)

    def _with_size(self, file: dict[str, Any]) -> dict[str, Any]:
        stored = self.files.get(str(file.get("id", "")))
        return file if stored is None else {**file, "size": len(stored.content), "type": stored.mime_type}
