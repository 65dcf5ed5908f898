"""Fit what a generation holds beside what is counted to published memory figures, or to outcomes.

Run as ``python benchmarks/fit_memory.py [RUNS.csv] [--write]``; without a file, on the runs that
ship. Where memory was measured, the value is the smallest with which predictions are not too small
on average; where only running or not is published, the one that makes those outcomes the likeliest.
Its standard error is that of the jackknife over the parts that are left out in turn, numbers of
GPUs or sweeps: the runs of one campaign err together. Printed beside it is how well each part is
predicted with the value of all the others.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from fit_software import PROFILES, cases_of, predicted
from scipy.optimize import brentq, minimize_scalar

from plan3d.hardware_profiles.build import key_of
from plan3d.planner.uncertainty.chances import SMOOTH
from plan3d.planner.uncertainty.fit import demand, ran_out
from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.recorded import with_records
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import PUBLISHED, read_runs
from plan3d.planner.validation.scores import balanced_accuracy
from plan3d.planner.validation.sweeps import both_outcomes
from plan3d.simulator.numeric import Floats

FITTED: Final = (
    ("nanotron-2024", "memory_cached"),
    ("megatron-deepspeed-2022", "memory_cached"),
)
"""Generations, and their fields of `simulator.software.Software` between 0 and 1."""
TOLD: Final = (("aleph-alpha-2023", "gathering_bytes", 16.0),)
"""Generations, their fields that are fitted to outcomes, and the most these may be [bytes]."""


def main() -> None:
    """Fit and print, or write into the profiles."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    path = words[0] if words else str(PUBLISHED)
    cases = cases_of(with_records(read_runs(path)))
    for owner, field in FITTED:
        own = [c for c in cases if c.software.name.startswith(owner) and c.measured_bytes]
        value, error = fit(own, field)
        print(f"{owner}.{field}: {value:.2f} +- {error:.2f} ({len(own)} runs)")
        if "--write" in sys.argv:
            source = f": +- {error:.2f}; before any measurement 0 was assumed"
            write(own, owner, field, f"{value:.2f}", source)
    for owner, field, most in TOLD:
        sweeps = sweeps_of([c for c in cases if c.software.name == owner])
        value, error = fit_outcomes(sweeps, field, most)
        own = [case for sweep in sweeps for case in sweep]
        print(f"{owner}.{field}: {value:.1f} B +- {error:.1f} B ({len(own)} runs)")
        if "--write" in sys.argv:
            source = f" that ran or ran out of memory: +- {error:.1f} B; 4 B are counted"
            write(own, owner, key_of(field)[0], f'"{value:.1f} B"', source)


def fit(cases: Sequence[Case], field: str) -> tuple[float, float]:
    """Return the value and its standard error; print what each number of GPUs says of it."""
    gpus = np.array([case.run.gpus for case in cases])
    best = unbiased(cases, field)
    without = []
    for n in np.unique(gpus):
        others = [case for case, g in zip(cases, gpus, strict=True) if g != n]
        without.append(unbiased(others, field))
        left = errors([c for c, g in zip(cases, gpus, strict=True) if g == n], field, without[-1])
        print(
            f"  {n:4d} GPUs, {len(left):4d} runs: {100 * np.mean(np.abs(left)):5.1f} %, bias "
            f"{100 * np.mean(left):+5.1f} % with {without[-1]:.2f} of the others"
        )
    spread = np.sqrt((len(without) - 1) * np.var(without))
    return best, float(spread)


def unbiased(cases: Sequence[Case], field: str) -> float:
    """Return the smallest value between 0 and 1 with no negative mean error, in hundredths."""

    def bias(value: float) -> float:
        return float(np.mean(errors(cases, field, value)))

    if bias(0.0) >= 0:
        return 0.0
    return np.ceil(100 * brentq(bias, 0.0, 1.0, xtol=1e-3)) / 100 if bias(1.0) > 0 else 1.0


def errors(cases: Sequence[Case], field: str, value: float) -> Floats:
    """Return predicted over measured memory, less one, shape (cases,)."""
    moved = predictions(cases, field, value)
    return np.array([p.predicted_bytes / (p.measured_bytes or 1.0) - 1 for p in moved])


def predictions(cases: Sequence[Case], field: str, value: float) -> list[Prediction]:
    """Return the predictions with a value of a software's field."""
    moved = [
        dataclasses.replace(case, software=dataclasses.replace(case.software, **{field: value}))
        for case in cases
    ]
    return predicted(moved)


def sweeps_of(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases of sweeps that publish layouts that ran, and that ran out of memory."""
    by_id = {case.run.id: case for case in cases}
    return [[by_id[p.run.id] for p in sweep] for sweep in both_outcomes(predicted(cases))]


def fit_outcomes(sweeps: Sequence[Sequence[Case]], field: str, most: float) -> tuple[float, float]:
    """Return the value and its standard error; print how well left-out sweeps are told."""
    without = []
    for i, sweep in enumerate(sweeps):
        others = [case for j, other in enumerate(sweeps) if j != i for case in other]
        without.append(likeliest(others, field, most))
        found = predictions(sweep, field, without[-1])
        over = np.array([not p.estimate.fits for p in found], dtype=bool)
        accuracy = balanced_accuracy(over, ran_out(found)) or 0.0
        print(
            f"  {sweep[0].run.gpus:4d} GPUs, seq {sweep[0].run.seq}, {len(sweep):4d} runs: "
            f"balanced accuracy {100 * accuracy:.1f} % with {without[-1]:.1f} B of the others"
        )
    spread = np.sqrt((len(without) - 1) * np.var(without))
    return likeliest([case for sweep in sweeps for case in sweep], field, most), float(spread)


def likeliest(cases: Sequence[Case], field: str, most: float) -> float:
    """Return the value, from 0 to `most`, that makes it the likeliest who ran out of memory.

    The odds are those of a logistic error of the peak, of the scale `SMOOTH`.
    """

    def surprise(value: float) -> float:
        found = predictions(cases, field, value)
        needed, capacity = demand(found)
        odds = np.log(needed / capacity) / SMOOTH
        return float(np.logaddexp(0.0, np.where(ran_out(found), -odds, odds)).mean())

    return float(minimize_scalar(surprise, bounds=(0.0, most), method="bounded").x)


def write(cases: Sequence[Case], owner: str, key: str, value: str, source: str) -> None:
    """Put a value in the profile, with its source."""
    path = PROFILES / "software" / f"{owner}.toml"
    suites = ", ".join(sorted({case.run.suite for case in cases}))
    line = (
        f'{key} = {{ value = {value}, mark = "measured", source = "benchmarks/fit_memory.py on '
        f'{len(cases)} published runs ({suites}){source}" }}'
    )
    text = re.sub(rf"^{key} = .*$", lambda _: line, path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
