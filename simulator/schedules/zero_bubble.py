"""Schedules that split the backward pass, and compute weight gradients where they would idle.

Symbols
-------
p, r, v, m : ranks, rank, chunks per rank, micro-batches
F, I, W : forward, backward for the input, backward for the weights; B is I and W in one
"""

import numpy as np

from plan3d.simulator.numeric import Ints
from plan3d.simulator.schedules.looped import group_size, loop, need_chunks, turns
from plan3d.simulator.schedules.program import OLDEST_WEIGHT, Kind, Program, assemble, slot


def zb_h1(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return ZB-H1: 1F1B's order and memory, with the weight gradients of rank r late by r.

    With more than one chunk it is the interleaved form that PyTorch ships as
    ``ScheduleInterleavedZeroBubble``.

    References
    ----------
    .. [1] P. Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024, section 2.1.
       arXiv:2401.10241
    """
    return _handcrafted(ranks, micro_batches, chunks, ahead=1)


def zb_h2(ranks: int, micro_batches: int, chunks: int = 1) -> Program:
    """Return ZB-H2: twice as far ahead as ZB-H1, and the weight gradients twice as late.

    References
    ----------
    .. [1] P. Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024, section 2.2.
       arXiv:2401.10241
    """
    need_chunks("zb_h2", chunks, 1, "zb_h1, zb_v")
    return _handcrafted(ranks, micro_batches, chunks, ahead=2)


def _handcrafted(ranks: int, micro_batches: int, chunks: int, ahead: int) -> Program:
    """Return warm-up, then F I in turn, with W from the (ahead r)-th I on."""
    forward, backward = turns(ranks, micro_batches, chunks)
    backward += Kind.BACKWARD_INPUT - Kind.BACKWARD
    passes = len(forward)
    longest = (chunks - 1) * group_size(ranks, micro_batches)
    slots = []
    for r in range(ranks):
        warm = min(ahead * (ranks - 1 - r) + longest, passes)
        late = min(ahead * r, passes)
        order = np.full((passes, 3), _NOTHING)
        order[: passes - warm, 0] = forward[warm:]
        order[:, 1] = backward
        order[late:, 2] = OLDEST_WEIGHT
        steady = order[order != _NOTHING]
        slots.append(np.concatenate([forward[:warm], steady, np.full(late, OLDEST_WEIGHT)]))
    return assemble(slots, loop(ranks, chunks), ranks * chunks, micro_batches)


_NOTHING = -1


def zb_v(ranks: int, micro_batches: int, chunks: int = 2) -> Program:
    """Return ZB-V: two chunks per rank, down the ranks and up again.

    References
    ----------
    .. [1] P. Qi et al., "Pipeline Parallelism with Controllable Memory", NeurIPS 2024, section 3.
       arXiv:2405.15362
    .. [2] P. Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024, section 6. arXiv:2401.10241
    """
    need_chunks("zb_v", chunks, 2, "zb_h1, interleaved")
    p, m = ranks, max(micro_batches, 2 * ranks - 1)
    slots = []
    for r in range(p):
        warm = [F0] * (2 * (p - r) - 1) + [F1, F0] * r + [F1, I1, W1] * (p - r)
        steady = [F0, I0, W0, F1, I1, W1] * (m - 2 * p + r + 1)
        steady += [I0, W0, F1, I1, W1] * (p - 1 - r)
        cool = [I0, I1] * r + [I0, W0] * (p - r) + [W1] * r + [W0] * r
        slots.append(warm + steady + cool)
    return assemble(slots, valley(p), 2 * p, micro_batches)


F0, I0, W0 = (slot(k) for k in (Kind.FORWARD, Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT))
F1, I1, W1 = (slot(k, 1) for k in (Kind.FORWARD, Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT))


def valley(ranks: int) -> Ints:
    """Return the virtual stages of each rank where they go down and up, shape (ranks, 2)."""
    down = np.arange(ranks)
    return np.stack([down, 2 * ranks - 1 - down], axis=1)
