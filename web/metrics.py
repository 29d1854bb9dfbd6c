"""The numbers an operator watches, in Prometheus' format.

Rule 1: no label comes from outside: fates, statuses and kinds are the engine's, tools are the assistant's,
and kinds of webhook items are the few of `payloads`.
Rule 2: what is counted is counted since the start of the process; what is deep now is read when asked.
"""

import math
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from engine import (
    Answered,
    CallFinished,
    CallUndone,
    Depths,
    Event,
    Failed,
    Ignored,
    Merged,
    MessageDeferred,
    MessageSettled,
    OutgoingBlocked,
    OutgoingDelayed,
    OutgoingGivenUp,
    OutgoingKind,
    OutgoingSent,
    PolicyFailed,
    Rejected,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionSuspended,
    Stopped,
    StoreFailed,
    Superseded,
    UndoStatus,
    WaveFinished,
)

# How an operation was cancelled, as the fate of the operation.
_CANCELLED: Final = {
    "new_message_received": "superseded",
    "user_stopped": "stopped",
    "deadline": "deadline",
    "taken_over": "taken_over",
}
_OPERATION_FATES: Final = ("completed", *_CANCELLED.values(), "failed", "suspended")
_MESSAGE_FATES: Final = (Answered, Superseded, Merged, Rejected, Stopped, Ignored, Failed)
# In place of its status, of a call that was not made: a superseded request had the outcome.
_REUSED: Final = "reused"
_RESULTS: Final = ("sent", "delayed", "given_up")
# Those that are watched; the others of `payloads` appear with the first of them.
_WEBHOOK_KINDS: Final = ("message", "unsigned", "refused")
# From a planning that is cut at once to a wave that takes all its time (MIDSTREAM_WAVE_SECONDS_MAX is 60).
_SWITCH_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)


class Metrics:
    """The metrics of one application: `hear` subscribes to the engine's events, `render` answers a scrape."""

    def __init__(self) -> None:
        # A second series for each counter, with the time it began, tells nobody anything more.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._operations = self._counter("operations", "Operations by how they ended", "fate")
        self._messages = self._counter("messages", "Accepted messages by the fate recorded for them", "fate")
        self._waves = self._counter("waves", "Waves that were recorded")
        self._calls = self._counter("calls", "Calls by tool and how they ended", "tool", "status")
        self._undos = self._counter("undos", "Calls that were taken back, or could not be", "status")
        self._deferred = self._counter(
            "messages_deferred", "Messages that waited because too many before them had interrupted in a row"
        )
        self._policy_failures = self._counter(
            "policy_failures", "Times that a policy of the assistant's own failed, and interrupt decided"
        )
        self._outgoing = self._counter(
            "outgoing", "Messages to users: sent, given up, and how often one was delayed", "kind", "result"
        )
        self._blocked = self._counter(
            "outgoing_blocked", "Times that nothing could be sent until the operator mended something"
        )
        self._webhook_items = self._counter("webhook_items", "What came in webhooks, by kind", "kind")
        self._store_failures = self._counter("store_failures", "Reads and writes that the store refused")
        self._switch_seconds = Histogram(
            "midstream_switch_seconds",
            "From an interruption to the end of the interrupted operation, the wave it finished included",
            buckets=_SWITCH_SECONDS,
            registry=self._registry,
        )
        self._live_sessions = self._gauge("live_sessions", "Users with work under way")
        self._stragglers = self._gauge("stragglers", "Worker threads that outlived their call")
        self._inbox = self._gauge(
            "inbox_messages", "Messages without a fate; NaN while the store cannot tell"
        )
        self._outbox = self._gauge(
            "outbox_messages", "Messages not yet sent; NaN while the store cannot tell"
        )
        self._begin_series()

    def _begin_series(self) -> None:
        # A series that exists from the start is 0, not missing, in the first rate that is computed.
        for operation_fate in _OPERATION_FATES:
            self._operations.labels(operation_fate)
        for message_fate in _MESSAGE_FATES:
            self._messages.labels(message_fate.name)
        for undo_status in UndoStatus:
            self._undos.labels(undo_status)
        for kind in OutgoingKind:
            for result in _RESULTS:
                self._outgoing.labels(kind, result)
        for item_kind in _WEBHOOK_KINDS:
            self._webhook_items.labels(item_kind)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"midstream_{name}_total", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"midstream_{name}", meaning, registry=self._registry)

    def hear(self, event: Event) -> None:
        """Count an event.  A hook for `Events`."""
        match event:
            case CallFinished():
                self._calls.labels(event.tool, _REUSED if event.reused else event.status).inc()
            case CallUndone():
                self._undos.labels(event.status).inc()
            case WaveFinished():
                self._waves.inc()
            case MessageSettled():
                self._messages.labels(event.fate.name).inc()
            case MessageDeferred():
                self._deferred.inc()
            case PolicyFailed():
                self._policy_failures.inc()
            case SessionCompleted():
                self._operations.labels("completed").inc()
            case SessionCancelled():
                self._operations.labels(_CANCELLED[event.reason]).inc()
                self._switch_seconds.observe(event.switch_seconds)
            case SessionFailed():
                self._operations.labels("failed").inc()
            case SessionSuspended():
                self._operations.labels("suspended").inc()
            case OutgoingSent():
                self._outgoing.labels(event.kind, "sent").inc()
            case OutgoingDelayed():
                self._outgoing.labels(event.kind, "delayed").inc()
            case OutgoingGivenUp():
                self._outgoing.labels(event.kind, "given_up").inc()
            case OutgoingBlocked():
                self._blocked.inc()
            case StoreFailed():
                self._store_failures.inc()

    def count_webhook(self, kind: str, count: int = 1) -> None:
        """Count items of a webhook; `kind` is one of few (see `payloads`)."""
        self._webhook_items.labels(kind).inc(count)

    def render(self, *, live_sessions: int, stragglers: int, depths: Depths | None) -> tuple[bytes, str]:
        """The body and the content type of a scrape.  `depths` is None when the store cannot tell."""
        self._live_sessions.set(live_sessions)
        self._stragglers.set(stragglers)
        self._inbox.set(math.nan if depths is None else depths.inbox)
        self._outbox.set(math.nan if depths is None else depths.outbox)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
