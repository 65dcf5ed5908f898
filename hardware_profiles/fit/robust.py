r"""Robust least squares on the logarithm of measured times.

A factor of two counts the same for a kernel of 10 us and for one of 10 ms, and the soft-l1 loss
keeps a few kernels that a law cannot describe from bending it:

.. math:: \min_x \sum_i \rho\Bigl(\frac{\ln t_i(x) - \ln t_i}{0.1}\Bigr), \quad
   \rho(z) = 2(\sqrt{1 + z^2} - 1)

Standard errors come from the Jacobian at the solution, with the residuals' own variance
(P. J. Huber, "Robust Statistics", 1981, section 7.6).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from plan3d.hardware_profiles.fit.constants import Constant, Fitted, bounds
from plan3d.simulator.numeric import Bools, Floats

LOSS_SCALE: Final = 0.1
"""Log error beyond which a point counts less. [1]"""
SEED: Final = 20
"""Of the halves into which points are split: the same points give the same report."""
SPLITS: Final = 5
"""Random halves that are held out, one after the other: one alone is a matter of luck. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of a law on points that it was not fitted to [1]."""

    points: int
    each: Floats = field(repr=False, compare=False)
    """Of every point that was held out, split after split."""

    @property
    def median(self) -> float:
        """What half of the errors are below [1]."""
        return float(np.median(self.each))

    @property
    def p90(self) -> float:
        """What nine in ten errors are below [1]."""
        return float(np.quantile(self.each, 0.9))

    @classmethod
    def held_out(
        cls, predicted_s: Sequence[Floats], measured_s: Floats, splits: Sequence[Bools]
    ) -> "Errors":
        """Compare the times of fits to some halves with the other halves' measurements."""
        off = [
            np.abs(times[~half] / measured_s[~half] - 1)
            for times, half in zip(predicted_s, splits, strict=True)
        ]
        return cls(points=len(measured_s), each=np.concatenate(off))

    @classmethod
    def pooled(cls, parts: Sequence["Errors"]) -> "Errors":
        """Put the errors of several fits together."""
        return cls(
            points=sum(part.points for part in parts),
            each=np.concatenate([part.each for part in parts]),
        )


def halves(count: int) -> list[Bools]:
    """Return which of so many points are fitted to: random halves, each of shape (count,)."""
    random = np.random.default_rng(SEED)
    return [random.permutation(count) < (count + 1) // 2 for _ in range(SPLITS)]


def solve(
    predict: Callable[[Floats], Floats],
    constants: Sequence[Constant],
    measured_s: Floats,
    rows: Bools | None = None,
) -> tuple[Floats, list[Fitted]]:
    """Return the best values of the constants, and the same with standard errors.

    Parameters
    ----------
    predict
        From values, shape (constants,), to times, shape (points,). [s]
    constants
        Start and bounds.
    measured_s
        Shape (points,). [s]
    rows
        The points to fit to; all if left out. Shape (points,).
    """
    chosen = np.ones(len(measured_s), dtype=bool) if rows is None else rows
    low, high = bounds(constants)
    start = np.clip([c.start for c in constants], low + 1e-9, high - 1e-9)

    def residuals(values: Floats) -> Floats:
        return np.asarray(np.log(predict(values)[chosen] / measured_s[chosen]))

    found = least_squares(
        residuals, start, bounds=(low, high), loss="soft_l1", f_scale=LOSS_SCALE,
        x_scale=np.maximum(np.abs(start), 0.1), max_nfev=400,
    )  # fmt: skip
    jacobian = np.asarray(found.jac, dtype=np.float64)
    free = max(int(chosen.sum()) - len(constants), 1)
    variance = np.sum(found.fun**2) / free
    spread = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * variance)
    fitted = [
        Fitted(key=c.key, unit=c.unit, value=float(v), error=float(e), scale=c.scale)
        for c, v, e in zip(constants, found.x, spread, strict=True)
    ]
    return found.x, fitted
