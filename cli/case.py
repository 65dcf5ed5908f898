"""What a report or a figure is about: an answer, and what the library says beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from plan3d.cli.inputs import evaluator, forecast, player
from plan3d.cli.played import Played, played
from plan3d.cli.question import Question
from plan3d.planner import frameworks
from plan3d.planner.constraints import Constraint
from plan3d.planner.exhaustive import PLAYED, search
from plan3d.planner.result import Job, Plan, SearchResult
from plan3d.planner.scaling import ScalePoint, scale
from plan3d.planner.sensitivity import Change, neighbours
from plan3d.simulator.context import Context
from plan3d.simulator.errors import InputError
from plan3d.simulator.result import Memory
from plan3d.simulator.roofline import Kernel, block_kernels
from plan3d.simulator.stage_memory import stage_memory

NEAR_BEST: Final = PLAYED
"""Plans of a full report: as many as are played out. [1]"""
ON_FRONT: Final = 40
"""Plans of a Pareto front: more cannot be told apart in a figure. [1]"""
AROUND: Final = (1 / 4, 1 / 2, 1, 2, 4)
"""Numbers of GPUs of a scaling curve, over those of the question. [1]"""
OPERATIONS: Final = 20_000
"""Operations of a pipeline that are played for a picture: what is left repeats the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question, its answer, and in which framework."""

    question: Question
    result: SearchResult
    framework: str
    constraints: tuple[Constraint, ...] = ()
    searched: bool = True
    """Whether layouts were looked for, not one given."""
    command: str = ""
    """That asked."""
    beside: Mapping[str, object] = field(default_factory=dict)
    """What the answer has besides, as JSON has it."""

    @property
    def plan(self) -> Plan | None:
        """The first plan; where nothing fits, the nearest."""
        return self.result.plans[0] if self.result.plans else self.result.nearest

    @property
    def analytical(self) -> bool:
        """Whether the cost model is the one that stages, pipelines and curves are made of."""
        return self.question.fidelity == "analytical"


def stages(case: Case, plan: Plan) -> tuple[Memory, ...]:
    """Return what every stage holds; nothing where the cost model is not the analytical one."""
    return stage_memory(_context(case.question.job), plan.layout) if case.analytical else ()


def kernels(case: Case, plan: Plan) -> tuple[Kernel, ...]:
    """Return the kernels of a block."""
    return block_kernels(_context(case.question.job), plan.layout)


def _context(job: Job) -> Context:
    return Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)


def pipeline(case: Case, plan: Plan) -> Played | None:
    """Play a plan's pipeline, of a step of many micro-batches a part; None where there is none."""
    layout = plan.layout
    if layout.pp == 1 or not case.analytical:
        return None
    work = case.question.job.work
    micro_batches = work.global_batch // (layout.dp * layout.micro_batch)
    rounds = max(2, OPERATIONS // (3 * layout.pp**2 * layout.vpp))
    micro_batches = min(micro_batches, rounds * layout.pp)
    batch = micro_batches * layout.dp * layout.micro_batch
    job = replace(case.question.job, work=replace(work, global_batch=batch))
    try:
        return played(replace(case.question, job=job), layout, frameworks.named(case.framework))
    except InputError:  # a schedule that takes other numbers of micro-batches
        return None


def front(case: Case) -> tuple[Plan, ...]:
    """Return the plans that no other beats in both time and memory, the fastest first."""
    if not case.searched:
        return ()
    return search(
        case.question.job,
        framework=case.framework,
        objective="pareto",
        top=ON_FRONT,
        constraints=case.constraints,
        evaluator=evaluator(case.question),
        player=player(case.question),
        forecast=forecast(case.question),
    ).plans


def changes(case: Case, plan: Plan) -> tuple[Change, ...]:
    """Return what a step along each axis does."""
    if not case.analytical:
        return ()
    return neighbours(case.question.job, plan.layout, framework=case.framework)


def curve(case: Case) -> tuple[ScalePoint, ...]:
    """Return the best plan for some numbers of GPUs around the question's."""
    if not (case.searched and case.analytical):
        return ()
    counts = [*_counts(case.question.job.gpus)]
    return scale(case.question.job, counts, framework=case.framework, constraints=case.constraints)


def _counts(gpus: int) -> Iterator[int]:
    yield from (int(gpus * factor) for factor in AROUND if gpus * factor % 1 == 0)
