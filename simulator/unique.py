"""Compute what depends on few columns once per distinct combination, then gather."""

import numpy as np

from plan3d.simulator.numeric import Floats, Ints

SMALL = 1 << 20
"""Largest range that is ranked by a table of flags rather than by sorting. [1]"""


def unique_rows(*columns: Floats) -> tuple[Ints, Ints]:
    """Return the first row of each distinct combination, and which one every row is.

    Parameters
    ----------
    columns
        Columns of numbers from 0, all of shape (n,); whole ones are ranked faster.

    Returns
    -------
    tuple
        `first` of shape (distinct,), `inverse` of shape (n,): ``column[first][inverse]`` is
        ``column``.

    Examples
    --------
    >>> first, inverse = unique_rows(np.array([4.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0]))
    >>> first.tolist(), inverse.tolist()
    ([1, 0], [1, 0, 1])
    """
    code = np.zeros(len(columns[0]), dtype=np.int64)
    span = 1
    for column in columns:
        if len(column) == 0 or column.min() == column.max():
            continue
        part = column.astype(np.int64)
        if np.any(part != column):
            part = np.unique(column, return_inverse=True)[1].astype(np.int64)
        rank, count = _ranked(part)
        if span * count > SMALL:
            code, span = _ranked(code)
        code = code * count + rank
        span *= count
    inverse, count = _ranked(code)
    first = np.zeros(count, dtype=np.int64)
    first[inverse[::-1]] = np.arange(len(code) - 1, -1, -1)
    return first, inverse


def _ranked(values: Ints) -> tuple[Ints, int]:
    """Replace values by their ranks 0, 1, ... and return how many there are."""
    if len(values) == 0:
        return values, 0
    top = int(values.max()) + 1
    if top > SMALL:
        distinct, rank = np.unique(values, return_inverse=True)
        return rank.astype(np.int64), len(distinct)
    present = np.zeros(top, dtype=np.int64)
    present[values] = 1
    ranks = np.cumsum(present) - 1
    return ranks[values], int(ranks[-1]) + 1
