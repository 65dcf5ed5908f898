"""Shapes of what is bound by memory, links or launches."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from plan3d.hardware_profiles.measure.plan.extent import Extent
from plan3d.hardware_profiles.measure.plan.sizes import ADAM_BYTES, MEMORY_OPS, moved_bytes
from plan3d.hardware_profiles.points.point import Shape
from plan3d.simulator.model import ModelSpec

COLLECTIVES: Final = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
FEWEST_ROWS: Final = 16
"""Fewer rows of a memory-bound kernel would be another kernel than the one of training."""


def memory_bound(models: Iterable[ModelSpec], dtype: str, extent: Extent) -> list[Shape]:
    """Return kernels that wait for memory, with as many rows as reach each size."""
    found: dict[Shape, None] = {}
    for model, (op, direction) in itertools.product(models, MEMORY_OPS):
        width = {
            "gelu": model.ffn,
            "swiglu": model.ffn,
            "softmax": extent.longest_seq,
            "rotary": model.heads * model.head_dim,
            "cross_entropy": model.vocab,
        }.get(op, model.hidden)
        n = min(width, extent.widest)
        for size in extent.moved_bytes:
            m = size // moved_bytes(op, direction, 1, n, dtype)
            if m >= FEWEST_ROWS:
                moved = moved_bytes(op, direction, m, n, dtype)
                shape = Shape(
                    kind="memory", op=op, dtype=dtype, direction=direction, m=m, n=n,
                    size_bytes=moved,
                )  # fmt: skip
                found[shape] = None
    return list(found)


def optimizers(extent: Extent) -> list[Shape]:
    """Return Adam steps over fp32 parameters, largest last."""
    return [
        Shape(kind="optimizer", op="adam", dtype="fp32", n=n, size_bytes=n * ADAM_BYTES)
        for n in extent.parameters
    ]


def copies(device: str, extent: Extent) -> list[Shape]:
    """Return copies on the device (which read and write) and over the host link."""
    ops = ("device", "host_to_device", "device_to_host") if device == "cuda" else ("device",)
    return [
        Shape(kind="copy", op=op, size_bytes=size)
        for size, op in itertools.product(extent.moved_bytes, ops)
    ]


def floors(extent: Extent) -> list[Shape]:
    """Return the fixed cost of a kernel, on the device and on the host."""
    return [
        Shape(kind="floor", op=op, dtype="fp32", n=n)
        for n, op in itertools.product(extent.launches, ("launch", "dispatch"))
    ]


def sustained(dtype: str, extent: Extent) -> list[Shape]:
    """Return one load, looked at several times."""
    side = extent.load
    return [
        Shape(kind="sustained", op="gemm", dtype=dtype, m=side, n=side, k=side, elapsed_s=elapsed)
        for elapsed in extent.elapsed_s
    ]


def collectives(dtype: str, ranks: int, nodes: int, extent: Extent) -> list[Shape]:
    """Return collectives of groups of 2, 4, 8 ... neighbours, and sends inside and across nodes."""
    local = max(1, ranks // nodes)
    groups = [g for g in (2**i for i in range(1, 21)) if g <= ranks and ranks % g == 0]
    if ranks > 1 and ranks not in groups:
        groups.append(ranks)
    whole = [g for g in groups if local % g == 0 or g % local == 0]  # else nodes differ
    found = [
        Shape(kind="collective", op=op, dtype=dtype, size_bytes=size, ranks=g,
              nodes=max(1, g // local))
        for size, op, g in itertools.product(extent.message_bytes, COLLECTIVES, whole)
    ]  # fmt: skip
    inside = [1] if local > 1 and local % 2 == 0 else []
    across = [2] if nodes > 1 and nodes % 2 == 0 else []
    between = [2 * size for size in extent.message_bytes]  # a law of its own needs more points
    return found + [
        Shape(kind="collective", op="send_recv", dtype=dtype, size_bytes=size, ranks=2, nodes=n)
        for size, n in itertools.product((*extent.message_bytes, *between), inside + across)
    ]


def contentions(gemms: Sequence[Shape], ranks: int, nodes: int, extent: Extent) -> list[Shape]:
    """Return matrix products beside an all-reduce of all ranks, of which `gemms` has them alone."""
    if ranks == 1:
        return []
    beside = [shape for shape in gemms if shape.op == "forward"][:4]
    return [
        Shape(kind="contention", op="all_reduce", dtype=s.dtype, m=s.m, n=s.n, k=s.k,
              size_bytes=size, ranks=ranks, nodes=nodes)
        for s, size in itertools.product(beside, extent.beside_bytes)
    ]  # fmt: skip
