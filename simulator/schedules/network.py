"""What each operation of a schedule waits for, and an order in which all can be played."""

from dataclasses import dataclass

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Bools, Ints
from plan3d.simulator.schedules.program import Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """The operations of a program in waves: those of a wave wait only for earlier waves.

    It depends on no time, so that one network plays any number of costs.
    """

    program: Program
    order: Ints
    """The operations, wave by wave; shape (operations,)."""
    waves: Ints
    """Wave w is order[waves[w] : waves[w + 1]]."""
    awaited: Ints
    """Places in `order` that each place waits for, plus one; 0 is the start. Shape (3, operations):
    the operation before it on the rank, its own input, and that of the one it overlaps with."""
    boundary: Ints
    """The boundary that the input crosses, s of stage s to s + 1; shape (2, operations)."""
    crosses: Bools
    """Whether the input comes from another rank; shape (2, operations)."""

    @classmethod
    def of(cls, program: Program) -> "Network":
        """Find the waves; a program that gets stuck is refused."""
        before, first = np.arange(-1, len(program) - 1), program.first[:-1]
        before[first] = -1
        source = _inputs(program)
        second = np.full(len(program), -1)
        pairs = np.flatnonzero(program.overlaps)
        second[pairs], source[pairs + 1] = source[pairs + 1], pairs
        order, waves = _waves(program, source, second)
        place = np.empty(len(program) + 1, dtype=np.int64)
        place[order], place[-1] = np.arange(1, len(program) + 1), 0
        own, other = source[order], second[order]
        mine = np.where(other < 0, order, order + 1)
        links = [_link(program, order, own), _link(program, mine, other)]
        return cls(
            program=program,
            order=order,
            waves=waves,
            awaited=place[np.stack([before[order], own, other])],
            boundary=np.stack([boundary for boundary, _ in links]),
            crosses=np.stack([crosses for _, crosses in links]),
        )


def _inputs(program: Program) -> Ints:
    """Return the operation that each takes its input from, or -1 for data."""
    kind, stage, batch = program.kind, program.stage, program.micro_batch
    found = np.full((3, len(program.holder), program.micro_batches), -1)
    phase = np.array([0, 1, 1, 2])[kind]
    found[phase, stage, batch] = np.arange(len(program))
    step = stage % program.depth
    last = step == program.depth - 1
    from_phase = np.where(phase == 1, np.where(last, 0, 1), np.where(phase == 2, 1, 0))
    from_stage = stage + np.select([phase == 0, (phase == 1) & ~last], [-1, 1], 0)
    source: Ints = found[from_phase, from_stage, batch]
    source[(phase == 0) & (step == 0)] = -1
    lost = (source < 0) & ((phase > 0) | (step > 0))
    if lost.any():
        name = program.name(int(np.flatnonzero(lost)[0]))
        raise InputError(f"schedule: the input of {name} is computed by no operation; add it")
    return source


def _waves(program: Program, source: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Return the operations wave by wave, and where the waves start.

    In each wave every rank runs its next operation, if what it waits for is done.
    """
    done = np.zeros(len(program) + 1, dtype=np.bool_)
    done[-1] = True
    after, end = program.first[:-1].copy(), program.first[1:]
    waves, sizes = [], [0]
    busy = np.arange(program.ranks)
    while len(busy):
        next_ = after[busy]
        ready = done[source[next_]] & done[second[next_]]
        run = next_[ready]
        if not len(run):
            names = ", ".join(
                f"rank {r} {program.name(i)}" for r, i in zip(busy, next_, strict=True)
            )
            raise InputError(f"schedule: the ranks wait for one another: stuck before {names}")
        done[run] = True
        waves.append(run)
        sizes.append(len(run))
        after[busy[ready]] += 1
        busy = busy[after[busy] < end[busy]]
    return np.concatenate(waves), np.cumsum(sizes)


def _link(program: Program, operations: Ints, sources: Ints) -> tuple[Ints, Bools]:
    """Return the boundary between each operation and its source, and whether ranks differ."""
    to, by = program.stage[operations], program.stage[sources]
    low = np.minimum(to, by) % program.depth
    boundary = np.minimum(low, max(program.depth - 2, 0))
    differs = program.holder[to] != program.holder[by]
    return boundary, differs & (sources >= 0)
