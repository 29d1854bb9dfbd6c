"""A script for the REPL: what is written, and when; for demos that are the same each time.

Rule 1: the whole file is read and checked before its first line is played.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from engine.errors import ScriptError
from engine.repl.lines import clean

# Hundreds of pages: whoever names a larger file has named the wrong one.
SCRIPT_BYTES_MAX: Final = 1024 * 1024
# A day; a longer one is a slip of the keyboard, and would only seem to hang.
SCRIPT_SECONDS_MAX: Final = 86_400.0

_FORM: Final = 'a line is seconds and a text, as "0.0 Check Hanukkah" or "+1.5 Actually Passover"'
_TIME: Final = re.compile(r"(\+?)(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


@attrs.frozen
class TimedLine:
    """A line that is written `at` so many seconds from the start of the script."""

    at: float
    text: str


def read_script(path: Path) -> tuple[TimedLine, ...]:
    """The lines of a script file.  Raises ScriptError that names the file, the line and the remedy."""
    try:
        with path.open("rb") as file:
            content = file.read(SCRIPT_BYTES_MAX + 1)
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > SCRIPT_BYTES_MAX:
        raise ScriptError(f"{path}: is larger than {SCRIPT_BYTES_MAX:,} bytes; is it a script?")
    try:
        return parse_script(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise ScriptError(f"{path}: is not UTF-8 text; write it anew") from None


def parse_script(text: str, name: str) -> tuple[TimedLine, ...]:
    """The lines of a script; `name` is what its errors call it.

    A line is a time and a text: seconds from the start (`0.0 Check Hanukkah`), or after the line before it
    (`+1.5 Actually Passover`).  Empty lines and those that begin with `#` are passed over.  Raises
    ScriptError that names the line and the remedy.
    """
    lines: list[TimedLine] = []
    for number, line in enumerate(text.split("\n"), 1):
        if (line := line.strip()) and not line.startswith("#"):
            try:
                lines.append(_parse_line(line, lines[-1].at if lines else 0.0))
            except ScriptError as error:
                raise ScriptError(f"{name}:{number}: {error}") from None
    if not lines:
        raise ScriptError(f"{name}: has no line to play; {_FORM}")
    return tuple(lines)


def _parse_line(line: str, before: float) -> TimedLine:
    time, *rest = line.split(maxsplit=1)
    found = _TIME.fullmatch(time)
    if found is None:
        raise ScriptError(f"no time at its beginning; {_FORM}")
    if not rest or not clean(rest[0]).strip():
        raise ScriptError(f"no text behind the time; {_FORM}")
    after, seconds = found.groups()
    at = float(seconds) + (before if after else 0.0)
    if at < before:
        raise ScriptError(
            f"{at:g} s is before the line above it, at {before:g} s; put them in order, or write +SECONDS"
        )
    if at > SCRIPT_SECONDS_MAX:
        raise ScriptError(f"{at:,.0f} s is later than a day ({SCRIPT_SECONDS_MAX:,.0f} s) after the start")
    return TimedLine(at, rest[0])


async def play(script: Sequence[TimedLine], write: Callable[[str], Awaitable[object]]) -> None:
    """Write each line at its time, counted from now."""
    began = trio.current_time()
    for line in script:
        await trio.sleep_until(began + line.at)
        await write(line.text)
