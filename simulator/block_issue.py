"""What the CPU takes to issue one pass of one block: the GPU is never faster."""

from typing import Final

import numpy as np

from plan3d.simulator.block_comm import apart_of, pairs_of, spans_nodes
from plan3d.simulator.context import Context
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import place

AHEAD: Final = 4.0
"""Collectives of experts forward: how many tokens go where, tokens, their weights; and back. [1]"""
BACK: Final = 3.0
"""The same of their gradients: nobody counts again. [1]"""


def issue_s(context: Context, table: LayoutTable, *, moe: bool) -> tuple[Numeric, Numeric]:
    r"""Return the CPU's time for a block, forward and backward. [s].

    .. math::
       t_f = d + v + r + e\,E/ep + g\,(c - 1) + t_{coll}, \qquad
       t_b = 2\,(d + v + r + e\,E/ep + g\,(c - 1)) + t_{coll}

    with :math:`v = [tp > 1]\,(v_t + v_s\,[sp])`.

    Parameters
    ----------
    context
        What the software takes for a layer *d*, for tensors that know how they are spread *v* and
        more of them with sequence parallelism, for routing *r*, for each of the *E* experts that is
        on the rank *e*, and for a step of a ring *g*; for a collective.
    table
        tp, cp (*c*), ep, sequence parallelism.
    moe
        A block with experts, or a dense one.
    """
    software = context.software
    ring = np.where(table.cp_all_to_all > 0, 0.0, software.ring_step_s * (table.cp - 1))
    spread = software.dtensor_s + np.where(table.sp > 0, software.dtensor_sequence_s, 0.0)
    own_s: Numeric = software.dispatch_s + ring + np.where(table.tp > 1, spread, 0.0)
    if moe and context.model.experts is not None:
        casts = software.expert_cast_s if context.work.precision.matmul == "fp8" else 0.0
        local = context.model.experts.count / table.ep
        own_s = own_s + software.routing_s + (software.expert_s + casts) * local
    ahead_s, back_s = _collectives_s(context, table, moe=moe)
    return own_s + ahead_s, 2 * own_s + back_s


def _collectives_s(context: Context, table: LayoutTable, *, moe: bool) -> tuple[Numeric, Numeric]:
    """Return the CPU's time for a block's collectives, forward and backward. [s].

    Sequence parallelism has two for one, and gathers the inputs of backward again, unless they are
    kept. Launches between nodes and a slow host come on top. Experts of several ranks exchange
    their tokens.
    """
    cluster, software = context.cluster, context.software
    slow_s = spans_nodes(context, table) * software.issue_s * table.tp
    nodes = place(table.tp, 1.0, cluster.gpus_per_node).nodes
    launch_s = np.where(nodes > 1, cluster.network.launch_s * nodes, 0.0)
    one_s = np.where(table.tp > 1, software.collective_s + slow_s, 0.0) + launch_s
    pairs, again = pairs_of(context.model, table, moe=moe), 0.0 if software.keeps_gathered else 1.0
    ahead, back = np.where(table.sp > 0, 2.0, 1.0), np.where(table.sp > 0, 2.0 + again, 1.0)
    exchange_s = np.where(table.ep > 1, software.collective_s, 0.0) if moe else 0.0
    back_s = (pairs * back + apart_of(context, moe=moe)) * one_s
    return pairs * ahead * one_s + AHEAD * exchange_s, back_s + BACK * exchange_s
