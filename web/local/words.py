"""What the local phone shows of a message that is more than a text: its words, and what it is in brackets.

Rule 1: the phone is no judge: whatever the Graph API would take is shown somehow.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

_Fields = Mapping[str, Any]


def words_of(kind: str, content: object) -> str | None:
    """The words for a message of this type; None when it is not one that the phone knows."""
    show = _SHOWN.get(kind)
    if show is None or not isinstance(content, dict | list):
        return None
    try:
        words = show(content)
    except (AttributeError, IndexError, KeyError, TypeError):
        return None
    return words or f"[{kind}]"


def _media(kind: str) -> Callable[[_Fields], str]:
    def show(content: _Fields) -> str:
        where = content.get("filename") or content.get("link") or ""
        return "\n".join(filter(None, [content.get("caption"), f"[{kind}{' ' if where else ''}{where}]"]))

    return show


def _interactive(content: _Fields) -> str:
    action = content["action"]
    choices = [button["reply"]["title"] for button in action.get("buttons", ())]
    choices += [row["title"] for section in action.get("sections", ()) for row in section["rows"]]
    header = content.get("header", {})
    lines = [header.get("text"), content["body"]["text"], content.get("footer", {}).get("text")]
    return "\n".join([*filter(None, lines), *(f"[ {choice} ]" for choice in choices)])


def _location(content: _Fields) -> str:
    place = ", ".join(filter(None, (content.get("name"), content.get("address"))))
    return f"[location {content['latitude']}, {content['longitude']}] {place}".rstrip()


def _contacts(content: Any) -> str:
    return "\n".join(f"[contact] {card['name']['formatted_name']}" for card in content)


def _reaction(content: _Fields) -> str:
    return f"[reaction] {content['emoji']}" if content.get("emoji") else "[reaction taken away]"


def _template(content: _Fields) -> str:
    return f"[template {content['name']}]"


_SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {
    **{kind: _media(kind) for kind in ("image", "video", "audio", "document", "sticker")},
    "interactive": _interactive,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "template": _template,
}
