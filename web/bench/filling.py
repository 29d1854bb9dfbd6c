"""Makes large databases quickly: what one real operation has left, copied by SQL in one transaction.

Rule: the tables are the project's own, and so is each row that is copied: only ids, places and users change.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import trio

from engine import SqliteStore, open_engine
from web.bench.probe import Probe, assistant_of, limits_of, swallow, user

# What an operation without calls leaves behind, and which columns tell one from another.
_TABLES: Final = ("messages", "operations", "outbox")
_SEQUENCES: Final = {"sequence", "answer_sequence"}
_IDS: Final = {"id", "operation_id", "message_id", "burst_id"}
# Rows of one operation have places of their own among these.
_STRIDE: Final = 10
_COPIES: Final = (
    "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < :copies)"
)


def fill_database(path: Path, messages: int, *, users: int) -> None:
    """A new database in which so many messages of so many users, from `user(0)` on, are answered."""
    trio.run(_answer_one, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -262144")  # 256 MiB: the indexes are written in no order
        connection.execute("BEGIN")
        for table in _TABLES if messages > 1 else ():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(_copied(column) for column in columns)
            connection.execute(
                f"{_COPIES} INSERT INTO {table} SELECT {values} FROM {table}, copies",  # noqa: S608
                {"copies": messages - 1, "users": users, "first": int(user(0))},
            )
        _copy_users(connection, users)
        connection.execute("UPDATE counter SET value = value + :added", {"added": messages * _STRIDE})
        connection.execute("COMMIT")


async def _answer_one(path: Path) -> None:
    async with open_engine(
        assistant_of(Probe()), store=SqliteStore(path), outbound=swallow, limits=limits_of(1)
    ) as engine:
        await engine.process_message(user(0), "a message of ordinary length, as people write them")


def _copied(column: str) -> str:
    """The column of the copy with number `n`."""
    if column == "user_id":
        return "CAST(:first + n % :users AS TEXT)"
    if column in _SEQUENCES:
        return f"{column} + n * {_STRIDE}"
    if column in _IDS:
        return f"{column} || '-' || n"
    return column


def _copy_users(connection: sqlite3.Connection, users: int) -> None:
    """A row for everybody who has written; their newest is the last of the copies that are theirs."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(users)")]
    theirs = (
        "FROM messages WHERE user_id = CAST(:first + n AS TEXT) AND fate IS NOT NULL"  # as the index has it
    )
    newest = f"(SELECT id {theirs} ORDER BY sequence DESC LIMIT 1)"
    values = {"id": "CAST(:first + n AS TEXT)", "newest_id": newest, "burst_id": newest}
    chosen = ", ".join(values.get(column, column) for column in columns)
    connection.execute(
        f"{_COPIES} INSERT OR IGNORE INTO users SELECT {chosen} FROM users, copies"  # noqa: S608
        f" WHERE EXISTS (SELECT 1 {theirs})",
        {"copies": users - 1, "first": int(user(0))},
    )


def count_rows(path: Path) -> Sequence[int]:
    """How many messages, operations and outbox rows there are."""
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in _TABLES
        ]
