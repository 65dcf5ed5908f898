"""Tuning on a real cluster: the black box is the user's own launcher."""

from plan3d.planner.tuning.launch import Launcher
from plan3d.planner.tuning.reading import PATTERNS, Reader, pattern_of
from plan3d.planner.tuning.record import Attempt, Record, Status, opened
from plan3d.planner.tuning.template import Template
from plan3d.planner.tuning.tune import Tuned, tune

__all__ = [
    "PATTERNS",
    "Attempt",
    "Launcher",
    "Reader",
    "Record",
    "Status",
    "Template",
    "Tuned",
    "opened",
    "pattern_of",
    "tune",
]
