"""Events have the names and fields that a monitor relies on, and a hook can hurt nobody."""

import inspect

import attrs
import pytest
import structlog

import engine
from engine import DrainFinished, DrainStarted, Event, Events, Message, SessionStarted, StoreFailed, User

# By hand: names and fields are a contract with dashboards and with users' own hooks.
EXPECTED = {
    "message_accepted": "user_id message_id sequence",
    "message_settled": "user_id message_id fate",
    "message_rejected": "user_id message_id limit",
    "message_deferred": "user_id message_id operation_id interruptions",
    "policy_failed": "user_id message_id error",
    "session_started": "user_id message operation_id",
    "session_resumed": "user_id message operation_id crashes",
    "session_cancelled": "user_id reason elapsed_time operation_id switch_seconds",
    "session_completed": "user_id duration tools_executed operation_id",
    "session_failed": "user_id reason duration operation_id",
    "session_suspended": "user_id reason operation_id",
    "plan_accepted": "user_id operation_id round waves",
    "wave_started": "user_id operation_id wave call_ids",
    "wave_finished": "user_id operation_id wave seconds",
    "call_started": "user_id operation_id call_id tool",
    "call_finished": "user_id operation_id call_id tool status seconds error reused",
    "call_undone": "user_id operation_id call_id tool status seconds error",
    "value_lost": "user_id operation_id call_id tool error",
    "straggler_appeared": "user_id operation_id call_id tool",
    "straggler_returned": "user_id operation_id call_id tool seconds error",
    "progress_dropped": "user_id operation_id reason",
    "outgoing_queued": "user_id row_id kind",
    "outgoing_sent": "user_id row_id kind attempts seconds",
    "outgoing_delayed": "user_id row_id kind attempts wait_seconds error",
    "outgoing_given_up": "user_id row_id kind attempts error",
    "outgoing_blocked": "error wait_seconds number",
    "outgoing_reported": "user_id row_id kind delivery error billable category conversation_id",
    "provider_told": "field value",
    "recovery_started": "operations messages",
    "store_failed": "error",
    "drain_started": "grace_seconds sessions",
    "drain_finished": "seconds",
}

# Not from a list of subclasses: attrs makes each class twice, and the first one lingers there.
EVENTS: list[type[Event]] = [
    kind
    for _, kind in inspect.getmembers(engine.events, inspect.isclass)
    if issubclass(kind, Event) and kind is not Event
]


def test_every_event_has_its_name_and_its_fields() -> None:
    """None is missing, none is new without standing here."""
    assert {kind.name: " ".join(field.name for field in attrs.fields(kind)) for kind in EVENTS} == EXPECTED


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_an_event_is_a_frozen_value_of_the_engines_face(kind: type[Event]) -> None:
    """A hook can import it by name, and cannot change what the next hook hears."""
    assert kind.__name__ in engine.__all__
    assert getattr(engine, kind.__name__) is kind
    assert kind.__doc__
    assert kind.__doc__ != Event.__doc__
    event = kind(**dict.fromkeys((field.name for field in attrs.fields(kind)), "x"))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(event, attrs.fields(kind)[0].name, "y")


def test_an_events_name_is_its_classs_in_snake_case() -> None:
    """Also of a class that a user of the engine adds."""

    @attrs.frozen(kw_only=True)
    class TableBookedTwice(Event):
        """Too many guests."""

    assert TableBookedTwice.name == "table_booked_twice"
    assert TableBookedTwice().name == "table_booked_twice"
    assert StoreFailed.name == "store_failed"


def test_fields_are_given_by_name() -> None:
    """A field that is added later breaks nobody."""
    with pytest.raises(TypeError):
        StoreFailed("disk full")  # type: ignore[call-arg]


def test_a_message_in_an_event_shows_no_text_and_no_whole_number() -> None:
    """Rule 2: whoever logs the message of an event gives nothing away."""
    message = Message(id="m1", user=User("15551234567"), text="my secret", timestamp=1, sequence=1)
    shown = repr(SessionStarted(user_id="…4567", message=message, operation_id="o1"))
    assert "secret" not in shown
    assert "15551234567" not in shown


# Hooks --------------------------------------------------------------------------------------------

FIRST = StoreFailed(error="first")
SECOND = StoreFailed(error="second")


def test_every_hook_hears_every_event_in_order() -> None:
    """Hooks in the order in which they subscribed, events in the order in which they happened."""
    events = Events()
    heard: list[tuple[str, Event]] = []
    events.subscribe(lambda event: heard.append(("one", event)))
    events.subscribe(lambda event: heard.append(("two", event)))
    events.emit(FIRST)
    events.emit(SECOND)
    assert heard == [("one", FIRST), ("two", FIRST), ("one", SECOND), ("two", SECOND)]


def test_an_event_nobody_listens_to_is_no_error() -> None:
    """Telling is never the reason for a failure."""
    Events().emit(FIRST)


def test_a_hook_hears_only_what_happens_while_it_is_subscribed() -> None:
    """From now on, and until it unsubscribes; the others stay."""
    events = Events()
    early: list[Event] = []
    late: list[Event] = []
    unsubscribe = events.subscribe(early.append)
    events.emit(FIRST)
    events.subscribe(late.append)
    unsubscribe()
    events.emit(SECOND)
    assert (early, late) == ([FIRST], [SECOND])


def test_a_hook_may_unsubscribe_while_it_hears() -> None:
    """Nobody behind it is skipped for that event."""
    events = Events()
    heard: list[str] = []

    def once(event: Event) -> None:
        heard.append("once")
        unsubscribe()

    unsubscribe = events.subscribe(once)
    events.subscribe(lambda event: heard.append("always"))
    events.emit(FIRST)
    events.emit(SECOND)
    assert heard == ["once", "always", "always"]


def test_a_hook_that_subscribes_another_lets_it_hear_the_next_event() -> None:
    """Not the one that is being told, which might never end."""
    events = Events()
    heard: list[Event] = []

    def grow(event: Event) -> None:
        events.subscribe(heard.append)

    events.subscribe(grow)
    events.emit(FIRST)
    assert heard == []
    events.emit(SECOND)
    assert heard == [SECOND]


def test_a_hook_that_raises_is_logged_and_hurts_nothing() -> None:
    """Rule 1: not the emitter, not the hooks behind it, not itself the next time."""
    events = Events()
    heard: list[Event] = []

    def breaks(event: Event) -> None:
        heard.append(event)
        raise ValueError("a bug in a hook")

    events.subscribe(breaks)
    events.subscribe(heard.append)
    with structlog.testing.capture_logs() as lines:
        events.emit(DrainStarted(grace_seconds=20.0, sessions=3))
        events.emit(DrainFinished(seconds=0.5))
    assert [type(event).__name__ for event in heard] == ["DrainStarted"] * 2 + ["DrainFinished"] * 2
    assert [(line["event"], line["event_name"], line["log_level"]) for line in lines] == [
        ("hook_failed", "drain_started", "error"),
        ("hook_failed", "drain_finished", "error"),
    ]
    assert all("breaks" in line["hook"] for line in lines)


def test_a_hook_that_ends_the_process_is_let_through() -> None:
    """Only errors are kept: Ctrl-C while a hook runs means the process."""
    events = Events()

    def leave(event: Event) -> None:
        raise KeyboardInterrupt

    events.subscribe(leave)
    with pytest.raises(KeyboardInterrupt):
        events.emit(FIRST)
