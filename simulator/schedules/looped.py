"""GPipe, 1F1B and their relatives whose chunks go around the ranks: chunk c of rank r is c p + r.

Symbols
-------
p, r, v, m, g : ranks, rank, chunks per rank, micro-batches, micro-batches of a group
"""

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Ints
from plan3d.simulator.schedules.program import Kind, Program, assemble, slot


def gpipe(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return all forward passes, then all backward passes.

    References
    ----------
    .. [1] Y. Huang et al., "GPipe", NeurIPS 2019, section 2.3. arXiv:1811.06965
    """
    need_chunks("gpipe", chunks, 1, "interleaved, looped_bfs")
    rank = [FORWARD] * micro_batches + [BACKWARD] * micro_batches
    return assemble([rank] * ranks, loop(ranks, 1), ranks, micro_batches)


def one_f_one_b(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return p - r - 1 forward passes, then one forward and one backward in turn.

    References
    ----------
    .. [1] D. Narayanan et al., "PipeDream", SOSP 2019, section 3.2. arXiv:1806.03377
    .. [2] D. Narayanan et al., SC 2021, section 2.2.1 (with a flush). arXiv:2104.04473
    """
    need_chunks("one_f_one_b", chunks, 1, "interleaved, zb_h1")
    m = micro_batches
    warm = [min(m, ranks - 1 - r) for r in range(ranks)]
    slots = [[FORWARD] * w + [FORWARD, BACKWARD] * (m - w) + [BACKWARD] * w for w in warm]
    return assemble(slots, loop(ranks, 1), ranks, m)


def interleaved(ranks: int, micro_batches: int, chunks: int, group: int = 0) -> Program:
    """Return 1F1B over v chunks, which take turns in groups of g micro-batches.

    Parameters
    ----------
    ranks, micro_batches, chunks
        *p*, *m*, *v*.
    group
        *g*, Megatron-LM's ``--microbatch-group-size-per-virtual-pipeline-stage``; 0 for the least
        that runs, which is also what PyTorch takes.

    References
    ----------
    .. [1] D. Narayanan et al., SC 2021, section 2.2.2. arXiv:2104.04473
    """
    forward, backward = turns(ranks, micro_batches, chunks, group)
    passes, slots = len(forward), []
    longest = (chunks - 1) * (group or group_size(ranks, micro_batches))
    for r in range(ranks):
        warm = min(2 * (ranks - 1 - r) + longest, passes)
        steady = np.stack([forward[warm:], backward[: passes - warm]], axis=1).ravel()
        slots.append(np.concatenate([forward[:warm], steady, backward[passes - warm :]]))
    return assemble(slots, loop(ranks, chunks), ranks * chunks, micro_batches)


def looped_bfs(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return all micro-batches through a chunk, then through the next; and back, last one first.

    References
    ----------
    .. [1] J. Lamy-Poirier, "Breadth-First Pipeline Parallelism", MLSys 2023. arXiv:2211.05953
    """
    forward = [slot(Kind.FORWARD, c) for c in range(chunks) for _ in range(micro_batches)]
    backward = [slot(Kind.BACKWARD, c) for c in range(chunks) for _ in range(micro_batches)]
    slots = [forward + backward[::-1]] * ranks
    return assemble(slots, loop(ranks, chunks), ranks * chunks, micro_batches, last_first=True)


FORWARD, BACKWARD = slot(Kind.FORWARD), slot(Kind.BACKWARD)


def loop(ranks: int, chunks: int) -> Ints:
    """Return the virtual stages of each rank where they go around, shape (ranks, chunks)."""
    return np.arange(ranks)[:, None] + ranks * np.arange(chunks)


def turns(ranks: int, micro_batches: int, chunks: int, group: int = 0) -> tuple[Ints, Ints]:
    """Return the slots of all forward, and of all backward passes, in the order of a rank."""
    m, g = micro_batches, group or group_size(ranks, micro_batches)
    if not 0 < g <= m or not _runs(ranks, m, g):
        raise InputError(
            f"interleaved: groups of {g} of {m} micro-batches stall {ranks} ranks; a group is from"
            f" {ranks} to {m}, and the last not below {ranks}: {group_size(ranks, m)} would do"
        )
    sizes = [min(g, m - done) for done in range(0, m, g)]
    order = np.concatenate([np.repeat(np.arange(chunks), size) for size in sizes])
    return order * 8 + FORWARD, (chunks - 1 - order) * 8 + BACKWARD


def group_size(ranks: int, micro_batches: int) -> int:
    """Return the smallest group of micro-batches with which chunks can take turns.

    Megatron-LM wants p <= g <= m, and m mod g to be 0 or at least p (``core/pipeline_parallel/
    schedules.py``). With fewer micro-batches than ranks there is one group.
    """
    m = micro_batches
    return next(g for g in range(min(ranks, m), m + 1) if _runs(ranks, m, g))


def _runs(ranks: int, micro_batches: int, group: int) -> bool:
    """Whether chunks can take turns in such groups."""
    rest = micro_batches % group
    return group == micro_batches or (ranks <= group and (rest == 0 or rest >= ranks))


def need_chunks(name: str, chunks: int, needed: int, others: str) -> None:
    """Refuse a number of chunks that a schedule is not made for."""
    if chunks != needed:
        raise InputError(
            f"schedule {name} has {needed} chunk{'s' * (needed > 1)} per rank, not {chunks};"
            f" schedules for other numbers: {others}"
        )
