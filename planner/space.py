"""All layouts of a job, each once, built from arrays.

Axis by axis, every row of a table is repeated for each value that the axis can take there, and
what is not legal is dropped at once. First come the ways to divide the GPUs, then the other
*primary* axes, in which two plans differ visibly; `plan3d.planner.variants` adds the rest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from plan3d.planner.choices import ABSENT, divisors, expand
from plan3d.planner.constraints import Constraint, fixed
from plan3d.planner.frameworks import ANY, OVERLAPS, Framework
from plan3d.planner.result import Job
from plan3d.planner.variants import variants
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import LayoutTable, Schedule
from plan3d.simulator.legality import Reason, reasons
from plan3d.simulator.numeric import Floats

PRIMARY: Final = ("tp", "pp", "cp", "dp", "vpp", "micro_batch")
"""Axes in which two plans differ visibly. Layouts that agree in them follow each other."""

CHUNK_ROWS: Final = 2**17
"""Layouts of a chunk, about: its columns stay in the cache. [1]"""

MAX_GPUS: Final = 10**6
"""More GPUs than any cluster has: refused as a slip. [1]"""


class Progress(Protocol):
    """Is told how far a search is."""

    def __call__(self, done: int, total: int, /) -> None:
        """Hear that so many parts of so many are done."""
        ...


def unheard(done: int, total: int, /) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The layouts of a job that a framework can run."""

    job: Job
    framework: Framework
    constraints: tuple[Constraint, ...]
    primary: LayoutTable
    """One row for each legal combination of the primary axes; the other axes at rest."""
    refused: Mapping[str, int]
    """Ways to divide the GPUs that no layout can use, by the first rule that they break."""

    def chunks(self, progress: Progress = unheard) -> Iterator[LayoutTable]:
        """Yield the layouts, about `CHUNK_ROWS` at a time, in a fixed order.

        All variants of a combination of the primary axes are in the same chunk.
        """
        start, step = 0, 64
        while start < len(self.primary):
            rows = self.primary.take(slice(start, start + step))
            start += step
            table = variants(self.job, self.framework, self.constraints, rows)
            step = max(1, min(4 * step, step * CHUNK_ROWS // max(1, len(table))))
            if len(table):
                yield table
            progress(min(start, len(self.primary)), len(self.primary))


def space(job: Job, framework: Framework = ANY, constraints: tuple[Constraint, ...] = ()) -> Space:
    """Return the layouts of a job.

    Raises
    ------
    InputError
        If the number of GPUs is none.
    """
    rows, refused = ways(job, framework, constraints)
    rows = expand(rows, constraints, vpp=_chunks(job, framework))
    schedule = np.where(rows.vpp > 1, float(Schedule.INTERLEAVED), float(Schedule.ONE_F_ONE_B))
    rows, lost = _legal(job, framework, expand(rows, schedule=schedule[:, None]))
    micro_batch = divisors(job.work.global_batch)
    fits = job.work.global_batch % (rows.dp[:, None] * micro_batch) == 0
    rows = expand(rows, constraints, micro_batch=np.where(fits, micro_batch, ABSENT))
    rows, late = _legal(job, framework, rows)
    return Space(
        job=job,
        framework=framework,
        constraints=constraints,
        primary=rows,
        # Combinations of chunks are counted only where they are why nothing is left.
        refused=refused if len(rows) else refused + lost + late,
    )


def ways(
    job: Job, framework: Framework, constraints: tuple[Constraint, ...]
) -> tuple[LayoutTable, Counter[str]]:
    """Return the legal ways to write the GPUs as tp * pp * cp * dp, and how many others there are.

    The others are counted by the first rule that they break.
    """
    if not 1 <= job.gpus <= MAX_GPUS or job.gpus != int(job.gpus):
        raise InputError(
            f"{job.gpus} GPUs cannot be planned for; use a whole number from 1 to {MAX_GPUS:,}"
        )
    parts = divisors(job.gpus)
    rest = {axis: fixed(constraints, axis, 0.0) for axis in ("offload", "order")}
    best = {axis: float(axis in framework.overlaps) for axis in OVERLAPS}
    for constraint in constraints:
        if constraint.low > best.get(constraint.axis, np.inf):
            raise InputError(
                f"{framework.name} does not overlap what {constraint.axis}=1 asks for; "
                f"leave {constraint.axis} out, or use another framework"
            )
    table = LayoutTable.build(
        **{axis: fixed(constraints, axis, can) for axis, can in best.items()}, **rest
    )
    for axis in ("tp", "pp", "cp", "dp"):
        left = job.gpus / (table.tp * table.pp * table.cp)[:, None]
        fits = left == parts if axis == "dp" else left % parts == 0
        table = expand(table, constraints, **{axis: np.where(fits, parts, ABSENT)})
    return _legal(job, framework, table)


def _chunks(job: Job, framework: Framework) -> Floats:
    """Return the values that vpp could have, shape (1, k)."""
    if Schedule.INTERLEAVED not in framework.schedules:
        return np.ones((1, 1))
    layers = job.model.layers
    return np.union1d(divisors(layers), divisors(layers + 2))[None, :]


def _legal(job: Job, framework: Framework, table: LayoutTable) -> tuple[LayoutTable, Counter[str]]:
    """Return the rows with a legal variant, and how many break which rule first."""
    # Offload waits for zero, experts for sp.
    waived = int(framework.tolerates | Reason.OFFLOAD | Reason.EXPERT_SEQUENCE)
    ring, exchange = (
        reasons(job.model, job.work, job.cluster, job.gpus, kind) & ~waived
        for kind in (table, expand(table, cp_all_to_all=np.ones((1, 1))))
    )
    flags = np.minimum(ring, exchange)
    first = flags & -flags
    count = {reason.name.lower(): int(np.sum(first == reason)) for reason in Reason if reason.name}
    return table.take(flags == 0), Counter({name: n for name, n in count.items() if n})
