"""One operation at a time, waves that finish, and nothing after an interruption: P1, P2, P3, P13."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from engine.simulation.assistant import TOOL_SECONDS
from engine.simulation.evidence import INTERRUPTING, THOUGHTS, Broken, Doing, Evidence
from engine.simulation.ledger import Entry


def one_at_a_time(evidence: Evidence) -> Iterator[Broken]:
    """P1: what one operation does ends before the next one of its user begins."""
    present: dict[str, str] = {}
    under_way: dict[str, list[Doing]] = defaultdict(list)
    over: set[str] = set()
    for doing in evidence.doings(*THOUGHTS, "act", "undo"):
        start, operation = doing.start, doing.operation
        before = present.get(start.user, operation)
        under_way[start.user] = [each for each in under_way[start.user] if _lasts_at(each, start)]
        if operation != before:
            over.add(before)
            if left := [f"{each.kind} {each.start.key}" for each in under_way[start.user]]:
                yield Broken(1, f"{doing.kind} {start.key} began while {', '.join(left)} had not ended")
        if operation in over:
            yield Broken(1, f"{doing.kind} {start.key} of {operation} began after a later operation had")
        present[start.user] = operation
        under_way[start.user].append(doing)


def _lasts_at(doing: Doing, entry: Entry) -> bool:
    """Whether it is under way there; what a process did not end has ended with it."""
    return doing.start.life == entry.life and (doing.end is None or doing.end.n > entry.n)


def waves_finish(evidence: Evidence) -> Iterator[Broken]:
    """P2: an act is cut by its tool's timeout, the wave's bound or a shutdown's grace, by nothing else."""
    limits = evidence.scenario.limits
    least = min(TOOL_SECONDS, limits.wave_seconds_max)
    told = {entry.life: entry.at for entry in evidence.ledger.of("told to stop")}
    for doing in evidence.doings("act"):
        end = doing.end
        if end is None or doing.how != "cut" or end.at - doing.start.at >= least:
            continue
        told_at = told.get(end.life)
        if told_at is None or end.at < told_at + limits.grace_seconds:
            yield Broken(2, f"act {end.key} was cut after {end.at - doing.start.at:g} s")


# P3 -----------------------------------------------------------------------------------------------


def nothing_after(evidence: Evidence) -> Iterator[Broken]:
    """P3: after an interruption nothing of its operation begins, and no reply is committed."""
    told = _told(evidence)
    recorded = {entry.key: entry.n for entry in reversed(evidence.ledger.of("interrupted"))}
    # What a process handed over and did not live to see written binds nobody after it.
    handed_over = {(entry.key, entry.life): entry.n for entry in reversed(evidence.ledger.of("interrupts"))}
    for operation, entry in _steps(evidence):
        heard = told.get(operation, entry.n)
        by_itself = handed_over.get((operation, entry.life), entry.n)
        if min(heard, by_itself, recorded.get(operation, entry.n)) < entry.n:
            yield Broken(3, f"{entry.what} {entry.key} of {operation} came after it was interrupted")


def _steps(evidence: Evidence) -> Iterator[tuple[str, Entry]]:
    """What an interruption keeps from beginning, each with its operation: thoughts, waves, the commit.

    Of what is handed to the store the first try in a life counts.
    """
    for doing in evidence.doings(*THOUGHTS):
        yield doing.operation, doing.start
    seen: set[tuple[str, int]] = set()
    for entry in evidence.ledger.of("intends", "commits"):
        if (entry.key, entry.life) not in seen:
            seen.add((entry.key, entry.life))
            yield entry.key.partition("/")[0], entry


def _told(evidence: Evidence) -> Mapping[str, int]:
    """Where each operation must have heard that it is over: a newer message or a stop word was there."""
    told: dict[str, int] = {}
    present: dict[str, Entry] = {}  # by user, the beginning of the operation that runs
    waiting: dict[str, list[str]] = defaultdict(list)
    committing: set[str] = set()
    for entry in evidence.ledger.of("life", "begins", "commits", "ended", "heard", "fate"):
        match entry.what:
            case "life":
                committing.clear()
                for user, began in list(present.items()):
                    if began.key not in evidence.operations:
                        del present[user]
                    elif any(_ends(evidence, message, began) for message in waiting[user]):
                        told.setdefault(began.key, entry.n)
            case "begins":
                present[entry.user] = entry
            case "commits":
                committing.add(entry.key)
            case "ended" if entry.user in present and present[entry.user].key == entry.key:
                del present[entry.user]
            case "heard":
                waiting[entry.user].append(entry.key)
                running = present.get(entry.user)
                if running and running.key not in committing and _ends(evidence, entry.key, running):
                    told.setdefault(running.key, entry.n)
            case "fate" if entry.key in waiting[entry.user]:
                waiting[entry.user].remove(entry.key)
    return told


def _ends(evidence: Evidence, message: str, began: Entry) -> bool:
    """Whether the message means the end of that operation."""
    is_newer = evidence.order(message) > evidence.newest_of(began.more[0])
    if evidence.is_late(message) or not is_newer:
        return False
    if evidence.is_stop(message):
        return True
    is_refused = evidence.messages[message]["fate"] == "rejected"  # too many wait
    is_protected = began.key in evidence.protected
    return evidence.scenario.policy in INTERRUPTING and not is_refused and not is_protected


def stop_drops_what_waits(evidence: Evidence) -> Iterator[Broken]:
    """P3: whoever says stop: nothing begins any more of what they said before."""
    stopped: dict[str, int] = defaultdict(int)  # by user, the place in the inbox of the last stop word
    for entry in evidence.ledger.of("heard", *(f"{kind} starts" for kind in THOUGHTS)):
        if entry.what != "heard":
            newest = max(evidence.messages[id]["sequence"] for id in entry.more[0].split(","))
            if newest < stopped[entry.user]:
                yield Broken(3, f"{entry.what} {entry.key} came after its user had said stop")
        elif evidence.is_stop(entry.key) and not evidence.is_late(entry.key):
            stopped[entry.user] = evidence.messages[entry.key]["sequence"]


def what_joins_is_seen(evidence: Evidence) -> Iterator[Broken]:
    """P3, steer: no wave and no reply begins before the planner has seen a message that came before it."""
    # A store that fails suspends, and what comes in that instant waits for the next operation.
    if evidence.scenario.policy != "steer" or evidence.scenario.troubles:
        return
    adapts: dict[str, list[Doing]] = defaultdict(list)
    for doing in evidence.doings("adapt"):
        adapts[doing.operation].append(doing)
    told = _told(evidence)
    for operation, entry in _steps(evidence):
        if entry.what not in ("intends", "commits") or _was_intended(evidence, entry):
            continue
        most = evidence.scenario.limits.adaptations_max
        if _adaptations(evidence, operation, entry.n) >= most or told.get(operation, entry.n) < entry.n:
            continue
        for message in _joining(evidence, operation, entry):
            seen = [doing for doing in adapts[operation] if doing.how == "well" and doing.end]
            if not any(
                doing.end and doing.end.n < entry.n and message in doing.start.more[0].split(",")
                for doing in seen
            ):
                yield Broken(3, f"{entry.what} {entry.key} came before the planner had seen {message}")


def _was_intended(evidence: Evidence, entry: Entry) -> bool:
    """Whether an earlier life began it: a wave that a crash cut short is made again first."""
    return any(other.key == entry.key and other.life < entry.life for other in evidence.ledger.of("intends"))


def _adaptations(evidence: Evidence, operation: str, n: int) -> int:
    planned = (entry for entry in evidence.ledger.of("planned") if entry.key == operation and entry.n < n)
    return max((entry.more[0] for entry in planned), default=0)


def _joining(evidence: Evidence, operation: str, entry: Entry) -> Iterator[str]:
    """The messages that came while the operation ran, before that, and that were to join it."""
    began = evidence.begins[operation]
    for heard in evidence.ledger.of("heard"):
        is_of_user = heard.user == began.user and began.n < heard.n < entry.n
        if not is_of_user or evidence.is_stop(heard.key) or heard.key in began.more[0].split(","):
            continue
        is_refused = evidence.messages[heard.key]["fate"] == "rejected"
        most = evidence.scenario.limits.adaptations_max
        if not is_refused and _adaptations(evidence, operation, heard.n) < most:
            yield heard.key


# P13 ----------------------------------------------------------------------------------------------


def no_starvation(evidence: Evidence) -> Iterator[Broken]:
    """P13: at most so many interruptions in a row."""
    for operation, count in evidence.in_a_row.items():
        if count > evidence.scenario.limits.interruptions_max:
            yield Broken(13, f"before {operation} {count} operations in a row were interrupted")


def what_takes_long_ends(evidence: Evidence) -> Iterator[Broken]:
    """P13: nothing of an operation begins later than `operation_seconds_max` after it has, or has gone on."""
    most = evidence.scenario.limits.operation_seconds_max
    began: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.ledger.of("begins", "resumed"):
        began[entry.key].append(entry)
    for operation, entry in _steps(evidence):
        latest = max((each.at for each in began[operation] if each.n < entry.n), default=entry.at)
        if entry.at > latest + most:
            yield Broken(13, f"{entry.what} {entry.key} came {entry.at - latest:g} s after {operation} began")


CHECKS: Final = (
    one_at_a_time,
    waves_finish,
    nothing_after,
    stop_drops_what_waits,
    what_joins_is_seen,
    no_starvation,
    what_takes_long_ends,
)
