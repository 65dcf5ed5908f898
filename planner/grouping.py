"""From many layouts to few different plans.

Two layouts that cut the model alike (`ALIKE`) and whose scores are within `NEAR` are one plan: no
model, and few measurements, can tell them apart. The simplest of them is shown.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.planner.result import Job
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.unique import unique_rows

NEAR: Final = 0.01
"""Scores nearer than this are a tie. [1]"""

ALIKE: Final = ("tp", "pp", "ep")
"""Axes in which layouts of one plan agree: how the model itself is cut. The others are details of
the same plan unless they cost more than `NEAR`."""

EFFORT: Final = {
    Recompute.NONE: 0.0,
    Recompute.SELECTIVE: 1.0,
    Recompute.FULL: 1.0,
    Recompute.BLOCK: 2.0,
}
"""How many settings a way to recompute departs from none. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """Different plans: columns of shape (n,)."""

    layouts: LayoutTable
    score: Floats
    memory_bytes: Floats
    variants: Ints
    """Layouts that each stands for, itself included. [1]"""

    def take(self, rows: Ints | slice) -> "Ranked":
        """Return some of them, in the order given."""
        return Ranked(
            layouts=self.layouts.take(rows),
            score=self.score[rows],
            memory_bytes=self.memory_bytes[rows],
            variants=self.variants[rows],
        )

    def joined(self, other: "Ranked") -> "Ranked":
        """Return these and others below them."""
        return Ranked(
            layouts=LayoutTable.concatenate([self.layouts, other.layouts]),
            score=np.concatenate([self.score, other.score]),
            memory_bytes=np.concatenate([self.memory_bytes, other.memory_bytes]),
            variants=np.concatenate([self.variants, other.variants]),
        )


def ungrouped(layouts: LayoutTable, score: Floats, memory_bytes: Floats) -> Ranked:
    """Return layouts that each stand for themselves."""
    ones = np.ones(len(layouts), dtype=np.int64)
    return Ranked(layouts=layouts, score=score, memory_bytes=memory_bytes, variants=ones)


def best(ranked: Ranked, top: int) -> Ranked:
    """Return the `top` plans of the smallest score; ties by memory, then by order."""
    return ranked.take(np.lexsort((ranked.memory_bytes, ranked.score))[:top])


def grouped(job: Job, ranked: Ranked, top: int, near: float = NEAR) -> Ranked:
    """Return one layout for each group of near-ties, as far as it can be among the `top` plans.

    Parameters
    ----------
    job
        Says what the software does by default.
    ranked
        Layouts, or representatives of earlier groups.
    top
        Plans that will be kept.
    near
        Width of a group: the scores of layouts that cut the model alike are cut at their best
        times ``(1 + near) ** i``. [1]
    """
    if len(ranked.score) == 0:
        return ranked
    first, key = unique_rows(*(getattr(ranked.layouts, axis) for axis in ALIKE))
    least = _least(ranked.score, key, len(first))
    step = np.floor(np.log(ranked.score / least[key]) / np.log1p(near))
    first, group = unique_rows(key.astype(np.float64), step)
    size = np.bincount(group, weights=ranked.variants)
    # A group's simplest layout may be worse than its best by `near`: keep some more groups.
    order = np.argsort(_least(ranked.score, group, len(first)), kind="stable")[: 2 * top]
    kept = np.flatnonzero(np.isin(group, order))
    few, group = ranked.take(kept), group[kept]
    order = np.lexsort((few.memory_bytes, few.score, settings(job, few.layouts), group))
    start = np.flatnonzero(np.diff(group[order], prepend=-1) != 0)
    found = few.take(order[start])
    return Ranked(
        layouts=found.layouts,
        score=found.score,
        memory_bytes=found.memory_bytes,
        variants=size[group[order[start]]].astype(np.int64),
    )


def _least(score: Floats, group: Ints, groups: int) -> Floats:
    """Return the smallest score of each group."""
    least = np.full(groups, np.inf)
    np.minimum.at(least, group, score)
    return least


def settings(job: Job, table: LayoutTable) -> Floats:
    """Return how many settings each layout departs from the plain one [1]."""
    effort = np.array([EFFORT[kind] for kind in Recompute])
    plain_sp = job.software.sp_default & (table.tp > 1)
    ranks = table.dp * table.cp
    return np.asarray(
        table.zero
        + 2.0 * (table.cp > 1)
        + (table.vpp > 1)
        + 2.0 * ((table.zero > 0) & (table.shard < ranks))
        + effort[table.recompute.astype(np.int64)]
        + (table.sp != plain_sp)
        + table.cp_all_to_all
        + (table.ep > 1)
        + (table.etp > 1)
        + (table.schedule == Schedule.GPIPE)
    )
