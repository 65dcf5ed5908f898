"""Predictions of runs that no constant was fitted to: each suite with constants fitted to others.

The file is written by ``python benchmarks/fit_software.py RUNS.csv --unseen``; it goes with
`published.csv`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.report import Errors
from plan3d.planner.validation.scores import error_score

UNSEEN: Final = Path(__file__).with_name("unseen.csv")


@cache
def unseen_times() -> dict[str, float]:
    """Return the step time of each published run, by its id [s]."""
    with UNSEEN.open(encoding="utf-8", newline="") as file:
        return {row["id"]: float(row["unseen_s"]) for row in csv.DictReader(file)}


def unseen_errors(predictions: Iterable[Prediction]) -> Errors:
    """Return the errors by suite, of the runs that are in the file; none if there are none."""
    times = unseen_times()
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for prediction in predictions:
        if prediction.measured_s is not None and prediction.run.id in times:
            pairs[prediction.run.suite].append((times[prediction.run.id], prediction.measured_s))
    return Errors(
        suites={name: error_score(*np.array(rows).T) for name, rows in sorted(pairs.items())}
    )
