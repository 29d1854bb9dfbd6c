"""Cuts a long text into parts that a channel takes, where a reader would."""

import re
import unicodedata
from typing import Final

# Where to cut, the best first: a part ends where a match begins.
_PLACES: Final = (
    re.compile(r"\n[^\S\n]*\n\s*"),  # between paragraphs
    re.compile(r"\n\s*"),  # between lines
    re.compile("(?<=[.!?…])\\s+|(?<=[.!?…][\"'”’)\\]])\\s+|(?<=[。！？])"),  # between sentences  # noqa: RUF001
)
_SPACE: Final = re.compile(r"\s+")
_BEYOND_16_BITS: Final = "\uffff"
# The longest run of marks that is kept with its letter; no script needs as many.
_CLUSTER_MAX: Final = 32


def length(text: str) -> int:
    """Characters as WhatsApp's documents count them, at worst: in UTF-16 units, an emoji being two.

    The documents do not say which; the larger count is never refused, where the smaller might be.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_text(text: str, characters_max: int) -> tuple[str, ...]:
    """The parts of a text, in order, each of at most `characters_max` characters (see `length`).

    Cut between paragraphs, else lines, else sentences, unless that would leave a part less than half full;
    else between words; a word longer than a part is cut where it must be.  A text that fits comes back as
    it is; otherwise space at a cut is dropped, and nothing that can be seen is lost.  A text of nothing but
    space has no parts.  Raises ValueError when not even one emoji fits.
    """
    if characters_max < length("\U0001f600"):
        raise ValueError(f"characters_max must be at least 2, not {characters_max}")
    if not text.strip():
        return ()
    if length(text) <= characters_max:
        return (text,)
    parts = []
    rest = text.strip()
    while (fitting := _fitting(rest, characters_max)) < len(rest):
        cut = _cut(rest, fitting)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return (*parts, rest)


def _fitting(text: str, characters_max: int) -> int:
    """How much of `text` fits into one part, as an index."""
    units = 0
    for index, one in enumerate(text):
        units += 2 if one > _BEYOND_16_BITS else 1
        if units > characters_max:
            return index
    return len(text)


def _cut(text: str, fitting: int) -> int:
    """Where to cut `text`, which does not begin with space: above 0, at most at `fitting`."""
    for place in _PLACES:
        cuts = [found.start() for found in place.finditer(text, 0, fitting + 1) if found.start() <= fitting]
        if cuts and cuts[-1] >= fitting // 2:
            return cuts[-1]
    spaces = [found.start() for found in _SPACE.finditer(text, 0, fitting + 1)]
    return spaces[-1] if spaces else _within_word(text, fitting)


def _within_word(text: str, fitting: int) -> int:
    """The last place that parts no letter from its accents and no emoji from its other half."""
    for cut in range(fitting, max(0, fitting - _CLUSTER_MAX), -1):
        if not _joined(text[cut - 1], text[cut]):
            return cut
    return fitting


_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)


def _joined(before: str, after: str) -> bool:
    return (
        _JOINER in (before, after) or unicodedata.category(after).startswith("M") or ord(after) in _SKIN_TONES
    )
