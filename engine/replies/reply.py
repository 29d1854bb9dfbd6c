"""The reply of an assistant, and what a responder may return."""

from typing import Any, Final

import attrs

from engine.errors import ReplyError
from engine.replies.bodies import Body, ReactionBody, TextBody
from engine.replies.checks import as_optional, check_count, check_optional, kind_of

# Each message to one user costs 6 s of WhatsApp's pair limit: ten are a minute.
REPLIES_MAX: Final = 10


@attrs.frozen(init=False)
class Reply:
    """What goes out in answer to a message: a text, or a body of any type above.

    `reply_to` is the id of a message that it quotes.  `Reply(text=...)` is `Reply(...)`.
    """

    body: Body = attrs.field(repr=False)
    reply_to: str | None = attrs.field(default=None, repr=False)

    def __init__(
        self, body: str | Body | None = None, *, text: str | None = None, reply_to: str | None = None
    ) -> None:
        """Raises `ReplyError` when it cannot be sent like that."""
        if body is not None and text is not None:
            raise ReplyError("text: a reply has a text or a body, not both")
        given = text if body is None else body
        if isinstance(given, str):
            given = TextBody(given)
        if not isinstance(given, Body):
            raise ReplyError(f"body: a text or a body, not {kind_of(given)}")
        check_optional("reply_to", reply_to)
        if reply_to is not None and isinstance(given, ReactionBody):
            raise ReplyError("reply_to: a reaction has none, it names its own message")
        self.__attrs_init__(given, as_optional(reply_to))

    @property
    def text(self) -> str:
        """What a person would read of it; in brackets what it is, when there is nothing to read."""
        return self.body.text

    def __str__(self) -> str:
        return self.text


def as_replies(value: Any) -> tuple[Reply, ...]:
    """The replies that a responder returned: a text, a `Reply`, or a list or tuple of them.

    Raises `ReplyError` when it is anything else, when there is none or more than `REPLIES_MAX`, or when a
    text is empty.
    """
    if isinstance(value, str | Reply):
        return (_as_reply("a responder's reply", value),)
    if isinstance(value, list | tuple):
        check_count("a responder's replies", value, REPLIES_MAX)
        return tuple(_as_reply(f"a responder's replies[{index}]", one) for index, one in enumerate(value))
    raise ReplyError(f"a responder returns a text, a Reply or a list of them, not {kind_of(value)}")


def _as_reply(place: str, value: Any) -> Reply:
    if not isinstance(value, str | Reply):
        raise ReplyError(f"{place}: a text or a Reply, not {kind_of(value)}")
    reply = Reply(value) if isinstance(value, str) else value
    if not reply.text.strip():
        raise ReplyError(f"{place} must not be empty")
    return reply
