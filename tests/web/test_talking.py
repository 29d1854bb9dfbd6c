"""`midstream repl` as a process: the settings reach the conversation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from web.__main__ import history_path

# Not a bound on how fast anything is: only so that a hanging test ends.
HANG_SECONDS = 100.0


def talk(folder: Path, said: str, **environment: str) -> list[str]:
    """The lines that a conversation through a pipe shows, after the two of welcome."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MIDSTREAM_", "WHATSAPP_"))
    }
    done = subprocess.run(  # our own interpreter
        [sys.executable, "-m", "web", "repl"],
        input=said,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env=clean | {"PYTHONIOENCODING": "utf-8"} | environment,
        timeout=HANG_SECONDS,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()[2:]


def test_a_file_of_texts_is_what_the_terminal_is_told(tmp_path: Path) -> None:
    """The same texts and stop words as on WhatsApp; and what local mode has no use for is not asked for."""
    (tmp_path / "texts.toml").write_text('[es]\nnothing_to_stop = "Nada."\nstop_words = ["alto"]\n')
    shown = talk(tmp_path, "¡Alto!\n", MIDSTREAM_TEXTS="texts.toml", WHATSAPP_ACCESS_TOKEN="EAA")  # noqa: S106
    assert shown == ["you> ¡Alto!", "bot> Nada."]


def test_the_policy_that_is_set_decides_in_the_terminal(tmp_path: Path) -> None:
    """Under enqueue both lines are answered, in order."""
    shown = talk(
        tmp_path,
        "Check Hanukkah\nActually Passover\n",
        MIDSTREAM_POLICY="enqueue",
        MIDSTREAM_PACE_SECONDS="0.01",
    )
    said = [line.partition(",")[0] for line in shown if line.startswith("bot>")]
    # Each with its calendar file behind.
    assert said[::2] == ["bot> Hanukkah", "bot> Passover"]


def test_an_acknowledgement_of_ones_own_is_said_in_the_terminal(tmp_path: Path) -> None:
    """As it is set."""
    shown = talk(
        tmp_path,
        "Check Hanukkah\nActually Passover\n",
        MIDSTREAM_ACKNOWLEDGEMENT="Moment …",
    )
    assert next(line for line in shown if line.startswith("bot>")) == "bot> Moment …"


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/anna"}, Path("/state/midstream/history")),
        ({"HOME": "/home/anna"}, Path("/home/anna/.local/state/midstream/history")),
        ({"XDG_STATE_HOME": "", "HOME": "/home/anna"}, Path("/home/anna/.local/state/midstream/history")),
        ({"XDG_STATE_HOME": "a", "HOME": "/home/anna"}, Path("/home/anna/.local/state/midstream/history")),
        ({"HOME": "anna"}, None),
        ({}, None),
    ],
)
def test_what_is_typed_is_kept_where_the_xdg_specification_wants_it(
    environment: dict[str, str], path: Path | None
) -> None:
    """A relative path is as good as none; without a home nothing is kept."""
    assert history_path(environment) == path
