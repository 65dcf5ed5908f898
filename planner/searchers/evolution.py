"""Differential evolution (scipy) on the relaxed points of a grid.

R. Storn and K. Price, "Differential evolution", Journal of Global Optimization 11, 1997.
"""

from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.study import Study
from plan3d.simulator.numeric import Floats

POPULATION: Final = (6, 20)
"""Fewest and most points of a generation; in between, a fifth of the budget. [1]"""


class _SpentError(Exception):
    """The budget is spent."""


def evolution(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of differential evolution, started again whenever it has converged."""
    from scipy.optimize import Bounds, differential_evolution  # noqa: PLC0415  (heavy)

    ledger = Ledger(grid, box, name="evolution", budget=budget, seed=seed, study=study)
    rng = np.random.default_rng(seed)
    size = int(np.clip(ledger.budget // 5, *POPULATION))

    def loss(point: Floats) -> float:
        row = grid.decode(point)
        if row not in ledger.tried and not ledger.more():
            raise _SpentError
        return ledger.loss(ledger.evaluate(row))

    try:
        while ledger.more() and grid.axes:
            differential_evolution(
                loss,
                Bounds(np.zeros(len(grid.axes)), np.ones(len(grid.axes))),
                init=rng.random((size, len(grid.axes))),
                seed=int(rng.integers(2**31)),
                polish=False,
                maxiter=ledger.budget,
            )
    except _SpentError:
        pass
    while ledger.more():
        ledger.evaluate(ledger.untried())
    return ledger.history()
