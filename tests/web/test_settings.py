"""Right settings are what they say; every wrong one is one line that names the variable and keeps secrets."""

import itertools
import os
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import POLICIES, Limits
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
    assert settings.acknowledgement == "Got it! Switching to your new request..."
    assert settings.pace_seconds == 1
    assert settings.limits == Limits()


def test_local_credentials_are_made_up_anew_at_each_start() -> None:
    """Nobody can know them, so nobody else can sign; where replies go is known when the server listens."""
    one, other = load_settings({}).whatsapp, load_settings({}).whatsapp
    made_up = {one.access_token, one.app_secret, one.verify_token}
    made_up |= {other.access_token, other.app_secret, other.verify_token}
    assert len(made_up) == 6
    assert all(len(secret) >= 32 for secret in made_up)
    assert one.phone_number_id == other.phone_number_id
    assert one.phone_number_id.isdigit()
    assert one.graph_url == ""


def test_chance_enters_through_one_door() -> None:
    """A test knows the credentials."""
    numbers = itertools.count(1)
    whatsapp = load_settings({}, new_secret=lambda: f"secret{next(numbers)}").whatsapp
    assert (whatsapp.access_token, whatsapp.app_secret, whatsapp.verify_token) == (
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
        expected = attrs.evolve(expected, acknowledgement="")
    assert settings == expected


def test_every_variable_has_a_meaning_and_its_default_is_what_it_is_without() -> None:
    """The reference is written from these."""
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES) == 16
    assert all(variable.meaning for variable in VARIABLES)
    defaults = {variable.name: variable.default for variable in VARIABLES if variable.default is not None}
    assert load_settings({**defaults, **CREDENTIALS}) == load_settings(CREDENTIALS)


# What is given ------------------------------------------------------------------------------------


def test_what_is_given_is_what_there_is() -> None:
    """Every variable at once, in production."""
    settings = load_settings(
        {
            **CREDENTIALS,
            "WHATSAPP_GRAPH_URL": "https://graph.example.org/v27.0/",
            "WHATSAPP_THROUGHPUT": "1000",
            "MIDSTREAM_ASSISTANT": "my_bot:assistant",
            "MIDSTREAM_DATABASE": "sqlite:////var/lib/midstream/messages.db",
            "MIDSTREAM_BIND": "0.0.0.0:80",
            "MIDSTREAM_POLICY": "interrupt",
            "MIDSTREAM_DEBOUNCE_SECONDS": "0.0",
            "MIDSTREAM_WAVE_SECONDS_MAX": "12.5",
            "MIDSTREAM_GRACE_SECONDS": "0",
            "MIDSTREAM_SETTLE_SECONDS": "1e1",
            "MIDSTREAM_ACKNOWLEDGEMENT": "Moment …",
            "MIDSTREAM_PACE_SECONDS": "0.25",
        }
    )
    assert not settings.is_local
    assert settings.whatsapp.graph_url == "https://graph.example.org/v27.0"
    assert settings.whatsapp.throughput == 1000
    assert settings.whatsapp.access_token == CREDENTIALS["WHATSAPP_ACCESS_TOKEN"]
    assert settings.whatsapp.app_secret == CREDENTIALS["WHATSAPP_APP_SECRET"]
    assert settings.whatsapp.verify_token == CREDENTIALS["WHATSAPP_VERIFY_TOKEN"]
    assert settings.whatsapp.phone_number_id == CREDENTIALS["WHATSAPP_PHONE_NUMBER_ID"]
    assert settings.assistant == "my_bot:assistant"
    assert settings.database_path == Path("/var/lib/midstream/messages.db")
    assert (settings.host, settings.port) == ("0.0.0.0", 80)  # noqa: S104
    assert settings.limits == Limits(
        wave_seconds_max=12.5,
        grace_seconds=0,
        settle_seconds=10,
        pair_seconds=6,
        sends_per_second_max=1000,
    )
    assert settings.acknowledgement == "Moment …"
    assert settings.pace_seconds == 0.25


def test_with_credentials_it_is_metas_api_and_no_pace() -> None:
    """Nobody waits on purpose in production."""
    settings = load_settings(CREDENTIALS)
    assert settings.whatsapp.graph_url == "https://graph.facebook.com/v26.0"
    assert settings.whatsapp.throughput == 80
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


@pytest.mark.parametrize(
    ("name", "value"), [("WHATSAPP_GRAPH_URL", "https://a.b/v1.0"), ("WHATSAPP_THROUGHPUT", "9")]
)
def test_what_local_mode_would_ignore_is_refused(name: str, value: str) -> None:
    """Whoever gives a Graph URL means it to be used."""
    line = refusal(**{name: value})
    assert "not set" in line
    assert all(credential in line for credential in CREDENTIALS)


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
        accepted = load_settings({**CREDENTIALS, "WHATSAPP_ACCESS_TOKEN": token}).whatsapp.access_token
    except SettingsError:
        assert not all("!" <= one <= "~" for one in token)
    else:
        assert accepted == token
        assert all("!" <= one <= "~" for one in token)


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


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_every_policy_of_the_engine_can_be_chosen(policy: str) -> None:
    """The engine's table is the list."""
    assert load_settings({"MIDSTREAM_POLICY": policy}).policy == policy


@pytest.mark.parametrize("policy", ["enqueue", "reject", "rollback", "steer"])
def test_a_policy_still_to_come_says_so(policy: str) -> None:
    """It is not misspelt, only early."""
    line = refusal(MIDSTREAM_POLICY=policy)
    assert line == f"MIDSTREAM_POLICY: '{policy}' does not exist yet; there is: interrupt"


def test_an_unknown_policy_names_those_there_are() -> None:
    """A very long one is not repeated to the end."""
    line = refusal(MIDSTREAM_POLICY="Interrupt" * 100)
    assert "is no policy; there is: interrupt" in line
    assert len(line) < 200


@pytest.mark.parametrize(
    "name",
    [
        "MIDSTREAM_WAVE_SECONDS_MAX",
        "MIDSTREAM_GRACE_SECONDS",
        "MIDSTREAM_SETTLE_SECONDS",
        "MIDSTREAM_PACE_SECONDS",
    ],
)
@pytest.mark.parametrize(
    "raw", ["nan", "inf", "-inf", "1e400", "-1", "-0.001", "86400.1", "1 minute", "1,5", "0x10"]
)
def test_seconds_are_finite_and_within_a_day(name: str, raw: str) -> None:
    """A clock would take some of these and wait for ever."""
    line = refusal(**{name: raw})
    assert line.startswith(f"{name}: must be a number of seconds")


@pytest.mark.parametrize("name", ["MIDSTREAM_WAVE_SECONDS_MAX", "MIDSTREAM_SETTLE_SECONDS"])
@pytest.mark.parametrize("raw", ["0", "-0", "1e-400"])
def test_a_wave_and_a_settlement_take_some_time(name: str, raw: str) -> None:
    """With a bound of 0 no wave could ever do anything."""
    assert "more than 0" in refusal(**{name: raw})


def test_grace_and_pace_may_be_none() -> None:
    """Zero is a choice there."""
    settings = load_settings({"MIDSTREAM_GRACE_SECONDS": "0", "MIDSTREAM_PACE_SECONDS": "0"})
    assert (settings.limits.grace_seconds, settings.pace_seconds) == (0, 0)


@pytest.mark.parametrize("raw", ["0.5", "1", "nan", "soon"])
def test_only_a_debounce_of_zero_exists_yet(raw: str) -> None:
    """Whoever sets it must not believe that it works."""
    assert refusal(MIDSTREAM_DEBOUNCE_SECONDS=raw).startswith("MIDSTREAM_DEBOUNCE_SECONDS: must be ")
    assert "does not exist yet" in refusal(MIDSTREAM_DEBOUNCE_SECONDS="0.5")


def test_an_acknowledgement_fits_into_one_message() -> None:
    """WhatsApp takes 4,096 characters."""
    longest = "ä" * 4096
    assert load_settings({"MIDSTREAM_ACKNOWLEDGEMENT": longest}).acknowledgement == longest
    assert "4096" in refusal(MIDSTREAM_ACKNOWLEDGEMENT=longest + "!")


@pytest.mark.parametrize("raw", [" ", "\n\t", "a\0b", "caf\udce9"])
def test_an_acknowledgement_can_be_sent(raw: str) -> None:
    """Blanks alone, a NUL and bytes that are no text would be refused at each interruption."""
    assert refusal(MIDSTREAM_ACKNOWLEDGEMENT=raw).startswith("MIDSTREAM_ACKNOWLEDGEMENT: holds ")


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
