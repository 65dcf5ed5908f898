"""Layouts of one job that one source measured: what rankings and outcomes are compared within."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from plan3d.planner.validation.prediction import Prediction

SWEEP_AT_LEAST: Final = 5
"""Layouts that make a sweep. [1]"""


def sweeps(predictions: Iterable[Prediction]) -> list[list[Prediction]]:
    """Return groups of at least `SWEEP_AT_LEAST` layouts of one job, measured by one source."""
    groups: dict[object, list[Prediction]] = defaultdict(list)
    for p in predictions:
        run = p.run
        groups[run.suite, run.source, run.model, run.gpus, run.seq, run.global_batch].append(p)
    return [group for group in groups.values() if len(group) >= SWEEP_AT_LEAST]


def timed_sweeps(predictions: Iterable[Prediction]) -> list[list[Prediction]]:
    """Return the sweeps of runs with a measured time."""
    return sweeps(p for p in predictions if p.measured_s is not None)


def both_outcomes(predictions: Iterable[Prediction]) -> list[list[Prediction]]:
    """Return the sweeps that publish layouts that ran, and layouts that ran out of memory."""
    return [s for s in sweeps(predictions) if len({bool(p.run.oom) for p in s}) == 2]
