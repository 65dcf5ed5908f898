"""The law of collectives inside a node and between nodes: `plan3d.simulator.collectives`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from plan3d.hardware_profiles.fit.constants import Constant
from plan3d.hardware_profiles.fit.law import Columns
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.collectives import (
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    p2p_s,
    reduce_scatter_s,
)
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Floats
from plan3d.simulator.placement import Group

OPS: Final = {
    "all_reduce": all_reduce_s, "all_gather": all_gather_s, "reduce_scatter": reduce_scatter_s,
    "all_to_all": all_to_all_s,
}  # fmt: skip
_LATENCIES: Final = {"all_to_all_latency_s": 8.0, "all_to_all_step_s": 0.3}


class NodeCollectives:
    """Collectives of the GPUs of one node."""

    name = "collectives in a node"
    one_site = False

    def owns(self, point: Point) -> bool:
        """Take collectives on one node."""
        shape = point.shape
        return shape.kind == "collective" and shape.op in OPS and shape.nodes == 1

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Latencies, ramp and loss that the operations share; a bandwidth for each one."""
        del cluster
        at, seen = "node.", set(points.text("op"))
        free = [
            Constant(key=at + "latency_s", unit="us", scale=1e-6, start=6, low=0, high=200),
            Constant(key=at + "step_latency_s", unit="us", scale=1e-6, start=0.9, low=0, high=50),
            Constant(
                key=at + "ramp_s_per_sqrt_byte", unit="us/sqrt(MB)", scale=1e-9, start=6,
                low=0, high=100,
            ),
            Constant(key=at + "group_loss", start=0.5, low=0, high=0.95),
        ]  # fmt: skip
        free += [
            Constant(
                key=f"{at}{op}_bytes_per_s", unit="GB/s", scale=1e9, start=300, low=1, high=5e3
            )
            for op in OPS
            if op in seen
        ]
        if "all_to_all" in seen:
            free += [
                Constant(key=at + name, unit="us", scale=1e-6, start=start, low=0, high=200)
                for name, start in _LATENCIES.items()
            ]
        return free

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of each operation on its group."""
        changed = replace(cluster, node=replace(cluster.node, **values))
        return _predict(changed, points)

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return the bytes that pass one rank's link, over the bandwidth of the profile."""
        return _wire_bytes(points) / cluster.node.all_reduce_bytes_per_s


class NetworkCollectives:
    """Collectives over several nodes, with all GPUs of each."""

    name = "collectives between nodes"
    one_site = True

    def owns(self, point: Point) -> bool:
        """Take collectives on several nodes."""
        shape = point.shape
        return shape.kind == "collective" and shape.op in OPS and shape.nodes > 1

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Reachable share of the adapters, latency per doubling and per node."""
        del cluster
        at, seen = "network.", set(points.text("op"))
        free = [Constant(key=at + "efficiency", start=0.8, low=0.01, high=1)]
        if "all_reduce" in seen:
            free.append(
                Constant(
                    key=at + "tree_latency_s", unit="us", scale=1e-6, start=90, low=0, high=1e4
                )
            )
        if seen & {"all_gather", "reduce_scatter"}:
            free.append(
                Constant(
                    key=at + "ring_latency_s", unit="us", scale=1e-6, start=40, low=0, high=1e4
                )
            )
        return free

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of each operation on its group."""
        changed = _with_network(cluster, values)
        return _predict(changed, points)

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return the bytes that pass one rank's link, over the group's adapters."""
        local = points.ranks / points.nodes
        return _wire_bytes(points) / (local * cluster.network.nic_bytes_per_s)


class Sends:
    """One GPU to another, in a node or between two."""

    def __init__(self, *, between_nodes: bool) -> None:
        self.between_nodes = between_nodes
        self.one_site = between_nodes
        self.name = f"sends {'between nodes' if between_nodes else 'in a node'}"

    def owns(self, point: Point) -> bool:
        """Take sends on this side of the network."""
        shape = point.shape
        return shape.op == "send_recv" and (shape.nodes > 1) == self.between_nodes

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Latency and bandwidth, or its share of the adapter."""
        del cluster, points
        at = "network." if self.between_nodes else "node."
        free = [
            Constant(key=at + "p2p_latency_s", unit="us", scale=1e-6, start=15, low=0, high=1e4)
        ]
        rate = Constant(
            key=at + "p2p_bytes_per_s", unit="GB/s", scale=1e9, start=200, low=0.1, high=5e3
        )
        share = Constant(key=at + "p2p_efficiency", start=0.7, low=0.001, high=1)
        return [*free, share if self.between_nodes else rate]

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of one send."""
        if self.between_nodes:
            changed = _with_network(cluster, values)
        else:
            changed = replace(cluster, node=replace(cluster.node, **values))
        return np.asarray(p2p_s(points.size_bytes, float(self.between_nodes), changed))

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return bytes over the bandwidth of the profile."""
        return points.size_bytes / cluster.node.p2p_bytes_per_s


def _with_network(cluster: Cluster, values: Mapping[str, float]) -> Cluster:
    """Return the cluster with other constants of its network."""
    network = replace(cluster.network, **values)  # type: ignore[arg-type]  # its floats only
    return replace(cluster, network=network)


def _predict(cluster: Cluster, points: Columns) -> Floats:
    """Return the simulator's time of each collective [s], shape (points,)."""
    group = Group(size=points.ranks, local=points.ranks / points.nodes)
    times = [np.asarray(op(points.size_bytes, group, cluster)) for op in OPS.values()]
    op = points.text("op")
    return np.select([op == name for name in OPS], times)


def _wire_bytes(points: Columns) -> Floats:
    """Return what passes one rank's link [bytes], shape (points,)."""
    twice = np.where(points.text("op") == "all_reduce", 2.0, 1.0)
    return twice * points.size_bytes * (points.ranks - 1) / points.ranks
