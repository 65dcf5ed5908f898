r"""Several chunks per device of one kind of layer: the same as one stage per device.

Where all layers cost the same, it does not matter which of them a device has, only how many and
with which options. The problem of p v chunks is then that of p stages, with m v micro-batches:

.. math::
   \left(m - \tfrac 1 v\right) \max_d t_d + \tfrac 1 v \sum_d t_d
   = \tfrac 1 v \left((m v - 1) \max_d t_d + \sum_d t_d\right)

which the DP solves. Its optimum bounds that of the chunks from below (a stage may have any size),
and is one if each device's layers can be dealt to its chunks.
"""

from dataclasses import replace

import numpy as np

from plan3d.planner.partition.cost import Assignment, evaluate
from plan3d.planner.partition.problem import Problem
from plan3d.planner.partition.windows import reachable


def folded(problem: Problem) -> Problem:
    """Return the problem with one stage per device, cuts and all."""
    layers, chunks = len(problem.layers), len(problem.device_of)
    cut_s = np.full(chunks + 1, problem.cut_s[1])
    cut_s[[0, -1]] = problem.cut_s[[0, -1]]
    around_s = np.bincount(problem.device_of, cut_s[:-1] + cut_s[1:], len(problem.devices))
    return replace(
        problem,
        devices=replace(problem.devices, extra_s=problem.devices.extra_s + around_s),
        device_of=np.arange(len(problem.devices)),
        micro_batches=problem.micro_batches * problem.chunks_per_device,
        cut_s=np.zeros(layers + 1),
        fixed_s=0.0,
    )


def unfolded(problem: Problem, stages: Assignment) -> Assignment | None:
    """Return the assignment that deals each stage's layers to its device's chunks, if any can."""
    chunks = problem.chunks_per_device
    dealt = [0] * len(problem.device_of)
    options: list[list[int]] = [[]] * len(problem.device_of)
    ends = np.cumsum(stages.sizes)
    for device, (end, size) in enumerate(zip(ends, stages.sizes, strict=True)):
        mine = np.flatnonzero(problem.device_of == device)
        layers = list(stages.choice[end - size : end])
        for rank, chunk in enumerate(mine):
            dealt[chunk] = size // chunks + (rank < size % chunks)
            options[chunk] = [layers.pop() for _ in range(dealt[chunk])]
    may = reachable(problem, max(dealt))
    starts = np.cumsum(dealt) - dealt
    if not all(may[k, starts[k], size] for k, size in enumerate(dealt)):
        return None
    return evaluate(problem, dealt, [option for chunk in options for option in chunk])
