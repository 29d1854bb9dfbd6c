"""What the page asks to send as the user: words, a choice or a reaction, checked.

Rule 1: `content` is what WhatsApp would post of it; `text` and `more` are what the bubble shows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from web.local.meta import KEY_PATTERN, TEXT_CHARACTERS_MAX, USER_PATTERN, context_of, message_id

_CHOICES: Final = ("button_reply", "list_reply")
_CHOICE_CHARACTERS_MAX: Final = 256  # WhatsApp: the longest id of a choice; titles are shorter
_EMOJI_CHARACTERS_MAX: Final = 32  # a family with skin tones is one emoji of a dozen code points

_Fields = Mapping[str, Any]


class _Wrong(Exception):
    """What is wrong with it."""


@attrs.frozen(kw_only=True)
class Draft:
    """What the user sends.  `key` is the page's own id of it: the same key again is the same message.

    `reaction`: the key of the message it belongs to and the emoji; a reaction has no bubble of its own.
    """

    user_id: str
    key: str
    text: str = attrs.field(default="", repr=False)
    content: _Fields = attrs.field(repr=False)
    more: _Fields = attrs.field(factory=dict, repr=False)
    reaction: tuple[str, str] | None = None


def parse_draft(fields: object) -> Draft | str:
    """What the page asks to send, or what is wrong with it."""
    if not isinstance(fields, dict):
        return "send a JSON object"
    user_id, key, reply_to = fields.get("user"), fields.get("key"), fields.get("reply_to")
    if not isinstance(user_id, str) or not USER_PATTERN.fullmatch(user_id):
        return "user must be a phone number of 5 to 15 digits"
    if not _is_key(key):
        return "key must be 1 to 64 letters, digits or hyphens"
    if reply_to is not None and not _is_key(reply_to):
        return "reply_to must be the key of a message"
    kind = next((name for name in _KINDS if name in fields), "text")
    try:
        draft = Draft(user_id=user_id, key=str(key), **_KINDS[kind](fields.get(kind), user_id))
    except _Wrong as wrong:
        return str(wrong)
    if reply_to is None:
        return draft
    content = {**draft.content, **context_of(user_id, reply_to)}
    return attrs.evolve(draft, content=content, more={**draft.more, "quote": reply_to})


def _is_key(given: object) -> bool:
    return isinstance(given, str) and KEY_PATTERN.fullmatch(given) is not None


def _words(given: object, *, most: int) -> str | None:
    return given if isinstance(given, str) and given.strip() and len(given) <= most else None


def _text(given: object, user_id: str) -> dict[str, Any]:
    text = _words(given, most=TEXT_CHARACTERS_MAX)
    if text is None:
        raise _Wrong(f"text must be 1 to {TEXT_CHARACTERS_MAX} characters, not all blank")
    return {"text": text, "content": {"type": "text", "text": {"body": text}}}


def _choice(given: object, user_id: str) -> dict[str, Any]:
    fields = given if isinstance(given, dict) else {}
    kind = fields.get("kind")
    chosen: dict[str, str | None] = {
        name: _words(fields.get(name), most=_CHOICE_CHARACTERS_MAX) for name in ("id", "title")
    }
    if kind not in _CHOICES or None in chosen.values():
        raise _Wrong(f"choice must have a kind ({' or '.join(_CHOICES)}), an id and a title")
    description = _words(fields.get("description"), most=_CHOICE_CHARACTERS_MAX)
    if kind == "list_reply" and description is not None:
        chosen["description"] = description
    interactive = {"type": kind, kind: chosen}
    return {"text": chosen["title"], "content": {"type": "interactive", "interactive": interactive}}


def _reaction(given: object, user_id: str) -> dict[str, Any]:
    fields = given if isinstance(given, dict) else {}
    to, emoji = fields.get("to"), fields.get("emoji")
    if not isinstance(to, str) or not _is_key(to):
        raise _Wrong("reaction must have the key of a message in to")
    if not isinstance(emoji, str) or len(emoji) > _EMOJI_CHARACTERS_MAX:
        raise _Wrong("reaction must have an emoji, or an empty one that takes the reaction away")
    # WhatsApp leaves the emoji out when a reaction is taken away.
    named = {"emoji": emoji} if emoji else {}
    reaction = {"message_id": message_id(user_id, to), **named}
    return {"content": {"type": "reaction", "reaction": reaction}, "reaction": (to, emoji)}


_KINDS: Final[Mapping[str, Callable[[object, str], dict[str, Any]]]] = {
    "text": _text,
    "choice": _choice,
    "reaction": _reaction,
}
