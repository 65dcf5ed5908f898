"""The plan that a command speaks of: the layout that is given, or the best of all."""

from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.layout_option import read_layout
from plan3d.cli.question import Question
from plan3d.cli.single import single
from plan3d.planner import frameworks
from plan3d.planner.exhaustive import search
from plan3d.planner.result import Plan
from plan3d.planner.scaling import why_none
from plan3d.simulator.errors import NothingFeasibleError


def chosen(asked: Question, layout: str | None, framework: str) -> Plan:
    """Return the plan of a layout's text, or the best plan.

    Raises
    ------
    InputError
        If the layout cannot run.
    NothingFeasibleError
        If there is no layout that does.
    """
    job = asked.job
    if layout is not None:
        runner = frameworks.named(framework)
        return single(asked, read_layout(layout, job, runner), runner).plans[0]
    found = search(
        job, framework=framework, top=1, evaluator=evaluator(asked), player=player(asked),
        forecast=forecast(asked),
    )  # fmt: skip
    if not found.plans:
        raise NothingFeasibleError(f"{job.model.name} on {job.gpus:,} GPUs: {why_none(found)}")
    return found.plans[0]
