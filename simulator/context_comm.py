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
    """Time of a ring [1]: link, and what the block of attention at hand does not hide.

    Keys and values go round c - 1 times, in backward with their gradients. The first exchange's
    latency is always exposed.
    """
    cluster, rounds = context.cluster, 2.0 if backward else 1.0
    kept = _tokens(context, table) * kept_heads(context, table)
    crosses = np.where(group.nodes > 1, 1.0, 0.0)
    step = rounds * p2p_s(kept * context.work.precision.activation_bytes, crosses, cluster)
    others = table.cp - 1
    return others * step, np.maximum(others * (step - block_s), cluster.node.p2p_latency_s)


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

    Results are merged in 32 bits [3]: the sum so far is read and written (8), a block's result
    read (2), the first and the last converted (6 each), keys and values put into one tensor (4);
    gradients of queries likewise (10), those of keys and values put into one tensor besides (8).

    Parameters
    ----------
    context
        Heads and widths; software that sends a ring round is taken to merge in its kernels.
    table
        cp, tp, micro-batch.
    backward
        Which pass.
    """
    model, cp = context.model, table.cp
    both = model.qk_dim + model.v_dim
    each: Numeric = model.v_dim * (10 * (cp - 1) + 12) + 4 * both
    if backward:
        each = model.qk_dim * (10 * cp + 6) + both * (18 * cp + 10)
    merges = context.software.cp_gathers & (cp > 1) & (table.cp_all_to_all < 1)
    return np.where(merges, _tokens(context, table) * model.heads / table.tp * each, 0.0)
