"""The cluster as a job found it, where the job measured its own collectives before it trained."""

from collections.abc import Callable
from typing import Final

from plan3d.planner.validation.runs import Run
from plan3d.planner.validation.slower import slower_fabric, slower_rings, slower_trees
from plan3d.simulator.collectives import all_gather_s, all_reduce_s
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.placement import Group

MESSAGE_BYTES: Final = 2.0**28
"""Size of the collectives that `Run.allreduce_gb_s` and its like are of. [bytes]"""
UNLIMITED_BYTES: Final = 2.0**60
"""A message of which a law's start-up is no part worth mention. [bytes]"""


def as_measured(cluster: Cluster, run: Run) -> Cluster:
    r"""Return the cluster, as slow as the job measured it where that is slower than the profile.

    .. math:: f = \max\left(1, 1 + \frac{t - t_1}{t_2 - t_1}\right), \quad
       t = \frac{2 S (n - 1)}{n\,B_{bus}} \text{ (all-reduce)}, \quad
       \frac{S (n - 1)}{n\,B_{bus}} \text{ (all-gather)}

    with the law's times :math:`t_1, t_2` of factors 1 and 2: it is linear in each factor. Inside a
    node the factor is on all bandwidths. Between nodes it is on latencies, the all-reduce's on
    that of trees, the all-gather's on that of rings: in the jobs with such figures the bus
    bandwidth falls as the number of nodes rises, and collectives of 32 and of 512 MB take equally
    long. A job that measures more than the profile
    does not train faster: in a step, collectives do not follow each other without a break.

    Parameters
    ----------
    cluster
        By the profile.
    run
        Bus bandwidths *B* that it measured, if any; *n* are its GPUs.
    """
    inside = min(run.gpus, cluster.gpus_per_node)
    near = Group(size=inside, local=inside)
    cluster = _slowed(cluster, slower_fabric, all_reduce_s, near, run.node_allreduce_gb_s)
    everyone = Group(size=run.gpus, local=inside)
    cluster = _slowed(cluster, slower_trees, all_reduce_s, everyone, run.allreduce_gb_s)
    return _slowed(cluster, slower_rings, all_gather_s, everyone, run.allgather_gb_s)


def reaches_bandwidth(cluster: Cluster, run: Run) -> bool:
    """Return whether an all-reduce inside a node is as fast as the profile's law has it at most.

    That is the law's bandwidth, for messages so large that nothing else counts; a job that did not
    measure its own is taken to reach it.

    Parameters
    ----------
    cluster
        By the profile.
    run
        Bus bandwidth that it measured inside a node, if any.
    """
    if run.node_allreduce_gb_s is None:
        return True
    group = Group(size=cluster.gpus_per_node, local=cluster.gpus_per_node)
    taken_s = 2 * UNLIMITED_BYTES * (1 - 1 / group.size) / (run.node_allreduce_gb_s * 1e9)
    return bool(taken_s <= all_reduce_s(UNLIMITED_BYTES, group, cluster))


def _slowed(
    cluster: Cluster,
    slower: Callable[[Cluster, float], Cluster],
    collective: Callable[[float, Group, Cluster], Numeric],
    group: Group,
    bus_gb_s: float | None,
) -> Cluster:
    """Return the cluster, slower by the factor that makes the collective take what it took."""
    if bus_gb_s is None or group.size == 1:
        return cluster
    passes = 2 if collective is all_reduce_s else 1
    measured_s = passes * MESSAGE_BYTES * (1 - 1 / float(group.size)) / (bus_gb_s * 1e9)
    one, two = (float(collective(MESSAGE_BYTES, group, slower(cluster, f))) for f in (1.0, 2.0))
    if measured_s <= one or two <= one:
        return cluster
    return slower(cluster, 1 + (measured_s - one) / (two - one))
