"""Time of the optimizer: updating the parameters, and moving its states over the host link."""

import numpy as np

from plan3d.simulator.context import Context
from plan3d.simulator.kernels import memory_bound_s
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.stage_params import StageParams, sync_ranks


def own_params(table: LayoutTable, params: StageParams) -> Numeric:
    r"""Parameters that this GPU's optimizer updates [1].

    .. math:: P / s \text{ from ZeRO-1 on}

    Parameters
    ----------
    table
        ZeRO stage and shard group *s*.
    params
        *P* of the stage.
    """
    replicas, expert_replicas = sync_ranks(table)
    shard = np.where(table.zero > 0, np.minimum(table.shard, replicas), 1.0)
    expert_shard = np.maximum(np.minimum(shard, expert_replicas), 1.0)
    return (params.blocks + params.ends) / shard + params.experts / expert_shard


def optimizer_s(context: Context, table: LayoutTable, params: StageParams) -> Numeric:
    r"""Time of clipping and updating [s].

    .. math:: t = \frac{P_{own}(2 k b_s + 2 b_m + b_g + 3 b_c + b_w) + 2 P b_g}{e_b B}

    States and master weights are read and written, gradients read, weights written; a copy of the
    gradients is written, and read for their norm and for the update. All local gradients are read
    once for their norm and written once to zero them.

    Parameters
    ----------
    context
        Bytes of states *b_s* (k of them), master *b_m*, gradient *b_g*, its copy
        *b_c*, weight *b_w*.
    table
        ZeRO stage and shard group.
    params
        The stage's parameters.
    """
    precision, optimizer = context.work.precision, context.work.optimizer
    gradient = precision.gradient_bytes or context.software.gradient_bytes
    state = optimizer.state_bytes or precision.state_bytes
    per_own = 2 * optimizer.states * state + 2 * precision.master_bytes
    copy = 0.0 if precision.gradient_bytes else context.software.gradient_copy_bytes
    per_own += gradient + 3 * copy + precision.weight_bytes
    own = own_params(table, params)
    local = params.blocks + params.ends + params.experts
    held = np.where(table.zero > 1, own, local)
    return memory_bound_s(own * per_own + 2 * gradient * held, 4, context.cluster.gpu)


def offload_s(context: Context, table: LayoutTable, params: StageParams) -> Numeric:
    r"""Time of an offloaded update over the host link: gradients down, weights up [s].

    .. math:: t = f P_{own} (b_g + b_w) / B_{host}

    The update itself then runs on the CPU (ZeRO-Offload, arXiv:2101.06840, section 4); its time
    is not modelled.

    Parameters
    ----------
    context
        Bytes of a gradient and a weight; host link.
    table
        Offloaded share *f*.
    params
        The stage's parameters.
    """
    precision = context.work.precision
    gradient = precision.gradient_bytes or context.software.gradient_bytes
    moved = table.offload * own_params(table, params) * (gradient + precision.weight_bytes)
    return moved / context.cluster.gpu.host_bytes_per_s
