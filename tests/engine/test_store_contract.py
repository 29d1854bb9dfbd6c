"""What every store keeps: the same tests for each of them, on the real clock."""

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from engine import (
    Answered,
    Call,
    Delivery,
    DeliveryReport,
    Failed,
    Fate,
    Ignored,
    MemoryStore,
    Merged,
    Message,
    Outcome,
    Ref,
    Rejected,
    Reply,
    SendRefused,
    SqliteStore,
    Status,
    Stopped,
    StoreError,
    StoreUnavailable,
    Superseded,
    User,
)
from engine.bursts import Debounce
from engine.model import OutboxRow, OutgoingKind, SendState, Turn, UndoStatus
from engine.phases import ENDED, Phase, Reason
from engine.store import (
    Accept,
    Accepted,
    Begin,
    CallRecord,
    Change,
    Committed,
    Conversation,
    Depths,
    End,
    Happened,
    Intended,
    Interrupt,
    Mark,
    OperationRecord,
    Planned,
    Queue,
    Report,
    Reported,
    Resume,
    Settle,
    Settled,
    Store,
    SupersededRecord,
    Suspend,
    UndoIntended,
    Undone,
    Unfinished,
    UnfinishedOperation,
)

ANNA, BEN, CLEO = User("15551234567"), User("15557654321"), User("15550000001")
SECOND = 1_800_000_000


# A store in a test --------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def closed(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store that nobody has opened yet."""
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "midstream.db")


@attrs.define(eq=False)
class Kept:
    """An open store, and what its listener heard of each commit, in order."""

    store: Store
    heard: list[Committed] = attrs.field(factory=list)

    async def write(self, *changes: Change) -> Committed:
        """Write, and return what was heard of it."""
        before = len(self.heard)
        await self.store.write(changes)
        (committed,) = self.heard[before:]
        return committed

    async def accept(self, *messages: Message, at: float = SECOND) -> tuple[Message, ...]:
        """Take messages in; the new ones as the store gave them back."""
        committed = await self.write(*(Accept(message=message, at=at) for message in messages))
        return tuple(accepted.message for accepted in committed.accepted)

    async def begin(self, operation_id: str, message: Message, *calls: Call) -> Message:
        """Take a message in and begin an operation for it, with a plan when calls are given."""
        (accepted,) = await self.accept(message)
        await self.write(Begin(operation_id=operation_id, message=accepted, at=SECOND + 0.5))
        if calls:
            await self.write(Planned(operation_id=operation_id, round=0, calls=calls))
        return accepted

    async def operation(self, operation_id: str) -> OperationRecord:
        """An operation that must be there."""
        record = await self.store.read_operation(operation_id)
        assert record is not None
        return record

    async def calls(self, operation_id: str) -> dict[str, CallRecord]:
        """The calls of an operation that must be there, by id."""
        return {record.call.id: record for record in (await self.operation(operation_id)).calls}


@pytest.fixture
async def kept(closed: Store) -> AsyncIterator[Kept]:
    """A store, open."""
    kept = Kept(closed)
    async with closed.open(kept.heard.append):
        yield kept


def message(id: str, text: str = "", *, user: User = ANNA, timestamp: int | None = SECOND) -> Message:
    return Message(id=id, user=user, text=text or f"text of {id}", timestamp=timestamp)


def heard(message: Message, *, newest: str | None = None, burst: str = "", after: float = 0.0) -> Accepted:
    """A message that was taken in, in a burst of its own that may start at once unless it is said here."""
    return Accepted(message=message, newest=newest, burst_id=burst or message.id, starts_at=SECOND + after)


def row(id: str, kind: OutgoingKind = OutgoingKind.REPLY, *, operation_id: str = "o1") -> OutboxRow:
    return OutboxRow(
        id=id, user=ANNA, kind=kind, text=f"text of {id}", operation_id=operation_id, message_id="m1"
    )


def reported(row_id: str, delivery: Delivery, provider_id: str = "") -> Report:
    return Report(DeliveryReport(row_id=row_id, delivery=delivery, provider_id=provider_id))


def succeeded(call_id: str, raw: Any = None) -> Outcome:
    return Outcome(call_id=call_id, tool="look", status=Status.SUCCEEDED, raw=raw, seconds=0.25)


LOOK, BOOK = Call("a", "look", {"day": "2027-01-01"}), Call("b", "book", {"at": Ref("a", 0)}, after=["a"])
ACKNOWLEDGEMENT, NOTE, REPLY = OutgoingKind.ACKNOWLEDGEMENT, OutgoingKind.NOTE, OutgoingKind.REPLY
FATES: list[Fate] = [
    Answered(Reply("Booked: 18:00 🎉\n\tsee you")),
    Superseded("m2"),
    Merged("m0"),
    Rejected("too many"),
    Stopped(),
    Stopped("Stopped. Already done: a table."),
    Ignored("a reaction"),
    Failed("ValueError: x"),
]


# Accept -------------------------------------------------------------------------------------------


async def test_a_message_is_accepted_once_and_in_order(kept: Kept) -> None:
    """P5: it gets its place in the inbox; nothing else of it changes, and the listener hears of it."""
    first, second, third = await kept.accept(message("m1"), message("m2", user=BEN)) + await kept.accept(
        message("m3")
    )
    assert first.sequence < second.sequence < third.sequence
    assert [attrs.evolve(each, sequence=0) for each in (first, second, third)] == [
        message("m1"),
        message("m2", user=BEN),
        message("m3"),
    ]
    assert kept.heard == [
        Committed(accepted=(heard(first), heard(second))),
        Committed(accepted=(heard(third),)),
    ]
    assert await kept.store.read_depths() == Depths(inbox=3, outbox=0)


async def test_a_known_id_has_no_effect_in_whatever_batch(kept: Kept) -> None:
    """P5: twice in one write, again among new ones, with another text or from another user."""
    (first,) = await kept.accept(message("m1", "as it came first"), message("m1", "again"))
    again = await kept.accept(message("m0"), message("m1", "again", timestamp=SECOND + 9), message("m2"))
    assert [each.id for each in again] == ["m0", "m2"]
    assert await kept.write(Accept(message=message("m1", "again", user=BEN), at=SECOND)) == Committed()
    await kept.write(Settle("m1", Stopped()))
    assert await kept.accept(message("m1")) == ()
    conversation = await kept.store.read_conversation(ANNA.id, limit=9)
    assert [(turn.text, turn.sequence) for turn in conversation.turns] == [
        ("as it came first", first.sequence)
    ]
    # Its timestamp counts for nothing either: m2 is not older than it.
    assert [heard.newest for committed in kept.heard for heard in committed.accepted] == [None] * 3


async def test_a_message_older_than_the_newest_says_so(kept: Kept) -> None:
    """P12: compared with the newest its user ever sent, settled or not, not with the last that came."""
    await kept.accept(message("m1", timestamp=SECOND + 5))
    await kept.write(Settle("m1", Stopped()))
    committed = await kept.write(
        Accept(message=message("m2", timestamp=SECOND + 4), at=SECOND),
        Accept(message=message("m3", timestamp=SECOND + 4), at=SECOND),
        Accept(message=message("m4", timestamp=SECOND + 5), at=SECOND),
        Accept(message=message("m5", timestamp=SECOND), at=SECOND),
        Accept(message=message("m6", timestamp=SECOND, user=BEN), at=SECOND),
    )
    # m4 is of the same second as m1 and came later: it is the newest now.
    assert [(each.message.id, each.newest) for each in committed.accepted] == [
        ("m2", "m1"),
        ("m3", "m1"),
        ("m4", None),
        ("m5", "m4"),
        ("m6", None),
    ]


async def test_a_message_without_a_timestamp_is_never_late(kept: Kept) -> None:
    """P12: it gets the second of its arrival, but never one before its user's newest."""
    later, earlier, latest = (
        await kept.accept(message("m1", timestamp=None), at=SECOND + 5.75)
        + await kept.accept(message("m2", timestamp=None), at=SECOND)
        + await kept.accept(message("m3", timestamp=None), at=SECOND + 6)
    )
    assert [later.timestamp, earlier.timestamp, latest.timestamp] == [SECOND + 5, SECOND + 5, SECOND + 6]
    assert [heard.newest for committed in kept.heard for heard in committed.accepted] == [None] * 3


# Bursts -------------------------------------------------------------------------------------------

HALF = Debounce(seconds=0.5, seconds_max=2.0)


async def gather(
    kept: Kept, *messages: Message, after: float, debounce: Debounce = HALF
) -> list[tuple[str, str, float]]:
    """Take messages in, in one delivery: each new one's id, its burst, and when that may start."""
    changes = [Accept(message=message, at=SECOND + after, debounce=debounce) for message in messages]
    return [
        (each.message.id, each.burst_id, each.starts_at - SECOND)
        for each in (await kept.write(*changes)).accepted
    ]


async def test_messages_of_one_delivery_are_one_burst(kept: Kept) -> None:
    """Each user's own; with a debounce and without."""
    both = [message("m1"), message("b1", user=BEN), message("m2")]
    assert await gather(kept, *both, after=0, debounce=Debounce()) == [
        ("m1", "m1", 0.0),
        ("b1", "b1", 0.0),
        ("m2", "m1", 0.0),
    ]
    assert await gather(kept, message("m3"), after=0, debounce=Debounce()) == [("m3", "m3", 0.0)]
    assert await gather(kept, message("m4"), message("m5"), after=1) == [("m4", "m4", 1.5), ("m5", "m4", 1.5)]


async def test_a_message_that_comes_before_the_burst_may_start_belongs_to_it(kept: Kept) -> None:
    """It puts off the start, for itself; one that comes later begins another, however little."""
    assert await gather(kept, message("m1"), after=0) == [("m1", "m1", 0.5)]
    assert await gather(kept, message("b1", user=BEN), after=0.25) == [("b1", "b1", 0.75)]
    assert await gather(kept, message("m2"), after=0.25) == [("m2", "m1", 0.75)]
    assert await gather(kept, message("m3"), after=0.625) == [("m3", "m1", 1.125)]
    assert await gather(kept, message("m4"), after=1.125) == [("m4", "m4", 1.625)]
    left, _ = await kept.store.read_unfinished()
    assert [(each.message.id, each.burst_id, each.starts_at - SECOND) for each in left.waiting] == [
        ("m1", "m1", 0.5),
        ("m2", "m1", 0.75),
        ("m3", "m1", 1.125),
        ("m4", "m4", 1.625),
    ]


async def test_a_burst_starts_some_day_however_many_come(kept: Kept) -> None:
    """`seconds_max` after its first message."""
    gathered = [
        (await gather(kept, message(f"m{number}"), after=number * 0.375))[0][1:] for number in range(8)
    ]
    starts = [0.5, 0.875, 1.25, 1.625, 2.0, 2.0]
    assert gathered == [*(("m0", at) for at in starts), ("m6", 6 * 0.375 + 0.5), ("m6", 7 * 0.375 + 0.5)]


async def test_a_clock_that_is_set_back_begins_a_burst(kept: Kept) -> None:
    """Nobody waits for a time that was promised by another clock."""
    assert await gather(kept, message("m1"), after=3600) == [("m1", "m1", 3600.5)]
    assert await gather(kept, message("m2"), after=0) == [("m2", "m2", 0.5)]
    assert await gather(kept, message("m3"), after=0.25) == [("m3", "m2", 0.75)]


async def test_a_late_message_belongs_to_a_burst_like_any_other(kept: Kept) -> None:
    """P12: by when it came; it stays late, and the newest the newest."""
    await gather(kept, message("m1"), after=0)
    assert await gather(kept, message("m2", timestamp=SECOND - 9), after=0.25) == [("m2", "m1", 0.75)]
    assert await gather(kept, message("m3", timestamp=SECOND - 9), after=5) == [("m3", "m3", 5.5)]
    assert await gather(kept, message("m4"), after=5.25) == [("m4", "m3", 5.75)]
    (left,) = await kept.store.read_unfinished()
    assert [each.newest for each in left.waiting] == [None, "m1", "m1", None]


async def test_a_known_message_puts_off_no_start(kept: Kept) -> None:
    """P5: nor does what comes with it belong to the burst of the first time."""
    await gather(kept, message("m1"), after=0)
    assert await gather(kept, message("m1"), after=0.375) == []
    assert await gather(kept, message("m1"), message("m2"), after=0.5) == [("m2", "m2", 1.0)]


async def test_a_burst_goes_on_when_the_store_is_opened_again(closed: Store) -> None:
    """P14: a crash in its middle tears it not apart."""
    kept = Kept(closed)
    async with closed.open(kept.heard.append):
        await gather(kept, message("m1"), after=0)
    async with closed.open(kept.heard.append):
        assert await gather(kept, message("m2"), after=0.25) == [("m2", "m1", 0.75)]
        (left,) = await closed.read_unfinished()
        assert [(each.burst_id, each.starts_at - SECOND) for each in left.waiting] == [
            ("m1", 0.5),
            ("m1", 0.75),
        ]


# An operation -------------------------------------------------------------------------------------


async def test_an_operation_is_recorded_from_its_beginning(kept: Kept) -> None:
    """Under its own id, with its message; the listener has nothing to hear of it."""
    accepted = await kept.begin("o1", message("m1"))
    assert kept.heard[1:] == [Committed()]
    assert await kept.operation("o1") == OperationRecord(
        operation_id="o1",
        message=accepted,
        burst=(accepted,),
        phase=Phase.PLANNING,
        interrupted_by=None,
        reason=None,
        undo=False,
        started_at=SECOND + 0.5,
        ended_at=None,
        round=0,
        calls=(),
    )
    assert await kept.store.read_operation("o2") is None
    assert await kept.store.read_fate("m1") is None


async def test_plans_are_kept_in_order_with_their_round(kept: Kept) -> None:
    """Each call as it was planned, its references too; those of an adaptation stand behind them."""
    await kept.begin("o1", message("m1"), BOOK, LOOK)
    await kept.write(Planned(operation_id="o1", round=1, calls=(Call("0", "look"),)))
    operation = await kept.operation("o1")
    assert (operation.phase, operation.round) == (Phase.AT_BOUNDARY, 1)
    assert operation.calls == (
        CallRecord(call=BOOK, round=0),
        CallRecord(call=LOOK, round=0),
        CallRecord(call=Call("0", "look"), round=1),
    )


async def test_a_plan_without_calls_is_a_round_too(kept: Kept) -> None:
    """A planner that was asked and changed nothing was asked all the same."""
    await kept.begin("o1", message("m1"), LOOK)
    for round in (1, 2):
        await kept.write(Planned(operation_id="o1", round=round, calls=()))
    operation = await kept.operation("o1")
    assert (operation.round, operation.calls) == (2, (CallRecord(call=LOOK, round=0),))


async def test_a_later_plan_takes_the_place_of_calls_that_were_not_started(kept: Kept) -> None:
    """Under their ids, and behind those that stay; what was left out of it stays as it was."""
    await kept.begin("o1", message("m1"), LOOK, BOOK, Call("c", "look"))
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", 1),)))
    other = Call("b", "look", {"day": "2027-02-02"})
    await kept.write(Planned(operation_id="o1", round=1, calls=(Call("d", "look"), other)))
    assert (await kept.operation("o1")).calls == (
        CallRecord(call=LOOK, round=0, intended_at=SECOND, outcome=succeeded("a", 1)),
        CallRecord(call=Call("c", "look"), round=0),
        CallRecord(call=Call("d", "look"), round=1),
        CallRecord(call=other, round=1),
    )


@pytest.mark.parametrize("ended", [False, True])
async def test_what_was_started_is_never_planned_again(kept: Kept, ended: bool) -> None:
    """P6: nor what has an outcome; nothing of such a plan is kept."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    if ended:  # skipped
        await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a"),)))
    else:
        await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    before = await kept.operation("o1")
    with pytest.raises(StoreError, match="UNIQUE"):
        await kept.write(Planned(operation_id="o1", round=1, calls=(Call("b", "look"), LOOK)))
    assert await kept.operation("o1") == before


async def test_an_operation_works_on_a_burst(kept: Kept) -> None:
    """All of its messages, in their user's order; the record is of the newest."""
    late, first, other = await kept.accept(
        message("m3", timestamp=SECOND + 1), message("m1"), message("b1", user=BEN)
    )
    (second,) = await kept.accept(message("m2"))
    await kept.write(Begin(operation_id="o1", message=late, at=SECOND, burst=("m2", "m3", "m1")))
    await kept.write(Begin(operation_id="o2", message=other, at=SECOND, burst=("b1",)))
    operation = await kept.operation("o1")
    assert (operation.message, operation.burst) == (late, (first, second, late))
    assert (await kept.operation("o2")).burst == (other,)


async def test_messages_join_an_operation_with_the_plan_that_saw_them(kept: Kept) -> None:
    """Not before: until then they wait, whatever becomes of the process."""
    m1 = await kept.begin("o1", message("m1"), LOOK)
    m2, m3 = await kept.accept(message("m2"), message("m3"))
    (left,) = await kept.store.read_unfinished()
    assert [each.message.id for each in left.waiting] == ["m2", "m3"]
    await kept.write(
        Planned(operation_id="o1", round=1, calls=(), joined=("m2",)), Settle("m2", Merged("m1"))
    )
    assert (await kept.operation("o1")).burst == (m1, m2)
    (left,) = await kept.store.read_unfinished()
    assert (left.operations[0].message, left.operations[0].burst) == (m1, (m1, m2))
    assert left.waiting == (heard(m3, burst="m2"),)
    # Together with the burst that it began with.
    await kept.write(Planned(operation_id="o1", round=2, calls=(), joined=("m3",)))
    operation = await kept.operation("o1")
    assert (operation.message, operation.burst, operation.round) == (m1, (m1, m2, m3), 2)


async def test_calls_of_one_operation_are_not_those_of_another(kept: Kept) -> None:
    """Rule 4: every write names its operation, and call ids are only unique within one."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.begin("o2", message("m2"), LOOK)
    await kept.write(Intended(operation_id="o2", call_ids=("a",), at=SECOND))
    await kept.write(Happened(operation_id="o2", outcomes=(succeeded("a", 5),)))
    assert await kept.calls("o1") == {"a": CallRecord(call=LOOK, round=0)}
    assert await kept.calls("o2") == {
        "a": CallRecord(call=LOOK, round=0, intended_at=SECOND, outcome=succeeded("a", 5))
    }


async def test_the_intent_is_recorded_before_the_act(kept: Kept) -> None:
    """P6: what was started and has no outcome can be told from what was not."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND + 0.25))
    operation = await kept.operation("o1")
    assert operation.phase is Phase.IN_WAVE
    assert operation.calls == (
        CallRecord(call=LOOK, round=0, intended_at=SECOND + 0.25),
        CallRecord(call=BOOK, round=0),
    )
    assert [record.intended for record in operation.calls] == [True, False]


async def test_a_call_has_one_outcome(kept: Kept) -> None:
    """P6: the first one recorded stands."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a", "b"), at=SECOND))
    failed = Outcome(call_id="b", tool="book", status=Status.FAILED, error="no table", seconds=1.5)
    assert (
        await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", [1]), failed))) == Committed()
    )
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("b", 2),)))
    calls = await kept.calls("o1")
    assert (calls["a"].outcome, calls["b"].outcome) == (succeeded("a", [1]), failed)
    assert (await kept.operation("o1")).phase is Phase.AT_BOUNDARY


async def test_a_wave_is_over_with_its_last_outcome(kept: Kept) -> None:
    """P2: outcomes are recorded one by one; until the last has come, the operation is between no waves."""
    await kept.begin("o1", message("m1"), Call("a", "look"), Call("b", "look"), Call("c", "look"))
    await kept.begin("o2", message("m2", user=BEN), LOOK)
    phases: list[Phase] = []

    async def write(*changes: Change) -> None:
        await kept.write(*changes)
        phases.append((await kept.operation("o1")).phase)

    await write(Intended(operation_id="o1", call_ids=("a", "b"), at=SECOND))
    await write(Happened(operation_id="o1", outcomes=(succeeded("b"),)))
    # Said twice: nothing new, and "a" is still under way.
    await write(Happened(operation_id="o1", outcomes=(succeeded("b"),)))
    # What another operation has under way is not waited for; nor is "c", which has not begun.
    await write(
        Intended(operation_id="o2", call_ids=("a",), at=SECOND),
        Happened(operation_id="o1", outcomes=(succeeded("a"),)),
    )
    await write(Intended(operation_id="o1", call_ids=("c",), at=SECOND))
    await write(Happened(operation_id="o1", outcomes=(succeeded("c"),)))
    wave, boundary = Phase.IN_WAVE, Phase.AT_BOUNDARY
    assert phases == [wave, wave, wave, boundary, wave, boundary]
    assert (await kept.operation("o2")).phase is wave


async def test_an_operation_for_a_message_that_never_came_is_refused(kept: Kept) -> None:
    """P4: nobody would settle it, and no recovery would find it."""
    with pytest.raises(StoreError, match="not in the inbox"):
        await kept.write(Begin(operation_id="o1", message=message("m1"), at=SECOND))
    assert await kept.store.read_operation("o1") is None
    assert kept.heard == []


async def test_an_outcome_comes_back_in_json_form(kept: Kept) -> None:
    """What the tool returned is gone; what stands in the store is there, in every store."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", [1]).with_value((1,)),)))
    outcome = (await kept.calls("o1"))["a"].outcome
    assert outcome is not None
    assert (outcome.raw, outcome.value) == ([1], None)


async def test_the_end_leaves_no_call_without_an_outcome(kept: Kept) -> None:
    """P6: what never began is skipped, what began and is not known to have ended is unknown."""
    await kept.begin("o1", message("m1"), LOOK, BOOK, Call("c", "look"))
    await kept.write(Intended(operation_id="o1", call_ids=("a", "b"), at=SECOND))
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", 1),)))
    assert await kept.write(End(operation_id="o1", phase=Phase.FAILED, at=SECOND + 7.25)) == Committed()
    operation = await kept.operation("o1")
    assert (operation.phase, operation.ended_at) == (Phase.FAILED, SECOND + 7.25)
    assert [record.outcome for record in operation.calls] == [
        succeeded("a", 1),
        Outcome(call_id="b", tool="book", status=Status.UNKNOWN),
        Outcome(call_id="c", tool="look", status=Status.SKIPPED),
    ]


@pytest.mark.parametrize("phase", sorted(ENDED))
async def test_the_first_end_stands(kept: Kept, phase: Phase) -> None:
    """Whatever is recorded of the operation after it changes neither its phase nor an outcome."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(End(operation_id="o1", phase=phase, at=SECOND + 1))
    ended = await kept.operation("o1")
    await kept.write(
        End(operation_id="o1", phase=Phase.FAILED, at=SECOND + 2),
        Happened(operation_id="o1", outcomes=(succeeded("a", 1),)),
        Planned(operation_id="o1", round=1, calls=()),
        Intended(operation_id="o1", call_ids=(), at=SECOND + 3),
    )
    assert await kept.operation("o1") == ended


# Left unfinished ----------------------------------------------------------------------------------


async def test_each_start_that_goes_on_with_an_operation_counts_one_crash_more(kept: Kept) -> None:
    """P14: so that what kills the process every time ends some day; nothing else of it changes."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.begin("o2", message("m2", user=BEN), LOOK)
    await kept.write(
        Intended(operation_id="o1", call_ids=("a",), at=SECOND), Interrupt(operation_id="o1", by="m3")
    )
    before, other = await kept.operation("o1"), await kept.operation("o2")
    assert before.crashes == 0
    for crashes in (1, 2, 3):
        assert await kept.write(Resume("o1")) == Committed()
        assert await kept.operation("o1") == attrs.evolve(before, crashes=crashes)
    assert await kept.operation("o2") == other


async def test_the_start_after_a_suspension_follows_no_crash(kept: Kept) -> None:
    """However often it crashed before, and suspended twice is suspended once: it counts crashes in a row."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.begin("o2", message("m2", user=BEN), LOOK)
    before, other = await kept.operation("o1"), await kept.operation("o2")
    counted: list[int] = []
    for change in (Resume, Resume, Suspend, Resume, Resume, Suspend, Suspend, Resume):
        assert await kept.write(change("o1")) == Committed()
        counted.append((await kept.operation("o1")).crashes)
    assert counted == [1, 2, -1, 0, 1, -1, -1, 0]
    assert await kept.operation("o1") == before
    assert await kept.operation("o2") == other


@pytest.mark.parametrize("change", [Resume("o1"), Suspend("o1")], ids=repr)
@pytest.mark.parametrize("phase", sorted(ENDED))
async def test_what_has_ended_neither_goes_on_nor_stops(kept: Kept, phase: Phase, change: Change) -> None:
    """A word of it that comes late changes nothing."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(Resume("o1"), End(operation_id="o1", phase=phase, at=SECOND))
    ended = await kept.operation("o1")
    assert await kept.write(change) == Committed()
    assert await kept.operation("o1") == ended
    assert ended.crashes == 1


async def test_nothing_is_left_of_what_is_settled(kept: Kept) -> None:
    """Of an empty store, and of one where everything has ended."""
    assert await kept.store.read_unfinished() == ()
    await kept.begin("o1", message("m1"), LOOK)
    await kept.accept(message("m2"))
    await kept.write(
        End(operation_id="o1", phase=Phase.COMPLETED, at=SECOND),
        Settle("m1", Answered(Reply("1"))),
        Settle("m2", Merged("m1")),
    )
    assert await kept.store.read_unfinished() == ()


async def test_what_was_left_comes_by_user_in_the_order_of_the_inbox(kept: Kept) -> None:
    """P14: the operation that ran, and what waits behind it; who wrote first comes first."""
    (m0,) = await kept.accept(message("m0", user=BEN))
    m1 = await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.accept(message("settled"))
    m2, m3 = await kept.accept(message("m2"), message("m3", user=BEN))
    m4 = await kept.begin("o4", message("m4", user=CLEO))
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    await kept.write(Interrupt(operation_id="o1", by="m2"), Settle("settled", Ignored("a reaction")))
    (m5,) = await kept.accept(message("m5"))
    o1 = UnfinishedOperation(
        operation_id="o1",
        message=m1,
        burst=(m1,),
        phase=Phase.IN_WAVE,
        interrupted_by="m2",
        reason=Reason.NEW_MESSAGE,
    )
    o4 = UnfinishedOperation(
        operation_id="o4", message=m4, burst=(m4,), phase=Phase.PLANNING, interrupted_by=None
    )
    assert await kept.store.read_unfinished() == (
        Unfinished(waiting=(heard(m0), heard(m3))),
        Unfinished(operations=(o1,), waiting=(heard(m2), heard(m5))),
        Unfinished(operations=(o4,)),
    )


async def test_an_operation_is_left_with_the_messages_it_works_on(kept: Kept) -> None:
    """P14: all of its burst, those with a fate too: each may be taken back yet; why it ends is known."""
    m1, m2, m3, waits = await kept.accept(message("m1"), message("m2"), message("m3"), message("m4"))
    await kept.write(Begin(operation_id="o1", message=m3, at=SECOND, burst=("m1", "m2", "m3")))
    left = UnfinishedOperation(
        operation_id="o1", message=m3, phase=Phase.PLANNING, interrupted_by=None, burst=(m1, m2, m3)
    )
    still = heard(waits, burst="m1")
    assert await kept.store.read_unfinished() == (Unfinished(operations=(left,), waiting=(still,)),)
    await kept.write(
        Planned(operation_id="o1", round=0, calls=(LOOK,)),
        Settle("m1", Merged("m3")),
        Interrupt(operation_id="o1", by="", reason=Reason.STOPPED, undo=True),
    )
    left = attrs.evolve(left, phase=Phase.AT_BOUNDARY, interrupted_by="", reason=Reason.STOPPED, undo=True)
    assert await kept.store.read_unfinished() == (Unfinished(operations=(left,), waiting=(still,)),)
    await kept.write(
        UndoIntended(operation_id="o1", call_id="a", at=SECOND),
        Settle("m2", Stopped()),
        Settle("m4", Stopped()),
    )
    left = attrs.evolve(left, phase=Phase.UNDOING)
    assert await kept.store.read_unfinished() == (Unfinished(operations=(left,)),)


@pytest.mark.parametrize(
    ("phase", "reason", "counted"),
    [
        (Phase.INTERRUPTED, Reason.NEW_MESSAGE, 3),
        (Phase.INTERRUPTED, Reason.STOPPED, 0),
        (Phase.INTERRUPTED, Reason.DEADLINE, 0),
        (Phase.COMPLETED, None, 0),
        (Phase.COMPLETED, Reason.NEW_MESSAGE, 0),
        (Phase.FAILED, None, 0),
        (Phase.FAILED, Reason.NEW_MESSAGE, 0),
    ],
)
async def test_interruptions_in_a_row_are_counted(
    kept: Kept, phase: Phase, reason: Reason | None, counted: int
) -> None:
    """P13: by new messages, a user's own; any other end begins anew."""

    async def end(number: int, phase: Phase, reason: Reason | None, *, user: User = ANNA) -> None:
        id = f"{number}-{user.id}"
        await kept.begin(id, message(id, user=user), LOOK)
        if reason is not None:
            await kept.write(Interrupt(operation_id=id, by="m9", reason=reason))
        await kept.write(End(operation_id=id, phase=phase, at=SECOND), Settle(id, Superseded("m9")))
        # The first end stands, and counts once.
        await kept.write(End(operation_id=id, phase=Phase.INTERRUPTED, at=SECOND))

    await end(1, Phase.INTERRUPTED, Reason.NEW_MESSAGE)
    await end(2, Phase.INTERRUPTED, Reason.NEW_MESSAGE)
    await end(3, phase, reason)
    await end(1, Phase.INTERRUPTED, Reason.NEW_MESSAGE, user=BEN)
    await kept.accept(message("m9"), message("b9", user=BEN), message("c9", user=CLEO))
    # Whoever takes the message in knows it, and whoever takes up what was left.
    assert [accepted.interruptions for accepted in kept.heard[-1].accepted] == [counted, 1, 0]
    assert [left.interruptions for left in await kept.store.read_unfinished()] == [counted, 1, 0]
    await end(4, Phase.INTERRUPTED, Reason.NEW_MESSAGE)
    left, *_ = await kept.store.read_unfinished()
    assert [left.interruptions, *(each.interruptions for each in left.waiting)] == [counted + 1] * 2


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.message)
async def test_whoever_stops_has_ended_the_row_of_interruptions(kept: Kept, fate: Fate) -> None:
    """P13: also where nothing ran that could end; no other fate does."""
    for user in (ANNA, BEN):
        await kept.begin(user.id, message(user.id, user=user))
        await kept.write(Interrupt(operation_id=user.id, by="m9"))
        await kept.write(End(operation_id=user.id, phase=Phase.INTERRUPTED, at=SECOND))
    await kept.accept(message("stop"))
    await kept.write(Settle("stop", fate))
    counted = 0 if isinstance(fate, Stopped) else 1
    assert [left.interruptions for left in await kept.store.read_unfinished()] == [counted, 1]


async def test_operations_are_left_in_the_order_of_their_messages(kept: Kept) -> None:
    """Not in that of their beginnings, should one user have had two."""
    first, waits, second = await kept.accept(message("m1"), message("m2"), message("m3"))
    for operation_id, begun in (("a", second), ("b", first)):
        await kept.write(Begin(operation_id=operation_id, message=begun, at=SECOND))
    (left,) = await kept.store.read_unfinished()
    assert [each.operation_id for each in left.operations] == ["b", "a"]
    assert left.waiting == (heard(waits, burst="m1"),)


async def test_a_late_message_that_waits_still_says_that_it_is_late(kept: Kept) -> None:
    """P12: older than the newest when it came, whatever has come since."""
    await kept.accept(message("m1", timestamp=SECOND + 5))
    await kept.accept(message("m2", timestamp=SECOND + 4))
    await kept.accept(message("m3", timestamp=SECOND + 6), message("m4", timestamp=SECOND))
    await kept.write(Settle("m1", Stopped()))
    (left,) = await kept.store.read_unfinished()
    assert [(each.message.id, each.newest) for each in left.waiting] == [
        ("m2", "m1"),
        ("m3", None),
        ("m4", "m3"),
    ]


async def test_a_message_without_a_fate_is_left_although_its_operation_ended(kept: Kept) -> None:
    """P4: it waits for another; the operation that ended does not go on."""
    accepted = await kept.begin("o1", message("m1"), LOOK)
    await kept.write(End(operation_id="o1", phase=Phase.FAILED, at=SECOND))
    assert await kept.store.read_unfinished() == (Unfinished(waiting=(heard(accepted),)),)
    await kept.write(Begin(operation_id="o2", message=accepted, at=SECOND + 1))
    (left,) = await kept.store.read_unfinished()
    assert [each.operation_id for each in left.operations] == ["o2"]
    assert left.waiting == ()


# Interrupted --------------------------------------------------------------------------------------


async def test_an_interruption_is_told_once(kept: Kept) -> None:
    """P9: the acknowledgement comes with the first record of the interruption, however many follow."""
    await kept.begin("o1", message("m1"), LOOK)
    first = await kept.write(
        Interrupt(operation_id="o1", by="m2", acknowledgement=row("k1", ACKNOWLEDGEMENT))
    )
    (queued,) = first.queued
    assert queued == attrs.evolve(row("k1", ACKNOWLEDGEMENT), sequence=queued.sequence)
    assert first == Committed(queued=(queued,))
    for again in (row("k1", ACKNOWLEDGEMENT), row("k2", ACKNOWLEDGEMENT), None):
        assert await kept.write(Interrupt(operation_id="o1", by="m3", acknowledgement=again)) == Committed()
    operation = await kept.operation("o1")
    # The operation is not over: a wave may still be running.
    assert (operation.interrupted_by, operation.phase) == ("m2", Phase.AT_BOUNDARY)
    assert await kept.store.read_unsent(9) == (queued,)


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize(
    ("by", "reason"), [("m2", Reason.NEW_MESSAGE), ("", Reason.STOPPED), ("", Reason.DEADLINE)]
)
async def test_why_an_operation_was_interrupted_is_kept(
    kept: Kept, by: str, reason: Reason, undo: bool
) -> None:
    """And whether it is to be taken back: the first record stands, also one that names no message."""
    await kept.begin("o1", message("m1"), LOOK)
    before = await kept.operation("o1")
    await kept.write(Interrupt(operation_id="o1", by=by, reason=reason, undo=undo))
    after = attrs.evolve(before, interrupted_by=by, reason=reason, undo=undo)
    assert await kept.operation("o1") == after
    for other in Reason:
        await kept.write(Interrupt(operation_id="o1", by="m9", reason=other, undo=not undo))
    assert await kept.operation("o1") == after


# Taken back ---------------------------------------------------------------------------------------


async def test_what_is_taken_back_is_recorded_before_and_after(kept: Kept) -> None:
    """The intent before the act: what was begun to be taken back can be told from what was not."""
    await kept.begin("o1", message("m1"), LOOK, Call("b", "look"))
    await kept.begin("o2", message("m2", user=BEN), LOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a", "b"), at=SECOND))
    await kept.write(
        Happened(operation_id="o1", outcomes=(succeeded("a", 1), succeeded("b", 2))),
        Interrupt(operation_id="o1", by="m3", undo=True),
    )
    other = await kept.operation("o2")
    assert await kept.write(UndoIntended(operation_id="o1", call_id="b", at=SECOND + 2.5)) == Committed()
    operation = await kept.operation("o1")
    assert operation.phase is Phase.UNDOING
    a, b = operation.calls
    assert (a.undo_intended_at, b.undo_intended_at) == (None, SECOND + 2.5)
    for call_id, status, error in (("b", UndoStatus.UNDONE, None), ("a", UndoStatus.FAILED, "ValueError: x")):
        undone = Undone(operation_id="o1", call_id=call_id, status=status, error=error)
        assert await kept.write(undone) == Committed()
    assert (await kept.operation("o1")).calls == (
        attrs.evolve(
            a, outcome=attrs.evolve(succeeded("a", 1), undo=UndoStatus.FAILED, undo_error="ValueError: x")
        ),
        attrs.evolve(b, outcome=attrs.evolve(succeeded("b", 2), undo=UndoStatus.UNDONE)),
    )
    assert (await kept.operation("o1")).phase is Phase.UNDOING
    assert await kept.operation("o2") == other


@pytest.mark.parametrize("status", UndoStatus)
async def test_the_first_record_of_what_was_taken_back_stands(kept: Kept, status: UndoStatus) -> None:
    """However often it is made again after a crash; until there is one, the last intent stands."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a"),)))
    for at in (SECOND + 1, SECOND + 2):
        await kept.write(UndoIntended(operation_id="o1", call_id="a", at=at))
    await kept.write(Undone(operation_id="o1", call_id="a", status=status, error="first"))
    recorded = (await kept.calls("o1"))["a"]
    assert recorded.undo_intended_at == SECOND + 2
    assert recorded.outcome == attrs.evolve(succeeded("a"), undo=status, undo_error="first")
    await kept.write(UndoIntended(operation_id="o1", call_id="a", at=SECOND + 3))
    for other in UndoStatus:
        await kept.write(Undone(operation_id="o1", call_id="a", status=other, error="later"))
    assert (await kept.calls("o1"))["a"] == recorded


async def test_what_has_ended_is_not_taken_back_any_more(kept: Kept) -> None:
    """A word of it that comes late changes no phase."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND))
    await kept.write(UndoIntended(operation_id="o1", call_id="a", at=SECOND))
    assert (await kept.operation("o1")).phase is Phase.INTERRUPTED


async def test_a_call_that_nobody_knows_of_can_be_taken_back(kept: Kept) -> None:
    """It may have acted: what became of it stands beside what is known of it when all has ended."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    unknown = Outcome(call_id="a", tool="look", status=Status.UNKNOWN)
    await kept.write(
        UndoIntended(operation_id="o1", call_id="a", at=SECOND),
        Undone(operation_id="o1", call_id="a", status=UndoStatus.TIMED_OUT, error="after 10 s"),
        End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND),
    )
    assert (await kept.calls("o1"))["a"].outcome == attrs.evolve(
        unknown, undo=UndoStatus.TIMED_OUT, undo_error="after 10 s"
    )


async def test_an_interruption_that_was_not_told_is_not_told_later(kept: Kept) -> None:
    """P9: the first record stands, also when it said nothing."""
    await kept.begin("o1", message("m1"))
    assert await kept.write(Interrupt(operation_id="o1", by="m2")) == Committed()
    later = Interrupt(operation_id="o1", by="m3", acknowledgement=row("k1", ACKNOWLEDGEMENT))
    assert await kept.write(later) == Committed()
    assert await kept.store.read_unsent(9) == ()


@pytest.mark.parametrize("ended", [True, False])
async def test_what_is_over_is_not_interrupted(kept: Kept, ended: bool) -> None:
    """P9: nothing is said when nothing was running: the operation has ended, or there never was one."""
    if ended:
        await kept.begin("o1", message("m1"))
        await kept.write(Queue(row("n1", NOTE)), End(operation_id="o1", phase=Phase.COMPLETED, at=SECOND))
    left = await kept.store.read_unsent(9)
    committed = await kept.write(
        Interrupt(operation_id="o1", by="m2", acknowledgement=row("k1", ACKNOWLEDGEMENT))
    )
    assert committed == Committed()
    assert await kept.store.read_unsent(9) == left
    operation = await kept.store.read_operation("o1")
    assert operation is None or operation.interrupted_by is None


async def test_an_interruption_drops_the_notes_that_are_not_on_their_way(kept: Kept) -> None:
    """Progress of a request that was taken back confuses; what was asked for by others is not touched."""
    await kept.begin("o1", message("m1"))
    await kept.begin("o2", message("m2", user=BEN))
    rows = [row("n1", NOTE), row("n2", NOTE), row("n3", NOTE), row("r1"), row("n4", NOTE, operation_id="o2")]
    queued = (await kept.write(*map(Queue, rows))).queued
    await kept.write(
        Mark(row_id="n1", state=SendState.SENT, attempts=1),
        Mark(row_id="n2", state=SendState.SENDING, attempts=1),
    )
    committed = await kept.write(
        Interrupt(operation_id="o1", by="m3", acknowledgement=row("k1", ACKNOWLEDGEMENT))
    )
    assert committed.dropped == (attrs.evolve(queued[2], state=SendState.DROPPED),)
    assert [each.id for each in await kept.store.read_unsent(9)] == ["n2", "r1", "n4", "k1"]
    assert (await kept.store.read_depths()).outbox == 4


# Fates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name)
async def test_a_message_has_one_fate(kept: Kept, fate: Fate) -> None:
    """P4: the first one recorded stands, and only of that one the listener hears."""
    (accepted,) = await kept.accept(message("m1"))
    assert await kept.store.read_fate("m1") is None
    twice = await kept.write(Settle("m1", fate), Settle("m1", Ignored("too late")))
    assert twice == Committed(settled=(Settled(message=accepted, fate=fate),))
    assert await kept.write(Settle("m1", Answered(Reply("too late")))) == Committed()
    assert await kept.store.read_fate("m1") == fate
    assert (await kept.store.read_depths()).inbox == 0
    conversation = await kept.store.read_conversation(ANNA.id, limit=9)
    assert [turn.text for turn in conversation.turns if turn.role == "assistant"] == (
        [fate.message] if fate in (FATES[0], FATES[5]) else []
    )
    assert {turn.fate for turn in conversation.turns} == {fate.name}


async def test_nothing_is_known_of_a_message_that_never_came(kept: Kept) -> None:
    """No fate, no history."""
    assert await kept.store.read_fate("m1") is None
    assert await kept.store.read_conversation(ANNA.id, limit=9) == Conversation()
    assert await kept.store.read_depths() == Depths(inbox=0, outbox=0)


async def test_an_operation_is_complete_with_its_reply(kept: Kept) -> None:
    """P8: the end, the fate and the reply are one transaction; the listener hears of them together."""
    accepted = await kept.begin("o1", message("m1"))
    committed = await kept.write(
        End(operation_id="o1", phase=Phase.COMPLETED, at=SECOND + 3),
        Settle("m1", Answered(Reply("done"))),
        Queue(row("r1")),
    )
    (queued,) = committed.queued
    assert queued == attrs.evolve(row("r1"), sequence=queued.sequence)
    assert committed == Committed(
        queued=(queued,), settled=(Settled(message=accepted, fate=Answered(Reply("done"))),)
    )
    assert (await kept.operation("o1")).phase is Phase.COMPLETED
    assert await kept.store.read_unsent(9) == (queued,)
    assert await kept.store.read_depths() == Depths(inbox=0, outbox=1)


@pytest.mark.parametrize("answer", [REPLY, OutgoingKind.APOLOGY])
async def test_a_reply_drops_the_acknowledgements_that_are_not_on_their_way(
    kept: Kept, answer: OutgoingKind
) -> None:
    """P9: whoever has the answer need not be told that it is being looked for; another user still is."""
    pending = (SendState.PENDING, 0)
    states = {
        "k1": pending,
        "k2": (SendState.SENDING, 1),
        "k3": (SendState.RESENDING, 1),
        "k4": (SendState.SENT, 1),
        "k5": (SendState.DEAD, 8),
        # Tried before, and to be tried again.
        "k6": (SendState.PENDING, 1),
        "ben": pending,
    }
    for id, (state, attempts) in states.items():
        told = attrs.evolve(
            row(id, ACKNOWLEDGEMENT, operation_id=f"o-{id}"), user=BEN if id == "ben" else ANNA
        )
        await kept.write(Queue(told), Mark(row_id=id, state=state, attempts=attempts))
    others = [row("n1", NOTE), row("x1", OutgoingKind.NOTICE)]
    assert (await kept.write(*map(Queue, others))).dropped == ()
    committed = await kept.write(Queue(row("r1", answer)), Queue(row("r2", answer)))
    assert [(each.id, each.state) for each in committed.dropped] == [
        ("k1", SendState.DROPPED),
        ("k6", SendState.DROPPED),
    ]
    assert [each.id for each in committed.queued] == ["r1", "r2"]
    left = ["k2", "k3", "ben", "n1", "x1", "r1", "r2"]
    assert [each.id for each in await kept.store.read_unsent(99)] == left
    # One that is queued after it is about something else; a reply that is known drops nothing.
    await kept.write(Queue(row("k7", ACKNOWLEDGEMENT, operation_id="o-k7")))
    assert await kept.write(Queue(row("r1"))) == Committed()
    assert [each.id for each in await kept.store.read_unsent(99)] == [*left, "k7"]


# The outbox ---------------------------------------------------------------------------------------


async def test_a_row_is_queued_once(kept: Kept) -> None:
    """A known id changes nothing, whatever has become of that row."""
    committed = await kept.write(Queue(row("r1")), Queue(row("r1")))
    assert [each.id for each in committed.queued] == ["r1"]
    await kept.write(Mark(row_id="r1", state=SendState.SENT, attempts=1))
    assert await kept.write(Queue(row("r1"))) == Committed()
    assert await kept.store.read_unsent(9) == ()


async def test_rows_are_read_in_the_order_they_were_queued(kept: Kept) -> None:
    """For all users alike, and no more than were asked for."""
    queued = (await kept.write(Queue(row("z")), Queue(attrs.evolve(row("b"), user=BEN)))).queued
    queued += (await kept.write(Queue(row("a")))).queued
    assert [each.id for each in queued] == ["z", "b", "a"]
    assert sorted(queued, key=lambda each: each.sequence) == list(queued)
    await kept.write(Mark(row_id="z", state=SendState.PENDING, attempts=1, error="later"))
    assert [each.id for each in await kept.store.read_unsent(9)] == ["z", "b", "a"]
    assert await kept.store.read_unsent(2) == (
        attrs.evolve(queued[0], attempts=1, error="later"),
        queued[1],
    )


@pytest.mark.parametrize(
    ("state", "unsent"),
    [
        (SendState.PENDING, True),
        (SendState.SENDING, True),
        (SendState.RESENDING, True),
        (SendState.SENT, False),
        (SendState.DEAD, False),
        (SendState.DROPPED, False),
    ],
)
async def test_how_a_row_fared_is_kept(kept: Kept, state: SendState, unsent: bool) -> None:
    """What may be on the wire is still to be sent; the last mark stands."""
    (queued,) = (await kept.write(Queue(row("r1")))).queued
    await kept.write(Mark(row_id="r1", state=SendState.SENDING, attempts=1, provider_id="w0", error="x"))
    marked = await kept.write(
        Mark(row_id="r1", state=state, attempts=2, provider_id="wamid.1", error="(error 131056)")
    )
    assert marked == Committed()
    now = attrs.evolve(queued, state=state, attempts=2, provider_id="wamid.1", error="(error 131056)")
    assert await kept.store.read_unsent(9) == ((now,) if unsent else ())
    assert (await kept.store.read_depths()).outbox == int(unsent)


async def test_when_a_row_may_be_sent_is_kept(kept: Kept) -> None:
    """However often it is tried."""
    later = attrs.evolve(row("k1", ACKNOWLEDGEMENT), not_before=SECOND + 1.5)
    queued = (await kept.write(Queue(later), Queue(row("r1")))).queued
    assert [each.not_before for each in queued] == [SECOND + 1.5, 0.0]
    await kept.write(Queue(attrs.evolve(row("n1"), not_before=SECOND + 2.5)))
    await kept.write(Mark(row_id="n1", state=SendState.PENDING, attempts=1))
    assert [each.not_before for each in await kept.store.read_unsent(9) if each.id == "n1"] == [SECOND + 2.5]


@pytest.mark.parametrize("limit", range(1, 5))
async def test_the_outbox_is_read_part_by_part(kept: Kept, limit: int) -> None:
    """Each part begins behind the last row of the part before: no row twice, and none left out."""
    ids = ["z", "sent", "b", "a", "dead", "y"]
    queued = (await kept.write(*(Queue(row(id)) for id in ids))).queued
    for id, state in (("sent", SendState.SENT), ("dead", SendState.DEAD), ("a", SendState.SENDING)):
        await kept.write(Mark(row_id=id, state=state, attempts=1))
    read: list[OutboxRow] = []
    while part := await kept.store.read_unsent(limit, after=read[-1].sequence if read else 0):
        assert len(part) <= limit
        read += part
    assert [each.id for each in read] == ["z", "b", "a", "y"]
    # Behind a row that has been sent in the meantime, or that never was.
    for place, left in ((1, ["b", "a", "y"]), (4, ["y"]), (5, [])):
        after = queued[place].sequence
        assert [each.id for each in await kept.store.read_unsent(9, after=after)] == left
    assert await kept.store.read_unsent(9, after=queued[-1].sequence + 100) == ()


# What the provider reports ------------------------------------------------------------------------

# By hand, from the first word to the last.
DELIVERIES = (Delivery.SENT, Delivery.DELIVERED, Delivery.READ, Delivery.PLAYED, Delivery.FAILED)


async def test_reports_count_in_whatever_order_they_come(kept: Kept) -> None:
    """Only what is further than all before is news; `failed` is the last word.  Every order there is."""
    for order in itertools.permutations(DELIVERIES):
        row_id = "-".join(order)
        # Each twice: the second is none.
        reports = [reported(row_id, delivery) for delivery in order for _ in range(2)]
        committed = await kept.write(
            Queue(row(row_id)), Mark(row_id=row_id, state=SendState.SENT, attempts=1), *reports
        )
        furthest = [Delivery.NONE]
        for delivery in order:
            if all(DELIVERIES.index(delivery) > DELIVERIES.index(each) for each in furthest[1:]):
                furthest.append(delivery)
        assert [(each.row.delivery, each.report.delivery) for each in committed.reported] == list(
            itertools.pairwise(furthest)
        )
        # Nor in a later transaction.
        assert await kept.write(*reports) == Committed()
    # Every one failed in the end, and what follows from that is not decided yet.
    assert {each.state for each in await kept.store.read_unsent(99)} == {SendState.FAILED}


async def test_the_same_failure_reported_again_is_no_news(kept: Kept) -> None:
    """Redelivered when the row has been sent anew: neither while it is on its way, nor when it was taken."""
    failed = reported("r1", Delivery.FAILED, "wamid.1")
    await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENT, attempts=1), failed)
    again = {"row_id": "r1", "attempts": 2, "provider_id": "wamid.1"}
    for state in (SendState.PENDING, SendState.SENDING):
        assert await kept.write(Mark(state=state, **again), failed) == Committed()
    sent = Mark(row_id="r1", state=SendState.SENT, attempts=2, provider_id="wamid.2")
    assert await kept.write(sent, failed) == Committed()
    assert len((await kept.write(reported("r1", Delivery.FAILED, "wamid.2"))).reported) == 1


async def test_what_was_sent_or_dropped_is_not_marked_for_a_request(kept: Kept) -> None:
    """The mark before a request comes late: somebody has reported of it, or its operation was interrupted."""
    await kept.write(Queue(row("r1")), Queue(row("r2")))
    for row_id, state in (("r1", SendState.SENT), ("r2", SendState.DROPPED)):
        await kept.write(Mark(row_id=row_id, state=state, attempts=1))
        for before in (SendState.SENDING, SendState.RESENDING):
            await kept.write(Mark(row_id=row_id, state=before, attempts=2))
    assert await kept.store.read_unsent(9) == ()


async def test_a_dead_letter_that_failed_stays_dead(kept: Kept) -> None:
    """It was given up already; an operator finds it where it was."""
    dead = Mark(row_id="r1", state=SendState.DEAD, attempts=2, error="no answer")
    await kept.write(Queue(row("r1")), dead)
    assert await kept.write(reported("r1", Delivery.FAILED)) == Committed()
    (news,) = (await kept.write(reported("r1", Delivery.SENT))).reported
    assert news.row.state is SendState.DEAD


@pytest.mark.parametrize(
    ("state", "delivery"),
    [
        (state, delivery)
        for state in (SendState.SENDING, SendState.RESENDING, SendState.SENT, SendState.DEAD)
        for delivery in DELIVERIES
        if (state, delivery) != (SendState.DEAD, Delivery.FAILED)
    ],
)
async def test_a_row_that_is_reported_of_is_sent(kept: Kept, state: SendState, delivery: Delivery) -> None:
    """It settles what was ambiguous: who says that a delivery failed has taken the message as well."""
    (queued,) = (await kept.write(Queue(row("r1")))).queued
    await kept.write(Queue(row("r2")), Mark(row_id="r1", state=state, attempts=2, error="no answer"))
    before = attrs.evolve(queued, state=state, attempts=2, error="no answer")
    first = reported("r1", delivery)
    # The row as it was: whoever hears of it must know that it was ambiguous.
    assert await kept.write(first) == Committed(reported=(Reported(row=before, report=first.report),))
    left = {each.id: each.state for each in await kept.store.read_unsent(9)}
    failed = {"r1": SendState.FAILED} if delivery is Delivery.FAILED else {}
    assert left == {**failed, "r2": SendState.PENDING}
    assert (await kept.store.read_depths()).outbox == len(left)
    if delivery is not Delivery.FAILED:
        (news,) = (await kept.write(reported("r1", Delivery.FAILED))).reported
        assert news.row == attrs.evolve(before, state=SendState.SENT, delivery=delivery)


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_a_row_that_is_not_on_its_way_has_no_news(kept: Kept, delivery: Delivery) -> None:
    """It stays to be sent: the report is of an earlier request, one that has failed since."""
    (queued,) = (await kept.write(Queue(row("r1")))).queued
    assert await kept.write(reported("r1", delivery, "wamid.1")) == Committed()
    assert await kept.store.read_unsent(9) == (queued,)


async def test_what_was_reported_of_a_request_says_nothing_of_the_next(kept: Kept) -> None:
    """A message that failed after it was taken, and is sent again, is reported of from the beginning."""
    sending = Mark(row_id="r1", state=SendState.SENDING, attempts=2)
    await kept.write(Queue(row("r1")), sending, reported("r1", Delivery.FAILED))
    await kept.write(Mark(row_id="r1", state=SendState.PENDING, attempts=1))
    (again,) = await kept.store.read_unsent(9)
    assert (again.state, again.delivery) == (SendState.PENDING, Delivery.NONE)
    await kept.write(sending)
    for delivery, before in ((Delivery.SENT, Delivery.NONE), (Delivery.READ, Delivery.SENT)):
        (news,) = (await kept.write(reported("r1", delivery))).reported
        assert news.row.delivery is before
    # However it fared then: what was reported stands.
    await kept.write(Mark(row_id="r1", state=SendState.SENT, attempts=2))
    assert await kept.write(reported("r1", Delivery.DELIVERED)) == Committed()


@pytest.mark.parametrize(
    ("known", "told", "kept_id"),
    [("", "wamid.1", "wamid.1"), ("wamid.1", "", "wamid.1"), ("wamid.1", "wamid.1", "wamid.1"), ("", "", "")],
)
async def test_a_report_brings_the_providers_id(kept: Kept, known: str, told: str, kept_id: str) -> None:
    """An ambiguous send never learnt it; a report that has none takes none away."""
    await kept.write(
        Queue(row("r1")), Mark(row_id="r1", state=SendState.SENDING, attempts=1, provider_id=known)
    )
    (first,) = (await kept.write(reported("r1", Delivery.SENT, told))).reported
    (second,) = (await kept.write(reported("r1", Delivery.READ))).reported
    assert (first.row.provider_id, second.row.provider_id) == (known, kept_id)


async def test_what_is_no_news_is_not_heard_of(kept: Kept) -> None:
    """A row that we do not have (forgotten, or another's), and a report that says nothing."""
    await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENDING, attempts=1))
    (sending,) = await kept.store.read_unsent(9)
    for change in (
        reported("r9", Delivery.READ, "wamid.9"),
        reported("", Delivery.READ),
        reported("r1", Delivery.NONE, "wamid.1"),
    ):
        assert await kept.write(change) == Committed()
    assert await kept.store.read_unsent(9) == (sending,)


async def test_reports_of_one_write_are_heard_of_in_their_order(kept: Kept) -> None:
    """Each with the row as the one before it left it; of one row or of several."""
    await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENDING, attempts=1))
    await kept.write(Queue(row("r2")), Mark(row_id="r2", state=SendState.SENDING, attempts=1))
    first, second = await kept.store.read_unsent(9)
    changes = [
        reported("r2", Delivery.SENT),
        reported("r1", Delivery.READ, "wamid.1"),
        reported("r1", Delivery.DELIVERED),
        reported("r2", Delivery.READ),
    ]
    committed = await kept.write(*changes)
    sent = attrs.evolve(second, state=SendState.SENT, delivery=Delivery.SENT)
    assert committed == Committed(
        reported=(
            Reported(row=second, report=changes[0].report),
            Reported(row=first, report=changes[1].report),
            Reported(row=sent, report=changes[3].report),
        )
    )


async def test_a_failure_is_heard_of_with_what_is_to_be_done(kept: Kept) -> None:
    """The error goes to whoever decides, beside the row with its own."""
    await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENT, attempts=1, error="slow"))
    error = SendRefused("the user cannot be reached on WhatsApp", 131026)
    report = DeliveryReport(row_id="r1", delivery=Delivery.FAILED, error=error)
    (news,) = (await kept.write(Report(report))).reported
    assert (news.report.error, news.row.error) == (error, "slow")


# The conversation ---------------------------------------------------------------------------------


async def test_the_history_is_what_was_settled_and_answered_in_order(kept: Kept) -> None:
    """A message stands where it came, its answer where it was given; what waits is not history yet."""
    await kept.accept(message("m1"), message("m2"), message("b1", user=BEN), message("m3"))
    await kept.write(Settle("m1", Answered(Reply("answer to m1"))), Settle("b1", Answered(Reply("for Ben"))))
    await kept.accept(message("m4"))
    await kept.write(Settle("m4", Ignored("a reaction")))
    await kept.write(Settle("m2", Answered(Reply("answer to m2"))))
    conversation = await kept.store.read_conversation(ANNA.id, limit=9)
    assert [(turn.role, turn.message_id, turn.text) for turn in conversation.turns] == [
        ("user", "m1", "text of m1"),
        ("user", "m2", "text of m2"),
        ("assistant", "m1", "answer to m1"),
        ("user", "m4", "text of m4"),
        ("assistant", "m2", "answer to m2"),
    ]
    sequences = [turn.sequence for turn in conversation.turns]
    assert sequences == sorted(set(sequences))
    assert conversation.superseded == ()


async def test_what_was_said_to_a_stop_is_part_of_the_history(kept: Kept) -> None:
    """Where it was said; each turn has the fate of its message, so that a planner can tell."""
    m1, m2, m3, m4 = await kept.accept(message("m1"), message("m2"), message("m3"), message("m4"))
    await kept.write(
        Settle("m1", Stopped("Stopped. Already done: a table.")),
        Settle("m2", Stopped()),
        Settle("m3", Merged("m4")),
        Settle("m4", Answered(Reply("4"))),
    )
    stopped, *_, answered = turns = (await kept.store.read_conversation(ANNA.id, limit=9)).turns
    told = turns[4]
    assert (stopped, turns[1], turns[2], turns[3]) == (
        Turn(role="user", text=m1.text, message_id="m1", sequence=m1.sequence, fate="stopped"),
        Turn(role="user", text=m2.text, message_id="m2", sequence=m2.sequence, fate="stopped"),
        Turn(role="user", text=m3.text, message_id="m3", sequence=m3.sequence, fate="merged"),
        Turn(role="user", text=m4.text, message_id="m4", sequence=m4.sequence, fate="answered"),
    )
    assert [(turn.role, turn.text, turn.message_id, turn.fate) for turn in (told, answered)] == [
        ("assistant", "Stopped. Already done: a table.", "m1", "stopped"),
        ("assistant", "4", "m4", "answered"),
    ]


@pytest.mark.parametrize("limit", range(1, 7))
async def test_the_history_is_cut_at_its_old_end(kept: Kept, limit: int) -> None:
    """`limit` counts turns, the messages and the answers alike."""
    await kept.accept(message("m1"))
    await kept.write(Settle("m1", Answered(Reply("1"))))
    await kept.accept(message("m2"), message("m3"), message("waits"))
    await kept.write(Settle("m3", Answered(Reply("3"))), Settle("m2", Superseded("m3")))
    conversation = await kept.store.read_conversation(ANNA.id, limit=limit)
    everything = [("user", "m1"), ("assistant", "m1"), ("user", "m2"), ("user", "m3"), ("assistant", "m3")]
    assert [(turn.role, turn.message_id) for turn in conversation.turns] == everything[-limit:]
    # What was superseded is shown with its request, or not at all.
    assert [each.message.id for each in conversation.superseded] == (["m2"] if limit >= 3 else [])


@pytest.mark.parametrize("limit", range(1, 5))
async def test_a_late_answer_is_the_last_turn(request: pytest.FixtureRequest, kept: Kept, limit: int) -> None:
    """However many messages were settled between a message and its answer."""
    await kept.accept(message("m1"), message("m2"), message("m3"))
    await kept.write(Settle("m2", Ignored("")), Settle("m3", Ignored("")))
    await kept.write(Settle("m1", Answered(Reply("1"))))
    conversation = await kept.store.read_conversation(ANNA.id, limit=limit)
    everything = [("user", "m1"), ("user", "m2"), ("user", "m3"), ("assistant", "m1")]
    assert [(turn.role, turn.message_id) for turn in conversation.turns] == everything[-limit:]


async def test_what_an_interrupted_operation_finished_is_kept(kept: Kept) -> None:
    """P7: its request and its outcomes, as they were recorded; oldest first."""
    first = await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", ["18:00", {"é": None}]),)))
    await kept.write(Interrupt(operation_id="o1", by="m2"))
    await kept.write(
        End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND), Settle("m1", Superseded("m2"))
    )
    second, third = await kept.accept(message("m2"), message("m3"))
    await kept.write(Settle("m3", Answered(Reply("3"))), Settle("m2", Superseded("m3")))
    conversation = await kept.store.read_conversation(ANNA.id, limit=9)
    assert conversation.superseded == (
        SupersededRecord(
            message=first,
            burst=(first,),
            calls=(
                CallRecord(
                    call=LOOK,
                    round=0,
                    intended_at=SECOND,
                    outcome=succeeded("a", ["18:00", {"é": None}]),
                ),
                CallRecord(
                    call=BOOK,
                    round=0,
                    outcome=Outcome(call_id="b", tool="book", status=Status.SKIPPED),
                ),
            ),
        ),
        # It never began.
        SupersededRecord(message=second),
    )
    assert [turn.message_id for turn in conversation.turns] == ["m1", "m2", "m3", "m3"]
    assert third.id == "m3"


async def test_a_superseded_operation_is_shown_as_far_as_it_is_recorded(kept: Kept) -> None:
    """Should its end not be recorded yet."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", 1),)))
    await kept.write(Settle("m1", Superseded("m2")))
    (superseded,) = (await kept.store.read_conversation(ANNA.id, limit=9)).superseded
    assert superseded.calls == (
        CallRecord(call=LOOK, round=0, outcome=succeeded("a", 1)),
        CallRecord(call=BOOK, round=0),
    )


@pytest.mark.parametrize("limit", [9, 2])
async def test_a_superseded_burst_is_one_request(kept: Kept, limit: int) -> None:
    """It is shown once, with all its messages, whatever the fate of the older ones; or not at all."""
    m1, m2, m3 = await kept.accept(message("m1"), message("m2"), message("m3", timestamp=SECOND - 1))
    await kept.write(Begin(operation_id="o1", message=m2, at=SECOND, burst=("m1", "m2", "m3")))
    await kept.write(Planned(operation_id="o1", round=0, calls=(LOOK,)), Settle("m1", Merged("m2")))
    await kept.accept(message("m4"))
    await kept.write(
        Interrupt(operation_id="o1", by="m4"),
        End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND),
        Settle("m2", Superseded("m4")),
        Settle("m3", Superseded("m4")),
        Settle("m4", Answered(Reply("4"))),
    )
    skipped = Outcome(call_id="a", tool="look", status=Status.SKIPPED)
    request = SupersededRecord(
        message=m2, burst=(m3, m1, m2), calls=(CallRecord(call=LOOK, round=0, outcome=skipped),)
    )
    conversation = await kept.store.read_conversation(ANNA.id, limit=limit)
    assert conversation.superseded == ((request,) if limit == 9 else ())


async def test_what_joined_a_request_is_superseded_with_it(kept: Kept) -> None:
    """It stands in the record of the message that the operation began for."""
    m1 = await kept.begin("o1", message("m1"), LOOK)
    (m2,) = await kept.accept(message("m2"))
    await kept.write(
        Planned(operation_id="o1", round=1, calls=(), joined=("m2",)),
        Settle("m2", Merged("m1")),
        Settle("m1", Superseded("m3")),
    )
    (request,) = (await kept.store.read_conversation(ANNA.id, limit=9)).superseded
    assert (request.message, request.burst) == (m1, (m1, m2))


# Values -------------------------------------------------------------------------------------------

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**64 - 1,
    0.1,
    1.0,
    -1e300,
    "",
    "null",
    "Ünïcödé 漢字 עברית \u202e 👩‍👩‍👧‍👦 \u0301 \U0010ffff",
    "quotes ' \" ; -- \\ % and\r\n\tlines",
    "\ufeff \u2028 \x1f \x7f",
    [],
    {},
    [[], [None], {"": ""}],
    {"$ref": ["a", []], "$literal": {"$literal": 1}, "ключ": [1.5, True, None, "x"]},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_values_of_every_kind_come_back_as_they_went_in(kept: Kept, value: Any) -> None:
    """As an argument and as an outcome; equality takes 1 for true and 1.0 for 1, so their forms too."""
    call = Call("a", "look", {"value": value, "ref": Ref("z", "k", 0, default=value)})
    await kept.begin("o1", message("m1"), call)
    outcome = Outcome(
        call_id="a", tool="look", status=Status.SUCCEEDED, raw=value, value_lost=True, reused=True
    )
    await kept.write(Happened(operation_id="o1", outcomes=(outcome,)))
    record = (await kept.calls("o1"))["a"]
    assert (record.call, record.outcome) == (call, outcome)
    assert repr(record.call.args) == repr(call.args)
    assert record.outcome is not None
    assert repr(record.outcome.raw) == repr(value)


TEXTS = [value for value in VALUES if isinstance(value, str)]


@pytest.mark.parametrize("text", [*TEXTS, "x" * 100_000], ids=lambda text: ascii(text[:20]))
async def test_texts_of_every_kind_come_back_as_they_went_in(kept: Kept, text: str) -> None:
    """Messages, replies, rows and errors; a user's name is a text as well."""
    user = User(text)
    (accepted,) = await kept.accept(Message(id=f"m{text}", user=user, text=text, timestamp=SECOND))
    (queued,) = (
        await kept.write(
            Settle(f"m{text}", Answered(Reply(text))), Queue(attrs.evolve(row("r1"), user=user, text=text))
        )
    ).queued
    await kept.write(Mark(row_id="r1", state=SendState.PENDING, attempts=1, error=text))
    assert (accepted.text, accepted.user) == (text, user)
    assert await kept.store.read_unsent(9) == (attrs.evolve(queued, attempts=1, error=text),)
    assert await kept.store.read_fate(f"m{text}") == Answered(Reply(text))
    conversation = await kept.store.read_conversation(text, limit=9)
    assert [turn.text for turn in conversation.turns] == [text, text]


# Writes -------------------------------------------------------------------------------------------


def a_message_and_its_fate(id: str) -> Sequence[Change]:
    return Accept(message=message(id), at=SECOND), Settle(id, Stopped())


async def test_the_changes_of_a_write_are_applied_in_order(kept: Kept) -> None:
    """Rule 1: a later one may stand on an earlier one, and all are heard of at once."""
    committed = await kept.write(
        *a_message_and_its_fate("m1"), Accept(message=message("m2"), at=SECOND), Settle("m1", Ignored(""))
    )
    assert [each.message.id for each in committed.accepted] == ["m1", "m2"]
    assert [each.fate for each in committed.settled] == [Stopped()]


async def test_a_write_without_changes_is_a_write(kept: Kept) -> None:
    """It brings nothing."""
    await kept.store.write(())
    assert set(kept.heard) <= {Committed()}


async def test_a_write_is_handed_over_at_once(kept: Kept) -> None:
    """Rule 2, P8: who is cancelled already has still written, and so it is heard of."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await kept.store.write(a_message_and_its_fate("m1"))
    assert scope.cancelled_caught
    # Whatever was handed over before is committed before.
    await kept.store.write(a_message_and_its_fate("m2"))
    assert [accepted.message.id for heard in kept.heard for accepted in heard.accepted] == ["m1", "m2"]
    assert await kept.store.read_fate("m1") == Stopped()


async def test_writes_are_committed_and_heard_in_the_order_of_their_calls(kept: Kept) -> None:
    """Rules 1 and 3: whoever waits for them, and whoever no longer does."""
    order: list[str] = []

    async def write(id: str) -> None:
        order.append(id)
        await kept.store.write(a_message_and_its_fate(id))

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(write, f"m{number}")
    heard = [accepted.message for committed in kept.heard for accepted in committed.accepted]
    assert [accepted.id for accepted in heard] == order
    assert sorted(heard, key=lambda accepted: accepted.sequence) == heard
    assert len(kept.heard) == 300


async def test_the_listener_hears_before_the_writer_goes_on(closed: Store) -> None:
    """Rule 3: and in the engine's thread, as a step of its own."""
    trail: list[str] = []

    def listen(committed: Committed) -> None:
        trio.lowlevel.current_trio_token()  # raises in any other thread
        trail.append(f"heard {committed.accepted[0].message.id}")

    async with closed.open(listen):
        for id in ("m1", "m2"):
            await closed.write([Accept(message=message(id), at=SECOND)])
            trail.append(f"written {id}")
    assert trail == ["heard m1", "written m1", "heard m2", "written m2"]


# What cannot be written: the last change of a write whose first ones are good.
WRONG: dict[str, Change] = {
    "a message that is none": Accept(message=None, at=SECOND),  # type: ignore[arg-type]
    "an operation for a message that never came": Begin(operation_id="o9", message=message("m9"), at=SECOND),
    "an operation begun twice": Begin(operation_id="o1", message=message("m0"), at=SECOND),
    "an operation for a burst that never came": Begin(
        operation_id="o9", message=message("m0"), at=SECOND, burst=("m0", "m9")
    ),
    "a message that never came joins": Planned(operation_id="o1", round=1, calls=(), joined=("m9",)),
    "a call planned twice": Planned(operation_id="o1", round=1, calls=(LOOK,)),
    "half an emoji": Accept(message=message("\ud83c", "half"), at=SECOND),
    "a value that is no JSON": Happened(operation_id="o1", outcomes=(succeeded("a", object()),)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_write_that_is_refused_leaves_nothing_of_itself(
    request: pytest.FixtureRequest, kept: Kept, wrong: Change
) -> None:
    """Rule 1: all or nothing, also when the bug is ours; those around it are written."""
    accepted = await kept.begin("o1", message("m0"), LOOK)
    del kept.heard[:]
    refused: list[StoreError] = []

    async def write(changes: Sequence[Change]) -> None:
        try:
            await kept.store.write(changes)
        except StoreError as error:
            refused.append(error)

    bad = (
        *a_message_and_its_fate("bad"),
        Settle("m0", Stopped()),
        Queue(row("r1")),
        Interrupt(operation_id="o1", by="bad", acknowledgement=row("k1", ACKNOWLEDGEMENT)),
        End(operation_id="o1", phase=Phase.INTERRUPTED, at=SECOND),
        wrong,
    )
    async with trio.open_nursery() as nursery:
        for changes in ([*a_message_and_its_fate("m1")], bad, [*a_message_and_its_fate("m2")]):
            nursery.start_soon(write, changes)
    assert len(refused) == 1
    assert not isinstance(refused[0], StoreUnavailable)  # to try it again would not help
    heard = {accepted.message.id for committed in kept.heard for accepted in committed.accepted}
    assert heard == {"m1", "m2"}
    assert await kept.store.read_unsent(9) == ()
    assert await kept.store.read_depths() == Depths(inbox=1, outbox=0)
    assert await kept.store.read_fate("bad") is None
    operation = await kept.operation("o1")
    assert (operation.message, operation.phase, operation.interrupted_by, operation.ended_at) == (
        accepted,
        Phase.AT_BOUNDARY,
        None,
        None,
    )
    # What was refused can be written once it is right.
    assert [each.id for each in await kept.accept(message("bad"))] == ["bad"]


@pytest.mark.parametrize(
    "change",
    [
        Settle("m9", Stopped()),
        Mark(row_id="r9", state=SendState.SENT, attempts=1),
        reported("r9", Delivery.SENT),
        Resume("o9"),
        Suspend("o9"),
        End(operation_id="o9", phase=Phase.FAILED, at=SECOND),
        Intended(operation_id="o9", call_ids=("a",), at=SECOND),
        Happened(operation_id="o9", outcomes=(succeeded("a"),)),
        Interrupt(operation_id="o9", by="m2", acknowledgement=row("k1", ACKNOWLEDGEMENT)),
        UndoIntended(operation_id="o9", call_id="a", at=SECOND),
        Undone(operation_id="o9", call_id="a", status=UndoStatus.UNDONE),
    ],
    ids=lambda change: type(change).__name__,
)
async def test_a_change_of_what_is_not_there_changes_nothing(
    request: pytest.FixtureRequest, kept: Kept, change: Change
) -> None:
    """Such a write is either refused as a bug or has no effect, the same in every store."""
    assert await kept.write(change) == Committed()
    assert await kept.store.read_depths() == Depths(inbox=0, outbox=0)


async def test_a_listener_that_breaks_does_not_break_the_store(
    request: pytest.FixtureRequest, closed: Store
) -> None:
    """The write is done, whoever stumbled over it: to raise would say that it was not."""

    def listen(committed: Committed) -> None:
        raise RuntimeError("a bug in the engine")

    async with closed.open(listen):
        await closed.write([Accept(message=message("m1"), at=SECOND)])
        await closed.write([Settle("m1", Stopped())])
        assert await closed.read_fate("m1") == Stopped()


# Opening and closing ------------------------------------------------------------------------------


async def test_nothing_is_written_before_it_is_open_and_after_it_is_closed(closed: Store) -> None:
    """The caller is told, instead of waiting for ever."""
    heard: list[Committed] = []
    with pytest.raises(StoreUnavailable, match="closed"):
        await closed.write(a_message_and_its_fate("m0"))
    async with closed.open(heard.append):
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await closed.write(a_message_and_its_fate("m1"))
    assert heard == []


async def test_what_was_handed_over_is_written_before_it_is_closed(closed: Store) -> None:
    """And heard of, although nobody waits for it any more."""
    heard: list[Committed] = []
    async with closed.open(heard.append):
        with trio.CancelScope() as scope:
            scope.cancel()
            await closed.write(a_message_and_its_fate("m1"))
    assert [accepted.message.id for committed in heard for accepted in committed.accepted] == ["m1"]


async def test_what_an_earlier_engine_wrote_is_still_there(closed: Store) -> None:
    """P14 begins here: everything that reads give back, and the order of the inbox."""
    kept = Kept(closed)
    async with closed.open(kept.heard.append):
        first = await kept.begin("o1", message("m1"), LOOK, BOOK)
        await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
        await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", {"x": [1.5]}),)))
        await kept.write(
            Interrupt(operation_id="o1", by="m2", undo=True, acknowledgement=row("k1", ACKNOWLEDGEMENT)),
            Undone(operation_id="o1", call_id="a", status=UndoStatus.FAILED, error="x"),
            Settle("m1", Superseded("m2")),
        )
        before = (
            await closed.read_conversation(ANNA.id, limit=9),
            await closed.read_operation("o1"),
            await closed.read_fate("m1"),
            await closed.read_unsent(9),
            await closed.read_depths(),
        )
    async with closed.open(kept.heard.append):
        assert before == (
            await closed.read_conversation(ANNA.id, limit=9),
            await closed.read_operation("o1"),
            await closed.read_fate("m1"),
            await closed.read_unsent(9),
            await closed.read_depths(),
        )
        assert await kept.accept(message("m1")) == ()
        (late,) = (await kept.write(Accept(message=message("m3", timestamp=SECOND - 1), at=SECOND))).accepted
        assert (late.newest, late.message.sequence > first.sequence) == ("m1", True)


async def test_what_an_earlier_engine_left_is_still_there(closed: Store) -> None:
    """P14: its operation with its crashes, what waits, what is unsent, and what was reported of it."""
    kept = Kept(closed)
    async with closed.open(kept.heard.append):
        m1 = await kept.begin("o1", message("m1"), LOOK)
        await kept.begin("o0", message("m0"))
        await kept.write(Interrupt(operation_id="o0", by="m2"))
        await kept.write(
            End(operation_id="o0", phase=Phase.INTERRUPTED, at=SECOND), Settle("m0", Superseded("m2"))
        )
        (m2,) = await kept.accept(message("m2", timestamp=SECOND - 1))
        await kept.write(Resume("o1"), Resume("o1"), Intended(operation_id="o1", call_ids=("a",), at=SECOND))
        await kept.write(Interrupt(operation_id="o1", by="", reason=Reason.DEADLINE, undo=True))
        await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENDING, attempts=1))
        await kept.write(Queue(row("r2")), Mark(row_id="r2", state=SendState.SENT, attempts=1))
        await kept.write(reported("r2", Delivery.READ, "wamid.2"))
    async with closed.open(kept.heard.append):
        o1 = UnfinishedOperation(
            operation_id="o1",
            message=m1,
            burst=(m1,),
            phase=Phase.IN_WAVE,
            interrupted_by="",
            reason=Reason.DEADLINE,
            undo=True,
        )
        waiting = (attrs.evolve(heard(m2, newest="m0"), interruptions=1),)
        assert await closed.read_unfinished() == (
            Unfinished(operations=(o1,), waiting=waiting, interruptions=1),
        )
        assert (await kept.operation("o1")).crashes == 2
        assert [(each.id, each.state) for each in await closed.read_unsent(9)] == [("r1", SendState.SENDING)]
        assert await kept.write(reported("r2", Delivery.DELIVERED)) == Committed()
        (news,) = (await kept.write(reported("r2", Delivery.FAILED))).reported
        assert (news.row.delivery, news.row.provider_id) == (Delivery.READ, "wamid.2")


async def test_a_store_that_is_open_can_be_checked(kept: Kept) -> None:
    """It writes something harmless: nothing that anybody could read."""
    await kept.accept(message("m1"))
    await kept.store.check()
    assert await kept.store.read_depths() == Depths(inbox=1, outbox=0)
    assert [heard for heard in kept.heard if heard != Committed()] == kept.heard[:1]


async def test_a_store_that_is_closed_fails_its_check(request: pytest.FixtureRequest, closed: Store) -> None:
    """It could not write."""
    with pytest.raises(StoreUnavailable, match="closed"):
        await closed.check()


async def test_an_acknowledgement_that_failed_after_the_reply_is_dropped(kept: Kept) -> None:
    """P9: it was on its way when the reply came, and did not arrive; another kind of row is tried again."""
    await kept.write(Queue(row("k1", ACKNOWLEDGEMENT, operation_id="o1")), Queue(row("n1", NOTE)))
    for id in ("k1", "n1"):
        await kept.write(Mark(row_id=id, state=SendState.SENDING, attempts=1))
    await kept.write(Queue(row("r1")))
    dropped = [
        (await kept.write(Mark(row_id=id, state=SendState.PENDING, attempts=1, error="down"))).dropped
        for id in ("k1", "n1")
    ]
    assert [[each.id for each in rows] for rows in dropped] == [["k1"], []]
    await kept.write(Mark(row_id="k1", state=SendState.PENDING, attempts=1))
    assert [each.id for each in await kept.store.read_unsent(99)] == ["n1", "r1"]


async def test_a_stop_drops_the_acknowledgement_of_what_is_not_coming(kept: Kept) -> None:
    """It was kept back, and would speak of a switch to what was just stopped."""
    await kept.accept(message("m1"))
    await kept.write(Queue(row("k1", ACKNOWLEDGEMENT, operation_id="o1")))
    assert [each.id for each in (await kept.write(Settle("m1", Stopped()))).dropped] == ["k1"]
