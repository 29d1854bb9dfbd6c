"""What is counted in a ledger: each count from a few lines written by hand, without any contender."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
from peers.counting import Counted, as_json, count, percentile, table
from peers.ledger import Ledger, Line, What, read_lines
from peers.script import BURST_SECONDS, CHANGE_OF_MIND_SECONDS, Script, Sending, make_script

SCRIPT = Script(0, {"u0": (Sending(0.0, "u0-m1"), Sending(0.75, "u0-m2"))})


def line(at: float, what: What, which: str, **more: tuple[str, ...]) -> Line:
    """Of user u0: `which` is a message, or a call of it as `m1/0a`."""
    message, _, call = which.partition("/")
    return Line(at, what, f"u0-{message}", f"u0-{message}/{call}" if call else "", **more)


# Both messages come in, and both operations are planned; the second knows the first.
COMING: tuple[Line, ...] = (
    line(0.0, "sent", "m1"),
    line(0.0, "accepted", "m1"),
    line(0.0, "planned", "m1", messages=("u0-m1",)),
    line(0.75, "sent", "m2"),
    line(0.8, "accepted", "m2"),
    line(1.0, "planned", "m2", messages=("u0-m1", "u0-m2"), results=("u0-m1/0a",)),
    line(2.0, "reply", "m2"),
)


def counted(*lines: Line, without: tuple[What, ...] = ()) -> Counted:
    """What these lines come to, together with the common ones that are not of a kind left out."""
    kept = [common for common in COMING if common.what not in without]
    return count(SCRIPT, sorted([*kept, *lines], key=lambda one: one.at))


def call(which: str, began: float, ended: float, *, cut: bool = False) -> tuple[Line, Line]:
    return line(began, "start", which), line(ended, "cut" if cut else "end", which)


def test_a_faultless_change_of_mind() -> None:
    """Nothing is counted against whoever finishes the wave, starts then, and knows all."""
    assert counted(*call("m1/0a", 0.5, 1.0), *call("m2/0a", 1.25, 1.75)) == Counted(
        users=1,
        calls=2,
        cut=0,
        overlapping=0,
        superseded=1,
        late_replies=0,
        unanswered=0,
        earlier=2,
        missing=0,
        finished=1,
        seen=1,
        waits=(0.25,),
    )


def test_a_call_that_was_cut_is_no_finished_result() -> None:
    """And whoever cut it has waited for no wave: the wait is counted from the cut."""
    one = counted(*call("m1/0a", 0.5, 0.875, cut=True), *call("m2/0a", 1.0, 1.5))
    assert (one.cut, one.finished, one.seen, one.waits) == (1, 0, 0, (0.125,))


def test_a_call_that_never_ended_is_neither_cut_nor_finished() -> None:
    """It goes on, and overlaps whatever comes."""
    one = counted(line(0.5, "start", "m1/0a"), *call("m2/0a", 1.0, 1.5))
    assert (one.cut, one.finished, one.overlapping) == (0, 0, 1)


def test_calls_overlap_when_a_later_operation_begins_before_the_end() -> None:
    """The wait then is the whole time since the message: nothing was waited for."""
    one = counted(*call("m1/0a", 0.5, 1.125), *call("m2/0a", 1.0, 1.5))
    assert (one.overlapping, one.waits) == (1, (0.25,))


def test_calls_of_one_operation_do_not_overlap() -> None:
    """Nor does one that begins in the instant in which the other ends."""
    one = counted(*call("m1/0a", 0.5, 1.0), *call("m1/0b", 0.5, 1.0), *call("m2/0a", 1.0, 1.5))
    assert one.overlapping == 0


def test_a_wave_that_began_after_the_message_was_accepted_is_part_of_the_wait() -> None:
    """Only the rest of the wave that was running is taken off."""
    one = counted(*call("m1/0a", 0.5, 1.0), *call("m1/1a", 1.0, 1.5), *call("m2/0a", 1.75, 2.0))
    assert one.waits == (0.75,)


@pytest.mark.parametrize(("at", "late", "superseded"), [(0.7, 0, 0), (0.78, 0, 1), (0.9, 1, 1)])
def test_a_reply_is_late_when_it_was_sent_after_a_newer_message_was_accepted(
    at: float, late: int, superseded: int
) -> None:
    """One that left before cannot have known; one that left before the message was sent was an answer."""
    one = counted(line(at, "reply", "m1"))
    assert (one.late_replies, one.superseded) == (late, superseded)


def test_no_wait_is_counted_for_a_message_that_interrupted_nothing() -> None:
    """Nor are the results of an answered operation to be handed on."""
    one = counted(*call("m1/0a", 0.0, 0.5), line(0.7, "reply", "m1"), *call("m2/0a", 1.0, 1.5))
    assert (one.waits, one.finished, one.seen) == ((), 0, 0)


def test_a_newest_message_without_a_reply_is_unanswered() -> None:
    """A reply to an older one does not count."""
    assert counted(line(0.9, "reply", "m1"), without=("reply",)).unanswered == 1


def test_a_message_is_missing_that_the_newest_planner_was_not_shown() -> None:
    """The first plan counts: what it learns later is too late."""
    one = counted(
        line(0.9, "planned", "m2", messages=("u0-m2",)), *call("m1/0a", 0.5, 0.875), without=("reply",)
    )
    assert (one.missing, one.earlier, one.finished, one.seen) == (1, 2, 1, 0)


def test_nothing_is_missing_where_nothing_was_planned() -> None:
    """That is told by the unanswered."""
    one = counted(without=("planned", "reply"))
    assert (one.unanswered, one.earlier, one.missing, one.superseded) == (1, 0, 0, 0)


def test_a_message_that_is_not_in_the_script_is_an_error() -> None:
    """A ledger of another script is counted as nothing."""
    with pytest.raises(KeyError):
        count(SCRIPT, [Line(0.0, "sent", "u7-m1")])


def test_percentiles() -> None:
    """The smallest value that so many do not exceed; none of nothing."""
    assert [percentile([4.0, 1.0, 3.0, 2.0], share) for share in (0.0, 0.5, 0.75, 0.95)] == [1, 2, 3, 4]
    assert math.isnan(percentile([], 0.5))


def test_the_table() -> None:
    """One column a contender, each count with what it is out of."""
    good = counted(*call("m1/0a", 0.5, 1.0), *call("m2/0a", 1.25, 1.75))
    idle = counted(without=("planned", "reply"))
    assert table({"good": good, "idle": idle}) == [
        "|                                             | good   | idle   |",
        "|---------------------------------------------|--------|--------|",
        "| calls cut in the middle                     | 0 of 2 | 0 of 0 |",
        "| old and new overlapping                     | 0 of 1 | 0 of 1 |",
        "| superseded operations that replied          | 0 of 1 | 0 of 0 |",
        "| newest message unanswered                   | 0 of 1 | 1 of 1 |",
        "| messages missing from the conversation      | 0 of 2 | 0 of 0 |",
        "| finished results that the new operation saw | 1 of 1 | 0 of 0 |",
        "| to the new first call, ms p50               | 250    | -      |",
        "| to the new first call, ms p95               | 250    | -      |",
    ]
    assert json.loads(json.dumps(as_json(good)))["wait_ms_p50"] == 250.0


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    """In the order of time, whoever wrote first."""
    times = iter([2.0, 1.0])
    ledger = Ledger(tmp_path / "ledger", now=lambda: next(times))
    ledger.write("planned", "u0-m1", messages=["u0-m1"], results=["u0-m0/0a"])
    ledger.write("start", "u0-m1", "u0-m1/0a")
    ledger.close()
    assert read_lines(ledger.path) == [
        Line(1.0, "start", "u0-m1", "u0-m1/0a"),
        Line(2.0, "planned", "u0-m1", messages=("u0-m1",), results=("u0-m0/0a",)),
    ]


def test_the_script_is_given_by_its_seed() -> None:
    """One user in three sends a burst; the others change their mind at some moment, or just too late."""
    script = make_script(7, users=30, seconds=5.0)
    assert script == make_script(7, users=30, seconds=5.0)
    assert script != make_script(8, users=30, seconds=5.0)
    for index, sendings in enumerate(script.users.values()):
        gaps = [later.at - earlier.at for earlier, later in pairwise(sendings)]
        if index % 3 == 2:
            assert len(gaps) == 2
            assert all(BURST_SECONDS[0] - 0.001 <= gap <= BURST_SECONDS[1] + 0.001 for gap in gaps)
        else:
            assert len(gaps) == 1
            assert 0.0 <= gaps[0] <= CHANGE_OF_MIND_SECONDS + 0.001
    assert script.newest >= {"u000-m2", "u002-m3"}
