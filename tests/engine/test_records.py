"""Records: shielded, bounded, tried again for a while; and what an operator hears of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import Ignored, Limits, Message, Stopped, StoreError, StoreFailed, StoreUnavailable, User
from engine.events import Event, Events
from engine.model import Turn
from engine.records import Records
from engine.store import Accept, Change, Conversation, Settle
from engine.testing import UnreliableStore

ANNA = User("15551234567")
MESSAGE = Accept(message=Message(id="m1", user=ANNA, text="Hello", timestamp=1), at=1)
TOO_LONG = "the store did not answer for 30 s (record_seconds_max)"
FULL = "the disk is full"


class WatchedStore(UnreliableStore):
    """An unreliable store that notes when it is asked; its reads are refused or slow like its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        self.asked.append(trio.current_time())
        await super().write(changes)

    async def read_conversation(self, user_id: str, *, limit: int) -> Conversation:
        """See `Store.read_conversation`."""
        self.asked.append(trio.current_time())
        await trio.sleep(self.seconds)
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("the disk is full")
        return await super().read_conversation(user_id, limit=limit)


@attrs.define(eq=False)
class Recorded:
    """Records on a store that is open, and the events they emitted, with their times."""

    records: Records
    store: WatchedStore
    told: list[tuple[float, str]] = attrs.field(factory=list)

    def hear(self, event: Event) -> None:
        """A hook."""
        assert isinstance(event, StoreFailed)
        self.told.append((trio.current_time(), event.error))

    async def fate(self) -> str | None:
        """What stands in the store of the message by now."""
        fate = await self.store.read_fate("m1")
        return fate.name if fate else None


@pytest.fixture
async def recorded() -> AsyncIterator[Recorded]:
    """One message is accepted already; the mock clock, which each test asks for, stands at zero."""
    store, events = WatchedStore(), Events()
    recorded = Recorded(Records(store, events, Limits()), store)
    events.subscribe(recorded.hear)
    async with store.open(lambda committed: None):
        await store.write([MESSAGE])
        store.asked.clear()
        yield recorded


Way = Callable[..., Awaitable[None]]


# Each way to record something.
async def by_write(records: Records, *changes: Change) -> None:
    await records.write(*changes)


async def by_write_once(records: Records, *changes: Change) -> None:
    await records.write_once(*changes)


async def by_offer(records: Records, *changes: Change) -> None:
    assert await records.offer(*changes)


every_way = pytest.mark.parametrize("record", [by_write, by_write_once, by_offer])
shielded_ways = pytest.mark.parametrize("record", [by_write, by_write_once])


@every_way
async def test_what_the_store_takes_is_written_once_and_said_nothing_of(
    autojump_clock: MockClock, recorded: Recorded, record: Way
) -> None:
    """All changes in one write, in their order: the first fate stands."""
    await record(recorded.records, Settle("m1", Stopped()), Settle("m1", Ignored("")))
    assert await recorded.fate() == "stopped"
    assert (recorded.store.asked, recorded.told) == ([0], [])


@every_way
async def test_a_record_is_handed_over_before_the_first_checkpoint(
    autojump_clock: MockClock, recorded: Recorded, record: Way
) -> None:
    """P8: nothing can come between the check for an interruption and the handing over."""
    order: list[str] = []
    write = recorded.store.write

    async def watched(changes: Sequence[Change]) -> None:
        order.append("handed over")
        await write(changes)

    recorded.store.write = watched  # type: ignore[method-assign]

    async def interrupt() -> None:
        order.append("interrupt")

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(interrupt)
        await record(recorded.records, Settle("m1", Stopped()))
    assert order == ["handed over"] + ["interrupt"] * 8


# Shielded -----------------------------------------------------------------------------------------


@shielded_ways
@pytest.mark.parametrize("seconds", [0, 1])
async def test_a_record_is_shielded(
    autojump_clock: MockClock, recorded: Recorded, record: Way, seconds: float
) -> None:
    """Rule 1: whoever cancels, before or meanwhile, hears of it only after the record."""
    recorded.store.seconds = 2
    with trio.move_on_after(seconds) as scope:
        await record(recorded.records, Settle("m1", Stopped()))
        assert scope.cancel_called
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert (trio.current_time(), await recorded.fate()) == (2, "stopped")


async def test_trying_again_is_shielded(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Rule 1: the pauses between the attempts as well."""
    recorded.store.refusals = 4
    with trio.CancelScope() as scope:
        scope.cancel()
        await recorded.records.write(Settle("m1", Stopped()))
    assert not scope.cancelled_caught
    assert await recorded.fate() == "stopped"


async def test_an_offer_is_not_shielded(autojump_clock: MockClock, recorded: Recorded) -> None:
    """What can also be lost holds nobody up: who cancels goes on at once."""
    recorded.store.seconds = 10
    with trio.move_on_after(3) as scope:
        await recorded.records.offer(Settle("m1", Stopped()))
    assert scope.cancelled_caught
    assert (trio.current_time(), recorded.told) == (3, [])
    # What the store had in hand it still writes.
    await trio.sleep(7.5)
    assert await recorded.fate() == "stopped"


# Tried again --------------------------------------------------------------------------------------


async def test_a_write_is_tried_again_until_it_is_taken(
    autojump_clock: MockClock, recorded: Recorded
) -> None:
    """At once, then with pauses that double up to two seconds; an operator hears of the first failure."""
    recorded.store.refusals = 8
    await recorded.records.write(Settle("m1", Stopped()))
    assert await recorded.fate() == "stopped"
    assert recorded.store.asked == [0, 0, 0.125, 0.375, 0.875, 1.875, 3.875, 5.875, 7.875]
    assert recorded.told == [(0, FULL)]


async def test_every_failure_of_a_store_that_recovered_is_told(
    autojump_clock: MockClock, recorded: Recorded
) -> None:
    """Each write tells its own: one line an outage of one write, not one for all."""
    for _ in range(2):
        recorded.store.refusals = 1
        await recorded.records.write(Settle("m1", Stopped()))
    assert recorded.told == [(0, FULL)] * 2


async def test_a_write_is_not_tried_for_ever(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Rule 2: `record_seconds_max` bounds all attempts together."""
    recorded.store.refusals = -1
    with pytest.raises(StoreUnavailable) as refused:
        await recorded.records.write(Settle("m1", Stopped()))
    assert str(refused.value) == TOO_LONG
    assert trio.current_time() == 30
    assert recorded.store.asked[-1] == 29.875
    assert recorded.told == [(0, FULL), (30, TOO_LONG)]
    assert await recorded.fate() is None


async def test_slow_refusals_count_too(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Rule 2: the bound is on the time, not on the number of attempts."""
    recorded.store.refusals, recorded.store.seconds = -1, 20
    with pytest.raises(StoreUnavailable, match="did not answer for 30 s"):
        await recorded.records.write(Settle("m1", Stopped()))
    assert recorded.store.asked == [0, 20]
    assert recorded.told == [(20, FULL), (30, TOO_LONG)]


async def test_the_bound_is_the_limit(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Another `record_seconds_max` is another bound, and named as such."""
    records = attrs.evolve(recorded.records, limits=Limits(record_seconds_max=0.5))
    recorded.store.refusals = -1
    with pytest.raises(StoreUnavailable, match=r"for 0\.5 s \(record_seconds_max\)"):
        await records.write(Settle("m1", Stopped()))
    assert trio.current_time() == 0.5


@shielded_ways
async def test_a_store_that_hangs_is_given_up(
    autojump_clock: MockClock, recorded: Recorded, record: Way
) -> None:
    """Rule 2: the shield has an end; what the store has in hand may still be written."""
    recorded.store.seconds = 40
    with pytest.raises(StoreUnavailable) as refused:
        await record(recorded.records, Settle("m1", Stopped()))
    assert str(refused.value) == TOO_LONG
    assert (trio.current_time(), recorded.told) == (30, [(30, TOO_LONG)])
    await trio.sleep(10.5)
    assert (await recorded.fate(), recorded.store.asked) == ("stopped", [0])


async def test_what_is_written_once_is_not_tried_again(autojump_clock: MockClock, recorded: Recorded) -> None:
    """The caller knows better what to do than to wait."""
    recorded.store.refusals = 1
    with pytest.raises(StoreUnavailable, match=FULL):
        await recorded.records.write_once(Settle("m1", Stopped()))
    assert (recorded.store.asked, recorded.told) == ([0], [(0, FULL)])
    assert await recorded.fate() is None


async def test_an_offer_that_is_refused_is_lost(autojump_clock: MockClock, recorded: Recorded) -> None:
    """One attempt; nothing is raised, and an operator hears of it."""
    recorded.store.refusals = 1
    assert await recorded.records.offer(Settle("m1", Stopped())) is False
    assert (recorded.store.asked, recorded.told) == ([0], [(0, FULL)])
    assert await recorded.fate() is None


async def test_an_offer_is_bounded(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Rule 2 holds for it, too."""
    recorded.store.seconds = 40
    assert await recorded.records.offer(Settle("m1", Stopped())) is False
    assert (trio.current_time(), recorded.told) == (30, [(30, TOO_LONG)])


# Refused as a bug ---------------------------------------------------------------------------------


class RefusingStore(WatchedStore):
    """A store that answers every write with this error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def write(self, changes: Sequence[Change]) -> None:
        """See `Store.write`."""
        self.asked.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        raise self.error


@shielded_ways
async def test_a_write_that_is_refused_as_a_bug_is_not_tried_again(
    autojump_clock: MockClock, recorded: Recorded, record: Way
) -> None:
    """It would only be refused again; the store itself has not failed."""
    store = RefusingStore(StoreError("a write was refused: IntegrityError"))
    with pytest.raises(StoreError, match="IntegrityError"):
        await record(attrs.evolve(recorded.records, store=store), Settle("m1", Stopped()))
    assert (store.asked, recorded.told) == ([0], [])


async def test_a_later_attempt_that_is_refused_as_a_bug_is_the_last(
    autojump_clock: MockClock, recorded: Recorded
) -> None:
    """Each attempt is looked at on its own."""
    store = RefusingStore(StoreUnavailable("the disk is full"))
    records = attrs.evolve(recorded.records, store=store)

    async def mend() -> None:
        await trio.sleep(1)
        store.error = StoreError("a write was refused: IntegrityError")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mend)
        with pytest.raises(StoreError, match="IntegrityError"):
            await records.write(Settle("m1", Stopped()))
    assert (store.asked[-2:], recorded.told) == ([0.875, 1.875], [(0, FULL)])


async def test_an_offer_that_is_refused_as_a_bug_is_lost(
    autojump_clock: MockClock, recorded: Recorded
) -> None:
    """What can be lost breaks nothing."""
    store = RefusingStore(StoreError("a write was refused: IntegrityError"))
    records = attrs.evolve(recorded.records, store=store)
    assert await records.offer(Settle("m1", Stopped())) is False
    assert (store.asked, recorded.told) == ([0], [])


@every_way
async def test_what_a_store_does_not_raise_on_purpose_is_not_hidden(
    autojump_clock: MockClock, recorded: Recorded, record: Way
) -> None:
    """Not even by an offer."""
    store = RefusingStore(KeyError("m1"))
    with pytest.raises(KeyError, match="m1"):
        await record(attrs.evolve(recorded.records, store=store), Settle("m1", Stopped()))
    assert (store.asked, recorded.told) == ([0], [])


# Reads --------------------------------------------------------------------------------------------


async def test_the_history_has_a_limit(autojump_clock: MockClock, recorded: Recorded) -> None:
    """`history_messages_max`, the newest."""
    await recorded.records.write(
        Settle("m1", Stopped()),
        *(
            change
            for number in range(2, 5)
            for change in (
                attrs.evolve(MESSAGE, message=attrs.evolve(MESSAGE.message, id=f"m{number}")),
                Settle(f"m{number}", Stopped()),
            )
        ),
    )
    records = attrs.evolve(recorded.records, limits=Limits(history_messages_max=2))
    assert [turn.message_id for turn in (await records.read_conversation(ANNA.id)).turns] == ["m3", "m4"]


async def test_a_read_is_tried_again_until_it_is_answered(
    autojump_clock: MockClock, recorded: Recorded
) -> None:
    """Like a write, with the same pauses."""
    await recorded.records.write(Settle("m1", Stopped()))
    recorded.store.asked.clear()
    recorded.store.refusals = 3
    conversation = await recorded.records.read_conversation(ANNA.id)
    assert conversation.turns == (
        Turn(role="user", text="Hello", message_id="m1", sequence=1, fate="stopped"),
    )
    assert (recorded.store.asked, recorded.told) == ([0, 0, 0.125, 0.375], [(0, FULL)])


async def test_a_read_is_bounded(autojump_clock: MockClock, recorded: Recorded) -> None:
    """Rule 2."""
    recorded.store.refusals = -1
    with pytest.raises(StoreUnavailable, match="did not answer for 30 s"):
        await recorded.records.read_conversation(ANNA.id)
    assert (trio.current_time(), recorded.told) == (30, [(0, FULL), (30, TOO_LONG)])


@pytest.mark.parametrize("refusals", [0, -1])
async def test_a_read_may_be_cancelled(autojump_clock: MockClock, recorded: Recorded, refusals: int) -> None:
    """P3: planning is cut at once, while the store is slow and between the attempts alike."""
    recorded.store.refusals, recorded.store.seconds = refusals, 0.0 if refusals else 20.0
    with trio.move_on_after(3) as scope:
        await recorded.records.read_conversation(ANNA.id)
    assert scope.cancelled_caught
    assert trio.current_time() == 3
