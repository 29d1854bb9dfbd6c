"""The contenders that need nothing from outside, played in time that only they see pass."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from peers.bench import ENTRIES
from peers.contender import Contender, play_on_asyncio, play_on_trio
from peers.contenders.lock_and_flag import LockAndFlag
from peers.contenders.midstream import Midstream
from peers.contenders.plain_asyncio import PlainAsyncio
from peers.counting import Counted, count
from peers.ledger import Ledger, read_lines
from peers.operation import World
from peers.script import Script, Sending, make_script

from engine import MemoryStore

# The second message comes in the middle of the second wave.
CHANGE = Script(0, {"u0": (Sending(0.0, "u0-m1"), Sending(0.75, "u0-m2"))})
BURST = Script(0, {"u0": (Sending(0.0, "u0-m1"), Sending(0.125, "u0-m2"), Sending(0.25, "u0-m3"))})
MANY = make_script(3, users=24, seconds=2.0)


class _JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that waits for nothing: when all wait, its clock jumps to the next who wakes."""

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def jump(timeout: float | None = None) -> Any:
            ready = select(0)
            if not ready:
                assert timeout is not None, "everybody waits, and nobody will wake"
                self._jumped += timeout
            return ready

        selector.select = jump

    def time(self) -> float:
        return self._jumped


def play(make: Callable[[World], Contender], script: Script, folder: Path) -> Counted:
    """On asyncio."""

    async def run() -> Counted:
        ledger = Ledger(folder / "ledger", now=asyncio.get_running_loop().time)
        await play_on_asyncio(make(World(ledger, asyncio.sleep)), script, ledger)
        ledger.close()
        return count(script, read_lines(ledger.path))

    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(run())


async def play_midstream(script: Script, folder: Path) -> Counted:
    """On Trio, with a store that has no thread."""
    ledger = Ledger(folder / "ledger", now=trio.current_time)
    await play_on_trio(Midstream(World(ledger, trio.sleep), MemoryStore()), script, ledger)
    ledger.close()
    return count(script, read_lines(ledger.path))


def faultless(script: Script, **more: Any) -> Counted:
    """Every count that should be nothing is nothing."""
    zero = dict.fromkeys(("cut", "overlapping", "late_replies", "unanswered", "missing"), 0)
    return Counted(**{"users": len(script.users), **zero, **more})


# A whole first wave and a whole second one, all of it seen, then three waves more.
CHANGED = faultless(CHANGE, calls=10, superseded=1, earlier=2, finished=4, seen=4, waits=(0.0,))
# The first wave of the first message, then three waves for all three.
MERGED = faultless(BURST, calls=8, superseded=1, earlier=3, finished=2, seen=2, waits=(0.0,))


def test_a_cancelled_task_is_cut_in_its_wave(tmp_path: Path) -> None:
    """What was finished before stays; the wave that was running is lost."""
    assert play(PlainAsyncio, CHANGE, tmp_path) == Counted(
        users=1,
        calls=10,
        cut=2,
        overlapping=0,
        superseded=1,
        late_replies=0,
        unanswered=0,
        earlier=2,
        missing=0,
        finished=2,
        seen=2,
        waits=(0.0,),
    )


def test_a_burst_of_tasks_is_cut_twice(tmp_path: Path) -> None:
    """Each message starts a wave, and cuts the one before."""
    one = play(PlainAsyncio, BURST, tmp_path)
    assert (one.cut, one.superseded, one.overlapping, one.unanswered) == (4, 2, 0, 0)


@pytest.mark.parametrize(("script", "expected"), [(CHANGE, CHANGED), (BURST, MERGED)])
def test_the_lock_and_the_flag_are_faultless(script: Script, expected: Counted, tmp_path: Path) -> None:
    """Done right, they do what Midstream does, as long as the process lives."""
    assert play(LockAndFlag, script, tmp_path) == expected


@pytest.mark.parametrize(("script", "expected"), [(CHANGE, CHANGED), (BURST, MERGED)])
async def test_midstream_is_faultless(
    script: Script, expected: Counted, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """P1, P2, P3, P7, as the tools and the phone see them."""
    assert await play_midstream(script, tmp_path) == expected


async def test_midstream_is_faultless_with_many_users(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The bench's own script, smaller."""
    one = await play_midstream(MANY, tmp_path)
    assert (one.cut, one.overlapping, one.unanswered, one.missing) == (0, 0, 0, 0)
    assert one.seen == one.finished > 0


def test_the_lock_and_the_flag_are_faultless_with_many_users(tmp_path: Path) -> None:
    """The bench's own script, smaller."""
    one = play(LockAndFlag, MANY, tmp_path)
    assert (one.cut, one.overlapping, one.late_replies, one.unanswered, one.missing) == (0, 0, 0, 0, 0)
    assert one.seen == one.finished > 0


def test_every_contender_of_the_table_is_there() -> None:
    """And every contender that is there is in the table; a graph is a part of its server."""
    there = {path.stem for path in Path(__file__).with_name("contenders").glob("*.py")}
    assert {entry.module for entry in ENTRIES} == there - {"langgraph_graph"}
