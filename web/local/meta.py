"""Meta's shapes as the local phone writes them: message ids and the body of a webhook."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

TEXT_CHARACTERS_MAX: Final = 4096  # WhatsApp: longest text body
USER_PATTERN: Final = re.compile(r"[0-9]{5,15}")  # E.164 without the plus: at most 15 digits
KEY_PATTERN: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_DISPLAY_PHONE_NUMBER: Final = "15550100000"
_ACCOUNT_ID: Final = "100000000000000"
_PREFIX: Final = "wamid."


def message_id(user_id: str, key: str) -> str:
    """The wamid of a message between this user and us; like Meta's it carries the number.

    So a read mark finds its chat even after a restart has emptied the phone's memory.
    """
    return _PREFIX + base64.urlsafe_b64encode(f"{user_id}:{key}".encode()).decode()


def parse_message_id(wamid: str) -> tuple[str, str] | None:
    """The user and the key that `message_id` was given; None when it did not make this one."""
    try:
        user_id, _, key = base64.urlsafe_b64decode(wamid.removeprefix(_PREFIX)).decode().partition(":")
    except (ValueError, binascii.Error):
        return None
    known = USER_PATTERN.fullmatch(user_id) and KEY_PATTERN.fullmatch(key)
    return (user_id, key) if known and message_id(user_id, key) == wamid else None


def webhook_body(
    *, phone_number_id: str, user_id: str, key: str, content: Mapping[str, Any], timestamp: int
) -> bytes:
    """One message as WhatsApp posts it; `content` has its `type`, what belongs to that, and its `context`.

    Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
    """
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": _DISPLAY_PHONE_NUMBER, "phone_number_id": phone_number_id},
        "contacts": [{"profile": {"name": "Local phone"}, "wa_id": user_id}],
        "messages": [
            {"from": user_id, "id": message_id(user_id, key), "timestamp": str(timestamp), **content}
        ],
    }
    change = {"value": value, "field": "messages"}
    envelope = {"object": "whatsapp_business_account", "entry": [{"id": _ACCOUNT_ID, "changes": [change]}]}
    return json.dumps(envelope).encode()


def context_of(user_id: str, key: str) -> dict[str, Any]:
    """The context of a message that answers the one of the business with that key."""
    return {"context": {"from": _DISPLAY_PHONE_NUMBER, "id": message_id(user_id, key)}}
