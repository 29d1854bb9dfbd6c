"""From the engine's events to the drawing under a chat, event by event, with exact values."""

from collections.abc import Iterable
from typing import Any

import pytest

from engine import (
    CallFinished,
    CallStarted,
    CallUndone,
    Event,
    Fate,
    Ignored,
    Merged,
    Message,
    MessageAccepted,
    MessageDeferred,
    MessageSettled,
    OutgoingKind,
    OutgoingQueued,
    PlanAccepted,
    Rejected,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionResumed,
    SessionStarted,
    SessionSuspended,
    Status,
    Stopped,
    Superseded,
    UndoStatus,
    User,
    WaveFinished,
    WaveStarted,
)
from web.local.timeline import TITLE_CHARACTERS_MAX, Drawing, Row, advance

USER = "15551234567"
OF = {"user_id": USER, "operation_id": "o1"}
MESSAGE = Message(id="m1", user=User(USER), text="Check Hanukkah")
STARTED = SessionStarted(user_id=USER, message=MESSAGE, operation_id="o1")
PLANNED = PlanAccepted(**OF, round=0, waves=(("a", "b"), ("c",)))


def began(call_id: str) -> CallStarted:
    return CallStarted(**OF, call_id=call_id, tool="look")


def ended(call_id: str, status: Status = Status.SUCCEEDED, **more: Any) -> CallFinished:
    return CallFinished(
        **OF, call_id=call_id, tool="look", status=status, seconds=1.0, **{"error": None, **more}
    )


def cancelled(reason: str = "new_message_received") -> SessionCancelled:
    return SessionCancelled(**OF, reason=reason, elapsed_time=1.0, switch_seconds=0.0)


COMPLETED = SessionCompleted(**OF, duration=1.0, tools_executed=1)


def draw(events: Iterable[tuple[float, Event]]) -> Drawing:
    drawing = None
    for at, event in events:
        drawing = advance(drawing, event, at)
    assert drawing is not None
    return drawing


def lines(drawing: Drawing) -> list[tuple[Any, ...]]:
    return [(row.kind, row.label, row.state, row.wave, row.began, row.ended) for row in drawing.rows]


WAVE_1 = [(0.0, STARTED), (1.0, PLANNED), (1.0, began("a")), (1.0, began("b"))]


def test_an_operation_begins_with_a_thought() -> None:
    """What it is for, and since when the assistant plans."""
    assert draw([(5.0, STARTED)]) == Drawing(
        id="o1",
        user_id=USER,
        message_id="m1",
        title="Check Hanukkah",
        began=5.0,
        rows=(Row(kind="thinking", id="plan", label="plan", state="running", began=5.0),),
    )


def test_a_plan_shows_all_its_waves_before_they_run() -> None:
    """What is still to come is what an interruption can spare."""
    assert lines(draw(WAVE_1)) == [
        ("thinking", "plan", "done", 0, 0.0, 1.0),
        ("call", "a", "running", 1, 1.0, None),
        ("call", "b", "running", 1, 1.0, None),
        ("call", "c", "planned", 2, None, None),
    ]


def test_an_interruption_in_wave_1_finishes_it_keeps_it_and_skips_wave_2() -> None:
    """P2, P3 and P7, drawn: the bars end where the calls end, the boundary is where it all ended."""
    newer = MessageAccepted(user_id=USER, message_id="m2", sequence=2)
    finished = WaveFinished(**OF, wave=1, seconds=1.0)
    drawing = draw(
        [*WAVE_1, (1.5, newer), (2.0, ended("a")), (3.0, ended("b")), (3.0, finished), (3.1, cancelled())]
    )
    assert lines(drawing) == [
        ("thinking", "plan", "done", 0, 0.0, 1.0),
        ("call", "a", "kept", 1, 1.0, 2.0),
        ("call", "b", "kept", 1, 1.0, 3.0),
        ("call", "c", "skipped", 2, None, None),
        ("arrival", "new message", "interrupts", 0, 1.5, 1.5),
    ]
    assert (drawing.state, drawing.boundary, drawing.ended) == ("interrupted", 3.1, 3.1)
    assert drawing.said == "Interrupted by a newer message"


def test_an_acknowledgement_tells_of_the_interruption_while_the_wave_still_runs() -> None:
    """P9: the user is told at once, and sees that the wave goes on."""
    newer = MessageAccepted(user_id=USER, message_id="m2", sequence=2)
    told = [
        OutgoingQueued(user_id=USER, row_id="r1", kind=kind)
        for kind in (OutgoingKind.NOTE, OutgoingKind.ACKNOWLEDGEMENT)
    ]
    drawing = draw([*WAVE_1, (1.5, newer), (1.5, told[0])])
    assert (drawing.said, drawing.rows[-1].state) == ("", "waits")
    drawing = draw([*WAVE_1, (1.5, newer), (1.5, told[1])])
    assert (drawing.said, drawing.rows[-1].state) == ("Interrupted: finishes its wave", "interrupts")
    assert (drawing.state, drawing.boundary, lines(drawing)[1][2]) == ("running", None, "running")


def test_an_operation_to_its_end() -> None:
    """After a last wave the assistant thinks: of more calls if a plan comes of it, else of the reply."""
    adapted = PlanAccepted(**OF, round=1, waves=(("d",),))
    events = [
        *WAVE_1,
        *((2.0, ended(call_id)) for call_id in "ab"),
        (2.0, began("c")),
        (3.0, ended("c")),
        (4.0, adapted),
        (4.0, began("d")),
        (5.0, ended("d", Status.FAILED, error="no")),
        (6.0, COMPLETED),
    ]
    drawing = draw(events)
    assert lines(drawing)[3:] == [
        ("call", "c", "succeeded", 2, 2.0, 3.0),
        ("thinking", "adapt", "done", 0, 3.0, 4.0),
        ("call", "d", "failed", 3, 4.0, 5.0),
        ("thinking", "reply", "done", 0, 5.0, 6.0),
    ]
    assert (drawing.rows[-2].error, drawing.rows[-2].tool) == ("no", "look")
    assert (drawing.state, drawing.said, drawing.boundary) == ("completed", "Answered", None)


def test_a_plan_without_calls_is_followed_by_the_reply() -> None:
    """Nothing is left to call, from the beginning."""
    nothing = PlanAccepted(**OF, round=0, waves=())
    assert lines(draw([(0.0, STARTED), (1.0, nothing), (2.0, COMPLETED)])) == [
        ("thinking", "plan", "done", 0, 0.0, 1.0),
        ("thinking", "reply", "done", 0, 1.0, 2.0),
    ]


def test_what_a_superseded_request_knew_is_reused_and_takes_no_time() -> None:
    """A call that was not made has no bar."""
    drawing = draw([(0.0, STARTED), (1.0, PLANNED), (1.0, ended("a", reused=True))])
    assert lines(drawing)[1] == ("call", "a", "reused", 1, None, None)


def test_a_plan_that_replaces_another_keeps_what_it_leaves_out_as_skipped() -> None:
    """Under `steer`: a call that is planned anew stands once, in its new wave."""
    left_out = ended("b", Status.SKIPPED, error="a later plan left it out")
    drawing = draw(
        [
            (0.0, STARTED),
            (1.0, PLANNED),
            (1.0, began("a")),
            (2.0, ended("a")),
            (3.0, left_out),
            (3.0, PlanAccepted(**OF, round=1, waves=(("c",), ("e",)))),
        ]
    )
    assert lines(drawing)[1:] == [
        ("call", "a", "succeeded", 1, 1.0, 2.0),
        ("call", "b", "skipped", 1, None, None),
        ("call", "c", "planned", 2, None, None),
        ("call", "e", "planned", 3, None, None),
    ]


def test_an_undo_is_drawn_from_when_it_began_and_the_boundary_is_the_first() -> None:
    """What was taken back is not kept."""
    undone = CallUndone(**OF, call_id="a", tool="look", status=UndoStatus.UNDONE, seconds=0.5, error=None)
    drawing = draw(
        [*WAVE_1, (2.0, ended("a")), (2.0, ended("b")), (3.0, undone), (3.5, cancelled("user_stopped"))]
    )
    assert lines(drawing)[1:3] == [
        ("call", "a", "succeeded", 1, 1.0, 2.0),
        ("call", "b", "kept", 1, 1.0, 2.0),
    ]
    assert lines(drawing)[-1] == ("undo", "undo a", "undone", 0, 2.5, 3.0)
    assert (drawing.boundary, drawing.ended, drawing.said) == (2.5, 3.5, "Stopped by the user")


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (MessageSettled(user_id=USER, message_id="m2", fate=Merged("m1")), "joined"),
        (MessageSettled(user_id=USER, message_id="m2", fate=Rejected("busy")), "refused"),
        (MessageSettled(user_id=USER, message_id="m2", fate=Ignored("a reaction")), "asks for nothing"),
        (MessageSettled(user_id=USER, message_id="m2", fate=Stopped()), "said stop"),
        (MessageSettled(user_id=USER, message_id="m2", fate=Superseded("m3")), "waits"),
        (MessageSettled(user_id=USER, message_id="m9", fate=Merged("m1")), "waits"),
        (
            MessageDeferred(**OF, message_id="m2", interruptions=10),
            "must wait: interrupted too often",
        ),
        (COMPLETED, "waited for the next"),
    ],
)
def test_what_the_policy_made_of_a_message_that_came_meanwhile(event: Event, state: str) -> None:
    """Queued, merged, refused or ignored: one sees which."""
    newer = MessageAccepted(user_id=USER, message_id="m2", sequence=2)
    assert lines(draw([*WAVE_1, (1.5, newer), (2.0, event)]))[-1][2] == state


@pytest.mark.parametrize("fate", [Merged, Rejected, Ignored])
def test_a_decision_stands_though_the_operation_is_cancelled_later(fate: type[Fate]) -> None:
    """Only what still waits is what interrupts."""
    settled = MessageSettled(user_id=USER, message_id="m2", fate=fate("x"))  # type: ignore[call-arg]
    newer = [MessageAccepted(user_id=USER, message_id=id, sequence=2) for id in ("m2", "m3")]
    drawing = draw([*WAVE_1, (1.5, newer[0]), (1.6, settled), (1.7, newer[1]), (2.0, cancelled())])
    decided = draw([*WAVE_1, (1.5, newer[0]), (1.6, settled)]).rows[-1].state
    states = [row.state for row in drawing.rows if row.kind == "arrival"]
    assert states == [decided, "interrupts"]


def test_a_thought_that_was_cut_is_shown_unless_it_had_only_begun() -> None:
    """Right after a wave nobody has thought yet; the plan is always shown."""
    done = [*WAVE_1[:3], (2.0, ended("a")), (2.0, ended("b")), (2.0, ended("c"))]
    assert lines(draw([*done, (2.05, cancelled())]))[-1][:2] == ("call", "c")
    assert lines(draw([*done, (2.5, cancelled())]))[-1] == (
        "thinking",
        "adapt or reply",
        "cut",
        0,
        2.0,
        2.5,
    )
    assert lines(draw([(0.0, STARTED), (0.01, cancelled())])) == [("thinking", "plan", "cut", 0, 0.0, 0.01)]


def test_what_an_earlier_process_planned_appears_as_it_runs() -> None:
    """After a restart the plan is not told again."""
    resumed = SessionResumed(user_id=USER, message=MESSAGE, operation_id="o1", crashes=0)
    wave = WaveStarted(**OF, wave=1, call_ids=("c",))
    assert lines(draw([(0.0, resumed), (1.0, wave), (1.0, began("c"))])) == [
        ("thinking", "resume", "done", 0, 0.0, 1.0),
        ("call", "c", "running", 1, 1.0, None),
    ]


@pytest.mark.parametrize(
    ("event", "state", "said"),
    [
        (SessionFailed(**OF, reason="broke", duration=1.0), "failed", "Failed: broke"),
        (SessionSuspended(**OF, reason="shutdown"), "suspended", "Suspended until the restart"),
        (cancelled("deadline"), "interrupted", "Ended: it took too long"),
        (cancelled("taken_over"), "interrupted", "A person of the business took over"),
        (cancelled("another"), "interrupted", "Interrupted"),
    ],
)
def test_every_end_is_named(event: Event, state: str, said: str) -> None:
    """And nothing is under way after it."""
    drawing = draw([(0.0, STARTED), (1.0, event)])
    assert (drawing.state, drawing.said, drawing.ended) == (state, said, 1.0)
    assert drawing.rows[0].state == "cut"


def test_what_is_not_about_the_operation_leaves_it_as_it_is() -> None:
    """Another user's event, another operation's, or one without a user."""
    before = draw(WAVE_1)
    others = [
        MessageAccepted(user_id="19998887777", message_id="m2", sequence=2),
        CallStarted(user_id=USER, operation_id="o0", call_id="a", tool="look"),
        WaveFinished(**OF, wave=1, seconds=1.0),
    ]
    assert all(advance(before, event, 9.0) is before for event in others)
    assert advance(None, COMPLETED, 9.0) is None


def test_a_long_message_is_a_short_title() -> None:
    """A drawing is sent anew at each event."""
    message = Message(id="m1", user=User(USER), text="x" * 4096)
    started = SessionStarted(user_id=USER, message=message, operation_id="o1")
    assert draw([(0.0, started)]).title == "x" * TITLE_CHARACTERS_MAX


def test_the_page_is_given_all_of_a_drawing_but_whose_it_is() -> None:
    """Whose it is says the stream."""
    assert draw([(5.0, STARTED)]).to_json() == {
        "id": "o1",
        "message_id": "m1",
        "title": "Check Hanukkah",
        "began": 5.0,
        "ended": None,
        "boundary": None,
        "state": "running",
        "said": "",
        "rows": (
            {
                "kind": "thinking",
                "id": "plan",
                "state": "running",
                "label": "plan",
                "tool": "",
                "wave": 0,
                "began": 5.0,
                "ended": None,
                "error": None,
            },
        ),
    }
