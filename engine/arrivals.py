"""What a message does by what it holds and by its age, before any policy is asked: pure, and a table.

Rule 1: what asks for nothing goes into the conversation and no further: it has its fate at the insert.
Rule 2: an edit and a revoke ask for something only where the message they speak of is being worked on; that
is seen when they are delivered.
"""

import enum
from typing import Final

from engine.content import Echo, Edit, Kind, Revoke
from engine.model import Ignored, Message


class Effect(enum.StrEnum):
    """What a message of a kind does."""

    ASKS = "asks"  # it is a request: it starts an operation, or meets one by the policy
    EDITS = "edits"  # with a new text for the message that is worked on, it is a request
    REVOKES = "revokes"  # it stops the operation that works on its message
    TAKES_OVER = "takes_over"  # the assistant is silent for a while
    NOTHING = "nothing"  # it is kept in the conversation


# What of each kind is done unless an operator says otherwise.
EFFECTS: Final = {
    Kind.TEXT: Effect.ASKS,
    Kind.IMAGE: Effect.ASKS,
    Kind.VIDEO: Effect.ASKS,
    Kind.AUDIO: Effect.ASKS,
    Kind.DOCUMENT: Effect.ASKS,
    Kind.STICKER: Effect.ASKS,
    Kind.LOCATION: Effect.ASKS,
    Kind.CONTACTS: Effect.ASKS,
    Kind.BUTTON_REPLY: Effect.ASKS,
    Kind.LIST_REPLY: Effect.ASKS,
    Kind.FLOW_REPLY: Effect.ASKS,
    Kind.TEMPLATE_BUTTON: Effect.ASKS,
    Kind.ORDER: Effect.ASKS,
    Kind.EDIT: Effect.EDITS,
    Kind.REVOKE: Effect.REVOKES,
    Kind.ECHO: Effect.TAKES_OVER,
    Kind.REACTION: Effect.NOTHING,
    Kind.SYSTEM: Effect.NOTHING,
    Kind.REQUEST_WELCOME: Effect.NOTHING,
    Kind.UNSUPPORTED: Effect.NOTHING,
    Kind.UNKNOWN: Effect.NOTHING,
}
# Those that may be made requests, or kept from being one.  The others have one meaning only.
SETTABLE: Final = frozenset(
    kind for kind, effect in EFFECTS.items() if effect in (Effect.ASKS, Effect.NOTHING)
) - {Kind.SYSTEM}
ASKING: Final = frozenset(kind for kind, effect in EFFECTS.items() if effect is Effect.ASKS)

# Meta delivers a webhook again for 7 days; a day more for clocks and queues.
REDELIVERY_SECONDS_MAX: Final = 8 * 86_400.0

TAKEN_OVER: Final = "a person of the business has taken over"
EDITS_NOTHING: Final = "the message it changes is not being worked on"
REVOKES_NOTHING: Final = "the message it takes back is not being worked on"


def effect_of(message: Message, asking: frozenset[Kind] = ASKING) -> Effect:
    """What a message does; `asking` are the kinds that are requests."""
    content = message.content
    if isinstance(content, Edit) and (content.content is None or content.content.kind not in asking):
        return Effect.NOTHING
    if content.kind in SETTABLE:
        return Effect.ASKS if content.kind in asking else Effect.NOTHING
    return EFFECTS[content.kind]


def fate_on_arrival(
    message: Message, *, at: float, stale_seconds: float, asking: frozenset[Kind] = ASKING
) -> Ignored | None:
    """The fate of a message that is not to be run; None for one that may ask for something.

    `at`: seconds since 1970.  A message is stale when it was written more than `stale_seconds` before.
    """
    effect = effect_of(message, asking)
    if effect is Effect.TAKES_OVER:
        return Ignored(TAKEN_OVER)
    if effect is Effect.NOTHING:
        return Ignored(f"{message.content.kind.value.replace('_', ' ')}: it asks for nothing")
    age = at - written_at(message, at)
    if age > stale_seconds:
        return Ignored(f"it came {age:.0f} s after it was written (stale_seconds)")
    return None


def written_at(message: Message, at: float) -> float:
    """When a message that came `at` was written, in seconds since 1970.

    One that would be older than any redelivery has a clock that is wrong, or is a test: it was written now.
    """
    timestamp = message.timestamp
    if timestamp is None or at - timestamp > REDELIVERY_SECONDS_MAX:
        return at
    # Nor can it have been written later than it came.
    return min(at, float(timestamp))


def spoken_of(message: Message) -> str | None:
    """The id of the message that this one changes or takes back; None when it does neither."""
    content = message.content
    return content.message_id if isinstance(content, Edit | Revoke) else None


def is_takeover(message: Message) -> bool:
    """Whether a person of the business wrote it to the user."""
    return isinstance(message.content, Echo)
