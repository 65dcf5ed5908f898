"""Predict published runs, and score the predictions."""

from collections import Counter

from plan3d.planner.validation.choice import SkipError
from plan3d.planner.validation.prediction import Evaluate, predict
from plan3d.planner.validation.report import Validation, summarise
from plan3d.planner.validation.rows import case_of
from plan3d.planner.validation.runs import Runs
from plan3d.planner.validation.surroundings import Profiles
from plan3d.simulator.estimate import estimate_table


def validate(runs: Runs, profiles: Profiles, evaluate: Evaluate = estimate_table) -> Validation:
    """Predict every run that can be expressed, and score the predictions.

    Parameters
    ----------
    runs
        As read by `read_runs`.
    profiles
        Where clusters and software generations come from.
    evaluate
        The cost model.
    """
    skipped = Counter(runs.skipped)
    cases = []
    for run in runs.rows:
        try:
            cases.append(case_of(run, profiles))
        except SkipError as reason:
            skipped[str(reason)] += 1
    return summarise(predict(cases, evaluate), skipped)
