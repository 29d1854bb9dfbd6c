"""The bench of whole operations: its figures follow from what was counted, and all of them are made."""

import pytest

from web.bench.figures import MEMORY, SQLITE
from web.bench.operations import Round, Sizes, ThreeWaves, figures_of, run_rounds


def a_round(store: str, cpu_seconds: float, commits: int = 1_200) -> Round:
    return Round(store=store, operations=100, cpu_seconds=cpu_seconds, seconds=0.5, commits=commits)


@pytest.mark.parametrize(("cpu_seconds", "is_met"), [(0.0999, True), (0.1001, False)])
def test_a_thousand_a_second_are_a_millisecond_each(cpu_seconds, is_met) -> None:
    """Of one core, by CPU time."""
    figures = {one.case: one for one in figures_of([a_round(SQLITE, cpu_seconds), a_round(MEMORY, 0.05)])}
    one = figures["operations a second of one core, SQLite"]
    assert one.is_met is is_met
    assert one.value == pytest.approx(100 / cpu_seconds)


def test_commits_are_counted_for_each_operation() -> None:
    """In memory every write is a commit; on disk many share one."""
    figures = {one.case: one for one in figures_of([a_round(SQLITE, 1, 40), a_round(MEMORY, 1)])}
    commits = figures["commits an operation, SQLite"]
    assert (commits.value, commits.rival_value) == (0.4, 12)
    assert figures["operations a second, stalls included, SQLite"].value == 200


async def test_an_operation_has_three_waves_of_two_calls() -> None:
    """What is measured is what the table says."""
    plan = await ThreeWaves().plan(None, None)  # type: ignore[arg-type]
    assert [[call.id for call in wave] for wave in plan.waves()] == [["0a", "0b"], ["1a", "1b"], ["2a", "2b"]]


def test_real_stores_make_every_operation(tmp_path) -> None:
    """Each in a process of its own; a first round of each is not counted."""
    rounds = run_rounds(tmp_path, Sizes(rounds=2, operations=70))
    assert [one.store for one in rounds] == [SQLITE, MEMORY, MEMORY, SQLITE]
    assert all(one.cpu_seconds > 0 and one.commits > 0 for one in rounds)
    # Twelve writes of an operation: one in, its beginning, its plan, two a wave, its end, and two of its row.
    assert [one.commits for one in rounds if one.store == MEMORY] == [840, 840]
