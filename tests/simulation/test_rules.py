"""A promise is held against each entry as it is written, and the run ends at the one that breaks it."""

from collections.abc import Iterator

import pytest

from engine.simulation import make_scenario, simulate
from engine.simulation.ledger import Entry
from engine.simulation.promises import RULES
from engine.simulation.rules import Always, Rule, See, always, at_end
from engine.simulation.seen import Left, Seen
from engine.simulation.typical import OPERATIONS, make_typical_scenario


@always(6, "outcome")
def no_outcome(seen: Seen) -> See:
    """For these tests."""
    return lambda entry: f"{entry.key} has one, its status {seen.call(entry.key).status}"


def hold(monkeypatch: pytest.MonkeyPatch, *rules: Rule) -> None:
    monkeypatch.setattr("engine.simulation.run.RULES", rules)


def test_the_trail_ends_where_a_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry that breaks it is the last one; nothing is asked at the end of a run that has none."""
    asked: list[Left] = []

    @at_end(10)
    def ask(left: Left) -> Iterator[str]:
        asked.append(left)
        return iter(())

    hold(monkeypatch, no_outcome, ask)
    report = simulate(make_typical_scenario(0))
    (broken,) = report.broken
    assert [entry.what for entry in report.ledger].count("outcome") == 1
    last = report.ledger.entries[-1]
    assert last.what == "outcome"
    assert str(broken) == f"P6: {last.key} has one, its status succeeded"
    assert (broken.check, report.lives, asked) == ("no_outcome", 1, [])


def test_a_whole_run_is_asked_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the database as well."""

    @at_end(8)
    def no_reply(left: Left) -> Iterator[str]:
        yield f"{sum(row['kind'] == 'reply' for row in left.outbox.values())} replies"

    hold(monkeypatch, no_reply)
    report = simulate(make_typical_scenario(0))
    replies = [entry for entry in report.ledger.of("queued") if entry.more[0] == "reply"]
    assert [str(broken) for broken in report.broken] == [f"P8: {len(replies)} replies"]


def test_a_rule_that_breaks_is_no_fault_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raises comes out of the run: the engine's own boundaries do not take it for a tool's."""

    def broken(entry: Entry) -> str:
        raise LookupError(entry.key)

    hold(monkeypatch, Always(1, ("act starts",), lambda seen: broken))
    with pytest.raises(LookupError):
        simulate(make_scenario(0))


def test_each_promise_has_a_rule() -> None:
    """By its number; most are watched."""
    assert {rule.promise for rule in RULES} == set(range(1, 15))
    assert {rule.promise for rule in RULES if isinstance(rule, Always)} == set(range(1, 15))


def test_a_typical_world_is_what_speed_is_told_of() -> None:
    """Three waves of two calls, one operation in three interrupted, a history of 20 messages."""
    report = simulate(make_typical_scenario(1))
    assert (report.broken, report.operations, report.lives) == ((), OPERATIONS, 1)
    phases = [entry.more[0] for entry in report.ledger.of("ended")]
    assert (phases.count("interrupted"), phases.count("completed")) == (OPERATIONS // 3, OPERATIONS * 2 // 3)
    plans = [entry.more[2].split(",") for entry in report.ledger.of("planned")]
    assert {len(calls) for calls in plans} == {6}
    histories = [len(entry.more[2].split(",")) for entry in report.ledger.of("plan starts")]
    assert max(histories) <= 20
    assert sum(length > 9 for length in histories) > OPERATIONS / 2
    assert simulate(make_typical_scenario(1)).trace == report.trace
    assert simulate(make_typical_scenario(2)).trace != report.trace
