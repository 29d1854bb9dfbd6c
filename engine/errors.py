"""Every error raised on purpose, by whose fault it is.

Rule 1: foreign errors are translated once, at the seam where they enter, with `from`.
Rule 2: the text names the thing and the remedy, and holds no secret and no whole phone number.
"""

import attrs

from engine.texts import shortened, whole


class EngineError(Exception):
    """Anything this engine raises on purpose."""


# Ours ---------------------------------------------------------------------------------------------


class IllegalTransition(EngineError):
    """An operation was asked to change phase in a way the table in `phases` does not have: a bug here."""


# The assistant's author's -------------------------------------------------------------------------


class AssistantError(EngineError):
    """The assistant is put together wrongly: a tool, a planner or a responder is not what it must be."""


class PlanError(AssistantError):
    """A plan cannot be run as it is; the text names the call.  Raised before any wave of the plan."""


class ReplyError(AssistantError):
    """A reply cannot be sent as it is; one line that names the field, its limit and what was given."""


class KeepsCrashing(EngineError):
    """An operation was running each time the process died lately, and is not tried again."""


class CallDidNotSucceed(EngineError):
    """`Outcome.value` was asked of a call that has none; the text says why."""


# The operator's -----------------------------------------------------------------------------------


class LanguagesError(EngineError):
    """A file of texts cannot be used; one line that names the language and the text."""


class ScriptError(EngineError):
    """A script for the REPL cannot be played; one line that names the file, its line and the remedy."""


# The user's pace ----------------------------------------------------------------------------------


class InboxFull(EngineError):
    """More waits than the engine admits just now; the sender should try again later."""


# The outside's ------------------------------------------------------------------------------------


class ToolFailed(EngineError):
    """A tool could not be called as planned: its name has vanished or its arguments do not fit."""


class StoreError(EngineError):
    """The store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot write or read just now (disk full, locked, read-only); nothing was half-written."""


class StoreUnusable(StoreError):
    """The store cannot be opened at all; refused at start, in one line."""


@attrs.frozen(auto_exc=True)
class SendError(EngineError):
    """A message could not be sent; the subclass says what is to be done.

    `code` is the provider's error code (see the error reference), None when there was none.
    """

    reason: str
    code: int | None = None

    def __str__(self) -> str:
        return self.reason if self.code is None else f"{self.reason} (error {self.code})"


class SendRefused(SendError):
    """This message will never be delivered: give up on it."""


class SendAmbiguous(SendError):
    """The request was written and no answer came: the message may or may not have been sent."""


class SendBlocked(SendError):
    """Token, permission or policy: nothing can be sent until the operator has mended it."""


@attrs.frozen(auto_exc=True)
class SendDelayed(SendError):
    """Try this message again later.

    `whole_number`: everything waits, not only this user.  `wait_seconds`: the provider's own hint, None
    when it gave none.
    """

    whole_number: bool = False
    wait_seconds: float | None = None


@attrs.frozen(auto_exc=True)
class MediaError(EngineError):
    """A file that a user sent could not be downloaded; `reason` says why, and nothing of it is left.

    `code` is the provider's error code (see the error reference), None when there was none.
    """

    reason: str
    code: int | None = None

    def __str__(self) -> str:
        return self.reason if self.code is None else f"{self.reason} (error {self.code})"


# In words -----------------------------------------------------------------------------------------


def one_line(error: BaseException) -> str:
    """What is wrong, in one line of at most about 1,000 characters; of a group, its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    try:
        text = whole(" ".join(str(error).split()))
    except (Exception, SystemExit):  # somebody's own __str__
        text = ""
    text = shortened(text)
    return text if isinstance(error, ToolFailed) else f"{type(error).__name__}: {text}".rstrip(": ")
