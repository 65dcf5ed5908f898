"""Layouts as a Gymnasium environment, for agents of other libraries (extra: ``rl``).

An episode decides one layout, axis by axis, as `plan3d.planner.searchers.policy` does; an action is
the number of a value on the axis whose turn it is. `LayoutEnv.action_masks` says which are legal
after the decisions before; an action that is not is taken for the nearest that is, so that agents
without masks learn, too. The last decision is rewarded by the negative logarithm of the step time,
and what does not run by a penalty.
"""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import BUDGET, Ledger
from plan3d.planner.searchers.protocols import BlackBox, History, Trial
from plan3d.planner.searchers.study import Study
from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Bools

Observation = NDArray[np.float32]
UNDECIDED = -1.0
"""Stands in an observation for an axis that is not decided yet. [1]"""


class LayoutEnv(gymnasium.Env[Observation, np.int64]):
    """An environment whose episodes are layouts of a grid.

    Observations are the points of the axes decided so far, from 0 to 1 and `UNDECIDED` after, and
    then 1 at the axis whose turn it is: shape (2 d,). Actions are whole numbers below the size of
    the largest axis. ``info["trial"]`` is what became of the layout at the end of an episode.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  Gymnasium's own declaration

    def __init__(
        self,
        grid: Grid,
        box: BlackBox,
        *,
        budget: int = BUDGET,
        seed: int = 0,
        study: Study | None = None,
    ) -> None:
        if not grid.axes:
            raise InputError("there is one layout only, and nothing to decide")
        self._ledger = Ledger(grid, box, name="environment", budget=budget, seed=seed, study=study)
        self._grid = grid
        self.observation_space = spaces.Box(UNDECIDED, 1.0, (2 * len(grid.axes),), np.float32)
        self.action_space = spaces.Discrete(max(grid.sizes))
        self._rows = (0, len(grid))
        self._turn = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin with nothing decided."""
        super().reset(seed=seed, options=options)
        self._rows, self._turn = (0, len(self._grid)), 0
        return self._seen(), {}

    def step(
        self, action: np.int64
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Decide the axis whose turn it is; at the last, try the layout.

        Where the budget is spent, a layout that was not tried yet ends the episode as truncated.
        """
        low, high = self._rows
        column = self._grid.codes[low:high, self._turn]
        code = column[np.argmin(np.abs(column - int(action)))]
        first, last = np.searchsorted(column, [code, code + 1])
        self._rows = low + int(first), low + int(last)
        self._turn += 1
        if self._turn < len(self._grid.axes):
            return self._seen(), 0.0, False, False, {}
        trial = self._trial(self._rows[0])
        if trial is None:
            return self._seen(), 0.0, False, True, {}
        return self._seen(), -self._ledger.loss(trial), True, False, {"trial": trial}

    def action_masks(self) -> Bools:
        """Return which actions are legal now, shape (number of actions,)."""
        found = np.zeros(int(self.action_space.n), dtype=np.bool_)  # type: ignore[attr-defined]
        if self._turn < len(self._grid.axes):
            legal = self._grid.legal(*self._rows, self._turn)
            found[: len(legal)] = legal
        return found

    def history(self) -> History:
        """Return all layouts that were tried, each once, in order."""
        return self._ledger.history()

    def _trial(self, row: int) -> Trial | None:
        """Return what becomes of a row, None if it would be one too many."""
        if row not in self._ledger.tried and self._ledger.more():
            return self._ledger.evaluate(row)
        return self._ledger.tried.get(row)

    def _seen(self) -> Observation:
        """Return the observation of now."""
        axes = len(self._grid.axes)
        found = np.zeros(2 * axes, dtype=np.float32)
        found[:axes] = UNDECIDED
        found[: self._turn] = self._grid.points[self._rows[0], : self._turn]
        if self._turn < axes:
            found[axes + self._turn] = 1.0
        return found
