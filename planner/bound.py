"""Play only the pipelines that may be the best: a bound says which cannot.

No pipeline is faster than its ranks are busy. Of 200 plans a handful is within the bound of the
best one, so that one plan is found among them as surely as by playing all, in a tenth of the time.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from plan3d.planner.grouping import NEAR
from plan3d.planner.refine import PIPELINE, replayed
from plan3d.planner.result import Job
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable, Schedule
from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.result import EstimateTable
from plan3d.simulator.stage_costs import stage_costs
from plan3d.simulator.unique import unique_rows

BOUNDED: Final = (
    Schedule.GPIPE, Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED, Schedule.LOOPED_BFS,
)  # fmt: skip
"""Schedules in which a rank begins and ends with its first chunk."""

FIRST: Final = 8
"""Plans that are played to begin with. [1]"""


def pipeline_bound_s(job: Job, table: LayoutTable) -> Floats:
    r"""Return a time that no play of each layout's pipeline falls below, shape (n,) [s].

    .. math:: \max_r \left( m \sum_{s \equiv r} t_s + \sum_{s < r} t_s \right)

    with forward and backward time t of virtual stage s, on rank s mod pp: rank r is busy with its
    own stages, after the first micro-batch has come to it and before the last one's gradients have
    gone back from it. Only for the schedules of `BOUNDED`; 0 for the others.
    """
    context = Context(model=job.model, work=job.work, cluster=job.cluster, software=job.software)
    micro_batches = job.work.global_batch / (table.dp * table.micro_batch)
    found = np.zeros(len(table))
    bounded = np.flatnonzero(np.isin(table.schedule, BOUNDED))
    first, group = unique_rows(table.pp[bounded], table.vpp[bounded])
    for i in range(len(first)):
        rows = bounded[group == i]
        pp, vpp = int(table.pp[rows[0]]), int(table.vpp[rows[0]])
        costs = stage_costs(context, table.take(rows)).columns(pp * vpp)
        stage = costs["forward_s"] + costs["backward_input_s"] + costs["backward_weight_s"]
        busy = stage.reshape(vpp, pp, len(rows)).sum(axis=0)
        before = np.cumsum(stage[:pp], axis=0) - stage[:pp]
        found[rows] = np.max(micro_batches[rows] * busy + before, axis=0)
    return found


def best_replayed(job: Job, table: LayoutTable, estimates: EstimateTable) -> EstimateTable:
    """Return estimates in which the fastest layout, and what ties with it, are played.

    The others have at least the time of their bound, which is more than `NEAR` above the fastest:
    a search for one plan finds the same one with this `Player` as with `replayed`.
    """
    staged = table.pp > 1
    bound_s = estimates.step_time_s
    pipeline_s = sum((estimates.time[k] for k in PIPELINE), np.zeros(len(table)))
    least_s = np.zeros(len(table))
    least_s[staged] = pipeline_bound_s(job, table.take(np.flatnonzero(staged)))
    bound_s = np.where(staged, bound_s - pipeline_s + least_s, bound_s)
    order = np.argsort(bound_s, kind="stable")
    first = order[:FIRST]
    fastest_s = float(replayed(job, table.take(first), _take(estimates, first)).step_time_s.min())
    rows = np.flatnonzero(bound_s <= (1 + NEAR) * fastest_s)
    played = replayed(job, table.take(rows), _take(estimates, rows))
    time = {name: values.copy() for name, values in estimates.time.items()}
    time["bubble_s"] += np.maximum(bound_s - estimates.step_time_s, 0.0)
    for name, values in time.items():
        values[rows] = played.time[name]
    return replace(estimates, time=time)


def _take(estimates: EstimateTable, rows: Ints) -> EstimateTable:
    """Return some rows: the columns that playing reads and changes."""
    return replace(estimates, time={name: v[rows] for name, v in estimates.time.items()})
