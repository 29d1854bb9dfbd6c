"""Each answer of the Graph API that is no success has one thing that is to be done about it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import SendBlocked, SendDelayed, SendError, SendRefused
from web.whatsapp.error_codes import CODES, RANGES, Action, classify, classify_failure, rule_for


def graph_error(code: Any, **more: Any) -> bytes:
    """An answer in the shape that Meta documents."""
    error = {"message": f"(#{code}) Told so", "type": "OAuthException", "code": code, "fbtrace_id": "A1b2"}
    return json.dumps({"error": {**error, **more}}).encode()


@pytest.mark.parametrize(
    ("code", "status", "whole_number", "wait_seconds"),
    [
        (131056, 400, False, None),  # the outbox counts 4^X itself
        (131000, 500, False, None),
        (1, 400, False, None),
        (131208, 429, False, None),
        (130429, 400, True, None),
        (130429, 429, True, None),
        (4, 400, True, None),
        (80007, 400, True, None),
        (2, 503, True, None),
        (131016, 500, True, None),
        (133004, 503, True, None),
        (131057, 500, True, 60.0),
    ],
)
def test_what_passes_is_delayed(
    code: int, status: int, whole_number: bool, wait_seconds: float | None
) -> None:
    """Pace and a service that is down: again later, for this user or for everybody."""
    error = classify(status, graph_error(code))
    assert isinstance(error, SendDelayed)
    assert (error.code, error.whole_number, error.wait_seconds) == (code, whole_number, wait_seconds)


@pytest.mark.parametrize(
    "code",
    [
        *(131047, 131026, 131049, 131050, 131051, 131021, 131030, 131008, 131009, 100, 33, 135000),
        *(131052, 131053, 131062, 131063, 131064, 132000, 132001, 132069, 131020, 131041, 131200, 131299),
    ],
)
def test_what_will_never_be_delivered_is_refused(code: int) -> None:
    """Trying again would give the same answer."""
    error = classify(400, graph_error(code))
    assert isinstance(error, SendRefused)
    assert error.code == code


@pytest.mark.parametrize(
    "code",
    [0, 190, 3, 10, 200, 299, 131005, 368, 131031, 130497, 131048, 131037, 131042, 131045, 133010],
)
def test_what_stops_the_whole_number_is_blocked(code: int) -> None:
    """Token, permission, policy, payment, registration: every other message would meet the same."""
    error = classify(403, graph_error(code))
    assert isinstance(error, SendBlocked)
    assert error.code == code


def test_the_code_decides_and_not_the_status() -> None:
    """Meta's pages name different statuses for one code."""
    for status in (400, 401, 403, 429, 500, 503):
        assert isinstance(classify(status, graph_error(131026)), SendRefused)
        assert isinstance(classify(status, graph_error(190)), SendBlocked)
        assert isinstance(classify(status, graph_error(131056)), SendDelayed)


def test_every_code_has_a_meaning_and_ranges_hide_no_code() -> None:
    """The table is what the reference page is made of."""
    for code, rule in CODES.items():
        assert rule.meaning
        assert rule_for(code) is rule
    assert rule_for(199) is None
    assert rule_for(300) is None
    assert rule_for(132070) is None
    assert [rule.action for _, rule in RANGES] == [Action.BLOCK, Action.REFUSE, Action.REFUSE]


def test_an_unknown_code_is_refused_with_4xx_and_delayed_with_5xx() -> None:
    """A new code of theirs must neither loop for ever nor lose messages while they are down."""
    refused = classify(400, graph_error(999_999))
    assert isinstance(refused, SendRefused)
    assert refused.code == 999_999
    delayed = classify(500, graph_error(999_999))
    assert isinstance(delayed, SendDelayed)
    assert delayed.whole_number


def test_an_unknown_code_that_says_it_is_transient_is_tried_again() -> None:
    """The body's own word counts where the table has none."""
    error = classify(400, graph_error(999_999, is_transient=True))
    assert isinstance(error, SendDelayed)
    assert not error.whole_number
    assert isinstance(classify(400, graph_error(999_999, is_transient="yes")), SendRefused)
    assert isinstance(classify(400, graph_error(131026, is_transient=True)), SendRefused)


NOT_GRAPH = [
    None,
    b"",
    b"<html><h1>Bad Gateway</h1></html>",
    b"[]",
    b"null",
    b'{"error":null}',
    b'{"error":{"message":"no code"}}',
    b'{"error":{"code":"190"}}',
    b'{"error":{"code":190.5}}',
    b'{"error":' + b"[" * 100_000,
    b"\xff",
]


@pytest.mark.parametrize("body", NOT_GRAPH)
def test_an_answer_without_a_graph_error_is_judged_by_its_status(body: bytes | None) -> None:
    """A proxy, a load balancer or a wrong address answered."""
    kinds: dict[int, type[SendError]] = {
        301: SendDelayed,
        302: SendDelayed,
        307: SendDelayed,
        400: SendRefused,
        401: SendBlocked,
        403: SendBlocked,
        404: SendBlocked,
        405: SendBlocked,
        407: SendBlocked,
        408: SendDelayed,
        413: SendRefused,
        429: SendDelayed,
        500: SendDelayed,
        502: SendDelayed,
        503: SendDelayed,
        504: SendDelayed,
    }
    for status, kind in kinds.items():
        error = classify(status, body)
        assert type(error) is kind, status
        assert error.code is None
        assert str(status) in error.reason
        if isinstance(error, SendDelayed):
            assert error.whole_number
            assert error.wait_seconds is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("0", None),
        ("9" * 400, 86_400.0),
        ("-5", None),
        ("1.5", None),
        ("٣٠", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_honoured_in_seconds(header: str | None, seconds: float | None) -> None:
    """With a Graph error and without; a date, zero and nonsense are no hint."""
    for body in (None, graph_error(130429), graph_error(131056)):
        error = classify(503, body, retry_after=header)
        assert isinstance(error, SendDelayed)
        assert error.wait_seconds == seconds


def test_a_hint_takes_the_place_of_the_tables_own_time() -> None:
    """131057 is about a minute unless Meta says more."""
    error = classify(500, graph_error(131057), retry_after="90")
    assert isinstance(error, SendDelayed)
    assert error.wait_seconds == 90.0


def usage(*minutes: float) -> str:
    """The header as Meta sends it: lists of uses by business id."""
    uses = [
        {"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": one} for one in minutes
    ]
    return json.dumps({"104": uses, "105": []})


@pytest.mark.parametrize(
    ("code", "header", "seconds"),
    [
        (80007, usage(28), 1680.0),
        (4, usage(0, 3, 1), 180.0),
        (4, usage(0), None),
        (4, usage(), None),
        (4, "{}", None),
        (4, usage(10**12), 86_400.0),
        (4, usage(-1), None),
        (4, "[]", None),
        (4, "not JSON", None),
        (4, "[" * 100_000, None),
        (4, '{"1":[{"estimated_time_to_regain_access":"5"}]}', None),
        (4, None, None),
        (130429, usage(28), None),
    ],
)
def test_the_usage_header_gives_minutes_for_the_calls_it_counts(
    code: int, header: str | None, seconds: float | None
) -> None:
    """The longest of its times, in seconds; for another code it says nothing."""
    error = classify(400, graph_error(code), usage=header)
    assert isinstance(error, SendDelayed)
    assert error.wait_seconds == seconds


def test_the_reason_has_the_meaning_and_what_meta_adds() -> None:
    """An operator sees in one line what happened."""
    error = classify(400, graph_error(100, error_data={"details": "text['body'] is\nrequired"}))
    assert str(error) == "a parameter is wrong: text['body'] is required (error 100)"
    assert str(classify(400, graph_error(100))) == "a parameter is wrong: (#100) Told so (error 100)"
    for message in (None, 5, ["x"]):
        assert str(classify(400, graph_error(100, message=message))) == "a parameter is wrong (error 100)"
    assert classify(400, graph_error(100, error_data="odd")).reason == "a parameter is wrong: (#100) Told so"


def test_the_reason_holds_no_token_and_no_whole_number() -> None:
    """Meta quotes malformed tokens and phone numbers in its errors."""
    token = "EAAJZCx9" + "aB3_-" * 30
    error = classify(
        400, graph_error(190, message=f"Malformed access token {token} for +15551234567 and 447911123456.")
    )
    assert error.reason == (
        "the access token has expired; make a new one: Malformed access token … for +…4567 and …3456."
    )


def test_the_reason_is_short() -> None:
    """One line of a log, whatever is in the body."""
    assert len(classify(400, graph_error(100, message="word " * 1000)).reason) < 250


@given(status=st.integers(300, 599), body=st.none() | st.binary(), header=st.none() | st.text())
def test_no_answer_raises(status: int, body: bytes | None, header: str | None) -> None:
    """Every status, body and header gives a SendError."""
    assert isinstance(classify(status, body, retry_after=header, usage=header), SendError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    error=st.fixed_dictionaries(
        {},
        optional={"code": JSON | st.sampled_from(sorted(CODES)), "message": JSON, "error_data": JSON},
    )
)
def test_no_graph_error_raises(error: dict[str, Any]) -> None:
    """Wrong types everywhere give a SendError too."""
    assert isinstance(classify(400, json.dumps({"error": error}).encode(), usage="{}"), SendError)


# A failure after a 200 ----------------------------------------------------------------------------


def failure(code: Any, **more: Any) -> dict[str, Any]:
    """An error of a status, in the shape that Meta documents."""
    return {"code": code, "title": "Told so", "message": "Told so", "href": "/documentation", **more}


def says(error: SendError) -> tuple[Any, ...]:
    """What kind of error it is, and everything it says."""
    delay = (error.whole_number, error.wait_seconds) if isinstance(error, SendDelayed) else ()
    return type(error), error.reason, error.code, *delay


@pytest.mark.parametrize("code", [*CODES, 200, 299, 131200, 131299, 132000, 132069])
def test_a_later_failure_is_judged_as_an_answer_is(code: int) -> None:
    """One table: the same code asks for the same, whenever it comes."""
    told = failure(code, error_data={"details": "the details"})
    answer = graph_error(code, error_data={"details": "the details"})
    assert says(classify_failure(told)) == says(classify(400, answer))


@pytest.mark.parametrize("code", [199, 300, 132_070, 999_999, -1])
def test_a_later_failure_of_an_unknown_code_is_refused(code: int) -> None:
    """Whatever it says of itself: Meta has tried already, and nobody knows how often."""
    error = classify_failure(failure(code, is_transient=True))
    assert isinstance(error, SendRefused)
    assert str(error) == (
        f"it was not delivered, with an error code that is not known here: Told so (error {code})"
    )


@pytest.mark.parametrize(
    "raw", [None, 5, "x", [], {}, failure(None), failure("190"), failure(190.5), [failure(190)]]
)
def test_a_later_failure_without_a_code_is_refused(raw: Any) -> None:
    """There is nothing to judge it by."""
    error = classify_failure(raw)
    assert isinstance(error, SendRefused)
    assert str(error) == "it was not delivered, and no error code says why"


def test_the_reason_of_a_later_failure_holds_no_token_and_no_whole_number() -> None:
    """It goes into the log as well, on one short line."""
    secret = "wamid." + "HBgLMTY1" * 8
    error = classify_failure(failure(131026, message=f"{secret}\nto 15551234567 " + "failed " * 200))
    assert error.reason.startswith("the user cannot be reached on WhatsApp: … to …4567 failed failed")
    assert len(error.reason) < 250


@given(
    st.none()
    | JSON
    | st.fixed_dictionaries(
        {}, optional={"code": JSON | st.sampled_from(sorted(CODES)), "message": JSON, "error_data": JSON}
    )
)
def test_no_later_failure_raises(raw: Any) -> None:
    """Wrong types everywhere give a SendError too."""
    assert isinstance(classify_failure(raw), SendError)


def test_the_reference_has_every_code_and_what_happens_on_it() -> None:
    """In the order of the table."""
    happens = {
        Action.REFUSE: "a dead letter",
        Action.DELAY_USER: "tried again; only this user waits",
        Action.DELAY_NUMBER: "tried again; the whole number waits",
        Action.BLOCK: "everything waits until somebody acts",
    }
    page = (Path(__file__).parents[2] / "docs/reference/error-codes.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| \d", line)]
    named = [(str(code), rule) for code, rule in CODES.items()]
    ranges = [(f"{codes.start}–{codes.stop - 1}", rule) for codes, rule in RANGES]  # noqa: RUF001
    assert rows == [[code, rule.meaning, happens[rule.action]] for code, rule in [*named, *ranges]]
