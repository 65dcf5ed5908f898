r"""Policy gradient over the sequence of layout decisions (REINFORCE with a baseline).

Axis by axis, a value is drawn from a softmax over those that are legal after the decisions before.
The preferences theta of the values follow the gradient of the expected reward

.. math:: \theta \leftarrow \theta + \eta \sum_{\text{axes}} A\, (\mathbb 1_{\text{drawn}} - \pi)

with A the advantage: how much shorter the step is than a running mean, in units of its running
spread (R. J. Williams, "Simple statistical gradient-following algorithms", Machine Learning 8,
1992, section 2).
"""

from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.study import Study
from plan3d.simulator.numeric import Floats

RATE: Final = 0.4
"""Learning rate eta. [1]"""
MEMORY: Final = 0.9
"""Weight of the past in the running mean and spread. [1]"""
CLIP: Final = 3.0
"""Largest advantage either way. [1]"""


def policy(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of a policy that learns which decisions make short steps."""
    ledger = Ledger(grid, box, name="policy", budget=budget, seed=seed, study=study)
    rng = np.random.default_rng(seed)
    preferences = [np.zeros(size) for size in grid.sizes]
    mean, spread = 0.0, 0.0
    first = True
    while ledger.more():
        row, slopes = _draw(grid, preferences, rng)
        reward = -ledger.loss(ledger.evaluate(row))
        if first:
            mean, first = reward, False
        spread = MEMORY * spread + (1 - MEMORY) * (reward - mean) ** 2
        advantage = float(np.clip((reward - mean) / np.sqrt(spread + 1e-12), -CLIP, CLIP))
        mean = MEMORY * mean + (1 - MEMORY) * reward
        for axis, slope in enumerate(slopes):
            preferences[axis] += RATE * advantage * slope
    return ledger.history()


def _draw(
    grid: Grid, preferences: list[Floats], rng: np.random.Generator
) -> tuple[int, list[Floats]]:
    """Return a row, and for each axis the gradient of the logarithm of its probability."""
    low, high = 0, len(grid)
    slopes = []
    for axis, values in enumerate(preferences):
        legal = grid.legal(low, high, axis)
        weights = np.where(legal, np.exp(values - values[legal].max()), 0.0)
        chance = weights / weights.sum()
        drawn = int(rng.choice(len(values), p=chance))
        slopes.append((np.arange(len(values)) == drawn) - chance)
        column = grid.codes[low:high, axis]
        first, last = np.searchsorted(column, [drawn, drawn + 1])
        low, high = low + int(first), low + int(last)
    return low, slopes
