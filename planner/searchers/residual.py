r"""Start from the closed form, and learn where it is wrong: Bayesian regression on log residuals.

The closed form's fastest are tried first. Then the logarithm r of measured over predicted time is
taken to be Gaussian, with mean 0 and covariance

.. math:: k(x, x') = b^2 + w^2\, x \cdot x' + a^2 e^{-|x - x'|^2 / 2 l^2}

of the points x of two layouts: a common bias, a trend along each axis (Bayesian linear regression),
and what only like layouts share. The next trial has the largest expected improvement on the best
log time (D. R. Jones et al., "Efficient global optimization of expensive black-box functions",
Journal of Global Optimization 13, 1998, equation 15), times the chance that it fits.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger, check_whole
from plan3d.planner.searchers.protocols import BlackBox, History, Trial
from plan3d.planner.searchers.study import Study
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout
from plan3d.simulator.numeric import Floats, Ints

BIAS: Final = 0.2
"""b: predictions of published runs are wrong by some 10 to 20 % together. [1]"""
TREND: Final = 0.15
"""w: over the whole range of an axis. [1]"""
LOCAL: Final = 0.1
"""a. [1]"""
LENGTH: Final = 0.5
"""l, in ranges of an axis. [1]"""
NOISE: Final = 0.02
"""Spread of a repeated measurement, and what no feature explains. [1]"""
MEMORY_BIAS: Final = np.linspace(-0.5, 0.5, 41)
"""Logarithms of true over predicted memory that are thought possible. [1]"""
MEMORY_SPREAD: Final = (0.15, 0.05)
"""Spread of that: of a whole space, and of a layout in it. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """A searcher that corrects the closed form; the grid must have its predictions."""

    first: int = 1
    """Layouts that the closed form says are fastest, tried before anything is learnt. [1]"""
    warm: tuple[Layout, ...] = ()
    """Layouts to try in their place, such as the plans of a search."""
    known: tuple[Trial, ...] = ()
    """What earlier calls found; they count."""

    def __call__(
        self, grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
    ) -> History:
        """Return the trials. Nothing is drawn at random but ties: seeds hardly differ."""
        ledger = Ledger(grid, box, name="residual", budget=budget, seed=seed, study=study)
        check_whole("first", self.first, 1, 1000)
        if grid.predicted_s is None:
            raise InputError("residual starts from predictions, and this grid has none")
        known = np.isfinite(grid.predicted_s) & (grid.predicted_s > 0)
        log_s = np.log(np.where(known, grid.predicted_s, np.max(grid.predicted_s, where=known,
                                                                initial=1.0)))  # fmt: skip
        rng = np.random.default_rng(seed)
        for trial in self.known:
            if (at := grid.find(trial.layout)) is not None:
                ledger.tried[at] = trial
        found = (grid.find(layout) for layout in self.warm)
        first = [at for at in found if at is not None] or grid.foreseen(self.first).tolist()
        for row in first:
            if ledger.more():
                ledger.evaluate(row)
        while ledger.more():
            ledger.evaluate(_next(ledger, log_s, rng))
        return ledger.history()


residual: Final = Residual()
"""The default."""


def _next(ledger: Ledger, log_s: Floats, rng: np.random.Generator) -> int:
    """Return the untried row with the largest expected improvement."""
    rows = np.array([r for r, t in ledger.tried.items() if t.ok], dtype=np.int64)
    measured = np.array([log(ledger.tried[int(r)].time_s) for r in rows])
    mean, spread = posterior(ledger.grid.points, rows, measured - log_s[rows])
    fits = chance_to_fit(ledger)
    best = float(measured.min()) if len(rows) else float(log_s.min())
    gain = expected_improvement(log_s + mean, spread, best) * fits
    gain[ledger.taken] = -1.0
    if gain.max() < 1e-12:  # nothing is expected to improve: the fastest that is left
        order = np.where(fits > 0.5, 0.0, 1e3) + log_s + mean
        order[ledger.taken] = np.inf
        return int(np.argmin(order))
    ties = np.flatnonzero(gain >= gain.max() * (1 - 1e-12))
    return int(rng.choice(ties))


def posterior(points: Floats, rows: Ints, residuals: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each layout's log residual, shapes (n,) [1].

    Parameters
    ----------
    points
        Of all layouts, shape (n, d).
    rows
        Those that were measured, shape (m,).
    residuals
        Their log of measured over predicted, shape (m,).
    """
    prior = BIAS**2 + TREND**2 * np.sum(points**2, axis=1) + LOCAL**2
    if not len(rows):
        return np.zeros(len(points)), np.sqrt(prior)
    some = points[rows]
    across = _covariance(points, some)
    within = across[rows] + NOISE**2 * np.eye(len(rows))
    mean = across @ np.linalg.solve(within, residuals)
    known = np.sum(across * np.linalg.solve(within, across.T).T, axis=1)
    return mean, np.sqrt(np.maximum(prior - known, 1e-12))


def _covariance(points: Floats, some: Floats) -> Floats:
    """Return k(x, x') of all with some, shape (n, m)."""
    dot = points @ some.T
    square = np.sum(points**2, axis=1)[:, None] + np.sum(some**2, axis=1) - 2 * dot
    near = np.exp(-np.maximum(square, 0.0) / (2 * LENGTH**2))
    found: Floats = BIAS**2 + TREND**2 * dot + LOCAL**2 * near
    return found


def expected_improvement(mean: Floats, spread: Floats, best: float) -> Floats:
    """Return by how much each is expected to be below the best so far, shape (n,) [log s]."""
    z = (best - mean) / spread
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    found: Floats = spread * (z * _normal(z) + density)
    return np.maximum(found, 0.0)


def _normal(z: Floats) -> Floats:
    """Return the normal distribution function, by its logistic form.

    Within 2e-4 (S. R. Bowling et al., Journal of Industrial Engineering and Management 2, 2009,
    equation 10).
    """
    x = np.clip(z, -6.0, 6.0)
    found: Floats = 1 / (1 + np.exp(-(0.07056 * x**3 + 1.5976 * x)))
    return found


def chance_to_fit(ledger: Ledger) -> Floats:
    """Return how likely each layout fits, by what ran out of memory so far, shape (n,) [1].

    The logarithm of true over predicted memory is a bias of the whole space, normal a priori, and
    a smaller normal part of each layout; each trial that fitted or did not weighs the biases.
    """
    filled = ledger.grid.filled
    if filled is None:
        return np.ones(len(ledger.grid))
    whole, own = MEMORY_SPREAD
    room = -np.log(np.maximum(filled, 1e-6))
    weight = np.exp(-(MEMORY_BIAS**2) / (2 * whole**2))
    for row, trial in ledger.tried.items():
        if trial.ok or trial.out_of_memory:
            held = _normal((room[row] - MEMORY_BIAS) / own)
            weight = weight * np.maximum(held if trial.ok else 1 - held, 1e-6)
    weight = weight / weight.sum()
    found = np.zeros(len(room))
    for bias, share in zip(MEMORY_BIAS, weight, strict=True):
        found += share * _normal((room - bias) / own)
    return found
