"""The users of the crash runs: they write at random moments, change their mind, and lose answers.

Rule 1: what gets no 200 is posted again with the same id, as Meta does, until it gets one.
Rule 2: what got a 200 is in the ledger `accepted`; that is all the run holds the server to.
"""

# ruff: noqa: S311  # chance, not cryptography

import json
import random
import time
from pathlib import Path
from typing import Any

import attrs
import httpx2
import ledger
import trio

from web.whatsapp.signature import SIGNATURE_HEADER, sign

# More would wait for the pair limit of WhatsApp: 45 messages at once, then one in 6 s.
MESSAGES_MAX = 14
# Of the messages, this part says stop.
STOPS = 0.08
_RETRY_SECONDS = 0.05
_ANSWER_SECONDS_MAX = 20.0


@attrs.define(eq=False)
class Load:
    """Users who write until they are told to stop."""

    folder: Path
    seed: str
    client: httpx2.AsyncClient
    secret: str
    stopped: bool = False
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, users: int) -> None:
        """Ended when everything that was begun has got its 200."""
        async with trio.open_nursery() as nursery:
            for number in range(users):
                nursery.start_soon(self._run_person, number)
        self.ended.set()

    async def _run_person(self, number: int) -> None:
        """One person after the other, each with a phone of their own; one in three is not patient."""
        chance = random.Random(f"{self.seed} user {number}")
        generation = 0
        while not self.stopped:
            await self._talk(f"1555{number:03}{generation:04}", chance, is_patient=number % 3 != 0)
            generation += 1

    async def _talk(self, phone: str, chance: random.Random, *, is_patient: bool) -> None:
        sent: list[dict[str, Any]] = []
        for count in range(MESSAGES_MAX):
            pause = (1.0, 3.0) if is_patient else chance.choice([(0, 0.1), (0.1, 1.0)])
            await trio.sleep(chance.uniform(*pause) if count else chance.uniform(0, 1))
            if self.stopped:
                return
            text = "stop" if chance.random() < STOPS else ""
            batch = [message(phone, f"{count}", late=chance.random() < 0.05, text=text)]
            if chance.random() < 0.1:
                batch.append(message(phone, f"{count}b", late=False))
            sent += batch
            if chance.random() < 0.1:  # a redelivery of what may long be answered, in a batch of its own
                batch.insert(0, chance.choice(sent))
            await self._deliver(batch, hangs_up=chance.random() < 0.05)

    async def _deliver(self, batch: list[dict[str, Any]], *, hangs_up: bool) -> None:
        patience = 0.005 if hangs_up else _ANSWER_SECONDS_MAX
        while not await self._post(batch, patience):
            patience = _ANSWER_SECONDS_MAX
            await trio.sleep(_RETRY_SECONDS)
        for item in batch:
            ledger.write(self.folder / "accepted", id=item["id"], user=item["from"])

    async def _post(self, batch: list[dict[str, Any]], patience: float) -> bool:
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "messages": batch}}
        entry = {"id": "1", "changes": [change]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        headers = {SIGNATURE_HEADER: sign(body, self.secret)}
        try:
            url = f"{(self.folder / 'server').read_text()}/webhook/whatsapp"
            answer = await self.client.post(url, content=body, headers=headers, timeout=patience)
        except (OSError, httpx2.HTTPError):
            return False
        return answer.status_code == 200


def message(phone: str, number: str, *, late: bool, text: str = "") -> dict[str, Any]:
    return {
        "from": phone,
        "id": f"wamid.{phone}.{number}",
        "timestamp": str(int(time.time()) - (100 if late else 0)),
        "type": "text",
        "text": {"body": text or f"please {number}"},
    }
