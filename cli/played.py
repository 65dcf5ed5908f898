"""One layout's pipeline, played out: what `plan3d timeline` shows in several forms."""

from dataclasses import dataclass, fields, replace

import numpy as np

from plan3d.cli.question import Question
from plan3d.cli.single import single
from plan3d.planner.frameworks import Framework
from plan3d.planner.refine import APART, PIPELINE
from plan3d.simulator.context import Context
from plan3d.simulator.errors import InputError
from plan3d.simulator.events import StageCosts, play_network
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.legality import Reason
from plan3d.simulator.result import Estimate
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.table import build
from plan3d.simulator.stage_costs import stage_costs
from plan3d.simulator.timeline import Timeline

LONGEST = 500_000
"""Operations that are played, which takes seconds: more is a slip, or belongs in a search."""

BUILDER_SAYS = Reason.SCHEDULE | Reason.INTERLEAVE_BATCH
"""Rules that are left to the schedule itself: it knows which chunks and micro-batches it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A layout's pipeline in one step."""

    question: Question
    layout: Layout
    estimate: Estimate
    """In closed form."""
    network: Network
    costs: StageCosts
    line: Timeline

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a step."""
        return self.line.program.micro_batches

    @property
    def schedule(self) -> str:
        """The schedule's name."""
        return self.layout.schedule.name.lower()

    @property
    def apart(self) -> bool:
        """Whether ranks start the next step apart: then a rank's own time is the pipeline's."""
        return self.layout.schedule in APART

    @property
    def pipeline_s(self) -> float:
        """What the pipeline takes of a step [s]."""
        line = self.line
        return float(line.span_s.max() if self.apart else line.makespan_s)

    @property
    def closed_s(self) -> float:
        """The same in closed form [s]."""
        return sum(float(getattr(self.estimate.time, term)) for term in PIPELINE)

    @property
    def difference(self) -> float:
        """Played over closed form, less one [1]."""
        return self.pipeline_s / self.closed_s - 1

    @property
    def share(self) -> float:
        """The pipeline's share of the step, of which the rest is as estimated [1]."""
        return self.pipeline_s / (self.estimate.step_time_s - self.closed_s + self.pipeline_s)

    @property
    def bubble(self) -> float:
        """Share of the pipeline's time in which a rank idles, mean of the ranks [1]."""
        line = self.line
        busy_s = float(np.mean(line.makespan_s - line.idle_s))
        return 1 - busy_s / self.pipeline_s


def played(question: Question, layout: Layout, framework: Framework) -> Played:
    """Play one layout's pipeline.

    Raises
    ------
    InputError
        If the layout cannot run, or the schedule not with these ranks, chunks, and micro-batches.
    """
    job = question.job
    lenient = replace(framework, tolerates=framework.tolerates | BUILDER_SAYS)
    estimate = single(question, layout, lenient).plans[0].estimate
    micro_batches = job.work.global_batch // (layout.dp * layout.micro_batch)
    most = LONGEST // (layout.pp * layout.vpp * 3)
    if micro_batches > most:
        raise InputError(
            f"{micro_batches:,} micro-batches on {layout.pp * layout.vpp} stages are over "
            f"{LONGEST:,} operations; --micro-batches {most} or fewer are played"
        )
    program = build(layout.schedule.name.lower(), layout.pp, micro_batches, layout.vpp)
    context = Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)
    costs = _only(stage_costs(context, LayoutTable.of([layout])))
    network = Network.of(program)
    return Played(
        question=question, layout=layout, estimate=estimate, network=network, costs=costs,
        line=play_network(network, costs),
    )  # fmt: skip


def _only(costs: StageCosts) -> StageCosts:
    """Return the costs of one layout without their second axis."""
    each = {f.name: np.asarray(getattr(costs, f.name)) for f in fields(costs)}
    return StageCosts(**{name: np.reshape(value, value.shape[:1]) for name, value in each.items()})
