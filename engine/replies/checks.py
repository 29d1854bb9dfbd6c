"""How the fields of a reply are taken over and checked: what is wrong is said by its place.

Rule: characters are counted as `split.length` does: in UTF-16 units, an emoji being two.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from engine.errors import ReplyError
from engine.split import length
from engine.texts import whole


def as_text(value: str) -> str:
    """As it can be stored; what is no text stays as it is, for the check that follows to say so."""
    return whole(value) if isinstance(value, str) else value


def as_optional(value: str | None) -> str | None:
    """None for a text that shows nothing: WhatsApp refuses an empty one."""
    return (whole(value) if value.strip() else None) if isinstance(value, str) else value


def as_number(value: float) -> float:
    """A float; what is no number stays as it is."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_tuple(value: Any) -> Any:
    """A tuple; what is neither list nor tuple stays as it is."""
    return tuple(value) if isinstance(value, list | tuple) else value


def as_texts(values: Iterable[str]) -> tuple[str, ...]:
    """The same of texts."""
    taken: tuple[str, ...] = as_tuple(values)
    return tuple(map(as_text, taken)) if isinstance(taken, tuple) else taken


def check_text(place: str, value: Any, characters_max: int | None = None) -> None:
    """That it is a text with something to see, and not too long."""
    if not isinstance(value, str):
        raise ReplyError(f"{place}: a text, not {kind_of(value)}")
    if not value.strip():
        raise ReplyError(f"{place}: must not be empty")
    if characters_max is not None and length(value) > characters_max:
        raise ReplyError(f"{place}: at most {characters_max} characters, this has {length(value)}")


def check_optional(place: str, value: Any, characters_max: int | None = None) -> None:
    """The same, unless it is not set."""
    if value is not None:
        check_text(place, value, characters_max)


def check_number(place: str, value: Any, magnitude_max: float) -> None:
    """That it is a number of at most this magnitude."""
    if not isinstance(value, float):
        raise ReplyError(f"{place}: a number, not {kind_of(value)}")
    if math.isnan(value) or abs(value) > magnitude_max:
        raise ReplyError(f"{place}: between -{magnitude_max:g} and {magnitude_max:g}, this is {value:g}")


def check_flag(place: str, value: Any) -> None:
    """That it is one of two."""
    if not isinstance(value, bool):
        raise ReplyError(f"{place}: True or False, not {kind_of(value)}")


def check_items(place: str, values: Any, kind: type | tuple[type, ...], called: str) -> None:
    """That all of them are of this type, which is called so."""
    if not isinstance(values, tuple):
        raise ReplyError(f"{place}: a list, not {kind_of(values)}")
    for index, value in enumerate(values):
        if not isinstance(value, kind):
            raise ReplyError(f"{place}[{index}]: {called}, not {kind_of(value)}")


def check_count(place: str, values: Sequence[Any], count_max: int) -> None:
    """That there is one, and no more than so many."""
    if not values:
        raise ReplyError(f"{place}: at least 1, this has none")
    if len(values) > count_max:
        raise ReplyError(f"{place}: at most {count_max}, this has {len(values)}")


def check_unique(places: Iterable[tuple[str, str]]) -> None:
    """That each of the (place, value) has a value of its own."""
    seen: dict[str, str] = {}
    for place, value in places:
        if value in seen:
            raise ReplyError(f"{place}: must differ from {seen[value]}")
        seen[value] = place


def check_url(place: str, value: Any) -> None:
    """That it is the address of something on the web."""
    check_text(place, value)
    if not re.fullmatch(r"https?://[^\s/][^\s]*", value, re.IGNORECASE):
        raise ReplyError(f"{place}: must begin with https:// or http:// and hold no blanks")


def kind_of(value: Any) -> str:
    """What it is, for an error."""
    return "None" if value is None else type(value).__name__


def check_texts(place: str, value: Any, *names: str) -> None:
    """That each of these fields is a text, unless it is not set."""
    for name in names:
        check_optional(f"{place}.{name}", getattr(value, name))
