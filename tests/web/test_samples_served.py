"""Each of the samples through the real route, signed: what it does, and what stays of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine import (
    Delivery,
    MemoryStore,
    Message,
    MessageSettled,
    OutboxRow,
    OutgoingKind,
    OutgoingReported,
    Plan,
    ProviderTold,
    SqliteStore,
    User,
)
from engine.arrivals import Effect, effect_of
from engine.store import Queue
from engine.testing import open_conversation, scripted_assistant
from web.app import create_app
from web.doors import door_of
from web.settings import load_settings
from web.whatsapp.payloads import parse
from web.whatsapp.signature import SIGNATURE_HEADER, sign

SECRET = "app secret"  # noqa: S105
DOOR = door_of(
    load_settings(
        {
            "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
            "WHATSAPP_ACCESS_TOKEN": "token",
            "WHATSAPP_APP_SECRET": SECRET,
            "WHATSAPP_VERIFY_TOKEN": "the verify token",
        }
    )
)
SAMPLES = sorted((Path(__file__).parent.parent / "payloads").glob("*.json"))


async def post(app: Any, body: bytes) -> int:
    headers = {SIGNATURE_HEADER: sign(body, SECRET)}
    return int((await app.test_client().post("/webhook/whatsapp", data=body, headers=headers)).status_code)


def fate_of(message: Message) -> str:
    if effect_of(message) is not Effect.ASKS:
        return "ignored"
    return "answered"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
async def test_every_sample_is_taken_and_does_what_its_kind_does(
    autojump_clock: MockClock, path: Path
) -> None:
    """200, twice; a request is answered once, anything else is kept or told, and nothing fails."""
    body = await trio.Path(path).read_bytes()
    webhook = parse(body)
    settled: list[MessageSettled] = []
    told: list[ProviderTold] = []
    assistant = scripted_assistant(Plan(), tools=[])
    async with open_conversation(assistant) as conversation:
        hooks = {MessageSettled: settled, ProviderTold: told}
        conversation.engine.events.subscribe(lambda event: hooks.get(type(event), []).append(event))
        app = create_app(conversation.engine, DOOR)
        for _ in range(2):
            assert await post(app, body) == 200
            await trio.sleep(10)
        replies = [row.text for row in conversation.outbound.rows]
    fates = [(each.id, fate_of(each)) for each in webhook.messages]
    assert [(event.message_id, event.fate.name) for event in settled] == fates
    assert replies == [f"done: {each.text}" for each in webhook.messages if fate_of(each) == "answered"]
    fields = [other.field for other in webhook.others if other.field]
    assert [event.field for event in told] == fields * 2
    changes = [change for entry in json.loads(body)["entry"] for change in entry["changes"]]
    assert [event.value for event in told] == [change["value"] for change in changes if fields] * 2


async def test_a_thousand_updates_in_one_body_are_on_disk_when_it_is_answered(tmp_path: Path) -> None:
    """One message to three statuses, as Meta mixes them."""
    user = User("15550000000")
    updates: dict[str, list[Any]] = {"messages": [], "statuses": []}
    for index in range(250):
        sender = f"1555{index:07}"
        updates["messages"].append(
            {"from": sender, "id": f"wamid.{index}", "type": "text", "text": {"body": "hi"}}
        )
        for status in ("sent", "delivered", "read"):
            updates["statuses"].append(
                {"id": f"out.{index}", "status": status, "biz_opaque_callback_data": f"row{index}"}
            )
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", **updates}}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}).encode()
    path = tmp_path / "midstream.db"
    rows = [OutboxRow(id=f"row{index}", user=user, kind=OutgoingKind.NOTE, text="x") for index in range(250)]
    store = SqliteStore(path)
    async with store.open(lambda committed: None):
        await store.write([Queue(row) for row in rows])
    assistant = scripted_assistant(Plan(), tools=[], planning_seconds=60)
    async with open_conversation(assistant, store=SqliteStore(path)) as conversation:
        assert await post(create_app(conversation.engine, DOOR), body) == 200
        depths = await conversation.engine.read_depths()
    assert depths.inbox == 250


async def test_a_status_tells_what_the_message_costs(autojump_clock: MockClock) -> None:
    """As far as Meta says."""
    store = MemoryStore()
    row = OutboxRow(id="row1", user=User("15551234567"), kind=OutgoingKind.NOTE, text="x")
    reported: list[OutgoingReported] = []
    async with open_conversation(scripted_assistant(Plan(), tools=[]), store=store) as conversation:
        conversation.engine.events.subscribe(
            lambda event: reported.append(event) if isinstance(event, OutgoingReported) else None
        )
        await store.write([Queue(row)])
        await trio.sleep(1)
        status = {
            "id": "out.1",
            "status": "delivered",
            "biz_opaque_callback_data": "row1",
            "pricing": {"billable": False, "pricing_model": "PMP", "type": "regular", "category": "service"},
            "conversation": {"id": "c1"},
        }
        change = {"field": "messages", "value": {"statuses": [status]}}
        body = json.dumps({"entry": [{"changes": [change]}]}).encode()
        assert await post(create_app(conversation.engine, DOOR), body) == 200
        [report] = parse(body).reports
    assert report.pricing is not None
    assert (report.pricing.model, report.pricing.type) == ("PMP", "regular")
    [event] = reported
    assert (event.delivery, event.billable, event.category) == (Delivery.DELIVERED, False, "service")
    assert event.conversation_id == "c1"
