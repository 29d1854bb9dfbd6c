"""The bench: its figures follow from what was counted, and a small run counts everything once."""

import json
import shutil
import sys
from contextlib import closing

import pytest
import trio
import trio.testing

import web.bench
from engine import Answered, MessageSettled, OutgoingKind, OutgoingSent, Reply, Superseded
from web.__main__ import main
from web.bench import RESULT, BenchBroken, run_bench
from web.bench.figures import MEMORY, SQLITE, Round, summarise, table
from web.bench.load import Load
from web.bench.server import CountedConnection, Counts

MACHINE = {"python": "3.11.7", "sqlite": "3.40.1", "system": "X", "cpus": 2, "fsync_milliseconds": 0.5}


def a_round(store: str, **fields: float) -> Round:
    """100 messages at 32 connections: 1 s, 0.1 s of CPU time, 6 writes a message."""
    counted = {
        "connections": 32,
        "sent": 100,
        "accepted": 100,
        "answered": 100,
        "seconds": 1.0,
        "cpu_seconds": 0.1,
        "commits": 600 if store == MEMORY else 60,
        "accepting_commits": 100 if store == MEMORY else 10,
    }
    return Round(store=store, **counted | fields)


# Figures ------------------------------------------------------------------------------------------


def test_figures_of_a_row_are_medians_of_its_rounds() -> None:
    """One round in a stall does not bend them."""
    [row] = summarise(
        [
            a_round(SQLITE, cpu_seconds=0.2, seconds=0.5),
            a_round(SQLITE, cpu_seconds=0.3, seconds=0.4),
            a_round(SQLITE, cpu_seconds=9.0, seconds=60.0, commits=100, accepting_commits=100),
        ]
    ).rows
    assert (row.store, row.connections, row.rounds) == (SQLITE, 32, 3)
    assert row.cpu_microseconds == pytest.approx(3000)
    assert row.accepted_per_second == pytest.approx(200)
    assert row.accepted_per_commit == pytest.approx(10)
    assert row.commits_per_message == pytest.approx(0.6)


def test_rows_stand_by_connections_and_memory_before_sqlite() -> None:
    """Whatever turns the stores took."""
    rounds = [a_round(store, connections=count) for store in (SQLITE, MEMORY) for count in (32, 1)]
    assert [(row.connections, row.store) for row in summarise(rounds).rows] == [
        (1, MEMORY),
        (1, SQLITE),
        (32, MEMORY),
        (32, SQLITE),
    ]


def test_the_ratio_is_taken_pair_by_pair() -> None:
    """A machine that slowed down in the middle slowed both of a pair: it is no part of the ratio."""
    pairs = [(0.1, 0.12), (0.9, 0.99), (0.1, 0.15)]  # CPU seconds in memory, with SQLite
    rounds = [
        a_round(store, cpu_seconds=seconds)
        for pair in pairs
        for store, seconds in zip((MEMORY, SQLITE), pair, strict=True)
    ]
    ratio, _ = summarise(rounds).targets
    assert (ratio.lowest, ratio.value, ratio.highest) == pytest.approx((1.1, 1.2, 1.5))


@pytest.mark.parametrize(("cpu_seconds", "is_met"), [(0.139, True), (0.141, False)])
def test_the_target_for_cpu_time(cpu_seconds, is_met) -> None:
    """At most 1.4 times what it costs in memory."""
    ratio, _ = summarise([a_round(MEMORY), a_round(SQLITE, cpu_seconds=cpu_seconds)]).targets
    assert ratio.is_met is is_met


@pytest.mark.parametrize(("accepting_commits", "is_met"), [(12, True), (13, False)])
def test_the_target_for_shared_commits(accepting_commits, is_met) -> None:
    """At least 8 messages in each commit that takes any in."""
    _, shared = summarise([a_round(MEMORY), a_round(SQLITE, accepting_commits=accepting_commits)]).targets
    assert shared.is_met is is_met


def test_no_target_stands_without_load() -> None:
    """At one connection there is nobody to share a commit with."""
    figures = summarise([a_round(MEMORY, connections=1), a_round(SQLITE, connections=1)])
    assert figures.targets == ()
    assert figures.writes_per_commit is None


def test_writes_of_a_commit_are_counted_by_the_store_that_shares_none() -> None:
    """In memory each write is a commit: 6 a message, against 0.6 commits on disk."""
    assert summarise([a_round(MEMORY), a_round(SQLITE)]).writes_per_commit == pytest.approx(10)


def test_the_table_tells_what_was_missed_and_what_was_lost() -> None:
    """It does not flatter."""
    slow = a_round(SQLITE, cpu_seconds=0.2, accepted=99, answered=98)
    lines = table(MACHINE, summarise([a_round(MEMORY), slow])).splitlines()
    assert "Python 3.11.7, SQLite 3.40.1, X, 2 CPUs; a page with fsync takes 0.5 ms" in lines
    assert [line.rsplit("target ")[-1] for line in lines if "target" in line] == [
        "at most 1.4: MISSED",
        "at least 8: met",
    ]
    assert lines[-1] == "200 messages sent, 199 accepted, 198 answered"


# The load -----------------------------------------------------------------------------------------


async def answers(nursery: trio.Nursery, *chunks: bytes) -> int:
    """The port of a server that answers each request with these chunks; without any it hangs up."""

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            async for _ in stream:
                for chunk in chunks:
                    await stream.send_all(chunk)
                    await trio.testing.wait_all_tasks_blocked()  # the chunk is read before the next is sent
                if not chunks:
                    return

    listeners = await nursery.start(trio.serve_tcp, answer, 0)
    return int(listeners[0].socket.getsockname()[1])


OK = (b"HTTP/1.1 200 \r\nContent-Le", b"ngth: 4\r\n\r", b"\nno", b"te")


@pytest.mark.parametrize(
    ("chunks", "accepted"), [(OK, 3), ((b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n",), 0)]
)
async def test_only_a_200_is_an_acceptance(nursery, chunks, accepted) -> None:
    """However the answer is cut, the next request follows it on the same connection."""
    load = Load(await answers(nursery, *chunks), iter([b"one", b"two", b"three"]))
    await load.run_connection()
    assert load.accepted == accepted
    nursery.cancel_scope.cancel()


async def test_a_server_that_hangs_up_breaks_the_load(nursery) -> None:
    """A round with a connection less would measure something else."""
    load = Load(await answers(nursery), iter([b"one"]))
    with pytest.raises(ConnectionError):
        await load.run_connection()
    nursery.cancel_scope.cancel()


# The count ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fate", "replies"), [(Answered(Reply("Noted.")), 1), (Superseded("m2"), 0)])
async def test_a_message_is_done_when_its_reply_is_sent(nursery, fate, replies) -> None:
    """All that it costs belongs to its round; one that is superseded has no reply."""
    counts = Counts()
    is_done = trio.Event()

    async def wait() -> None:
        await counts.wait_done(1)
        is_done.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not is_done.is_set()
    counts.hear(MessageSettled(user_id="u", message_id="m", fate=fate))
    await trio.testing.wait_all_tasks_blocked()
    assert is_done.is_set() is not bool(replies)
    for _ in range(replies):
        counts.hear(OutgoingSent(user_id="u", row_id="r", kind=OutgoingKind.REPLY, attempts=1, seconds=0))
    await is_done.wait()


def test_commits_are_counted_and_which_of_them_took_messages_in() -> None:
    """Two here; two messages in the first, none in the second; what is rolled back is none."""
    before = CountedConnection.commits, CountedConnection.accepting_commits
    with closing(CountedConnection(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE messages (id)")
        for ids, end in ((("m1", "m2"), "COMMIT"), ((), "COMMIT"), ((), "ROLLBACK")):
            connection.execute("BEGIN")
            for id in ids:
                connection.execute("INSERT INTO messages VALUES (?)", (id,))
            connection.execute(end)
    assert (CountedConnection.commits, CountedConnection.accepting_commits) == (before[0] + 2, before[1] + 1)


# A run --------------------------------------------------------------------------------------------


def test_a_small_run_counts_every_message_once(tmp_path, capsys) -> None:
    """Real servers, real sockets, a real file: what is printed is what was counted, and nothing is left."""
    messages = {1: 3, 32: 40}
    figures = run_bench(tmp_path, rounds=1, messages=messages)
    assert figures.sent == figures.accepted == figures.answered == 2 * (3 + 40)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "86 messages sent, 86 accepted, 86 answered"
    result = json.loads((tmp_path / RESULT).read_text())
    rounds = [Round(**fields) for fields in result["rounds"]]
    assert summarise(rounds) == figures
    assert table(result["machine"], figures) + "\n" == printed
    for one in rounds:
        assert one.sent == one.accepted == one.answered == messages[one.connections]
        assert one.cpu_seconds > 0
        assert one.seconds > 0
        if one.store == MEMORY:  # each write a commit of its own, and the same writes for every message
            assert one.accepting_commits == one.accepted
            assert one.commits % one.accepted == 0
        else:
            assert 1 <= one.accepting_commits <= one.accepted
            assert one.accepting_commits < one.commits
    assert [path.name for path in tmp_path.iterdir()] == [RESULT]


def test_a_server_that_does_not_start_breaks_the_bench(tmp_path, monkeypatch) -> None:
    """There are no figures then."""
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(BenchBroken):
        run_bench(tmp_path, rounds=1, messages={1: 1})
    assert list(tmp_path.iterdir()) == []


def test_the_command_measures_in_the_working_directory(tmp_path, monkeypatch) -> None:
    """On the disk that the server would use; a missed target is no error."""
    monkeypatch.chdir(tmp_path)
    folders = []
    monkeypatch.setattr(web.bench, "run_bench", folders.append)
    assert main(["bench"]) == 0
    assert folders == [tmp_path]


def test_the_command_says_in_one_line_that_the_bench_broke(tmp_path, monkeypatch, capsys) -> None:
    """What broke has said why before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert main(["bench"]) == 70
    assert capsys.readouterr().err == "midstream: a process of the bench broke; see above\n"
