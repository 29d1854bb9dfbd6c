"""How calls and fates are written down as JSON text.

Rule 1: a `Ref` is {"$ref": [call id, path, default...]}; a dict that already has a key like that is wrapped
in {"$literal": ...}, so nothing a user says can pose as a reference.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine.model import RECORDED_FATES, Fate
from engine.plan import Ref

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


def encode_fate(fate: Fate) -> str:
    """A fate's fields; its name stands in a column of its own."""
    return to_text(fate)


def decode_fate(name: str, text: str) -> Fate:
    """The fate that `encode_fate` wrote."""
    return msgspec.json.decode(text, type=RECORDED_FATES[name])
