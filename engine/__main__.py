"""`python -m engine`: the REPL with the almanac."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.errors import ScriptError
from engine.repl import read_script, run_repl

__all__ = ["main", "run_repl"]

_REFUSED: Final = 2  # what argparse too returns for a wrong command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the almanac in this terminal, at a pace that leaves time to change one's mind."""
    parser = argparse.ArgumentParser(prog="python -m engine", description="Talk to the almanac.")
    parser.add_argument("--script", type=Path, metavar="FILE", help="play the timed lines of a file")
    options = parser.parse_args(arguments)
    try:
        script = read_script(options.script) if options.script else ()
    except ScriptError as error:
        print(f"python -m engine: {error}", file=sys.stderr)  # noqa: T201
        return _REFUSED
    from engine.assistants.almanac import make_almanac  # its libraries take a moment

    return run_repl(make_almanac(pace_seconds=1.0), script=script)


if __name__ == "__main__":
    sys.exit(main())
