"""The REPL as a process: its terminal, its pipes, its signals, its exit codes."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest
import trio
import trio.testing

from engine import Call, Plan, tool
from engine.__main__ import main
from engine.repl import run_repl
from engine.repl.prompt import PROMPT, PromptTerminal
from engine.repl.screen import RichScreen
from engine.repl.script import TimedLine
from engine.repl.terminal import PlainTerminal, ScriptedTerminal, find_terminal
from engine.testing import scripted_assistant, sleeping_tool

# Not a bound on how fast anything is: only so that a hanging test ends.
_HANG_SECONDS = 100.0
# How it comes over the wire: prompt_toolkit moves the cursor instead of writing a space at a line's end.
_PROMPT = PROMPT.rstrip()
_SLOW_REPL = """
import sys
from engine import Call, Plan
from engine.repl import run_repl
from engine.testing import scripted_assistant, sleeping_tool
slow = sleeping_tool("slow", 1000.0, timeout=2000.0)
sys.exit(run_repl(scripted_assistant(Plan(Call("slow", slow)), tools=[slow])))
"""

_SCRIPTED_REPL = """
import sys
from pathlib import Path
from engine import Call, Plan
from engine.repl import read_script, run_repl
from engine.testing import scripted_assistant, sleeping_tool
slow = sleeping_tool("slow", float(sys.argv[2]), timeout=1000.0)
assistant = scripted_assistant(Plan(Call("slow", slow)), tools=[slow])
sys.exit(run_repl(assistant, script=read_script(Path(sys.argv[1]))))
"""
_TALKATIVE_REPL = """
import sys
from pathlib import Path
from engine import Call, Plan, tool
from engine.repl import run_repl
from engine.testing import scripted_assistant, sleeping_tool

@tool(timeout=1000)
def tell() -> None:
    Path(sys.argv[1]).write_text("wave 2")

look = sleeping_tool("look", 0.0)
many = [Call(f"{number}-" + "x" * 2000, look) for number in range(100)]
plan = Plan(*many, Call("tell", tell, after=[many[0].id]))
sys.exit(run_repl(scripted_assistant(plan, tools=[look, tell])))
"""

# A real terminal -----------------------------------------------------------------------------------


@attrs.define(eq=False)
class Screen:
    """A process on a terminal, and the person before it."""

    process: subprocess.Popen[bytes]
    keys: int
    seen: bytes = b""

    def type(self, keys: bytes) -> None:
        os.write(self.keys, keys)

    def resize(self, *, columns: int) -> None:
        termios.tcsetwinsize(self.keys, (24, columns))
        self.process.send_signal(signal.SIGWINCH)  # the kernel's, had it a session's terminal

    def wait_for(self, text: str) -> None:
        """Read on until the text has appeared once more than before this call returned last."""
        give_up_at = time.monotonic() + _HANG_SECONDS
        while text.encode() not in self.seen:
            assert select.select([self.keys], [], [], max(0, give_up_at - time.monotonic()))[0], self.seen
            self.seen += os.read(self.keys, 65_536)
        self.seen = self.seen.partition(text.encode())[2]

    def wait_for_exit(self) -> int:
        """The exit code.  What is still shown is read, so that the process can end."""
        while select.select([self.keys], [], [], _HANG_SECONDS)[0]:
            try:
                self.seen += os.read(self.keys, 65_536)
            except OSError:  # Linux's way of saying that the other side was closed
                break
        return self.process.wait(_HANG_SECONDS)


@contextmanager
def _on_a_terminal(*arguments: str, **variables: str) -> Iterator[Screen]:
    keys, terminal = pty.openpty()
    # Nobody answers the question where the cursor is.
    environment = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"} | variables
    process = subprocess.Popen(  # our own interpreter
        [sys.executable, *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        yield Screen(process, keys)
    finally:
        process.kill()
        process.wait()
        os.close(keys)


def test_a_person_talks_to_the_almanac_and_leaves_with_ctrl_d() -> None:
    """The whole way: prompt, live lines above it, reply, and exit code 0 without a word of Python."""
    with _on_a_terminal("-m", "engine") as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"Actually Passover\r")
        screen.wait_for("plan")
        screen.wait_for("finished in")
        screen.wait_for("bot> Passover")
        screen.wait_for(_PROMPT)
        screen.type(b"\x04")
        assert screen.wait_for_exit() == 0
        assert b"Traceback" not in screen.seen


def test_ctrl_c_at_the_empty_prompt_leaves_with_code_0() -> None:
    """It is a key then, not a signal: the person wishes to leave."""
    with _on_a_terminal("-m", "engine") as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"half a line\x03")
        screen.wait_for(_PROMPT)
        screen.type(b"\x03")
        assert screen.wait_for_exit() == 0
        assert b"Traceback" not in screen.seen


def test_ctrl_c_while_leaving_leaves_at_once() -> None:
    """A wave under way has its grace; whoever will not wait need not."""
    with _on_a_terminal("-c", _SLOW_REPL) as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"Passover\r")
        screen.wait_for("wave 1")
        screen.wait_for(_PROMPT)  # while lines are written above it, the kernel would eat a Ctrl-D
        screen.type(b"\x04")
        screen.wait_for("leaving at the next boundary")
        screen.process.send_signal(signal.SIGINT)
        assert screen.wait_for_exit() == 130
        assert b"Traceback" not in screen.seen


def test_a_signal_at_the_prompt_leaves_with_the_code_that_shells_know() -> None:
    """And without a word of Python."""
    with _on_a_terminal("-m", "engine") as screen:
        screen.wait_for(_PROMPT)
        screen.process.send_signal(signal.SIGTERM)
        assert screen.wait_for_exit() == 143
        assert b"Traceback" not in screen.seen


def test_the_up_arrow_recalls_what_was_typed_in_an_earlier_run(tmp_path) -> None:
    """Where the XDG Base Directory Specification wants it."""
    here = {"XDG_STATE_HOME": str(tmp_path)}
    with _on_a_terminal("-m", "web", "repl", **here) as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"/history\r")
        screen.wait_for("nothing has been said")
        screen.type(b"\x04")
        assert screen.wait_for_exit() == 0
    assert (tmp_path / "midstream" / "history").exists()
    with _on_a_terminal("-m", "web", "repl", **here) as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"\x1b[A")
        screen.wait_for("/history")
        screen.type(b"\r")
        screen.wait_for("nothing has been said")
        screen.type(b"\x04")
        assert screen.wait_for_exit() == 0


def test_a_call_has_a_bar_while_it_runs() -> None:
    """With the seconds that it may take; and its own line in the end."""
    with _on_a_terminal("-c", _SLOW_REPL) as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"Passover\r")
        screen.wait_for("of 2000 s")
        screen.wait_for(_PROMPT)


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_engine(tmp_path) -> None:
    """Far more is shown than fits between it and us, and nobody reads; the next wave runs all the same."""
    os.mkfifo(tmp_path / "told")
    with _on_a_terminal("-c", _TALKATIVE_REPL, str(tmp_path / "told")) as screen:
        screen.wait_for(_PROMPT)
        screen.type(b"Passover\r")
        told = os.open(tmp_path / "told", os.O_RDONLY | os.O_NONBLOCK)
        assert select.select([told], [], [], _HANG_SECONDS)[0]
        assert os.read(told, 100) == b"wave 2"
        os.close(told)
        screen.wait_for("bot> done: Passover")


def test_what_a_narrower_terminal_has_wrapped_is_taken_away() -> None:
    """From the row on in which it now begins."""
    with _on_a_terminal("-m", "engine") as screen:
        screen.resize(columns=60)
        screen.wait_for(_PROMPT)
        screen.type(b"a line of forty characters, to be wrapped")
        screen.wait_for("wrapped")
        screen.resize(columns=20)
        screen.wait_for("\x1b[2A")  # of 46 columns, the terminal has made three rows
        screen.wait_for("a line")


def test_a_resize_is_heard_while_nothing_else_happens() -> None:
    """The prompt of five columns is drawn anew from the row above."""
    with _on_a_terminal("-m", "engine") as screen:
        screen.wait_for(_PROMPT)
        screen.resize(columns=4)
        screen.wait_for("\x1b[A")


# Scripts -------------------------------------------------------------------------------------------


def test_a_script_is_played_on_a_terminal_with_its_bars_and_ends(tmp_path) -> None:
    """Nobody types; the last answer is waited for."""
    script = tmp_path / "demo.txt"
    script.write_text("0 Check Hanukkah\n+0.1 Actually Passover\n")
    with _on_a_terminal("-c", _SCRIPTED_REPL, str(script), "0.5") as screen:
        screen.wait_for("you> Check Hanukkah")
        screen.wait_for("of 1000 s")
        screen.wait_for("bot> done: Actually Passover")
        assert screen.wait_for_exit() == 0


def test_what_a_narrower_terminal_has_wrapped_is_taken_away_from_under_a_script(tmp_path) -> None:
    """As at a prompt."""
    script = tmp_path / "demo.txt"
    script.write_text("0 Check Hanukkah\n")
    with _on_a_terminal("-c", _SCRIPTED_REPL, str(script), "900") as screen:
        screen.resize(columns=60)
        screen.wait_for("of 1000 s")
        screen.resize(columns=20)
        screen.wait_for("\x1b[2K\x1b[1A" * 2)  # of a bar of 54 columns, the terminal has made three rows
        screen.wait_for("slow")


def test_ctrl_c_ends_a_script(tmp_path) -> None:
    """At the boundary, as a signal does: there is no prompt."""
    script = tmp_path / "demo.txt"
    script.write_text("0 Check Hanukkah\n+1000 Actually Passover\n")
    with _on_a_terminal("-m", "engine", "--script", str(script)) as screen:
        screen.wait_for("wave 1")
        screen.process.send_signal(signal.SIGINT)
        screen.wait_for("suspended at the boundary after wave 1")
        assert screen.wait_for_exit() == 130
        assert b"Traceback" not in screen.seen


@pytest.mark.parametrize(
    ("module", "name"), [(["engine"], "python -m engine"), (["web", "repl"], "midstream")]
)
def test_a_script_that_cannot_be_played_is_refused_in_one_line(tmp_path, module, name) -> None:
    """With the code of a wrong command line."""
    script = tmp_path / "demo.txt"
    script.write_text("2 a\nb\n")
    done = subprocess.run(  # our own interpreter
        [sys.executable, "-m", *module, "--script", str(script)],
        capture_output=True,
        text=True,
        timeout=_HANG_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name}: {script}:2: no time at its beginning; ")
    assert done.stderr.count("\n") == 1


# Pipes ---------------------------------------------------------------------------------------------


def test_a_pipe_takes_every_line_and_ends_with_code_0() -> None:
    """`printf '…' | midstream repl`: no colours, no prompt, the last answer at the end."""
    done = subprocess.run(  # our own interpreter
        [sys.executable, "-m", "engine"],
        input="Check Hanukkah\nActually Passover\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=_HANG_SECONDS,
        check=True,
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("you> ")] == [
        "you> Check Hanukkah",
        "you> Actually Passover",
    ]
    replies = [line for line in lines if line.startswith("bot> ")]
    assert replies[0] == "bot> Got it! Switching to your new request..."
    assert replies[1].startswith("bot> Passover")
    # The calendar file.
    assert len(replies) == 3


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`midstream repl | head -1`."""
    process = subprocess.Popen(  # our own interpreter
        [sys.executable, "-m", "engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"/help\n/help\n")
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(_HANG_SECONDS) == 0


# This process's own --------------------------------------------------------------------------------


@contextmanager
def _stdin(content: bytes, *, ends: bool) -> Iterator[None]:
    """Descriptor 0 is a pipe for the length of the block."""
    before = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, content)
    os.dup2(reader, 0)
    os.close(reader)
    if ends:
        os.close(writer)
    try:
        yield
    finally:
        if not ends:
            os.close(writer)
        os.dup2(before, 0)
        os.close(before)


def test_main_talks_to_the_almanac(capsys) -> None:
    """What `python -m engine` runs; with nothing to read it says hello and ends well."""
    with _stdin(b"", ends=True):
        assert main([]) == 0
    assert "is not kept" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_code_that_shells_know(capsys, number, code) -> None:
    """128 and the number; what ran is suspended, and the handlers of before are back."""

    @tool(timeout=10)
    async def be_interrupted() -> None:
        signal.raise_signal(number)
        await trio.testing.wait_all_tasks_blocked()  # the signal is heard while this wave runs

    look = sleeping_tool("look", 0.0)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assistant = scripted_assistant(
        Plan(Call("a", be_interrupted), Call("b", look, after=["a"])), tools=[be_interrupted, look]
    )
    with _stdin(b"Passover\n", ends=False):
        assert run_repl(assistant) == code
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    assert "suspended at the boundary after wave 1; wave 2 does not start" in capsys.readouterr().out


def test_a_signal_while_leaving_exits_when_nothing_is_in_its_middle(monkeypatch) -> None:
    """Not in the signal's handler: what `os._exit` does under coverage may need what is held then."""
    exits = []
    exited = trio.Event()
    is_busy = False

    def exit(code: int) -> None:
        exits.append((code, is_busy))
        exited.set()

    @tool(timeout=10)
    async def be_interrupted() -> None:
        nonlocal is_busy
        signal.raise_signal(signal.SIGINT)
        await trio.testing.wait_all_tasks_blocked()
        is_busy = True
        signal.raise_signal(signal.SIGINT)
        is_busy = False
        await exited.wait()

    monkeypatch.setattr("os._exit", exit)
    assistant = scripted_assistant(Plan(Call("a", be_interrupted)), tools=[be_interrupted])
    with _stdin(b"Passover\n", ends=False):
        assert run_repl(assistant) == 130
    assert exits == [(130, False)]


@pytest.mark.parametrize(
    ("terminals", "term", "kind"),
    [
        ({0, 1}, "xterm", PromptTerminal),
        ({0, 1}, "dumb", PlainTerminal),
        ({0}, "xterm", PlainTerminal),
        ({1}, "xterm", PlainTerminal),
        (set(), "xterm", PlainTerminal),
    ],
)
def test_only_a_terminal_on_both_sides_gets_a_prompt(monkeypatch, terminals, term, kind) -> None:
    """Colours and cursor movements belong on a terminal that knows them."""
    monkeypatch.setattr("os.isatty", terminals.__contains__)
    monkeypatch.setenv("TERM", term)
    assert type(find_terminal()) is kind


@pytest.mark.parametrize(
    ("terminals", "term", "moves"),
    [({0, 1}, "xterm", True), ({1}, "xterm", True), ({0, 1}, "dumb", False), ({0}, "xterm", False)],
)
def test_a_script_has_bars_wherever_it_is_shown_on_a_terminal(monkeypatch, terminals, term, moves) -> None:
    """Where its input comes from does not matter: nobody types."""
    monkeypatch.setattr("os.isatty", terminals.__contains__)
    monkeypatch.setenv("TERM", term)
    terminal = find_terminal([TimedLine(0, "Check Hanukkah")])
    assert isinstance(terminal, ScriptedTerminal)
    assert type(terminal.screen) is (RichScreen if moves else PlainTerminal)
