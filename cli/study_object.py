"""A full report as the object that `--report FILE.json` has; docs/json.md says what is in it."""

from dataclasses import asdict
from typing import Any

from plan3d.cli import as_json
from plan3d.cli.reports import timeline_report
from plan3d.cli.reports.scale_report import of_point
from plan3d.cli.study import Study
from plan3d.cli.words import as_option
from plan3d.planner.sensitivity import Change
from plan3d.simulator.roofline import Kernel

PIPELINE = (
    "schedule", "micro_batches", "operations", "makespan_s", "pipeline_s", "bubble", "ranks"
)  # fmt: skip
"""What of `plan3d timeline --json` is here, too."""


def as_object(study: Study) -> dict[str, Any]:
    """Return what `plan3d search --json` prints, and what only a full report has."""
    question = study.case.question
    short = as_json.of_search(question, study.case.result)
    return {
        **short,
        "schema": as_json.schema_id("report"),
        **study.case.beside,
        "command": study.case.command,
        "stages": [{**asdict(one), "total_bytes": one.total_bytes} for one in study.stages],
        "pipeline": _pipeline(study),
        "kernels": [_kernel(one) for one in study.kernels],
        "front": [as_json.of_plan(question, plan) for plan in study.front],
        "neighbours": [_change(change) for change in study.changes],
        "scaling": [of_point(question, point) for point in study.curve],
        "sources": dict(question.job.cluster.sources),
    }


def _pipeline(study: Study) -> dict[str, Any] | None:
    if study.pipeline is None:
        return None
    whole = timeline_report.as_object(study.pipeline)
    return {name: whole[name] for name in PIPELINE}


def _kernel(one: Kernel) -> dict[str, Any]:
    return {**asdict(one), "intensity": one.intensity, "flop_per_s": one.flop_per_s}


def _change(change: Change) -> dict[str, Any]:
    return {
        "axis": change.axis,
        "before": change.before,
        "after": change.after,
        "layout_option": None if change.layout is None else as_option(change.layout),
        "fits": None if change.estimate is None else change.estimate.fits,
        "step_time_s": change.step_time_s if change.estimate else None,
        "peak_bytes": change.peak_bytes if change.estimate else None,
        "time": dict(change.time_s),
        "memory": dict(change.memory_bytes),
        "refused": change.refused,
    }
