"""How long the exact partition takes, and what it gains over the even split.

Run as ``python benchmarks/bench_partition.py``. The first table is CPU time on problems of a real
size with proof: the memory is such that some layers must recompute; the last column is the integer
program alone, without the answer and the bounds of the DP. The second is three models, each with
some layouts: the exact partition against the even split with its best recompute
setting, and what Megatron-LM can express against the exact one.
"""

import os
import sys
from pathlib import Path
from time import process_time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from plan3d.cli.inputs import job
from plan3d.cli.layout_option import read_layout
from plan3d.cli.reports.partition_report import runs
from plan3d.planner.frameworks import FRAMEWORKS
from plan3d.planner.partition import dp, ilp
from plan3d.planner.partition.compare import Comparison, compare
from plan3d.planner.partition.cost import Solution
from plan3d.planner.partition.from_job import check_layout, partition_problem
from plan3d.planner.partition.problem import Problem
from tests.planner.partitions import large

SIZES = ((96, 16), (126, 16), (128, 64))
WIDE = "h=5120,l=40,a=40,v=128000,s=4096"
"""A model of 13 B with a vocabulary of 128,000: its last stage has two layers' work more."""
JOBS = (
    ("gpt175b", 1024, "dgx-a100-80g", "tp=8,pp=8"),
    ("gpt175b", 1024, "dgx-a100-80g", "tp=8,pp=16,micro_batch=2"),
    ("gpt175b", 1024, "dgx-a100-40g", "tp=8,pp=16,micro_batch=2"),
    ("llama-3.1-405b", 8192, "dgx-h100", "tp=8,pp=16"),
    ("llama-3.1-405b", 8192, "dgx-h100", "tp=8,pp=32"),
    (WIDE, 256, "dgx-a100-80g", "tp=2,pp=4"),
    (WIDE, 256, "dgx-a100-80g", "tp=2,pp=8"),
)
LIMIT_S = 60.0


def timed(
    problem: Problem, *, assisted: bool = True, exact: bool = False
) -> tuple[float, Solution]:
    """Return CPU seconds and the answer."""
    started = process_time()
    if exact:
        found = dp.solve(problem)
    else:
        found = ilp.solve(problem, time_limit_s=LIMIT_S, assisted=assisted)
    return process_time() - started, found


def times() -> None:
    """Print the table of CPU times."""
    print(f"{'layers x stages':<26} {'DP s':>7} {'ILP s':>7} {'ILP alone s':>12}  proof")
    for layers, stages in SIZES:
        for name, kind in (
            ("alike", {}),
            ("6th heavier", {"heavy": 6}),
            ("5 % noise", {"noise": 0.05}),
        ):
            problem = large(layers=layers, stages=stages, **kind)  # type: ignore[arg-type]
            dp_s, by_dp = timed(problem, exact=True)
            ilp_s, by_ilp = timed(problem)
            alone_s, alone = timed(problem, assisted=False)
            assert abs(by_ilp.assignment.step_time_s / by_dp.assignment.step_time_s - 1) < 1e-9
            unproven = [one.status for one in (by_ilp, alone) if not one.proven]
            proof = "; ".join(unproven) or "all"
            label = f"{layers} x {stages}, {name}"
            print(f"{label:<26} {dp_s:>7.3f} {ilp_s:>7.3f} {alone_s:>12.2f}  {proof}")


def compared(model: str, gpus: int, hardware: str, layout: str) -> Comparison:
    """Return the partitions of one layout."""
    question = job(model, gpus, hardware=hardware)
    megatron = FRAMEWORKS["megatron"]
    chosen = read_layout(layout, question, megatron)
    check_layout(question, chosen, megatron)
    return compare(partition_problem(question, chosen), megatron)


def gains() -> None:
    """Print the table of gains."""
    print(f"\n{'job':<58} {'step s':>8} {'over even':>10} {'runnable':>9}  layers")
    for model, gpus, hardware, layout in JOBS:
        found = compared(model, gpus, hardware, layout)
        best = found.best.assignment
        assert found.best.proven
        values = (found.gain, found.gap)
        gain, gap = ("none fits" if value is None else f"{value:+.1%}" for value in values)
        label = f"{model.partition(',a=')[0]}/{gpus} {hardware} {layout}"
        print(f"{label:<58} {best.step_time_s:>8.2f} {gain:>10} {gap:>9}  {runs(best.sizes)}")


if __name__ == "__main__":
    times()
    gains()
