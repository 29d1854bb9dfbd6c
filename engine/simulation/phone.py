"""The Graph API of a made-up world, and the phones behind it: it takes each request as the scenario says."""

import itertools
from collections.abc import Iterator, Mapping

import attrs
import trio

from engine.errors import SendAmbiguous, SendBlocked, SendDelayed, SendRefused
from engine.model import Delivery, DeliveryReport, OutboxRow, TypingSignal
from engine.replies import TemplateBody
from engine.simulation.scenario import Send
from engine.simulation.world import World


@attrs.frozen(eq=False)
class Phone:
    """An engine's way out, over all its lives."""

    world: World
    _sends: Mapping[int, Send] = attrs.field(init=False)
    _requests: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _provider_ids: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    @_sends.default
    def _of_scenario(self) -> Mapping[int, Send]:
        return dict(self.world.scenario.sends)

    async def send(self, outgoing: OutboxRow | TypingSignal) -> str:
        """See `engine.Outbound`."""
        if isinstance(outgoing, TypingSignal):
            await trio.lowlevel.checkpoint()
            return ""
        world = self.world
        send = self._sends.get(next(self._requests), Send())
        is_template = isinstance(outgoing.body, TemplateBody)
        world.write(
            "request",
            outgoing.user.id,
            outgoing.id,
            outgoing.kind.value,
            outgoing.message_id,
            outgoing.to,
            is_template,
        )
        await trio.sleep(send.seconds)
        if world.dead:
            await trio.sleep_forever()
        match send.answer:
            case "delayed":
                raise SendDelayed("not now")
            case "throughput":
                raise SendDelayed("too many", whole_number=True)
            case "refused":
                raise SendRefused("never")
            case "blocked":
                raise SendBlocked("the token")
            case "silent":
                raise SendAmbiguous("no answer")
        world.write("shown", outgoing.user.id, outgoing.id, outgoing.kind.value, send.answer)
        provider_id = f"wamid{next(self._provider_ids)}"
        for after, status in send.statuses:
            error = SendRefused("not delivered") if status == "failed" else None
            report = DeliveryReport(
                row_id=outgoing.id, delivery=Delivery(status), provider_id=provider_id, error=error
            )
            world.come(world.seconds + after, report=report)
        if send.answer == "lost":
            raise SendAmbiguous("no answer")
        return provider_id
