"""Fit the constants of a software generation to published runs.

    python benchmarks/fit_software.py RUNS.csv GENERATION FIELD [FIELD ...] [--plain]

Robust least squares on log(predicted / measured) over the runs of one generation. Every suite
has the same weight, and every field is held by a weak prior at its present value (one standard
deviation is a factor of two, or 0.3 for a share), so that a field that the runs do not determine
stays where its source put it. Prints the values with their standard errors and the error before
and after; nothing is written.
"""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares

from plan3d import hardware_profiles
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import predict
from plan3d.planner.validation.rows import Case, case_of
from plan3d.planner.validation.runs import read_runs
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Floats
from plan3d.simulator.software import Software

SHARES = {
    "tp_overlap", "dp_overlap", "zero3_overlap", "pp_overlap", "contention", "straggler",
    "zero3_efficiency", "selective_matmul",
}  # fmt: skip
PRIOR_WEIGHT = 0.05
"""Log error that one prior standard deviation counts as. [1]"""


class Profiles:
    """The shipped profiles."""

    def cluster(self, gpu: str, gpus_per_node: int, network: str) -> Cluster:
        """Return a cluster put together from parts."""
        return hardware_profiles.compose(gpu=gpu, gpus_per_node=gpus_per_node, network=network)

    def software(self, name: str) -> Software:
        """Return a shipped generation."""
        return hardware_profiles.software(name)


def cases_of(path: str, generation: str, *, plain: bool) -> list[Case]:
    """Return the scored cases of one generation, if `plain` only those in simple layouts."""
    found = []
    for run in read_runs(path).rows:
        try:
            case = case_of(run, Profiles())
        except SkipError:
            continue
        simple = all(x.pp == 1 and x.tp <= case.cluster.gpus_per_node for x in case.layouts)
        if case.software.name == generation and case.measured_s and (simple or not plain):
            found.append(case)
    return found


def log_errors(cases: Sequence[Case], values: Mapping[str, float]) -> Floats:
    """Return log(predicted / measured) with some constants of the software replaced."""
    changed = [
        dataclasses.replace(c, software=dataclasses.replace(c.software, **values)) for c in cases
    ]
    return np.array(
        [np.log(p.predicted_s / p.measured_s) for p in predict(changed, estimate_table)
         if p.measured_s]
    )  # fmt: skip


def fit(cases: Sequence[Case], fields: Sequence[str]) -> tuple[Floats, Floats]:
    """Return fitted values and standard errors of some fields."""
    start = np.array([getattr(cases[0].software, f) for f in fields])
    share = np.array([f in SHARES for f in fields])
    size = Counter(c.run.suite for c in cases)
    weight = np.array([1 / np.sqrt(size[c.run.suite]) for c in cases])
    scale = np.where(share, 0.3, np.log(2.0))
    anchor = np.where(share, start, np.log(np.maximum(start, 1e-6)))

    def values(x: Floats) -> dict[str, float]:
        real = np.where(share, x, np.exp(x))
        return {f: float(v) for f, v in zip(fields, real, strict=True)}

    def residuals(x: Floats) -> Floats:
        robust = log_errors(cases, values(x)) * weight
        return np.concatenate([robust, PRIOR_WEIGHT * (x - anchor) / scale])

    low = np.where(share, 0.0, anchor - 3.0)
    low = np.where([f == "elementwise_traffic" for f in fields], 0.0, low)  # fully fused is 1
    high = np.where(share, 1.0, anchor + 3.0)
    inside = np.clip(anchor, low + 1e-2, high - 1e-2)
    found = least_squares(
        residuals, inside, bounds=(low, high), loss="soft_l1", f_scale=0.1, diff_step=0.02,
        max_nfev=25,
    )  # fmt: skip
    curvature = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost
    error = np.sqrt(np.maximum(np.diag(curvature), 0.0))
    real = np.where(share, found.x, np.exp(found.x))
    return real, np.where(share, error, error * real)


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs")
    parser.add_argument("generation")
    parser.add_argument("fields", nargs="+")
    parser.add_argument("--plain", action="store_true", help="no pipelines, tp inside a node")
    given = parser.parse_args()
    cases = cases_of(given.runs, given.generation, plain=given.plain)
    values, errors = fit(cases, given.fields)
    fitted = dict(zip(given.fields, map(float, values), strict=True))
    print(f"{given.generation}: {len(cases)} runs")
    for name, error in zip(given.fields, errors, strict=True):
        print(f"  {name:20s} {fitted[name]:.5g} +- {error:.2g}")
    for label, choice in (("before", {}), ("after", fitted)):
        wrong = np.expm1(log_errors(cases, choice))
        print(f"  {label:6s} MAPE {np.mean(np.abs(wrong)):.3f} bias {np.mean(wrong):+.3f}")
        for suite in sorted({c.run.suite for c in cases}):
            own = wrong[[c.run.suite == suite for c in cases]]
            print(f"     {suite:14s} n={len(own):4d} MAPE {np.mean(np.abs(own)):.3f} "
                  f"bias {np.mean(own):+.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
