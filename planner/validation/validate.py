"""Predict published runs, and score the predictions."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from plan3d.planner.space import Progress, unheard
from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.measured import time_column
from plan3d.planner.validation.prediction import Evaluate, Prediction, predict
from plan3d.planner.validation.report import Validation, summarise
from plan3d.planner.validation.rows import case_of
from plan3d.planner.validation.runs import Runs
from plan3d.planner.validation.surroundings import Profiles
from plan3d.simulator.estimate import estimate_table

UNIT: Final = 200.0
"""Measured over predicted, or the reverse, beyond which a unit must be wrong: ms for s, predicted
within a factor of five. Jobs have taken 120 times what is predicted. [1]"""
EMPTY: Final = 20.0
"""Predicted memory over measured beyond which a unit must be wrong: a share of the GPU's memory for
GB. [1]"""
OVERFULL: Final = 1.02
"""Measured memory over the GPU's beyond which a unit must be wrong: MB for GB, or GB for GiB of a
GPU that is nearly full. [1]"""


def validate(
    runs: Runs,
    profiles: Profiles,
    evaluate: Evaluate = estimate_table,
    progress: Progress = unheard,
) -> Validation:
    """Predict every run that can be expressed, and score the predictions.

    Runs whose figures contradict each other, or can only be in another unit, are left out, and
    named in `doubtful`.

    Parameters
    ----------
    runs
        As read by `read_runs`.
    profiles
        Where clusters and software generations come from.
    evaluate
        The cost model.
    progress
        Is told how many runs have been read as jobs: most of the work.
    """
    skipped = Counter(runs.skipped)
    cases, contradicting = [], []
    for done, run in enumerate(runs.rows):
        progress(done, len(runs.rows))
        try:
            cases.append(case_of(run, profiles))
        except SkipError as reason:
            skipped[str(reason)] += 1
            if reason.particulars:
                contradicting.append(f"run {run.id}: {reason}: {reason.particulars}")
    kept, doubtful = _plausible(predict(cases, evaluate))
    skipped.update(reason for reason, _ in doubtful)
    return summarise(kept, skipped, (*contradicting, *(text for _, text in doubtful)))


def _plausible(
    predictions: Sequence[Prediction],
) -> tuple[list[Prediction], list[tuple[str, str]]]:
    """Return the predictions to score, and reason and particulars of the others."""
    kept, doubtful = [], []
    for p in predictions:
        ratio = (p.measured_s or p.predicted_s) / p.predicted_s
        capacity = p.estimate.capacity_bytes
        if not 1 / UNIT < ratio < UNIT:
            text = f"a step of {p.measured_s:g} s by {time_column(p.run)} is {ratio:.3g} times the"
            why = f"run {p.run.id}: {text} predicted one; is its unit right?"
            doubtful.append(("wrong unit of time", why))
        elif (p.measured_bytes or 0.0) > OVERFULL * capacity:
            held, room = (p.measured_bytes or 0.0) / 2**30, capacity / 2**30
            text = f"mem_gb {p.run.mem_gb:g} is {held:.1f} GiB, on a GPU of {room:.1f}"
            doubtful.append(("wrong unit of memory", f"run {p.run.id}: {text}; is its unit right?"))
        elif p.measured_bytes and p.predicted_bytes > EMPTY * p.measured_bytes:
            times = p.predicted_bytes / p.measured_bytes
            text = f"mem_gb {p.run.mem_gb:g} is {times:.3g} times less than predicted"
            doubtful.append(("wrong unit of memory", f"run {p.run.id}: {text}; is its unit right?"))
        else:
            kept.append(p)
    return kept, doubtful
