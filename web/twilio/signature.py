"""Whether a request was signed with the auth token of the Twilio account.

Rule 1: the URL is the one that is set at Twilio: a setting, never what a header says of it.
Rule 2: the parameters are read from the bytes of the body, all of them, with their blanks.
Rule 3: whatever a stranger sends is False, never an exception, in a time that tells nothing of the token.
Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
# In the query of a request whose body is JSON; the signature is of the URL alone then.
_BODY_HASH: Final = "bodySHA256="
# What is longer is not read: reading it would cost a stranger nothing and us much.  Twilio sends a few dozen
# parameters; WhatsApp's longest text, all of it emoji, is 50 KB here.
PARAMETERS_MAX: Final = 1_000
BODY_BYTES_MAX: Final = 262_144
# Twilio may leave the port out of what it signs, or put the usual one in; its own libraries try both.
_PORTS: Final = {"https": 443, "http": 80}


def sign(url: str, body: bytes, auth_token: str) -> str:
    """The value of `X-Twilio-Signature` for a POST of this body to exactly this URL, query included."""
    return base64.b64encode(_digest(url, _signed_parameters(url, body), auth_token)).decode()


def is_signed(url: str, body: bytes, header: str | bytes | None, auth_token: str) -> bool:
    """Whether `header` is the signature of this body, posted to this URL.

    An empty token signs nothing, since anybody could.
    """
    if header is None or not auth_token:
        return False
    if len(body) > BODY_BYTES_MAX or body.count(b"&") >= PARAMETERS_MAX:
        return False
    parameters = _signed_parameters(url, body)
    given = _bytes(header)
    # Each is compared: which one it was is nobody's business.
    matches = [
        hmac.compare_digest(given, base64.b64encode(_digest(each, parameters, auth_token)))
        for each in (url, _with_other_port(url))
    ]
    return any(matches) and _has_its_hash(url, body)


def _digest(url: str, parameters: bytes, auth_token: str) -> bytes:
    # Twilio's choice: HMAC-SHA1 has no known weakness, SHA-1 by itself has.
    return hmac.new(_bytes(auth_token), _bytes(url) + parameters, hashlib.sha1).digest()


def _signed_parameters(url: str, body: bytes) -> bytes:
    """Names and values, sorted, with nothing between them; the same value twice counts once."""
    if _body_hash(url) is not None:
        return b""
    pairs = {tuple(map(_decoded, _pair(part))) for part in body.split(b"&") if part}
    return b"".join(name + value for name, value in sorted(pairs))


def _pair(part: bytes) -> tuple[bytes, bytes]:
    name, _, value = part.partition(b"=")
    return name, value


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _has_its_hash(url: str, body: bytes) -> bool:
    expected = _body_hash(url)
    return expected is None or hmac.compare_digest(
        _bytes(expected), hashlib.sha256(body).hexdigest().encode()
    )


def _body_hash(url: str) -> str | None:
    _, _, query = url.partition("?")
    return next(
        (part.removeprefix(_BODY_HASH) for part in query.split("&") if part.startswith(_BODY_HASH)), None
    )


def _with_other_port(url: str) -> str:
    """The URL without its port; with the usual one when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    if port is not None:
        netloc = parts.netloc.removesuffix(f":{port}")
    elif parts.scheme in _PORTS:
        netloc = f"{parts.netloc}:{_PORTS[parts.scheme]}"
    else:
        return url
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{netloc}{rest.removeprefix(parts.netloc)}"


def _bytes(text: str | bytes) -> bytes:
    # compare_digest raises on a str that is not ASCII, and plain UTF-8 on a lone surrogate: hence bytes, so.
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
