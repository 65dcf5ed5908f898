"""Predictions of runs that no constant was fitted to: each suite with constants fitted to others.

The file is written by ``python benchmarks/fit_software.py RUNS.csv --unseen``; it goes with
`published.csv`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Final

import numpy as np

from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.report import Errors
from plan3d.planner.validation.runs import published_runs
from plan3d.planner.validation.scores import error_score

UNSEEN: Final = Path(__file__).with_name("unseen.csv")
SAME: Final = attrgetter(
    "source", "model", "gpus", "seq", "tp", "pp", "micro_batch", "global_batch", "iter_s",
    "tokens_s_gpu", "tflops_gpu", "mfu",
)  # fmt: skip
"""By which a run is the published one of its id, not another that has it."""


@cache
def unseen_times() -> dict[str, float]:
    """Return the step time of each published run, by its id [s]."""
    with UNSEEN.open(encoding="utf-8", newline="") as file:
        return {row["id"]: float(row["unseen_s"]) for row in csv.DictReader(file)}


@cache
def _published() -> dict[str, object]:
    """Return what says that a run is the published one, by its id."""
    return {run.id: SAME(run) for run in published_runs().rows}


def unseen_errors(predictions: Iterable[Prediction]) -> Errors:
    """Return the errors by suite, of the published runs among them; none if there are none."""
    times = unseen_times()
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for prediction in predictions:
        run = prediction.run
        if prediction.measured_s is None or run.id not in times:
            continue
        if SAME(run) == _published()[run.id]:
            pairs[run.suite].append((times[run.id], prediction.measured_s))
    return Errors(
        suites={name: error_score(*np.array(rows).T) for name, rows in sorted(pairs.items())}
    )
