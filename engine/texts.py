"""What the engine itself says to a user; everything else is the assistant's."""

from typing import Final

ACKNOWLEDGEMENT: Final = "Got it! Switching to your new request..."
APOLOGY: Final = "Sorry, something went wrong with your request. Please try again."
TOO_MANY_WAIT: Final = (
    "Sorry, too many of your messages are waiting, so I could not take this one. Please send it again later."
)
TOO_BUSY: Final = "Sorry, I am talking to too many people just now. Please send that again in a few minutes."
