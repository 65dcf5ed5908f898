"""Fit a site's few scalars to its own end-to-end runs, and no more of them than the runs support.

A site's clocks, cooling and network differ from those that a profile was fitted on. One scalar
slows all kernels of a GPU, one the network between nodes, one the fabric inside them. A scalar is
taken only if it differs from 1 by two standard errors, runs that a fit did not see are predicted
better with it than without (cross-validation; M. Stone, "Cross-Validatory Choice", JRSS B 36(2),
1974), and there are at least four runs for each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from plan3d.planner.validation.prediction import predict
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.slower import slower_fabric, slower_kernels, slower_network
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Bools, Floats

RUNS_PER_SCALAR: Final = 4
CLEAR: Final = 2.0
"""Standard errors by which a scalar must differ from 1. [1]"""
WORTH: Final = 0.05
"""Least relative gain on unseen runs for which a scalar is taken. [1]"""
VAGUEST: Final = 0.2
"""Largest standard error of a scalar that is taken. [1]"""
FOLDS: Final = 5
SEED: Final = 4
LOWEST, HIGHEST = 0.4, 2.5
"""Beyond these a profile is wrong, not a site slow. [1]"""


SCALARS: Final[Mapping[str, Callable[[Cluster, float], Cluster]]] = {
    "kernels": slower_kernels,
    "network": slower_network,
    "fabric": slower_fabric,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFit:
    """What runs say about their site."""

    runs: int
    scalars: Mapping[str, tuple[float, float]]
    """Time over the profile's, and its standard error, of each scalar taken. [1]"""
    before: float
    """Mean error of the step time with the profile as it is. [1]"""
    after: float
    """Mean error on runs that the fit did not see. [1]"""
    left_out: tuple[str, ...]
    """Why the other scalars were not taken."""
    cluster: Cluster


def fit_site(cases: Sequence[Case]) -> SiteFit:
    """Fit the scalars of the one site that cases are of.

    Raises
    ------
    InputError
        If there are too few timed runs, or they are of several clusters.
    """
    timed = [case for case in cases if case.measured_s]
    clusters = {case.cluster_name for case in timed}
    if len(clusters) > 1:
        names = "; ".join(sorted(" ".join(map(str, name)) for name in clusters))
        raise InputError(f"runs of {len(clusters)} clusters ({names}); give those of one at a time")
    if len(timed) < RUNS_PER_SCALAR:
        raise InputError(
            f"{len(timed)} runs with a time; {RUNS_PER_SCALAR} are needed for the first scalar"
        )
    everyone = np.ones(len(timed), dtype=bool)
    taken: tuple[str, ...] = ()
    left_out = []
    unseen = before = float(np.mean(np.abs(np.expm1(_log_errors(timed, {})))))
    for name in SCALARS:
        if len(timed) < RUNS_PER_SCALAR * (len(taken) + 1):
            left_out.append(f"{name}: {len(timed)} runs are too few for {len(taken) + 1} scalars")
            continue
        error = _unseen(timed, (*taken, name))
        if error > unseen * (1 - WORTH):
            left_out.append(f"{name}: unseen runs are not predicted better ({error:.1%})")
            continue
        value, spread = (float(found[-1]) for found in _solve(timed, (*taken, name), everyone))
        if spread > VAGUEST or not LOWEST * 1.01 < value < HIGHEST / 1.01:
            left_out.append(f"{name}: these runs do not determine it ({value:.2g} +- {spread:.2g})")
            continue
        taken, unseen = (*taken, name), error
    values, errors = _solve(timed, taken, everyone)
    while taken and (clear := np.abs(values - 1) / np.maximum(errors, 1e-9)).min() < CLEAR:
        least = int(np.argmin(clear))  # with the others in place it may be no different from 1
        left_out.append(f"{taken[least]}: {values[least]:.2g} +- {errors[least]:.2g} may be 1")
        taken = taken[:least] + taken[least + 1 :]
        unseen = _unseen(timed, taken) if taken else before
        values, errors = _solve(timed, taken, everyone)
    found = dict(zip(taken, map(float, values), strict=True))
    return SiteFit(
        runs=len(timed),
        scalars={n: (v, float(e)) for (n, v), e in zip(found.items(), errors, strict=True)},
        before=before,
        after=unseen,
        left_out=tuple(left_out),
        cluster=apply(timed[0].cluster, found),
    )


def apply(cluster: Cluster, scalars: Mapping[str, float]) -> Cluster:
    """Return the cluster with scalars applied."""
    for name, factor in scalars.items():
        cluster = SCALARS[name](cluster, factor)
    return cluster


def _log_errors(cases: Sequence[Case], scalars: Mapping[str, float]) -> Floats:
    """Return log(predicted / measured) of every case, shape (cases,)."""
    changed = [replace(case, cluster=apply(case.cluster, scalars)) for case in cases]
    by_id = {p.run.id: p.predicted_s for p in predict(changed, estimate_table)}
    return np.array([np.log(by_id[case.run.id] / (case.measured_s or 1.0)) for case in cases])


def _unseen(cases: Sequence[Case], names: tuple[str, ...]) -> float:
    """Return the mean error on runs that were left out of the fit, fold after fold."""
    order = np.random.default_rng(SEED).permutation(len(cases))
    off = np.empty(len(cases))
    for fold in np.array_split(order, min(FOLDS, len(cases))):
        kept = np.ones(len(cases), dtype=bool)
        kept[fold] = False
        values, _ = _solve(cases, names, kept)
        found = dict(zip(names, map(float, values), strict=True))
        off[fold] = np.abs(np.expm1(_log_errors([cases[i] for i in fold], found)))
    return float(np.mean(off))


def _solve(cases: Sequence[Case], names: tuple[str, ...], kept: Bools) -> tuple[Floats, Floats]:
    """Return the scalars, and their standard errors, that fit the kept cases best."""
    from scipy.optimize import least_squares  # noqa: PLC0415  # 0.5 s that others need not pay

    if not names:
        return np.zeros(0), np.zeros(0)
    chosen = [case for case, keep in zip(cases, kept, strict=True) if keep]

    def residuals(values: Floats) -> Floats:
        return _log_errors(chosen, dict(zip(names, map(float, values), strict=True)))

    found = least_squares(
        residuals, np.ones(len(names)), bounds=(LOWEST, HIGHEST), loss="soft_l1", f_scale=0.1,
        diff_step=np.full(len(names), 0.01), max_nfev=10,
    )  # fmt: skip
    variance = np.sum(found.fun**2) / max(len(chosen) - len(names), 1)
    jacobian = np.asarray(found.jac, dtype=np.float64)
    curvature = np.linalg.pinv(jacobian.T @ jacobian)
    return found.x, np.sqrt(np.diag(curvature) * variance)
