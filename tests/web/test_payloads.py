"""Whatever a signed body holds, its messages come out, the rest is counted, and nothing raises."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import Delivery, DeliveryReport, Message, SendBlocked, SendDelayed, SendError, SendRefused, User
from engine.content import Content, Echo, Image, Profile, Reaction, System, Text, Unknown, Unsupported
from web.whatsapp.payloads import FIELDS, ITEMS_MAX, STATUSES, Unhandled, Webhook, parse

PAYLOADS = Path(__file__).parent.parent / "payloads"
SAMPLES = {path.name: path.read_bytes() for path in sorted(PAYLOADS.glob("*.json"))}
EXPECTED = dict(
    re.findall(r"^\| (\S+\.json) +\| (.+?) +\|$", (PAYLOADS / "README.md").read_text(), re.MULTILINE)
)

KINDS = (
    {"malformed", "empty", "error", "message:malformed", "message:duplicate", "message:text_empty"}
    | {"status:malformed", "status:unknown", "field:unknown"}
    | {f"status:{name}" for name in STATUSES}
    | {f"field:{name}" for name in FIELDS}
)


def text_item(number: int, **more: Any) -> dict[str, Any]:
    """A text message of the wire, with an id of its own."""
    item: dict[str, Any] = {
        "from": "16505551234",
        "id": f"wamid.{number}",
        "timestamp": "1749416383",
        "type": "text",
    }
    return {**item, "text": {"body": f"text {number}"}, **more}


def message(number: int, **more: Any) -> Message:
    """What `text_item` of that number comes out as."""
    fields: dict[str, Any] = {"user": User("16505551234"), "text": f"text {number}", "timestamp": 1749416383}
    return Message(**{"id": f"wamid.{number}", **fields, **more})


def status_item(number: int, status: Any = "delivered", **more: Any) -> dict[str, Any]:
    """A status of the wire that brings back the id of our row."""
    item: dict[str, Any] = {"id": f"wamid.{number}", "status": status, "timestamp": "1750030073"}
    return {**item, "recipient_id": "16505551234", "biz_opaque_callback_data": f"row-{number}", **more}


def report(number: int, delivery: Delivery = Delivery.DELIVERED, **more: Any) -> DeliveryReport:
    """What `status_item` of that number comes out as."""
    fields: dict[str, Any] = {"row_id": f"row-{number}", "provider_id": f"wamid.{number}"}
    return DeliveryReport(**{**fields, "delivery": delivery, **more})


def body_of(*messages: Any, **value: Any) -> bytes:
    """A body with one entry and one change that holds these messages."""
    change = {"field": "messages", "value": {"messages": list(messages), **value}}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()


def kinds(webhook: Webhook) -> list[str]:
    """The kinds of what became neither message nor report."""
    return [other.kind for other in webhook.others]


# Meta's samples -----------------------------------------------------------------------------------


def test_the_table_of_samples_names_every_file() -> None:
    """A new sample needs its line."""
    assert EXPECTED.keys() == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_comes_out_as_its_table_says(name: str) -> None:
    """One message of a user we can answer, or one thing that is counted."""
    webhook = parse(SAMPLES[name])
    # None of them says which row of an outbox it is about.
    assert webhook.reports == ()
    got = [f"a message: {one.content.kind}" for one in webhook.messages] + kinds(webhook)
    assert got == [EXPECTED[name]]


def test_a_text_comes_out_whole() -> None:
    """Id, sender, text and time, as Meta wrote them."""
    assert parse(SAMPLES["meta_text_message.json"]).messages == (
        Message(
            id="wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
            user=User("16505551234"),
            text="Does it come in another color?",
            timestamp=1749416383,
            profile=Profile(name="Sheena Nelson"),
        ),
    )


@pytest.mark.parametrize(
    ("name", "user_id"),
    [
        ("metadoc_business_scoped_user_ids_5.json", "user.93737..."),
        ("metadoc_business_scoped_user_ids_6.json", "US.13491208655302741918"),
    ],
)
def test_a_user_without_a_phone_number_is_known_by_the_scoped_id(name: str, user_id: str) -> None:
    """`from` is absent, or empty, for people whose number we may not see."""
    assert [one.user for one in parse(SAMPLES[name]).messages] == [User(user_id)]


def test_a_failed_status_says_its_code() -> None:
    """A 200 from the API is no delivery: the log shows why not, also of what is not our row's."""
    webhook = parse(SAMPLES["metadoc_status_3.json"])
    assert webhook.others == (Unhandled("status:failed", "error 131049"),)


# Statuses -----------------------------------------------------------------------------------------

DELIVERIES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "played": Delivery.PLAYED,
    "failed": Delivery.FAILED,
}


def statuses_of(sample: bytes) -> list[dict[str, Any]]:
    """The statuses of one of Meta's samples."""
    found: list[dict[str, Any]] = []
    for entry in json.loads(sample)["entry"]:
        for change in entry["changes"]:
            found += change["value"].get("statuses", [])
    return found


STATUS_SAMPLES = [name for name, sample in SAMPLES.items() if statuses_of(sample)]


@pytest.mark.parametrize(("status", "delivery"), DELIVERIES.items())
def test_a_status_with_our_rows_id_is_a_report(status: str, delivery: Delivery) -> None:
    """It says what became of that row, and by which id the provider knows it; only a failure has an error."""
    webhook = parse(body_of(statuses=[status_item(1, status)]))
    (one,) = webhook.reports
    assert (attrs.evolve(one, error=None), webhook.messages, webhook.others) == (report(1, delivery), (), ())
    assert (one.error is not None) is (delivery is Delivery.FAILED)


@pytest.mark.parametrize("name", STATUS_SAMPLES)
def test_metas_own_statuses_are_reports_once_they_carry_our_rows_id(name: str) -> None:
    """Whatever else stands in them: prices, conversations, scoped ids, errors."""
    statuses = statuses_of(SAMPLES[name])
    for number, status in enumerate(statuses):
        status["biz_opaque_callback_data"] = f"row-{number}"
    webhook = parse(body_of(statuses=statuses))
    assert [(one.row_id, one.delivery, one.provider_id) for one in webhook.reports] == [
        (f"row-{number}", DELIVERIES[status["status"]], status["id"])
        for number, status in enumerate(statuses)
    ]
    assert [isinstance(one.error, SendRefused) for one in webhook.reports] == [
        status["status"] == "failed" for status in statuses
    ]
    assert webhook.others == ()


def test_a_status_of_a_group_is_about_our_row_too() -> None:
    """Its recipient is the group; the participants' statuses come side by side."""
    group = {"recipient_type": "group", "recipient_id": "Y2FwaV9ncm91cDox"}
    statuses = [
        status_item(1, status, **group, recipient_participant_id=participant)
        for status, participant in (("delivered", "16505551234"), ("read", "16505555678"))
    ]
    assert parse(body_of(statuses=statuses)) == Webhook(reports=(report(1), report(1, Delivery.READ)))


def test_reports_come_out_one_by_one_in_the_order_of_the_body() -> None:
    """Of every change of every entry, beside the messages; to tell news from old news is the store's."""
    statuses = [status_item(2, "read"), status_item(1, "sent"), status_item(2, "delivered")]
    entries = [
        {"changes": [{"field": "messages", "value": {"messages": [text_item(5)], "statuses": statuses}}]},
        {"changes": [{"field": "messages", "value": {"statuses": [status_item(2, "read")]}}]},
    ]
    assert parse(json.dumps({"entry": entries}).encode()) == Webhook(
        messages=(message(5),),
        reports=(report(2, Delivery.READ), report(1, Delivery.SENT), report(2), report(2, Delivery.READ)),
    )


def test_the_id_of_a_status_is_not_that_of_a_message() -> None:
    """A message of the user's is no duplicate of what is said of one of ours."""
    webhook = parse(body_of(text_item(1), text_item(2), statuses=[status_item(1), status_item(2)]))
    assert webhook == Webhook(messages=(message(1), message(2)), reports=(report(1), report(2)))


def test_a_thousand_statuses_all_come_out() -> None:
    """The largest batch that Meta sends."""
    webhook = parse(body_of(statuses=[status_item(number) for number in range(1000)]))
    assert webhook == Webhook(reports=tuple(report(number) for number in range(1000)))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(131049, SendRefused), (190, SendBlocked), (131056, SendDelayed), (999_999, SendRefused)],
)
def test_a_failure_says_what_is_to_be_done(code: int, kind: type[SendError]) -> None:
    """By the table of codes that an answer of the API is judged by; the first error counts."""
    errors = [{"code": code, "title": "Title", "message": "Told so"}, {"code": 131026}]
    (failed,) = parse(body_of(statuses=[status_item(1, "failed", errors=errors)])).reports
    assert type(failed.error) is kind
    assert (failed.error.code, failed.error.reason.endswith(": Told so")) == (code, True)


def test_only_a_failure_has_an_error() -> None:
    """Errors beside another status are of something else."""
    webhook = parse(body_of(statuses=[status_item(1, "delivered", errors=[{"code": 131049}])]))
    assert webhook == Webhook(reports=(report(1),))


@pytest.mark.parametrize(
    "errors",
    [None, [], {}, 5, "x", [None], [[]], [{}], [{"code": None}], [{"code": "190"}], [{"code": True}]],
)
def test_a_failure_without_a_code_is_still_a_failure(errors: Any) -> None:
    """Its row would be taken for delivered otherwise."""
    (one,) = parse(body_of(statuses=[status_item(1, "failed", errors=errors)])).reports
    assert attrs.evolve(one, error=None) == report(1, Delivery.FAILED)
    assert isinstance(one.error, SendRefused)
    assert str(one.error) == "it was not delivered, and no error code says why"


def test_one_error_that_is_in_no_list_is_that_error() -> None:
    """Lenient as everywhere."""
    webhook = parse(body_of(statuses=[status_item(1, "failed", errors={"code": 190})]))
    assert [type(one.error) for one in webhook.reports] == [SendBlocked]


NO_TRACKERS: list[Any] = [None, "", "x" * 513, "a b", "a\0b", "\ud800", 5, ["row-1"], {"id": "row-1"}, True]


@pytest.mark.parametrize("tracker", NO_TRACKERS)
@pytest.mark.parametrize("status", DELIVERIES)
def test_a_status_that_names_no_row_of_ours_is_counted(status: str, tracker: Any) -> None:
    """Others may send through the same number; what we sent carries an id as a store can keep it."""
    webhook = parse(body_of(statuses=[status_item(1, status, biz_opaque_callback_data=tracker)]))
    assert (webhook.reports, kinds(webhook)) == ((), [f"status:{status}"])


def test_a_rows_id_may_be_as_long_as_the_api_takes() -> None:
    """512 characters."""
    (one,) = parse(body_of(statuses=[status_item(1, biz_opaque_callback_data="x" * 512)])).reports
    assert one.row_id == "x" * 512


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(("deleted", "deleted"), ("warning", "warning"), ("teleported", "unknown"), ("", "unknown")),
        *(("SENT", "unknown"), (None, "unknown"), (5, "unknown"), (["sent"], "unknown"), ({}, "unknown")),
    ],
)
def test_a_status_that_says_nothing_of_a_delivery_is_counted(status: Any, kind: str) -> None:
    """Also when it names our row."""
    webhook = parse(body_of(statuses=[status_item(1, status)]))
    assert (webhook.reports, kinds(webhook)) == ((), [f"status:{kind}"])


@pytest.mark.parametrize("provider_id", [None, "", 5, ["wamid.1"], "x" * 513, "a b", "a\0b", "\ud800"])
def test_a_report_is_not_lost_for_its_providers_id(provider_id: Any) -> None:
    """The row's id is enough to settle what was ambiguous."""
    webhook = parse(body_of(statuses=[status_item(1, id=provider_id)]))
    assert webhook == Webhook(reports=(report(1, provider_id=""),))


@pytest.mark.parametrize("bad", [None, 5, "text", [], [[]], {}, {"\ud800": 1}, status_item(2, None)])
def test_a_bad_status_never_loses_its_neighbours(bad: Any) -> None:
    """It is counted once; the reports before and after it, and the messages, come out."""
    webhook = parse(body_of(text_item(1), statuses=[status_item(1), bad, status_item(3)]))
    assert (webhook.messages, webhook.reports) == ((message(1),), (report(1), report(3)))
    assert len(webhook.others) == 1
    assert kinds(webhook)[0] in {"status:malformed", "status:unknown"}


@pytest.mark.parametrize("field", ["history", "smb_message_echoes", "standby", "brand_new", None])
def test_statuses_of_another_field_are_no_reports(field: Any) -> None:
    """As its messages ask for nothing."""
    change = {"field": field, "value": {"statuses": [status_item(1)]}}
    webhook = parse(json.dumps({"entry": [{"changes": [change]}]}).encode())
    assert (webhook.reports, len(webhook.others)) == ((), 1)


# Batches ------------------------------------------------------------------------------------------


def test_every_message_of_every_change_of_every_entry_comes_out_in_order() -> None:
    """Meta batches up to a thousand updates into one body, of several users."""

    def change(*numbers: int) -> dict[str, Any]:
        return {"field": "messages", "value": {"messages": [text_item(number) for number in numbers]}}

    entries = [{"changes": [change(3, 1), change(2)]}, {"changes": []}, {"changes": [change(5), change(4)]}]
    webhook = parse(json.dumps({"entry": entries}).encode())
    assert webhook == Webhook(messages=tuple(message(number) for number in (3, 1, 2, 5, 4)))


def test_a_thousand_updates_all_come_out() -> None:
    """The largest batch that Meta sends."""
    webhook = parse(body_of(*(text_item(number) for number in range(1000))))
    assert webhook.messages == tuple(message(number) for number in range(1000))


def batch(number: int) -> list[dict[str, Any]]:
    """A message, a status, an echo and a reaction of one user of many, each as a change of its own."""
    phone = f"1202555{number:04d}"
    contacts = [contact_item(f"user {number}", wa_id=phone)]
    reaction = {"message_id": f"wamid.{number}", "emoji": "👍"}
    return [
        {
            "field": "messages",
            "value": {"messages": [text_item(number, **{"from": phone})], "contacts": contacts},
        },
        {"field": "messages", "value": {"statuses": [status_item(number)]}},
        {
            "field": "smb_message_echoes",
            "value": {"message_echoes": [echo_item(1000 + number, to=phone)], "contacts": contacts},
        },
        {
            "field": "messages",
            "value": {
                "messages": [
                    text_item(2000 + number, **{"from": phone}, type="reaction", reaction=reaction, text=None)
                ],
                "contacts": contacts,
            },
        },
    ]


@given(st.data())
def test_a_redelivery_that_is_cut_in_another_way_gives_the_same(data: st.DataObject) -> None:
    """Meta may batch what it sends again as it likes: in other bodies, entries, changes, and beside news."""
    changes = [change for number in range(5) for change in batch(number)]
    together = parse(json.dumps({"entry": [{"changes": changes}]}).encode())
    assert (len(together.messages), len(together.reports), together.others) == (15, 5, ())
    shuffled = data.draw(st.permutations(changes))
    apart: list[Webhook] = []
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        body, shuffled = shuffled[:size], shuffled[size:]
        at = data.draw(st.integers(0, size))
        entries = [{"changes": body[:at]}, {"changes": body[at:]}]
        apart.append(parse(json.dumps({"entry": entries}).encode()))
    assert [other for one in apart for other in one.others] == []
    by_id = {message.id: message for one in apart for message in one.messages}
    assert by_id == {message.id: message for message in together.messages}
    reports = sorted(report.row_id for one in apart for report in one.reports)
    assert reports == sorted(report.row_id for report in together.reports)


def test_values_of_several_users_come_apart_in_the_order_of_the_body() -> None:
    """One value with messages of three people and statuses beside them."""
    phones = ["12025550101", "12025550102", "12025550101", "12025550103"]
    items = [text_item(number, **{"from": phone}) for number, phone in enumerate(phones)]
    webhook = parse(body_of(*items, statuses=[status_item(7), status_item(8)], errors=[{"code": 130429}]))
    assert webhook == Webhook(
        messages=tuple(message(number, user=User(phone)) for number, phone in enumerate(phones)),
        reports=(report(7), report(8)),
        others=(Unhandled("error", "error 130429"),),
    )


def test_a_body_of_millions_has_an_end() -> None:
    """Ten times Meta's largest batch is read, the rest is one thing counted."""
    items: list[Any] = [text_item(1), *[5] * (ITEMS_MAX - 2), text_item(2)]
    webhook = parse(body_of(*items))
    assert webhook.messages == (message(1), message(2))
    assert set(kinds(webhook)) == {"message:malformed"}
    webhook = parse(body_of(*items, text_item(3), text_item(4)))
    assert webhook.messages == (message(1), message(2))
    assert kinds(webhook).count("too_many") == 1
    assert len(webhook.others) == ITEMS_MAX - 1


def test_statuses_and_errors_beside_messages_are_counted_one_by_one() -> None:
    """A value may hold all three."""
    statuses = [{"status": "delivered"}, {"status": "read"}, {"status": "teleported"}, {}, 5]
    errors = [{"code": 130429}, {"code": "?"}]
    webhook = parse(body_of(text_item(1), statuses=statuses, errors=errors))
    assert webhook.messages == (message(1),)
    assert kinds(webhook) == [
        "status:delivered",
        "status:read",
        "status:unknown",
        "status:unknown",
        "status:malformed",
        "error",
    ]
    assert webhook.others[-1].reason == "error 130429, an error without a code"


def test_a_duplicate_within_one_body_is_one_message() -> None:
    """The first stands; that it came twice is counted."""
    webhook = parse(body_of(text_item(1), text_item(1, text={"body": "again"}), text_item(2)))
    assert webhook.messages == (message(1), message(2))
    assert kinds(webhook) == ["message:duplicate"]


@pytest.mark.parametrize(
    "field", ["history", "standby", "message_echoes", "brand_new", None, 5, ["messages"]]
)
def test_messages_of_another_field_ask_for_nothing(field: Any) -> None:
    """Old messages that are synchronised, and what another app answers, are no request to us."""
    change = {"field": field, "value": {"messages": [text_item(1)], "message_echoes": [text_item(2)]}}
    webhook = parse(json.dumps({"entry": [{"changes": [change]}]}).encode())
    known = field if field in ("history", "standby") else "unknown"
    reason = "it is of no message"
    assert webhook == Webhook(others=(Unhandled(f"field:{known}", reason, field=known),))


def test_an_unknown_type_is_a_message_that_keeps_all_of_it() -> None:
    """It adds no kind to a metric, whatever a stranger names it; how much of the name is kept is bounded."""
    names = ["invented", "x" * 100_000, "", None, ["text"], 5]
    items = [text_item(number, type=name) for number, name in enumerate(names)]
    items.append({"from": "16505551234", "id": "wamid.lean"})
    webhook = parse(body_of(*items))
    assert [one.content for one in webhook.messages] == [
        Unknown(type=name) for name in ("invented", "x" * 64, "", "", "", "", "")
    ]
    assert [one.raw for one in webhook.messages] == items
    assert ([one.text for one in webhook.messages], webhook.others) == ([""] * len(items), ())


# One bad item -------------------------------------------------------------------------------------

BAD_ITEMS: list[Any] = [
    None,
    5,
    "text",
    [],
    [[]],
    {},
    text_item(2, id=None),
    text_item(2, id=""),
    text_item(2, id=5),
    text_item(2, id="x" * 513),
    text_item(2, id="a b"),
    text_item(2, id="a\0b"),
    text_item(2, id="\ud800"),
    text_item(2, text=None),
    text_item(2, text="plain"),
    text_item(2, text={}),
    text_item(2, text={"body": None}),
    text_item(2, text={"body": ["a"]}),
    text_item(2, **{"from": None}),
    text_item(2, **{"from": 16505551234}),
    text_item(2, **{"from": "+16505551234"}),
    text_item(2, **{"from": "١٦٥٠"}),
    text_item(2, **{"from": "1" * 21}),
    text_item(2, **{"from": None, "from_user_id": ""}),
    text_item(2, **{"from": None, "from_user_id": "US." + "1" * 158}),
    text_item(2, **{"from": None, "from_user_id": "US. 1"}),
    text_item(2, **{"from": None, "from_user_id": {"US": 1}}),
    text_item(2, group_id="a b"),
    text_item(2, group_id=["HBgLMTY1"]),
    text_item(2, group_id="x" * 161),
    text_item(2, type="image", image={"id": "1"}, id=""),
    text_item(2, type="hologram", **{"from": ""}),
    {"\ud800": "\ud800"},
]


@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_a_bad_item_never_loses_its_neighbours(bad: Any) -> None:
    """It is counted once; those before and after it come out."""
    webhook = parse(body_of(text_item(1), bad, text_item(3)))
    assert webhook.messages == (message(1), message(3))
    assert len(webhook.others) == 1
    assert kinds(webhook) == ["message:malformed"]


@pytest.mark.parametrize(
    "bad", [None, 5, "x", [], {}, {"changes": 5}, {"changes": [5]}, {"changes": {"value": []}}]
)
def test_a_bad_entry_never_loses_its_neighbours(bad: Any) -> None:
    """The same one level up."""
    good = json.loads(body_of(text_item(1)))["entry"][0]
    assert parse(json.dumps({"entry": [bad, good]}).encode()).messages == (message(1),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"text 2", b"\xff\xfe"),
        (b"text 2", b"\\ud83d"),
        (b"text 2", b"\\ude00\\ud83d"),
        (b"text 2", b"\x00\x1f"),
        (b'"1749416384"', b"NaN"),
        (b'"1749416384"', b"-Infinity"),
        (b'"1749416384"', b"9" * 100_000),
        (b'"1749416384"', b"1e999"),
    ],
)
def test_what_strict_json_forbids_in_one_item_never_loses_its_neighbours(before: bytes, after: bytes) -> None:
    """Half an emoji in one text, or a byte that is not UTF-8, must not cost the batch."""
    body = body_of(text_item(1), text_item(2, timestamp="1749416384"), text_item(3)).replace(before, after)
    assert after in body
    webhook = parse(body)
    assert [one.id for one in webhook.messages if one.id != "wamid.2"] == ["wamid.1", "wamid.3"]
    assert len(webhook.messages) + len(webhook.others) == 3
    for one in webhook.messages:
        one.text.encode()


def test_a_value_with_parts_of_wrong_types_keeps_its_messages() -> None:
    """`statuses`, `errors` and `contacts` are judged apart."""
    webhook = parse(body_of(text_item(1), statuses=5, errors="x", contacts=7, metadata=[]))
    assert webhook.messages == (message(1),)
    assert kinds(webhook) == ["status:malformed", "error"]


# Single fields ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("1749416383", 1749416383),
        (1749416383, 1749416383),
        ("4102444800", 4102444800),
        ("4102444801", None),
        ("1749416383000", None),
        ("9" * 5000, None),
        (10**30, None),
        ("-1", None),
        (-1, None),
        ("0", None),
        ("", None),
        ("soon", None),
        (" 5", None),
        ("1_0", None),
        ("٣٠", None),
        (1749416383.5, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_message_with_an_unusable_time_still_counts(timestamp: Any, seconds: int | None) -> None:
    """The store sets the time then; a user's text is not lost for it."""
    assert parse(body_of(text_item(1, timestamp=timestamp))).messages == (message(1, timestamp=seconds),)


def test_an_absent_time_and_null_fields_are_lenient() -> None:
    """Lean bodies are real: only id, sender and text are needed."""
    lean = {"from": "1", "id": "a", "type": "text", "text": {"body": "Hi"}, "group_id": None}
    assert parse(body_of(lean, contacts=None, statuses=None, errors=None)) == Webhook(
        messages=(Message(id="a", user=User("1"), text="Hi", timestamp=None),)
    )


def test_the_phone_number_comes_before_the_scoped_id() -> None:
    """Both are given as long as we may see the number."""
    item = text_item(1, from_user_id="US.1")
    assert parse(body_of(item)).messages == (message(1),)
    item["from"] = 5
    assert parse(body_of(item)).messages == (message(1, user=User("US.1")),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t",
        "\u200b",
        "\u2060\ufeff",
        "\u3164",
        "\u2800\u2800",
        "\ufe0f",
        "\0",
        "\u200d \u00a0\u3000",
    ],
)
def test_a_text_that_shows_nothing_asks_for_nothing(text: str) -> None:
    """It neither interrupts nor is answered."""
    assert kinds(parse(body_of(text_item(1, text={"body": text})))) == ["message:text_empty"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("?", "?"),
        ("  Hi  ", "  Hi  "),
        ("👍🏽", "👍🏽"),
        ("\U0001fae9", "\U0001fae9"),
        ("a\0b", "ab"),
        ("Hi \ud83d", "Hi \ufffd"),
        ("\ude00 Hi", "\ufffd Hi"),
        ("<b>&amp;\u2028", "<b>&amp;\u2028"),
    ],
)
def test_a_text_is_kept_as_it_is_where_a_store_can(text: str, stored: str) -> None:
    """Only NUL goes, and half an emoji becomes the replacement character."""
    assert parse(body_of(text_item(1, text={"body": text}))).messages == (message(1, text=stored),)


# Around a message ---------------------------------------------------------------------------------


def contact_item(name: Any, **more: Any) -> dict[str, Any]:
    """A contact of the envelope."""
    return {"profile": {"name": name, "username": f"@{name}"}, **more}


def test_names_are_found_by_the_users_ids_and_never_by_place() -> None:
    """Contacts come in any order, twice, or not at all; nobody may be called by another's name."""
    messages = [
        text_item(1),
        text_item(2, **{"from": "12025550123", "from_user_id": "US.2"}),
        text_item(3, **{"from": "", "from_user_id": "US.3"}),
        text_item(4, **{"from": "12025550124"}),
        text_item(5),
    ]
    contacts: list[Any] = [
        None,
        contact_item("three", wa_id="", user_id="US.3"),
        {"wa_id": "12025550124"},
        contact_item("one", wa_id="16505551234"),
        contact_item("two", user_id="US.2"),
        contact_item("nobody"),
        contact_item("late", wa_id="16505551234"),
        contact_item("half \ud83d", wa_id="12025550125"),
        {"profile": 5, "wa_id": ["12025550124"]},
    ]
    webhook = parse(body_of(*messages, contacts=contacts))
    assert [one.profile for one in webhook.messages] == [
        Profile(name="one", username="@one"),
        Profile(name="two", username="@two"),
        Profile(name="three", username="@three"),
        None,
        Profile(name="one", username="@one"),
    ]
    (half,) = parse(body_of(text_item(1, **{"from": "12025550125"}), contacts=contacts)).messages
    assert half.profile == Profile(name="half \ufffd", username="@half \ufffd")


def test_one_contact_that_is_in_no_list_is_that_contact() -> None:
    """Lenient as everywhere."""
    (one,) = parse(body_of(text_item(1), contacts=contact_item("one", wa_id="16505551234"))).messages
    assert one.profile == Profile(name="one", username="@one")


def test_names_of_one_change_are_not_those_of_another() -> None:
    """The same number may stand in both, of two businesses."""

    def change(number: int, *contacts: Any) -> dict[str, Any]:
        return {"field": "messages", "value": {"messages": [text_item(number)], "contacts": contacts}}

    changes = [change(1, contact_item("one", wa_id="16505551234")), change(2)]
    webhook = parse(json.dumps({"entry": [{"changes": changes}]}).encode())
    assert [one.profile for one in webhook.messages] == [Profile(name="one", username="@one"), None]


def test_what_a_user_wrote_is_kept_as_it_came() -> None:
    """All of the object; only what no store can keep is mended: half an emoji, a NUL, an endless number."""
    item = text_item(1, text={"body": "Hi", "new": [{"a\0\ud83d": "b\0\ude00"}, 2**64, 1.5, True, None]})
    body = body_of(item).replace(b"1.5", b"[1.5, NaN, 1e999, -Infinity, " + b"9" * 5000 + b"]")
    (one,) = parse(body).messages
    assert one.raw == {
        **item,
        "text": {
            "body": "Hi",
            "new": [{"a\ufffd": "b\ufffd"}, None, [1.5, None, None, None, None], True, None],
        },
    }


# Groups -------------------------------------------------------------------------------------------


def test_a_group_is_one_conversation() -> None:
    """Whoever of it writes: the group is the user, and the person stands in `raw` alone."""
    items = [
        text_item(1, group_id="HBgLMTY1"),
        text_item(2, group_id="HBgLMTY1", **{"from": "12025550123"}),
        text_item(3, group_id="HBgLMTY1", **{"from": None, "from_user_id": None}),
        text_item(4, group_id=""),
        text_item(5, group_id=None),
    ]
    webhook = parse(body_of(*items, contacts=[contact_item("one", wa_id="16505551234")]))
    assert [(one.user.id, one.raw["from"], one.profile and one.profile.name) for one in webhook.messages] == [
        ("HBgLMTY1", "16505551234", None),
        ("HBgLMTY1", "12025550123", None),
        ("HBgLMTY1", None, None),
        ("16505551234", "16505551234", "one"),
        ("16505551234", "16505551234", "one"),
    ]
    assert webhook.others == ()


# Echoes -------------------------------------------------------------------------------------------


def echo_item(number: int, **more: Any) -> dict[str, Any]:
    """What somebody of the business wrote to a user in the app."""
    return text_item(number, **{"from": "15550783881", "to": "16505551234", **more})


def echoes_of(*echoes: Any, **value: Any) -> bytes:
    """A body with one change that holds these echoes."""
    change = {"field": "smb_message_echoes", "value": {"message_echoes": list(echoes), **value}}
    return json.dumps({"entry": [{"changes": [change]}]}).encode()


@pytest.mark.parametrize(
    ("fields", "user_id"),
    [
        ({}, "16505551234"),
        ({"to": "+16505551234"}, "16505551234"),
        ({"to_user_id": "US.1"}, "16505551234"),
        ({"to": None, "to_user_id": "US.1"}, "US.1"),
        ({"to": "", "to_user_id": "US.1"}, "US.1"),
        ({"to": 5, "to_user_id": "US.1"}, "US.1"),
        ({"group_id": "HBgLMTY1"}, "HBgLMTY1"),
    ],
)
def test_an_echo_belongs_to_the_user_it_was_written_to(fields: dict[str, Any], user_id: str) -> None:
    """Never to the business's own number, that it is from."""
    echo = echo_item(1, **fields)
    (one,) = parse(echoes_of(echo)).messages
    assert one == message(1, user=User(user_id), content=Echo(content=Text(body="text 1")))
    assert one.raw == echo


def test_an_echo_is_mended_as_a_message_is() -> None:
    """What staff's phones send may be cut in two as well."""
    (one,) = parse(echoes_of(echo_item(1, text={"body": "Hi \ud83d"}))).messages
    assert one == message(1, text="Hi \ufffd", content=Echo(content=Text(body="Hi \ufffd")))
    assert one.raw["text"] == {"body": "Hi \ufffd"}


def test_an_echo_holds_whatever_was_written() -> None:
    """Of every type; also what shows nothing: a person has taken over all the same."""
    echoes = [
        echo_item(1, type="image", image={"id": "5", "caption": "Here"}),
        echo_item(2, type="reaction", reaction={"message_id": "wamid.9", "emoji": "👍"}),
        echo_item(3, type="unsupported", errors=[{"code": 131060}]),
        echo_item(4, text={"body": " "}),
        echo_item(5, text=None),
        echo_item(6, type="hologram"),
    ]
    webhook = parse(echoes_of(*echoes, contacts=[contact_item("one", wa_id="16505551234")]))
    assert [(one.text, one.content) for one in webhook.messages] == [
        ("Here", Echo(content=Image(id="5", caption="Here"))),
        ("👍", Echo(content=Reaction(message_id="wamid.9", emoji="👍"))),
        ("", Echo(content=Unsupported(errors=(131060,)))),
        ("", Echo(content=Unknown(type="text"))),
        ("", Echo(content=Unknown(type="text"))),
        ("", Echo(content=Unknown(type="hologram"))),
    ]
    assert {one.profile for one in webhook.messages} == {Profile(name="one", username="@one")}


BAD_ECHOES: list[Any] = [
    None,
    5,
    [],
    {},
    echo_item(2, id=""),
    echo_item(2, id=None),
    echo_item(2, to=None),
    echo_item(2, to="++16505551234"),
    echo_item(2, to="", to_user_id="US. 1"),
    text_item(2),
]


@pytest.mark.parametrize("bad", BAD_ECHOES)
def test_a_bad_echo_never_loses_its_neighbours(bad: Any) -> None:
    """As a bad message never does."""
    webhook = parse(echoes_of(echo_item(1), bad, echo_item(3), errors=[{"code": 130429}]))
    assert [one.id for one in webhook.messages] == ["wamid.1", "wamid.3"]
    assert kinds(webhook) == ["message:malformed", "error"]


def test_echoes_and_messages_do_not_stand_in_for_each_other() -> None:
    """Each is read where it belongs; a change that has nothing of its own says so."""
    webhook = parse(echoes_of(messages=[text_item(1)], statuses=[status_item(2)]))
    reason = "there is no message and no error in it"
    assert webhook == Webhook(
        others=(Unhandled("field:smb_message_echoes", reason, field="smb_message_echoes"),)
    )
    webhook = parse(body_of(message_echoes=[echo_item(1)]))
    reason = "there is no message, no status and no error in it"
    assert webhook == Webhook(others=(Unhandled("field:messages", reason, field="messages"),))


# System messages and errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "system", "user_id"),
    [
        ({"from": "16505551234"}, {"previous_user_id": "US.1", "user_id": "US.2"}, "16505551234"),
        ({"from_user_id": "US.0"}, {"previous_user_id": "US.1", "user_id": "US.2"}, "US.0"),
        ({}, {"previous_user_id": "US.1", "user_id": "US.2"}, "US.1"),
        ({"from": ""}, {"previous_user_id": "", "user_id": "US.2"}, "US.2"),
    ],
)
def test_a_system_message_without_a_sender_is_of_the_user_it_speaks_of(
    sender: Any, system: dict[str, Any], user_id: str
) -> None:
    """By the id that we know them by; of a change of the scoped id alone, `from` may be absent."""
    item = {"id": "wamid.1", "type": "system", "system": {"type": "user_changed_user_id", **system}}
    (one,) = parse(body_of({**item, **sender})).messages
    assert one.user == User(user_id)
    assert isinstance(one.content, System)
    assert one.content.user_id == "US.2"


def test_only_a_system_message_may_have_no_sender() -> None:
    """And one that speaks of nobody is of nobody."""
    item = {"id": "wamid.1", "type": "system"}
    system = {"type": "user_changed_user_id", "user_id": "US.2"}
    bad = [
        item,
        {**item, "system": 5},
        {**item, "system": {"type": "customer_identity_changed"}},
        {**item, "type": "request_welcome", "system": system},
    ]
    for each in bad:
        assert kinds(parse(body_of(each))) == ["message:malformed"]


def test_errors_of_a_message_are_seen() -> None:
    """Of one that is not passed on they are its content; beside any other they are counted as well."""
    errors = [{"code": 131052, "title": "Media download error"}, {"code": "?"}]
    items = [
        text_item(1, type="unsupported", errors=errors),
        text_item(2, type="image", errors=errors),
        text_item(3, errors=errors),
        text_item(4, errors=[]),
    ]
    webhook = parse(body_of(*items))
    assert [one.content for one in webhook.messages] == [
        Unsupported(errors=(131052,)),
        Unknown(type="image"),
        Text(body="text 3"),
        Text(body="text 4"),
    ]
    assert webhook.others == (Unhandled("error", "error 131052, an error without a code"),) * 2


# Whole bodies that are nothing --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"not json", "malformed"),
        (b"null", "malformed"),
        (b"[]", "malformed"),
        (b"5", "malformed"),
        (b'"x"', "malformed"),
        (b"NaN", "malformed"),
        (b"9" * 100_000, "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"a":' * 100_000, "malformed"),
        (b'{"entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed"),
        (b"\xff\xfe\x00", "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b"{}", "empty"),
        (b'{"entry":null}', "empty"),
        (b'{"entry":[]}', "empty"),
        (b'{"entry":[{}]}', "empty"),
        (b'{"entry":5}', "malformed"),
        (b'{"entry":[{"changes":[{"field":"messages"}]}]}', "malformed"),
        (b'{"entry":[{"changes":[{"field":"messages","value":{}}]}]}', "field:messages"),
        (b'{"entry":[{"changes":[{"value":{}}]}]}', "field:unknown"),
    ],
)
def test_a_body_that_is_nothing_is_one_thing_counted(body: bytes, kind: str) -> None:
    """Signed and not understood is answered 200: it must not raise, and must not vanish."""
    webhook = parse(body)
    assert (webhook.messages, kinds(webhook)) == ((), [kind])
    assert webhook.others[0].reason


def nested(levels: int, value: Any = 1) -> Any:
    """A value inside so many lists and objects in turn."""
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


@pytest.mark.parametrize("levels", [65, 66, 100, 400])
def test_what_is_nested_too_deeply_is_not_read(levels: int) -> None:
    """Nothing of WhatsApp's has more than 64 levels: whatever has costs no stack, and the rest is read."""
    # The envelope has 8 levels above the member of a message, 3 above that of an entry.
    bombs = [text_item(2, bomb=nested(levels - 8)), text_item(3, text={"body": nested(levels - 9)})]
    body = json.loads(body_of(text_item(1), *bombs, nested(levels - 7), text_item(4)))
    body["entry"].append({"changes": nested(levels - 3)})
    webhook = parse(json.dumps(body).encode())
    assert [one.id for one in webhook.messages] == ["wamid.1", "wamid.2", "wamid.4"]
    assert webhook.others[0] == Unhandled("malformed", "what is nested deeper than 64 levels was not read")
    assert kinds(webhook)[1:] == ["message:malformed", "message:malformed", "field:unknown"]
    kept = webhook.messages[1].raw["bomb"]
    depth = 0
    while kept:
        (kept,) = kept.values() if isinstance(kept, dict) else kept
        depth += 1
    assert depth == 64 - 8


def test_what_is_nested_as_deeply_as_may_be_is_kept() -> None:
    """The same with one level less."""
    item = text_item(1, bomb=nested(56))
    webhook = parse(body_of(item))
    assert [(one.id, one.raw) for one in webhook.messages] == [("wamid.1", item)]
    assert webhook.others == ()


def test_reasons_hold_nothing_that_a_user_wrote() -> None:
    """They go into the log."""
    written = "16505559999"
    items = [
        text_item(1, id=[written]),
        text_item(2, type=written, group_id=f"{written} {written}"),
        text_item(3, type=written, **{"from": f"+{written}"}),
        {"type": "text", "id": written, "text": written},
        text_item(4, type=written, errors=[{"code": written, "title": written}]),
    ]
    statuses: list[Any] = [
        {"status": written, "errors": [{"code": written}]},
        {"status": "failed", "biz_opaque_callback_data": f"{written} {written}", "errors": written},
        status_item(1, "failed", errors=[{"code": 131026, "message": f"{written} is not on WhatsApp"}]),
    ]
    webhook = parse(body_of(*items, statuses=statuses))
    assert [one.id for one in webhook.messages] == ["wamid.4"]
    assert (len(webhook.others), len(webhook.reports)) == (7, 1)
    assert written not in repr((webhook.others, webhook.reports))
    assert [str(one.error) for one in webhook.reports] == [
        "the user cannot be reached on WhatsApp: …9999 is not on WhatsApp (error 131026)"
    ]


# Generated ----------------------------------------------------------------------------------------

# Surrogates too: json.dumps writes them as escapes, as Meta does.
words = st.text(st.characters(), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def check(webhook: Webhook) -> None:
    """What holds for every body."""
    assert webhook.messages or webhook.reports or webhook.others
    assert set(kinds(webhook)) <= KINDS
    assert len({one.id for one in webhook.messages}) == len(webhook.messages)
    for one in webhook.messages:
        assert one.id
        assert one.user.id
        f"{one.id}{one.user.id}{one.text}".encode()
        assert one.timestamp is None or one.timestamp > 0
        assert isinstance(one.content, Content)
        assert one.text == one.content.text
        json.dumps(one.raw, ensure_ascii=False, allow_nan=False).encode()
    for each in webhook.reports:
        assert 0 < len(each.row_id) <= 512
        assert each.delivery is not Delivery.NONE
        assert (each.error is not None) is (each.delivery is Delivery.FAILED)
        f"{each.row_id}{each.provider_id}{each.error}".encode()


@given(st.binary())
def test_no_bytes_raise(body: bytes) -> None:
    """Whatever comes."""
    check(parse(body))


@given(json_values)
def test_no_json_raises(value: Any) -> None:
    """At any depth of the envelope."""
    check(parse(json.dumps(value).encode()))
    check(parse(json.dumps({"entry": value}).encode()))
    check(parse(json.dumps({"entry": [{"changes": value}]}).encode()))
    check(parse(json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()))
    check(parse(body_of(value, statuses=value, errors=value)))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key within, as (container, key)."""
    found: list[tuple[Any, Any]] = []
    keys: Any = (
        value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


def mutate(value: Any, data: st.DataObject) -> None:
    """Replace or remove something somewhere within."""
    container, key = data.draw(st.sampled_from(places(value)))
    if data.draw(st.booleans()):
        container[key] = data.draw(json_values)
    else:
        del container[key]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(SAMPLES)), times=st.integers(1, 3), data=st.data())
def test_no_mutated_sample_raises(name: str, times: int, data: st.DataObject) -> None:
    """Meta's own samples, with up to three things replaced or removed, and a byte changed."""
    value = json.loads(SAMPLES[name])
    for _ in range(times):
        if places(value):
            mutate(value, data)
    body = json.dumps(value).encode()
    check(parse(body))
    at = data.draw(st.integers(0, len(body) - 1))
    check(parse(body[:at] + data.draw(st.binary(max_size=2)) + body[at + 1 :]))


@given(name=st.sampled_from(sorted(SAMPLES)), data=st.data())
def test_a_mutated_item_keeps_its_neighbours(name: str, data: st.DataObject) -> None:
    """Whatever becomes of one message, those before and after it come out as they are."""
    value = json.loads(SAMPLES[name])["entry"][0]["changes"][0]["value"]
    for item in value.get("messages", [text_item(2)]):
        mutated = copy.deepcopy(item)
        mutate(mutated, data)
        webhook = parse(body_of(text_item(1), mutated, text_item(3)))
        check(webhook)
        assert (webhook.messages[0], webhook.messages[-1]) == (message(1), message(3))


@given(status=st.sampled_from([*DELIVERIES, "deleted"]), data=st.data())
def test_a_mutated_status_keeps_its_neighbours(status: str, data: st.DataObject) -> None:
    """Whatever becomes of one status, those before and after it come out as they are."""
    errors = [{"code": 131049, "title": "t", "message": "m", "error_data": {"details": "d"}}]
    mutated = status_item(2, status, errors=errors)
    mutate(mutated, data)
    webhook = parse(body_of(text_item(1), statuses=[status_item(1), mutated, status_item(3)]))
    check(webhook)
    assert webhook.messages == (message(1),)
    assert (webhook.reports[0], webhook.reports[-1]) == (report(1), report(3))
    assert len(webhook.reports) + len(webhook.others) == 3


@given(json_values)
def test_no_errors_of_a_failure_raise(value: Any) -> None:
    """At any depth of them."""
    for errors in (value, [value], [{"code": value, "message": value}], [{"code": 190, "error_data": value}]):
        webhook = parse(body_of(statuses=[status_item(1, "failed", errors=errors)]))
        check(webhook)
        assert [one.delivery for one in webhook.reports] == [Delivery.FAILED]
