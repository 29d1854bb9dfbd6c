"""Tells the windows of wall-clock time in which the machine stood still from those in which it ran.

Two witnesses.  A watcher, a process that sleeps a millisecond at a time: when it wakes much too late, the
whole machine had stopped.  And the process that is measured itself: Linux counts how long its threads were
ready and waited for a core that somebody else had (/proc/*/schedstat; elsewhere nothing is known of that).

`python -m web.bench.stalls` is the watcher: it answers each line with the stalls since the last one.
"""

import os
import select
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from web.bench.processes import Child, child, say

# Nobody who sleeps wakes to the microsecond; this late is not chance.
LATE_SECONDS_MAX: Final = 0.005
# Threads of one process wait for each other, too, a few tenths of a millisecond a commit; the turn of another
# process is 3 ms and more.
DELAY_SECONDS_MAX: Final = 0.002
_BEAT_SECONDS: Final = 0.001
_TASKS: Final = Path("/proc/self/task")
_FIELDS_BYTES: Final = 128


@attrs.frozen(kw_only=True)
class Window:
    """What was measured in one stretch of wall-clock time.

    `began` and `ended` by the monotonic clock, which all processes share.  `delay`: how long threads of the
    process waited for a core meanwhile.  `seconds`: the spans measured in it, by their names.
    """

    began: float
    ended: float
    delay: float
    seconds: Mapping[str, float]


def clean(windows: Iterable[Window], stalls: Sequence[tuple[float, float]]) -> Sequence[Window]:
    """The windows that no stall overlaps, and in which nothing waited for a core.

    `stalls`: when each began and ended.
    """
    return [
        window
        for window in windows
        if window.delay <= DELAY_SECONDS_MAX
        and not any(began < window.ended and window.began < ended for began, ended in stalls)
    ]


def late(beats: Iterable[tuple[float, float]], seconds_max: float = LATE_SECONDS_MAX) -> list[list[float]]:
    """Of these sleeps, each from one instant to another, those that lasted too long."""
    return [[began, ended] for began, ended in beats if ended - began - _BEAT_SECONDS > seconds_max]


class Delays:
    """How long the threads that this process has now have waited for a core, all in all."""

    def __init__(self) -> None:
        # Opened once: what is read within a window costs it something.
        paths = sorted(_TASKS.glob("*/schedstat"))
        self._files = [os.open(path, os.O_RDONLY) for path in paths]

    def seconds(self) -> float:
        """The sum so far; of use as a difference."""
        nanoseconds = 0
        for file in self._files:
            try:
                nanoseconds += int(os.pread(file, _FIELDS_BYTES, 0).split()[1])
            except ProcessLookupError:  # the thread has ended
                continue
        return nanoseconds / 1e9

    def close(self) -> None:
        """Nothing is read after this."""
        for file in self._files:
            os.close(file)


@contextmanager
def watching() -> Iterator[Child]:
    """The watcher: asked, it answers with the stalls since it was asked last."""
    with child("web.bench.stalls") as watcher:
        watcher.ask(None)
        yield watcher


def _watch() -> None:
    beats: list[tuple[float, float]] = []
    woke_at = time.perf_counter()
    while True:
        is_asked = select.select([sys.stdin], [], [], _BEAT_SECONDS)[0]
        before, woke_at = woke_at, time.perf_counter()
        beats += [(before, woke_at)] if late([(before, woke_at)]) else []
        if is_asked:
            if not os.read(sys.stdin.fileno(), _FIELDS_BYTES):
                return
            say(late(beats))
            beats.clear()
            woke_at = time.perf_counter()


if __name__ == "__main__":
    _watch()
