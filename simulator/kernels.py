r"""Time of matrix products and of memory-bound kernels on one GPU.

Symbols
-------
m, n, k : C[m, n] += A[m, k] B[k, n]
F : peak of the type [FLOP/s]
e, e_b : reachable fractions of the peak and of the HBM bandwidth
x : output tiles of 128 x 256 per streaming multiprocessor

The law was found on 10,013 published cuBLAS timings per GPU (A100, H100, H200, B200; median error
3-5 %, 90th percentile 7-16 %); what its constants are fitted to, and how well, each profile says. A
constant efficiency is 7-14 % optimistic once tensor parallelism cuts n or k to 512-1,536.
"""

from typing import Final

import numpy as np

from plan3d.simulator.hardware import Gpu, Peaks
from plan3d.simulator.numeric import Numeric

TILE: Final = 128 * 256
"""Output elements of one tile. [1]"""
RAMP: Final = 150.0
"""Columns of k whose time goes into starting the tile's main loop. [1]"""
TAIL: Final = 0.04
"""Loss of a wave that does not fill the GPU, per inverse tile. [1]"""
WGRAD: Final = 0.94
"""Efficiency of weight gradients (fp32 accumulation) over forward. [1]"""
DROOP_S: Final = 1.5e-3
"""Length of a lone kernel that feels half of the clocks' droop. [s]"""


def peak(peaks: Peaks, kind: str) -> float:
    """Return the dense peak of a matmul type, or of the nearest wider one [FLOP/s]."""
    rate: float = getattr(peaks, usable(peaks, kind))
    return rate


def usable(peaks: Peaks, kind: str) -> str:
    """Return a matmul type, or the nearest wider one that the GPU has."""
    wider = {"bf16": "fp16", "fp8": "bf16", "tf32": "fp32"}
    return kind if getattr(peaks, kind) > 0 or kind not in wider else usable(peaks, wider[kind])


def gemm_s(
    m: Numeric,
    n: Numeric,
    k: Numeric,
    gpu: Gpu,
    kind: str = "bf16",
    *,
    batch: Numeric = 1.0,
    derate: Numeric = 1.0,
) -> Numeric:
    r"""Time of a matrix product, or of a batch of equal ones, in the middle of training [s].

    .. math:: t = T (1 + droop) + t_0

    with T of `gemm_burst_s`: under a sustained load the clocks droop.

    Parameters, shapes and units are those of `gemm_burst_s`.
    """
    burst = gemm_burst_s(m, n, k, gpu, kind, batch=batch, derate=derate)
    return burst * (1 + gpu.gemm.droop) + gpu.gemm.overhead_s


def gemm_alone_s(
    m: Numeric, n: Numeric, k: Numeric, gpu: Gpu, kind: str = "bf16", *, derate: Numeric = 1.0
) -> Numeric:
    r"""Time of a matrix product in a micro-benchmark, with pauses in which the GPU cools [s].

    .. math:: t = T \left(1 + droop \frac{T}{T + 1.5\,ms}\right) + t_0

    Parameters, shapes and units are those of `gemm_burst_s`.
    """
    burst = gemm_burst_s(m, n, k, gpu, kind, derate=derate)
    droop = gpu.gemm.droop * burst / (burst + DROOP_S)
    return burst * (1 + droop) + gpu.gemm.overhead_s


def gemm_burst_s(
    m: Numeric,
    n: Numeric,
    k: Numeric,
    gpu: Gpu,
    kind: str = "bf16",
    *,
    batch: Numeric = 1.0,
    derate: Numeric = 1.0,
) -> Numeric:
    r"""Time of a matrix product at full clocks, without its launch [s].

    .. math::
       T = \max\left(\frac{2 b m n (k + 150)(1 + 0.04/x)}{F e},
       \frac{w\,b\,(mk + nk + mn)}{e_b\,B}\right)

    Parameters
    ----------
    m
        Rows of the result. [1]
    n
        Columns of the result. [1]
    k
        Summed dimension. [1]
    gpu
        Peak, efficiency, bandwidth.
    kind
        Type of the operands: a field of `hardware.Peaks`.
    batch
        Products of one launch, *b*. [1]
    derate
        Efficiency over that of a forward product: `WGRAD` for weight gradients. [1]
    """
    law = gpu.gemm
    kind = usable(gpu.peaks, kind)
    efficiency = (law.fp8_efficiency if kind == "fp8" else law.efficiency) * derate
    tiles = batch * m * n / (TILE * gpu.sms)
    flop = 2 * batch * m * n * (k + RAMP) * (1 + TAIL / tiles)
    moved = gemm_bytes(m, n, k, kind, batch=batch)
    burst: Numeric = np.maximum(
        flop / (peak(gpu.peaks, kind) * efficiency),
        moved / (law.memory_efficiency * gpu.hbm_bytes_per_s),
    )
    return burst


def gemm_bytes(m: Numeric, n: Numeric, k: Numeric, kind: str, *, batch: Numeric = 1.0) -> Numeric:
    r"""Bytes that a matrix product reads and writes, each operand once [bytes].

    .. math:: b\,(w (m k + n k) + 2 m n)

    with *w* bytes for an operand and 2 for a result.

    Parameters
    ----------
    m
        Rows of the result. [1]
    n
        Columns of the result. [1]
    k
        Summed dimension. [1]
    kind
        Type of the operands: one that the GPU has (`usable`).
    batch
        Products of one launch, *b*. [1]
    """
    width = {"fp8": 1.0, "tf32": 4.0, "fp32": 4.0}.get(kind, 2.0)
    return batch * (width * (m * k + n * k) + 2 * m * n)


def linear_forward_s(
    m: Numeric, n: Numeric, k: Numeric, gpu: Gpu, kind: str, *, batch: Numeric = 1.0
) -> Numeric:
    r"""Time of a linear layer's forward product, tokens x out [s].

    .. math:: Y_{m,n} = X_{m,k} W_{k,n}

    Parameters, shapes and units are those of `gemm_s`.
    """
    return gemm_s(m, n, k, gpu, kind, batch=batch)


def linear_backward_s(
    m: Numeric, n: Numeric, k: Numeric, gpu: Gpu, kind: str, *, batch: Numeric = 1.0
) -> Numeric:
    r"""Time of a linear layer's two backward products [s].

    .. math:: dX_{m,k} = dY_{m,n} W^T_{n,k}, \qquad dW_{k,n} = X^T_{k,m} dY_{m,n}

    Parameters, shapes and units are those of `gemm_s`.
    """
    data = gemm_s(m, k, n, gpu, kind, batch=batch)
    return data + linear_weight_s(m, n, k, gpu, kind, batch=batch)


def linear_weight_s(
    m: Numeric, n: Numeric, k: Numeric, gpu: Gpu, kind: str, *, batch: Numeric = 1.0
) -> Numeric:
    r"""Time of the gradient of a linear layer's weights, which nothing waits for [s].

    .. math:: dW_{k,n} = X^T_{k,m} dY_{m,n}

    Parameters, shapes and units are those of `gemm_s`.
    """
    return gemm_s(k, n, m, gpu, kind, batch=batch, derate=WGRAD)


def memory_bound_s(moved_bytes: Numeric, kernels: Numeric, gpu: Gpu) -> Numeric:
    r"""Time of element-wise and reduction kernels [s].

    .. math:: t = \frac{bytes}{e_b B} + kernels \cdot t_0

    Parameters
    ----------
    moved_bytes
        Read and written. [bytes]
    kernels
        Launches. [1]
    gpu
        HBM bandwidth and what training kernels reach of it.
    """
    rate = gpu.elementwise_efficiency * gpu.hbm_bytes_per_s
    return moved_bytes / rate + kernels * gpu.elementwise_overhead_s
