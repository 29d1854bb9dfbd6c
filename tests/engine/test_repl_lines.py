"""What the REPL shows of an event, line by line."""

import pytest

from engine import (
    CallFinished,
    CallStarted,
    CallUndone,
    Event,
    Failed,
    Fate,
    Merged,
    Message,
    MessageDeferred,
    MessageRejected,
    MessageSettled,
    PlanAccepted,
    PolicyFailed,
    SessionCancelled,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    Status,
    Superseded,
    UndoStatus,
    User,
    WaveFinished,
    WaveStarted,
)
from engine.repl.lines import Line, Place, Tone, chat_line, clean, render

_WHO = {"user_id": "15550100000", "operation_id": "o1"}


def _plan(*waves: tuple[str, ...], round: int = 0) -> PlanAccepted:
    return PlanAccepted(**_WHO, round=round, waves=waves)


def _call(status: Status, seconds: float = 0.0, error: str | None = None) -> CallFinished:
    return CallFinished(**_WHO, call_id="a", tool="t", status=status, seconds=seconds, error=error)


def _undone(status: UndoStatus, error: str | None = None) -> CallUndone:
    return CallUndone(**_WHO, call_id="a", tool="t", status=status, seconds=1.25, error=error)


def _deferred(interruptions: int) -> MessageDeferred:
    return MessageDeferred(**_WHO, message_id="m", interruptions=interruptions)


def _rejected(limit: str) -> MessageRejected:
    return MessageRejected(user_id="15550100000", message_id="m", limit=limit)


def _settled(fate: Fate) -> MessageSettled:
    return MessageSettled(user_id="15550100000", message_id="m", fate=fate)


def _cancelled(reason: str) -> SessionCancelled:
    return SessionCancelled(**_WHO, reason=reason, elapsed_time=2.0, switch_seconds=1.0)


_STARTED = SessionStarted(
    user_id="15550100000", message=Message(id="m", user=User("15550100000"), text="hello"), operation_id="o1"
)
_WAVE = WaveStarted(**_WHO, wave=2, call_ids=("b", "c"))


@pytest.mark.parametrize(
    ("event", "text", "tone"),
    [
        (_plan(("a",), ("b", "c")), "     plan    [a] → [b, c]", Tone.LIVE),
        (_plan(("a",), round=1), "     more    [a]", Tone.LIVE),
        (_plan(), "     plan    nothing to call", Tone.LIVE),
        (_plan(tuple("abcdef")), "     plan    [a, b, c, d, e, f]", Tone.LIVE),
        (_plan(tuple("abcdefg")), "     plan    [a, b, c, d, e, f, … (7 in all)]", Tone.LIVE),
        (
            _plan(*[(one,) for one in "abcdefg"]),
            "     plan    [a] → [b] → [c] → [d] → [e] → [f] → … (7 in all)",
            Tone.LIVE,
        ),
        (_WAVE, "     wave 2  b, c", Tone.LIVE),
        (WaveFinished(**_WHO, wave=2, seconds=1.25), "     wave 2  finished in 1.2 s", Tone.LIVE),
        (_call(Status.SUCCEEDED, 1.5), "       ✓ a  1.5 s", Tone.GOOD),
        (
            _call(Status.SUCCEEDED, 1.5, "its result cannot be stored: no"),
            "       ✓ a  1.5 s: its result cannot be stored: no",
            Tone.GOOD,
        ),
        (
            _call(Status.SKIPPED, error="'b' skipped: 'c' failed: ValueError: x"),
            "       - a  skipped, 'b' skipped",
            Tone.LIVE,
        ),
        (_call(Status.FAILED, 0.5, "ValueError: x"), "       ✗ a  failed, 0.5 s: ValueError: x", Tone.BAD),
        (_call(Status.TIMED_OUT, 5.0, "after 5 s"), "       ✗ a  timed out, 5.0 s: after 5 s", Tone.BAD),
        (
            CallFinished(
                **_WHO,
                call_id="a",
                tool="t",
                status=Status.SUCCEEDED,
                seconds=0.0,
                error=None,
                reused=True,
            ),
            "       ✓ a  known from an interrupted request",
            Tone.GOOD,
        ),
        (_undone(UndoStatus.UNDONE), "       ↶ a  taken back, 1.2 s", Tone.GOOD),
        (
            _undone(UndoStatus.FAILED, "ValueError: x"),
            "       ✗ a  not taken back, failed, 1.2 s: ValueError: x",
            Tone.BAD,
        ),
        (
            _undone(UndoStatus.TIMED_OUT, "after 1 s"),
            "       ✗ a  not taken back, timed out, 1.2 s: after 1 s",
            Tone.BAD,
        ),
        (_settled(Merged("n")), "     joined  the request under way", Tone.LIVE),
        (
            _deferred(10),
            "     waits   interruptions in a row: 10; this request runs to its end",
            Tone.LIVE,
        ),
        (_rejected("policy"), "     rejected: by the policy", Tone.BAD),
        (_rejected("waiting_messages_max"), "     rejected: waiting_messages_max is reached", Tone.BAD),
        (
            PolicyFailed(user_id="15550100000", message_id="m", error="KeyError: 'x'"),
            "     the policy failed, so interrupt decided: KeyError: 'x'",
            Tone.BAD,
        ),
        (
            SessionFailed(**_WHO, reason="call 'a': no such tool", duration=0.0),
            "     failed: call 'a': no such tool",
            Tone.BAD,
        ),
    ],
)
def test_an_event_is_one_short_line(event: Event, text: str, tone: Tone) -> None:
    """Plan, waves, calls and failures: what happened, in the words of the plan."""
    assert render(event) == Line(text, tone)


@pytest.mark.parametrize(
    "event",
    [
        _STARTED,
        CallStarted(**_WHO, call_id="a", tool="t"),
        _settled(Superseded("n")),
        _settled(Failed("why")),
    ],
)
def test_an_event_that_others_tell_already_is_no_line(event: Event) -> None:
    """A call's start is in the wave's line, an operation's in what its user wrote, a fate in its end."""
    assert render(event) is None


@pytest.mark.parametrize(
    ("event", "verb"),
    [
        (_cancelled("new_message_received"), "interrupted"),
        (_cancelled("user_stopped"), "stopped"),
        (_cancelled("deadline"), "out of time"),
        (SessionSuspended(**_WHO, reason="shutdown"), "suspended"),
    ],
)
@pytest.mark.parametrize(
    ("place", "where"),
    [
        (Place(), "before wave 1; no wave starts"),
        (Place(left=(("a",), ("b",))), "before wave 1; no wave starts"),
        (
            Place(begun=1, left=(("b",),)),
            "at the boundary after wave 1; wave 2 does not start",
        ),
        (Place(begun=2), "at the boundary after wave 2, the last; no reply follows"),
    ],
)
def test_an_early_end_says_where_and_what_does_not_happen(
    event: Event, verb: str, place: Place, where: str
) -> None:
    """P3 as a person sees it: the boundary it landed on, and what no longer starts."""
    assert render(event, place) == Line(f"     {verb} {where}", Tone.BAD)


def test_the_place_follows_an_operation_over_its_plans_and_begins_anew_with_the_next() -> None:
    """Calls that are not made have no wave; a later plan takes the place of what is left of the earlier."""
    place = Place()
    trail = []
    for event in (
        _STARTED,
        _plan(("a",), ("b", "c"), ("d",)),
        _call(Status.SKIPPED),
        _WAVE,
        _plan(("e",), ("f", "g"), round=1),
        WaveStarted(**_WHO, wave=3, call_ids=("e", "f")),
        _STARTED,
    ):
        place = place.after(event)
        trail.append((place.begun, place.left))
    assert trail == [
        (0, ()),
        (0, (("a",), ("b", "c"), ("d",))),
        (0, (("b", "c"), ("d",))),
        (2, (("d",),)),
        (2, (("e",), ("f", "g"))),
        (3, (("g",),)),
        (0, ()),
    ]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Check Hanukkah", "Check Hanukkah"),
        ("חנוכה 🕎 e\u0301 👩\u200d🚀", "חנוכה 🕎 e\u0301 👩\u200d🚀"),
        ("a\x1b[2J\x07b\x00\x7f\x85c\r", "a[2Jbc"),
        ("\udcff\ud800x", "x"),
        ("one\ttwo\nthree", "one two\nthree"),
    ],
)
def test_no_text_can_steer_the_terminal(text: str, cleaned: str) -> None:
    """Control characters and what cannot be encoded are left out; every other character stays."""
    assert clean(text) == cleaned
    assert Line(text).text == cleaned
    Line(text).text.encode()


def test_further_lines_of_a_reply_stand_under_the_first() -> None:
    """Who speaks is said once."""
    assert chat_line("bot", "one\ntwo", Tone.BOT) == Line("bot> one\n     two", Tone.BOT)
