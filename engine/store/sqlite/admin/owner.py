"""The server that runs on a database, if one does: kept from starting, or told to look again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from engine.errors import StoreUnusable
from engine.store.sqlite.owner import path_of_owner, try_lock


@contextmanager
def try_to_own(path: Path) -> Iterator[bool]:
    """Keep servers from starting on this database; yields False when one runs on it already."""
    try:
        file = os.open(path_of_owner(path), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # no server has ever run on it here; made by us it could be another user's
        yield True
        return
    except OSError as error:
        raise StoreUnusable(f"cannot open {path_of_owner(path)}: {error.strerror}") from error
    try:
        yield try_lock(file, path)
    finally:
        os.close(file)


@attrs.frozen
class Owner:
    """The process that runs on a database, as it wrote itself down, and whether it was told to look again."""

    name: str
    was_told: bool


def wake_owner(path: Path) -> Owner | None:
    """Ask the server that runs on this database to read its outbox again; None when there is none."""
    with try_to_own(path) as nobody_runs:
        if nobody_runs:
            return None
        name = path_of_owner(path).read_text(errors="replace")
        pid = name.partition("@")[0]
        # To who does not expect it, this signal is the end: no stranger may get it, nor an owner that is
        # still starting, or is another program.
        told = pid.isascii() and pid.isdigit() and _has_open(pid, path) and _expects_hangup(pid)
        if told:
            try:
                os.kill(int(pid), signal.SIGHUP)
            except OSError:
                told = False
        return Owner(name or "unknown", told)


def _has_open(pid: str, path: Path) -> bool:
    """Whether it is that process, of this host, that has the owner's file."""
    owned = os.stat(path_of_owner(path))
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # no such process, another user's, or a system without /proc
        return False
    for file in files:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file.stat(), owned):
                return True
    return False


def _expects_hangup(pid: str) -> bool:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
        return bool(int(caught, 16) & 1 << (signal.SIGHUP - 1))
    return False
