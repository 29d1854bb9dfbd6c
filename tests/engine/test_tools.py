"""What a tool is, what makes one, and how values cross the store without changing on the way."""

import dataclasses
import datetime
import enum
import inspect
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import AssistantError, Outcome, Tool, ToolContext, ToolFailed, User, tool
from engine.tools import from_json_form, json_size, to_json_form

CONTEXT = ToolContext(user=User("15551234567"), idempotency_key="o1/a", credentials={"token": "secret"})


class Area(enum.Enum):
    """Where a table stands."""

    INSIDE = "inside"
    TERRACE = "terrace"


@attrs.frozen
class Guest:
    """Who comes."""

    name: str
    age: int | None = None


@dataclasses.dataclass(frozen=True)
class Booking:
    """What was booked."""

    at: datetime.datetime
    day: datetime.date
    guests: list[Guest]
    area: Area
    kind: Literal["dinner", "lunch"]
    price: float
    paid: bool
    notes: dict[str, str]
    seats: tuple[int, str]
    # As many write it still: it has to mean the same as `str | None`.
    remark: Optional[str] = None  # noqa: UP045


@tool(timeout=10, idempotent=True, retries=2)
async def book(  # type: ignore[no-untyped-def]  # one parameter has no annotation, as many tools will
    day: datetime.date,
    people: int,
    guests: list[Guest],
    area: Area = Area.INSIDE,
    kind: Literal["dinner", "lunch"] = "dinner",
    remark: str | None = None,
    *,
    anything=None,
    context: ToolContext,
) -> str:
    """Books a table.

    The first that is free.
    """
    return f"{day} {people} {context.idempotency_key}"


@tool(timeout=1)
def count(words: list[str]) -> int:
    """Counts."""
    return len(words)


# The decorator ------------------------------------------------------------------------------------


def test_a_function_becomes_a_tool() -> None:
    """Its name, docstring, parameters and annotations are the tool's."""
    assert isinstance(book, Tool)
    assert (book.name, book.description) == ("book", "Books a table.\n\nThe first that is free.")
    assert (book.timeout, book.idempotent, book.retries, book.undo) == (10.0, True, 2, None)
    assert list(book.parameters) == ["day", "people", "guests", "area", "kind", "remark", "anything"]
    assert book.required == {"day", "people", "guests"}
    assert (book.parameters["people"], book.parameters["anything"], book.returns) == (int, Any, str)


def test_a_tool_acts_once_unless_it_says_otherwise() -> None:
    """Not idempotent, no retries, no undo: the careful choice is the default."""
    assert (count.idempotent, count.retries, count.undo, count.timeout) == (False, 0, None, 1.0)
    assert count.reusable_seconds == 0.0


@pytest.mark.parametrize(
    ("given", "title"), [({}, "book a table"), ({"title": None}, "book a table"), ({"title": ""}, "")]
)
def test_a_tool_is_told_of_by_its_title(given: dict[str, Any], title: str) -> None:
    """Its name with spaces, unless it says another, or that nothing is to be said of it."""

    def book_a_table() -> None:
        """Books."""

    assert tool(timeout=1, **given)(book_a_table).title == title
    assert tool(timeout=1, title="a table booked")(book_a_table).title == "a table booked"


async def test_a_tool_is_called_like_its_function() -> None:
    """A unit test of the tool needs no engine."""
    assert count(["a", "b"]) == count(words=["a", "b"]) == 2
    assert await book(datetime.date(2026, 12, 4), 2, [], context=CONTEXT) == "2026-12-04 2 o1/a"


def test_an_async_function_is_run_on_the_loop_and_a_plain_one_in_a_thread() -> None:
    """Rule 1."""
    assert book.is_async
    assert not count.is_async


def test_a_tool_keeps_its_undo() -> None:
    """`undo(args, outcome, context)` takes the act back."""

    async def cancel(args: dict[str, Any], outcome: Outcome, context: ToolContext) -> None:
        """Cancels."""

    @tool(timeout=0.5, undo=cancel)
    async def act() -> None:
        """Acts."""

    assert act.undo is cancel
    assert (act.returns, act.parameters, act.takes_context) == (Any, {}, False)


def test_a_tool_shows_no_more_than_its_settings() -> None:
    """A log line of a tool is short."""
    assert repr(count) == (
        "Tool(name='count', timeout=1.0, idempotent=False, retries=0, reusable_seconds=0.0, title='count')"
    )


SECONDS = "@tool(timeout=...) must be a number of seconds above zero, not "
REUSABLE = "@tool(reusable_seconds=...) must be a number of seconds, zero or more, not "
RETRIES = "@tool(retries=...) must be a whole number, zero or more, not "


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"timeout": 0}, SECONDS + "0"),
        ({"timeout": -1.5}, SECONDS + "-1.5"),
        ({"timeout": math.inf}, SECONDS + "inf"),
        ({"timeout": math.nan}, SECONDS + "nan"),
        ({"timeout": True}, SECONDS + "True"),
        ({"timeout": "10"}, SECONDS + "'10'"),
        ({"timeout": None}, SECONDS + "None"),
        ({"timeout": 1, "idempotent": True, "retries": -1}, RETRIES + "-1"),
        ({"timeout": 1, "idempotent": True, "retries": 1.0}, RETRIES + "1.0"),
        ({"timeout": 1, "idempotent": True, "retries": True}, RETRIES + "True"),
        (
            {"timeout": 1, "retries": 1},
            "@tool(retries=...) needs idempotent=True: a retry acts on the world again",
        ),
        ({"timeout": 1, "undo": "cancel"}, "@tool(undo=...) must be a function, not 'cancel'"),
        ({"timeout": 1, "reusable_seconds": -1}, REUSABLE + "-1"),
        ({"timeout": 1, "reusable_seconds": math.inf}, REUSABLE + "inf"),
        ({"timeout": 1, "reusable_seconds": math.nan}, REUSABLE + "nan"),
        ({"timeout": 1, "reusable_seconds": True}, REUSABLE + "True"),
        ({"timeout": 1, "reusable_seconds": "60"}, REUSABLE + "'60'"),
        ({"timeout": 1, "title": 5}, "@tool(title=...) must be a text, not 5"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, Any], text: str) -> None:
    """At import, not in the middle of a conversation."""
    with pytest.raises(AssistantError) as refusal:
        tool(**settings)
    assert str(refusal.value) == text


def test_a_decorator_without_parentheses_is_refused_with_the_remedy() -> None:
    """`@tool` alone would make the function its timeout."""
    with pytest.raises(AssistantError) as refusal:
        tool(lambda: None)  # type: ignore[arg-type]
    assert str(refusal.value) == "@tool needs a timeout in seconds: write @tool(timeout=...)"


def takes_positions(first: int, /) -> None: ...


def takes_many(*words: str) -> None: ...


def takes_any(**words: str) -> None: ...


def yields() -> Iterator[int]:
    """Yields."""
    yield 1


async def yields_later() -> AsyncIterator[int]:
    """Yields."""
    yield 1


def names_nothing(day: "NoSuchType") -> None:  # type: ignore[name-defined]  # noqa: F821
    ...


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (takes_positions, "its parameter 'first' cannot be given by name"),
        (takes_many, "its parameter 'words' cannot be given by name"),
        (takes_any, "its parameter 'words' cannot be given by name"),
        (yields, "it yields; a tool returns one result"),
        (yields_later, "it yields; a tool returns one result"),
        (names_nothing, "its annotations cannot be read: name 'NoSuchType' is not defined"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_by_name(function: Callable[..., Any], why: str) -> None:
    """The text says which function, and why."""
    with pytest.raises(AssistantError) as refusal:
        tool(timeout=1)(function)
    assert str(refusal.value) == f"{function.__qualname__} cannot be a tool: {why}"


# The schema ---------------------------------------------------------------------------------------


def test_the_schema_is_what_a_language_model_is_shown() -> None:
    """JSON Schema by the annotations; the context is no part of it, nor is anything else allowed."""
    schema = book.schema
    assert (schema["name"], schema["description"]) == (book.name, book.description)
    parameters = schema["parameters"]
    definitions = parameters.pop("$defs")
    assert parameters == {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "people": {"type": "integer"},
            "guests": {"type": "array", "items": {"$ref": "#/$defs/Guest"}},
            "area": {"$ref": "#/$defs/Area"},
            "kind": {"enum": ["dinner", "lunch"]},
            "remark": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "anything": {},
        },
        "required": ["day", "people", "guests"],
        "additionalProperties": False,
    }
    assert set(definitions) == {"Guest", "Area"}
    assert definitions["Guest"]["required"] == ["name"]
    assert definitions["Area"]["enum"] == ["inside", "terrace"]


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    """And without a docstring an empty description."""

    @tool(timeout=1)
    def nothing(context: ToolContext) -> None: ...

    assert nothing.schema == {
        "name": "nothing",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    }


# Arguments ----------------------------------------------------------------------------------------


def test_arguments_arrive_in_the_types_that_the_annotations_name() -> None:
    """From their JSON form; a parameter that was not given keeps its own default."""
    arguments = book.arguments(
        {"day": "2026-12-04", "people": 2, "guests": [{"name": "Ada", "age": 36}], "area": "terrace"}, CONTEXT
    )
    assert arguments == {
        "day": datetime.date(2026, 12, 4),
        "people": 2,
        "guests": [Guest("Ada", 36)],
        "area": Area.TERRACE,
        "context": CONTEXT,
    }
    inspect.signature(book.function).bind(**arguments)


def test_the_context_is_given_to_a_tool_that_asks_for_it() -> None:
    """Only to that one."""
    assert count.arguments({"words": []}, CONTEXT) == {"words": []}
    assert book.takes_context


def test_the_context_shows_neither_credentials_nor_a_whole_number() -> None:
    """A tool that logs its context tells no secret."""
    assert repr(CONTEXT) == "ToolContext(user=User(id=…4567), idempotency_key='o1/a')"


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["words"], None),
        ([], "tool 'count' needs the argument 'words'"),
        (["words", "letters"], "tool 'count' has no parameter 'letters'; it has: words"),
        (["letters"], "tool 'count' has no parameter 'letters'; it has: words"),
    ],
)
def test_wrong_names_are_told_in_words(names: list[str], wrong: str | None) -> None:
    """What is wrong, and what there is."""
    assert count.wrong_names(names) == wrong
    if wrong:
        with pytest.raises(ToolFailed) as failure:
            count.arguments(dict.fromkeys(names), CONTEXT)
        assert str(failure.value) == wrong


def test_a_tool_without_parameters_says_so() -> None:
    """There is nothing to list."""

    @tool(timeout=1)
    def nothing() -> None: ...

    assert nothing.wrong_names(["x"]) == "tool 'nothing' has no parameter 'x'; it has: none"


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("people", "2", "TypeError: expected int, got '2'"),
        ("people", None, "TypeError: expected int, got None"),
        ("people", True, "TypeError: expected int, got True"),
        ("day", "Friday", "ValueError: Invalid isoformat string: 'Friday'"),
        ("remark", 5, "TypeError: expected str, got 5"),
        ("area", "roof", "ValueError: 'roof' is not a valid Area"),
        ("guests", [{"name": None}], "invalid value for type, expected str @ $[0].name"),
        ("guests", [{}], "required field missing @ $[0].name"),
    ],
)
def test_an_argument_that_does_not_fit_fails_the_call_by_its_name(
    argument: str, value: Any, why: str
) -> None:
    """In one line that says where in the argument."""
    raw = {"day": "2026-12-04", "people": 2, "guests": [], argument: value}
    with pytest.raises(ToolFailed) as failure:
        book.arguments(raw, CONTEXT)
    assert str(failure.value) == f"argument {argument!r} of tool 'book': {why}"


# Values across the store --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "annotation"),
    [
        (None, str),
        (5, str),
        (["a"], str),
        ("5", int),
        (5.0, int),
        (None, int),
        (True, int),
        ("1.5", float),
        (True, float),
        (None, float),
        (1, bool),
        ("true", bool),
        (None, bool),
        (None, list[int]),
        ([1, "2"], list[int]),
        ({"a": None}, dict[str, str]),
        ([1], dict[str, int]),
        ("other", Literal["dinner", "lunch"]),
        ("x", int | None),
        (1.5, int | str),
        (None, Guest),
        ({"name": 5}, Guest),
        ("tomorrow", datetime.datetime),
        (5, datetime.date),
    ],
)
def test_nothing_is_bent_into_shape(raw: Any, annotation: Any) -> None:
    """None is no text, a text no number, a truth no number: a value fits or is refused in one line."""
    with pytest.raises(ToolFailed) as failure:
        from_json_form(raw, annotation)
    assert str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("whole", [0, 3, -7])
def test_a_whole_number_is_a_number(whole: int) -> None:
    """JSON knows no difference, so a float annotation takes it, as a float."""
    value = from_json_form(whole, float)
    assert value == whole
    assert type(value) is float


@pytest.mark.parametrize("value", [object(), range(3), (n for n in [1]), "\ud800", {"x": [object()]}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """Before it is recorded, not while it is read."""
    with pytest.raises((TypeError, UnicodeEncodeError)):
        to_json_form(value)


def test_any_value_is_reduced_to_its_json_form_where_nothing_names_its_type() -> None:
    """What a plan sees is what it would see after a restart."""
    assert to_json_form({"day": datetime.date(2026, 12, 4), "who": (Guest("Ada"), Area.INSIDE)}) == {
        "day": "2026-12-04",
        "who": [{"name": "Ada", "age": None}, "inside"],
    }


def test_a_values_size_is_that_of_its_json_text() -> None:
    """In bytes, not in letters."""
    assert json_size({"a": "é"}) == len('{"a":"é"}'.encode())
    assert json_size(None) == 4


texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@given(value=json_values)
def test_a_value_that_is_json_crosses_as_it_is(value: Any) -> None:
    """Rule 2: true stays true, 1 stays whole, 1.0 stays a fraction, and JSON form is a fixed point."""
    raw = to_json_form(value)
    assert repr(raw) == repr(value)
    assert repr(to_json_form(raw)) == repr(raw)
    assert from_json_form(raw) is raw


guests = st.builds(Guest, texts, st.none() | st.integers(0, 120))
years = {"min_value": datetime.datetime(1900, 1, 1), "max_value": datetime.datetime(2200, 1, 1)}  # noqa: DTZ001
bookings = st.builds(
    Booking,
    at=st.datetimes(**years, timezones=st.sampled_from([None, datetime.UTC])),
    day=st.dates(),
    guests=st.lists(guests, max_size=3),
    area=st.sampled_from(Area),
    kind=st.sampled_from(["dinner", "lunch"]),
    price=st.floats(allow_nan=False, allow_infinity=False),
    paid=st.booleans(),
    notes=st.dictionaries(texts, texts, max_size=3),
    seats=st.tuples(st.integers(), texts),
    remark=st.none() | texts,
)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Booking, bookings),
        (list[Guest], st.lists(guests, max_size=3)),
        (dict[str, Guest], st.dictionaries(texts, guests, max_size=3)),
        (Guest | None, st.none() | guests),
        (set[int], st.sets(st.integers(), max_size=5)),
        (tuple[int, ...], st.lists(st.integers(), max_size=5).map(tuple)),
        (int | str, st.integers() | texts),
        (bytes, st.binary(max_size=20)),
    ],
    ids=str,
)
@given(data=st.data())
def test_a_value_crosses_the_store_in_its_own_type(
    annotation: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Rule 2: what comes back is what went in, and what stands between is JSON."""
    value = data.draw(values)
    raw = to_json_form(value, annotation)
    back = from_json_form(raw, annotation)
    assert back == value
    assert type(back) is type(value)
    assert to_json_form(raw) == raw
