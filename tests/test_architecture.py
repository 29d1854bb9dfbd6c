"""The shape of the project holds: who may call what.  Who may import what is the import contracts' part."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("engine", "web")
    for path in (ROOT / folder).rglob("*.py")
)


def _tree(source: str) -> ast.Module:
    return ast.parse((ROOT / source).read_text(encoding="utf-8"))


def _names(source: str) -> Iterator[str]:
    """Every dotted name that is used, `time.sleep` for instance, and every module that is imported."""
    for node in ast.walk(_tree(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                yield f"{module}.{name}"
            case ast.Import(names=names):
                yield from (f"import {alias.name}" for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield f"import {module}"


def users_of(*names: str) -> set[str]:
    """The files that use one of these names."""
    return {source for source in SOURCES if not {*names}.isdisjoint(_names(source))}


@pytest.mark.parametrize("source", SOURCES)
def test_every_module_opens_with_a_sentence(source) -> None:
    """A newcomer learns from the first line what a file is for."""
    docstring = ast.get_docstring(_tree(source))
    assert docstring, f"{source} has none"
    assert docstring.splitlines()[0].rstrip().endswith((".", ":", "?")), docstring.splitlines()[0]


def test_asyncio_is_only_in_the_thread_of_the_prompt() -> None:
    """What prompt_toolkit needs; everything else is Trio."""
    assert users_of("import asyncio") == {"engine/repl/prompt.py"}


def test_nobody_sleeps_but_trio() -> None:
    """A blocked loop stops every user at once; an operator's command has no loop."""
    assert users_of("time.sleep") == {"web/operator/commands.py"}


def test_the_wall_clock_enters_through_one_door() -> None:
    """`now` is a parameter wherever it matters; these give its default, or date what an operator asks."""
    assert users_of("time.time", "datetime.now", "date.today") == {
        "engine/runtime.py",
        "engine/store/sqlite/__init__.py",
        "engine/store/sqlite/opening.py",
        "web/local/__init__.py",
        "web/operator/commands.py",
    }


def test_the_environment_is_read_in_one_place() -> None:
    """Settings are values; nothing else asks the environment."""
    assert users_of("os.environ", "os.getenv") == {"web/settings.py"}


def test_only_whom_we_know_ends_the_process() -> None:
    """What exits without closing anything is known by name."""
    assert users_of("os._exit") == {
        "engine/repl/__init__.py",
        "web/bench/growth.py",
        "web/bench/probe.py",
        "web/serving.py",
    }
