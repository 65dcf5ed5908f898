"""The figures of a page, by the sections that they stand in."""

from collections.abc import Iterator
from typing import Final

from matplotlib.figure import Figure

from plan3d.cli.figures import breakdown, memory, pareto, roofline, scaling, timeline
from plan3d.cli.html.svg import inline
from plan3d.cli.study import Study
from plan3d.cli.words import MEMORY, TIME, brief, gib, percent, seconds
from plan3d.planner.result import Plan

BOXES: Final = 44
"""Short operations side by side in a page. [1]"""

Drawing = tuple[str, Figure, str, dict[str, str]]
"""Name of the section, figure, what it shows, and tips."""


def drawings(study: Study) -> dict[str, str]:
    """Return an SVG element for each section with a figure."""
    if study.plan is None:
        return {}
    found = (*_details(study, study.plan), *_around(study))
    return {name: inline(figure, name, label, tips) for name, figure, label, tips in found}


def _details(study: Study, plan: Plan) -> Iterator[Drawing]:
    estimate, line = plan.estimate, study.pipeline.line if study.pipeline else None
    terms = {name: getattr(estimate.time, name) for name in TIME}
    yield (
        "breakdown",
        breakdown.draw(estimate.time, line),
        f"Bars of the terms of a step of {seconds(estimate.step_time_s)}: the table below has them",
        {f"term-{name}": f"{TIME[name]}: {seconds(value)}, {percent(value / estimate.step_time_s)}"
         for name, value in terms.items() if value > 0},
    )  # fmt: skip
    stages = study.stages or (estimate.memory,)
    yield (
        "memory",
        memory.draw(stages, estimate.capacity_bytes),
        f"Bars of the memory of {len(stages)} stages against {gib(estimate.capacity_bytes)} GiB: "
        "the table below has them",
        {
            f"stage-{row}-{part}": f"stage {row + 1}: " + ", ".join(
                f"{MEMORY[name]} {gib(getattr(stage, name))} GiB" for name in names
                if getattr(stage, name) > 0
            )
            for row, stage in enumerate(stages)
            for part, (_, names) in enumerate(memory.PARTS.values())
        },
    )  # fmt: skip
    if line is not None:
        yield (
            "timeline",
            timeline.draw(line, None, BOXES),
            f"A row for each of {line.program.ranks} ranks, a box for each forward and backward "
            "pass: the table below says when they idle",
            {},
        )
    if study.kernels:
        gpu = study.case.question.job.cluster.gpu
        label = f"Kernels below the roof of one {gpu.name}: the table below has them"
        yield "roofline", roofline.draw(study.kernels, gpu), label, {}


def _around(study: Study) -> Iterator[Drawing]:
    if study.front:
        yield (
            "pareto",
            pareto.draw(study.front, study.case.result.plans),
            "Memory of the fullest GPU falls as the step gets longer: the table below has the "
            "points",
            {f"front-{i}": f"{brief(plan.layout)}: {seconds(plan.estimate.step_time_s)}, "
             f"{gib(plan.estimate.memory_bytes)} GiB" for i, plan in enumerate(study.front)},
        )  # fmt: skip
    if any(point.plan for point in study.curve):
        yield (
            "scaling",
            scaling.draw(study.curve, study.case.question.job.gpus),
            "Throughput and MFU over the number of GPUs: the table below has the points",
            {},
        )
