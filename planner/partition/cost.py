r"""What an assignment of layers and recompute options costs, and what a solver knows about it.

Symbols are those of `partition`; t_d is one micro-batch, forward and backward, on device d.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plan3d.planner.partition.problem import Problem
from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats, Ints

ROUNDING = 1e-12
"""What sums of the same numbers in another order may differ by. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What is chosen, and what it costs."""

    sizes: tuple[int, ...]
    """Layers of each chunk."""
    choice: tuple[int, ...]
    """Option of each layer."""
    device_s: tuple[float, ...]
    """One micro-batch on each device. [s]"""
    memory_bytes: tuple[float, ...]
    """Peak of each device. [bytes]"""
    fits: bool
    """Each device is within its memory, each node within its host's."""
    step_time_s: float

    @property
    def balance(self) -> float:
        """Mean over maximum of the devices' time: 1 is perfect [1]."""
        return float(np.mean(self.device_s) / max(self.device_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """An assignment, and what is known about it."""

    assignment: Assignment
    searcher: str
    proven: bool
    """It is the optimum of the problem (and of what couples its stages)."""
    bound_s: float
    """No assignment has a shorter step. [s]"""
    note: str = ""
    """What went wrong on the way, if anything did."""

    @property
    def gap(self) -> float:
        """How far the optimum may be below: 0.01 is 1 % [1]."""
        return max(0.0, 1 - self.bound_s / self.assignment.step_time_s)

    @property
    def status(self) -> str:
        """What is known about it, in words."""
        how = "proven optimal" if self.proven else f"not proven: within {self.gap:.2%} of optimal"
        return f"{how} ({self.searcher})" + (f"; {self.note}" if self.note else "")


def evaluate(problem: Problem, sizes: Sequence[int], choice: Sequence[int]) -> Assignment:
    r"""Return what an assignment costs.

    .. math::
       T = \left(m - \tfrac 1 v\right) \max_d t_d + \tfrac 1 v \sum_d t_d + T_{fixed}

    The time of 1F1B for uneven stages (D. Narayanan et al., arXiv:2104.04473, section 2.2, with
    the slowest stage as the beat), and of its interleaving with v chunks per device.

    Parameters
    ----------
    problem
        Costs.
    sizes
        Layers of each chunk, from 1. Shape (p v,).
    choice
        Option of each layer. Shape (l,).
    """
    layers, devices = problem.layers, problem.devices
    stops = np.cumsum(sizes)
    starts = stops - np.asarray(sizes)
    if stops[-1] != len(layers) or min(sizes) < 1 or len(stops) != len(problem.device_of):
        raise InputError(f"{tuple(sizes)} does not split {len(layers)} layers over the stages")
    rows, option = np.arange(len(layers)), np.asarray(choice)
    owner = np.repeat(problem.device_of, sizes)

    def per_device(values: Floats, of: Ints) -> Floats:
        return np.bincount(of, values, len(devices)).astype(np.float64)

    cuts_s = problem.cut_s[starts] + problem.cut_s[stops]
    device_s = devices.extra_s + per_device(layers.time_s[rows, option], owner)
    device_s = device_s + per_device(cuts_s, problem.device_of)
    working = devices.loss_bytes.copy()
    np.maximum.at(working, owner, layers.working_bytes[rows, option])
    kept = devices.in_flight * per_device(layers.kept_bytes[rows, option], owner)
    memory = devices.fixed_bytes + per_device(layers.state_bytes, owner) + kept + working
    fits = bool(np.all(memory <= devices.capacity_bytes * (1 + ROUNDING)))
    if problem.host is not None:
        used = devices.in_flight * per_device(layers.host_bytes[rows, option], owner)
        room = problem.host.capacity_bytes * (1 + ROUNDING)
        fits &= bool(np.all(np.bincount(problem.host.node, used, len(room)) <= room))
    beat, total = float(device_s.max()), float(device_s.sum())
    return Assignment(
        sizes=tuple(int(n) for n in sizes),
        choice=tuple(int(r) for r in choice),
        device_s=tuple(device_s.tolist()),
        memory_bytes=tuple(memory.tolist()),
        fits=fits,
        step_time_s=problem.bottleneck_weight * beat + problem.sum_weight * total + problem.fixed_s,
    )
