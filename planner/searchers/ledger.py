"""What every searcher keeps: the trials so far, each layout once, within the budget."""

import time
from math import isfinite, log, log1p
from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.protocols import BlackBox, History, StopSearchError, Trial
from plan3d.planner.searchers.study import Study
from plan3d.simulator.errors import InputError

PATIENCE: Final = 30
"""Proposals in a row that are known already, after which a new layout is drawn at random. [1]"""

PENALTY: Final = 0.7
"""How much worse than the slowest a layout counts that did not run: twice as slow. [log s]"""

BUDGET: Final = 1_000_000
"""The most trials that can be asked for. [1]"""

LOOK_S: Final = 0.5
"""Time between two looks at what the last other workers are doing. [s]"""


class Ledger:
    """Asks the black box, and remembers: in memory, or in a study that others share."""

    def __init__(
        self, grid: Grid, box: BlackBox, *, name: str, budget: int, seed: int,
        study: Study | None = None,
    ) -> None:  # fmt: skip
        check_whole("budget", budget, 1, BUDGET)
        check_whole("seed", seed, 0, 2**32 - 1)
        self.grid, self.box, self.name, self.study = grid, box, name, study
        self.budget, self.seed = int(budget), int(seed)
        self.tried: dict[int, Trial] = {}
        self.busy: frozenset[int] = frozenset()
        self._proposed: set[int] = set()
        self._repeats = 0
        self._stopped = ""
        self._spare = np.random.default_rng([self.seed, 1])
        self._look()

    @property
    def most(self) -> int:
        """Trials that there can be, those of other workers among them [1]."""
        return min(self.budget, len(self.grid))

    @property
    def taken(self) -> list[int]:
        """The rows that need not be proposed."""
        return [*self.tried, *self.busy]

    def more(self) -> bool:
        """Return whether another layout may be tried, and learn what other workers found.

        Layouts whose worker died are tried first. Where the budget is spent but others are still
        trying, it waits for them: a worker that dies leaves its trial to who waits.
        """
        while not self._stopped:
            for row in self._look():
                if len(self.tried) + len(self.busy) < self.most:
                    self._try(row)
            if len(self.tried) + len(self.busy) < self.most:
                return True
            if not self.busy or len(self.tried) >= self.most:
                return False
            time.sleep(LOOK_S)
        return False

    def evaluate(self, row: int) -> Trial:
        """Return what becomes of a layout, from memory if it was tried before.

        Where nothing new was proposed for long, an untried layout is tried as well. A layout that
        another worker is trying counts as one that did not run, until that is known.
        """
        new = row not in self._proposed
        self._proposed.add(row)
        if row not in self.tried and row not in self.busy:
            if self._full:
                raise RuntimeError("the budget is spent: ask `more` before `evaluate`")
            self._try(row)
        elif not new:
            self._repeats += 1
            if self._repeats >= PATIENCE and not self._full:
                self._try(self.untried())
        return self.tried.get(row) or Trial(
            layout=self.grid.table.row(row), message="another worker is trying it"
        )

    def untried(self) -> int:
        """Return a random row that nobody tried yet."""
        taken = {*self.tried, *self.busy}
        if 2 * len(taken) < len(self.grid):
            while (row := int(self._spare.integers(len(self.grid)))) in taken:
                pass
            return row
        left = np.setdiff1d(np.arange(len(self.grid)), list(taken))
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

    @property
    def _full(self) -> bool:
        return len(self.tried) + len(self.busy) >= self.most

    def _look(self) -> tuple[int, ...]:
        """Learn where the study stands; return the rows that must be tried again."""
        if self.study is None:
            return ()
        now = self.study.progress()
        self.tried, self.busy = now.tried, now.busy
        return now.lost

    def _try(self, row: int) -> None:
        """Try a row, unless another worker was faster."""
        self._repeats = 0
        if self.study is None:
            self.tried[row] = self._ask(row)
        else:
            found = self.study.evaluate(row, lambda: self._ask(row), self.most)
            self.tried |= {} if found is None else {row: found}

    def _ask(self, row: int) -> Trial:
        """Ask the black box; whatever it raises is a failed trial."""
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
        return trial


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is not a whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(
            f"{name} is {value!r}, but must be a whole number from {low:,} to {high:,}"
        )
