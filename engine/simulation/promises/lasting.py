"""Memory returns, and nobody pays for anybody else: P10, P11."""

from collections.abc import Iterator
from typing import Final

from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always, at_end
from engine.simulation.seen import Left, Seen

# What may make an operation fail: its own assistant, its own length, a process that keeps dying.
_FORESEEN: Final = ("as planned", "operation_seconds_max", "times in a row")


@at_end(10)
def it_comes_to_rest(left: Left) -> Iterator[str]:
    """All that came in is done at some time."""
    if not left.is_at_rest:
        yield "it did not come to rest"


@always(10, "rest")
def memory_returns(seen: Seen) -> See:
    """At rest there is no session, no task and no letter."""

    def see(entry: Entry) -> str | None:
        sessions, letters, *tasks = entry.more
        # A line remembers its user's pace until that is paid back.
        if sessions or letters or any("_run_line" not in task for task in tasks):
            return f"at rest there are {sessions} sessions, {letters} letters and the tasks {tasks}"
        return None

    return see


@always(11, "fate")
def nobody_fails_for_others(seen: Seen) -> See:
    """Nobody fails but by what their own assistant, or a process that keeps dying, did."""

    def see(entry: Entry) -> str | None:
        name, reason = entry.more
        if name == "failed" and not any(known in reason for known in _FORESEEN):
            return f"message {entry.key} failed: {reason}"
        return None

    return see


@always(11, "life", "heard", "begins", "ended")
def nobody_waits_for_others(seen: Seen) -> See:
    """An operation begins as soon as its user's messages may start, whatever the others do.

    Not asked where the store fails: who waits then waits for that.
    """
    wait = seen.scenario.limits.debounce_seconds
    since = 0.0
    latest = seen.by_user(float, max)  # when a message came, or an operation ended
    begun: set[str] = set()

    def see(entry: Entry) -> str | None:
        nonlocal since
        if entry.what == "life":
            since = entry.at
        elif entry.what != "begins":
            latest[entry.user] = entry.at
        elif entry.key not in begun:
            begun.add(entry.key)
            due = max(since, latest[entry.user]) + wait
            if entry.at > due and not seen.scenario.troubles:
                return f"{entry.key} of {entry.user} began {entry.at - due:g} s late"
        return None

    return see


RULES: Final = (it_comes_to_rest, memory_returns, nobody_fails_for_others, nobody_waits_for_others)
