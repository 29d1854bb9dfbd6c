"""The values everything speaks in: frozen, equal by what they say, and discreet when they are shown."""

import inspect
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Answered,
    CallDidNotSucceed,
    Delivery,
    DeliveryReport,
    Failed,
    Fate,
    Ignored,
    Merged,
    Message,
    OutboxRow,
    Outcome,
    OutgoingKind,
    Rejected,
    Reply,
    Results,
    SendState,
    Status,
    Stopped,
    Superseded,
    SupersededRequest,
    Suspended,
    Turn,
    TypingSignal,
    User,
    mask,
    model,
)
from engine.model import RECORDED_FATES

USER = User("15551234567")
MESSAGE = Message(id="m1", user=USER, text="my secret", timestamp=1_700_000_000, sequence=7)


# Discretion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_id", "masked"),
    [
        ("15551234567", "…4567"),
        ("12345", "…2345"),
        # Four characters would be the whole id.
        ("1234", "…"),
        ("1", "…"),
        ("", "…"),
        ("US.13491208655302741918", "…1918"),
    ],
)
def test_a_user_id_shows_its_last_four_characters(user_id: str, masked: str) -> None:
    """Enough to find a line, too little to call somebody."""
    assert mask(user_id) == masked
    assert repr(User(user_id)) == f"User(id={masked})"


@given(st.text())
def test_no_mask_shows_a_whole_id(user_id: str) -> None:
    """Whatever the provider takes for an id."""
    assert len(mask(user_id)) <= 5
    assert not user_id or mask(user_id) != f"…{user_id}"


@pytest.mark.parametrize(
    "value",
    [
        MESSAGE,
        Reply("my secret"),
        Answered(Reply("my secret")),
        Turn(role="user", text="my secret", message_id="m1", sequence=7),
        OutboxRow(id="r1", user=USER, kind=OutgoingKind.REPLY, text="my secret"),
        TypingSignal(user=USER, message_id="m1"),
        Outcome(call_id="a", tool="look", status=Status.SUCCEEDED, raw="my secret").with_value("my secret"),
        SupersededRequest(message=MESSAGE, results=Results()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_a_text_or_a_whole_number(value: object) -> None:
    """A log line of it gives nothing away."""
    assert "secret" not in repr(value)
    assert "1555123" not in repr(value)


VALUES = [
    kind
    for _, kind in inspect.getmembers(model, inspect.isclass)
    if attrs.has(kind) and kind.__module__ == model.__name__
]


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_value_is_frozen_and_says_what_it_is(kind: type) -> None:
    """Nobody changes a message that somebody else holds."""
    assert kind.__doc__
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kind.__setattr__(object.__new__(kind), "anything", "other")


# Messages -----------------------------------------------------------------------------------------


def test_newer_is_a_later_second_or_the_same_second_and_later_arrival() -> None:
    """P12."""

    def at(timestamp: int | None, sequence: int) -> Message:
        return attrs.evolve(MESSAGE, timestamp=timestamp, sequence=sequence)

    in_order = [at(None, 0), at(None, 3), at(1, 2), at(1, 10), at(2, 1), at(10, 0)]
    shuffled = [in_order[place] for place in (3, 5, 0, 4, 2, 1)]
    assert sorted(shuffled, key=lambda message: message.order) == in_order
    assert MESSAGE.order == (1_700_000_000, 7)


def test_a_message_has_no_place_before_the_store_gave_it_one() -> None:
    """Neither a time nor a sequence."""
    fresh = Message(id="m1", user=USER, text="hi")
    assert (fresh.timestamp, fresh.sequence, fresh.order) == (None, 0, (0, 0))


def test_a_reply_reads_as_its_text() -> None:
    """In a print or an f-string; its repr is for logs."""
    assert f"{Reply('Booked')}" == "Booked"
    assert repr(Reply("Booked")) == "Reply()"


# Outcomes -----------------------------------------------------------------------------------------


def outcome(status: Status = Status.SUCCEEDED, **fields: Any) -> Outcome:
    """How a call ended."""
    return Outcome(call_id="a", tool="look", status=status, **fields)


def test_a_call_that_succeeded_has_its_value() -> None:
    """In its own type, beside the JSON form that the store keeps."""
    done = outcome(raw=["a"]).with_value(("a",))
    assert (done.succeeded, done.value, done.raw, done.value_or(None)) == (True, ("a",), ["a"], ("a",))


@pytest.mark.parametrize("value", [None, 0, "", False])
def test_an_empty_value_is_a_value(value: object) -> None:
    """A call that returned nothing has succeeded with nothing."""
    done = outcome().with_value(value)
    assert done.value is value
    assert done.value_or("default") is value


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (outcome(Status.FAILED, error="ValueError: no such day"), "failed: ValueError: no such day"),
        (outcome(Status.FAILED), "failed"),
        (outcome(Status.TIMED_OUT, error="after 5 s"), "timed out: after 5 s"),
        (outcome(Status.CUT_OFF), "cut off"),
        (outcome(Status.UNKNOWN), "unknown"),
        (outcome(Status.SKIPPED, error="'b' failed"), "skipped: 'b' failed"),
        (
            outcome(value_lost=True, error="its result cannot be stored: too large"),
            "succeeded, its value lost: its result cannot be stored: too large",
        ),
        (outcome(value_lost=True), "succeeded, its value lost"),
    ],
)
def test_a_call_without_a_value_says_why(ended: Outcome, reason: str) -> None:
    """In words for people; whoever asks for the value gets them as an error."""
    ended = ended.with_value("left over")
    assert ended.reason == reason
    assert ended.value_or("default") == "default"
    with pytest.raises(CallDidNotSucceed) as error:
        _ = ended.value
    assert str(error.value) == f"call 'a' has no value: {reason}"


@pytest.mark.parametrize("status", list(Status))
def test_one_status_is_success(status: Status) -> None:
    """P6: succeeded with a lost value is still succeeded, for the act has happened."""
    assert outcome(status).succeeded is (status is Status.SUCCEEDED)
    assert outcome(value_lost=True).succeeded


def test_outcomes_are_equal_by_what_the_store_keeps() -> None:
    """The same before and after a restart, which reads the value anew."""
    assert outcome(raw=1).with_value(1) == outcome(raw=1)
    assert outcome(raw=1) != outcome(raw=2)


def test_a_value_is_added_without_a_change_to_the_rest() -> None:
    """`with_value` makes a second outcome."""
    bare = outcome(raw=["a"], seconds=1.5)
    assert bare.with_value(("a",)).seconds == 1.5
    assert bare.value is None


# Results ------------------------------------------------------------------------------------------

RESULTS = Results({"b": outcome(), "a": outcome(Status.SKIPPED)})


def test_results_are_a_mapping_in_the_order_they_became_known() -> None:
    """With everything that a mapping has."""
    assert list(RESULTS) == ["b", "a"]
    assert len(RESULTS) == 2
    assert RESULTS["a"].status is Status.SKIPPED
    assert "b" in RESULTS
    assert "c" not in RESULTS
    assert RESULTS.get("c") is None
    assert repr(RESULTS) == "Results(b=succeeded, a=skipped)"
    assert {**RESULTS} == RESULTS


def test_a_call_that_is_not_there_is_named_with_those_that_are() -> None:
    """A slip of the pen in a responder is found by reading the error."""
    with pytest.raises(KeyError) as error:
        RESULTS["c"]
    assert error.value.args == ("no outcome of a call 'c'; there are: b, a",)
    with pytest.raises(KeyError) as error:
        Results()["c"]
    assert error.value.args == ("no outcome of a call 'c'; there are: none",)


def test_results_do_not_change_with_what_they_were_made_of() -> None:
    """A planner's results stay what they were when it was asked."""
    growing = {"a": outcome()}
    results = Results(growing)
    growing["b"] = outcome()
    assert list(results) == ["a"]


# Fates --------------------------------------------------------------------------------------------

# By hand (P4): each fate's name, whether it counts as cancelled, and its sentence.
FATES: list[tuple[Fate, str, bool, str]] = [
    (Answered(Reply("Booked")), "answered", False, "Booked"),
    (Superseded("m2"), "superseded", True, "Request cancelled"),
    (Merged("m0"), "merged", False, "Added to the request that was already being worked on"),
    (Rejected("too many"), "rejected", False, "too many"),
    (Stopped(), "stopped", False, "Stopped"),
    (Ignored("a reaction"), "ignored", False, "a reaction"),
    (Failed("ValueError: x"), "failed", False, "ValueError: x"),
    (Suspended(), "suspended", False, "Suspended; it goes on after the restart"),
]


@pytest.mark.parametrize(("fate", "name", "cancelled", "message"), FATES, ids=lambda part: str(part)[:12])
def test_a_fate_has_a_name_and_a_sentence(fate: Fate, name: str, cancelled: bool, message: str) -> None:
    """Only a superseded message counts as cancelled."""
    assert (fate.name, fate.cancelled, fate.message) == (name, cancelled, message)


def test_every_fate_is_recorded_but_one() -> None:
    """P4: suspended is no end, so nothing may record it."""
    recorded = {fate.name: type(fate) for fate, *_ in FATES if not isinstance(fate, Suspended)}
    assert recorded == RECORDED_FATES


def test_a_fate_of_no_kind_has_no_sentence() -> None:
    """The base class is not one of them."""
    with pytest.raises(NotImplementedError):
        _ = Fate().message


# What goes out ------------------------------------------------------------------------------------


def test_a_row_of_the_outbox_begins_pending_and_untried() -> None:
    """Durable until it is sent; a notice belongs to no operation."""
    row = OutboxRow(id="r1", user=USER, kind=OutgoingKind.NOTICE, text="hi")
    assert (row.state, row.attempts, row.sequence) == (SendState.PENDING, 0, 0)
    assert (row.operation_id, row.message_id, row.provider_id, row.error) == ("", "", "", "")
    assert row.delivery is Delivery.NONE


# By hand, from nothing to the last word.
DELIVERIES = [
    Delivery.NONE,
    Delivery.SENT,
    Delivery.DELIVERED,
    Delivery.READ,
    Delivery.PLAYED,
    Delivery.FAILED,
]


@pytest.mark.parametrize("before", Delivery)
@pytest.mark.parametrize("then", Delivery)
def test_a_report_is_news_only_when_it_leads_further(before: Delivery, then: Delivery) -> None:
    """Reports come in any order and may be left out; the same again is none; nothing follows a failure."""
    assert then.follows(before) is (DELIVERIES.index(then) > DELIVERIES.index(before))


@given(st.permutations(DELIVERIES))
def test_reports_lead_to_the_same_end_in_every_order(order: list[Delivery]) -> None:
    """What was read is not taken back by a `delivered` that comes late."""
    now = Delivery.NONE
    for each in order:
        now = each if each.follows(now) else now
    assert now is Delivery.FAILED


def test_a_report_may_know_no_more_than_the_row() -> None:
    """Neither the provider's id nor an error."""
    report = DeliveryReport(row_id="r1", delivery=Delivery.READ)
    assert (report.provider_id, report.error) == ("", None)
