"""An assistant that is put together wrongly is refused at start, by the part that is wrong."""

import functools
from collections.abc import Mapping
from typing import Any

import pytest

from engine import (
    Assistant,
    AssistantError,
    Context,
    Message,
    OutboxRow,
    OutgoingKind,
    Plan,
    Results,
    TypingSignal,
    User,
    print_outbound,
    tool,
)

USER = User("15551234567")


@tool(timeout=1)
async def look() -> str:
    """Looks."""
    return "seen"


class Planner:
    """Plans nothing."""

    async def plan(self, message: Message, context: Context) -> Plan:
        """No calls."""
        return Plan()

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        """No more calls."""
        return None


async def respond(message: Message, results: Results, context: Context) -> str:
    """Says yes."""
    return "yes"


class Responder:
    """A responder with a state of its own."""

    async def __call__(self, message: Message, results: Results, context: Context) -> str:
        """Says yes."""
        return "yes"


async def credentials(user: User) -> Mapping[str, Any]:
    """One token."""
    return {"token": "secret"}


def assembled(**parts: Any) -> Assistant:
    """An assistant that is right but for `parts`."""
    return Assistant(**{"planner": Planner(), "responder": respond, "tools": [look], **parts})


# The assistant ------------------------------------------------------------------------------------


def test_an_assistant_has_its_tools_by_name() -> None:
    """A recorded call finds its tool by name after a restart."""
    assistant = assembled()
    assert assistant.tools == {"look": look}
    assert assistant.credentials is None
    assert assembled(tools=[]).tools == {}
    assert assembled(tools=(look,)).tools == {"look": look}


@pytest.mark.parametrize("responder", [respond, Responder(), functools.partial(respond)])
def test_a_responder_is_whatever_can_be_called_and_awaited(responder: Any) -> None:
    """A function, an object with an async `__call__`, a function with some arguments given."""
    assert assembled(responder=responder).responder is responder


def test_credentials_are_an_async_function_of_the_user() -> None:
    """Or there are none."""
    assert assembled(credentials=credentials).credentials is credentials


def plain(*args: object) -> str:
    """Not async."""
    return "yes"


class PlansOnly:
    """Has no `adapt`."""

    async def plan(self, message: Message, context: Context) -> Plan:
        """No calls."""
        return Plan()


class PlansAtOnce(Planner):
    """Has a plan that cannot be awaited."""

    def plan(self, message: Message, context: Context) -> Plan:  # type: ignore[override]
        """No calls."""
        return Plan()


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"planner": None}, "the planner needs a method: async def plan(self, ...)"),
        ({"planner": PlansAtOnce()}, "the planner needs a method: async def plan(self, ...)"),
        ({"planner": PlansOnly()}, "the planner needs a method: async def adapt(self, ...)"),
        ({"responder": "yes"}, "the responder must be an async function, not 'yes'"),
        ({"credentials": {"a": 1}}, "the credentials must be an async function, not {'a': 1}"),
        ({"tools": [look, look]}, "two tools are named 'look': rename one"),
        ({"tools": ["look"]}, "'look' is not a tool: decorate it with @tool(timeout=...)"),
    ],
)
def test_a_part_that_is_not_what_it_must_be_is_refused_by_name(parts: dict[str, Any], text: str) -> None:
    """At start, with the remedy, and not at the first message."""
    with pytest.raises(AssistantError) as refusal:
        assembled(**parts)
    assert str(refusal.value) == text


@pytest.mark.parametrize("part", ["responder", "credentials"])
def test_a_plain_function_is_refused_where_one_is_awaited(part: str) -> None:
    """It would block everybody else while it runs."""
    with pytest.raises(AssistantError, match=rf"^the {part} must be an async function, not <function plain"):
        assembled(**{part: plain})


def test_a_tool_that_is_not_decorated_is_refused_with_the_remedy() -> None:
    """The commonest slip."""
    pattern = r"^<function plain at 0x\w+> is not a tool: decorate it with @tool\(timeout=\.\.\.\)$"
    with pytest.raises(AssistantError, match=pattern):
        assembled(tools=[plain])


# The context --------------------------------------------------------------------------------------


async def test_a_context_of_its_own_sends_no_notes() -> None:
    """A planner can be tested without an engine: nothing is sent, and it is told so."""
    context = Context(user=USER)
    assert await context.progress("2 of 3") is False
    assert (context.history, context.burst, context.superseded, context.credentials) == ((), (), (), {})


async def test_a_note_goes_where_the_engine_says() -> None:
    """And the planner hears whether it was sent."""
    notes = []

    async def notify(text: str) -> bool:
        notes.append(text)
        return len(notes) == 1

    context = Context(user=USER, notify=notify)
    assert await context.progress("1 of 2") is True
    assert await context.progress("2 of 2") is False
    assert notes == ["1 of 2", "2 of 2"]


def test_a_context_shows_no_secret() -> None:
    """A planner that logs its context tells neither a token nor a whole number."""
    shown = repr(Context(user=USER, credentials={"token": "secret"}))
    assert shown == "Context(user=User(id=…4567), history=(), burst=(), superseded=())"


# The simplest way out -----------------------------------------------------------------------------


async def test_the_simplest_way_out_prints_texts_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing signal has no text; neither has an id."""
    row = OutboxRow(id="r1", user=USER, kind=OutgoingKind.REPLY, text="Booked: 18:00 🎉")
    assert await print_outbound(row) == ""
    assert await print_outbound(TypingSignal(user=USER, message_id="m1")) == ""
    assert capsys.readouterr().out == "Booked: 18:00 🎉\n"
