"""What the REPL shows of an event, line by line."""

import pytest

from engine import (
    CallFinished,
    CallStarted,
    Event,
    Message,
    PlanAccepted,
    SessionCancelled,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    Status,
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
            SessionFailed(**_WHO, reason="call 'a': no such tool", duration=0.0),
            "     failed: call 'a': no such tool",
            Tone.BAD,
        ),
    ],
)
def test_an_event_is_one_short_line(event: Event, text: str, tone: Tone) -> None:
    """Plan, waves, calls and failures: what happened, in the words of the plan."""
    assert render(event) == Line(text, tone)


@pytest.mark.parametrize("event", [_STARTED, CallStarted(**_WHO, call_id="a", tool="t")])
def test_an_event_that_others_tell_already_is_no_line(event: Event) -> None:
    """A call's start is in the wave's line, an operation's in what its user wrote."""
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
        (Place(planned=2), "before wave 1; no wave starts"),
        (Place(planned=2, begun=1), "at the boundary after wave 1; wave 2 does not start"),
        (Place(planned=2, begun=2), "at the boundary after wave 2, the last; no reply follows"),
    ],
)
def test_an_early_end_says_where_and_what_does_not_happen(
    event: Event, verb: str, place: Place, where: str
) -> None:
    """P3 as a person sees it: the boundary it landed on, and what no longer starts."""
    assert render(event, place) == Line(f"     {verb} {where}", Tone.BAD)


def test_the_place_follows_an_operation_over_its_plans_and_begins_anew_with_the_next() -> None:
    """Waves planned add up over adaptations; another operation starts at nothing."""
    place = Place()
    trail = []
    for event in (
        _STARTED,
        _plan(("a",), ("b",)),
        _WAVE,
        _call(Status.FAILED),
        _plan(("c",), round=1),
        _STARTED,
    ):
        place = place.after(event)
        trail.append((place.planned, place.begun))
    assert trail == [(0, 0), (2, 0), (2, 2), (2, 2), (3, 2), (0, 0)]


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
