"""What an operator sees and does in a database file, whether or not a server runs on it.

Rule 1: a file is never made here, nor brought to another version: that is a server's part.
Rule 2: every change is one transaction, or many short ones, so that a server's writes get their turn.
Rule 3: what a running server works on is not touched.
"""

from engine.store import CallRecord
from engine.store.sqlite.admin.backup import back_up
from engine.store.sqlite.admin.opening import NotPossible, open_database
from engine.store.sqlite.admin.operations import (
    Interrupter,
    OperationDetails,
    OperationSummary,
    Wave,
    find_operation,
    list_operations,
)
from engine.store.sqlite.admin.outbox import drop, list_outbox, retry
from engine.store.sqlite.admin.owner import Owner, try_to_own, wake_owner
from engine.store.sqlite.admin.removing import Removed, empty_log, forget, purge

__all__ = [
    "CallRecord",
    "Interrupter",
    "NotPossible",
    "OperationDetails",
    "OperationSummary",
    "Owner",
    "Removed",
    "Wave",
    "back_up",
    "drop",
    "empty_log",
    "find_operation",
    "forget",
    "list_operations",
    "list_outbox",
    "open_database",
    "purge",
    "retry",
    "try_to_own",
    "wake_owner",
]
