"""What happens in one simulated world: who writes when, what is planned, what goes wrong.

Rule 1: times are seconds in binary fractions, so that they compare exactly.
"""

import enum
from collections.abc import Mapping
from functools import cached_property
from typing import Final

import attrs

from engine.limits import Limits

STOP_WORD: Final = "stop"
TOOLS: Final = ("look", "hold", "book", "pay")


class Ending(enum.StrEnum):
    """How an act goes."""

    WELL = "well"
    RAISES = "raises"
    HANGS = "hangs"  # until somebody cancels it
    STUBBORN = "stubborn"  # it ignores cancellation for its whole length


@attrs.frozen(kw_only=True)
class Act:
    """One call of a tool: which, for how long, how it goes; and how its undo goes, where the tool has one."""

    tool: str
    seconds: float
    ending: Ending = Ending.WELL
    undo: Ending = Ending.WELL


@attrs.frozen(kw_only=True)
class Work:
    """What one message asks for: `rounds` of waves of acts, the first planned, the others adapted.

    `fails` is the step of the assistant that raises, empty for none.  `keeps`: joining an operation, it
    leaves the calls as they are.  `answers`: how many replies it gets.
    """

    rounds: tuple[tuple[tuple[Act, ...], ...], ...] = ()
    planning: float = 0.0
    adapting: float = 0.0
    responding: float = 0.0
    fails: str = ""
    keeps: bool = False
    answers: int = 1


class What(enum.StrEnum):
    """What a message is."""

    SAYS = "says"  # words
    EDITS = "edits"  # the one it is about says something else now
    REVOKES = "revokes"  # the one it is about is taken back
    REACTS = "reacts"  # it asks for nothing
    TAKES_OVER = "takes over"  # not its user's: a person of the business wrote it to them
    RENAMES = "renames"  # not its user's either: they have another phone number


@attrs.frozen(kw_only=True)
class Said:
    """One message: `age` is how many seconds older than its delivery its timestamp is.

    `user` is who wrote it, whatever they are called: `names`, those that it brings, the first of them what
    they are written to; none where users have but one.  `retired`: of those, what they are not called any
    more.  `about`: the id of the message that it changes or takes back.
    """

    id: str
    user: str
    text: str
    age: int = 0
    work: Work = attrs.field(factory=Work)
    what: What = What.SAYS
    about: str = ""
    names: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    @property
    def is_stop(self) -> bool:
        """Whether it is the stop word."""
        return self.what is What.SAYS and self.text == STOP_WORD


@attrs.frozen(kw_only=True)
class Delivery:
    """One webhook."""

    at: float
    said: tuple[Said, ...]


@attrs.frozen(kw_only=True)
class Trouble:
    """A time in which the store refuses, or each write takes `delay`."""

    at: float
    seconds: float
    delay: float = 0.0

    @property
    def refuses(self) -> bool:
        """Whether nothing can be written or read meanwhile."""
        return self.delay == 0.0


@attrs.frozen(kw_only=True)
class Death:
    """The process ends: killed around its `write`-th write, or told to stop at `at`.

    `before` says on which side of the write; `down` is how many seconds pass until the next one starts.
    """

    write: int = 0
    before: bool = True
    at: float = 0.0
    down: float = 1.0


@attrs.frozen(kw_only=True)
class Jump:
    """The wall clock is set by so many seconds."""

    at: float
    by: float


@attrs.frozen(kw_only=True)
class Send:
    """How the Graph API takes one request.

    `answer`: ok, delayed, throughput, refused, blocked, silent (no answer, and it was not sent) or lost (no
    answer, and it was).  `statuses`: what it reports of the message, each so many seconds later.
    """

    answer: str = "ok"
    seconds: float = 0.0
    statuses: tuple[tuple[float, str], ...] = ()


@attrs.frozen(kw_only=True)
class Scenario:
    """One world."""

    seed: int
    policy: str
    limits: Limits
    deliveries: tuple[Delivery, ...]
    troubles: tuple[Trouble, ...] = ()
    deaths: tuple[Death, ...] = ()
    jumps: tuple[Jump, ...] = ()
    # The n-th request to the Graph API; the others go well.
    sends: tuple[tuple[int, Send], ...] = ()
    # Something may be sent in place of what comes too late to be sent freely.
    has_template: bool = False

    @cached_property
    def said(self) -> Mapping[str, Said]:
        """The messages by id."""
        return {said.id: said for delivery in self.deliveries for said in delivery.said}

    def wall_clock(self, at: float) -> float:
        """What the clock shows at that time, in seconds since the world began: somebody may have set it."""
        if not self.jumps:
            return at
        return at + sum(jump.by for jump in self.jumps if jump.at <= at)
