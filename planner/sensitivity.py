"""What one more, and one less, of each axis does to a layout: the slopes around a plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from plan3d.planner import frameworks
from plan3d.planner.choices import divisors
from plan3d.planner.evaluator import Evaluator, Player, evaluator_of
from plan3d.planner.moves import Move, moves
from plan3d.planner.refine import replayed
from plan3d.planner.result import Job
from plan3d.simulator.layout import Layout, LayoutTable, Recompute
from plan3d.simulator.numeric import Floats
from plan3d.simulator.result import Estimate, EstimateTable

REACH: Final = 4
"""Values of an axis that are tried in each direction: the first that is legal is taken. [1]"""

RECOMPUTE: Final = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)
"""From the least recomputation to the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One axis a step up or down, the others following as little as they must."""

    axis: str
    before: float
    after: float
    layout: Layout | None
    """The layout that comes of it."""
    estimate: Estimate | None
    time_s: Mapping[str, float]
    """Change of each term of `StepTime` [s]: they add up to the change of the step."""
    memory_bytes: Mapping[str, float]
    """Change of each term of `Memory` [bytes]."""
    refused: str
    """Why there is no such layout; empty where there is one."""

    @property
    def step_time_s(self) -> float:
        """Change of the step: below 0 is faster [s]."""
        return sum(self.time_s.values())

    @property
    def gain(self) -> float | None:
        """Throughput over that before the change, less 1 [1]."""
        if self.estimate is None:
            return None
        return -self.step_time_s / self.estimate.step_time_s

    @property
    def peak_bytes(self) -> float:
        """Change of the peak memory [bytes]."""
        return sum(self.memory_bytes.values())


def neighbours(
    job: Job,
    layout: Layout,
    *,
    framework: str = frameworks.DEFAULT,
    evaluator: Evaluator | None = None,
    player: Player | None = None,
) -> tuple[Change, ...]:
    """Return what the next larger and the next smaller value of each axis does.

    dp follows from the GPUs, and what else must (`plan3d.planner.moves`). Layouts that do not fit
    are estimated, too: `Estimate.fits` says so.

    Parameters
    ----------
    job
        The question.
    layout
        Where to start.
    framework
        Only layouts that it can run.
    evaluator, player
        As for `plan3d.planner.exhaustive.search`.
    """
    steps = [
        (axis, values[chosen])
        for axis, values in _axes(job, layout).items()
        for chosen in (values < getattr(layout, axis), values > getattr(layout, axis))
    ]
    wishes = [(axis, value) for axis, values in steps for value in _nearest(layout, axis, values)]
    found = moves(
        job, frameworks.named(framework), layout, [{axis: value} for axis, value in wishes]
    )
    told = dict(zip(wishes, found, strict=True))
    chosen = [
        _first(told[axis, value] for value in _nearest(layout, axis, values))
        for axis, values in steps
        if len(values)
    ]
    evaluate = evaluator or evaluator_of(job)
    play = player or (partial(replayed, job) if evaluator is None else None)
    return tuple(_changes(layout, chosen, evaluate, play))


def _axes(job: Job, layout: Layout) -> dict[str, Floats]:
    """Return the axes with a more and a less, and the values that each can have."""
    parts = divisors(job.gpus)
    experts = job.model.experts
    return {
        "tp": parts[parts <= job.cluster.gpus_per_node],
        "pp": parts[parts <= job.model.layers],
        "cp": parts,
        "ep": divisors(experts.count if experts else 1),
        "vpp": np.union1d(divisors(job.model.layers), divisors(job.model.layers + 2)),
        "micro_batch": divisors(job.work.global_batch),
        "zero": np.arange(4.0),
        "sp": np.arange(2.0),
        "recompute": np.array(RECOMPUTE, dtype=np.float64),
    } | ({"etp": np.unique([1.0, layout.etp, layout.tp])} if experts else {})


def _nearest(layout: Layout, axis: str, values: Floats) -> list[float]:
    """Return the nearest values on one side of the layout's own, the nearest first."""
    far = np.abs(values - getattr(layout, axis))
    return [float(value) for value in values[np.argsort(far, kind="stable")][:REACH]]


def _first(found: Iterator[Move]) -> Move:
    """Return the first that is legal, or else the first."""
    every = list(found)
    return next((move for move in every if move.layout), every[0])


def _changes(
    layout: Layout, found: list[Move], evaluate: Evaluator, play: Player | None
) -> Iterator[Change]:
    """Yield the changes: all layouts are estimated in one table."""
    table = LayoutTable.of([layout, *(move.layout for move in found if move.layout)])
    estimates = evaluate(table)
    if play is not None:
        estimates = play(table, estimates)
    row = 0
    for move in found:
        ((axis, after),) = move.wish.items()
        row += move.layout is not None
        yield Change(
            axis=axis,
            before=float(getattr(layout, axis)),
            after=after,
            layout=move.layout,
            estimate=estimates.row(row) if move.layout else None,
            time_s=_difference(estimates.time, EstimateTable.TIME, row) if move.layout else {},
            memory_bytes=(
                _difference(estimates.memory, EstimateTable.MEMORY, row) if move.layout else {}
            ),
            refused=move.refused,
        )


def _difference(columns: dict[str, Floats], names: tuple[str, ...], row: int) -> dict[str, float]:
    """Return each term of a row less that of the first."""
    return {name: float(columns[name][row] - columns[name][0]) for name in names}
