"""What was typed in earlier runs of the REPL, for the Up arrow: a file that only its owner may read.

Rule 1: a history that cannot be read or written is no reason not to talk.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from prompt_toolkit.history import FileHistory

# Thousands of lines.  When it is reached, the older half goes.
HISTORY_BYTES_MAX: Final = 256 * 1024


class TypedHistory(FileHistory):
    """The lines of a file, which is made with its folder when the first one is typed.

    It blocks: nothing for Trio's thread.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """The lines, newest first."""
        with suppress(OSError):
            self._shorten()
            return super().load_history_strings()
        return ()

    def store_string(self, string: str) -> None:
        """Add a line."""
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(_open_private(self._path, os.O_WRONLY | os.O_CREAT))
            super().store_string(string)

    def _shorten(self) -> None:
        if not self._path.exists() or self._path.stat().st_size <= HISTORY_BYTES_MAX:
            return
        newer = self._path.read_bytes()[-HISTORY_BYTES_MAX // 2 :]
        _, mark, entries = newer.partition(b"\n#")  # whole ones only
        shorter = self._path.with_name(f"{self._path.name}.new")
        with open(shorter, "wb", opener=_open_private) as file:
            file.write(mark + entries)
        shorter.replace(self._path)


def _open_private(path: os.PathLike[str] | str, flags: int) -> int:
    return os.open(path, flags, 0o600)
