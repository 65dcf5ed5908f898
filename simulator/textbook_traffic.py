r"""Closed forms of traffic: bytes that one GPU sends, by strategy.

Symbols
-------
S : bytes of the full tensor on each rank
n : ranks of the group
P : parameters, :math:`\Psi` in the ZeRO paper
l, h, s, b, w : layers, hidden width, sequence, batch (sequences), bytes of one number

References
----------
.. [1] P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
   workstations", JPDC 69(2), 2009, section 3. doi:10.1016/j.jpdc.2008.09.002
.. [2] S. Rajbhandari et al., "ZeRO", SC 2020, section 7. arXiv:1910.02054
.. [3] M. Shoeybi et al., "Megatron-LM", 2019, section 3. arXiv:1909.08053
.. [4] K. Yuan, "Distributed Optimization in LLMs", lecture, Peking University, 2024, parts 3-5.
.. [5] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters Using
   Megatron-LM", SC 2021, section 3. arXiv:2104.04473
.. [6] H. Liu et al., "Ring Attention with Blockwise Transformers", 2023, section 3.
   arXiv:2310.01889
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from plan3d.simulator.numeric import Numeric

Split = Literal["row", "column"]
"""How W of y = W x is cut: by its rows (outputs) or by its columns (inputs). Megatron, which
writes Y = X A, calls the first column parallel and the second row parallel."""


def all_gather_bytes(size_bytes: Numeric, ranks: Numeric) -> Numeric:
    r"""Bytes that one rank sends in a ring all-gather, or in a ring reduce-scatter [bytes].

    .. math:: \frac{n - 1}{n}\,S = \left(1 - \frac{1}{n}\right) S

    Parameters
    ----------
    size_bytes
        *S*. [bytes] Scalar or (layouts,).
    ranks
        *n*; 1 sends nothing, infinity is the limit that textbooks print. [1]
    """
    return (1 - 1 / ranks) * size_bytes


def all_reduce_bytes(size_bytes: Numeric, ranks: Numeric) -> Numeric:
    r"""Bytes that one rank sends in a ring all-reduce: reduce-scatter, all-gather ([1]_) [bytes].

    .. math:: 2\,\frac{n - 1}{n}\,S

    Parameters, shapes and units are those of `all_gather_bytes`.
    """
    return 2 * all_gather_bytes(size_bytes, ranks)


def gradient_sync_bytes(
    size_bytes: Numeric,
    ranks: Numeric,
    compression: Numeric = 1.0,
    every: Numeric = 1.0,
    neighbours: Numeric = 0.0,
) -> Numeric:
    r"""Bytes that one rank sends per step to keep data-parallel replicas equal ([4]_) [bytes].

    .. math:: \frac{c}{H} \left\{ 2\,\frac{n - 1}{n}\,S \ \text{or}\ k\,S \right\}

    Compressed, lazy and decentralised communication; each is off by default. A decentralised
    rank talks to k neighbours, whatever n is.

    Parameters
    ----------
    size_bytes
        Gradients, *S*. [bytes] Scalar or (layouts,).
    ranks
        *n*. [1]
    compression
        Bytes sent per byte, *c*. [1]
    every
        Steps between exchanges, *H*. [1]
    neighbours
        *k*; 0 is all of them, by all-reduce. [1]
    """
    reduced = all_reduce_bytes(size_bytes, ranks)
    sent = np.where(np.asarray(neighbours) > 0, neighbours * size_bytes, reduced)
    return compression / every * np.where(np.asarray(ranks) > 1, sent, 0.0)


def zero_traffic_bytes(
    params: Numeric, zero: Numeric, ranks: Numeric, number_bytes: Numeric = 2.0
) -> Numeric:
    r"""Bytes that one rank sends per step under ZeRO ([2]_) [bytes].

    .. math:: (2\ \text{or, from stage 3,}\ 3)\,\frac{n - 1}{n}\,\Psi\,w

    Stages 0 to 2 reduce-scatter gradients and all-gather parameters (or all-reduce, the same);
    stage 3 gathers parameters twice, for forward and for backward.

    Parameters
    ----------
    params
        :math:`\Psi`. [1] Scalar or (layouts,).
    zero
        Stage, 0 to 3. [1]
    ranks
        *n*; infinity gives the paper's :math:`2\Psi, 2\Psi, 3\Psi`. [1]
    number_bytes
        *w*. [bytes]
    """
    passes = np.where(np.asarray(zero) >= 3, 3.0, 2.0)
    return passes * all_gather_bytes(params * number_bytes, ranks)


def boundary_bytes(
    batch: Numeric, seq: Numeric, hidden: Numeric, number_bytes: Numeric = 2.0
) -> Numeric:
    r"""Activations at one cut of the layers, one way ([4]_, part 4; [5]_) [bytes].

    .. math:: b\,s\,h\,w

    A pipeline sends them forward and as many gradients back. What is exposed lies between one
    micro-batch's boundary and the full batch's: call it with either.

    Parameters
    ----------
    batch
        *b*, of a micro-batch or of the batch. [sequences]
    seq
        *s*. [tokens]
    hidden
        *h*. [1]
    number_bytes
        *w*. [bytes]
    """
    return batch * seq * hidden * number_bytes


def tensor_parallel_bytes(
    layers: Numeric,
    size_bytes: Numeric,
    ranks: Numeric,
    recompute: Numeric = 0.0,
) -> Numeric:
    r"""Bytes that one rank sends for tensor parallelism: 4 all-reduces a layer ([3]_) [bytes].

    .. math:: l\,(4 + 2 r) \cdot 2\,\frac{n - 1}{n}\,S

    Two forward (after attention and after the MLP), two backward, two more where the forward pass
    is recomputed. Too much for anything but the links inside a node ([5]_).

    Parameters
    ----------
    layers
        *l*. [1] Scalar or (layouts,).
    size_bytes
        Activations between blocks, *S*: `boundary_bytes`. [bytes]
    ranks
        *n*. [1]
    recompute
        Share of the forward pass that is computed again, *r*. [1]
    """
    return layers * (4 + 2 * recompute) * all_reduce_bytes(size_bytes, ranks)


def ring_attention_bytes(layers: Numeric, size_bytes: Numeric, ranks: Numeric) -> Numeric:
    r"""Bytes that one rank sends for context parallelism by a ring ([6]_) [bytes].

    .. math:: 6\,l\,\frac{n - 1}{n}\,S

    Each rank passes its share S/n of K and of V round the ring forward; backward these again and
    their gradients: six tensors, n - 1 hops.

    Parameters
    ----------
    layers
        *l*. [1] Scalar or (layouts,).
    size_bytes
        Keys (or values) of the whole sequence, *S*. [bytes]
    ranks
        *n*. [1]
    """
    return 6 * layers * all_gather_bytes(size_bytes, ranks)


def chain_bytes(splits: Sequence[Split], widths_bytes: Sequence[float], ranks: Numeric) -> Numeric:
    r"""Bytes that one rank sends to evaluate a chain of split matrices ([4]_, part 5) [bytes].

    .. math::
       y = W_k \cdots W_1 x, \qquad \sum_i \frac{n - 1}{n} S_i \times \begin{cases}
       0 & W_i\ \text{row},\ W_{i+1}\ \text{column} \\
       1 & \text{row, row (all-gather); column, column (reduce-scatter)} \\
       2 & \text{column, row (all-reduce)} \end{cases}

    A row split leaves each rank a part of the output, a column split leaves it a part of the sum;
    a row split wants the whole input, a column split a part. x is on all ranks, and so is y after
    a last all-gather or all-reduce. The backward pass is the chain of the transposes.

    Parameters
    ----------
    splits
        How each matrix is cut, W_1 first.
    widths_bytes
        Output of each matrix, :math:`S_i`, in bytes.
    ranks
        *n*. [1]
    """
    wanted = (*splits[1:], "row")  # who wants all of y is like one more row split
    passes = [(a == "column") + (b == "row") for a, b in zip(splits, wanted, strict=True)]
    size_bytes = sum(p * size for p, size in zip(passes, widths_bytes, strict=True))
    return all_gather_bytes(size_bytes, ranks)
