"""The assistant that the browser talks to: calls that end when a file is there, and replies of every kind."""

import trio

from engine import (
    Assistant,
    Button,
    ButtonsBody,
    Call,
    Context,
    DocumentBody,
    Inline,
    ListBody,
    LocationBody,
    Message,
    Plan,
    ReactionBody,
    Reply,
    Results,
    Row,
    tool,
)

CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
ROWS = [Row("rome", "Rome", "Italy"), Row("oslo", "Oslo", "Norway"), Row("lima", "Lima", "Peru")]


@tool(timeout=1000)
async def search(gate: str) -> str:
    """Searches until the file of that name is there."""
    while not await trio.Path(gate).exists():  # noqa: ASYNC110  # another process makes it
        await trio.sleep(0.01)
    return gate


@tool(timeout=1000)
async def book(found: str) -> str:
    """Books at once."""
    return found


class Planner:
    """`Book NAME` and `Actually NAME` are three waves, the first of which waits for the file `NAME`.

    All else needs no calls.
    """

    async def plan(self, message: Message, context: Context) -> Plan:
        what, _, name = message.text.partition(" ")
        if what not in ("Book", "Actually"):
            return Plan()
        return Plan(
            Call("flights", search, {"gate": name}),
            Call("hotels", search, {"gate": name}),
            Call("booking", book, {"found": name}, after=["flights", "hotels"]),
            Call("calendar", book, {"found": name}, after=["booking"]),
        )

    async def adapt(self, message: Message, results: Results, context: Context) -> Plan | None:
        return None


async def respond(message: Message, results: Results, context: Context) -> Reply | list[str | Reply]:
    if message.choice is not None:
        return Reply(f"You chose {message.choice.title} ({message.choice.id}).", reply_to=message.id)
    match message.text:
        case "buttons" | "Which hotel?":
            return Reply(
                ButtonsBody(
                    "The Aurora, by the river. Book it?", [Button("book:1", "Yes, book"), Button("no", "No")]
                )
            )
        case "list":
            return Reply(ListBody("Where to?", "Cities", ROWS))
        case "file" | "Send me the dates":
            return Reply(
                DocumentBody(Inline("passover.ics", CALENDAR, "text/calendar"), caption="Your dates")
            )
        case "place":
            return Reply(LocationBody(41.9, 12.5, name="Rome"))
        case "thanks":
            return Reply(ReactionBody(message.id, "👍"))
        case "markup":
            return Reply("<img src=x onerror=alert(1)> & <b>bold</b>")
    return Reply(f"Done: {message.text}")


assistant = Assistant(planner=Planner(), responder=respond, tools=[search, book])
