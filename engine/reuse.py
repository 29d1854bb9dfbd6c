"""Outcomes of superseded requests that a new request may take over instead of making the call again.

Rule 1: same tool, same arguments, succeeded, and neither taken back since nor older than the tool allows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import msgspec

from engine.errors import ToolFailed
from engine.model import Outcome
from engine.plan import resolve
from engine.store import CallRecord
from engine.tools import Tool

# A tool's name, and the arguments as JSON.
_Key = tuple[str, bytes]


@attrs.frozen
class Reusable:
    """What was found out, by tool and arguments, and when (seconds since 1970)."""

    _found: Mapping[_Key, tuple[float, Outcome]] = attrs.field(factory=dict)

    def find(self, tool: Tool, arguments: Any, *, now: float) -> Outcome | None:
        """The outcome that a call with these arguments (JSON form) may take over; None when there is none."""
        at, outcome = self._found.get(_key(tool.name, arguments), (0.0, None))
        is_fresh = 0 <= now - at <= tool.reusable_seconds
        return outcome if tool.reusable_seconds and is_fresh else None


def find_reusable(
    requests: Iterable[tuple[CallRecord, ...]],
    results: Iterable[Mapping[str, Outcome]],
    tools: Mapping[str, Tool],
) -> Reusable:
    """What the calls of superseded requests, oldest first, leave to others, with their typed results."""
    found: dict[_Key, tuple[float, Outcome]] = {}
    for records, outcomes in zip(requests, results, strict=True):
        for record in records:
            tool = tools.get(record.call.tool)
            outcome = outcomes.get(record.call.id)
            if tool is None or not tool.reusable_seconds or outcome is None:
                continue
            if not _may_be_reused(record, outcome) or record.intended_at is None:
                continue
            try:
                arguments = resolve(record.call.args, outcomes)
            except ToolFailed:
                continue
            found[_key(tool.name, arguments)] = (record.intended_at + outcome.seconds, outcome)
    return Reusable(found)


def _may_be_reused(record: CallRecord, outcome: Outcome) -> bool:
    return outcome.succeeded and not outcome.value_lost and record.undo_intended_at is None


def _key(tool: str, arguments: Any) -> _Key:
    return tool, msgspec.json.encode(arguments, order="sorted")
