"""The figures by name: what each is drawn from."""

from collections.abc import Callable, Mapping
from typing import Final

from matplotlib.figure import Figure

from plan3d.cli import case as about
from plan3d.cli.case import Case
from plan3d.cli.commands.validate_command import Shipped
from plan3d.cli.figures import accuracy, breakdown, memory, pareto, roofline, scaling, timeline
from plan3d.planner.result import Plan
from plan3d.planner.validation import published_runs, validate
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.runs import Runs
from plan3d.simulator.errors import InputError

Plot = Callable[[Case, Plan], Figure]
"""Draws one figure about a plan, and what was asked."""


def _breakdown(case: Case, plan: Plan) -> Figure:
    found = about.pipeline(case, plan)
    return breakdown.draw(plan.estimate.time, found.line if found else None)


def _memory(case: Case, plan: Plan) -> Figure:
    stages = about.stages(case, plan) or (plan.estimate.memory,)
    return memory.draw(stages, plan.estimate.capacity_bytes)


def _timeline(case: Case, plan: Plan) -> Figure:
    found = about.pipeline(case, plan)
    if found is None:
        raise InputError("there is no pipeline to draw; give a --layout with pp of 2 or more")
    return timeline.draw(found.line, None)


def _pareto(case: Case, _: Plan) -> Figure:
    return pareto.draw(about.front(case), case.result.plans)


def _scaling(case: Case, _: Plan) -> Figure:
    return scaling.draw(about.curve(case), case.question.job.gpus)


def _roofline(case: Case, plan: Plan) -> Figure:
    return roofline.draw(about.kernels(case, plan), case.question.job.cluster.gpu)


PLOTS: Final[Mapping[str, Plot]] = {
    "breakdown": _breakdown,
    "memory": _memory,
    "timeline": _timeline,
    "pareto": _pareto,
    "scaling": _scaling,
    "roofline": _roofline,
}
"""Figures about a plan. To add one: a function, a line here, and one in `plot_command.NAMES`."""


def shipped_accuracy() -> Figure:
    """Draw predictions against the measured runs that ship.

    Marked are jobs that recorded another state of their software than they are predicted with.
    """
    found, rows = validate(published_runs(), Shipped()), recorded_runs().rows
    told = validate(Runs(rows=tuple(run for run in rows if run.version)), Shipped())
    state = {p.run.id: p.software for p in told.predictions}
    others = {p.run.id for p in found.predictions if state.get(p.run.id, p.software) != p.software}
    return accuracy.draw(found, others)
