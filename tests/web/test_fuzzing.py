"""Whatever a stranger or a sick platform posts: an answer that is meant, and never an exception.

FUZZ_EXAMPLES in the environment says how many examples each test makes; with 100000 and
`-o faulthandler_timeout=0` it is something for a night.
"""

import copy
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from engine import Delivery, DeliveryReport, Message, Plan, User
from engine.content import CONTENT_TYPES, Echo, Kind, Unknown
from engine.store.encoding import decode_details, encode_details
from engine.testing import open_conversation, scripted_assistant
from web.app import create_app
from web.doors import door_of
from web.settings import load_settings
from web.whatsapp.payloads import Unhandled, Webhook, parse
from web.whatsapp.signature import is_signed

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "900"))
fuzzed = settings(max_examples=EXAMPLES)
# An engine and an application for each example.
fuzzed_whole = settings(max_examples=max(EXAMPLES // 5, 1))

SECRET = "the app secret"  # noqa: S105
ROUTE = "/webhook/whatsapp"
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
SAMPLES = [
    json.loads(path.read_bytes()) for path in sorted((Path(__file__).parents[1] / "payloads").glob("*.json"))
]


def signature_of(body: bytes, secret: str = SECRET) -> bytes:
    """The one header that is right, made without the code under test."""
    return b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


# Signatures ---------------------------------------------------------------------------------------

HEADER_CHANGES: Final[Sequence[Any]] = (
    bytes.upper,
    bytes.title,
    bytes.swapcase,
    lambda header: header.replace(b"sha256", b"SHA256"),
    lambda header: header.replace(b"sha256=", b""),
    lambda header: header.replace(b"=", b"%3D"),
    lambda header: header.replace(b"=", b" = "),
    lambda header: b'"' + header + b'"',
    lambda header: header + b"\0",
    lambda header: header + b"\r\n",
    lambda header: header + b"," + header,
    lambda header: header[:-1],
    lambda header: header + header[-1:],
    lambda header: header[::-1],
    lambda header: header.decode().encode("utf-16"),
    # Digits and letters that look the same, and that a careless comparison folds into these.
    lambda header: b"sha256=" + bytes(header[7:]).translate(bytes(range(128, 256)) * 2),
    lambda header: header.decode().replace("a", "\uff41").replace("1", "\u0661").encode(),
    lambda header: b"sha256=" + bytes.fromhex(header[7:].decode()),
)


@st.composite
def changed_headers(draw: st.DrawFn, body: bytes) -> bytes:
    """The right header with something done to it; sometimes nothing that matters."""
    header = signature_of(body)
    for change in draw(st.lists(st.sampled_from(HEADER_CHANGES), max_size=2)):
        try:
            header = change(header)
        except ValueError:  # done to something that is no text, or no hex, any more
            continue
    at = draw(st.integers(0, len(header)))
    return header[:at] + draw(st.binary(max_size=1)) + header[at + draw(st.integers(0, 1)) :]


@fuzzed
@given(body=st.binary(max_size=64), data=st.data())
def test_only_the_one_right_header_counts(body: bytes, data: st.DataObject) -> None:
    """To the byte and to the case, as bytes and as text; whatever else comes is False, no exception."""
    header = data.draw(st.one_of(st.binary(max_size=80), changed_headers(body)))
    is_right = header == signature_of(body)
    assert is_signed(body, header, SECRET) is is_right
    assert is_signed(body, header.decode("latin-1"), SECRET) is is_right
    assert is_signed(body, header.decode("utf-8", "surrogateescape"), SECRET) is is_right


@fuzzed
@given(header=st.text(), secret=st.text(), body=st.binary())
@example(header="\ud800", secret="\udfff", body=b"")  # noqa: S106
def test_any_text_and_any_secret_is_false(header: str, secret: str, body: bytes) -> None:
    """Also half of a surrogate pair in either."""
    assert is_signed(body, header, secret) is False


@fuzzed
@given(body=st.binary(max_size=64), secret=st.text(min_size=1), other=st.text(min_size=1))
def test_another_secret_signs_nothing(body: bytes, secret: str, other: str) -> None:
    """What another app was sent is not for us.  (HMAC fills a short key with zeros: they do not count.)"""
    secret, other = (text.encode("utf-8", "replace").decode() for text in (secret, other))
    is_same = secret.rstrip("\0") == other.rstrip("\0")
    if max(len(secret.encode()), len(other.encode())) <= hashlib.sha256().block_size:
        assert is_signed(body, signature_of(body, other), secret) is is_same


# Bodies -------------------------------------------------------------------------------------------


@attrs.frozen
class Raw:
    """A piece of JSON, or of nearly JSON, as it is to be written."""

    text: bytes


@attrs.frozen
class Twice:
    """A member that stands twice in its object."""

    first: Any
    second: Any


@attrs.frozen
class Deep:
    """A value inside so many lists or objects."""

    value: Any
    levels: int
    is_list: bool


def write(value: Any) -> bytes:
    """As json.dumps, and what that refuses to write."""
    match value:
        case Raw():
            return value.text
        case Twice():  # in a place where nothing can stand twice
            return write(value.second)
        case Deep():
            begin, end = (b"[", b"]") if value.is_list else (b'{"x":', b"}")
            return begin * value.levels + write(value.value) + end * value.levels
        case dict():
            return b"{" + b",".join(member for name in value for member in _members(name, value[name])) + b"}"
        case list():
            return b"[" + b",".join(map(write, value)) + b"]"
    return json.dumps(value).encode()


def _members(name: str, value: Any) -> Iterator[bytes]:
    for one in (value.first, value.second) if isinstance(value, Twice) else (value,):
        yield json.dumps(name).encode() + b":" + write(one)


# What a reader of JSON that is not too strict takes: it must cost one item at most.
LENIENT: Final = [
    Raw(text)
    for text in (
        *(b"NaN", b"-Infinity", b"1e999", b"-0", b"0.1e-400", b"9" * 5000, b"-" + b"9" * 21),
        *(rb'"\ud800"', rb'"\ude00\ud83d"', rb'"\u0000"', b'"\x00\x1f"', b'"\xff\xfe"', b'"\xed\xa0\x80"'),
        *(b'"' + b"a" * 70_000 + b'"', b"[" + b"[]," * 3000 + b"[]]", b'{"":{"":[]}}', b'"__proto__"'),
    )
]
# What ends the reading of the whole body.
BROKEN: Final = [
    Raw(text) for text in (b"", b"{", b"]", b"'x'", b"0x1", b'"', b"tru", b"\xff", b"[" * 100_000)
]

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    leaves | st.sampled_from(LENIENT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place within, as (container, key)."""
    found: list[tuple[Any, Any]] = []
    keys: Any = (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


def mutated(value: Any, data: st.DataObject, *, replacements: st.SearchStrategy[Any] = values) -> Any:
    """A copy with one to four things done somewhere within."""
    root = [copy.deepcopy(value)]
    for _ in range(data.draw(st.integers(1, 4))):
        found = places(root)
        container, key = data.draw(st.sampled_from(found))
        before = container[key]
        match data.draw(st.sampled_from(("replace", "drop", "twice", "deep", "swap", "repeat", "string"))):
            case "drop" if container is not root:
                del container[key]
            case "twice" if isinstance(container, dict):
                container[key] = Twice(before, data.draw(replacements))
            case "deep":
                container[key] = Deep(before, data.draw(st.integers(1, 100)), data.draw(st.booleans()))
            case "swap":
                other, its = data.draw(st.sampled_from(found))
                if not {id(inner) for inner, _ in places([before, other[its]])} & {id(container), id(other)}:
                    container[key], other[its] = other[its], before
            case "repeat" if isinstance(container, list) and container is not root:
                container[key:key] = copy.deepcopy([before] * data.draw(st.integers(1, 3)))
            case "string":
                container[key] = write(before).decode("utf-8", "replace")
            case _:
                container[key] = data.draw(replacements)
    return root[0]


def check(webhook: Webhook) -> None:
    """What holds for every body: something comes of it, and all of that can be stored and shown."""
    assert webhook.messages or webhook.reports or webhook.others
    assert len({one.id for one in webhook.messages}) == len(webhook.messages)
    for one in webhook.messages:
        assert isinstance(one, Message)
        assert one.id.isprintable()
        assert one.user.id.isprintable()
        assert "\0" not in one.text
        f"{one.id}{one.user.id}{one.text}".encode()
        assert one.timestamp is None or 0 < one.timestamp < 2**33
        assert type(one.content) is CONTENT_TYPES[one.content.kind]
        assert one.text == one.content.text
        details = encode_details(one)
        details.encode()
        kept = decode_details(one.content.kind, details)
        assert attrs.evolve(one, **kept) == one
        assert kept.get("raw", {}) == one.raw
    for report in webhook.reports:
        assert isinstance(report, DeliveryReport)
        assert report.delivery is not Delivery.NONE
        f"{report.row_id}{report.provider_id}{report.error}".encode()
    for other in webhook.others:
        assert isinstance(other, Unhandled)
        assert other.kind.replace(":", "").replace("_", "").isalpha()
        assert other.reason.isprintable()
        assert len(other.reason) < 300


@fuzzed
@given(body=st.binary() | values.map(write) | st.sampled_from(BROKEN).map(write))
def test_any_body_is_read(body: bytes) -> None:
    """Bytes, JSON and nearly JSON."""
    check(parse(body))


@fuzzed
@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_a_sick_sample_is_read(sample: Any, data: st.DataObject) -> None:
    """Meta's own, with members lost, doubled, exchanged, buried, or of another kind; and cut off."""
    sick = mutated(sample, data, replacements=values | st.sampled_from(BROKEN))
    body = write(sick)
    check(parse(body))
    check(parse(body[: data.draw(st.integers(0, len(body)))]))


def text_item(number: int) -> dict[str, Any]:
    """A text message of the wire."""
    fields = {"from": "16505551234", "id": f"good.{number}", "timestamp": "1749416383", "type": "text"}
    return {**fields, "text": {"body": f"text {number}"}}


def message(number: int) -> Message:
    """What it comes out as."""
    return Message(id=f"good.{number}", user=User("16505551234"), text=f"text {number}", timestamp=1749416383)


def change_of(*messages: Any) -> dict[str, Any]:
    return {"field": "messages", "value": {"messages": list(messages)}}


def surrounded(sick: Any, level: str) -> Any:
    """A body with good messages before and after a sick item, change or entry."""
    first, last = text_item(1), text_item(2)
    match level:
        case "item":
            changes = [change_of(first, sick, last)]
        case "change":
            changes = [change_of(first), sick, change_of(last)]
        case _:
            return {"entry": [{"changes": [change_of(first)]}, sick, {"changes": [change_of(last)]}]}
    return {"entry": [{"changes": changes}]}


def part_of(sample: Any, level: str) -> Any:
    """The sample's part of this level; of one without messages all of its value."""
    (entry, *_) = sample["entry"]
    (change, *_) = entry["changes"]
    items = change["value"].get("messages") or change["value"].get("statuses") or [change["value"]]
    return {"item": items[0], "change": change, "entry": entry}[level]


@fuzzed
@given(sample=st.sampled_from(SAMPLES), level=st.sampled_from(["item", "change", "entry"]), data=st.data())
def test_a_sick_part_loses_no_neighbour(sample: Any, level: str, data: st.DataObject) -> None:
    """Whatever becomes of one item, change or entry, as long as the whole can be read at all."""
    sick = mutated(part_of(sample, level), data)
    webhook = parse(write(surrounded(sick, level)))
    check(webhook)
    assert webhook.messages[0] == message(1)
    assert webhook.messages[-1] == message(2)


# Every type of message ----------------------------------------------------------------------------

words = st.text(min_size=1, max_size=8)
ids = st.from_regex(r"\Awamid\.[A-Za-z0-9=]{1,60}\Z")
phones = st.from_regex(r"\A[1-9][0-9]{6,14}\Z")
scoped_ids = st.from_regex(r"\A[A-Z]{2}\.(ENT\.)?[0-9]{1,128}\Z")
numbers = st.integers(-180, 180) | st.floats(-180, 180) | st.integers(0, 99).map(str)
# As deep as a form's answers may be, and deeper.
answers = values.map(write).map(lambda text: text.decode("utf-8", "replace")) | st.sampled_from(
    ['{"x":' * 100 + "1" + "}" * 100, "[" * 100_000, '{"day": "Friday"}']
)


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object with these members, and some of those."""
    return st.fixed_dictionaries(required, optional=optional)


files = fields(
    {"id": st.from_regex(r"\A[0-9]{1,20}\Z")}, mime_type=words, sha256=words, url=words, caption=words
)
choices = fields({"id": words, "title": words})
cards = fields(
    {"name": fields({"formatted_name": words}, first_name=words, last_name=words)},
    phones=st.lists(fields({"phone": words}, wa_id=phones, type=words), max_size=2),
    emails=st.lists(fields({"email": words}), max_size=2),
    vcard=words,
)
# By the type of the wire: its body, and the kinds that it may come out as.
TYPES: Final[dict[str, tuple[st.SearchStrategy[Any], set[Kind]]]] = {
    "text": (fields({"body": words.map("A{}".format)}), {Kind.TEXT}),
    "image": (files, {Kind.IMAGE}),
    "video": (files, {Kind.VIDEO}),
    "audio": (files, {Kind.AUDIO}),
    "document": (files, {Kind.DOCUMENT}),
    "sticker": (files, {Kind.STICKER}),
    "location": (fields({"latitude": numbers, "longitude": numbers}, name=words), {Kind.LOCATION}),
    "contacts": (st.lists(cards, min_size=1, max_size=3), {Kind.CONTACTS}),
    "interactive": (
        fields({"type": st.just("button_reply"), "button_reply": choices})
        | fields({"type": st.just("list_reply"), "list_reply": choices})
        | fields({"type": st.just("nfm_reply"), "nfm_reply": fields({"name": words}, response_json=answers)}),
        {Kind.BUTTON_REPLY, Kind.LIST_REPLY, Kind.FLOW_REPLY},
    ),
    "button": (fields({"payload": words, "text": words}), {Kind.TEMPLATE_BUTTON}),
    "reaction": (fields({"message_id": ids}, emoji=words), {Kind.REACTION}),
    "order": (
        fields(
            {"catalog_id": words, "text": words},
            product_items=st.lists(
                fields({"product_retailer_id": words}, quantity=numbers, item_price=numbers)
            ),
        ),
        {Kind.ORDER},
    ),
    "system": (fields({"type": words}, body=words, wa_id=phones, user_id=scoped_ids), {Kind.SYSTEM}),
    "edit": (
        fields({"original_message_id": ids}, message=fields({"type": st.just("image"), "image": files})),
        {Kind.EDIT},
    ),
    "revoke": (fields({"original_message_id": ids}), {Kind.REVOKE}),
    "request_welcome": (fields({}), {Kind.REQUEST_WELCOME}),
    "unsupported": (fields({}, type=words), {Kind.UNSUPPORTED}),
    "hologram": (values, {Kind.UNKNOWN}),
}


@st.composite
def wire_messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of any type as it may come, whoever it is from, with what may stand around it."""
    name = draw(st.sampled_from(sorted(TYPES)))
    who: dict[str, Any] = draw(
        fields({"from": phones}, from_user_id=scoped_ids)
        | fields({"from_user_id": scoped_ids}, from_parent_user_id=scoped_ids)
        | fields({"from": phones, "group_id": st.from_regex(r"\A[A-Za-z0-9]{1,60}\Z")})
    )
    around: dict[str, Any] = draw(
        fields(
            {},
            timestamp=st.integers(1, 2**32).map(str),
            context=fields({}, id=ids, forwarded=st.booleans(), **{"from": phones}),
            referral=fields({}, source_url=words, headline=words, ctwa_clid=words),
        )
    )
    return {**who, **around, "id": draw(ids), "type": name, name: draw(TYPES[name][0])}


@fuzzed
@given(item=wire_messages())
def test_every_type_comes_out_as_what_it_is(item: dict[str, Any]) -> None:
    """From whomever, with whatever may stand around it; what is not known is kept as that."""
    webhook = parse(write(surrounded(item, "item")))
    check(webhook)
    assert [one.id for one in webhook.messages] == ["good.1", item["id"], "good.2"]
    assert webhook.messages[1].content.kind in TYPES[item["type"]][1]
    assert webhook.messages[1].user.id in (item.get("group_id"), item.get("from"), item.get("from_user_id"))
    assert webhook.others == ()


@fuzzed
@given(item=wire_messages(), data=st.data())
def test_a_sick_message_of_any_type_loses_no_neighbour(item: dict[str, Any], data: st.DataObject) -> None:
    """Whatever becomes of it, it leaves a trace: a message, or something that is counted."""
    sick = mutated(item, data)
    webhook = parse(write(surrounded(sick, "item")))
    check(webhook)
    assert webhook.messages[0] == message(1)
    assert webhook.messages[-1] == message(2)
    assert len(webhook.messages) + len(webhook.others) >= 3


@fuzzed
@given(item=wire_messages(), name=st.sampled_from(sorted(TYPES.keys() - {"text"})), body=values)
def test_a_type_with_any_body_is_a_message(item: dict[str, Any], name: str, body: Any) -> None:
    """Of its own kind or unknown, never lost: only of a text is it asked that there is something to read."""
    webhook = parse(write(surrounded({**item, "type": name, name: body}, "item")))
    check(webhook)
    one = webhook.messages[1]
    assert one.id == item["id"]
    assert isinstance(one.content, Unknown) or one.content.kind in TYPES[name][1]


@fuzzed
@given(item=wire_messages(), data=st.data())
def test_an_echo_of_any_type_is_an_echo_and_loses_no_neighbour(
    item: dict[str, Any], data: st.DataObject
) -> None:
    """To a user: whatever it holds, a person of the business has written."""
    echo = {**item, "from": "15550783881", "to": "16505551234"}
    sick = mutated(echo, data)
    good = [{**text_item(number), "to": "16505551234"} for number in (1, 2)]
    for middle in (echo, sick):
        change = {"field": "smb_message_echoes", "value": {"message_echoes": [good[0], middle, good[1]]}}
        webhook = parse(write({"entry": [{"changes": [change]}]}))
        check(webhook)
        assert [(webhook.messages[at].id, webhook.messages[at].text) for at in (0, -1)] == [
            ("good.1", "text 1"),
            ("good.2", "text 2"),
        ]
        assert {type(one.content) for one in webhook.messages} == {Echo}


# The route ----------------------------------------------------------------------------------------


async def post(app: Any, body: bytes, headers: Sequence[bytes], cuts: Sequence[int]) -> int:
    """One request as a server hands it over, its body in pieces; returns the status."""
    ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
    pieces = [body[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    scope = {
        **{"type": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "method": "POST"},
        **{
            "scheme": "https",
            "path": ROUTE,
            "raw_path": ROUTE.encode(),
            "query_string": b"",
            "root_path": "",
        },
        "headers": [(b"host", b"example.org"), *((b"x-hub-signature-256", each) for each in headers)],
        **{"client": ("192.0.2.1", 5), "server": ("example.org", 443), "extensions": {}, "state": {}},
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if not pieces:
            await trio.sleep_forever()
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if event["type"] == "http.response.start":
            statuses.append(event["status"])

    await app(scope, receive, send)
    (status,) = statuses
    return status


@attrs.define(eq=False)
class Seen:
    """What came of some requests: their statuses, the bodies that were read, the messages worked on."""

    statuses: list[int] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    started: list[str] = attrs.field(factory=list)


def posted(requests: Sequence[tuple[bytes, Sequence[bytes], Sequence[int]]]) -> Seen:
    """Each request in its turn, to an application over an engine of their own."""
    seen = Seen()

    def read(body: bytes) -> Webhook:
        seen.bodies.append(body)
        return parse(body)

    async def ask() -> None:
        async with open_conversation(scripted_assistant(Plan(), tools=[])) as conversation:
            app = create_app(conversation.engine, DOOR)
            for request in requests:
                seen.statuses.append(await post(app, *request))
                await wait_all_tasks_blocked()
            await trio.sleep(1000)
            seen.started = [detail for _, _, detail in conversation.trail.of("started")]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("web.whatsapp.channel.parse", read)
        trio.run(ask, clock=MockClock(autojump_threshold=0))
    return seen


cuts = st.lists(st.integers(0, 300), max_size=3)


@fuzzed_whole
@given(bodies=st.lists(st.tuples(st.sampled_from(SAMPLES), cuts), min_size=1, max_size=4), data=st.data())
def test_whatever_is_signed_is_answered_200_and_loses_no_neighbour(bodies: Any, data: st.DataObject) -> None:
    """A 5xx would bring it back for seven days; and the next request is served as ever."""
    requests = []
    for sample, where in bodies:
        sick = mutated(sample, data, replacements=values | st.sampled_from(BROKEN))
        level = data.draw(st.sampled_from(["item", "change", "entry"]))
        body = data.draw(
            st.sampled_from([write(sick), write(surrounded(mutated(part_of(sample, level), data), level))])
        )
        requests.append((body, [signature_of(body)], where))
    # Of another user: an invented time cannot make it a late message.
    good = write({"entry": [{"changes": [change_of({**text_item(3), "from": "12025550123"})]}]})
    seen = posted([*requests, (good, [signature_of(good)], [])])
    assert seen.statuses == [200] * len(seen.statuses)
    assert seen.bodies == [*(body for body, _, _ in requests), good]
    assert "good.3" in seen.started


@fuzzed_whole
@given(
    posts=st.lists(st.tuples(st.sampled_from(SAMPLES).map(write) | st.binary(max_size=50), cuts), min_size=1),
    data=st.data(),
)
def test_what_is_not_signed_is_never_read(posts: Any, data: st.DataObject) -> None:
    """401 for any header, for none and for several; not a byte reaches the parser, and nothing begins."""
    requests = []
    for body, where in posts:
        headers = st.lists(changed_headers(body) | st.binary(max_size=70), max_size=2)
        # As every server hands them over: trimmed, and never with these in them.
        whole = [header.translate(None, b"\r\n\0").strip() for header in data.draw(headers)]
        wrong = [header for header in whole if header != signature_of(body)]
        requests.append((body, wrong, where))
    seen = posted(requests)
    assert seen.statuses == [401] * len(requests)
    assert (seen.bodies, seen.started) == ([], [])
