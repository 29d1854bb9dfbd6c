"""Sans-io: what to do after a message to a user could not be sent.

Rule 1: what concerns the whole number (throughput, the service, the token) never counts against a message.
Rule 2: a send that may have happened is made once more, at most.
"""

from typing import Final

import attrs

from engine.errors import SendAmbiguous, SendBlocked, SendDelayed, SendError, SendRefused
from engine.limits import Limits

PAIR_BACKOFF: Final = 4  # WhatsApp, rate limits: after a refusal retry in 4^X seconds, X = 0, 1, 2, …


@attrs.frozen
class Wait:
    """Try again in `seconds`; when `whole_number`, nothing else is sent meanwhile either."""

    seconds: float
    whole_number: bool


@attrs.frozen
class GiveUp:
    """A dead letter."""


@attrs.frozen
class SendOnceMore:
    """It may have been sent: let others pass, and send it a last time in `seconds`."""

    seconds: float


def after(
    error: SendError, *, attempts: int, number_failures: int, was_ambiguous: bool, limits: Limits
) -> Wait | GiveUp | SendOnceMore:
    """What follows an error.

    `attempts` counts this message's, this one included; `number_failures` how often in a row the whole
    number was held up before; `was_ambiguous` that this message may have been sent already.
    """
    match error:
        case SendRefused():
            return GiveUp()
        case SendAmbiguous():
            return GiveUp() if was_ambiguous else SendOnceMore(limits.settle_seconds)
        case SendBlocked():
            return Wait(limits.send_retry_seconds_max, whole_number=True)
        case SendDelayed(whole_number=True):
            backoff = min(limits.send_retry_seconds_max, limits.send_retry_seconds_min * 2.0**number_failures)
            return Wait(backoff if error.wait_seconds is None else error.wait_seconds, whole_number=True)
    if attempts >= limits.send_attempts_max:
        return GiveUp()
    hint = error.wait_seconds if isinstance(error, SendDelayed) else None
    return Wait(float(PAIR_BACKOFF ** (attempts - 1)) if hint is None else hint, whole_number=False)
