"""What the local phone is given to show of a message: its words, and the parts that are more than words.

Rule 1: the phone is no judge: whatever the Graph API would take is shown somehow.
Rule 2: what comes out is text, numbers and lists of these; the page shows it as text, never as markup.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from web.local.meta import parse_message_id

_Fields = Mapping[str, Any]
# The fields of an event for the page; `text` is always among them, what is empty is not.
Shown = dict[str, Any]


def shown_of(kind: str, content: object) -> Shown | None:
    """The parts of a message of this type; None when it is not one that the phone knows.

    `text` has its words, empty when there are none.  `file` has `kind`, and `id` or `link`.
    """
    show = _SHOWN.get(kind)
    if show is None or not isinstance(content, dict | list):
        return None
    try:
        shown = show(content)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    return {"text": shown.pop("text", None) or "", **_filled(**shown)}


def _filled(**parts: Any) -> Shown:
    return {name: part for name, part in parts.items() if part not in (None, "", [], {})}


def _media(kind: str) -> Callable[[_Fields], Shown]:
    def show(content: _Fields) -> Shown:
        file = _filled(
            kind=kind, id=content.get("id"), link=content.get("link"), name=content.get("filename")
        )
        return {"text": content.get("caption"), "file": file}

    return show


def _header(header: _Fields) -> Shown:
    kind = header.get("type", "text")
    if kind == "text":
        return {"header": header.get("text")}
    return {"file": _media(kind)(header[kind])["file"]}


def _interactive(content: _Fields) -> Shown:
    action = content["action"]
    buttons = [_choice(button["reply"]) for button in action.get("buttons", ())]
    sections = [
        {"title": section.get("title", ""), "rows": [_choice(row) for row in section["rows"]]}
        for section in action.get("sections", ())
    ]
    return {
        "text": content["body"]["text"],
        **_header(content.get("header", {})),
        "footer": content.get("footer", {}).get("text"),
        "buttons": buttons,
        "list": {"button": action.get("button", "Choose"), "sections": sections} if sections else None,
    }


def _choice(given: _Fields) -> Shown:
    return {"id": given["id"], "title": given["title"], **_filled(description=given.get("description"))}


def _location(content: _Fields) -> Shown:
    place = {"latitude": float(content["latitude"]), "longitude": float(content["longitude"])}
    return {"location": {**place, **_filled(name=content.get("name"), address=content.get("address"))}}


def _contacts(content: Any) -> Shown:
    return {"contacts": [_card(card) for card in content]}


def _card(card: _Fields) -> Shown:
    org = card.get("org", {})
    lines = [
        ", ".join(filter(None, (org.get("title"), org.get("company")))),
        *(phone["phone"] for phone in card.get("phones", ()) if "phone" in phone),
        *(email["email"] for email in card.get("emails", ())),
        *(url["url"] for url in card.get("urls", ())),
    ]
    return {"name": card["name"]["formatted_name"], "lines": [line for line in lines if line]}


def _reaction(content: _Fields) -> Shown:
    """`to` is the key of the message that it belongs to; empty when the phone has never had it."""
    known = parse_message_id(content["message_id"])
    return {"reaction": {"to": known[1] if known else "", "emoji": content.get("emoji", "")}}


def _template(content: _Fields) -> Shown:
    values = [
        parameter["text"]
        for component in content.get("components", ())
        for parameter in component.get("parameters", ())
        if "text" in parameter
    ]
    return {"template": {"name": content["name"], "language": content["language"]["code"], "values": values}}


_SHOWN: Final[Mapping[str, Callable[[Any], Shown]]] = {
    **{kind: _media(kind) for kind in ("image", "video", "audio", "document", "sticker")},
    "interactive": _interactive,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "template": _template,
}
