"""What a full report says, subject by subject: the same in a page and in Markdown."""

from collections.abc import Iterable, Iterator
from typing import Final

from plan3d.cli.report import (
    Section,
    communication_table,
    infeasible_table,
    memory_table,
    merit_table,
    time_table,
)
from plan3d.cli.reports.scale_report import table as curve_table
from plan3d.cli.reports.timeline_report import ranks_table, title
from plan3d.cli.section_tables import (
    causes_table,
    changes_table,
    front_table,
    kernels_table,
    layouts_table,
    losses_table,
    sources_table,
    stages_table,
)
from plan3d.cli.study import Study
from plan3d.cli.sureness import of_order
from plan3d.planner.result import Plan
from plan3d.planner.scaling import stops_paying

SHORTER: Final = frozenset({"Plans", "Why they stand there"})
"""Tables of the short answer that a full report has at more length."""


def sections(study: Study) -> tuple[Section, ...]:
    """Return the sections that have something to say."""
    every = [_why(study)] if study.case.searched else []
    if study.plan is not None:
        every += [*_details(study, study.plan), *_around(study, study.plan)]
    every += [_layouts(study), _sources(study)]
    kept = [section for section in map(_filled, every) if section.tables]
    return (*kept[:1], *_others(study, kept), *kept[1:])


def _others(study: Study, every: Iterable[Section]) -> Iterator[Section]:
    """Yield the tables of the short answer that no section has."""
    told = {table.title for section in every for table in section.tables} | SHORTER
    for i, table in enumerate(table for table in study.report.tables if table.title not in told):
        yield Section(title=table.title, name=f"other-{i}", tables=(table,))


def _filled(section: Section) -> Section:
    """Return a section without its empty tables."""
    kept = tuple(table for table in section.tables if table.rows)
    return Section(
        title=section.title, name=section.name, text=section.text, tables=kept, sorts=section.sorts
    )


def _why(study: Study) -> Section:
    result = study.case.result
    return Section(
        title="Why it wins, and where the runners-up lose",
        name="why",
        text=(*of_order(result), str(result.certificate), *result.advice),
        tables=(
            losses_table(result.plans),
            causes_table(result.job, result.plans),
        ),
    )


def _details(study: Study, plan: Plan) -> Iterator[Section]:
    estimate = plan.estimate
    yield Section(
        title="Where the step goes",
        name="breakdown",
        text=("The terms add up to the step; communication counts as far as it is exposed.",),
        tables=(time_table(estimate), communication_table(estimate), merit_table(estimate)),
    )
    yield Section(
        title="What fills the memory",
        name="memory",
        text=("Each stage at its own peak; the fullest one decides.",),
        tables=(stages_table(study.stages, estimate.capacity_bytes),
                memory_table(estimate, plan.layout.pp)),
    )  # fmt: skip
    if study.pipeline is not None:
        yield Section(
            title="The pipeline, operation by operation",
            name="timeline",
            text=title(study.pipeline),
            tables=(ranks_table(study.pipeline.line),),
        )
    yield Section(
        title="The kernels of a block",
        name="roofline",
        text=("Forward, one micro-batch, on one GPU; element-wise kernels run at the memory's "
              "speed and are left out.",),
        tables=(kernels_table(study.kernels),),
    )  # fmt: skip


def _around(study: Study, plan: Plan) -> Iterator[Section]:
    yield Section(
        title="Time against memory",
        name="pareto",
        text=("The Pareto front: no other layout beats these in both.",),
        tables=(front_table(study.front),),
    )
    yield Section(
        title="One step along each axis",
        name="sensitivity",
        text=("What the next smaller and the next larger value does, the other axes following as "
              "little as they must.",),
        tables=(changes_table(study.changes, plan.estimate),),
    )  # fmt: skip
    last = stops_paying(study.curve)
    yield Section(
        title="Fewer or more GPUs",
        name="scaling",
        text=("The best plan at each count, with the same global batch.",
              *((f"From {last.gpus:,} GPUs on, a further one brings less than half of what the "
                 "first ones do.",) if last else ())),
        tables=(curve_table(study.case.question, study.curve),),
    )  # fmt: skip


def _layouts(study: Study) -> Section:
    plans = study.case.result.plans if study.case.searched else ()
    return Section(
        title="All near-best layouts", name="layouts", sorts=True, tables=(layouts_table(plans),)
    )


def _sources(study: Study) -> Section:
    case = study.case
    return Section(
        title="Where the numbers come from",
        name="sources",
        tables=(infeasible_table(case.result), sources_table(case.question.job.cluster)),
    )
