"""Each command: what it does in the database, and what it prints of it."""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from engine import SendState
from engine.store.sqlite import admin
from engine.store.sqlite.admin import NotPossible, Owner, Removed
from web.logs import hash_id, mask_user
from web.operator.operation import operation_lines
from web.operator.printing import counted, hashed, one_line, print_lines, print_table, remark, safe, utc
from web.operator.timeline import timeline_lines

# Where there is no terminal.
_SIZE: Final = (100, 24)
# Between two batches of a purge: as long as a server may need to write what came meanwhile.
_PAUSE_SECONDS: Final = 0.05


def operations(options: argparse.Namespace, database: Path) -> None:
    """List operations, or show the one that was named."""
    with admin.open_database(database) as connection:
        if options.id is not None:
            details = admin.find_operation(connection, options.id)
            print_lines(operation_lines(details, text=options.text))
            return
        found = admin.list_operations(connection, finished=options.all, limit=options.limit + 1)
    head = ("ID", "USER", "PHASE", "STARTED (UTC)", "MESSAGE", "CALLS", "INTERRUPTED BY", "CRASHES")
    rows = [
        (
            operation.operation_id,
            mask_user(operation.user.id),
            operation.phase.value,
            utc(operation.started_at),
            hash_id(operation.message_id),
            f"{operation.calls_ended}/{operation.calls_planned}",
            hashed(operation.interrupted_by),
            operation.crashes,
        )
        for operation in found
    ]
    print_table(head, rows, options.limit, "no operation" if options.all else "no unfinished operation")


def replay(options: argparse.Namespace, database: Path) -> None:
    """Draw the operation that was named over time."""
    with admin.open_database(database) as connection:
        details = admin.find_operation(connection, options.id)
    width = shutil.get_terminal_size(_SIZE).columns
    print_lines(timeline_lines(details, now=time.time(), width=width, text=options.text))


def outbox(options: argparse.Namespace, database: Path) -> None:
    """List what was not sent, or what is in one state."""
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
            safe(row.error) or "-",
            *([one_line(row.text)] if options.text else []),
        ]
        for row in found
    ]
    if options.text:
        head.append("TEXT")
    print_table(head, rows, options.limit, f"nothing is {state}" if state else "nothing is unsent or dead")


def retry(options: argparse.Namespace, database: Path) -> None:
    """Send dead letters after all; a server that runs is told."""
    with admin.open_database(database) as connection:
        count = admin.retry(connection, None if options.all_dead else options.ids)
    when = _when(admin.wake_owner(database)) if count else ""
    print_lines([f"to be sent again: {counted(count, 'dead letter')}{when}"])


def _when(owner: Owner | None) -> str:
    if owner is None:
        return "; no server runs: it sends them when it starts"
    name = one_line(owner.name)
    if owner.was_told:
        return f"; the server (process {name}) was told"
    return f"; process {name} could not be told: it sends them after a SIGHUP, or when it starts"


def drop(options: argparse.Namespace, database: Path) -> None:
    """Give dead letters up for good."""
    with admin.open_database(database) as connection:
        count = admin.drop(connection, None if options.all_dead else options.ids)
    print_lines([f"dropped: {counted(count, 'dead letter')}"])


def forget(options: argparse.Namespace, database: Path) -> None:
    """Remove everything about a person, after asking whether that is meant."""
    user = mask_user(options.phone)
    with admin.open_database(database) as connection:
        if not options.yes:
            _confirm(f"Forget everything about {user}? This cannot be undone [y/N] ")
        removed = admin.forget(connection, database, options.phone)
        is_gone = admin.empty_log(connection)
    if removed:
        print_lines([f"forgot {user}: {_removed(removed)}"])
        remark("backups made before still hold it")
    else:
        print_lines([f"nothing is known about {user}"])
    _warn_of_log(is_gone)


def purge(options: argparse.Namespace, database: Path) -> None:
    """Remove what was settled long ago, leaving a running server its turn."""
    before = int(time.time()) - options.older_than
    with admin.open_database(database) as connection:
        removed = admin.purge(connection, before=before, pause=lambda: time.sleep(_PAUSE_SECONDS))
        is_gone = admin.empty_log(connection)
    print_lines([f"removed what was settled before {utc(before)} UTC: {_removed(removed)}"])
    _warn_of_log(is_gone)


def _warn_of_log(is_gone: bool) -> None:
    if not is_gone:
        remark(
            "another program reads the database: traces stay in its -wal file until the command is repeated"
        )


def back_up(options: argparse.Namespace, database: Path) -> None:
    """Copy the database into a new file."""
    with admin.open_database(database) as connection:
        admin.back_up(connection, options.file)
    print_lines([f"backed up to {options.file} ({options.file.stat().st_size} bytes)"])


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise NotPossible("this cannot be undone, and nobody can be asked here; add --yes")
    if input(question).strip().lower() not in ("y", "yes"):
        raise NotPossible("nothing was changed")


def _removed(removed: Removed) -> str:
    return ", ".join(
        (
            counted(removed.messages, "message"),
            counted(removed.operations, "operation"),
            counted(removed.calls, "call"),
            counted(removed.outbox, "outbox row"),
        )
    )
