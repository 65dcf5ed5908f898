"""Which shapes to measure, the most valuable first: cut the list anywhere and fit what is left."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from plan3d.hardware_profiles.measure.plan.attentions import KERNELS, attentions
from plan3d.hardware_profiles.measure.plan.extent import FULL, SMALL, Extent
from plan3d.hardware_profiles.measure.plan.linears import products
from plan3d.hardware_profiles.measure.plan.others import (
    collectives,
    contentions,
    copies,
    floors,
    memory_bound,
    optimizers,
    sustained,
)
from plan3d.hardware_profiles.measure.plan.sizes import WIDTH, held_bytes
from plan3d.hardware_profiles.measure.plan.spread import farthest_first, in_turns
from plan3d.hardware_profiles.points.point import Shape
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.model import ModelSpec

TURNS: Final = {
    "gemm": 4, "other gemm": 1, "attention": 3, "other attention": 1, "memory": 2,
    "optimizer": 1, "copy": 1, "floor": 1, "collective": 2, "contention": 1,
}  # fmt: skip
"""Shapes that each kind has in one turn: by its share of a training step."""
TRAINED: Final = ("flash", "cudnn")
"""Kernels that training runs, with a causal mask: what a profile has constants for."""
BEFORE_LOAD: Final = 48
"""The sustained load, half a minute on its own, comes after so many shapes: three turns."""
USABLE: Final = 0.85
"""Fraction of the memory that a measurement may hold."""


def shapes(
    models: Sequence[ModelSpec],
    *,
    device: str,
    dtypes: Sequence[str],
    seq: int = 4096,
    memory_bytes: float = 80e9,
    ranks: int = 1,
    nodes: int = 1,
    small: bool = False,
) -> list[Shape]:
    """Return the shapes to measure, each once, in the order of what they are worth.

    The kinds take turns (`TURNS`); inside a kind each shape is as far as can be from those before
    it (`spread`).

    Parameters
    ----------
    models
        Whose linear layers, heads and vocabularies are run.
    device
        ``cuda`` or ``cpu``.
    dtypes
        Types of matrix products, the most important first; all else is run in the first 16-bit
        one of them.
    seq
        Sequence of the matrix products; clamped to 2,048 ... 8,192. [tokens]
    memory_bytes
        Of the device; shapes that would not fit are left out. [bytes]
    ranks
        Processes of the run; collectives are for more than one. [1]
    nodes
        That they are spread over evenly. [1]
    small
        Tiny sizes of every kind: a test of the harness, not a calibration.
    """
    _refuse(models, device, dtypes, ranks, nodes)
    extent = SMALL if small else FULL
    streams = _streams(models, device, dtypes, seq, (ranks, nodes), extent)
    room = USABLE * memory_bytes
    fitting = {
        name: [shape for shape in stream if held_bytes(shape) <= room]
        for name, stream in streams.items()
    }
    order = list(in_turns(fitting, TURNS))
    load = [shape for shape in sustained(dtypes[0], extent) if held_bytes(shape) <= room]
    return order[:BEFORE_LOAD] + load + order[BEFORE_LOAD:]


def _streams(
    models: Sequence[ModelSpec],
    device: str,
    dtypes: Sequence[str],
    seq: int,
    world: tuple[int, int],
    extent: Extent,
) -> dict[str, list[Shape]]:
    most_gemms, most_attentions, most_memory = extent.limits
    first, *others = [
        farthest_first(products(models, dtype, seq, extent), most_gemms) for dtype in dtypes
    ]
    half = next((dtype for dtype in dtypes if WIDTH[dtype] == 2), "fp16")
    kernels = {
        kernel: farthest_first(attentions(models, kernel, half, extent), most_attentions)
        for kernel in KERNELS[device]
    }
    trained = [
        [shape for shape in found if shape.causal]
        for kernel, found in kernels.items()
        if kernel in TRAINED
    ]
    fitted = {shape for found in trained for shape in found}
    others_too = [[s for s in found if s not in fitted] for found in kernels.values()]
    ranks, nodes = world
    messages = collectives(half, ranks, nodes, extent)
    return {
        "gemm": first,
        "other gemm": list(_alternate(others)),
        "attention": list(_alternate(trained)),
        "other attention": list(_alternate(others_too)),
        "memory": farthest_first(memory_bound(models, half, extent), most_memory),
        "optimizer": optimizers(extent),
        "copy": copies(device, extent),
        "floor": floors(extent),
        "collective": farthest_first(messages, len(messages)),
        "contention": contentions(first, ranks, nodes, extent),
    }


def _alternate(streams: Sequence[Sequence[Shape]]) -> Iterator[Shape]:
    for row in itertools.zip_longest(*streams):
        yield from (shape for shape in row if shape is not None)


def _refuse(
    models: Sequence[ModelSpec], device: str, dtypes: Sequence[str], ranks: int, nodes: int
) -> None:
    if not models:
        raise InputError("no models whose shapes to measure; name one or more")
    if device not in KERNELS:
        raise unknown("device", device, KERNELS)
    if not dtypes:
        raise InputError(f"no types of matrix products; there are {', '.join(WIDTH)}")
    for dtype in dtypes:
        if dtype not in WIDTH:
            raise unknown("type of matrix products", dtype, WIDTH)
    if not 1 <= nodes <= ranks or ranks % nodes:
        raise InputError(f"{ranks} ranks do not spread evenly over {nodes} nodes")
