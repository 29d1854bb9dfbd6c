"""The real server under steady load for as long as was asked; a line a minute, and a verdict.

    python tests/soak/soak.py --minutes 60

The server is a process as it is shipped, on a database in a folder that is kept when something broke; the
load, and a Graph API in a process of its own, are those of the crash runs.  Needs /proc.  What was settled
KEPT_SECONDS ago is purged every PURGE_SECONDS, by what `midstream purge` calls: that command keeps
everything for 8 days at least, which is more than there is.
"""

# ruff: noqa: S311  # chance, not cryptography

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx2
import judging
import trio
from judging import MEGABYTE, Row, Sample

HERE = Path(__file__).parent
CRASH = HERE.parent / "crash"
ROOT = HERE.parents[1]
sys.path.append(str(CRASH))

import checks  # noqa: E402
import ledger  # noqa: E402
from load import Load  # noqa: E402
from scenario import CREDENTIALS  # noqa: E402

from engine.store.sqlite import admin  # noqa: E402

SETTINGS = {
    "MIDSTREAM_BIND": "127.0.0.1:0",
    "MIDSTREAM_ASSISTANT": "assistant:assistant",
    "MIDSTREAM_DATABASE": "sqlite:///midstream.db",
}
# About twenty messages a second, a quarter of a core.
USERS = 12
SAMPLE_SECONDS = 5.0
REPORT_SECONDS = 60.0
PURGE_SECONDS = 30.0
# Longer than anybody here talks: what is sent again is still known.
KEPT_SECONDS = 150
PAUSE_SECONDS = 0.05
POLL_SECONDS = 0.5
# Only so that a run ends whose server never comes to rest.
HANG_SECONDS = 300.0
_NOT_HANDED_ON = ("MIDSTREAM_", "WHATSAPP_")
TICKS = os.sysconf("SC_CLK_TCK")


@attrs.define(eq=False)
class Seen:
    """What stood in the database before each purge, and at the end."""

    fates: dict[str, str] = attrs.field(factory=dict)
    operations: dict[str, str] = attrs.field(factory=dict)
    rows: dict[str, Row] = attrs.field(factory=dict)

    def look_and_purge(self, database: Path, before: int) -> None:
        with admin.open_database(database) as connection:
            for id, fate, operation_id in connection.execute(
                "SELECT id, fate, operation_id FROM messages WHERE fate IS NOT NULL"
            ):
                self.fates[id], self.operations[id] = fate, operation_id or ""
            for id, kind, operation_id, state in connection.execute(
                "SELECT id, kind, operation_id, state FROM outbox"
            ):
                self.rows[id] = Row(kind=kind, operation_id=operation_id, state=state)
            admin.purge(connection, before=before, pause=lambda: time.sleep(PAUSE_SECONDS))
            admin.empty_log(connection)


@attrs.define(eq=False)
class Soak:
    """One folder, one server."""

    folder: Path
    server: "subprocess.Popen[bytes]"
    url: str
    seen: Seen = attrs.field(factory=Seen)
    samples: list[Sample] = attrs.field(factory=list)
    metrics: str = ""

    async def run(self, seconds: float, users: int) -> None:
        """Load for so long, then until nothing is left to do."""
        limits = httpx2.Limits(max_connections=2 * users)
        async with httpx2.AsyncClient(trust_env=False, limits=limits) as client:
            seed = str(random.randrange(10**9))
            load = Load(self.folder, seed, client, CREDENTIALS["WHATSAPP_APP_SECRET"])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, users)
                nursery.start_soon(self._purge)
                nursery.start_soon(self._report)
                await self._sample(seconds)
                load.stopped = True
                with trio.move_on_after(HANG_SECONDS):
                    await load.ended.wait()
                    await self._rest(client)
                nursery.cancel_scope.cancel()
        await self._look(before=0)

    async def _sample(self, seconds: float) -> None:
        began_at = trio.current_time()
        while (elapsed := trio.current_time() - began_at) < seconds and self.server.poll() is None:
            self.samples.append(self._look_at_server(elapsed))
            await trio.sleep(SAMPLE_SECONDS)

    def _look_at_server(self, elapsed: float) -> Sample:
        process = Path("/proc", str(self.server.pid))
        pages = int((process / "statm").read_text().split()[1])
        files = (self.folder / f"midstream.db{end}" for end in ("", "-wal"))
        return Sample(
            seconds=elapsed,
            memory=pages * os.sysconf("SC_PAGE_SIZE"),
            files=len(os.listdir(process / "fd")),
            threads=len(os.listdir(process / "task")),
            database=sum(file.stat().st_size for file in files if file.exists()),
        )

    async def _rest(self, client: httpx2.AsyncClient) -> None:
        while not self.metrics or checks.check_nothing_is_left(self.metrics):
            await trio.sleep(POLL_SECONDS)
            self.metrics = (await client.get(f"{self.url}/metrics", timeout=HANG_SECONDS)).text

    async def _purge(self) -> None:
        while True:
            await trio.sleep(PURGE_SECONDS)
            await self._look(before=int(time.time()) - KEPT_SECONDS)

    async def _look(self, *, before: int) -> None:
        await trio.to_thread.run_sync(self.seen.look_and_purge, self.folder / "midstream.db", before)

    async def _report(self) -> None:
        minute, used, at = 0, self._cpu_seconds(), trio.current_time()
        while True:
            await trio.sleep(REPORT_SECONDS)
            minute += 1
            used_now, now = self._cpu_seconds(), trio.current_time()
            share = (used_now - used) / (now - at)
            used, at = used_now, now
            print(f"{minute:3} min  {_line(self.samples[-1], len(self.seen.fates), share)}", flush=True)

    def _cpu_seconds(self) -> float:
        """User and system time that the server has used."""
        try:
            stat = Path("/proc", str(self.server.pid), "stat").read_text()
        except OSError:  # it has ended; the verdict says so
            return 0.0
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS

    def judge(self, exit_code: int) -> list[str]:
        """A line for whatever is not as it must be."""
        sends = Counter(line["row"] for line in ledger.read(self.folder / "sends"))
        evidence = judging.Evidence(
            accepted=[line["id"] for line in ledger.read(self.folder / "accepted")],
            fates=self.seen.fates,
            operations=self.seen.operations,
            rows=self.seen.rows,
            sends=sends,
        )
        broken = [*judging.check_flat(self.samples), *judging.check_lost(evidence)]
        broken += checks.check_nothing_is_left(self.metrics)
        if exit_code != 0:
            broken.append(f"the server ended with {exit_code}")
        return broken + checks.check_logs(checks.Evidence(errors=checks.errors(self.folder)))


def _line(sample: Sample, settled: int, share: float) -> str:
    return (
        f"settled {settled:7,}   cpu {share:4.0%}   memory {sample.memory / MEGABYTE:6.1f} MB   "
        f"files {sample.files:4}   threads {sample.threads:3}   database {sample.database / MEGABYTE:6.1f} MB"
    )


@contextmanager
def started(
    folder: Path, log_name: str, arguments: Sequence[str], **more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python process in the folder for the length of the block, its standard error in a log there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
    path = os.pathsep.join(map(str, (HERE, ROOT)))
    with (
        open(folder / log_name, "wb") as log,
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=kept | CREDENTIALS | SETTINGS | {"PYTHONPATH": path, "CRASH_SEED": "soak"} | more,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to hear
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def wait_for_address(folder: Path, server: "subprocess.Popen[bytes]") -> str:
    """Where the server listens; the Graph API reads it from the file `server`."""
    while server.poll() is None:
        for line in (folder / "log.server").read_text().splitlines():
            if '"event":"serving"' in line:
                url = str(json.loads(line)["url"])
                (folder / "server").write_text(url)
                return url
        time.sleep(POLL_SECONDS)
    raise SystemExit((folder / "log.server").read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--policy", default="interrupt")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with started(folder, "graph.log", [str(CRASH / "graph.py")]) as graph:
        assert graph.stdout is not None
        more = {"WHATSAPP_GRAPH_URL": graph.stdout.readline().decode().strip()}
        more["MIDSTREAM_POLICY"] = options.policy
        with started(folder, "log.server", ["-m", "web", "serve"], **more) as server:
            soak = Soak(folder, server, wait_for_address(folder, server))
            trio.run(soak.run, options.minutes * 60, options.users)
            server.send_signal(signal.SIGTERM)
            broken = soak.judge(server.wait(HANG_SECONDS))
    for bound in judging.BOUNDS:
        if found := judging.levels(soak.samples, bound):
            print(f"{bound.name}: {bound.shown(found[0])}, at the end {bound.shown(found[1])}")
    fates = Counter(soak.seen.fates.values())
    print("fates: " + ", ".join(f"{fate} {count:,}" for fate, count in fates.most_common()))
    if broken:
        print(*broken, f"broken; see {folder}", sep="\n")
        return 1
    shutil.rmtree(folder)
    print("flat, and nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
