"""What tuning found, as tables and as JSON."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table
from plan3d.cli.reports.calibration_report import site_as_object, site_report
from plan3d.cli.words import as_option, brief, percent, seconds, spelled
from plan3d.planner.tuning import Attempt, Status, Tuned
from plan3d.planner.validation.site import SiteFit

SHOWN = 10
"""Attempts in the table. [1]"""


def report(question: Question, found: Tuned, fit: SiteFit | None, profile: str) -> Report:
    """Return the best layout, the fastest attempts, and what they say about the site."""
    job, best = question.job, found.best
    counts = {status: sum(a.status is status for a in found.attempts) for status in Status}
    tried = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    answer = [
        f"{job.model.name} on {job.gpus:,} x {job.cluster.gpu.name}: {len(found.attempts)} "
        f"attempts: {tried}"
    ]
    site = Report(answer=()) if fit is None else site_report(fit, {})
    if best is not None:
        answer += [
            f"Best measured: {brief(best.layout)}: {seconds(best.time_s)} per step",
            _gain(found.attempts, best),
            f"Its command: {' '.join(best.words)}",
        ]
    return Report(
        answer=(*answer, *site.answer),
        tables=(_attempts(found.attempts), *site.tables),
        grounds=tuple(filter(None, (profile, *site.grounds))),
    )


def as_object(
    question: Question, found: Tuned, fit: SiteFit | None, profile: str
) -> dict[str, Any]:
    """Return the object that `plan3d tune --json` prints."""
    best = found.best
    return {
        "version": question.version,
        "model": question.job.model.name,
        "gpus": question.job.gpus,
        "best": None if best is None else _of_attempt(best),
        "attempts": [_of_attempt(a) for a in found.attempts],
        "stopped": found.history.stopped,
        "seed": found.history.seed,
        "site": None if fit is None else site_as_object(fit, {}),
        "profile": profile,
    }


def _of_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "layout": spelled(attempt.layout),
        "layout_option": as_option(attempt.layout),
        "status": str(attempt.status),
        "time_s": attempt.time_s,
        "predicted_s": attempt.predicted_s,
        "steps": len(attempt.steps_s),
        "wall_s": attempt.wall_s,
        "message": attempt.message,
        "log": attempt.log,
        "words": list(attempt.words),
    }


def _gain(attempts: Sequence[Attempt], best: Attempt) -> str:
    """Say what was won over the first layout that ran, which the model alone would have chosen."""
    first = next(a for a in attempts if a.status is Status.OK)
    if first is best:
        return "It is the first that ran, the model's own choice"
    return (
        f"{percent(first.time_s / best.time_s - 1)} faster than the model's own choice, "
        f"{brief(first.layout)}: {seconds(first.time_s)}"
    )


def _attempts(attempts: Sequence[Attempt]) -> Table:
    """Return the fastest first, then what did not run."""
    order = sorted(
        enumerate(attempts, start=1),
        key=lambda pair: (
            (pair[1].status is not Status.OK, pair[1].time_s, pair[0])
            if isfinite(pair[1].time_s)
            else (True, 0.0, pair[0])
        ),
    )
    rows = [
        (
            str(number), brief(a.layout), seconds(a.time_s) if a.status is Status.OK else "-",
            seconds(a.predicted_s) if isfinite(a.predicted_s) else "-",
            percent(a.predicted_s / a.time_s - 1) if a.status is Status.OK else "-",
            "" if a.status is Status.OK else a.message[:60],
        )
        for number, a in order[:SHOWN]
    ]  # fmt: skip
    return Table(
        title=f"Attempts, the fastest {SHOWN}" if len(attempts) > SHOWN else "Attempts",
        head=("#", "layout", "measured", "predicted", "error", "why not"),
        rows=tuple(rows), words=(1, 5),
    )  # fmt: skip
