"""What would help where layouts do not fit, or where there are none."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, takewhile
from typing import Final

import numpy as np

from plan3d.planner.constraints import Constraint
from plan3d.planner.evaluator import Evaluator
from plan3d.planner.reasons import GIB, TERMS
from plan3d.planner.result import Plan
from plan3d.planner.space import MAX_GPUS, Space, space, ways
from plan3d.simulator.layout import Recompute
from plan3d.simulator.legality import EXPLANATIONS, Reason

REMEDIES: Final = {
    "parameters_bytes": ("tp", "pp", "zero=3"),
    "gradients_bytes": ("tp", "pp", "zero=2", "zero=3"),
    "optimizer_bytes": ("tp", "pp", "zero=1", "offload=1"),
    "activations_bytes": (
        "sp=1",
        "recompute=selective",
        "recompute=full",
        "micro_batch",
        "tp",
        "cp",
    ),
    "logits_bytes": ("micro_batch", "tp", "cp"),
    "transient_bytes": ("micro_batch", "tp", "cp"),
}
"""What makes a term of the memory smaller: an axis to change, or its value."""

WORDS: Final = {
    "tp": "a larger tp",
    "pp": "a larger pp",
    "cp": "a larger cp",
    "micro_batch": "a smaller micro_batch",
}

FRUGAL: Final = (
    Constraint(axis="recompute", low=Recompute.FULL, high=Recompute.FULL),
    Constraint(axis="micro_batch", low=1, high=1),
)
"""What takes the least memory: enough to learn whether anything fits."""

OFFLOAD: Final = Constraint(axis="offload", low=1, high=1)

MOST_GPUS: Final = 2**17
"""Where the search for enough GPUs ends. [1]"""

REACH: Final = 32
"""Numbers of nodes that are tried on each side of the one asked for. [1]"""


def advice(
    layouts: Space, evaluate: Evaluator, legal: int, fit: int, nearest: Plan | None
) -> tuple[str, ...]:
    """Return what would help, a sentence each; nothing where everything fits."""
    if legal == 0:
        return tuple(_constraints(layouts)) or (
            *_refusals(layouts),
            *_sizes(layouts),
            *_batches(layouts),
        )
    if nearest is None:
        return ()
    missing_gib = (nearest.estimate.memory_bytes - nearest.estimate.capacity_bytes) / GIB
    which = "the nearest" if fit == 0 else "of those that would be better, the nearest"
    miss = (
        f"{legal - fit:,} of {legal:,} do not fit: {which} misses by {missing_gib:,.1f} GiB; "
        f"{_remedy(layouts, nearest)}"
    )
    return (miss,) if fit else (miss, *_what_fits(layouts, evaluate))


def _remedy(layouts: Space, plan: Plan) -> str:
    """Return what would make the largest term of a plan's memory smaller."""
    layout, memory = plan.layout, plan.estimate.memory
    largest = max(REMEDIES, key=lambda term: float(getattr(memory, term)))
    framework = layouts.framework
    replicas = layout.dp * layout.cp > 1
    unstaged = layout.pp == 1 or Reason.ZERO_PIPELINE in framework.tolerates
    zero = {
        stage: replicas and stage > layout.zero and stage in framework.zero for stage in (1, 2, 3)
    }
    usable = {
        "tp": 2 * layout.tp <= min(layouts.job.cluster.gpus_per_node, layout.gpus),
        "pp": layout.dp > 1,
        "cp": layout.dp > 1,
        "sp=1": layout.tp > 1 and not layout.sp,
        "micro_batch": layout.micro_batch > 1,
        "recompute=selective": layout.recompute == Recompute.NONE
        and Recompute.SELECTIVE in framework.recompute,
        "recompute=full": layout.recompute != Recompute.FULL,
        "zero=1": zero[1],
        "zero=2": zero[2] and unstaged,
        "zero=3": zero[3] and unstaged,
        "offload=1": layout.offload < 1 and replicas,
    }
    words = [WORDS.get(word, word) for word in REMEDIES[largest] if usable[word]]
    try_these = f": try {', '.join(words)}" if words else ""
    return f"most of it is {TERMS[largest]}{try_these}"


def _refusals(layouts: Space) -> Iterator[str]:
    """Say which rules leave no layout."""
    for name, refused in sorted(layouts.refused.items(), key=lambda item: -item[1]):
        why, _ = EXPLANATIONS[Reason[name.upper()]]
        yield f"{refused:,} of the ways to divide {layouts.job.gpus:,} GPUs: {why}"


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
    job, framework = layouts.job, layouts.framework
    if "batch" not in layouts.refused:
        return
    any_batch = replace(framework, tolerates=framework.tolerates | Reason.BATCH)
    table, _ = ways(job, any_batch, layouts.constraints)
    if len(table) == 0:
        return
    times = np.floor(job.work.global_batch / table.dp)
    below, above = (times * table.dp).max(), ((times + 1) * table.dp).min()
    near = [f"{batch:,.0f}" for batch in (below, above) if batch > 0]
    yield f"a global batch of {' or '.join(near)} would have layouts on {job.gpus:,} GPUs"


def _what_fits(layouts: Space, evaluate: Evaluator) -> Iterator[str]:
    """Say which larger changes would make a layout fit, after trying them."""
    job, asked = layouts.job, layouts.constraints
    taken = {constraint.axis for constraint in asked}
    frugal = tuple(c for c in FRUGAL if c.axis not in taken)

    def fits(gpus: int, constraints: tuple[Constraint, ...]) -> bool:
        tried = space(replace(job, gpus=gpus), layouts.framework, constraints)
        return any(bool(evaluate(table).fits.any()) for table in tried.chunks())

    if "offload" not in taken and fits(job.gpus, (*asked, *frugal, OFFLOAD)):
        yield "it fits with the optimizer states in host memory: fix offload=1"
    if asked and fits(job.gpus, FRUGAL):
        yield f"it fits without {', '.join(map(str, asked))}"
    sizes = takewhile(lambda gpus: gpus <= MOST_GPUS, (job.gpus * 2**i for i in count(1)))
    enough = next((gpus for gpus in sizes if fits(gpus, (*asked, *frugal))), None)
    if enough:
        yield f"it fits on {enough:,} GPUs"
    else:
        yield f"it fits on no multiple of these GPUs up to {MOST_GPUS:,}: use ones with more memory"


def _planned(layouts: Space, gpus: int) -> bool:
    """Return whether a number of GPUs has any layout."""
    if gpus > MAX_GPUS:
        return False
    job = replace(layouts.job, gpus=gpus)
    return len(space(job, layouts.framework, layouts.constraints).primary) > 0
