"""The operator's commands: what is under way, what was not sent, and what is to be forgotten or kept.

Rule 1: what people said is shown only when asked for (`--text`), and a phone number never in full.
Rule 2: tables and reports go to standard output, remarks about them to standard error.
"""

import argparse
from pathlib import Path
from typing import Final

from engine import SendState
from web.operator import commands
from web.operator.arguments import age, limit, person

__all__ = ["add_commands"]

_LIMIT: Final = 100


def add_commands(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the operator's commands; each sets `operate`, a function of the options and the database's path."""
    _add_operations(parsers)
    replay = parsers.add_parser("replay", help="draw an operation over time")
    replay.add_argument("id", metavar="ID", help="the beginning of its id")
    replay.add_argument("--text", action="store_true", help="show what was said")
    replay.set_defaults(operate=commands.replay)
    _add_outbox(parsers)
    forget = parsers.add_parser("forget", help="remove everything about a person, everywhere")
    forget.add_argument("phone", metavar="PHONE", type=person, help="with the country's code")
    forget.add_argument("--yes", action="store_true", help="do not ask first")
    forget.set_defaults(operate=commands.forget)
    purge = parsers.add_parser("purge", help="remove what was settled long ago")
    purge.add_argument(
        "--older-than", metavar="AGE", type=age, required=True, help="as 30d or 240h; at least 8d"
    )
    purge.set_defaults(operate=commands.purge)
    backup = parsers.add_parser("backup", help="copy the database, while a server runs or not")
    backup.add_argument("file", metavar="FILE", type=Path, help="a new file")
    backup.set_defaults(operate=commands.back_up)


def _add_operations(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    operations = parsers.add_parser("operations", help="list operations, or show one")
    operations.add_argument("id", metavar="ID", nargs="?", help="the beginning of an id: show this one")
    operations.add_argument("--all", action="store_true", help="finished ones too")
    operations.add_argument("--text", action="store_true", help="with ID: show what was said, and values")
    _add_limit(operations)
    operations.set_defaults(operate=commands.operations)


def _add_outbox(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    outbox = parsers.add_parser("outbox", help="list what was not sent; retry or drop dead letters")
    outbox.add_argument("--state", choices=[*SendState], help="only these (default: unsent, and dead)")
    outbox.add_argument("--text", action="store_true", help="show the texts")
    _add_limit(outbox)
    outbox.set_defaults(operate=commands.outbox)
    acts = outbox.add_subparsers(metavar="act")
    for name, operate, meaning in (
        ("retry", commands.retry, "send dead letters after all"),
        ("drop", commands.drop, "give dead letters up for good"),
    ):
        act = acts.add_parser(name, help=meaning)
        which = act.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", metavar="ID", nargs="*", default=[], help="the beginning of an id")
        which.add_argument("--all-dead", action="store_true", help="all dead letters")
        act.set_defaults(operate=operate)


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", metavar="N", type=limit, default=_LIMIT, help=f"at most so many (default: {_LIMIT})"
    )
