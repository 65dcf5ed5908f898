"""DualPipe and DualPipeV: micro-batches from both ends, forward beside backward.

Symbols
-------
p, r, m : ranks, rank, micro-batches
"""

from dataclasses import replace

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.schedules.looped import need_chunks
from plan3d.simulator.schedules.program import OLDEST_WEIGHT, Kind, Program, assemble, slot
from plan3d.simulator.schedules.zero_bubble import F0, F1, I0, I1, valley


def dualpipe(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return DualPipe: every rank holds stage r, and stage p - 1 - r of the other direction.

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", section 3.2.1. arXiv:2412.19437
    .. [2] https://github.com/deepseek-ai/DualPipe, ``dualpipe.py``
    """
    need_chunks("dualpipe", chunks, 1, "dualpipe_v, zb_v")
    p, half = ranks, micro_batches // 2
    if p % 2 or micro_batches % 2 or micro_batches < 2 * p:
        raise InputError(
            f"schedule dualpipe has {p} ranks and {micro_batches} micro-batches, but both must be"
            f" even, and micro-batches at least twice the ranks: {2 * (p + p % 2)} on"
            f" {p + p % 2} would do"
        )
    near = np.minimum(np.arange(p), p - 1 - np.arange(p))
    down = np.arange(p)
    ways = np.stack([down, 2 * p - 1 - down], axis=1)
    ways[p // 2 :] = ways[p // 2 :, ::-1]
    program = assemble([_order(int(r), p // 2, half) for r in near], ways, p, half)
    back = program.stage >= p
    return replace(
        program, micro_batches=micro_batches, micro_batch=program.micro_batch + half * back
    )


def dualpipe_v(ranks: int, micro_batches: int, chunks: int = 2) -> Program:
    """Return DualPipeV: DualPipe cut in half, two chunks per rank, down the ranks and up again.

    References
    ----------
    .. [1] https://github.com/deepseek-ai/DualPipe, ``dualpipev.py``; the cut is by Sea AI Lab
    """
    need_chunks("dualpipe_v", chunks, 2, "dualpipe, zb_h1")
    p, m = ranks, micro_batches
    if m < 2 * p:
        raise InputError(
            f"schedule dualpipe_v has {m} micro-batches for {p} ranks, but needs at least two per"
            f" rank: {2 * p}"
        )
    return assemble([_order(r, p, m) for r in range(p)], valley(p), 2 * p, m)


def _order(r: int, p: int, m: int) -> list[int]:
    """Return the slots of a rank: steps 1 to 8 of the authors' programs."""
    rest = p - 1 - r
    middle = m - 2 * p + r + 1
    slots = [F0] * (2 * rest) + [F0, F1] * (r + 1) + [I1, OLDEST_WEIGHT, F1] * rest
    main = [F0_WITH, B1, F1_WITH, B0] * middle
    if r == p - 1:
        main[0] = F0  # at the turn the first two are kept apart, which shortens the start
    slots += main + [B1, F1_WITH, B0] * rest
    whole = [B1, B0] * (r + 1)
    split = [I1, I0] * (r + 1)
    slots += whole[: r + 1] + split[r + 1 :]
    return slots + [OLDEST_WEIGHT, I0] * rest + [OLDEST_WEIGHT] * (r + 1)


B0, B1 = slot(Kind.BACKWARD), slot(Kind.BACKWARD, 1)
F0_WITH, F1_WITH = (slot(Kind.FORWARD, chunk, overlaps=True) for chunk in (0, 1))
