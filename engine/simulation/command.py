"""`midstream simulate`: seed after seed; of one that fails, the shortest trail and how to see it again."""

import time
from collections.abc import Callable, Iterable

import attrs

from engine.simulation.run import Report, simulate
from engine.simulation.scenario import Scenario
from engine.simulation.seeds import make_scenario
from engine.simulation.shrink import shrink

# Long enough to tell a slow run from one that hangs.
_SECONDS_BETWEEN_LINES = 10.0


@attrs.define
class Tally:
    """What was run so far."""

    seeds: int = 0
    operations: int = 0
    lives: int = 0
    failed: int = 0
    cpu_seconds: float = 0.0

    def add(self, report: Report) -> None:
        """One more."""
        self.seeds += 1
        self.operations += report.operations
        self.lives += report.lives
        self.failed += bool(report.broken)

    def __str__(self) -> str:
        pace = self.operations / self.cpu_seconds if self.cpu_seconds else 0.0
        return (
            f"{self.seeds} seeds, {self.operations} operations in {self.lives} lives,"
            f" {pace:.0f} operations a second of CPU time: {self.failed} failed"
        )


def run_seeds(
    seeds: Iterable[int], *, policy: str | None, stop_at_first: bool, say: Callable[[str], None]
) -> int:
    """Simulate each seed; the exit code: 1 when a promise was broken."""
    tally = Tally()
    said_at = time.monotonic()
    for seed in seeds:
        began_at = time.process_time()
        report = simulate(make_scenario(seed, policy=policy))
        tally.cpu_seconds += time.process_time() - began_at
        tally.add(report)
        if report.broken:
            for line in failure_lines(report):
                say(line)
            say(_how_to_see(report, policy))
            if stop_at_first:
                break
        if time.monotonic() - said_at > _SECONDS_BETWEEN_LINES:
            said_at = time.monotonic()
            say(str(tally))
    say(str(tally))
    return 1 if tally.failed else 0


def run_one(seed: int, *, policy: str | None, say: Callable[[str], None]) -> int:
    """Simulate one seed and show its whole trail; the exit code: 1 when a promise was broken."""
    report = simulate(make_scenario(seed, policy=policy))
    for line in (*_scenario_lines(report.scenario), *report.trail, f"trace {report.trace}"):
        say(line)
    for broken in report.broken:
        say(f"broken: {broken}")
    return 1 if report.broken else 0


def failure_lines(report: Report) -> Iterable[str]:
    """What is broken, and the shortest trail that breaks it."""
    small = shrink(report)
    yield f"seed {report.scenario.seed} broke {len(report.broken)}, policy {report.scenario.policy}:"
    yield from (f"  {broken}" for broken in report.broken)
    yield "the shortest trail found:"
    yield from (f"  {line}" for line in (*_scenario_lines(small.scenario), *small.trail))
    yield from (f"  {broken}" for broken in small.broken)


def _how_to_see(report: Report, policy: str | None) -> str:
    """The command that shows the whole trail."""
    option = f" --policy {policy}" if policy else ""
    return f"to see it again: midstream simulate --seed {report.scenario.seed}{option}"


def _scenario_lines(scenario: Scenario) -> Iterable[str]:
    yield f"seed {scenario.seed}, policy {scenario.policy}"
    for name in ("troubles", "deaths", "jumps", "sends"):
        if things := getattr(scenario, name):
            yield f"{name}: {', '.join(map(str, things))}"
