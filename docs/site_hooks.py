"""Takes what is beside docs/ into the site, and lets no page ask another host for anything."""

import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
# What the site takes from the repository's root, and the page that it becomes.
PAGES: Final = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "LICENSE": "LICENSE"}
# A line that is only a link to one of these: on the site the file itself stands in its place.
_SHOWN: Final = re.compile(r"^\[`(deploy/[^`]+)`\]\(\.\./\.\./\1\)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)([^)\s]*)\)")
# What a browser fetches by itself; a link that is only followed by hand may lead anywhere.
_FETCHED: Final = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|link(?![^>]*rel="?(?:canonical|next|prev)))\b
        [^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""",
    re.VERBOSE,
)


def links_from_root(markdown: str) -> str:
    """A page of the root with its links as they are in docs/: without `docs/`, and a folder by its README."""

    def moved(link: re.Match[str]) -> str:
        path, anchor = link.groups()
        if path in PAGES:
            return f"]({PAGES[path]}{anchor})"
        inside = path.removeprefix("docs/")
        return f"]({inside if Path(inside).suffix else f'{inside}/README.md'}{anchor})"

    return _LINK.sub(moved, markdown)


def links_to_root(markdown: str) -> str:
    """A page of docs/ with its links to the root's pages as the site has them, and the files of deploy/."""
    markdown = _SHOWN.sub(_shown, markdown)
    for page, name in PAGES.items():
        markdown = markdown.replace(f"](../../{page}", f"](../{name}")
    return markdown


def _shown(link: re.Match[str]) -> str:
    text = (ROOT / link[1]).read_text(encoding="utf-8")
    return f'```{{ .ini title="{link[1]}" }}\n{text}```'


def fetched_elsewhere(html: str) -> list[str]:
    """What a browser that shows this page would ask other hosts for."""
    return _FETCHED.findall(html)


def on_files(files: Any, *, config: Any) -> Any:
    """See MkDocs: add the pages of the root."""
    from mkdocs.structure.files import File

    for page, name in PAGES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=links_from_root(text)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """See MkDocs."""
    return links_to_root(markdown)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """See MkDocs: a page that would fetch something from elsewhere fails the build."""
    from mkdocs.exceptions import PluginError

    if elsewhere := fetched_elsewhere(output):
        raise PluginError(f"{page.file.src_uri} fetches from another host: {', '.join(elsewhere)}")
    return output
