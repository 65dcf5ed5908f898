"""What every searcher keeps: the trials so far, each layout once, within the budget."""

from math import isfinite, log, log1p
from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.protocols import BlackBox, History, StopSearchError, Trial
from plan3d.simulator.errors import InputError

PATIENCE: Final = 30
"""Proposals in a row that are known already, after which a new layout is drawn at random. [1]"""

PENALTY: Final = 0.7
"""How much worse than the slowest a layout counts that did not run: twice as slow. [log s]"""

BUDGET: Final = 1_000_000
"""The most trials that can be asked for. [1]"""


class Ledger:
    """Asks the black box, and remembers."""

    def __init__(self, grid: Grid, box: BlackBox, *, name: str, budget: int, seed: int) -> None:
        check_whole("budget", budget, 1, BUDGET)
        check_whole("seed", seed, 0, 2**32 - 1)
        self.grid, self.box, self.name = grid, box, name
        self.budget, self.seed = int(budget), int(seed)
        self.tried: dict[int, Trial] = {}
        self._repeats = 0
        self._stopped = ""
        self._spare = np.random.default_rng([self.seed, 1])

    @property
    def open(self) -> bool:
        """Whether another layout may be tried."""
        return not self._stopped and len(self.tried) < min(self.budget, len(self.grid))

    def evaluate(self, row: int) -> Trial:
        """Return what becomes of a layout, from memory if it was tried before.

        Where nothing new was proposed for long, an untried layout is tried as well.
        """
        if row in self.tried:
            self._repeats += 1
            if self._repeats >= PATIENCE and self.open:
                self._try(self.untried())
        else:
            if not self.open:
                raise RuntimeError("the budget is spent: ask `open` before `evaluate`")
            self._try(row)
        return self.tried[row]

    def untried(self) -> int:
        """Return a random row that was not tried yet."""
        if 2 * len(self.tried) < len(self.grid):
            while (row := int(self._spare.integers(len(self.grid)))) in self.tried:
                pass
            return row
        left = np.setdiff1d(np.arange(len(self.grid)), list(self.tried))
        return int(self._spare.choice(left))

    def loss(self, trial: Trial) -> float:
        """Return the logarithm of the step time, or a penalty that grows with the bytes over."""
        if trial.ok:
            return log(trial.time_s)
        slowest = max((log(t.time_s) for t in self.tried.values() if t.ok), default=0.0)
        over = log1p(trial.over_bytes / 2**30) if isfinite(trial.over_bytes) else 0.0
        return slowest + PENALTY + 0.1 * over

    def history(self) -> History:
        """Return all trials, and why they ended."""
        return History(
            searcher=self.name,
            seed=self.seed,
            budget=self.budget,
            trials=tuple(self.tried.values()),
            stopped=self._stopped
            or ("exhausted" if len(self.tried) == len(self.grid) else "budget"),
        )

    def _try(self, row: int) -> None:
        """Ask the black box; whatever it raises is a failed trial."""
        self._repeats = 0
        layout = self.grid.table.row(row)
        try:
            trial = self.box(layout)
        except StopSearchError as reason:
            self._stopped = str(reason) or "stopped"
            trial = Trial(layout=layout, message=self._stopped)
        except Exception as error:  # a black box is the user's: nothing it raises ends a search
            trial = Trial(layout=layout, message=f"{type(error).__name__}: {error}")
        if not trial.ok and not trial.out_of_memory and not trial.message:
            trial = Trial(layout=layout, message=f"no usable time: {trial.time_s} s")
        self.tried[row] = trial


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is not a whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(
            f"{name} is {value!r}, but must be a whole number from {low:,} to {high:,}"
        )
