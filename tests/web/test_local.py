"""The local phone without a server: its Graph API, who may use it, and what a page is shown."""

import itertools
import json
import re
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from quart.datastructures import FileStorage
from quart.typing import TestClientProtocol as Client
from quart_trio import QuartTrio

import web.local
from engine import (
    Message,
    OutgoingKind,
    OutgoingQueued,
    PlanAccepted,
    SessionCompleted,
    SessionStarted,
    User,
)
from web.assistants import suggestions_for
from web.local import KINDS_MAX, LocalPhone, phone
from web.local.chats import _MAY_BECOME, CHATS_MAX, EVENTS_MAX, Chats, State
from web.local.files import KEPT_BYTES_MAX, Files, StoredFile
from web.local.guard import BODY_BYTES_MAX
from web.local.meta import message_id, parse_message_id

USER = "15551234567"
NUMBER_ID = "106540352242922"
TOKEN = "local-tökèn"  # noqa: S105  # not ASCII on purpose
GRAPH = f"/graph/v26.0/{NUMBER_ID}/messages"
STATIC = Path(web.local.__file__).with_name("static")


def make_client() -> tuple[LocalPhone, Client]:
    ids = itertools.count()
    local = LocalPhone(
        phone_number_id=NUMBER_ID,
        access_token=TOKEN,
        app_secret="secret",  # noqa: S106
        server_url=lambda: "http://127.0.0.1:1",
        now=lambda: 1000.0,
        new_id=lambda: f"id{next(ids)}",
    )
    app = QuartTrio("local-phone-test")
    app.register_blueprint(local.blueprint)
    return local, app.test_client()


async def post(client: Client, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    """POST as a well-behaved caller would; keyword arguments add headers or replace them."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Host": "127.0.0.1:8080"}
    if path.startswith("/graph"):
        usual["Authorization"] = f"Bearer {TOKEN}"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {name: value for name, value in {**usual, **given}.items() if value}
    answer = await client.post(path, data=data, headers=merged)
    return answer.status_code, await answer.get_json() if answer.is_json else await answer.get_data()


def make_text(**fields: Any) -> dict[str, Any]:
    usual = {"messaging_product": "whatsapp", "to": USER, "type": "text", "text": {"body": "Hello"}}
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


def make_mark(**fields: Any) -> dict[str, Any]:
    usual = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id(USER, "k1")}
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


def read_events(chats: Chats, user_id: str = USER) -> list[tuple[str, dict[str, Any]]]:
    return [(event.kind, dict(event.data)) for event in chats.of(user_id).events]


async def read_frames(stream: AsyncGenerator[bytes, None]) -> list[str]:
    """What the stream has now and not later: the lines of its events, without waiting."""
    with trio.move_on_after(1):
        return (await anext(stream)).decode().splitlines()
    return ["nothing"]


# The Graph API -------------------------------------------------------------------------------------------


async def test_a_text_reaches_the_phone_and_is_answered_as_meta_answers() -> None:
    """The shape of a send's answer, the number normalised in `wa_id` only; the phone shows it."""
    local, client = make_client()
    assert await post(client, GRAPH, make_text(to=f"+{USER}", recipient_type="individual")) == (
        200,
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": f"+{USER}", "wa_id": USER}],
            "messages": [{"id": message_id(USER, "id1")}],
        },
    )
    shown = {"key": "id1", "mine": False, "text": "Hello", "why": "reply", "at": 1000.0}
    assert read_events(local._chats) == [("message", shown)]


@pytest.mark.parametrize("size", [1, 4096])
async def test_a_text_of_the_allowed_length_is_taken(size: int) -> None:
    """WhatsApp: a text body has at most 4,096 characters, whatever their size in bytes."""
    local, client = make_client()
    status, _ = await post(client, GRAPH, make_text(text={"body": "ש" * size}, type=None))
    assert (status, len(local._chats.of(USER).events)) == (200, 1)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", 100, "not a JSON object"),
        (b"[]", 100, "not a JSON object"),
        (b"null", 100, "not a JSON object"),
        (b"\xff", 100, "not a JSON object"),
        (b"[" * 50_000, 100, "not a JSON object"),
        (make_text(messaging_product=None), 100, "messaging_product is required"),
        (make_text(messaging_product="sms"), 100, "must be one of {WHATSAPP}"),
        (make_text(to=None), 100, "to is required"),
        (make_text(to=15551234567), 131009, "phone number in digits"),
        (make_text(to="٣٣٣٣٣٣"), 131009, "phone number in digits"),
        (make_text(recipient_type="group"), 131009, "individuals only"),
        (make_text(type="image"), 131009, "not one that the local phone shows"),
        (make_text(text=None), 100, "text['body'] is required"),
        (make_text(text=["Hello"]), 100, "text['body'] is required"),
        (make_text(text={"body": None}), 100, "text['body'] is required"),
        (make_text(text={"body": " \n"}), 100, "text['body'] is required"),
        (make_text(text={"body": "x" * 4097}), 100, "at most 4096 characters"),
        (make_text(biz_opaque_callback_data="x" * 513), 131009, "at most 512 characters"),
        (make_text(biz_opaque_callback_data=1), 131009, "at most 512 characters"),
        (make_mark(status="delivered"), 131009, "status must be 'read'"),
        (make_mark(message_id=None), 100, "message_id is required"),
        (make_mark(message_id=["wamid"]), 131009, "not the id of a message"),
        (make_mark(message_id="wamid.HBgLMTY1MDM4Nzk0MzkV"), 131009, "not the id of a message"),
        (make_mark(message_id="wamid.é"), 131009, "not the id of a message"),
        (make_mark(typing_indicator={"type": "voice"}), 131009, "typing_indicator must be"),
    ],
)
async def test_a_body_that_meta_would_refuse_is_refused_in_metas_shape(
    body: Any, code: int, words: str
) -> None:
    """Never a 5xx, and nothing of it reaches the phone."""
    local, client = make_client()
    status, answer = await post(client, GRAPH, body)
    error = answer["error"]
    assert (status, error["code"], error["type"]) == (400, code, "OAuthException")
    assert words in error["message"] + error.get("error_data", {}).get("details", "")
    assert error["fbtrace_id"]
    assert read_events(local._chats) == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"bearer {TOKEN}", f"Bearer {TOKEN}x", "é"])
async def test_a_caller_without_the_token_is_refused(header: str) -> None:
    """Error 190 and 401; a header that is not ASCII is just another wrong one."""
    local, client = make_client()
    status, answer = await post(client, GRAPH, make_text(), Authorization=header)
    assert (status, answer["error"]["code"]) == (401, 190)
    assert read_events(local._chats) == []


async def test_a_send_that_is_not_json_is_refused() -> None:
    """Midstream's client sends JSON and says how long it is; nothing else is read."""
    local, client = make_client()
    assert (await post(client, GRAPH, make_text(), Content_Type="text/plain"))[0] == 415
    assert (await post(client, GRAPH, make_text(), Content_Length=""))[0] == 411
    assert read_events(local._chats) == []


async def test_another_numbers_id_does_not_exist() -> None:
    """Meta's answer to a phone number id that the token has no part in."""
    _, client = make_client()
    status, answer = await post(client, "/graph/v26.0/1/messages", make_text())
    assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (400, 100, 33)


async def test_a_read_mark_covers_the_accepted_messages_before_it_and_shows_the_dots() -> None:
    """WhatsApp: a read mark covers all earlier messages; one not accepted yet has not been received."""
    local, client = make_client()
    for key, state in (("k0", State.ACCEPTED), ("kx", State.REFUSED), ("k1", None), ("k2", State.ACCEPTED)):
        local._chats.begin(USER, key, "Hi")
        if state:
            local._chats.mark(USER, key, state)
    seen = len(local._chats.of(USER).events)
    assert await post(client, GRAPH, make_mark(typing_indicator={"type": "text"})) == (200, {"success": True})
    assert read_events(local._chats)[seen:] == [
        ("state", {"key": "k0", "state": "read", "reason": "", "at": 1000.0}),
        ("state", {"key": "k1", "state": "read", "reason": "", "at": 1000.0}),
        ("typing", {"seconds": 25.0, "at": 1000.0}),
    ]


async def test_a_read_mark_of_a_message_from_before_a_restart_reaches_its_chat() -> None:
    """The id carries the user, so a page that outlived the process turns the ticks blue."""
    local, client = make_client()
    assert (await post(client, GRAPH, make_mark()))[0] == 200
    read = {"key": "k1", "state": "read", "reason": "", "at": 1000.0}
    assert read_events(local._chats) == [("state", read)]


def test_an_id_is_read_back_only_when_it_was_made_here() -> None:
    """Whatever else a caller writes is nobody's message."""
    assert parse_message_id(message_id(USER, "k-1")) == (USER, "k-1")
    for other in (
        "",
        "wamid.",
        "k-1",
        message_id("1", "k"),
        message_id(USER, "k/1"),
        message_id(USER, "k")[6:],
    ):
        assert parse_message_id(other) is None


# Who may use it ------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_policy() -> None:
    """The page can load and reach nothing but this server, and nobody may frame it or guess types."""
    _, client = make_client()
    for path in ("/", "/local/static/phone.js", "/local/static/none", "/local/events", GRAPH):
        ask = client.post if path == GRAPH else client.get
        answer = await ask(path, headers={"Host": "localhost:8080"})
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("127.1.2.3", 200),
        ("[::1]:8080", 200),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example@127.0.0.1", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
async def test_only_names_of_the_loopback_are_answered(host: str, status: int) -> None:
    """A name that an attacker rebinds to 127.0.0.1 opens neither the page nor the Graph API."""
    _, client = make_client()
    assert (await client.get("/", headers={"Host": host})).status_code == status
    assert (await post(client, GRAPH, make_text(), Host=host or " "))[0] == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_a_page_from_elsewhere_can_neither_send_nor_follow(headers: dict[str, str]) -> None:
    """Another site, another port and another scheme are elsewhere."""
    local, client = make_client()
    draft = {"user": USER, "key": "k", "text": "Hi"}
    assert (await post(client, "/local/messages", draft, **headers))[0] == 403
    usual = {"Host": "127.0.0.1:8080"}
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    assert (await client.get(f"/local/events?user={USER}", headers=usual | dashed)).status_code == 403
    assert read_events(local._chats) == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{}", {"Content_Type": "text/plain"}, 415, b"send JSON"),
        (b"{}", {"Content_Type": "application/x-www-form-urlencoded"}, 415, b"send JSON"),
        (b"{}", {"Content_Length": ""}, 411, b"say how long"),
        (b"{}", {"Content_Length": str(BODY_BYTES_MAX + 1)}, 413, b"send at most"),
        (b"[" * 50_000, {}, 400, b"JSON object"),
        ([], {}, 400, b"JSON object"),
        ({"user": 1, "key": "k", "text": "Hi"}, {}, 400, b"user must"),
        ({"user": "1234", "key": "k", "text": "Hi"}, {}, 400, b"user must"),
        ({"user": USER, "key": "a b", "text": "Hi"}, {}, 400, b"key must"),
        ({"user": USER, "text": "Hi"}, {}, 400, b"key must"),
        ({"user": USER, "key": "k", "text": " \n"}, {}, 400, b"text must"),
        ({"user": USER, "key": "k", "text": "x" * 4097}, {}, 400, b"text must"),
    ],
)
async def test_a_draft_that_is_not_one_is_refused(
    body: Any, headers: dict[str, str], status: int, words: bytes
) -> None:
    """In one line that says what is wrong, and nothing of it reaches the chat."""
    local, client = make_client()
    given_status, given = await post(client, "/local/messages", body, **headers)
    assert given_status == status
    assert words in given
    assert read_events(local._chats) == []


async def test_a_message_that_the_webhook_never_saw_is_refused_and_may_be_tried_again() -> None:
    """The bubble says so; the same key again is the same message, going through the same states."""
    local, client = make_client()
    refused = (200, {"state": "refused", "reason": "The webhook could not be reached."})
    draft = {"user": USER, "key": "k", "text": "Hi"}
    own = {"Origin": "http://127.0.0.1:8080", "Sec_Fetch_Site": "same-origin"}
    assert await post(client, "/local/messages", draft, **own) == refused
    assert await post(client, "/local/messages", draft) == refused
    states = [(kind, data["state"]) for kind, data in read_events(local._chats)]
    again = [("state", "sending"), ("state", "refused")]
    assert states == [("message", "sending"), ("state", "refused"), *again]


# What is remembered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_a_message_never_goes_back(before: State, after: State) -> None:
    """A read mark may overtake the webhook's 200: every pair either is in the table or changes nothing."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    chats.begin(USER, "k", "Hi")
    chats.mark(USER, "k", before)
    seen = len(chats.of(USER).events)
    chats.mark(USER, "k", after)
    allowed = after in _MAY_BECOME[before]
    assert chats.of(USER).states["k"] is (after if allowed else before)
    assert len(chats.of(USER).events) == seen + allowed


def test_a_chat_forgets_its_oldest_events_and_says_so() -> None:
    """Memory is bounded for each user, the states of their messages included."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    for index in range(EVENTS_MAX + 3):
        chats.begin(USER, f"k{index}", "Hi")
    chat = chats.of(USER)
    assert (len(chat.events), chat.events[0].data["key"], chat.forgotten_to) == (EVENTS_MAX, "k3", 3)
    assert (len(chat.states), next(iter(chat.states))) == (EVENTS_MAX, "k3")


async def test_the_chat_unused_for_longest_makes_room_but_never_one_that_a_page_follows() -> None:
    """Memory is bounded in users too; whoever looks at a chat keeps it."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    stream = phone.follow(chats, "10000", "")
    await anext(stream)
    for number in range(CHATS_MAX - 1):
        chats.of(str(20000 + number))
    chats.of("20000")
    chats.of("30000")
    assert len(chats._chats) == CHATS_MAX
    assert [user for user in ("10000", "20000", "20001", "30000") if user not in chats._chats] == ["20001"]
    assert chats.followers == 1
    await stream.aclose()
    assert chats.followers == 0


async def test_with_every_chat_followed_a_new_one_is_still_made() -> None:
    """The bound on chats gives way to people: pages have a bound of their own."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    for number in range(CHATS_MAX):
        chats.of(str(20000 + number)).followers = 1
    chats.begin(USER, "k", "Hi")
    assert len(chats.of(USER).events) == 1


# Following -----------------------------------------------------------------------------------------------


async def test_a_page_that_comes_back_gets_exactly_what_it_missed() -> None:
    """Last-Event-ID, which browsers send by themselves, wins over the address the stream began with."""
    local, client = make_client()
    for index in range(3):
        local._chats.begin(USER, f"k{index}", "<b>שלום</b>")
    headers = {"Host": "localhost", "Last-Event-ID": "id0-2"}
    async with client.request(f"/local/events?user={USER}&after=id0-1", headers=headers) as connection:
        await connection.send_complete()
        received = (await connection.receive() + await connection.receive()).decode().splitlines()
        local.close()
    answer = await connection.as_response()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert received[:4] == ["retry: 1000", "event: hello", 'data: {"gap": ""}', ""]
    assert received[4:6] == ["event: message", "id: id0-3"]
    data = json.loads(received[6].removeprefix("data: "))
    assert data == {"key": "k2", "mine": True, "text": "<b>שלום</b>", "state": "sending", "at": 1000.0}
    assert received[7:] == [""]


@pytest.mark.parametrize(
    ("position", "gap", "first"),
    [
        ("", "", "e-3"),
        ("nonsense", "", "e-3"),
        ("e-9", "", "e-10"),
        ("e-999", "", None),
        ("e-3", "", "e-4"),
        ("e-2", "", "e-3"),
        ("e-1", "forgotten", "e-3"),
        ("other-9", "restarted", "e-3"),
    ],
)
async def test_a_gap_is_named(position: str, gap: str, first: str | None, autojump_clock: object) -> None:
    """Without a position nothing is missing; with another process's, or one too old, something may be."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    for index in range(EVENTS_MAX + 2):
        chats.begin(USER, f"k{index}", "Hi")
    stream = phone.follow(chats, USER, position)
    assert (await read_frames(stream))[2] == f'data: {{"gap": "{gap}"}}'
    frames = await read_frames(stream)
    assert next((line for line in frames if line.startswith("id: ")), "id: None") == f"id: {first}"
    await stream.aclose()


async def test_a_chat_that_was_forgotten_and_came_back_names_the_gap() -> None:
    """Numbers rise over all chats, so a position in a forgotten chat is never taken for one in the new."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    chats.begin(USER, "k1", "Hi")
    for number in range(CHATS_MAX):
        chats.begin(str(20000 + number), "k", "Hi")
    chats.begin(USER, "k2", "Hi")
    stream = phone.follow(chats, USER, "e-1")
    assert (await read_frames(stream))[2] == 'data: {"gap": "forgotten"}'
    await stream.aclose()


async def test_what_happens_is_sent_at_once_and_silence_is_kept_alive(autojump_clock: object) -> None:
    """Two tabs on one number see the same; a heartbeat tells a dead connection from a quiet one."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    tabs = [phone.follow(chats, USER, "") for _ in range(2)]
    for tab in tabs:
        await anext(tab)
    seen: list[list[str]] = []

    async def read_next(tab: AsyncGenerator[bytes, None]) -> None:
        seen.append((await anext(tab)).decode().splitlines())

    async with trio.open_nursery() as nursery:
        for tab in tabs:
            nursery.start_soon(read_next, tab)
        await trio.testing.wait_all_tasks_blocked()
        chats.show_typing(USER)
    assert seen == [["event: typing", "id: e-1", 'data: {"seconds": 25.0, "at": 0.0}', ""]] * 2
    before = trio.current_time()
    assert (await anext(tabs[0])).startswith(b":")
    assert trio.current_time() - before == phone.HEARTBEAT_SECONDS
    for tab in tabs:
        await tab.aclose()


async def test_closing_delivers_what_is_there_and_ends_every_stream() -> None:
    """A shutdown is not held by a page that listens, and a page that asks again is turned away."""
    local, client = make_client()
    stream = phone.follow(local._chats, USER, "")
    await anext(stream)
    local._chats.begin(USER, "k", "Hi")
    local.close()
    rest = [frame async for frame in stream]
    assert [frame.split(b"\n")[0] for frame in rest] == [b"event: message"]
    answer = await client.get(f"/local/events?user={USER}", headers={"Host": "localhost"})
    assert answer.status_code == 503


async def test_closing_wakes_a_stream_that_waits() -> None:
    """It ends at once, not at its next heartbeat."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    stream = phone.follow(chats, USER, "")
    await anext(stream)
    async with trio.open_nursery() as nursery:

        async def read_to_the_end() -> None:
            assert [frame async for frame in stream] == []

        nursery.start_soon(read_to_the_end)
        await trio.testing.wait_all_tasks_blocked()
        chats.close()


async def test_a_page_slower_than_its_chat_is_ended_to_come_back_and_be_told() -> None:
    """Its stream ends rather than skip events in silence."""
    chats = Chats(epoch="e", now=lambda: 0.0)
    chats.begin(USER, "k", "Hi")
    stream = phone.follow(chats, USER, "")
    await anext(stream)
    await anext(stream)
    for index in range(EVENTS_MAX + 1):
        chats.begin(USER, f"k{index}", "Hi")
    assert [frame async for frame in stream] == []


async def test_only_so_many_pages_follow_at_once() -> None:
    """Each holds a connection and a task."""
    local, client = make_client()
    local._chats.of(USER).followers = phone.FOLLOWERS_MAX
    answer = await client.get(f"/local/events?user={USER}", headers={"Host": "localhost"})
    assert answer.status_code == 503


@pytest.mark.parametrize("user", ["", "1234", "1234567890123456", "١٢٣٤٥٦", "+15551234567"])
async def test_a_page_follows_a_number_and_nothing_else(user: str) -> None:
    """Otherwise anything would make a chat."""
    _, client = make_client()
    answer = await client.get("/local/events", query_string={"user": user}, headers={"Host": "localhost"})
    assert answer.status_code == 400


# The page ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/local/static/phone.css", "text/css; charset=utf-8"),
        ("/local/static/phone.js", "text/javascript; charset=utf-8"),
        ("/local/static/icon.svg", "image/svg+xml"),
    ],
)
async def test_the_page_and_its_files_are_served(path: str, kind: str) -> None:
    """As they are in the package, but for the suggestions, and under the type a browser insists on."""
    _, client = make_client()
    answer = await client.get(path, headers={"Host": "localhost"})
    name = path.rpartition("/")[2] or "index.html"
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert await answer.get_data() == (STATIC / name).read_bytes().replace(b"<!-- suggestions -->", b"")


async def test_nothing_else_is_served() -> None:
    """Only the four files, by name."""
    _, client = make_client()
    for path in ("/local/static/__init__.py", "/local/static/..%2f__init__.py"):
        assert (await client.get(path, headers={"Host": "localhost"})).status_code == 404


def test_text_can_only_become_text() -> None:
    """The page cannot turn a string into markup or code, and has nothing inline that the policy refuses."""
    script = "\n".join(path.read_text() for path in STATIC.glob("*.js"))
    page = (STATIC / "index.html").read_text()
    ways = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
    ]
    assert [way for way in [*ways, "srcdoc", "setHTML", "createContextualFragment"] if way in script] == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []


def test_the_page_is_self_contained_and_fits_its_scripts() -> None:
    """No address of another host, every file is served, every element that a script wants is there."""
    files = {path.name: path.read_text() for path in STATIC.iterdir()}
    addresses = {address for text in files.values() for address in re.findall(r"(?:https?:)?//[\w.]+", text)}
    assert {address for address in addresses if address != "http://www.w3.org"} == set()
    assert files.keys() == phone._CONTENT_TYPES.keys()
    imported = {name for text in files.values() for name in re.findall(r'from "/local/static/(.+?)"', text)}
    assert imported == {name for name in files if name.endswith(".js")} - {"phone.js"}
    page = files["index.html"]
    named = looked_for(files["phone.js"], "find")
    assert {"people", "who-number", "about"} <= named
    assert {name for name in named if f'id="{name}"' not in page} == set()
    classes = looked_for(files["person.js"], "this.#find")
    assert {"log", "composer", "words", "operations"} <= classes
    assert {name for name in classes if f'class="{name}' not in page} == set()
    assert {state for state in State if f'id="{state}"' not in page} == set()


async def test_the_page_has_suggestions_for_an_assistant_that_is_known() -> None:
    """As buttons, as text; for one of somebody's own the place stays empty."""
    assert suggestions_for("almanac")[0] == "Check Hanukkah"
    assert suggestions_for("my_bot:assistant") == ()
    for suggestions, buttons in (((), ""), (("Hi <b>",), '<button type="button">Hi &lt;b&gt;</button>')):
        local = LocalPhone(
            phone_number_id=NUMBER_ID,
            access_token=TOKEN,
            app_secret="secret",  # noqa: S106
            server_url=str,
            suggestions=suggestions,
        )
        app = QuartTrio("local-phone-test")
        app.register_blueprint(local.blueprint)
        page = await (await app.test_client().get("/", headers={"Host": "localhost"})).get_data()
        assert f'aria-label="Suggestions">{buttons}</div>' in page.decode()


def looked_for(script: str, find: str) -> set[str]:
    """The names that a script gives to this function, one by one or in a list."""
    named = set(re.findall(re.escape(find) + r'\("([\w-]+)"\)', script))
    for listed in re.findall(r"\[([^\[\]]+)\]\.map\(" + re.escape(find), script):
        named |= set(re.findall(r'"([\w-]+)"', listed))
    return named


# Files ---------------------------------------------------------------------------------------------------


async def test_a_file_that_was_sent_is_on_the_phone_to_be_saved() -> None:
    """With its name, size and type; whatever it holds is never opened as a page of this server."""
    local, client = make_client()
    file = FileStorage(BytesIO(b"BEGIN:VCALENDAR"), filename="file.ics", content_type="text/calendar")
    headers = {"Host": "localhost", "Authorization": f"Bearer {TOKEN}"}
    uploaded = await client.post(GRAPH.replace("messages", "media"), files={"file": file}, headers=headers)
    assert await uploaded.get_json() == {"id": "id1"}
    document = {"id": "id1", "filename": "passover.ics"}
    assert (await post(client, GRAPH, make_text(type="document", document=document, text=None)))[0] == 200
    assert read_events(local._chats)[0][1]["file"] == {
        "kind": "document",
        "id": "id1",
        "name": "passover.ics",
        "size": 15,
        "type": "text/calendar",
    }
    saved = await client.get("/local/files/id1", headers={"Host": "localhost"})
    assert (saved.status_code, await saved.get_data()) == (200, b"BEGIN:VCALENDAR")
    assert saved.headers["Content-Type"].startswith("text/calendar")
    assert saved.headers["Content-Disposition"] == "attachment"


async def test_a_file_that_is_not_kept_says_so() -> None:
    """404 and why, and its message stands on the phone all the same."""
    local, client = make_client()
    gone = await client.get("/local/files/id9", headers={"Host": "localhost"})
    assert (gone.status_code, b"no longer kept" in await gone.get_data()) == (404, True)
    assert (await post(client, GRAPH, make_text(type="image", image={"id": "id9"}, text=None)))[0] == 200
    assert read_events(local._chats)[0][1]["file"] == {"kind": "image", "id": "id9"}


def test_the_oldest_files_make_room_and_the_newest_is_kept() -> None:
    """Memory is bounded, whatever is sent."""
    files = Files()
    half = StoredFile(content=bytes(KEPT_BYTES_MAX // 2), mime_type="a/b")
    for id in ("a", "b", "c"):
        files.add(id, half)
    assert [id for id in "abc" if files.get(id)] == ["b", "c"]
    files.add("d", StoredFile(content=bytes(KEPT_BYTES_MAX + 1), mime_type="a/b"))
    assert [id for id in "abcd" if files.get(id)] == ["d"]


# What the engine tells -----------------------------------------------------------------------------------


async def test_why_a_message_was_sent_is_known_by_its_row() -> None:
    """An acknowledgement looks like one; what this process has not queued is taken for a reply."""
    local, client = make_client()
    local.hear(OutgoingQueued(user_id=USER, row_id="r1", kind=OutgoingKind.ACKNOWLEDGEMENT))
    for tracker in ("r1", "r2"):
        await post(client, GRAPH, make_text(biz_opaque_callback_data=tracker))
    assert [data["why"] for _, data in read_events(local._chats)] == ["acknowledgement", "reply"]


def test_the_rows_that_are_remembered_are_bounded() -> None:
    """The oldest are forgotten."""
    local, _ = make_client()
    for number in range(KINDS_MAX + 1):
        local.hear(OutgoingQueued(user_id=USER, row_id=f"r{number}", kind=OutgoingKind.NOTE))
    assert [local._kind_of(row) for row in ("r0", "r1")] == ["reply", "note"]


def test_an_operation_stands_once_in_its_chat_drawn_anew_by_each_event() -> None:
    """Under a new number, so that a page that comes back gets it; and it is forgotten when it has ended."""
    local, _ = make_client()
    message = Message(id="m1", user=User(USER), text="Hi")
    local.hear(SessionStarted(user_id=USER, message=message, operation_id="o1"))
    local._chats.begin(USER, "k1", "Hi")
    for event in (
        PlanAccepted(user_id=USER, operation_id="o1", round=0, waves=(("a",),)),
        PlanAccepted(user_id="19998887777", operation_id="o2", round=0, waves=(("a",),)),
        SessionCompleted(user_id=USER, operation_id="o1", duration=1.0, tools_executed=0),
    ):
        local.hear(event)
    events = local._chats.of(USER).events
    assert [(event.number, event.kind) for event in events] == [(2, "message"), (4, "operation")]
    assert (events[1].data["id"], events[1].data["state"]) == ("o1", "completed")
    assert local._drawings == {}


async def test_a_reaction_belongs_to_its_message_and_is_no_message() -> None:
    """A bubble's, not one of its own."""
    local, client = make_client()
    reaction = {"message_id": message_id(USER, "k1"), "emoji": "👍"}
    assert (await post(client, GRAPH, make_text(type="reaction", reaction=reaction, text=None)))[0] == 200
    shown = {"to": "k1", "emoji": "👍", "mine": False, "at": 1000.0}
    assert read_events(local._chats) == [("reaction", shown)]
