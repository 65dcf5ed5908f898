r"""Communication of context parallelism in one block: a ring, an all-to-all, or gathered at once.

Symbols
-------
c : ranks, of which each has T tokens
a, g, q, v : query heads and key-value heads on this GPU, widths of a query (key) and a value head

References
----------
.. [1] H. Liu et al., "Ring Attention", arXiv:2310.01889, section 3.
.. [2] S. A. Jacobs et al., "DeepSpeed Ulysses", arXiv:2309.14509, section 3.2.
.. [3] PyTorch, torch/distributed/tensor/experimental/_attention.py: ``_AllGatherRotater``,
   ``_SDPAMerger``, ``_templated_ring_attention_backward``.
.. [4] transformer-engine 2.8.0, transformer_engine/pytorch/attention/dot_product_attention/
   context_parallel.py: ``AttnFuncWithCPAndKVP2P``.
"""

import numpy as np

from plan3d.simulator.collectives import all_gather_s, all_to_all_s, p2p_s
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import Group, place


def context_comm(
    context: Context, table: LayoutTable, core_s: Numeric, *, backward: bool
) -> tuple[Numeric, Numeric]:
    """Return link time and exposed time of one pass of one block. [s].

    Parameters
    ----------
    context
        Model, networks; whether the software sends a ring round or gathers at once.
    table
        cp, tp, micro-batch; all-to-all or not.
    core_s
        Attention of this pass, which hides what runs beside it. [s]
    backward
        Which pass.
    """
    group = place(table.cp, table.tp, context.cluster.gpus_per_node)
    swap = _swap_s(context, table, group)
    once = context.software.cp_gathers
    rotate = _gathered_s if once else _ring_s
    link, late = rotate(context, table, group, core_s / table.cp, backward=backward)
    swaps = table.cp_all_to_all > 0
    link, late = np.where(swaps, swap, link), np.where(swaps, swap, late)
    return np.where(table.cp > 1, link, 0.0), np.where(table.cp > 1, late, 0.0)


def kept_heads(context: Context, table: LayoutTable) -> Numeric:
    r"""Elements of keys and values per token as they are sent [1].

    .. math:: (q + v) \cdot g, \quad \text{or } a \text{ where they are repeated for the queries}

    Parameters
    ----------
    context
        Heads and widths; whether the software repeats.
    table
        tp, which cuts the heads.
    """
    model = context.model
    own = model.kv_heads / np.minimum(table.tp, model.kv_heads)
    heads = model.heads / table.tp if context.software.cp_gathers else own
    return heads * (model.qk_dim + model.v_dim)


def _tokens(context: Context, table: LayoutTable) -> Numeric:
    """Return the tokens of a micro-batch on this GPU, *T*. [1]."""
    return table.micro_batch * context.work.seq / table.cp


def _swap_s(context: Context, table: LayoutTable, group: Group) -> Numeric:
    """Time of swapping sequence for heads before and after attention, which hides nothing [2]."""
    model, width = context.model, context.work.precision.activation_bytes
    own = model.kv_heads / np.minimum(table.tp, model.kv_heads)
    heads = (own + model.heads / table.tp) * (model.qk_dim + model.v_dim)
    return all_to_all_s(_tokens(context, table) * heads * width, group, context.cluster)


def _ring_s(
    context: Context, table: LayoutTable, group: Group, block_s: Numeric, *, backward: bool
) -> tuple[Numeric, Numeric]:
    r"""Time of a ring [1]: link, and what the block of attention at hand does not hide.

    .. math:: (c - 1)\,t_{p2p}(T k w), \quad \text{backward }
       2\,t_{p2p}(T k w) + (c - 2)\,t_{p2p}(2\,T k w)

    Keys and values go round c - 1 times. In backward [4] they go alone beside the first of c
    blocks, with the gradients beside the next, and the gradients alone, in 16 bits, beside the
    last. The first exchange's latency is always exposed.
    """
    cluster, cp = context.cluster, table.cp
    kept = _tokens(context, table) * kept_heads(context, table)
    size = kept * context.work.precision.activation_bytes
    crosses = np.where(group.nodes > 1, 1.0, 0.0)
    once, both = p2p_s(size, crosses, cluster), p2p_s(2 * size, crosses, cluster)
    alone, together = (2.0, np.maximum(cp - 2, 0.0)) if backward else (cp - 1, 0.0)
    late = alone * np.maximum(once - block_s, 0.0) + together * np.maximum(both - block_s, 0.0)
    return alone * once + together * both, np.maximum(late, cluster.node.p2p_latency_s)


def _gathered_s(
    context: Context, table: LayoutTable, group: Group, block_s: Numeric, *, backward: bool
) -> tuple[Numeric, Numeric]:
    r"""Time of gathering all keys and values at once [3]: link, and what is exposed.

    .. math::
       t_{ag}(c\,T k w) \;+\; [\text{backward}]\; c\,t_{p2p}(4\,T k), \qquad
       \text{exposed } \max(t_{ag} - A, 0) + (c - 1) \max(t_{p2p} - A, 0) + t_{p2p}

    with *k* of `kept_heads`: the gather hides behind the attention *A* of the rank's own block;
    gradients of keys and values go round in 32 bits, each beside the next block, the last one
    beside nothing.
    """
    cluster, cp = context.cluster, table.cp
    kept = _tokens(context, table) * kept_heads(context, table)
    size = cp * kept * context.work.precision.activation_bytes
    gather = all_gather_s(size, group, cluster)
    late = np.maximum(gather - block_s, 0.0)
    if not backward:
        return gather, late
    step = p2p_s(4 * kept, np.where(group.nodes > 1, 1.0, 0.0), cluster)
    return gather + cp * step, late + (cp - 1) * np.maximum(step - block_s, 0.0) + step


def merged_bytes(context: Context, table: LayoutTable, *, backward: bool) -> Numeric:
    r"""Bytes moved to merge what attention found block by block [bytes].

    .. math::
       T a \bigl(v\,(10 (c - 1) + 12) + 4 (q + v)\bigr), \qquad \text{backward } T a \bigl(
       q\,(10\,c + 6) + (q + v)(18\,c + 10)\bigr)

    where all is gathered and merged in 32 bits [3]: the sum so far is read and written (8), a
    block's result read (2), the first and the last converted (6 each), keys and values put into one
    tensor (4); gradients of queries likewise (10), those of keys and values put into one tensor
    besides (8). Round a ring everything stays in 16 bits [4]:

    .. math::
       T \bigl(a v\,(6\,c - 2) + 4\,k\bigr), \qquad \text{backward } T \bigl(
       a q\,(6\,c - 2) + k\,(3\,c + 6)\bigr)

    The last rank, for which the others wait, sees all of its queries in every block: of the first,
    the result is read and written (4), of the others the sum besides (6); gradients likewise. Keys
    and values are put into one tensor (4 each way); their gradients are half a tensor (2, then 3
    each) but for the rank's own (6).

    Parameters
    ----------
    context
        Heads and widths; whether the software gathers, or sends a ring round.
    table
        cp, tp, micro-batch.
    backward
        Which pass.
    """
    model, cp, software = context.model, table.cp, context.software
    heads, kept = model.heads / table.tp, kept_heads(context, table)
    moved: Numeric
    if software.cp_gathers:
        both = model.qk_dim + model.v_dim
        moved = heads * (model.v_dim * (10 * (cp - 1) + 12) + 4 * both)
        if backward:
            moved = heads * (model.qk_dim * (10 * cp + 6) + both * (18 * cp + 10))
    else:
        moved = heads * model.v_dim * (6 * cp - 2) + 4 * kept
        if backward:
            moved = heads * model.qk_dim * (6 * cp - 2) + kept * (3 * cp + 6)
    merges = (cp > 1) & (table.cp_all_to_all < 1)
    return np.where(merges, _tokens(context, table) * moved, 0.0)
