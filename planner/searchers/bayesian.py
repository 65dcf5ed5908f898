"""Bayesian optimisation: Optuna's TPE, or its Gaussian process.

T. Akiba et al., "Optuna", KDD 2019; J. Bergstra et al., "Algorithms for hyper-parameter
optimization", NeurIPS 2011 (the tree-structured Parzen estimator). Layouts that run out of memory
are told as a broken constraint, by the bytes over.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger, check_whole
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import BlackBox, History
from plan3d.planner.searchers.sampled import sampled
from plan3d.planner.searchers.study import Study
from plan3d.simulator.errors import InputError

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, kw_only=True)
class Bayesian:
    """A searcher that learns which layouts are fast, and tries what promises most."""

    name: str = "bayesian"
    model: Literal["tpe", "gp"] = "tpe"
    """What is learnt: densities of good and bad points, or a Gaussian process, which asks for
    seconds a trial and `torch`."""
    bilevel: bool = True
    """Only the outer axes are learnt; the inner choices are the closed form's best
    (`plan3d.planner.searchers.outer`). The grid must have its predictions."""
    first: int = 0
    """Layouts that the closed form says are fastest, tried before anything is learnt. [1]"""

    def __call__(
        self, grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
    ) -> History:
        """Return the trials."""
        check_whole("first", self.first, 0, 1000)
        if self.model == "gp" and not find_spec("torch"):
            raise InputError(
                "the Gaussian process needs torch; install it (pip install torch), or use TPE: "
                "searcher bayesian"
            )
        ledger = Ledger(grid, box, name=self.name, budget=budget, seed=seed, study=study)
        outer = Outer(grid, bilevel=self.bilevel, relaxed=False)
        # Where a study goes on, the sampler must not draw again what it drew at first.
        again = int(np.random.default_rng([ledger.seed, len(ledger.taken)]).integers(2**31))
        return sampled(ledger, outer, _sampler(self.model, again), first=self.first)


bayesian: Final = Bayesian()
"""The default: TPE on the outer axes."""


def _sampler(model: str, seed: int) -> "optuna.samplers.BaseSampler":
    """Return Optuna's sampler."""
    import optuna  # noqa: PLC0415  (heavy)

    if model == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)
