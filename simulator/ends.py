"""Time of what stands before the first block and after the last: embedding, logits, loss."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.block_comm import sequence_copy_s
from plan3d.simulator.collectives import all_gather_s, all_reduce_s
from plan3d.simulator.context import Context
from plan3d.simulator.kernels import linear_backward_s, linear_forward_s, memory_bound_s
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Floats, Numeric, column
from plan3d.simulator.placement import place
from plan3d.simulator.software import Software


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EndTime:
    """Forward and backward of one micro-batch at the two ends. Columns of shape (n,) [s]."""

    first_s: Floats
    """Embedding look-up and its gradient."""
    last_s: Floats
    """Final norm, logits, loss."""
    first_forward_s: Floats
    """The forward part of `first_s`."""
    last_forward_s: Floats
    """The forward part of `last_s`."""


def padded_vocab(model: ModelSpec, software: Software, tp: Numeric) -> Numeric:
    r"""Vocabulary padded so that tensor parallelism cuts it evenly [1].

    .. math:: \lceil v / (k\,t) \rceil k\,t

    Parameters
    ----------
    model
        *v*.
    software
        Multiple *k* (Megatron-LM, ``--make-vocab-size-divisible-by``).
    tp
        Tensor parallelism *t*. [ranks]
    """
    multiple = software.vocab_multiple * tp
    return np.ceil(model.vocab / multiple) * multiple


def embedding_ranks(software: Software, table: LayoutTable) -> Floats:
    """Return over how many ranks the embedding is cut, shape (n,) [ranks]."""
    return np.ones(len(table)) if software.whole_embedding else table.tp


def head_ranks(software: Software, table: LayoutTable) -> Floats:
    """Return over how many ranks the output projection is cut, shape (n,) [ranks]."""
    return np.where(software.plain_stages & (table.pp > 1), 1.0, table.tp)


def loss_columns(model: ModelSpec, software: Software, table: LayoutTable) -> Floats:
    r"""Vocabulary that one rank's loss works on, shape (n,) [1].

    .. math:: v / t \text{ where the loss is vocabulary-parallel, else } v

    Parameters
    ----------
    model
        *v*.
    software
        Whether the logits are gathered before the loss.
    table
        Ranks that the output projection is cut over, *t*.
    """
    cut = head_ranks(software, table) if software.sharded_loss else 1.0
    return np.asarray(padded_vocab(model, software, table.tp) / cut)


def end_time(context: Context, table: LayoutTable) -> EndTime:
    """Return the time of the ends, for the distinct rows of a table.

    The embedding and the output projection are cut along the vocabulary (Shoeybi et al.,
    arXiv:1909.08053, section 3), unless the software leaves one whole, which then communicates
    nothing; the loss all-reduces two numbers per token. What the softmax moves depends on how much
    of it is fused.
    """
    model, work, software = context.model, context.work, context.software
    cluster, gpu = context.cluster, context.cluster.gpu
    tokens = table.micro_batch * work.seq / table.cp
    width = work.precision.activation_bytes
    columns = padded_vocab(model, software, table.tp) / head_ranks(software, table)
    group = place(head_ranks(software, table), 1.0, cluster.gpus_per_node)
    stream = tokens * model.hidden * width
    reduce_s = all_reduce_s(stream, group, cluster)
    gather_s = np.where(table.sp > 0, all_gather_s(stream, group, cluster), 0.0)
    gather_s = gather_s + sequence_copy_s(context, table, stream)
    parts = place(embedding_ranks(software, table), 1.0, cluster.gpus_per_node)
    look_up = memory_bound_s(2 * stream, 2, gpu) + all_reduce_s(stream, parts, cluster)
    scatter = memory_bound_s(4 * stream, 2, gpu)
    kind = "bf16" if work.precision.matmul == "fp8" else work.precision.matmul
    forward = linear_forward_s(tokens, columns, model.hidden, gpu, kind)
    backward = linear_backward_s(tokens, columns, model.hidden, gpu, kind)
    whole = loss_columns(model, software, table)
    softmax = memory_bound_s(software.loss_forward_bytes * tokens * whole, 5, gpu)
    gradient = memory_bound_s(software.loss_backward_bytes * tokens * whole, 3, gpu)
    # A tied weight is summed twice, too: its two gradients, and these to those before.
    summed = memory_bound_s(software.accumulate_bytes * columns * model.hidden, 0, gpu)
    small = 2 * all_reduce_s(8 * tokens, group, cluster)
    if not software.sharded_loss:
        small = 2 * all_gather_s(tokens * whole * width, group, cluster)
    ahead = forward + softmax + small + gather_s
    last = ahead + backward + gradient + reduce_s + gather_s + summed
    n = len(table)
    return EndTime(
        first_s=column(look_up + scatter + summed, n),
        last_s=column(last, n),
        first_forward_s=column(look_up, n),
        last_forward_s=column(ahead, n),
    )
