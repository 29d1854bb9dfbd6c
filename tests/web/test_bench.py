"""The bench: its figures follow from what was measured, and each experiment yields them at a small size."""

import json
import math
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

import web.bench.command
from engine import (
    Answered,
    MessageSettled,
    OutgoingKind,
    OutgoingSent,
    Reply,
    SqliteStore,
    Superseded,
    open_engine,
)
from web.__main__ import main
from web.bench import durable, growth, memory, switch, waves
from web.bench.command import EXPERIMENTS, RESULT, run_bench
from web.bench.figures import (
    MEMORY,
    SQLITE,
    Figure,
    as_json,
    at_least,
    at_most,
    figure,
    percentile,
    ratio_at_most,
    table,
)
from web.bench.filling import count_rows, fill_database
from web.bench.fit import NO_FASTER, exponent
from web.bench.load import Load
from web.bench.probe import Probe, assistant_of, limits_of, swallow, user
from web.bench.processes import BenchBroken, child, run_child
from web.bench.server import CountedConnection, Counts
from web.bench.stalls import DELAY_SECONDS_MAX, Delays, Window, clean, late, watching

MACHINE = {
    "python": "3.11.7",
    "trio": "0.30.0",
    "sqlite": "3.40.1",
    "system": "X",
    "processor": "Y",
    "cpus": 2,
    "fsync_milliseconds": 0.5,
    "load": 0.1,
}


# Figures ------------------------------------------------------------------------------------------


def test_a_figure_is_the_median_of_its_runs() -> None:
    """One run in a stall does not bend it, and is seen in the spread."""
    one = figure("e", "c", "ms", [2.0, 3.0, 90.0])
    assert (one.value, one.lowest, one.highest, one.runs) == (3.0, 2.0, 90.0, 3)
    assert one.ratio is None
    assert one.is_met is None


def test_a_ratio_is_the_median_of_pairs() -> None:
    """In turn: what slowed the machine down for a while slowed both.  The ratio of medians would be 2 / 1."""
    one = figure("e", "c", "ms", [2.0, 40.0, 1.0], rival="bare", rival_runs=[1.0, 10.0, 1.0])
    assert (one.ratio, one.ratio_lowest, one.ratio_highest) == (2.0, 1.0, 4.0)
    assert (one.rival, one.rival_value) == ("bare", 1.0)
    slowed = figure("e", "c", "ms", [10.0, 20.0, 3.0], rival="bare", rival_runs=[10.0, 4.0, 1.0])
    assert slowed.ratio == 3.0


def test_runs_without_a_pair_make_no_figure() -> None:
    """Which of them would be left out?"""
    with pytest.raises(ValueError, match="argument"):
        figure("e", "c", "ms", [1.0, 2.0], rival="bare", rival_runs=[1.0])


@pytest.mark.parametrize(
    ("target", "text", "is_met"),
    [
        (at_most(3), "at most 3", True),
        (at_most(2.9), "at most 2.9", False),
        (at_least(3), "at least 3", True),
        (at_least(1_000), "at least 1,000", False),
        (ratio_at_most(1.5), "ratio at most 1.5", True),
        (ratio_at_most(1.4), "ratio at most 1.4", False),
    ],
)
def test_a_target_holds_for_the_median(target, text, is_met) -> None:
    """3 against 2, whatever single runs were."""
    one = figure("e", "c", "ms", [1.0, 3.0, 9.0], rival="bare", rival_runs=[1.0, 2.0, 6.0], target=target)
    assert (one.target, one.is_met) == (text, is_met)


def test_a_target_for_a_ratio_needs_a_rival() -> None:
    """It would be held against nothing."""
    with pytest.raises(ValueError, match="e, c: there is nothing"):
        figure("e", "c", "ms", [1.0], target=ratio_at_most(1))


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([5], 50, 5),
        ([1, 2], 50, 1),
        ([3, 1, 2], 50, 2),
        (range(1, 101), 99, 99),
        (range(1, 11), 99, 10),
        (range(10), 0, 0),
    ],
)
def test_a_percentile_is_one_of_the_samples(samples, percent, expected) -> None:
    """The smallest that so many do not exceed; no interpolation makes up what nobody saw."""
    assert percentile(samples, percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    """All windows stalled: there is no figure then."""
    with pytest.raises(ValueError, match="no sample"):
        percentile([], 50)


# On paper -----------------------------------------------------------------------------------------


def test_the_table_tells_cpu_first_ratios_first_and_what_was_missed() -> None:
    """It does not flatter: the spread, the windows thrown away, and the targets missed by name."""
    figures = [
        figure("e", "alone", "ms", [7.0], target=at_most(5), windows=1_200, stalled=3),
        figure(
            "e", "late", "ms", [1.0, 2.0, 3.0], rival="bare", rival_runs=[1.0, 1.0, 1.0], windows=9, stalled=0
        ),
        figure("e", "work", "CPU µs", [1234.0], target=at_most(2000)),
        figure("f", "other", "B", [0.5]),
    ]
    lines = table(MACHINE, figures, {"e": "what e is"}).splitlines()
    assert lines[0] == (
        "X, 2 CPUs of Y, load 0.1; Python 3.11.7, Trio 0.30.0, SQLite 3.40.1; a page with fsync takes 0.5 ms"
    )
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "",
        "e: what e is",
        "ratio to value unit target windows",
        "work 1,234 CPU µs at most 2,000: met",
        "late 2 (1 to 3) bare, 1 2 (1 to 3) ms 9",
        "alone 7 ms at most 5: MISSED 1,200, 3 stalled",
        "",
        "f",
        "ratio to value unit target windows",
        "other 0.5 B",
        "",
        "1 of 2 targets met; missed:",
        "e, alone",
    ]


@pytest.mark.parametrize(
    ("targets", "verdict"), [([], "no targets"), ([at_most(1), at_most(2)], "all 2 targets met")]
)
def test_the_last_line_is_the_verdict(targets, verdict) -> None:
    """Nothing was judged, or all is well."""
    figures = [figure("e", "c", "ms", [1.0], target=target) for target in targets or [None]]
    assert table(MACHINE, figures).splitlines()[-1] == verdict


def test_the_json_holds_every_field() -> None:
    """Whoever compares two runs needs no parser for the table."""
    one = figure(
        "e", "c", "ms", [1.0, 2.0], rival="bare", rival_runs=[2.0, 2.0], target=at_most(1), windows=2
    )
    result = json.loads(json.dumps(as_json(MACHINE, [one], is_quick=True)))
    assert result["machine"] == MACHINE
    assert result["quick"] is True
    assert [Figure(**fields) for fields in result["figures"]] == [one]


# Stalls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stalls", "delay", "is_clean"),
    [
        ([], 0.0, True),
        ([], DELAY_SECONDS_MAX, True),
        ([], DELAY_SECONDS_MAX * 1.01, False),
        ([(8.0, 10.0)], 0.0, True),
        ([(11.0, 13.0)], 0.0, True),
        ([(8.0, 10.1)], 0.0, False),
        ([(10.9, 13.0)], 0.0, False),
        ([(10.4, 10.5)], 0.0, False),
        ([(1.0, 2.0), (9.0, 12.0)], 0.0, False),
    ],
)
def test_a_window_with_a_stall_is_thrown_away(stalls, delay, is_clean) -> None:
    """From 10 to 11: whatever overlaps it, and whatever kept its threads from running."""
    window = Window(began=10.0, ended=11.0, delay=delay, seconds={"span": 0.5})
    assert clean([window], stalls) == ([window] if is_clean else [])


def test_a_sleep_that_lasts_too_long_is_a_stall() -> None:
    """A beat is a millisecond; five more are the machine's."""
    assert late([(0.0, 0.0059), (1.0, 1.0061), (2.0, 2.5)]) == [[1.0, 1.0061], [2.0, 2.5]]


def test_the_watcher_answers_and_delays_only_grow() -> None:
    """A real process, real counters; what they say is the machine's."""
    with watching() as watcher:
        for began, ended in watcher.ask(None):
            assert began < ended
    delays = Delays()
    before = delays.seconds()
    assert delays.seconds() >= before >= 0
    delays.close()


# Growth -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "low", "high", "is_met"),
    [
        (lambda n: 7.0, -0.01, 0.01, True),
        (lambda n: n, 0.8, 0.95, True),
        (lambda n: 3 * n * math.log(n), 0.999, 1.001, True),
        (lambda n: n**1.5, 1.2, 1.4, False),
        (lambda n: n * n, 1.6, 1.8, False),
    ],
)
def test_what_grows_faster_than_n_log_n_is_told(total, low, high, is_met) -> None:
    """Its exponent is above 1, by more than a measurement is off."""
    found = exponent({n: total(n) for n in (100, 1_000, 10_000)})
    assert low < found < high
    assert NO_FASTER.is_met(found) is is_met


def test_growth_needs_two_sizes() -> None:
    """One point has no slope."""
    with pytest.raises(ValueError, match="two sizes"):
        exponent({10: 1.0})


def test_what_one_costs_counts_as_often_as_there_are_some() -> None:
    """The same for each is about n in all; a total stands for itself."""
    each, whole = (growth.Cost(what="c", of="n", unit="ms", is_total=is_total) for is_total in (False, True))
    for size in (1_000, 100):
        each.add(size, 5.0)
        whole.add(size, 5.0)
    of_each, *sizes = growth.figures_of(each)
    of_whole = growth.figures_of(whole)[0]
    assert of_each.value == pytest.approx(0.85, abs=0.01)
    assert of_whole.value == pytest.approx(0)
    assert [one.case for one in sizes] == ["c, 100 n", "c, 1,000 n"]


@pytest.mark.parametrize(("messages", "users"), [(1, 1), (70, 1), (300, 20)])
async def test_a_filled_database_is_one_of_ours(tmp_path, messages, users) -> None:
    """The engine finds nothing left undone, reads whole histories, and takes the next message in."""
    path = tmp_path / "filled.db"
    await trio.to_thread.run_sync(lambda: fill_database(path, messages, users=users))
    assert count_rows(path) == [messages, messages, messages]
    async with open_engine(
        assistant_of(Probe()), store=SqliteStore(path), outbound=swallow, limits=limits_of(1)
    ) as engine:
        depths = await engine.read_depths()
        assert (depths.inbox, depths.outbox) == (0, 0)
        for number in range(users):
            turns = await engine.read_history(user(number))
            assert len(turns) == min(2 * messages // users, engine.limits.history_messages_max)
            assert [turn.role for turn in turns[-2:]] == ["user", "assistant"]
        assert isinstance(await engine.process_message(user(users - 1), "one more"), Answered)


# The switch ---------------------------------------------------------------------------------------


def a_side(side: str, milliseconds: float, *, sessions: int = 10_000, windows: int = 2) -> switch.Round:
    """One round of one side, all spans of it alike."""
    return switch.Round(
        side=side,
        sessions=sessions,
        switches=2,
        cpu_seconds=milliseconds * 2e-3,
        windows=windows,
        stalled=2 - windows,
        samples={span: [milliseconds / 1e3] * windows for span in switch.SPANS},
    )


def test_figures_of_a_switch() -> None:
    """Either store against bare Trio; each span's median and its slowest, and what was thrown away."""
    rounds = [a_side(MEMORY, 2.0), a_side(SQLITE, 4.0), a_side(switch.BARE, 1.0)]
    figures = by_case(switch.figures_of(rounds))
    assert len(figures) == 2 * (1 + 2 * len(switch.SPANS))
    cpu = figures["a switch, 10,000 live, SQLite"]
    assert (cpu.value, cpu.ratio) == (pytest.approx(4000), pytest.approx(4))
    span = figures["joined -> new planner called, p99, 10,000 live, memory"]
    assert (span.value, span.ratio, span.windows, span.stalled) == (pytest.approx(2), pytest.approx(2), 2, 0)


@pytest.mark.parametrize(
    ("store", "percent", "sessions", "milliseconds", "is_met"),
    [
        (MEMORY, 99, 10_000, 4.9, True),
        (SQLITE, 99, 10_000, 5.1, False),
        (SQLITE, 99, 1_000, 5.1, None),
        (MEMORY, 50, 10_000, 2.9, True),
        (MEMORY, 50, 10_000, 3.1, False),
        (SQLITE, 50, 10_000, 3.1, None),
    ],
)
def test_the_targets_of_a_switch(store, percent, sessions, milliseconds, is_met) -> None:
    """At 10,000 sessions: p99 under 5 ms; p50 within 3 times bare Trio, which has no disk."""
    rounds = [a_side(side, milliseconds, sessions=sessions) for side in (MEMORY, SQLITE)]
    figures = by_case(switch.figures_of([*rounds, a_side(switch.BARE, 1.0, sessions=sessions)]))
    case = f"wave end -> old operation joined, p{percent}, {sessions:,} live, {store}"
    assert figures[case].is_met is is_met


def test_a_round_in_which_all_stalled_has_no_latency() -> None:
    """Its CPU time counts all the same; the other pairs stay."""
    ours = [a_side(MEMORY, 2.0), a_side(MEMORY, 9.0, windows=0)]
    bare = [a_side(switch.BARE, 1.0), a_side(switch.BARE, 1.0)]
    disk = [a_side(SQLITE, 2.0, windows=0), a_side(SQLITE, 2.0, windows=0)]
    figures = by_case(switch.figures_of([*ours, *bare, *disk]))
    span = figures["joined -> new planner called, p50, 10,000 live, memory"]
    assert (span.value, span.runs, span.windows, span.stalled) == (pytest.approx(2), 1, 2, 2)
    assert figures["a switch, 10,000 live, memory"].runs == 2
    assert "joined -> new planner called, p50, 10,000 live, SQLite" not in figures


# Memory -------------------------------------------------------------------------------------------


def test_the_targets_for_memory() -> None:
    """Within three bare tasks; and all of 100,000 in 2 GiB."""
    bytes_of = {SQLITE: [21_475.0], switch.BARE: [8_000.0], memory.TASK: [7_000.0]}
    beside_task, beside_bare, whole = memory.figures_of(100_000, bytes_of)
    assert (beside_task.ratio, beside_task.is_met) == (pytest.approx(3.068, abs=0.01), False)
    assert beside_bare.is_met is None
    assert (whole.value, whole.is_met) == (pytest.approx(2048, abs=1), False)
    assert memory.figures_of(10_000, bytes_of)[-1].is_met is None


# A durable message --------------------------------------------------------------------------------


def a_round(store: str, **fields: float) -> durable.Round:
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
    return durable.Round(store=store, **counted | fields)


def by_case(figures: Sequence[Figure]) -> dict[str, Figure]:
    return {one.case: one for one in figures}


def test_figures_of_a_durable_message() -> None:
    """Disk against memory; commits of the store that shares none are the writes: 6 against 0.6."""
    figures = by_case(durable.figures_of([a_round(SQLITE, cpu_seconds=0.13), a_round(MEMORY)]))
    assert {case: (one.ratio, one.value) for case, one in figures.items()} == {
        "a message, 32 connections": (pytest.approx(1.3), pytest.approx(1300)),
        "commits a message, 32 connections": (pytest.approx(0.1), pytest.approx(0.6)),
        "accepted a second, stalls included, 32 connections": (1, 100),
        "accepted a commit that takes any in, 32 connections": (None, 10),
        "answered of 200 sent": (None, 200),
    }


@pytest.mark.parametrize(("cpu_seconds", "is_met"), [(0.139, True), (0.141, False)])
def test_the_target_for_cpu_time_of_a_durable_message(cpu_seconds, is_met) -> None:
    """At most 1.4 times that of the store in memory."""
    figures = by_case(durable.figures_of([a_round(MEMORY), a_round(SQLITE, cpu_seconds=cpu_seconds)]))
    assert figures["a message, 32 connections"].is_met is is_met


@pytest.mark.parametrize(("accepting_commits", "is_met"), [(12, True), (13, False)])
def test_the_target_for_shared_commits(accepting_commits, is_met) -> None:
    """At least 8 messages in each commit that takes any in."""
    rounds = [a_round(MEMORY), a_round(SQLITE, accepting_commits=accepting_commits)]
    assert (
        by_case(durable.figures_of(rounds))["accepted a commit that takes any in, 32 connections"].is_met
        is is_met
    )


def test_a_message_without_an_answer_is_a_target_missed() -> None:
    """A server that loses work is fast."""
    figures = durable.figures_of([a_round(MEMORY), a_round(SQLITE, answered=99)])
    assert figures[-1].is_met is False


def test_no_target_for_durable_messages_stands_without_load() -> None:
    """At one connection there is nobody to share a commit with."""
    figures = durable.figures_of([a_round(MEMORY, connections=1), a_round(SQLITE, connections=1)])
    assert [one.case for one in figures if one.target] == ["answered of 200 sent"]


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


# Experiments, small -------------------------------------------------------------------------------


def test_durable_messages_are_counted_once(tmp_path) -> None:
    """Real servers, real sockets, a real file."""
    messages = {1: 3, 32: 40}
    rounds = durable.run_rounds(tmp_path, durable.Sizes(rounds=1, messages=messages))
    assert [(one.store, one.connections) for one in rounds] == [
        (MEMORY, 1),
        (SQLITE, 1),
        (MEMORY, 32),
        (SQLITE, 32),
    ]
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


def test_a_small_switch_yields_its_figures(tmp_path) -> None:
    """CPU time in any case; latencies as far as the machine let them be seen."""
    figures = switch.measure(tmp_path, switch.Sizes(sessions=(1, 3), rounds=1, switches=1))
    assert [one.case for one in figures if one.is_cpu] == [
        f"a switch, {sessions} live, {store}" for sessions in (1, 3) for store in (MEMORY, SQLITE)
    ]
    assert all(one.value > 0 for one in figures)


async def test_a_switch_is_seen_whole(tmp_path, monkeypatch) -> None:
    """Each span has its sample in each switch, whatever the machine does."""
    monkeypatch.setattr(switch, "clean", lambda windows, stalls: windows)
    with watching() as watcher:
        sizes = switch.Sizes(sessions=(2,), rounds=1, switches=3)
        rounds = await trio.to_thread.run_sync(lambda: switch.run_rounds(tmp_path, sizes, 2, watcher))
    assert [(one.windows, one.stalled) for one in rounds] == [(6, 0)] * 3
    assert [{len(seconds) for seconds in one.samples.values()} for one in rounds] == [{3}] * 3


def test_small_waves_yield_their_figures(tmp_path) -> None:
    """Both stores, against bare nurseries."""
    figures = waves.measure(tmp_path, waves.Sizes(calls=(1, 2), rounds=1, operations=2))
    assert [one.case for one in figures] == [
        "a wave of 1 call, memory",
        "a wave of 2 calls, memory",
        "a wave of 1 call, SQLite",
        "a wave of 2 calls, SQLite",
    ]
    assert all(one.value > 0 and one.rival_value > 0 for one in figures)


def test_memory_of_few_sessions_yields_its_figures(tmp_path) -> None:
    """Beside bare tasks, and beside the same sessions of bare Trio."""
    figures = memory.measure(tmp_path, memory.Sizes(sessions={300: 1}))
    assert [(one.case, one.rival) for one in figures] == [
        ("a live session, of 300, beside a bare task", memory.TASK),
        ("a live session, of 300, beside bare Trio", switch.BARE),
        ("300 live sessions", None),
    ]
    assert all(one.value > 0 for one in figures)


def test_small_growth_yields_its_figures(tmp_path) -> None:
    """By sessions, history and database, and of a recovery that finds all that was left."""
    small = (3, 6)
    figures = growth.measure(
        tmp_path,
        growth.Sizes(sessions=small, history=small, database=small, unfinished=small, rounds=1, switches=1),
    )
    fits = [one.case for one in figures if one.unit == "e"]
    assert fits == [
        f"{what}, by {of}"
        for of in ("live sessions", "messages of one user", "messages in the database")
        for what in ("a switch", "a life", "memory")
    ] + ["recovery, by unfinished operations and as many messages"]
    assert len(figures) == 3 * len(fits)
    assert all(one.value > 0 for one in figures if one.unit != "e")


# A run --------------------------------------------------------------------------------------------


class FakeExperiment:
    """Yields one figure, and leaves a file behind."""

    TITLE = "what it is"
    FULL = 10
    QUICK = 1

    def __init__(self, name: str) -> None:
        self.NAME = name

    def measure(self, folder: Path, sizes: int) -> Sequence[Figure]:
        (folder / "left.db").touch(exist_ok=False)
        return [figure(self.NAME, "sizes", "n", [sizes], target=at_most(0))]


@pytest.fixture
def fakes(monkeypatch):
    """Two experiments in the place of the real ones."""
    experiments = {name: FakeExperiment(name) for name in ("one", "two")}
    monkeypatch.setattr(web.bench.command, "EXPERIMENTS", experiments)


@pytest.mark.parametrize(
    ("names", "is_quick", "expected"),
    [
        ([], False, [("one", 10), ("two", 10)]),
        (["two"], True, [("two", 1)]),
        (["two", "one"], False, [("one", 10), ("two", 10)]),
    ],
)
def test_a_run_prints_one_table_and_writes_the_json_beside_it(
    tmp_path, fakes, capsys, names, is_quick, expected
) -> None:
    """All experiments or the named ones, in the order of the table; nothing else is left."""
    figures = run_bench(tmp_path, names, is_quick=is_quick)
    assert [(one.experiment, one.value) for one in figures] == expected
    result = json.loads((tmp_path / RESULT).read_text())
    assert result["figures"] == [attrs.asdict(one) for one in figures]
    titles = {name: FakeExperiment.TITLE for name, _ in expected}
    assert capsys.readouterr().out == table(result["machine"], figures, titles) + "\n"
    assert [path.name for path in tmp_path.iterdir()] == [RESULT]


def test_the_command_measures_in_the_working_directory(tmp_path, monkeypatch, fakes, capsys) -> None:
    """On the disk that the server would use; a missed target is no error."""
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "two", "--quick"]) == 0
    assert "MISSED" in capsys.readouterr().out
    assert (tmp_path / RESULT).exists()


def test_the_command_refuses_an_experiment_that_it_does_not_know(
    tmp_path, monkeypatch, fakes, capsys
) -> None:
    """In one line, which names those that there are; nothing is measured."""
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "one", "three"]) == 1
    assert capsys.readouterr().err == "midstream: there is no experiment 'three'; there are: one, two\n"
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_in_one_line_that_the_bench_broke(tmp_path, monkeypatch, capsys) -> None:
    """What broke has said why before; there are no figures then."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert main(["bench", next(iter(EXPERIMENTS))]) == 70
    assert capsys.readouterr().err == "midstream: a process of the bench broke; see above\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["false", "true"])
def test_a_child_that_ends_early_breaks_the_bench(monkeypatch, program) -> None:
    """Whatever its exit code, it has not answered."""
    monkeypatch.setattr(sys, "executable", shutil.which(program))
    with pytest.raises(BenchBroken):
        run_child("web.bench")
    with child("web.bench") as silent, pytest.raises(BenchBroken):
        silent.read()
    with child("web.bench") as gone:
        gone.process.wait()
        with pytest.raises(BenchBroken):
            gone.ask("how much?")
