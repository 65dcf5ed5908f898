"""One measured kernel: its shape and its time."""

from dataclasses import dataclass, field
from typing import Final

KINDS: Final = (
    "gemm", "attention", "memory", "optimizer", "copy", "floor", "sustained", "collective",
    "contention",
)  # fmt: skip
"""What is measured, in the order of what it is worth to a plan."""
OK: Final = "ok"
"""Status of a point that is a measurement."""
STATUSES: Final = (OK, "throttled", "busy", "oom", "unsupported", "wrong")
"""``throttled`` and ``busy`` have a time that is not to be trusted; the last three have none."""
PASSING: Final = ("throttled", "busy")
"""What may be over the next time: such a point is measured again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one kernel works on. Sizes that a kind does not have are 0.

    ==========  =====================================================  ============================
    kind        op                                                     sizes
    ==========  =====================================================  ============================
    gemm        forward, dgrad, wgrad; "+cast": with quantisation      m, n, k
    attention   name of the kernel (flash, cudnn, efficient, math)     batch ... causal, direction
    memory      layernorm, rmsnorm, gelu, swiglu, dropout, softmax,    m rows of n, size_bytes,
                residual, rotary, cross_entropy                        direction
    optimizer   adam                                                   n parameters, size_bytes
    copy        device, host_to_device, device_to_host                 size_bytes
    floor       launch, dispatch                                       n kernels of one measurement
    sustained   gemm                                                   m, n, k, elapsed_s
    collective  all_reduce, all_gather, reduce_scatter, all_to_all,    size_bytes, ranks, nodes
                send_recv
    contention  gemm beside a collective                               m, n, k, ranks, size_bytes
    ==========  =====================================================  ============================
    """

    kind: str
    op: str
    dtype: str = "bf16"
    direction: str = ""
    """forward, backward, or both, for what has passes."""
    m: int = 0
    n: int = 0
    k: int = 0
    batch: int = 0
    heads: int = 0
    kv_heads: int = 0
    seq: int = 0
    head_dim: int = 0
    causal: int = 0
    size_bytes: int = 0
    """What a kernel reads and writes at least; for a collective, the full tensor of one rank (the
    input of all-reduce, the output of all-gather), as nccl-tests counts it. [bytes]"""
    ranks: int = 1
    nodes: int = 1
    elapsed_s: float = 0.0
    """Time since the load began. [s]"""


SIZES: Final = {
    "gemm": ("m", "n", "k"), "sustained": ("m", "n", "k"), "contention": ("m", "n", "k"),
    "attention": ("batch", "heads", "kv_heads", "seq", "head_dim"), "memory": ("size_bytes",),
    "optimizer": ("n", "size_bytes"), "copy": ("size_bytes",), "floor": ("n",),
    "collective": ("size_bytes", "ranks", "nodes"),
}  # fmt: skip
"""Sizes that a kind cannot be without."""


def sized(shape: Shape) -> Shape:
    """Return a shape whose sizes its kind can have.

    Raises
    ------
    ValueError
        If one of them is missing or impossible.
    """
    for name in SIZES[shape.kind]:
        if getattr(shape, name) < 1:
            raise ValueError(f"{name} is {getattr(shape, name)}, but {shape.kind} needs 1 or more")
    if not 1 <= shape.nodes <= shape.ranks:
        raise ValueError(f"{shape.ranks} ranks on {shape.nodes} nodes: a node has one at least")
    return shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One shape, measured."""

    shape: Shape
    time_s: float = 0.0
    """Median of the repeats; 0 where there is no measurement. [s]"""
    spread: float = 0.0
    """Distance between the quartiles over the median. [1]"""
    repeats: int = 0
    clock_hz: float = 0.0
    """SM clock right after it; 0 is unknown. [Hz]"""
    status: str = OK
    note: str = field(default="")
    """Why there is no measurement, or what is odd about it."""
    gpu: str = ""
    """Name of the shipped profile, or the device's own name."""
    site: str = ""
    """Who measured, with what: points of one site share their stack."""

    @property
    def measured(self) -> bool:
        """Whether the time is to be trusted."""
        return self.status == OK and self.time_s > 0
