"""A side ledger: JSON lines on disk that outlive whoever wrote them."""

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, **fields: Any) -> None:
    """Append one line, whole and on disk when this returns, whichever thread calls."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # A line break before it too: the line of a process that was killed in its middle stays apart.
        os.write(file, b"\n" + json.dumps(fields).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line, oldest first; none when nobody wrote."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for text in lines if (line := _whole(text)) is not None]


def _whole(text: str) -> dict[str, Any] | None:
    """None for a line that a death has cut: whoever was to write it had done nothing yet."""
    try:
        line: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return line
