r"""Closed forms of memory, as lectures and papers write them on one line.

Symbols
-------
P : parameters, :math:`\Psi` in the ZeRO paper, :math:`\Phi` in [1]_
l, h, a, s, b : layers, hidden width, heads, sequence, batch (sequences)
w : bytes of one number
N : data-parallel ranks

References
----------
.. [1] K. Yuan, "Distributed Optimization in LLMs", lecture, Peking University, 2024, parts 1, 3.
.. [2] S. Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter
   Models", SC 2020, sections 3.1 and 5. arXiv:1910.02054
.. [3] Y. Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", VLDB
   2023, section 3. arXiv:2304.11277
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from plan3d.simulator.numeric import Numeric
from plan3d.simulator.workload import Optimizer, Precision

NUMBER_BYTES: Final[Mapping[str, int]] = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1}
"""Bytes of one number in memory, by type. (TF32 is a mode of the units: it is stored as fp32.)"""


def adam_bytes(params: Numeric, number_bytes: Numeric) -> Numeric:
    r"""Parameters, gradients and both Adam states, all in one precision ([1]_, part 1) [bytes].

    .. math:: (1 + 1 + 2)\,P\,w = 4\,P\,w

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    number_bytes
        *w*: 4 in fp32, 2 in fp16 or bf16. [bytes]
    """
    return 4 * params * number_bytes


def bytes_per_parameter(precision: Precision, optimizer: Optimizer) -> float:
    r"""Return all that training keeps for one parameter [bytes].

    .. math:: w_{param} + w_{grad} + w_{master} + n_{states}\,w_{state}

    Adam: 2+2+4+4+4 = 16 in mixed precision ([2]_, section 3.1), 4x4 = 16 in pure fp32, 4x2 = 8 in
    pure bf16. Gradients have the type of the weights unless the precision says otherwise.

    Parameters
    ----------
    precision
        Bytes of weights, gradients, master copy and states.
    optimizer
        How many full-size states it has, and their bytes where they differ.
    """
    gradient = gradient_bytes_per_parameter(precision)
    return precision.weight_bytes + gradient + optimizer_bytes_per_parameter(precision, optimizer)


def gradient_bytes_per_parameter(precision: Precision) -> float:
    """Return the bytes of one gradient: those of a weight, unless the precision decides."""
    given = precision.gradient_bytes
    return precision.weight_bytes if given is None else given


def optimizer_bytes_per_parameter(precision: Precision, optimizer: Optimizer) -> float:
    r"""Return what the optimizer keeps for one parameter: 12 for mixed Adam [bytes].

    .. math:: w_{master} + n_{states}\,w_{state}

    Parameters are those of `bytes_per_parameter`.
    """
    given = optimizer.state_bytes
    state = precision.state_bytes if given is None else given
    return precision.master_bytes + optimizer.states * state


def activation_bytes(
    layers: Numeric,
    batch: Numeric,
    seq: Numeric,
    hidden: Numeric,
    heads: Numeric,
    *,
    number_bytes: Numeric = 4.0,
) -> Numeric:
    r"""Activations kept for the backward pass, nothing recomputed ([1]_, part 1) [bytes].

    .. math:: b\,l\,(2 s^2 a + 14\,s\,h)\,w

    Parameters
    ----------
    layers
        *l*. [1] Scalar or (n,).
    batch
        *b*: of the whole batch, or of one data-parallel rank, b/N. [sequences]
    seq
        *s*. [tokens]
    hidden
        *h*. [1]
    heads
        *a*. [1]
    number_bytes
        *w*. [bytes]
    """
    return batch * layers * (2 * seq**2 * heads + 14 * seq * hidden) * number_bytes


def training_bytes(
    layers: Numeric,
    batch: Numeric,
    seq: Numeric,
    hidden: Numeric,
    heads: Numeric,
    *,
    number_bytes: Numeric = 4.0,
) -> Numeric:
    r"""Adam training in one precision, embeddings dropped ([1]_, part 1) [bytes].

    .. math:: \left(48\,l\,h^2 + b\,l\,(2 s^2 a + 14\,s\,h)\right) w

    Parameters, shapes and units are those of `activation_bytes`.
    """
    return adam_bytes(12 * layers * hidden**2, number_bytes) + activation_bytes(
        layers, batch, seq, hidden, heads, number_bytes=number_bytes
    )


def data_parallel_bytes(params: Numeric, batch_bytes: Numeric, ranks: Numeric) -> Numeric:
    r"""Memory of one data-parallel rank: states stay whole, activations shrink ([1]_) [bytes].

    .. math:: 2^4\,\Phi + \frac{b}{N}\,\Theta

    Parameters
    ----------
    params
        :math:`\Phi`, with 16 bytes each for mixed-precision Adam. [1]
    batch_bytes
        Activations of the whole batch, :math:`b\,\Theta`. [bytes]
    ranks
        *N*. [1]
    """
    return 16 * params + batch_bytes / ranks


def zero_bytes(
    params: Numeric,
    zero: Numeric,
    ranks: Numeric,
    *,
    weight_bytes: Numeric = 2.0,
    gradient_bytes: Numeric = 2.0,
    optimizer_bytes: Numeric = 12.0,
) -> Numeric:
    r"""Weights, gradients and optimizer of one rank under ZeRO ([2]_, section 5) [bytes].

    .. math::
       \Psi\left(\frac{w_p}{N_p} + \frac{w_g}{N_g} + \frac{w_o}{N_o}\right), \quad
       N_o = N\ \text{from stage 1},\ N_g = N\ \text{from 2},\ N_p = N\ \text{from 3, else 1}

    Parameters
    ----------
    params
        :math:`\Psi`. [1] Scalar or (n,).
    zero
        Stage, 0 to 3. [1]
    ranks
        *N*, over which the shards are spread. [1]
    weight_bytes
        Of one parameter. [bytes]
    gradient_bytes
        Of one gradient. [bytes]
    optimizer_bytes
        Master copy and states of one parameter, *K* in [2]_. [bytes]
    """
    weights = weight_bytes * zero_share(zero, 3, ranks)
    gradients = gradient_bytes * zero_share(zero, 2, ranks)
    return params * (weights + gradients + optimizer_bytes * zero_share(zero, 1, ranks))


def zero_share(zero: Numeric, first: Numeric, ranks: Numeric) -> Numeric:
    r"""Share of a tensor that one rank keeps, if it is sharded from stage `first` on [1].

    .. math:: 1/N\ \text{where}\ zero \ge first,\ \text{else}\ 1

    Parameters
    ----------
    zero
        Stage, 0 to 3. [1]
    first
        Stage that shards this tensor: 1 optimizer, 2 gradients, 3 weights. [1]
    ranks
        *N*. [1]
    """
    return np.where(np.asarray(zero) >= first, 1 / ranks, 1.0)


def fsdp_weight_bytes(
    params: Numeric, block_params: Numeric, ranks: Numeric, number_bytes: Numeric = 2.0
) -> Numeric:
    r"""Peak of the weights under FSDP: the shard, and one block gathered ([3]_) [bytes].

    .. math:: w \left(\frac{P}{N} + P_{block}\right)

    Parameters
    ----------
    params
        *P*. [1] Scalar or (n,).
    block_params
        Parameters of the block that is gathered. [1]
    ranks
        *N*. [1]
    number_bytes
        *w*. [bytes]
    """
    return number_bytes * (params / ranks + block_params)
