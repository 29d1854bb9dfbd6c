"""How anything is printed: in aligned columns, on one line, and with nothing that must not be shown."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from web.logs import hash_id, mask_user

# A run of digits like that could be a phone number.
_PHONE: Final = re.compile(r"\+?[0-9]{7,}")
_MINUTE: Final = 60

Row = Sequence[object]


def print_table(head: Row, rows: Sequence[Row], limit: int, when_empty: str) -> None:
    """The rows under their head, the columns aligned; one row more than `limit` means that there are more."""
    if not rows:
        remark(when_empty)
        return
    print_lines(aligned([head, *rows[:limit]]))
    if len(rows) > limit:
        remark(f"there are more than {limit}; see --limit")


def aligned(rows: Iterable[Row]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]


def print_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output."""
    # In one piece, and whatever a terminal cannot show as an escape.
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def remark(text: str) -> None:
    """Write a line about the output to standard error."""
    print(f"midstream: {text}", file=sys.stderr)  # noqa: T201


def utc(seconds: float) -> str:
    """A second since 1970 as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(seconds: float) -> str:
    """The time of the day of a second since 1970, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC).strftime("%H:%M:%S.%f")[:-3]


def duration(seconds: float) -> str:
    """A time as people read it, in the two units that matter."""
    if round(seconds, 3) < _MINUTE:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE:02} min"


def hashed(message_id: str | None) -> str:
    """A message's id as logs show it, if there is one."""
    return hash_id(message_id) if message_id else "-"


def counted(count: int, what: str) -> str:
    """As in `1 call` and `2 calls`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def one_line(text: str) -> str:
    """A text on one line, with nothing in it that could steer a terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def safe(text: str) -> str:
    """An error's text: on one line, and without a phone number that somebody put there."""
    return _PHONE.sub(lambda match: mask_user(match[0]), one_line(text))
