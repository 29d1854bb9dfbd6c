"""How fast a cost grows with what it is the cost of.  No I/O, no clock, no Trio."""

from collections.abc import Mapping
from math import log
from typing import Final

from web.bench.figures import at_most

# 1 is n log n itself; what is above it is what a measurement is off by.  n^1.5 would be 1.3, n^2 1.7.
NO_FASTER: Final = at_most(1.1)


def exponent(totals: Mapping[int, float]) -> float:
    """The power of n log n with which these totals, by n, grow: 1 for n log n, less for what grows slower.

    The slope of a straight line through their logarithms, by least squares.  Raises ValueError for less than
    two sizes.
    """
    if len(totals) < 2:
        raise ValueError("growth needs two sizes at least")
    points = [(log(n * log(n)), log(total)) for n, total in totals.items()]
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / sum(
        (x - middle_x) ** 2 for x, _ in points
    )
