"""The promises P1 to P14, asked of a history: a line for each that was broken.

Rule 1: what the fakes saw decides, and what the store knows in the end; not what the engine says of itself.
Rule 2: a check says no more than its promise; where a disturbance excuses something, it says which.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import attrs
from world import GRACE_SECONDS, STOP_WORD, TOOL_SECONDS_MAX, Entry, History

from engine import (
    Answered,
    Decision,
    Failed,
    Ignored,
    Merged,
    Message,
    OutgoingKind,
    Rejected,
    SendState,
    Status,
    Stopped,
    Superseded,
)
from engine.phases import INTERRUPTIBLE, Phase, Reason
from engine.store import (
    Begin,
    CallRecord,
    End,
    Happened,
    Intended,
    Interrupt,
    Mark,
    Planned,
    Queue,
    UndoIntended,
    Undone,
)

_THINKING: Final = ("plan", "adapt", "respond")
_ACTIVITIES: Final = (*_THINKING, "credentials", "act", "undo")
_CANCELLING: Final = frozenset({Decision.INTERRUPT, Decision.ROLLBACK})
_MAY_BE_TOLD: Final = INTERRUPTIBLE | {Phase.IN_WAVE}
_MAY_HAVE_ACTED: Final = frozenset({Status.SUCCEEDED, Status.TIMED_OUT, Status.CUT_OFF, Status.UNKNOWN})
_UNDOABLE: Final = frozenset({"book", "pay"})
_IDEMPOTENT: Final = frozenset({"look", "pay", "find"})
_FORESEEN: Final = ("broke in", "operation_seconds_max", "the process died")
# Bugs of ours, whatever the store does.
_NEVER_LOGGED: Final = ("session_crashed", "listener_failed", "sending_failed", "outbound_failed")
# Where every message gets its answer: none takes another's place.
_LOSES_NONE: Final = frozenset({"enqueue", "reject", "steer"})
_TAKES_PLACES: Final = frozenset({"interrupt", "rollback"})


@attrs.frozen
class _Operation:
    """What the records say of one operation, as far as it was begun."""

    id: str
    user: str
    message: Message
    burst: frozenset[str]
    began: Entry
    ended: Entry | None
    phase: Phase | None
    interrupt: Interrupt | None
    calls: Mapping[str, CallRecord]

    def lives_at(self, n: int) -> bool:
        """Whether it had begun and not ended at that place of the ledger."""
        return self.began.n < n and (self.ended is None or self.ended.n > n)


@attrs.frozen
class Facts:
    """A history, with what several checks ask of it."""

    history: History
    delivered: Mapping[str, Entry]
    operations: Mapping[str, _Operation]

    @property
    def policy(self) -> str:
        """The policy's name; empty for one of somebody's own."""
        named = self.history.scenario.policy
        return named if isinstance(named, str) else ""

    def is_late(self, message_id: str) -> bool:
        """Whether the store called it older than its user's newest."""
        return bool(self.delivered[message_id].detail[1])

    def is_stop(self, message_id: str) -> bool:
        """Whether it is the stop word."""
        return self.message(message_id).text == STOP_WORD

    def message(self, message_id: str) -> Message:
        """The message as the store has it."""
        found: Message = self.delivered[message_id].detail[0]
        return found

    def of_user(self, user: str) -> list[_Operation]:
        """A user's operations, in the order of their beginnings."""
        return sorted(
            (one for one in self.operations.values() if one.user == user), key=lambda one: one.began.n
        )

    def operation_of(self, entry: Entry) -> _Operation | None:
        """Whose activity it is: by the call's key, or by the messages that the assistant was shown."""
        if entry.key:
            return self.operations.get(entry.key.partition("/")[0])
        found = [
            one
            for one in self.of_user(entry.user)
            if one.message.id in entry.messages and one.began.n < entry.n
        ]
        return found[-1] if found else None

    def wave_began(self, act: Entry) -> int:
        """Where the wave of that act began: its intent was first handed to the store."""
        began = next(one.n for one in self.history.of("credentials") if one.run == act.run)
        return next(one.n for one in self.history.of("intent") if one.key == act.key and one.n > began)

    def begins_after(self, entry: Entry, told: Entry) -> bool:
        """Whether an activity, or the wave that it is of, began after that moment.

        A reply begins where it is first handed to the store; that may refuse it, and it is handed over again.
        """
        began = entry.n
        if entry.what == "act":
            began = self.wave_began(entry)
        elif entry.what == "reply":
            began = next(
                one.n for one in self.history.of("reply") if one.key == entry.key and one.life == entry.life
            )
        return entry.n > told.n and began > told.n

    def stops(self) -> Iterator[Entry]:
        """Each moment in which a user, or somebody for them, said stop."""
        yield from self.history.of("stop")
        for id, entry in self.delivered.items():
            if self.is_stop(id) and not self.is_late(id):
                yield entry
        heard = set()
        for entry in self.history.of("decided"):
            decision, _ = entry.detail
            is_first = (
                entry.life,
                entry.message,
            ) not in heard  # asked again, after a failed commit, it stops nothing
            heard.add((entry.life, entry.message))
            if is_first and decision is Decision.STOP and not self.is_late(entry.message):
                yield entry

    def was_said_before(self, message_id: str, told: Entry) -> bool:
        """Whether a message was there when that was said: by its place in the inbox, or in the ledger."""
        if told.message:
            return self.message(message_id).sequence <= self.message(told.message).sequence
        return self.delivered[message_id].n <= told.n

    def interruptions(self) -> Iterator[tuple[Entry, _Operation, bool]]:
        """Each moment in which the policy's word interrupted an operation, and whether with a rollback."""
        for entry in self.history.of("decided"):
            decision, snapshot = entry.detail
            if not isinstance(decision, Decision):
                decision = Decision.INTERRUPT
            may_be = snapshot.phase in _MAY_BE_TOLD and not snapshot.interrupted
            # One beyond the bound is refused, and does nothing else.
            is_taken = not isinstance(self.history.fates[entry.message], Rejected)
            if (
                is_taken
                and decision in _CANCELLING
                and may_be
                and not snapshot.is_late
                and not snapshot.is_protected
            ):
                for operation in self.of_user(entry.user):
                    if operation.message.id == snapshot.running.id and operation.lives_at(entry.n):
                        yield entry, operation, decision is Decision.ROLLBACK


def facts_of(history: History) -> Facts:
    """A history, looked through once."""
    ends: dict[str, tuple[Entry, End]] = {}
    for entry, end in history.changes(End):
        ends.setdefault(end.operation_id, (entry, end))
    interrupts: dict[str, Interrupt] = {}
    for _, change in history.changes(Interrupt):
        interrupts.setdefault(change.operation_id, change)
    operations = {}
    for entry, begin in history.changes(Begin):
        entry_of_end, end = ends.get(begin.operation_id, (None, None))
        operations[begin.operation_id] = _Operation(
            id=begin.operation_id,
            user=begin.message.user.id,
            message=begin.message,
            burst=frozenset({*begin.burst, begin.message.id}),
            began=entry,
            ended=entry_of_end,
            phase=end.phase if end else None,
            interrupt=interrupts.get(begin.operation_id),
            calls={call.call.id: call for call in history.operations[begin.operation_id].calls},
        )
    delivered: dict[str, Entry] = {}
    for entry in history.of("delivered"):
        delivered.setdefault(entry.message, entry)
    return Facts(history, delivered, operations)


def broken(history: History) -> list[str]:
    """A line for each promise that was broken, with the name of its check."""
    facts = facts_of(history)
    return [f"{check.__name__}: {line}" for check in CHECKS for line in check(facts)]


# P1 to P3 -----------------------------------------------------------------------------------------


def p1_one_at_a_time(facts: Facts) -> Iterator[str]:
    """No activity of an operation begins before the last one of the user's operation before it has ended."""
    present: dict[str, str] = {}
    under_way: dict[str, list[str]] = defaultdict(list)
    over: set[str] = set()
    for entry in facts.history.entries:
        if entry.what == "dies":
            over.update(present.values())
            under_way.clear()
        elif entry.what in _ACTIVITIES:
            before = present.get(entry.user, entry.run)
            if before != entry.run:
                over.add(before)
                if under_way[entry.user]:
                    yield f"{entry.user}: {entry.what} of {entry.run} began during {under_way[entry.user]}"
            if entry.run in over:
                yield f"{entry.user}: {entry.what} of {entry.run} began after a later one had"
            present[entry.user] = entry.run
            under_way[entry.user].append(_name(entry))
        elif entry.what.removesuffix(" ended") in _ACTIVITIES:
            under_way[entry.user].remove(_name(entry))


def _name(entry: Entry) -> str:
    return f"{entry.what.removesuffix(' ended')} {entry.key} of {entry.run}"


def p2_waves_finish(facts: Facts) -> Iterator[str]:
    """A call ends by itself, by its timeout, by the wave's bound, or by the grace of a shutdown."""
    history = facts.history
    for began, ended in _pairs(history, "act"):
        seconds, how = began.detail
        own = seconds if how != "hangs" else TOOL_SECONDS_MAX
        bound = min(own, TOOL_SECONDS_MAX, history.scenario.bounds.wave_seconds_max)
        told = [one.at for one in history.of("stops") if one.life == began.life]
        due = min([began.at + bound, *(max(began.at, at + GRACE_SECONDS) for at in told)])
        if ended is None:
            if not any(one.life == began.life and one.at <= due for one in history.of("dies")):
                yield f"{began.key} began at {began.at} and never ended"
        elif ended.at != due:
            yield f"{began.key} began at {began.at} and ended at {ended.at}, not {due}"


def _pairs(history: History, what: str) -> Iterator[tuple[Entry, Entry | None]]:
    """Each activity of that kind with its end; None where the process died before that."""
    ends = defaultdict(list)
    for entry in history.of(f"{what} ended"):
        ends[entry.life, entry.run, entry.key, entry.messages].append(entry)
    for entry in history.of(what):
        left = ends[entry.life, entry.run, entry.key, entry.messages]
        yield entry, left.pop(0) if left else None


def p3_nothing_after(facts: Facts) -> Iterator[str]:
    """After an interruption nothing more of the operation begins but what its wave had recorded before."""
    for told, operation, _ in facts.interruptions():
        is_older = any(facts.message(told.message).order < facts.message(id).order for id in operation.burst)
        if is_older or facts.is_late(told.message):
            continue  # a late fragment, or what had waited for longer before a restart
        for entry in facts.history.of(*_THINKING, "act", "reply"):
            # What somebody's own policy said does not outlive the process that heard it.
            is_heard = facts.policy or entry.life == told.life
            if is_heard and facts.operation_of(entry) is operation and facts.begins_after(entry, told):
                yield f"{_name(entry)} began after {told.message} had interrupted {operation.message.id}"


def p3_the_newest_message_wins(facts: Facts) -> Iterator[str]:
    """The same, by what was delivered alone, under the policies that interrupt; but for P13."""
    if facts.policy not in _TAKES_PLACES:
        return
    for id, told in facts.delivered.items():
        if facts.is_stop(id) or facts.is_late(id):
            continue
        for operation in facts.of_user(told.user):
            if not operation.lives_at(told.n) or _may_be_protected(facts, operation):
                continue
            for entry in facts.history.of(*_THINKING, "act", "reply"):
                if facts.operation_of(entry) is operation and facts.begins_after(entry, told):
                    yield f"{_name(entry)} of {operation.message.id} began after {id} was delivered"


def a_burst_is_in_order(facts: Facts) -> Iterator[str]:
    """What an assistant is shown of a burst: each message once, in its user's order, the newest last."""
    for entry in facts.history.of(*_THINKING):
        if list(entry.messages) != sorted(set(entry.messages), key=lambda id: facts.message(id).order):
            yield f"{_name(entry)} was shown {entry.messages}"
        if entry.message != entry.messages[-1]:
            yield f"{_name(entry)} was given {entry.message}, of {entry.messages}"


def stop_ends_it(facts: Facts) -> Iterator[str]:
    """Whoever says stop: nothing begins any more of what had been said before."""
    for told in facts.stops():
        for entry in facts.history.of(*_THINKING, "act", "reply"):
            operation = facts.operation_of(entry)
            if entry.n < told.n or entry.user != told.user or operation is None:
                continue
            if told.what != "delivered" and entry.life != told.life:
                continue  # a command, and somebody's own policy, are heard by one process only
            messages = entry.messages or tuple(operation.burst)
            if all(facts.was_said_before(id, told) for id in messages) and facts.begins_after(entry, told):
                yield f"{_name(entry)} began after {told.user} had said stop ({told.message})"
    for entry in facts.history.of(*_THINKING):
        if stops := [id for id in entry.messages if facts.is_stop(id)]:
            yield f"{_name(entry)} was shown the stop word {stops}"


def a_long_operation_ends(facts: Facts) -> Iterator[str]:
    """Nothing of an operation begins later than `operation_seconds_max` after it has begun."""
    first: dict[str, Entry] = {}
    for entry in facts.history.of(*_THINKING, "credentials", "act"):
        began = first.setdefault(entry.run, entry)
        at = entry.at
        if entry.what == "act":
            at = facts.history.entries[facts.wave_began(entry)].at
        if at - began.at > facts.history.scenario.bounds.operation_seconds_max:
            yield f"{_name(entry)} began {at - began.at} s after its operation"


# P4, P5, P12: fates -------------------------------------------------------------------------------


def p4_one_fate_each(facts: Facts) -> Iterator[str]:
    """What was accepted is there; what is there has one fate; rejected and failed, its user was told."""
    history = facts.history
    accepted = {id for entry in history.of("accepted") for id in entry.messages}
    for id in sorted(accepted - facts.delivered.keys()):
        yield f"{id} was accepted and never delivered"
    settled = Counter(entry.message for entry in history.of("settled"))
    queued = [change.row for _, change in history.changes(Queue)]
    for id, entry in facts.delivered.items():
        fate = history.fates[id]
        if fate is None or settled[id] != 1:
            yield f"{id} was given {settled[id]} fates, and has {fate}"
            continue
        told = [row.text for row in queued if row.user.id == entry.user and row.kind is OutgoingKind.NOTICE]
        match fate:
            case Rejected(reason=text) if text not in told:
                yield f"{id} was rejected, and nobody was told"
            case Stopped(told=text) if text and text not in told:
                yield f"{id} was stopped, and nobody was told"
            case Failed(reason=reason):
                apologies = [row for row in queued if row.kind is OutgoingKind.APOLOGY]
                if not any(id in {row.message_id, *_worked_on(facts, row.operation_id)} for row in apologies):
                    yield f"{id} failed, and nobody was told"
                if not any(words in reason for words in _FORESEEN):
                    yield f"{id} failed: {reason}"


def _worked_on(facts: Facts, operation_id: str) -> set[str]:
    joined = [
        change.joined for _, change in facts.history.changes(Planned) if change.operation_id == operation_id
    ]
    operation = facts.operations.get(operation_id)  # it may have failed before it was begun
    return {*(operation.burst if operation else ()), *(id for ids in joined for id in ids)}


def p4_fates_fit_the_policy(facts: Facts) -> Iterator[str]:
    """Each fate is one that the policy has, and says of whom it speaks."""
    for id, entry in facts.delivered.items():
        fate = facts.history.fates[id]
        if facts.is_stop(id) and not isinstance(fate, Stopped | Ignored):
            yield f"{id} said stop and is {fate}"
        if isinstance(fate, Ignored) and facts.policy and not (facts.is_stop(id) and facts.is_late(id)):
            yield f"{id} was ignored"
        if isinstance(fate, Superseded):
            if fate.by not in facts.delivered or facts.delivered[fate.by].user != entry.user:
                yield f"{id} was superseded by {fate.by!r}"
            elif facts.message(fate.by).order <= facts.message(id).order:
                yield f"{id} was superseded by {fate.by}, which is not newer"
            if facts.policy in _LOSES_NONE:
                yield f"{id} was superseded under {facts.policy}"
        if isinstance(fate, Merged):
            yield from _wrongly_merged(facts, id, fate.into)
        if isinstance(fate, Rejected):
            yield from _wrongly_rejected(facts, id)


def _wrongly_merged(facts: Facts, id: str, into: str) -> Iterator[str]:
    """Merged is recorded with the plan that saw the message, not before."""
    [settled] = [entry for entry in facts.history.of("settled") if entry.message == id]
    saw = [
        ended
        for began, ended in [*_pairs(facts.history, "plan"), *_pairs(facts.history, "adapt")]
        if {id, into} <= set(began.messages)
        and ended is not None
        and ended.detail == "ok"
        and ended.n < settled.n
    ]
    if not saw:
        yield f"{id} was merged into {into} before a plan had seen it"
    if not any(one.message.id == into for one in facts.operations.values()):
        yield f"{id} was merged into {into}, which had no operation"


def _wrongly_rejected(facts: Facts, id: str) -> Iterator[str]:
    # After a restart what waited is decided anew, as if it came then.
    told = [entry for entry in facts.history.of("decided") if entry.message == id]
    waits = facts.history.scenario.bounds.waiting_messages_max
    is_slow = bool(facts.history.scenario.troubles)  # a beginning may not be recorded yet
    if (
        facts.policy == "reject"
        and not is_slow
        and not any(one.lives_at(entry.n) for entry in told for one in facts.of_user(entry.user))
    ):
        yield f"{id} was rejected, and nothing ran"
    if facts.policy not in ("", "reject") and waits >= len(facts.delivered):
        yield f"{id} was rejected under {facts.policy}"


def p5_known_ids_have_no_effect(facts: Facts) -> Iterator[str]:
    """A message is delivered once, and no policy hears of it again but after a restart."""
    delivered = Counter(entry.message for entry in facts.history.of("delivered"))
    yield from (f"{id} was delivered {n} times" for id, n in delivered.items() if n > 1)
    if not facts.history.scenario.troubles:  # a commit that failed asks again
        decided = Counter((entry.life, entry.message) for entry in facts.history.of("decided"))
        yield from (
            f"{id} was decided {n} times in life {life}" for (life, id), n in decided.items() if n > 1
        )


def p12_late_is_not_new(facts: Facts) -> Iterator[str]:
    """What interrupts is newer than what it interrupts; where the newest wins, a late message never does."""
    for _, change in facts.history.changes(Interrupt):
        operation = facts.operations.get(change.operation_id)
        if operation is None:
            continue  # it was stopped before the store had taken its beginning
        if change.by and facts.message(change.by).order <= operation.message.order:
            yield f"{operation.message.id} was interrupted by {change.by}, which is not newer"
    if facts.policy in _TAKES_PLACES:
        for id in facts.delivered:
            if facts.is_late(id) and isinstance(facts.history.fates[id], Answered):
                yield f"{id} was late, and answered"


# P6, P7, P14: calls -------------------------------------------------------------------------------


def p6_one_outcome_a_call(facts: Facts) -> Iterator[str]:
    """What acted has the outcome that it had; what did not is skipped or reused; the intent stands before."""
    acts: dict[str, list[tuple[Entry, Entry | None]]] = defaultdict(list)
    for began, ended in _pairs(facts.history, "act"):
        acts[began.key].append((began, ended))
    intended: dict[str, int] = {}
    for entry, change in facts.history.changes(Intended):
        for call_id in change.call_ids:
            intended.setdefault(f"{change.operation_id}/{call_id}", entry.n)
    for key, pairs in acts.items():
        if intended.get(key, len(facts.history.entries)) > pairs[0][0].n:
            yield f"{key} acted before its intent was recorded"
    for operation in facts.operations.values():
        for id, record in operation.calls.items():
            key = f"{operation.id}/{id}"
            if record.outcome is None:
                yield f"{key} has no outcome"
            elif key in acts:
                possible = _possible(acts[key], facts)
                if record.outcome.status not in possible or record.outcome.reused:
                    yield f"{key} is {record.outcome.status} and was {', '.join(sorted(possible))}"
            elif key in intended:
                if record.outcome.status is not Status.UNKNOWN:
                    yield f"{key} was intended, never acted, and is {record.outcome.status}"
            elif record.outcome.status is not Status.SKIPPED and not record.outcome.reused:
                yield f"{key} never acted, and is {record.outcome.status}"


def _possible(acts: list[tuple[Entry, Entry | None]], facts: Facts) -> set[Status]:
    """The outcomes that may be recorded of a call that acted so."""
    began, ended = acts[-1]
    # What had not been recorded when its process ended is known to nobody.
    ends = ("dies", "stops") if facts.history.scenario.troubles else ("dies",)
    died = any(one.life == began.life for one in facts.history.of(*ends))
    unknown = {Status.UNKNOWN} if died else set()
    if ended is None:
        return unknown
    # Where two bounds fall into one instant either may have ended it; so may its own end in the last one.
    cut = {Status.TIMED_OUT, Status.CUT_OFF}
    return unknown | {"ok": {Status.SUCCEEDED}, "raised": {Status.FAILED}, "cut": cut}[ended.detail]


def p6_the_first_outcome_stands(facts: Facts) -> Iterator[str]:
    """No call is given two outcomes."""
    given: dict[str, set[Status]] = defaultdict(set)
    for _, change in facts.history.changes(Happened):
        for outcome in change.outcomes:
            given[f"{change.operation_id}/{outcome.call_id}"].add(outcome.status)
    yield from (f"{key} was {sorted(statuses)}" for key, statuses in given.items() if len(statuses) > 1)


def p7_results_are_kept(facts: Facts) -> Iterator[str]:
    """What a superseded operation finished stands before every later plan of its user."""
    for entry in facts.history.of("plan"):
        for operation in facts.of_user(entry.user):
            is_superseded = isinstance(facts.history.fates[operation.message.id], Superseded)
            if not is_superseded or operation.ended is None or operation.ended.n > entry.n:
                continue
            known: Mapping[str, Status] | None = entry.detail.get(operation.message.id)
            ended = {id: call.outcome.status for id, call in operation.calls.items() if call.outcome}
            if known != ended:
                yield f"{_name(entry)} was told {known} of {operation.message.id}, which did {ended}"


def p14_nothing_is_done_again(facts: Facts) -> Iterator[str]:
    """What is recorded is not made again; what is not idempotent is made once, whatever dies."""
    recorded: dict[str, Entry] = {}
    for entry, change in facts.history.changes(Happened):
        for outcome in change.outcomes:
            recorded.setdefault(f"{change.operation_id}/{outcome.call_id}", entry)
    made: Counter[str] = Counter()
    for entry in facts.history.of("act"):
        operation = facts.operation_of(entry)
        assert operation is not None
        made[entry.key] += 1
        if entry.key in recorded and recorded[entry.key].n < entry.n:
            yield f"{entry.key} acted after its outcome was recorded"
        if made[entry.key] > 1 and operation.calls[entry.key.partition("/")[2]].call.tool not in _IDEMPOTENT:
            yield f"{entry.key} is not idempotent and acted {made[entry.key]} times"
    per_life = Counter((entry.life, entry.key) for entry in facts.history.of("act"))
    yield from (f"{key} acted {n} times in life {life}" for (life, key), n in per_life.items() if n > 1)


def p14_what_was_undone_stays_so(facts: Facts) -> Iterator[str]:
    """An undo begins after its intent, in reverse order, and never after its record."""
    intents, records = _undo_records(facts)
    last: dict[tuple[str, int], int] = {}
    for entry in facts.history.of("undo"):
        if intents.get(entry.key, len(facts.history.entries)) > entry.n:
            yield f"{entry.key} was taken back before its intent was recorded"
        if records.get(entry.key, len(facts.history.entries)) < entry.n:
            yield f"{entry.key} was taken back after that was recorded"
        operation = facts.operation_of(entry)
        assert operation is not None
        if operation.interrupt is None or not operation.interrupt.undo:
            yield f"{entry.key} was taken back, and nobody had asked for that"
        place = _place(facts, entry)
        if place > last.setdefault((operation.id, entry.life), place):
            yield f"{entry.key} was taken back after what was done before it"
        last[operation.id, entry.life] = place


def _undo_records(facts: Facts) -> tuple[dict[str, int], dict[str, int]]:
    intents: dict[str, int] = {}
    records: dict[str, int] = {}
    for entry, change in facts.history.changes(UndoIntended, Undone):
        found = intents if isinstance(change, UndoIntended) else records
        found.setdefault(f"{change.operation_id}/{change.call_id}", entry.n)
    return intents, records


def _place(facts: Facts, undo: Entry) -> int:
    """Where its call's wave stands in the ledger; calls of one wave are done together."""
    intended = [
        entry.n
        for entry, change in facts.history.changes(Intended)
        if undo.key in {f"{change.operation_id}/{id}" for id in change.call_ids} and entry.n < undo.n
    ]
    return intended[-1]


def p14_a_rollback_takes_everything_back(facts: Facts) -> Iterator[str]:
    """Each call that may have acted and can be undone, of an operation that ended by a rollback."""
    for operation in facts.operations.values():
        if operation.phase is not Phase.INTERRUPTED or operation.interrupt is None:
            continue
        for id, record in operation.calls.items():
            outcome = record.outcome
            if outcome is None or record.call.tool not in _UNDOABLE:
                continue
            may_have_acted = outcome.status in _MAY_HAVE_ACTED and not outcome.reused
            if operation.interrupt.undo and may_have_acted and outcome.undo is None:
                yield f"{operation.id}/{id} is {outcome.status} and was not taken back"
            if outcome.undo is not None and not may_have_acted:
                yield f"{operation.id}/{id} is {outcome.status} and was taken back"
    for _, operation, is_rollback in facts.interruptions():
        recorded = operation.interrupt is not None and operation.interrupt.undo
        if facts.policy and operation.phase is Phase.INTERRUPTED and is_rollback != recorded:
            yield f"{operation.id} was to be taken back: {is_rollback}, recorded: {recorded}"


# P8, P9: what goes out ----------------------------------------------------------------------------


def p8_one_reply_for_an_answer(facts: Facts) -> Iterator[str]:
    """An answered message has one reply, the one that its responder made; no other message has any."""
    replies: dict[str, list[tuple[Entry, Any]]] = defaultdict(list)
    known: set[str] = set()
    for entry, change in facts.history.changes(Queue):
        if change.row.kind is OutgoingKind.REPLY and change.row.id not in known:
            known.add(change.row.id)  # written again by whoever had lost patience, it changes nothing
            replies[change.row.message_id].append((entry, change.row))
    for id in facts.delivered:
        fate = facts.history.fates[id]
        found = replies.pop(id, [])
        # A fate that was written when nobody waited for it any more takes no message from anybody.
        is_settled_unheard = isinstance(fate, Merged) and facts.history.of("given up")
        if len(found) != isinstance(fate, Answered) and not is_settled_unheard:
            yield f"{id} is {fate} and has {len(found)} replies"
        for recorded, row in found:
            operation = facts.operations[row.operation_id]
            if isinstance(fate, Answered) and fate.reply.text != row.text:
                yield f"{id} was answered {fate.reply.text!r}, and sent {row.text!r}"
            if operation.phase is not Phase.COMPLETED:
                yield f"{id} has a reply, and its operation is {operation.phase}"
            yield from (
                f"{_name(entry)} began after the reply was recorded"
                for entry in facts.history.of(*_THINKING, "act", "undo")
                if entry.n > recorded.n and facts.operation_of(entry) is operation
            )
    yield from (f"a reply to {id}, which is no message" for id in replies)


def every_row_is_sent(facts: Facts) -> Iterator[str]:
    """Once, where nothing was disturbed; at least once otherwise.  Only what is overtaken is dropped."""
    sent = Counter(entry.key for entry in facts.history.of("sent"))
    rows = {change.row.id: change.row for _, change in facts.history.changes(Queue)}
    told = [
        change.acknowledgement for _, change in facts.history.changes(Interrupt) if change.acknowledgement
    ]
    rows |= {row.id: row for row in told}
    for id, row in rows.items():
        may_be_dropped = row.kind in (OutgoingKind.ACKNOWLEDGEMENT, OutgoingKind.NOTE)
        if not sent[id] and not may_be_dropped:
            yield f"{row.kind} {id} was never sent"
        if sent[id] > 1 and facts.history.scenario.is_undisturbed:
            yield f"{row.kind} {id} was sent {sent[id]} times"
    yield from (f"{id} was sent and never recorded" for id in sent if id not in rows)


def an_end_is_told_once(facts: Facts) -> Iterator[str]:
    """However often its record is tried: one notice or one apology for an operation."""
    if facts.history.of("given up"):
        return  # a record that nobody waited for any more, and was written, is made again
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, change in facts.history.changes(Queue):
        row = change.row
        if row.operation_id and row.kind in (OutgoingKind.NOTICE, OutgoingKind.APOLOGY):
            told[row.operation_id, row.kind].add(row.id)
    yield from (f"{id} has {len(rows)} of {kind}" for (id, kind), rows in told.items() if len(rows) > 1)


def p9_told_once(facts: Facts) -> Iterator[str]:
    """One acknowledgement for an operation that a message interrupted, none after the next reply."""
    told: dict[str, set[str]] = defaultdict(set)
    sends = [entry for entry in facts.history.of("sent") if entry.detail.kind is OutgoingKind.ACKNOWLEDGEMENT]
    replies = [
        entry for entry, change in facts.history.changes(Queue) if change.row.kind is OutgoingKind.REPLY
    ]
    for entry in sends:
        row = entry.detail
        told[row.operation_id].add(row.id)
        operation = facts.operations[row.operation_id]
        if facts.policy in _LOSES_NONE:
            yield f"{row.operation_id} was acknowledged under {facts.policy}"
        if operation.interrupt is None or operation.interrupt.reason is not Reason.NEW_MESSAGE:
            yield f"{row.operation_id} was acknowledged, and no message had interrupted it"
        if operation.phase is Phase.COMPLETED:
            yield f"{row.operation_id} was acknowledged, and has completed"
        first = _first_request(facts, row.id)
        late = [
            one for one in replies if one.detail.row.user == row.user and _lies_between(facts, one, row.id)
        ]
        if late and late[0].n < first:
            yield f"{row.operation_id} was acknowledged after the next reply was recorded"
        wait = facts.history.scenario.bounds.acknowledgement_seconds_min
        queued = [one for one, change in facts.history.changes(Interrupt) if _is_of(change, row.id)]
        if entry.at < queued[0].at + wait and not facts.history.scenario.troubles:
            yield f"{row.operation_id} was acknowledged {entry.at - queued[0].at} s after its interruption"
    yield from (f"{id} was acknowledged by {rows}" for id, rows in told.items() if len(rows) > 1)


def _is_of(change: Interrupt, row_id: str) -> bool:
    return change.acknowledgement is not None and change.acknowledgement.id == row_id


def _first_request(facts: Facts, row_id: str) -> int:
    """Where the row was first marked as being sent."""
    return next(
        entry.n
        for entry, mark in facts.history.changes(Mark)
        if mark.row_id == row_id and mark.state is SendState.SENDING
    )


def _lies_between(facts: Facts, reply: Entry, row_id: str) -> bool:
    """Whether a reply was recorded after that acknowledgement."""
    return any(
        _is_of(change, row_id) and entry.n < reply.n for entry, change in facts.history.changes(Interrupt)
    )


# P10, P13, and what else a policy promises --------------------------------------------------------


def p10_memory_returns(facts: Facts) -> Iterator[str]:
    """No row, no task, nothing that waits, when all is done."""
    # A row that was sent and could not be marked so waits for the next start, which sends it once more.
    not_marked = sum(line["event"] == "row_not_marked" for line in facts.history.logs)
    for name, count in facts.history.at_rest.items():
        if count > (not_marked if name == "outbox" else 0):
            yield f"{count} {name} at rest"
    for operation in facts.operations.values():
        if operation.ended is None:
            yield f"{operation.id} has no end"


def p13_no_starvation(facts: Facts) -> Iterator[str]:
    """At most `interruptions_max` operations of a user are interrupted by messages in a row."""
    for user in {operation.user for operation in facts.operations.values()}:
        for operation in facts.of_user(user):
            if _is_protected(facts, operation) and _was_interrupted(operation):
                yield f"{operation.message.id} was interrupted after too many others of {user}"


def _was_interrupted(operation: _Operation) -> bool:
    by_message = operation.interrupt is not None and operation.interrupt.reason is Reason.NEW_MESSAGE
    return operation.phase is Phase.INTERRUPTED and by_message


def _is_protected(facts: Facts, operation: _Operation) -> bool:
    """Whether `interruptions_max` operations before it were interrupted, and no stop came between."""
    most = facts.history.scenario.bounds.interruptions_max
    if not _may_be_protected(facts, operation):
        return False
    first = _before(facts, operation)[-most]
    return not any(
        first.began.n < told.n < operation.began.n for told in facts.stops() if told.user == operation.user
    )


def _may_be_protected(facts: Facts, operation: _Operation) -> bool:
    most = facts.history.scenario.bounds.interruptions_max
    before = _before(facts, operation)
    return len(before) >= most and all(_was_interrupted(one) for one in before[-most:])


def _before(facts: Facts, operation: _Operation) -> list[_Operation]:
    return [one for one in facts.of_user(operation.user) if one.began.n < operation.began.n]


def a_burst_waits_for_more(facts: Facts) -> Iterator[str]:
    """An operation begins no sooner than its messages' burst may start."""
    bounds = facts.history.scenario.bounds
    if facts.history.scenario.troubles:
        return  # the time of a message is that at which it was handed to the store
    for operation in facts.operations.values():
        came = [facts.delivered[id].at for id in operation.burst]
        earliest = min(max(came) + bounds.debounce_seconds, min(came) + bounds.debounce_seconds_max)
        if operation.began.at < min(earliest, max(came) + bounds.debounce_seconds_max):
            yield f"{operation.message.id} began at {operation.began.at}, its burst came {came}"


def what_comes_together_stays_so(facts: Facts) -> Iterator[str]:
    """Messages of one delivery are one burst: none of them takes the place of another."""
    if not facts.policy:
        return
    by_commit: dict[tuple[float, str], list[str]] = defaultdict(list)
    together: list[list[str]] = []
    before: Entry | None = None
    for entry in facts.history.entries:
        if entry.what == "delivered" and before is not None and before.what in ("delivered", "decided"):
            together[-1].append(entry.message)
        elif entry.what == "delivered":
            together.append([entry.message])
        before = entry if entry.what in ("delivered", "decided") else None
    del by_commit
    for ids in together:
        for id in ids:
            fate = facts.history.fates[id]
            if isinstance(fate, Superseded) and fate.by in ids and not facts.is_late(id):
                yield f"{id} was superseded by {fate.by}, which came with it"


def a_queue_keeps_its_order(facts: Facts) -> Iterator[str]:
    """Where messages wait for their turn, operations begin in the order of their messages."""
    if facts.policy != "enqueue" or facts.history.scenario.troubles:
        return  # while the store is slow, something else may come before a beginning is recorded
    for user in {operation.user for operation in facts.operations.values()}:
        operations = facts.of_user(user)
        for before, after in pairwise(operations):
            was_there = all(facts.delivered[id].n < before.began.n for id in after.burst)
            if was_there and _place_in_queue(facts, after) < _place_in_queue(facts, before):
                yield f"{before.message.id} began before {after.message.id}, which is older and waited"


def _place_in_queue(facts: Facts, operation: _Operation) -> tuple[int, int]:
    """A burst has the place of its oldest message."""
    return min(facts.message(id).order for id in operation.burst)


def nothing_unforeseen(facts: Facts) -> Iterator[str]:
    """No write was refused for its content, and the log holds no error that nobody expected."""
    yield from (f"a write was refused: {entry.detail}" for entry in facts.history.of("refused by mistake"))
    for line in facts.history.logs:
        is_error = line["log_level"] in ("error", "critical") and not facts.history.scenario.troubles
        if is_error or line["event"] in _NEVER_LOGGED:
            yield f"in the log: {line}"


CHECKS: Final[tuple[Callable[[Facts], Iterator[str]], ...]] = (
    nothing_unforeseen,
    p1_one_at_a_time,
    p2_waves_finish,
    p3_nothing_after,
    p3_the_newest_message_wins,
    a_burst_is_in_order,
    stop_ends_it,
    a_long_operation_ends,
    p4_one_fate_each,
    p4_fates_fit_the_policy,
    p5_known_ids_have_no_effect,
    p6_one_outcome_a_call,
    p6_the_first_outcome_stands,
    p7_results_are_kept,
    p8_one_reply_for_an_answer,
    every_row_is_sent,
    an_end_is_told_once,
    p9_told_once,
    p10_memory_returns,
    p12_late_is_not_new,
    p13_no_starvation,
    p14_nothing_is_done_again,
    p14_what_was_undone_stays_so,
    p14_a_rollback_takes_everything_back,
    a_burst_waits_for_more,
    what_comes_together_stays_so,
    a_queue_keeps_its_order,
)
