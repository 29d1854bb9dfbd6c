"""The REPL: the same engine as behind WhatsApp, with the terminal as the phone."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import trio

from engine.assistant import Assistant
from engine.languages import Languages
from engine.limits import Limits
from engine.repl.chat import Chat
from engine.repl.script import TimedLine, read_script
from engine.repl.terminal import Terminal, find_terminal

__all__ = ["TimedLine", "read_script", "run_repl"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED: Final = 128  # a shell's exit code for a process ended by a signal: this and the signal's number


def run_repl(
    assistant: Assistant,
    *,
    policy: str = "interrupt",
    limits: Limits | None = None,
    languages: Languages | None = None,
    script: Sequence[TimedLine] = (),
    history: Path | None = None,
) -> int:
    """Talk to an assistant in this process's terminal, or through its pipes; returns the exit code.

    `script`: what is written, in place of what somebody types or pipes in.  `history`: the file for what is
    typed, so that a later run can recall it.  Returns 0 when the person or the input ended it, 128 and the
    signal's number when a signal did.  The conversation is not kept.  Must be called in the main thread;
    raises what `open_engine` raises.
    """
    options = {"policy": policy, "limits": limits, "languages": languages}
    return trio.run(_repl, assistant, find_terminal(script, history), options)


async def _repl(assistant: Assistant, terminal: Terminal, options: dict[str, Any]) -> int:
    chat = Chat(terminal)
    with _leaving_on_signals(chat):
        return await chat.talk(assistant, **options)


@contextmanager
def _leaving_on_signals(chat: Chat) -> Iterator[None]:
    """A signal leaves; one that comes while leaving ends the process where it stands."""
    token = trio.lowlevel.current_trio_token()

    def hear(number: int, frame: FrameType | None) -> None:
        # Never in here, which may be the middle of anything: whoever measures coverage has made os._exit
        # take a lock, and this very thread may hold it.
        if chat.leaving:
            token.run_sync_soon(os._exit, _KILLED + number)
        else:
            token.run_sync_soon(chat.leave, _KILLED + number)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
