"""Maximum a posteriori fits of constants to runs, with what generations have in common.

Used by fit_software.py; what is fitted is in fit_constants.py.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from fit_constants import THOUGHT, constants, owned, owners, with_values
from scipy.optimize import least_squares

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import Prediction, predict
from plan3d.planner.validation.rows import Case, case_of
from plan3d.planner.validation.runs import Runs
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.numeric import Floats

SCALE: Final = 0.1
"""Log error that counts as one standard deviation of a run. [1]"""
COUNTS: Final = 10
"""Runs that a suite counts as at most. [1]"""
READ: Final = 60
"""Runs of a suite that are read for a fit, evenly spaced: more would not count for more. [1]"""


def cases_of(runs: Runs) -> list[Case]:
    """Return the cases of runs."""
    found = []
    for run in runs.rows:
        try:
            found.append(case_of(run, Shipped()))
        except SkipError:
            continue
    return found


def predicted(cases: Sequence[Case]) -> list[Prediction]:
    """Return the predictions, in the order of the cases."""
    by_id = {p.run.id: p for p in predict(cases, estimate_table)}
    return [by_id[case.run.id] for case in cases]


def log_errors(cases: Sequence[Case]) -> Floats:
    """Return log(predicted / measured) of timed cases, shape (cases,)."""
    return np.array([np.log(p.predicted_s / (p.measured_s or 1.0)) for p in predicted(cases)])


def spaced(cases: Sequence[Case]) -> list[Case]:
    """Return at most `READ` cases of each suite, evenly spaced."""
    suites: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        suites[case.run.suite].append(case)
    return [
        own[int(i)]
        for own in suites.values()
        for i in np.unique(np.linspace(0, len(own) - 1, min(len(own), READ)).astype(int))
    ]


def weighed(cases: Sequence[Case], log_errors: Floats) -> Floats:
    """Return robust residuals of cases, whose squares are soft l1, a suite at most `COUNTS`."""
    size = Counter(case.run.suite for case in cases)
    weight = np.array([np.sqrt(min(1.0, COUNTS / size[c.run.suite])) for c in cases])
    off = log_errors / SCALE
    found: Floats = weight * np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
    return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """A normal distribution of constants, as widths from what was thought."""

    mean: Floats
    """Shape (constants,)."""
    covariance: Floats
    """Shape (constants, constants)."""

    @classmethod
    def before(cls, owner: str) -> "Belief":
        """Return what was thought before any measurement, the common shifts unknown."""
        pull = np.array([c.pull for c in constants(owner)])
        return cls(mean=np.zeros(len(pull)), covariance=np.diag(1 + pull**2))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Constants of one generation or network, as fitted."""

    owner: str
    values: Mapping[str, float]
    errors: Mapping[str, float]
    """Standard errors."""
    cases: tuple[Case, ...]
    precision: Floats
    """What the runs alone say, as the normal equations at the fit, shape (constants, constants)."""
    pushed: Floats
    """Their right-hand side, shape (constants,)."""

    @classmethod
    def of(cls, owner: str, cases: Sequence[Case], belief: Belief) -> "Fit":
        """Fit to the timed cases of the owner; without any, what is believed."""
        free = constants(owner)
        own = tuple(c for c in cases if owned(owner, c) and c.measured_s)
        read = spaced(own)
        root = np.linalg.cholesky(np.linalg.inv(belief.covariance)).T

        def values(x: Floats) -> dict[str, float]:
            return {c.field: c.value(float(v)) for c, v in zip(free, x, strict=True)}

        def residuals(x: Floats) -> Floats:
            held = root @ (x - belief.mean)
            if not read:
                return held
            off = log_errors([with_values(case, owner, values(x)) for case in read])
            return np.concatenate([weighed(read, off), held])

        low, high = map(np.array, zip(*(c.limits() for c in free), strict=True))
        start = np.clip(belief.mean, low + 1e-3, high - 1e-3)
        found = least_squares(
            residuals, start, bounds=(low, high), diff_step=np.full(len(free), 0.05), max_nfev=15,
            ftol=1e-4, xtol=1e-3,
        )  # fmt: skip
        slope, left = found.jac[: len(read)], found.fun[: len(read)]
        spread = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)))
        best = values(found.x)
        error = {
            c.field: float(s * c.width * (best[c.field] if c.ratio else 1.0))
            for c, s in zip(free, spread, strict=True)
        }
        return cls(
            owner=owner, values=best, errors=error, cases=own, precision=slope.T @ slope,
            pushed=slope.T @ (slope @ found.x - left),
        )  # fmt: skip


def believed(owner: str, others: Sequence[Fit]) -> Belief:
    r"""Return what is believed of an owner from what was thought and the runs of others.

    .. math:: z_c \sim N(0, 1), \quad x_i \mid z \sim N(p_i z_{c(i)}, 1), \quad
       \text{runs of } o: \; \Lambda_o x_o = b_o

    with the common shifts z, in their standard deviations, constants x in widths, their pulls p.
    Normal throughout (Laplace's approximation of each fit), so one linear system says it.
    """
    fits = [fit for fit in others if fit.owner != owner]
    free = [c for name in (owner, *(fit.owner for fit in fits)) for c in constants(name)]
    shifts = len(THOUGHT["common"])
    n = shifts + len(free)
    precision = np.eye(n)
    for i, c in enumerate(free, start=shifts):
        if c.common >= 0:
            precision[c.common, c.common] += c.pull**2
            precision[c.common, i] = precision[i, c.common] = -c.pull
    pushed = np.zeros(n)
    first = shifts + len(constants(owner))
    start = first
    for fit in fits:
        rows = slice(start, start + len(fit.pushed))
        precision[rows, rows] += fit.precision
        pushed[rows] += fit.pushed
        start = rows.stop
    covariance = np.linalg.inv(precision)
    own = slice(shifts, first)
    return Belief(mean=(covariance @ pushed)[own], covariance=covariance[own, own])


class Fits:
    """Fits to cases, with any suite left out; each is made once."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = [case for case in cases if case.measured_s]
        self._alone: dict[tuple[str, str], Fit] = {}

    def _without(self, owner: str, suite: str) -> list[Case]:
        return [c for c in self.cases if c.run.suite != suite and owned(owner, c)]

    def _alone_of(self, owner: str, suite: str) -> Fit:
        """Return the fit to the owner's own runs, nothing learnt from others."""
        seen = any(c.run.suite == suite for c in self.cases if owned(owner, c))
        key = (owner, suite if seen else "")
        if key not in self._alone:
            own = self._without(owner, key[1])
            self._alone[key] = Fit.of(owner, own, Belief.before(owner))
        return self._alone[key]

    def of(self, owner: str, suite: str = "") -> Fit:
        """Return the fit of an owner, without the runs of a suite."""
        belief = Belief.before(owner)
        if any(c.common >= 0 for c in constants(owner)):
            belief = believed(owner, [self._alone_of(other, suite) for other in owners()])
        return Fit.of(owner, self._without(owner, suite), belief)
