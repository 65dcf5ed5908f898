r"""The kernels of one block's forward pass, against what the GPU could do at most.

A kernel of *W* FLOP that moves *Q* bytes reaches at most :math:`\min(F, B\,W / Q)`, with *F* the
peak and *B* the bandwidth of the memory (S. Williams, A. Waterman and D. Patterson, "Roofline: An
Insightful Visual Performance Model for Multicore Architectures", CACM 52(4), 2009).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plan3d.simulator.attention import UNFUSED, chosen_kernel, visible_keys
from plan3d.simulator.block import attention_core, core_shape
from plan3d.simulator.block_linears import linears
from plan3d.simulator.context import Context
from plan3d.simulator.kernels import gemm_bytes, linear_forward_s, peak, usable
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.numeric import Numeric


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel of a block, for one micro-batch on one GPU."""

    name: str
    flop: float
    moved_bytes: float
    """Read and written if each operand moves once."""
    time_s: float
    """As the model has it."""
    peak_flop_per_s: float
    """Of the type of its operands."""

    @property
    def intensity(self) -> float:
        """Arithmetic intensity [FLOP/byte]."""
        return self.flop / self.moved_bytes

    @property
    def flop_per_s(self) -> float:
        """Rate that it runs at [FLOP/s]."""
        return self.flop / self.time_s


def attainable_flop_per_s(
    intensity: Numeric, peak_flop_per_s: Numeric, bytes_per_s: Numeric
) -> Numeric:
    r"""Most that a kernel of an arithmetic intensity can reach [FLOP/s].

    .. math:: \min(F, B\,I)

    Parameters
    ----------
    intensity
        Work for each byte that moves, *I*. [FLOP/byte]
    peak_flop_per_s
        *F*. [FLOP/s]
    bytes_per_s
        Bandwidth of the memory, *B*. [bytes/s]

    References
    ----------
    .. [1] S. Williams, A. Waterman and D. Patterson, "Roofline: An Insightful Visual Performance
       Model for Multicore Architectures", CACM 52(4), 2009.
    """
    return np.minimum(peak_flop_per_s, bytes_per_s * intensity)


def block_kernels(context: Context, layout: Layout) -> tuple[Kernel, ...]:
    """Return the matrix products and the attention core of a block, forward.

    Of a mixture of experts, those of a block with experts. Element-wise kernels do next to no FLOPs
    and run at the memory's speed: they are left out.
    """
    table = LayoutTable.of([layout])
    return (*_linears(context, table), _core(context, table))


def _linears(context: Context, table: LayoutTable) -> Iterator[Kernel]:
    gpu = context.cluster.gpu
    for one in linears(context, table, moe=context.model.experts is not None):
        kind, (m, n, k, batch) = usable(gpu.peaks, one.kind), map(
            _only, (one.tokens, one.out, one.summed, one.batch)
        )  # fmt: skip
        yield Kernel(
            name=one.name,
            flop=2 * batch * m * n * k,
            moved_bytes=float(gemm_bytes(m, n, k, kind, batch=batch)),
            time_s=float(linear_forward_s(m, n, k, gpu, kind, batch=batch)),
            peak_flop_per_s=peak(gpu.peaks, kind),
        )


def _core(context: Context, table: LayoutTable) -> Kernel:
    """Return the attention core: of an unfused one, scores and probabilities move, too."""
    gpu, width = context.cluster.gpu, context.work.precision.activation_bytes
    shape = core_shape(context, table)
    heads, queries, keys = map(_only, (shape.heads, shape.queries, shape.keys))
    fused = chosen_kernel(context.software.attention, gpu) != UNFUSED
    met = _only(visible_keys(shape)) if fused else keys
    batch, wide = _only(shape.batch), shape.qk_dim + shape.v_dim
    read = heads * queries + heads * _only(shape.kv_per_head) * keys
    scores = 0.0 if fused else 4 * heads * queries * keys
    return Kernel(
        name="attention core",
        flop=2 * batch * heads * queries * met * wide,
        moved_bytes=batch * width * (read * wide + scores),
        time_s=_only(attention_core(context, table)[0]),
        peak_flop_per_s=peak(gpu.peaks, "bf16"),
    )


def _only(value: Numeric) -> float:
    return float(np.reshape(value, -1)[0])
