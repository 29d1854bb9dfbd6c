"""The reference of messages says what there is: every kind, class and field; its example works."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

import engine.content
from engine import Message, User
from engine.arrivals import EFFECTS
from engine.content import (
    CONTENT_TYPES,
    ButtonReply,
    Choice,
    Content,
    Document,
    Image,
    Kind,
    Location,
    Media,
    Revoke,
    Text,
)

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")


def rows(*header: str) -> list[list[str]]:
    """The rows of all tables whose header begins with these cells; without backticks."""
    tables = re.findall(r"^(\|.*\n)\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [
        cells(line)
        for head, body in tables
        if cells(head)[: len(header)] == list(header)
        for line in body.splitlines()
    ]


def cells(row: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in row.strip().strip("|").split(" | ")]


def fields_of_its_own(value: type[Any]) -> list[str]:
    """Those that it has not from the class above."""
    above = {field.name for base in value.__bases__ if attrs.has(base) for field in attrs.fields(base)}
    return [
        field.name
        for field in attrs.fields(value)
        if field.name not in above and not field.name.startswith("_")
    ]


def test_every_field_and_property_of_a_message_is_described() -> None:
    """In the order of the class."""
    described = rows("field")
    assert [row[0] for row in described] == [field.name for field in attrs.fields(Message)]
    properties = [name for name, value in vars(Message).items() if isinstance(value, property)]
    public = [name for name in properties if not name.startswith("_") and name != "order"]
    assert [row[0] for row in rows("property")] == public


def test_every_kind_is_described_with_its_class_and_what_it_does() -> None:
    """What is not in the table nobody expects."""
    described = rows("kind", "class")
    assert [(row[0], row[1]) for row in described] == [
        (kind.value, CONTENT_TYPES[kind].__name__) for kind in Kind
    ]
    assert [row[-1] for row in described] == [EFFECTS[kind].value for kind in Kind]
    assert all(re.search(rf"^- `{effect}`:", PAGE, re.MULTILINE) for effect in set(EFFECTS.values()))


def test_every_field_of_every_class_is_described() -> None:
    """In the order of the module, each by the class that it is of."""
    classes = [
        value
        for value in vars(engine.content).values()
        if isinstance(value, type) and attrs.has(value) and value.__module__ == engine.content.__name__
    ]
    expected = [(value.__name__, name) for value in classes for name in fields_of_its_own(value)]
    described = rows("class", "field")
    assert [(row[0], row[1]) for row in described] == expected
    assert all(row[2].endswith(".") for row in described)
    assert {name for name, _ in expected} >= {Media.__name__, Choice.__name__, "Quoted", "Profile"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Location(latitude=37.442, longitude=-122.1616), "near 37.44, -122.16"),
        (Document(filename="a.pdf", caption="my receipt"), "the file a.pdf: my receipt"),
        (Document(), "the file without a name: "),
        (ButtonReply(id="yes", title="Yes"), "the button yes"),
        (Text(body="Hi"), "Hi"),
        (Image(caption="Look"), "Look"),
        (Revoke(message_id="m0"), "[revoke]"),
    ],
)
def test_the_example_runs_as_written(content: Content, said: str) -> None:
    """With one of each."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    module = ModuleType("shown")
    exec(compile(code, "shown.py", "exec"), vars(module))  # noqa: S102  # our own documentation
    assert module.about(Message(id="m1", user=User("1"), text=content.text, content=content)) == said
