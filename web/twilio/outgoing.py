"""Twilio's parameters for what a message holds: words, a link to a file, and choices written out.

Rule 1: what Twilio has no plain parameter for is refused with its name, never sent as something else.
Source: https://www.twilio.com/docs/messaging/api/message-resource
"""

from engine import OutboxRow, SendRefused
from engine.replies import (
    ButtonsBody,
    DocumentBody,
    ImageBody,
    Link,
    ListBody,
    MediaBody,
    StickerBody,
    TextBody,
    VideoBody,
)

TEXT_CHARACTERS_MAX = 1600


def parameters_of(row: OutboxRow) -> dict[str, str]:
    """`Body` and `MediaUrl` of a row.  Raises `SendRefused`."""
    body = row.body
    match body:
        case None | TextBody():
            return {"Body": _fitting(row.text)}
        case (
            ImageBody(source=Link(url=url), caption=caption)
            | VideoBody(source=Link(url=url), caption=caption)
            | DocumentBody(source=Link(url=url), caption=caption)
        ):
            return {"MediaUrl": url, **({"Body": _fitting(caption)} if caption else {})}
        case MediaBody(source=Link(url=url)) if not isinstance(body, StickerBody):
            return {"MediaUrl": url}
        case ButtonsBody(text=text, buttons=buttons):
            # Whoever answers writes one of them; buttons of Twilio's need a template made beforehand.
            return {"Body": _fitting("\n".join([text, *(f"- {each.title}" for each in buttons)]))}
        case ListBody(text=text, sections=sections):
            titles = [f"- {each.title}" for section in sections for each in section.rows]
            return {"Body": _fitting("\n".join([text, *titles]))}
    raise SendRefused(f"Twilio has no plain message for a {type(body).__name__}")


def _fitting(text: str) -> str:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise SendRefused(f"a text may have {TEXT_CHARACTERS_MAX} characters, this has {len(text)}")
    return text
