"""Points that follow a law exactly, or with noise: what a fit must find again."""

from collections.abc import Mapping, Sequence

import numpy as np

from plan3d import hardware_profiles
from plan3d.hardware_profiles.fit.law import Columns, Law
from plan3d.hardware_profiles.points import Point, Shape
from plan3d.simulator.hardware import Cluster

H100: Cluster = hardware_profiles.load("dgx-h100")
A100: Cluster = hardware_profiles.load("dgx-a100-80g")


def times(
    law: Law, shapes: Sequence[Shape], values: Mapping[str, float], noise: float = 0.0,
    cluster: Cluster = H100, site: str = "here",
) -> list[Point]:  # fmt: skip
    """Return one point for each shape, by a law with some constants, in SI."""
    blank = Columns([Point(shape=shape, time_s=1.0) for shape in shapes])
    exact = law.predict(cluster, values, blank)
    wobble = np.exp(noise * np.random.default_rng(1).standard_normal(len(shapes)))
    return [
        Point(shape=shape, time_s=float(t), gpu="h100-80g-sxm", site=site)
        for shape, t in zip(shapes, exact * wobble, strict=True)
    ]


def gemms(count: int = 120, seed: int = 0) -> list[Shape]:
    """Return matrix products of 64 to 32,768 rows and columns."""
    sizes = 2 ** np.random.default_rng(seed).uniform(6, 15, (count, 3))
    return [
        Shape(kind="gemm", op=("forward", "dgrad", "wgrad")[i % 3], m=int(m), n=int(n), k=int(k))
        for i, (m, n, k) in enumerate(sizes)
    ]


def attentions(kernel: str, count: int = 150) -> list[Shape]:
    """Return causal attention of two head widths, grouped and not, forward and backward."""
    random = np.random.default_rng(2)
    shapes = []
    for i in range(count):
        heads = int(2 ** random.integers(1, 6))
        shapes.append(
            Shape(
                kind="attention", op=kernel, direction=("forward", "backward", "both")[i % 3],
                batch=int(2 ** random.integers(0, 6)), heads=heads,
                kv_heads=max(heads // int(2 ** random.integers(0, 4)), 1),
                seq=int(2 ** random.integers(8, 15)), head_dim=(64, 128)[i % 2], causal=1,
            )
        )  # fmt: skip
    return shapes


def collectives(nodes: int = 1) -> list[Shape]:
    """Return every operation on 2 to 8 ranks of each node, 1 kB to 1 GB."""
    return [
        Shape(kind="collective", op=op, dtype="", size_bytes=2**size, ranks=ranks * nodes,
              nodes=nodes)
        for op in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
        for ranks in (2, 4, 8)
        for size in range(10, 31, 2)
    ]  # fmt: skip
