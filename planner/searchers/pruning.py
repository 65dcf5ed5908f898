"""Leave out what the closed form rules out, before an expensive trial: the memory, then the time.

Legality is settled in the space, these two in all of its layouts at once; only what is left is
worth a trial. The margins are wide, since the closed form may be wrong by that much.
"""

import numpy as np

from plan3d.planner.searchers.grid import Grid, grid_from
from plan3d.simulator.errors import InputError, NothingFeasibleError

MEMORY = 1.25
"""Predicted peak over the memory of a GPU, above which a layout is left out. [1]"""
TIME = 1.5
"""Predicted step time over the shortest of those that fit, above which it is left out. [1]"""


def pruned(grid: Grid, *, memory: float = MEMORY, time: float = TIME) -> Grid:
    """Return the layouts that may be best, whatever is wrong with the closed form within reason.

    Raises
    ------
    InputError
        If the grid has no predictions, or a margin is below 1.
    NothingFeasibleError
        If no layout is within the margin of the memory.
    """
    if grid.predicted_s is None or grid.filled is None:
        raise InputError("pruning goes by predictions, and this grid has none; build it with them")
    if min(memory, time) < 1:
        raise InputError(f"margins are {memory} and {time}, but must be 1 or more")
    may_fit = grid.filled <= memory
    if not may_fit.any():
        raise NothingFeasibleError(
            f"the closed form says that every layout needs more than {memory:g} times the memory"
        )
    fits = grid.filled <= 1 if (grid.filled <= 1).any() else may_fit
    shortest = np.min(grid.predicted_s, where=fits, initial=np.inf)
    rows = np.flatnonzero(may_fit & (grid.predicted_s <= time * shortest))
    return grid_from(
        grid.table.take(rows), predicted_s=grid.predicted_s[rows], filled=grid.filled[rows]
    )
