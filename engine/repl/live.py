"""What is under way in the operation that runs: whether it thinks, and a bar for each call of its wave.

Rule 1: no I/O, no clock, no Trio: the same events at the same times always give the same bars.
Rule 2: a line of it is shorter than the terminal is wide: one that wraps could not be taken away again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from engine.events import (
    CallFinished,
    CallStarted,
    Event,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    WaveStarted,
)
from engine.repl.lines import INDENT, clean

# How often what is under way is drawn anew, in seconds: seconds are shown with one digit.
FRAME_SECONDS: Final = 0.1

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
# A wave may have 200 calls; the prompt must stay in sight.
_BARS_MAX: Final = 8
_BAR_COLUMNS_MAX: Final = 24
_BAR_COLUMNS_MIN: Final = 4


@attrs.frozen
class Bar:
    """A call under way.

    `began_at`: seconds on Trio's clock.  `seconds_max`: after how many it is ended; 0 if nobody knows.
    """

    call_id: str
    began_at: float
    seconds_max: float = 0.0


@attrs.frozen
class Live:
    """What a terminal shows above its prompt for as long as it lasts."""

    runs: bool = False
    bars: tuple[Bar, ...] = ()

    def after(self, event: Event, at: float, bounds: Mapping[str, float]) -> "Live":
        """What is under way after this event, which came `at` seconds on Trio's clock.

        `bounds`: how many seconds a call of a tool may take, by the tool's name.
        """
        match event:
            case SessionStarted():
                return Live(runs=True)
            case WaveStarted():  # their order is the plan's; that of their starts is chance
                return attrs.evolve(self, bars=tuple(Bar(call_id, at) for call_id in event.call_ids))
            case CallStarted():
                return attrs.evolve(self, bars=tuple(self._bounded(event, bounds)))
            case CallFinished():
                bars = tuple(bar for bar in self.bars if bar.call_id != event.call_id)
                return attrs.evolve(self, bars=bars)
            case SessionCompleted() | SessionCancelled() | SessionFailed() | SessionSuspended():
                return Live()
        return self

    def _bounded(self, event: CallStarted, bounds: Mapping[str, float]) -> Iterator[Bar]:
        for bar in self.bars:
            is_it = bar.call_id == event.call_id
            yield attrs.evolve(bar, seconds_max=bounds.get(event.tool, 0.0)) if is_it else bar


def draw(live: Live, at: float, columns: int, rows: int) -> list[str]:
    """The lines for what is under way `at` seconds on Trio's clock; `columns` and `rows`: the terminal's."""
    lines = list(_draw(live, at, columns, max(1, min(_BARS_MAX, rows - 4))))
    return [_fitted(line, columns - 1) for line in lines]


def rows_wrapped(ends: Sequence[int], columns: int) -> int:
    """How many rows more the rows that end in these columns take on a terminal that has become so narrow.

    Terminals wrap what stands there already; one that does not is rare.

    >>> rows_wrapped([9, 4, 10], 5)
    3
    """
    return sum(end // columns for end in ends)


def _draw(live: Live, at: float, columns: int, bars_max: int) -> Iterator[str]:
    frame = _FRAMES[int(at / FRAME_SECONDS) % len(_FRAMES)]
    if live.runs and not live.bars:
        yield f"{INDENT}  {frame} typing…"
    shown = live.bars if len(live.bars) <= bars_max else live.bars[: bars_max - 1]
    names = [_fitted(clean(bar.call_id).replace("\n", " "), columns // 3) for bar in shown]
    name_columns = max(map(_columns_of, names), default=0)
    for bar, name in zip(shown, names, strict=True):
        name += " " * (name_columns - _columns_of(name))
        yield f"{INDENT}  {frame} {name}  {_draw_time(bar, at, columns - name_columns - len(INDENT) - 7)}"
    if len(shown) < len(live.bars):
        yield f"{INDENT}    … and {len(live.bars) - len(shown)} more"


def _draw_time(bar: Bar, at: float, columns: int) -> str:
    """The seconds that have passed and those that it may take, as a bar where there is room."""
    seconds = max(0.0, at - bar.began_at)
    if not bar.seconds_max:
        return f"{seconds:.1f} s"
    digits = len(f"{bar.seconds_max:.1f}")  # so that the bar keeps its length when the seconds get one more
    words = f"{seconds:{digits}.1f} of {bar.seconds_max:g} s"
    bar_columns = min(_BAR_COLUMNS_MAX, columns - len(words) - 2)
    if bar_columns < _BAR_COLUMNS_MIN:
        return words
    full = int(bar_columns * min(1.0, seconds / bar.seconds_max))
    return f"{'━' * full}{'─' * (bar_columns - full)}  {words}"


def _columns_of(text: str) -> int:
    from rich.cells import cell_len  # not at import: a pipe does not need it

    return cell_len(text)


def _fitted(text: str, columns: int) -> str:
    """The text, cut where it would take more columns."""
    from rich.cells import set_cell_size

    if _columns_of(text) <= columns:
        return text
    return set_cell_size(text, max(0, columns - 1)).rstrip(" …") + "…"
