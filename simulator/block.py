"""Time of one transformer block on one GPU, for one micro-batch: forward and backward.

What a block costs depends on few axes only (tp, cp, ep, etp, micro-batch, sequence parallelism),
so `plan3d.simulator.estimate` calls this on the distinct combinations of a table. Operators are
organised by the three classes of A. Ivanov et al., "Data Movement Is All You Need"
(arXiv:2007.00072, section 4): contractions, normalisations, element-wise.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from plan3d.simulator import attention
from plan3d.simulator.block_comm import BlockComm, block_comm
from plan3d.simulator.block_issue import issue_s
from plan3d.simulator.block_linears import linears, routed_tokens
from plan3d.simulator.context import Context
from plan3d.simulator.context_comm import merged_bytes
from plan3d.simulator.float8 import row_cast_bytes
from plan3d.simulator.kernels import (
    linear_backward_s,
    linear_forward_s,
    linear_weight_s,
    memory_bound_s,
)
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Floats, Numeric, column
from plan3d.simulator.padded_experts import padded_bytes
from plan3d.simulator.parameters import layer_params

ALIGNED: Final = 8
"""Head widths of unfused attention are multiples of this, or its products miss the tensor cores and
run at the rate of fp32. [1] (NVIDIA, Matrix Multiplication Background User's Guide: 16 bytes.)"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """One pass through one block, forward or backward. Columns of shape (n,) [s]."""

    matmul_s: Floats
    attention_s: Floats
    elementwise_s: Floats
    tp_comm_s: Floats
    """Exposed part; likewise below."""
    cp_comm_s: Floats
    ep_comm_s: Floats
    dispatch_s: Floats
    tp_link_s: Floats
    """How long the links are busy; likewise below."""
    cp_link_s: Floats
    ep_link_s: Floats

    @property
    def total_s(self) -> Floats:
        """The whole pass: kernels, exposed communication, waiting for the CPU [s]."""
        return (
            self.matmul_s
            + self.attention_s
            + self.elementwise_s
            + self.tp_comm_s
            + self.cp_comm_s
            + self.ep_comm_s
            + self.dispatch_s
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockTime:
    """Forward and backward of the mean block of a model."""

    forward: Pass
    backward: Pass
    weight_s: Floats
    """The weight gradients in `backward`: what zero-bubble schedules put off. [s]"""
    unreplayed_s: Floats
    """The part of `forward` that full recompute leaves out. [s]"""


def block_time(context: Context, table: LayoutTable) -> BlockTime:
    """Return the mean block of a model: dense and expert layers by their share."""
    model = context.model
    share = model.moe_layers / model.layers
    kinds = [(moe, part) for moe, part in ((False, 1 - share), (True, share)) if part > 0]
    times = [(_one_kind(context, table, moe=moe), part) for moe, part in kinds]
    return BlockTime(
        forward=_weighted([(t.forward, part) for t, part in times]),
        backward=_weighted([(t.backward, part) for t, part in times]),
        weight_s=np.sum([t.weight_s * part for t, part in times], axis=0),
        unreplayed_s=np.sum([t.unreplayed_s * part for t, part in times], axis=0),
    )


def _weighted(parts: list[tuple[Pass, float]]) -> Pass:
    """Return the mean of passes by weight."""
    return Pass(
        **{
            f.name: np.sum([getattr(p, f.name) * share for p, share in parts], axis=0)
            for f in fields(Pass)
        }
    )


def _one_kind(context: Context, table: LayoutTable, *, moe: bool) -> BlockTime:
    """Return the time of a dense block, or of one with experts."""
    core_f, core_b = attention_core(context, table)
    traffic_f, traffic_b, kernels = _elementwise(context, table, moe=moe)
    gpu = context.cluster.gpu
    comm = block_comm(context, table, core_f, core_b, moe=moe)
    floor_s, floor_back_s = issue_s(context, table, moe=moe)
    forward = _pass(
        context, table, comm.forward, _matmuls(context, table, linear_forward_s, moe=moe),
        core_f, memory_bound_s(traffic_f, kernels, gpu), floor_s,
    )  # fmt: skip
    last_s = 0.0 if moe else _last_s(context, table, comm.forward)
    spare_s = forward.total_s - floor_s  # the CPU issues no less
    return BlockTime(
        forward=forward,
        backward=_pass(
            context, table, comm.backward, _matmuls(context, table, linear_backward_s, moe=moe),
            core_b, memory_bound_s(traffic_b + _accumulated(context, table, moe=moe), kernels, gpu),
            floor_back_s,
        ),
        weight_s=column(_matmuls(context, table, linear_weight_s, moe=moe), len(table)),
        unreplayed_s=column(np.minimum(last_s, spare_s), len(table)),
    )  # fmt: skip


def _last_s(context: Context, table: LayoutTable, comm: BlockComm) -> Numeric:
    """Time of a dense block's last product and its reduction, where none is replayed [s].

    Nothing in backward needs them: PyTorch's non-reentrant checkpoints stop early
    (torch/utils/checkpoint.py, ``set_checkpoint_early_stop``), compiled ones leave out what is not
    needed. The results of experts are: they are weighted.
    """
    if not context.software.stops_early:
        return 0.0
    down = linears(context, table, moe=False)[-1]
    product = linear_forward_s(down.tokens, down.out, down.summed, context.cluster.gpu, down.kind)
    return product + (1 - context.software.tp_overlap * table.tp_overlap) * comm.tp_last_s


def _pass(
    context: Context,
    table: LayoutTable,
    comm: BlockComm,
    matmul_s: Numeric,
    core_s: Numeric,
    elementwise_s: Numeric,
    floor_s: Numeric,
) -> Pass:
    """Hide what can be hidden, and wait for the CPU where it is the clock."""
    overlap = context.software.tp_overlap * table.tp_overlap
    hidden = np.minimum(overlap * comm.tp_s, matmul_s)
    beside = np.minimum(comm.tp_beside_s, np.minimum(matmul_s / 2, matmul_s - hidden))
    exposed = comm.tp_s - hidden + comm.tp_beside_s - beside
    busy = matmul_s + core_s + elementwise_s + exposed + comm.cp_exposed_s + comm.ep_s
    columns = {
        "matmul_s": matmul_s,
        "attention_s": core_s,
        "elementwise_s": elementwise_s,
        "tp_comm_s": exposed,
        "cp_comm_s": comm.cp_exposed_s,
        "ep_comm_s": comm.ep_s,
        "dispatch_s": floor_s if context.software.blocking else np.maximum(floor_s - busy, 0.0),
        "tp_link_s": comm.tp_s + comm.tp_beside_s,
        "cp_link_s": comm.cp_s,
        "ep_link_s": comm.ep_s,
    }
    n = len(table)
    return Pass(**{k: column(v, n) for k, v in columns.items()})


def _matmuls(
    context: Context,
    table: LayoutTable,
    linear_s: Callable[..., Numeric],
    *,
    moe: bool,
) -> Numeric:
    """Time of the linear layers of a block, by the law given for one of them."""
    gpu = context.cluster.gpu
    total: Numeric = sum(
        linear_s(one.tokens, one.out, one.summed, gpu, one.kind, batch=one.batch)
        for one in linears(context, table, moe=moe)
    )
    return total


def core_shape(context: Context, table: LayoutTable) -> attention.AttentionShape:
    """Return the attention core on one GPU: its heads and positions."""
    model, work = context.model, context.work
    heads_by_cp = np.where(table.cp_all_to_all > 0, table.cp, 1.0)
    heads = np.maximum(model.heads / table.tp / heads_by_cp, 1.0)
    return attention.AttentionShape(
        batch=table.micro_batch,
        heads=heads,
        queries=work.seq / table.cp * heads_by_cp,
        keys=float(work.seq),
        qk_dim=model.qk_dim,
        v_dim=model.v_dim,
        window=model.window if model.window < work.seq else 0,
        kv_per_head=np.minimum(np.maximum(model.kv_heads / table.tp / heads_by_cp, 1.0), heads)
        / heads,
        steps=np.where(table.cp_all_to_all > 0, 1.0, table.cp),
    )


def attention_core(context: Context, table: LayoutTable) -> tuple[Numeric, Numeric]:
    """Time of the attention core, forward and backward, on this GPU's heads and positions."""
    work, gpu, software = context.work, context.cluster.gpu, context.software
    shape = core_shape(context, table)
    name = attention.chosen_kernel(software.attention, gpu)
    if name in gpu.attention:
        law = gpu.attention[name]
        return (
            attention.fused_forward_s(shape, law, gpu),
            attention.fused_backward_s(shape, law, gpu),
        )
    model = context.model
    aligned = model.qk_dim % ALIGNED == 0 and model.v_dim % ALIGNED == 0
    kind = "bf16" if aligned and work.precision.matmul != "fp32" else "fp32"
    width = work.precision.activation_bytes
    mask = (2 * width + 1) if work.dropout else 0
    traffic = software.elementwise_traffic
    return (
        attention.unfused_forward_s(shape, gpu, (2 * width + mask) * traffic, kind),
        attention.unfused_backward_s(shape, gpu, (3 * width + mask) * traffic, kind),
    )


def _accumulated(context: Context, table: LayoutTable, *, moe: bool) -> Numeric:
    """Bytes that adding the gradients of a block to their sum moves."""
    params = layer_params(context.model, moe=moe)
    held = params.tensor / table.tp + params.replicated + params.experts / (table.ep * table.etp)
    return context.software.accumulate_bytes * held


def _elementwise(
    context: Context, table: LayoutTable, *, moe: bool
) -> tuple[Numeric, Numeric, float]:
    """Bytes that norms, activations, dropout, residuals and rotary move; kernels of a pass.

    Counted per element for kernels that are fused as far as they can be: a norm reads and writes,
    a residual with bias and dropout reads two, writes one and a byte of mask, an activation
    reads its inputs and writes one. Backward reads the saved input besides.
    """
    model, work, software = context.model, context.work, context.software
    width = work.precision.activation_bytes
    tokens = table.micro_batch * work.seq / table.cp
    shared = np.where(table.sp > 0, table.tp, 1.0)
    mask = 1.0 if work.dropout else 0.0
    norm = 4.0 + 2.0 * software.fp32_norms
    stream_f = model.norms_per_layer * (norm / 2 * width + 3 * width + mask)
    stream_b = model.norms_per_layer * (norm * width + 2 * width + mask)
    heads = (model.heads + model.kv_heads) * model.qk_dim
    turned = 2.0 * heads if model.positions == "rotary" else 0.0
    inputs = 2 if model.gated else 1
    ffn: Numeric = float(model.ffn)
    extra: Numeric = 0.0
    padded: tuple[Numeric, Numeric] = (0.0, 0.0)
    if moe and model.experts is not None and software.pads_experts:
        ffn, padded = float(model.experts.shared_ffn), padded_bytes(context, table, model.experts)
    elif moe and model.experts is not None:
        routed = routed_tokens(model.experts, software)
        ffn = model.experts.shared_ffn + routed * model.experts.ffn
        extra = 6.0 * routed * model.hidden * table.etp / table.tp
    activation_f, activation_b = (inputs + 1) * ffn * width, (2 * inputs + 1) * ffn * width
    fixed_f = model.hidden * stream_f / shared + extra * width
    fixed_b = model.hidden * stream_b / shared + extra * width
    cut_f = (activation_f + turned * width) / table.tp
    cut_b = (activation_b + turned * width) / table.tp
    scale = software.elementwise_traffic * tokens
    kernels = 2.0 * model.norms_per_layer + 2.0 + (2.0 if turned else 0.0)
    merged_f, merged_b = (
        software.elementwise_traffic * merged_bytes(context, table, backward=backward)
        for backward in (False, True)
    )
    cast_f, cast_b = row_cast_bytes(context, table, moe=moe)
    forward = scale * (fixed_f + cut_f) + merged_f + cast_f + padded[0]
    return forward, scale * (fixed_b + cut_b) + merged_b + cast_b + padded[1], kernels
