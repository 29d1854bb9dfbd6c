"""Every error raised on purpose says whose fault it is and what is to be done."""

import contextlib
import inspect

import attrs
import pytest
import trio

import engine
from engine import (
    AssistantError,
    CallDidNotSucceed,
    EngineError,
    IllegalTransition,
    InboxFull,
    KeepsCrashing,
    LanguagesError,
    MediaError,
    PlanError,
    ReplyError,
    ScriptError,
    SendAmbiguous,
    SendBlocked,
    SendDelayed,
    SendError,
    SendRefused,
    StoreError,
    StoreUnavailable,
    StoreUnusable,
    ToolFailed,
)

# By hand: who catches what depends on these.
PARENTS: dict[type[Exception], type[Exception]] = {
    EngineError: Exception,
    IllegalTransition: EngineError,
    AssistantError: EngineError,
    PlanError: AssistantError,
    ReplyError: AssistantError,
    CallDidNotSucceed: EngineError,
    KeepsCrashing: EngineError,
    LanguagesError: EngineError,
    ScriptError: EngineError,
    InboxFull: EngineError,
    MediaError: EngineError,
    ToolFailed: EngineError,
    StoreError: EngineError,
    StoreUnavailable: StoreError,
    StoreUnusable: StoreError,
    SendError: EngineError,
    SendRefused: SendError,
    SendAmbiguous: SendError,
    SendBlocked: SendError,
    SendDelayed: SendError,
}

SEND_ERRORS = [SendError, SendRefused, SendAmbiguous, SendBlocked, SendDelayed]


def test_every_error_stands_where_it_belongs() -> None:
    """None is missing, and each is caught by whoever catches its parent."""
    errors = {kind for _, kind in inspect.getmembers(engine.errors, inspect.isclass)}
    assert errors == set(PARENTS)
    assert {kind: kind.__base__ for kind in errors} == PARENTS


@pytest.mark.parametrize("kind", list(PARENTS), ids=lambda kind: kind.__name__)
def test_every_error_is_of_the_engines_face_and_says_what_it_means(kind: type[Exception]) -> None:
    """Whoever catches it imports it from there."""
    assert getattr(engine, kind.__name__) is kind
    assert kind.__name__ in engine.__all__
    assert kind.__doc__


def test_errors_with_a_text_show_it() -> None:
    """And nothing else."""
    assert str(PlanError("call 'a': no")) == "call 'a': no"


@pytest.mark.parametrize("kind", SEND_ERRORS)
def test_an_error_of_a_send_shows_its_reason_and_the_providers_code(kind: type[SendError]) -> None:
    """The code is what an operator looks up."""
    assert str(kind("pair limit", 131056)) == "pair limit (error 131056)"
    assert str(kind("pair limit", 0)) == "pair limit (error 0)"
    assert str(kind("no route")) == "no route"
    assert (kind("no route").reason, kind("no route").code) == ("no route", None)


def test_a_delay_concerns_one_message_unless_it_says_otherwise() -> None:
    """And has no hint unless the provider gave one."""
    bare = SendDelayed("later")
    assert (bare.whole_number, bare.wait_seconds) == (False, None)
    full = SendDelayed("later", code=130429, whole_number=True, wait_seconds=2.5)
    assert (full.reason, full.code, full.whole_number, full.wait_seconds) == ("later", 130429, True, 2.5)
    assert str(full) == "later (error 130429)"


@pytest.mark.parametrize("kind", SEND_ERRORS)
def test_an_error_of_a_send_cannot_be_changed(kind: type[SendError]) -> None:
    """Its reason is the one it was raised with."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kind("no route").reason = "other"  # type: ignore[misc]


@pytest.mark.parametrize("kind", SEND_ERRORS)
async def test_an_error_of_a_send_travels_like_any_other(kind: type[SendError]) -> None:
    """Frozen, and yet: with a cause, a note, through context managers and a nursery."""

    @contextlib.asynccontextmanager
    async def around():  # type: ignore[no-untyped-def]
        async with trio.open_nursery() as nursery:
            yield nursery

    async def fail() -> None:
        error = kind("no route")
        error.add_note("in a test")
        raise error from OSError("unreachable")

    with pytest.RaisesGroup(pytest.RaisesExc(kind, match="^no route")) as caught:
        async with around() as nursery:
            nursery.start_soon(fail)
    (error,) = caught.value.exceptions
    assert isinstance(error.__cause__, OSError)
    assert error.__notes__ == ["in a test"]
