"""What a provider's refusal asks for, and in which words: what the tables of all providers have in common.

Rule 1: the text of an error holds no secret and no whole number, whatever the provider's own text quotes.
"""

import enum
import re
from typing import Any, Final

import attrs

from engine import SendBlocked, SendDelayed, SendError, SendRefused


class Action(enum.Enum):
    """What is to be done with the message, and with the number's other messages."""

    REFUSE = "give up on this message"
    DELAY_USER = "try again later; only this user waits"
    DELAY_NUMBER = "try again later; everything waits"
    BLOCK = "send nothing until the operator has mended it"


@attrs.frozen
class Rule:
    """What a code means and asks for.  `wait_seconds` where the provider names a time."""

    action: Action
    meaning: str
    wait_seconds: float | None = None


# A hint beyond a day is a mistake; the outbox asks again by then.
WAIT_SECONDS_MAX: Final = 86_400.0

# Answers without a code come from something in between, or from a wrong address.
# Waiting helps: request timeout, too early, too many requests (RFC 9110, 8470, 6585).
_STATUSES_DELAYED: Final = frozenset({408, 425, 429})
# Every message would meet the same: no credentials, no permission, no such address, no such method, proxy.
_STATUSES_BLOCKED: Final = frozenset({401, 403, 404, 405, 407})


def error_for(
    rule: Rule, *, words: Any = None, code: int | None = None, hint_seconds: float | None = None
) -> SendError:
    """The error that a rule asks for.  `words` are the provider's own; its hint goes before a rule's time."""
    reason = f"{rule.meaning}: {said}" if (said := _said(words)) else rule.meaning
    if rule.action is Action.REFUSE:
        return SendRefused(reason, code)
    if rule.action is Action.BLOCK:
        return SendBlocked(reason, code)
    return SendDelayed(
        reason,
        code,
        whole_number=rule.action is Action.DELAY_NUMBER,
        wait_seconds=rule.wait_seconds if hint_seconds is None else hint_seconds,
    )


def error_without_code(status: int, *, api: str, hint_seconds: float | None) -> SendError:
    """The error for an answer with this HTTP status, 300 or above, that holds none of the API's own."""
    if status < 400:
        # The secret may not follow to another host, and a message is not lost for a mistyped address.
        meaning = f"HTTP {status}: a redirect is never followed; is the {api} API's address right?"
        return error_for(Rule(Action.DELAY_NUMBER, meaning), hint_seconds=hint_seconds)
    meaning = f"HTTP {status} without a {api} error"
    if status >= 500 or status in _STATUSES_DELAYED:
        return error_for(Rule(Action.DELAY_NUMBER, meaning), hint_seconds=hint_seconds)
    if status in _STATUSES_BLOCKED:
        return error_for(Rule(Action.BLOCK, f"{meaning}: are the {api} API's address and the proxy right?"))
    return error_for(Rule(Action.REFUSE, meaning))


def retry_after_seconds(header: str | None) -> float | None:
    """`Retry-After` in its form of seconds; its form of a date would need a clock that agrees with theirs."""
    if header is None or not (header.isascii() and header.isdigit()):
        return None
    return bounded_seconds(float(header))


def bounded_seconds(seconds: float) -> float | None:
    """A hint as it may be followed; None for one that is none."""
    return min(seconds, WAIT_SECONDS_MAX) if seconds > 0 else None


# The provider's own words ---------------------------------------------------------------------------

_SAID_CHARACTERS_MAX: Final = 200
# A token, a wamid: longer than any word.
_SECRET: Final = re.compile(r"[A-Za-z0-9_\-.=+/|]{32,}")
# Phone numbers have 7 digits or more; error codes, the other numbers here, have 6.
_NUMBER_SHOWN: Final = re.compile(r"\d{3,}(?=\d{4})")


def _said(words: Any) -> str:
    """The words on one line, short, without what nobody should read in a log; empty when there are none."""
    if not isinstance(words, str):
        return ""
    words = _NUMBER_SHOWN.sub("…", _SECRET.sub("…", words))
    line = " ".join("".join(one if one.isprintable() else " " for one in words).split())
    return line if len(line) <= _SAID_CHARACTERS_MAX else f"{line[:_SAID_CHARACTERS_MAX]}…"
