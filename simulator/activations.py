r"""Bytes that one block keeps for its backward pass, per micro-batch and GPU.

The sums are those of V. Korthikanti et al. (arXiv:2205.05198, sections 4.1-5), term by term for
any block: for a GPT with dropout and 16-bit activations they are

.. math:: s b h \Bigl(10 + \frac{24}{t} + 5 \frac{a s}{h t}\Bigr)

without, and :math:`s b h / t \,(34 + 5 a s / h)` with sequence parallelism; fused attention
keeps a 4-byte log-sum-exp per query and head instead of the scores.
"""

from dataclasses import dataclass, fields

import numpy as np

from plan3d.simulator.attention import UNFUSED, chosen_kernel
from plan3d.simulator.block_linears import routed_tokens
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Floats, Ints, Numeric, column
from plan3d.simulator.software import Software
from plan3d.simulator.working_set import working_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockActivations:
    """What a block keeps. Columns of shape (n,) [bytes]."""

    whole_bytes: Floats
    """With no recomputation: also the working set of a block that is replayed."""
    selective_bytes: Floats
    """With selective recomputation."""
    input_bytes: Floats
    """The block's input: all that full recomputation keeps."""
    routing_bytes: Floats
    """What stays of a replayed block with experts; 0 unless the software keeps it."""
    head_bytes: Floats
    """What the final norm and the output projection keep: their inputs."""
    embedding_bytes: Floats
    """What the embedding keeps: the mask of its dropout (arXiv:2205.05198, section 4.3)."""
    working_bytes: Floats
    """Beside what is kept, while a block works backward: whole tensors of the stream."""
    gathered_bytes: Floats
    """The stream of the whole tensor-parallel group, where sequence parallelism cuts it; else 0."""

    def gather(self, rows: Ints) -> "BlockActivations":
        """Return some rows."""
        return BlockActivations(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def block_activations(context: Context, table: LayoutTable) -> BlockActivations:
    """Return what the heavier kind of block keeps, for the distinct rows of a table."""
    model = context.model
    kinds = [False] * (model.dense_layers > 0) + [True] * (model.moe_layers > 0)
    tokens = table.micro_batch * context.work.seq / table.cp
    stream = tokens * model.hidden * context.work.precision.activation_bytes
    entry = stream / np.where(table.sp > 0, table.tp, 1.0)
    core, thin, wide = _attention_bytes(context, table, tokens)
    rest = np.max(
        [column(_mlp_bytes(context, table, tokens, moe=moe), len(table)) for moe in kinds], axis=0
    )
    whole = core + thin + wide + rest
    software = context.software
    dropped = (
        software.selective_attention * core
        + software.selective_elementwise * thin
        + software.selective_operands * (wide + rest)
    )
    if software.selective_tp > 0:  # inputs that are gathered again
        gathered = _gathered_share(software, np.where(table.sp > 0, table.tp, 1.0)) * stream
        dropped = dropped + 2.0 * (1 - software.selective_operands) * (gathered - entry)
    n = len(table)
    return BlockActivations(
        whole_bytes=column(whole, n),
        selective_bytes=column(whole - dropped, n),
        input_bytes=column(entry, n),
        routing_bytes=column(_routing_bytes(context, table, tokens, core + thin + wide), n),
        head_bytes=column(_head_bytes(context, table, tokens), n),
        embedding_bytes=column(
            context.work.dropout * tokens * model.hidden / np.where(table.sp > 0, table.tp, 1.0), n
        ),
        working_bytes=column(working_bytes(context, table, tokens), n),
        gathered_bytes=column(np.where((table.sp > 0) & (table.tp > 1), stream, 0.0), n),
    )


def _head_bytes(context: Context, table: LayoutTable, tokens: Numeric) -> Numeric:
    r"""Bytes that the final norm and the output projection keep, per micro-batch [bytes].

    .. math:: b s h / c \, (w + 4 \cdot [\text{32-bit norms}] + w)

    divided by *t* with sequence parallelism, but for a gathered input that is kept.

    Parameters
    ----------
    context
        *h*, bytes per activation *w*.
    table
        *t*, sequence parallelism.
    tokens
        Of a micro-batch on one GPU, *b s / c*. [1]
    """
    width, software = context.work.precision.activation_bytes, context.software
    shared = np.where(table.sp > 0, table.tp, 1.0)
    norm = _norm_bytes(context) / shared
    return tokens * context.model.hidden * (norm + width * _gathered_share(software, shared))


def _norm_bytes(context: Context) -> float:
    """Bytes per number that a norm keeps: its input; in 32 bits, that and its result [bytes]."""
    width, software = context.work.precision.activation_bytes, context.software
    return width + 4.0 * software.fp32_norms + (4.0 - width) * software.fp32_norm_results


def _gathered_share(software: Software, shared: Numeric) -> Numeric:
    r"""Share of a column-parallel layer's input that is kept: 1/t, or all where it stays gathered.

    Parameters
    ----------
    software
        Whether it keeps the gathered input.
    shared
        Ranks that the input is cut over, *t*. [1]
    """
    return 1.0 if software.keeps_gathered else 1 / shared


def _attention_bytes(
    context: Context, table: LayoutTable, tokens: Numeric
) -> tuple[Numeric, Numeric, Numeric]:
    """Bytes of the attention half: the core's own, norm and dropout of the stream, operands."""
    model, work, software = context.model, context.work, context.software
    width = work.precision.activation_bytes
    shared = np.where(table.sp > 0, table.tp, 1.0)
    mask = 1.0 if work.dropout else 0.0
    stream = tokens * model.hidden * (_norm_bytes(context) + mask) / shared
    operand = tokens * model.hidden * width * _gathered_share(software, shared)
    kv_heads = model.heads if software.repeats_kv else model.kv_heads
    heads = (
        model.heads * (model.qk_dim + model.v_dim) / table.tp
        + kv_heads * (model.qk_dim + model.v_dim) / np.minimum(table.tp, kv_heads)
        + _latent_width(model)
    )
    if software.keeps_unrotated and model.positions == "rotary":
        heads = heads + (model.heads + model.kv_heads) * model.qk_dim / table.tp
    operand = operand + tokens * heads * width
    scores = tokens * model.heads / table.tp
    if chosen_kernel(software.attention, context.cluster.gpu) == UNFUSED:
        per_score = 2 * width + 1 if work.dropout else width
        per_score = per_score + (4.0 if software.fp32_softmax else 0.0)
        return scores * work.seq * per_score, stream, operand
    return 4.0 * scores, stream, operand


def _latent_width(model: ModelSpec) -> float:
    """Elements per token of the compressed queries, keys and values, and their norms."""
    if model.latent is None:
        return 0.0
    return 2.0 * (model.latent.q_rank + model.latent.kv_rank) + model.latent.rope_dim


def _mlp_bytes(context: Context, table: LayoutTable, tokens: Numeric, *, moe: bool) -> Numeric:
    """Bytes of the MLP half: its norm and mask, its input, what its activation reads and writes."""
    model, software = context.model, context.software
    width = context.work.precision.activation_bytes
    between = model.gated and not software.fused_activations  # the activated gate: else, none
    per_ffn = ((3 if model.gated else 2) + between) * width
    stream = _second_stream_bytes(context, table, tokens)
    if not moe or model.experts is None:
        return stream + tokens * model.ffn * per_ffn / table.tp
    experts = model.experts
    routed = tokens * table.etp / table.tp * routed_tokens(experts, software)
    routed_bytes = routed * (2 * width * model.hidden + per_ffn * experts.ffn / table.etp)
    shared_bytes = tokens * experts.shared_ffn * per_ffn / table.tp
    return stream + routed_bytes + shared_bytes + 8.0 * tokens * experts.count / table.tp


def _second_stream_bytes(context: Context, table: LayoutTable, tokens: Numeric) -> Numeric:
    """Bytes of the second norm and mask of a block, and of its MLP's input."""
    model, work = context.model, context.work
    shared = np.where(table.sp > 0, table.tp, 1.0)
    mask = 1.0 if work.dropout else 0.0
    inputs = 0.0 if model.parallel_residual else work.precision.activation_bytes
    kept = inputs * _gathered_share(context.software, shared)
    return tokens * model.hidden * ((_norm_bytes(context) + mask) / shared + kept)


def _routing_bytes(
    context: Context, table: LayoutTable, tokens: Numeric, attention: Numeric
) -> Numeric:
    """Bytes that a block with experts keeps before them, where its router holds on to them.

    Per layer of the model: those without experts have no router.
    """
    if not context.software.keeps_routing:
        return 0.0
    share = context.model.moe_layers / context.model.layers
    return share * (attention + _second_stream_bytes(context, table, tokens))


def late_tensors(
    software: Software, layers: Numeric, flying: Numeric, micro_batches: Numeric
) -> Floats:
    r"""Return the whole tensors of the stream that a stage's peak finds not free again yet [1].

    .. math:: \min\bigl(N,\ 2 l (k + 2\,[m > k])\bigr)

    A block with sequence parallelism makes two tensors of the whole group's stream per forward
    pass, which reduce-scatters cut, and four per backward pass. A collective runs on a stream of
    its own, and the allocator gives its tensors' memory to others only when that stream has got
    there [1]_: with a CPU far ahead that is as much later as CUDA's queue is long, some 1,024
    launches [2]_. A CPU that is no faster than its GPU frees all in time: N = 0.

    Parameters
    ----------
    software
        *N*.
    layers
        Of the stage, *l*. [1]
    flying
        Micro-batches in flight, *k*. [1]
    micro_batches
        Of a step, *m*: where there are more, a backward pass came before. [1]

    References
    ----------
    .. [1] ``record_stream``: github.com/pytorch/pytorch/issues/147168 and pull/76861.
    .. [2] stackoverflow.com/questions/53970187.
    """
    passes = flying + 2.0 * (micro_batches > flying)
    found: Floats = np.minimum(2.0 * layers * passes, software.late_most)
    return found
