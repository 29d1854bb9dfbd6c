"""What the bench posts: signed webhooks in the shape and of the size that Meta sends.  No I/O, no clock.

Rule 1: one message to three statuses, Meta's own mix: each answer of ours is sent, delivered and read.
Rule 2: a status is of a row that was sent, so that it is news for the store: the worst case.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import attrs

from web.whatsapp.signature import SIGNATURE_HEADER, sign

SECRET: Final = "the bench's"  # noqa: S105
ROUTE: Final = "/webhook/whatsapp"
# So many that nobody writes again before the reply, so few that everybody has a history.
_USERS: Final = 1000
_STATUSES: Final = ("sent", "delivered", "read")


@attrs.frozen(kw_only=True)
class Traffic:
    """The requests of one round.

    Messages `first` to `first + messages` and, `with_statuses`, three statuses to each, of `rows`, or, when
    those are too few, of rows that nobody knows.  `batch`: updates in one body; `users`: who writes in turn.
    """

    first: int
    messages: int
    rows: Sequence[str] = ()
    with_statuses: bool = True
    batch: int = 1
    users: int = _USERS

    @property
    def updates(self) -> int:
        """How many messages and statuses there are."""
        return self.messages * (1 + len(_STATUSES) * self.with_statuses)

    def requests(self) -> Iterator[bytes]:
        """All of them, in the order in which they are due."""
        updates = self._updates()
        while some := list(islice(updates, self.batch)):
            yield _request(_body(some))

    def _updates(self) -> Iterator[Mapping[str, Any]]:
        statuses = self._statuses()
        for number in range(self.first, self.first + self.messages):
            yield _message(number, self._phone(number))
            if self.with_statuses:
                yield from islice(statuses, len(_STATUSES))

    def _statuses(self) -> Iterator[Mapping[str, Any]]:
        # All that were sent, then all that were delivered: two of one row never overtake each other.
        unknown = (f"{number:032x}" for number in range(self.messages))
        rows = [*self.rows, *unknown][: self.messages]
        for status in _STATUSES:
            for index, row in enumerate(rows):
                yield _status(row, status, self._phone(self.first + index))

    def _phone(self, number: int) -> str:
        return str(15_550_000_000 + number % self.users)


def _message(number: int, phone: str) -> Mapping[str, Any]:
    return {
        "from": phone,
        "id": f"wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz{number:020d}",
        "timestamp": "1749416383",
        "type": "text",
        "text": {"body": "Does it come in another color?"},
    }


def _status(row_id: str, status: str, phone: str) -> Mapping[str, Any]:
    return {
        "id": f"wamid.HBgLMTU1NTAwMDAwMDAVAgARGBI5{row_id:.20}",
        "status": status,
        "timestamp": "1749416384",
        "recipient_id": phone,
        "biz_opaque_callback_data": row_id,
        "conversation": {
            "id": "72b14d6bd5407799e66f64d1b338e567",
            "expiration_timestamp": "1749502784",
            "origin": {"type": "service"},
        },
        "pricing": {"billable": False, "pricing_model": "PMP", "type": "regular", "category": "service"},
    }


def _body(updates: Sequence[Mapping[str, Any]]) -> bytes:
    messages = [update for update in updates if "type" in update]
    statuses = [update for update in updates if "status" in update]
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
    }
    if messages:
        value["contacts"] = [
            {"profile": {"name": "Sheena Nelson"}, "wa_id": message["from"]} for message in messages
        ]
        value["messages"] = messages
    if statuses:
        value["statuses"] = statuses
    entry = {"id": "419561257915477", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def _request(body: bytes) -> bytes:
    head = (
        f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{SIGNATURE_HEADER}: {sign(body, SECRET)}\r\n\r\n"
    )
    return head.encode() + body
