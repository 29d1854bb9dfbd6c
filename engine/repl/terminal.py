"""The terminals the REPL can talk through: one with a prompt, and one for pipes and files.

Rule 1: a terminal shows from Trio's thread and reads in another; only the reading may block.
Rule 2: leaving the block of `lines` ends the reading, whatever was typed by then.
"""

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Final, Protocol

import trio

from engine.repl.lines import INDENT, Line, Tone

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

PROMPT: Final = "you> "
_STDIN: Final = 0
_STDOUT: Final = 1
_CHUNK_BYTES: Final = 65_536
_STYLES: Final = {
    Tone.BOT: "bold cyan",
    Tone.YOU: "bold",
    Tone.LIVE: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "red",
}


class Terminal(Protocol):
    """Where lines come from and go to.  `interactive`: somebody types, sees it, and may type meanwhile."""

    @property
    def interactive(self) -> bool: ...

    def show(self, line: Line) -> None:
        """Show a line; never raises because nobody looks."""
        ...

    def lines(self) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[str]]:
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

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
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


class _CtrlC(Exception):
    """Somebody pressed Ctrl-C at the prompt."""


class PromptTerminal:
    """A terminal whose prompt stays in place while lines appear above it.

    Ctrl-C clears what was typed, as in a shell; with nothing typed it leaves, as Ctrl-D does.
    """

    interactive: Final = True

    def __init__(self) -> None:
        from rich.console import Console  # not at import: a pipe needs neither this nor prompt_toolkit

        # No file: whatever sys.stdout is just now, which within `lines` keeps the prompt whole.
        self._console = Console(soft_wrap=True)

    def show(self, line: Line) -> None:
        """See `Terminal.show`."""
        from rich.text import Text

        text = "\n".join(self._wrap(one) for one in line.text.split("\n"))
        self._console.print(Text(text, style=_STYLES[line.tone]))

    def _wrap(self, text: str) -> str:
        """Words stay whole; what does not fit stands under what was said."""
        from rich.text import Text

        margin = len(INDENT)
        pieces = Text(text[margin:]).wrap(self._console, max(self._console.width - margin, 1))
        return text[:margin] + f"\n{INDENT}".join(piece.plain.rstrip() for piece in pieces)

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
        """See `Terminal.lines`."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import patch_stdout

        session: PromptSession[str] = PromptSession(interrupt_exception=_CtrlC)
        put, lines = trio.open_memory_channel[str](math.inf)  # as fast as somebody types
        token = trio.lowlevel.current_trio_token()
        # One event loop for all prompts: a line shown between two of them would be lost with a loop of each.
        # Raw between them, too: a Ctrl-C there would be a signal, and a Ctrl-D lost.
        with (
            patch_stdout(raw=True),
            session.input.raw_mode(),
            closing(asyncio.new_event_loop()) as loop,
        ):
            prompting = loop.create_task(
                _prompt(session, lambda line: token.run_sync_soon(put.send_nowait, line))
            )

            def read() -> None:
                try:
                    with suppress(asyncio.CancelledError):
                        loop.run_until_complete(prompting)
                finally:
                    token.run_sync_soon(put.close)

            def end() -> None:
                session.app.erase_when_done = True  # nobody will type at this prompt
                prompting.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, read)
                try:
                    yield lines
                finally:
                    loop.call_soon_threadsafe(end)


async def _prompt(session: "PromptSession[str]", put: Callable[[str], object]) -> None:
    """Put line after line until the person leaves; runs on asyncio, in a thread of its own."""
    while True:
        try:
            put(await session.prompt_async([("bold", PROMPT)]))
        except _CtrlC:
            if not session.default_buffer.text:
                return
        except EOFError:
            return


def find_terminal() -> Terminal:
    """The terminal this process was started with."""
    if not (os.isatty(_STDIN) and os.isatty(_STDOUT)):
        return PlainTerminal()
    from prompt_toolkit.utils import is_dumb_terminal

    return PlainTerminal() if is_dumb_terminal() else PromptTerminal()
