"""Bayesian optimisation with Optuna's TPE: asks for a point, tells its log time.

T. Akiba et al., "Optuna", KDD 2019; J. Bergstra et al., "Algorithms for hyper-parameter
optimization", NeurIPS 2011 (the tree-structured Parzen estimator). Layouts that run out of memory
are told as a broken constraint, by the bytes over.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import BlackBox, History, Trial
from plan3d.planner.searchers.study import opened, remember, restored
from plan3d.simulator.layout import Layout
from plan3d.simulator.numeric import Floats

if TYPE_CHECKING:
    import optuna

STALE: Final = 10
"""Proposals in a row that are known already, after which an untried layout is drawn. [1]"""
MOST_GIB: Final = 1e6
"""Stands for an unknown number of bytes over. [GiB]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bayesian:
    """A searcher; the study may live in a file or a database, and go on after a stop."""

    warm: tuple[Layout, ...] = ()
    """Layouts to try first, such as the best of the closed form."""
    storage: str | None = None
    """None: in memory. With ``://``: the URL of a database, as ``sqlite:///study.db``. Otherwise
    the path of a journal file."""
    study: str = "plan3d"
    """Name of the study in its storage."""

    def __call__(self, grid: Grid, box: BlackBox, /, *, budget: int, seed: int) -> History:
        """Return all trials of the study, those of earlier calls first; they count."""
        name = "bayesian, warm" if self.warm else "bayesian"
        ledger = Ledger(grid, box, name=name, budget=budget, seed=seed)
        first = grid.rows_of(self.warm)
        study = opened(grid, self.storage, self.study, ledger.seed)
        levels = [np.unique(column) for column in grid.points.T]
        if not study.get_trials(deepcopy=False):
            for row in first:
                study.enqueue_trial(_codes(grid, row))
        repeats = 0
        restored(study, ledger)
        while ledger.open:
            if repeats >= STALE:
                study.enqueue_trial(_codes(grid, ledger.untried()))
            trial = study.ask()
            row = _suggested(grid, levels, trial)
            repeats = repeats + 1 if row in ledger.tried else 0
            found = ledger.evaluate(row)
            if not repeats:
                remember(trial, row, found)
            _tell(study, trial, ledger, found)
        return ledger.history()


bayesian: Final = Bayesian()
"""Without a warm start, in memory."""


def _codes(grid: Grid, row: int) -> dict[str, int]:
    """Return the parameters of a row."""
    return {name: int(c) for name, c in zip(grid.axes, grid.codes[row], strict=True)}


def _suggested(grid: Grid, levels: list[Floats], trial: "optuna.Trial") -> int:
    """Return the row that the sampler proposes: the number of each axis's value, decoded."""
    codes = [
        trial.suggest_int(name, 0, size - 1)
        for name, size in zip(grid.axes, grid.sizes, strict=True)
    ]
    return grid.decode([float(values[c]) for values, c in zip(levels, codes, strict=True)])


def _tell(study: "optuna.Study", trial: "optuna.Trial", ledger: Ledger, found: Trial) -> None:
    """Tell the log of the step time, and by how many GiB it is over the memory."""
    over = min(found.over_bytes / 2**30, MOST_GIB)
    if hasattr(trial, "set_constraint"):
        trial.set_constraint("memory", over)
    study.tell(trial, ledger.loss(found))
