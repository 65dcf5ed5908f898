"""Covariance matrix adaptation (Optuna's CMA-ES) on the relaxed points of a grid.

N. Hansen and A. Ostermeier, "Completely derandomized self-adaptation in evolution strategies",
Evolutionary Computation 9, 2001.
"""

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.sampled import sampled
from plan3d.planner.searchers.study import Study


def cmaes(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of a normal distribution that moves to where steps are short.

    Where a study goes on, the distribution starts again; what was tried answers at no cost.
    """
    from optuna.samplers import CmaEsSampler  # noqa: PLC0415  (heavy)

    ledger = Ledger(grid, box, name="cmaes", budget=budget, seed=seed, study=study)
    again = int(np.random.default_rng([ledger.seed, len(ledger.taken)]).integers(2**31))
    sampler = CmaEsSampler(seed=again, warn_independent_sampling=False)
    return sampled(ledger, Outer(grid, bilevel=False, relaxed=True), sampler, constrained=False)
