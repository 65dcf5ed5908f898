"""Chances: of running out of memory, and of being the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.simulator.numeric import Floats

GRID: Final = 19
"""Numbers that stand for the residuals of a suite: the middles of equal shares. [1]"""
SMOOTH: Final = 0.03
"""Scale of the logistic kernel around each residual: what drivers and libraries hold of a GPU's
memory differs by a few percent from machine to machine. 2 and 4 % make the published outcomes as
likely, more make them less so. [1, natural logarithm]"""
PLANS: Final = 20
"""Plans among which the best is sought: as many layouts as a published sweep has. [1]"""
NEAR_BEST: Final = 0.05
"""How near to the best is near. [1]"""
DRAWS: Final = 256
"""Draws per suite: a standard error of 1 % over nine suites. [1]"""


def grid(residuals: Floats) -> tuple[float, ...]:
    """Return `GRID` quantiles that stand for the residuals, in order [1]."""
    middles = (np.arange(GRID) + 0.5) / GRID
    return tuple(np.quantile(residuals, middles).round(4).tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryChance:
    """What the chance to run out of memory is made of."""

    residuals: Mapping[str, tuple[float, ...]]
    """log(predicted / measured) of memory, the `grid` of each suite. [1]"""
    shift: float
    """What runs need beyond the prediction, by who ran out of memory. [1, natural logarithm]"""
    slope: float
    """How far the residuals reach, by the same; 1: as measured memory says. [1]"""

    def __call__(self, memory_bytes: Floats, capacity_bytes: Floats | float) -> Floats:
        r"""Return the chance that the true peak is above the capacity, shape (n,) [1].

        .. math::

           P = \frac1K \sum_k \frac1{n_k} \sum_i
           \sigma\left(\frac{\log(\hat M / C) + a - b\, r_{ki}}{h}\right)

        each suite counts once; *h* is `SMOOTH`, *a* the shift and *b* the slope.
        """
        known = np.array(list(self.residuals.values()))
        over = np.log(np.asarray(memory_bytes) / capacity_bytes) + self.shift
        odds = (over[:, None, None] - self.slope * known) / SMOOTH
        return np.asarray(sigmoid(odds).mean(axis=(1, 2)))


def chance_near_best(time_s: Floats, spreads: Sequence[Sequence[float]]) -> float:
    r"""Return the chance that the first plan is within `NEAR_BEST` of the truly fastest [1].

    The true time of plan *i* is :math:`\hat t_i e^{-c - e_i}`: what all layouts of a job err by,
    *c*, cancels; the rest is drawn for each plan from the residuals of published sweeps around the
    sweep's median. A job is like one suite, so that each draw takes one suite's residuals for all
    plans, and each suite is drawn as often. The draws are the same every time.

    Parameters
    ----------
    time_s
        Predicted step times of different plans, shape (n,); the first is the one in question. [s]
    spreads
        Residuals within sweeps, the `grid` of each suite. [1]
    """
    uniform = np.random.default_rng(0).random((DRAWS, len(time_s)))
    where = np.linspace(0, 1, len(spreads[0]))
    hits = 0.0
    for spread in spreads:
        true = np.log(time_s) - np.interp(uniform, where, spread)
        hits += float(np.mean(true[:, 0] <= true.min(axis=1) + np.log1p(NEAR_BEST)))
    return hits / len(spreads)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
