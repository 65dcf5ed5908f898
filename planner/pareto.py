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
    """Return at most `top` layouts of a front, evenly spread in memory, both ends included."""
    memory = ranked.memory_bytes
    if len(memory) <= top:
        return ranked
    wanted = np.linspace(memory[0], memory[-1], top)
    return ranked.take(np.unique(np.abs(memory[:, None] - wanted).argmin(axis=0)))


def undominated(*columns: Floats) -> Ints:
    """Return the rows that no other beats in all columns, in their order; of equal ones the first.

    Parameters
    ----------
    columns
        What to have little of, each of shape (n,). Compares all pairs.

    Examples
    --------
    >>> undominated(np.array([1.0, 2.0, 2.0]), np.array([5.0, 4.0, 6.0])).tolist()
    [0, 1]
    """
    values = np.array(columns).T
    no_worse = (values[:, None] <= values).all(axis=2)
    equal = no_worse & no_worse.T
    beats = (no_worse & ~equal) | (equal & np.tri(len(values), k=-1, dtype=np.bool_).T)
    return np.flatnonzero(~beats.any(axis=0))
