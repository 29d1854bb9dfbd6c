"""Memory returns, and nobody pays for anybody else: P10, P11."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from engine.simulation.evidence import Broken, Evidence

# What may make an operation fail: its own assistant, its own length, a process that keeps dying.
_FORESEEN: Final = ("as planned", "operation_seconds_max", "times in a row")


def memory_returns(evidence: Evidence) -> Iterator[Broken]:
    """P10: at rest there is no session, no task and no letter."""
    for entry in evidence.ledger.of("rest"):
        sessions, letters, *tasks = entry.more
        # A line remembers its user's pace until that is paid back.
        if sessions or letters or any("_run_line" not in task for task in tasks):
            yield Broken(
                10, f"at rest there are {sessions} sessions, {letters} letters and the tasks {tasks}"
            )


def nobody_fails_for_others(evidence: Evidence) -> Iterator[Broken]:
    """P11: nobody fails but by what their own assistant, or a process that keeps dying, did."""
    for id, message in evidence.messages.items():
        if message["fate"] == "failed":
            reason = evidence.fate(id)["reason"]
            if not any(known in reason for known in _FORESEEN):
                yield Broken(11, f"message {id} failed: {reason}")


def nobody_waits_for_others(evidence: Evidence) -> Iterator[Broken]:
    """P11: an operation begins as soon as its user's messages may start, whatever the others do."""
    if evidence.scenario.troubles:  # who waits then waits for the store
        return
    wait = evidence.scenario.limits.debounce_seconds
    since = 0.0
    latest: dict[str, float] = defaultdict(float)  # by user: a message came, or an operation ended
    seen: set[str] = set()
    for entry in evidence.ledger.of("life", "heard", "begins", "ended"):
        if entry.what == "life":
            since = entry.at
        elif entry.what != "begins":
            latest[entry.user] = entry.at
        elif entry.key not in seen:
            seen.add(entry.key)
            due = max(since, latest[entry.user]) + wait
            if entry.at > due:
                yield Broken(11, f"{entry.key} of {entry.user} began {entry.at - due:g} s late")


CHECKS: Final = (memory_returns, nobody_fails_for_others, nobody_waits_for_others)
