"""The order in which shapes are worth measuring: each as far as can be from those before it.

A list so ordered can be cut anywhere, and what is left covers its space as evenly as its length
allows: this is Gonzalez' farthest-first traversal, within a factor of two of the best cover.

References
----------
.. [1] T. Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical
   Computer Science 38, 1985. doi:10.1016/0304-3975(85)90224-5
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from plan3d.hardware_profiles.points.point import Shape

APART = 3.0
"""Distance of two shapes that differ only in a name: as if one size were eight times larger."""
_SIZES = (
    "m", "n", "k", "batch", "heads", "kv_heads", "seq", "head_dim", "size_bytes", "ranks", "nodes",
)  # fmt: skip
_NAMES: tuple[Callable[[Shape], object], ...] = (
    lambda s: s.op, lambda s: s.direction, lambda s: s.causal, lambda s: s.dtype
)  # fmt: skip


def farthest_first(shapes: Sequence[Shape], limit: int) -> list[Shape]:
    """Return up to `limit` of the shapes: the middle one, then each the farthest from all before.

    Distances are between the logarithms (base 2) of the sizes; another operation, direction,
    mask or type counts as `APART`.
    """
    if not shapes:
        return []
    place = _places(shapes)
    first = int(np.argmin(((place - place.mean(axis=0)) ** 2).sum(axis=1)))
    order, nearest = [first], np.full(len(shapes), np.inf)
    while len(order) < min(limit, len(shapes)):
        nearest = np.minimum(nearest, ((place - place[order[-1]]) ** 2).sum(axis=1))
        nearest[order[-1]] = -1.0
        order.append(int(np.argmax(nearest)))
    return [shapes[i] for i in order]


def _places(shapes: Sequence[Shape]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    columns = [[math.log2(max(getattr(s, name), 1)) for s in shapes] for name in _SIZES]
    for name in _NAMES:
        for value in {name(s): None for s in shapes}:
            columns.append([APART / math.sqrt(2) * (name(s) == value) for s in shapes])
    return np.array(columns, dtype=np.float64).T


def in_turns(streams: Mapping[str, Sequence[Shape]], turns: Mapping[str, int]) -> Iterator[Shape]:
    """Take from each stream as many as its turn has, again and again, until all are empty."""
    taken = dict.fromkeys(streams, 0)
    while any(taken[name] < len(stream) for name, stream in streams.items()):
        for name, stream in streams.items():
            yield from stream[taken[name] : taken[name] + turns[name]]
            taken[name] += turns[name]
