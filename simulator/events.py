"""Pipelines played out: when every operation of a schedule runs, given the costs of the stages."""

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Floats
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.program import Kind, Program
from plan3d.simulator.timeline import Timeline, Waits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageCosts:
    """What a micro-batch costs in each virtual stage.

    Columns have shape (depth,), or (depth, n) for n cases at once; one number stands for all.
    """

    forward_s: Floats | float
    backward_input_s: Floats | float
    """The whole backward pass takes the sum of its two parts. [s]"""
    backward_weight_s: Floats | float
    transfer_s: Floats | float = 0.0
    """From virtual stage s to s + 1 and back, shape (depth - 1,). It delays, but keeps no rank
    busy, and is nothing between two stages of a rank. [s]"""
    activations: Floats | float = 1.0
    """What a forward pass keeps for the backward pass, in any unit."""
    weight_share: Floats | float = 1.0
    """The part of it that is kept until the weight gradients are there. [1]"""
    overlapped: Floats | float = 1.0
    """Time of a forward pass that overlaps with a backward pass, over that of one after the
    other; by the stage of the forward pass. [1]"""

    def columns(self, depth: int) -> dict[str, Floats]:
        """Return every field with a row per virtual stage, shape (depth,) or (depth, n)."""
        given = {f.name: np.asarray(getattr(self, f.name), np.float64) for f in fields(self)}
        tails = set()
        for name, value in given.items():
            rows = depth - 1 if name == "transfer_s" else depth
            if value.ndim and len(value) != rows:
                raise InputError(
                    f"stage costs: {name} has {len(value)} rows, but {depth} virtual stages need"
                    f" {rows}, or one number for all"
                )
            wrong = ~(np.isfinite(value) & (value >= 0))
            if wrong.any():
                raise InputError(f"stage costs: {name} has {value[wrong][0]}, not a number from 0")
            tails.add(value.shape[1:])
        tail = np.broadcast_shapes(*tails)
        edge = np.zeros((1, *tail))  # the last stage has no boundary behind it
        columns = {}
        for name, value in given.items():
            rows = depth - 1 if name == "transfer_s" else depth
            narrow = value.reshape(value.shape + (1,) * (len(tail) + 1 - value.ndim))
            whole = np.broadcast_to(narrow, (rows, *tail))
            columns[name] = np.concatenate([whole, edge]) if rows < depth else whole
        return columns


def play(program: Program, costs: StageCosts) -> Timeline:
    """Return when each operation runs, if it starts once its rank and its input are there.

    See Also
    --------
    play_network : the same, where several costs share a program.
    """
    return play_network(Network.of(program), costs)


def play_network(network: Network, costs: StageCosts) -> Timeline:
    r"""Return when each operation runs.

    .. math:: e_i = \max\bigl(e_{i - 1}, \max_j (e_j + c_{ji})\bigr) + t_i

    with the operation *i - 1* before it on the rank, the inputs *j* and their transfers *c*.
    """
    program, order, awaited = network.program, network.order, network.awaited
    columns = costs.columns(program.depth)
    work = _durations(program, columns)[order]
    tail = (1,) * (work.ndim - 1)
    crosses = network.crosses.reshape(network.crosses.shape + tail)
    lag = np.where(crosses, columns["transfer_s"][network.boundary], 0.0)
    end = np.zeros((len(program) + 1, *work.shape[1:]))
    start = np.empty_like(work)
    for low, high in pairwise(network.waves.tolist()):
        inputs = end[awaited[:, low:high]]
        inputs[1:] += lag[:, low:high]
        np.max(inputs, axis=0, out=start[low:high])
        np.add(start[low:high], work[low:high], out=end[low + 1 : high + 1])
    waits = Waits(
        start_s=start,
        end_s=end[1:],
        producer_s=end[awaited].max(axis=0) - end[awaited[0]],
        transfer_s=start - end[awaited].max(axis=0),
    )
    return Timeline.of(program, waits.sorted(order), columns)


def _durations(program: Program, columns: dict[str, Floats]) -> Floats:
    """Return the time of each operation; the first of two that overlap takes that of both."""
    step = program.stage % program.depth
    inputs, weights = columns["backward_input_s"], columns["backward_weight_s"]
    times = np.empty((4, *inputs.shape))
    times[Kind.FORWARD], times[Kind.BACKWARD] = columns["forward_s"], inputs + weights
    times[Kind.BACKWARD_INPUT], times[Kind.BACKWARD_WEIGHT] = inputs, weights
    lasts = times[program.kind, step]
    pairs = np.flatnonzero(program.overlaps)
    lasts[pairs] = columns["overlapped"][step[pairs]] * (lasts[pairs] + lasts[pairs + 1])
    lasts[pairs + 1] = 0.0
    return lasts
