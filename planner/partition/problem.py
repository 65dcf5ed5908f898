r"""The partition problem: contiguous layers for pipeline stages, and what each layer recomputes.

Symbols
-------
l, p, v, m : layers, devices, chunks per device, micro-batches of a step

What an assignment costs is `cost`'s to say. Solvers: `dp` (exact where each
device has one chunk), `ilp` (any).
"""

from dataclasses import dataclass

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats, Ints


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
        """Forward and backward, shape (l, r) [s]."""
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
    loss_bytes: Floats
    """Alive in the backward pass of the loss, when no layer works: a device holds this or the
    largest working set of its layers, whichever is more. [bytes]"""

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
class Coupling:
    """What holds for all stages together."""

    one_recompute: bool = False
    """One recompute setting for all stages: what Megatron-LM can express."""
    max_kinds: int | None = None
    """At most so many different stages, by their number of layers and their setting."""

    def __post_init__(self) -> None:
        if self.max_kinds is not None and self.max_kinds < 1:
            raise InputError(f"max_kinds is {self.max_kinds}, but must be at least 1")

    @property
    def by_setting(self) -> bool:
        """Whether stages follow settings, not each layer its own option."""
        return self.one_recompute or self.max_kinds is not None


FREE = Coupling()
"""Nothing holds for all stages together."""
