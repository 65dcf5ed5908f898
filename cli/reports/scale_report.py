"""What `plan3d scale` shows, and the object that it prints with ``--json``."""

from collections.abc import Iterator, Sequence
from typing import Any

from plan3d.cli.as_json import of_job, of_plan
from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table, grounds, work_line
from plan3d.cli.sureness import chance
from plan3d.cli.words import brief, percent, seconds
from plan3d.planner.scaling import PAYS, ScalePoint, stops_paying


def report(question: Question, points: Sequence[ScalePoint]) -> Report:
    """Report the best plan of each number of GPUs."""
    return Report(
        answer=tuple(_answer(question, points)),
        tables=(table(question, points),),
        grounds=(
            "strong scaling: the global batch is the same at every count, so is the training",
            "every layout of each count is evaluated; of the pipelines only those that may be the "
            "best are played",
            "efficiency: tokens/s per GPU over those of the smallest count that fits; each further "
            "GPU: tokens/s that it adds to the count before it, over the same",
            "runs out: chance to run out of memory, learnt from published runs",
            *grounds(question),
        ),
    )


def _answer(question: Question, points: Sequence[ScalePoint]) -> Iterator[str]:
    yield work_line(question)
    fits = [point for point in points if point.plan]
    if not fits:
        yield "Nothing fits on any of these numbers of GPUs."
        return
    best = max(fits, key=lambda point: point.tokens_per_s or 0.0)
    cheapest = min(fits, key=lambda point: point.usd_per_token or 0.0)
    yield f"Fits from {fits[0].gpus:,} GPUs; fastest of these: {best.gpus:,}"
    if question.job.cluster.gpu.usd_per_s:
        yield f"Cheapest token: {cheapest.gpus:,} GPUs"
    stop = stops_paying(points)
    if stop is None:
        yield f"Each further GPU brings at least {PAYS:.0%} of what the first ones do"
    else:
        yield (
            f"Stops paying at {stop.gpus:,} GPUs: each that is added brings "
            f"{percent(stop.gain or 0.0)} of what the first ones do (less than {PAYS:.0%})"
        )


def table(question: Question, points: Sequence[ScalePoint]) -> Table:
    """Return the table of counts."""
    return Table(
        title="Best plan by number of GPUs",
        head=(
            "GPUs", "layout", "step", "tokens/s", "MFU", "USD/Btok", "efficiency", "each further",
            "days", "runs out",
        ),
        rows=tuple(_row(question, point) for point in points),
        words=(1,),
    )  # fmt: skip


def _row(question: Question, point: ScalePoint) -> tuple[str, ...]:
    if point.plan is None:
        return (f"{point.gpus:,}", point.why, *8 * ("",))
    estimate = point.plan.estimate
    cost = question.run_cost(estimate)
    return (
        f"{point.gpus:,}",
        brief(point.plan.layout),
        seconds(estimate.step_time_s),
        f"{estimate.tokens_per_s:,.0f}",
        percent(estimate.mfu),
        f"{(point.usd_per_token or 0.0) * 1e9:,.0f}",
        percent(point.efficiency or 0.0),
        "" if point.gain is None else percent(point.gain),
        "" if cost is None else f"{cost.days:,.1f}",
        "" if point.plan.outlook is None else chance(point.plan.outlook.out_of_memory),
    )


def as_object(question: Question, points: Sequence[ScalePoint]) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    stop = stops_paying(points)
    return {
        "version": question.version,
        "job": of_job(question) | {"gpus": None},
        "points": [of_point(question, point) for point in points],
        "stops_paying": None if stop is None else stop.gpus,
        "assumed": list(question.assumed),
    }


def of_point(question: Question, point: ScalePoint) -> dict[str, Any]:
    """Return one number of GPUs."""
    return {
        "gpus": point.gpus,
        "plan": None if point.plan is None else of_plan(question, point.plan),
        "why": point.why or None,
        "tokens_per_s": point.tokens_per_s,
        "mfu": point.mfu,
        "usd_per_token": point.usd_per_token,
        "efficiency": point.efficiency,
        "gain": point.gain,
    }
