"""Twilio's parameters for what a message holds: words, a link to a file, and choices written out.

Rule 1: what Twilio has no plain parameter for is refused with its name, never sent as something else.
Rule 2: of what is written out no words are lost; only what a message quotes is, which Twilio cannot say.
Source: https://www.twilio.com/docs/messaging/api/message-resource
"""

from collections.abc import Iterator
from typing import Final

from engine import OutboxRow, SendRefused
from engine.replies import (
    AudioBody,
    ButtonsBody,
    DocumentBody,
    ImageBody,
    Link,
    ListBody,
    MediaBody,
    TextBody,
    VideoBody,
)

# Longer ones are refused: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message
TEXT_CHARACTERS_MAX: Final = 1_600


def parameters_of(row: OutboxRow) -> dict[str, str]:
    """`Body` and `MediaUrl` of a row.  Raises `SendRefused`."""
    body = row.body
    match body:
        case None | TextBody():
            return {"Body": _fitting(row.text)}
        case ImageBody(caption=caption) | VideoBody(caption=caption) | DocumentBody(caption=caption):
            return {**_link(body), **({"Body": _fitting(caption)} if caption else {})}
        case AudioBody():
            return _link(body)
        # Whoever answers writes one of them; buttons of Twilio's need a template made beforehand.
        case ButtonsBody(header=MediaBody() as header):
            return {**_link(header), "Body": _fitting("\n".join(_buttons(body)))}
        case ButtonsBody():
            return {"Body": _fitting("\n".join(_buttons(body)))}
        case ListBody():
            return {"Body": _fitting("\n".join(_list(body)))}
    raise SendRefused(f"Twilio has no plain message for this: {type(body).__name__}")


def _link(body: MediaBody) -> dict[str, str]:
    if isinstance(body.source, Link):
        return {"MediaUrl": body.source.url}
    raise SendRefused(f"Twilio takes a file by its link only: {type(body).__name__}")


def _buttons(body: ButtonsBody) -> Iterator[str]:
    if isinstance(body.header, str):
        yield body.header
    yield body.text
    yield from (f"- {button.title}" for button in body.buttons)
    if body.footer:
        yield body.footer


def _list(body: ListBody) -> Iterator[str]:
    if body.header:
        yield body.header
    yield body.text
    for section in body.sections:
        if section.title:
            yield section.title
        yield from (
            f"- {row.title}: {row.description}" if row.description else f"- {row.title}"
            for row in section.rows
        )
    if body.footer:
        yield body.footer


def _fitting(text: str) -> str:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise SendRefused(f"a text may have {TEXT_CHARACTERS_MAX} characters, this has {len(text)}")
    return text
