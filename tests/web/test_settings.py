"""Right settings are what they say; every wrong one is one line that names the variable and keeps secrets."""

import itertools
import math
import os
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import POLICIES, Limits, built_in, with_acknowledgement
from engine.replies import TemplateBody
from web.settings import VARIABLES, Settings, SettingsError, load_settings, read_environment

# Made up, each with what a secret may hold and a carelessly written line would show.
CREDENTIALS = {
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
    "WHATSAPP_ACCESS_TOKEN": "EAAG$TOKEN{x}'quoted'",
    "WHATSAPP_APP_SECRET": "app secret with blanks",
    "WHATSAPP_VERIFY_TOKEN": "verify#me",
}
SECRETS = [value for name, value in CREDENTIALS.items() if name != "WHATSAPP_PHONE_NUMBER_ID"]


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have an assistant of their own."""
    for name in list(os.environ):
        if name.startswith(("MIDSTREAM_", "WHATSAPP_")):
            monkeypatch.delenv(name)


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "the cause may hold a value"
    return line


# What nothing gives -------------------------------------------------------------------------------


def test_without_any_variable_it_is_local_mode_with_the_documented_defaults() -> None:
    """`make run` needs no setting."""
    settings = load_settings({"HOME": "/root", "PATH": "/bin"})
    assert settings.is_local
    assert (settings.assistant, settings.policy) == ("almanac", "interrupt")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_path == Path("midstream.db")
    assert settings.languages == built_in()
    assert settings.languages.texts["en"].acknowledgement == "Got it! Switching to your new request..."
    assert settings.languages.texts["es"].acknowledgement == "¡Entendido! Paso a tu nueva petición..."
    assert settings.pace_seconds == 1
    assert settings.limits == Limits()


def test_local_credentials_are_made_up_anew_at_each_start() -> None:
    """Nobody can know them, so nobody else can sign; where replies go is known when the server listens."""
    one, other = (load_settings({}).whatsapp.numbers[0] for _ in range(2))
    made_up = {one.access_token, one.app_secret, one.verify_token}
    made_up |= {other.access_token, other.app_secret, other.verify_token}
    assert len(made_up) == 6
    assert all(len(secret) >= 32 for secret in made_up)
    assert one.phone_number_id == other.phone_number_id
    assert one.phone_number_id.isdigit()
    assert load_settings({}).whatsapp.graph_url == ""


def test_chance_enters_through_one_door() -> None:
    """A test knows the credentials."""
    numbers = itertools.count(1)
    [number] = load_settings({}, new_secret=lambda: f"secret{next(numbers)}").whatsapp.numbers
    assert (number.access_token, number.app_secret, number.verify_token) == (
        "secret1",
        "secret2",
        "secret3",
    )


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_an_empty_variable_is_as_good_as_none(name: str) -> None:
    """Templates of `.env` leave names with nothing behind them; only the acknowledgement differs."""
    settings = load_settings({name: ""}, new_secret=lambda: "s")
    expected = load_settings({}, new_secret=lambda: "s")
    if name == "MIDSTREAM_ACKNOWLEDGEMENT":
        expected = attrs.evolve(expected, languages=with_acknowledgement(""))
    assert settings == expected


def test_every_variable_has_a_meaning_and_its_default_is_what_it_is_without() -> None:
    """The reference is written from these."""
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES) == 33
    assert all(variable.meaning for variable in VARIABLES)
    defaults = {variable.name: variable.default for variable in VARIABLES if variable.default is not None}
    assert load_settings({**defaults, **CREDENTIALS}) == load_settings(CREDENTIALS)


# What is given ------------------------------------------------------------------------------------


def test_what_is_given_is_what_there_is(tmp_path: Path) -> None:
    """Every variable at once, in production."""
    texts = tmp_path / "texts.toml"
    texts.write_text('[es]\nstopped = "Vale."\n')
    settings = load_settings(
        {
            **CREDENTIALS,
            "WHATSAPP_GRAPH_URL": "https://graph.example.org/v27.0/",
            "WHATSAPP_THROUGHPUT": "1000",
            "WHATSAPP_WINDOW_TEMPLATE": "answer_ready:en_US",
            "MIDSTREAM_ASSISTANT": "my_bot:assistant",
            "MIDSTREAM_DATABASE": "sqlite:////var/lib/midstream/messages.db",
            "MIDSTREAM_BIND": "0.0.0.0:80",
            "MIDSTREAM_POLICY": "steer",
            "MIDSTREAM_DEBOUNCE_SECONDS": "0.5",
            "MIDSTREAM_DEBOUNCE_SECONDS_MAX": "5",
            "MIDSTREAM_INTERRUPTIONS_MAX": "3",
            "MIDSTREAM_ASKING": "text, reaction",
            "MIDSTREAM_STALE_SECONDS": "90",
            "MIDSTREAM_TAKEOVER_SECONDS": "0",
            "MIDSTREAM_OPERATION_SECONDS_MAX": "120",
            "MIDSTREAM_ACKNOWLEDGEMENT_SECONDS_MIN": "1.5",
            "MIDSTREAM_TEXTS": str(texts),
            "MIDSTREAM_WAVE_SECONDS_MAX": "12.5",
            "MIDSTREAM_GRACE_SECONDS": "0",
            "MIDSTREAM_SETTLE_SECONDS": "1e1",
            "MIDSTREAM_ACKNOWLEDGEMENT": "Moment …",
            "MIDSTREAM_PACE_SECONDS": "0.25",
        }
    )
    assert not settings.is_local
    assert settings.whatsapp.graph_url == "https://graph.example.org/v27.0"
    assert settings.whatsapp.numbers[0].access_token == CREDENTIALS["WHATSAPP_ACCESS_TOKEN"]
    assert settings.whatsapp.numbers[0].app_secret == CREDENTIALS["WHATSAPP_APP_SECRET"]
    assert settings.whatsapp.numbers[0].verify_token == CREDENTIALS["WHATSAPP_VERIFY_TOKEN"]
    assert settings.whatsapp.numbers[0].phone_number_id == CREDENTIALS["WHATSAPP_PHONE_NUMBER_ID"]
    assert settings.assistant == "my_bot:assistant"
    assert settings.database_path == Path("/var/lib/midstream/messages.db")
    assert (settings.host, settings.port) == ("0.0.0.0", 80)  # noqa: S104
    assert settings.policy == "steer"
    assert settings.limits == Limits(
        debounce_seconds=0.5,
        debounce_seconds_max=5,
        interruptions_max=3,
        stale_seconds=90,
        takeover_seconds=0,
        operation_seconds_max=120,
        acknowledgement_seconds_min=1.5,
        wave_seconds_max=12.5,
        grace_seconds=0,
        settle_seconds=10,
        pair_seconds=6,
        sends_per_second_max=1000,
        window_seconds=86_400,
        send_seconds_max=400,
    )
    assert settings.asking == {"text", "reaction"}
    assert settings.window_template == TemplateBody("answer_ready", "en_US")
    assert settings.languages.texts["fr"].acknowledgement == "Moment …"
    assert settings.languages.texts["es"].stopped == "Vale."
    assert settings.pace_seconds == 0.25


def test_with_credentials_it_is_metas_api_and_no_pace() -> None:
    """Nobody waits on purpose in production."""
    settings = load_settings(CREDENTIALS)
    assert settings.whatsapp.graph_url == "https://graph.facebook.com/v26.0"
    assert settings.limits.sends_per_second_max == 80
    assert settings.pace_seconds == 0


def test_no_secret_is_in_what_settings_look_like() -> None:
    """They end up in tracebacks and in the output of a failed test."""
    assert not any(secret in repr(load_settings(CREDENTIALS)) for secret in SECRETS)
    local = load_settings({}, new_secret=lambda: "made-up")
    assert "made-up" not in repr(local)


def test_settings_cannot_be_changed() -> None:
    """What was checked stays what was checked."""
    settings: Settings = load_settings({})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


# Credentials --------------------------------------------------------------------------------------


SOME_OF_THEM = [
    names for count in range(1, len(CREDENTIALS)) for names in itertools.combinations(CREDENTIALS, count)
]


@pytest.mark.parametrize("given_names", SOME_OF_THEM, ids="+".join)
def test_half_given_credentials_name_what_is_missing(given_names: tuple[str, ...]) -> None:
    """Neither local mode by accident nor a server that can receive and not send."""
    line = refusal(**{name: CREDENTIALS[name] for name in given_names})
    missing, _ = line.split(": not set", 1)
    assert missing.split(", ") == sorted(set(CREDENTIALS) - set(given_names))
    assert not any(secret in line for secret in SECRETS)


def test_a_graph_url_that_local_mode_would_ignore_is_refused() -> None:
    """Whoever gives one means it to be used."""
    line = refusal(WHATSAPP_GRAPH_URL="https://a.b/v1.0")
    assert "not set" in line
    assert all(credential in line for credential in CREDENTIALS)


@pytest.mark.parametrize(
    ("name", "value"), [("WHATSAPP_THROUGHPUT", "9"), ("WHATSAPP_WINDOW_TEMPLATE", "answer_ready:en")]
)
def test_what_is_said_of_the_sending_is_refused_in_local_mode(name: str, value: str) -> None:
    """Its phone takes everything, whenever."""
    assert refusal(**{name: value}) == (
        f"{name}: local mode has no use for it; the four credentials of WhatsApp are given all together,"
        " or (for local mode) no variable that begins with WHATSAPP_"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WHATSAPP_PHONE_NUMBER_ID", "+4915112345678"),
        ("WHATSAPP_PHONE_NUMBER_ID", "١٢٣"),
        ("WHATSAPP_PHONE_NUMBER_ID", "106540352242922\n"),
        ("WHATSAPP_ACCESS_TOKEN", "EAAG two"),
        ("WHATSAPP_ACCESS_TOKEN", "EAAGtail\n"),
        ("WHATSAPP_ACCESS_TOKEN", "EAAGä"),
        ("WHATSAPP_APP_SECRET", "s3cret\n"),
        ("WHATSAPP_APP_SECRET", " s3cret"),
        ("WHATSAPP_APP_SECRET", "   "),
        ("WHATSAPP_VERIFY_TOKEN", "s3crét"),
        ("WHATSAPP_VERIFY_TOKEN", "s3cret\0"),
        ("WHATSAPP_VERIFY_TOKEN", "s3cret\udcff"),
    ],
)
def test_a_credential_that_cannot_work_is_refused_without_showing_it(name: str, value: str) -> None:
    """Also the wrong one in the wrong place: nothing that stands in a credential is quoted."""
    line = refusal(**{**CREDENTIALS, name: value})
    assert line.startswith(f"{name}: ")
    assert value.strip() == "" or value.strip() not in line


@given(st.text(st.sampled_from("aZ09~!$ \t\n\r\x7f\x80äß\u2028😀"), min_size=1))
def test_a_token_is_accepted_exactly_when_a_header_can_carry_it(token: str) -> None:
    """The client would refuse any other when the server is up already."""
    try:
        accepted = (
            load_settings({**CREDENTIALS, "WHATSAPP_ACCESS_TOKEN": token}).whatsapp.numbers[0].access_token
        )
    except SettingsError:
        assert not all("!" <= one <= "~" for one in token)
    else:
        assert accepted == token
        assert all("!" <= one <= "~" for one in token)


def test_several_numbers_share_what_is_given_once() -> None:
    """One app, one system user: only the numbers differ."""
    given = {**CREDENTIALS, "WHATSAPP_PHONE_NUMBER_ID": "1065, 2065"}
    numbers = load_settings(given).whatsapp.numbers
    assert [each.phone_number_id for each in numbers] == ["1065", "2065"]
    for each in numbers:
        assert each.access_token == CREDENTIALS["WHATSAPP_ACCESS_TOKEN"]
        assert each.app_secret == CREDENTIALS["WHATSAPP_APP_SECRET"]
        assert each.verify_token == CREDENTIALS["WHATSAPP_VERIFY_TOKEN"]


def test_several_numbers_may_have_credentials_of_their_own() -> None:
    """By their places in the lists; none of them is shown, each is kept out of the logs."""
    settings = load_settings(
        {
            "WHATSAPP_PHONE_NUMBER_ID": "1065,2065",
            "WHATSAPP_ACCESS_TOKEN": "token1,token2",
            "WHATSAPP_APP_SECRET": "secret1,secret2",
            "WHATSAPP_VERIFY_TOKEN": "verify",
        }
    )
    assert [(each.access_token, each.app_secret) for each in settings.whatsapp.numbers] == [
        ("token1", "secret1"),
        ("token2", "secret2"),
    ]
    assert set(settings.secrets) == {"token1", "token2", "secret1", "secret2", "verify"}
    assert not any(secret in repr(settings) for secret in settings.secrets)


def test_of_one_number_a_credential_may_hold_a_comma() -> None:
    """What people make up is theirs."""
    numbers = load_settings({**CREDENTIALS, "WHATSAPP_VERIFY_TOKEN": "one,two"}).whatsapp.numbers
    assert [each.verify_token for each in numbers] == ["one,two"]


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("WHATSAPP_ACCESS_TOKEN", "t1,t2", 2),
        ("WHATSAPP_APP_SECRET", "s1,s2,s3,s4", 4),
        ("WHATSAPP_VERIFY_TOKEN", "v1,,v3", 3),
    ],
)
def test_credentials_that_do_not_fit_the_numbers_are_refused(name: str, value: str, count: int) -> None:
    """Whose is whose could only be guessed; none is quoted."""
    assert refusal(**{**CREDENTIALS, "WHATSAPP_PHONE_NUMBER_ID": "1,2,3", name: value}) == (
        f"{name}: holds {count} for 3 numbers, or an empty one;"
        " give one for all, or one for each, separated by commas"
    )


def test_a_number_that_is_named_twice_is_refused() -> None:
    """A slip in a list."""
    assert refusal(**{**CREDENTIALS, "WHATSAPP_PHONE_NUMBER_ID": "1,2,1"}) == (
        "WHATSAPP_PHONE_NUMBER_ID: names a number twice; leave one of them out"
    )


# The Graph URL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.facebook.com/v26.0",
        "https://proxy.example.org:8443/meta/v26.0",
        "https://192.0.2.1/v26.0",
        "https://[2001:db8::1]/v26.0",
        "http://127.0.0.1:9000/v26.0",
        "http://127.8.8.8/graph/v26.0",
        "http://[::1]:9000/v26.0",
        "http://localhost:9000/v26.0",
        "http://LOCALHOST/v26.0",
    ],
)
def test_a_graph_url_is_https_or_on_this_machine(url: str) -> None:
    """Loopback: a fake of the API, or a proxy beside us."""
    assert load_settings({**CREDENTIALS, "WHATSAPP_GRAPH_URL": url}).whatsapp.graph_url == url


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("graph.facebook.com/v26.0", "http or https"),
        ("ftp://graph.facebook.com/v26.0", "http or https"),
        ("https:///v26.0", "with a host"),
        ("https://:443/v26.0", "with a host"),
        ("https://graph.facebook.com:99999/v26.0", "with a host"),
        ("https://graph.facebook.com:x/v26.0", "with a host"),
        ("https://[::1/v26.0", "with a host"),
        ("https://[127.0.0.1]/v26.0", "with a host"),
        ("https://[::1%25lo]/v26.0", "with a host"),
        ("https://256.1.1.1/v26.0", "with a host"),
        ("https://graph face/v26.0", "with a host"),
        ("https://graph.\nfacebook.com/v26.0", "with a host"),
        ("https://gräph.example.org/v26.0", "with a host"),
        ("https://graph.facebook.com\\.example.org/v26.0", "with a host"),
        ("https://user:hunter2@graph.facebook.com/v26.0", "no user"),
        ("https://graph.facebook.com/v26.0?access_token=hunter2", "query"),
        ("https://graph.facebook.com/v26.0#hunter2", "fragment"),
        ("https://graph.facebook.com", "version"),
        ("https://graph.facebook.com/", "version"),
        ("https://graph.facebook.com/26.0", "version"),
        ("https://graph.facebook.com/v26", "version"),
        ("https://graph.facebook.com/v26.0/messages", "version"),
        ("https://graph.facebook.com//v26.0", "version"),
        ("http://graph.facebook.com/v26.0", "must be https"),
        ("http://127.0.0.1.example.org/v26.0", "must be https"),
        ("http://localhost.example.org/v26.0", "must be https"),
        ("http://0.0.0.0/v26.0", "must be https"),
    ],
)
def test_any_other_graph_url_is_refused(url: str, remedy: str) -> None:
    """The token goes there with every message, so it must be the right place and nobody may listen."""
    line = refusal(**CREDENTIALS, WHATSAPP_GRAPH_URL=url)
    assert line.startswith("WHATSAPP_GRAPH_URL: ")
    assert remedy in line
    assert "hunter2" not in line


PIECES = [
    "https",
    "http",
    "://",
    ":",
    "/",
    "[",
    "]",
    "::1",
    "127.0.0.1",
    ".",
    "a",
    "-",
    "_",
    "1",
    "256",
    "%25",
    "@",
]
PIECES += ["v26.0", "localhost", "//", "?", "#", "\\", " ", "xn--", "ä"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("https://256.1.1.1/v26.0")
@example("https://[127.0.0.1]/v26.0")
def test_a_graph_url_that_is_accepted_is_understood_alike_by_the_client(raw: str) -> None:
    """Two readers that differ about the host would send the token to the wrong one."""
    for url in (raw, f"https://{raw}/v26.0"):
        try:
            accepted = load_settings({**CREDENTIALS, "WHATSAPP_GRAPH_URL": url}).whatsapp.graph_url
        except SettingsError:
            continue
        understood = httpx2.URL(f"{accepted}/1/messages")
        assert understood.host == urlsplit(accepted).hostname
        assert not understood.userinfo
        assert understood.scheme == "https" or understood.host in ("localhost", "127.0.0.1", "::1")


@pytest.mark.parametrize("raw", ["0", "-1", "1.5", "80/s", "1e3", "10001", "9" * 5000, "٣"])
def test_a_throughput_is_a_whole_number_that_a_number_can_have(raw: str) -> None:
    """Messages a second; at ten thousand nobody is there yet."""
    assert refusal(**CREDENTIALS, WHATSAPP_THROUGHPUT=raw).startswith(
        "WHATSAPP_THROUGHPUT: must be a whole number"
    )


# Where it listens ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "host", "port"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("127.1.2.3:65535", "127.1.2.3", 65535),
        ("[::1]:8080", "::1", 8080),
        ("localhost:8080", "localhost", 8080),
        ("LocalHost:8080", "LocalHost", 8080),
    ],
)
def test_local_mode_listens_on_the_loopback(raw: str, host: str, port: int) -> None:
    """With a free port, if asked for."""
    settings = load_settings({"MIDSTREAM_BIND": raw})
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize(
    "raw", ["0.0.0.0:80", "[::]:80", "192.168.1.2:80", "example.org:80", "127.0.0.1.example.org:80"]
)
def test_local_mode_listens_on_nothing_else(raw: str) -> None:
    """Its page needs no password.  What is not plainly the loopback might be resolved to anything."""
    line = refusal(MIDSTREAM_BIND=raw)
    assert line.startswith("MIDSTREAM_BIND: ")
    assert "loopback" in line
    assert load_settings({**CREDENTIALS, "MIDSTREAM_BIND": raw}).port == 80


@pytest.mark.parametrize(
    "raw",
    [
        "127.0.0.1",
        "8080",
        ":8080",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:999999",
        "127.0.0.1:٨٠",
        "::1:8080",
        "[::1]",
        "[]:8080",
        "[localhost]:8080",
        "[127.0.0.1]:8080",
        "[::1%lo]:8080",
        "127.1:8080",
        "2130706433:8080",
        "127.0.0.256:8080",
        "http://127.0.0.1:8080",
        "local host:8080",
        "-x:8080",
        "a..b:8080",
        "a" * 64 + ":8080",
        "127.0.0.1:8080\n",
    ],
)
def test_any_other_address_is_refused(raw: str) -> None:
    """An address without a host is one too: `every interface` is asked for by its name."""
    line = refusal(**CREDENTIALS, MIDSTREAM_BIND=raw)
    assert line.startswith("MIDSTREAM_BIND: ")
    assert len(line) < 200


# The rest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "midstream.db",
        "sqlite://midstream.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///midstream.db?mode=memory",
        "memory:",
        "postgresql://me:hunter2@db.example.org/midstream",
        "SQLITE:///midstream.db",
    ],
)
def test_a_database_is_a_file_of_sqlite(url: str) -> None:
    """Everything accepted is durable; the URL of a server, with its password, is not shown."""
    line = refusal(MIDSTREAM_DATABASE=url)
    assert line.startswith("MIDSTREAM_DATABASE: ")
    assert "hunter2" not in line


@pytest.mark.parametrize("policy", ["interrupt", "enqueue", "reject", "rollback", "steer"])
def test_every_policy_of_the_engine_can_be_chosen(policy: str) -> None:
    """The engine's table is the list."""
    assert policy in POLICIES
    assert load_settings({"MIDSTREAM_POLICY": policy}).policy == policy


def test_an_unknown_policy_names_those_there_are() -> None:
    """A very long one is not repeated to the end."""
    line = refusal(MIDSTREAM_POLICY="Interrupt" * 100)
    assert line.endswith(" is no policy; there are: interrupt, rollback, enqueue, reject, steer")
    assert len(line) < 200


@pytest.mark.parametrize(
    "name",
    [
        "MIDSTREAM_WAVE_SECONDS_MAX",
        "MIDSTREAM_GRACE_SECONDS",
        "MIDSTREAM_SETTLE_SECONDS",
        "MIDSTREAM_PACE_SECONDS",
        "MIDSTREAM_DEBOUNCE_SECONDS",
        "MIDSTREAM_DEBOUNCE_SECONDS_MAX",
        "MIDSTREAM_OPERATION_SECONDS_MAX",
        "MIDSTREAM_ACKNOWLEDGEMENT_SECONDS_MIN",
    ],
)
@pytest.mark.parametrize(
    "raw", ["nan", "inf", "-inf", "1e400", "-1", "-0.001", "86400.1", "1 minute", "1,5", "0x10"]
)
def test_seconds_are_finite_and_within_a_day(name: str, raw: str) -> None:
    """A clock would take some of these and wait for ever."""
    line = refusal(**{name: raw})
    assert line.startswith(f"{name}: must be a number of seconds")


@pytest.mark.parametrize(
    "name", ["MIDSTREAM_WAVE_SECONDS_MAX", "MIDSTREAM_SETTLE_SECONDS", "MIDSTREAM_OPERATION_SECONDS_MAX"]
)
@pytest.mark.parametrize("raw", ["0", "-0", "1e-400"])
def test_a_wave_an_operation_and_a_settlement_take_some_time(name: str, raw: str) -> None:
    """With a bound of 0 no wave could ever do anything."""
    assert "more than 0" in refusal(**{name: raw})


def test_grace_and_pace_may_be_none() -> None:
    """Zero is a choice there."""
    settings = load_settings({"MIDSTREAM_GRACE_SECONDS": "0", "MIDSTREAM_PACE_SECONDS": "0"})
    assert (settings.limits.grace_seconds, settings.pace_seconds) == (0, 0)


@pytest.mark.parametrize(
    ("seconds", "most"), [("0", "0"), ("0.5", "0.5"), ("10", ""), ("30", "30.0"), ("0", "10")]
)
def test_a_debounce_is_no_longer_than_its_bound(seconds: str, most: str) -> None:
    """As long is the same as counting from the first message."""
    limits = load_settings(
        {"MIDSTREAM_DEBOUNCE_SECONDS": seconds, "MIDSTREAM_DEBOUNCE_SECONDS_MAX": most}
    ).limits
    assert (limits.debounce_seconds, limits.debounce_seconds_max) == (float(seconds), float(most or 10))


@pytest.mark.parametrize(
    ("seconds", "most", "line"),
    [
        (
            "0.5",
            "0.25",
            "MIDSTREAM_DEBOUNCE_SECONDS_MAX: must be at least 0.5, which MIDSTREAM_DEBOUNCE_SECONDS is,"
            " not 0.25",
        ),
        (
            "20",
            "",
            "MIDSTREAM_DEBOUNCE_SECONDS_MAX: must be at least 20, which MIDSTREAM_DEBOUNCE_SECONDS is,"
            " not 10",
        ),
    ],
)
def test_a_debounce_longer_than_its_bound_is_refused(seconds: str, most: str, line: str) -> None:
    """It would never be waited out; the line names both, since either may be the mistake."""
    assert refusal(MIDSTREAM_DEBOUNCE_SECONDS=seconds, MIDSTREAM_DEBOUNCE_SECONDS_MAX=most) == line


@pytest.mark.parametrize("raw", ["0", "-1", "1.5", "ten", "1e1", "1000001", "9" * 5000, "٣"])
def test_interruptions_are_counted_in_whole_numbers(raw: str) -> None:
    """From one on: with none nobody could change their mind."""
    line = refusal(MIDSTREAM_INTERRUPTIONS_MAX=raw)
    assert line.startswith("MIDSTREAM_INTERRUPTIONS_MAX: must be a whole number, 1 to 1000000, not ")
    assert len(line) < 200


@pytest.mark.parametrize("raw", ["1", "010", "1000000"])
def test_interruptions_may_be_any_number_from_one_on(raw: str) -> None:
    """A very large one is as good as no bound."""
    assert load_settings({"MIDSTREAM_INTERRUPTIONS_MAX": raw}).limits.interruptions_max == int(raw)


# What is said -------------------------------------------------------------------------------------


def test_an_acknowledgement_fits_into_one_message() -> None:
    """WhatsApp takes 4,096 characters."""
    longest = "ä" * 4096
    languages = load_settings({"MIDSTREAM_ACKNOWLEDGEMENT": longest}).languages
    assert {texts.acknowledgement for texts in languages.texts.values()} == {longest}
    assert "4096" in refusal(MIDSTREAM_ACKNOWLEDGEMENT=longest + "!")


@pytest.mark.parametrize("raw", [" ", "\n\t", "a\0b", "caf\udce9"])
def test_an_acknowledgement_can_be_sent(raw: str) -> None:
    """Blanks alone, a NUL and bytes that are no text would be refused at each interruption."""
    assert refusal(MIDSTREAM_ACKNOWLEDGEMENT=raw).startswith("MIDSTREAM_ACKNOWLEDGEMENT: holds ")


def texts_file(directory: Path, text: str) -> str:
    path = directory / "texts.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_texts_stands_over_what_is_built_in(tmp_path: Path) -> None:
    """What it does not say stays as it is; words that stop are its language's only ones."""
    path = texts_file(
        tmp_path,
        'language = "es"\n'
        '[es]\nstopped = "Vale, lo dejo."\nstop_words = ["alto"]\n'
        '[eo]\nacknowledgement = "Bone!"\n',
    )
    languages = load_settings({"MIDSTREAM_TEXTS": path}).languages
    assert languages.default == "es"
    assert languages.texts["es"] == attrs.evolve(built_in().texts["es"], stopped="Vale, lo dejo.")
    assert languages.texts["eo"] == attrs.evolve(built_in().texts["en"], acknowledgement="Bone!")
    assert languages.texts["de"] == built_in().texts["de"]
    words = {word: languages.stop_language(word) for word in ("¡Alto!", "para", "stop")}
    assert words == {"¡Alto!": "es", "para": None, "stop": "en"}


def test_a_file_of_texts_stands_over_the_acknowledgement_of_all_languages(tmp_path: Path) -> None:
    """It can say so in one of them; also where nothing is to be said in the others."""
    path = texts_file(tmp_path, '[es]\nacknowledgement = "Vale."\n')
    for everywhere in ("Moment …", ""):
        settings = load_settings({"MIDSTREAM_TEXTS": path, "MIDSTREAM_ACKNOWLEDGEMENT": everywhere})
        said = {name: texts.acknowledgement for name, texts in settings.languages.texts.items()}
        assert said.pop("es") == "Vale."
        assert set(said.values()) == {everywhere}


def test_a_file_of_texts_is_looked_for_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the database is; and editors may put a mark at its beginning."""
    texts_file(tmp_path, '\ufeff[en]\nstopped = "Halted."\n')
    monkeypatch.chdir(tmp_path)
    languages = load_settings({"MIDSTREAM_TEXTS": "texts.toml"}).languages
    assert languages.texts["en"].stopped == "Halted."


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("[en\n", "is not TOML: "),
        ('[en]\nstoped = "a"\n', "[en] stoped: there is no such text; there are: acknowledgement, "),
        ('[en]\nstopped = ""\n', "[en] stopped: must not be empty"),
        ('["e\\nn\\u2028"]\nstopped = ""\n', "[e n ] stopped: must not be empty"),
        ('language = "xx"\n', "language = 'xx': there are no texts of it"),
    ],
)
def test_a_file_of_texts_that_is_wrong_is_refused_in_one_line(
    tmp_path: Path, content: str, wrong: str
) -> None:
    """It names the variable, the file, the language and the text."""
    path = texts_file(tmp_path, content)
    assert refusal(MIDSTREAM_TEXTS=path).startswith(f"MIDSTREAM_TEXTS: {path!r} {wrong}")


def test_a_file_of_texts_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Its name is shown as it was given."""
    line = refusal(MIDSTREAM_TEXTS="no such\nfile.toml")
    assert line == "MIDSTREAM_TEXTS: 'no such\\nfile.toml' cannot be read: No such file or directory"
    line = refusal(MIDSTREAM_TEXTS=str(tmp_path))
    assert line == f"MIDSTREAM_TEXTS: {str(tmp_path)!r} cannot be read: Is a directory"


def test_a_file_of_texts_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """The usual reason: an editor that wrote it in another encoding."""
    path = tmp_path / "texts.toml"
    path.write_bytes('[es]\nstopped = "Está bien."\n'.encode("latin-1"))
    line = refusal(MIDSTREAM_TEXTS=str(path))
    assert line == f"MIDSTREAM_TEXTS: {str(path)!r} is not UTF-8 text; write it anew"


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MIDSTREAM_ACKNOWLEDGMENT", "MIDSTREAM_ACKNOWLEDGEMENT"),
        ("MIDSTREAM_PACE_SECOND", "MIDSTREAM_PACE_SECONDS"),
        ("WHATSAPP_TOKEN", "WHATSAPP_VERIFY_TOKEN"),
        ("midstream_bind", "MIDSTREAM_BIND"),
        ("WHATSAPP_", ""),
        ("MIDSTREAM_XYZZY_PLUGH", ""),
    ],
)
@pytest.mark.parametrize("value", ["hunter2", ""])
def test_a_misspelt_variable_is_refused_and_the_closest_named(name: str, meant: str, value: str) -> None:
    """Not used and not said would be worse; `MIDSTREAM_ACKNOWLEDGMENT=` is meant as much as any other."""
    line = refusal(**{name: value})
    assert line.startswith(f"{name}: there is no such setting; the closest is ")
    assert line.endswith(meant)
    assert "hunter2" not in line


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
@given(value=st.text(st.characters()) | st.text(st.sampled_from("0123456789.:/[]%-+eE_ ")))
@example(value="https://[::1/v26.0")
def test_whatever_a_variable_holds_there_are_settings_or_one_line(name: str, value: str) -> None:
    """Never a traceback, which would show what else there is."""
    line = f"{name} is right"
    try:
        load_settings({**CREDENTIALS, name: value})
    except SettingsError as error:
        line = str(error)
    assert name in line
    assert line.splitlines() == [line]
    assert not any(secret in line for secret in SECRETS)


# The .env file ------------------------------------------------------------------------------------


def test_the_environment_stands_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call can try something else."""
    (tmp_path / ".env").write_text("MIDSTREAM_BIND=127.0.0.1:1\nMIDSTREAM_PACE_SECONDS=3\n")
    monkeypatch.setenv("MIDSTREAM_BIND", "127.0.0.1:2")
    settings = load_settings(read_environment(tmp_path))
    assert (settings.port, settings.pace_seconds) == (2, 3)


def test_no_file_is_no_error(tmp_path: Path) -> None:
    """Everything may come from the environment."""
    assert read_environment(tmp_path) == dict(os.environ)


def test_the_environment_itself_is_left_alone(tmp_path: Path) -> None:
    """Tools and libraries do not get what is meant for us."""
    (tmp_path / ".env").write_text("WHATSAPP_APP_SECRET=s3cret\n")
    assert "WHATSAPP_APP_SECRET" in read_environment(tmp_path)
    assert "WHATSAPP_APP_SECRET" not in os.environ


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=a$HOME${HOME}b", "a$HOME${HOME}b"),
        ('NAME="a$HOME"', "a$HOME"),
        ("NAME='a # b'", "a # b"),
        ("NAME=a#b", "a#b"),
        ("NAME=a # a comment", "a"),
        ("export NAME=a", "a"),
        ("NAME=", ""),
        ("NAME=äöü", "äöü"),
        ("\ufeffNAME=a\r", "a"),
    ],
)
def test_values_are_taken_as_they_stand(tmp_path: Path, line: str, value: str) -> None:
    """A secret may hold a `$` or a `#`; editors may add a mark at the beginning or another line end."""
    (tmp_path / ".env").write_bytes(f"{line}\nOTHER=1\n".encode())
    environment = read_environment(tmp_path)
    assert environment["NAME"] == value
    assert environment["OTHER"] == "1"


def test_a_name_alone_sets_nothing(tmp_path: Path) -> None:
    """As in a shell; nor do comments and blank lines."""
    (tmp_path / ".env").write_text("# ours\n\nexport NAME_OF_NOTHING\n")
    assert "NAME_OF_NOTHING" not in read_environment(tmp_path)


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """By its number, for it may hold a secret.  Leaving it out would leave a setting out."""
    (tmp_path / ".env").write_text("# first\nWHATSAPP_APP_SECRET='hunter2\n")
    with pytest.raises(SettingsError, match=r"\.env: line 2 is not NAME=value") as caught:
        read_environment(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Nothing of it is shown, in the cause neither."""
    (tmp_path / ".env").write_bytes(b"WHATSAPP_APP_SECRET=hunter2\xff\n")
    with pytest.raises(SettingsError, match="not UTF-8") as caught:
        read_environment(tmp_path)
    assert caught.value.__suppress_context__


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """It was meant to be read."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match=r"\.env: cannot be read: Is a directory"):
        read_environment(tmp_path)


# What asks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["text,img", "system", "text,edit", "echo", "TEXT"])
def test_a_kind_that_cannot_be_a_request_is_refused_with_those_that_can(raw: str) -> None:
    """An edit, a revoke, an echo and a word of the system have one meaning only."""
    line = refusal(MIDSTREAM_ASKING=raw)
    assert line.startswith("MIDSTREAM_ASKING: '")
    assert line.endswith(
        " is no kind of message that may be a request; there are: audio, button_reply, contacts, document,"
        " flow_reply, image, list_reply, location, order, reaction, request_welcome, sticker,"
        " template_button, text, unknown, unsupported, video"
    )


def test_a_list_of_nothing_asks_nothing() -> None:
    """Commas alone: a number that only records."""
    assert load_settings({"MIDSTREAM_ASKING": ","}).asking == frozenset()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("answer", "must be a template's name and language, as answer_ready:en, not 'answer'"),
        ("Answer:en", "name: small letters, digits and _ only"),
        ("answer:", "language: must not be empty"),
        ("answer:English", 'language: a code as "en" or "en_US"'),
    ],
)
def test_a_template_that_cannot_be_one_is_refused(raw: str, why: str) -> None:
    """At start, and not a day after the first message."""
    assert refusal(**CREDENTIALS, WHATSAPP_WINDOW_TEMPLATE=raw) == f"WHATSAPP_WINDOW_TEMPLATE: {why}"


def test_local_mode_has_no_window() -> None:
    """Its phone is answered whenever."""
    assert load_settings({}).limits.window_seconds == math.inf


# The doors ----------------------------------------------------------------------------------------

TWILIO = {
    "MIDSTREAM_CHANNEL": "twilio",
    "MIDSTREAM_PUBLIC_URL": "https://bot.example.org/",
    "TWILIO_ACCOUNT_SID": f"AC{'0' * 32}",
    "TWILIO_AUTH_TOKEN": "twilio-token",
    "TWILIO_NUMBER": "+15550001111",
}
DIALOG360 = {
    "MIDSTREAM_CHANNEL": "360dialog",
    "DIALOG360_API_KEY": "dialog-key",
    "DIALOG360_WEBHOOK_SECRET": "dialog-secret",
}


def test_twilio_is_a_door_with_its_own_bounds() -> None:
    """Its texts are shorter; a day after the user wrote only a template may be sent there, too."""
    settings = load_settings(TWILIO)
    assert not settings.is_local
    assert settings.twilio is not None
    assert (settings.twilio.numbers, settings.public_url) == (("15550001111",), "https://bot.example.org")
    assert settings.limits.text_characters_max == 1_600
    assert (settings.limits.pair_seconds, settings.limits.window_seconds) == (6, 86_400)
    assert "twilio-token" not in repr(settings)


def test_360dialog_is_a_door() -> None:
    """Meta's own form, another key."""
    settings = load_settings(DIALOG360)
    assert not settings.is_local
    assert settings.dialog360 is not None
    assert settings.limits.text_characters_max == 4_096
    assert settings.dialog360.platform_secret == ""
    assert settings.secrets[-2:] == ("dialog-key", "dialog-secret")


def test_a_partner_of_360dialogs_has_a_secret_more() -> None:
    """It is shown as little as the others."""
    settings = load_settings({**DIALOG360, "DIALOG360_PLATFORM_SECRET": "dialog-platform"})
    assert settings.dialog360 is not None
    assert settings.dialog360.platform_secret == "dialog-platform"  # noqa: S105
    assert settings.secrets[-1] == "dialog-platform"
    assert not any(secret in repr(settings) for secret in ("dialog-key", "dialog-secret", "dialog-platform"))
    assert refusal(**{**DIALOG360, "DIALOG360_PLATFORM_SECRET": " dialog-platform"}).startswith(
        "DIALOG360_PLATFORM_SECRET: begins or ends with a blank"
    )


def test_a_number_at_360dialog_has_its_pace_and_its_template_as_at_meta() -> None:
    """It is a number of Meta's, which 360dialog passes everything on to."""
    settings = load_settings(
        {**DIALOG360, "WHATSAPP_THROUGHPUT": "1000", "WHATSAPP_WINDOW_TEMPLATE": "answer_ready:en"}
    )
    assert settings.limits.sends_per_second_max == 1000
    assert settings.window_template == TemplateBody("answer_ready", "en")
    assert load_settings(DIALOG360).limits.sends_per_second_max == 80


def test_an_account_at_twilio_may_have_several_numbers() -> None:
    """In the order in which they stand: the first stays the first."""
    twilio = load_settings({**TWILIO, "TWILIO_NUMBER": "+15550002222, whatsapp:+15550001111"}).twilio
    assert twilio is not None
    assert twilio.numbers == ("15550002222", "15550001111")


def test_a_number_at_twilio_has_its_pace() -> None:
    """WhatsApp's of the number, which Twilio keeps as well."""
    assert load_settings({**TWILIO, "WHATSAPP_THROUGHPUT": "40"}).limits.sends_per_second_max == 40


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"MIDSTREAM_CHANNEL": "sms"},
            "MIDSTREAM_CHANNEL: must be one of whatsapp, twilio, 360dialog, not 'sms'",
        ),
        ({"MIDSTREAM_CHANNEL": "twilio"}, "TWILIO_ACCOUNT_SID: not set; MIDSTREAM_CHANNEL is twilio"),
        ({"MIDSTREAM_CHANNEL": "360dialog"}, "DIALOG360_API_KEY: not set; MIDSTREAM_CHANNEL is 360dialog"),
        (
            {**DIALOG360, "MIDSTREAM_CHANNEL": "whatsapp"},
            "DIALOG360_API_KEY: MIDSTREAM_CHANNEL is whatsapp; set it to 360dialog, or leave this out",
        ),
        (
            {**TWILIO, **CREDENTIALS},
            "WHATSAPP_PHONE_NUMBER_ID: MIDSTREAM_CHANNEL is twilio; set it to whatsapp, or leave this out",
        ),
        (
            {**TWILIO, "MIDSTREAM_PUBLIC_URL": ""},
            "MIDSTREAM_PUBLIC_URL: not set; Twilio signs the address that it calls",
        ),
        (
            {**TWILIO, "WHATSAPP_WINDOW_TEMPLATE": "answer_ready:en"},
            "WHATSAPP_WINDOW_TEMPLATE: Twilio sends no template by its name; leave it out",
        ),
        (
            {**TWILIO, "TWILIO_NUMBER": "my number"},
            "TWILIO_NUMBER: must be a phone number with its country's, as +15551234567",
        ),
        (
            {**TWILIO, "TWILIO_NUMBER": "+15550001111, "},
            "TWILIO_NUMBER: must be a phone number with its country's, as +15551234567",
        ),
        (
            {**TWILIO, "TWILIO_NUMBER": "+15550001111,whatsapp:+15550001111"},
            "TWILIO_NUMBER: names a number twice; leave one of them out",
        ),
        (
            {**TWILIO, "TWILIO_ACCOUNT_SID": "12"},
            "TWILIO_ACCOUNT_SID: must be AC and 32 hexadecimal digits: the SID of the account",
        ),
        (
            {**TWILIO, "TWILIO_AUTH_TOKEN": ""},
            "TWILIO_AUTH_TOKEN: not set; TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_NUMBER are given"
            " all together, or not at all",
        ),
    ],
)
def test_a_door_that_is_half_given_or_one_too_many_is_refused(given: dict[str, str], line: str) -> None:
    """One line, by the name of the variable, with the remedy."""
    assert refusal(**given) == line


@pytest.mark.parametrize(
    "raw",
    [
        "bot.example.org",
        "https://",
        "https://[",
        "https://:80",
        "https://bot.example.org:99999",
        " https://bot.example.org",
        "https://bot example.org",
        "https://user:secret@bot.example.org",
        "ftp://bot.example.org",
        "https://b.org/?q=1",
        "https://b.org?",
        "https://b.org#",
    ],
)
def test_a_public_address_is_one_that_can_be_called(raw: str) -> None:
    """It is what Twilio signs, letter for letter."""
    assert refusal(**{**TWILIO, "MIDSTREAM_PUBLIC_URL": raw}) == (
        "MIDSTREAM_PUBLIC_URL: must be an address as https://bot.example.org, without user, query or fragment"
    )


def test_a_public_address_is_not_yet_that_of_the_webhook() -> None:
    """What stands in the Console is longer: whoever copies it would be told `unsigned` for ever."""
    assert refusal(**{**TWILIO, "MIDSTREAM_PUBLIC_URL": "https://b.org/webhook/whatsapp/"}) == (
        "MIDSTREAM_PUBLIC_URL: must be given without /webhook/whatsapp, which is put behind it"
    )


@pytest.mark.parametrize(("door", "name"), [(TWILIO, "TWILIO_AUTH_TOKEN"), (DIALOG360, "DIALOG360_API_KEY")])
def test_what_goes_into_a_header_can_stand_in_one(door: dict[str, str], name: str) -> None:
    """Refused by its name at the start, not by the way out later."""
    assert refusal(**{**door, name: "two words"}).startswith(f"{name}: holds a blank or another character")


@pytest.mark.parametrize(
    ("door", "secrets"), [(TWILIO, {"twilio-token"}), (DIALOG360, {"dialog-key", "dialog-secret"})]
)
def test_the_secrets_of_every_door_are_kept_from_the_log(door: dict[str, str], secrets: set[str]) -> None:
    """As are those of Meta's own, made up or given."""
    assert secrets < set(load_settings(door).secrets)
    assert set(CREDENTIALS.values()) - set(load_settings(CREDENTIALS).secrets) == {
        CREDENTIALS["WHATSAPP_PHONE_NUMBER_ID"]
    }
