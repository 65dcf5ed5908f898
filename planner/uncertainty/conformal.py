r"""Prediction intervals from residuals of groups that are not exchangeable with each other.

Runs of one suite share a cluster, a framework and an author, and err together: a thousand of them
say little more about the next suite than ten do. What is (closest to) exchangeable is suites. So
each suite counts once, and the finite-sample correction counts suites, not runs.

References
----------
.. [1] Y. Lee, R. F. Barber, R. Willett, "Distribution-free inference with hierarchical data",
   arXiv:2306.06342: hierarchical conformal prediction, the quantile used here.
.. [2] R. Dunn, L. Wasserman, A. Ramdas, "Distribution-free prediction sets for two-layer
   hierarchical models", J. Am. Stat. Assoc. 118, 2023, arXiv:1809.07441.
.. [3] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman, "Distribution-free predictive
   inference for regression", J. Am. Stat. Assoc. 113, 2018, 1094-1111: split conformal prediction.
.. [4] Y. Romano, E. Patterson, E. J. Candes, "Conformalized quantile regression", NeurIPS 2019,
   arXiv:1905.03222: one correction of two quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats

COVERAGE: Final = 0.9
"""Share of new runs that an interval is to hold. [1]"""
ENOUGH: Final = ceil(COVERAGE / (1 - COVERAGE) - 1e-9)
"""Suites from which on the conformal quantile is finite: K/(K+1) >= `COVERAGE`. [1]"""
HIGHEST: Final = (1 + COVERAGE) / 2
"""Highest quantile that is taken: the correction of nine suites would take the worst run of all,
which says how many runs the largest suite has, and not how far off the next one is. [1]"""
NARROWEST: Final = 1e-3
"""Smallest half-width: sources print three or four digits. [1, natural logarithm]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Residuals log(predicted / measured) between which `COVERAGE` of new runs are expected."""

    low: float
    high: float
    runs: int
    suites: int
    inflation: float = 1.0
    """By how much it is wider because there are too few suites for a conformal one. [1]"""

    def __post_init__(self) -> None:
        good = self.low < self.high and self.runs >= self.suites >= 0 and self.inflation >= 1
        if not (good and abs(self.low) < np.inf and abs(self.high) < np.inf):
            raise InputError(f"not an interval of residuals: {self}")

    @property
    def factor(self) -> float:
        """Upper over lower end of the interval, which does not depend on the prediction [1]."""
        return float(np.exp(self.high - self.low))


def suite_weights(suites: Sequence[str]) -> Floats:
    """Return the weight of each run: suites share the whole, runs that of their suite; shape (n,).

    Examples
    --------
    >>> suite_weights(["a", "a", "b"]).tolist()
    [0.25, 0.25, 0.5]
    """
    _, which, size = np.unique(np.asarray(suites), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (len(size) * size[which]))


def weighted_quantile(values: Floats, weights: Floats, level: float) -> float:
    """Return the smallest value below or at which `level` of the weight lies; infinite if none.

    Examples
    --------
    >>> weighted_quantile(np.array([3.0, 1.0]), np.array([0.5, 0.5]), 0.5)
    1.0
    """
    order = np.argsort(values, kind="stable")
    below = np.searchsorted(np.cumsum(weights[order]), level - 1e-12)
    return float(values[order][below]) if below < len(values) else np.inf


def band(residuals: Floats, suites: Sequence[str], union: Band | None = None) -> Band:
    r"""Return the interval of residuals of one regime.

    .. math::

       s = \max\left(\frac{c - r}{c - q_{0.05}}, \frac{r - c}{q_{0.95} - c}\right), \quad
       \hat q = Q_{0.9}\left(\sum_k \sum_i \frac{\delta_{s_{ki}}}{(K+1) n_k}
       + \frac{\delta_\infty}{K+1}\right)

    with the weighted median *c* and quantiles *q* of the residuals, K suites of n_k runs each [1]_:
    the score of [4]_, so that the interval is as lopsided as the errors are. The correction ends
    at `HIGHEST`, beyond which it would go below 18 suites: those cover 0.95 K/(K+1) of a new suite
    on average, 85 % where K is 9. With fewer than `ENOUGH` suites no quantile of theirs covers
    90 %; the interval is then the hull of the uncorrected one and that of a larger set of runs,
    `inflation` times as far from zero.

    Parameters
    ----------
    residuals
        log(predicted / measured), shape (n,). [1]
    suites
        The suite of each, shape (n,).
    union
        The band of a larger set of runs that has these among it.
    """
    count = len(set(suites))
    if count == 0:
        if union is None:
            raise InputError("no run to learn an interval from")
        return inflated(union.low, union.high, 0, 0)
    weights = suite_weights(suites)
    centre = weighted_quantile(residuals, weights, 0.5)
    tail = (1 - COVERAGE) / 2
    down = max(centre - weighted_quantile(residuals, weights, tail), NARROWEST)
    up = max(weighted_quantile(residuals, weights, 1 - tail) - centre, NARROWEST)
    score = np.maximum((centre - residuals) / down, (residuals - centre) / up)
    enough = count >= ENOUGH
    level = min(COVERAGE * (count + 1) / count, HIGHEST) if enough else COVERAGE
    reach = max(weighted_quantile(score, weights, level), 1.0)
    low, high = centre - reach * down, centre + reach * up
    if enough:
        return Band(low=low, high=high, runs=len(residuals), suites=count)
    if union is not None:
        low, high = min(low, union.low), max(high, union.high)
    return inflated(low, high, len(residuals), count)


def inflated(low: float, high: float, runs: int, suites: int) -> Band:
    """Return a band of too few suites: wider by a convention, from 11 % (8 suites) to 2 x (none).

    No data can say how far off a kind of run is that hardly any suite has; the inflation is stated
    with the interval, so that nobody takes it for a measurement.
    """
    inflation = 1 + (ENOUGH - suites) / ENOUGH
    return Band(
        low=min(low, -NARROWEST) * inflation,
        high=max(high, NARROWEST) * inflation,
        runs=runs,
        suites=suites,
        inflation=inflation,
    )
