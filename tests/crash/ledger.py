"""A side ledger: JSON lines on disk that outlive whoever wrote them."""

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, **fields: Any) -> None:
    """Append one line, whole and on disk when this returns, whichever thread calls."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, json.dumps(fields).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> list[dict[str, Any]]:
    """Every line, oldest first; none when nobody wrote."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
