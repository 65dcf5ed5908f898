"""From many layouts to few different plans.

Two layouts that agree in the primary axes (`plan3d.planner.space.PRIMARY`) and whose scores are
within `NEAR` are one plan: no model, and few measurements, can tell them apart. The simplest of
them is shown.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.planner.result import Job
from plan3d.planner.space import PRIMARY
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.numeric import Floats, Ints

NEAR: Final = 0.01
"""Scores nearer than this are a tie. [1]"""

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
        Layouts, those that agree in the primary axes together.
    top
        Plans that will be kept.
    near
        Width of a group: the scores of a combination of the primary axes are cut at its best
        times ``(1 + near) ** i``. [1]
    """
    if len(ranked.score) == 0:
        return ranked
    columns = np.stack([getattr(ranked.layouts, axis) for axis in PRIMARY])
    new = np.any(np.diff(columns, axis=1, prepend=-1.0) != 0, axis=0)
    key = np.cumsum(new) - 1
    least = np.minimum.reduceat(ranked.score, np.flatnonzero(new))
    # No plan beyond this can be kept: each key has one below its best * (1 + near).
    bound = np.partition(least, top - 1)[top - 1] * (1 + near) ** 2 if len(least) > top else np.inf
    kept = np.flatnonzero(ranked.score <= bound)
    ranked, key = ranked.take(kept), key[kept]
    step = np.floor(np.log(ranked.score / least[key]) / np.log1p(near))
    order = np.lexsort(
        (ranked.memory_bytes, ranked.score, settings(job, ranked.layouts), step, key)
    )
    first = np.diff(key[order], prepend=-1) != 0
    first[1:] |= np.diff(step[order]) != 0
    starts = np.flatnonzero(first)
    size = np.diff(np.append(starts, len(order)))
    members = ranked.take(order[starts])
    return Ranked(
        layouts=members.layouts,
        score=members.score,
        memory_bytes=members.memory_bytes,
        variants=size.astype(np.int64),
    )


def settings(job: Job, table: LayoutTable) -> Floats:
    """Return how many settings each layout departs from the plain one [1]."""
    effort = np.array([EFFORT[kind] for kind in Recompute])
    plain_sp = job.software.sp_default & (table.tp > 1)
    ranks = table.dp * table.cp
    return np.asarray(
        table.zero
        + 2.0 * ((table.zero > 0) & (table.shard < ranks))
        + effort[table.recompute.astype(np.int64)]
        + (table.sp != plain_sp)
        + table.cp_all_to_all
        + (table.ep > 1)
        + (table.etp > 1)
        + (table.schedule == Schedule.GPIPE)
    )
