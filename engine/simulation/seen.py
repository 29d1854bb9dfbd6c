"""What the ledger has shown so far: who waits, who runs, what is recorded; and what is left at the end.

Rule 1: it follows from the entries alone, one at a time.  What two rules need stands here, once.
Rule 2: what an entry says of a write that changed nothing, since an earlier one had, counts for nothing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import add, or_
from typing import Any, Final, TypeVar

import attrs

from engine.simulation.ledger import Entry
from engine.simulation.scenario import Said, Scenario, What

# What an assistant does without acting on the world.
THOUGHTS: Final = ("plan", "adapt", "respond")
DOINGS: Final = (*THOUGHTS, "act", "undo")
STARTS: Final = tuple(f"{kind} starts" for kind in DOINGS)
ENDS: Final = tuple(f"{kind} ends" for kind in DOINGS)
THOUGHTS_START: Final = tuple(f"{kind} starts" for kind in THOUGHTS)
# What an interruption keeps from beginning: thoughts, waves, the commit.
STEPS: Final = (*THOUGHTS_START, "intends", "commits")
# The policies under which a message ends what runs.
INTERRUPTING: Final = ("interrupt", "rollback")

Row = Mapping[str, Any]
V = TypeVar("V")


@attrs.define(eq=False)
class Heard:
    """A message in the inbox.  `order`: P12, what newer means; `fate`: its name and what it says."""

    id: str
    user: str  # when it came
    said: Said
    order: tuple[int, int]
    place: int  # in the inbox
    burst_id: str
    is_late: bool = False  # P12: a newer one was there when it came
    # It came with the word that its user is somebody known, who may have written a newer one.
    may_be_late: bool = False
    # It is in the conversation and no more: it had its fate when it came.
    is_kept: bool = False
    # So many of its user's waited that it may be refused.
    may_be_refused: bool = False
    fate: tuple[str, str] | None = None
    operation: "Operation | None" = None  # the last that works, or has worked, on it

    @property
    def is_stop(self) -> bool:
        """Whether it is the stop word."""
        return self.said.is_stop

    @property
    def is_refused(self) -> bool:
        """Whether it is known to be."""
        return self.fate is not None and self.fate[0] == "rejected"


@attrs.define(eq=False)
class Doing:
    """Something between its start and its end; without an end the process died in it, or it is under way."""

    kind: str
    start: Entry
    operation: "Operation"
    end: Entry | None = None

    @property
    def how(self) -> str:
        """How it ended: well, raised or cut; empty when it did not."""
        return self.end.more[0] if self.end else ""

    @property
    def burst(self) -> Sequence[str]:
        """Of a thought: the messages that it was shown as those to work on."""
        burst: str = self.start.more[0]
        return burst.split(",")


@attrs.define(eq=False)
class Call:
    """A call as far as records and acts were seen."""

    tool: str = ""
    about: str = ""  # what it is called with, as planned
    intended: Entry | None = None  # the latest: one that a crash cut short may be intended again
    status: str | None = None
    is_reused: bool = False
    act: Doing | None = None  # the latest
    undo: str | None = None
    undone_well: bool = False


@attrs.define(eq=False)
class Operation:
    """An operation as far as it was seen."""

    id: str
    user: str = ""
    message: str = ""
    newest: tuple[int, int] = (0, 0)  # the order of the newest message it began with
    is_begun: bool = False  # the beginning is recorded
    calls: dict[str, Call] = attrs.field(factory=dict)
    rounds: int = 0
    joined_at: float = -1.0  # when something joined it last
    answers: int = 0  # how many replies were made for it last
    # All that it works on.
    burst: set[str] = attrs.field(factory=set)
    # Messages that mean its end, and were heard of when it could still be told.
    told: dict[str, Heard] = attrs.field(factory=dict)
    # Its user was found to be somebody who had another, and may have had a newer one.
    gives_way: bool = False
    # Where the process that ran it handed over its interruption, its commit.
    interrupts_in: int = 0
    commits_in: int = 0
    # As recorded.
    reason: str = ""
    interrupted_by: str = ""
    undo: bool = False
    ended: Entry | None = None
    # P13: how many before it were interrupted in a row; and whether those are too many for one more.
    in_a_row: int = 0
    is_protected: bool = False

    @property
    def phase(self) -> str:
        """The phase in which it ended, empty when it has not."""
        return self.ended.more[0] if self.ended else ""

    @property
    def was_interrupted(self) -> bool:
        """Whether a newer message ended it."""
        return self.phase == "interrupted" and self.reason == "new_message_received"

    def is_request(self, said: Said) -> bool:
        """Whether a message is one for sure: what changes another is, where it works on that."""
        is_change = said.what is What.EDITS and said.about in self.burst
        return is_change or (said.what is What.SAYS and not said.is_stop)

    @property
    def tally(self) -> str:
        """How its calls ended, as the ledger has it."""
        return tally(call.status or "" for call in self.calls.values())


def tally(statuses: Any) -> str:
    """How many calls have each status."""
    counts = Counter(statuses)
    return "+".join(f"{counts[status]} {status}" for status in sorted(counts))


class ByUser(defaultdict[str, V]):
    """Something of each user; of two who are found to be one, `join` makes one of it."""

    def __init__(self, make: Callable[[], V], join: Callable[[V, V], V]) -> None:
        super().__init__(make)
        self._make, self._join = make, join

    def move(self, user: str, to: str) -> None:
        """What was of the one is of the other."""
        if user in self or to in self:
            self[to] = self._join(self[to], self.pop(user, self._make()))


class Seen:
    """The state of a world, entry by entry.

    `doing` is what the entry just taken begins or ends; `step` the operation of which it begins something
    that an interruption would keep from beginning.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.messages: dict[str, Heard] = {}
        self.operations: dict[str, Operation] = {}
        self.operation_of: dict[str, Operation] = {}  # by the message that it was begun for
        self._by_user: list[ByUser[Any]] = []
        self.begun = 0  # how many operations have begun
        self.tried = self.by_user(int, add)  # how many operations were to begin
        # Those without a fate.
        self.waiting = self.by_user(dict[str, Heard], _both)
        self.present: dict[str, Operation] = {}  # by user: the one that runs, or goes on after a restart
        # Those that go on only to their boundary, since their user was found to be one who has a newer one.
        self.giving_way = self.by_user(list[Operation], add)
        # When each message was posted in this life, by the wall clock.
        self._posted: defaultdict[str, list[float]] = defaultdict(list)
        # Until when, by the wall clock, the assistant is silent: for sure, and perhaps.
        self.silence = self.by_user(lambda: (-math.inf, -math.inf), _later)
        self.shown: set[str] = set()  # rows of the outbox that a phone has shown
        self.doing: Doing | None = None
        self.step: Operation | None = None
        self._under_way: dict[tuple[str, str], Doing] = {}
        self._handed_over: set[tuple[str, int]] = set()
        self._newest = self.by_user(lambda: -math.inf, max)  # the newest timestamp
        # P13, by user: how many were interrupted in a row, the last that was begun, when its user said stop;
        # and those that were interrupted before the store knew of them: only their process counts them.
        self._in_a_row = self.by_user(int, max)
        self._last = self.by_user(lambda: _NONE, lambda last, other: other if last is _NONE else last)
        self._stopped = self.by_user(int, max)  # by the place in the inbox
        self._lost = self.by_user(set[str], or_)
        # Of two who were found to be one nobody says how many interruptions in a row that makes.
        self._is_row_unknown: set[str] = set()
        self._moved_at: dict[str, float] = {}  # by user: when they were last found to be somebody else, too
        self._take: Mapping[str, Callable[[Entry], None]] = {
            "life": self._life,
            "posted": self._post,
            "moved": self._moved,
            "heard": self._heard,
            "kept": self._kept,
            "fate": self._fate,
            "begins": self._begins,
            "begun": self._begun,
            "planned": self._planned,
            "intends": self._hands_over,
            "commits": self._hands_over,
            "intended": self._intended,
            "outcome": self._outcome,
            "interrupts": self._interrupts,
            "interrupted": self._interrupted,
            "undone": self._undone,
            "ended": self._ended,
            "shown": lambda entry: self.shown.add(entry.key),
            **dict.fromkeys(STARTS, self._starts),
            **dict.fromkeys(ENDS, self._ends),
        }

    def take(self, entry: Entry) -> None:
        """One entry more."""
        self.doing = self.step = None
        take = self._take.get(entry.what)
        if take is not None:
            take(entry)

    def by_user(self, make: Callable[[], V], join: Callable[[V, V], V]) -> ByUser[V]:
        """Something to know of each user, which follows whoever is found to be somebody else."""
        made = ByUser(make, join)
        self._by_user.append(made)
        return made

    def operation(self, id: str) -> Operation:
        """The operation of that id; one that nobody began has nothing but that."""
        found = self.operations.get(id)
        if found is None:
            found = self.operations[id] = Operation(id)
        return found

    def call(self, key: str) -> Call:
        """The call of that key: the operation's id and its own."""
        operation, _, id = key.partition("/")
        calls = self.operation(operation).calls
        found = calls.get(id)
        if found is None:
            found = calls[id] = Call()
        return found

    # Lives and messages ---------------------------------------------------------------------------

    def _life(self, entry: Entry) -> None:
        self._under_way.clear()
        self._lost.clear()
        self._posted.clear()
        for user in self.present.keys() | self.giving_way.keys():
            self._take_up(user, entry)

    def _take_up(self, user: str, entry: Entry) -> None:
        """What waits now is decided anew; of several operations that were left the newest goes on."""
        present = self.present.pop(user, None)
        left = [
            operation
            for operation in (*([present] if present else ()), *self.giving_way.pop(user, ()))
            if operation.is_begun and not operation.ended
        ]
        for operation in left:
            operation.told.clear()
        if not left:
            return
        present = self.present[user] = left[0]
        for operation in left[1:]:
            self._give_way(user, operation, entry)
        present = self.present[user]
        for message in self.waiting[user].values():
            self._tell(present, message)

    def _post(self, entry: Entry) -> None:
        for id in entry.key.split(","):
            self._posted[id].append(self.scenario.wall_clock(entry.at))

    def posted(self, message: Heard) -> Sequence[float]:
        """When it may have been taken in, by the wall clock: it may have been posted more than once."""
        return self._posted[message.id]

    def _moved(self, entry: Entry) -> None:
        to, user = entry.user, entry.key
        for each in self._by_user:
            each.move(user, to)
        self._is_row_unknown.add(to)
        self._moved_at[to] = entry.at
        operation = self.present.pop(user, None)
        for either in (operation, self.present.get(to)):
            if either is not None:
                either.gives_way = True  # perhaps to one that has just ended, or is about to begin
        if operation is not None:
            self._give_way(to, operation, entry)

    def _give_way(self, user: str, other: Operation, entry: Entry) -> None:
        """Of two operations the one with the newer message goes on."""
        present = self.present.get(user, other)
        older, newer = sorted((other, present), key=self._newest_of)
        self.present[user] = newer
        if older is not newer:
            self.giving_way[user].append(older)
            older.gives_way = True
            # What joins it in this instant it may not count yet.
            is_known = entry.at not in (older.joined_at, newer.joined_at)
            if is_known and older.commits_in != entry.life:
                older.told[newer.message] = self.messages[newer.message]

    def _newest_of(self, operation: Operation) -> tuple[int, int]:
        """What has joined it counts."""
        return max(self.messages[id].order for id in operation.burst)

    def _come(self, entry: Entry, **more: Any) -> Heard:
        message = self.messages[entry.key] = Heard(
            id=entry.key,
            user=entry.user,
            said=self.scenario.said[entry.key],
            order=(entry.more[0], entry.n),
            place=entry.n,
            **more,
        )
        return message

    def _heard(self, entry: Entry) -> None:
        user = entry.user
        timestamp, burst_id = entry.more
        newest, waiting = self._newest[user], self.waiting[user]
        message = waiting[entry.key] = self._come(
            entry,
            burst_id=burst_id,
            is_late=timestamp < newest,
            may_be_late=self._moved_at.get(user) == entry.at,
            may_be_refused=len(waiting) >= self.scenario.limits.waiting_messages_max,
        )
        if message.said.what is What.SAYS:  # nothing is late behind what may ask for nothing
            self._newest[user] = max(newest, timestamp)
        if message.is_stop and not message.is_late:
            self._stops(message)
        operation = self.present.get(user)
        if operation is not None and operation.commits_in != entry.life:
            self._tell(operation, message)

    def _stops(self, message: Heard) -> None:
        self._stopped[message.user] = message.place
        self._in_a_row[message.user] = 0
        self._lost[message.user].clear()
        self._is_row_unknown.discard(message.user)

    def _kept(self, entry: Entry) -> None:
        message = self._come(entry, burst_id=entry.key, is_kept=True)
        if message.said.what is not What.TAKES_OVER:
            return
        (timestamp,) = entry.more
        ends = [
            min(at, timestamp) + self.scenario.limits.takeover_seconds for at in self.posted(message)
        ] or [-math.inf]
        self.silence[entry.user] = _later(self.silence[entry.user], (min(ends), max(ends)))
        age = self.scenario.wall_clock(entry.at) - timestamp
        operation = self.present.get(entry.user)
        is_fresh = age <= self.scenario.limits.stale_seconds
        if is_fresh and operation is not None and operation.commits_in != entry.life:
            operation.told[message.id] = message

    def _tell(self, operation: Operation, message: Heard) -> None:
        """The operation must have heard, if the message means its end."""
        if message.said.what is What.REVOKES and message.said.about in operation.burst:
            operation.told[message.id] = message
        if message.is_late or message.may_be_late or message.order <= operation.newest:
            return
        is_end = self.scenario.policy in INTERRUPTING and not operation.is_protected
        if message.is_stop or (is_end and operation.is_request(message.said)):
            operation.told[message.id] = message

    def _fate(self, entry: Entry) -> None:
        self.waiting[entry.user].pop(entry.key, None)
        message = self.messages[entry.key]
        message.fate = entry.more
        if message.said.what is What.REVOKES and entry.more[0] == "stopped":
            # It has stopped something: its user has ended the row of interruptions, as far as was known then.
            self._is_row_unknown.add(entry.user)

    # Operations -----------------------------------------------------------------------------------

    def _begins(self, entry: Entry) -> None:
        burst, message = entry.more
        operation, user = self.operation(entry.key), entry.user
        self.tried[user] += not operation.message
        operation.user, operation.message = user, message
        operation.gives_way = self._moved_at.get(user) == entry.at
        self._works_on(operation, burst.split(","))
        last = self._last[user]
        if last is not operation:
            # One that has no end yet gets it with this beginning.
            is_overtaken = last is not _NONE and not last.ended and self._counts(last, user)
            operation.in_a_row = self._in_a_row[user] + is_overtaken
            most = self.scenario.limits.interruptions_max
            operation.is_protected = operation.in_a_row + len(self._lost[user]) >= most
            if user in self._is_row_unknown:
                operation.in_a_row, operation.is_protected = 0, True
        self.present[user] = operation

    def _works_on(self, operation: Operation, ids: Sequence[str]) -> None:
        operation.burst.update(ids)
        operation.newest = max(self.messages[id].order for id in ids)
        for id in ids:
            self.messages[id].operation = operation

    def _begun(self, entry: Entry) -> None:
        operation, user = self.operation(entry.key), entry.user
        if not operation.is_begun:
            operation.is_begun = True
            self.operation_of[operation.message] = operation
            self.begun += 1
            self._last[user] = operation
            self._lost[user].discard(operation.id)

    def _counts(self, operation: Operation, user: str) -> bool:
        """Whether a stop, said after what it works on was, has not ended the row of interruptions."""
        return self._stopped[user] < self.messages[operation.message].place

    def _planned(self, entry: Entry) -> None:
        number, joined, planned = entry.more
        operation = self.operation(entry.key)
        if joined:
            operation.joined_at = entry.at
        for id in joined.split(",") if joined else ():
            operation.burst.add(id)
            self.messages[id].operation = operation
        operation.rounds = max(operation.rounds, number)
        for each in planned.split(",") if planned else ():
            id, tool, about = each.split(":")
            operation.calls[id] = Call(tool, about)

    def _hands_over(self, entry: Entry) -> None:
        # A write that is tried again begins nothing.
        if (entry.key, entry.life) in self._handed_over:
            return
        self._handed_over.add((entry.key, entry.life))
        self.step = self.operation(entry.key.partition("/")[0])
        if entry.what == "commits":
            self.step.commits_in = entry.life

    def _interrupts(self, entry: Entry) -> None:
        operation = self.operation(entry.key)
        operation.interrupts_in = entry.life
        if not operation.is_begun and entry.more[0] == "new_message_received":
            self._lost[entry.user].add(operation.id)

    def _interrupted(self, entry: Entry) -> None:
        operation = self.operation(entry.key)
        if operation.is_begun and not operation.reason and not operation.ended:
            operation.reason, operation.interrupted_by, operation.undo = entry.more

    def _ended(self, entry: Entry) -> None:
        operation, user = self.operation(entry.key), entry.user
        if operation.ended or not operation.is_begun:
            return
        operation.ended = entry
        for call in operation.calls.values():
            call.status = call.status or ("unknown" if call.intended else "skipped")
        if self.present.get(user) is operation:
            del self.present[user]
        elif operation in self.giving_way[user]:
            self.giving_way[user].remove(operation)
        if self._counts(operation, user):
            self._in_a_row[user] = self._in_a_row[user] + 1 if operation.was_interrupted else 0
            if not operation.was_interrupted:
                self._lost[user].clear()
                self._is_row_unknown.discard(user)

    # Calls ----------------------------------------------------------------------------------------

    def _intended(self, entry: Entry) -> None:
        self.call(entry.key).intended = entry

    def _outcome(self, entry: Entry) -> None:
        call = self.call(entry.key)
        if call.status is None:
            call.status, call.is_reused = entry.more

    def _undone(self, entry: Entry) -> None:
        call = self.call(entry.key)
        call.undo = call.undo or entry.more[0]

    def _starts(self, entry: Entry) -> None:
        kind = entry.what.partition(" ")[0]
        doing = self.doing = Doing(kind, entry, self._doer(kind, entry))
        self._under_way[kind, entry.key] = doing
        if kind in THOUGHTS:
            self.step = doing.operation
        elif kind == "act":
            self.call(entry.key).act = doing

    def _ends(self, entry: Entry) -> None:
        kind = entry.what.partition(" ")[0]
        doing = self.doing = self._under_way.pop((kind, entry.key), None)
        if doing is not None:
            doing.end = entry
            if kind == "undo" and doing.how == "well":
                self.call(entry.key).undone_well = True
            elif kind == "respond" and doing.how == "well":
                doing.operation.answers = self.scenario.said[entry.key].work.answers

    def _doer(self, kind: str, entry: Entry) -> Operation:
        """The operation that a plan, an act or an undo belongs to."""
        if kind not in THOUGHTS:
            return self.operation(entry.key.partition("/")[0])
        # An assistant sees messages: the first of a burst that has an operation of its own names it; a later
        # one may have joined in vain, and has one of its own by now.
        for id in entry.more[0].split(","):
            if id in self.operation_of:
                return self.operation_of[id]
        return self.operation(entry.key)


_NONE: Final = Operation("")


def _both(some: dict[str, Heard], more: dict[str, Heard]) -> dict[str, Heard]:
    return {**some, **more}


def _later(some: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return (max(some[0], other[0]), max(some[1], other[1]))


@attrs.frozen(kw_only=True)
class Left:
    """What a run has left: all that was seen, and the tables of the database."""

    seen: Seen
    messages: Mapping[str, Row]
    operations: Mapping[str, Row]
    calls: Sequence[Row]
    outbox: Mapping[str, Row]
    is_at_rest: bool
