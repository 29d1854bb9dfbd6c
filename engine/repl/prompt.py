"""A terminal with a prompt that stays in place: lines appear above it, and what is under way moves there.

Rule 1: within the block of `lines` only the thread of the prompt writes, so that a terminal that takes
nothing for a while (Ctrl-S, a slow line) holds up nobody else.
"""

import asyncio
import math
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import CPR_Support

from engine.repl.history import TypedHistory
from engine.repl.lines import INDENT, Line
from engine.repl.live import FRAME_SECONDS, Live, draw, rows_wrapped
from engine.repl.screen import Painter

if TYPE_CHECKING:
    from engine.repl.terminal import Lines

PROMPT: Final = "you> "


class _CtrlC(Exception):
    """Somebody pressed Ctrl-C at the prompt."""


class PromptTerminal:
    """See `Terminal`.

    Ctrl-C clears what was typed, as in a shell; with nothing typed it leaves, as Ctrl-D does.
    """

    interactive: Final = True

    def __init__(self, history: Path | None = None) -> None:
        self._history = history
        self._painter = Painter()
        self._prompt: _Prompt | None = None

    def show(self, line: Line) -> None:
        """See `Screen.show`."""
        console, text = self._painter.console, self._painter.paint(line)
        if self._prompt is None:
            console.print(text)
            return
        with console.capture() as captured:
            console.print(text)
        self._prompt.print(captured.get())

    def show_live(self, live: Live) -> None:
        """See `Screen.show_live`."""
        if self._prompt is not None:
            self._prompt.show_live(live)

    @asynccontextmanager
    async def lines(self) -> AsyncIterator["Lines"]:
        """See `Terminal.lines`."""
        session: PromptSession[str] = PromptSession(
            interrupt_exception=_CtrlC, history=self._open_history(), prompt_continuation=INDENT
        )
        put, lines = trio.open_memory_channel[str](math.inf)  # as fast as somebody types
        # One event loop for all prompts: a line shown between two of them would be lost with a loop of each.
        # Raw between them, too: a Ctrl-C there would be a signal, and a Ctrl-D lost.
        # Patched for whoever else prints, an assistant's author for instance.
        with (
            patch_stdout(raw=True),
            session.input.raw_mode(),
            closing(asyncio.new_event_loop()) as loop,
            trio.open_signal_receiver(signal.SIGWINCH) as resizes,
        ):
            self._prompt = prompt = _Prompt(session, loop, trio.lowlevel.current_clock().current_time)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(prompt.read, put)
                    nursery.start_soon(prompt.hear, resizes)
                    try:
                        yield lines
                    finally:
                        prompt.end()
            finally:
                self._prompt = None
                prompt.write()  # what came when the thread had ended

    def _open_history(self) -> TypedHistory | None:
        return TypedHistory(self._history) if self._history is not None else None


@attrs.define(eq=False)
class _Prompt:
    """The prompt while lines are read: on asyncio, in a thread of its own."""

    session: PromptSession[str]
    loop: asyncio.AbstractEventLoop
    now: Callable[[], float]
    _asking: "asyncio.Task[None] | None" = None
    _hearing: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _live: Live = attrs.field(factory=Live)
    _ticking: bool = False
    _waiting: deque[str] = attrs.field(factory=deque)
    # How wide the terminal was when the prompt was drawn last.
    _columns: int = 0

    # In Trio's thread -----------------------------------------------------------------------------

    async def read(self, put: trio.MemorySendChannel[str]) -> None:
        """Put line after line until the person leaves, or `end` is called."""
        token = trio.lowlevel.current_trio_token()
        ask = self._ask(lambda line: token.run_sync_soon(put.send_nowait, line))
        self._asking = self.loop.create_task(ask)
        with put, trio.CancelScope(shield=True):  # it must begin, or `end` would end nothing
            await trio.to_thread.run_sync(self._serve, self._asking)
        self._hearing.cancel()

    async def hear(self, resizes: AsyncIterator[int]) -> None:
        """Draw anew whenever the terminal has another size, for as long as lines are read."""
        with self._hearing:
            async for _ in resizes:
                self.loop.call_soon_threadsafe(self._redraw)

    def end(self) -> None:
        """Take no more lines."""
        self.loop.call_soon_threadsafe(self._end)

    def print(self, text: str) -> None:
        """Write it above the prompt."""
        self._waiting.append(text)
        self.loop.call_soon_threadsafe(self.write)

    def show_live(self, live: Live) -> None:
        """Draw it between the lines and the prompt."""
        self.loop.call_soon_threadsafe(self._move, live)

    # In the prompt's ------------------------------------------------------------------------------

    def _serve(self, asking: "asyncio.Task[None]") -> None:
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(asking)
        self.write()

    async def _ask(self, put: Callable[[str], object]) -> None:
        app = self.session.app
        app.terminal_size_polling_interval = None  # `hear` does it
        app.before_render += self._fit
        # It would ask the terminal where the prompt stands, and lines come before the answer: what is drawn
        # would then be too high, and push those lines out of sight.
        app.renderer.cpr_support = CPR_Support.NOT_SUPPORTED
        while True:
            try:
                put(await self.session.prompt_async(self._message))
            except _CtrlC:
                if not self.session.default_buffer.text:
                    return
            except EOFError:
                return

    def _end(self) -> None:
        self.session.app.erase_when_done = True  # nobody will type at this prompt
        if self._asking is not None:
            self._asking.cancel()

    def write(self) -> None:
        """Write what waits.  In Trio's thread only when the prompt's has ended."""
        text = ""
        while self._waiting:
            text += self._waiting.popleft()
        if not text:
            return
        # Not by prompt_toolkit's run_in_terminal: it gives the terminal back to the kernel meanwhile, which
        # then shows what is typed, and takes Ctrl-C and Ctrl-D for itself.
        self._erase()
        self.session.app.output.write_raw(text)
        self.session.app.output.flush()
        self._redraw()

    def _move(self, live: Live) -> None:
        self._live = live
        self._redraw()
        if not self._ticking:
            self._tick()

    def _tick(self) -> None:
        """Draw again and again for as long as something is under way, and not once more."""
        self._ticking = self._live.runs
        if self._ticking:
            self._redraw()
            self.loop.call_later(FRAME_SECONDS, self._tick)

    def _redraw(self) -> None:
        if not self.session.app.is_done:  # it does nothing when no prompt is there
            self.session.app.invalidate()

    def _fit(self, app: Application[str]) -> None:
        """Before the prompt is drawn: take away what a narrower terminal has made of it."""
        if app.output.get_size().columns != self._columns:
            self._erase()
            self._columns = app.output.get_size().columns

    def _erase(self) -> None:
        app = self.session.app
        screen = app.renderer.last_rendered_screen
        if not app.is_running or screen is None:
            return
        columns = app.output.get_size().columns
        if columns < self._columns:
            cursor = screen.get_cursor_position(app.layout.current_window)
            rows = [screen.data_buffer[number] for number in range(cursor.y)]
            # Blanks at the end of a row are not written.
            ends = [max((at for at, cell in row.items() if cell.char != " "), default=0) for row in rows]
            app.output.cursor_up(rows_wrapped([*ends, cursor.x], columns))
        app.renderer.erase()

    def _message(self) -> StyleAndTextTuples:
        app = self.session.app
        size = app.output.get_size()
        # A line that was entered stands there for good, and nothing is under way in it.
        lines = [] if app.is_done else draw(self._live, self.now(), size.columns, size.rows)
        return [*(("ansicyan", f"{line}\n") for line in lines), ("bold", PROMPT)]
