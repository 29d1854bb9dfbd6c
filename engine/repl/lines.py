"""What the REPL shows: a chat line for what is said, one short line for an event worth one.

Rule 1: no I/O, no clock, no Trio: the same events always give the same lines.
Rule 2: nothing in a line can steer the terminal, whoever wrote it.
"""

import enum
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

import attrs

from engine.events import (
    CallFinished,
    CallUndone,
    Event,
    MessageDeferred,
    MessageRejected,
    MessageSettled,
    PlanAccepted,
    PolicyFailed,
    SessionCancelled,
    SessionFailed,
    SessionStarted,
    SessionSuspended,
    WaveFinished,
    WaveStarted,
)
from engine.model import Merged, Status, UndoStatus

# As wide as "you> " and "bot> ", so that what was said stands out from what was done.
INDENT: Final = "     "
# A plan may have 200 calls; a line is read at a glance.
_LISTED_MAX: Final = 6


class Tone(enum.StrEnum):
    """What a line is, so that a terminal with colours can show it."""

    BOT = "bot"
    YOU = "you"
    LIVE = "live"
    GOOD = "good"
    BAD = "bad"


# How an operation was cancelled, in a word.
_ENDS: Final = {"user_stopped": "stopped", "deadline": "out of time", "taken_over": "taken over"}


def clean(text: str) -> str:
    """The text without control characters and lone surrogates; line ends stay, tabs become spaces.

    >>> clean("a\\tb\\x1b[2J\\udcff")
    'a b[2J'
    """
    return "".join(
        one for one in text.replace("\t", " ") if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs")
    )


@attrs.frozen
class Line:
    """Something to show."""

    text: str = attrs.field(converter=clean)
    tone: Tone = Tone.LIVE


def chat_line(speaker: str, text: str, tone: Tone) -> Line:
    """What was said; its further lines stand under the first."""
    return Line(f"{speaker}> " + text.replace("\n", f"\n{INDENT}"), tone)


def live_line(text: str, tone: Tone = Tone.LIVE) -> Line:
    """What was done."""
    return Line(INDENT + text, tone)


@attrs.frozen
class Place:
    """How far the present operation has come, as its events tell.

    `begun`: how many waves were.  `left`: the calls that are neither begun nor settled, in waves.
    """

    begun: int = 0
    left: tuple[tuple[str, ...], ...] = ()

    def after(self, event: Event) -> "Place":
        """The place that this event leads to."""
        match event:
            case SessionStarted():
                return Place()
            case PlanAccepted():
                # Of an earlier plan nothing is left: it ran to its end, or this one takes its place.
                return attrs.evolve(self, left=event.waves)
            case WaveStarted():
                return attrs.evolve(self._without(event.call_ids), begun=event.wave)
            case CallFinished():  # one that is not made has no wave
                return self._without((event.call_id,))
        return self

    def _without(self, call_ids: Collection[str]) -> "Place":
        waves = (tuple(id for id in wave if id not in call_ids) for wave in self.left)
        return attrs.evolve(self, left=tuple(wave for wave in waves if wave))


_START: Final = Place()


def render(event: Event, place: Place = _START) -> Line | None:
    """The line for an event that comes at this place; None for one that needs none."""
    match event:
        case PlanAccepted():
            waves = _listed([f"[{_listed(wave)}]" for wave in event.waves], " → ") or "nothing to call"
            return live_line(f"{'plan' if event.round == 0 else 'more'}    {waves}")
        case WaveStarted():
            return live_line(f"wave {event.wave}  {_listed(event.call_ids)}")
        case WaveFinished():
            return live_line(f"wave {event.wave}  finished in {event.seconds:.1f} s")
        case CallFinished():
            return _render_call(event)
        case CallUndone():
            return _render_undo(event)
        case MessageSettled(fate=Merged()):
            return live_line("joined  the request under way")
        case MessageDeferred():
            so_many = f"interruptions in a row: {event.interruptions}"
            return live_line(f"waits   {so_many}; this request runs to its end")
        case MessageRejected():
            reason = "by the policy" if event.limit == "policy" else f"{event.limit} is reached"
            return live_line(f"rejected: {reason}", Tone.BAD)
        case PolicyFailed():
            return live_line(f"the policy failed, so interrupt decided: {event.error}", Tone.BAD)
        case SessionCancelled():
            verb = {"user_stopped": "stopped", "deadline": "out of time", "taken_over": "taken over"}.get(
                event.reason, "interrupted"
            )
            return live_line(f"{verb} {_boundary(place)}", Tone.BAD)
        case SessionSuspended():
            return live_line(f"suspended {_boundary(place)}", Tone.BAD)
        case SessionFailed():
            return live_line(f"failed: {event.reason}", Tone.BAD)
    return None


def _render_call(event: CallFinished) -> Line:
    why = f": {event.error}" if event.error else ""
    if event.reused:
        return live_line(f"  ✓ {event.call_id}  known from an interrupted request", Tone.GOOD)
    if event.status is Status.SUCCEEDED:
        return live_line(f"  ✓ {event.call_id}  {event.seconds:.1f} s{why}", Tone.GOOD)
    if event.status is Status.SKIPPED:
        # Only the call it waited for, "'b' failed": that one's own line says why.
        blocker = (event.error or "").partition(": ")[0]
        return live_line(f"  - {event.call_id}  skipped, {blocker}")
    status = event.status.value.replace("_", " ")
    return live_line(f"  ✗ {event.call_id}  {status}, {event.seconds:.1f} s{why}", Tone.BAD)


def _render_undo(event: CallUndone) -> Line:
    if event.status is UndoStatus.UNDONE:
        return live_line(f"  ↶ {event.call_id}  taken back, {event.seconds:.1f} s", Tone.GOOD)
    why = f": {event.error}" if event.error else ""
    status = event.status.value.replace("_", " ")
    return live_line(f"  ✗ {event.call_id}  not taken back, {status}, {event.seconds:.1f} s{why}", Tone.BAD)


def _boundary(place: Place) -> str:
    """Where an operation ended early, and what therefore does not happen."""
    if place.begun == 0:
        return "before wave 1; no wave starts"
    if place.left:
        return f"at the boundary after wave {place.begun}; wave {place.begun + 1} does not start"
    return f"at the boundary after wave {place.begun}, the last; no reply follows"


def _listed(items: Sequence[str], separator: str = ", ") -> str:
    """The items, the first few when there are too many for a line."""
    shown = separator.join(items[:_LISTED_MAX])
    return shown if len(items) <= _LISTED_MAX else f"{shown}{separator}… ({len(items)} in all)"
