"""Constants of a law: where a fit starts, between which bounds, and what it found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plan3d.simulator.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant to be fitted."""

    key: str
    """Where it stands in a cluster's profile: ``gpu.gemm.efficiency``."""
    unit: str = ""
    """Unit of the profile, empty for a ratio."""
    scale: float = 1.0
    """One unit in SI: the fit works on values near 1."""
    start: float
    """In units of `scale`, likewise the bounds."""
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One constant as fitted, in its unit."""

    key: str
    unit: str
    value: float
    error: float
    """Standard error."""
    scale: float = 1.0
    """One unit in SI."""

    @property
    def text(self) -> str:
        """The value as a profile writes it; what is far below its error is 0."""
        value = self.value if self.value > self.error / 100 else 0.0
        return f"{value:.4g}{' ' * bool(self.unit)}{self.unit}"


def bounds(constants: Sequence[Constant]) -> tuple[Floats, Floats]:
    """Return the lowest and highest values. Shapes (constants,)."""
    return np.array([c.low for c in constants]), np.array([c.high for c in constants])
