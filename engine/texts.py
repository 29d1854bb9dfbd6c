"""What the engine itself says to a user, in one language; everything else is the assistant's."""

from collections.abc import Iterable
from typing import Final

import attrs

ACKNOWLEDGEMENT: Final = "Got it! Switching to your new request..."
# What stands in for a list of calls in a text.
CALLS: Final = "{calls}"


def _with_calls() -> str:
    """A text with one place for a list of calls."""
    field: str = attrs.field(metadata={CALLS: True})
    return field


@attrs.frozen(kw_only=True)
class Texts:
    """All that the engine says in one language.  `{calls}` becomes the titles of the tools concerned."""

    # To somebody who changed their mind; empty: nothing is said.
    acknowledgement: str
    apology: str
    out_of_time: str
    # The bounds of this machine.
    too_many_wait: str
    too_busy: str
    # What became of a new message that did not interrupt.
    rejected: str
    deferred: str
    # To somebody who said stop.
    stopped: str
    nothing_to_stop: str
    # What was done, where a request ended early.
    done: str = _with_calls()
    nothing_done: str
    not_certain: str = _with_calls()
    undone: str = _with_calls()
    not_undone: str = _with_calls()


# Only the acknowledgement may be left unsaid.
MAY_BE_EMPTY: Final = frozenset({"acknowledgement"})
# Those that must have a place for a list of calls.
WITH_CALLS: Final = frozenset(field.name for field in attrs.fields(Texts) if CALLS in field.metadata)
NAMES: Final = tuple(field.name for field in attrs.fields(Texts))


def with_calls(text: str, titles: Iterable[str]) -> str:
    """The text with the titles in its place for calls, each once; empty when there is none.

    >>> with_calls("Already done: {calls}.", ["a table", "a taxi", "a table"])
    'Already done: a table (2x), a taxi.'
    """
    counts: dict[str, int] = {}
    for title in titles:
        if title:
            counts[title] = counts.get(title, 0) + 1
    listed = [title if count == 1 else f"{title} ({count}x)" for title, count in counts.items()]
    return text.replace(CALLS, ", ".join(listed)) if listed else ""


def shortened(text: str, characters_max: int = 1_000) -> str:
    """The beginning of a text that is too long: an error may be a whole page, and is copied as it is told.

    >>> shortened("no route to host", 8)
    'no route…'
    """
    return text if len(text) <= characters_max else f"{text[:characters_max]}…"


def whole(text: str) -> str:
    """The text as it can be stored and sent: half an emoji, cut by somebody in two, becomes "?".

    >>> whole("late \ud83c")
    'late ?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")
