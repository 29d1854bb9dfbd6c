"""The demo that the documentation shows is what the REPL does.

Run as a program, this writes what is shown anew.
"""

import datetime
import io
import re
from contextlib import redirect_stdout
from itertools import groupby
from pathlib import Path

import trio
import trio.testing

from engine.assistants.almanac import make_almanac
from engine.repl.chat import Chat
from engine.repl.script import parse_script
from engine.repl.terminal import PlainTerminal, ScriptedTerminal

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "show-a-demo.md"
_BLOCK = re.compile(r"```text\n(.*?)```", re.DOTALL)
# The script names its years; only whether they are past depends on the day.
_TODAY = datetime.date(2026, 11, 26)


async def play(script: str) -> str:
    """What `midstream repl --script` writes into a pipe."""
    almanac = make_almanac(pace_seconds=1.0, today=lambda: _TODAY)
    with redirect_stdout(io.StringIO()) as shown:
        terminal = ScriptedTerminal(PlainTerminal(), parse_script(script, "demo.txt"))
        assert await Chat(terminal).talk(almanac, now=trio.current_time) == 0
    return in_order(shown.getvalue())


def in_order(shown: str) -> str:
    """Calls that end at the same moment, in the order of their names: which comes first is chance."""
    groups = groupby(shown.splitlines(), key=lambda line: line.startswith("       ✓"))
    lines = [line for is_calls, group in groups for line in (sorted(group) if is_calls else group)]
    return "\n".join(lines) + "\n"


async def test_the_demo_of_the_documentation_is_what_the_repl_shows(autojump_clock) -> None:
    """Line by line; `python tests/engine/test_repl_demo.py` writes it anew."""
    script, shown = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert await play(script) == shown


async def test_a_script_shows_the_same_each_time(autojump_clock) -> None:
    """That is what it is for."""
    script, _shown = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert await play(script) == await play(script)


def write_anew() -> None:
    """Put what the REPL shows now into the page."""
    page = PAGE.read_text(encoding="utf-8")
    script, shown = _BLOCK.finditer(page)
    new = trio.run(play, script[1], clock=trio.testing.MockClock(autojump_threshold=0))
    PAGE.write_text(page[: shown.start(1)] + new + page[shown.end(1) :], encoding="utf-8")


if __name__ == "__main__":
    write_anew()
