r"""Time of collective operations, as NCCL runs them.

Symbols
-------
n, g, d : ranks of the group, ranks of it in one node, nodes that it spans
S : bytes *per rank* of the full tensor (input of all-reduce, output of all-gather)
c : bytes on the wire: :math:`2 S (n-1)/n` for all-reduce, :math:`S (n-1)/n` for the halves
B : bandwidth. Inside a node :math:`B_{op}(1 - \kappa/g)`; between nodes the g adapters that the
    group has there, :math:`g \, \eta \, B_{nic}`: the smaller one rules.

The law, fitted to nccl-tests on 2-8 GPUs (median error 3-5 %) and on 4-1,024 nodes (3 %):

.. math:: t = a_0 + a_1\,steps + \gamma\sqrt{c} + c/B + t_{net}(d)

with :math:`t_{net} = a\,\log_2 d` for the tree all-reduce and :math:`a\,d` for rings.

References
----------
.. [1] R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations
   in MPICH", IJHPCA 19(1), 2005, section 4. doi:10.1177/1094342005051521
.. [2] P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
   workstations", JPDC 69(2), 2009, section 3. doi:10.1016/j.jpdc.2008.09.002
.. [3] nccl-tests, doc/PERFORMANCE.md: algorithm and bus bandwidth.
.. [4] NCCL's broadcast "is a pipeline starting from the root", around the ring, and there is no
   other: github.com/NVIDIA/nccl issues 490 and 971; ``ncclTopoTuneModel`` in src/graph/tuning.cc
   gives it a step for every rank.
"""

import numpy as np

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import Group


def _wire_s(
    wire_bytes: Numeric, steps: Numeric, node_bytes_per_s: float, group: Group, cluster: Cluster
) -> Numeric:
    r"""Time of a collective without the latency of the network between nodes [s].

    .. math:: t = a_0 + a_1\,steps + \gamma\sqrt{c} + c / \min(B_{node}, g\,\eta\,B_{nic})

    Parameters
    ----------
    wire_bytes
        *c*, what passes one rank's link. [bytes]
    steps
        Messages one after the other inside a node. [1]
    node_bytes_per_s
        Bandwidth of this operation inside a node.
    group
        Who takes part.
    cluster
        The networks.
    """
    fabric, network = cluster.node, cluster.network
    inside = node_bytes_per_s * (1 - fabric.group_loss / np.maximum(group.local, 2))
    outside = group.local * network.nic_bytes_per_s * network.efficiency
    bandwidth = np.where(group.local > 1, inside, np.inf)
    bandwidth = np.where(group.nodes > 1, np.minimum(bandwidth, outside), bandwidth)
    fixed = fabric.latency_s + fabric.step_latency_s * steps
    return fixed + fabric.ramp_s_per_sqrt_byte * np.sqrt(wire_bytes) + wire_bytes / bandwidth


def all_reduce_s(size_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of an all-reduce: ring inside the nodes, tree between them [s].

    .. math:: c = 2 S (n-1)/n, \quad t_{net} = a \log_2 d

    Parameters
    ----------
    size_bytes
        *S*. [bytes] Scalar or (layouts,).
    group
        Who takes part; one rank costs nothing.
    cluster
        The networks.
    """
    n = group.size
    wire = 2 * size_bytes * (n - 1) / n
    steps = 2 * (group.local - 1)
    ring = _wire_s(wire, steps, cluster.node.all_reduce_bytes_per_s, group, cluster)
    tree = cluster.network.tree_latency_s * np.log2(np.maximum(group.nodes, 1))
    return np.where(n > 1, ring + tree, 0.0)


def all_gather_s(size_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of a ring all-gather [s].

    .. math:: c = S (n-1)/n, \quad t_{net} = a\,d

    Parameters, shapes and units are those of `all_reduce_s`.
    """
    return _half_s(size_bytes, cluster.node.all_gather_bytes_per_s, group, cluster)


def reduce_scatter_s(size_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of a ring reduce-scatter [s].

    .. math:: c = S (n-1)/n, \quad t_{net} = a\,d

    Parameters, shapes and units are those of `all_reduce_s`.
    """
    return _half_s(size_bytes, cluster.node.reduce_scatter_bytes_per_s, group, cluster)


def broadcast_s(size_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of a broadcast, a pipeline around the ring from its owner [4] [s].

    .. math:: c = S, \quad t_{net} = a\,d

    The first byte takes as many steps as an all-gather's; all of *S* passes each link. A chunk that
    a rank receives whole before it sends it on is not in the law: it is a lower bound.

    Parameters, shapes and units are those of `all_reduce_s`.
    """
    return _ring_s(size_bytes, cluster.node.all_gather_bytes_per_s, group, cluster)


def _half_s(
    size_bytes: Numeric, node_bytes_per_s: float, group: Group, cluster: Cluster
) -> Numeric:
    """Time of one half of a ring all-reduce: of *S*, all but a rank's own share passes [s]."""
    wire = size_bytes * (group.size - 1) / group.size
    return _ring_s(wire, node_bytes_per_s, group, cluster)


def _ring_s(
    wire_bytes: Numeric, node_bytes_per_s: float, group: Group, cluster: Cluster
) -> Numeric:
    r"""Time of what goes once around a ring [s].

    .. math:: t_{net} = a\,d

    Parameters
    ----------
    wire_bytes
        *c*. [bytes]
    node_bytes_per_s
        Bandwidth of this operation inside a node.
    group
        Who takes part.
    cluster
        The networks.
    """
    ring = _wire_s(wire_bytes, group.local - 1, node_bytes_per_s, group, cluster)
    between = np.where(group.nodes > 1, cluster.network.ring_latency_s * group.nodes, 0.0)
    return np.where(group.size > 1, ring + between, 0.0)


def all_to_all_s(size_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of an all-to-all: each rank sends S/n to each other one [s].

    .. math:: near = S (g-1)/n, \quad far = S (n-g)/n

    of `exchange_s`.

    Parameters
    ----------
    size_bytes
        *S*, what one rank holds. [bytes]
    group
        Who takes part; one rank costs nothing.
    cluster
        The networks.
    """
    n, g = group.size, group.local
    return exchange_s(size_bytes * (g - 1) / n, size_bytes * (n - g) / n, group, cluster)


def exchange_s(near_bytes: Numeric, far_bytes: Numeric, group: Group, cluster: Cluster) -> Numeric:
    r"""Time of an exchange in which each rank sends to each other one, side by side [s].

    .. math:: t = a_0 + a_1 (n - 1) + \max\left(\gamma\sqrt{near} + \frac{near}{B},
       \frac{far}{\eta\,B_{nic}}\right)

    with latencies and bandwidth of its own: the messages go out side by side, not round a ring.

    Parameters
    ----------
    near_bytes
        What one rank sends inside its node. [bytes]
    far_bytes
        What it sends to other nodes. [bytes]
    group
        Who takes part; one rank costs nothing.
    cluster
        The networks.
    """
    fabric, network = cluster.node, cluster.network
    ramp = fabric.ramp_s_per_sqrt_byte * np.sqrt(near_bytes)
    near = near_bytes / fabric.all_to_all_bytes_per_s + ramp
    far = far_bytes / (network.nic_bytes_per_s * network.efficiency)
    fixed = fabric.all_to_all_latency_s + fabric.all_to_all_step_s * (group.size - 1)
    fixed = fixed + np.where(group.nodes > 1, network.p2p_latency_s, 0.0)
    return np.where(group.size > 1, fixed + np.maximum(near, far), 0.0)


def p2p_s(size_bytes: Numeric, crosses: Numeric, cluster: Cluster) -> Numeric:
    r"""Time of one send between two GPUs [s].

    .. math:: t = a + S / B

    Parameters
    ----------
    size_bytes
        *S*. [bytes]
    crosses
        1 where the two are in different nodes, else 0. [1]
    cluster
        The networks.
    """
    fabric, network = cluster.node, cluster.network
    near = fabric.p2p_latency_s + size_bytes / fabric.p2p_bytes_per_s
    far = network.p2p_latency_s + size_bytes / (network.nic_bytes_per_s * network.p2p_efficiency)
    return np.where(np.asarray(crosses) > 0, far, near)
