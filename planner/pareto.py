"""Layouts that no other beats in both time and memory."""

import numpy as np

from plan3d.planner.grouping import Ranked
from plan3d.simulator.numeric import Floats, Ints


def front(time_s: Floats, memory_bytes: Floats) -> Ints:
    """Return the rows on the front, the fastest first; of equal ones the first.

    Examples
    --------
    >>> front(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 4.0])).tolist()
    [0, 2]
    """
    order = np.lexsort((memory_bytes, time_s))
    memory = memory_bytes[order]
    least = np.minimum.accumulate(np.concatenate([[np.inf], memory]))[:-1]
    return order[memory < least]


def thinned(ranked: Ranked, top: int) -> Ranked:
    """Return at most `top` layouts, evenly spread from the fastest to the smallest."""
    n = len(ranked.score)
    if n <= top:
        return ranked
    return ranked.take(np.unique(np.linspace(0, n - 1, top).round().astype(np.int64)))
