"""The environment, read into frozen settings; whatever is wrong is refused at start, in one line.

Rule 1: the line names the variable and the remedy; what may be a secret is never quoted.
Rule 2: an empty variable is as good as none, but for MIDSTREAM_ACKNOWLEDGEMENT, where empty means silence.
Rule 3: a name that begins like ours and is not ours is refused: a misspelt setting would silently do nothing.
"""

import ipaddress
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import attrs
import environ
from dotenv.parser import parse_stream
from environ.exceptions import MissingEnvValueError

from engine import POLICIES, Limits

# Meta's, with the version this was written against.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform
GRAPH_URL: Final = "https://graph.facebook.com/v26.0"
# Messages a second: what Meta gives a number at first.
THROUGHPUT: Final = 80
# WhatsApp: one message per 6 s to one user; a burst is borrowed from what follows.
PAIR_SECONDS: Final = 6.0
# Of nobody: what local mode's phone calls the number it writes to.
LOCAL_PHONE_NUMBER_ID: Final = "100000000000000"
# Policies the design has and the engine has not yet: worth a line of their own.
_POLICIES_TO_COME: Final = frozenset({"enqueue", "reject", "rollback", "steer"})
# Longer than any wave or grace that is meant; keeps `inf` and `1e400` away from the clock.
_SECONDS_MAX: Final = 86_400.0
# WhatsApp's longest text message.
_ACKNOWLEDGEMENT_CHARACTERS_MAX: Final = 4096
# Ten times what Meta gives its fastest numbers (1,000 messages a second).
_THROUGHPUT_MAX: Final = 10_000
# Enough of a wrong value to recognise it by.
_CHARACTERS_SHOWN: Final = 60

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_BIND: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_GRAPH_PATH: Final = re.compile(r"(/[A-Za-z0-9_.~-]+)*/v[0-9]{1,3}\.[0-9]{1,3}")

_T = TypeVar("_T")


class SettingsError(Exception):
    """The environment cannot be used as it is; one line that names the variable and holds no secret."""


@attrs.frozen(kw_only=True)
class WhatsApp:
    """One business number and the way to it.

    `graph_url` is empty in local mode: there it is the server's own, known once that listens.
    `throughput`: messages a second that the number may send.
    """

    phone_number_id: str
    access_token: str = attrs.field(repr=False)
    app_secret: str = attrs.field(repr=False)
    verify_token: str = attrs.field(repr=False)
    graph_url: str
    throughput: int


@attrs.frozen(kw_only=True)
class Settings:
    """What one process runs with.  `port` 0 is any free one; `acknowledgement` is empty for none."""

    assistant: str
    database: str
    host: str
    port: int
    policy: str
    acknowledgement: str
    pace_seconds: float
    limits: Limits
    whatsapp: WhatsApp
    is_local: bool

    @property
    def database_path(self) -> Path:
        """The file of an SQLite database, relative to the working directory unless it is absolute."""
        return _path(self.database)


@attrs.frozen(kw_only=True)
class Variable:
    """A variable of the environment, for the reference.  `default` None: there is none."""

    name: str
    default: str | None
    meaning: str


# What a value means -------------------------------------------------------------------------------
# Each takes the text and raises ValueError with the rest of the line that begins with the variable's name.


def _text(raw: str) -> str:
    return raw


def _path(raw: str) -> Path:
    # Never quoted: somebody's database URL may hold a password.
    scheme, _, path = raw.partition(":///")
    if scheme != "sqlite" or not path:
        raise ValueError("must be sqlite:///relative.db or sqlite:////absolute.db")
    if path == ":memory:":
        raise ValueError("must name a file: what is accepted has to outlive the process")
    if "?" in path:
        raise ValueError("takes no options after a question mark")
    return Path(path)


def _database(raw: str) -> str:
    _path(raw)
    return raw


def _bind(raw: str) -> tuple[str, int]:
    match = _BIND.fullmatch(raw)
    if match is None:
        raise ValueError(
            "must be host:port, as 127.0.0.1:8080 or [::1]:8080 (0.0.0.0 for every interface),"
            f" not {_shown(raw)}"
        )
    host, port = match["ipv6"] or match["name"], int(match["port"])
    if not _is_host(host, in_brackets=match["ipv6"] is not None):
        raise ValueError(f"{_shown(host)} is no host to listen on")
    if port > 65_535:
        raise ValueError(f"the port must be 0 to 65535, not {port}")
    return host, port


def _policy(raw: str) -> str:
    if raw in POLICIES:
        return raw
    wrong = "does not exist yet" if raw in _POLICIES_TO_COME else "is no policy"
    raise ValueError(f"{_shown(raw)} {wrong}; there is: {', '.join(POLICIES)}")


def _acknowledgement(raw: str) -> str:
    if len(raw) > _ACKNOWLEDGEMENT_CHARACTERS_MAX:
        raise ValueError(f"may have {_ACKNOWLEDGEMENT_CHARACTERS_MAX} characters, this has {len(raw)}")
    if raw and not raw.strip():
        raise ValueError("holds only blanks, which cannot be sent; leave it empty for no acknowledgement")
    return raw


def _seconds(raw: str, *, zero: bool) -> float:
    at_least = "at least 0" if zero else "more than 0"
    try:
        seconds = float(raw)
    except ValueError:
        seconds = math.nan
    # Not `seconds < 0 or ...`: every comparison with nan is false.
    if not ((zero or seconds > 0) and 0 <= seconds <= _SECONDS_MAX):
        raise ValueError(
            f"must be a number of seconds, {at_least} and at most {_SECONDS_MAX:.0f}, not {_shown(raw)}"
        )
    return seconds


def _positive_seconds(raw: str) -> float:
    return _seconds(raw, zero=False)


def _seconds_or_zero(raw: str) -> float:
    return _seconds(raw, zero=True)


def _pace(raw: str | None) -> float | None:
    return None if raw is None else _seconds_or_zero(raw)


def _debounce(raw: str) -> float:
    if _seconds_or_zero(raw) != 0:
        raise ValueError("must be 0: waiting for more messages of a burst does not exist yet")
    return 0.0


def _phone_number_id(raw: str) -> str:
    if not (raw.isascii() and raw.isdigit()):
        raise ValueError("must be digits only: the id of the phone number, neither its name nor the number")
    return raw


def _access_token(raw: str) -> str:
    if not _is_visible_ascii(raw):
        raise ValueError("holds a blank or another character that no HTTP header can carry; copy it again")
    return raw


def _secret(raw: str) -> str:
    if not _is_visible_ascii(raw.replace(" ", "")) or raw != raw.strip():
        raise ValueError("begins or ends with a blank, or holds other than printable ASCII; copy it again")
    return raw


def _graph_url(raw: str) -> str:
    try:
        parts = urlsplit(raw)
        _ = parts.port  # raises when it is no port
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    if (
        not _is_visible_ascii(raw)
        or parts.scheme not in ("http", "https")
        or not _is_host(host, in_brackets="[" in parts.netloc)
    ):
        raise ValueError(f"must be http or https with a host, as {GRAPH_URL}")
    if "@" in parts.netloc or "?" in raw or "#" in raw:
        raise ValueError(f"must hold no user, password, query or fragment, as {GRAPH_URL}")
    if _GRAPH_PATH.fullmatch(parts.path.removesuffix("/")) is None:
        raise ValueError(f"must end with the version of the API, as {GRAPH_URL}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https: over http the access token could be read on the way")
    return raw.removesuffix("/")


def _throughput(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and 1 <= int(raw) <= _THROUGHPUT_MAX):
        raise ValueError(
            f"must be a whole number of messages a second, 1 to {_THROUGHPUT_MAX}, not {_shown(raw)}"
        )
    return int(raw)


def _is_visible_ascii(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_host(text: str, *, in_brackets: bool) -> bool:
    if in_brackets != (":" in text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # Digits at the end are an address in the making, which each library understands in its own way.
        last_label = text.removesuffix(".").rpartition(".")[2]
        return _HOST_NAME.fullmatch(text) is not None and not last_label.isdigit()
    return "%" not in text  # a zone: not every library takes it


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # No other name: what it means is the resolver's affair.
        return host.lower() == "localhost"


def _shown(raw: str) -> str:
    return repr(raw if len(raw) <= _CHARACTERS_SHOWN else raw[:_CHARACTERS_SHOWN] + "…")


# The variables: the one place where they are named -------------------------------------------------


def _variable(name: str, meaning: str, read: Callable[[Any], _T], **default: Any) -> _T:
    """A field for one variable.  A `default` is read like any other text; without one it is required."""

    def convert(raw: Any) -> _T:
        try:
            return read(raw)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None

    field: _T = environ.var(name=name, converter=convert, help=meaning, **default)
    return field


@environ.config(frozen=True)
class _WhatsAppVariables:
    phone_number_id: str = _variable(
        "WHATSAPP_PHONE_NUMBER_ID",
        "id of the number that sends; all four credentials, or none",
        _phone_number_id,
    )
    access_token: str = _variable(
        "WHATSAPP_ACCESS_TOKEN", "what the Graph API knows us by; a secret", _access_token
    )
    app_secret: str = _variable("WHATSAPP_APP_SECRET", "what webhooks are signed with; a secret", _secret)
    verify_token: str = _variable(
        "WHATSAPP_VERIFY_TOKEN", "what Meta repeats when the webhook is set up; a secret", _secret
    )
    graph_url: str = _variable(
        "WHATSAPP_GRAPH_URL", "root of the Graph API, as `https://host/v26.0`", _graph_url, default=GRAPH_URL
    )
    throughput: int = _variable(
        "WHATSAPP_THROUGHPUT",
        "messages a second that the number may send",
        _throughput,
        default=str(THROUGHPUT),
    )


@environ.config(frozen=True)
class _Variables:
    assistant: str = _variable(
        "MIDSTREAM_ASSISTANT",
        "a built-in name, or `module:attribute` of an `Assistant`",
        _text,
        default="almanac",
    )
    database: str = _variable(
        "MIDSTREAM_DATABASE", "where everything durable is", _database, default="sqlite:///midstream.db"
    )
    bind: tuple[str, int] = _variable(
        "MIDSTREAM_BIND", "address to listen on; port 0 is any free one", _bind, default="127.0.0.1:8080"
    )
    policy: str = _variable(
        "MIDSTREAM_POLICY", "what a new message does to a running operation", _policy, default="interrupt"
    )
    debounce_seconds: float = _variable(
        "MIDSTREAM_DEBOUNCE_SECONDS",
        "wait this long for more messages of a burst before starting; only 0 exists yet",
        _debounce,
        default="0",
    )
    wave_seconds_max: float = _variable(
        "MIDSTREAM_WAVE_SECONDS_MAX", "longest a wave may take", _positive_seconds, default="60"
    )
    grace_seconds: float = _variable(
        "MIDSTREAM_GRACE_SECONDS",
        "longest a wave may still take once the process is told to stop",
        _seconds_or_zero,
        default="20",
    )
    settle_seconds: float = _variable(
        "MIDSTREAM_SETTLE_SECONDS",
        "how long an ambiguous send waits for a status before it is sent once more",
        _positive_seconds,
        default="30",
    )
    acknowledgement: str = _variable(
        "MIDSTREAM_ACKNOWLEDGEMENT",
        "what an interrupted user is told; empty: nothing",
        _acknowledgement,
        default="Got it! Switching to your new request...",
    )
    pace_seconds: float | None = _variable(
        "MIDSTREAM_PACE_SECONDS",
        "least time a call of the almanac takes; if not set, 1 in local mode and in the REPL, else 0",
        _pace,
        default=None,
    )
    whatsapp: _WhatsAppVariables | None = environ.group(_WhatsAppVariables, optional=True)


def _list_variables() -> tuple[Variable, ...]:
    found: list[Variable] = []

    def keep(entries: list[dict[str, Any]]) -> str:
        found.extend(
            Variable(name=entry["var_name"], default=entry.get("default"), meaning=entry["help_str"])
            for entry in entries
        )
        return ""

    environ.generate_help(_Variables, formatter=keep)
    return tuple(found)


VARIABLES: Final = _list_variables()
_NAMES: Final = tuple(variable.name for variable in VARIABLES)
_PREFIXES: Final = ("MIDSTREAM_", "WHATSAPP_")
_MAY_BE_EMPTY: Final = "MIDSTREAM_ACKNOWLEDGEMENT"


# Reading ------------------------------------------------------------------------------------------


def _new_secret() -> str:
    return secrets.token_hex(32)


def load_settings(environment: Mapping[str, str], *, new_secret: Callable[[], str] = _new_secret) -> Settings:
    """The settings that these variables give.  `new_secret` makes up local mode's credentials.

    Raises SettingsError.
    """
    try:
        variables = environ.to_config(_Variables, dict(_given(environment)))
    except MissingEnvValueError as error:
        names = ", ".join(sorted(error.args))
        raise SettingsError(
            f"{names}: not set; the four credentials of WhatsApp are given all together, or (for local mode)"
            " no variable that begins with WHATSAPP_"
        ) from None
    host, port = variables.bind
    is_local = variables.whatsapp is None
    if is_local and not _is_loopback(host):
        raise SettingsError(
            f"MIDSTREAM_BIND: without WhatsApp credentials only the loopback is listened on, not {host};"
            " give an address such as 127.0.0.1:8080, or the credentials"
        )
    pace_seconds = variables.pace_seconds
    return Settings(
        assistant=variables.assistant,
        database=variables.database,
        host=host,
        port=port,
        policy=variables.policy,
        acknowledgement=variables.acknowledgement,
        pace_seconds=float(is_local) if pace_seconds is None else pace_seconds,
        limits=Limits(
            wave_seconds_max=variables.wave_seconds_max,
            grace_seconds=variables.grace_seconds,
            settle_seconds=variables.settle_seconds,
            **_pace_limits(variables.whatsapp),
        ),
        whatsapp=_whatsapp(variables.whatsapp, new_secret),
        is_local=is_local,
    )


def _pace_limits(given: _WhatsAppVariables | None) -> dict[str, Any]:
    """What Meta lets one number send.  The local phone takes everything."""
    if given is None:
        return {}
    return {"pair_seconds": PAIR_SECONDS, "sends_per_second_max": given.throughput}


def _whatsapp(given: _WhatsAppVariables | None, new_secret: Callable[[], str]) -> WhatsApp:
    if given is None:
        return WhatsApp(
            phone_number_id=LOCAL_PHONE_NUMBER_ID,
            access_token=new_secret(),
            app_secret=new_secret(),
            verify_token=new_secret(),
            graph_url="",
            throughput=THROUGHPUT,
        )
    # environ-config makes attrs classes, which mypy cannot see.
    return WhatsApp(**attrs.asdict(given))  # type: ignore[arg-type]


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Our variables that are set, each a text; raises for one that begins like ours and is none."""
    for name, value in environment.items():
        if name not in _NAMES:
            if name.upper().startswith(_PREFIXES):
                [closest] = get_close_matches(name.upper(), _NAMES, n=1, cutoff=0)
                raise SettingsError(f"{name}: there is no such setting; the closest is {closest}")
        elif value or name == _MAY_BE_EMPTY:
            if not _is_text(value):
                raise SettingsError(f"{name}: holds bytes that are not UTF-8 text")
            yield name, value


def _is_text(value: str) -> bool:
    # Bytes of the environment that are no text arrive as lone surrogates, which nothing can store or send.
    return "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)


def read_environment(directory: Path) -> dict[str, str]:
    """The variables of the `.env` file in this directory, if there is one, with the environment's over them.

    The file's values are taken as they stand: `$NAME` is not replaced, since a secret may hold a `$`.
    Raises SettingsError when the file cannot be read, by its line where there is one.
    """
    return _read_file(directory / ".env") | dict(os.environ)


def _read_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8 text; write it anew") from None
    values = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            line = binding.original.line
            raise SettingsError(f"{path}: line {line} is not NAME=value; put the value in quotes?")
        # A name alone (`export NAME`) sets nothing, as in a shell; comments and blanks have no name.
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values
