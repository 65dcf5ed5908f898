r"""Bytes that one block keeps for its backward pass, per micro-batch and GPU.

The sums are those of V. Korthikanti et al. (arXiv:2205.05198, sections 4.1-5), term by term for
any block: for a GPT with dropout and 16-bit activations they are

.. math:: s b h \Bigl(10 + \frac{24}{t} + 5 \frac{a s}{h t}\Bigr)

without, and :math:`s b h / t \,(34 + 5 a s / h)` with sequence parallelism; fused attention
keeps a 4-byte log-sum-exp per query and head instead of the scores.
"""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.attention import UNFUSED, chosen_kernel
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Floats, Numeric, column


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockActivations:
    """What a block keeps. Columns of shape (n,) [bytes]."""

    whole_bytes: Floats
    """With no recomputation: also the working set of a block that is replayed."""
    selective_bytes: Floats
    """With selective recomputation."""
    input_bytes: Floats
    """The block's input: all that full recomputation keeps."""


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
        + software.selective_matmul * (wide + rest)
    )
    n = len(table)
    return BlockActivations(
        whole_bytes=column(whole, n),
        selective_bytes=column(whole - dropped, n),
        input_bytes=column(entry, n),
    )


def _attention_bytes(
    context: Context, table: LayoutTable, tokens: Numeric
) -> tuple[Numeric, Numeric, Numeric]:
    """Bytes of the attention half: the core's own, norm and dropout of the stream, operands."""
    model, work, software = context.model, context.work, context.software
    width = work.precision.activation_bytes
    shared = np.where(table.sp > 0, table.tp, 1.0)
    mask = 1.0 if work.dropout else 0.0
    norm = width + (4.0 if software.fp32_norms else 0.0)
    stream = tokens * model.hidden * (norm + mask) / shared
    operand = tokens * model.hidden * width / np.where(software.keeps_gathered, 1.0, shared)
    heads = (
        model.heads * (model.qk_dim + model.v_dim) / table.tp
        + model.kv_heads * (model.qk_dim + model.v_dim) / np.minimum(table.tp, model.kv_heads)
        + _latent_width(model)
    )
    if software.keeps_unrotated and model.positions == "rotary":
        heads = heads + (model.heads + model.kv_heads) * model.qk_dim / table.tp
    operand = operand + tokens * heads * width
    scores = tokens * model.heads / table.tp
    if chosen_kernel(software.attention, context.cluster.gpu) == UNFUSED:
        per_score = 2 * width + 1 if work.dropout else width
        return scores * work.seq * per_score, stream, operand
    return 4.0 * scores, stream, operand


def _latent_width(model: ModelSpec) -> float:
    """Elements per token of the compressed queries, keys and values, and their norms."""
    if model.latent is None:
        return 0.0
    return 2.0 * (model.latent.q_rank + model.latent.kv_rank) + model.latent.rope_dim


def _mlp_bytes(context: Context, table: LayoutTable, tokens: Numeric, *, moe: bool) -> Numeric:
    """Bytes of the MLP half: its norm and mask, its input, what its activation reads and writes."""
    model, work, software = context.model, context.work, context.software
    width = work.precision.activation_bytes
    shared = np.where(table.sp > 0, table.tp, 1.0)
    mask = 1.0 if work.dropout else 0.0
    norm = width + (4.0 if software.fp32_norms else 0.0)
    between = model.gated and not software.fused_activations  # the activated gate: else, none
    per_ffn = ((3 if model.gated else 2) + between) * width
    inputs = 0.0 if model.parallel_residual else width
    whole = np.where(software.keeps_gathered, 1.0, shared)
    stream = tokens * model.hidden * ((norm + mask) / shared + inputs / whole)
    if not moe or model.experts is None:
        return stream + tokens * model.ffn * per_ffn / table.tp
    experts = model.experts
    routed = tokens * table.etp / table.tp * experts.top_k * software.expert_imbalance
    routed_bytes = routed * (2 * width * model.hidden + per_ffn * experts.ffn / table.etp)
    shared_bytes = tokens * experts.shared_ffn * per_ffn / table.tp
    return stream + routed_bytes + shared_bytes + 8.0 * tokens * experts.count / table.tp
