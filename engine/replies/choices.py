"""Texts with buttons under them, and with a list to choose from."""

from collections.abc import Iterable
from typing import Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body
from engine.replies.checks import (
    as_optional,
    as_text,
    as_tuple,
    check_count,
    check_items,
    check_optional,
    check_text,
    check_unique,
)
from engine.replies.media import HeaderMedia, check_header_media

# Meta's pages "Interactive reply buttons messages" and "Interactive list messages"; in characters.
BUTTONS_MAX: Final = 3
BUTTON_TITLE_CHARACTERS_MAX: Final = 20
BUTTON_ID_CHARACTERS_MAX: Final = 256
BUTTONS_TEXT_CHARACTERS_MAX: Final = 1_024
LIST_TEXT_CHARACTERS_MAX: Final = 4_096
HEADER_CHARACTERS_MAX: Final = 60
FOOTER_CHARACTERS_MAX: Final = 60
LIST_BUTTON_CHARACTERS_MAX: Final = 20
SECTIONS_MAX: Final = 10
SECTION_TITLE_CHARACTERS_MAX: Final = 24
ROWS_MAX: Final = 10  # in all sections together
ROW_ID_CHARACTERS_MAX: Final = 200
ROW_TITLE_CHARACTERS_MAX: Final = 24
ROW_DESCRIPTION_CHARACTERS_MAX: Final = 72


@attrs.frozen
class Button:
    """A button under a message.  `id` comes back as `message.choice.id` when it is tapped."""

    id: str = attrs.field(repr=False, converter=as_text)
    title: str = attrs.field(repr=False, converter=as_text)


def _header(value: str | HeaderMedia | None) -> str | HeaderMedia | None:
    return as_optional(value) if isinstance(value, str) else value


def _buttons(values: Iterable[Button]) -> tuple[Button, ...]:
    taken: tuple[Button, ...] = as_tuple(values)
    return taken


@attrs.frozen
class ButtonsBody(Body):
    """A text with one to three buttons under it.  `header` is a text, or a picture, film or document."""

    tag = "buttons"
    text: str = attrs.field(repr=False, converter=as_text)
    buttons: tuple[Button, ...] = attrs.field(converter=_buttons)
    header: str | HeaderMedia | None = attrs.field(default=None, repr=False, converter=_header)
    footer: str | None = attrs.field(default=None, repr=False, converter=as_optional)

    def __attrs_post_init__(self) -> None:
        check_text("text", self.text, BUTTONS_TEXT_CHARACTERS_MAX)
        check_items("buttons", self.buttons, Button, "a Button")
        check_count("buttons", self.buttons, BUTTONS_MAX)
        for index, button in enumerate(self.buttons):
            check_text(f"buttons[{index}].id", button.id, BUTTON_ID_CHARACTERS_MAX)
            check_text(f"buttons[{index}].title", button.title, BUTTON_TITLE_CHARACTERS_MAX)
        check_unique((f"buttons[{index}].id", button.id) for index, button in enumerate(self.buttons))
        check_unique((f"buttons[{index}].title", button.title) for index, button in enumerate(self.buttons))
        if isinstance(self.header, HeaderMedia):
            check_header_media(self.header)
        else:
            check_optional("header", self.header, HEADER_CHARACTERS_MAX)
        check_optional("footer", self.footer, FOOTER_CHARACTERS_MAX)


@attrs.frozen
class Row:
    """One line of a list.  `id` comes back as `message.choice.id` when it is chosen."""

    id: str = attrs.field(repr=False, converter=as_text)
    title: str = attrs.field(repr=False, converter=as_text)
    description: str | None = attrs.field(default=None, repr=False, converter=as_optional)


def _rows(values: Iterable[Row]) -> tuple[Row, ...]:
    taken: tuple[Row, ...] = as_tuple(values)
    return taken


@attrs.frozen
class Section:
    """Some lines of a list, with a title above them; the only section of a list needs none."""

    rows: tuple[Row, ...] = attrs.field(converter=_rows)
    title: str | None = attrs.field(default=None, repr=False, converter=as_optional)


def _sections(values: Iterable[Row] | Iterable[Section]) -> tuple[Section, ...]:
    taken = as_tuple(values)
    if isinstance(taken, tuple) and taken and all(isinstance(value, Row) for value in taken):
        return (Section(taken),)
    sections: tuple[Section, ...] = taken
    return sections


@attrs.frozen
class ListBody(Body):
    """A text with a button that opens a list of up to ten lines.

    `button` is the title of that button.  `sections` are sections, or rows: these are one section.
    """

    tag = "list"
    text: str = attrs.field(repr=False, converter=as_text)
    button: str = attrs.field(repr=False, converter=as_text)
    sections: tuple[Section, ...] = attrs.field(converter=_sections)
    header: str | None = attrs.field(default=None, repr=False, converter=as_optional)
    footer: str | None = attrs.field(default=None, repr=False, converter=as_optional)

    def __attrs_post_init__(self) -> None:
        check_text("text", self.text, LIST_TEXT_CHARACTERS_MAX)
        check_text("button", self.button, LIST_BUTTON_CHARACTERS_MAX)
        check_items("sections", self.sections, Section, "a Section")
        check_count("sections", self.sections, SECTIONS_MAX)
        for index, section in enumerate(self.sections):
            self._check_section(f"sections[{index}]", section)
        rows = [
            (f"sections[{index}].rows[{number}].id", row.id)
            for index, section in enumerate(self.sections)
            for number, row in enumerate(section.rows)
        ]
        if len(rows) > ROWS_MAX:
            raise ReplyError(f"sections: at most {ROWS_MAX} rows in all, these have {len(rows)}")
        check_unique(rows)
        check_optional("header", self.header, HEADER_CHARACTERS_MAX)
        check_optional("footer", self.footer, FOOTER_CHARACTERS_MAX)

    def _check_section(self, place: str, section: Section) -> None:
        if len(self.sections) > 1 and section.title is None:
            raise ReplyError(f"{place}.title: must be given, as there are several sections")
        check_optional(f"{place}.title", section.title, SECTION_TITLE_CHARACTERS_MAX)
        check_items(f"{place}.rows", section.rows, Row, "a Row")
        check_count(f"{place}.rows", section.rows, ROWS_MAX)
        for index, row in enumerate(section.rows):
            check_text(f"{place}.rows[{index}].id", row.id, ROW_ID_CHARACTERS_MAX)
            check_text(f"{place}.rows[{index}].title", row.title, ROW_TITLE_CHARACTERS_MAX)
            check_optional(
                f"{place}.rows[{index}].description", row.description, ROW_DESCRIPTION_CHARACTERS_MAX
            )
