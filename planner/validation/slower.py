"""A cluster of which one part takes a factor as long."""

from dataclasses import replace

from plan3d.simulator.hardware import Cluster


def slower_kernels(cluster: Cluster, factor: float) -> Cluster:
    """Return the cluster with every kernel taking `factor` as long."""
    gpu = cluster.gpu
    attention = {
        name: replace(law, efficiency=tuple(min(e / factor, 1.0) for e in law.efficiency))
        for name, law in gpu.attention.items()
    }
    gemm = replace(
        gpu.gemm,
        efficiency=min(gpu.gemm.efficiency / factor, 1.0),
        fp8_efficiency=min(gpu.gemm.fp8_efficiency / factor, 1.0),
        memory_efficiency=min(gpu.gemm.memory_efficiency / factor, 1.0),
    )
    elementwise = min(gpu.elementwise_efficiency / factor, 1.0)
    changed = replace(gpu, gemm=gemm, attention=attention, elementwise_efficiency=elementwise)
    return replace(cluster, gpu=changed)


def slower_network(cluster: Cluster, factor: float) -> Cluster:
    """Return the cluster with everything between nodes taking `factor` as long."""
    network = cluster.network
    changed = replace(
        network,
        efficiency=min(network.efficiency / factor, 1.0),
        p2p_efficiency=min(network.p2p_efficiency / factor, 1.0),
        p2p_latency_s=network.p2p_latency_s * factor,
        tree_latency_s=network.tree_latency_s * factor,
        ring_latency_s=network.ring_latency_s * factor,
        launch_s=network.launch_s * factor,
    )
    return replace(cluster, network=changed)


def slower_fabric(cluster: Cluster, factor: float) -> Cluster:
    """Return the cluster with large messages inside a node taking `factor` as long."""
    node = cluster.node
    changed = replace(
        node,
        all_reduce_bytes_per_s=node.all_reduce_bytes_per_s / factor,
        all_gather_bytes_per_s=node.all_gather_bytes_per_s / factor,
        reduce_scatter_bytes_per_s=node.reduce_scatter_bytes_per_s / factor,
        all_to_all_bytes_per_s=node.all_to_all_bytes_per_s / factor,
        p2p_bytes_per_s=node.p2p_bytes_per_s / factor,
    )
    return replace(cluster, node=changed)


def slower_trees(cluster: Cluster, factor: float) -> Cluster:
    """Return the cluster with the latency of all-reduces between nodes `factor` as long."""
    network = cluster.network
    changed = replace(network, tree_latency_s=network.tree_latency_s * factor)
    return replace(cluster, network=changed)


def slower_rings(cluster: Cluster, factor: float) -> Cluster:
    """Return the cluster with that of all-gathers and reduce-scatters `factor` as long."""
    network = cluster.network
    changed = replace(network, ring_latency_s=network.ring_latency_s * factor)
    return replace(cluster, network=changed)
