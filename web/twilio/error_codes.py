"""What is to be done about a message that Twilio did not take, or took and could not deliver.

Rule 1: the error code decides; an answer's HTTP status only where there is none, or an unknown one.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine import SendError
from web.verdicts import Action, Rule, error_for, error_without_code, retry_after_seconds

_REFUSE, _USER, _NUMBER, _BLOCK = Action.REFUSE, Action.DELAY_USER, Action.DELAY_NUMBER, Action.BLOCK

# Each has a page: https://www.twilio.com/docs/api/errors/63016
CODES: Final[Mapping[int, Rule]] = {
    # Pace
    20429: Rule(_NUMBER, "too many requests to Twilio at once"),
    21611: Rule(_NUMBER, "too many messages of the number wait at Twilio"),
    30001: Rule(_NUMBER, "too many messages of the number wait at Twilio"),
    63017: Rule(_NUMBER, "the account's throughput is used up"),
    63018: Rule(_NUMBER, "WhatsApp's rate limit is used up"),
    63038: Rule(_NUMBER, "the account's messages of a day are used up"),
    # The service
    20500: Rule(_NUMBER, "something went wrong at Twilio"),
    30410: Rule(_USER, "WhatsApp did not answer Twilio in time"),
    63009: Rule(_USER, "something went wrong at WhatsApp"),
    63010: Rule(_USER, "something went wrong at Twilio"),
    63012: Rule(_USER, "something went wrong at WhatsApp"),
    # This message or this user
    63016: Rule(_REFUSE, "the user wrote last more than 24 hours ago; only a template may be sent"),
    63003: Rule(_REFUSE, "the user cannot be reached on WhatsApp"),
    63013: Rule(_REFUSE, "it violates WhatsApp's policy"),
    63014: Rule(_REFUSE, "the user has blocked the number"),
    63015: Rule(_REFUSE, "the user has not joined the sandbox"),
    63024: Rule(_REFUSE, "the user cannot be reached on WhatsApp"),
    63031: Rule(_REFUSE, "the recipient is the sender"),
    63032: Rule(_REFUSE, "WhatsApp does not let this user be written to"),
    63049: Rule(_REFUSE, "Meta chose not to deliver it"),
    21211: Rule(_REFUSE, "the recipient is no phone number"),
    21408: Rule(_REFUSE, "the account may not write to this region"),
    21608: Rule(_REFUSE, "the recipient is not one of the trial account's verified numbers"),
    21610: Rule(_REFUSE, "the user wants no more messages"),
    21612: Rule(_REFUSE, "the number cannot write to this user"),
    21614: Rule(_REFUSE, "the recipient is no mobile number"),
    30003: Rule(_REFUSE, "the user cannot be reached"),
    30004: Rule(_REFUSE, "the message is blocked"),
    30005: Rule(_REFUSE, "the user cannot be reached"),
    30006: Rule(_REFUSE, "the user cannot be reached"),
    30007: Rule(_REFUSE, "the message was taken for spam"),
    30008: Rule(_REFUSE, "it was not delivered, and Twilio does not know why"),
    30036: Rule(_REFUSE, "it could not be delivered in time"),
    # The request: a mistake here
    20422: Rule(_REFUSE, "a parameter is wrong"),
    21602: Rule(_REFUSE, "the message has no text"),
    21617: Rule(_REFUSE, "the text is too long"),
    21619: Rule(_REFUSE, "the message has no content"),
    21620: Rule(_REFUSE, "the address of the media is wrong"),
    63005: Rule(_REFUSE, "WhatsApp does not take this content"),
    63019: Rule(_REFUSE, "our media could not be downloaded"),
    63021: Rule(_REFUSE, "WhatsApp does not take this content"),
    63027: Rule(_REFUSE, "the template is wrong"),
    63028: Rule(_REFUSE, "the template is wrong"),
    63030: Rule(_REFUSE, "a parameter is not for this type of message"),
    63034: Rule(_REFUSE, "our media is too large"),
    63040: Rule(_REFUSE, "the template was rejected"),
    63041: Rule(_REFUSE, "the template is paused"),
    63042: Rule(_REFUSE, "the template is disabled"),
    # Credentials, settings and the state of the number: every message would meet the same until somebody acts
    20003: Rule(_BLOCK, "the account SID or the auth token is not accepted"),
    20404: Rule(_BLOCK, "there is no such account at this address"),
    10001: Rule(_BLOCK, "the account is not active"),
    30002: Rule(_BLOCK, "the account is suspended"),
    21212: Rule(_BLOCK, "the sender is no number"),
    21603: Rule(_BLOCK, "the sender is missing"),
    21606: Rule(_BLOCK, "the number is not one of this account that can send"),
    21609: Rule(_BLOCK, "Twilio does not take the public URL for its statuses"),
    21910: Rule(_BLOCK, "the sender is no number of WhatsApp's"),
    63001: Rule(_BLOCK, "WhatsApp does not accept Twilio's credentials for the number"),
    63002: Rule(_BLOCK, "the number is not registered for WhatsApp"),
    63007: Rule(_BLOCK, "the number is not registered for WhatsApp in this account"),
    63008: Rule(_BLOCK, "the number is not set up as WhatsApp needs it"),
    63020: Rule(_BLOCK, "the WhatsApp business account has a problem"),
}

# With a code that is not known.  Waiting helps; or every message would meet the same.
_STATUSES_DELAYED: Final = frozenset({408, 429})
_STATUSES_BLOCKED: Final = frozenset({401, 403, 404})
_UNKNOWN_FAILURE: Final = Rule(
    Action.REFUSE, "it was not delivered, with an error code that is not known here"
)
_NO_CODE: Final = Rule(Action.REFUSE, "it was not delivered, and no error code says why")
_CODE_DIGITS_MAX: Final = 9


class _TwilioError(msgspec.Struct):
    code: int
    message: Any = None


def classify(status: int, body: bytes | None, *, retry_after: str | None = None) -> SendError:
    """The error that says what is to be done about an answer with this HTTP status, 300 or above.

    `body` is None when it could not be read; `retry_after` is the value of the header `Retry-After`.
    """
    hint = retry_after_seconds(retry_after)
    error = _twilio_error(body)
    if error is None:
        return error_without_code(status, api="Twilio", hint_seconds=hint)
    rule = CODES.get(error.code) or _unknown(status)
    return error_for(rule, words=error.message, code=error.code, hint_seconds=hint)


def classify_failure(code: str, words: str | None) -> SendError:
    """The same for a message that was taken and failed later: `code` and `words` as its status has them.

    What the table does not know is refused: it was tried, and a second message might be a double.
    """
    if not (code.isascii() and code.isdigit() and len(code) <= _CODE_DIGITS_MAX):
        return error_for(_NO_CODE, words=words)
    number = int(code)
    return error_for(CODES.get(number, _UNKNOWN_FAILURE), words=words, code=number)


def _unknown(status: int) -> Rule:
    meaning = f"HTTP {status} with an error code that is not known here"
    if status >= 500 or status in _STATUSES_DELAYED:
        return Rule(Action.DELAY_NUMBER, meaning)
    return Rule(Action.BLOCK if status in _STATUSES_BLOCKED else Action.REFUSE, meaning)


def _twilio_error(body: bytes | None) -> _TwilioError | None:
    try:
        return msgspec.json.decode(body or b"", type=_TwilioError)
    except (ValueError, RecursionError):
        return None
