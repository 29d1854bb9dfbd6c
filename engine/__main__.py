"""`python -m engine`: the REPL with the almanac."""

import sys

from engine.repl import run_repl

__all__ = ["main", "run_repl"]


def main() -> int:
    """Run the almanac in this terminal, at a pace that leaves time to change one's mind."""
    from engine.assistants.almanac import make_almanac  # its libraries take a moment

    return run_repl(make_almanac(pace_seconds=1.0))


if __name__ == "__main__":
    sys.exit(main())
