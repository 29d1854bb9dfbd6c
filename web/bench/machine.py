"""Names the machine that figures come from."""

import os
import platform
import sqlite3
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

# A page, as often as it takes for a median.
_SYNCS: Final = 50
_PAGE_BYTES: Final = 4096


def describe_machine(folder: Path) -> dict[str, Any]:
    """What figures depend on.  `folder`: on the disk that is measured."""
    return {
        "python": platform.python_version(),
        "trio": version("trio"),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(Path("/proc/cpuinfo")),
        "cpus": os.cpu_count(),
        # Tells a disk from what only looks like one.
        "fsync_milliseconds": round(_time_fsync(folder / "page") * 1000, 3),
        # What else ran: above the number of CPUs, wall-clock times are not ours alone.
        "load": round(os.getloadavg()[0], 2),
    }


def _processor(path: Path) -> str:
    """The processor's name as Linux has it; other systems tell less."""
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _time_fsync(path: Path) -> float:
    """Seconds that it takes here to write a page and have it on the disk: a median."""
    page = os.urandom(_PAGE_BYTES)
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            started_at = time.perf_counter()
            file.write(page)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started_at)
    return statistics.median(seconds)
