"""What was typed in earlier runs of the REPL."""

from pathlib import Path

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from engine.repl.history import HISTORY_BYTES_MAX, TypedHistory
from engine.repl.prompt import PromptTerminal


def _recalled(path: Path) -> list[str]:
    """Newest first."""
    return list(TypedHistory(path).load_history_strings())


async def _type(path: Path, keys: str) -> list[str]:
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        typed.send_text(keys)
        async with PromptTerminal(path).lines() as lines:
            return [line async for line in lines]


async def test_a_later_run_recalls_what_was_typed(tmp_path) -> None:
    """The Up arrow gives the newest line first, across runs."""
    path = tmp_path / "state" / "midstream" / "history"
    assert await _type(path, "Check Hanukkah\rActually Passover\r\x04") == [
        "Check Hanukkah",
        "Actually Passover",
    ]
    assert _recalled(path) == ["Actually Passover", "Check Hanukkah"]


def test_only_its_owner_can_read_the_file(tmp_path) -> None:
    """It holds what somebody wrote."""
    path = tmp_path / "midstream" / "history"
    TypedHistory(path).store_string("Check Hanukkah\nand Passover")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert _recalled(path) == ["Check Hanukkah\nand Passover"]


def test_a_file_that_cannot_be_used_is_no_reason_not_to_talk(tmp_path) -> None:
    """A folder in its place, a file in its folder's place."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "history"):
        TypedHistory(path).store_string("Check Hanukkah")
        assert _recalled(path) == []


def test_of_a_file_that_has_grown_too_large_the_newer_half_stays(tmp_path) -> None:
    """Whole lines, readable by its owner only; at the bound itself nothing goes."""
    path = tmp_path / "history"
    entry = "\n# {:>12}\n+{}\n"
    size = len(entry.format(0, "x" * 1000))
    count = HISTORY_BYTES_MAX // size
    text = "".join(entry.format(number, f"{number:>1000}") for number in range(count))
    path.write_text(text + "#" * (HISTORY_BYTES_MAX - len(text) - 1) + "\n")
    assert len(_recalled(path)) == count
    path.write_text(path.read_text() + "\n")
    numbers = [int(line) for line in _recalled(path)]
    assert numbers == list(range(count - 1, count - 1 - len(numbers), -1))
    assert count // 2 - 1 <= len(numbers) <= count // 2
    assert path.stat().st_mode & 0o777 == 0o600
