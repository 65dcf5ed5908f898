"""Communication inside one transformer block: tensor, context and expert parallelism."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.collectives import (
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    exchange_s,
    reduce_scatter_s,
)
from plan3d.simulator.context import Context
from plan3d.simulator.context_comm import context_comm
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.kernels import memory_bound_s
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Floats, Numeric
from plan3d.simulator.placement import Group, place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockComm:
    """Link time of one pass of one block. Scalars or columns [s]."""

    tp_s: Numeric
    tp_last_s: Numeric
    """Of it, the reduction after the last product."""
    tp_beside_s: Numeric
    """Gathering inputs again, beside a product that does not need them."""
    cp_s: Numeric
    cp_exposed_s: Numeric
    """What attention does not hide."""
    ep_s: Numeric


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockComms:
    """Forward and backward."""

    forward: BlockComm
    backward: BlockComm


def block_comm(
    context: Context,
    table: LayoutTable,
    core_forward_s: Numeric,
    core_backward_s: Numeric,
    *,
    moe: bool,
) -> BlockComms:
    """Return the communication of a block.

    Tensor parallelism all-reduces the residual stream once after attention and once after the
    MLP, forward, and once before each, backward (Shoeybi et al., arXiv:1909.08053, section 3);
    with sequence parallelism each becomes a reduce-scatter and an all-gather, and the inputs are
    gathered again in backward while the gradient of the data is computed (Korthikanti et al.,
    arXiv:2205.05198, section 4.2.2). A block
    with experts has the second pair only for shared experts, or where etp > 1 without sequence
    parallelism: else the exchange of tokens does that work. Where the layers that share an input
    are parallel each for itself, each reduces its gradient; gathering it is the same operation,
    which a compiler does once.
    """
    model, work, cluster = context.model, context.work, context.cluster
    width = work.precision.activation_bytes
    tokens = table.micro_batch * work.seq / table.cp
    size = tokens * model.hidden * width
    group = place(table.tp, 1.0, cluster.gpus_per_node)
    apart = np.where(group.nodes > 1, cluster.network.launch_s * group.nodes, 0.0)
    copy = sequence_copy_s(context, table, size)
    gather = all_gather_s(size, group, cluster) + apart + copy
    launch = np.where(table.tp > 1, cluster.node.launch_s, 0.0)
    reduce = launch + np.where(
        table.sp > 0, reduce_scatter_s(size, group, cluster) + apart + copy,
        all_reduce_s(size, group, cluster) + apart,
    )  # fmt: skip
    pair = reduce + np.where(table.sp > 0, gather + launch, 0.0)
    pairs = pairs_of(model, table, moe=moe)
    again = np.where((table.sp > 0) & (not context.software.keeps_gathered), pairs * gather, 0.0)
    exchange = _expert_exchange_s(context, table, tokens) if moe else 0.0
    ring_f, late_f = context_comm(context, table, core_forward_s, backward=False)
    ring_b, late_b = context_comm(context, table, core_backward_s, backward=True)
    return BlockComms(
        forward=BlockComm(
            tp_s=pairs * pair, tp_last_s=reduce, tp_beside_s=0.0, cp_s=ring_f,
            cp_exposed_s=late_f, ep_s=exchange,
        ),
        backward=BlockComm(
            tp_s=pairs * pair + apart_of(context, moe=moe) * reduce, tp_last_s=reduce,
            tp_beside_s=again, cp_s=ring_b,
            cp_exposed_s=late_b, ep_s=exchange,
        ),
    )  # fmt: skip


def pairs_of(model: ModelSpec, table: LayoutTable, *, moe: bool) -> Numeric:
    r"""All-reduces of one pass of a block, or pairs of their halves in their place [1].

    .. math:: 2, \quad 1 + [\text{shared experts, or } etp > 1 \text{ without } sp], \quad
       1 \text{ where attention is beside the MLP}

    as `block_comm` says.

    Parameters
    ----------
    model
        Experts; whether attention and MLP share their residual.
    table
        etp, sequence parallelism.
    moe
        A block with experts, or a dense one.
    """
    if moe and model.experts is not None:
        whole = (table.etp > 1) & (table.sp < 1)
        return 1.0 + np.where(whole | (model.experts.shared_ffn > 0), 1.0, 0.0)
    return 1.0 if model.parallel_residual else 2.0


def apart_of(context: Context, *, moe: bool) -> float:
    r"""Reductions of a backward pass of a block beyond those pairs, of columns apart [1].

    .. math:: 2 + [\text{gated, and no experts}]

    Queries, keys and values are three for one, a gate's factors two.

    Parameters
    ----------
    context
        Whether the software leaves columns apart; whether the model has a gate.
    moe
        A block with experts, which are whole, or a dense one.
    """
    if not context.software.columns_apart:
        return 0.0
    return 2.0 + (context.model.gated and not moe)


def spans_nodes(context: Context, table: LayoutTable) -> Floats:
    """Return 1 where a job has more than one node, else 0, shape (n,) [1].

    Nothing else in a block's time depends on pp and dp.
    """
    gpus = table.tp * table.pp * table.dp * table.cp
    return np.where(gpus > context.cluster.gpus_per_node, 1.0, 0.0)


def sequence_copy_s(context: Context, table: LayoutTable, size_bytes: Numeric) -> Numeric:
    r"""Time of the copy beside a gather or a scatter along the sequence [s].

    .. math:: t = n \left(\frac{2 S}{e_b B} + t_0\right)

    Collectives join and cut the outermost dimension of a tensor, which in PyTorch's models is the
    batch: what is gathered is put in order by a copy, what is to be scattered is first
    (torch/distributed/_functional_collectives.py, ``torch.cat`` where the dimension is not 0).

    Parameters
    ----------
    context
        Copies *n* of the software; memory bandwidth.
    table
        Sequence parallelism.
    size_bytes
        *S*, the tensor on all ranks. [bytes]
    """
    copies = context.software.sequence_copies
    once = memory_bound_s(2 * size_bytes, 1, context.cluster.gpu)
    return np.where((table.sp > 0) & (table.tp > 1), copies * once, 0.0)


def _expert_exchange_s(context: Context, table: LayoutTable, tokens: Numeric) -> Numeric:
    r"""Time of sending tokens to their experts and back [s].

    .. math:: t = 2\,t_{a2a}(k\,T/tp\,h\,w) + t_{ag}(k\,T\,etp/tp\,h\,w) + t_{rs}(\cdot)

    With sequence parallelism each rank sends its own T/tp tokens; the ranks that share an expert
    (etp > 1) then gather what they received, and reduce-scatter the results (Megatron-Core's
    all-to-all dispatcher). Without it each rank sends what it computes.

    Parameters
    ----------
    context
        Experts per token *k*, width *h*; bytes of an activation *w*; the networks.
    table
        tp, ep, etp.
    tokens
        Tokens of the micro-batch on this context-parallel rank, *T*. [tokens]
    """
    model, cluster = context.model, context.cluster
    top_k = model.experts.top_k if model.experts else 0
    each = model.hidden * context.work.precision.activation_bytes
    received = tokens * table.etp / table.tp * top_k * each
    shared = (table.sp > 0) & (table.etp > 1)
    size = received / np.where(shared, table.etp, 1.0)
    slices = place(table.etp, 1.0, cluster.gpus_per_node)
    gather = all_gather_s(received, slices, cluster) + reduce_scatter_s(received, slices, cluster)
    group = place(table.ep, table.etp, cluster.gpus_per_node)
    there = all_to_all_s(size, group, cluster)
    if context.software.sends_once and top_k:
        there = _sent_once_s(size / top_k, top_k, group, cluster)
    return 2 * there + np.where(shared, gather, 0.0)


def _sent_once_s(size: Numeric, top_k: int, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of sending each token once to a node, and there once to a rank [s].

    .. math:: near = S\,D(n)\,\frac{g-1}{g}, \quad far = S\,D(d)\,\frac{d-1}{d}, \qquad
       D(x) = x\,\bigl(1 - (1 - 1/x)^k\bigr)

    of `exchange_s`, with *D(x)* of *x* nodes or ranks that have one of the *k* experts of a token
    or more, on average, and *S* bytes of a rank's tokens. What goes to a node goes to the GPU of
    the same place, which forwards it over NVLink (github.com/deepseek-ai/DeepEP, README:
    "asymmetric-domain bandwidth forwarding"; csrc/kernels/internode.cu).
    """

    def reached(among: Numeric) -> Numeric:
        return among * (1 - (1 - 1 / among) ** top_k)

    g, d = group.local, group.nodes
    near, far = reached(group.size) * (g - 1) / g, reached(d) * (d - 1) / d
    return exchange_s(size * near, size * far, group, cluster)
