"""Whose message it is: the names that a provider has for a user, resolved in the transaction of the insert.

Rule 1: whoever has one of the names is the user; two who are found to be one are made one, which is heard of.
Rule 2: an id of ours is never given twice: who has a phone number that was somebody else's is somebody new.
Rule 3: a name means whoever had it when the message was written, however late that comes.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import attrs

from engine.model import Message, User
from engine.store import Uncommitted


def resolve(connection: sqlite3.Connection, message: Message, brought: Uncommitted) -> Message:
    """The message with the user whose it is; the names it brings are kept.

    It says where they are written to no more when that was somebody's before.
    """
    identity = message.identity
    if identity is None or not identity.names:
        return attrs.evolve(message, user=User(present_id(connection, message.user.id)))
    before = _before(connection, identity.names, message.timestamp)
    known = {**_known(connection, identity.names), **before}
    ids = list(dict.fromkeys(known.values()))
    if not ids:
        user_id = _new_id(connection, message)
    else:
        user_id, *others = _newest_first(connection, ids)
        for other in others:
            brought.move(other, user_id, _merge(connection, other, user_id))
    kept = [name for name in identity.names if name not in identity.retired and name not in before]
    connection.executemany(
        "INSERT OR REPLACE INTO names (name, user_id) VALUES (?, ?)",
        [(name, user_id) for name in kept if known.get(name) != user_id],
    )
    for name in identity.retired:
        _retire(connection, name, user_id, message.timestamp)
    if identity.address in before:
        identity = attrs.evolve(identity, address="")
    return attrs.evolve(message, user=User(user_id), identity=identity)


def _retire(connection: sqlite3.Connection, name: str, user_id: str, at: int | None) -> None:
    """It means them no longer; of what was written up to then it still does."""
    connection.execute("DELETE FROM names WHERE name = ?", (name,))
    if at is not None:
        connection.execute(
            "INSERT OR REPLACE INTO names (name, user_id) VALUES (?, ?)", (_until(name, at), user_id)
        )


def _until(name: str, at: int) -> str:
    """What a name stands under that somebody had up to `at`, in seconds since 1970: by name and time."""
    return f"-{name}@{at:012d}"


def _before(connection: sqlite3.Connection, names: Sequence[str], at: int | None) -> dict[str, str]:
    """Of these names those that meant somebody `at`, and do no longer: whom."""
    found = {}
    for name in names if at is not None else ():
        row = connection.execute(
            "SELECT user_id FROM names WHERE name BETWEEN ? AND ? ORDER BY name LIMIT 1",
            (_until(name, at or 0), f"-{name}@~"),
        ).fetchone()
        if row is not None:
            found[name] = row[0]
    return found


def _known(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, str]:
    places = ", ".join("?" * len(names))
    return dict(
        connection.execute(f"SELECT name, user_id FROM names WHERE name IN ({places})", names).fetchall()
    )


def _new_id(connection: sqlite3.Connection, message: Message) -> str:
    """The name that the message came under, unless it was somebody else's once."""
    proposed = message.user.id
    taken = connection.execute(
        "SELECT 1 FROM users WHERE id = :id UNION ALL SELECT 1 FROM names WHERE name = '=' || :id",
        {"id": proposed},
    ).fetchone()
    return f"{proposed}~{message.id}" if taken else proposed


def _newest_first(connection: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    """The one who wrote last goes first, and keeps the id."""
    wrote = {
        id: connection.execute(
            "SELECT coalesce(max(newest_timestamp), -1) FROM users WHERE id = ?", (id,)
        ).fetchone()[0]
        for id in ids
    }
    return sorted(wrote, key=lambda id: -wrote[id])


def _merge(connection: sqlite3.Connection, loser: str, winner: str) -> float:
    """All that was of one user is of another; returns until when one of them is answered by somebody else."""
    both = {"loser": loser, "winner": winner}
    for statement in (
        # By their two indices: not through all that anybody ever wrote.
        "UPDATE messages SET user_id = :winner WHERE user_id = :loser AND fate IS NOT NULL",
        "UPDATE messages SET user_id = :winner WHERE user_id = :loser AND fate IS NULL",
        "UPDATE outbox SET user_id = :winner WHERE user_id = :loser",
        "UPDATE names SET user_id = :winner WHERE user_id = :loser",
        "INSERT INTO users (id, newest_id, newest_timestamp, interruptions, silent_until, heard_at, address)"
        " SELECT :winner, newest_id, newest_timestamp, interruptions, silent_until, heard_at, address"
        " FROM users WHERE id = :loser ON CONFLICT (id) DO UPDATE SET"
        " interruptions = max(interruptions, excluded.interruptions),"
        " silent_until = max(silent_until, excluded.silent_until),"
        " heard_at = max(heard_at, excluded.heard_at),"
        " address = CASE address WHEN '' THEN excluded.address ELSE address END",
        "DELETE FROM users WHERE id = :loser",
        # A write on its way may still say its old id.
        "INSERT OR REPLACE INTO names (name, user_id) VALUES ('=' || :loser, :winner)",
        "UPDATE names SET user_id = :winner WHERE name LIKE '=%' AND user_id = :loser",
    ):
        connection.execute(statement, both)
    found = connection.execute("SELECT silent_until FROM users WHERE id = :winner", both).fetchone()
    return float(found[0]) if found else 0.0


def present_id(connection: sqlite3.Connection, user_id: str) -> str:
    """The id that this one has now: another, when its user was found to be somebody known."""
    found = connection.execute("SELECT user_id FROM names WHERE name = '=' || ?", (user_id,)).fetchone()
    return str(found[0]) if found else user_id
