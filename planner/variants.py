"""The axes that vary a plan: sequence and context parallelism, experts, ZeRO, recomputation.

Layouts that would run alike have one canonical form: a single stage or a single micro-batch is
1F1B, a single replica is zero=0, block recomputation of no layer is none and of all of them full.
Overlap, offload and rank order do not multiply the space: they have their defaults unless fixed.
"""

from typing import Final

import numpy as np

from plan3d.planner.choices import ABSENT, divisors, expand
from plan3d.planner.constraints import Constraint, fixed
from plan3d.planner.frameworks import RING, Framework
from plan3d.planner.result import Job
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import Reason, reasons, schedule_runs
from plan3d.simulator.numeric import Floats
from plan3d.simulator.pipeline import stage_layers

BLOCK_SHARES: Final = (0.25, 0.5, 0.75)
"""Shares of a stage's layers that block recomputation is tried with. [1]"""


def variants(
    job: Job, framework: Framework, constraints: tuple[Constraint, ...], table: LayoutTable
) -> LayoutTable:
    """Return all variants of the rows of a table, those of a row together."""
    kinds = np.array([[0.0, 1.0]])
    usable = np.isin(kinds, framework.context)
    context = np.where(table.cp[:, None] > 1, usable, kinds == RING)
    table = expand(table, constraints, cp_all_to_all=np.where(context, kinds, ABSENT))
    if framework.context_alone:
        table = table.take((table.cp == 1) | (table.tp * table.pp == 1))
    table = _legal(job, framework, expand(table, constraints, sp=kinds))
    experts = job.model.experts
    table = expand(table, constraints, ep=divisors(experts.count if experts else 1)[None, :])
    if experts:
        table = expand(table, constraints, etp=_expert_tp(framework, constraints, table))
        table = _legal(job, framework, table)
    table = expand(table, constraints, schedule=_schedules(job, framework, table))
    zero, shard = _sharding(job, framework, constraints, table)
    table = expand(table, constraints, zero=zero, shard=shard)
    kind, layers = _recompute(job, framework, constraints, table)
    return expand(table, constraints, recompute=kind, recompute_layers=layers)


def _legal(job: Job, framework: Framework, table: LayoutTable) -> LayoutTable:
    """Return the legal rows of a table whose ZeRO and recomputation are not chosen yet."""
    flags = reasons(job.model, job.work, job.cluster, job.gpus, table)
    return table.take(flags & ~int(framework.tolerates | Reason.OFFLOAD) == 0)


def _expert_tp(
    framework: Framework, constraints: tuple[Constraint, ...], table: LayoutTable
) -> Floats:
    """Return the tensor parallelism of each row's experts, shape (n, 2): none, tp, or as asked."""
    own = np.where(framework.expert_tp & (table.tp > 1), table.tp, ABSENT)
    if (asked := fixed(constraints, "etp", 1.0)) > 1 and framework.expert_tp:
        own = np.full(len(table), asked)
    return np.stack([np.ones(len(table)), own], axis=1)


def _schedules(job: Job, framework: Framework, table: LayoutTable) -> Floats:
    """Return the schedules of each row, shape (n, k): the plain one, and those like it."""
    micro_batches = job.work.global_batch / (table.dp * table.micro_batch)
    several = (table.pp > 1) & (micro_batches > 1)
    found = [table.schedule]
    for kind in framework.schedules:
        if kind in (Schedule.ONE_F_ONE_B, Schedule.INTERLEAVED):
            continue
        runs = several & schedule_runs(table, micro_batches, np.full(len(table), float(kind)))
        if kind in framework.only_with_chunks:
            runs &= table.vpp > 1
        found.append(np.where(runs, float(kind), ABSENT))
    return np.stack(found, axis=1)


def _sharding(
    job: Job, framework: Framework, constraints: tuple[Constraint, ...], table: LayoutTable
) -> tuple[Floats, Floats]:
    """Return the ZeRO stages of each row, over all replicas or those of a node, shape (n, 7)."""
    zero = np.array([[0.0, 1, 1, 2, 2, 3, 3]])
    part = np.array([[False, False, True, False, True, False, True]])
    ranks = (table.dp * table.cp)[:, None]
    node = min(job.gpus, job.cluster.gpus_per_node) / table.tp[:, None]
    near = np.gcd(ranks.astype(np.int64), node.astype(np.int64)).astype(np.float64)
    some = fixed(constraints, "shard", 0.0) or near
    part_of = (some > 1) & (some < ranks) & (ranks % some == 0)
    if framework.shards_context:
        part_of &= some % table.cp[:, None] == 0
    some = np.where(part_of, some, ABSENT)
    shard = np.where(zero == 0, 1.0, np.where(part, some * framework.hybrid, ranks))
    alone = (ranks == 1) & (zero == 0)
    held = (ranks > 1) & np.isin(zero, framework.zero) & (shard > 0)
    piped = (
        (table.pp[:, None] > 1) & (zero >= 2) & (Reason.ZERO_PIPELINE not in framework.tolerates)
    )
    bare = (table.offload[:, None] > 0) & (zero == 0)
    return np.where((alone | held) & ~piped & ~bare, zero, ABSENT), shard


def _recompute(
    job: Job, framework: Framework, constraints: tuple[Constraint, ...], table: LayoutTable
) -> tuple[Floats, Floats]:
    """Return what each row may recompute, and how many layers, shape (n, 3 + blocks)."""
    kinds = np.array([[float(kind) for kind in framework.recompute if kind < Recompute.BLOCK]])
    if Recompute.BLOCK not in framework.recompute:
        return kinds, np.zeros((1, 1))
    stage = np.asarray(stage_layers(job.model.layers, table.pp, table.vpp))[:, None]
    blocks = np.floor(stage * np.array([BLOCK_SHARES]) + 0.5)
    if (asked := fixed(constraints, "recompute_layers", 0.0)) > 0:
        blocks = np.full((1, 1), asked)
    new = np.diff(blocks, axis=1, prepend=0.0) > 0
    blocks = np.where(new & (blocks < stage), blocks, ABSENT)
    n, k = blocks.shape
    kind = np.concatenate([kinds, np.full((1, k), float(Recompute.BLOCK))], axis=1)
    return kind, np.concatenate([np.zeros((n, kinds.size)), blocks], axis=1)
