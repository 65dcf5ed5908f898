"""What a sampler moves on: all axes of a grid, or the outer ones, the inner choices solved exactly.

Bilevel: the sampler proposes how the GPUs are divided, the chunks and the micro-batch; of all
layouts with these, the one that the closed form says is fastest is tried. Every proposal is legal.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.protocols import Trial
from plan3d.simulator.errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Outer:
    """From a sampler's parameters to a row of a grid, and back."""

    def __init__(self, grid: Grid, *, bilevel: bool, relaxed: bool) -> None:
        if bilevel and grid.predicted_s is None:
            raise InputError(
                "inner choices are solved by predictions, and this grid has none; build it with "
                "them, or search without bilevel"
            )
        self.grid, self.relaxed, self.bilevel = grid, relaxed, bilevel
        self.axes = grid.axes[: grid.outer] if bilevel else grid.axes
        self.levels = [np.unique(column) for column in grid.points[:, : len(self.axes)].T]

    def space(self) -> dict[str, "BaseDistribution"]:
        """Return the sampler's parameters: the number of a value on its axis, or a point of it."""
        from optuna.distributions import (  # noqa: PLC0415  (heavy)
            FloatDistribution,
            IntDistribution,
        )

        if self.relaxed:
            return {name: FloatDistribution(0.0, 1.0) for name in self.axes}
        return {
            name: IntDistribution(0, len(values) - 1)
            for name, values in zip(self.axes, self.levels, strict=True)
        }

    def params(self, row: int) -> dict[str, Any]:
        """Return the parameters of a row."""
        values = self.grid.points[row] if self.relaxed else self.grid.codes[row]
        return {name: v.item() for name, v in zip(self.axes, values, strict=False)}

    def row(self, params: Mapping[str, Any], tried: Mapping[int, Trial]) -> int:
        """Return the row that stands for parameters.

        Where the fastest of the inner choices ran out of memory, the fastest of those that need
        less is next.
        """
        point = [
            params[name] if self.relaxed else float(values[params[name]])
            for name, values in zip(self.axes, self.levels, strict=True)
        ]
        low, high = self.grid.nearest(point)
        if high - low == 1 or not self.bilevel:
            return low
        assert self.grid.predicted_s is not None
        every = np.zeros(len(self.grid)) if self.grid.filled is None else self.grid.filled
        filled = every[low:high]
        failed = [r - low for r in tried if low <= r < high and tried[r].out_of_memory]
        least = filled[failed].min(initial=np.inf)
        late = (filled > 1) + 2 * (filled >= least)
        return low + int(np.lexsort((self.grid.predicted_s[low:high], late))[0])
