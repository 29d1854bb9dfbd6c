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
from engine.model import OutboxRow, OutgoingKind, SendState
from engine.phases import ENDED, Phase
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
        Committed(accepted=(Accepted(message=first), Accepted(message=second))),
        Committed(accepted=(Accepted(message=third),)),
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


# An operation -------------------------------------------------------------------------------------


async def test_an_operation_is_recorded_from_its_beginning(kept: Kept) -> None:
    """Under its own id, with its message; the listener has nothing to hear of it."""
    accepted = await kept.begin("o1", message("m1"))
    assert kept.heard[1:] == [Committed()]
    assert await kept.operation("o1") == OperationRecord(
        operation_id="o1",
        message=accepted,
        phase=Phase.PLANNING,
        interrupted_by=None,
        started_at=SECOND + 0.5,
        ended_at=None,
        calls=(),
    )
    assert await kept.store.read_operation("o2") is None
    assert await kept.store.read_fate("m1") is None


async def test_plans_are_kept_in_order_with_their_round(kept: Kept) -> None:
    """Each call as it was planned, its references too; those of an adaptation stand behind them."""
    await kept.begin("o1", message("m1"), BOOK, LOOK)
    await kept.write(Planned(operation_id="o1", round=1, calls=(Call("0", "look"),)))
    operation = await kept.operation("o1")
    assert operation.phase is Phase.AT_BOUNDARY
    assert operation.calls == (
        CallRecord(call=BOOK, round=0, intended=False, outcome=None),
        CallRecord(call=LOOK, round=0, intended=False, outcome=None),
        CallRecord(call=Call("0", "look"), round=1, intended=False, outcome=None),
    )


async def test_calls_of_one_operation_are_not_those_of_another(kept: Kept) -> None:
    """Rule 4: every write names its operation, and call ids are only unique within one."""
    await kept.begin("o1", message("m1"), LOOK)
    await kept.begin("o2", message("m2"), LOOK)
    await kept.write(Intended(operation_id="o2", call_ids=("a",), at=SECOND))
    await kept.write(Happened(operation_id="o2", outcomes=(succeeded("a", 5),)))
    assert await kept.calls("o1") == {"a": CallRecord(call=LOOK, round=0, intended=False, outcome=None)}
    assert await kept.calls("o2") == {
        "a": CallRecord(call=LOOK, round=0, intended=True, outcome=succeeded("a", 5))
    }


async def test_the_intent_is_recorded_before_the_act(kept: Kept) -> None:
    """P6: what was started and has no outcome can be told from what was not."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Intended(operation_id="o1", call_ids=("a",), at=SECOND))
    operation = await kept.operation("o1")
    assert operation.phase is Phase.IN_WAVE
    assert [(record.call.id, record.intended, record.outcome) for record in operation.calls] == [
        ("a", True, None),
        ("b", False, None),
    ]


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
    o1 = UnfinishedOperation(operation_id="o1", message=m1, phase=Phase.IN_WAVE, interrupted_by="m2")
    o4 = UnfinishedOperation(operation_id="o4", message=m4, phase=Phase.PLANNING, interrupted_by=None)
    assert await kept.store.read_unfinished() == (
        Unfinished(waiting=(Accepted(message=m0), Accepted(message=m3))),
        Unfinished(operations=(o1,), waiting=(Accepted(message=m2), Accepted(message=m5))),
        Unfinished(operations=(o4,)),
    )


async def test_operations_are_left_in_the_order_of_their_messages(kept: Kept) -> None:
    """Not in that of their beginnings, should one user have had two."""
    first, waits, second = await kept.accept(message("m1"), message("m2"), message("m3"))
    for operation_id, begun in (("a", second), ("b", first)):
        await kept.write(Begin(operation_id=operation_id, message=begun, at=SECOND))
    (left,) = await kept.store.read_unfinished()
    assert [each.operation_id for each in left.operations] == ["b", "a"]
    assert left.waiting == (Accepted(message=waits),)


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
    assert await kept.store.read_unfinished() == (Unfinished(waiting=(Accepted(message=accepted),)),)
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

FATES: list[Fate] = [
    Answered(Reply("Booked: 18:00 🎉\n\tsee you")),
    Superseded("m2"),
    Merged("m0"),
    Rejected("too many"),
    Stopped(),
    Ignored("a reaction"),
    Failed("ValueError: x"),
]


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
        [fate.message] if isinstance(fate, Answered) else []
    )


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
            outcomes=(
                succeeded("a", ["18:00", {"é": None}]),
                Outcome(call_id="b", tool="book", status=Status.SKIPPED),
            ),
        ),
        # It never began.
        SupersededRecord(message=second, outcomes=()),
    )
    assert [turn.message_id for turn in conversation.turns] == ["m1", "m2", "m3", "m3"]
    assert third.id == "m3"


async def test_only_what_has_an_outcome_is_shown_of_a_superseded_operation(kept: Kept) -> None:
    """Should its end not be recorded yet."""
    await kept.begin("o1", message("m1"), LOOK, BOOK)
    await kept.write(Happened(operation_id="o1", outcomes=(succeeded("a", 1),)))
    await kept.write(Settle("m1", Superseded("m2")))
    (superseded,) = (await kept.store.read_conversation(ANNA.id, limit=9)).superseded
    assert superseded.outcomes == (succeeded("a", 1),)


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
    outcome = Outcome(call_id="a", tool="look", status=Status.SUCCEEDED, raw=value, value_lost=True)
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
            Interrupt(operation_id="o1", by="m2", acknowledgement=row("k1", ACKNOWLEDGEMENT)),
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
        (m2,) = await kept.accept(message("m2", timestamp=SECOND - 1))
        await kept.write(Resume("o1"), Resume("o1"), Intended(operation_id="o1", call_ids=("a",), at=SECOND))
        await kept.write(Queue(row("r1")), Mark(row_id="r1", state=SendState.SENDING, attempts=1))
        await kept.write(Queue(row("r2")), Mark(row_id="r2", state=SendState.SENT, attempts=1))
        await kept.write(reported("r2", Delivery.READ, "wamid.2"))
    async with closed.open(kept.heard.append):
        o1 = UnfinishedOperation(operation_id="o1", message=m1, phase=Phase.IN_WAVE, interrupted_by=None)
        assert await closed.read_unfinished() == (
            Unfinished(operations=(o1,), waiting=(Accepted(message=m2, newest="m1"),)),
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
