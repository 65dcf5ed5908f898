"""Validation against published, measured training runs.

``read_runs(path)`` or ``published_runs()``, then ``validate(runs, profiles)``.
"""

from plan3d.planner.validation.prediction import Evaluate, Prediction
from plan3d.planner.validation.report import Errors, Sweep, Validation
from plan3d.planner.validation.runs import Run, Runs, elsewhere_runs, published_runs, read_runs
from plan3d.planner.validation.scores import ErrorScore
from plan3d.planner.validation.surroundings import Profiles
from plan3d.planner.validation.validate import validate

__all__ = [
    "ErrorScore",
    "Errors",
    "Evaluate",
    "Prediction",
    "Profiles",
    "Run",
    "Runs",
    "Sweep",
    "Validation",
    "elsewhere_runs",
    "published_runs",
    "read_runs",
    "validate",
]
