"""The reference of texts says what is built in, word for word; its examples are files that can be used."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from engine import built_in, parse_languages

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = (DOCS / "reference" / "texts.md").read_text(encoding="utf-8")
BUILT_IN: dict[str, Any] = tomllib.loads((files("engine") / "languages.toml").read_text(encoding="utf-8"))
LANGUAGES = {name: table for name, table in BUILT_IN.items() if name != "language"}
# A file, or the part of one, wherever it is shown.
EXAMPLES = [
    pytest.param(example, id=f"{page.relative_to(ROOT).as_posix()}-{number}")
    for page in sorted(DOCS.rglob("*.md"))
    for number, example in enumerate(
        re.findall(r"^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL), 1
    )
]


def rows(first_cell: str) -> list[list[str]]:
    """The rows of the table whose header begins so; of a code its text."""
    _, _, table = PAGE.partition(f"| {first_cell} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_text_is_described_with_what_it_says_in_english() -> None:
    """In the order of the built-in file, and with when it is said."""
    described = [*rows("text"), *rows("text of calls")]
    english = [(name, text) for name, text in LANGUAGES["en"].items() if name != "stop_words"]
    assert [tuple(row[:2]) for row in described] == english
    assert all(when.endswith(".") for _, _, when in described)


def test_texts_that_list_calls_are_described_apart() -> None:
    """Whoever writes one must know that the list has its place in it."""
    assert {name for name, text, _ in rows("text of calls") if "{calls}" in text} == {
        name for name, text in LANGUAGES["en"].items() if "{calls}" in text
    }


def test_every_language_is_described_with_its_stop_words() -> None:
    """Code, whether there are texts of it, and each word."""
    described = [(code, texts, words.split(", ")) for code, _, texts, words in rows("code")]
    assert described == [
        (name, "yes" if len(table) > 1 else "no", table["stop_words"]) for name, table in LANGUAGES.items()
    ]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_file_that_is_shown_can_be_used(example: str) -> None:
    """As it stands."""
    assert parse_languages(example, built_in()) != built_in()
