"""What an operator sees and does in a database file, with and without a server on it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from engine import (
    Answered,
    Call,
    Identity,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Reply,
    SendState,
    SqliteStore,
    Status,
    StoreUnavailable,
    StoreUnusable,
    Superseded,
    User,
    at_number,
)
from engine.model import Delivery, DeliveryReport
from engine.phases import Phase
from engine.store import (
    Accept,
    Begin,
    Change,
    Committed,
    End,
    Happened,
    Intended,
    Mark,
    Planned,
    Queue,
    Report,
    Settle,
    Suspend,
)
from engine.store.sqlite import admin
from engine.store.sqlite.admin import NotPossible, Removed, backup, opening, removing
from engine.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

ANNA = User("15551234567")
BEN = User("15557654321")
DAY = 24 * 3600
NOW = 1_800_000_000
TABLES = ("users", "messages", "operations", "calls", "outbox")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, or will be."""
    return tmp_path / "midstream.db"


def nobody(committed: Committed) -> None:
    """A listener that hears nothing."""


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[SqliteStore]:
    """A store as a running server has it."""
    store = SqliteStore(path)
    async with store.open(nobody):
        yield store


def fill(path: Path, *changes: Change) -> None:
    """What a server wrote that does not run any more."""

    async def write() -> None:
        async with open_store(path) as store:
            await store.write(changes)

    trio.run(write)


def accept(id: str, *, user: User = ANNA, text: str = "text", at: float = NOW) -> Accept:
    return Accept(message=Message(id=id, user=user, text=text, timestamp=int(at)), at=at)


def brought(id: str, user: User, identity: Identity, timestamp: int = 1) -> Accept:
    """A message that says who wrote it."""
    message = Message(id=id, user=user, text="hi", timestamp=timestamp, identity=identity)
    return Accept(message=message, at=NOW)


def row(id: str, message: str, *, user: User = ANNA, text: str = "reply", **fields: Any) -> OutboxRow:
    return OutboxRow(
        id=id,
        user=user,
        kind=OutgoingKind.REPLY,
        text=text,
        message_id=message,
        operation_id=f"operation-{message}",
        **fields,
    )


def begun(id: str, *, user: User = ANNA, text: str = "text", at: float = NOW) -> list[Change]:
    """A message and its operation, whose first call has ended and whose second is under way."""
    message = Message(id=id, user=user, text=text, timestamp=int(at))
    operation = f"operation-{id}"
    return [
        Accept(message=message, at=at),
        Begin(operation_id=operation, message=message, at=at),
        Planned(operation_id=operation, round=0, calls=(Call("one", "act"), Call("two", "act"))),
        Intended(operation_id=operation, call_ids=("one", "two"), at=at),
        Happened(
            operation_id=operation, outcomes=(Outcome(call_id="one", tool="act", status=Status.SUCCEEDED),)
        ),
    ]


def answered(id: str, *, user: User = ANNA, text: str = "text", at: float = NOW) -> list[Change]:
    """A message whose operation has ended, with its reply in the outbox."""
    return [
        *begun(id, user=user, text=text, at=at),
        End(operation_id=f"operation-{id}", phase=Phase.COMPLETED, at=at),
        Settle(id, Answered(Reply(f"reply to {text}"))),
        Queue(row(f"row-{id}", id, user=user, text=f"reply to {text}")),
    ]


def mark(id: str, state: SendState) -> Mark:
    return Mark(row_id=id, state=state, attempts=3, provider_id="wamid.1", error="no")


def sent(id: str, *, user: User = ANNA, text: str = "text", at: float = NOW) -> list[Change]:
    """A message with everything behind it."""
    return [*answered(id, user=user, text=text, at=at), mark(f"row-{id}", SendState.SENT)]


def look(path: Path, statement: str) -> list[Any]:
    """What stands in the file, seen from outside."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def counts(path: Path) -> tuple[int, ...]:
    """How many rows each table has."""
    return tuple(look(path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)  # noqa: S608


def ids(path: Path, table: str) -> set[str]:
    return {id for (id,) in look(path, f"SELECT id FROM {table}")}  # noqa: S608


def no_pause() -> None:
    """Nobody else writes."""


def is_in_files(path: Path, text: str) -> bool:
    """Whether a text stands anywhere in the database's files, in a free page or in the log too."""
    return any(text.encode() in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# Opening ------------------------------------------------------------------------------------------


def test_a_database_is_never_made(path: Path) -> None:
    """A wrong name is told; it does not become an empty database that looks like nothing is wrong."""
    with pytest.raises(StoreUnusable, match="there is no database"), admin.open_database(path):
        pass
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("pragmas", "refusal"),
    [
        ("", "not a database of Midstream"),
        (f"PRAGMA user_version = {SCHEMA_VERSION}", "not a database of Midstream"),
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION + 1}",
            "newer Midstream",
        ),
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION - 1}",
            "older Midstream .* start the server once",
        ),
    ],
)
def test_only_a_database_of_this_version_is_opened(path: Path, pragmas: str, refusal: str) -> None:
    """Another program's file, and one of another version, is refused and stays as it is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE other (x); {pragmas}")
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=refusal), admin.open_database(path):
        pass
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """Whatever it is, it is named."""
    path.write_text("a letter, and a long one; " * 100)
    with pytest.raises(StoreUnusable, match="not a database of Midstream"), admin.open_database(path):
        pass


def test_a_file_with_a_strange_name_is_opened(path: Path) -> None:
    """What means something in a URI means nothing here."""
    strange = path.with_name("a?mode=ro&b%20c#d.db")
    fill(strange, accept("m1"))
    with admin.open_database(strange) as connection:
        assert admin.list_operations(connection, finished=True, limit=10) == ()


def test_a_locked_database_is_refused_in_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; the line says that another program has it."""
    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0)
    fill(path, *answered("m1"), mark("row-m1", SendState.DEAD))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        locked = pytest.raises(StoreUnavailable, match="locked by another program")
        with locked, admin.open_database(path) as connection:
            admin.retry(connection, None)


# Operations ---------------------------------------------------------------------------------------


def test_unfinished_operations_are_listed_the_newest_first(path: Path) -> None:
    """With how far each came; finished ones only when asked for."""
    fill(path, *sent("m1", at=NOW), *begun("m2", at=NOW + 1), *begun("m3", user=BEN, at=NOW + 2))
    fill(path, Suspend("operation-m3"))
    with admin.open_database(path) as connection:
        unfinished = admin.list_operations(connection, finished=False, limit=10)
        everything = admin.list_operations(connection, finished=True, limit=10)
        newest = admin.list_operations(connection, finished=True, limit=1)
    assert [one.operation_id for one in unfinished] == ["operation-m3", "operation-m2"]
    assert [one.operation_id for one in everything] == ["operation-m3", "operation-m2", "operation-m1"]
    assert newest == everything[:1]
    second = unfinished[1]
    assert (second.user, second.message_id, second.phase) == (ANNA, "m2", Phase.IN_WAVE)
    assert (second.calls_ended, second.calls_planned, second.ended_at) == (1, 2, None)
    assert unfinished[0].crashes == 0  # a suspension is no crash


def test_an_operation_is_found_by_the_beginning_of_its_id(path: Path) -> None:
    """As long as that is one; a whole id is itself, even when another begins with it."""
    fill(path, *begun("m1"), *sent("m2", user=BEN), *sent("m22", user=BEN))
    with admin.open_database(path) as connection:
        first = admin.find_operation(connection, "operation-m1")
        assert (first.record.message.id, first.fate) == ("m1", None)
        second = admin.find_operation(connection, "operation-m2")
        assert (second.record.message.id, second.fate) == ("m2", Answered(Reply("reply to text")))
        with pytest.raises(NotPossible, match="more than one operation begins with 'operation-'"):
            admin.find_operation(connection, "operation-")
        for wrong in ("", "operation-m3", "z"):
            with pytest.raises(NotPossible, match="there is no operation"):
                admin.find_operation(connection, wrong)


# The outbox ---------------------------------------------------------------------------------------


@pytest.fixture
def letters(path: Path) -> Path:
    """A database whose rows 1 and 2 are dead letters, 3 waits, 4 is sent."""
    fill(
        path,
        accept("m1"),
        *(Queue(row(f"row{number}", "m1")) for number in range(1, 5)),
        mark("row1", SendState.DEAD),
        mark("row2", SendState.DEAD),
        mark("row4", SendState.SENT),
    )
    return path


def outbox(path: Path, state: SendState | None = None) -> list[str]:
    with admin.open_database(path) as connection:
        return [row.id for row in admin.list_outbox(connection, state=state, limit=10)]


def test_the_outbox_shows_what_needs_a_look(letters: Path) -> None:
    """What is not sent yet and dead letters; everything else by its state."""
    assert outbox(letters) == ["row1", "row2", "row3"]
    assert outbox(letters, SendState.SENT) == ["row4"]
    with admin.open_database(letters) as connection:
        assert len(admin.list_outbox(connection, state=None, limit=2)) == 2


def test_a_dead_letter_is_queued_again_as_if_it_were_new(letters: Path) -> None:
    """Behind all that a running server has loaded, with no attempt and no report against it."""
    with admin.open_database(letters) as connection:
        assert admin.retry(connection, ["row1"]) == 1
        assert admin.retry(connection, None) == 1
        rows = admin.list_outbox(connection, state=None, limit=10)
    assert [one.id for one in rows] == ["row3", "row1", "row2"]
    last = rows[-1]
    assert (last.state, last.attempts, last.error, last.provider_id) == (SendState.PENDING, 0, "", "")
    assert (last.text, last.user, last.message_id) == ("reply", ANNA, "m1")
    [(counter,)] = look(letters, "SELECT value FROM counter")
    assert last.sequence == counter


@pytest.mark.parametrize("which", [None, ["row2", "row1"]])
def test_letters_that_are_sent_again_keep_their_order(letters: Path, which: list[str] | None) -> None:
    """The parts of a long reply come as they were written, however the operator names them."""
    with admin.open_database(letters) as connection:
        assert admin.retry(connection, which) == 2
    assert outbox(letters) == ["row3", "row1", "row2"]


def test_a_letter_whose_delivery_failed_can_be_delivered_after_all(letters: Path) -> None:
    """What was reported of the first request does not stand against the second."""
    fill(
        letters, Report(DeliveryReport(row_id="row4", delivery=Delivery.FAILED)), mark("row4", SendState.DEAD)
    )
    with admin.open_database(letters) as connection:
        admin.retry(connection, ["row4"])
        assert admin.list_outbox(connection, state=None, limit=10)[-1].delivery is Delivery.NONE


def test_a_dropped_letter_is_never_sent(letters: Path) -> None:
    """It stays, for whoever asks what became of it."""
    with admin.open_database(letters) as connection:
        assert admin.drop(connection, ["row2"]) == 1
        assert admin.drop(connection, None) == 1
        assert admin.drop(connection, None) == 0
    assert outbox(letters) == ["row3"]
    assert outbox(letters, SendState.DROPPED) == ["row1", "row2"]


@pytest.mark.parametrize("act", [admin.retry, admin.drop])
@pytest.mark.parametrize(
    ("id", "refusal"),
    [
        ("row3", "row3 is pending, not a dead letter"),
        ("row4", "row4 is sent, not a dead letter"),
        ("row", "more than one dead letter begins with 'row'"),
        ("nothing", "there is no dead letter 'nothing'"),
        ("", "there is no dead letter ''"),
    ],
)
def test_what_is_no_dead_letter_is_refused_with_all_the_others(
    letters: Path, act: Callable[..., int], id: str, refusal: str
) -> None:
    """A letter that is on its way is never sent twice by a slip of the operator."""
    before = look(letters, "SELECT * FROM outbox")
    with admin.open_database(letters) as connection, pytest.raises(NotPossible, match=refusal):
        act(connection, ["row1", id])
    assert look(letters, "SELECT * FROM outbox") == before


# The owner ----------------------------------------------------------------------------------------

# Owns the database, says so, and either waits to be told or knows nothing of signals.
OWNER = """
import signal, sys, trio
from engine import SqliteStore

async def main():
    async with SqliteStore(sys.argv[1]).open(lambda committed: None):
        if sys.argv[2] == "deaf":
            print("owns", flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)
            return
        with trio.open_signal_receiver(signal.SIGHUP) as heard:
            print("owns", flush=True)
            async for number in heard:
                print(signal.Signals(number).name, flush=True)
                break

trio.run(main)
"""


@contextmanager
def run_owner(path: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the database."""
    command = [sys.executable, "-c", OWNER, str(path), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owns\n"
        try:
            yield process
        finally:
            process.kill()


def test_nobody_is_told_when_nobody_runs(path: Path) -> None:
    """Not even who ran last: its number may be another process's by now."""
    fill(path, accept("m1"))
    assert path.with_name("midstream.db.owner").read_text().startswith(f"{os.getpid()}@")
    assert admin.wake_owner(path) is None
    path.with_name("midstream.db.owner").unlink()
    assert admin.wake_owner(path) is None


linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know a process")


@linux
def test_a_server_that_listens_is_told_to_look_again(path: Path) -> None:
    """It gets the signal it waits for."""
    with run_owner(path, "listens") as process:
        owner = admin.wake_owner(path)
        assert process.communicate()[0] == "SIGHUP\n"
        assert process.returncode == 0
    assert owner is not None
    assert owner.was_told
    assert owner.name.startswith(f"{process.pid}@")


@linux
def test_an_owner_that_does_not_listen_is_left_alone(path: Path) -> None:
    """The signal would end it: a server that is still starting, or somebody's own program."""
    with run_owner(path, "deaf") as process:
        owner = admin.wake_owner(path)
        process.communicate()  # its input ends, and so it does by itself
        assert process.returncode == 0
    assert owner is not None
    assert not owner.was_told


@linux
def test_a_stranger_never_gets_the_signal(path: Path, tmp_path: Path) -> None:
    """A name that was left behind, or one of another host, may be anybody's number here."""
    with run_owner(tmp_path / "other.db", "listens") as stranger, run_owner(path, "deaf"):
        path.with_name("midstream.db.owner").write_text(f"{stranger.pid}@elsewhere")
        owner = admin.wake_owner(path)
        assert owner == admin.Owner(f"{stranger.pid}@elsewhere", was_told=False)
        assert stranger.poll() is None


def test_a_name_that_cannot_be_read_tells_nobody(path: Path) -> None:
    """Whatever somebody wrote there."""
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _frame: heard.append(number))
    try:
        with run_owner(path, "deaf"):
            for name in ("", "-1@host", "0@host", "self@host", "all of them"):
                path.with_name("midstream.db.owner").write_text(name)
                assert admin.wake_owner(path) == admin.Owner(name or "unknown", was_told=False)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == []


# Forgetting ---------------------------------------------------------------------------------------


def forget(path: Path, user: User = ANNA) -> Removed:
    with admin.open_database(path) as connection:
        removed = admin.forget(connection, path, user.id)
        assert admin.empty_log(connection)
    return removed


def test_a_person_is_forgotten_everywhere(path: Path) -> None:
    """In every table, with what is unfinished; nobody else loses anything."""
    fill(path, *sent("b1", user=BEN))
    others = {table: look(path, f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608
    fill(path, *sent("m1"), accept("m2"), Settle("m2", Superseded("m3")), *begun("m3"), accept("m4"))
    fill(path, Queue(attrs.evolve(row("notice", ""), operation_id="")))
    assert forget(path) == Removed(messages=4, operations=2, calls=4, outbox=2, users=1)
    assert {table: look(path, f"SELECT * FROM {table}") for table in TABLES} == others  # noqa: S608
    assert forget(path) == Removed()


def test_a_person_is_forgotten_at_every_number_of_the_business(path: Path) -> None:
    """Who asks for it does not know the numbers apart; somebody else's stay."""
    other = User(at_number("2065", ANNA.id))
    stranger = User(at_number("2065", BEN.id))
    for user, id in ((ANNA, "m1"), (other, "m2"), (stranger, "m3")):
        identity = Identity(names=(user.id,), address=user.name)
        fill(path, brought(id, user, identity))
    assert forget(path) == Removed(messages=2, users=2)
    assert look(path, "SELECT id, user_id FROM messages") == [("m3", stranger.id)]
    assert look(path, "SELECT name FROM names") == [(stranger.id,)]


def test_who_has_a_number_now_is_forgotten_and_not_who_had_it(path: Path) -> None:
    """Ids of ours outlive a phone number: the old owner's conversation is still theirs."""
    moved = Identity(names=(ANNA.id, "15550000009"), retired=(ANNA.id,), address="15550000009")
    here = Identity(names=(ANNA.id,))
    fill(path, brought("m1", ANNA, here), brought("m2", ANNA, moved), brought("m3", ANNA, here, 2))
    assert forget(path) == Removed(messages=1, users=1)
    assert look(path, "SELECT id, user_id FROM messages ORDER BY id") == [("m1", ANNA.id), ("m2", ANNA.id)]


def test_no_text_of_a_forgotten_person_is_left_in_the_files(path: Path) -> None:
    """Neither in free pages nor in the write-ahead log, also while a server has the file open."""

    async def main() -> None:
        async with open_store(path) as store:
            for number in range(50):
                await store.write(sent(f"m{number}", text=f"sesame {number} " * 500))
            assert is_in_files(path, "sesame")
            assert forget(path).messages == 50
            assert not is_in_files(path, "sesame")
            assert not is_in_files(path, ANNA.id)

    trio.run(main)


@pytest.mark.parametrize(
    "work",
    [
        [accept("m2")],
        begun("m2"),
        answered("m2"),
        [*answered("m2"), mark("row-m2", SendState.SENDING)],
        [*answered("m2"), mark("row-m2", SendState.RESENDING)],
    ],
    ids=["waiting", "running", "pending", "sending", "resending"],
)
async def test_nobody_is_forgotten_whom_a_server_works_for(path: Path, work: list[Change]) -> None:
    """It would go on with what is not there; everybody else can be forgotten meanwhile."""
    async with open_store(path) as store:
        await store.write([*sent("m1"), *work, *sent("b1", user=BEN)])
        before = counts(path)
        with pytest.raises(NotPossible, match="the server is at work for …4567"):
            forget(path)
        assert counts(path) == before
        assert forget(path, BEN).messages == 1
    assert forget(path).messages == 2  # nobody works on it now


async def test_a_server_goes_on_with_others_and_meets_the_forgotten_anew(path: Path) -> None:
    """What it still has to say of them changes nothing, and their next message is their first."""
    async with open_store(path) as store:
        await store.write(sent("m1"))
        forget(path)
        late = Report(DeliveryReport(row_id="row-m1", delivery=Delivery.READ))
        await store.write([late, mark("row-m1", SendState.SENT)])
        assert counts(path) == (0, 0, 0, 0, 0)
        await store.write([accept("m1", at=NOW - DAY)])
        [unfinished] = await store.read_unfinished()
        assert [waiting.newest for waiting in unfinished.waiting] == [None]


def test_forgetting_is_all_or_nothing(path: Path) -> None:
    """A disk that fails in between leaves the person as they were."""
    fill(path, *sent("m1"))
    before = counts(path)
    with admin.open_database(path) as connection:
        connection.set_authorizer(
            lambda action, table, *_: (
                sqlite3.SQLITE_DENY
                if (action, table) == (sqlite3.SQLITE_DELETE, "users")
                else sqlite3.SQLITE_OK
            )
        )
        with pytest.raises(sqlite3.DatabaseError):
            admin.forget(connection, path, ANNA.id)
    assert counts(path) == before


def test_no_server_starts_while_somebody_is_forgotten(path: Path) -> None:
    """It would have read what is going."""
    fill(path, accept("m1"))
    with admin.try_to_own(path) as owned, admin.try_to_own(path) as owned_twice:
        assert (owned, owned_twice) == (True, False)

        async def start() -> None:
            async with SqliteStore(path, owner_wait_seconds=0).open(nobody):
                raise AssertionError("unreachable")

        with pytest.raises(StoreUnusable, match="in use"):
            trio.run(start)


# Purging ------------------------------------------------------------------------------------------


def purge(path: Path, *, before: int, pause: Callable[[], None] = no_pause) -> Removed:
    with admin.open_database(path) as connection:
        return admin.purge(connection, before=before, pause=pause)


def test_what_was_settled_long_ago_is_removed(path: Path) -> None:
    """With its operation, calls and outbox rows; a person nothing is left of has no row either."""
    fill(path, *sent("b1", user=BEN, at=NOW - 40 * DAY))
    fill(path, *sent("m1", at=NOW - 40 * DAY), *sent("m2", at=NOW - 20 * DAY))
    removed = Removed(messages=2, operations=2, calls=4, outbox=2, users=1)
    assert purge(path, before=NOW - 30 * DAY) == removed
    assert counts(path) == (1, 1, 1, 2, 1)
    assert ids(path, "messages") == {"m2"}
    assert ids(path, "users") == {ANNA.id}
    assert purge(path, before=NOW - 30 * DAY) == Removed()


@pytest.mark.parametrize("state", [SendState.SENT, SendState.DEAD, SendState.DROPPED])
def test_rows_that_nothing_more_happens_to_go_with_their_message(path: Path, state: SendState) -> None:
    """A dead letter is no reason to keep what was said for ever."""
    fill(path, *answered("m1", at=NOW), mark("row-m1", state))
    assert purge(path, before=NOW + 1) == Removed(messages=1, operations=1, calls=2, outbox=1, users=1)


@pytest.mark.parametrize(
    "changes",
    [
        [accept("m1")],
        begun("m1"),
        answered("m1"),
        [*answered("m1"), mark("row-m1", SendState.SENDING)],
        [*answered("m1"), mark("row-m1", SendState.RESENDING)],
        [*sent("m1"), Queue(attrs.evolve(row("note", ""), operation_id="operation-m1"))],
        [accept("m1"), Settle("m1", Superseded("m2")), Queue(row("told", "m1", state=SendState.PENDING))],
    ],
    ids=["waiting", "running", "pending", "sending", "resending", "a note of it", "a notice of it"],
)
def test_what_is_unfinished_or_unsent_is_never_purged(path: Path, changes: list[Change]) -> None:
    """However old it is: all of it stays as it was."""
    fill(path, *changes)
    before = counts(path)
    assert purge(path, before=NOW + DAY) == Removed()
    assert counts(path) == before


def test_rows_go_with_their_message_or_with_its_operation(path: Path) -> None:
    """A notice may name only the one, a note only the other; another message's rows stay."""
    fill(path, *sent("m1"), *sent("m2", at=NOW + DAY))
    of_message, of_operation = row("notice", "m1"), row("note", "m1")
    fill(
        path,
        Queue(attrs.evolve(of_message, operation_id="", state=SendState.SENT)),
        Queue(attrs.evolve(of_operation, message_id="", state=SendState.SENT)),
    )
    assert purge(path, before=NOW + 1).outbox == 3
    assert ids(path, "outbox") == {"row-m2"}


def test_an_unsent_notice_of_nobodys_operation_keeps_nothing_else(path: Path) -> None:
    """A message that never had an operation is not taken for one of a row without."""
    fill(path, accept("m1"), Settle("m1", Superseded("m2")))
    fill(path, Queue(attrs.evolve(row("notice", "elsewhere"), operation_id="")))
    assert purge(path, before=NOW + DAY).messages == 1


def test_an_old_message_that_was_worked_on_lately_stays(path: Path) -> None:
    """It came late, or waited for a server: its duplicate may still come (P5)."""
    fill(
        path,
        *begun("m1", at=NOW - 40 * DAY),
        End(operation_id="operation-m1", phase=Phase.INTERRUPTED, at=NOW),
        Settle("m1", Superseded("m2")),
    )
    assert purge(path, before=NOW - 30 * DAY) == Removed()
    assert purge(path, before=NOW + 1).messages == 1


async def test_a_server_writes_between_the_batches_of_a_purge(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is free after each batch; what comes meanwhile is kept."""
    monkeypatch.setattr(removing, "_BATCH_MESSAGES", 2)
    new = iter(range(10))
    async with open_store(path) as store:
        await store.write([change for number in range(6) for change in sent(f"old{number}", at=NOW - DAY)])

        def write_meanwhile() -> None:
            trio.from_thread.run(store.write, sent(f"new{next(new)}", user=BEN))

        def in_thread() -> Removed:
            return purge(path, before=NOW, pause=write_meanwhile)

        removed = await trio.to_thread.run_sync(in_thread)
        assert removed == Removed(messages=6, operations=6, calls=12, outbox=6, users=1)
        assert ids(path, "messages") == {"new0", "new1", "new2"}
        conversation = await store.read_conversation(BEN.id, limit=10)
        assert len(conversation.turns) == 6


async def test_what_becomes_unsent_before_its_batch_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody retries a dead letter between the look and the batch: the question is asked again."""
    fill_ahead = [*answered("m1", at=NOW - DAY), mark("row-m1", SendState.DEAD)]
    begin = removing.transaction

    @contextmanager
    def retry_first(connection: sqlite3.Connection) -> Iterator[None]:
        monkeypatch.setattr(removing, "transaction", begin)
        with admin.open_database(path) as other:
            admin.retry(other, ["row-m1"])
        with begin(connection):
            yield

    async with open_store(path) as store:
        await store.write(fill_ahead)
        monkeypatch.setattr(removing, "transaction", retry_first)
        assert purge(path, before=NOW) == Removed()
        [unsent] = await store.read_unsent(10)
        assert unsent.id == "row-m1"


def test_a_reader_keeps_the_log_and_that_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads an older state needs it; nobody waits for ever."""
    monkeypatch.setattr(removing, "_CHECKPOINT_SECONDS", 0)
    fill(path, *sent("m1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        with admin.open_database(path) as connection:
            assert admin.forget(connection, path, ANNA.id)
            assert not admin.empty_log(connection)
            reader.execute("ROLLBACK")
            assert admin.empty_log(connection)


# Backup -------------------------------------------------------------------------------------------


def back_up(path: Path, target: Path) -> None:
    with admin.open_database(path) as connection:
        admin.back_up(connection, target)


class Watched(sqlite3.Connection):
    """A connection that has something done after each step of a backup."""

    between_steps: Callable[[], None]

    def backup(self, target: sqlite3.Connection, **options: Any) -> None:
        """See sqlite3.Connection.backup."""
        super().backup(target, progress=lambda *_: self.between_steps(), **options)


async def test_a_backup_is_one_view_of_a_database_that_is_written(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server commits after each page: the copy is sound, ends, and has what was there when it began."""
    monkeypatch.setattr(backup, "_BACKUP_PAGES", 1)
    target, steps = tmp_path / "backup.db", 0
    async with open_store(path) as store:
        await store.write([change for number in range(20) for change in sent(f"m{number}")])

        def write_meanwhile() -> None:
            nonlocal steps
            steps += 1
            assert steps < 1000, "the copy begins anew with each commit"
            trio.from_thread.run(store.write, [accept(f"new{steps}", text="long " * 500)])

        def in_thread() -> None:
            with closing(sqlite3.connect(path, factory=Watched, isolation_level=None)) as connection:
                connection.between_steps = write_meanwhile
                admin.back_up(connection, target)

        await trio.to_thread.run_sync(in_thread)
        assert steps > 5
    assert ids(target, "messages") == {f"m{number}" for number in range(20)}
    assert look(target, "PRAGMA integrity_check") == [("ok",)]


def test_a_backup_is_a_database_like_the_first(path: Path, tmp_path: Path) -> None:
    """A server goes on with it; nothing else is left in its folder, and it is its owner's alone."""
    fill(path, *sent("m1"), *begun("m2"))
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(path, folder / "one.db")
    assert [file.name for file in folder.iterdir()] == ["one.db"]
    assert (folder / "one.db").stat().st_mode & 0o777 == 0o600

    async def main() -> None:
        async with open_store(folder / "one.db") as store:
            [unfinished] = await store.read_unfinished()
            assert [one.operation_id for one in unfinished.operations] == ["operation-m2"]

    trio.run(main)


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    """Neither a file, nor a link to nothing, nor what another backup is writing."""
    fill(path, accept("m1"))
    target, part = tmp_path / "backup", tmp_path / "backup.part"
    target.write_text("mine")
    with pytest.raises(NotPossible, match="exists and is not overwritten"):
        back_up(path, target)
    assert target.read_text() == "mine"
    target.unlink()
    target.symlink_to("nowhere")
    with pytest.raises(NotPossible, match="exists and is not overwritten"):
        back_up(path, target)
    target.unlink()
    part.write_text("another's")
    with pytest.raises(NotPossible, match="another backup"):
        back_up(path, target)
    assert part.read_text() == "another's"
    with pytest.raises(NotPossible, match="cannot be written"):
        back_up(path, tmp_path / "no folder" / "backup")


def test_a_backup_that_fails_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told in a line; no half of a backup has a backup's name."""
    fill(path, accept("m1"))

    def fail(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_sync", fail)
    with pytest.raises(NotPossible, match=r"was not made: .*No space left"):
        back_up(path, tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))


def test_a_damaged_database_gives_no_backup(path: Path, tmp_path: Path) -> None:
    """A copy that is not sound is none, and that is how one learns of the damage."""
    fill(path, *(change for number in range(200) for change in sent(f"m{number}")))
    page = 4096
    content = bytearray(path.read_bytes())
    for start in range(5 * page, len(content), 2 * page):
        content[start + 100 : start + page] = bytes(page - 100)
    path.write_bytes(content)
    with pytest.raises(NotPossible, match="not sound"):
        back_up(path, tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))
