"""Play the pipelines of the best plans, and rank them again.

The closed form ranks everything; it is exact for equal stages, and close where the ends make the
last stage slower. Playing the schedule (`plan3d.simulator.events`) counts unequal stages, transfers
and the schedule's own order, for a few hundred layouts in a fraction of a second: layouts that
share a schedule, pp, vpp and micro-batches are played together.
"""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np

from plan3d.planner.result import Job
from plan3d.simulator.context import Context
from plan3d.simulator.events import StageCosts, play_network
from plan3d.simulator.layout import LayoutTable, Schedule
from plan3d.simulator.numeric import Floats
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.table import build
from plan3d.simulator.stage_costs import stage_costs
from plan3d.simulator.step_time import BLOCK_TERMS

APART = (Schedule.ZB_H2, Schedule.ZB_V)
"""Schedules whose ranks end as staggered as they began: their step is a rank's own time, with the
optimizer step validated afterwards (arXiv:2401.10241, section 4)."""

PIPELINE = (*BLOCK_TERMS, "recompute_s", "ends_s", "pp_comm_s", "bubble_s")
"""Terms of `result.StepTime` that are the pipeline's."""

LONGEST = 6
"""Micro-batches that are played, in units of pp: what is left repeats the steady phase. [1]"""


def pipeline_s(job: Job, table: LayoutTable) -> Floats:
    """Return the played time of each layout's pipeline in a step, shape (n,) [s].

    The steady phase of a schedule repeats itself, so that of many micro-batches only
    `LONGEST` * pp are played, and as many fewer to see how long one takes.
    """
    context = Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)
    micro_batches = job.work.global_batch / (table.dp * table.micro_batch)
    groups: dict[tuple[int, int, int, int], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(table.schedule, table.pp, table.vpp, micro_batches, strict=True)):
        groups[tuple(int(part) for part in key)].append(row)  # type: ignore[index]
    found = np.empty(len(table))
    for (schedule, pp, vpp, m), rows in groups.items():
        some = table.take(np.array(rows))
        found[rows] = _played_s(context, some, Schedule(schedule), pp, vpp, m)
    return found


def replayed(job: Job, table: LayoutTable, estimates: EstimateTable) -> EstimateTable:
    """Return estimates whose bubble is what the played pipelines idle.

    Where a pipeline idles less than nothing by that account, the ends are shorter instead.
    """
    rows = np.flatnonzero(table.pp > 1)
    if len(rows) == 0:
        return estimates
    closed = sum((estimates.time[k] for k in PIPELINE), np.zeros(len(table)))
    more = np.zeros(len(table))
    more[rows] = pipeline_s(job, table.take(rows)) - closed[rows]
    bubble = estimates.time["bubble_s"] + more
    time = estimates.time | {
        "bubble_s": np.maximum(bubble, 0.0),
        "ends_s": estimates.time["ends_s"] + np.minimum(bubble, 0.0),
    }
    return replace(estimates, time=time)


def _played_s(
    context: Context, table: LayoutTable, schedule: Schedule, pp: int, vpp: int, m: int
) -> Floats:
    """Play layouts that differ in nothing but the costs of their stages."""
    period = 2 * pp if schedule in (Schedule.DUALPIPE, Schedule.DUALPIPE_V) else pp
    costs = stage_costs(context, table)
    if m <= (LONGEST + 1) * period:
        return _makespan_s(costs, schedule, pp, vpp, m)
    short = LONGEST * period + m % period
    one = _makespan_s(costs, schedule, pp, vpp, short)
    two = _makespan_s(costs, schedule, pp, vpp, short + period)
    return one + (two - one) * ((m - short) // period)


def _makespan_s(costs: StageCosts, schedule: Schedule, pp: int, vpp: int, m: int) -> Floats:
    """Play `m` micro-batches."""
    line = play_network(_network(schedule, pp, m, vpp), costs)
    return line.span_s.max(axis=0) if schedule in APART else line.makespan_s


@lru_cache(maxsize=128)
def _network(schedule: Schedule, pp: int, m: int, vpp: int) -> Network:
    """Return who waits for whom: the same for every number of GPUs, so it is kept for the next."""
    return Network.of(build(schedule.name.lower(), pp, m, vpp))
