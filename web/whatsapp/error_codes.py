"""What is to be done about a message that the Graph API did not take, or took and could not deliver.

Rule 1: the error code decides; an answer's HTTP status only where there is none, or an unknown one.
Rule 2: the text of an error holds no token and no whole number, whatever Meta's own text quotes.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from engine import SendError, SendRefused
from web.verdicts import (
    Action,
    Rule,
    bounded_seconds,
    error_for,
    error_without_code,
    retry_after_seconds,
)

# Every code below is from Meta's page of error codes:
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes

# The number is being moved to a higher throughput, which takes "up to one minute".
UPGRADE_SECONDS: Final = 60.0

_REFUSE, _USER, _NUMBER, _BLOCK = Action.REFUSE, Action.DELAY_USER, Action.DELAY_NUMBER, Action.BLOCK

# HTTP statuses differ between Meta's pages (130429 and 131056 are 400 in one, 429 in another): not listed.
CODES: Final[Mapping[int, Rule]] = {
    # Pace
    131056: Rule(_USER, "too many messages to this user in a short time"),  # wait 4^X s, X counts attempts
    130429: Rule(_NUMBER, "the number's throughput is used up"),
    4: Rule(_NUMBER, "the app's Graph API calls are used up"),
    80007: Rule(_NUMBER, "the business account's Graph API calls are used up"),
    131208: Rule(_USER, "too many messages to this group in a short time"),
    # The service
    1: Rule(_USER, "Meta could not process the request"),
    2: Rule(_NUMBER, "the API is down for the moment"),
    131000: Rule(_USER, "something went wrong at Meta"),
    131016: Rule(_NUMBER, "the service is overloaded or down for the moment"),
    133004: Rule(_NUMBER, "the server is down for the moment"),
    131057: Rule(_NUMBER, "the number is in maintenance", UPGRADE_SECONDS),
    # This message or this user
    131047: Rule(_REFUSE, "the user wrote last more than 24 hours ago; only a template may be sent"),
    131026: Rule(_REFUSE, "the user cannot be reached on WhatsApp"),
    131049: Rule(_REFUSE, "Meta chose not to deliver it"),
    131050: Rule(_REFUSE, "the user wants no marketing messages"),
    131051: Rule(_REFUSE, "this type of message is not supported"),
    131021: Rule(_REFUSE, "the recipient is the sender"),
    131030: Rule(_REFUSE, "the recipient is not in the test number's list of allowed recipients"),
    131052: Rule(_REFUSE, "the user's media could not be downloaded"),
    131053: Rule(_REFUSE, "our media could not be uploaded"),
    131062: Rule(_REFUSE, "this message cannot be sent to a user without a known phone number"),
    131063: Rule(_REFUSE, "marketing templates are disabled for this account"),
    131064: Rule(_REFUSE, "the account is limited for violations of the template rules"),
    131020: Rule(_REFUSE, "the group cannot be written to"),
    131041: Rule(_REFUSE, "the group cannot be written to"),
    # The request: a mistake here
    100: Rule(_REFUSE, "a parameter is wrong"),
    33: Rule(_REFUSE, "the phone number id does not exist, or not for this token"),
    131008: Rule(_REFUSE, "a parameter is missing"),
    131009: Rule(_REFUSE, "the value of a parameter is wrong"),
    135000: Rule(_REFUSE, "a parameter is wrong"),
    # Token and permission
    0: Rule(_BLOCK, "the access token is not accepted; make a new one"),
    190: Rule(_BLOCK, "the access token has expired; make a new one"),
    3: Rule(_BLOCK, "the access token lacks a permission"),
    10: Rule(_BLOCK, "the access token lacks a permission, or it was withdrawn"),
    131005: Rule(_BLOCK, "the access token lacks a permission"),
    # Policy and the state of the number: every message would meet the same until somebody acts
    368: Rule(_BLOCK, "the account is blocked for a violation of policy"),
    130497: Rule(_BLOCK, "the account may not write to users of this country"),
    131031: Rule(_BLOCK, "the account is locked"),
    131048: Rule(_BLOCK, "the number is restricted: too many of its messages were taken for spam"),
    131037: Rule(_BLOCK, "the number's display name is not approved"),
    131042: Rule(_BLOCK, "the account has a problem with its payment"),
    131045: Rule(_BLOCK, "the number's certificate is wrong; register it again"),
    133010: Rule(_BLOCK, "the number is not registered"),
}

# For codes that CODES does not name.
RANGES: Final[tuple[tuple[range, Rule], ...]] = (
    (range(200, 300), Rule(_BLOCK, "the access token lacks a permission")),
    (range(131200, 131300), Rule(_REFUSE, "the group cannot be written to")),
    (range(132000, 132070), Rule(_REFUSE, "the template or flow is wrong")),
)

# The calls these count are reported in X-Business-Use-Case-Usage, with the minutes until they are free again.
_USAGE_CODES: Final = frozenset({4, 80007})
_SECONDS_PER_MINUTE: Final = 60.0

_UNKNOWN_FAILURE: Final = Rule(
    Action.REFUSE, "it was not delivered, with an error code that is not known here"
)


class _GraphError(msgspec.Struct):
    code: int
    message: Any = None
    error_data: Any = None
    is_transient: Any = None


class _GraphAnswer(msgspec.Struct):
    error: _GraphError


class _Usage(msgspec.Struct):
    estimated_time_to_regain_access: float = 0.0


class Classify(Protocol):
    """The error that says what is to be done about an answer with this HTTP status, 300 or above."""

    def __call__(
        self, status: int, body: bytes | None, *, retry_after: str | None, usage: str | None
    ) -> SendError: ...


def refusal(classify: Classify, status: int, headers: Mapping[str, str], body: bytes | None) -> SendError:
    """The same of a whole answer, whose names of headers are of any case."""
    return classify(
        status,
        body,
        retry_after=headers.get("Retry-After"),
        usage=headers.get("X-Business-Use-Case-Usage"),
    )


def classify(
    status: int, body: bytes | None, *, retry_after: str | None = None, usage: str | None = None
) -> SendError:
    """The error that says what is to be done about an answer with this HTTP status, 300 or above.

    `body` is None when it could not be read.  `retry_after` and `usage` are the values of the headers
    `Retry-After` and `X-Business-Use-Case-Usage`.
    """
    hint = retry_after_seconds(retry_after)
    error = _graph_error(body)
    if error is None:
        return error_without_code(status, api="Graph", hint_seconds=hint)
    rule = rule_for(error.code) or _unknown(status, error)
    if error.code in _USAGE_CODES and hint is None:
        hint = _usage_seconds(usage)
    return _apply(rule, error, hint)


def classify_failure(raw: Any) -> SendError:
    """The same for a message that was taken and failed later: `raw` is its status's error, as it came.

    What the table does not know is refused: Meta has tried, and a second message might be a double.
    """
    try:
        error = msgspec.convert(raw, _GraphError)
    except ValueError:
        return SendRefused("it was not delivered, and no error code says why")
    return _apply(rule_for(error.code) or _UNKNOWN_FAILURE, error)


def rule_for(code: int) -> Rule | None:
    """What the table has for this code; None when it has nothing."""
    if code in CODES:
        return CODES[code]
    return next((rule for codes, rule in RANGES if code in codes), None)


def _unknown(status: int, error: _GraphError) -> Rule:
    meaning = f"HTTP {status} with an error code that is not known here"
    if status >= 500:
        return Rule(Action.DELAY_NUMBER, meaning)
    return Rule(Action.DELAY_USER if error.is_transient is True else Action.REFUSE, meaning)


def _apply(rule: Rule, error: _GraphError, hint: float | None = None) -> SendError:
    details = error.error_data.get("details") if isinstance(error.error_data, dict) else None
    words = details if isinstance(details, str) else error.message
    return error_for(rule, words=words, code=error.code, hint_seconds=hint)


def _graph_error(body: bytes | None) -> _GraphError | None:
    try:
        return msgspec.json.decode(body or b"", type=_GraphAnswer).error
    except (ValueError, RecursionError):
        return None


def _usage_seconds(header: str | None) -> float | None:
    """The longest time until calls are free again, of every account and kind the header names."""
    try:
        uses = msgspec.json.decode(header or "", type=dict[str, list[_Usage]])
    except (ValueError, RecursionError):
        return None
    minutes = [use.estimated_time_to_regain_access for kinds in uses.values() for use in kinds]
    return bounded_seconds(max(minutes, default=0.0) * _SECONDS_PER_MINUTE)
