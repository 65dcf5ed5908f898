"""Small partition problems of whole numbers, so that sums are exact, and the oracle for them."""

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from plan3d.planner.partition import Assignment, Devices, Host, Layers, Problem, evaluate


def problem(
    seed: int,
    *,
    layers: int = 6,
    stages: int = 3,
    chunks: int = 1,
    kinds: int = 6,
    working: bool = True,
    host: bool = False,
) -> Problem:
    """A random problem: `kinds` kinds of layers, memory about as large as is needed."""
    rng = np.random.default_rng(seed)
    forward = rng.integers(4, 9, kinds)
    kept = rng.integers(6, 12, kinds)
    kind = rng.integers(0, kinds, layers)
    # Keep all, keep some for a little time, keep little for a forward pass more.
    times = np.stack([2 * forward, 2 * forward + 1, 3 * forward], axis=1)
    bytes_ = np.stack([kept, kept - rng.integers(1, 4, kinds), rng.integers(1, 4, kinds)], axis=1)
    sets = np.stack([0 * kept, rng.integers(0, 3, kinds), kept], axis=1) * working
    hosts = np.stack([0 * kept, rng.integers(0, 4, kinds), 0 * kept], axis=1) * host
    per = layers / stages
    flying = np.arange(stages, 0, -1.0)
    capacity = per * (3 + flying * rng.uniform(3, 10)) + 8
    order = np.tile(np.arange(stages), chunks)
    if chunks == 2 and rng.random() < 0.5:  # V-shaped
        order = np.concatenate([np.arange(stages), np.arange(stages)[::-1]])
    return Problem(
        layers=Layers(
            options=("none", "selective", "full"),
            forward_s=forward[kind].astype(float),
            backward_s=times[kind].astype(float),
            state_bytes=rng.integers(1, 5, kinds)[kind].astype(float),
            kept_bytes=bytes_[kind].astype(float),
            working_bytes=sets[kind].astype(float),
            host_bytes=hosts[kind].astype(float),
        ),
        devices=Devices(
            extra_s=rng.integers(0, 6, stages).astype(float),
            fixed_bytes=rng.integers(0, 4, stages).astype(float),
            in_flight=flying,
            capacity_bytes=np.floor(capacity),
        ),
        device_of=order,
        micro_batches=float(rng.integers(1, 12)),
        cut_s=np.concatenate([[0], rng.integers(0, 3, layers - 1), [0]]).astype(float),
        fixed_s=float(rng.integers(0, 20)),
        host=Host(node=np.arange(stages) // 2, capacity_bytes=np.full((stages + 1) // 2, 9.0))
        if host
        else None,
    )


def splits(layers: int, chunks: int) -> Iterator[tuple[int, ...]]:
    """Every way to cut layers into chunks."""
    for cuts in combinations(range(1, layers), chunks - 1):
        ends = (0, *cuts, layers)
        yield tuple(b - a for a, b in zip(ends, ends[1:], strict=False))


def everything(asked: Problem) -> Iterator[Assignment]:
    """Every assignment that fits."""
    options = range(len(asked.layers.options))
    for sizes in splits(len(asked.layers), len(asked.device_of)):
        for choice in product(options, repeat=len(asked.layers)):
            found = evaluate(asked, sizes, choice)
            if found.fits:
                yield found


def shortest(asked: Problem) -> float:
    """The optimum by looking at everything; infinite where nothing fits."""
    return min((found.step_time_s for found in everything(asked)), default=np.inf)
