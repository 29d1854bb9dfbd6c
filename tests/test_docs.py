"""The documentation holds: what exists is described, what is described exists, and what is shown runs."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import attrs
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from quart_trio import QuartTrio
from trio.testing import MockClock

import engine
import web.settings
from engine import Assistant, CallFinished, Event, Limits, MemoryStore, Status, open_engine
from engine.policy import TABLE, Decision, Situation
from engine.testing import RecordingOutbound, open_conversation
from web.__main__ import main
from web.app import create_app
from web.doors import door_of
from web.local import LocalPhone
from web.metrics import Metrics
from web.settings import VARIABLES, load_settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
TUTORIAL = DOCS / "tutorial" / "first-assistant.md"
FIRST_NUMBER = DOCS / "tutorial" / "first-whatsapp-number.md"
PROMISES = DOCS / "explanation" / "promises.md"
# A test that hangs must end; nothing here takes more than seconds.
HANG_SECONDS = 100.0


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def reference(name: str) -> str:
    return read(DOCS / "reference" / f"{name}.md")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of all tables by the first cell of their header; each row its cells, without backticks."""
    found: dict[str, list[list[str]]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("|"):
            rows = found.setdefault(cells(line)[0], [])
            next(lines)  # the line under the header
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
    return found


def cells(row: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in row.strip().strip("|").split("|")]


def sections(text: str, level: int) -> dict[str, str]:
    """The text under each heading of this level, by the heading without backticks."""
    parts = re.split(rf"^{'#' * level} (.*)$", text, flags=re.MULTILINE)[1:]
    return {
        title.replace("`", "").strip(): re.split(rf"^#{{1,{level}}} ", body, flags=re.MULTILINE)[0]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def subclasses(base: type, module: ModuleType) -> dict[str, type]:
    """The classes of a module that derive from `base`, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    }


# The reference says what there is -----------------------------------------------------------------

EVENTS = {event.name: event for event in subclasses(Event, engine.events).values() if event is not Event}


def test_every_event_is_described() -> None:
    """Under its name, with its class; and no event that does not exist."""
    described = sections(reference("events"), 3)
    assert described.keys() == EVENTS.keys()
    for name, event in EVENTS.items():
        assert described[name].lstrip().startswith(f"`{event.__name__}`:"), name


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_of_an_event_is_described_in_order(name: str) -> None:
    """Whoever writes a hook reads this table, not the code."""
    described = tables(sections(reference("events"), 3)[name])["field"]
    assert [row[0] for row in described] == [field.name for field in attrs.fields(EVENTS[name])]
    assert all(row[1] for row in described)


def test_every_public_name_is_in_the_reference() -> None:
    """On the page that is made from the code, once; or on one of the pages that say more of it."""
    made = re.findall(r"^::: engine\.(\w+)$", reference("python-names"), re.MULTILINE)
    pages = ("events", "errors", "limits", "messages", "replies")
    named = {name for page in pages for name in re.findall(r"\w+", reference(page))}
    assert len(set(made)) == len(made)
    assert set(made) <= set(engine.__all__)
    assert set(engine.__all__) - set(made) <= named


def unit_of(limit: str) -> str:
    for unit in ("seconds", "bytes", "characters"):
        if f"_{unit}" in limit:
            return unit
    return ""


def test_every_limit_is_described_with_its_unit_its_default_and_a_reason() -> None:
    """A number without its reason is changed by guessing."""
    described = [row for rows in tables(reference("limits")).values() for row in rows]
    defaults = {field.name: f"{field.default:g}" for field in attrs.fields(Limits)}
    defaults |= {
        field.name: str(field.default) for field in attrs.fields(Limits) if isinstance(field.default, int)
    }
    assert {row[0]: row[2] for row in described} == defaults
    assert len(described) == len(defaults)
    for name, unit, _, reason in described:
        assert unit.startswith(unit_of(name)), name
        assert unit, name
        assert reason.endswith("."), name


def test_every_error_is_described_with_what_it_derives_from() -> None:
    """Those of the engine, and the one of the settings."""
    errors = subclasses(Exception, engine.errors) | subclasses(Exception, web.settings)
    described = [row for rows in tables(reference("errors")).values() for row in rows]
    assert {row[0]: row[1] for row in described} == {
        name: error.__base__.__name__ for name, error in errors.items() if error.__base__
    }
    assert len(described) == len(errors)


def test_every_setting_is_described_with_its_default() -> None:
    """In the order in which `midstream` has them."""
    described = tables(reference("settings"))["variable"]
    assert [row[:2] for row in described] == [[one.name, one.default or ""] for one in VARIABLES]
    assert all(row[2] for row in described)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_setting_that_does_not_exist(page: Path) -> None:
    """A misspelt variable in an example is refused at start."""
    named = set(re.findall(r"\b(?:MIDSTREAM|WHATSAPP)_[A-Z_]*[A-Z]\b", read(page)))
    assert named <= {one.name for one in VARIABLES}


def routes_of(app: QuartTrio) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


async def test_every_route_is_described(autojump_clock: MockClock) -> None:
    """What is always there, and what local mode adds."""
    async with open_engine(almost_nothing(), store=MemoryStore(), outbound=RecordingOutbound()) as running:
        app = create_app(running, door_of(load_settings({})))
        always = routes_of(app)
        phone = LocalPhone(phone_number_id="1", access_token="t", app_secret="s", server_url=str)  # noqa: S106
        app.register_blueprint(phone.blueprint)
        in_local_mode = routes_of(app) - always
    described = {
        title: {(row[0], row[1]) for row in tables(text)["method"]}
        for title, text in sections(reference("routes"), 2).items()
    }
    assert described == {"Always": always, "In local mode only": in_local_mode}


def test_every_metric_is_described_with_its_type_and_labels() -> None:
    """As Prometheus reads them; the label `le` of a histogram's buckets is Prometheus' own."""
    metrics = Metrics()
    metrics.hear(
        CallFinished(
            user_id="1", operation_id="o", call_id="c", tool="t", status=Status.FAILED, seconds=1, error="e"
        )
    )
    content, _ = metrics.render(live_sessions=0, stragglers=0, depths=None)
    existing = {
        f"{family.name}_total" if family.type == "counter" else family.name: [
            family.type,
            ", ".join(sorted(set(family.samples[0].labels) - {"le"})),
        ]
        for family in text_string_to_metric_families(content.decode())
    }
    described = tables(reference("metrics"))["metric"]
    assert {row[0]: [row[1], ", ".join(sorted(row[2].split(", ")))] for row in described} == existing
    assert len(described) == len(existing)


def test_every_command_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    """As `midstream --help` lists them."""
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z]+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    described = [row[0] for row in tables(reference("commands"))["command"]]
    assert described == [f"midstream {name}" for name in listed]


def test_every_target_of_make_is_described() -> None:
    """As `.PHONY` names them."""
    (listed,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    described = [row[0] for row in tables(reference("commands"))["target"]]
    assert sorted(described) == sorted(f"make {name}" for name in listed.split())


def test_the_tables_of_the_policies_are_those_of_the_code() -> None:
    """What each decides in each situation, for a new message and for a late one; and each word explained."""
    described = tables(read(DOCS / "how-to" / "choose-a-policy.md"))
    for header, is_late in (("a new message comes", False), ("a late message comes", True)):
        assert described[header] == [
            [situation, *(TABLE[name][is_late][situation] for name in TABLE)] for situation in Situation
        ]
    assert [row[0] for row in described["policy"]] == list(TABLE)
    assert [row[0] for row in described["situation"]] == list(Situation)
    assert [row[0] for row in described["decision"]] == list(Decision)


# Links and promises -------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The relative links of a page: the path they lead to, and the anchor there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """To a file or folder of the repository, and to a heading in it when it names one."""
    for path, anchor in links(page):
        assert path.exists(), path
        assert path.is_relative_to(ROOT), path
        assert not anchor or anchor in anchors(path), f"{path}#{anchor}"


def test_every_page_can_be_found() -> None:
    """By a link to it, or to its folder."""
    linked = {path for page in PAGES for path, _ in links(page)} | {ROOT / "README.md"}
    assert [name_of(page) for page in PAGES if not {page, page.parent} & linked] == []


def test_the_promises_are_all_there() -> None:
    """P1 to P14, in order."""
    promises = sections(read(PROMISES), 2)
    assert [title.split()[0] for title in promises] == [f"P{number}" for number in range(1, 15)]


def named_tests(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^- `(tests/[\w/]+\.py)::(\w+)`$", text, re.MULTILINE)


@pytest.mark.parametrize("promise", sections(read(PROMISES), 2))
def test_every_promise_names_tests_that_exist(promise: str) -> None:
    """A promise that no test holds is a hope."""
    named = named_tests(sections(read(PROMISES), 2)[promise])
    assert named
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {node.name for node in tree.body if isinstance(node, functions)}, f"{file}::{name}"


# What is shown runs -------------------------------------------------------------------------------


def almost_nothing() -> Assistant:
    """An assistant for whoever needs one."""
    return assistant_of(blocks(ROOT / "README.md", "python")[0])


def assistant_of(code: str) -> Assistant:
    """The assistant that this code makes."""
    module = ModuleType("shown")
    exec(compile(code, "shown.py", "exec"), vars(module))  # noqa: S102  # our own documentation
    assistant: Assistant = module.assistant
    return assistant


async def test_the_assistant_of_the_readme_runs_as_written(autojump_clock: MockClock) -> None:
    """A complete file of 30 lines, blank ones not counted; it books what it was asked for."""
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    outbound = RecordingOutbound()
    async with open_engine(assistant_of(code), store=MemoryStore(), outbound=outbound) as running:
        fate = await running.process_message("15551234567", "Tuesday")
    assert fate.message == "Booked: Tuesday 19:00"
    assert outbound.texts == ["Booked: Tuesday 19:00"]


async def test_the_assistant_of_the_readme_can_be_interrupted(autojump_clock: MockClock) -> None:
    """As the README says: within two seconds, no table is booked for Tuesday."""
    async with open_conversation(almost_nothing()) as conversation:
        await conversation.send(("m1", "Tuesday"))
        await trio.sleep(1)
        await conversation.send(("m2", "Wednesday"))
        await trio.sleep(20)
    words = [entry[1:] for entry in conversation.trail.entries]
    assert words.count(("wave", "booking")) == 1
    assert ("answered", "m2") in words


def test_the_settings_of_the_tutorial_connect_a_number() -> None:
    """The file that its reader makes, with values as Meta gives them; none is wrong or missing."""
    (file,) = (text for text in blocks(FIRST_NUMBER, "text") if text.startswith("WHATSAPP_"))
    settings = load_settings(dict(line.split("=", 1) for line in file.splitlines()))
    assert settings.is_local is False
    assert settings.pace_seconds == 3


# What the tutorial's reader writes in each step, as (seconds to wait before, text).
SCRIPTS = [
    [(0.0, "Tuesday")],
    [(0.0, "Tuesday"), (20.0, "Monday")],
    [(0.0, "Tuesday"), (1.0, "Wednesday")],
    [(0.0, "Tuesday"), (3.0, "Wednesday")],
]
# Step 3 shows the code of step 2.
CODE_OF_STEP = [1, 2, 2, 3]


@pytest.mark.parametrize("step", range(len(SCRIPTS)))
async def test_each_step_of_the_tutorial_answers_as_shown(autojump_clock: MockClock, step: int) -> None:
    """The lines of `you` and `bot` in its transcript are what is written and what is answered."""
    transcript = blocks(TUTORIAL, "text")[step]
    code = "\n".join(blocks(TUTORIAL, "python")[: CODE_OF_STEP[step]])
    async with open_conversation(assistant_of(code)) as conversation:
        for number, (seconds, text) in enumerate(SCRIPTS[step]):
            await trio.sleep(seconds)
            await conversation.send((f"m{number}", text))
        await trio.sleep(20)
    assert re.findall(r"^you> (.*)$", transcript, re.MULTILINE) == [text for _, text in SCRIPTS[step]]
    assert re.findall(r"^bot> (.*)$", transcript, re.MULTILINE) == conversation.outbound.texts


@pytest.mark.parametrize(
    ("module", "code", "test"),
    [
        ("restaurant", blocks(TUTORIAL, "python")[:-1], blocks(TUTORIAL, "python")[-1:]),
        (
            "my_bot",
            blocks(ROOT / "README.md", "python"),
            blocks(DOCS / "how-to" / "test-your-assistant.md", "python"),
        ),
        *[
            (
                "my_bot",
                blocks(DOCS / "how-to" / page, "python")[:-1],
                blocks(DOCS / "how-to" / page, "python")[-1:],
            )
            for page in ("write-a-policy.md", "write-a-tool.md", "write-an-undo.md")
        ],
    ],
)
def test_the_tests_that_are_shown_pass(tmp_path: Path, module: str, code: list[str], test: list[str]) -> None:
    """As a reader runs them: the assistant in one file, the tests in another, and pytest."""
    (tmp_path / f"{module}.py").write_text("\n".join(code))
    (tmp_path / f"test_{module}.py").write_text("\n".join(test))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    ran = subprocess.run(
        [*command, f"--rootdir={tmp_path}", f"test_{module}.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    shown = len(re.findall(r"^(?:async )?def test_", "\n".join(test), re.MULTILINE))
    assert f"{shown} passed" in ran.stdout


def other_examples() -> list[object]:
    """Blocks that no test above runs."""
    how_to = ("test-your-assistant.md", "write-a-policy.md", "write-a-tool.md", "write-an-undo.md")
    run = {ROOT / "README.md", TUTORIAL, *(DOCS / "how-to" / page for page in how_to)}
    return [
        pytest.param(code, id=f"{name_of(page)}-{number}")
        for page in PAGES
        if page not in run
        for number, code in enumerate(blocks(page, "python"), 1)
    ]


@pytest.mark.parametrize("code", other_examples())
def test_every_other_example_runs(code: str) -> None:
    """Each by itself, its imports included."""
    exec(compile(code, "shown.py", "exec"), {})  # noqa: S102  # our own documentation


def test_every_name_that_an_example_imports_is_public() -> None:
    """From the face, or from a module that is meant for it."""
    imported = {
        (node.module, alias.name)
        for page in PAGES
        for code in blocks(page, "python")
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {module for module, _ in imported} == {
        "engine",
        "engine.content",
        "engine.testing",
        "my_bot",
        "restaurant",
    }
    for module, name in imported:
        if module == "engine":
            assert name in engine.__all__
        elif module in ("engine.content", "engine.testing"):
            assert hasattr(import_module(module), name)
