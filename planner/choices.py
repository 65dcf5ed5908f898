"""Repeat the rows of a table for every value that an axis can take there."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from plan3d.planner.constraints import Constraint, allowed
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Floats

ABSENT: Final = -1.0
"""Stands in a matrix of choices where a row has fewer than others."""


def divisors(n: int) -> Floats:
    """Return the divisors of `n`, in order.

    Examples
    --------
    >>> divisors(12).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 12.0]
    """
    low = np.arange(1.0, int(n**0.5) + 2)
    low = low[n % low == 0]
    return np.unique(np.concatenate([low, n / low]))


def expand(
    table: LayoutTable, constraints: Iterable[Constraint] = (), **choices: Floats
) -> LayoutTable:
    """Repeat each row for each of its choices, in the order of rows, then of choices.

    Parameters
    ----------
    table
        n layouts.
    constraints
        Choices that break them are left out.
    choices
        Matrices by axis, that broadcast to one shape (n, k): row by row what the axes can be
        together, `ABSENT` where a row has fewer choices.
    """
    shape = (len(table), max(np.shape(matrix)[1] for matrix in choices.values()))
    matrices = {axis: np.broadcast_to(matrix, shape) for axis, matrix in choices.items()}
    keep = np.ones(shape, dtype=np.bool_)
    for axis, matrix in matrices.items():
        keep &= (matrix != ABSENT) & allowed(constraints, axis, matrix)
    row, column = np.nonzero(keep)
    return replace(
        table.take(row), **{axis: matrix[row, column] for axis, matrix in matrices.items()}
    )
