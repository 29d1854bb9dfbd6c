"""One commit point, told once, and each user's rows in order: P8, P9."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import add, or_
from typing import Final

import attrs

from engine.languages import built_in
from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always, at_end
from engine.simulation.scenario import What
from engine.simulation.seen import Left, Seen

_NOT_OF_THE_USER: Final = (What.TAKES_OVER, What.RENAMES)
_BEFORE_A_REQUEST: Final = ("sending", "resending")


@at_end(8)
def one_commit(left: Left) -> Iterator[str]:
    """An answered message has one completed operation with all its replies, every other has none."""
    replies = Counter(row["operation_id"] for row in left.outbox.values() if row["kind"] == "reply")
    for id, operation in left.operations.items():
        is_completed = operation["phase"] == "completed"
        fate = left.messages[operation["message_id"]]["fate"]
        expected = left.seen.operation(id).answers if is_completed else 0
        if replies[id] != expected or (fate == "answered") != is_completed:
            yield f"operation {id} is {operation['phase']}: {replies[id]} replies, message {fate}"
        if operation["ended_at"] is None:
            yield f"operation {id} has no end"


@always(8, "queued", "ended")
def in_one_transaction(seen: Seen) -> See:
    """A reply is recorded by the write that completes its operation."""
    replied: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "ended":
            # The same write tried again ends nothing.
            is_first = seen.operation(entry.key).ended is entry
            is_other = is_first and entry.key in replied
            return f"the reply of {entry.key} was recorded before its end" if is_other else None
        kind, operation, write, _ = entry.more
        if kind != "reply":
            return None
        replied.add(operation)
        end = seen.operation(operation).ended
        if end is None or end.more != ("completed", write):
            return f"the reply of {operation} was recorded by another write than its end"
        return None

    return see


@always(8, "undo starts", "undo intended")
def what_is_answered_stays(seen: Seen) -> See:
    """Once its reply is recorded, nothing of an operation is taken back."""

    def see(entry: Entry) -> str | None:
        is_answered = seen.operation(entry.key.partition("/")[0]).phase == "completed"
        return f"{entry.what} {entry.key} after its reply was recorded" if is_answered else None

    return see


# P9, what a user is told --------------------------------------------------------------------------


@always(9, "queued")
def told_once(seen: Seen) -> See:
    """One acknowledgement for an interrupted operation, none for any other; one refusal each."""
    texts = built_in().texts[built_in().default]
    once = (texts.rejected, texts.deferred)
    acknowledged: set[str] = set()
    notices = seen.by_user(Counter[str], add)  # by what was told

    def see(entry: Entry) -> str | None:
        kind, operation, _, text = entry.more
        if kind == "acknowledgement":
            reason = seen.operation(operation).reason
            if operation in acknowledged or reason != "new_message_received":
                return f"one more acknowledgement for {operation}, {reason or 'which goes on'}"
            acknowledged.add(operation)
        elif kind == "notice" and text in once:
            notices[entry.user][text] += 1
            count, tried = notices[entry.user][text], seen.tried[entry.user]
            if count > tried:
                return f"{entry.user} was told {text!r} {count} times, in {tried} operations"
        return None

    return see


@always(9, "queued", "marked", "request")
def no_acknowledgement_after_the_reply(seen: Seen) -> See:
    """Once the new reply is recorded, no acknowledgement goes on its way."""
    of_user = seen.by_user(set[str], or_)  # those that are not on their way yet
    too_late: set[str] = set()

    def see(entry: Entry) -> str | None:
        match entry.what:
            case "queued":
                if entry.more[0] == "acknowledgement":
                    of_user[entry.user].add(entry.key)
                elif entry.more[0] == "reply":
                    too_late.update(of_user.pop(entry.user, ()))
            case "marked":
                of_user[entry.user].discard(entry.key)
            case "request" if entry.key in too_late:
                return f"acknowledgement {entry.key} was sent after the reply was recorded"
        return None

    return see


@always(9, "dropped", "request")
def dropped_is_not_sent(seen: Seen) -> See:
    """An acknowledgement, or a note, that was dropped is not sent any more."""
    dropped: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "dropped":
            dropped.add(entry.key)
        elif entry.what == "request" and entry.key in dropped:
            return f"{entry.more[0]} {entry.key} was sent after it was dropped"
        return None

    return see


# P9, the outbox -----------------------------------------------------------------------------------


@attrs.define
class _Row:
    """One row on its way: what may have been seen of it."""

    shown: int = 0
    may_be_shown: int = 1


@always(9, "shown", "marked", "reported", "death")
def sent_once(seen: Seen) -> See:
    """A row is shown once, and once more where nobody can know whether it was."""
    rows: defaultdict[str, _Row] = defaultdict(_Row)
    unknown: set[str] = set()  # how their last showing went is not recorded

    def see(entry: Entry) -> str | None:
        match entry.what:
            case "shown":
                row = rows[entry.key]
                row.shown += 1
                unknown.add(entry.key)
                if row.shown > row.may_be_shown:
                    return f"row {entry.key} was shown {row.shown} times"
                if entry.more[1] == "lost":
                    row.may_be_shown = max(row.may_be_shown, 2)
            case "marked" if entry.more[0] not in _BEFORE_A_REQUEST:
                unknown.discard(entry.key)
                if entry.more[0] == "sent" and not rows[entry.key].shown:
                    return f"row {entry.key} counts as sent, and never was"
            case "reported" if entry.more[0] == "failed":
                rows[entry.key].may_be_shown += 2  # it was taken, and not delivered
            case "death":
                for id in unknown:
                    rows[id].may_be_shown = max(rows[id].may_be_shown, 2)
                unknown.clear()
        return None

    return see


@always(9, "moved", "queued", "marked", "request")
def in_order(seen: Seen) -> See:
    """Each user's rows are first requested in their order.

    But for those that a process may have sent and did not live to say: they wait for a report.  And of two
    users who are found to be one those that were there before: each is sent in the order of its own.
    """
    place: dict[str, int] = {}
    marked_in: dict[str, int] = {}  # the life that said it would request them, and has not yet
    requested: set[str] = set()
    last: dict[str, str] = {}
    moved: dict[str, int] = {}  # by user: the place of that

    def see(entry: Entry) -> str | None:
        id = entry.key
        if entry.what == "moved":
            moved[entry.user] = entry.n
        elif entry.what == "queued":
            place[id] = entry.n
        elif entry.what == "marked":
            if entry.more[0] in _BEFORE_A_REQUEST:
                marked_in.setdefault(id, entry.life)
        elif marked_in.get(id, entry.life) == entry.life:
            marked_in.pop(id, None)
            if id in requested:
                return None
            requested.add(id)
            before = last.get(entry.user)
            last[entry.user] = id
            if before and place[before] > place[id] > moved.get(entry.user, -1):
                return f"row {id} was sent after {before}, which came later"
        return None

    return see


@always(9, "heard", "kept", "request")
def within_its_time(seen: Seen) -> See:
    """Later than `window_seconds` after its user wrote nothing is sent but a template, and that only then.

    Not asked where somebody sets the clock, or where the store fails: a request may wait for its mark.
    """
    is_due = not (seen.scenario.jumps or seen.scenario.troubles)
    heard = seen.by_user(lambda: -math.inf, max)  # when its user last wrote
    known = seen.by_user(lambda: -math.inf, max)  # and when that was heard of

    def see(entry: Entry) -> str | None:
        if entry.what != "request":
            known[entry.user] = entry.at
            if seen.messages[entry.key].said.what not in _NOT_OF_THE_USER:
                heard[entry.user] = max(heard[entry.user], seen.messages[entry.key].order[0])
            return None
        *_, is_template = entry.more
        late = entry.at - heard[entry.user]
        if known[entry.user] == entry.at:  # it was on its way
            return None
        if not is_due or is_template == (late > seen.scenario.limits.window_seconds):
            return None
        what = "a template" if is_template else "words"
        return f"row {entry.key} was sent as {what} {late:g} s after its user wrote"

    return see


@at_end(9)
def sent_was_shown(left: Left) -> Iterator[str]:
    """What counts as sent was."""
    for id, row in left.outbox.items():
        if row["state"] == "sent" and id not in left.seen.shown:
            yield f"row {id} counts as sent, and never was"


RULES: Final = (
    one_commit,
    in_one_transaction,
    what_is_answered_stays,
    told_once,
    no_acknowledgement_after_the_reply,
    dropped_is_not_sent,
    sent_once,
    in_order,
    within_its_time,
    sent_was_shown,
)
