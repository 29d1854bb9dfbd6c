"""Whether a webhook came from 360dialog: a secret of ours that it repeats, a signature, or both.

Rule 1: Meta's own signature is of 360dialog's app secret, which nobody else knows: it is not looked at.
Rule 2: whatever a stranger sends is False, never an exception, in a time that tells nothing of a secret.
Source: https://docs.360dialog.com/partner/onboarding/webhook-events-and-setup/signature-validation
"""

from typing import Final

from web.whatsapp.signature import is_signed as is_signed_as_meta
from web.whatsapp.signature import is_token

# The custom header that is set together with the webhook's URL; it holds the secret and nothing else.
PROOF_HEADER: Final = "Authorization"
SIGNATURE_HEADER: Final = "x-360dialog-signature"
_PREFIX: Final = b"sha256="


def has_secret(header: bytes | None, webhook_secret: str) -> bool:
    """Whether a request repeats our secret.  An empty one is nobody's."""
    return header is not None and is_token(header.decode("latin-1"), webhook_secret)


def is_signed(body: bytes, header: bytes | None, platform_secret: str) -> bool:
    """Whether `header` is the signature of exactly these bytes: 64 lowercase hex digits.

    Accounts of it differ in whether `sha256=` stands before them: both count.
    """
    if header is None:
        return False
    return is_signed_as_meta(
        body, header if header.startswith(_PREFIX) else _PREFIX + header, platform_secret
    )
