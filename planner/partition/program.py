r"""The integer program of `ilp`, in PuLP: HiGHS solves it, or else CBC.

`ilp` imports this only to solve: PuLP takes 0.1 s, and may be missing.

Times are scaled by the mean device, memory by the capacity: the rows are of order one.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pulp  # type: ignore[import-untyped]

from plan3d.planner.partition.columns import Columns
from plan3d.planner.partition.problem import Coupling, Problem
from plan3d.simulator.numeric import Ints

GAP = 1e-9
"""Relative gap at which a solver may call an answer optimal. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What the solver says."""

    rows: Ints | None
    """Columns that are chosen, by chunk; None if there is no answer."""
    optimal: bool
    """Proven by the solver: `sol_status`, not the status, which is the same at a time limit."""
    infeasible: bool
    bound_s: float
    """No answer is below this, fixed part aside. [s]"""
    solver: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Columns, and the rows that join them."""

    problem: Problem
    columns: Columns
    alike: bool
    """Columns stand for windows that start anywhere: column form; otherwise path form."""
    coupling: Coupling
    least_s: float
    """A lower bound of the objective, fixed part aside. [s]"""
    mean_s: float
    """A lower bound of the slowest device. [s]"""

    def run(self, time_limit_s: float) -> Outcome:
        """Build the program and solve it."""
        program = pulp.LpProblem("partition", pulp.LpMinimize)
        use = [program.add_variable(f"u{i}", cat=pulp.LpBinary) for i in range(len(self.columns))]
        slowest = program.add_variable("T", lowBound=self.mean_s / self._scale_s)
        time = (self.columns.time_s / self._scale_s).tolist()
        weights = self.problem.bottleneck_weight, self.problem.sum_weight
        value = weights[0] * slowest + _dot(use, [weights[1] * t for t in time])
        program += value
        if self.least_s > 0:
            program += value >= self.least_s / self._scale_s * (1 - GAP)
        for rows in _groups(self.problem.device_of[self.columns.chunk]).values():
            program += slowest >= _dot(use, time, rows)
        self._shape(program, use)
        self._memory(program, use)
        self._coupled(program, use)
        return self._solved(program, use, time_limit_s)

    @property
    def _scale_s(self) -> float:
        return self.mean_s or 1.0

    def _shape(self, program: pulp.LpProblem, use: list[Any]) -> None:
        """Each chunk has one window, and the windows make up the chain."""
        columns, layers = self.columns, len(self.problem.layers)
        chunks = len(self.problem.device_of)
        if self.alike:
            for rows in _groups(columns.chunk).values():
                program += _dot(use, None, rows) == 1
            program += _dot(use, columns.size.tolist()) == layers
            return
        stop = columns.start + columns.size
        into = _groups(map(tuple, np.stack([columns.chunk + 1, stop], axis=1).tolist()))
        out = _groups(map(tuple, np.stack([columns.chunk, columns.start], axis=1).tolist()))
        program += _dot(use, None, out.get((0, 0), [])) == 1
        for node in sorted({*into, *out} - {(0, 0), (chunks, layers)}):
            program += _dot(use, None, into.get(node, [])) == _dot(use, None, out.get(node, []))

    def _memory(self, program: pulp.LpProblem, use: list[Any]) -> None:
        """Several chunks share their device's memory, devices their node's host memory."""
        problem, columns = self.problem, self.columns
        owner, devices = problem.device_of[columns.chunk], problem.devices
        if problem.chunks_per_device > 1:
            for device, rows in _groups(owner).items():
                full = devices.capacity_bytes[device]
                room = float(1 - devices.fixed_bytes[device] / full)
                loss = float(devices.loss_bytes[device] / full)
                largest = program.add_variable(f"w{device}", lowBound=loss)
                program += _dot(use, (columns.held_bytes / full).tolist(), rows) + largest <= room
                working = (columns.working_bytes / full).tolist()
                for mine in _groups(columns.chunk, rows).values():
                    program += _dot(use, working, mine) <= largest
        if problem.host is not None:
            for node, rows in _groups(problem.host.node[owner]).items():
                full = problem.host.capacity_bytes[node] or 1.0
                program += _dot(use, (columns.host_bytes / full).tolist(), rows) <= float(
                    problem.host.capacity_bytes[node] / full
                )

    def _coupled(self, program: pulp.LpProblem, use: list[Any]) -> None:
        """One setting, or few kinds of stages."""
        rule, size = self.columns.rule.tolist(), self.columns.size.tolist()
        if self.coupling.one_recompute:
            self._few(program, use, rule, 1, "q")
        if self.coupling.max_kinds is not None:
            kinds = list(zip(size, rule, strict=True))
            self._few(program, use, kinds, self.coupling.max_kinds, "k")

    def _few(
        self, program: pulp.LpProblem, use: list[Any], keys: list[Any], most: int, name: str
    ) -> None:
        chunk = self.columns.chunk
        which = {
            key: program.add_variable(f"{name}{i}", cat="Binary")
            for i, key in enumerate(sorted(set(keys)))
        }
        program += sum(which.values()) <= most
        for key, rows in _groups(keys).items():
            for mine in _groups(chunk, rows).values():
                program += _dot(use, None, mine) <= which[key]

    def _solved(self, program: pulp.LpProblem, use: list[Any], limit_s: float) -> Outcome:
        solver = solver_within(limit_s)
        program.solve(solver)
        found = program.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible)
        rows = np.flatnonzero([found and (u.value() or 0.0) > 0.5 for u in use])
        rows = rows[np.argsort(self.columns.chunk[rows])]
        whole = np.array_equal(self.columns.chunk[rows], np.arange(len(self.problem.device_of)))
        bound_s = self.least_s
        if solver.name == "HiGHS":
            bound = float(program.solverModel.getInfo().mip_dual_bound)
            bound_s = max(bound_s, bound * self._scale_s) if np.isfinite(bound) else bound_s
        return Outcome(
            rows=rows if whole else None,
            optimal=whole and program.sol_status == pulp.LpSolutionOptimal,
            infeasible=program.sol_status == pulp.LpSolutionInfeasible,
            bound_s=bound_s,
            solver=solver.name.replace("COIN_CMD", "CBC"),
        )


def solver_within(limit_s: float) -> Any:
    """Return HiGHS, or the CBC that comes with PuLP or stands on the path."""
    exact = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}
    highs = pulp.HiGHS(msg=False, timeLimit=limit_s, gapRel=GAP, gapAbs=0, threads=1, **exact)
    if highs.available():
        return highs
    for path in (pulp.PULP_CBC_CMD.pulp_cbc_path, "cbc"):
        cbc = pulp.COIN_CMD(path=path, msg=False, timeLimit=limit_s, gapRel=GAP, threads=1)
        if cbc.available():
            return cbc
    raise pulp.PulpSolverError("neither HiGHS (pip install highspy) nor CBC is installed")


def _groups(keys: Iterable[Hashable], rows: Iterable[int] | None = None) -> dict[Any, list[int]]:
    """Return the rows of each key."""
    values = keys.tolist() if isinstance(keys, np.ndarray) else list(keys)
    groups: dict[Any, list[int]] = defaultdict(list)
    for row in range(len(values)) if rows is None else rows:
        groups[values[row]].append(row)
    return groups


def _dot(use: list[Any], values: list[float] | None, rows: Iterable[int] | None = None) -> Any:
    """Return the sum of variables, each times its value, over some rows."""
    chosen = range(len(use)) if rows is None else rows
    return pulp.LpAffineExpression([(use[i], 1.0 if values is None else values[i]) for i in chosen])
