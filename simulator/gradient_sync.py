r"""Data parallelism: reducing gradients, gathering parameters, and how much of it is hidden.

Symbols
-------
P : parameters on this GPU; r, w : bytes per reduced gradient and per gathered weight
D : replicas (dp * cp), of which s shard (HSDP: s < D) and D/s replicate

==========  ========================================  ======================
ZeRO stage  once per step                             in every micro-batch
==========  ========================================  ======================
0           all-reduce(rP)
1, 2        reduce-scatter(rP) + all-gather(wP)       (2: some frameworks)
3                                                     2 gathers + 1 scatter
==========  ========================================  ======================

With s < D the shards' gradients are all-reduced over the D/s replicas besides.

References
----------
.. [1] S. Rajbhandari et al., "ZeRO", arXiv:1910.02054, section 7: 2, 2 and 3 P of traffic.
.. [2] Y. Zhao et al., "PyTorch FSDP", arXiv:2304.11277, sections 3.2-3.3: units, prefetch, HSDP.
"""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.collectives import all_gather_s, all_reduce_s, p2p_s, reduce_scatter_s
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable, Order
from plan3d.simulator.numeric import Floats, Numeric, column
from plan3d.simulator.placement import Group, place
from plan3d.simulator.stage_params import StageParams, sync_ranks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyncTime:
    """Link time of data parallelism. Columns of shape (n,) [s]."""

    reduce_s: Floats
    """Reducing all gradients of the stage once."""
    gather_s: Floats
    """Gathering all parameters of the stage once; 0 without sharding."""
    block_reduce_s: Floats
    """The same for one block under ZeRO-3; 0 otherwise."""
    block_gather_s: Floats
    replicate_s: Floats
    """All-reduce between the replicas of a hybrid sharding."""
    tied_s: Floats
    """All-reduce of the tied embedding's gradient between first and last stage."""


def sync_time(context: Context, table: LayoutTable, params: StageParams, tied: Floats) -> SyncTime:
    """Return the link times for the distinct rows of a table."""
    cluster, software, work = context.cluster, context.software, context.work
    reduce_bytes = software.reduce_bytes * work.sync.compression
    weight_bytes = work.precision.weight_bytes
    per_node = cluster.gpus_per_node
    stride = np.where(table.order == Order.TP_CP_EP_PP_DP, table.tp * table.pp, table.tp)
    replicas, expert_replicas = sync_ranks(table)
    shard = np.minimum(table.shard, replicas)
    inside = np.where(table.zero > 0, shard, replicas)
    group = place(inside, stride, per_node)
    expert_stride = stride / table.tp * table.ep * table.etp
    expert_group = place(
        np.minimum(inside, np.maximum(expert_replicas, 1)), expert_stride, per_node
    )
    across = place(replicas / shard, stride * shard, per_node)
    dense = params.blocks + params.ends

    def both(size: Numeric, experts: Numeric, how: str) -> Numeric:
        operation = {"rs": reduce_scatter_s, "ag": all_gather_s, "ar": all_reduce_s}[how]
        # Reduce-scatters of ZeRO-1 are cut too, but not seen to pay for it: zero1_efficiency.
        if how == "ar" and software.reduce_piece_bytes:
            pieces = np.maximum(np.ceil(size / software.reduce_piece_bytes), 1.0)
            return pieces * operation(size / pieces, group, cluster)
        routed = np.where(experts > 0, operation(experts, expert_group, cluster), 0.0)
        return operation(size, group, cluster) + routed

    sharded, whole = table.zero > 0, table.zero > 2
    cut = software.zero1_efficiency
    scatter = both(dense * reduce_bytes, params.experts * reduce_bytes, "rs")
    reduced = both(dense * reduce_bytes, params.experts * reduce_bytes, "ar")
    gather = both(dense * weight_bytes, params.experts * weight_bytes, "ag")
    block, experts = params.largest_block, params.largest_experts

    def per_block(width: float, how: str) -> Numeric:
        """One block's collective under ZeRO-3, and the copy of what goes through it."""
        copied_s = (block + experts) * width / software.zero3_copy_bytes_per_s
        time = both(block * width, experts * width, how) + np.where(group.size > 1, copied_s, 0.0)
        return np.where(whole, time, 0.0)

    copies = all_reduce_s((dense + params.experts) * reduce_bytes / shard, across, cluster)
    pair = Group(size=np.where(table.pp > 1, 2.0, 1.0), local=np.ones(len(table)))
    columns = {
        "reduce_s": _sparse(
            context, table, np.where(sharded, scatter / cut, reduced), dense, group
        ),
        "gather_s": np.where(sharded, gather / cut, 0.0),
        "block_reduce_s": per_block(reduce_bytes, "rs"),
        "block_gather_s": per_block(weight_bytes, "ag"),
        "replicate_s": np.where(sharded & (across.size > 1), copies, 0.0),
        "tied_s": np.where(tied > 0, all_reduce_s(tied * reduce_bytes, pair, cluster), 0.0),
    }
    n = len(table)
    return SyncTime(**{k: column(v, n) for k, v in columns.items()})


def _sparse(
    context: Context, table: LayoutTable, reduce_s: Numeric, params: Numeric, group: Group
) -> Numeric:
    r"""Time of a reduction that is rarer or sparser than a full one each step [s].

    .. math:: t / H \quad \text{or} \quad k\,t_{p2p}(rP) / H

    Parameters
    ----------
    context
        Exchanges every H steps, with k neighbours (0: all).
    table
        Unused columns aside, only dp decides: without replicas there is nothing to send.
    reduce_s
        The full reduction, *t*. [s]
    params
        *P*. [1]
    group
        The replicas. [ranks]
    """
    sync = context.work.sync
    if sync.neighbours:
        size = params * context.software.reduce_bytes * sync.compression
        send = sync.neighbours * p2p_s(size, np.where(group.nodes > 1, 1.0, 0.0), context.cluster)
        reduce_s = np.where(table.dp * table.cp > 1, np.minimum(send, reduce_s), 0.0)
    return reduce_s / sync.every


def exposed_once_s(link_s: Numeric, window_s: Numeric, pieces: Numeric, on: Numeric) -> Numeric:
    r"""Exposed time of a collective that is cut into pieces and hides in a window [s].

    .. math:: \max\left(t - W,\; t / n\right)

    The last of the n pieces has nothing left to hide behind (PyTorch DDP, arXiv:2006.15704, 3.2).

    Parameters
    ----------
    link_s
        *t*. [s]
    window_s
        Compute that can hide it, *W*. [s]
    pieces
        *n*, the layers of the stage. [1]
    on
        1 where it overlaps, else 0. [1]
    """
    hidden = np.maximum(link_s - window_s, link_s / np.maximum(pieces, 1))
    return np.where((np.asarray(on) > 0) & (np.asarray(window_s) > 0), hidden, link_s)
