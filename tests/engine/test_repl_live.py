"""What is under way, and how it is drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine import (
    CallFinished,
    CallStarted,
    Event,
    Message,
    SessionCancelled,
    SessionCompleted,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    Status,
    User,
    WaveFinished,
    WaveStarted,
)
from engine.repl.live import Bar, Live, draw, rows_wrapped

_WHO = {"user_id": "15550100000", "operation_id": "o1"}
_STARTED = SessionStarted(
    user_id="15550100000", message=Message(id="m", user=User("15550100000"), text="hello"), operation_id="o1"
)
_THINKS = Live(runs=True)
_TWO = Live(runs=True, bars=(Bar("a", 1.0, 10.0), Bar("b", 1.0, 5.0)))


def _called(call_id: str, tool: str) -> CallStarted:
    return CallStarted(**_WHO, call_id=call_id, tool=tool)


def _ended(call_id: str) -> CallFinished:
    return CallFinished(**_WHO, call_id=call_id, tool="t", status=Status.SUCCEEDED, seconds=1.0, error=None)


def _after(live: Live, *events: Event) -> Live:
    for event in events:
        live = live.after(event, 1.0, {"ten": 10.0, "five": 5.0})
    return live


# What is under way --------------------------------------------------------------------------------


def test_a_wave_is_a_bar_for_each_of_its_calls_in_the_plans_order() -> None:
    """Which of them starts first is chance, and must not change their places."""
    wave = WaveStarted(**_WHO, wave=1, call_ids=("a", "b"))
    assert _after(Live(), _STARTED, wave, _called("b", "five"), _called("a", "ten")) == _TWO


def test_a_call_that_has_ended_has_no_bar() -> None:
    """Its own line says how it ended; the others stay."""
    assert _after(_TWO, _ended("a")) == Live(runs=True, bars=(Bar("b", 1.0, 5.0),))
    assert _after(_TWO, _ended("a"), _ended("b")) == _THINKS


@pytest.mark.parametrize(
    "end",
    [
        SessionCompleted(**_WHO, duration=1.0, tools_executed=1),
        SessionCancelled(**_WHO, reason="user_stopped", elapsed_time=1.0, switch_seconds=0.0),
        SessionFailed(**_WHO, reason="x", duration=1.0),
        SessionSuspended(**_WHO, reason="shutdown"),
    ],
    ids=lambda end: end.name,
)
def test_after_the_end_of_an_operation_nothing_is_under_way(end: Event) -> None:
    """However it ended; so that nothing is drawn any more."""
    assert _after(_TWO, end) == Live()


def test_other_events_change_nothing() -> None:
    """Nor does a call of a tool whose bound is not known."""
    assert _after(_TWO, WaveFinished(**_WHO, wave=1, seconds=1.0)) == _TWO
    assert _after(_TWO, _called("c", "ten")) == _TWO
    assert _after(_TWO, _called("a", "gone")).bars[0] == Bar("a", 1.0, 0.0)


# How it is drawn ----------------------------------------------------------------------------------


def test_nothing_under_way_is_no_line() -> None:
    """The prompt stands alone."""
    assert draw(Live(), 3.5, 80, 24) == []


def test_between_waves_it_types() -> None:
    """As the user of a phone would see."""
    assert draw(_THINKS, 0.0, 80, 24) == ["       ⠋ typing…"]
    assert draw(_THINKS, 0.1, 80, 24) == ["       ⠙ typing…"]


def test_a_bar_fills_with_the_seconds_that_its_tool_may_take() -> None:
    """And says both; one that is over its time, for as long as ending it takes, is full."""
    assert draw(_TWO, 3.5, 80, 24) == [
        "       ⠴ a  ━━━━━━──────────────────   2.5 of 10 s",
        "       ⠴ b  ━━━━━━━━━━━━────────────  2.5 of 5 s",
    ]
    assert draw(_TWO, 7.0, 80, 24)[1] == "       ⠋ b  ━━━━━━━━━━━━━━━━━━━━━━━━  6.0 of 5 s"


def test_a_call_of_which_nobody_knows_how_long_it_may_take_says_how_long_it_took() -> None:
    """That of a tool that is gone, for instance."""
    assert draw(Live(runs=True, bars=(Bar("a", 1.0),)), 3.5, 80, 24) == ["       ⠴ a  2.5 s"]


def test_names_stand_in_a_column_as_wide_as_the_widest() -> None:
    """A wide character counts as the two columns it takes."""
    live = Live(runs=True, bars=(Bar("過越祭", 0.0), Bar("abc", 0.0)))
    assert draw(live, 0.0, 80, 24) == ["       ⠋ 過越祭  0.0 s", "       ⠋ abc     0.0 s"]


def test_a_narrow_terminal_gets_shorter_bars_and_then_none() -> None:
    """The seconds are what counts."""
    assert draw(_TWO, 3.5, 40, 24)[0] == "       ⠴ a  ━━━──────────   2.5 of 10 s"
    assert draw(_TWO, 3.5, 28, 24)[0] == "       ⠴ a   2.5 of 10 s"
    assert draw(_TWO, 3.5, 16, 24)[0] == "       ⠴ a   2…"


def test_a_wave_of_many_calls_leaves_room_for_the_prompt() -> None:
    """Those that are not shown are counted."""
    live = Live(runs=True, bars=tuple(Bar(f"call-{number}", 0.0) for number in range(200)))
    lines = draw(live, 0.0, 80, 24)
    assert (len(lines), lines[-1]) == (8, "         … and 193 more")
    assert draw(live, 0.0, 80, 6) == ["       ⠋ call-0  0.0 s", "         … and 199 more"]
    assert draw(live, 0.0, 80, 3) == ["         … and 200 more"]


def test_the_name_of_a_call_cannot_steer_the_terminal() -> None:
    """Whoever gave it."""
    assert draw(Live(runs=True, bars=(Bar("a\x1b[2J\nb", 0.0),)), 0.0, 80, 24) == ["       ⠋ a[2J b  0.0 s"]


def test_what_a_narrower_terminal_makes_of_a_row_is_known() -> None:
    """So that all of it can be taken away: the column of a row's last character counts."""
    assert rows_wrapped([0, 4, 5, 9, 10], 5) == 0 + 0 + 1 + 1 + 2
    assert rows_wrapped([], 5) == 0


@given(
    st.builds(
        Live,
        runs=st.just(True),
        bars=st.lists(st.builds(Bar, st.text(max_size=60), st.floats(0, 100), st.floats(0, 1000))).map(tuple),
    ),
    st.floats(0, 10_000),
    st.integers(1, 200),
    st.integers(1, 60),
)
def test_no_line_is_as_wide_as_the_terminal(live: Live, at: float, columns: int, rows: int) -> None:
    """One that wrapped would leave a part of itself behind when it is drawn anew."""
    lines = draw(live, at, columns, rows)
    assert [line for line in lines if cell_len(line) >= max(columns, 2)] == []
    assert len(lines) <= 8
