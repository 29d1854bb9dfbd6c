"""The operator's commands: what is under way, what was not sent, and what is to be forgotten or kept.

Rule 1: what people said is shown only when asked for (`--text`), and a phone number never in full.
Rule 2: tables and reports go to standard output, remarks about them to standard error.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine import Call, Fate, Merged, Outcome, SendState, Superseded
from engine.store.sqlite import admin
from engine.store.sqlite.admin import NotPossible, OperationDetails, Owner, Removed
from web.logs import hash_id, mask_user

_HOUR: Final = 3600
_UNITS: Final = {"h": _HOUR, "d": 24 * _HOUR}
# Meta sends a message again for seven days, and a known id is what tells that it is the same (P5).
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
_AGE_MIN: Final = 8 * 24 * _HOUR
_LIMIT: Final = 100
# Between two batches of a purge: as long as a server may need to write what came meanwhile.
_PAUSE_SECONDS: Final = 0.05
# What people write between the digits of a phone number.
_BETWEEN_DIGITS: Final = re.compile(r"[\s+().\-/\u2010-\u2015]")
# A run of digits like that could be a phone number.
_PHONE: Final = re.compile(r"\+?[0-9]{7,}")

Row = Sequence[object]


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the operator's commands; each sets `operate`, a function of the options and the database's path."""
    _add_operations(commands)
    _add_outbox(commands)
    forget = commands.add_parser("forget", help="remove everything about a person, everywhere")
    forget.add_argument("phone", metavar="PHONE", type=_person, help="with the country's code")
    forget.add_argument("--yes", action="store_true", help="do not ask first")
    forget.set_defaults(operate=_forget)
    purge = commands.add_parser("purge", help="remove what was settled long ago")
    purge.add_argument(
        "--older-than", metavar="AGE", type=_age, required=True, help="as 30d or 240h; at least 8d"
    )
    purge.set_defaults(operate=_purge)
    backup = commands.add_parser("backup", help="copy the database, while a server runs or not")
    backup.add_argument("file", metavar="FILE", type=Path, help="a new file")
    backup.set_defaults(operate=_back_up)


def _add_operations(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    operations = commands.add_parser("operations", help="list operations, or show one")
    operations.add_argument("id", metavar="ID", nargs="?", help="the beginning of an id: show this one")
    operations.add_argument("--all", action="store_true", help="finished ones too")
    operations.add_argument("--text", action="store_true", help="with ID: show what was said, and values")
    _add_limit(operations)
    operations.set_defaults(operate=_operations)


def _add_outbox(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    outbox = commands.add_parser("outbox", help="list what was not sent; retry or drop dead letters")
    outbox.add_argument("--state", choices=[*SendState], help="only these (default: unsent, and dead)")
    outbox.add_argument("--text", action="store_true", help="show the texts")
    _add_limit(outbox)
    outbox.set_defaults(operate=_outbox)
    acts = outbox.add_subparsers(metavar="act")
    for name, operate, meaning in (
        ("retry", _retry, "send dead letters after all"),
        ("drop", _drop, "give dead letters up for good"),
    ):
        act = acts.add_parser(name, help=meaning)
        which = act.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", metavar="ID", nargs="*", default=[], help="the beginning of an id")
        which.add_argument("--all-dead", action="store_true", help="all dead letters")
        act.set_defaults(operate=operate)


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", metavar="N", type=_limit, default=_LIMIT, help=f"at most so many (default: {_LIMIT})"
    )


# What an argument means ---------------------------------------------------------------------------


def _limit(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and int(raw) > 0):
        raise argparse.ArgumentTypeError("must be a whole number, at least 1")
    return int(raw)


def _age(raw: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([hd])", raw)
    if match is None:
        raise argparse.ArgumentTypeError("must be days or hours, as 30d or 240h")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds < _AGE_MIN:
        raise argparse.ArgumentTypeError(
            "must be at least 8d: Meta sends a message again for 7 days, and it must be known by then"
        )
    return seconds


def _person(raw: str) -> str:
    """A phone number as it is stored, in digits; a WhatsApp user id stays as it is."""
    digits = _BETWEEN_DIGITS.sub("", raw).removeprefix("00")
    user_id = digits if digits.isascii() and digits.isdigit() else raw.strip()
    if not any(one.isalnum() for one in user_id):
        raise argparse.ArgumentTypeError("must be a phone number with its country's code")
    return user_id


# The commands -------------------------------------------------------------------------------------


def _operations(options: argparse.Namespace, database: Path) -> None:
    with admin.open_database(database) as connection:
        if options.id is not None:
            details = admin.find_operation(connection, options.id)
            _print_lines(_operation_lines(details, text=options.text))
            return
        found = admin.list_operations(connection, finished=options.all, limit=options.limit + 1)
    head = ("ID", "USER", "PHASE", "STARTED (UTC)", "MESSAGE", "CALLS", "INTERRUPTED BY", "CRASHES")
    rows = [
        (
            operation.operation_id,
            mask_user(operation.user.id),
            operation.phase.value,
            _utc(operation.started_at),
            hash_id(operation.message_id),
            f"{operation.calls_ended}/{operation.calls_planned}",
            _by(operation.interrupted_by),
            operation.crashes,
        )
        for operation in found
    ]
    _print_table(head, rows, options.limit, "no operation" if options.all else "no unfinished operation")


def _outbox(options: argparse.Namespace, database: Path) -> None:
    state = SendState(options.state) if options.state else None
    with admin.open_database(database) as connection:
        found = admin.list_outbox(connection, state=state, limit=options.limit + 1)
    head = ["ID", "USER", "KIND", "STATE", "ATTEMPTS", "DELIVERY", "ERROR"]
    rows = [
        [
            row.id,
            mask_user(row.user.id),
            row.kind.value,
            row.state.value,
            row.attempts,
            row.delivery.value or "-",
            _safe(row.error) or "-",
            *([_one_line(row.text)] if options.text else []),
        ]
        for row in found
    ]
    if options.text:
        head.append("TEXT")
    _print_table(head, rows, options.limit, f"nothing is {state}" if state else "nothing is unsent or dead")


def _retry(options: argparse.Namespace, database: Path) -> None:
    with admin.open_database(database) as connection:
        count = admin.retry(connection, None if options.all_dead else options.ids)
    when = _when(admin.wake_owner(database)) if count else ""
    _print_lines([f"to be sent again: {_counted(count, 'dead letter')}{when}"])


def _when(owner: Owner | None) -> str:
    if owner is None:
        return "; no server runs: it sends them when it starts"
    name = _one_line(owner.name)
    if owner.was_told:
        return f"; the server (process {name}) was told"
    return f"; process {name} could not be told: it sends them after a SIGHUP, or when it starts"


def _drop(options: argparse.Namespace, database: Path) -> None:
    with admin.open_database(database) as connection:
        count = admin.drop(connection, None if options.all_dead else options.ids)
    _print_lines([f"dropped: {_counted(count, 'dead letter')}"])


def _forget(options: argparse.Namespace, database: Path) -> None:
    user = mask_user(options.phone)
    with admin.open_database(database) as connection:
        if not options.yes:
            _confirm(f"Forget everything about {user}? This cannot be undone [y/N] ")
        removed = admin.forget(connection, database, options.phone)
        is_gone = admin.empty_log(connection)
    if removed:
        _print_lines([f"forgot {user}: {_removed(removed)}"])
        _remark("backups made before still hold it")
    else:
        _print_lines([f"nothing is known about {user}"])
    _warn_of_log(is_gone)


def _purge(options: argparse.Namespace, database: Path) -> None:
    before = int(time.time()) - options.older_than
    with admin.open_database(database) as connection:
        removed = admin.purge(connection, before=before, pause=lambda: time.sleep(_PAUSE_SECONDS))
        is_gone = admin.empty_log(connection)
    _print_lines([f"removed what was settled before {_utc(before)} UTC: {_removed(removed)}"])
    _warn_of_log(is_gone)


def _warn_of_log(is_gone: bool) -> None:
    if not is_gone:
        _remark(
            "another program reads the database: traces stay in its -wal file until the command is repeated"
        )


def _back_up(options: argparse.Namespace, database: Path) -> None:
    with admin.open_database(database) as connection:
        admin.back_up(connection, options.file)
    _print_lines([f"backed up to {options.file} ({options.file.stat().st_size} bytes)"])


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise NotPossible("this cannot be undone, and nobody can be asked here; add --yes")
    if input(question).strip().lower() not in ("y", "yes"):
        raise NotPossible("nothing was changed")


# One operation ------------------------------------------------------------------------------------


def _operation_lines(details: OperationDetails, *, text: bool) -> Iterator[str]:
    record = details.record
    fields = {
        "operation": record.operation_id,
        "user": mask_user(record.message.user.id),
        "message": hash_id(record.message.id),
        "phase": record.phase.value,
        "started": f"{_utc(record.started_at)} UTC",
        "ended": "-" if record.ended_at is None else f"{_utc(record.ended_at)} UTC",
        "interrupted by": _by(record.interrupted_by),
        "crashes": "0, suspended" if record.crashes < 0 else record.crashes,
        "fate": _fate(details.fate, text=text),
    }
    if text:
        fields["text"] = _one_line(record.message.text)
    yield from _aligned(fields.items())
    for wave in details.waves:
        yield ""
        yield f"round {wave.round}, wave {wave.number}"
        rows = [_call_cells(each.call, each.outcome, each.intended, text=text) for each in wave.calls]
        yield from (f"  {line}" for line in _aligned(rows))


def _call_cells(call: Call, outcome: Outcome | None, intended: bool, *, text: bool) -> list[str]:
    cells = [_safe(call.id), call.tool]
    if outcome is None:
        cells += ["started, no outcome yet" if intended else "not started", "-"]
    else:
        cells += [_safe(outcome.reason), f"{outcome.seconds:.3f} s"]
    if text:
        value = "-" if outcome is None else _one_line(repr(outcome.raw))
        cells.append(f"{_one_line(_arguments(call))} -> {value}")
    return cells


def _arguments(call: Call) -> str:
    return f"({', '.join(f'{name}={value!r}' for name, value in call.args.items())})"


def _fate(fate: Fate | None, *, text: bool) -> str:
    if isinstance(fate, Superseded):
        return f"superseded by {hash_id(fate.by)}"
    if isinstance(fate, Merged):
        return f"merged into {hash_id(fate.into)}"
    if fate is None:
        return "none yet"
    if reason := getattr(fate, "reason", ""):
        return f"{fate.name}: {_safe(reason)}"
    return f"{fate.name}: {_one_line(fate.message)}" if text else fate.name


# As text ------------------------------------------------------------------------------------------


def _print_table(head: Row, rows: Sequence[Row], limit: int, when_empty: str) -> None:
    """The rows under their head, the columns aligned; one row more than `limit` means that there are more."""
    if not rows:
        _remark(when_empty)
        return
    _print_lines(_aligned([head, *rows[:limit]]))
    if len(rows) > limit:
        _remark(f"there are more than {limit}; see --limit")


def _aligned(rows: Iterable[Row]) -> list[str]:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]


def _print_lines(lines: Iterable[str]) -> None:
    # In one piece, and whatever a terminal cannot show as an escape.
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _remark(text: str) -> None:
    print(f"midstream: {text}", file=sys.stderr)  # noqa: T201


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _by(message_id: str | None) -> str:
    return hash_id(message_id) if message_id else "-"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _removed(removed: Removed) -> str:
    return ", ".join(
        (
            _counted(removed.messages, "message"),
            _counted(removed.operations, "operation"),
            _counted(removed.calls, "call"),
            _counted(removed.outbox, "outbox row"),
        )
    )


def _one_line(text: str) -> str:
    """A text on one line, with nothing in it that could steer a terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _safe(text: str) -> str:
    """An error's text: on one line, and without a phone number that somebody put there."""
    return _PHONE.sub(lambda match: mask_user(match[0]), _one_line(text))
