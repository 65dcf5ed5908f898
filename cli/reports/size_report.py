"""What `plan3d size` shows, and the object that it prints with ``--json``."""

from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from plan3d.cli.as_json import of_job, of_plan, of_run
from plan3d.cli.question import Question
from plan3d.cli.report import Report, Table, grounds, work_line
from plan3d.cli.sureness import around
from plan3d.cli.words import brief, percent, short
from plan3d.planner.sizing import Goal, Size, Sizing
from plan3d.simulator.economics import DAY_S
from plan3d.simulator.reliability import SOURCES


def report(question: Question, found: Sizing) -> Report:
    """Report the fewest GPUs, and what was tried."""
    return Report(
        answer=tuple(_answer(question, found)),
        tables=(table(found),),
        grounds=(
            "days and USD include checkpoints and failures: a GPU fails as in "
            f"{SOURCES['gpu_mtbf_s']}; plan3d cost shows them",
            "of the counts tried: powers of two, then whole nodes that have layouts, bisected; "
            "counts that divide badly may need longer than smaller ones",
            *grounds(question),
        ),
    )


def _answer(question: Question, found: Sizing) -> Iterator[str]:
    yield work_line(question)
    yield f"Wanted: {short(found.goal.tokens)} tokens {_goal(found.goal)}"
    if found.answer is not None and found.answer.plan is not None:
        yield f"{found.answer.gpus:,} GPUs: {_figures(found.answer)}"
        yield f"Layout: {brief(found.answer.plan.layout)}{around(found.answer.plan.outlook)}"
        yield _proof(found)
        return
    yield "No number of GPUs that was tried meets it."
    for which, one in (("Fastest", found.fastest), ("Cheapest", found.cheapest)):
        if one is not None:
            yield f"{which}: {one.gpus:,} GPUs, {_figures(one)}"


def _goal(goal: Goal) -> str:
    """Say what must be kept to."""
    parts = []
    if isfinite(goal.within_s):
        days = f"{goal.within_s / DAY_S:,.4g}"
        parts.append(f"in {days} day{'s' * (days != '1')}")
    if isfinite(goal.within_usd):
        parts.append(f"for {goal.within_usd:,.0f} USD")
    return ", ".join(parts)


def _figures(one: Size) -> str:
    if one.run is None:
        return one.why
    cost = one.run.cost
    return f"{cost.days:,.1f} days, {cost.gpu_hours:,.0f} GPU hours, {cost.cost_usd:,.0f} USD"


def _proof(found: Sizing) -> str:
    """Say why it is not fewer."""
    proof = f"The fewest of the {len(found.tried)} numbers of GPUs that were tried"
    if found.below is None:
        return f"{proof}: none below it was tried"
    which = ", the next smaller number with a layout" if found.next_below else ""
    return f"{proof}; {found.below.gpus:,} GPUs{which}: {_figures(found.below)}"


def table(found: Sizing) -> Table:
    """Return the table of what was tried."""
    return Table(
        title="Numbers of GPUs that were tried",
        head=("GPUs", "layout", "days", "USD", "GPU hours", "MFU", "meets it"),
        rows=tuple(_row(one) for one in found.tried),
        words=(1, 6),
    )


def _row(one: Size) -> tuple[str, ...]:
    if one.plan is None or one.run is None:
        return (f"{one.gpus:,}", one.why, "", "", "", "", "no")
    cost = one.run.cost
    return (
        f"{one.gpus:,}",
        brief(one.plan.layout),
        f"{cost.days:,.1f}",
        f"{cost.cost_usd:,.0f}",
        f"{cost.gpu_hours:,.0f}",
        percent(one.plan.estimate.mfu),
        "yes" if one.met else "no",
    )


def as_object(question: Question, found: Sizing) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""

    def of(one: Size | None) -> dict[str, Any] | None:
        return None if one is None else _of_size(question, one)

    return {
        "version": question.version,
        "job": of_job(question) | {"gpus": None},
        "goal": asdict(found.goal),
        "answer": of(found.answer),
        "below": of(found.below),
        "next_below": found.next_below,
        "fastest": of(found.fastest),
        "cheapest": of(found.cheapest),
        "tried": [of(one) for one in found.tried],
        "assumed": list(question.assumed),
    }


def _of_size(question: Question, one: Size) -> dict[str, Any]:
    return {
        "gpus": one.gpus,
        "met": one.met,
        "why": one.why or None,
        "run": None if one.run is None else of_run(one.run.cost),
        "goodput": None if one.run is None else one.run.stops.goodput,
        "plan": None if one.plan is None else of_plan(question, one.plan),
    }
