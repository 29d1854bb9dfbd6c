"""Templates, which Meta has approved, with what stands in their places."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body, LocationBody
from engine.replies.checks import (
    as_optional,
    as_text,
    as_tuple,
    check_items,
    check_optional,
    check_text,
    check_unique,
    kind_of,
)
from engine.replies.choices import HEADER_CHARACTERS_MAX
from engine.replies.media import DocumentBody, HeaderMedia, ImageBody, VideoBody, check_header_media

# "Template components", "Coupon code templates"; the values also in error 132018.
TEMPLATE_NAME_CHARACTERS_MAX: Final = 512
TEMPLATE_VALUE_CHARACTERS_MAX: Final = 1_024
TEMPLATE_BLANKS_MAX: Final = 4  # one after the other
TEMPLATE_BUTTONS_MAX: Final = 10
TEMPLATE_URL_CHARACTERS_MAX: Final = 2_000
TEMPLATE_CODE_CHARACTERS_MAX: Final = 15
# No page names a bound of a template button's payload: that of a button's id.
TEMPLATE_PAYLOAD_CHARACTERS_MAX: Final = 256


@attrs.frozen
class TemplateValue:
    """What stands in a place of a template's text; `name` for a template whose places have names."""

    text: str = attrs.field(repr=False, converter=as_text)
    name: str | None = attrs.field(default=None, converter=as_optional)


@attrs.frozen
class QuickReply:
    """For a quick reply of a template: what comes back as `message.choice.id`."""

    payload: str = attrs.field(repr=False, converter=as_text)


@attrs.frozen
class UrlEnd:
    """For a URL button of a template: the end of its address; for an authentication template: its code."""

    text: str = attrs.field(repr=False, converter=as_text)


@attrs.frozen
class CopyCode:
    """For a button of a template that copies a code: letters and digits."""

    code: str = attrs.field(repr=False, converter=as_text)


TemplateButtonValue = QuickReply | UrlEnd | CopyCode
TemplateHeader = TemplateValue | HeaderMedia | LocationBody


def _template_value(value: str | TemplateValue) -> TemplateValue:
    return TemplateValue(value) if isinstance(value, str) else value


def _values(values: Mapping[str, str] | Iterable[str | TemplateValue]) -> tuple[TemplateValue, ...]:
    if isinstance(values, Mapping):
        return tuple(TemplateValue(text, name) for name, text in values.items())
    taken: tuple[TemplateValue, ...] = as_tuple(values)
    return tuple(map(_template_value, taken)) if isinstance(taken, tuple) else taken


def _template_header(value: str | TemplateHeader | None) -> TemplateHeader | None:
    return TemplateValue(value) if isinstance(value, str) else value


def _template_buttons(
    values: Iterable[TemplateButtonValue | None],
) -> tuple[TemplateButtonValue | None, ...]:
    taken: tuple[TemplateButtonValue | None, ...] = as_tuple(values)
    return taken


@attrs.frozen
class TemplateBody(Body):
    """A template that Meta has approved: all that may be sent later than 24 hours after a user's message.

    `values` are for the places of its text: in order, or by name as a dict.  `header` is for the place in its
    header.  `buttons` are for its buttons, in their order; None for a button that takes nothing.
    """

    tag = "template"
    name: str = attrs.field(converter=as_text)
    language: str = attrs.field(converter=as_text)
    values: tuple[TemplateValue, ...] = attrs.field(default=(), converter=_values)
    header: TemplateHeader | None = attrs.field(default=None, converter=_template_header)
    buttons: tuple[TemplateButtonValue | None, ...] = attrs.field(default=(), converter=_template_buttons)

    def __attrs_post_init__(self) -> None:
        check_text("name", self.name, TEMPLATE_NAME_CHARACTERS_MAX)
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise ReplyError("name: small letters, digits and _ only")
        check_text("language", self.language)
        if not re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]{2,4})?", self.language):
            raise ReplyError('language: a code as "en" or "en_US"')
        check_items("values", self.values, TemplateValue, "a text or a TemplateValue")
        for index, value in enumerate(self.values):
            _check_template_value(f"values[{index}]", value, TEMPLATE_VALUE_CHARACTERS_MAX)
        if len({value.name is None for value in self.values}) > 1:
            raise ReplyError("values: all of them have a name, or none has")
        check_unique(
            (f"values[{index}].name", value.name)
            for index, value in enumerate(self.values)
            if value.name is not None
        )
        self._check_header()
        self._check_buttons()

    def _check_header(self) -> None:
        match self.header:
            case None | LocationBody():
                pass
            case TemplateValue():
                _check_template_value("header", self.header, HEADER_CHARACTERS_MAX)
            case ImageBody() | VideoBody() | DocumentBody():
                check_header_media(self.header)
            case _:
                raise ReplyError(f"header: a text, media or a location, not {kind_of(self.header)}")

    def _check_buttons(self) -> None:
        kinds = (QuickReply, UrlEnd, CopyCode, type(None))
        check_items("buttons", self.buttons, kinds, "a QuickReply, UrlEnd, CopyCode or None")
        if len(self.buttons) > TEMPLATE_BUTTONS_MAX:
            raise ReplyError(f"buttons: at most {TEMPLATE_BUTTONS_MAX}, this has {len(self.buttons)}")
        for index, button in enumerate(self.buttons):
            match button:
                case QuickReply(payload=payload):
                    check_text(f"buttons[{index}].payload", payload, TEMPLATE_PAYLOAD_CHARACTERS_MAX)
                case UrlEnd(text=text):
                    check_text(f"buttons[{index}].text", text, TEMPLATE_URL_CHARACTERS_MAX)
                case CopyCode(code=code):
                    check_text(f"buttons[{index}].code", code, TEMPLATE_CODE_CHARACTERS_MAX)
                    if not (code.isascii() and code.isalnum()):
                        raise ReplyError(f"buttons[{index}].code: letters and digits only")

    @property
    def text(self) -> str:
        return f"[template {self.name}]"


def _check_template_value(place: str, value: TemplateValue, characters_max: int) -> None:
    check_text(f"{place}.text", value.text, characters_max)
    check_optional(f"{place}.name", value.name)
    if re.search(r"[\n\r\t]", value.text):
        raise ReplyError(f"{place}.text: no line breaks and no tabs")
    if " " * (TEMPLATE_BLANKS_MAX + 1) in value.text:
        raise ReplyError(f"{place}.text: at most {TEMPLATE_BLANKS_MAX} blanks one after the other")
