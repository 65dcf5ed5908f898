"""Fit what a generation's allocator keeps cached to published figures that count it.

Run as ``python benchmarks/fit_memory.py [RUNS.csv] [--write]``; without a file, on the runs that
ship. The value is the smallest with which predictions are not too small on average. Its standard
error is that of the jackknife over the numbers of GPUs: the runs of one campaign err together.
Printed beside it are the errors of each number of GPUs with the value of all the others.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from fit_software import PROFILES, cases_of, predicted
from scipy.optimize import brentq

from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import PUBLISHED
from plan3d.simulator.numeric import Floats

FITTED: Final = (
    ("nanotron-2024", "memory_cached"),
    ("megatron-deepspeed-2022", "memory_cached"),
)
"""Generations, and their fields of `simulator.software.Software` between 0 and 1."""


def main() -> None:
    """Fit and print, or write into the profiles."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    path = words[0] if words else str(PUBLISHED)
    cases = [case for case in cases_of(path) if case.measured_bytes]
    for owner, field in FITTED:
        own = [case for case in cases if case.software.name.startswith(owner)]
        value, error = fit(own, field)
        print(f"{owner}.{field}: {value:.2f} +- {error:.2f} ({len(own)} runs)")
        if "--write" in sys.argv:
            write(own, owner, field, f"{value:.2f} +- {error:.2f}")


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
    moved = [
        dataclasses.replace(case, software=dataclasses.replace(case.software, **{field: value}))
        for case in cases
    ]
    return np.array([p.predicted_bytes / (p.measured_bytes or 1.0) - 1 for p in predicted(moved)])


def write(cases: Sequence[Case], owner: str, field: str, found: str) -> None:
    """Put the value in the profile, with its source."""
    path = PROFILES / "software" / f"{owner}.toml"
    value, _, error = found.partition(" +- ")
    suites = ", ".join(sorted({case.run.suite for case in cases}))
    line = (
        f'{field} = {{ value = {value}, mark = "measured", source = "benchmarks/fit_memory.py on '
        f"{len(cases)} published runs ({suites}): +- {error}; "
        f'before any measurement 0 was assumed" }}'
    )
    text = re.sub(rf"^{field} = .*$", lambda _: line, path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
