"""Single values of a webhook body: each as it should be, or None; only the reading of JSON itself raises.

Rule 1: what comes out of `cleaned` can be kept by every store and sent as UTF-8.
Rule 2: nothing here costs more than in proportion to the length of the body.
"""

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeGuard

# WhatsApp nests a dozen levels.  What is deeper than this was made to cost time and stack.
LEVELS_MAX: Final = 64
# Ids seen are 50 to 80 characters; one that is longer than this is not an id.
ID_CHARACTERS_MAX: Final = 512
# A phone number has 15 digits (E.164), some room left.
PHONE_DIGITS_MAX: Final = 20
# A business-scoped id is `CC.` and up to 128 more, `CC.ENT.` of a parent; a group's id is some 60 characters.
USER_ID_CHARACTERS_MAX: Final = 160
# Year 2100.  Above it stand milliseconds and nonsense, and a message "newest" for ever makes all others late.
TIMESTAMP_MAX: Final = 4_102_444_800
# Longer numbers are no fact of WhatsApp's; reading a very long one costs time that grows with its square.
_INTEGER_DIGITS_MAX: Final = 20
# What a store keeps of whole numbers.
_INTEGERS: Final = range(-(2**63), 2**64)
# Prices, quantities and degrees have fewer.
_NUMBER_CHARACTERS_MAX: Final = 40
# An item has one error, seldom two; the rest of a long list tells nothing more.
_ERRORS_READ: Final = 5

# Letters that show nothing: fillers of Hangul, the blank Braille cell, joiners and variation selectors.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
# Controls, format marks, spaces.  Not Cn: an emoji newer than this Python is in it.
_BLANK_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


# Whole texts of JSON ------------------------------------------------------------------------------


def read_json(text: bytes | str) -> Any:
    """What a text of JSON holds.  Raises `ValueError` when it is none, `RecursionError` when it is too deep.

    Lenient on purpose (bad UTF-8, control characters, lone surrogates, NaN): a stricter reader would lose a
    whole batch for one broken character in somebody's profile name.
    """
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return json.loads(
        whole, strict=False, parse_int=_parse_int, parse_float=_parse_float, parse_constant=lambda _: None
    )


def cut_deep(value: Any) -> bool:
    """Empty what stands deeper than `LEVELS_MAX` lists and objects; whether there was anything."""
    level = _containers([value])
    for _ in range(LEVELS_MAX):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in _containers(outer.values() if isinstance(outer, dict) else outer)
        ]
    for container in level:
        container.clear()
    return bool(level)


def cleaned(value: Any) -> Any:
    """A copy whose texts, keys included, are as every store takes them; `cut_deep` comes before it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    return value


def storable(text: str) -> str:
    """The text as every store takes it: no NUL, and no half of a surrogate pair (an emoji cut in two)."""
    # Most are: neither NUL nor a surrogate is printable.
    if text.isprintable():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _parse_int(digits: str) -> int | None:
    if len(digits) > _INTEGER_DIGITS_MAX:
        return None
    number = int(digits)
    return number if number in _INTEGERS else None


def _parse_float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


# Parts of them ------------------------------------------------------------------------------------


def items_of(raw: Any) -> list[Any]:
    """What should be a list: absent is empty; anything else stands as its only item and is judged as one."""
    if raw is None:
        return []
    return raw if isinstance(raw, list) else [raw]


def objects_of(raw: Any) -> list[Mapping[str, Any]]:
    """The objects in what should be a list of them."""
    return [item for item in items_of(raw) if isinstance(item, dict)]


def object_of(raw: Any) -> Mapping[str, Any]:
    """What should be an object; an empty one when it is none."""
    return raw if isinstance(raw, dict) else {}


def text_of(raw: Any) -> str | None:
    """A text with something in it."""
    return raw if isinstance(raw, str) and raw else None


def id_of(raw: Any, characters_max: int = ID_CHARACTERS_MAX) -> str | None:
    """An id: a text that is not too long, without spaces and with nothing that cannot be printed."""
    return raw if is_id(raw, characters_max) else None


def is_id(raw: Any, characters_max: int = ID_CHARACTERS_MAX) -> TypeGuard[str]:
    """Whether it is one."""
    return isinstance(raw, str) and 0 < len(raw) <= characters_max and raw.isprintable() and " " not in raw


def phone_of(raw: Any) -> str | None:
    """A phone number, in digits alone."""
    is_phone = isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= PHONE_DIGITS_MAX
    return raw if is_phone else None


def user_id_of(raw: Any) -> str | None:
    """The id of a person, of a company's or of a group."""
    return id_of(raw, USER_ID_CHARACTERS_MAX)


def number_of(raw: Any) -> float | None:
    """A number, also one that is written as a text."""
    if isinstance(raw, str) and len(raw) <= _NUMBER_CHARACTERS_MAX and "_" not in raw:
        try:
            raw = float(raw)
        except ValueError:
            return None
    # `type`: True is an int too.
    return float(raw) if type(raw) in (int, float) and math.isfinite(raw) else None


def seconds_of(raw: Any) -> int | None:
    """Whole seconds since 1970; None when it is not that, so that the store sets its own."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = _parse_int(raw)
    return raw if type(raw) is int and 0 < raw <= TIMESTAMP_MAX else None


def codes_of(raw: Any) -> tuple[int | None, ...]:
    """The codes of a list of errors; None in the place of an error that has none."""
    codes = (object_of(error).get("code") for error in items_of(raw)[:_ERRORS_READ])
    return tuple(code if type(code) is int else None for code in codes)


def is_visible(text: str) -> bool:
    """Whether there is something to see in it."""
    return any(unicodedata.category(one) not in _BLANK_CATEGORIES and one not in _BLANK for one in text)
