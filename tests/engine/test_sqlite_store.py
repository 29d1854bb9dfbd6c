"""What only the SQLite store has: a file, its one owner, a thread that commits in groups, and a full disk."""

import errno
import fcntl
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import engine.store.sqlite as sqlite_store
from engine import (
    Call,
    Message,
    Outcome,
    Ref,
    SqliteStore,
    Status,
    Stopped,
    StoreError,
    StoreUnavailable,
    StoreUnusable,
    Superseded,
    User,
)
from engine.model import OutboxRow, OutgoingKind, SendState
from engine.phases import Phase, Reason
from engine.store import (
    Accept,
    Accepted,
    CallRecord,
    Change,
    Committed,
    Depths,
    End,
    Mark,
    Queue,
    Settle,
    Unfinished,
    UnfinishedOperation,
)
from engine.store.sqlite import opening
from engine.store.sqlite.owner import hold_ownership
from engine.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

ANNA = User("15551234567")
SECOND = 1_800_000_000
PAGE = 4096 + 24  # bytes of a page in the write-ahead log, with its header


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, or will be."""
    return tmp_path / "midstream.db"


def accept(id: str, text: str = "text") -> Accept:
    return Accept(message=Message(id=id, user=ANNA, text=text, timestamp=SECOND), at=SECOND)


def nobody(committed: Committed) -> None:
    """A listener that hears nothing."""


def look(path: Path, statement: str) -> list[Any]:
    """What stands in the file, seen from outside."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def contents(path: Path) -> bytes | None:
    """What stands in the file, byte for byte; None when it is none."""
    return path.read_bytes() if path.is_file() else None


def names(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(file.name for file in folder.iterdir())


def writers() -> list[threading.Thread]:
    """The writer threads that run."""
    return [thread for thread in threading.enumerate() if thread.name == "midstream-store"]


@attrs.define(eq=False)
class Connections:
    """The connections a store has opened, and the statements of the one that writes."""

    opened: list[sqlite3.Connection] = attrs.field(factory=list)
    statements: list[str] = attrs.field(factory=list)

    @property
    def writer(self) -> sqlite3.Connection:
        """The one that writes; to be used only while it has nothing to do."""
        return self.opened[0]

    def count(self, statement: str) -> int:
        """How often it was carried out."""
        return sum(each.startswith(statement) for each in self.statements)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Keeps the connections of the stores of this test; what is locked is not waited for."""
    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0)
    connections, connect = Connections(), opening.connect

    def keep(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if not connections.opened:
            connection.set_trace_callback(connections.statements.append)
        connections.opened.append(connection)
        return connection

    monkeypatch.setattr(opening, "connect", keep)
    return connections


class Gate:
    """Where a thread waits until it is let through; at the latest at the end of the block."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.open()

    def go_through(self) -> None:
        """In the thread that is to wait here."""
        self._reached.set()
        self._opened.wait()

    async def wait_reached(self) -> None:
        """Until a thread stands here."""
        await trio.to_thread.run_sync(self._reached.wait, abandon_on_cancel=True)

    def open(self) -> None:
        """Let it through, now and later."""
        self._opened.set()


def hold(monkeypatch: pytest.MonkeyPatch, when: str, name: str) -> Gate:
    """Holds the writer thread before or after a function of the store's module."""
    gate, function = Gate(), getattr(sqlite_store, name)

    def held(*args: Any) -> Any:
        if when == "before":
            gate.go_through()
        result = function(*args)
        if when == "after":
            gate.go_through()
        return result

    monkeypatch.setattr(sqlite_store, name, held)
    return gate


# The file -----------------------------------------------------------------------------------------


async def test_all_is_still_there_when_the_file_is_opened_again(path: Path) -> None:
    """P5, by another store: only the file is the same."""
    async with SqliteStore(path).open(nobody):
        pass
    first, second = SqliteStore(path), SqliteStore(str(path))
    async with first.open(nobody):
        await first.write([accept("m1", "Grüße 🎉"), accept("m2"), Settle("m2", Stopped())])
    heard: list[Committed] = []
    async with second.open(heard.append):
        assert await second.read_depths() == Depths(inbox=1, outbox=0)
        assert await second.read_fate("m2") == Stopped()
        await second.write([accept("m1")])
        assert heard == [Committed()]
        await second.write([Settle("m1", Stopped())])
        (turn, _) = (await second.read_conversation(ANNA.id, limit=9)).turns
        assert turn.text == "Grüße 🎉"


async def test_one_file_is_left_when_it_is_closed(path: Path) -> None:
    """No write-ahead log to lose when somebody moves the database; the owner's file stays, see there."""
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
    assert names(path.parent) == ["midstream.db", "midstream.db.owner"]
    assert look(path, "PRAGMA integrity_check") == [("ok",)]


async def test_what_was_answered_survives_the_loss_of_power(path: Path, connections: Connections) -> None:
    """P5: a write-ahead log that every commit waits for (FULL is 2)."""
    async with SqliteStore(path).open(nobody):
        assert connections.writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connections.writer.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_the_file_says_whose_it_is(path: Path) -> None:
    """So that another program's database is never taken for ours, nor an older program ruins a newer file."""
    async with SqliteStore(path).open(nobody):
        pass
    assert look(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


async def test_an_acknowledgement_is_unique_on_disk(path: Path) -> None:
    """P9: whatever id it has, and whoever queues it."""
    rows = [
        OutboxRow(id=id, user=ANNA, kind=OutgoingKind.ACKNOWLEDGEMENT, text="Got it", operation_id="o1")
        for id in ("k1", "k2")
    ]
    store = SqliteStore(path)
    async with store.open(nobody):
        for row in rows:
            await store.write([Queue(row)])
        assert [row.id for row in await store.read_unsent(9)] == ["k1"]


# The writer ---------------------------------------------------------------------------------------


async def test_what_waits_is_one_commit(
    path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 1: one fsync for all of them; nobody is answered before it (rule 2)."""
    store = SqliteStore(path)
    written: list[int] = []
    heard: list[Committed] = []

    async def write(number: int) -> None:
        await store.write([accept(f"m{number}")])
        written.append(number)

    async with store.open(heard.append), trio.open_nursery() as nursery:
        with hold(monkeypatch, "before", "_commit_group") as gate:
            nursery.start_soon(write, 0)
            await gate.wait_reached()
            for number in range(1, 51):
                nursery.start_soon(write, number)
            await wait_all_tasks_blocked()
            connections.statements.clear()
            assert (written, heard) == ([], [])
    assert (connections.count("BEGIN"), connections.count("COMMIT")) == (2, 2)
    assert sorted(written) == list(range(51))
    assert len(heard) == 51


async def test_a_group_has_a_bound(
    path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first write does not wait for all the others; what the group left is written before the end."""
    monkeypatch.setattr(sqlite_store, "_GROUP_MAX", 4)
    store = SqliteStore(path)
    heard: list[Committed] = []
    async with trio.open_nursery() as nursery:
        async with store.open(heard.append):
            with hold(monkeypatch, "before", "_commit_group") as gate:
                nursery.start_soon(store.write, [accept("m0")])
                await gate.wait_reached()
                for number in range(1, 11):
                    nursery.start_soon(store.write, [accept(f"m{number}")])
                await wait_all_tasks_blocked()
                connections.statements.clear()
        assert len(heard) == 11
    # m0, then 4 and 4 and 2.
    assert connections.count("COMMIT") == 4


async def test_the_end_waits_for_the_group_it_meets(
    path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to close while writes wait, the writer takes them along: one last commit."""
    store = SqliteStore(path)
    heard: list[Committed] = []
    gate = hold(monkeypatch, "before", "_commit_group")

    async def close_soon() -> None:
        await wait_all_tasks_blocked()
        gate.open()

    async with trio.open_nursery() as nursery:
        with gate:
            async with store.open(heard.append):
                nursery.start_soon(store.write, [accept("m0")])
                await gate.wait_reached()
                for number in range(1, 4):
                    nursery.start_soon(store.write, [accept(f"m{number}")])
                await wait_all_tasks_blocked()
                connections.statements.clear()
                # The block ends, and with it the store's time, before the writer goes on.
                nursery.start_soon(close_soon)
    assert connections.count("COMMIT") == 2
    assert len(heard) == 4
    assert writers() == []


async def test_nobody_hears_of_what_is_not_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2: neither the writer, nor the listener, nor who reads, and none of them waits for it (rule 3)."""
    store = SqliteStore(path)
    heard: list[Committed] = []
    async with store.open(heard.append):
        async with trio.open_nursery() as nursery:
            with hold(monkeypatch, "after", "apply") as gate:
                nursery.start_soon(partial(store.write, [accept("m1"), Settle("m1", Stopped())]))
                await gate.wait_reached()
                # The writer is in the middle of its transaction, and stays there.
                assert await store.read_depths() == Depths(inbox=0, outbox=0)
                assert await store.read_fate("m1") is None
                assert heard == []
        assert await store.read_fate("m1") == Stopped()
        assert len(heard) == 1


async def test_what_one_read_tells_is_of_one_moment(path: Path) -> None:
    """A commit between two statements of a read does not show in the second."""
    store, gate = SqliteStore(path), Gate()
    counted: list[tuple[int, int]] = []

    def count_twice(connection: sqlite3.Connection) -> tuple[int, int]:
        (first,) = connection.execute("SELECT count(*) FROM messages").fetchone()
        gate.go_through()
        (second,) = connection.execute("SELECT count(*) FROM messages").fetchone()
        return first, second

    async def read() -> None:
        counted.append(await store._read(count_twice))

    async with store.open(nobody), trio.open_nursery() as nursery:
        with gate:
            nursery.start_soon(read)
            await gate.wait_reached()
            await store.write([accept("m1")])
    assert counted == [(0, 0)]


async def test_a_read_can_be_cancelled(path: Path) -> None:
    """Planning is not shielded: its read lets go at once; the next one waits until the thread is through."""
    store, gate = SqliteStore(path), Gate()
    read: list[Depths] = []

    def hang(connection: sqlite3.Connection) -> None:
        gate.go_through()

    async def read_depths() -> None:
        read.append(await store.read_depths())

    async with store.open(nobody), trio.open_nursery() as nursery:
        with gate:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as reading:
                    reading.start_soon(store._read, hang)
                    await gate.wait_reached()
                    scope.cancel()
            assert scope.cancelled_caught
            nursery.start_soon(read_depths)
            await wait_all_tasks_blocked()
            assert read == []
    assert read == [Depths(inbox=0, outbox=0)]


async def test_the_writer_thread_ends_with_the_store(path: Path) -> None:
    """Also when its block ends with an error, or is cancelled."""
    store = SqliteStore(path)
    for end in ("return", "error", "cancelled"):
        with trio.CancelScope() as scope:
            try:
                async with store.open(nobody):
                    assert len(writers()) == 1
                    if end == "error":
                        raise KeyError(end)
                    if end == "cancelled":
                        scope.cancel()
                        await trio.lowlevel.checkpoint()
            except KeyError:
                assert end == "error"
        assert writers() == []
    assert scope.cancelled_caught


async def test_a_store_that_is_closed_is_not_read(path: Path) -> None:
    """The caller is told."""
    store = SqliteStore(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as refused:
            await store.read_depths()
        assert str(refused.value) == f"{path} is closed"
        async with store.open(nobody):
            await store.read_depths()


# One owner ----------------------------------------------------------------------------------------


async def test_a_database_has_one_owner(path: Path) -> None:
    """A second one is refused in one line that names the file and the process, not an earlier owner."""
    await trio.Path(f"{path}.owner").write_text("1234567890@the-name-of-some-other-machine.example.org")
    async with SqliteStore(path).open(nobody):
        with pytest.raises(StoreUnusable) as refused:
            async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
                raise AssertionError("two owners")
    assert str(refused.value) == (
        f"{path} is in use by process {os.getpid()}@{socket.gethostname()};"
        " stop that one, or use another database"
    )
    async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
        pass


async def test_a_database_of_two_names_has_one_owner(path: Path) -> None:
    """A link to the file is the file."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    async with SqliteStore(path).open(nobody):
        with pytest.raises(StoreUnusable, match="is in use by process"):
            async with SqliteStore(link, owner_wait_seconds=0).open(nobody):
                pass


async def test_an_owner_that_does_not_leave_is_waited_for_so_long(
    path: Path, autojump_clock: MockClock
) -> None:
    """`owner_wait_seconds`, then it is refused.  (No thread here, hence the mock clock.)"""
    async with hold_ownership(path, wait_seconds=0):
        with pytest.raises(StoreUnusable, match="is in use by process"):
            async with hold_ownership(path, wait_seconds=5):
                raise AssertionError("two owners")
    assert 5 <= trio.current_time() < 5.25


async def test_an_owner_that_is_leaving_is_waited_for(path: Path, autojump_clock: MockClock) -> None:
    """A restart overlaps with the process it replaces."""
    owned_at: list[float] = []

    async def own() -> None:
        async with hold_ownership(path, wait_seconds=30):
            owned_at.append(trio.current_time())

    async with trio.open_nursery() as nursery, hold_ownership(path, wait_seconds=0):
        nursery.start_soon(own)
        await trio.sleep(10)
        assert owned_at == []
    assert len(owned_at) == 1
    assert 10 <= owned_at[0] < 10.25


async def test_who_waits_for_an_owner_can_be_cancelled(path: Path, autojump_clock: MockClock) -> None:
    """A second signal ends the wait; what was opened for it is closed."""
    async with hold_ownership(path, wait_seconds=0):
        with trio.move_on_after(1) as scope:
            async with hold_ownership(path, wait_seconds=30):
                raise AssertionError("two owners")
        assert scope.cancelled_caught
    async with hold_ownership(path, wait_seconds=0):
        pass


OWNER = """
import sys, trio
from engine import Message, SqliteStore, User
from engine.store import Accept

async def main():
    store = SqliteStore(sys.argv[1])
    async with store.open(lambda committed: None):
        for number in range(20):
            message = Message(id=f"m{number}", user=User("1"), text="text", timestamp=1)
            await store.write([Accept(message=message, at=1)])
        print("ready", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the database and has accepted twenty messages."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


async def test_another_process_is_an_owner_too(path: Path) -> None:
    """Refused while it lives; kill -9 frees the database, with all that was accepted (P5, P14)."""
    store = SqliteStore(path, owner_wait_seconds=0)
    with another_process(path) as process:
        with pytest.raises(StoreUnusable, match=f"in use by process {process.pid}@"):
            async with store.open(nobody):
                pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        async with store.open(nobody):
            assert await store.read_depths() == Depths(inbox=20, outbox=0)
            await store.write([accept("m1"), accept("m20")])
            assert await store.read_depths() == Depths(inbox=21, outbox=0)


def refuse(code: int) -> Callable[..., Any]:
    def refused(*args: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return refused


async def test_a_folder_without_locks_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network drive may have none."""
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    with pytest.raises(StoreUnusable, match=r"midstream\.db cannot be locked: No locks available"):
        async with SqliteStore(path).open(nobody):
            pass


async def test_an_owner_that_cannot_write_its_name_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full already at the start; the lock is let go."""
    monkeypatch.setattr(os, "pwrite", refuse(errno.ENOSPC))
    with pytest.raises(StoreUnusable, match=r"cannot write .*midstream\.db\.owner: No space left on device"):
        async with SqliteStore(path).open(nobody):
            pass
    monkeypatch.undo()
    async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
        pass


async def test_an_owner_without_a_name_is_unknown(path: Path) -> None:
    """It died, or has only just come, before it wrote itself down."""
    with path.with_name("midstream.db.owner").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreUnusable, match="in use by process unknown;"):
            async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
                pass


# What cannot be opened ----------------------------------------------------------------------------


def no_database(path: Path) -> str:
    path.write_bytes(b"no database, and long enough to see that" * 100)
    return "cannot be used as a database: file is not a database"


def a_folder(path: Path) -> str:
    path.mkdir()
    return "cannot be used as a database: Is a directory"


def cut_short(path: Path) -> str:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
    os.truncate(path, 4096)
    return "cannot be used as a database: "


def another_programs(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    return "is the database of another program; name another file"


def another_programs_that_says_so(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 1")
    return "is the database of another program; name another file"


def another_programs_with_a_version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    return "is the database of another program; name another file"


def a_newer_midstreams(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    return (
        f"was written by a newer Midstream (schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION});"
        " start that version"
    )


@pytest.mark.parametrize(
    "make",
    [
        no_database,
        a_folder,
        cut_short,
        another_programs,
        another_programs_that_says_so,
        another_programs_with_a_version,
        a_newer_midstreams,
    ],
)
async def test_what_is_no_database_of_ours_is_refused(path: Path, make: Callable[[Path], str]) -> None:
    """In one line that names the file; nothing in it is changed, and nobody owns it."""
    expected = make(path)
    before = contents(path)
    for _ in range(2):
        with pytest.raises(StoreUnusable) as refused:
            async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
                raise AssertionError("opened")
        assert str(refused.value).startswith(f"{path} {expected}")
        assert "\n" not in str(refused.value)
    assert contents(path) == before
    assert writers() == []


async def test_an_empty_file_is_a_new_database(path: Path) -> None:
    """As `mktemp` and some volumes leave it."""
    await trio.Path(path).touch()
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/midstream.db", "No such file or directory"),
        ("file/midstream.db", "Not a directory"),
        ("x" * 254, "File name too long"),
    ],
)
async def test_a_folder_that_is_none_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    """In one line that says what to do; nothing is made."""
    tmp_path.joinpath("file").touch()
    with pytest.raises(StoreUnusable) as refused:
        async with SqliteStore(tmp_path / name).open(nobody):
            pass
    assert str(refused.value) == (
        f"cannot write {tmp_path / name}.owner: {reason}; the database's folder must be writable"
    )
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_refused(path: Path) -> None:
    """The same line, with that reason."""
    path.parent.chmod(0o500)
    with pytest.raises(StoreUnusable, match="Permission denied; the database's folder must be writable"):
        async with SqliteStore(path).open(nobody):
            pass
    path.parent.chmod(0o700)


async def test_a_file_that_is_read_only_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its permissions say so or its disk: at the start, not with the first message."""
    async with SqliteStore(path).open(nobody):
        pass
    # As root's permissions see it, too.
    monkeypatch.setattr(
        opening,
        "connect",
        lambda path: sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None),
    )
    with pytest.raises(StoreUnusable) as refused:
        async with SqliteStore(path).open(nobody):
            pass
    assert str(refused.value) == (
        f"{path} cannot be used as a database: attempt to write a readonly database"
    )


async def test_a_database_that_somebody_holds_is_refused_at_the_start(
    path: Path, connections: Connections
) -> None:
    """A backup that does not let go is no owner: the line says locked."""
    async with SqliteStore(path).open(nobody):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match=r"cannot be used as a database: database is locked"):
            async with SqliteStore(path).open(nobody):
                pass


# What cannot be written ---------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
async def test_while_another_program_writes_nothing_can_be_written(
    path: Path, connections: Connections, lock: str
) -> None:
    """Reads go on (rule 3), the check says so, and it works again after."""
    store = SqliteStore(path)
    heard: list[Committed] = []
    async with store.open(heard.append):
        await store.write([accept("m1")])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(f"BEGIN {lock}")
            other.execute("DELETE FROM messages")
            for write in (partial(store.write, [accept("m2")]), store.check):
                with pytest.raises(StoreUnavailable) as refused:
                    await write()
                assert str(refused.value) == f"{path} cannot be written: database is locked"
            assert await store.read_depths() == Depths(inbox=1, outbox=0)
            other.execute("ROLLBACK")
        await store.check()
        await store.write([accept("m2")])
        assert await store.read_depths() == Depths(inbox=2, outbox=0)
    assert [each.message.id for committed in heard for each in committed.accepted] == ["m1", "m2"]


async def test_when_the_disk_is_full_nothing_is_half_written(
    path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: every write of the group is refused, those before the one that was too much as well."""
    store = SqliteStore(path)
    heard: list[Committed] = []
    refused: list[str] = []
    large = accept("m3", "x" * 100_000)

    async def write(changes: Sequence[Change]) -> None:
        try:
            await store.write(changes)
        except StoreUnavailable as error:
            refused.append(str(error))

    async with store.open(heard.append):
        await store.write([accept("m1")])
        connections.writer.execute("PRAGMA max_page_count = 1").fetchall()  # as many as it has
        async with trio.open_nursery() as nursery:
            with hold(monkeypatch, "before", "_commit_group") as gate:
                # Held up behind the first one, the other three are one group.
                nursery.start_soon(write, [Mark(row_id="r0", state=SendState.SENT, attempts=1)])
                await gate.wait_reached()
                for changes in ([accept("m2")], [Settle("m1", Stopped()), large], [accept("m4")]):
                    nursery.start_soon(write, changes)
                    await wait_all_tasks_blocked()
        assert refused == [f"{path} cannot be written: database or disk is full"] * 3
        assert await store.read_depths() == Depths(inbox=1, outbox=0)
        connections.writer.execute("PRAGMA max_page_count = 1000000").fetchall()
        await store.write([Settle("m1", Stopped()), large])
        assert await store.read_depths() == Depths(inbox=1, outbox=0)
    assert [each.message.id for committed in heard for each in committed.accepted] == ["m1", "m3"]
    assert look(path, "PRAGMA integrity_check") == [("ok",)]


@contextmanager
def files_may_grow(by: int, *files: Path) -> Iterator[None]:
    """No file of this process may become larger than these are and so many bytes: root's neither."""
    limit = max(file.stat().st_size for file in files) + by
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, PAGE * 2])
async def test_a_disk_that_takes_no_message_fails_the_check(path: Path, room: int) -> None:
    """/readyz: the check needs as much room in the log as a message; both work again after."""
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
        with files_may_grow(room, path, path.with_name("midstream.db-wal")):
            for write in (partial(store.write, [accept("m2")]), store.check):
                with pytest.raises(StoreUnavailable, match=f"{re.escape(str(path))} cannot be written: "):
                    await write()
            assert await store.read_depths() == Depths(inbox=1, outbox=0)
        await store.check()
        await store.write([accept("m2")])
        assert await store.read_depths() == Depths(inbox=2, outbox=0)
    assert look(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_write_that_is_refused_says_why(path: Path) -> None:
    """A bug of ours, not the disk's fault: the error that caused it is kept for the log."""
    store = SqliteStore(path)
    async with store.open(nobody):
        with pytest.raises(StoreError, match="a write was refused: UnicodeEncodeError: ") as refused:
            await store.write([accept("\ud83c")])
        assert isinstance(refused.value.__cause__, UnicodeEncodeError)
        assert not isinstance(refused.value, StoreUnavailable)


async def test_a_group_that_breaks_as_a_whole_says_so_to_each(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever broke it: nobody waits for ever, and the next group is written."""

    def broken(connection: sqlite3.Connection, write: Any) -> None:
        raise MemoryError

    store = SqliteStore(path)
    async with store.open(nobody):
        monkeypatch.setattr(sqlite_store, "_apply_one", broken)
        with pytest.raises(StoreError, match="a write was refused: MemoryError"):
            await store.write([accept("m1")])
        monkeypatch.undo()
        await store.write([accept("m1")])


class Broken(sqlite3.Connection):
    """A connection whose disk neither keeps nor takes back."""

    def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
        """See sqlite3."""
        if statement in ("COMMIT", "ROLLBACK"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *more)


async def test_opening_can_be_cancelled(
    path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any step: what was opened for it is closed, and nobody owns the file."""
    open_both = sqlite_store.open_both
    with trio.CancelScope() as scope:

        def interrupted(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
            trio.from_thread.run_sync(scope.cancel)
            return open_both(path)

        monkeypatch.setattr(sqlite_store, "open_both", interrupted)
        async with SqliteStore(path).open(nobody):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections.writer.execute("SELECT 1")


async def test_a_file_that_cannot_be_read_any_more_says_so(path: Path) -> None:
    """Somebody dropped a table; the store itself goes on."""
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE outbox")
        with pytest.raises(StoreUnavailable) as refused:
            await store.read_unsent(9)
        assert str(refused.value) == f"{path} cannot be read: no such table: outbox"
        assert await store.read_fate("m1") is None


# Versions -----------------------------------------------------------------------------------------


async def test_a_database_of_an_older_version_is_migrated_at_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step, each in a transaction of its own; what was in it is still there."""
    async with SqliteStore(path).open(nobody):
        pass
    steps = {SCHEMA_VERSION: "CREATE TABLE one (x);", SCHEMA_VERSION + 1: "ALTER TABLE one ADD COLUMN y;"}
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 2)
    monkeypatch.setattr(opening, "MIGRATIONS", steps)
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION + 2,)]
    assert look(path, "SELECT x, y FROM one") == []
    assert look(path, "SELECT id FROM messages") == [("m1",)]


async def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line, and the version before can still be started."""
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
    with monkeypatch.context() as patch:
        patch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        patch.setattr(opening, "MIGRATIONS", {SCHEMA_VERSION: "CREATE TABLE one (x); SELECT nonsense;"})
        with pytest.raises(StoreUnusable, match="cannot be used as a database: no such column"):
            async with SqliteStore(path).open(nobody):
                pass
    async with SqliteStore(path).open(nobody):
        assert look(path, "SELECT name FROM sqlite_master WHERE name = 'one'") == []


# As version 1 made them: what stands in the files that people have.
SCHEMA_1 = """
CREATE TABLE counter (value INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE touched (at REAL NOT NULL, padding BLOB NOT NULL);
INSERT INTO touched VALUES (0, '');
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    newest_id TEXT NOT NULL,
    newest_timestamp INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    late_behind TEXT,
    operation_id TEXT,
    fate TEXT,
    fate_fields TEXT,
    answer_sequence INTEGER
);
CREATE INDEX messages_settled ON messages (user_id, sequence) WHERE fate IS NOT NULL;
CREATE INDEX messages_answered ON messages (user_id, answer_sequence) WHERE answer_sequence IS NOT NULL;
CREATE INDEX messages_waiting ON messages (sequence) WHERE fate IS NULL;
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    interrupted_by TEXT,
    crashes INTEGER NOT NULL DEFAULT 0,
    started_at REAL NOT NULL,
    ended_at REAL
) WITHOUT ROWID;
CREATE INDEX operations_unfinished ON operations (started_at) WHERE ended_at IS NULL;
CREATE TABLE calls (
    operation_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    round INTEGER NOT NULL,
    tool TEXT NOT NULL,
    args TEXT NOT NULL,
    after TEXT NOT NULL,
    intended_at REAL,
    status TEXT,
    value TEXT,
    value_lost INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (operation_id, position),
    UNIQUE (operation_id, id)
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    provider_id TEXT NOT NULL,
    error TEXT NOT NULL,
    delivery TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX outbox_told_once ON outbox (operation_id) WHERE kind = 'acknowledgement';
CREATE INDEX outbox_unsent ON outbox (sequence) WHERE state IN ('pending', 'sending', 'resending', 'failed');
CREATE INDEX outbox_operation ON outbox (operation_id) WHERE kind = 'note';
CREATE INDEX outbox_dead ON outbox (sequence) WHERE state = 'dead';
CREATE INDEX outbox_by_user ON outbox (user_id);
"""
# What version 1 wrote: an operation that was interrupted in its wave, with two messages that wait, one of
# them late; one that was stopped in its second round; and what had ended before.
ROWS_1 = """
UPDATE counter SET value = 20;
INSERT INTO users VALUES ('15551234567', 'm2', 1800000005), ('15557654321', 'b1', 1800000000);
INSERT INTO messages VALUES
 (1, 'm0', '15551234567', 'hello', 1800000000, NULL, 'o0', 'answered', '{"reply":{"text":"hi"}}', 3),
 (2, 'x0', '15551234567', 'no', 1800000000, NULL, NULL, 'stopped', '{}', NULL),
 (4, 'm1', '15551234567', 'one', 1800000001, NULL, 'o1', NULL, NULL, NULL),
 (5, 'm2', '15551234567', 'two', 1800000005, NULL, NULL, NULL, NULL, NULL),
 (6, 'm3', '15551234567', 'three', 1800000002, 'm2', NULL, NULL, NULL, NULL),
 (9, 'b1', '15557654321', 'ben', 1800000000, NULL, 'o2', NULL, NULL, NULL);
INSERT INTO operations VALUES
 ('o0', 'm0', 'completed', NULL, 0, 1800000000.5, 1800000002.5),
 ('o1', 'm1', 'in_wave', 'm2', 2, 1800000003.5, NULL),
 ('o2', 'b1', 'at_boundary', '', -1, 1800000004.5, NULL);
INSERT INTO calls VALUES
 ('o1', 0, 'a', 0, 'look', '{}', '[]', 1800000003.5, 'succeeded', '"18:00"', 0, NULL, 0.25),
 ('o1', 1, 'b', 0, 'book', '{"at":{"$ref":["a",[]]}}', '["a"]', 1800000004.5, NULL, NULL, 0, NULL, 0),
 ('o2', 0, 'a', 0, 'look', '{}', '[]', 1800000004.5, 'failed', 'null', 0, 'ValueError: x', 1.5),
 ('o2', 1, 'c', 1, 'look', '{}', '[]', NULL, NULL, NULL, 0, NULL, 0);
INSERT INTO outbox VALUES
 (3, 'r0', '15551234567', 'reply', 'hi', 'o0', 'm0', 'sent', 1, 'wamid.0', '', 'read'),
 (7, 'k1', '15551234567', 'acknowledgement', 'Got it!', 'o1', 'm1', 'pending', 0, '', '', ''),
 (8, 'n1', '15551234567', 'note', '1 of 2', 'o1', 'm1', 'dropped', 0, '', '', '');
"""


def tables(path: Path) -> dict[str, Any]:
    """The columns of each table, as they are used, and each index, as it was made."""
    made = look(path, "SELECT type, name, sql FROM sqlite_master")
    columns = {name: look(path, f"PRAGMA table_info({name})") for type, name, _ in made if type == "table"}
    return {**columns, **{name: " ".join((sql or "").split()) for type, name, sql in made if type == "index"}}


@pytest.fixture
def version_1(path: Path) -> Path:
    """A file as version 1 left it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{SCHEMA_1} {ROWS_1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
    return path


async def test_a_file_of_version_1_has_the_tables_of_a_new_one(version_1: Path, tmp_path: Path) -> None:
    """Whatever is written from then on: nobody need ask which version made the file."""
    new = tmp_path / "new.db"
    for file in (version_1, new):
        async with SqliteStore(file).open(nobody):
            pass
    assert look(version_1, "PRAGMA user_version") == look(new, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert tables(version_1) == tables(new)


async def test_what_version_1_left_is_still_there(version_1: Path) -> None:
    """P14: it goes on under this version; a stop and a change of mind are told apart."""
    m1, m2, m3, b1 = (
        Message(id=id, user=user, text=text, timestamp=SECOND + later, sequence=sequence)
        for id, user, text, later, sequence in (
            ("m1", ANNA, "one", 1, 4),
            ("m2", ANNA, "two", 5, 5),
            ("m3", ANNA, "three", 2, 6),
            ("b1", User("15557654321"), "ben", 0, 9),
        )
    )
    store = SqliteStore(version_1)
    for _ in range(2):  # migrated, and opened again
        async with store.open(nobody):
            assert await store.read_unfinished() == (
                Unfinished(
                    operations=(
                        UnfinishedOperation(
                            operation_id="o1",
                            message=m1,
                            burst=(m1,),
                            phase=Phase.IN_WAVE,
                            interrupted_by="m2",
                            reason=Reason.NEW_MESSAGE,
                        ),
                    ),
                    # Each in a burst of its own that may have started long ago.
                    waiting=(
                        Accepted(message=m2, burst_id="m2", starts_at=0.0),
                        Accepted(message=m3, newest="m2", burst_id="m3", starts_at=0.0),
                    ),
                ),
                Unfinished(
                    operations=(
                        UnfinishedOperation(
                            operation_id="o2",
                            message=b1,
                            burst=(b1,),
                            phase=Phase.AT_BOUNDARY,
                            interrupted_by="",
                            reason=Reason.STOPPED,
                        ),
                    )
                ),
            )
            o1, o2 = await store.read_operation("o1"), await store.read_operation("o2")
            assert (o1.burst, o1.round, o1.undo, o1.crashes) == ((m1,), 0, False, 2)
            assert (o2.burst, o2.round, o2.undo, o2.crashes) == ((b1,), 1, False, -1)
            look_a = Outcome(call_id="a", tool="look", status=Status.SUCCEEDED, raw="18:00", seconds=0.25)
            assert o1.calls == (
                CallRecord(call=Call("a", "look"), round=0, intended_at=SECOND + 3.5, outcome=look_a),
                CallRecord(
                    call=Call("b", "book", {"at": Ref("a")}, after=["a"]), round=0, intended_at=SECOND + 4.5
                ),
            )
            conversation = await store.read_conversation(ANNA.id, limit=9)
            assert [(turn.text, turn.fate) for turn in conversation.turns] == [
                ("hello", "answered"),
                ("no", "stopped"),
                ("hi", "answered"),
            ]
            (k1,) = await store.read_unsent(9)
            assert (k1.id, k1.not_before) == ("k1", 0.0)


async def test_a_file_of_version_1_can_be_written(version_1: Path) -> None:
    """What comes now begins a burst, and ends what was interrupted then."""
    heard: list[Committed] = []
    store = SqliteStore(version_1)
    async with store.open(heard.append):
        await store.write([accept("m4"), accept("m5")])
        await store.write(
            [End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND), Settle("m1", Superseded("m2"))]
        )
        await store.write([Queue(OutboxRow(id="r1", user=ANNA, kind=OutgoingKind.REPLY, text="done"))])
        (left, _) = await store.read_unfinished()
        (request,) = (await store.read_conversation(ANNA.id, limit=9)).superseded
    assert [(each.message.sequence, each.newest, each.burst_id) for each in heard[0].accepted] == [
        (21, "m2", "m4"),
        (22, "m2", "m4"),
    ]
    assert left.interruptions == 1
    assert [record.outcome.status for record in request.calls] == [Status.SUCCEEDED, Status.UNKNOWN]
    assert [each.id for each in heard[2].dropped] == ["k1"]


async def test_the_file_is_its_owners_alone(path: Path) -> None:
    """It holds what people say: nobody else on the machine may read it, nor the log beside it."""
    store = SqliteStore(path)
    async with store.open(nobody):
        await store.write([accept("m1")])
        files = [path, path.with_name("midstream.db-wal"), path.with_name("midstream.db.owner")]
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3
