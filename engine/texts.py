"""What the engine itself says to a user; everything else is the assistant's."""

from typing import Final

ACKNOWLEDGEMENT: Final = "Got it! Switching to your new request..."
APOLOGY: Final = "Sorry, something went wrong with your request. Please try again."
TOO_MANY_WAIT: Final = (
    "Sorry, too many of your messages are waiting, so I could not take this one. Please send it again later."
)
TOO_BUSY: Final = "Sorry, I am talking to too many people just now. Please send that again in a few minutes."


def whole(text: str) -> str:
    """The text as it can be stored and sent: half an emoji, cut by somebody in two, becomes "?".

    >>> whole("late \ud83c")
    'late ?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")
