"""The terminals the REPL can talk through: one with a prompt, one for pipes and files, one for scripts.

Rule 1: a terminal shows from Trio's thread and reads in another; only the reading may block.
Rule 2: leaving the block of `lines` ends the reading, whatever was typed by then.
"""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import trio

from engine.repl.lines import Line
from engine.repl.live import Live
from engine.repl.script import TimedLine, play

_STDIN: Final = 0
_STDOUT: Final = 1
_CHUNK_BYTES: Final = 65_536

Lines = trio.MemoryReceiveChannel[str]


class Screen(Protocol):
    """Where lines go to."""

    def show(self, line: Line) -> None:
        """Show a line; never raises because nobody looks."""
        ...

    def show_live(self, live: Live) -> None:
        """Show what is under way now, in place of what was before.  Does nothing where nothing can move."""
        ...


class Terminal(Screen, Protocol):
    """Where lines come from, too.  `interactive`: somebody types, sees it, and may type meanwhile."""

    @property
    def interactive(self) -> bool: ...

    def lines(self) -> AbstractAsyncContextManager[Lines]:
        """Read within the block; the channel ends when the person left or the input did."""
        ...


class PlainTerminal:
    """Pipes, files and terminals without cursor: lines in from a file descriptor, lines out, no colours."""

    def __init__(self, stdin: int = _STDIN) -> None:
        self._stdin = stdin
        self.interactive: Final = os.isatty(stdin)

    def show(self, line: Line) -> None:
        """See `Terminal.show`."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        try:
            print(line.text.encode(encoding, "replace").decode(encoding), flush=True)  # noqa: T201
        except (
            BrokenPipeError
        ):  # `midstream repl | head`: go on unseen; Python's own flush at exit must not fail
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def show_live(self, live: Live) -> None:
        """See `Terminal.show_live`."""

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[Lines]:
        """See `Terminal.lines`."""
        put, lines = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, put)
            yield lines
            nursery.cancel_scope.cancel()

    async def _read(self, put: trio.MemorySendChannel[str]) -> None:
        """Put each line as soon as it is read.  Bytes that are not UTF-8 become replacement characters."""
        async with put:
            rest = b""
            while chunk := await trio.to_thread.run_sync(self._read_some, abandon_on_cancel=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await put.send(line.decode(errors="replace"))
            if rest:
                await put.send(rest.decode(errors="replace"))

    def _read_some(self) -> bytes:
        # Not sys.stdin: an abandoned thread that waits in it would hold its lock, and the interpreter could
        # not end.  A descriptor that cannot be read (closed, a directory) has nothing to say.
        with suppress(OSError):
            return os.read(self._stdin, _CHUNK_BYTES)
        return b""


class ScriptedTerminal:
    """A terminal on which nobody types: its lines come from a script, each at its time."""

    interactive: Final = False

    def __init__(self, screen: Screen, script: Sequence[TimedLine]) -> None:
        self.screen: Final = screen
        self._script = script

    def show(self, line: Line) -> None:
        """See `Terminal.show`."""
        self.screen.show(line)

    def show_live(self, live: Live) -> None:
        """See `Terminal.show_live`."""
        self.screen.show_live(live)

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[Lines]:
        """See `Terminal.lines`."""
        put, lines = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._play, put)
            yield lines
            nursery.cancel_scope.cancel()

    async def _play(self, put: trio.MemorySendChannel[str]) -> None:
        async with put:
            await play(self._script, put.send)


def find_terminal(script: Sequence[TimedLine] = (), history: Path | None = None) -> Terminal:
    """The terminal this process was started with.

    `script`: what is written, in place of what somebody types.  `history`: the file with what was typed in
    earlier runs; None: nothing was, and nothing is kept.
    """
    can_move = os.isatty(_STDOUT) and not _is_dumb()
    if script:
        return ScriptedTerminal(_rich_screen() if can_move else PlainTerminal(), script)
    return _prompt_terminal(history) if can_move and os.isatty(_STDIN) else PlainTerminal()


# Not at import: a pipe needs neither rich nor prompt_toolkit.


def _is_dumb() -> bool:
    from prompt_toolkit.utils import is_dumb_terminal

    return is_dumb_terminal()


def _rich_screen() -> Screen:
    from engine.repl.screen import RichScreen

    return RichScreen()


def _prompt_terminal(history: Path | None) -> Terminal:
    from engine.repl.prompt import PromptTerminal

    return PromptTerminal(history)
