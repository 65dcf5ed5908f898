"""What choices that a source leaves open give: the fastest, the median and the slowest that fit."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from plan3d.cli.commands.validate_command import Shipped
from plan3d.planner.validation import published_runs
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import predict
from plan3d.planner.validation.rows import Case, case_of
from plan3d.simulator.estimate import estimate_table


def choices() -> Iterator[tuple[str, ...]]:
    """Yield suite, runs and the mean error of each of the three rules."""
    by_suite: dict[str, list[Case]] = defaultdict(list)
    for run in published_runs().rows:
        try:
            case = case_of(run, Shipped())
        except SkipError:
            continue
        if case.measured_s and len(case.layouts) > 1:
            by_suite[run.suite].append(case)
    for name, cases in sorted(by_suite.items()):
        ratios = [ratio for case in cases if (ratio := _ratios(case)) is not None]
        if ratios:
            errors = np.mean(np.abs(np.array(ratios) - 1), axis=0)
            yield name, str(len(ratios)), *(f"{100 * error:.1f} %" for error in errors)


def _ratios(case: Case) -> tuple[float, float, float] | None:
    """Return predicted over measured of the fastest, the median and the slowest that fit."""
    alone = [
        replace(case, run=replace(case.run, id=str(i)), layouts=(layout,))
        for i, layout in enumerate(case.layouts)
    ]
    fitting = [p.predicted_s for p in predict(alone, estimate_table) if p.estimate.fits]
    if not fitting or case.measured_s is None:
        return None
    low, middle, high = np.quantile(fitting, (0, 0.5, 1)) / case.measured_s
    return float(low), float(middle), float(high)
