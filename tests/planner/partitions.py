"""Small partition problems of whole numbers, so that sums are exact, and the oracle for them."""

from collections.abc import Iterator
from itertools import combinations, pairwise, product

import numpy as np

from plan3d.planner.partition.cost import evaluate
from plan3d.planner.partition.problem import Devices, Host, Layers, Problem


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
            loss_bytes=np.append(np.zeros(stages - 1), float(rng.integers(0, 9))),
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
        yield tuple(b - a for a, b in pairwise(ends))


def nearly_even(sizes: tuple[int, ...]) -> bool:
    mean = sum(sizes) / len(sizes)
    return all(np.floor(mean) - 1 <= size <= np.ceil(mean) + 1 for size in sizes)


def shortest(asked: Problem) -> float:
    """The optimum by looking at everything; infinite where nothing fits.

    Chunks that share a device are within a layer of the even split.

    All choices of options are the rows of a table; the formulas are written out anew.
    """
    layers, devices, host = asked.layers, asked.devices, asked.host
    count = len(layers)
    choice = np.array(list(product(range(len(layers.options)), repeat=count)))
    rows = np.arange(count)
    best = np.inf
    for sizes in splits(count, len(asked.device_of)):
        if asked.chunks_per_device > 1 and not nearly_even(sizes):
            continue
        time_s = np.tile(devices.extra_s, (len(choice), 1))
        memory = np.tile(devices.fixed_bytes, (len(choice), 1))
        largest = np.tile(devices.loss_bytes, (len(choice), 1))
        used = np.zeros_like(memory)
        start = 0
        for device, size in zip(asked.device_of, sizes, strict=True):
            mine = slice(start, start + size)
            of = choice[:, mine]
            flying = devices.in_flight[device]
            each_s = layers.forward_s[mine] + layers.backward_s[rows[mine], of]
            time_s[:, device] += each_s.sum(1) + asked.cut_s[start] + asked.cut_s[start + size]
            memory[:, device] += layers.state_bytes[mine].sum()
            memory[:, device] += flying * layers.kept_bytes[rows[mine], of].sum(1)
            used[:, device] += flying * layers.host_bytes[rows[mine], of].sum(1)
            working = layers.working_bytes[rows[mine], of].max(1)
            largest[:, device] = np.maximum(largest[:, device], working)
            start += size
        fits = (memory + largest <= devices.capacity_bytes).all(1)
        for node in range(0 if host is None else len(host.capacity_bytes)):
            assert host is not None
            fits &= used[:, host.node == node].sum(1) <= host.capacity_bytes[node]
        chunks = asked.chunks_per_device
        step = (asked.micro_batches - 1 / chunks) * time_s.max(1) + time_s.sum(1) / chunks
        best = min(best, float(np.min(step[fits], initial=np.inf)))
    return best + asked.fixed_s


def shortest_by_setting(asked: Problem, most_kinds: int | None) -> float:
    """The optimum with a setting per stage, and few kinds of stages; None: one setting for all."""
    size_limit = len(asked.layers)
    rules = [(0, 0)] + [(r, size_limit) for r in range(1, len(asked.layers.options))]
    rules += [(2, n) for n in range(1, size_limit)]
    chunks = len(asked.device_of)
    best = np.inf
    for sizes in splits(len(asked.layers), chunks):
        for picked in (
            product(rules, repeat=chunks) if most_kinds else ((r,) * chunks for r in rules)
        ):
            kinds = {(n, rule) for n, rule in zip(sizes, picked, strict=True)}
            if most_kinds is not None and len(kinds) > most_kinds:
                continue
            choice = [
                option if i < count else 0
                for n, (option, count) in zip(sizes, picked, strict=True)
                for i in range(n)
            ]
            found = evaluate(asked, sizes, choice)
            if found.fits:
                best = min(best, found.step_time_s)
    return best


def large(*, layers: int, stages: int, noise: float = 0.0, heavy: int = 0) -> Problem:
    """A problem of a real model's size: every `heavy`-th layer heavier, or all different."""
    rng = np.random.default_rng(0)
    weight = 1 + noise * rng.uniform(-1, 1, layers)
    if heavy:
        weight[::heavy] *= 1.3
    none = np.zeros(layers)
    extra, fixed = np.zeros(stages), np.zeros(stages)
    extra[[0, -1]], fixed[[0, -1]] = (0.3, 1.5), (2, 4)
    return Problem(
        layers=Layers(
            options=("none", "selective", "full"),
            forward_s=weight,
            backward_s=np.outer(weight, [2, 2.08, 3]),
            state_bytes=4 * weight,
            kept_bytes=np.outer(weight, [1, 0.7, 0.06]),
            working_bytes=np.stack([none, none, weight], axis=1),
            host_bytes=np.zeros((layers, 3)),
        ),
        devices=Devices(
            extra_s=extra,
            fixed_bytes=fixed,
            in_flight=np.arange(stages, 0, -1.0),
            capacity_bytes=np.full(stages, 4.0 * layers / stages + 0.45 * layers + 4),
            loss_bytes=np.zeros(stages),
        ),
        device_of=np.arange(stages),
        micro_batches=4.0 * stages,
        cut_s=np.zeros(layers + 1),
        fixed_s=0.0,
    )
