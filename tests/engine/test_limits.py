"""Every bound has a unit in its name, a default that makes sense, and refuses what would make none."""

import math

import attrs
import pytest

from engine import Limits

FIELDS = [field.name for field in attrs.fields(Limits)]

# Zero means "none" or "at once" here; everywhere else it would stop the engine.
MAY_BE_ZERO = {
    "grace_seconds",
    "owner_wait_seconds",
    "debounce_seconds",
    "debounce_seconds_max",
    "acknowledgement_seconds_min",
    "adaptations_max",
    "takeover_seconds",
    "progress_notes_max",
    "progress_seconds_min",
    "pair_seconds",
    "sends_per_second_max",
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_bounds_name_has_its_unit(name: str) -> None:
    """`*_seconds`, `*_seconds_max`, `*_seconds_min` are seconds, `*_max` otherwise counts."""
    assert name.endswith(("_seconds", "_seconds_min", "_max"))
    is_seconds = "_seconds" in name
    assert attrs.fields_dict(Limits)[name].type is (float if is_seconds else int)
    assert isinstance(getattr(Limits(), name), float if is_seconds else int)


@pytest.mark.parametrize("name", FIELDS)
def test_a_bound_below_its_least_is_refused_by_name(name: str) -> None:
    """At start, with the value that was given."""
    with pytest.raises(ValueError, match=rf"^'{name}' must be >=? 0: -1$"):
        Limits(**{name: -1})
    if name in MAY_BE_ZERO:
        assert getattr(Limits(**{name: 0}), name) == 0
    else:
        with pytest.raises(ValueError, match=rf"^'{name}' must be > 0: 0$"):
            Limits(**{name: 0})


@pytest.mark.parametrize("name", [name for name in FIELDS if "_seconds" in name])
def test_seconds_that_are_no_number_are_refused(name: str) -> None:
    """A deadline that compares to nothing would never come."""
    with pytest.raises(ValueError, match=rf"^'{name}' must be >=? 0: nan$"):
        Limits(**{name: math.nan})  # type: ignore[arg-type]  # a float, for a name that takes one


def test_bounds_are_given_by_name_and_stay() -> None:
    """A running engine's bounds do not change under it."""
    with pytest.raises(TypeError):
        Limits(60.0)  # type: ignore[call-arg]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Limits().calls_max = 5  # type: ignore[misc]


def test_the_defaults_that_are_promised() -> None:
    """What the reference names, as an operator reads it."""
    limits = Limits()
    assert (limits.wave_seconds_max, limits.grace_seconds, limits.settle_seconds) == (60.0, 20.0, 30.0)
    assert (limits.operation_seconds_max, limits.interruptions_max, limits.undo_attempts_max) == (
        600.0,
        10,
        3,
    )
    # A message is answered at once, and an acknowledgement sent at once, unless somebody wants it otherwise.
    assert (limits.debounce_seconds, limits.debounce_seconds_max) == (0.0, 10.0)
    assert limits.acknowledgement_seconds_min == 0.0
    # WhatsApp: a text message has at most 4,096 characters, a typing indicator fades after 25 s, one
    # message per 6 s to one user.
    assert limits.text_characters_max == 4096
    assert limits.typing_seconds < 25
    assert limits.progress_seconds_min == 6.0


def test_the_defaults_fit_together() -> None:
    """One that grew alone would have no effect, or an odd one."""
    limits = Limits()
    assert limits.threads_per_user_max < limits.threads_max
    assert limits.text_characters_max < limits.reply_characters_max
    assert limits.send_retry_seconds_min < limits.send_retry_seconds_max
    assert limits.receive_seconds_max < limits.record_seconds_max < limits.wave_seconds_max
    assert limits.wave_seconds_max < limits.operation_seconds_max
    assert limits.debounce_seconds < limits.debounce_seconds_max
    assert limits.waiting_messages_max < limits.burst_messages_max
