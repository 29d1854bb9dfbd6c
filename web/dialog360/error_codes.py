"""What is to be done about a message that 360dialog did not pass on to Meta.

Rule 1: what Meta itself says comes through unchanged, and Meta's table decides.
Rule 2: 360dialog's own refusals have no codes: the HTTP status decides, and for a 400 what it says.
Source: https://docs.360dialog.com/docs/support/api-error-message-list
"""

from typing import Any, Final, TypeVar

import msgspec

from engine import SendError
from web.verdicts import Action, Rule, error_for, error_without_code, retry_after_seconds
from web.whatsapp import error_codes as meta

_PACE: Final = Rule(Action.DELAY_NUMBER, "too many requests to 360dialog")
_ACCOUNT: Final = Rule(Action.BLOCK, "360dialog does not let the account send")
_KEY: Final = Rule(Action.BLOCK, "360dialog does not accept the API key, or not for this")
_SERVICE: Final = Rule(Action.DELAY_NUMBER, "360dialog is down for the moment")
_UNKNOWN: Final = Rule(Action.REFUSE, "360dialog did not take the message")

# What a 400 says in its documented texts, in lower case.
_SAID: Final = {"limit": _PACE, "disabled": _ACCOUNT, "payment": _ACCOUNT}
_STATUSES: Final = {401: _KEY, 403: _KEY, 404: _KEY, 429: _PACE}


_S = TypeVar("_S", bound=msgspec.Struct)


class _Own(msgspec.Struct):
    meta: dict[str, Any]


class _Meta(msgspec.Struct):
    error: dict[str, Any]


def classify(
    status: int, body: bytes | None, *, retry_after: str | None = None, usage: str | None = None
) -> SendError:
    """The error that says what is to be done about an answer with this HTTP status, 300 or above.

    `body` is None when it could not be read; the others are as Meta's `classify` takes them.
    """
    if _decoded(body, _Meta) is not None:
        return meta.classify(status, body, retry_after=retry_after, usage=usage)
    hint = retry_after_seconds(retry_after)
    own = _decoded(body, _Own)
    if own is None or status < 400:
        return error_without_code(status, api="360dialog", hint_seconds=hint)
    words = own.meta.get("developer_message") or own.meta.get("developerMessage")
    return error_for(_rule(status, words), words=words, hint_seconds=hint)


def _rule(status: int, words: Any) -> Rule:
    if status >= 500:
        return _SERVICE
    if status in _STATUSES:
        return _STATUSES[status]
    said = words.lower() if isinstance(words, str) else ""
    return next((rule for part, rule in _SAID.items() if part in said), _UNKNOWN)


def _decoded(body: bytes | None, shape: type[_S]) -> _S | None:
    try:
        return msgspec.json.decode(body or b"", type=shape)
    except (ValueError, RecursionError):
        return None
