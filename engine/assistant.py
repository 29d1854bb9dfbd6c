"""Protocols for what is outside of the engine: the planner, the responder, the way out to the user."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from engine.errors import AssistantError
from engine.model import Message, OutboxRow, Results, SupersededRequest, Turn, TypingSignal, User
from engine.plan import Plan
from engine.policy import Policy
from engine.replies import Reply
from engine.tools import Tool


async def _say_nothing(text: str) -> bool:
    return False


@attrs.frozen(kw_only=True)
class Context:
    """What a planner and a responder know besides the message.

    `history`: messages and replies before this one, oldest first, at most `history_messages_max`.
    `burst`: the messages of this burst in order; the newest is the one given as `message`.
    `superseded`: requests taken back within that history, each with `.message` and `.results` (P7).
    `credentials`: what `Assistant.credentials` returned for this user and operation.
    """

    user: User
    history: Sequence[Turn] = ()
    burst: Sequence[Message] = ()
    superseded: Sequence[SupersededRequest] = ()
    credentials: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    _notify: Callable[[str], Awaitable[bool]] = attrs.field(default=_say_nothing, repr=False)

    async def progress(self, text: str) -> bool:
        """Send the user a note ("2 of 3: sunset times…").

        At most `progress_notes_max` an operation and no two within `progress_seconds_min`; returns whether
        this one was sent.  Notes not yet on their way are dropped when the operation is interrupted.
        """
        return await self._notify(text)


class Planner(Protocol):
    """Decides what is to be called."""

    async def plan(self, message: Message, context: Context) -> Plan:
        """The calls that answer this message.  May be cancelled at any await."""
        ...

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """More calls after seeing the results so far; None when it is enough.  May be cancelled.

        Under the policy `steer` it is also asked when new messages have come, which then are in
        `context.burst`, the newest as `message`: a plan takes the place of all calls that were not started,
        whose ids it may use again; None keeps them.
        """
        ...


# What a responder may return.
Replies = str | Reply | Sequence[str | Reply]


class Responder(Protocol):
    """Makes the reply."""

    async def __call__(self, message: Message, results: Results, context: Context) -> Replies:
        """The reply to this message, or several in order, none empty.  May be cancelled at any await."""
        ...


class Outbound(Protocol):
    """The way out to the user: WhatsApp, a terminal, a list in a test."""

    async def __call__(self, outgoing: OutboxRow | TypingSignal) -> str:
        """Send one thing; return the provider's id of it (may be empty).

        Raises a `SendError` that says what is to be done: SendRefused, SendDelayed, SendAmbiguous or
        SendBlocked.  Anything else it raises counts as SendDelayed.
        """
        ...


async def print_outbound(outgoing: OutboxRow | TypingSignal) -> str:
    """The simplest way out: texts go to standard output, typing signals nowhere."""
    if isinstance(outgoing, OutboxRow):
        print(outgoing.text, flush=True)  # noqa: T201  # that is what it is for
    return ""


def _tools_by_name(tools: Iterable[Tool] | Mapping[str, Tool]) -> dict[str, Tool]:
    by_name: dict[str, Tool] = {}
    for tool in tools.values() if isinstance(tools, Mapping) else tools:  # a mapping: attrs.evolve
        if not isinstance(tool, Tool):
            raise AssistantError(f"{tool!r} is not a tool: decorate it with @tool(timeout=...)")
        if tool.name in by_name:
            raise AssistantError(f"two tools are named {tool.name!r}: rename one")
        by_name[tool.name] = tool
    return by_name


@attrs.frozen(eq=False, kw_only=True)
class Assistant:
    """A planner, a responder and the tools they may use.

    `credentials` is an async function of the user; the mapping it returns reaches the tools of one
    operation and is never stored or logged.  `language` says in which language who wrote a message is told
    what the engine itself says, as `es` or `es-AR`; None: in that of the settings.  `policy` decides
    what a new message does to a running operation, whatever the settings say; None: the settings decide.
    Raises AssistantError when a part is not what it must be.
    """

    planner: Planner
    responder: Responder
    tools: Mapping[str, Tool] = attrs.field(converter=_tools_by_name)
    credentials: Callable[[User], Awaitable[Mapping[str, Any]]] | None = None
    language: Callable[[Message], str] | None = None
    policy: Policy | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("plan", "adapt"):
            if not inspect.iscoroutinefunction(getattr(self.planner, name, None)):
                raise AssistantError(f"the planner needs a method: async def {name}(self, ...)")
        for name, part in (("responder", self.responder), ("credentials", self.credentials)):
            if part is not None and not is_async(part):
                raise AssistantError(f"the {name} must be an async function, not {part!r}")
        if self.language is not None and (not callable(self.language) or is_async(self.language)):
            raise AssistantError(f"language must be a plain function of the message, not {self.language!r}")
        if self.policy is not None and (not callable(self.policy) or is_async(self.policy)):
            raise AssistantError(
                f"policy must be a plain function of a message and a snapshot, not {self.policy!r}"
            )


def is_async(part: object) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(part) or inspect.iscoroutinefunction(getattr(part, "__call__", None))  # noqa: B004
