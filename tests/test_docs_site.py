"""What `make docs` builds the site from: all pages, their links, and nothing that asks another host."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """The hooks of the build; they import MkDocs, which is not installed here, only when it calls them."""
    spec = spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_folder_of_pages_is_in_the_navigation() -> None:
    """So that a page in a folder is in the navigation as well, without a line for it."""
    entries = re.findall(r"^  - [\w ]+: (\S+)$", (DOCS / ".nav.yml").read_text(), re.MULTILINE)
    folders = {page.parent.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert set(entries) - {"index.md", "changelog.md"} == folders


@pytest.mark.parametrize(
    ("written", "on_the_site"),
    [
        ("[a](docs/how-to/upgrade.md#your-assistant)", "[a](how-to/upgrade.md#your-assistant)"),
        ("[a](docs/decisions)", "[a](decisions/README.md)"),
        ("[a](CHANGELOG.md) [b](LICENSE)", "[a](changelog.md) [b](LICENSE)"),
        ("[a](https://example.org/docs/x) [b](#below)", "[a](https://example.org/docs/x) [b](#below)"),
    ],
)
def test_links_of_the_readme_lead_to_the_same_pages_on_the_site(
    hooks: ModuleType, written: str, on_the_site: str
) -> None:
    """There the README is a page beside the folders, not above them."""
    assert hooks.links_from_root(written) == on_the_site


def test_links_to_the_readme_lead_to_the_first_page_of_the_site(hooks: ModuleType) -> None:
    """With their anchors."""
    assert hooks.links_to_root("[a](../../README.md#two-commands)") == "[a](../index.md#two-commands)"


def test_a_file_that_a_page_is_about_is_shown_on_the_site(hooks: ModuleType) -> None:
    """Where the repository has a link, for who reads the page there."""
    shown = hooks.links_to_root(
        "Before.\n\n[`deploy/midstream.service`](../../deploy/midstream.service)\n\nAfter."
    )
    unit = (ROOT / "deploy" / "midstream.service").read_text()
    assert shown == f'Before.\n\n```{{ .ini title="deploy/midstream.service" }}\n{unit}```\n\nAfter.'


@pytest.mark.parametrize(
    ("html", "fetched"),
    [
        ('<script src="https://cdn.example.org/a.js">', ["https://cdn.example.org/a.js"]),
        ('<link rel="stylesheet" href="//fonts.example.org/b.css">', ["//fonts.example.org/b.css"]),
        ("<img alt=x src='http://example.org/c.png'>", ["http://example.org/c.png"]),
        ('<script src="assets/a.js"></script><img src="../b.png">', []),
        ('<a href="https://example.org">', []),
        ('<link rel="canonical" href="https://example.org/docs">', []),
    ],
)
def test_what_a_browser_would_fetch_from_elsewhere_is_found(
    hooks: ModuleType, html: str, fetched: list[str]
) -> None:
    """Who reads the documentation tells nobody else; a link is followed only by hand."""
    assert hooks.fetched_elsewhere(html) == fetched


def test_every_decision_is_listed_with_its_title() -> None:
    """In order."""
    decisions = sorted(page for page in (DOCS / "decisions").glob("*.md") if page.name != "README.md")
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in decisions]
    listed = re.findall(r"^- \[(.*)\]\((.*)\)$", (DOCS / "decisions" / "README.md").read_text(), re.MULTILINE)
    assert listed == [(title, page.name) for title, page in zip(titles, decisions, strict=True)]
