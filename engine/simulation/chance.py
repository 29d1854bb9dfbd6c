"""The chance that worlds are made with."""

import random
from typing import Final

# How many seconds times are apart, so that things do meet in one instant.
STEPS: Final = (0.25, 0.25, 1.0)


class Chance(random.Random):
    """Chance, and instants by it."""

    step = STEPS[0]

    def instant(self, most: float) -> float:
        """Seconds up to `most`, often as many as others are."""
        return self.randint(0, int(most / self.step)) * self.step
