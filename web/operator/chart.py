"""Draws rows over time as plain text: bars, moments, and a line where something ended; pure.

Rule 1: no line is wider than it may be, as long as that is at least 60 columns.
Rule 2: a long time in which nothing is recorded is left out of the scale, and shown as such.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from web.operator.printing import clock, duration

THINKING: Final = "."
SUCCEEDED: Final = "="
FAILED: Final = "x"
IN_DOUBT: Final = "?"
TAKEN_BACK: Final = "<"
TOLD: Final = "*"
BOUNDARY: Final = "|"
END: Final = "#"
_UNDER_WAY: Final = ">"
_LEFT_OUT: Final = "~"
_MEANINGS: Final[Mapping[str, str]] = {
    THINKING: "thinking",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
    IN_DOUBT: "may have acted",
    TAKEN_BACK: "taken back",
    _UNDER_WAY: "goes on",
    BOUNDARY: "interrupted",
    TOLD: "told",
    _LEFT_OUT: "time left out",
    END: "end",
}

# From here on there is room for when each row began, and for longer names.
_WIDE: Final = 90
_LABEL_MAX: Final = 28
_LABEL_MAX_NARROW: Final = 17
_SAID_MIN: Final = 10
_COLUMNS_MIN: Final = 10
_COLUMNS_MAX: Final = 80
_COLUMNS_WITH_MIDDLE: Final = 36
# What is left out has this part of what is shown.
_LEFT_OUT_PART: Final = 0.1


@attrs.frozen(kw_only=True)
class Row:
    """One line.  `began` and `ended` are seconds since 1970.

    With neither it is no bar; without `ended` it is under way; with both the same and no `took`, a moment.
    """

    label: str
    began: float | None = None
    ended: float | None = None
    mark: str = THINKING
    took: str = ""
    said: str = ""
    # Printed on a line of its own.
    text: str | None = None


@attrs.frozen(kw_only=True)
class Scale:
    """Where a moment lies, from the beginning to the end; the last column is the end's own.

    `left_out`: stretches of it that are drawn short.
    """

    began: float
    ended: float
    left_out: tuple[tuple[float, float], ...] = ()

    def cells(self, began: float, ended: float, columns: int) -> slice:
        """The columns from one moment to another; at least one."""
        first = self._column(began, columns)
        return slice(first, max(first + 1, self._column(ended, columns)))

    def _column(self, at: float, columns: int) -> int:
        length = self._place(self.ended)
        part = self._place(min(max(at, self.began), self.ended)) / length if length > 0 else 0.0
        return int(part * (columns - 1) + 1e-6)  # floats: the end of a bar is the beginning of the next

    def _place(self, at: float) -> float:
        place = at - self.began
        for began, ended in self.left_out:
            passed = min(max(at - began, 0.0), ended - began)
            place += passed / (ended - began) * self._short - passed
        return place

    @property
    def _short(self) -> float:
        """How long a stretch that is left out is drawn."""
        shown = self.ended - self.began - sum(ended - began for began, ended in self.left_out)
        return shown * _LEFT_OUT_PART if shown > 0 else 1.0


def chart_lines(rows: Sequence[Row], scale: Scale, boundary: float | None, width: int) -> Iterator[str]:
    """A head, the rows, and what the marks mean."""
    is_wide = width >= _WIDE
    starts = [clock(row.began) if is_wide and row.began is not None else "" for row in rows]
    start_width = max(map(len, [*starts, "start (UTC)" if is_wide else ""]))
    label_width = min(max(len(row.label) for row in rows), _LABEL_MAX if is_wide else _LABEL_MAX_NARROW)
    took_width = max(len(row.took) for row in rows)
    left = width - label_width - took_width - 8 - (start_width + 2 if is_wide else 0)
    said_width = min(max(len(row.said) for row in rows), max(_SAID_MIN, left // 2))
    columns = min(max(left - said_width, _COLUMNS_MIN), _COLUMNS_MAX)

    def line(label: str, chart: str, start: str, took: str, said: str) -> str:
        start = f"{start:{start_width}}  " if is_wide else ""
        return (
            f"{cut(label, label_width):{label_width}}  {chart}  {start}{took:>{took_width}}  {said}".rstrip()
        )

    used: set[str] = set()
    axis = f" {_axis(scale, columns)} "
    yield line("", axis, "start (UTC)" if is_wide else "", "", "")
    for row, start in zip(rows, starts, strict=True):
        chart = _chart(row, scale, boundary, columns)
        used.update(chart)
        yield line(row.label, f"[{chart}]", start, row.took, cut(row.said, said_width))
        if row.text is not None:
            yield f"      {row.text}"
    meanings = "   ".join(
        f"{mark}\0{meaning.replace(' ', chr(0))}" for mark, meaning in _MEANINGS.items() if mark in used
    )
    yield ""
    # No line breaks between a mark and its meaning.
    yield from (one.replace("\0", " ") for one in textwrap.wrap(meanings, width, break_on_hyphens=False))


def cut(text: str, length: int) -> str:
    """The text, or its beginning."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _axis(scale: Scale, columns: int) -> str:
    seconds = scale.ended - scale.began
    end = duration(seconds)
    if seconds == 0:
        return f"{end:{columns}}"
    if scale.left_out or columns < _COLUMNS_WITH_MIDDLE:
        return f"0{end:>{columns - 1}}"
    # From the column that the middle has.
    middle = scale.cells(scale.began + seconds / 2, scale.ended, columns).start
    return f"{'0':{middle}}{duration(seconds / 2):{columns - middle - len(end)}}{end}"


def _chart(row: Row, scale: Scale, boundary: float | None, columns: int) -> str:
    """The row's part of the drawing: its bar, and the boundary where nothing else is."""
    cells = [" "] * columns
    if boundary is not None:
        cells[scale.cells(boundary, boundary, columns)] = BOUNDARY
    if row.began is not None:
        bar = scale.cells(row.began, scale.ended if row.ended is None else row.ended, columns)
        cells[bar] = row.mark * (bar.stop - bar.start)
        for began, ended in scale.left_out:
            if row.began <= began and (row.ended is None or row.ended >= ended):
                hidden = scale.cells(began, ended, columns)
                cells[hidden] = _LEFT_OUT * (hidden.stop - hidden.start)
        if row.ended is None:
            cells[-1] = _UNDER_WAY
    return "".join(cells)
