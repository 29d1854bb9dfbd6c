"""Sending: in order for each user, patient with the service, one user's failures delaying nobody else."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import (
    Assistant,
    Delivery,
    DeliveryReport,
    Event,
    Limits,
    MemoryStore,
    OutboxRow,
    OutgoingKind,
    Plan,
    SendAmbiguous,
    SendBlocked,
    SendDelayed,
    SendError,
    SendRefused,
    SendState,
    User,
)
from engine.store import Mark, Queue
from engine.testing import RecordingOutbound, UnreliableStore, open_conversation, scripted_assistant

ANNA, BEN = "15551234567", "15557654321"


def echoing() -> Assistant:
    return scripted_assistant(Plan(), tools=[])


class PerUser(RecordingOutbound):
    """A way out that fails for one user only, and keeps when each text was taken."""

    def __init__(self, failing: str, failures: list[SendError]) -> None:
        super().__init__()
        self.failing, self.left = failing, failures
        self.taken: list[tuple[float, str]] = []

    async def __call__(self, outgoing):
        if isinstance(outgoing, OutboxRow):
            if outgoing.user.id == self.failing and self.left:
                raise self.left.pop(0)
            self.taken.append((trio.current_time(), outgoing.text))
        return await super().__call__(outgoing)


async def exchange(outbound, *pairs: tuple[str, str], seconds: float = 1000, **options):
    """Send these texts, one after the other; the outbox rows' events, in order."""
    told = []
    async with open_conversation(echoing(), outbound=outbound, **options) as conversation:
        conversation.engine.events.subscribe(told.append)
        for user_id, text in pairs:
            await conversation.engine.process_message(user_id, text)
        await trio.sleep(seconds)
        depths = await conversation.engine.read_depths()
    return told, depths.outbox


async def test_each_users_rows_go_out_in_order(autojump_clock: MockClock) -> None:
    """A row that has to wait holds back its own user's later rows, and nobody else's."""
    outbound = PerUser(ANNA, [SendDelayed("pair limit", 131056)] * 2)
    await exchange(outbound, (ANNA, "1"), (ANNA, "2"), (BEN, "3"))
    assert outbound.taken == [(0, "done: 3"), (1 + 4, "done: 1"), (1 + 4, "done: 2")]


async def test_the_services_trouble_holds_the_whole_number(autojump_clock: MockClock) -> None:
    """Backoff doubles; nobody's row is lost or counted as refused."""
    outbound = PerUser(ANNA, [SendDelayed("down", whole_number=True)] * 5)
    told, left = await exchange(outbound, (ANNA, "1"))
    assert outbound.taken == [(1 + 2 + 4 + 8 + 16, "done: 1")]
    assert left == 0
    waits = [event.wait_seconds for event in told if event.name == "outgoing_delayed"]
    assert waits == [1, 2, 4, 8, 16]


async def test_while_the_number_is_held_nobody_elses_row_is_tried(autojump_clock: MockClock) -> None:
    """A throughput limit is the number's: another user's row waits with it."""
    outbound = PerUser(ANNA, [SendDelayed("too fast", 130429, whole_number=True, wait_seconds=8)])
    await exchange(outbound, (ANNA, "1"), (BEN, "2"))
    assert sorted(outbound.taken) == [(8, "done: 1"), (8, "done: 2")]


async def test_a_request_that_waited_for_its_turn_respects_the_hold(autojump_clock: MockClock) -> None:
    """With one request at a time, the second begins after the first has failed: it must wait as well."""
    attempts = []

    async def out(outgoing):
        if isinstance(outgoing, OutboxRow):
            attempts.append((trio.current_time(), outgoing.text))
            await trio.sleep(1)
            if len(attempts) == 1:
                raise SendDelayed("too fast", 130429, whole_number=True, wait_seconds=8)
        return ""

    async with open_conversation(echoing(), outbound=out, limits=Limits(sends_max=1)) as conversation:
        await conversation.engine.process_message(ANNA, "1")
        await conversation.engine.process_message(BEN, "2")
        await trio.sleep(50)
    assert [at for at, _ in attempts] == [0, 9, 10]


async def test_the_providers_hint_is_kept(autojump_clock: MockClock) -> None:
    """Retry-After and the like."""
    outbound = PerUser(ANNA, [SendDelayed("slow down", whole_number=True, wait_seconds=90)])
    await exchange(outbound, (ANNA, "1"))
    assert outbound.taken == [(90, "done: 1")]


async def test_an_hour_without_a_service_costs_delay_and_nothing_else(autojump_clock: MockClock) -> None:
    """No session stays alive for it (P10), the pauses are bounded, every row arrives once."""
    outbound = RecordingOutbound()
    outbound.failures = [SendDelayed("down", whole_number=True)] * 20
    async with open_conversation(echoing(), outbound=outbound) as conversation:
        for number in range(10):
            await conversation.engine.process_message(f"1555000000{number}", str(number))
        await trio.sleep(1)
        assert conversation.engine.live_sessions == 0
        await trio.sleep(2 * 3600)
    assert sorted(outbound.texts) == [f"done: {number}" for number in range(10)]


async def test_a_refusal_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """Given up at once, with an event; the next row is sent."""
    outbound = PerUser(ANNA, [SendRefused("not on WhatsApp", 131026)])
    told, left = await exchange(outbound, (ANNA, "1"), (ANNA, "2"))
    assert outbound.texts == ["done: 2"]
    (given_up,) = [event for event in told if event.name == "outgoing_given_up"]
    assert (given_up.error, given_up.attempts) == ("not on WhatsApp (error 131026)", 1)
    assert left == 0


async def test_a_row_that_is_refused_for_too_long_is_given_up(autojump_clock: MockClock) -> None:
    """After send_attempts_max attempts, waiting 4^X seconds between them."""
    outbound = PerUser(ANNA, [SendDelayed("pair limit", 131056)] * 3)
    told, _ = await exchange(outbound, (ANNA, "1"), limits=Limits(send_attempts_max=3))
    assert outbound.taken == []
    assert [event.wait_seconds for event in told if event.name == "outgoing_delayed"] == [1, 4]
    assert [event.attempts for event in told if event.name == "outgoing_given_up"] == [3]


async def test_a_send_that_may_have_happened_is_made_once_more(autojump_clock: MockClock) -> None:
    """After settle_seconds, at most once; it never holds back later rows."""
    outbound = PerUser(ANNA, [SendAmbiguous("no answer")])
    told, left = await exchange(outbound, (ANNA, "1"), (ANNA, "2"))
    assert outbound.taken == [(0, "done: 2"), (30, "done: 1")]
    assert left == 0
    outbound = PerUser(ANNA, [SendAmbiguous("no answer")] * 2)
    told, left = await exchange(outbound, (ANNA, "1"))
    assert outbound.taken == []
    assert [event.error for event in told if event.name == "outgoing_given_up"] == ["no answer"]
    assert left == 0


async def test_a_token_that_does_not_work_is_an_alarm_and_no_dead_letter(autojump_clock: MockClock) -> None:
    """The number stops; it goes on when the operator has mended it."""
    outbound = PerUser(ANNA, [SendBlocked("token expired", 190)] * 2)
    told, left = await exchange(outbound, (ANNA, "1"))
    assert outbound.taken == [(600, "done: 1")]
    assert [event.error for event in told if event.name == "outgoing_blocked"] == [
        "token expired (error 190)"
    ] * 2
    assert left == 0


async def test_a_bug_in_the_way_out_is_tried_again_and_given_up_in_the_end(
    autojump_clock: MockClock,
) -> None:
    """Whatever it raises that is no SendError concerns this one message."""
    outbound = PerUser(ANNA, [RuntimeError("bug")] * 2)  # type: ignore[list-item]
    await exchange(outbound, (ANNA, "1"), (BEN, "2"))
    assert outbound.taken == [(0, "done: 2"), (5, "done: 1")]


async def test_requests_under_way_are_bounded(autojump_clock: MockClock) -> None:
    """sends_max at once, over all users."""
    under_way = []
    most = []

    async def out(outgoing):
        if isinstance(outgoing, OutboxRow):
            under_way.append(1)
            most.append(len(under_way))
            await trio.sleep(1)
            under_way.pop()
        return ""

    async with open_conversation(echoing(), outbound=out, limits=Limits(sends_max=3)) as conversation:
        for number in range(10):
            await conversation.engine.process_message(f"1555000000{number}", str(number))
        await trio.sleep(10)
    assert len(most) == 10
    assert max(most) == 3


async def test_nothing_is_sent_that_was_not_marked_first(autojump_clock: MockClock) -> None:
    """A row becomes `sending` durably before its request: a store that refuses delays it."""
    store = UnreliableStore()
    store.refusals, store.only = 2, (Mark,)
    outbound = PerUser("nobody", [])
    _, left = await exchange(outbound, (ANNA, "1"), store=store)
    assert outbound.taken == [(1, "done: 1")]
    assert left == 0


@pytest.mark.parametrize("kind", [SendRefused, SendDelayed, SendAmbiguous, SendBlocked])
async def test_the_engine_closes_while_something_waits_to_be_sent(
    autojump_clock: MockClock, kind: type[SendError]
) -> None:
    """The row stays in the store; the end is bounded."""
    store = UnreliableStore()
    outbound = RecordingOutbound()
    outbound.failures = [kind("not now")] * 50
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        await conversation.engine.process_message(ANNA, "1")
    assert trio.current_time() <= 5
    rows = await store.read_unsent(10)
    expected = {
        SendRefused: [],
        SendDelayed: ["pending"],
        SendAmbiguous: ["sending"],
        SendBlocked: ["pending"],
    }
    assert [row.state.value for row in rows] == expected[kind]


# The pace -----------------------------------------------------------------------------------------


async def test_one_users_pace_is_kept_by_waiting(autojump_clock: MockClock) -> None:
    """The pair limit is that user's: nobody else waits, and the line ends when it is paid back."""
    outbound = PerUser("", [])
    limits = Limits(pair_seconds=6, pair_burst_max=2)
    async with open_conversation(echoing(), outbound=outbound, limits=limits) as conversation:
        for text in "123":
            await conversation.engine.process_message(ANNA, text)
        await conversation.engine.process_message(BEN, "4")
        await trio.sleep(11)
        assert outbound.taken == [(0, "done: 1"), (0, "done: 2"), (0, "done: 4")]
        await trio.sleep(20)
        assert outbound.taken[3:] == [(12, "done: 3")]
        assert conversation.engine._outbox._lines == {}


async def test_the_numbers_throughput_is_kept_by_waiting(autojump_clock: MockClock) -> None:
    """Over all users; none of it is refused."""
    outbound = PerUser("", [])
    limits = Limits(sends_per_second_max=4)
    async with open_conversation(echoing(), outbound=outbound, limits=limits) as conversation:
        for number in range(6):
            await conversation.engine.process_message(f"1555000000{number}", str(number))
        await trio.sleep(10)
    assert [at for at, _ in outbound.taken] == [0, 0.25, 0.5, 0.75, 1, 1.25]


# What the provider reports ------------------------------------------------------------------------


async def report(
    conversation, delivery: str, error: SendError | None = None, *, provider_id: str = "sent-1"
) -> None:
    """The provider speaks of the first row."""
    row_id = conversation.row_id
    told = DeliveryReport(row_id=row_id, delivery=Delivery(delivery), provider_id=provider_id, error=error)
    await conversation.engine.receive((), [told])


@asynccontextmanager
async def reporting(outbound, **options):
    """A conversation that knows the id of its first row, and what was told of rows."""
    async with open_conversation(echoing(), outbound=outbound, **options) as conversation:
        told = []

        def hear(event) -> None:
            if event.name.startswith("outgoing_"):
                told.append(event)

        conversation.engine.events.subscribe(hear)
        await conversation.engine.process_message(ANNA, "1")
        yield SimpleNamespace(
            engine=conversation.engine, row_id=told[0].row_id, names=lambda: [event.name for event in told]
        )


async def test_a_report_settles_what_may_have_been_sent(autojump_clock: MockClock) -> None:
    """It was taken, whatever became of the request: it is not sent a second time."""
    outbound = PerUser(ANNA, [SendAmbiguous("timed out")])
    async with reporting(outbound) as conversation:
        await trio.sleep(1)
        await report(conversation, "sent")
        await trio.sleep(100)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert outbound.taken == []
    assert conversation.names() == [
        "outgoing_queued",
        "outgoing_delayed",
        "outgoing_reported",
        "outgoing_sent",
    ]


async def test_a_report_may_come_before_the_answer(autojump_clock: MockClock) -> None:
    """The request times out after it: there is nothing ambiguous any more."""

    async def out(outgoing):
        if isinstance(outgoing, OutboxRow):
            await trio.sleep(10)
            raise SendAmbiguous("timed out")
        return ""

    async with reporting(out) as conversation:
        await trio.sleep(1)
        await report(conversation, "delivered")
        await trio.sleep(100)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert conversation.names() == ["outgoing_queued", "outgoing_reported", "outgoing_sent"]


async def test_a_failure_after_a_success_goes_through_the_same_table(autojump_clock: MockClock) -> None:
    """Retryable: it is sent again, and later reports are of that request; otherwise it is given up."""
    outbound = PerUser("", [])
    async with reporting(outbound) as conversation:
        await trio.sleep(1)
        await report(conversation, "failed", SendDelayed("something went wrong", 131000))
        await trio.sleep(1.5)
        assert outbound.taken == [(0, "done: 1"), (2, "done: 1")]
        await report(conversation, "failed", SendDelayed("something went wrong", 131000))  # redelivered
        await report(conversation, "failed", SendRefused("no WhatsApp", 131026), provider_id="sent-2")
        await trio.sleep(100)
    assert len(outbound.taken) == 2
    assert conversation.names() == [
        "outgoing_queued",
        "outgoing_sent",
        "outgoing_reported",
        "outgoing_delayed",
        "outgoing_sent",
        "outgoing_reported",
        "outgoing_given_up",
    ]


async def test_a_failure_that_blocks_the_number_holds_it(autojump_clock: MockClock) -> None:
    """A policy is the operator's to mend: nothing is sent meanwhile, and the alarm is told."""
    outbound = PerUser("", [])
    async with reporting(outbound) as conversation:
        await trio.sleep(1)
        await report(conversation, "failed", SendBlocked("the account is locked", 131031))
        await conversation.engine.process_message(BEN, "2")
        await trio.sleep(200)
        assert outbound.taken == [(0, "done: 1")]
        await trio.sleep(200)
    assert sorted(outbound.taken[1:]) == [(301, "done: 1"), (301, "done: 2")]
    assert "outgoing_blocked" in conversation.names()


async def test_a_report_counts_while_the_letter_waits_for_its_turn(autojump_clock: MockClock) -> None:
    """It may have been sent, and the pace holds the second request back: the report makes it needless."""
    outbound = PerUser(ANNA, [SendAmbiguous("timed out")])
    limits = Limits(pair_seconds=6, pair_burst_max=1, settle_seconds=3)
    async with reporting(outbound, limits=limits) as conversation:
        await trio.sleep(4)
        await report(conversation, "delivered")
        await trio.sleep(100)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert outbound.taken == []


async def test_an_outage_does_not_count_against_a_message(autojump_clock: MockClock) -> None:
    """What concerns the whole number says nothing of this message: its own attempts are all left."""
    outbound = PerUser(ANNA, [SendDelayed("down", whole_number=True)] * 8 + [SendDelayed("pair", 131056)])
    _, left = await exchange(outbound, (ANNA, "1"))
    assert [text for _, text in outbound.taken] == ["done: 1"]
    assert left == 0


async def test_a_way_out_that_hangs_is_ambiguous(autojump_clock: MockClock) -> None:
    """It holds its place for `send_seconds_max`; others are sent meanwhile."""
    taken = []

    async def out(outgoing):
        if isinstance(outgoing, OutboxRow):
            if not taken and outgoing.user.id == ANNA:
                taken.append("hanging")
                await trio.sleep_forever()
            taken.append((trio.current_time(), outgoing.text))
        return ""

    await exchange(out, (ANNA, "1"), (BEN, "2"))
    assert taken == ["hanging", (0, "done: 2"), (60 + 30, "done: 1")]


async def test_a_way_out_that_hangs_has_sent_what_is_reported_of(autojump_clock: MockClock) -> None:
    """On its last request too: it is neither sent again nor given up."""

    async def out(outgoing):
        if isinstance(outgoing, OutboxRow):
            await trio.sleep_forever()
        return ""

    async with reporting(out) as conversation:
        await trio.sleep(60 + 30 + 1)
        await report(conversation, "delivered")
        await trio.sleep(500)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert conversation.names()[-2:] == ["outgoing_reported", "outgoing_sent"]


async def test_a_mark_that_is_refused_is_made_again(autojump_clock: MockClock) -> None:
    """What memory forgets the store must know: the row is sent, and found so after a restart."""
    store = UnreliableStore()

    async def out(outgoing):
        store.only, store.refusals = (Mark,), 3
        return "w1"

    _, left = await exchange(out, (ANNA, "1"), store=store)
    assert left == 0


async def test_a_row_whose_failure_was_not_judged_is_judged_after_a_crash(autojump_clock: MockClock) -> None:
    """The report was recorded, and the process died before it did anything about it."""
    store = MemoryStore()
    row = OutboxRow(id="r1", user=User(ANNA), kind=OutgoingKind.REPLY, text="1", state=SendState.FAILED)
    async with store.open(lambda committed: None):
        await store.write([Queue(attrs.evolve(row, attempts=1))])
    outbound = RecordingOutbound()
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        await trio.sleep(100)
        assert (await conversation.engine.read_depths()).outbox == 0
    assert outbound.texts == ["1"]


async def test_a_failure_that_is_read_and_heard_of_is_judged_once(autojump_clock: MockClock) -> None:
    """Reports that come while a start reads what was left: in whatever order, what they end is over."""
    store, outbound = MemoryStore(), RecordingOutbound()
    rows = [
        OutboxRow(
            id=f"r{n}", user=User(f"{ANNA}{n}"), kind=OutgoingKind.REPLY, text="1", state=SendState.SENT
        )
        for n in range(20)
    ]
    async with store.open(lambda committed: None):
        await store.write([Queue(row) for row in rows])
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        error = SendRefused("no WhatsApp", 131026)
        reports = [DeliveryReport(row_id=row.id, delivery=Delivery.FAILED, error=error) for row in rows]
        await trio.lowlevel.checkpoint()  # the read is under way
        await conversation.engine.receive([], reports)
        await trio.sleep(100)
    assert outbound.texts == []


async def test_what_is_dropped_after_its_failure_is_not_sent_again(autojump_clock: MockClock) -> None:
    """P9: the reply comes while an acknowledgement that was not delivered waits for another attempt."""
    store, outbound = MemoryStore(), RecordingOutbound()
    row = OutboxRow(id="r1", user=User(ANNA), kind=OutgoingKind.ACKNOWLEDGEMENT, text="wait")
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        await store.write([Queue(row)])
        await trio.sleep(1)
        error = SendDelayed("something went wrong", 131000)
        report = DeliveryReport(row_id="r1", delivery=Delivery.FAILED, error=error)
        await conversation.engine.receive([], [report])
        await trio.sleep(0.5)
        await conversation.engine.process_message(ANNA, "1")
        await trio.sleep(100)
    assert outbound.texts == ["wait", "done: 1"]


# What is recorded and told of what was not sent -----------------------------------------------------


async def told_of(*failures: SendError, seconds: float = 1000) -> tuple[list[Event], list[OutboxRow]]:
    """What is told of Anna's reply while the way out fails so, and her rows that are not sent then."""
    store, told = MemoryStore(), []
    outbound = PerUser(ANNA, list(failures))
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.engine.process_message(ANNA, "1")
        await trio.sleep(seconds)
        rows = await store.read_unsent(10)
    return [event for event in told if event.name.startswith("outgoing_")], list(rows)


async def test_trouble_of_the_service_says_nothing_of_the_message(autojump_clock: MockClock) -> None:
    """It is no attempt at this message: the pair's own waits go on where they were."""
    pair, service = SendDelayed("pair limit", 131056), SendDelayed("down", whole_number=True)
    told, rows = await told_of(pair, pair, service, pair)
    delayed = [event for event in told if event.name == "outgoing_delayed"]
    assert [(event.wait_seconds, event.attempts, event.error) for event in delayed] == [
        (1, 1, "pair limit (error 131056)"),
        (4, 2, "pair limit (error 131056)"),
        (1, 2, "down"),
        (16, 3, "pair limit (error 131056)"),
    ]
    assert {(event.user_id, event.kind) for event in delayed} == {(ANNA, OutgoingKind.REPLY)}
    assert len({event.row_id for event in told}) == 1
    assert "outgoing_blocked" not in [event.name for event in told]
    assert rows == []


async def test_why_a_row_waits_stands_in_it(autojump_clock: MockClock) -> None:
    """For the operator who asks."""
    _, (row,) = await told_of(*[SendDelayed("pair limit", 131056)] * 3, seconds=2)
    assert (row.state, row.error, row.attempts) == (SendState.PENDING, "pair limit (error 131056)", 2)


async def test_why_a_row_was_given_up_stands_in_it(autojump_clock: MockClock) -> None:
    """And is told, with what it was."""
    store, told = MemoryStore(), []
    outbound = PerUser(ANNA, [SendRefused("no such number", 131026)])
    async with open_conversation(echoing(), outbound=outbound, store=store) as conversation:
        conversation.engine.events.subscribe(told.append)
        await conversation.engine.process_message(ANNA, "1")
        await trio.sleep(10)
        (row,) = store._connection.execute("SELECT id, state, error FROM outbox").fetchall()
    (given_up,) = [event for event in told if event.name == "outgoing_given_up"]
    assert row == (given_up.row_id, "dead", "no such number (error 131026)")
    assert (given_up.user_id, given_up.kind, given_up.attempts, given_up.error) == (
        ANNA,
        OutgoingKind.REPLY,
        1,
        "no such number (error 131026)",
    )


async def test_what_may_have_been_sent_still_may_when_the_last_attempt_waits(
    autojump_clock: MockClock,
) -> None:
    """Its row does not become pending again: after a crash it would be sent as if it had never been."""
    ambiguous = SendAmbiguous("no answer")
    told, (row,) = await told_of(ambiguous, *[SendDelayed("pair limit", 131056)] * 3, seconds=31.5)
    assert row.state is SendState.SENDING
    assert [event.wait_seconds for event in told if event.name == "outgoing_delayed"][:2] == [30, 4]


async def test_a_send_that_may_have_been_is_made_once_more_and_then_given_up(
    autojump_clock: MockClock,
) -> None:
    """Twice ambiguous: it is not known, and a third time would be one too many."""
    told, _ = await told_of(*[SendAmbiguous("no answer")] * 3)
    assert [event.name for event in told] == ["outgoing_queued", "outgoing_delayed", "outgoing_given_up"]
    assert told[-1].error == "no answer"
