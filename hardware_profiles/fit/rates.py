"""Laws of bytes over a rate: memory-bound kernels, and copies between host and device."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from plan3d.hardware_profiles.fit.constants import Constant
from plan3d.hardware_profiles.fit.law import Columns
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.kernels import memory_bound_s
from plan3d.simulator.numeric import Floats


class MemoryBound:
    """Element-wise kernels, normalisations and the optimizer: one efficiency for all."""

    name = "memory-bound kernels"
    one_site = False

    def owns(self, point: Point) -> bool:
        """Take one kernel that reads and writes device memory and hardly computes."""
        fused = "not fused" not in point.note
        return point.shape.kind in ("memory", "optimizer") and fused

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Share of the bandwidth, cost of a launch."""
        del points
        start = cluster.gpu.elementwise_efficiency
        return [
            Constant(key="gpu.elementwise_efficiency", start=start, low=0.02, high=1),
            Constant(
                key="gpu.elementwise_overhead_s", unit="us", scale=1e-6, start=2, low=0, high=100
            ),
        ]

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of one kernel each."""
        gpu = replace(cluster.gpu, **values)  # type: ignore[arg-type]  # its floats only
        return memory_bound_s(points.size_bytes, 1.0, gpu)  # type: ignore[return-value]

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return bytes over the bandwidth."""
        return points.size_bytes / cluster.gpu.hbm_bytes_per_s


class HostCopies:
    """Copies over the host link, one direction."""

    name = "host copies"
    one_site = False

    def owns(self, point: Point) -> bool:
        """Take pinned copies to and from the device."""
        return point.shape.kind == "copy" and point.shape.op != "device"

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Bandwidth, and the latency that the profile has no place for."""
        del cluster, points
        return [
            Constant(
                key="gpu.host_bytes_per_s", unit="GB/s", scale=1e9, start=25, low=0.1, high=1e3
            ),
            Constant(key="latency_s", unit="us", scale=1e-6, start=10, low=0, high=1e3),
        ]

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return latency and bytes over the rate."""
        del cluster
        return values["latency_s"] + points.size_bytes / values["host_bytes_per_s"]

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return bytes over the host link's line rate."""
        return points.size_bytes / cluster.gpu.host_bytes_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one operator reaches, for the report."""

    name: str
    points: int
    share: float
    """Median of what large ones reach of their peak: bandwidth or line rate. [1]"""
    floor_s: float
    """The shortest time seen. [s]"""


LARGE_BYTES: Final = 32 * 2**20
"""Beyond the caches, so that a rate is one of memory. [bytes]"""


def best_rates(points: Iterable[Point], cluster: Cluster) -> list[Rate]:
    """Return what each memory-bound operator and copy reaches, in the order of the points."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        shape = point.shape
        if point.measured and shape.kind in ("memory", "optimizer", "copy"):
            by_name.setdefault(f"{shape.op} {shape.direction}".strip(), []).append(point)
    rates = []
    for name, own in by_name.items():
        large = [p for p in own if p.shape.size_bytes >= LARGE_BYTES] or own
        peak = cluster.gpu.hbm_bytes_per_s
        if "host" in name:
            peak = cluster.gpu.host_bytes_per_s
        share = float(np.median([p.shape.size_bytes / p.time_s / peak for p in large]))
        floor = min(p.time_s for p in own)
        rates.append(Rate(name=name, points=len(own), share=share, floor_s=floor))
    return rates
