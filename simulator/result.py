"""What an estimate is: additive terms of time and of memory, for one layout or a table of them."""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from plan3d.simulator.numeric import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Where one optimizer step goes. The terms do not overlap: they add up to the step [s]."""

    matmul_s: float
    """Matrix products of the blocks, forward and backward."""
    attention_s: float
    """Attention core."""
    elementwise_s: float
    """Norms, activation functions, dropout, residuals, rotary positions."""
    dispatch_s: float
    """Waiting for the CPU to launch kernels, beyond the kernels themselves."""
    recompute_s: float
    """Forward work done again for the backward pass, its communication included."""
    ends_s: float
    """Embedding, final norm, logits and loss, as far as they lengthen the bottleneck stage."""
    tp_comm_s: float
    """Tensor-parallel communication that is not hidden."""
    cp_comm_s: float
    ep_comm_s: float
    pp_comm_s: float
    bubble_s: float
    """Idle time of the bottleneck stage: pipeline fill and drain."""
    dp_comm_s: float
    """Gradient reduction and parameter gathering that is not hidden."""
    optimizer_s: float
    offload_s: float
    """Optimizer states over the host link."""
    overhead_s: float
    """Fixed cost of a step, stragglers and contention with communication."""

    @property
    def total_s(self) -> float:
        """The whole step [s]."""
        return float(sum(getattr(self, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTime:
    """How long each kind of communication keeps its links busy, hidden or not [s]."""

    tp_link_s: float
    cp_link_s: float
    ep_link_s: float
    pp_link_s: float
    dp_link_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What fills one GPU of the fullest stage at its peak. The terms add up [bytes]."""

    parameters_bytes: float
    gradients_bytes: float
    optimizer_bytes: float
    activations_bytes: float
    """Kept for backward, over the micro-batches in flight."""
    logits_bytes: float
    """Logits, their softmax and gradient, where the peak is in the loss."""
    transient_bytes: float
    """Working set of one block, where the peak is in its backward pass; gathered parameters of
    ZeRO-3."""
    buckets_bytes: float
    """Communication buffers of data parallelism."""
    context_bytes: float
    """CUDA context, libraries, NCCL."""
    margin_bytes: float
    """Fragmentation, a documented share of what comes and goes, and what the allocator keeps cached
    while there is room: freed memory in other pieces than are asked for next."""

    @property
    def total_bytes(self) -> float:
        """The peak [bytes]."""
        return float(sum(getattr(self, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Where a layout's memory is fullest, and with what."""

    stage: int
    """Counted from 0."""
    phase: str
    """`LOSS`: the loss works backward, the logits are there; `BLOCK`: a block does, of the oldest
    micro-batch in flight. In both, all that the stage keeps is still there."""
    terms: tuple[str, ...]
    """Fields of `Memory` that together are most of it, the largest first."""

    LOSS: ClassVar = "backward pass of the loss"
    BLOCK: ClassVar = "backward pass of a block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One layout's step."""

    time: StepTime
    link: LinkTime
    memory: Memory
    stage: int
    """The fullest stage, counted from 0."""
    first_stage: Memory
    """The same of the first stage: what rank 0 of a run reports."""
    model_flop: float
    """Work that the model needs: no recomputation. [FLOP per step]"""
    hardware_flop: float
    """Work that the layout does: with recomputation. [FLOP per step]"""
    capacity_bytes: float
    gpus: int
    peak_flop_per_s: float
    tokens: float
    kept_bytes: float = 0.0
    """Of the peak, what an allocator gives back when it runs out of memory."""

    @property
    def step_time_s(self) -> float:
        """The whole step [s]."""
        return self.time.total_s

    @property
    def memory_bytes(self) -> float:
        """Peak of the fullest stage [bytes]."""
        return self.memory.total_bytes

    @property
    def need_bytes(self) -> float:
        """What there must be room for: the peak without what is only kept [bytes]."""
        return self.memory_bytes - self.kept_bytes

    @property
    def peak(self) -> Peak:
        """The place of the peak, and the terms that are over half of it."""
        sizes = {f.name: float(getattr(self.memory, f.name)) for f in fields(Memory)}
        terms = sorted(sizes, key=lambda name: -sizes[name])
        half = next(
            n for n in range(1, len(terms) + 1)
            if sum(sizes[t] for t in terms[:n]) >= self.memory_bytes / 2
        )  # fmt: skip
        phase = Peak.LOSS if self.memory.logits_bytes > 0 else Peak.BLOCK
        return Peak(stage=self.stage, phase=phase, terms=tuple(terms[:half]))

    @property
    def fits(self) -> bool:
        """Whether the peak is within the GPU's memory."""
        return self.memory_bytes <= self.capacity_bytes

    @property
    def mfu(self) -> float:
        """Model FLOP/s over the dense peak of the matmul type [1]."""
        return self.model_flop / (self.step_time_s * self.gpus * self.peak_flop_per_s)

    @property
    def hfu(self) -> float:
        """As `mfu`, recomputation counted [1]."""
        return self.hardware_flop / (self.step_time_s * self.gpus * self.peak_flop_per_s)

    @property
    def tokens_per_s(self) -> float:
        """Throughput of all GPUs [1/s]."""
        return self.tokens / self.step_time_s

    def gain_over(self, other: "Estimate") -> float:
        """Throughput over that of another estimate, less 1 [1]."""
        return self.tokens_per_s / other.tokens_per_s - 1

    @property
    def tokens_per_s_per_gpu(self) -> float:
        """Throughput of one GPU [1/s]."""
        return self.tokens / (self.step_time_s * self.gpus)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EstimateTable:
    """`Estimate` of many layouts. Each term is a column of shape (n,)."""

    time: dict[str, Floats]
    """Columns named like the fields of `StepTime`. [s]"""
    link: dict[str, Floats]
    memory: dict[str, Floats]
    stage: Floats
    first_stage: dict[str, Floats]
    hardware_flop: Floats
    gpus: Floats
    model_flop: float
    capacity_bytes: float
    peak_flop_per_s: float
    tokens: float
    kept_bytes: Floats | float = 0.0
    """Of the peak, what an allocator gives back when it runs out of memory."""

    TIME: ClassVar = tuple(f.name for f in fields(StepTime))
    LINK: ClassVar = tuple(f.name for f in fields(LinkTime))
    MEMORY: ClassVar = tuple(f.name for f in fields(Memory))

    def __len__(self) -> int:
        return len(self.stage)

    @property
    def step_time_s(self) -> Floats:
        """The whole step, per layout [s]."""
        return _total(self.time, self.TIME)

    @property
    def memory_bytes(self) -> Floats:
        """Peak of the fullest stage, per layout [bytes]."""
        return _total(self.memory, self.MEMORY)

    @property
    def fits(self) -> Bools:
        """Whether each layout is within the GPU's memory."""
        return self.memory_bytes <= self.capacity_bytes

    def row(self, i: int) -> Estimate:
        """Return the estimate of row `i`."""
        return Estimate(
            time=StepTime(**{k: float(self.time[k][i]) for k in self.TIME}),
            link=LinkTime(**{k: float(self.link[k][i]) for k in self.LINK}),
            memory=Memory(**{k: float(self.memory[k][i]) for k in self.MEMORY}),
            stage=int(self.stage[i]),
            first_stage=Memory(**{k: float(self.first_stage[k][i]) for k in self.MEMORY}),
            model_flop=self.model_flop,
            hardware_flop=float(self.hardware_flop[i]),
            capacity_bytes=self.capacity_bytes,
            gpus=int(self.gpus[i]),
            peak_flop_per_s=self.peak_flop_per_s,
            tokens=self.tokens,
            kept_bytes=float(np.broadcast_to(self.kept_bytes, len(self))[i]),
        )


def _total(columns: dict[str, Floats], names: tuple[str, ...]) -> Floats:
    """Add columns up, in the order of the fields: the same sum as one row's."""
    total = np.zeros_like(columns[names[0]])
    for name in names:
        total = total + columns[name]
    return total
