r"""Time of the attention core, :math:`softmax(Q K^T) V`, on one GPU.

Symbols
-------
b, a, s, d : sequences, heads on this GPU, sequence, width of a head
q, k : widths of one query (key) head and one value head; equal but for latent attention

References
----------
.. [1] T. Dao, "FlashAttention-2", arXiv:2307.08691, section 4: FLOPs counted as 4 s^2 d a forward,
   half of it when causal, and 2.5 times that backward.
.. [2] V. Korthikanti et al., arXiv:2205.05198, section 4.1: what unfused attention keeps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.simulator.hardware import AttentionLaw, Gpu
from plan3d.simulator.kernels import gemm_s, memory_bound_s, peak
from plan3d.simulator.numeric import Numeric

BACKWARD: Final = 2.5
"""Matrix products of a fused backward pass over forward: 5 against 2. [1]"""
UNFUSED: Final = "unfused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """One attention core on one GPU. Scalars or columns [1]."""

    batch: Numeric
    heads: Numeric
    queries: Numeric
    """Query positions on this GPU."""
    keys: Numeric
    """Key positions that they attend to, before the causal mask."""
    qk_dim: float
    v_dim: float
    window: float = 0.0
    kv_per_head: Numeric = 1.0
    """Key and value heads per query head: 1/8 with grouped-query attention of eight."""
    steps: Numeric = 1.0
    """Kernels, one after the other, of which each attends to a part of the keys: a ring's."""


def chosen_kernel(wanted: tuple[str, ...], gpu: Gpu) -> str:
    """Return the first wanted kernel that the GPU has, or unfused attention."""
    return next((name for name in wanted if name in gpu.attention), UNFUSED)


def visible_keys(shape: AttentionShape) -> Numeric:
    r"""Mean number of keys that a query attends to under the causal mask [1].

    .. math:: s/2, \quad \text{or } w - w^2/(2s) \text{ in a window } w < s

    Parameters
    ----------
    shape
        The attention core.
    """
    if not shape.window:
        return shape.keys / 2
    w = np.minimum(shape.window, shape.keys)
    return w - w * w / (2 * shape.keys)


def fused_forward_s(shape: AttentionShape, kernel: AttentionLaw, gpu: Gpu) -> Numeric:
    r"""Time of a fused forward pass in the middle of training [s].

    .. math:: t = T (1 + droop) + n t_0

    with T of `fused_burst_s`: between products it runs at the clocks that they droop to.

    Parameters are those of `fused_burst_s`.
    """
    burst = fused_burst_s(shape, kernel, gpu)
    return burst * (1 + gpu.gemm.droop) + shape.steps * kernel.overhead_s


def fused_alone_s(shape: AttentionShape, kernel: AttentionLaw, gpu: Gpu) -> Numeric:
    r"""Time of a fused forward pass in a micro-benchmark, as the law is fitted [s].

    .. math:: t = T + n t_0

    with T of `fused_burst_s`. Parameters are those of `fused_burst_s`.
    """
    return fused_burst_s(shape, kernel, gpu) + shape.steps * kernel.overhead_s


def fused_burst_s(shape: AttentionShape, kernel: AttentionLaw, gpu: Gpu) -> Numeric:
    r"""Time of a fused forward pass at full clocks, without its launch [s].

    .. math::
       T = \frac{2 b a s \bar{s} (q + v)}{F\,e}\,\frac{s + n s_0 (1 - f + f a_{kv}/a)}{s}\,
       (1 + x_0/x)

    with :math:`\bar s` visible keys and x tiles of 128 queries per multiprocessor. What short
    sequences cost, :math:`s_0`, is mostly reading and writing: a share f of it goes with the
    :math:`a_{kv}` key and value heads. Each of n steps of a ring costs it again: its kernel has
    s / n keys.

    Parameters
    ----------
    shape
        The attention core.
    kernel
        Constants of the kernel, by head width.
    gpu
        16-bit peak, number of multiprocessors.
    """
    width = (shape.qk_dim + shape.v_dim) / 2
    efficiency = float(np.interp(width, kernel.head_dims, kernel.efficiency))
    half = float(np.interp(width, kernel.head_dims, kernel.half_seq))
    read = half * (1 - kernel.kv_share + kernel.kv_share * shape.kv_per_head)
    flop = 2 * shape.batch * shape.heads * shape.queries * visible_keys(shape) * 2 * width
    tiles = shape.batch * shape.heads * np.ceil(shape.queries / 128) / gpu.sms
    slow = (shape.keys + shape.steps * read) / shape.keys
    slow = slow * (1 + kernel.occupancy / np.maximum(tiles, 1e-9))
    return flop / (peak(gpu.peaks, "bf16") * efficiency) * slow


def backward_over_forward(kernel: AttentionLaw) -> float:
    r"""Time of a fused backward pass over its forward pass [1].

    .. math:: 2.5 / r

    with r the kernel's backward efficiency over its forward one.

    Parameters
    ----------
    kernel
        Constants of the kernel.
    """
    return BACKWARD / kernel.backward


def fused_backward_s(shape: AttentionShape, kernel: AttentionLaw, gpu: Gpu) -> Numeric:
    r"""Time of a fused backward pass in the middle of training [s].

    .. math:: t_b = 2.5\,t_f / r

    as `backward_over_forward` says. Parameters are those of `fused_burst_s`.
    """
    return backward_over_forward(kernel) * fused_forward_s(shape, kernel, gpu)


def unfused_forward_s(shape: AttentionShape, gpu: Gpu, score_bytes: float, kind: str) -> Numeric:
    r"""Time of unfused attention: two batched products and the score kernels between them [s].

    .. math:: t = t_{gemm}(s, s, d) + t_{gemm}(s, d, s) + t_{mem}(b a s^2 \cdot bytes)

    Parameters
    ----------
    shape
        The attention core; the causal half is computed too.
    gpu
        Its laws.
    score_bytes
        Read and written per score by scale, mask, softmax and dropout.
    kind
        Type of the operands.
    """
    s, t, batch = shape.queries, shape.keys, shape.batch * shape.heads
    products = gemm_s(s, t, shape.qk_dim, gpu, kind, batch=batch)
    products = products + gemm_s(s, shape.v_dim, t, gpu, kind, batch=batch)
    return products + memory_bound_s(score_bytes * batch * s * t, 3, gpu)


def unfused_backward_s(shape: AttentionShape, gpu: Gpu, score_bytes: float, kind: str) -> Numeric:
    r"""Time of the backward pass of unfused attention: four products, score kernels [s].

    .. math:: t = 2 t_{gemm}(s, d, s) + 2 t_{gemm}(s, s, d) + t_{mem}(b a s^2 \cdot bytes)

    Parameters, shapes and units are those of `unfused_forward_s`.
    """
    s, t, batch = shape.queries, shape.keys, shape.batch * shape.heads
    wide = gemm_s(s, t, shape.v_dim, gpu, kind, batch=batch)
    thin = gemm_s(t, shape.v_dim, s, gpu, kind, batch=batch)
    thin = thin + 2 * gemm_s(s, shape.qk_dim, t, gpu, kind, batch=batch)
    return wide + thin + memory_bound_s(score_bytes * batch * s * t, 3, gpu)
