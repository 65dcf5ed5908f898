r"""Data parallelism: reducing gradients, gathering parameters, and how much of it is hidden.

Symbols
-------
P : parameters on this GPU; r, w : bytes per reduced gradient and per gathered weight
D : replicas (dp * cp), of which s shard (HSDP: s < D) and D/s replicate

==========  ========================================  ======================
ZeRO stage  once per step                             in every micro-batch
==========  ========================================  ======================
0           all-reduce(rP)
1, 2        reduce-scatter(rP) + all-gather(wP)       (2: most frameworks)
3                                                     2 gathers + 1 scatter
==========  ========================================  ======================

Where gradients of ZeRO-2 and 3 are reduced once, `model_states.reduces_every` says; where weights
are gathered less often, `model_states.gathering_passes`. What stands before the first block and
after the last is a unit of its own [2]_. Units may be copied beside the collectives: weights out of
what was gathered, gradients into what is reduced, or into a sum, and that in the end. Some software
all-reduces the gradients of ZeRO-1 and 2 whole, after the last backward pass; some all-reduces them
over all D, and the owners of weights broadcast them (`broadcasts`). Else, with s < D the shards'
gradients are all-reduced over the D/s replicas besides, once per step, after each reduction of the
last micro-batch.

References
----------
.. [1] S. Rajbhandari et al., "ZeRO", arXiv:1910.02054, section 7: 2, 2 and 3 P of traffic.
.. [2] Y. Zhao et al., "PyTorch FSDP", arXiv:2304.11277, sections 3.2-3.3: units, prefetch, HSDP.
"""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.collectives import all_reduce_s, p2p_s
from plan3d.simulator.context import Context
from plan3d.simulator.kernels import memory_bound_s
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Bools, Floats, Numeric, column
from plan3d.simulator.parameters import block_matrices, block_tensors
from plan3d.simulator.placement import Group
from plan3d.simulator.software import Software
from plan3d.simulator.stage_params import StageParams
from plan3d.simulator.sync_groups import SyncGroups, sync_groups


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyncTime:
    """Link time of data parallelism. Columns of shape (n,) [s]."""

    reduce_s: Floats
    """Reducing all gradients of the stage once."""
    gather_s: Floats
    """Gathering all parameters of the stage once, or their broadcasts; 0 without sharding."""
    block_reduce_s: Floats
    """The same for one block under ZeRO-3; 0 otherwise."""
    block_gather_s: Floats
    ends_reduce_s: Floats
    """The same for embedding and output projection."""
    ends_gather_s: Floats
    """With their copy, for they stay gathered until their backward pass, and blocks may not."""
    gather_copy_s: Floats
    """Copying all weights of the stage's blocks to where they are used; 0 but under ZeRO-3."""
    reduce_copy_s: Floats
    """The same of all gradients of the stage, to where they are reduced or summed."""
    sum_copy_s: Floats
    """Adding them to such a sum."""
    summed_copy_s: Floats
    """Copying the sum to where it is reduced; 0 where gradients are summed in place."""
    replicate_s: Floats
    """All-reduce between the replicas of a hybrid sharding."""
    tied_s: Floats
    """All-reduce of the tied embedding's gradient between first and last stage."""


def sync_time(context: Context, table: LayoutTable, params: StageParams, tied: Floats) -> SyncTime:
    """Return the link times for the distinct rows of a table."""
    cluster, reduce_bytes = context.cluster, _reduced_bytes(context)
    groups = sync_groups(context, table)
    sharded = table.zero > 0
    everything = params.blocks + params.ends + params.experts
    copies = all_reduce_s(everything * reduce_bytes / groups.shard, groups.across, cluster)
    pair = Group(size=np.where(table.pp > 1, 2.0, 1.0), local=np.ones(len(table)))
    columns = {
        **_of_the_stage(context, table, params, groups),
        **_of_a_unit(context, table, params, groups),
        "replicate_s": np.where(sharded & ~groups.owned & (groups.across.size > 1), copies, 0.0),
        "tied_s": np.where(tied > 0, all_reduce_s(tied * reduce_bytes, pair, cluster), 0.0),
    }
    n = len(table)
    return SyncTime(**{k: column(v, n) for k, v in columns.items()})


def _of_the_stage(
    context: Context, table: LayoutTable, params: StageParams, groups: SyncGroups
) -> dict[str, Numeric]:
    """Return what all gradients of the stage take, and all weights."""
    software, weight_bytes = context.software, context.work.precision.weight_bytes
    sharded, after = table.zero > 0, reduces_afterwards(software, table)
    dense = params.blocks + params.ends
    gradients, weights = ((dense * width, params.experts * width)
                          for width in (_reduced_bytes(context), weight_bytes))  # fmt: skip
    pieces = np.where(sharded & ~groups.owned, 1.0, _buckets(context, table, params))
    halves = sharded & ~(after | groups.owned)
    reduce = np.where(
        halves, groups.both_s(*gradients, "rs"), groups.both_s(*gradients, "ar", pieces)
    )
    tensors = np.maximum(_layers(params) * block_tensors(context.model), 1)
    owners = np.minimum(groups.shard, tensors)
    gather = np.where(
        groups.owned, groups.both_s(*weights, "bc", owners), groups.both_s(*weights, "ag")
    )
    piecewise = software.gather_piece_s * groups.shard * _tensors(context, params)
    return {
        "reduce_s": _sparse(context, table, reduce, dense, groups.reducers[0]),
        "gather_s": np.where(sharded, gather, 0.0) + np.where(after, piecewise, 0.0),
    }


def _of_a_unit(
    context: Context, table: LayoutTable, params: StageParams, groups: SyncGroups
) -> dict[str, Numeric]:
    """Return what ZeRO-3 takes for one unit, and for its copies of all of them."""
    software, weight_bytes = context.software, context.work.precision.weight_bytes
    reduce_bytes = _reduced_bytes(context)
    several = groups.keepers[0].size > 1
    blocks, ends = params.blocks + params.experts, params.ends
    block = params.largest_block, params.largest_experts

    def unit_s(dense: Numeric, experts: Numeric, width: float, how: str) -> Numeric:
        """Its collective, and the copy of what goes through it."""
        copy_s = (dense + experts) * width / software.zero3_copy_bytes_per_s
        time = groups.both_s(dense * width, experts * width, how) + np.where(several, copy_s, 0.0)
        return np.where((table.zero > 2) & (dense + experts > 0), time, 0.0)

    def copied_s(width: float, of: Numeric) -> Numeric:
        """One pass over parameters, where units are copied."""
        once = memory_bound_s(width * of, 0, context.cluster.gpu)
        return np.where((table.zero > 2) & several & software.unit_copies, once, 0.0)

    return {
        "block_reduce_s": unit_s(*block, reduce_bytes, "rs"),
        "block_gather_s": unit_s(*block, weight_bytes, "ag"),
        "ends_reduce_s": unit_s(ends, 0.0, reduce_bytes, "rs"),
        "ends_gather_s": unit_s(ends, 0.0, weight_bytes, "ag") + copied_s(2 * weight_bytes, ends),
        "gather_copy_s": copied_s(2 * weight_bytes, blocks),
        "reduce_copy_s": copied_s(weight_bytes + reduce_bytes, blocks + ends),
        "sum_copy_s": copied_s(weight_bytes + 2 * reduce_bytes, blocks + ends),
        "summed_copy_s": copied_s(2 * reduce_bytes * (reduce_bytes != weight_bytes), blocks + ends),
    }


def _reduced_bytes(context: Context) -> float:
    """Bytes that a gradient takes where it is reduced [bytes]."""
    return context.software.reduce_bytes * context.work.sync.compression


def reduces_afterwards(software: Software, table: LayoutTable) -> Bools:
    """Return where ZeRO-1 or 2 all-reduces gradients after the last backward pass, shape (n,)."""
    return np.asarray(software.zero1_afterwards & (table.zero > 0) & (table.zero < 3))


def _buckets(context: Context, table: LayoutTable, params: StageParams) -> Numeric:
    r"""All-reduces that the gradients of a stage are sent in [1].

    .. math:: \left\lceil \frac{r P}{C + e} \right\rceil + 1, \quad
       e = \frac{\sum s^2}{2 \sum s}

    A bucket goes once a tensor has filled it to its capacity *C*, or beyond: by *e* in the mean, as
    in a renewal process with steps *s*. Embedding and output projection are a bucket of their own.

    Parameters
    ----------
    context
        *C*, 0 for all at once; bytes per reduced gradient *r*; the model's matrices, *s* bytes.
    table
        Tensor parallelism, which divides the matrices.
    params
        *P* of the stage's blocks.
    """
    software = context.software
    if not software.reduce_piece_bytes:
        return 1.0
    width = _reduced_bytes(context)
    sizes = np.array(block_matrices(context.model), dtype=np.float64)
    excess = width / table.tp * (sizes**2).sum() / (2 * sizes.sum())
    blocks = np.ceil(params.blocks * width / (software.reduce_piece_bytes + excess))
    found: Numeric = np.maximum(blocks + (params.ends > 0), 1.0)
    return found


def _layers(params: StageParams) -> Numeric:
    """Blocks of a stage [1]."""
    return params.blocks / np.maximum(params.largest_block, 1)


def _tensors(context: Context, params: StageParams) -> Numeric:
    """Weight tensors of a stage's blocks, biases aside: two of attention, two of the MLP, norms."""
    return _layers(params) * (4 + context.model.norms_per_layer)


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
        size = params * _reduced_bytes(context)
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
