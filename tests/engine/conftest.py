"""Lets the tests here import the parts beside them, and looks at every event that the engine tells."""

import sys
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from engine import Event, Events

sys.path.append(str(Path(__file__).parent))


@cache
def fields_of(kind: type[Event]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of the type that its field names; of a tuple's items nothing is asked."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, one) for one in typing.get_args(hint))
    kind = typing.get_origin(hint) or hint
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


@pytest.fixture(autouse=True)
def events_are_well_formed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whatever a test looks at: no event lacks what its fields promise, and no time in it is negative."""
    emit = Events.emit
    wrong: list[str] = []

    def look_and_emit(self: Events, event: Event) -> None:
        for name, hint in fields_of(type(event)).items():
            value = getattr(event, name)
            if not fits(value, hint) or (isinstance(value, float) and value < 0):
                wrong.append(f"{type(event).__name__}.{name} is {value!r}")
        emit(self, event)

    monkeypatch.setattr(Events, "emit", look_and_emit)
    yield
    assert wrong == []
