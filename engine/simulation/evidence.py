"""All that a simulation has left, and what several checks ask of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import attrs

from engine.simulation.ledger import Entry, Ledger
from engine.simulation.scenario import STOP_WORD, Scenario
from engine.simulation.store import FaultyStore
from engine.store.encoding import from_text

Row = Mapping[str, Any]
# What an assistant does without acting on the world.
THOUGHTS: Final = ("plan", "adapt", "respond")
# The policies under which a message ends what runs.
INTERRUPTING: Final = ("interrupt", "rollback")


@attrs.frozen
class Broken:
    """A promise, by its number, that did not hold; `check` is who saw it."""

    promise: int
    line: str
    check: str = ""

    def __str__(self) -> str:
        return f"P{self.promise}: {self.line}"


@attrs.define
class Doing:
    """Something between its start and its end; without an end the process died in it."""

    kind: str
    start: Entry
    operation: str
    end: Entry | None = None

    @property
    def how(self) -> str:
        """How it ended: well, raised or cut; empty when it did not."""
        return self.end.more[0] if self.end else ""


@attrs.frozen(kw_only=True, slots=False)
class Evidence:
    """The ledger, and the tables of the database."""

    scenario: Scenario
    ledger: Ledger
    messages: Mapping[str, Row]
    operations: Mapping[str, Row]
    calls: Sequence[Row]
    outbox: Mapping[str, Row]

    @classmethod
    def gather(cls, ledger: Ledger, store: FaultyStore, scenario: Scenario) -> "Evidence":
        """From the ledger and the store of a world that has come to its end."""
        return cls(
            scenario=scenario,
            ledger=ledger,
            messages={row["id"]: row for row in store.rows("messages")},
            operations={row["id"]: row for row in store.rows("operations")},
            calls=store.rows("calls"),
            outbox={row["id"]: row for row in store.rows("outbox")},
        )

    # Messages -------------------------------------------------------------------------------------

    @cached_property
    def operation_of(self) -> Mapping[str, str]:
        """The operation of each message that one began for."""
        return {row["message_id"]: id for id, row in self.operations.items()}

    def is_stop(self, message_id: str) -> bool:
        """Whether it is the stop word."""
        return self.scenario.said[message_id].text == STOP_WORD

    def is_late(self, message_id: str) -> bool:
        """P12: whether a newer one was there when it came."""
        return bool(self.messages[message_id]["late_behind"])

    def order(self, message_id: str) -> tuple[int, int]:
        """P12: what newer means."""
        row = self.messages[message_id]
        return row["timestamp"], row["sequence"]

    def fate(self, message_id: str) -> Mapping[str, Any]:
        """The fields of a message's fate; empty when it has none."""
        fields: Mapping[str, Any] = from_text(self.messages[message_id]["fate_fields"] or "{}")
        return fields

    # Operations -----------------------------------------------------------------------------------

    def newest_of(self, burst: str) -> tuple[int, int]:
        """The place of the newest message of a burst, given as the ledger has it."""
        return max(self.order(id) for id in burst.split(","))

    def doer(self, entry: Entry) -> str:
        """The operation that a plan, an act or an undo belongs to."""
        if entry.what.startswith(("act", "undo")):
            return entry.key.partition("/")[0]
        # A planner sees messages: the first of a burst that has an operation of its own names it; a later one
        # may have joined in vain, and has one of its own by now.
        burst = entry.more[0].split(",") if entry.what.endswith("starts") else [entry.key]
        named = next((id for id in burst if id in self.operation_of), None)
        return self.operation_of[named] if named else entry.key

    def doings(self, *kinds: str) -> Iterator[Doing]:
        """Everything of these kinds that was begun, in order."""
        return (doing for doing in self._doings if doing.kind in kinds)

    @cached_property
    def _doings(self) -> Sequence[Doing]:
        found: list[Doing] = []
        under_way: dict[tuple[str, str, int], Doing] = {}
        kinds = [f"{kind} {edge}" for kind in (*THOUGHTS, "act", "undo") for edge in ("starts", "ends")]
        for entry in self.ledger.of(*kinds):
            kind, _, edge = entry.what.partition(" ")
            key = (kind, entry.key, entry.life)
            if edge == "starts":
                under_way[key] = Doing(kind, entry, self.doer(entry))
                found.append(under_way[key])
            elif key in under_way:
                under_way.pop(key).end = entry
        return found

    @cached_property
    def begins(self) -> Mapping[str, Entry]:
        """Where each operation was first handed over to be begun."""
        return _first(self.ledger.of("begins"))

    @cached_property
    def ends(self) -> Mapping[str, Entry]:
        """Where each operation's end was recorded."""
        return _first(self.ledger.of("ended"))

    @cached_property
    def in_a_row(self) -> Mapping[str, int]:
        """P13: how many before each operation were interrupted in a row.  A stop ends the row."""
        stopped: dict[str, int] = {}  # by user, the place in the inbox of the last stop word
        before: dict[str, Row] = {}
        count: defaultdict[str, int] = defaultdict(int)
        found: dict[str, int] = {}
        for entry in self.ledger.of("begins", "heard"):
            user = entry.user
            if entry.what == "heard":
                if not entry.more[0] and self.is_stop(entry.key):
                    stopped[user], count[user] = self.messages[entry.key]["sequence"], 0
                continue
            operation = self.operations.get(entry.key)
            last = before.get(user)
            if operation is None or operation is last:
                continue
            if last is not None and stopped.get(user, 0) < self.messages[last["message_id"]]["sequence"]:
                is_one = last["phase"] == "interrupted" and last["reason"] == "new_message_received"
                count[user] = count[user] + 1 if is_one else 0
            before[user] = operation
            found[entry.key] = count[user]
        return found

    @cached_property
    def protected(self) -> frozenset[str]:
        """P13: the operations before which too many were interrupted in a row."""
        most = self.scenario.limits.interruptions_max
        return frozenset(operation for operation, count in self.in_a_row.items() if count >= most)


def _first(entries: Sequence[Entry]) -> Mapping[str, Entry]:
    return {entry.key: entry for entry in reversed(entries)}
