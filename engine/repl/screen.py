"""A terminal with colours, on which what is under way moves below what was shown."""

from collections.abc import Callable
from typing import Final

import trio
from rich import live as rich_live
from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from engine.repl.lines import INDENT, Line, Tone
from engine.repl.live import FRAME_SECONDS, Live, draw, rows_wrapped

_STYLES: Final = {
    Tone.BOT: "bold cyan",
    Tone.YOU: "bold",
    Tone.LIVE: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "red",
}


class Painter:
    """Lines as this process's terminal shows them: in colours if it has any, words kept whole."""

    def __init__(self) -> None:
        # No file: whatever sys.stdout is just now.
        self.console: Final = Console(soft_wrap=True)

    def paint(self, line: Line) -> Text:
        """The line in its colour, wrapped; what does not fit stands under what was said."""
        text = "\n".join(self._wrap(one) for one in line.text.split("\n"))
        return Text(text, style=_STYLES[line.tone])

    def _wrap(self, text: str) -> str:
        margin = len(INDENT)
        pieces = Text(text[margin:]).wrap(self.console, max(self.console.width - margin, 1))
        return text[:margin] + f"\n{INDENT}".join(piece.plain.rstrip() for piece in pieces)


class RichScreen:
    """See `Screen`.  rich draws what moves, in a thread of its own, for as long as something does."""

    def __init__(self) -> None:
        self._painter = Painter()
        self._moving: rich_live.Live | None = None
        self._live = Live()

    def show(self, line: Line) -> None:
        """See `Screen.show`."""
        self._painter.console.print(self._painter.paint(line))

    def show_live(self, live: Live) -> None:
        """See `Screen.show_live`."""
        self._live = live
        if live.runs and self._moving is None:
            self._moving = rich_live.Live(
                get_renderable=self._drawing(trio.lowlevel.current_clock().current_time),
                console=self._painter.console,
                refresh_per_second=1 / FRAME_SECONDS,
                transient=True,
            )
            self._moving.start()
        elif not live.runs and self._moving is not None:
            self._moving.stop()
            self._moving = None

    def _drawing(self, now: Callable[[], float]) -> Callable[[], Text]:
        console = self._painter.console
        columns, lines = 0, list[str]()

        def drawn() -> Text:
            nonlocal columns, lines
            if console.width < columns:
                # rich goes up as many rows as it has drawn; these are what the terminal has made more.
                more = rows_wrapped([cell_len(line) - 1 for line in lines], console.width)
                console.control(Control(*[(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * more))
            columns, lines = console.width, draw(self._live, now(), *console.size)
            return Text("\n".join(lines), style="cyan")

        return drawn
