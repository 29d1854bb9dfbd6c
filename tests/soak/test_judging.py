"""The judge of a soak: each thing that must not be is seen, and a good run has nothing against it."""

from collections.abc import Callable

import attrs
import pytest
from judging import BOUNDS, MEGABYTE, Evidence, Row, Sample, check_flat, check_lost, levels, warm_up

FILES = next(bound for bound in BOUNDS if bound.name == "file descriptors")
GOOD = Evidence(
    accepted=["m1", "m2", "m3"],
    fates={"m1": "superseded", "m2": "answered", "m3": "ignored"},
    operations={"m1": "o1", "m2": "o2", "m3": ""},
    rows={
        "k1": Row(kind="acknowledgement", operation_id="o1", state="sent"),
        "k2": Row(kind="note", operation_id="o1", state="dropped"),
        "r2": Row(kind="reply", operation_id="o2", state="sent"),
    },
    sends={"k1": 1, "r2": 1},
)


def steady(seconds: float) -> Sample:
    return Sample(seconds=seconds, memory=70 * MEGABYTE, files=30, threads=8, database=6 * MEGABYTE)


def hour(sample: Callable[[float], Sample] = steady) -> list[Sample]:
    return [sample(float(seconds)) for seconds in range(0, 3600, 5)]


def test_a_good_run_has_nothing_against_it() -> None:
    """What was superseded has no reply, and what was overtaken was never sent."""
    assert check_flat(hour()) == []
    assert check_lost(GOOD) == []


def test_what_comes_and_goes_is_no_growth() -> None:
    """A busy moment, and whatever the first minutes take."""

    def sample(seconds: float) -> Sample:
        busy = 300 if 2000 < seconds < 2200 else 0
        cold = min(seconds / 600, 1.0)
        return attrs.evolve(steady(seconds), files=30 + busy, memory=int((50 + 20 * cold) * MEGABYTE))

    assert check_flat(hour(sample)) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("memory", "memory grew from 71.8 MB to 75.8 MB"),
        ("files", "file descriptors grew from 46 to 83"),
        ("threads", "threads grew from 24 to 61"),
        ("database", "database grew from 10.9 MB to 22.1 MB"),
    ],
)
def test_what_grows_steadily_is_seen(name: str, line: str) -> None:
    """A hundred bytes a message at eighteen messages a second; one descriptor, or thread, a minute."""
    a_second = {"memory": 1800, "files": 1 / 60, "threads": 1 / 60, "database": 5000}[name]

    def sample(seconds: float) -> Sample:
        level = getattr(steady(seconds), name) + int(a_second * seconds)
        return attrs.evolve(steady(seconds), **{name: level})

    assert check_flat(hour(sample)) == [line]


def test_a_run_that_is_too_short_is_not_called_flat() -> None:
    """Eight samples after the warm-up are the least."""
    assert check_flat([]) == ["too short to say whether anything grows: 0 samples"]
    assert check_flat([steady(0)] * 7) == ["too short to say whether anything grows: 7 samples"]
    assert check_flat([steady(0)] * 8) == []


def test_the_warm_up_is_a_part_of_a_short_run_and_ten_minutes_of_a_long_one() -> None:
    """The levels are those of the first and of the last quarter of what follows it."""
    assert warm_up(600) == 240
    assert warm_up(3600) == 600
    numbered = [attrs.evolve(steady(seconds), files=seconds) for seconds in range(101)]
    assert levels(numbered, FILES) == (47, 93)


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (attrs.evolve(GOOD, accepted=["m4"]), "message m4 was accepted and has no fate"),
        (
            attrs.evolve(GOOD, operations={"m2": "o3"}),
            "message m2 was answered and has 0 replies",
        ),
        (
            attrs.evolve(
                GOOD,
                rows={**GOOD.rows, "r3": Row(kind="reply", operation_id="o2", state="sent")},
                sends={**GOOD.sends, "r3": 1},
            ),
            "message m2 was answered and has 2 replies",
        ),
        (attrs.evolve(GOOD, sends={"k1": 1}), "reply row r2, sent, was sent 0 times"),
        (attrs.evolve(GOOD, sends={"k1": 1, "r2": 2}), "reply row r2, sent, was sent 2 times"),
        (attrs.evolve(GOOD, sends={**GOOD.sends, "k2": 1}), "note row k2, dropped, was sent 1 times"),
        (attrs.evolve(GOOD, sends={**GOOD.sends, "r9": 1}), "row r9 was sent and is not in the outbox"),
    ],
)
def test_what_is_lost_or_doubled_is_seen(evidence: Evidence, line: str) -> None:
    """P4, P5, P8."""
    assert check_lost(evidence) == [line]


def test_a_reply_may_not_be_dropped() -> None:
    """Nothing overtakes it."""
    rows = {**GOOD.rows, "r2": Row(kind="reply", operation_id="o2", state="dropped")}
    assert check_lost(attrs.evolve(GOOD, rows=rows, sends={"k1": 1})) == [
        "reply row r2, dropped, was sent 0 times"
    ]


def test_of_many_lines_only_some_are_told() -> None:
    """And how many more there are."""
    lines = check_lost(attrs.evolve(GOOD, accepted=[f"x{n}" for n in range(25)]))
    assert len(lines) == 11
    assert lines[-1] == "... and 15 more like that"
