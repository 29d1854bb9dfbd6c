"""One run: a server that dies again and again under load, then lives until it is idle; prints what broke.

`python scenario.py --seed 7 --round 2 --half 1 --policy steer --folder DIR`: seed and round give the record
points and their passings, the half every other one of them, so the same four kill at the same records.  DIR
keeps the database, the ledgers and a log of each life.  The last line is a report in JSON; the exit code is 1
when a promise was broken.
"""

# ruff: noqa: S311  # chance, not cryptography

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import checks
import httpx2
import ledger
import trio
from load import Load

HERE = Path(__file__).parent
# How often each point is passed at least before it kills, at most: about what one second of load brings.
POINTS = {
    "before inbox": 8,
    "after inbox": 8,
    "after begin": 8,
    "after plan": 6,
    "before intent": 10,
    "after intent": 10,
    "before outcome": 20,
    "after outcome": 20,
    "before completion": 4,
    "after completion": 4,
    "after interruption": 3,
    "before end": 3,
    "after end": 3,
    "before sending": 6,
    "after sending": 6,
    "after request": 6,
    "after sent": 6,
    "after resumption": 1,
    "before status": 6,
    "after status": 6,
}
# Those that only one policy passes.
POINTS_OF = {
    "rollback": {"before undo": 3, "after undo": 3, "before undone": 3, "after undone": 3},
    "steer": {"before merge": 3, "after merge": 3},
    "reject": {"before rejection": 3, "after rejection": 3},
}
# Without one, only who says stop interrupts.
FEWER = {"after interruption": 1, "before end": 1, "after end": 1}
INTERRUPTING = ("interrupt", "rollback")
AT_RANDOM = "at random"
# Of every round of deaths, this many come at random instants, some while the server still starts.
RANDOM_DEATHS = 7
# Not deaths: lives that are told to stop under load, and end in good order.
TOLD_TO_STOP = "told to stop"
STOPS = 2
RANDOM_SECONDS = (0.0, 1.5)
USERS = 24
# A life may have nothing to resume, or too little of something: it is killed then, and the next one tries.
TRY_SECONDS = 10.0
TRIES = 20
# Only so that a hanging run ends.
OVERDUE_SECONDS = 60.0
HANG_SECONDS = 200.0
POLL_SECONDS = 0.02
CREDENTIALS = {
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
    "WHATSAPP_ACCESS_TOKEN": "EAAtoken",
    "WHATSAPP_APP_SECRET": "the app secret",
    "WHATSAPP_VERIFY_TOKEN": "the verify token",
    "WHATSAPP_THROUGHPUT": "1000",
}
# P13: low, so that some operations are protected.
INTERRUPTIONS_MAX = 3
SETTINGS = {
    "MIDSTREAM_BIND": "127.0.0.1:0",
    "MIDSTREAM_ASSISTANT": "bot:assistant",
    "MIDSTREAM_SETTLE_SECONDS": "1",
    "MIDSTREAM_INTERRUPTIONS_MAX": str(INTERRUPTIONS_MAX),
}
# What the policies are run with besides: some wait for more of a burst.
SETTINGS_OF = {
    "rollback": {"MIDSTREAM_DEBOUNCE_SECONDS": "0.1", "MIDSTREAM_ACKNOWLEDGEMENT_SECONDS_MIN": "0.1"},
    "enqueue": {"MIDSTREAM_DEBOUNCE_SECONDS": "0.2"},
}
# Whoever measures coverage measures something else: these processes are killed.
_NOT_HANDED_ON = ("MIDSTREAM_", "WHATSAPP_", "CRASH_", "COV")


@attrs.frozen
class Death:
    """How a life ends: at the n-th passing of a record point, or so many seconds after its start."""

    point: str
    passing: int = 0
    seconds: float = 0.0


def points_of(policies: tuple[str, ...]) -> dict[str, int]:
    """The points that a round of these policies passes, each with its most."""
    points = POINTS | {
        point: most for policy in sorted(set(policies)) for point, most in POINTS_OF.get(policy, {}).items()
    }
    return points if set(policies) <= set(INTERRUPTING) else points | FEWER


def schedule(seed: str, round: int, policies: tuple[str, ...]) -> list[Death]:
    """All the points in a random order, each with a random passing, and deaths at random instants."""
    chance = random.Random(f"{seed} round {round}")
    deaths = [Death(point, passing=chance.randint(1, most)) for point, most in points_of(policies).items()]
    for point in [AT_RANDOM] * RANDOM_DEATHS + [TOLD_TO_STOP] * STOPS:
        deaths.append(Death(point, seconds=chance.uniform(*RANDOM_SECONDS)))
    chance.shuffle(deaths)
    # The first lives have nothing to resume.
    return sorted(deaths, key=lambda death: death.point == "after resumption")


def share(deaths: list[Death], half: int, policy: str, policies: tuple[str, ...]) -> list[Death]:
    """A half's part: every other of the deaths that both may die, and all that only its own policy may."""
    common = [death for death in deaths if all(passes(each, death.point) for each in policies)]
    others = [death for death in deaths if death not in common and passes(policy, death.point)]
    return [death for death in deaths if death in (*common[half::2], *others)]


def passes(policy: str, point: str) -> bool:
    """Whether a record of that point is ever made under that policy."""
    return point in POINTS_OF.get(policy, {}) or not any(point in points for points in POINTS_OF.values())


def environment(seed: str, policy: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
    path = os.pathsep.join([str(HERE.parents[1]), *filter(None, [kept.get("PYTHONPATH")])])
    settings = {"MIDSTREAM_POLICY": policy, **SETTINGS_OF.get(policy, {})}
    return kept | CREDENTIALS | SETTINGS | settings | {"CRASH_SEED": seed, "PYTHONPATH": path}


@attrs.define(eq=False)
class Scenario:
    """One folder, one seed, one server after the other."""

    folder: Path
    seed: str
    policy: str
    broken: list[str] = attrs.field(factory=list)
    metrics: str = ""

    async def run(self, deaths: list[Death]) -> None:
        with started(self, "graph.py") as graph:
            assert graph.stdout is not None
            graph_url = graph.stdout.readline().decode().strip()
            with (
                started(self, "server.py", WHATSAPP_GRAPH_URL=graph_url) as server,
                Lives(server) as lives,
            ):
                await self._run(deaths, lives)

    async def _run(self, deaths: list[Death], lives: "Lives") -> None:
        limits = httpx2.Limits(max_connections=2 * USERS)
        async with httpx2.AsyncClient(trust_env=False, limits=limits) as client:
            load = Load(self.folder, self.seed, client, CREDENTIALS["WHATSAPP_APP_SECRET"])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, USERS)
                life = itertools.count(1)
                for death in deaths:
                    if death.point == TOLD_TO_STOP:
                        await self._stop(next(life), death, lives)
                    else:
                        await self._die_at_last(life, death, lives)
                load.stopped = True
                await self._live(next(life), load, lives)
                nursery.cancel_scope.cancel()  # after a hang nobody would take what is still posted
        self.broken += checks.check_all(
            checks.gather(self.folder, self.metrics, self.policy, INTERRUPTIONS_MAX)
        )

    async def _die_at_last(self, life: Iterator[int], death: Death, lives: "Lives") -> None:
        for _ in range(TRIES):
            if await self._die(next(life), death, lives):
                return
        self.broken.append(f"{TRIES} lives never came to {death.point}, {death.passing}")

    async def _die(self, life: int, death: Death, lives: "Lives") -> bool:
        """Live until that death; False when its point did not come and it was another one."""
        named = {} if death.point == AT_RANDOM else {"point": death.point, "passing": death.passing}
        await lives.begin(life=life, **named)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_address, life)
            seconds = TRY_SECONDS if named else death.seconds
            with trio.move_on_after(seconds) as waiting:
                await lives.wait()
            if waiting.cancelled_caught:
                lives.signal(signal.SIGKILL)
                ledger.write(self.folder / "deaths", life=life, point=AT_RANDOM, seconds=seconds)
            if (code := await lives.wait()) != -signal.SIGKILL:
                self.broken.append(f"life {life} ended by itself with {code}")
            nursery.cancel_scope.cancel()
        return not (named and waiting.cancelled_caught)

    async def _stop(self, life: int, death: Death, lives: "Lives") -> None:
        await lives.begin(life=life)
        with trio.move_on_after(OVERDUE_SECONDS):  # it may have ended by itself
            await self._tell_address(life)
            await trio.sleep(death.seconds)
        lives.signal(signal.SIGTERM)
        if (code := await lives.wait()) != 0:
            self.broken.append(f"life {life} was told to stop and ended with {code}")

    async def _live(self, life: int, load: Load, lives: "Lives") -> None:
        """The last life: everything is accepted, then nothing is left to do, then it is told to stop."""
        await lives.begin(life=life)
        with trio.move_on_after(HANG_SECONDS) as hang:
            url = await self._tell_address(life)
            await load.ended.wait()
            while not self.metrics or checks.check_nothing_is_left(self.metrics):
                await trio.sleep(POLL_SECONDS)
                self.metrics = (await load.client.get(f"{url}/metrics", timeout=HANG_SECONDS)).text
            lives.signal(signal.SIGTERM)
            if (code := await lives.wait()) != 0:
                self.broken.append(f"the last life ended with {code}")
        if hang.cancelled_caught:
            self.broken.append("the last life did not come to rest")

    async def _tell_address(self, life: int) -> str:
        """Wait until the server listens, and write down where."""
        log, new = self.folder / f"log.{life}", self.folder / "server.new"
        while True:
            for line in log.read_text().splitlines() if log.exists() else ():
                if '"event":"serving"' in line:
                    url = str(json.loads(line)["url"])
                    new.write_text(url)
                    new.rename(self.folder / "server")
                    return url
            await trio.sleep(POLL_SECONDS)


@attrs.define(eq=False)
class Lives:
    """The server's processes, one at a time."""

    _process: subprocess.Popen[bytes]
    _id: int | None = None
    _code: int | None = None
    _said: bytes = b""

    def __enter__(self) -> "Lives":
        return self

    def __exit__(self, *error: object) -> None:
        self.signal(signal.SIGKILL)

    async def begin(self, **life: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(life).encode() + b"\n")
        self._id, self._code = int(await self._read()), None

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        if self._code is None:
            self._code = int(await self._read())
        return self._code

    def signal(self, number: int) -> None:
        if self._id is not None and self._code is None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._id, number)

    async def _read(self) -> bytes:
        """The next line that the server's parent says."""
        assert self._process.stdout is not None
        file = self._process.stdout.fileno()
        while b"\n" not in self._said:
            await trio.lowlevel.wait_readable(file)
            if not (more := os.read(file, 1024)):
                raise EOFError("the parent of the servers has ended")
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return line


@contextmanager
def started(scenario: Scenario, script: str, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A script beside this one, as a process for the length of the block."""
    with subprocess.Popen(
        [sys.executable, str(HERE / script)],
        cwd=scenario.folder,
        env=environment(scenario.seed, scenario.policy) | more,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default=str(random.randrange(10**9)))
    parser.add_argument("--round", type=int, default=0)
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--policy", default="interrupt")
    parser.add_argument("--with", dest="others", nargs="*", default=[], metavar="POLICY")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    policies = (options.policy, *options.others)
    deaths = schedule(options.seed, options.round, policies)
    if options.half is not None:
        deaths = share(deaths, options.half, options.policy, policies)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="crash-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    scenario = Scenario(folder, f"{options.seed} {options.round} {options.half}", options.policy)
    started_at = time.monotonic()
    trio.run(scenario.run, deaths)
    report = {
        "seed": options.seed,
        "policy": options.policy,
        "folder": str(folder),
        "seconds": round(time.monotonic() - started_at, 1),
        "deaths": Counter(line["point"] for line in ledger.read(folder / "deaths")),
        "counts": checks.count(checks.gather(folder, scenario.metrics, options.policy, INTERRUPTIONS_MAX)),
        "broken": scenario.broken,
    }
    print(json.dumps(report))
    return 1 if scenario.broken else 0


if __name__ == "__main__":
    sys.exit(main())
