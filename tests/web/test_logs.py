"""One line for each event, whoever logs it, and nothing private in any."""

import errno
import hashlib
import io
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import (
    Answered,
    CallFinished,
    CallUndone,
    Event,
    Events,
    Failed,
    Fate,
    Ignored,
    Merged,
    Message,
    MessageDeferred,
    MessageRejected,
    MessageSettled,
    OutgoingBlocked,
    OutgoingGivenUp,
    OutgoingKind,
    PlanAccepted,
    PolicyFailed,
    ProviderTold,
    Rejected,
    Reply,
    SessionCompleted,
    SessionFailed,
    SessionStarted,
    Status,
    Stopped,
    StoreFailed,
    Superseded,
    UndoStatus,
    User,
)
from web.logs import configure_logs, get_logger, hash_id, log_event, mask_user

PHONE = "15551234567"
# A real one: its middle is a phone number in base64.
WAMID = "wamid.HBgLMTY0NjcwNDM1OTUVAgASGBQzQTdBNTg0REZDMDc4RjQxQ0MwNgA="
SAID = "my wife must not know"
TOKEN = "EAAG'to\"ken\\"  # noqa: S105  # made up
# As new_id makes them; of one the digits are all in a row.
OPERATION_ID = "90210987654321ab90210987654321ab"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Configuring the logs is for a whole process; the next test's must not notice."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logs(stream, secrets=[TOKEN, "", "app secret"])
    return stream


@pytest.fixture
def lines(stream: io.StringIO) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def line(lines: Callable[[], list[dict[str, Any]]]) -> Callable[[], dict[str, Any]]:
    def only() -> dict[str, Any]:
        [one] = lines()
        return one

    return only


Line = Callable[[], dict[str, Any]]

# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_id", "shown"), [(PHONE, "…4567"), ("US.13491208655302741918", "…1918"), ("4567", "…"), ("", "…")]
)
def test_a_user_is_shown_by_four_characters_and_never_whole(user_id: str, shown: str) -> None:
    """Also one whose id is that short."""
    assert mask_user(user_id) == shown


def test_a_message_id_is_shown_by_a_hash_that_its_owner_can_find() -> None:
    """`printf %s ID | sha256sum | cut -c 1-12 | tr 0-9 g-p`."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    assert hash_id(WAMID) == hashlib.sha256(WAMID.encode()).hexdigest()[:12].translate(letters)
    assert hash_id(WAMID) != hash_id(WAMID.lower())
    assert len(hash_id("\udcff")) == 12


@given(st.text())
def test_a_hash_never_looks_like_a_phone_number(message_id: str) -> None:
    """So that a line with a hash in it can be censored as any other."""
    assert len(hash_id(message_id)) == 12
    assert hash_id(message_id).isalpha()


# The line -----------------------------------------------------------------------------------------


def test_a_line_says_when_how_bad_who_and_what(line: Line) -> None:
    """In this order, so that a person too can read it; the time is ISO 8601 in UTC."""
    get_logger("midstream.test").warning(
        "something", port=8080, seconds=0.25, ok=True, nothing=None, words="a b"
    )
    assert list(line()) == [
        "timestamp",
        "level",
        "logger",
        "event",
        "port",
        "seconds",
        "ok",
        "nothing",
        "words",
    ]
    expected = {
        "level": "warning",
        "logger": "midstream.test",
        "event": "something",
        "port": 8080,
        "seconds": 0.25,
        "ok": True,
        "nothing": None,
        "words": "a b",
    }
    assert line().items() >= expected.items()
    assert line()["timestamp"].endswith("Z")
    assert datetime.fromisoformat(line()["timestamp"]).utcoffset() == timedelta(0)


def test_every_level_from_info_up_is_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Debugging is for the developer's own set-up."""
    log = get_logger("midstream.test")
    log.debug("unheard")
    log.info("a")
    log.warning("b")
    log.error("c")
    log.critical("d")
    assert [one["level"] for one in lines()] == ["info", "warning", "error", "critical"]


def test_a_logger_needs_no_name(line: Line) -> None:
    """As in somebody's own tool."""
    structlog.get_logger().info("something")
    assert line()["logger"] == ""


def test_a_person_at_a_terminal_sees_colours_and_no_json() -> None:
    """The same line, the same secrets."""
    terminal = Terminal()
    configure_logs(terminal, secrets=[TOKEN])
    try:
        raise ValueError(f"called {PHONE} with {TOKEN}")
    except ValueError:
        get_logger("midstream.test").exception("broke", user_id=mask_user(PHONE))
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    assert "broke" in shown
    assert "ValueError: called …4567 with [secret]" in shown
    assert PHONE not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(("pretty", "stream"), [(True, io.StringIO()), (False, Terminal())])
def test_either_form_can_be_asked_for(pretty: bool, stream: io.StringIO) -> None:
    """A pipe to `less`; a terminal that records.  Colours are for terminals alone."""
    configure_logs(stream, pretty=pretty)
    get_logger("midstream.test").info("something")
    assert stream.getvalue().startswith("{") is not pretty
    assert "\x1b" not in stream.getvalue()


def test_nothing_in_a_value_can_steer_the_terminal_or_forge_a_line() -> None:
    """Whoever wrote it; in a traceback only its own line ends stay."""
    stream = io.StringIO()
    configure_logs(stream, pretty=True)
    try:
        raise ValueError("\x1b[2J\x9b2J\rgone")
    except ValueError:
        get_logger("midstream.test").exception("a\nb", value="c\x1b]0;title\x07\u2028\ud800")
    assert not set(stream.getvalue()) & set("\x1b\x9b\r\x07\u2028\ud800")
    assert stream.getvalue().splitlines()[0].count("a\\nb") == 1


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A disk that is full, a pipe that is closed, a stream that is."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    class Busy(io.StringIO):
        def write(self, _: str) -> int:
            raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    for stream in (Full(), Busy(), io.StringIO()):
        configure_logs(stream)
        stream.close()
        get_logger("midstream.test").info("something")


def test_a_line_may_be_logged_while_one_is_written() -> None:
    """An object that is collected just then may warn, and warnings are lines: no deadlock, nothing lost."""

    class Collecting(io.StringIO):
        def write(self, text: str) -> int:
            if "outer" in text:
                get_logger("midstream.test").info("inner")
            return super().write(text)

    stream = Collecting()
    configure_logs(stream)
    get_logger("midstream.test").info("outer")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["inner", "outer"]


def test_lines_of_many_threads_stay_whole(stream: io.StringIO) -> None:
    """The store's writer and the tools' threads log too."""
    log = get_logger("midstream.test")

    def write() -> None:
        for number in range(100):
            log.info("something", number=number)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [json.loads(line)["number"] for line in stream.getvalue().splitlines()]
    assert sorted(numbers) == sorted(list(range(100)) * 4)


# The standard library's logs ----------------------------------------------------------------------


def test_what_libraries_log_goes_the_same_way(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Hypercorn's errors and Quart's tracebacks, censored like ours."""
    logging.getLogger("hypercorn.error").warning("refused %s", PHONE)
    try:
        raise RuntimeError(f"token {TOKEN}")
    except RuntimeError:
        logging.getLogger("quart.app").exception("Exception on request %s", "GET /")
    first, second = lines()
    assert (
        first.items() >= {"logger": "hypercorn.error", "level": "warning", "event": "refused …4567"}.items()
    )
    assert second.items() >= {"logger": "quart.app", "level": "error"}.items()
    assert second["exception"].endswith("RuntimeError: token [secret]")


def test_warnings_are_log_lines() -> None:
    """They would go to the terminal past everything."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs(stream)  # here: pytest puts its own in this place before each test
        warnings.warn(f"deprecated by {PHONE}", DeprecationWarning, stacklevel=1)
    line = json.loads(stream.getvalue())
    assert line["logger"] == "py.warnings"
    assert "deprecated by …4567" in line["event"]


def test_a_line_for_each_request_is_not_written(stream: io.StringIO) -> None:
    """Neither of those that come nor of those that go: the events tell it."""
    logging.getLogger("hypercorn.access").info("GET / 200")
    logging.getLogger("hypercorn.error").info("Running on fd://3")
    logging.getLogger("httpx2").info("HTTP Request: POST https://graph.facebook.com/")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("message", "arguments"), [("a %s %s", ("b",)), ("a %d", (PHONE,)), (f"{PHONE} %s", ())], ids=str
)
def test_a_record_that_does_not_fit_together_is_written_all_the_same(
    capfd: pytest.CaptureFixture[str], message: str, arguments: tuple[str, ...]
) -> None:
    """The standard library would print its arguments, past the censor."""
    # Here, not in a fixture: pytest hangs in a handler of its own before each test.
    stream = io.StringIO()
    configure_logs(stream)
    logging.getLogger("library").error(message, *arguments)
    assert stream.getvalue().count("\n") == 1
    assert PHONE not in stream.getvalue()
    assert capfd.readouterr() == ("", "")


def test_levels_of_the_libraries_own_are_rounded_down(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """`logging` allows any number."""
    logging.getLogger("library").log(35, "a")
    logging.getLogger("library").log(1000, "b", exc_info=True)
    assert [one["level"] for one in lines()] == ["warning", "critical"]


def test_configuring_again_replaces_the_first(stream: io.StringIO) -> None:
    """No line twice, none to the old stream."""
    second = io.StringIO()
    configure_logs(second)
    get_logger("midstream.test").info("ours")
    logging.getLogger("library").error("theirs")
    assert stream.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 2


# What is private ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {TOKEN}.",
        TOKEN.encode(),
        {"headers": [("Authorization", TOKEN)]},
        {TOKEN: 1},
        ValueError(TOKEN),
        json.dumps(TOKEN),
        repr(TOKEN),
        "https://example.org/?access=EAAG%27to%22ken%5C",
        [[[[[[[[[[[[TOKEN]]]]]]]]]]]],
        {frozenset({TOKEN})},
    ],
    ids=str,
)
def test_a_secret_is_replaced_wherever_it_stands(stream: io.StringIO, value: object) -> None:
    """In whatever it is wrapped, and as a `repr`, JSON or a URL write it."""
    get_logger("midstream.test").info("something", value=value)
    assert "[secret]" in stream.getvalue()
    for form in (TOKEN, json.dumps(TOKEN)[1:-1], repr(TOKEN)[1:-1], "EAAG", "ken"):
        assert form not in stream.getvalue()


def test_a_secret_that_begins_with_another_is_replaced_whole() -> None:
    """Otherwise its end would stay."""
    stream = io.StringIO()
    configure_logs(stream, secrets=["swordfish", "swordfish-for-tuna"])
    get_logger("midstream.test").info("swordfish-for-tuna and swordfish")
    assert json.loads(stream.getvalue())["event"] == "[secret] and [secret]"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"to {PHONE}", "to …4567"),
        (f"+{PHONE}", "…4567"),
        ("+1 (555) 123-4567 is not there", "…4567 is not there"),
        ("+49 151 1234 5678", "…5678"),
        (f"user_{PHONE}@s.whatsapp.net", "user_…4567@s.whatsapp.net"),
        (f"a{PHONE}b", "a…4567b"),
        ("tel 1234567", "tel …4567"),
        (int(PHONE), "…4567"),
        (-int(PHONE), "-…4567"),
        (PHONE.encode(), "…4567"),
        ([PHONE, (PHONE,)], ["…4567", ["…4567"]]),
        ({PHONE: {"phone": PHONE}}, {"…4567": {"phone": "…4567"}}),
        (User(PHONE).id, "…4567"),
        (
            f"https://graph.facebook.com/v26.0/{PHONE}/messages",
            "https://graph.facebook.com/v26.0/…4567/messages",
        ),
        (f"the message {WAMID} is unknown", f"the message wamid:{hash_id(WAMID)} is unknown"),
        (OPERATION_ID + " of " + PHONE, "…4321ab…4321ab of …4567"),
    ],
    ids=str,
)
def test_a_phone_number_is_shown_by_its_last_four_digits(line: Line, value: object, shown: object) -> None:
    """In any text, and as a number; the ids of WhatsApp's messages hold one too."""
    get_logger("midstream.test").info("something", value=value)
    assert line()["value"] == shown


@pytest.mark.parametrize(
    "value",
    [
        OPERATION_ID,
        [OPERATION_ID],
        999_999_999,
        0.30000000000000004,
        "127.0.0.1:65535",
        "192.168.100.200",
        "2026-11-24T10:20:40.123456Z",
        "2026-11-24 10:20:40+0100",
        "took 12.345678 s",
        "+1.5",
        "v26.0",
        Status.TIMED_OUT,
        "error 131056",
        ["a", ["b"]],
    ],
    ids=str,
)
def test_what_is_no_phone_number_is_left_alone(line: Line, value: object) -> None:
    """Ids of our own, ports, times, durations, counts and error codes are what a log is read for."""
    get_logger("midstream.test").info("something", value=value)
    assert line()["value"] == value


@given(
    st.recursive(
        st.one_of(
            st.builds("{}{}{}".format, st.text(max_size=5), st.just(PHONE), st.text(max_size=5)),
            st.just(int(PHONE)),
            st.just(TOKEN),
            st.binary(max_size=5).map(lambda some: some + PHONE.encode()),
            st.floats(),
            st.integers(),
        ),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3) | st.just(PHONE), inner),
    )
)
def test_whatever_is_logged_becomes_one_line_of_json_without_what_is_private(value: object) -> None:
    """Any nesting, any letters, any numbers."""
    stream = io.StringIO()
    configure_logs(stream, secrets=[TOKEN])
    try:
        raise ValueError(value)
    except ValueError:
        get_logger("midstream.test").exception("something", value=value)
    assert stream.getvalue().count("\n") == 1
    json.loads(stream.getvalue())
    for private in (PHONE, TOKEN, json.dumps(TOKEN)[1:-1]):
        assert private not in stream.getvalue()


def test_a_traceback_is_censored_with_its_causes_and_its_group(line: Line) -> None:
    """Errors arrive in groups here, and quote what they were given."""
    try:
        try:
            raise KeyError(PHONE)
        except KeyError as error:
            raise ExceptionGroup("several", [ValueError(TOKEN), OSError(WAMID)]) from error
    except ExceptionGroup:
        get_logger("midstream.test").exception("broke")
    shown = line()["exception"]
    assert shown.lstrip(" +|").startswith("Traceback (most recent call last):\n  File ")
    assert "KeyError: '…4567'" in shown
    assert "ValueError: [secret]" in shown
    assert f"OSError: wamid:{hash_id(WAMID)}" in shown
    assert "exc_info" not in line()


def test_a_value_that_cannot_be_shown_is_named_by_its_type(line: Line) -> None:
    """Its own bug must not hide what the line is about."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    loop: list[object] = []
    loop.append(loop)
    get_logger("midstream.test").info("something", broken=Broken(), loop=loop, infinite=float("inf"))
    assert line()["broken"] == "<Broken>"
    assert line()["infinite"] is None


# Events -------------------------------------------------------------------------------------------

EVENTS: list[type[Event]] = [
    one
    for one in vars(engine).values()
    if isinstance(one, type) and issubclass(one, Event) and one is not Event
]
FATES: list[tuple[Fate, dict[str, str]]] = [
    (Answered(Reply(SAID)), {"fate": "answered"}),
    (Superseded(WAMID), {"fate": "superseded", "by": hash_id(WAMID)}),
    (Merged(WAMID), {"fate": "merged", "into": hash_id(WAMID)}),
    (Rejected("too many"), {"fate": "rejected", "reason": "too many"}),
    (Stopped(), {"fate": "stopped"}),
    (Stopped(f"Stopped. Already done: {SAID}."), {"fate": "stopped"}),
    (Ignored("older"), {"fate": "ignored", "reason": "older"}),
    (Failed(f"no {PHONE}"), {"fate": "failed", "reason": "no …4567"}),
]
A_MESSAGE = Message(id=WAMID, user=User(PHONE), text=SAID)
# A value for each field of each event, as private as it may be.
VALUES: dict[Any, Any] = {
    int: 3,
    float: 0.12345678,
    Message: A_MESSAGE,
    Fate: Answered(Reply(SAID)),
    Status: Status.SUCCEEDED,
    UndoStatus: UndoStatus.UNDONE,
    bool: True,
    OutgoingKind: OutgoingKind.REPLY,
    tuple[str, ...]: ("a", "b"),
    tuple[tuple[str, ...], ...]: (("a", "b"), ("c",)),
}
# A user who shows no number: no pattern finds this one, only its field does.
SCOPED_ID = "US.AbCdEfGhIjKl4567"
TEXTS = {"user_id": SCOPED_ID, "message_id": WAMID, "operation_id": OPERATION_ID, "row_id": OPERATION_ID}


def example(event: type[Event]) -> Event:
    fields = attrs.fields(attrs.resolve_types(event))
    return event(
        **{
            field.name: VALUES[field.type]
            if field.type in VALUES
            else TEXTS.get(field.name, f"{TOKEN} of {PHONE} in {WAMID}")
            for field in fields
        }
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_one_line_with_its_name_and_nothing_private(
    event: type[Event], stream: io.StringIO, line: Line
) -> None:
    """Whatever is added to the engine is logged from then on, and as carefully."""
    log_event(example(event))
    assert line()["event"] == event.name
    assert line()["logger"] == "midstream.events"
    # The log is told what the provider spoke of, and not what it said.
    for field in set(attrs.fields(event)) - {attrs.fields(ProviderTold).value}:
        name = "message_id" if field.name == "message" else field.name
        assert name in line()
    assert line().get("user_id", "…4567") == "…4567"
    assert line().get("message_id", hash_id(WAMID)) == hash_id(WAMID)
    assert line().get("operation_id", OPERATION_ID) == OPERATION_ID
    for private in (PHONE, WAMID, SCOPED_ID, TOKEN, SAID, SAID[:7]):
        assert private not in stream.getvalue()


@pytest.mark.parametrize(
    ("fate", "shown"),
    FATES,
    ids=lambda one: one.name if isinstance(one, Fate) else "",
)
def test_a_fate_says_why_and_in_whose_favour_but_not_what_was_replied(
    line: Line, fate: Fate, shown: dict[str, str]
) -> None:
    """The answer is between the user and the assistant."""
    log_event(MessageSettled(user_id=PHONE, message_id=WAMID, fate=fate))
    extra = {key: one for key, one in line().items() if key not in ("timestamp", "level", "logger", "event")}
    assert extra == {"user_id": "…4567", "message_id": hash_id(WAMID), **shown}


def call_finished(status: Status) -> CallFinished:
    return CallFinished(
        user_id=PHONE, operation_id="o1", call_id="c1", tool="book", status=status, seconds=1.0, error=None
    )


def call_undone(status: UndoStatus) -> CallUndone:
    return CallUndone(
        user_id=PHONE, operation_id="o1", call_id="c1", tool="book", status=status, seconds=1.0, error=None
    )


def rejected(limit: str) -> MessageRejected:
    return MessageRejected(user_id=PHONE, message_id=WAMID, limit=limit)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (example(SessionStarted), "info"),
        (example(SessionCompleted), "info"),
        (example(SessionFailed), "error"),
        (example(StoreFailed), "error"),
        (example(OutgoingBlocked), "error"),
        (example(OutgoingGivenUp), "warning"),
        (call_finished(Status.SUCCEEDED), "info"),
        (call_finished(Status.SKIPPED), "info"),
        (call_finished(Status.FAILED), "warning"),
        (call_finished(Status.TIMED_OUT), "warning"),
        (call_finished(Status.CUT_OFF), "warning"),
        (call_finished(Status.UNKNOWN), "warning"),
        (call_undone(UndoStatus.UNDONE), "info"),
        (call_undone(UndoStatus.FAILED), "warning"),
        (call_undone(UndoStatus.TIMED_OUT), "warning"),
        (example(PolicyFailed), "error"),
        (example(MessageDeferred), "info"),
        (rejected("policy"), "info"),
        (rejected("waiting_messages_max"), "warning"),
        (MessageSettled(user_id=PHONE, message_id=WAMID, fate=Stopped()), "info"),
        (MessageSettled(user_id=PHONE, message_id=WAMID, fate=Failed("why")), "warning"),
    ],
    ids=lambda one: one.name if isinstance(one, Event) else one,
)
def test_the_level_says_who_should_look(line: Line, event: Event, level: str) -> None:
    """Error: something must be mended.  Warning: one user did not get what was due."""
    log_event(event)
    assert line()["level"] == level


def test_it_is_a_hook_for_the_engines_events(line: Line) -> None:
    """Durations are short to read; what is nested stays so."""
    events = Events()
    events.subscribe(log_event)
    waves = (("where", "which"), ("when",))
    events.emit(PlanAccepted(user_id=PHONE, operation_id=OPERATION_ID, round=0, waves=waves))
    assert line()["waves"] == [["where", "which"], ["when"]]
    log_event(example(SessionCompleted))


def test_durations_are_rounded_to_microseconds(line: Line) -> None:
    """More is noise."""
    log_event(example(SessionCompleted))
    assert line()["duration"] == 0.123457
