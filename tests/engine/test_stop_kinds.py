"""What says stop: words that a user wrote, not what was tapped or stands under a picture."""

import attrs
import pytest
import trio
from trio.testing import MockClock

from engine import Assistant, Context, Message, Plan, Results, User
from engine.content import ButtonReply, Content, Image, ListReply, Location, TemplateButton
from engine.testing import open_conversation


@attrs.define
class Planner:
    """Plans nothing, and remembers what it was asked about."""

    asked: list[Content] = attrs.field(factory=list)

    async def plan(self, message: Message, context: Context) -> Plan:
        self.asked.append(message.content)
        return Plan()

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def respond(message: Message, results: Results, context: Context) -> str:
    return "Cancelled your table."


@pytest.mark.parametrize(
    "content",
    [
        ButtonReply(id="cancel", title="Cancel"),
        ListReply(id="cancel", title="Cancel"),
        TemplateButton(id="cancel", title="Cancel"),
        Image(id="1", caption="Stop"),
        Location(latitude=1.0, longitude=2.0, name="Stop"),
    ],
)
async def test_what_is_no_text_is_the_assistants_to_understand(
    content: Content, autojump_clock: MockClock
) -> None:
    """Its own button "Cancel" comes to it, with its id."""
    planner = Planner()
    message = Message(id="m1", user=User("15551234567"), text=content.text, content=content)
    async with open_conversation(Assistant(planner=planner, responder=respond, tools=[])) as conversation:
        await conversation.engine.receive([message])
        await trio.sleep(5)
    assert planner.asked == [content]
