"""The reference of engine.testing says what there is: every name, with its parameters, fields and words."""

import re
from inspect import isfunction, signature
from pathlib import Path

import attrs
import pytest

import engine.testing
from engine.model import OutgoingKind
from engine.testing import Conversation, RecordingOutbound, Trail

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")
PUBLIC = {
    name: value
    for name, value in vars(engine.testing).items()
    if getattr(value, "__module__", "") == engine.testing.__name__ and not name.startswith("_")
}


def rows(header: str) -> list[str]:
    """The first cells of the table with this header, without backticks and what stands in brackets."""
    _, _, rest = PAGE.partition(f"\n| {header} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [re.sub(r"\(.*", "", line.split(" | ")[0].strip("| ").replace("`", "")) for line in lines]


def test_every_name_is_described() -> None:
    """And what is described exists."""
    made = {*rows("name"), *rows("store"), "open_conversation", "Conversation", "Trail", "RecordingOutbound"}
    assert made == PUBLIC.keys()


@pytest.mark.parametrize("value", [Conversation, Trail, RecordingOutbound])
def test_every_field_and_method_is_described(value: type) -> None:
    """Those that a test may use."""
    fields = {field.name for field in attrs.fields(value)}
    methods = {name for name in vars(value) if not name.startswith("_")} - fields
    assert set(rows(f"`{value.__name__}`")) - {value.__name__} == fields | methods


@pytest.mark.parametrize("name", sorted(name for name, value in PUBLIC.items() if isfunction(value)))
def test_every_parameter_is_described_with_its_default(name: str) -> None:
    """As one would write it."""
    parameters = []
    for parameter in signature(PUBLIC[name]).parameters.values():
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        if parameter.kind is parameter.KEYWORD_ONLY and not any(one.startswith("*") for one in parameters):
            parameters.append("*")
        parameters.append(f"{star}{parameter.name}{default}")
    assert f"`{name}({', '.join(parameters)})`".replace("'", '"') in PAGE


def test_every_word_that_a_trail_hears_is_described() -> None:
    """Whoever asserts a trail must know the words."""
    source = Path(engine.testing.__file__).read_text(encoding="utf-8")
    heard = set(re.findall(r"""self\.add\("([\w ]+)",|trail\.add\("([\w ]+)",""", source))
    words = {one or other for one, other in heard}
    described = set(re.findall(r"`([\w ]+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE))))
    assert words
    assert words <= described
    assert {kind.value for kind in OutgoingKind} <= described
