"""What an operator asks has a number, from the start, and no number has a stranger's name."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine import (
    Answered,
    CallFinished,
    CallStarted,
    CallUndone,
    Depths,
    Event,
    Events,
    Failed,
    MessageDeferred,
    MessageSettled,
    OutgoingBlocked,
    OutgoingDelayed,
    OutgoingGivenUp,
    OutgoingKind,
    OutgoingSent,
    PolicyFailed,
    Reply,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionSuspended,
    Status,
    StoreFailed,
    Superseded,
    UndoStatus,
    WaveFinished,
)
from web.metrics import Metrics

USER = "15551234567"
WHERE = {"user_id": USER, "operation_id": "o1"}
ROW = {"user_id": USER, "row_id": "r1", "kind": OutgoingKind.REPLY, "attempts": 1}

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(metrics: Metrics, depths: Depths | None = None) -> Series:
    body, _ = metrics.render(live_sessions=2, stragglers=1, depths=depths)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return series(metrics)[f"midstream_{name}", frozenset(labels.items())]


def cancelled(reason: str, switch_seconds: float = 0.0) -> SessionCancelled:
    return SessionCancelled(reason=reason, elapsed_time=1.0, switch_seconds=switch_seconds, **WHERE)


@pytest.mark.parametrize(
    ("event", "name", "labels"),
    [
        (
            SessionCompleted(duration=1.0, tools_executed=2, **WHERE),
            "operations_total",
            {"fate": "completed"},
        ),
        (cancelled("new_message_received"), "operations_total", {"fate": "superseded"}),
        (cancelled("user_stopped"), "operations_total", {"fate": "stopped"}),
        (cancelled("deadline"), "operations_total", {"fate": "deadline"}),
        (cancelled("taken_over"), "operations_total", {"fate": "taken_over"}),
        (SessionFailed(reason="why", duration=1.0, **WHERE), "operations_total", {"fate": "failed"}),
        (SessionSuspended(reason="shutdown", **WHERE), "operations_total", {"fate": "suspended"}),
        (
            MessageSettled(user_id=USER, message_id="m1", fate=Answered(Reply("hello"))),
            "messages_total",
            {"fate": "answered"},
        ),
        (
            MessageSettled(user_id=USER, message_id="m1", fate=Superseded("m2")),
            "messages_total",
            {"fate": "superseded"},
        ),
        (
            MessageSettled(user_id=USER, message_id="m1", fate=Failed("why")),
            "messages_total",
            {"fate": "failed"},
        ),
        (WaveFinished(wave=1, seconds=1.0, **WHERE), "waves_total", {}),
        *(
            (
                CallUndone(call_id="c1", tool="book", status=status, seconds=1.0, error=None, **WHERE),
                "undos_total",
                {"status": status.value},
            )
            for status in UndoStatus
        ),
        (MessageDeferred(message_id="m1", interruptions=10, **WHERE), "messages_deferred_total", {}),
        (PolicyFailed(user_id=USER, message_id="m1", error="why"), "policy_failures_total", {}),
        (OutgoingSent(seconds=0.1, **ROW), "outgoing_total", {"kind": "reply", "result": "sent"}),
        (
            OutgoingDelayed(wait_seconds=1.0, error="why", **ROW),
            "outgoing_total",
            {"kind": "reply", "result": "delayed"},
        ),
        (OutgoingGivenUp(error="why", **ROW), "outgoing_total", {"kind": "reply", "result": "given_up"}),
        (OutgoingBlocked(error="why", wait_seconds=60.0), "outgoing_blocked_total", {}),
        (StoreFailed(error="why"), "store_failures_total", {}),
    ],
    ids=lambda one: one.name if isinstance(one, Event) else "",
)
def test_each_event_adds_one_to_its_own_number(event: Event, name: str, labels: dict[str, str]) -> None:
    """And to no other; the series is there, at 0, before."""
    metrics = Metrics()
    before = series(metrics)
    metrics.hear(event)
    changed = {key: number for key, number in series(metrics).items() if before.get(key) != number}
    expected = (f"midstream_{name}", frozenset(labels.items()))
    assert before[expected] == 0
    assert changed.pop(expected) == 1
    assert all(
        key[0].startswith("midstream_switch_seconds") for key in changed if not math.isnan(changed[key])
    )


@pytest.mark.parametrize("status", Status)
def test_a_call_is_counted_by_tool_and_by_how_it_ended(status: Status) -> None:
    """Tools are the assistant's own: a plan with another is refused before a call of it exists."""
    metrics = Metrics()
    call = CallFinished(call_id="c1", tool="book", status=status, seconds=1.0, error=None, **WHERE)
    metrics.hear(call)
    metrics.hear(call)
    assert value(metrics, "calls_total", tool="book", status=status.value) == 2


def test_a_call_that_was_not_made_since_its_outcome_was_known_is_counted_apart() -> None:
    """Neither a success of the tool nor a failure: the tool was not asked."""
    metrics = Metrics()
    call = CallFinished(
        call_id="c1", tool="book", status=Status.SUCCEEDED, seconds=0, error=None, reused=True, **WHERE
    )
    metrics.hear(call)
    assert value(metrics, "calls_total", tool="book", status="reused") == 1
    assert ("midstream_calls_total", frozenset({("tool", "book"), ("status", "succeeded")})) not in series(
        metrics
    )


def test_an_event_without_a_number_changes_nothing() -> None:
    """Most are for the log."""
    metrics = Metrics()
    body = metrics.render(live_sessions=0, stragglers=0, depths=None)
    metrics.hear(CallStarted(call_id="c1", tool="book", **WHERE))
    assert metrics.render(live_sessions=0, stragglers=0, depths=None) == body


def test_the_time_to_switch_is_a_histogram_as_long_as_a_wave() -> None:
    """From a planning that is cut at once to a wave that takes its 60 s."""
    metrics = Metrics()
    for seconds in (0.004, 3.0, 59.0, 61.0):
        metrics.hear(cancelled("new_message_received", seconds))
    assert value(metrics, "switch_seconds_bucket", le="0.01") == 1
    assert value(metrics, "switch_seconds_bucket", le="5.0") == 2
    assert value(metrics, "switch_seconds_bucket", le="60.0") == 3
    assert value(metrics, "switch_seconds_count") == 4
    assert value(metrics, "switch_seconds_sum") == pytest.approx(123.004)


def test_webhook_items_are_counted_by_kind() -> None:
    """One at a time or many of one body; none is no error."""
    metrics = Metrics()
    metrics.count_webhook("message", 3)
    metrics.count_webhook("message")
    metrics.count_webhook("status:read", 2)
    metrics.count_webhook("refused", 0)
    assert value(metrics, "webhook_items_total", kind="message") == 4
    assert value(metrics, "webhook_items_total", kind="status:read") == 2
    assert value(metrics, "webhook_items_total", kind="refused") == 0
    assert value(metrics, "webhook_items_total", kind="unsigned") == 0


def test_what_is_under_way_is_read_when_asked() -> None:
    """Live sessions, stragglers, and how much waits."""
    numbers = series(Metrics(), Depths(inbox=5, outbox=7))
    assert numbers["midstream_live_sessions", frozenset()] == 2
    assert numbers["midstream_stragglers", frozenset()] == 1
    assert numbers["midstream_inbox_messages", frozenset()] == 5
    assert numbers["midstream_outbox_messages", frozenset()] == 7


def test_a_store_that_cannot_tell_how_much_waits_is_not_an_empty_one() -> None:
    """Neither 0 nor what it was before."""
    metrics = Metrics()
    series(metrics, Depths(inbox=5, outbox=7))
    assert math.isnan(value(metrics, "inbox_messages"))
    assert math.isnan(value(metrics, "outbox_messages"))


def test_all_that_can_be_foreseen_is_there_from_the_start() -> None:
    """A rate over a series that appears with its first event misses that event."""
    names = {
        (name, *(text for _, text in sorted(labels)))
        for name, labels in series(Metrics())
        if name.endswith("_total")
    }
    operations = {"completed", "superseded", "stopped", "deadline", "taken_over", "failed", "suspended"}
    messages = {"answered", "superseded", "merged", "rejected", "stopped", "ignored", "failed"}
    assert names == {
        *(("midstream_operations_total", fate) for fate in operations),
        *(("midstream_messages_total", fate) for fate in messages),
        *(
            ("midstream_outgoing_total", kind.value, result)
            for kind in OutgoingKind
            for result in ("sent", "delayed", "given_up")
        ),
        *(("midstream_webhook_items_total", kind) for kind in ("message", "unsigned", "refused")),
        ("midstream_waves_total",),
        *(("midstream_undos_total", status) for status in ("undone", "failed", "timed_out")),
        ("midstream_messages_deferred_total",),
        ("midstream_policy_failures_total",),
        ("midstream_outgoing_blocked_total",),
        ("midstream_store_failures_total",),
    }


def test_it_is_text_that_prometheus_reads_with_a_help_for_each() -> None:
    """And no second series that tells when a counter began."""
    body, content_type = Metrics().render(live_sessions=0, stragglers=0, depths=None)
    assert content_type.startswith("text/plain; version=")
    families = list(text_string_to_metric_families(body.decode()))
    assert all(family.name.startswith("midstream_") for family in families)
    assert all(family.documentation for family in families)
    assert b"_created" not in body


def test_applications_do_not_share_their_numbers() -> None:
    """Each test makes its own; nothing is left in the process."""
    one, other = Metrics(), Metrics()
    one.count_webhook("message")
    assert value(other, "webhook_items_total", kind="message") == 0


def test_it_is_a_hook_for_the_engines_events() -> None:
    """No user and no message is in any label."""
    metrics, events = Metrics(), Events()
    events.subscribe(metrics.hear)
    events.emit(MessageSettled(user_id=USER, message_id="m1", fate=Answered(Reply("hello"))))
    body, _ = metrics.render(live_sessions=0, stragglers=0, depths=None)
    assert value(metrics, "messages_total", fate="answered") == 1
    assert not any(private in body for private in (USER.encode(), b"m1", b"hello"))
