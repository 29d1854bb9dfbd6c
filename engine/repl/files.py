"""Keeps a file that came with a reply."""

from pathlib import PurePath

import trio

from engine.repl.lines import clean
from engine.replies import Inline


async def save_file(file: Inline, where: str = "") -> trio.Path:
    """Write it to the path `where`, or under its own name into that folder; empty: the working directory.

    Returns the path.  Raises OSError; FileExistsError rather than write over what is there.
    """
    path = await trio.Path(where or ".").expanduser()
    if await path.is_dir():
        # A name comes from an assistant: it is no way into another folder.
        path /= PurePath(clean(file.name).replace("\n", " ")).name or "file"
    async with await path.open("xb") as written:
        await written.write(file.content)
    return path
