"""What a message does by what it is, and who is who: P3, P4, P11, P12."""

import math
from collections.abc import Callable, Iterable
from operator import or_
from typing import Final

from engine.simulation.ledger import Entry
from engine.simulation.rules import See, always
from engine.simulation.scenario import What
from engine.simulation.seen import THOUGHTS_START, Heard, Operation, Seen

_ASKS_NOTHING: Final = (What.REACTS, What.TAKES_OVER, What.RENAMES)


@always(3, "life", "moved", "heard", "kept", *THOUGHTS_START)
def somebody_else_answers(seen: Seen) -> See:
    """While a person of the business talks to a user nothing is taken in to be run, nor begun of what waited.

    What waited when a process died may begin when that time is over.
    """
    taken_over = seen.by_user(int, min)  # the place in the inbox of their last word

    def see(entry: Entry) -> str | None:
        match entry.what:
            case "life":
                for user, (_, until) in seen.silence.items():
                    if until <= seen.scenario.wall_clock(entry.at):
                        taken_over.pop(user, None)
            case "moved":
                if seen.silence[entry.user][0] > seen.scenario.wall_clock(entry.at):
                    taken_over[entry.user] = entry.n
            case "kept":
                if seen.messages[entry.key].said.what is What.TAKES_OVER and not _is_stale(seen, entry):
                    taken_over[entry.user] = entry.n
            case "heard":
                message = seen.messages[entry.key]
                posted = [] if message.may_be_late else seen.posted(message)  # it came before that was known
                if posted and max(posted) < seen.silence[entry.user][0]:
                    return f"message {entry.key} was taken in while somebody else answers {entry.user}"
            case _:
                if (
                    seen.doing
                    and max(seen.messages[id].place for id in seen.doing.burst) < taken_over[entry.user]
                ):
                    return f"{entry.what} {entry.key} came after somebody else had answered"
        return None

    return see


def _is_stale(seen: Seen, entry: Entry) -> bool:
    """Whether it was too old when it came in."""
    age = seen.scenario.wall_clock(entry.at) - seen.messages[entry.key].order[0]
    return age > seen.scenario.limits.stale_seconds


@always(3, "heard", "begins")
def what_was_changed_is_not_begun(seen: Seen) -> See:
    """Of a message that its user changed, or took back, while it waited nothing begins.

    Not asked of one that may be refused: where a crash loses that it was, nobody knew what to change.
    """
    changed: dict[str, tuple[float, str]] = {}  # by message: when, and by which
    begun: set[str] = set()

    def see(entry: Entry) -> str | None:
        if entry.what == "heard":
            about = seen.messages[entry.key].said.about
            present = seen.present.get(entry.user)
            waits = seen.waiting[entry.user].get(about)
            if waits and not waits.may_be_refused and not (present and about in present.burst):
                changed.setdefault(about, (entry.at, entry.key))
            return None
        if entry.key in begun:
            return None
        begun.add(entry.key)
        for id in seen.operation(entry.key).burst:
            at, by = changed.get(id, (math.inf, ""))
            if at < entry.at:  # else it was on its way
                return f"{entry.key} began with {id}, which was changed by {by}"
        return None

    return see


@always(4, "heard", "fate", "intends", "commits", *THOUGHTS_START)
def an_edit_is_a_request(seen: Seen) -> See:
    """What changes a message that is being worked on is not ignored."""
    about: dict[str, Operation] = {}  # by what changes it
    ignored: dict[Operation, str] = {}

    def see(entry: Entry) -> str | None:
        if entry.what == "heard":
            said, present = seen.messages[entry.key].said, seen.present.get(entry.user)
            if said.what is What.EDITS and present and said.about in present.burst:
                about[entry.key] = present
        elif entry.what == "fate":
            operation = about.pop(entry.key, None)
            if operation is not None and entry.more[0] == "ignored" and not operation.told:
                ignored[operation] = entry.key
        elif seen.step in ignored:
            return f"{ignored[seen.step]} was ignored, and {entry.what} {entry.key} came of what it changes"
        return None

    return see


@always(4, "heard", "kept")
def what_asks_is_taken_in(seen: Seen) -> See:
    """What asks is only kept where it is too old or somebody else answers, and nothing else is taken in."""

    def see(entry: Entry) -> str | None:
        message = seen.messages[entry.key]
        asks = message.said.what not in _ASKS_NOTHING
        if (
            asks
            and message.is_kept
            and not (_may_be_silenced(seen, message, entry.user) or _is_old(seen, message, any))
        ):
            return f"message {entry.key} {message.said.what}, and was only kept"
        if not asks and not message.is_kept:
            return f"message {entry.key} {message.said.what}, and was taken for a request"
        return None

    return see


def _may_be_silenced(seen: Seen, message: Heard, user: str) -> bool:
    return any(at < seen.silence[user][1] for at in seen.posted(message))


@always(4, "interrupted", "fate")
def what_is_kept_changes_nothing(seen: Seen) -> See:
    """What had its fate when it came interrupts nothing and takes nobody's place."""

    def see(entry: Entry) -> str | None:
        name, by, *_ = entry.more
        if entry.what == "fate" and name not in ("superseded", "merged"):
            return None
        if by in seen.messages and seen.messages[by].is_kept:
            return f"{entry.key} is {name}: {by}, which {seen.messages[by].said.what}"
        return None

    return see


@always(12, "heard")
def what_is_old_is_not_run(seen: Seen) -> See:
    """A message that comes later than `stale_seconds` after it was written is not taken in to be run."""

    def see(entry: Entry) -> str | None:
        message = seen.messages[entry.key]
        is_old = bool(seen.posted(message)) and _is_old(seen, message, all)
        return f"message {entry.key} was old when it came" if is_old else None

    return see


def _is_old(seen: Seen, message: Heard, at_least: Callable[[Iterable[bool]], bool]) -> bool:
    """Whether `at_least` one of the times, or all of them, at which it may have come was too late."""
    stale = seen.scenario.limits.stale_seconds
    return at_least(at - message.order[0] > stale for at in seen.posted(message))


# P11 ----------------------------------------------------------------------------------------------


@always(11, "heard", "kept", "moved")
def nobody_is_somebody_else(seen: Seen) -> See:
    """Whatever names they have, and whoever had them before: a conversation is one person's."""
    people = seen.by_user(set[str], or_)

    def see(entry: Entry) -> str | None:
        if entry.what != "moved":
            people[entry.user].add(seen.messages[entry.key].said.user)
        if len(people[entry.user]) > 1:
            return f"{entry.user} is {' and '.join(sorted(people[entry.user]))}"
        return None

    return see


@always(11, "heard", "kept", "request")
def what_is_sent_goes_to_its_user(seen: Seen) -> See:
    """A row is sent to an address that its user has."""
    # By name: until when they have it; and when what was written last that brings one they had.
    names = seen.by_user(dict[str, float], or_)
    before = seen.by_user(dict[str, int], or_)

    def see(entry: Entry) -> str | None:
        if entry.what == "request":
            has, to = names[entry.user], entry.more[2]
            if not has or has.get(to, -math.inf) >= entry.at:
                return None
            there = ", ".join(name for name, until in has.items() if until == math.inf)
            return f"row {entry.key} was sent to {to}, and its user has {there}"
        said, written = seen.messages[entry.key].said, entry.more[0]
        for name in said.retired:
            before[entry.user][name] = written
        for name in said.names:
            if written > before[entry.user].get(name, -math.inf):
                names[entry.user][name] = math.inf
            else:
                names[entry.user].setdefault(name, entry.at)
                names[entry.user][name] = min(names[entry.user][name], entry.at)
        return None

    return see


RULES: Final = (
    somebody_else_answers,
    what_was_changed_is_not_begun,
    an_edit_is_a_request,
    what_asks_is_taken_in,
    what_is_kept_changes_nothing,
    what_is_old_is_not_run,
    nobody_is_somebody_else,
    what_is_sent_goes_to_its_user,
)
