"""What the text of each setting means.

Rule 1: what is wrong is a ValueError with the rest of the line that begins with the variable's name.
Rule 2: what may be a secret is never quoted.
"""

import ipaddress
import math
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from engine import POLICIES, SETTABLE, Kind, ReplyError
from engine.replies import TemplateBody

# Meta's, with the version this was written against.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform
GRAPH_URL: Final = "https://graph.facebook.com/v26.0"
# Longer than any wave or grace that is meant; keeps `inf` and `1e400` away from the clock.
_SECONDS_MAX: Final = 86_400.0
# WhatsApp's longest text message.
_ACKNOWLEDGEMENT_CHARACTERS_MAX: Final = 4096
# Ten times what Meta gives its fastest numbers (1,000 messages a second).
_THROUGHPUT_MAX: Final = 10_000
# More than anybody means by a number of times; who wants no bound gives this.
_COUNT_MAX: Final = 1_000_000
# The route of the webhook.
_WEBHOOK_PATH: Final = "/webhook/whatsapp"
# The ways to WhatsApp.
CHANNELS: Final = ("whatsapp", "twilio", "360dialog")
# Enough of a wrong value to recognise it by.
_CHARACTERS_SHOWN: Final = 60

# No Punycode: the client would show, and understand, another name than the one that was checked.
_LABEL: Final = r"(?!-)(?!_*[xX][nN]--)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_BIND: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_GRAPH_PATH: Final = re.compile(r"(/[A-Za-z0-9_.~-]+)*/v[0-9]{1,3}\.[0-9]{1,3}")


def text(raw: str) -> str:
    return raw


def path(raw: str) -> Path:
    # Never quoted: somebody's database URL may hold a password.
    scheme, _, path = raw.partition(":///")
    if scheme != "sqlite" or not path:
        raise ValueError("must be sqlite:///relative.db or sqlite:////absolute.db")
    if path == ":memory:":
        raise ValueError("must name a file: what is accepted has to outlive the process")
    if "?" in path:
        raise ValueError("takes no options after a question mark")
    return Path(path)


def database(raw: str) -> str:
    path(raw)
    return raw


def bind(raw: str) -> tuple[str, int]:
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


def policy(raw: str) -> str:
    if raw in POLICIES:
        return raw
    raise ValueError(f"{_shown(raw)} is no policy; there are: {', '.join(POLICIES)}")


def acknowledgement(raw: str) -> str:
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


def positive_seconds(raw: str) -> float:
    return _seconds(raw, zero=False)


def seconds_or_zero(raw: str) -> float:
    return _seconds(raw, zero=True)


def pace(raw: str | None) -> float | None:
    return None if raw is None else seconds_or_zero(raw)


def count(raw: str) -> int:
    return _whole_number(raw, "", _COUNT_MAX)


def kinds(raw: str) -> frozenset[Kind]:
    given = {each.strip() for each in raw.split(",") if each.strip()}
    for each in sorted(given - SETTABLE):
        known = ", ".join(sorted(SETTABLE))
        raise ValueError(f"{_shown(each)} is no kind of message that may be a request; there are: {known}")
    return frozenset(map(Kind, given))


def template(raw: str | None) -> TemplateBody | None:
    if raw is None:
        return None
    name, separator, language = raw.partition(":")
    if not separator:
        raise ValueError(f"must be a template's name and language, as answer_ready:en, not {_shown(raw)}")
    try:
        return TemplateBody(name, language)
    except ReplyError as error:
        raise ValueError(str(error)) from None


def channel(raw: str) -> str:
    if raw not in CHANNELS:
        raise ValueError(f"must be one of {', '.join(CHANNELS)}, not {_shown(raw)}")
    return raw


def public_url(raw: str | None) -> str | None:
    if raw is None:
        return None
    try:
        parts = urlsplit(raw)
        _ = parts.port  # raises when it is no port
    except ValueError:
        parts = urlsplit("")
    if (
        not raw.startswith(("https://", "http://"))
        or not _is_visible_ascii(raw)
        or not _is_host(parts.hostname or "", in_brackets="[" in parts.netloc)
        or any(each in raw for each in "@?#")
    ):
        # Not quoted: it may hold a password.
        raise ValueError("must be an address as https://bot.example.org, without user, query or fragment")
    if parts.path.rstrip("/").endswith(_WEBHOOK_PATH):
        raise ValueError(f"must be given without {_WEBHOOK_PATH}, which is put behind it")
    return raw.rstrip("/")


def account_sid(raw: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", raw):
        raise ValueError("must be AC and 32 hexadecimal digits: the SID of the account")
    return raw


def number(raw: str) -> str:
    digits = raw.removeprefix("whatsapp:").removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15):
        raise ValueError("must be a phone number with its country's, as +15551234567")
    return digits


def numbers(raw: str) -> tuple[str, ...]:
    return _each_once(tuple(number(part.strip(" ")) for part in raw.split(",")))


def optional_file(raw: str | None) -> Path | None:
    return None if raw is None else Path(raw)


def phone_number_ids(raw: str) -> tuple[str, ...]:
    ids = tuple(part.strip(" ") for part in raw.split(","))
    if not all(id.isascii() and id.isdigit() for id in ids):
        raise ValueError("must be digits only: the id of the phone number, neither its name nor the number")
    return _each_once(ids)


def _each_once(numbers: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(numbers)) < len(numbers):
        raise ValueError("names a number twice; leave one of them out")
    return numbers


def access_token(raw: str) -> str:
    if not _is_visible_ascii(raw):
        raise ValueError("holds a blank or another character that no HTTP header can carry; copy it again")
    return raw


def secret(raw: str) -> str:
    if not _is_visible_ascii(raw.replace(" ", "")) or raw != raw.strip():
        raise ValueError("begins or ends with a blank, or holds other than printable ASCII; copy it again")
    return raw


def optional_secret(raw: str | None) -> str:
    return "" if raw is None else secret(raw)


def graph_url(raw: str) -> str:
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
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https: over http the access token could be read on the way")
    return raw.removesuffix("/")


def throughput(raw: str) -> int:
    return _whole_number(raw, " of messages a second", _THROUGHPUT_MAX)


def _whole_number(raw: str, of: str, most: int) -> int:
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and 1 <= int(raw) <= most):
        raise ValueError(f"must be a whole number{of}, 1 to {most}, not {_shown(raw)}")
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


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # No other name: what it means is the resolver's affair.
        return host.lower() == "localhost"


def _shown(raw: str) -> str:
    return repr(raw if len(raw) <= _CHARACTERS_SHOWN else raw[:_CHARACTERS_SHOWN] + "…")
