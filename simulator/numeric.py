"""The one numeric type of the formulas."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
"""A column: shape (n,), one entry per layout."""

Ints: TypeAlias = NDArray[np.int64]
"""Row numbers, or flags: shape (n,)."""

Bools: TypeAlias = NDArray[np.bool_]
"""A condition on a column: shape (n,)."""

Numeric: TypeAlias = float | Floats
"""What a formula takes and returns: one number, or a column of them (they broadcast)."""


def column(value: Numeric, rows: int) -> Floats:
    """Return a value as a column of shape (rows,); one number stands in each row."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), rows)
