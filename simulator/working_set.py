"""Bytes alive while a block works backward, beside what it keeps."""

import numpy as np

from plan3d.simulator.attention import UNFUSED, chosen_kernel
from plan3d.simulator.block_linears import routed_tokens
from plan3d.simulator.context import Context
from plan3d.simulator.context_comm import kept_heads
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Numeric


def working_bytes(context: Context, table: LayoutTable, tokens: Numeric) -> Numeric:
    r"""Bytes alive while a block works backward, beside what is kept [bytes].

    .. math:: \max\Bigl(2 w \frac{b s h}{c} [\text{sequence parallel}] + w_{kv},\;
       2 w \frac{b s f}{t c} [\text{gate in two kernels}],\;
       2 w \frac{b a s^2}{t c} [\text{unfused}]\Bigr)

    With sequence parallelism, where a column-parallel layer works backward, its input gathered
    again and the gradient of it before it is scattered, both whole. Keys and values that context
    parallelism gathers are whole, too. Unfused attention has the gradients of the softmax and of
    the scores beside what is kept; a gate those of both factors (`_gate_bytes`). What else a layer
    makes replaces what it frees, or nearly.

    Parameters
    ----------
    context
        Whether the gathered input is kept anyway.
    table
        Tensor and sequence parallelism.
    tokens
        Of a micro-batch on one GPU, *b s / c*. [1]

    References
    ----------
    .. [1] Megatron-LM, ``LinearWithGradAccumulationAndAsyncCommunication`` in
       megatron/core/tensor_parallel/layers.py: ``total_input`` and ``grad_input``.
    """
    gate = _gate_bytes(context, table, tokens)
    stream = tokens * context.model.hidden * context.work.precision.activation_bytes
    whole = 1.0 if context.software.keeps_gathered else 2.0
    gathered = np.where((table.sp > 0) & (table.tp > 1), whole * stream, 0.0)
    if context.software.cp_gathers:
        kept = stream / context.model.hidden * kept_heads(context, table)
        gathered = (
            gathered + np.where((table.cp > 1) & (table.cp_all_to_all < 1), table.cp, 0.0) * kept
        )
    if chosen_kernel(context.software.attention, context.cluster.gpu) != UNFUSED:
        return np.maximum(gathered, gate)
    per_query = context.model.heads / context.model.hidden / table.tp * context.work.seq
    return np.maximum(np.maximum(gathered, gate), 2.0 * stream * per_query)


def _gate_bytes(context: Context, table: LayoutTable, tokens: Numeric) -> Numeric:
    r"""Bytes alive while a gate in two kernels works backward, beside what is kept [bytes].

    .. math:: 2 w f b s / (t c)

    The gradients of both factors are made from that of their product, which replaces the product.

    Parameters
    ----------
    context
        Width of the MLP, *f*, bytes per activation *w*; whether the gate is one kernel.
    table
        *t*, and of the experts.
    tokens
        Of a micro-batch on one GPU, *b s / c*. [1]
    """
    model, software = context.model, context.software
    if not model.gated or software.fused_activations:
        return 0.0
    wide: Numeric = model.ffn / table.tp if model.dense_layers > 0 else 0.0
    if model.experts is not None:
        wide = np.maximum(
            wide, routed_tokens(model.experts, software) * model.experts.ffn / table.tp
        )
    return 2.0 * context.work.precision.activation_bytes * tokens * wide
