"""An oracle for pipelines: play the order of operations that each stage runs, one by one."""

from collections.abc import Sequence

Operation = tuple[str, int, int]
"""Forward (F) or backward (B), chunk, micro-batch."""


def order(stage: int, p: int, v: int, m: int, *, gpipe: bool = False) -> list[Operation]:
    """What one stage runs: all forwards first, or 1F1B after the warm-up of Megatron-LM.

    Chunks take turns in groups of p micro-batches (Narayanan et al., arXiv:2104.04473, 2.2.2).
    """
    groups = [range(g, min(g + p, m)) for g in range(0, m, p)]
    forward = [("F", c, k) for group in groups for c in range(v) for k in group]
    backward = [("B", c, k) for group in groups for c in reversed(range(v)) for k in group]
    if gpipe:
        return forward + backward
    warm = p - stage - 1 if v == 1 else 2 * (p - stage - 1) + (v - 1) * p
    warm = min(warm, m * v)
    pairs = zip(forward[warm:], backward, strict=False)
    steady = [operation for pair in pairs for operation in pair]
    return forward[:warm] + steady + backward[m * v - warm :]


def most_alive(operations: Sequence[Operation]) -> int:
    """Most chunk passes whose activations are kept at once."""
    alive = most = 0
    for kind, _, _ in operations:
        alive += 1 if kind == "F" else -1
        most = max(most, alive)
    return most


def play(
    forward_s: Sequence[float], backward_s: Sequence[float], m: int, v: int = 1, *,
    gpipe: bool = False,
) -> float:  # fmt: skip
    """Time until the last stage is done. `forward_s` of a stage is cut evenly into v chunks."""
    p = len(forward_s)
    todo = [order(i, p, v, m, gpipe=gpipe)[::-1] for i in range(p)]
    free = [0.0] * p
    ends: dict[tuple[str, int, int], float] = {}
    while any(todo):
        for i in range(p):
            while todo[i]:
                kind, chunk, k = todo[i][-1]
                place = chunk * p + i
                if kind == "F":
                    before = ("F", place - 1, k) if place else None
                else:
                    before = ("B", place + 1, k) if place < p * v - 1 else ("F", place, k)
                if before is not None and before not in ends:
                    break
                start = max(free[i], ends[before] if before else 0.0)
                spent = forward_s[i] if kind == "F" else backward_s[i]
                free[i] = ends[kind, place, k] = start + spent / v
                todo[i].pop()
    return max(free)
