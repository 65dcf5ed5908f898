"""The law of matrix products: `plan3d.simulator.kernels`."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from plan3d.hardware_profiles.fit.constants import Constant
from plan3d.hardware_profiles.fit.law import Columns
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.kernels import WGRAD, gemm_alone_s, gemm_s, memory_bound_s, peak
from plan3d.simulator.numeric import Floats

HALF: tuple[str, ...] = ("bf16", "fp16")
SETTLED_S = 5.0
"""Load after which the clocks have drooped. [s]"""


class Gemm:
    """16-bit products, alone and under a sustained load."""

    name = "matrix products"
    types = HALF
    one_site = False

    def owns(self, point: Point) -> bool:
        """16-bit products; of the sustained ones those after the clocks have settled."""
        shape = point.shape
        steady = shape.kind == "sustained" and shape.elapsed_s >= SETTLED_S
        return (shape.kind == "gemm" or steady) and shape.dtype in self.types

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Efficiency, droop, overhead, bandwidth."""
        del points
        law, at = cluster.gpu.gemm, "gpu.gemm."
        droop, bandwidth = max(law.droop, 0.05), law.memory_efficiency
        return [
            Constant(key=at + "efficiency", start=law.efficiency, low=0.1, high=1),
            Constant(key=at + "droop", start=droop, low=0, high=1),
            Constant(key=at + "overhead_s", unit="us", scale=1e-6, start=4, low=0, high=100),
            Constant(key=at + "memory_efficiency", start=bandwidth, low=0.1, high=1),
        ]

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the law of lone products, and that of training for the sustained ones."""
        gpu = replace(cluster.gpu, gemm=replace(cluster.gpu.gemm, **values))
        kind = self.types[0]
        m, n, k = points.m, points.n, points.k
        derate = np.where(points.text("op") == "wgrad", WGRAD, 1.0)
        alone = gemm_alone_s(m, n, k, gpu, kind, derate=derate)
        steady = points.text("kind") == "sustained"
        return np.asarray(np.where(steady, gemm_s(m, n, k, gpu, kind, derate=derate), alone))

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return 2 m n k over the peak."""
        flop = 2 * points.m * points.n * points.k
        return flop / peak(cluster.gpu.peaks, self.types[0])


class Fp8Gemm(Gemm):
    """8-bit products: their own efficiency, all else as 16-bit ones.

    Where a point includes it, turning the m x k operand into 8 bits is a kernel of its own, which
    reads two bytes and writes one. In training the kernel before it does that (NVIDIA Transformer
    Engine fuses it with norms and activations), so `plan3d.simulator.kernels` does not count it.
    """

    name = "matrix products, fp8"
    types = ("fp8",)

    def owns(self, point: Point) -> bool:
        """8-bit products."""
        return point.shape.kind == "gemm" and point.shape.dtype == "fp8"

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Efficiency against the 8-bit peak."""
        del points
        start = cluster.gpu.gemm.fp8_efficiency
        return [Constant(key="gpu.gemm.fp8_efficiency", start=start, low=0.05, high=1)]

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the law of lone products, and of the cast before them."""
        product = super().predict(cluster, values, points)
        cast = memory_bound_s(3 * points.m * points.k, 1.0, cluster.gpu)
        return np.asarray(product + np.where(points.text("op") == "forward+cast", cast, 0.0))
