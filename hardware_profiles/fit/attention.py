"""The law of fused attention: `plan3d.simulator.attention`, one fit for each kernel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from plan3d.hardware_profiles.fit.constants import Constant
from plan3d.hardware_profiles.fit.law import Columns
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.attention import (
    BACKWARD,
    AttentionShape,
    backward_over_forward,
    fused_alone_s,
)
from plan3d.simulator.hardware import AttentionLaw, Cluster
from plan3d.simulator.kernels import peak
from plan3d.simulator.numeric import Floats

KERNELS: Final[Mapping[str, str]] = {
    "flash": "flash2", "cudnn": "cudnn", "FlashAttention-2": "flash2",
    "FlashAttention-3": "flash3", "cuDNN": "cudnn", "flash2": "flash2", "flash3": "flash3",
}  # fmt: skip
"""Attention kernels as points name them, and as software generations ask for them."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One kernel, causal, forward and backward."""

    kernel: str
    """As the points name it."""
    one_site: bool = False

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"attention {self.kernel}"

    def owns(self, point: Point) -> bool:
        """Causal attention of this kernel in 16 bits: what training runs."""
        shape = point.shape
        return shape.kind == "attention" and shape.op == self.kernel and shape.causal == 1

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Efficiency and half sequence of each head width, occupancy, overhead, shares."""
        del cluster
        widths = [int(d) for d in np.unique(points.head_dim)]
        at = f"gpu.attention.{self.kernel}."
        free = [Constant(key=f"{at}efficiency_{d}", start=0.6, low=0.01, high=1) for d in widths]
        free += [Constant(key=f"{at}half_seq_{d}", start=400, low=0, high=20000) for d in widths]
        free.append(Constant(key=at + "occupancy", start=0.8, low=0, high=10))
        free.append(Constant(key=at + "overhead_s", unit="us", scale=1e-6, start=6, low=0, high=99))
        if np.any(points.kv_heads < points.heads):
            free.append(Constant(key=at + "kv_share", start=0.5, low=0, high=1))
        if np.any(points.text("direction") != "forward"):
            free.append(Constant(key=at + "backward", start=0.85, low=0.2, high=2))
        return free

    def law(self, values: Mapping[str, float]) -> AttentionLaw:
        """Return the simulator's law with these constants."""
        widths = sorted(int(k.rsplit("_", 1)[1]) for k in values if k.startswith("half_seq_"))
        return AttentionLaw(
            head_dims=tuple(float(d) for d in widths),
            efficiency=tuple(values[f"efficiency_{d}"] for d in widths),
            half_seq=tuple(values[f"half_seq_{d}"] for d in widths),
            backward=values.get("backward", 0.85),
            overhead_s=values["overhead_s"],
            occupancy=values["occupancy"],
            kv_share=values.get("kv_share", 0.0),
        )

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of the passes that each point is of."""
        law, gpu = self.law(values), cluster.gpu
        direction = points.text("direction")
        total = np.zeros(len(points))
        for width in law.head_dims:
            rows = points.head_dim == width
            shape = AttentionShape(
                batch=points.batch[rows], heads=points.heads[rows], queries=points.seq[rows],
                keys=points.seq[rows], qk_dim=width, v_dim=width,
                kv_per_head=points.kv_heads[rows] / points.heads[rows],
            )  # fmt: skip
            forward = fused_alone_s(shape, law, gpu)
            back = backward_over_forward(law) * forward
            total[rows] = np.where(direction[rows] != "backward", forward, 0.0)
            total[rows] += np.where(direction[rows] != "forward", back, 0.0)
        return total

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return the FLOPs of the causal half over the peak."""
        scores = points.batch * points.heads * points.seq**2 / 2
        direction = points.text("direction")
        passes = (direction != "backward") + BACKWARD * (direction != "forward")
        flop: Floats = 4 * scores * points.head_dim * passes
        return flop / peak(cluster.gpu.peaks, "bf16")
