"""A disk that fills up and is freed again, under an engine that works: nothing half-written, nothing lost."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import (
    Answered,
    Call,
    Limits,
    Message,
    Plan,
    SqliteStore,
    StoreUnavailable,
    User,
    open_engine,
    tool,
)
from engine.testing import RecordingOutbound, scripted_assistant

ANNA = "15551234567"


class SmallDisk:
    """A file system of half a megabyte, of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], check=True)  # noqa: S607

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def free(self) -> None:
        (self.folder / "ballast").unlink()

    def close(self) -> None:
        subprocess.run(["umount", self.folder], check=True)  # noqa: S607


class BoundedFiles:
    """Where nobody may mount: files that cannot grow any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        largest = max(file.stat().st_size for file in self.folder.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, self.before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

    def close(self) -> None:
        self.free()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk | BoundedFiles]:
    try:
        disk: SmallDisk | BoundedFiles = SmallDisk(tmp_path)
    except (subprocess.CalledProcessError, FileNotFoundError):
        disk = BoundedFiles(tmp_path)
    yield disk
    disk.close()


async def test_a_disk_that_fills_up_refuses_and_goes_on_when_it_is_freed(disk) -> None:
    """P5: what was answered is kept, what was refused is taken when it comes again, an operation that was
    under way waits for its records and ends with its reply."""
    refused = 0

    @tool(timeout=100, idempotent=True)
    async def fill() -> str:
        nonlocal refused
        disk.fill()
        for id in ("m2", "m3"):
            with pytest.raises(StoreUnavailable, match="cannot be written"):
                await engine.receive([Message(id=id, user=User("15557654321"), text=id * 4000)])
            refused += 1
        with pytest.raises(StoreUnavailable):
            await engine.check_store()
        disk.free()
        return "full for a while"

    assistant = scripted_assistant(Plan(Call("fill", fill)), tools=[fill])
    store = SqliteStore(disk.folder / "midstream.db")
    limits = Limits(record_seconds_max=100)
    outbound = RecordingOutbound()
    async with open_engine(assistant, store=store, outbound=outbound, limits=limits) as engine:
        fate = await engine.process_message(ANNA, "go")
        assert isinstance(fate, Answered)
        assert refused == 2
        await engine.check_store()
        assert (await engine.read_depths()).inbox == 0  # nothing of what was refused is there
    assert outbound.texts == ["done: go"]
