"""What the local phone remembers: each user's newest events, numbered, bounded, and followed live.

Rule 1: numbers rise over all chats and begin anew, under another epoch, with each process; so a position
        (`epoch-number`) that a page comes back with says exactly what it has missed.
Rule 2: every change is synchronous; who follows is woken by `Chat.changed`.
"""

import enum
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import trio

from web.local.meta import message_id

CHATS_MAX: Final = 64  # one person at a desk tries a handful of numbers
EVENTS_MAX: Final = 500  # for each user: more than anybody scrolls back through
TYPING_SECONDS: Final = 25.0  # WhatsApp: the dots go with our next message, or after this long


class State(enum.StrEnum):
    """How far a message of the user's has come."""

    SENDING = "sending"
    REFUSED = "refused"  # the webhook answered something else than 200, or nothing
    ACCEPTED = "accepted"  # the webhook answered 200
    READ = "read"  # the read mark came


# A read mark may overtake the webhook's 200, so nothing leads back from READ.
_MAY_BECOME: Final[Mapping[State, frozenset[State]]] = {
    State.SENDING: frozenset({State.REFUSED, State.ACCEPTED, State.READ}),
    State.REFUSED: frozenset({State.SENDING, State.ACCEPTED, State.READ}),
    State.ACCEPTED: frozenset({State.READ}),
    State.READ: frozenset(),
}


@attrs.frozen(kw_only=True)
class PhoneEvent:
    """One fact for the page, with what it needs to show it.

    `kind`: `message`, `state`, `typing`, `reaction` or `operation`.
    """

    number: int
    kind: str
    data: Mapping[str, Any] = attrs.field(repr=False)


@attrs.define(eq=False)
class Chat:
    """One user's side of the phone."""

    # The newest number that is no longer here: whoever has seen less has missed something.
    forgotten_to: int
    events: deque[PhoneEvent] = attrs.field(factory=deque, init=False, repr=False)
    # The user's own messages by key, oldest first.
    states: dict[str, State] = attrs.field(factory=dict, init=False, repr=False)
    # Set, and replaced, at every change.
    changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    followers: int = attrs.field(default=0, init=False)

    def record(self, event: PhoneEvent) -> None:
        if event.kind == "operation":
            self._drop_drawing(event.data["id"])
        if len(self.events) == EVENTS_MAX:
            self.forgotten_to = self.events.popleft().number
        self.events.append(event)
        self.wake()

    def _drop_drawing(self, operation_id: str) -> None:
        """A drawing is whole: whoever gets the new one has no use for those before it."""
        for event in self.events:
            if event.kind == "operation" and event.data["id"] == operation_id:
                self.events.remove(event)
                return

    def wake(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def events_after(self, number: int) -> list[PhoneEvent]:
        return [event for event in self.events if event.number > number]


@attrs.define(eq=False)
class Chats:
    """All chats of the local phone.  `epoch` names this process; `now` gives seconds since 1970."""

    epoch: str
    now: Callable[[], float]
    closed: bool = attrs.field(default=False, init=False)
    _chats: OrderedDict[str, Chat] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False, repr=False)
    _newest: int = attrs.field(default=0, init=False)

    @property
    def followers(self) -> int:
        """How many pages follow some chat."""
        return sum(chat.followers for chat in self._chats.values())

    def of(self, user_id: str) -> Chat:
        """The user's chat, made when there is none; the one that nobody has used for longest makes room."""
        if user_id not in self._chats:
            idle = (user for user, chat in self._chats.items() if not chat.followers)
            if len(self._chats) >= CHATS_MAX and (oldest := next(idle, None)) is not None:
                del self._chats[oldest]
            self._chats[user_id] = Chat(forgotten_to=self._newest)
        self._chats.move_to_end(user_id)
        return self._chats[user_id]

    def begin(self, user_id: str, key: str, text: str, **more: Any) -> None:
        """The user sends a message, for the first time or once more under the same key."""
        chat = self.of(user_id)
        if key in chat.states:
            self.mark(user_id, key, State.SENDING)
            return
        if len(chat.states) == EVENTS_MAX:
            del chat.states[next(iter(chat.states))]
        chat.states[key] = State.SENDING
        self._record(user_id, "message", key=key, mine=True, text=text, state=State.SENDING, **more)

    def mark(self, user_id: str, key: str, state: State, reason: str = "") -> None:
        """The message has come to this state; what would lead back changes nothing."""
        chat = self.of(user_id)
        known = chat.states.get(key)
        if known is not None and state not in _MAY_BECOME[known]:
            return
        if known is not None:
            chat.states[key] = state
        # One this process has not seen may still stand on a page that outlived a restart.
        self._record(user_id, "state", key=key, state=state, reason=reason)

    def mark_read(self, user_id: str, key: str) -> None:
        """WhatsApp: a read mark covers the message and all the accepted ones before it."""
        states = self.of(user_id).states
        if key in states:
            earlier = itertools.takewhile(lambda other: other != key, list(states))
            for other in earlier:
                if states[other] is State.ACCEPTED:
                    self.mark(user_id, other, State.READ)
        self.mark(user_id, key, State.READ)

    def show_typing(self, user_id: str) -> None:
        """The dots; the page takes them away with our next message or when `seconds` are over."""
        self._record(user_id, "typing", seconds=TYPING_SECONDS)

    def receive(self, user_id: str, key: str, text: str, **more: Any) -> str:
        """A message to the user arrives; returns its wamid."""
        self._record(user_id, "message", key=key, mine=False, text=text, **more)
        return message_id(user_id, key)

    def react(self, user_id: str, *, to: str, emoji: str, mine: bool) -> None:
        """A reaction to the message with that key, in the place of an earlier one; no emoji takes it away."""
        self._record(user_id, "reaction", to=to, emoji=emoji, mine=mine)

    def draw(self, user_id: str, drawing: Mapping[str, Any]) -> None:
        """An operation's newest drawing, in the place of its earlier ones; `id` names the operation."""
        self._record(user_id, "operation", **drawing)

    def close(self) -> None:
        """Whoever follows gets what is there and then the end."""
        self.closed = True
        for chat in self._chats.values():
            chat.wake()

    def _record(self, user_id: str, kind: str, **data: Any) -> None:
        self._newest = next(self._numbers)
        event = PhoneEvent(number=self._newest, kind=kind, data={**data, "at": self.now()})
        self.of(user_id).record(event)
