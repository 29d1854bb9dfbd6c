"""The log: one line for each event, JSON for machines or plain for a terminal, and nothing private in it.

Rule 1: every line, the standard library's too, goes through one chain of processors.
Rule 2: there `_Censor` hides secrets, phone numbers and WhatsApp message ids (which hold a phone number,
encoded) in every value, tracebacks included, so that nobody who logs has to think of it.
Rule 3: a log that cannot be written stops nothing.
"""

import contextlib
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TextIO
from urllib.parse import quote

import attrs
import msgspec
import structlog
from structlog.typing import EventDict, Processor

from engine import (
    CallFinished,
    CallUndone,
    Event,
    Failed,
    Fate,
    Merged,
    Message,
    MessageRejected,
    MessageSettled,
    OutgoingBlocked,
    OutgoingDelayed,
    OutgoingGivenUp,
    PolicyFailed,
    ProviderTold,
    SessionFailed,
    Status,
    StoreFailed,
    StragglerAppeared,
    Superseded,
    UndoStatus,
    ValueLost,
    mask,
)

mask_user: Final = mask
get_logger: Final = structlog.get_logger

_NEVER: Final = r"(?!)"
# 48 bits tell all messages of a log apart.
_HASH_CHARACTERS: Final = 12
# In a hash a run of digits would be chance, and look like a phone number.
_NO_DIGITS: Final = str.maketrans("0123456789", "ghijklmnop")
_DIGITS_SHOWN: Final = 4
# What a log may be nested; deeper is shown as Python would, so that a loop in a value ends.
_DEPTH_MAX: Final = 8
_SECRET: Final = "[secret]"  # noqa: S105
_DECIMALS: Final = 6

# A phone number has 7 to 15 digits with its country's code.  Times, ports and durations have shorter runs.
# With a plus it may be written in groups.
_PRIVATE: Final = re.compile(
    r"(?P<message_id>wamid\.[A-Za-z0-9+/=_-]+)|\+[1-9](?:[ ().-]{0,2}[0-9]){6,14}|[0-9]{7,}"
)
# As numbers, phone numbers are at least this; our own counts and sequences stay below it.
_NUMBER_MIN: Final = 10**9
# A whole value that is an id of ours, a UUID: a run of digits in it is chance too.
_OUR_ID: Final = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{32}")
# What could steer a terminal, forge a line, or not be encoded.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNPRINTABLE_IN_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_OF_LINES: Final = frozenset({"exception", "stack"})

_log: Final = structlog.get_logger("midstream.events")


def hash_id(message_id: str) -> str:
    """A message id as logs may show it: twelve letters of its SHA-256, always the same.

    A known id is found with `printf %s ID | sha256sum | cut -c 1-12 | tr 0-9 g-p`.
    """
    digest = hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:_HASH_CHARACTERS].translate(_NO_DIGITS)


# Events -------------------------------------------------------------------------------------------

_LEVELS: Final[Mapping[type[Event], int]] = {
    # Somebody has to mend something: the assistant, its policy, the credentials, the disk.
    SessionFailed: logging.ERROR,
    PolicyFailed: logging.ERROR,
    OutgoingBlocked: logging.ERROR,
    StoreFailed: logging.ERROR,
    # One user did not get what was due.
    OutgoingDelayed: logging.WARNING,
    OutgoingGivenUp: logging.WARNING,
    StragglerAppeared: logging.WARNING,
    ValueLost: logging.WARNING,
}
_AS_PLANNED: Final = frozenset({Status.SUCCEEDED, Status.SKIPPED})
# Not a bound that was reached: what the operator chose.
_BY_POLICY: Final = "policy"


def log_event(event: Event) -> None:
    """Write one line for an event: its name and its fields, without what was said.  A hook for `Events`."""
    _log.log(_level(event), event.name, **_fields(event))


def _level(event: Event) -> int:
    match event:
        case CallFinished():
            is_well = event.status in _AS_PLANNED
        case CallUndone():
            is_well = event.status is UndoStatus.UNDONE
        case MessageRejected():
            is_well = event.limit == _BY_POLICY
        case MessageSettled():
            is_well = not isinstance(event.fate, Failed)
        case _:
            return _LEVELS.get(type(event), logging.INFO)
    return logging.INFO if is_well else logging.WARNING


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in attrs.fields(type(event)):
        value = getattr(event, field.name)
        if isinstance(event, ProviderTold) and field.name == "value":
            continue  # whatever it is about, it may name people
        if field.name == "user_id":
            fields["user_id"] = mask_user(value)
        elif field.name == "message_id":
            fields["message_id"] = hash_id(value)
        elif isinstance(value, Message):
            fields["message_id"] = hash_id(value.id)
        elif isinstance(value, Fate):
            fields |= _fate_fields(value)
        elif isinstance(value, float):
            fields[field.name] = round(value, _DECIMALS)
        else:
            fields[field.name] = value
    return fields


def _fate_fields(fate: Fate) -> dict[str, str]:
    # Picked one by one: a fate may hold a reply, or what whoever said stop was told.
    fields = {"fate": fate.name}
    if isinstance(fate, Superseded):
        fields["by"] = hash_id(fate.by)
    elif isinstance(fate, Merged):
        fields["into"] = hash_id(fate.into)
    elif reason := getattr(fate, "reason", ""):
        fields["reason"] = reason
    return fields


# Set-up -------------------------------------------------------------------------------------------


def configure_logs(stream: TextIO, *, pretty: bool | None = None, secrets: Collection[str] = ()) -> None:
    """Send all logs of this process to `stream`, one line each.

    `pretty`: for a person's eyes instead of JSON; None: if the stream is a terminal.  `secrets` never appear.
    """
    is_terminal = stream.isatty()
    pretty = is_terminal if pretty is None else pretty
    output = _Output(stream)
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            _Censor(secrets),
            # After the censor: these are ours, and a timestamp is full of digits.
            structlog.processors.add_log_level,
            _add_logger_name,
            # A person at a terminal knows the day and the zone.
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
            _put_first,
            _renderer(pretty=pretty, colors=is_terminal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=output.named,
        # A logger that is kept would not notice a second configuration; finding it anew costs 2 µs.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # Libraries tell each request at INFO, Hypercorn's access log too; our events say it better.
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def quiet_logs() -> None:
    """Send no log of this process anywhere."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])


def _renderer(*, pretty: bool, colors: bool) -> Processor:
    if pretty:
        return structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
            # Never used while tracebacks are texts by then; the default one would show local variables.
            exception_formatter=structlog.dev.plain_traceback,
        )
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(event: EventDict, **_: Any) -> str:
    return msgspec.json.encode(event).decode()


@attrs.frozen(eq=False)
class _Output:
    """The stream, shared by all threads that log."""

    _stream: TextIO
    # Reentrant: what is collected while a line is written may warn, and a warning is a line.
    _lock: threading.RLock = attrs.field(factory=threading.RLock)

    def named(self, name: str = "") -> "_Sink":
        return _Sink(name, self._write)

    def _write(self, line: str) -> None:
        # A full disk, a closed pipe; a closed stream or one without such a letter; one that is being written.
        with self._lock, contextlib.suppress(OSError, ValueError, RuntimeError):
            self._stream.write(line + "\n")
            self._stream.flush()


@attrs.frozen(eq=False)
class _Sink:
    """What structlog calls, by the level's name, with a finished line."""

    name: str
    info: Callable[[str], None]

    @property
    def warning(self) -> Callable[[str], None]:
        return self.info

    error = critical = warning


def _add_logger_name(logger: _Sink, _method: str, event: EventDict) -> EventDict:
    event["logger"] = logger.name
    return event


def _put_first(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: event.pop(key) for key in ("timestamp", "level", "logger", "event")} | dict(event)


class _ToStructlog(logging.Handler):
    """Brings the standard library's records into structlog's chain."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit, or cannot be shown
            text = _repr(record.msg)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        get_logger(record.name).log(level, text, exc_info=record.exc_info)


class _Censor:
    """Hides what is private in every value of a line; whatever is no plain value becomes its `repr` first."""

    def __init__(self, secrets: Collection[str]) -> None:
        forms = {form for secret in secrets if secret for form in _written_forms(secret)}
        # The longest first: one secret may begin with another.
        ordered = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
        self._secrets = re.compile("|".join(ordered) or _NEVER)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {key: self._value(value, 0, lines=key in _OF_LINES) for key, value in event.items()}

    def _value(self, value: Any, depth: int, *, lines: bool = False) -> Any:
        if isinstance(value, str):
            return self._text(value, lines=lines)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if abs(value) < _NUMBER_MIN else self._text(str(value))
        if isinstance(value, bytes):
            return self._text(value.decode("utf-8", "backslashreplace"))
        if depth < _DEPTH_MAX:
            if isinstance(value, Mapping):
                return {self._text(str(key)): self._value(one, depth + 1) for key, one in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self._value(one, depth + 1) for one in value]
        return self._text(_repr(value))

    def _text(self, text: str, *, lines: bool = False) -> str:
        text = self._secrets.sub(_SECRET, str(text))  # of an enum its value
        if not _OUR_ID.fullmatch(text):
            text = _PRIVATE.sub(_hide, text)
        return (_UNPRINTABLE_IN_LINES if lines else _UNPRINTABLE).sub(_escape, text)


def _written_forms(secret: str) -> set[str]:
    """A secret as it stands, and as it would stand in a `repr`, in JSON and in a URL."""
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")}


def _hide(match: re.Match[str]) -> str:
    text = match[0]
    return f"wamid:{hash_id(text)}" if match["message_id"] else f"…{text[-_DIGITS_SHOWN:]}"


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
