"""What becomes of a message: one fate, durable, before the next plan; which is newer: P4, P5, P7, P12."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import partial
from typing import Final

from engine.languages import built_in
from engine.simulation.assistant import REUSABLE_SECONDS
from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always, at_end
from engine.simulation.scenario import What
from engine.simulation.seen import INTERRUPTING, THOUGHTS_START, Heard, Left, Seen

# How many messages back, at the least, a plan is shown what was superseded: each may have had an answer.
_SHOWN_PART: Final = 2


@at_end(4)
def each_has_a_fate(left: Left) -> Iterator[str]:
    """What is in the inbox has the fate that was recorded, and its user was told where the fate says so."""
    for id, message in left.messages.items():
        recorded = left.seen.messages[id].fate
        if message["fate"] is None:
            yield f"message {id} has no fate"
        elif recorded is None or message["fate"] != recorded[0]:
            yield f"message {id} is {message['fate']}, and was recorded as {recorded}"
        elif not _was_told(left, id, recorded[1]):
            yield f"message {id} is {message['fate']}, and nobody was told"


def _was_told(left: Left, id: str, text: str) -> bool:
    message = left.messages[id]
    rows = [row for row in left.outbox.values() if row["user_id"] == message["user_id"]]
    match message["fate"]:
        case "failed":
            # One that failed before it began has no operation.
            return any(
                row["kind"] == "apology" and message["operation_id"] in (row["operation_id"], None)
                for row in rows
            )
        case "rejected":
            return any(row["kind"] == "notice" and row["text"] == text for row in rows)
        case "stopped" if text:
            return any(row["kind"] == "notice" and row["text"] == text for row in rows)
    return True


@always(4, "queued")
def the_answer_to_a_stop_is_true(seen: Seen) -> See:
    """Whoever says stop is told that nothing was done only where nothing was."""
    nothing = built_in().texts[built_in().default].nothing_done

    def see(entry: Entry) -> str | None:
        kind, operation, _, text = entry.more
        if kind != "notice" or not operation or nothing not in text:
            return None
        calls = seen.operation(operation).calls.items()
        done = [id for id, call in calls if call.status == "succeeded" and not call.is_reused]
        return f"{entry.user} was told {text!r}, and {', '.join(done)} was done" if done else None

    return see


@always(4, "fate")
def one_fate(seen: Seen) -> See:
    """No message is given another fate."""
    settled: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.key in settled:
            return f"message {entry.key} was given another fate"
        settled.add(entry.key)
        return None

    return see


@always(4, "moved", "kept", "fate")
def fates_fit(seen: Seen) -> See:
    """Each fate is one that the policy has, and says of whom it speaks."""
    policy = seen.scenario.policy
    taken_over = seen.by_user(int, max)  # the place in the inbox of the last word of the business's

    def see(entry: Entry) -> str | None:
        if entry.what == "moved":
            if seen.silence[entry.user][1] > -math.inf:
                taken_over[entry.user] = entry.n
            return None
        if entry.what == "kept":
            if seen.messages[entry.key].said.what is What.TAKES_OVER:
                taken_over[entry.user] = entry.n
            return None
        name, detail = entry.more
        message = seen.messages[entry.key]
        asks_to_end = message.is_stop or message.said.what is What.REVOKES
        if asks_to_end and name not in ("stopped", "ignored"):
            return f"message {entry.key} {message.said.what} {message.said.text} and is {name}"
        if name == "ignored" and not (message.is_kept or may_be_ignored(message, entry.user)):
            return f"message {entry.key} was ignored"
        if name == "superseded":
            by = seen.messages.get(detail)
            if by is None or by.said.user != message.said.user:
                return f"message {entry.key} was superseded by {detail!r}"
            gave_way = message.operation is not None and message.operation.gives_way
            if not (policy in INTERRUPTING or by.said.about == message.id or gave_way):
                return f"message {entry.key} was superseded under {policy}"
        return None

    def may_be_ignored(message: Heard, user: str) -> bool:
        """What changes nothing that is worked on, a stop that comes too late, what somebody else answers."""
        is_change = message.said.what in (What.EDITS, What.REVOKES)
        is_taken_over = message.place < taken_over[user]
        is_silenced = message.may_be_late and seen.silence[user][1] > -math.inf
        return is_change or is_taken_over or is_silenced or (message.is_stop and message.is_late)

    return see


@always(4, "plan ends", "adapt ends", "fate")
def merged_was_seen(seen: Seen) -> See:
    """A message is merged by the plan that saw it, and not before."""
    seen_with: defaultdict[str, set[str]] = defaultdict(set)  # by message: with which a plan has seen it

    def see(entry: Entry) -> str | None:
        if entry.what == "fate":
            name, into = entry.more
            if name == "merged" and into not in seen_with[entry.key]:
                return f"message {entry.key} was merged before a plan had seen it"
        elif seen.doing and seen.doing.how == "well":
            burst = seen.doing.burst
            for id in burst:
                seen_with[id].update(burst)
        return None

    return see


@always(4, *THOUGHTS_START)
def what_asks_for_nothing_is_no_request(seen: Seen) -> See:
    """An assistant is never shown the stop word, or what does not ask, as something to do."""

    def see(entry: Entry) -> str | None:
        for id in seen.doing.burst if seen.doing else ():
            message = seen.messages[id]
            if message.is_stop or message.said.what not in (What.SAYS, What.EDITS):
                return f"{entry.what} {entry.key} was shown {id}, which {message.said.what}"
        return None

    return see


# P5 -----------------------------------------------------------------------------------------------


@always(5, "accepted", "heard", "kept")
def accepted_is_durable(seen: Seen) -> See:
    """Whoever is told that a message was accepted is told so after its commit; it comes in once."""
    heard: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "accepted":
            is_there = entry.key in heard
            return None if is_there else f"message {entry.key} was accepted before it was in the inbox"
        if entry.key in heard:
            return f"message {entry.key} was heard of again"
        heard.add(entry.key)
        return None

    return see


@at_end(5)
def accepted_is_there(left: Left) -> Iterator[str]:
    """What was accepted is in the inbox for good."""
    for id in left.seen.messages.keys() - left.messages.keys():
        yield f"message {id} was heard of, and is not in the inbox"


# P7 -----------------------------------------------------------------------------------------------


@always(7, "fate", "plan starts")
def results_are_kept(seen: Seen) -> See:
    """A request that was taken back is in front of every later plan, with what it had finished."""
    most = seen.scenario.limits.history_messages_max // _SHOWN_PART
    last = partial(deque[str], maxlen=most)
    settled = seen.by_user(last, lambda some, more: last(sorted((*some, *more), key=in_order)))

    def in_order(id: str) -> int:
        return seen.messages[id].place

    def see(entry: Entry) -> str | None:
        if entry.what == "fate":
            if seen.messages[entry.key].said.what is not What.TAKES_OVER:  # that is not its user's
                settled[entry.user].append(entry.key)
            return None
        burst, taken_back, history = entry.more
        missing = {*settled[entry.user]}.difference(history.split(","), burst.split(","))
        if missing:
            return f"the plan for {entry.key} was not shown {', '.join(sorted(missing))}"
        shown = dict(item.split(":", 1) for item in taken_back.split(",") if item)
        for id in settled[entry.user]:
            operation, fate = seen.operation_of.get(id), seen.messages[id].fate
            if operation is None or fate is None or fate[0] != "superseded":
                continue
            expected = operation.tally
            if shown.get(id) != expected:
                return f"the plan for {entry.key} was shown {shown.get(id)} of {id}: {expected}"
        return None

    return see


@always(7, "act ends", "intends", "outcome")
def what_is_reused_is_fresh(seen: Seen) -> See:
    """What a request takes over was found out for the same user, and not too long before its wave.

    Not asked where a store that stalls holds a wave up, or somebody sets the clock.
    """
    is_due = not (seen.scenario.troubles or seen.scenario.jumps)
    found = seen.by_user(dict[str, float], _latest)  # by what was looked up: when
    last_wave: dict[str, float] = {}  # by operation

    def see(entry: Entry) -> str | None:
        if entry.what == "act ends":
            if seen.doing and seen.doing.how == "well":
                found[entry.user][seen.doing.start.more[1]] = entry.at
            return None
        operation = entry.key.partition("/")[0]
        if entry.what == "intends":
            last_wave[operation] = entry.at
            return None
        call = seen.call(entry.key)
        if not (is_due and call.is_reused):
            return None
        at = found[entry.user].get(call.about)
        # It is recorded with the first of its wave that is made.
        if at is None or last_wave.get(operation, entry.at) > at + REUSABLE_SECONDS:
            return f"{entry.key} took over what was found at {at}"
        return None

    return see


def _latest(some: dict[str, float], more: dict[str, float]) -> dict[str, float]:
    return {what: max(some.get(what, 0.0), more.get(what, 0.0)) for what in some.keys() | more.keys()}


# P12 ----------------------------------------------------------------------------------------------


@always(12, "fate", "interrupted", "begins")
def late_is_not_new(seen: Seen) -> See:
    """An older message never interrupts; where a newer one takes its place it is never run."""
    is_replaced = seen.scenario.policy in INTERRUPTING

    def see(entry: Entry) -> str | None:
        if entry.what == "fate":
            name, by = entry.more
            # What changes a message takes its place, however late that came.
            is_change = by in seen.messages and seen.messages[by].said.about == entry.key
            is_older = name == "superseded" and not is_change and not _is_newer(seen, by, entry.key)
            return f"message {entry.key} was superseded by {by}, which is not newer" if is_older else None
        operation = seen.operation(entry.key)
        if entry.what == "interrupted":
            by = operation.interrupted_by
            # What takes a message back speaks of that one, whatever came since.
            is_revoke = by in seen.messages and seen.messages[by].said.what is What.REVOKES
            is_older = bool(by) and not is_revoke and not _is_newer(seen, by, operation.message)
            return f"{entry.key} was interrupted by {by}, which is not newer" if is_older else None
        message = seen.messages[operation.message]
        is_late = message.is_late and not message.may_be_late
        if is_replaced and is_late and message.burst_id == message.id:
            return f"message {message.id} came late and was run"
        return None

    return see


def _is_newer(seen: Seen, id: str, other: str) -> bool:
    return id in seen.messages and seen.messages[id].order > seen.messages[other].order


@at_end(12)
def late_is_known(left: Left) -> Iterator[str]:
    """Which message was late when it came is recorded with it."""
    for id, message in left.messages.items():
        seen = left.seen.messages[id]
        if not seen.may_be_late and bool(message["late_behind"]) != seen.is_late:
            yield f"message {id} counts as late behind {message['late_behind']}"


RULES: Final = (
    each_has_a_fate,
    the_answer_to_a_stop_is_true,
    one_fate,
    fates_fit,
    merged_was_seen,
    what_asks_for_nothing_is_no_request,
    accepted_is_durable,
    accepted_is_there,
    results_are_kept,
    what_is_reused_is_fresh,
    late_is_not_new,
    late_is_known,
)
