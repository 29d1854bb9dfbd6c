"""The simulator holds every promise against the engine, in any world, and the same way each time."""

import math
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import POLICIES
from engine.simulation import Broken, Ledger, Report, make_scenario, shrink, simulate
from engine.simulation.command import failure_lines, run_seeds
from engine.simulation.scenario import Scenario, What
from web.__main__ import main

SEEDS_OF_EACH = 40


def failure(report: Report) -> str:
    return "\n".join(failure_lines(report))


@pytest.mark.parametrize("policy", list(POLICIES))
def test_no_promise_is_broken_under(policy: str) -> None:
    """P1 to P14, in as many worlds for each policy, deaths and failing stores among them."""
    for seed in range(SEEDS_OF_EACH):
        report = simulate(make_scenario(seed, policy=policy))
        assert not report.broken, failure(report)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_no_promise_is_broken_in_any_world(seed: int) -> None:
    """Whatever seed: a failing one prints its shortest trail and the command that shows it."""
    report = simulate(make_scenario(seed))
    assert not report.broken, failure(report)


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    """Whatever order the hashes of strings have there; another seed gives another."""
    traces = []
    for seed, hashes in ((5, "0"), (5, "1"), (6, "0")):
        code = f"from web.__main__ import main; main(['simulate', '--seed', '{seed}'])"
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        )
        traces.append(next(line for line in ran.stdout.splitlines() if line.startswith("trace ")))
    assert traces[0] == traces[1] != traces[2]
    assert traces[0] == f"trace {simulate(make_scenario(5)).trace}"


def test_the_worlds_hold_what_they_are_for() -> None:
    """Deaths on both sides of a write, stops, failing stores, clocks that jump, every policy."""
    scenarios = [make_scenario(seed) for seed in range(120)]
    deaths = [death for scenario in scenarios for death in scenario.deaths]
    assert {scenario.policy for scenario in scenarios} == set(POLICIES)
    assert {(bool(death.write), death.before) for death in deaths} >= {(True, True), (True, False)}
    assert any(not death.write for death in deaths)
    assert {trouble.refuses for scenario in scenarios for trouble in scenario.troubles} == {True, False}
    assert any(scenario.jumps for scenario in scenarios)
    assert any(said.text == "stop" for scenario in scenarios for said in scenario.said.values())
    fates: Counter[str] = Counter()
    for scenario in scenarios:
        fates.update(entry.more[0] for entry in simulate(scenario).ledger.of("fate"))
    assert set(fates) >= {"answered", "superseded", "merged", "rejected", "stopped", "ignored", "failed"}


def test_half_of_the_worlds_are_on_whatsapp() -> None:
    """What was changed was waited for or worked on; people were found to be one while both had something."""
    reports = [simulate(make_scenario(seed)) for seed in range(120)]
    said = {id: said for report in reports for id, said in report.scenario.said.items()}
    on_whatsapp = [report for report in reports if any(each.names for each in report.scenario.said.values())]
    assert 30 < len(on_whatsapp) < 60
    assert {each.what for each in said.values()} == set(What)
    assert any(report.scenario.limits.stale_seconds < math.inf for report in reports)
    ledgers = [(report.scenario.said, report.ledger) for report in reports]
    fates = {(said[entry.key].what, entry.more[0]) for said, ledger in ledgers for entry in ledger.of("fate")}
    assert fates >= {
        (What.SAYS, "ignored"),
        (What.EDITS, "answered"),
        (What.EDITS, "ignored"),
        (What.REVOKES, "stopped"),
        (What.REVOKES, "ignored"),
    }
    interruptions = {entry.more[0] for _, ledger in ledgers for entry in ledger.of("interrupted")}
    assert interruptions >= {"new_message_received", "user_stopped", "taken_over"}
    assert sum(len(report.ledger.of("moved")) for report in reports) > 10
    is_template = {entry.more[-1] for _, ledger in ledgers for entry in ledger.of("request")}
    assert is_template == {True, False}
    assert {each.work.answers for each in said.values()} == {1, 2, 3}


def test_a_calm_world_has_only_people_in_it() -> None:
    """For measuring."""
    scenario = make_scenario(3, is_calm=True)
    assert (scenario.deaths, scenario.troubles, scenario.jumps, scenario.sends) == ((), (), (), ())
    assert simulate(scenario).lives == 1


def test_a_failing_scenario_is_shrunk_to_what_it_takes() -> None:
    """Here a promise that is broken by whoever says as much as one message with any work."""

    def pretend(scenario: Scenario) -> Report:
        works = [said for said in scenario.said.values() if said.work.rounds]
        broken = (Broken(promise=1, line="pretended", check="pretended"),) if works else ()
        return Report(scenario=scenario, broken=broken, ledger=Ledger(), operations=0, lives=1)

    small = shrink(pretend(make_scenario(8)), run=pretend).scenario
    (said,) = small.said.values()
    assert (small.deaths, small.troubles, small.jumps, small.sends) == ((), (), (), ())
    assert len(said.work.rounds) == 1


def test_the_command_tells_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    """And a seed alone is shown with its whole trail."""
    assert main(["simulate", "--seeds", "3"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("3 seeds, ")
    assert line.endswith(": 0 failed")
    assert main(["simulate", "--seed", "5", "--policy", "steer"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 5, policy steer"
    assert lines[-1].startswith("trace ")


def test_a_policy_that_does_not_exist_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """By the option's name."""
    assert main(["simulate", "--policy", "nonsense"]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("midstream: --policy: there is no 'nonsense'; there are: interrupt, ")


def test_a_failing_seed_prints_the_promise_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code says so too, and without --all it is the last one."""

    def pretend(scenario: Scenario) -> Report:
        broken = (Broken(promise=9, line="told twice", check="pretended"),)
        return Report(scenario=scenario, broken=broken, ledger=Ledger(), operations=1, lives=1)

    monkeypatch.setattr("engine.simulation.command.simulate", pretend)
    monkeypatch.setattr("engine.simulation.command.shrink", lambda report: report)
    said: list[str] = []
    assert run_seeds(range(7, 9), policy="steer", stop_at_first=True, say=said.append) == 1
    assert said[1] == "  P9: told twice"
    assert said[-2] == "to see it again: midstream simulate --seed 7 --policy steer"
    assert said[-1].startswith("1 seeds, ")
