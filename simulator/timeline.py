"""What came of a schedule: times, why ranks idle, and what they keep."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.schedules.program import Kind, Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waits:
    """Times of the operations, shape (operations,) or (operations, n)."""

    start_s: Floats
    end_s: Floats
    producer_s: Floats
    """Idle on the rank before it, until all inputs are computed."""
    transfer_s: Floats
    """Idle after that, until they have arrived."""

    def sorted(self, order: Ints) -> "Waits":
        """Return the rows where `order` says that they belong."""
        place = np.argsort(order)
        return Waits(
            start_s=self.start_s[place],
            end_s=self.end_s[place],
            producer_s=self.producer_s[place],
            transfer_s=self.transfer_s[place],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """When everything runs. Columns of n cases have one more axis, the last, of shape (n,)."""

    program: Program
    start_s: Floats
    """Shape (operations,), in the order of the program; so is `end_s`."""
    end_s: Floats
    makespan_s: Floats
    """Until the last rank is done, shape ()."""
    span_s: Floats
    """From a rank's first operation to the end of its last, shape (ranks,). The largest is the step
    where ranks start the next one apart, as zero-bubble optimizers let them."""
    warm_up_s: Floats
    """Idle until the input of the first backward pass is computed, shape (ranks,)."""
    cool_down_s: Floats
    """Idle after the last forward pass, shape (ranks,)."""
    imbalance_s: Floats
    """Idle in between, for the work of another rank, shape (ranks,)."""
    transfer_s: Floats
    """Idle while an input was on its way, whenever, shape (ranks,)."""
    peak_activations: Floats
    """Most that a rank keeps at once, in the unit of `StageCosts.activations`, shape (ranks,)."""

    @property
    def idle_s(self) -> Floats:
        """What the ranks are not busy of the makespan, shape (ranks,)."""
        return self.warm_up_s + self.cool_down_s + self.imbalance_s + self.transfer_s

    @classmethod
    def of(cls, program: Program, waits: Waits, columns: dict[str, Floats]) -> "Timeline":
        """Tell apart why ranks wait; `columns` are those of `StageCosts`."""
        first, last = program.first[:-1], program.first[1:] - 1
        makespan = waits.end_s[last].max(axis=0)
        warm, cool = _phases(program)
        start = waits.start_s.copy()
        pairs = np.flatnonzero(program.overlaps)
        start[pairs + 1] = start[pairs]

        def by_rank(which: Floats) -> Floats:
            weight = which.reshape(which.shape + (1,) * (start.ndim - 1))
            return np.add.reduceat(weight * waits.producer_s, first, axis=0)

        return cls(
            program=program,
            start_s=start,
            end_s=waits.end_s,
            makespan_s=makespan,
            span_s=waits.end_s[last] - start[first],
            warm_up_s=by_rank(warm),
            cool_down_s=by_rank(cool) + makespan - waits.end_s[last],
            imbalance_s=by_rank(1.0 - warm - cool),
            transfer_s=np.add.reduceat(waits.transfer_s, first, axis=0),
            peak_activations=_peak(program, columns["activations"], columns["weight_share"]),
        )


def _phases(program: Program) -> tuple[Floats, Floats]:
    """Return 1 for the operations of the warm-up and 0 for others; the same for the cool-down."""
    index, first = np.arange(len(program)), program.first[:-1]
    forward = program.kind == Kind.FORWARD
    begin = np.minimum.reduceat(np.where(forward, len(program), index), first)
    finish = np.maximum.reduceat(np.where(forward, index, -1), first)
    ranks = np.diff(program.first)
    warm = index <= np.repeat(begin, ranks)
    cool = ~warm & (index > np.repeat(finish, ranks))
    return warm.astype(np.float64), cool.astype(np.float64)


def _peak(program: Program, activations: Floats, weight_share: Floats) -> Floats:
    """Return the most that each rank keeps: a forward pass adds, the two backward parts free."""
    step = program.stage % program.depth
    share, kind = weight_share[step], program.kind.reshape((-1,) + (1,) * (activations.ndim - 1))
    freed = np.select(
        [kind == Kind.FORWARD, kind == Kind.BACKWARD_INPUT, kind == Kind.BACKWARD_WEIGHT],
        [-1.0, 1.0 - share, share],
        1.0,
    )
    kept = np.cumsum(-freed * activations[step], axis=0)
    return np.maximum.reduceat(kept, program.first[:-1], axis=0)
