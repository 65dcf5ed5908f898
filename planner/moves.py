"""Change a layout in some axes, the others following as little as they must.

With tp=8 instead of 4, half as many replicas are left; ZeRO shards over those, and the micro-batch
and the chunks of a stage may have to become smaller. Of all layouts that have what is wished, the
legal one that departs least from the old is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from plan3d.planner.choices import ABSENT, divisors, expand
from plan3d.planner.frameworks import RING, Framework, lacking
from plan3d.planner.result import Job
from plan3d.simulator.layout import FIELDS, Layout, LayoutTable, Recompute, Schedule
from plan3d.simulator.legality import explain, reasons
from plan3d.simulator.numeric import Floats
from plan3d.simulator.pipeline import stage_layers

FOLLOW: Final = ("dp", "shard", "recompute_layers")
"""Axes that follow from the others: that they change is no departure."""

Wish = Mapping[str, float]
"""Axes and the values they should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What became of a wish."""

    wish: Wish
    layout: Layout | None
    """The legal layout with what is wished that departs least."""
    refused: str
    """Why there is none; empty where there is one."""


def moves(
    job: Job, framework: Framework, layout: Layout, wishes: Sequence[Wish]
) -> tuple[Move, ...]:
    """Return the layout that each wish leads to, or why it leads to none.

    Parameters
    ----------
    job
        The question: all its GPUs stay in use.
    framework
        Only layouts that it can run.
    layout
        Where to start.
    wishes
        Changes, each tried alone.
    """
    tables = [_candidates(job, framework, layout, wish) for wish in wishes]
    if not tables:
        return ()
    table = LayoutTable.concatenate(tables)
    flags = reasons(job.model, job.work, job.cluster, job.gpus, table) & ~int(framework.tolerates)
    whose = np.repeat(np.arange(len(tables)), [len(part) for part in tables])
    # By wish; the legal ones first, then those that depart least.
    order = np.lexsort((_departure(_default(job, layout), table), flags != 0, whose))
    first = order[np.searchsorted(whose[order], np.arange(len(tables)))]
    return tuple(
        _move(framework, wish, table.row(int(row)), int(flags[row]))
        for wish, row in zip(wishes, first, strict=True)
    )


def _default(job: Job, layout: Layout) -> Layout:
    """Return a layout with what the software would do where the layout has no choice."""
    return layout if layout.tp > 1 else replace(layout, sp=int(job.software.sp_default))


def _move(framework: Framework, wish: Wish, found: Layout, flags: int) -> Move:
    """Return a layout, or the first rule that it breaks."""
    broken = explain(flags & -flags) or lacking(framework, found)
    if broken:
        return Move(wish=wish, layout=None, refused=broken[0])
    return Move(wish=wish, layout=found, refused="")


def _candidates(job: Job, framework: Framework, layout: Layout, wish: Wish) -> LayoutTable:
    """Return the layouts with what is wished, legal or not; at least one."""
    table = LayoutTable.of([layout])
    table = replace(table, **{axis: np.array([float(value)]) for axis, value in wish.items()})
    inner = table.tp * table.pp * table.cp
    table = replace(table, dp=np.maximum(np.floor(job.gpus / inner), 1.0))
    pp, replicas = float(table.pp[0]), float(table.dp[0] * table.cp[0])
    kept = {axis: np.array([[float(getattr(table, axis)[0])]]) for axis in FIELDS}
    own: dict[str, Floats] = {
        "vpp": np.array([[1.0]]) if pp == 1 else divisors(layout.vpp)[None, :],
        "micro_batch": divisors(layout.micro_batch)[None, :],
        "sp": np.array([[0.0, 1.0]]) if table.tp[0] > 1 else np.array([[0.0]]),
        "cp_all_to_all": np.array([framework.context or (RING,)], dtype=np.float64)
        if table.cp[0] > 1
        else np.array([[float(RING)]]),
        "zero": np.array([framework.zero if replicas > 1 else (0,)], dtype=np.float64),
        "ep": divisors(layout.ep)[None, :],
        "etp": np.unique([1.0, layout.etp, table.tp[0] if framework.etp_is_tp else 1.0])[None, :],
        "offload": np.unique([0.0, layout.offload])[None, :],
    }
    if layout.etp == layout.tp and framework.etp_is_tp and job.model.experts:
        own["etp"] = table.tp[None, :]
    for axis, choices in own.items():
        table = expand(table, **{axis: kept[axis] if axis in wish else choices})
    if "schedule" not in wish:
        table = expand(table, schedule=_schedules(layout, table))
    return _followed(job, framework, layout, table, wish)


def _schedules(layout: Layout, table: LayoutTable) -> Floats:
    """Return the schedules of each row, shape (n, 2): its own, and the plain one of its kind."""
    plain = np.where(table.vpp > 1, float(Schedule.INTERLEAVED), float(Schedule.ONE_F_ONE_B))
    own = np.where((table.pp > 1) & (plain != layout.schedule), float(layout.schedule), ABSENT)
    return np.stack([plain, own], axis=1)


def _followed(
    job: Job, framework: Framework, layout: Layout, table: LayoutTable, wish: Wish
) -> LayoutTable:
    """Return rows whose sharding and recomputed layers follow from the rest."""
    ranks = table.dp * table.cp
    whole = layout.zero == 0 or layout.shard == layout.dp * layout.cp or not framework.hybrid
    part = np.gcd(ranks.astype(np.int64), layout.shard).astype(np.float64)
    apart = (part % table.cp != 0) & framework.shards_context
    part = np.where(whole | (part == 1) | apart, ranks, part)
    shard = table.shard if "shard" in wish else np.where(table.zero > 0, part, 1.0)
    stage = np.asarray(stage_layers(job.model.layers, table.pp, table.vpp))
    block = table.recompute == Recompute.BLOCK
    some = np.where(block, np.clip(table.recompute_layers, 1.0, np.maximum(stage, 1.0)), 0.0)
    return replace(table, shard=shard, recompute_layers=some)


def _departure(layout: Layout, table: LayoutTable) -> Floats:
    """Return how far each layout is from the old one: axes that differ, then by how much. [1]."""
    far = np.zeros(len(table))
    for axis in FIELDS:
        if axis not in FOLLOW:
            old, new = float(getattr(layout, axis)), getattr(table, axis)
            far = far + (new != old) + 0.01 * np.abs(np.log2((1 + new) / (1 + old)))
    return far
