"""A message that is more than words, as words: what it is in brackets, its choices and files with numbers.

Rule 1: no I/O, no clock, no Trio.
"""

from collections.abc import Iterator, Mapping

import attrs

from engine.content import ButtonReply, Choice, ListReply, TemplateButton
from engine.replies import (
    Body,
    ButtonsBody,
    ContactCard,
    ContactsBody,
    DocumentBody,
    File,
    Inline,
    Link,
    ListBody,
    LocationBody,
    MediaBody,
    QuickReply,
    ReactionBody,
    TemplateBody,
)


@attrs.frozen
class Shown:
    """The lines of a message, and what its numbers stand for: the choices to tap, the files to save."""

    lines: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    files: tuple[Inline, ...] = ()

    def __add__(self, other: "Shown") -> "Shown":
        return Shown(self.lines + other.lines, self.choices + other.choices, self.files + other.files)


def show_body(body: Body, *, choices: int = 0, files: int = 0, texts: Mapping[str, str]) -> Shown:
    """What is shown of it.

    `choices` and `files`: how many are numbered already.  `texts`: what the messages say that it may refer
    to, by their ids.
    """
    match body:
        case ButtonsBody():
            buttons = [ButtonReply(id=button.id, title=button.title) for button in body.buttons]
            lines = tuple(_numbered(number, one.title) for number, one in enumerate(buttons, choices + 1))
            return _framed(body, files) + Shown(lines, choices=tuple(buttons))
        case ListBody():
            return _framed(body, files) + _show_sections(body, choices)
        case MediaBody():
            return _show_media(body, files)
        case LocationBody():
            return Shown((_location(body),))
        case ContactsBody():
            return Shown(tuple(f"[contact] {_contact(card)}" for card in body.cards))
        case ReactionBody():
            on = texts.get(body.message_id, body.message_id)
            return Shown((f"[reaction {body.emoji}] {on}" if body.emoji else f"[reaction taken away] {on}",))
        case TemplateBody():
            return _show_template(body, choices, files)
    return Shown((body.text,))


def _numbered(number: int, title: str, more: str | None = None) -> str:
    return f"{number:>3}  {_line(title)}" + (f": {_line(more)}" if more else "")


def _line(text: str) -> str:
    return " ".join(text.split())


def _framed(body: ButtonsBody | ListBody, files: int) -> Shown:
    """Its text, between its header and its footer."""
    header = body.header
    above = (
        _show_media(header, files) if isinstance(header, MediaBody) else Shown((header,) if header else ())
    )
    return above + Shown((body.text, *filter(None, [body.footer])))


def _show_sections(body: ListBody, choices: int) -> Shown:
    shown = Shown(())
    for section in body.sections:
        rows = [ListReply(id=row.id, title=row.title, description=row.description) for row in section.rows]
        first = choices + len(shown.choices) + 1
        lines = [_numbered(number, row.title, row.description) for number, row in enumerate(rows, first)]
        shown += Shown((*filter(None, [section.title]), *lines), choices=tuple(rows))
    return shown


def _show_media(body: MediaBody, files: int) -> Shown:
    caption = getattr(body, "caption", None)
    given = body.shown_name if isinstance(body, DocumentBody) else None
    match body.source:
        case Inline(name=name, content=content):
            named = f"{_line(given or name)}, {len(content):,} bytes; /save {files + 1} keeps it"
        case File(path=path):
            named = f"{_line(given)}, {path}" if given and not path.endswith(given) else path
        case Link(url=url):
            named = f"{_line(given)}, {url}" if given else url
        case source:
            named = f"{_line(given)}, {source.id}" if given else source.id
    files_here = (body.source,) if isinstance(body.source, Inline) else ()
    return Shown((*filter(None, [caption]), f"[{body.tag} {named}]"), files=files_here)


def _location(body: LocationBody) -> str:
    place = ", ".join(filter(None, (body.name, body.address)))
    return f"[location {body.latitude:g}, {body.longitude:g}] {place}".rstrip()


def _contact(card: ContactCard) -> str:
    return ", ".join([card.name, *(phone.phone for phone in card.phones), *card.emails, *card.urls])


def _show_template(body: TemplateBody, choices: int, files: int) -> Shown:
    shown = Shown((f"[template {body.name}, {body.language}] {', '.join(_values(body))}".rstrip(),))
    if isinstance(body.header, MediaBody):
        shown = _show_media(body.header, files) + shown
    # Their titles stand in Meta's copy of the template only.
    payloads = [button.payload for button in body.buttons if isinstance(button, QuickReply)]
    lines = tuple(_numbered(number, payload) for number, payload in enumerate(payloads, choices + 1))
    return shown + Shown(lines, choices=tuple(TemplateButton(id=each, title=each) for each in payloads))


def _values(body: TemplateBody) -> Iterator[str]:
    for value in body.values:
        yield f"{value.name}: {value.text}" if value.name else value.text
