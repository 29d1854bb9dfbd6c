"""The environment, read into frozen settings; whatever is wrong is refused at start, in one line.

Rule 1: the line names the variable and the remedy; what may be a secret is never quoted.
Rule 2: an empty variable is as good as none, but for MIDSTREAM_ACKNOWLEDGEMENT, where empty means silence.
Rule 3: a name that begins like ours and is not ours is refused: a misspelt setting would silently do nothing.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import environ
from dotenv.parser import parse_stream
from environ.exceptions import MissingEnvValueError

from engine import ASKING, Kind, Languages, LanguagesError, Limits, parse_languages, with_acknowledgement
from engine.replies import TemplateBody
from web import setting_values as values
from web.twilio.outgoing import TEXT_CHARACTERS_MAX as TWILIO_TEXT_CHARACTERS_MAX
from web.whatsapp.numbers import BusinessNumber

# Messages a second: what Meta gives a number at first.
THROUGHPUT: Final = 80
# WhatsApp: one message per 6 s to one user; a burst is borrowed from what follows.
PAIR_SECONDS: Final = 6.0
# WhatsApp: a user may be answered freely for a day after they wrote.
WINDOW_SECONDS: Final = 86_400.0
# An upload of a large file and the request after it bound themselves; this only must not cut them.
SEND_SECONDS_MAX: Final = 400.0
# Of nobody: what local mode's phone calls the number it writes to.
LOCAL_PHONE_NUMBER_ID: Final = "100000000000000"

_T = TypeVar("_T")


class SettingsError(Exception):
    """The environment cannot be used as it is; one line that names the variable and holds no secret."""


@attrs.frozen(kw_only=True)
class WhatsApp:
    """The numbers of one business, the first first, and the way to them.

    `graph_url` is empty in local mode: there it is the server's own, known once that listens.
    """

    numbers: tuple[BusinessNumber, ...]
    graph_url: str


@attrs.frozen(kw_only=True)
class Twilio:
    """The numbers of one account at Twilio, the first first; in digits, with the country's."""

    account_sid: str
    auth_token: str = attrs.field(repr=False)
    numbers: tuple[str, ...] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Dialog360:
    """One number at 360dialog; `platform_secret` is empty for whoever is no partner of theirs."""

    api_key: str = attrs.field(repr=False)
    webhook_secret: str = attrs.field(repr=False)
    platform_secret: str = attrs.field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What there is of them."""
        return tuple(filter(None, (self.api_key, self.webhook_secret, self.platform_secret)))


@attrs.frozen(kw_only=True)
class Settings:
    """What one process runs with.

    `port` 0 is any free one; `languages` are what is said, and stop words; `asking` the kinds of message that
    are requests.  With `twilio` or `dialog360` that is the way to WhatsApp; `public_url` is what the world
    calls the server by.  `window_template` is sent in place of what comes too late.
    """

    assistant: str
    database: str
    host: str
    port: int
    policy: str
    languages: Languages = attrs.field(repr=False)  # pages of it
    asking: frozenset[Kind]
    pace_seconds: float
    limits: Limits
    whatsapp: WhatsApp
    is_local: bool
    twilio: Twilio | None = None
    dialog360: Dialog360 | None = None
    public_url: str = ""
    window_template: TemplateBody | None = None

    @property
    def database_path(self) -> Path:
        """The file of an SQLite database, relative to the working directory unless it is absolute."""
        return values.path(self.database)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may never stand in a log, of whichever way to WhatsApp."""
        return (
            *(
                secret
                for number in self.whatsapp.numbers
                for secret in (number.access_token, number.app_secret, number.verify_token)
            ),
            *((self.twilio.auth_token,) if self.twilio else ()),
            *(self.dialog360.secrets if self.dialog360 else ()),
        )


@attrs.frozen(kw_only=True)
class Variable:
    """A variable of the environment, for the reference.  `default` None: there is none."""

    name: str
    default: str | None
    meaning: str


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
    phone_number_ids: tuple[str, ...] = _variable(
        "WHATSAPP_PHONE_NUMBER_ID",
        "id of the number that sends, or of several, separated by commas; all four credentials, or none",
        values.phone_number_ids,
    )
    access_token: str = _variable(
        "WHATSAPP_ACCESS_TOKEN", "what the Graph API knows us by; a secret", values.access_token
    )
    app_secret: str = _variable(
        "WHATSAPP_APP_SECRET", "what webhooks are signed with; a secret", values.secret
    )
    verify_token: str = _variable(
        "WHATSAPP_VERIFY_TOKEN", "what Meta repeats when the webhook is set up; a secret", values.secret
    )
    graph_url: str = _variable(
        "WHATSAPP_GRAPH_URL",
        "root of the Graph API, as `https://host/v26.0`",
        values.graph_url,
        default=values.GRAPH_URL,
    )


@environ.config(frozen=True)
class _TwilioVariables:
    account_sid: str = _variable(
        "TWILIO_ACCOUNT_SID", "the account at Twilio; all three, or none", values.account_sid
    )
    auth_token: str = _variable(
        "TWILIO_AUTH_TOKEN", "what Twilio knows us by, and signs with; a secret", values.access_token
    )
    numbers: tuple[str, ...] = _variable(
        "TWILIO_NUMBER",
        "the number that sends, as `+15551234567`, or several, separated by commas",
        values.numbers,
    )


@environ.config(frozen=True)
class _Dialog360Variables:
    api_key: str = _variable(
        "DIALOG360_API_KEY", "what 360dialog knows us by; a secret; both, or none", values.access_token
    )
    webhook_secret: str = _variable(
        "DIALOG360_WEBHOOK_SECRET",
        "what 360dialog repeats in a header of each webhook; a secret",
        values.secret,
    )
    platform_secret: str = _variable(
        "DIALOG360_PLATFORM_SECRET",
        "what 360dialog signs a partner's webhooks with; a secret; if not set, no signature is looked at",
        values.optional_secret,
        default=None,
    )


@environ.config(frozen=True)
class _Variables:
    assistant: str = _variable(
        "MIDSTREAM_ASSISTANT",
        "a built-in name, or `module:attribute` of an `Assistant`",
        values.text,
        default="almanac",
    )
    database: str = _variable(
        "MIDSTREAM_DATABASE", "where everything durable is", values.database, default="sqlite:///midstream.db"
    )
    bind: tuple[str, int] = _variable(
        "MIDSTREAM_BIND",
        "address to listen on; port 0 is any free one",
        values.bind,
        default="127.0.0.1:8080",
    )
    policy: str = _variable(
        "MIDSTREAM_POLICY",
        "what a new message does to a running operation",
        values.policy,
        default="interrupt",
    )
    debounce_seconds: float = _variable(
        "MIDSTREAM_DEBOUNCE_SECONDS",
        "wait this long for more messages of a burst before starting",
        values.seconds_or_zero,
        default="0",
    )
    debounce_seconds_max: float = _variable(
        "MIDSTREAM_DEBOUNCE_SECONDS_MAX",
        "longest to wait for more, counted from a burst's first message",
        values.seconds_or_zero,
        default="10",
    )
    interruptions_max: int = _variable(
        "MIDSTREAM_INTERRUPTIONS_MAX",
        "after so many interruptions in a row an operation runs to its end",
        values.count,
        default="10",
    )
    operation_seconds_max: float = _variable(
        "MIDSTREAM_OPERATION_SECONDS_MAX",
        "longest an operation may take; it ends at a boundary",
        values.positive_seconds,
        default="600",
    )
    asking: frozenset[Kind] = _variable(
        "MIDSTREAM_ASKING",
        "kinds of message that are requests, separated by commas",
        values.kinds,
        default=",".join(sorted(ASKING)),
    )
    stale_seconds: float = _variable(
        "MIDSTREAM_STALE_SECONDS",
        "a message that comes this long after it was written is not answered",
        values.positive_seconds,
        default="3600",
    )
    takeover_seconds: float = _variable(
        "MIDSTREAM_TAKEOVER_SECONDS",
        "how long the assistant is silent after a person of the business has written to the user",
        values.seconds_or_zero,
        default="3600",
    )
    wave_seconds_max: float = _variable(
        "MIDSTREAM_WAVE_SECONDS_MAX", "longest a wave may take", values.positive_seconds, default="60"
    )
    grace_seconds: float = _variable(
        "MIDSTREAM_GRACE_SECONDS",
        "longest a wave may still take once the process is told to stop",
        values.seconds_or_zero,
        default="20",
    )
    settle_seconds: float = _variable(
        "MIDSTREAM_SETTLE_SECONDS",
        "how long an ambiguous send waits for a status before it is sent once more",
        values.positive_seconds,
        default="30",
    )
    acknowledgement: str = _variable(
        "MIDSTREAM_ACKNOWLEDGEMENT",
        "what an interrupted user is told, in every language; empty: nothing",
        values.acknowledgement,
        # As the engine has it: whoever sets no other keeps that of each language.
        default="Got it! Switching to your new request...",
    )
    acknowledgement_seconds_min: float = _variable(
        "MIDSTREAM_ACKNOWLEDGEMENT_SECONDS_MIN",
        "wait this long before saying so; a reply that is there by then is enough",
        values.seconds_or_zero,
        default="0",
    )
    texts: Path | None = _variable(
        "MIDSTREAM_TEXTS",
        "a TOML file with texts and stop words by language; if not set, the built-in ones",
        values.optional_file,
        default=None,
    )
    pace_seconds: float | None = _variable(
        "MIDSTREAM_PACE_SECONDS",
        "least time a call of the almanac takes; if not set, 1 in local mode and in the REPL, else 0",
        values.pace,
        default=None,
    )
    channel: str = _variable(
        "MIDSTREAM_CHANNEL",
        "the way to WhatsApp: `whatsapp` (Meta's own), `twilio` or `360dialog`",
        values.channel,
        default="whatsapp",
    )
    public_url: str | None = _variable(
        "MIDSTREAM_PUBLIC_URL",
        "what the world calls the server by, as `https://bot.example.org`; Twilio signs it",
        values.public_url,
        default=None,
    )
    whatsapp: _WhatsAppVariables | None = environ.group(_WhatsAppVariables, optional=True)
    throughput: int = _variable(
        "WHATSAPP_THROUGHPUT",
        "messages a second that each number may send",
        values.throughput,
        default=str(THROUGHPUT),
    )
    window_template: TemplateBody | None = _variable(
        "WHATSAPP_WINDOW_TEMPLATE",
        "what is sent later than 24 hours after the user wrote, as `name:language`; if not set, nothing is",
        values.template,
        default=None,
    )
    twilio: _TwilioVariables | None = environ.group(_TwilioVariables, optional=True)
    dialog360: _Dialog360Variables | None = environ.group(_Dialog360Variables, optional=True)


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
_PREFIXES: Final = ("MIDSTREAM_", "WHATSAPP_", "DIALOG360_")  # Twilio's own tools have TWILIO_ variables too
_MAY_BE_EMPTY: Final = "MIDSTREAM_ACKNOWLEDGEMENT"


# Reading ------------------------------------------------------------------------------------------


def _new_secret() -> str:
    return secrets.token_hex(32)


def load_settings(environment: Mapping[str, str], *, new_secret: Callable[[], str] = _new_secret) -> Settings:
    """The settings that these variables give.  `new_secret` makes up local mode's credentials.

    Raises SettingsError.
    """
    given = dict(_given(environment))
    try:
        variables = environ.to_config(_Variables, given)
    except MissingEnvValueError as error:
        names = ", ".join(sorted(error.args))
        raise SettingsError(f"{names}: not set; {_ALL_TOGETHER[error.args[0].partition('_')[0]]}") from None
    host, port = variables.bind
    _check_channel(variables)
    is_local = variables.channel == "whatsapp" and variables.whatsapp is None
    _check_sending(given, variables.channel, is_local=is_local)
    if is_local and not values.is_loopback(host):
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
        languages=_languages(variables),
        asking=variables.asking,
        pace_seconds=float(is_local) if pace_seconds is None else pace_seconds,
        limits=Limits(
            wave_seconds_max=variables.wave_seconds_max,
            grace_seconds=variables.grace_seconds,
            settle_seconds=variables.settle_seconds,
            operation_seconds_max=variables.operation_seconds_max,
            debounce_seconds=variables.debounce_seconds,
            debounce_seconds_max=_debounce_max(variables),
            interruptions_max=variables.interruptions_max,
            stale_seconds=variables.stale_seconds,
            takeover_seconds=variables.takeover_seconds,
            acknowledgement_seconds_min=variables.acknowledgement_seconds_min,
            **_channel_limits(variables, is_local=is_local),
        ),
        whatsapp=_whatsapp(variables.whatsapp, new_secret),
        is_local=is_local,
        # environ-config makes attrs classes, which mypy cannot see.
        twilio=Twilio(**attrs.asdict(variables.twilio)) if variables.twilio else None,  # type: ignore[arg-type]
        dialog360=Dialog360(**attrs.asdict(variables.dialog360)) if variables.dialog360 else None,  # type: ignore[arg-type]
        public_url=variables.public_url or "",
        window_template=variables.window_template,
    )


# What the message says when only some of a door's variables are given.
_ALL_TOGETHER: Final = {
    "WHATSAPP": "the four credentials of WhatsApp are given all together, or (for local mode) no variable"
    " that begins with WHATSAPP_",
    "TWILIO": "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_NUMBER are given all together, or not at all",
    "DIALOG360": "DIALOG360_API_KEY and DIALOG360_WEBHOOK_SECRET are given both, or not at all, and"
    " DIALOG360_PLATFORM_SECRET only with them",
}


def _check_channel(variables: _Variables) -> None:
    """One door, with all that it needs, and nothing of another's."""
    given = {
        "whatsapp": (variables.whatsapp, "WHATSAPP_PHONE_NUMBER_ID"),
        "twilio": (variables.twilio, "TWILIO_ACCOUNT_SID"),
        "360dialog": (variables.dialog360, "DIALOG360_API_KEY"),
    }
    for name, (group, variable) in given.items():
        if name == variables.channel and group is None and name != "whatsapp":
            raise SettingsError(f"{variable}: not set; MIDSTREAM_CHANNEL is {name}")
        if name != variables.channel and group is not None:
            raise SettingsError(
                f"{variable}: MIDSTREAM_CHANNEL is {variables.channel}; set it to {name}, or leave this out"
            )
    if variables.channel == "twilio" and not variables.public_url:
        raise SettingsError("MIDSTREAM_PUBLIC_URL: not set; Twilio signs the address that it calls")


def _check_sending(given: Mapping[str, str], channel: str, *, is_local: bool) -> None:
    """What is said of the sending, only to a door that does so."""
    if is_local:
        for name in ("WHATSAPP_THROUGHPUT", "WHATSAPP_WINDOW_TEMPLATE"):
            if name in given:
                raise SettingsError(f"{name}: local mode has no use for it; {_ALL_TOGETHER['WHATSAPP']}")
    if channel == "twilio" and "WHATSAPP_WINDOW_TEMPLATE" in given:
        raise SettingsError("WHATSAPP_WINDOW_TEMPLATE: Twilio sends no template by its name; leave it out")


def _debounce_max(variables: _Variables) -> float:
    """Refused when it is shorter than what it bounds."""
    if variables.debounce_seconds_max < variables.debounce_seconds:
        raise SettingsError(
            f"MIDSTREAM_DEBOUNCE_SECONDS_MAX: must be at least {variables.debounce_seconds:g}, which"
            f" MIDSTREAM_DEBOUNCE_SECONDS is, not {variables.debounce_seconds_max:g}"
        )
    return variables.debounce_seconds_max


def _languages(variables: _Variables) -> Languages:
    """The built-in languages, the acknowledgement over them, and a file of texts over both."""
    languages = with_acknowledgement(variables.acknowledgement)
    if variables.texts is None:
        return languages
    try:
        return parse_languages(variables.texts.read_text(encoding="utf-8-sig"), languages)
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
    except UnicodeError:
        wrong = "is not UTF-8 text; write it anew"
    except LanguagesError as error:
        wrong = " ".join(str(error).split())
    raise SettingsError(f"MIDSTREAM_TEXTS: {str(variables.texts)!r} {wrong}")


def _channel_limits(variables: _Variables, *, is_local: bool) -> dict[str, Any]:
    """What one number may send.  The local phone takes everything."""
    if is_local:
        return {}
    limits: dict[str, Any] = {
        "pair_seconds": PAIR_SECONDS,
        "sends_per_second_max": variables.throughput,
        "window_seconds": WINDOW_SECONDS,
        "send_seconds_max": SEND_SECONDS_MAX,
    }
    if variables.channel == "twilio":
        limits["text_characters_max"] = TWILIO_TEXT_CHARACTERS_MAX
    return limits


def _whatsapp(given: _WhatsAppVariables | None, new_secret: Callable[[], str]) -> WhatsApp:
    if given is None:
        number = BusinessNumber(
            phone_number_id=LOCAL_PHONE_NUMBER_ID,
            access_token=new_secret(),
            app_secret=new_secret(),
            verify_token=new_secret(),
        )
        return WhatsApp(numbers=(number,), graph_url="")
    return WhatsApp(numbers=_numbers(given), graph_url=given.graph_url)


def _numbers(given: _WhatsAppVariables) -> tuple[BusinessNumber, ...]:
    """Each number with its credentials: those of its place in a list, or those that are all numbers'."""
    ids = given.phone_number_ids

    def spread(name: str, value: str) -> list[str]:
        # Of a single number they are never split: what people make up may hold a comma.
        parts = [part.strip() for part in value.split(",")] if len(ids) > 1 else [value]
        if len(parts) not in (1, len(ids)) or not all(parts):
            raise SettingsError(
                f"{name}: holds {len(parts)} for {len(ids)} numbers, or an empty one;"
                " give one for all, or one for each, separated by commas"
            )
        return parts if len(parts) == len(ids) else parts * len(ids)

    credentials = zip(
        ids,
        spread("WHATSAPP_ACCESS_TOKEN", given.access_token),
        spread("WHATSAPP_APP_SECRET", given.app_secret),
        spread("WHATSAPP_VERIFY_TOKEN", given.verify_token),
        strict=True,
    )
    return tuple(
        BusinessNumber(phone_number_id=id, access_token=token, app_secret=secret, verify_token=verify)
        for id, token, secret, verify in credentials
    )


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Our variables that are set, each a text; raises for one that begins like ours and is none."""
    # Without a number they are those of Twilio's own tools, and not meant for us.
    is_foreign = environment.get("MIDSTREAM_CHANNEL") != "twilio" and not environment.get("TWILIO_NUMBER")
    for name, value in environment.items():
        if is_foreign and name.startswith("TWILIO_"):
            continue
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
    found = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            line = binding.original.line
            raise SettingsError(f"{path}: line {line} is not NAME=value; put the value in quotes?")
        # A name alone (`export NAME`) sets nothing, as in a shell; comments and blanks have no name.
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found
