"""One operation at a time, waves that finish, and nothing after an interruption: P1, P2, P3, P13."""

from collections import defaultdict
from operator import or_
from typing import Final

from engine.simulation.assistant import TOOL_SECONDS
from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always
from engine.simulation.seen import ENDS, STARTS, STEPS, THOUGHTS_START, Doing, Operation, Seen


@always(1, "life", "moved", *STARTS, *ENDS)
def one_at_a_time(seen: Seen) -> See:
    """What one operation does ends before the next one of its user begins.

    Of two users who are found to be one, each may have one: the next begins when both have ended.
    """
    present = seen.by_user(set[Operation], or_)
    under_way = seen.by_user(dict[Doing, None], or_)
    over: set[Operation] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "life":  # what a process did not end has ended with it
            under_way.clear()
            return None
        if entry.what == "moved":  # also those that have begun, and nothing was seen of them yet
            begun = (seen.present.get(entry.user), *seen.giving_way[entry.user])
            present[entry.user].update(operation for operation in begun if operation)
            return None
        doing, line = seen.doing, None
        if doing is None:
            return None
        if doing.end is not None:
            under_way[entry.user].pop(doing, None)
            return None
        before = present[entry.user]
        if doing.operation not in before:
            over.update(before)
            present[entry.user] = {doing.operation}
            if left := [f"{each.kind} {each.start.key}" for each in under_way[entry.user]]:
                line = f"{entry.what} {entry.key} while {', '.join(left)} had not ended"
        if doing.operation in over:
            line = f"{entry.what} {entry.key} of {doing.operation.id} after a later operation had begun"
        under_way[entry.user][doing] = None
        return line

    return see


@always(2, "told to stop", "act ends")
def waves_finish(seen: Seen) -> See:
    """An act is cut by its tool's timeout, the wave's bound or a shutdown's grace, by nothing else."""
    limits = seen.scenario.limits
    least = min(TOOL_SECONDS, limits.wave_seconds_max)
    told: dict[int, float] = {}  # by life

    def see(entry: Entry) -> str | None:
        if entry.what == "told to stop":
            told[entry.life] = entry.at
            return None
        doing = seen.doing
        if doing is None or doing.how != "cut" or entry.at - doing.start.at >= least:
            return None
        if entry.life in told and entry.at >= told[entry.life] + limits.grace_seconds:
            return None
        return f"act {entry.key} was cut after {entry.at - doing.start.at:g} s"

    return see


# P3 -----------------------------------------------------------------------------------------------


@always(3, "life", "fate", *STEPS)
def nothing_after(seen: Seen) -> See:
    """After an interruption nothing of its operation begins, and no reply is committed.

    A message that was refused, since too many wait, interrupts nothing; its fate tells.
    """
    suspected: dict[str, str] = {}  # by message: what it would forbid

    def see(entry: Entry) -> str | None:
        if entry.what == "life":
            suspected.clear()  # what was not recorded by then is decided anew
            return None
        if entry.what == "fate":
            line = suspected.pop(entry.key, None)
            return None if seen.messages[entry.key].is_refused else line
        operation = seen.step
        if operation is None:
            return None
        line = f"{entry.what} {entry.key} of {operation.id} came after it was interrupted"
        # What a process handed over and did not live to see written binds nobody after it.
        if operation.reason or operation.interrupts_in == entry.life:
            return line
        for message in operation.told.values():
            if message.fate is None and message.may_be_refused:
                suspected.setdefault(message.id, line)
            elif not message.is_refused:
                return line
        return None

    return see


@always(3, "heard", *THOUGHTS_START)
def stop_drops_what_waits(seen: Seen) -> See:
    """Whoever says stop: nothing begins any more of what they said before."""
    # Where the last stop word stands in the inbox, and in order: an edit may be newer than it.
    stopped = seen.by_user(lambda: (0, (0, 0)), min)

    def see(entry: Entry) -> str | None:
        if entry.what == "heard":
            message = seen.messages[entry.key]
            if message.is_stop and not message.is_late:
                stopped[entry.user] = (message.place, message.order)
        elif seen.doing:
            place, order = stopped[entry.user]
            burst = [seen.messages[id] for id in seen.doing.burst]
            if all(message.place < place and message.order < order for message in burst):
                return f"{entry.what} {entry.key} came after its user had said stop"
        return None

    return see


@always(3, "heard", "adapt ends", "intends", "commits")
def what_joins_is_seen(seen: Seen) -> See:
    """Steer: no wave and no reply begins before the planner has seen a message that came before it.

    A store that fails suspends, and what comes in that instant waits for the next operation.
    """
    most = seen.scenario.limits.adaptations_max
    is_due = seen.scenario.policy == "steer" and not seen.scenario.troubles
    joining: defaultdict[Operation, dict[str, None]] = defaultdict(dict)
    intended_in: dict[str, int] = {}  # by call, the first life

    def see(entry: Entry) -> str | None:
        if not is_due:
            return None
        if entry.what == "heard":
            operation, said = seen.present.get(entry.user), seen.messages[entry.key].said
            if operation:
                joining[operation].pop(said.about, None)  # it is changed, or taken back
            if operation and operation.rounds < most and operation.is_request(said):
                joining[operation][entry.key] = None
        elif entry.what == "adapt ends":
            doing = seen.doing
            if doing and doing.how == "well":
                for id in doing.burst:
                    joining[doing.operation].pop(id, None)
        elif seen.step and seen.step.rounds < most and not seen.step.told:
            # A wave that a crash cut short is made again first.
            is_again = intended_in.setdefault(entry.key, entry.life) < entry.life
            if not is_again and joining[seen.step]:
                unseen = ", ".join(joining[seen.step])
                return f"{entry.what} {entry.key} came before the planner had seen {unseen}"
        return None

    return see


# P13 ----------------------------------------------------------------------------------------------


@always(13, "begun")
def no_starvation(seen: Seen) -> See:
    """At most so many interruptions in a row."""

    def see(entry: Entry) -> str | None:
        count = seen.operation(entry.key).in_a_row
        if count > seen.scenario.limits.interruptions_max:
            return f"before {entry.key} {count} operations in a row were interrupted"
        return None

    return see


@always(13, "begins", "resumed", *STEPS)
def what_takes_long_ends(seen: Seen) -> See:
    """Nothing of an operation begins later than `operation_seconds_max` after it has, or has gone on."""
    most = seen.scenario.limits.operation_seconds_max
    began: dict[Operation, float] = {}

    def see(entry: Entry) -> str | None:
        if entry.what in ("begins", "resumed"):
            began[seen.operation(entry.key)] = entry.at
            return None
        took = entry.at - began.get(seen.step, entry.at) if seen.step else 0.0
        if seen.step and took > most:
            return f"{entry.what} {entry.key} came {took:g} s after {seen.step.id} began"
        return None

    return see


RULES: Final = (
    one_at_a_time,
    waves_finish,
    nothing_after,
    stop_drops_what_waits,
    what_joins_is_seen,
    no_starvation,
    what_takes_long_ends,
)
