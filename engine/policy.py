"""What a new message does to a running operation: a pure function, and a table.

Rule 1: a policy sees a message and a snapshot, and returns a Decision; it changes nothing.
Rule 2: an older message never interrupts (P12), whatever the policy.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from engine.model import Message
from engine.phases import INTERRUPTIBLE, Phase


class Decision(enum.StrEnum):
    """What happens to a message that has just been delivered."""

    START = "start"  # nothing runs: begin an operation
    INTERRUPT = "interrupt"  # cancel the running operation at its boundary, then begin
    WAIT = "wait"  # it runs when the present operation has ended
    SUPERSEDE = (
        "supersede"  # it is older than what its user wrote last: into the conversation, not into a run
    )


@attrs.frozen(kw_only=True)
class Snapshot:
    """The session as a policy sees it.

    `phase` is that of the running operation, None when there is none.  `interrupted` says that it has
    been interrupted already and is finishing its wave.  `in_wave` counts as interruptible: the
    cancellation waits at the boundary.
    """

    phase: Phase | None
    interrupted: bool = False


Policy = Callable[[Message, Snapshot], Decision]

# A wave is not cut, but its operation can be told meanwhile that it is over.
_MAY_BE_INTERRUPTED: Final = INTERRUPTIBLE | {Phase.IN_WAVE}


def interrupt(message: Message, snapshot: Snapshot) -> Decision:
    """The newest message wins: whatever runs is cancelled at its next boundary."""
    if snapshot.phase is None:
        return Decision.START
    if snapshot.interrupted or snapshot.phase not in _MAY_BE_INTERRUPTED:
        return Decision.WAIT
    return Decision.INTERRUPT


POLICIES: Final[Mapping[str, Policy]] = {"interrupt": interrupt}
