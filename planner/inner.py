r"""The exact partition inside the search: the best layout with the best stages and recomputation.

The outer search fixes tp, cp, pp, dp and the rest; the inner one, which layers each stage holds and
what it recomputes (`planner.partition`). No inner answer can beat a perfect balance without any
recomputation, so outer layouts are solved in the order of that bound until it passes the best
answer: then no layout that is left can win.

.. math:: T \ge c + m E / p + (E - E / p) / v

with E one micro-batch through all stages, nothing recomputed, and c what the step takes beside.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from plan3d.planner import frameworks
from plan3d.planner.constraints import Constraint
from plan3d.planner.partition.compare import SEARCHERS, Comparison, compare
from plan3d.planner.partition.from_job import SCHEDULES, partition_problem
from plan3d.planner.result import Job
from plan3d.planner.space import Progress, space, unheard
from plan3d.simulator.context import Context
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown
from plan3d.simulator.estimate import block_costs, estimate_table
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.model_states import comes_last, stage_state
from plan3d.simulator.numeric import Bools, Floats
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.stage_params import stage_params
from plan3d.simulator.step_time import BLOCK_TERMS, fill_s

MOST = 300
"""Inner problems that are solved before the search gives up on a proof. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InnerResult:
    """The best layout with its best stages."""

    layout: Layout
    """Its `recompute` says nothing: the partition does."""
    comparison: Comparison
    """Ideal, even and runnable stages of that layout."""
    searcher: str
    outer: int
    """Outer layouts that could hold the model. [1]"""
    solved: int
    """Inner problems solved. [1]"""
    bound_s: float
    """No layout with any partition has a shorter step. [s]"""

    @property
    def step_time_s(self) -> float:
        """The step of the ideal stages [s]."""
        return self.comparison.best.assignment.step_time_s

    @property
    def proven(self) -> bool:
        """No layout that was not solved can win, and the winner's stages are optimal."""
        return self.comparison.best.proven and self.bound_s >= self.step_time_s * (1 - 1e-9)

    def __str__(self) -> str:
        how = "optimal over" if self.proven else "best found among"
        gap = 1 - min(self.bound_s / self.step_time_s, 1.0)
        rest = "" if self.proven else f"; at most {gap:.1%} from the optimum"
        return (
            f"{how} {self.outer:,} layouts (1F1B, GPipe, interleaved) and all stage and recompute "
            f"assignments, by the closed form ({self.searcher}, {self.solved:,} solved{rest})"
        )


def search_inner(
    job: Job,
    *,
    framework: str = frameworks.DEFAULT,
    searcher: str = "dp",
    constraints: Iterable[Constraint] = (),
    first: Iterable[Layout] = (),
    progress: Progress = unheard,
) -> InnerResult:
    """Return the best layout of a job with exact stages.

    Parameters
    ----------
    job
        The question.
    framework
        Whose layouts are outer ones, and whose stages count as runnable.
    searcher
        ``"dp"`` or ``"ilp"``: what solves the inner problem (chunks take the ILP).
    constraints
        Only outer layouts that keep them.
    first
        Layouts that are solved first: good ones end the search early.
    progress
        Is told how many layouts are solved, of at most how many.

    Raises
    ------
    NothingFeasibleError
        If no layout has stages that fit.
    """
    if searcher not in SEARCHERS:
        raise unknown("searcher", searcher, SEARCHERS)
    runs, constraints = frameworks.named(framework), tuple(constraints)
    if any(c.axis in ("recompute", "recompute_layers") for c in constraints):
        raise InputError(
            "exact stages choose what each layer recomputes; leave recompute out, or search "
            "exhaustively"
        )
    table, bound = _outer(job, runs, constraints)
    order = np.argsort(bound, kind="stable")
    ahead = {_bare(x) for x in first if x.schedule in SCHEDULES}
    queue = [(layout, 0.0) for layout in ahead]
    kept = order[: MOST + len(ahead)]
    queue += [(table.row(int(i)), float(bound[i])) for i in kept]
    beyond = float(bound[order[len(kept)]]) if len(order) > len(kept) else np.inf
    best: tuple[Layout, Comparison] | None = None
    least, solved = np.inf, 0
    done: set[Layout] = set()
    bound_s = beyond
    for layout, low in queue:
        if low >= least or solved >= MOST:
            bound_s = low
            break
        if layout in done:
            continue
        done.add(layout)
        progress(solved, min(len(queue), MOST))
        solved += 1
        try:
            found = compare(partition_problem(job, layout), runs, searcher=_able(layout, searcher))
        except NothingFeasibleError:
            continue
        if found.best.assignment.step_time_s < least:
            least, best = found.best.assignment.step_time_s, (layout, found)
    if best is None:
        raise NothingFeasibleError("no layout has stages that fit the memory, however they are cut")
    return InnerResult(
        layout=best[0], comparison=best[1], searcher=searcher, outer=len(table), solved=solved,
        bound_s=min(bound_s, least),
    )  # fmt: skip


def _able(layout: Layout, searcher: str) -> str:
    """Return the solver that can answer: the DP has one chunk a stage."""
    return searcher if layout.vpp == 1 else "ilp"


def _bare(layout: Layout) -> Layout:
    """Return the outer layout of a plan."""
    values = {name: getattr(layout, name) for name in Layout.__dataclass_fields__}
    return Layout(**(values | {"recompute": Recompute.NONE, "recompute_layers": 0}))


def _outer(
    job: Job, framework: frameworks.Framework, constraints: tuple[Constraint, ...]
) -> tuple[LayoutTable, Floats]:
    """Return the outer layouts whose stages may fit, and the bound of each [s]."""
    context = Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)
    tables, bounds = [LayoutTable.of([])], [np.zeros(0)]
    for chunk in space(job, framework, constraints).chunks():
        plain = (chunk.recompute == Recompute.NONE) & np.isin(chunk.schedule, SCHEDULES)
        rows = chunk.take(plain)
        if len(rows):
            rows = rows.take(_may_fit(context, rows))
        if len(rows):
            tables.append(rows)
            bounds.append(_bound_s(context, rows))
    return LayoutTable.concatenate(tables), np.concatenate(bounds)


def _bound_s(context: Context, table: LayoutTable) -> Floats:
    """Return the step of perfectly balanced stages that recompute nothing [s]."""
    found = estimate_table(context.model, context.work, context.cluster, context.software, table)
    m = context.work.global_batch / (table.dp * table.micro_batch)
    block, _, _ = block_costs(context, table)
    through = context.model.layers * (block.forward_s + block.backward_s)
    through = through + block.first_s + block.last_s
    beside = [k for k in EstimateTable.TIME if k not in (*BLOCK_TERMS, *_STAGES)]
    fixed = np.sum([found.time[k] for k in beside], axis=0) + fill_s(context, table)
    bound: Floats = fixed + m * through / table.pp + (through - through / table.pp) / table.vpp
    return bound


_STAGES = ("recompute_s", "ends_s", "bubble_s")


def _may_fit(context: Context, table: LayoutTable) -> Bools:
    """Return where the mean stage, everything recomputed, is within the memory.

    The fullest stage is no emptier than the mean, and keeps one micro-batch at least.
    """
    layers = context.model.layers / table.pp
    params = stage_params(context.model, context.software, table, layers, first=False, last=False)
    state = stage_state(context, table, params)
    _, kept, _ = block_costs(context, table)
    least = np.minimum(kept.input_bytes, kept.whole_bytes)
    m = context.work.global_batch / (table.dp * table.micro_batch)
    gradients = np.where(comes_last(context.software, m), 0.0, state.held_gradients(m))
    held = state.held_parameters(m) + gradients + state.optimizer_bytes
    gpu = context.cluster.gpu
    whole = held + layers * least * (1 + context.software.memory_margin) + gpu.context_bytes
    return np.asarray(whole <= gpu.memory_bytes)
