"""The layouts of a job as a finite grid: what all searchers move on.

A layout is a point: for each axis that varies, how far its value is up the range, in steps of equal
ratio for degrees (exponents), from 0 to 1. A point is decoded axis by axis: each takes the value
nearest to the one wanted of those that are legal after the axes before it, so that every point
stands for a legal layout, and every layout for a point of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from plan3d.planner.constraints import Constraint
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.frameworks import ANY, Framework
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.layout import DEGREES, FIELDS, Layout, LayoutTable
from plan3d.simulator.numeric import Bools, Floats, Ints

FIRST: Final = ("tp", "pp", "cp", "dp", "vpp", "micro_batch")
"""Axes that are decided first: the others depend on them."""

MOST: Final = 2_000_000
"""Layouts that a grid may have: larger spaces want constraints. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """n different layouts in d axes, sorted by their points, the first axis first."""

    table: LayoutTable
    axes: tuple[str, ...]
    """Fields of `Layout` that vary."""
    points: Floats
    """Where each layout is, from 0 to 1, shape (n, d). [1]"""
    codes: Ints
    """The same as the number of the value on its axis, from 0, shape (n, d). [1]"""
    predicted_s: Floats | None = None
    """What the closed form says of each step, shape (n,). [s]"""
    filled: Floats | None = None
    """Predicted peak over the memory of a GPU, shape (n,). [1]"""
    _near: dict[int, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each axis has [1]."""
        return tuple(int(n) for n in self.codes.max(axis=0, initial=0) + 1)

    @property
    def outer(self) -> int:
        """How many axes are decided first (`FIRST`): they come before the others [1]."""
        return sum(name in FIRST for name in self.axes)

    def decode(self, point: Sequence[float] | Floats) -> int:
        """Return the row of the legal layout nearest to a point, the first axis first."""
        return self.nearest(point)[0]

    def nearest(self, point: Sequence[float] | Floats) -> tuple[int, int]:
        """Return the rows, first and past the last, that agree with a point of the first axes.

        Each axis takes the value nearest to the one wanted of those that are legal after the axes
        before it; of two that are equally near, the lower.
        """
        low, high = 0, len(self)
        for axis, wanted in enumerate(point):
            column = self.points[low:high, axis]
            at = int(np.searchsorted(column, wanted))
            near = [float(column[i]) for i in (at - 1, at) if 0 <= i < len(column)]
            value = min(near, key=lambda v: abs(v - wanted))
            low, high = self.narrowed(low, high, axis, value)
        return low, high

    def narrowed(self, low: int, high: int, axis: int, value: float) -> tuple[int, int]:
        """Return the rows, of those that agree in the axes before, that have a value."""
        column = self.points[low:high, axis]
        first, last = np.searchsorted(column, value), np.searchsorted(column, value, side="right")
        return low + int(first), low + int(last)

    def legal(self, low: int, high: int, axis: int) -> Bools:
        """Return which values of an axis rows have that agree before, shape (size of axis,)."""
        counts = np.bincount(self.codes[low:high, axis], minlength=self.sizes[axis])
        return np.asarray(counts > 0)

    def neighbours(self, row: int) -> tuple[int, ...]:
        """Return the rows one step away: on each axis the next value up and down.

        The other axes follow as little as they must: of all layouts with that value, the nearest
        by the sum of distances. Kept for the next time.
        """
        if row not in self._near:
            far = np.abs(self.points - self.points[row]).sum(axis=1)
            found: dict[int, None] = {}
            for axis in range(len(self.axes)):
                for step in (-1, 1):
                    rows = np.flatnonzero(self.codes[:, axis] == self.codes[row, axis] + step)
                    if len(rows):
                        found[int(rows[np.argmin(far[rows])])] = None
            self._near[row] = tuple(found)
        return self._near[row]

    def find(self, layout: Layout) -> int | None:
        """Return the row of a layout, if it is in the grid."""
        same = np.ones(len(self), dtype=np.bool_)
        for name in FIELDS:
            same &= getattr(self.table, name) == float(getattr(layout, name))
        return int(np.argmax(same)) if same.any() else None

    def foreseen(self, most: int) -> Ints:
        """Return the rows that the closed form says are fastest, those that fit first."""
        if self.predicted_s is None:
            raise InputError("this grid has no predictions to start from; build it with them")
        misses = np.zeros(len(self)) if self.filled is None else self.filled > 1
        return np.lexsort((self.predicted_s, misses))[:most]


def grid_of(
    job: Job,
    framework: Framework = ANY,
    constraints: tuple[Constraint, ...] = (),
    *,
    predicted: bool = True,
) -> Grid:
    """Return all legal layouts of a job as a grid, with what the closed form says of each.

    Raises
    ------
    NothingFeasibleError
        If no layout is legal.
    InputError
        If there are more than `MOST`.
    """
    chunks, n = [], 0
    for chunk in space(job, framework, constraints).chunks():
        chunks.append(chunk)
        n += len(chunk)
        if n > MOST:
            raise InputError(
                f"more than {MOST:,} layouts are too many for a sampler; fix or limit some axes"
            )
    if not chunks:
        raise NothingFeasibleError("no layout is legal")
    evaluate = evaluator_of(job)
    found = [evaluate(chunk) for chunk in chunks] if predicted else []
    return grid_from(
        LayoutTable.concatenate(chunks),
        predicted_s=np.concatenate([f.step_time_s for f in found]) if found else None,
        filled=np.concatenate([f.memory_bytes / f.capacity_bytes for f in found])
        if found
        else None,
    )


def grid_from(
    table: LayoutTable, *, predicted_s: Floats | None = None, filled: Floats | None = None
) -> Grid:
    """Return layouts as a grid, each once; of equal ones the first counts.

    Raises
    ------
    NothingFeasibleError
        If there is none.
    """
    if not len(table):
        raise NothingFeasibleError("there is no layout to search")
    names = (*FIRST, *(name for name in FIELDS if name not in FIRST))
    scales = {name: _scaled(name, getattr(table, name)) for name in names}
    axes = tuple(name for name in names if np.ptp(scales[name]) > 0)
    points = np.array([scales[name] for name in axes]).reshape(len(axes), len(table)).T
    points, rows = np.unique(points, axis=0, return_index=True)
    codes = [np.unique(column, return_inverse=True)[1] for column in points.T]
    return Grid(
        table=table.take(rows),
        axes=axes,
        points=points,
        codes=np.array(codes, dtype=np.int64).reshape(len(axes), len(rows)).T,
        predicted_s=None if predicted_s is None else predicted_s[rows],
        filled=None if filled is None else filled[rows],
    )


def joined(grids: Sequence[Grid]) -> Grid:
    """Return the layouts of several grids as one, such as those of several numbers of GPUs.

    Raises
    ------
    InputError
        If some have predictions and others not.
    """
    times = [g.predicted_s for g in grids if g.predicted_s is not None]
    fills = [g.filled for g in grids if g.filled is not None]
    if {len(times), len(fills)} - {0, len(grids)}:
        raise InputError("some of these grids have predictions, and others have none")
    return grid_from(
        LayoutTable.concatenate([g.table for g in grids]),
        predicted_s=np.concatenate(times) if times else None,
        filled=np.concatenate(fills) if fills else None,
    )


def _scaled(name: str, values: Floats) -> Floats:
    """Return the values of an axis from 0 to 1: degrees by their exponents."""
    scale = np.log2(values) if name in DEGREES else values
    reach = float(np.ptp(scale))
    # Rounded, so that equal values stay equal whichever table they come from.
    return np.round((scale - scale.min()) / reach, 12) if reach else np.zeros(len(values))
