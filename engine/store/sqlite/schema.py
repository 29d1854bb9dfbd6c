"""The tables of a SQLite database, and the version they have."""

from collections.abc import Mapping
from typing import Final

APPLICATION_ID: Final = 0x4D494453  # "MIDS", so that another program's database is never taken for ours
SCHEMA_VERSION: Final = 3
# From each version to the next, in statements; a database of an older version takes them at start.
MIGRATIONS: Final[Mapping[int, str]] = {
    1: """
ALTER TABLE users ADD COLUMN burst_id TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN burst_began_at REAL NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN burst_starts_at REAL NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN burst_id TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN starts_at REAL NOT NULL DEFAULT 0;
UPDATE messages SET burst_id = id;
ALTER TABLE operations ADD COLUMN reason TEXT;
ALTER TABLE operations ADD COLUMN undo INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
UPDATE operations SET reason = CASE interrupted_by WHEN '' THEN 'user_stopped' ELSE 'new_message_received' END
 WHERE interrupted_by IS NOT NULL;
UPDATE operations SET round = (SELECT coalesce(max(round), 0) FROM calls WHERE operation_id = operations.id)
 WHERE ended_at IS NULL;
ALTER TABLE calls ADD COLUMN reused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN undo_intended_at REAL;
ALTER TABLE calls ADD COLUMN undo TEXT;
ALTER TABLE calls ADD COLUMN undo_error TEXT;
ALTER TABLE outbox ADD COLUMN not_before REAL NOT NULL DEFAULT 0;
CREATE INDEX outbox_acknowledgements ON outbox (user_id)
 WHERE kind = 'acknowledgement' AND state = 'pending';
CREATE INDEX messages_worked_on ON messages (operation_id) WHERE operation_id IS NOT NULL;
""",
    2: """
ALTER TABLE users ADD COLUMN silent_until REAL NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN heard_at REAL NOT NULL DEFAULT 0;
UPDATE users SET heard_at = newest_timestamp;
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';
ALTER TABLE messages ADD COLUMN details TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN body TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN address TEXT NOT NULL DEFAULT '';
CREATE TABLE names (name TEXT PRIMARY KEY, user_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX names_by_user ON names (user_id);
INSERT INTO names (name, user_id) SELECT id, id FROM users;
""",
}
SCHEMA: Final = """
CREATE TABLE counter (value INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE touched (at REAL NOT NULL, padding BLOB NOT NULL);
INSERT INTO touched VALUES (0, '');
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    newest_id TEXT NOT NULL,
    newest_timestamp INTEGER NOT NULL,
    burst_id TEXT NOT NULL DEFAULT '',
    burst_began_at REAL NOT NULL DEFAULT 0,
    burst_starts_at REAL NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    silent_until REAL NOT NULL DEFAULT 0,
    heard_at REAL NOT NULL DEFAULT 0,
    address TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE names (name TEXT PRIMARY KEY, user_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX names_by_user ON names (user_id);
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    late_behind TEXT,
    operation_id TEXT,
    fate TEXT,
    fate_fields TEXT,
    answer_sequence INTEGER,
    burst_id TEXT NOT NULL DEFAULT '',
    starts_at REAL NOT NULL DEFAULT 0,
    kind TEXT NOT NULL DEFAULT 'text',
    details TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_settled ON messages (user_id, sequence) WHERE fate IS NOT NULL;
CREATE INDEX messages_answered ON messages (user_id, answer_sequence) WHERE answer_sequence IS NOT NULL;
CREATE INDEX messages_waiting ON messages (sequence) WHERE fate IS NULL;
CREATE INDEX messages_worked_on ON messages (operation_id) WHERE operation_id IS NOT NULL;
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    interrupted_by TEXT,
    crashes INTEGER NOT NULL DEFAULT 0,
    started_at REAL NOT NULL,
    ended_at REAL,
    reason TEXT,
    undo INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX operations_unfinished ON operations (started_at) WHERE ended_at IS NULL;
CREATE TABLE calls (
    operation_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    round INTEGER NOT NULL,
    tool TEXT NOT NULL,
    args TEXT NOT NULL,
    after TEXT NOT NULL,
    intended_at REAL,
    status TEXT,
    value TEXT,
    value_lost INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    reused INTEGER NOT NULL DEFAULT 0,
    undo_intended_at REAL,
    undo TEXT,
    undo_error TEXT,
    PRIMARY KEY (operation_id, position),
    UNIQUE (operation_id, id)
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    provider_id TEXT NOT NULL,
    error TEXT NOT NULL,
    delivery TEXT NOT NULL DEFAULT '',
    not_before REAL NOT NULL DEFAULT 0,
    body TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX outbox_told_once ON outbox (operation_id) WHERE kind = 'acknowledgement';
CREATE INDEX outbox_unsent ON outbox (sequence) WHERE state IN ('pending', 'sending', 'resending', 'failed');
CREATE INDEX outbox_operation ON outbox (operation_id) WHERE kind = 'note';
CREATE INDEX outbox_acknowledgements ON outbox (user_id)
 WHERE kind = 'acknowledgement' AND state = 'pending';
CREATE INDEX outbox_dead ON outbox (sequence) WHERE state = 'dead';
CREATE INDEX outbox_by_user ON outbox (user_id);
"""
