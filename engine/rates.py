"""How fast one user may write: counts, minute by minute, and forgets.  No clock of its own."""

from typing import Final

import attrs

MINUTE: Final = 60.0


@attrs.define
class Rate:
    """Counts each user's messages in the present minute; at the next one all counts are gone."""

    per_minute_max: int
    _minute: int = -1
    _counts: dict[str, int] = attrs.field(factory=dict)

    def excess(self, user_id: str, now: float) -> int:
        """Count one more message, at these seconds of any steady clock; how many there are too many."""
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        count = self._counts[user_id] = self._counts.get(user_id, 0) + 1
        return max(0, count - self.per_minute_max)
