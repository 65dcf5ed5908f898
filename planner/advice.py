"""What would help where layouts do not fit, or where there are none."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from plan3d.planner.constraints import Constraint
from plan3d.planner.evaluator import Evaluator
from plan3d.planner.reasons import GIB
from plan3d.planner.result import Plan
from plan3d.planner.space import PRIMARY, Space, space, ways
from plan3d.simulator.legality import EXPLANATIONS, Reason

REMEDIES: Final = {
    "parameters_bytes": "raise tp or pp, or use zero=3",
    "gradients_bytes": "raise tp or pp, or use zero=2 or 3",
    "optimizer_bytes": "raise tp or pp, use zero=1, or offload=1",
    "activations_bytes": "raise tp or cp, use sp=1, recompute=selective or full, or a smaller "
    "micro_batch",
    "logits_bytes": "raise tp or cp, or use a smaller micro_batch",
    "transient_bytes": "raise tp or cp, or use a smaller micro_batch",
}
"""What makes a term of the memory smaller."""

MOST_GPUS: Final = 2**17
"""Where the search for enough GPUs ends. [1]"""

REACH: Final = 32
"""Numbers of nodes that are tried on each side of the one asked for. [1]"""


def advice(
    layouts: Space, evaluate: Evaluator, legal: int, fit: int, nearest: Plan | None
) -> tuple[str, ...]:
    """Return what would help, a sentence each; nothing where everything fits."""
    if legal == 0:
        return (*_refusals(layouts), *_constraints(layouts), *_sizes(layouts), *_batches(layouts))
    if nearest is None:
        return ()
    estimate = nearest.estimate
    missing_gib = (estimate.memory_bytes - estimate.capacity_bytes) / GIB
    largest = max(REMEDIES, key=lambda term: float(getattr(estimate.memory, term)))
    miss = (
        f"{legal - fit:,} of {legal:,} do not fit: the nearest misses by {missing_gib:,.1f} GiB; "
        f"{REMEDIES[largest]}"
    )
    return (miss,) if fit else (miss, *_what_fits(layouts, evaluate))


def _refusals(layouts: Space) -> Iterator[str]:
    """Say which rules leave no layout."""
    for name, count in sorted(layouts.refused.items(), key=lambda item: -item[1]):
        why, _ = EXPLANATIONS[Reason[name.upper()]]
        yield f"{count:,} of the ways to divide {layouts.job.gpus:,} GPUs: {why}"


def _constraints(layouts: Space) -> Iterator[str]:
    """Say which values of a constrained axis would leave layouts."""
    for constraint in layouts.constraints:
        others = tuple(c for c in layouts.constraints if c.axis != constraint.axis)
        found: set[float] = set()
        for table in space(layouts.job, layouts.framework, others).chunks():
            found |= set(np.unique(getattr(table, constraint.axis)).tolist())
        if found:
            values = [str(Constraint(axis=constraint.axis, low=v, high=v)) for v in sorted(found)]
            yield f"{constraint} leaves no layout; there are {', '.join(values)}"


def _sizes(layouts: Space) -> Iterator[str]:
    """Say which numbers of GPUs nearby have layouts."""
    job = layouts.job
    unit = job.cluster.gpus_per_node if job.gpus > job.cluster.gpus_per_node else 1
    nodes = job.gpus // unit
    below = [unit * n for n in range(nodes, max(0, nodes - REACH), -1)]
    above = [unit * n for n in range(nodes + 1, nodes + 1 + REACH)]
    near = [
        f"{gpus:,}"
        for sizes in (below, above)
        if (gpus := next((n for n in sizes if n != job.gpus and _planned(layouts, n)), None))
    ]
    if near:
        yield f"{' or '.join(near)} GPUs would have layouts"


def _batches(layouts: Space) -> Iterator[str]:
    """Say which global batches nearby have layouts."""
    job = layouts.job
    table, _ = ways(replace(layouts, framework=_waiving(layouts, Reason.BATCH)))
    if len(table) == 0:
        return
    times = np.floor(job.work.global_batch / table.dp)
    below, above = (times * table.dp).max(), ((times + 1) * table.dp).min()
    near = [f"{batch:,.0f}" for batch in (below, above) if batch > 0]
    yield f"a global batch of {' or '.join(near)} would have layouts on {job.gpus:,} GPUs"
