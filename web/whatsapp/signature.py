"""Whether a body was signed with the app secret, and whether a verify token is ours.

Rule 1: hash the bytes as they came, before anything is parsed; never re-serialise.
Rule 2: whatever a stranger sends is False, never an exception, in a time that tells nothing of the secret.
"""

import hashlib
import hmac
from typing import Final

SIGNATURE_HEADER: Final = "X-Hub-Signature-256"
_PREFIX: Final = "sha256="


def sign(body: bytes, app_secret: str) -> str:
    """The value of `X-Hub-Signature-256` for this body: `sha256=` and 64 lowercase hex digits."""
    return _PREFIX + hmac.new(_bytes(app_secret), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, header: str | bytes | None, app_secret: str) -> bool:
    """Whether `header` is the signature of exactly these bytes.

    Only the one form that Meta sends counts: upper-case hex, a space or a second value make it False.
    An empty secret signs nothing, since anybody could.
    """
    if header is None or not app_secret:
        return False
    return hmac.compare_digest(_bytes(header), sign(body, app_secret).encode())


def is_token(given: str | None, expected: str) -> bool:
    """Whether a verification request carries our verify token.  An empty one is nobody's token."""
    if given is None or not expected:
        return False
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def _bytes(text: str | bytes) -> bytes:
    # compare_digest raises on a str that is not ASCII, and plain UTF-8 on a lone surrogate: hence bytes, so.
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
