r"""The partition problem: contiguous layers for pipeline stages, and what each layer recomputes.

Symbols
-------
l, p, v, m : layers, devices, chunks per device, micro-batches of a step
t_d : forward and backward of one micro-batch on device d, with its chunks' cuts and extras

Solvers: `partition_dp` (exact where each device has one chunk), `partition_ilp` (any).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats, Ints

ROUNDING = 1e-12
"""What sums of the same numbers in another order may differ by. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Layers in order, each under every recompute option. l layers, r options."""

    options: tuple[str, ...]
    """Names of the options."""
    forward_s: Floats
    """One micro-batch. Shape (l,). [s]"""
    backward_s: Floats
    """One micro-batch, with what is computed again. Shape (l, r). [s]"""
    state_bytes: Floats
    """Parameters, gradients and optimizer states. Shape (l,). [bytes]"""
    kept_bytes: Floats
    """Activations kept for each micro-batch in flight. Shape (l, r). [bytes]"""
    working_bytes: Floats
    """Alive only while the layer runs backward: a device holds the largest. (l, r). [bytes]"""
    host_bytes: Floats
    """Host memory, for each micro-batch in flight. Shape (l, r). [bytes]"""

    def __len__(self) -> int:
        return len(self.forward_s)

    @property
    def time_s(self) -> Floats:
        """Forward and backward. Shape (l, r). [s]"""
        return self.forward_s[:, None] + self.backward_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Devices:
    """Devices of a pipeline in order. Columns of shape (p,)."""

    extra_s: Floats
    """What one micro-batch takes beside layers: embedding, loss. [s]"""
    fixed_bytes: Floats
    """What is held whatever the layers. [bytes]"""
    in_flight: Floats
    """Micro-batches whose activations are held at the peak. [1]"""
    capacity_bytes: Floats

    def __len__(self) -> int:
        return len(self.extra_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Host:
    """Host memory that the devices of a node share."""

    node: Ints
    """Node of each device. Shape (p,)."""
    capacity_bytes: Floats
    """Of each node. Shape (nodes,). [bytes]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Which layers each chunk gets, and which option each layer: to be chosen."""

    layers: Layers
    devices: Devices
    device_of: Ints
    """Device of each chunk, in the order of the layers. Shape (p v,)."""
    micro_batches: float
    cut_s: Floats
    """What each of two neighbours spends on a micro-batch where the chain is cut before layer i;
    the ends count, too. Shape (l + 1,). [s]"""
    fixed_s: float
    """What a step takes whatever the partition. [s]"""
    host: Host | None = None

    def __post_init__(self) -> None:
        count, chunks = len(self.layers), len(self.device_of)
        if not 1 <= len(self.devices) <= chunks <= count:
            raise InputError(
                f"{chunks} pipeline stages (pp * vpp) are more than the {count} layers; "
                f"use at most {count}"
            )
        if self.micro_batches < 1:
            raise InputError(
                f"{self.micro_batches:g} micro-batches; a step needs at least one: lower dp or "
                "micro_batch, or raise the global batch"
            )

    @property
    def chunks_per_device(self) -> int:
        """Chunks per device, *v*."""
        return len(self.device_of) // len(self.devices)

    @property
    def bottleneck_weight(self) -> float:
        """How often the slowest device's time counts: *m* - 1/*v*."""
        return self.micro_batches - 1 / self.chunks_per_device

    @property
    def sum_weight(self) -> float:
        """How often the sum over all devices counts: 1/*v*."""
        return 1 / self.chunks_per_device


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
        """Mean over maximum of the devices' time: 1 is perfect. [1]"""
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
        """How far the optimum may be below: 0.01 is 1 %. [1]"""
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
        return np.bincount(of, values, len(devices))

    cuts_s = problem.cut_s[starts] + problem.cut_s[stops]
    device_s = devices.extra_s + per_device(layers.time_s[rows, option], owner)
    device_s = device_s + per_device(cuts_s, problem.device_of)
    working = np.zeros(len(devices))
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
