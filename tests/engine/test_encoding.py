"""Calls and fates come back from the store as they went in, whatever a user says."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import (
    Answered,
    Failed,
    Fate,
    Ignored,
    Merged,
    Ref,
    Rejected,
    Reply,
    Stopped,
    Superseded,
    Suspended,
)
from engine.model import RECORDED_FATES
from engine.store.encoding import decode_args, decode_fate, encode_args, encode_fate, from_text, to_text

# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "encoded"),
    [
        ({"x": 1, "y": [None, "a"]}, {"x": 1, "y": [None, "a"]}),
        ({"x": Ref("a")}, {"x": {"$ref": ["a", []]}}),
        ({"x": Ref("a", "k", 0)}, {"x": {"$ref": ["a", ["k", 0]]}}),
        # A default stands behind the path, also when it is None.
        ({"x": Ref("a", default=None)}, {"x": {"$ref": ["a", [], None]}}),
        ({"x": Ref("a", default={"$ref": 1})}, {"x": {"$ref": ["a", [], {"$ref": 1}]}}),
        ({"x": [{"y": Ref("a")}]}, {"x": [{"y": {"$ref": ["a", []]}}]}),
        # What only looks like a reference is wrapped, and so is what looks like a wrapping.
        ({"x": {"$ref": ["a", []]}}, {"x": {"$literal": {"$ref": ["a", []]}}}),
        ({"x": {"$literal": 1}}, {"x": {"$literal": {"$literal": 1}}}),
        ({"x": {"$ref": 1, "z": Ref("a")}}, {"x": {"$literal": {"$ref": 1, "z": {"$ref": ["a", []]}}}}),
    ],
)
def test_a_reference_is_marked_and_what_poses_as_one_is_wrapped(args: Any, encoded: Any) -> None:
    """Rule 1: as it stands on disk, which later versions must still read."""
    assert encode_args(args) == encoded
    assert decode_args(encoded) == args


def test_a_tuple_is_written_as_a_list() -> None:
    """JSON has no other."""
    assert encode_args({"x": (1, Ref("a"))}) == {"x": [1, {"$ref": ["a", []]}]}


def test_a_reference_comes_back_as_a_reference() -> None:
    """Not as something that is equal to one."""
    back = decode_args({"x": {"$ref": ["a", ["k"], 5]}})["x"]
    assert isinstance(back, Ref)
    assert (back.call_id, back.path, back.default, back.has_default) == ("a", ("k",), 5, True)
    assert not decode_args({"$ref": ["a", []]}).has_default


texts = st.text(max_size=8)
keys = texts | st.sampled_from(["$ref", "$literal"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
refs = st.builds(
    lambda call_id, path, default: Ref(call_id, *path, **default),
    texts,
    st.lists(texts | st.integers(), max_size=3),
    st.just({}) | st.fixed_dictionaries({"default": json_values}),
)
arguments = st.dictionaries(
    texts,
    st.recursive(
        json_values | refs,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


@given(args=arguments)
@example(args={"x": {"$ref": ["a", []]}})
@example(args={"x": {"$literal": {"$ref": ["a", []]}}})
@example(args={"x": {"$ref": Ref("a"), "$literal": {"$literal": Ref("b", default={"$ref": ["c", []]})}}})
def test_arguments_come_back_as_they_went_in(args: dict[str, Any]) -> None:
    """Rule 1: nothing a user says can pose as a reference, and no reference is lost."""
    back = decode_args(from_text(to_text(encode_args(args))))
    assert back == args
    # Equality takes 1 for true and 1.0 for 1.
    assert repr(back) == repr(args)


@given(value=json_values)
def test_the_text_is_json_that_anybody_can_read(value: Any) -> None:
    """Not only the library that wrote it."""
    assert json.loads(to_text(value)) == value
    assert from_text(to_text(value)) == from_text(to_text(value).encode()) == value


# Fates --------------------------------------------------------------------------------------------

FATES: list[tuple[Fate, str]] = [
    (Answered(Reply("Grüße 🎉")), '{"reply":{"text":"Grüße 🎉"}}'),
    (Superseded("m2"), '{"by":"m2"}'),
    (Merged("m0"), '{"into":"m0"}'),
    (Rejected("too many"), '{"reason":"too many"}'),
    (Stopped(), '{"told":""}'),
    (Stopped("Stopped. Already done: a table."), '{"told":"Stopped. Already done: a table."}'),
    (Ignored("a reaction"), '{"reason":"a reaction"}'),
    (Failed("ValueError: x"), '{"reason":"ValueError: x"}'),
]


@pytest.mark.parametrize(("fate", "text"), FATES, ids=lambda part: getattr(part, "name", ""))
def test_a_fate_comes_back_as_it_went_in(fate: Fate, text: str) -> None:
    """As it stands on disk: its fields here, its name beside them."""
    assert encode_fate(fate) == text
    back = decode_fate(fate.name, text)
    assert back == fate
    assert type(back) is type(fate)


def test_a_stop_that_an_older_version_recorded_can_be_read() -> None:
    """It did not write down what its user was told."""
    assert decode_fate("stopped", "{}") == Stopped()


def test_every_fate_that_is_recorded_can_be_read() -> None:
    """None is left out above."""
    assert {fate.name for fate, _ in FATES} == set(RECORDED_FATES)


def test_a_fate_that_is_never_recorded_is_not_read() -> None:
    """P4: suspended is no end."""
    with pytest.raises(KeyError, match="suspended"):
        decode_fate(Suspended().name, "{}")


def test_a_fate_with_a_field_missing_is_refused() -> None:
    """A damaged row is an error, not a message without an answer."""
    with pytest.raises(msgspec.ValidationError, match="missing required field `by`"):
        decode_fate("superseded", "{}")
