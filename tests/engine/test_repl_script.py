"""Scripts for the REPL: how they are written, and when their lines come."""

import pytest
import trio

from engine import ScriptError
from engine.repl import read_script
from engine.repl.script import SCRIPT_BYTES_MAX, TimedLine, parse_script, play

_FORM = 'a line is seconds and a text, as "0.0 Check Hanukkah" or "+1.5 Actually Passover"'


def test_a_line_is_a_time_and_a_text() -> None:
    """From the start, or after the line above it; blanks around either do not matter."""
    script = "0.0 Check Hanukkah\n +1.5\tActually  Passover \n\n# a comment\n2 /stop\n+0 2\r\n"
    assert parse_script(script, "demo.txt") == (
        TimedLine(0.0, "Check Hanukkah"),
        TimedLine(1.5, "Actually  Passover"),
        TimedLine(2.0, "/stop"),
        TimedLine(2.0, "2"),
    )


def test_a_text_may_begin_with_the_sign_of_a_comment() -> None:
    """Only at the beginning of a line is it one."""
    assert parse_script("1 # no comment", "demo.txt") == (TimedLine(1.0, "# no comment"),)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", f"demo.txt: has no line to play; {_FORM}"),
        ("# only this\n", f"demo.txt: has no line to play; {_FORM}"),
        ("Check Hanukkah", f"demo.txt:1: no time at its beginning; {_FORM}"),
        ("0 a\n-1 b", f"demo.txt:2: no time at its beginning; {_FORM}"),
        ("0 a\n1,5 b", f"demo.txt:2: no time at its beginning; {_FORM}"),
        ("nan a", f"demo.txt:1: no time at its beginning; {_FORM}"),
        ("٣ a", f"demo.txt:1: no time at its beginning; {_FORM}"),
        ("0 a\n\n# b\n3.5", f"demo.txt:4: no text behind the time; {_FORM}"),
        ("3.5 \x1b", f"demo.txt:1: no text behind the time; {_FORM}"),
        (
            "2 a\n1 b",
            "demo.txt:2: 1 s is before the line above it, at 2 s; put them in order, or write +SECONDS",
        ),
        ("86400 a\n+1 b", "demo.txt:2: 86,401 s is later than a day (86,400 s) after the start"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(script: str, said: str) -> None:
    """With the file, the line and the remedy."""
    with pytest.raises(ScriptError) as refusal:
        parse_script(script, "demo.txt")
    assert str(refusal.value) == said


def test_a_script_is_read_from_a_file(tmp_path) -> None:
    """Of UTF-8; an editor's mark at its beginning is no part of it."""
    path = tmp_path / "demo.txt"
    path.write_text("\ufeff0 חנוכה\n", encoding="utf-8")
    assert read_script(path) == (TimedLine(0.0, "חנוכה"),)


def test_a_script_may_have_a_mebibyte(tmp_path) -> None:
    """The bound itself passes; what is larger is no script."""
    path = tmp_path / "demo.txt"
    path.write_bytes(b"0 a\n" + b"#" * (SCRIPT_BYTES_MAX - 4))
    assert read_script(path) == (TimedLine(0.0, "a"),)
    path.write_bytes(b"0 a\n" + b"#" * (SCRIPT_BYTES_MAX - 3))
    with pytest.raises(ScriptError, match=r"demo\.txt: is larger than 1,048,576 bytes; is it a script\?$"):
        read_script(path)


def test_a_file_that_is_no_script_is_refused(tmp_path) -> None:
    """In one line, whatever it is."""
    with pytest.raises(ScriptError, match=r"none\.txt: cannot be read: No such file or directory$"):
        read_script(tmp_path / "none.txt")
    with pytest.raises(ScriptError, match=r": cannot be read: Is a directory$"):
        read_script(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"0 caf\xe9")
    with pytest.raises(ScriptError, match=r"latin\.txt: is not UTF-8 text; write it anew$"):
        read_script(tmp_path / "latin.txt")


async def test_each_line_is_written_at_its_time(autojump_clock) -> None:
    """Counted from the start of the script, so that what writing takes does not add up."""
    written = []

    async def write(text: str) -> None:
        written.append((trio.current_time() - began, text))
        await trio.sleep(0.5)

    await trio.sleep(10)
    began = trio.current_time()
    await play(parse_script("0 a\n1 b\n+1 c\n+0 d", "demo.txt"), write)
    assert written == [(0, "a"), (1, "b"), (2, "c"), (2.5, "d")]
