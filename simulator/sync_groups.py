"""Who exchanges gradients and weights with whom, and what a collective among them takes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.simulator.collectives import (
    all_gather_s,
    all_reduce_s,
    broadcast_s,
    reduce_scatter_s,
)
from plan3d.simulator.context import Context
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import LayoutTable, Order
from plan3d.simulator.numeric import Bools, Numeric
from plan3d.simulator.placement import Group, place
from plan3d.simulator.software import Software
from plan3d.simulator.stage_params import sync_ranks

OPERATIONS: Final = {
    "rs": reduce_scatter_s, "ar": all_reduce_s, "ag": all_gather_s, "bc": broadcast_s,
}  # fmt: skip
"""Reductions of gradients, then what spreads weights."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyncGroups:
    """Ranks with the same part of the model, by row; pairs are of blocks, and of experts."""

    cluster: Cluster
    shard: Numeric
    """Ranks that ZeRO shards over, as far as there are replicas, shape (n,). [1]"""
    owned: Bools
    """Where ranks own whole tensors, `broadcasts`, shape (n,)."""
    keepers: tuple[Group, Group]
    """Those that keep a share of the states each, or all of them."""
    reducers: tuple[Group, Group]
    """Those that reduce gradients."""
    across: Group
    """The replicas of a share."""

    def both_s(
        self, size_bytes: Numeric, experts_bytes: Numeric, how: str, pieces: Numeric = 1.0
    ) -> Numeric:
        """Return the time of a collective, shape (n,) [s].

        Parameters
        ----------
        size_bytes, experts_bytes
            Of the blocks, and of their experts, shape (n,). [bytes]
        how
            One of `OPERATIONS`: reductions are among the reducers, the rest among the keepers.
        pieces
            So many collectives are what blocks are sent in. [1]
        """
        operation = OPERATIONS[how]
        group, expert_group = self.reducers if how in ("rs", "ar") else self.keepers
        routed = np.where(
            experts_bytes > 0, operation(experts_bytes, expert_group, self.cluster), 0.0
        )
        return pieces * operation(size_bytes / pieces, group, self.cluster) + routed


def sync_groups(context: Context, table: LayoutTable) -> SyncGroups:
    """Return who exchanges with whom, by row."""
    per_node = context.cluster.gpus_per_node
    stride = np.where(table.order == Order.TP_CP_EP_PP_DP, table.tp * table.pp, table.tp)
    replicas, expert_replicas = sync_ranks(table)
    shard = np.minimum(table.shard, replicas)
    sharded, owned = table.zero > 0, broadcasts(context.software, table)

    def groups(ranks: Numeric) -> tuple[Group, Group]:
        """So many replicas of a block, and of its experts."""
        experts = np.minimum(ranks, np.maximum(expert_replicas, 1))
        expert_stride = stride / table.tp * table.ep * table.etp
        return place(ranks, stride, per_node), place(experts, expert_stride, per_node)

    return SyncGroups(
        cluster=context.cluster,
        shard=shard,
        owned=owned,
        keepers=groups(np.where(sharded, shard, replicas)),
        reducers=groups(np.where(sharded & ~owned, shard, replicas)),
        across=place(replicas / shard, stride * shard, per_node),
    )


def broadcasts(software: Software, table: LayoutTable) -> Bools:
    r"""Return where the owner of each tensor of ZeRO-1 or 2 broadcasts it, shape (n,).

    .. math:: t = k\,t_{bc}(wP/k), \quad k = \min(s, T)

    A rank without tensors has nothing to send: beyond the *T* tensors of the blocks, more ranks of
    the *s* make no more broadcasts. They follow each other: an owner sends once it has all of the
    one before, and in one or another of NCCL's rings it is the last to get it.
    """
    return np.asarray(software.zero1_owners & (table.zero > 0) & (table.zero < 3))
