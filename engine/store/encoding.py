"""How calls and fates are written down as JSON text.

Rule 1: a `Ref` is {"$ref": [call id, path, default...]}; a dict that already has a key like that is wrapped
in {"$literal": ...}, so nothing a user says can pose as a reference.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine.content import CONTENT_TYPES, Content, Echo, Edit, Kind, Profile, Quoted, Referral
from engine.model import RECORDED_FATES, Answered, Fate, Message, OutboxRow
from engine.plan import Ref
from engine.replies import decode_body, decode_reply, encode_body, encode_reply

_REF: Final = "$ref"
_LITERAL: Final = "$literal"


def to_text(value: Any) -> str:
    """JSON text of a value in JSON form, or of plain attrs values."""
    return msgspec.json.encode(value).decode()


def from_text(text: str | bytes) -> Any:
    """The JSON form that `to_text` wrote."""
    return msgspec.json.decode(text)


def encode_args(value: Any) -> Any:
    """Arguments in JSON form, their references marked."""
    if isinstance(value, Ref):
        default = [value.default] if value.has_default else []
        return {_REF: [value.call_id, list(value.path), *default]}
    if isinstance(value, Mapping):
        plain = {key: encode_args(item) for key, item in value.items()}
        return {_LITERAL: plain} if plain.keys() & {_REF, _LITERAL} else plain
    if isinstance(value, list | tuple):
        return [encode_args(item) for item in value]
    return value


def decode_args(value: Any) -> Any:
    """The arguments that `encode_args` wrote."""
    if isinstance(value, list):
        return [decode_args(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_REF}:
        call_id, path, *default = value[_REF]
        return Ref(call_id, *path, default=default[0]) if default else Ref(call_id, *path)
    plain = value[_LITERAL] if value.keys() == {_LITERAL} else value
    return {key: decode_args(item) for key, item in plain.items()}


def encode_details(message: Message) -> str:
    """All of a message that has no column of its own; empty when there is nothing but words."""
    around = {
        "quoted": message.quoted,
        "referral": message.referral,
        "profile": message.profile,
        "number": message.number,
        "raw": message.raw,
    }
    details: dict[str, Any] = {name: value for name, value in around.items() if value}
    if message.content.kind is not Kind.TEXT:
        details["content"] = _content_fields(message.content)
    return to_text(details) if details else ""


def decode_details(kind: str, text: str) -> dict[str, Any]:
    """What `encode_details` wrote, as arguments of `Message`."""
    if not text:
        return {}
    given = from_text(text)
    if "content" in given:
        given["content"] = _content(Kind(kind), given["content"])
    for name, shape in _AROUND.items():
        if name in given:
            given[name] = msgspec.convert(given[name], shape)
    return dict(given)


_AROUND: Final[Mapping[str, type[Any]]] = {"quoted": Quoted, "referral": Referral, "profile": Profile}


def _content_fields(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(content)
    # An edit and an echo hold another; of its type there is no other trace.
    if isinstance(content, Edit | Echo) and content.content is not None:
        fields["content"] = {"kind": content.content.kind, "fields": _content_fields(content.content)}
    return fields


def _content(kind: Kind, fields: dict[str, Any]) -> Content:
    inner = fields.pop("content", None)
    made = CONTENT_TYPES[kind]
    if inner is None:
        return msgspec.convert(fields, made)
    return made(**fields, content=_content(Kind(inner["kind"]), inner["fields"]))  # type: ignore[call-arg]


def encode_fate(fate: Fate) -> str:
    """A fate's fields; its name stands in a column of its own."""
    if not isinstance(fate, Answered):
        return to_text(fate)
    more = {"more": [encode_reply(reply) for reply in fate.more]} if fate.more else {}
    return to_text({"reply": encode_reply(fate.reply), **more})


def decode_fate(name: str, text: str) -> Fate:
    """The fate that `encode_fate` wrote."""
    if name != Answered.name:
        return msgspec.json.decode(text, type=RECORDED_FATES[name])
    given = from_text(text)
    return Answered(decode_reply(given["reply"]), tuple(map(decode_reply, given.get("more", ()))))


def encode_body_of(row: OutboxRow) -> str:
    """What an outbox row holds besides its text; empty when there is nothing."""
    given: dict[str, Any] = {}
    if row.body is not None:
        given["body"] = encode_body(row.body)
    if row.reply_to is not None:
        given["reply_to"] = row.reply_to
    return to_text(given) if given else ""


def decode_body_of(text: str) -> dict[str, Any]:
    """What `encode_body_of` wrote, as arguments of `OutboxRow`."""
    given = from_text(text) if text else {}
    if "body" in given:
        given["body"] = decode_body(given["body"])
    return dict(given)
