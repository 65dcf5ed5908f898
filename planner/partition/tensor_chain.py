r"""Which matrices of a chain y = W_k ... W_1 x to cut by rows, and which by columns.

The smallest of the partition problems of tensor parallelism: each cut is one choice, and what a
matrix sends depends on its own cut and the next one's (`simulator.textbook_traffic.chain_bytes`).
K. Yuan, "Distributed Optimization in LLMs", lecture, Peking University, 2024, part 5, cuts
W3 W2 W1 in two ways (`TEXTBOOK`) and leaves the choice as a search problem: solved here, by
dynamic programming and as an integer program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from plan3d.simulator.errors import InputError
from plan3d.simulator.textbook_traffic import Split, chain_bytes

CUTS: Final[tuple[Split, ...]] = ("row", "column")

TEXTBOOK: Final[Mapping[str, tuple[Split, ...]]] = {
    "partition 1": ("row", "column", "column"),
    "partition 2": ("row", "row", "column"),
}
"""The lecture's two partitions of W3 W2 W1, W1 first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A way to cut the matrices of a chain, W_1 first."""

    splits: tuple[Split, ...]
    sent_bytes: float
    """What one rank sends. [bytes]"""


def chain_dp(widths_bytes: Sequence[float], ranks: float) -> Chain:
    r"""Return the chain that sends least, matrix by matrix.

    .. math:: B_i(b) = \min_a B_{i-1}(a) + e_{i-1}(a, b), \qquad B_1 = 0

    with e what W_{i-1} cut by a sends to W_i cut by b: 4 k steps for k matrices.

    Parameters
    ----------
    widths_bytes
        Output of each matrix, in bytes.
    ranks
        Tensor parallelism.
    """
    best: dict[Split, tuple[float, tuple[Split, ...]]] = {cut: (0.0, (cut,)) for cut in CUTS}
    for size in _checked(widths_bytes)[:-1]:
        best = {
            cut: min(
                (sent + _sent_bytes(before, cut, size, ranks), (*way, cut))
                for before, (sent, way) in best.items()
            )
            for cut in CUTS
        }
    ends = [
        (sent + _sent_bytes(cut, "row", widths_bytes[-1], ranks), way)
        for cut, (sent, way) in best.items()
    ]
    return costed(min(ends)[1], widths_bytes, ranks)


def chain_ilp(widths_bytes: Sequence[float], ranks: float) -> Chain:
    r"""Return the chain that sends least, as a flow through its cuts.

    .. math::
       \min \sum_i \sum_{a, b} e_i(a, b)\, x_{iab}, \qquad
       \sum_b x_{iab} = \sum_{a'} x_{i-1,a'a} \quad \forall i, a

    Parameters are those of `chain_dp`.
    """
    import pulp  # type: ignore[import-untyped]  # noqa: PLC0415  # 0.1 s

    from plan3d.planner.partition.program import solver_within  # noqa: PLC0415

    count = len(_checked(widths_bytes))
    program = pulp.LpProblem("chain", pulp.LpMinimize)
    arcs = [
        (i, a, b) for i, a, b in product(range(count), CUTS, CUTS) if i < count - 1 or b == "row"
    ]
    use = {arc: program.add_variable("_".join(map(str, arc)), cat=pulp.LpBinary) for arc in arcs}
    largest = max(widths_bytes)
    program += pulp.lpSum(
        _sent_bytes(a, b, widths_bytes[i] / largest, ranks) * use[i, a, b] for i, a, b in arcs
    )
    program += pulp.lpSum(use[arc] for arc in arcs if arc[0] == 0) == 1
    for i, cut in product(range(1, count), CUTS):
        into = [use[arc] for arc in arcs if arc[0] == i - 1 and arc[2] == cut]
        program += pulp.lpSum(into) == pulp.lpSum(use[arc] for arc in arcs if arc[:2] == (i, cut))
    program.solve(solver_within(10.0))
    way = tuple(arc[1] for arc in sorted(arcs) if (use[arc].value() or 0) > 0.5)
    return costed(way, widths_bytes, ranks)


def textbook_chains(widths_bytes: Sequence[float], ranks: float) -> dict[str, Chain]:
    """Return the lecture's two partitions of three matrices, with what each sends."""
    if len(_checked(widths_bytes)) != 3:
        raise InputError(f"the textbook's chain has 3 matrices, not {len(widths_bytes)}")
    return {name: costed(way, widths_bytes, ranks) for name, way in TEXTBOOK.items()}


def costed(splits: tuple[Split, ...], widths_bytes: Sequence[float], ranks: float) -> Chain:
    """Return a way to cut with what it sends."""
    sent_bytes = float(chain_bytes(splits, list(widths_bytes), ranks))
    return Chain(splits=splits, sent_bytes=sent_bytes)


def _sent_bytes(cut: Split, following: Split, size_bytes: float, ranks: float) -> float:
    """Return what one matrix sends to the next: the chain of two less that of the second."""
    both = chain_bytes((cut, following), (size_bytes, 0.0), ranks)
    return float(both)


def _checked(widths_bytes: Sequence[float]) -> Sequence[float]:
    if not widths_bytes or min(widths_bytes) <= 0:
        raise InputError(
            f"the outputs of the matrices are {list(widths_bytes)} bytes; give one size above 0 "
            "for each matrix"
        )
    return widths_bytes
