"""What an operator writes after a command, checked: a limit, an age, a person."""

import argparse
import re
from typing import Final

_HOUR: Final = 3600
_UNITS: Final = {"h": _HOUR, "d": 24 * _HOUR}
# Meta sends a message again for seven days, and a known id is what tells that it is the same (P5).
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
_AGE_MIN: Final = 8 * 24 * _HOUR
# What people write between the digits of a phone number.
_BETWEEN_DIGITS: Final = re.compile(r"[\s+().\-/\u2010-\u2015]")


def limit(raw: str) -> int:
    """How many lines at most; at least one."""
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and int(raw) > 0):
        raise argparse.ArgumentTypeError("must be a whole number, at least 1")
    return int(raw)


def age(raw: str) -> int:
    """Seconds, given as days or hours; no less than Meta may still send a message again."""
    match = re.fullmatch(r"([0-9]{1,6})([hd])", raw)
    if match is None:
        raise argparse.ArgumentTypeError("must be days or hours, as 30d or 240h")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds < _AGE_MIN:
        raise argparse.ArgumentTypeError(
            "must be at least 8d: Meta sends a message again for 7 days, and it must be known by then"
        )
    return seconds


def person(raw: str) -> str:
    """A phone number as it is stored, in digits; a WhatsApp user id stays as it is."""
    digits = _BETWEEN_DIGITS.sub("", raw).removeprefix("00")
    user_id = digits if digits.isascii() and digits.isdigit() else raw.strip()
    if not any(one.isalnum() for one in user_id):
        raise argparse.ArgumentTypeError("must be a phone number with its country's code")
    return user_id
