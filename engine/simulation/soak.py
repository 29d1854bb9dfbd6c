"""`make soak-simulation`: typical operations by the million, no promise broken, memory flat.

python -m engine.simulation.soak [OPERATIONS]
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from engine.simulation.command import failure_lines
from engine.simulation.run import Report, simulate
from engine.simulation.scenario import Scenario
from engine.simulation.typical import make_typical_scenario

OPERATIONS: Final = 1_000_000
# By then caches are full and the allocator has what it keeps.
_WARM_UP_PART: Final = 0.2
# An allocator is never quite still; what leaks by the operation grows past this in a million of them.
_GROWTH_BYTES_MAX: Final = 16 * 2**20
# How often it is measured, and said.
_SAMPLES: Final = 100
_STATM: Final = Path("/proc/self/statm")


def resident_bytes() -> int:
    """The memory that this process has now; where a system does not say, the most that it ever had."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def growth(samples: Sequence[int]) -> str | None:
    """How memory has grown, None when it has not; `samples` in bytes, evenly over the whole run.

    Of what comes after the warm-up the last quarter is held against the first.
    """
    warm = samples[int(len(samples) * _WARM_UP_PART) :]
    quarter = len(warm) // 4
    if not quarter:
        return None
    before, after = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
    if after - before <= _GROWTH_BYTES_MAX:
        return None
    return f"memory grew from {_mebibytes(before)} to {_mebibytes(after)} after the warm-up"


def run_soak(
    operations: int,
    say: Callable[[str], None],
    *,
    run: Callable[[Scenario], Report] = simulate,
    measure: Callable[[], int] = resident_bytes,
) -> int:
    """Simulate at least so many; the exit code: 1 when a promise was broken or memory grew."""
    samples: list[int] = []
    done = seed = 0
    began_at = time.process_time()
    while done < operations:
        report = run(make_typical_scenario(seed))
        if report.broken:
            for line in failure_lines(report):
                say(line)
            say(f"FAILED: a promise was broken in typical scenario {seed}")
            return 1
        seed, done = seed + 1, done + report.operations
        if done * _SAMPLES >= operations * (len(samples) + 1):
            samples.append(measure())
            pace = done / max(time.process_time() - began_at, 1e-9)
            say(f"{done} operations, {pace:.0f} a second of CPU time, {_mebibytes(samples[-1])}")
    grown = growth(samples)
    say(f"FAILED: {grown}" if grown else f"passed: {done} operations, no promise broken, memory flat")
    return 1 if grown else 0


def _mebibytes(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    sys.exit(run_soak(int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS, _say))
