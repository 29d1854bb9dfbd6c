"""Sans-io: when the next message to one user may be sent, so that the platform need not refuse it.

WhatsApp: one message per 6 s to one user; up to 45 within 6 s are borrowed from what follows, and until
that is paid back nothing more may be sent (a burst of 20: two minutes).
https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput#pair-rate-limits
"""

import attrs

from engine.limits import Limits


@attrs.frozen
class Pace:
    """How much one user was sent lately.  Times are seconds of any one clock.

    `began_at`: when the present burst began; `count`: how many messages it has.
    """

    began_at: float = 0.0
    count: int = 0

    def next_at(self, now: float, limits: Limits) -> float:
        """The earliest time, from now on, at which another message may be sent."""
        paid_at = self.paid_at(limits)
        in_burst = now < self.began_at + limits.pair_seconds and self.count < limits.pair_burst_max
        return now if in_burst or now >= paid_at else paid_at

    def sent(self, at: float, limits: Limits) -> "Pace":
        """The pace after a message at this time."""
        if at >= self.paid_at(limits):
            return Pace(at, 1)
        return Pace(self.began_at, self.count + 1)

    def is_over(self, now: float, limits: Limits) -> bool:
        """Whether nothing of it matters any more, so that it need not be kept."""
        return now >= self.paid_at(limits)

    def paid_at(self, limits: Limits) -> float:
        """When the burst is paid back."""
        return self.began_at + self.count * limits.pair_seconds if self.count else float("-inf")
