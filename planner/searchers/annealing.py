r"""Simulated annealing: steps to neighbours, worse ones less and less often.

A step that makes the logarithm of the step time longer by d is taken with probability

.. math:: \exp(-d / T), \qquad T = T_0 (T_1 / T_0)^{k / n}

at trial k of n (S. Kirkpatrick et al., "Optimization by simulated annealing", Science 220, 1983).
"""

from math import exp
from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.study import Study

HOT: Final = 0.3
"""First temperature: a step 35 % slower is taken in one of e cases. [log s]"""
COLD: Final = 0.01
"""Last temperature. [log s]"""


def annealing(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of a walk over neighbours that cools down as the budget is spent.

    Where all neighbours were tried and none is better, it goes on from a layout drawn at random.
    """
    ledger = Ledger(grid, box, name="annealing", budget=budget, seed=seed, study=study)
    rng = np.random.default_rng(seed)
    here, now = -1, 0.0
    while ledger.more():
        near = grid.neighbours(here) if here >= 0 else ()
        known = [row for row in near if row in ledger.tried]
        if len(known) == len(near) and all(ledger.loss(ledger.tried[r]) >= now for r in known):
            here = ledger.untried()
            now = ledger.loss(ledger.evaluate(here))
            continue
        there = near[int(rng.integers(len(near)))]
        then = ledger.loss(ledger.evaluate(there))
        cooled = HOT * (COLD / HOT) ** (len(ledger.tried) / ledger.budget)
        if then <= now or rng.random() < exp((now - then) / cooled):
            here, now = there, then
    return ledger.history()
