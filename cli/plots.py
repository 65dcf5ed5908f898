"""The figures by name: what each is drawn from."""

from collections.abc import Callable, Mapping
from typing import Final

from matplotlib.figure import Figure

from plan3d.cli import subject as about
from plan3d.cli.figures import accuracy, breakdown, memory, pareto, roofline, scaling, timeline
from plan3d.cli.subject import Subject
from plan3d.cli.validate_command import Shipped
from plan3d.planner.result import Plan
from plan3d.planner.validation import published_runs, validate
from plan3d.simulator.errors import InputError

Plot = Callable[[Subject, Plan], Figure]
"""Draws one figure about a plan, and what was asked."""


def _breakdown(subject: Subject, plan: Plan) -> Figure:
    found = about.pipeline(subject, plan)
    return breakdown.draw(plan.estimate.time, found.line if found else None)


def _memory(subject: Subject, plan: Plan) -> Figure:
    stages = about.stages(subject, plan) or (plan.estimate.memory,)
    return memory.draw(stages, plan.estimate.capacity_bytes)


def _timeline(subject: Subject, plan: Plan) -> Figure:
    found = about.pipeline(subject, plan)
    if found is None:
        raise InputError("there is no pipeline to draw; give a --layout with pp of 2 or more")
    return timeline.draw(found.line, None)


def _pareto(subject: Subject, _: Plan) -> Figure:
    return pareto.draw(about.front(subject), subject.result.plans)


def _scaling(subject: Subject, _: Plan) -> Figure:
    return scaling.draw(about.curve(subject), subject.question.job.gpus)


def _roofline(subject: Subject, plan: Plan) -> Figure:
    return roofline.draw(about.kernels(subject, plan), subject.question.job.cluster.gpu)


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
    """Draw predictions against the measured runs that ship."""
    return accuracy.draw(validate(published_runs(), Shipped()))
