"""How fast layouts are estimated on one core, full step and memory, whatever the layouts.

Run as ``python benchmarks/bench_estimate.py``. The rows are drawn at random, so that they are in
no order and repeat little; ``bench_search.py`` measures the same on the rows that a search has.
"""

import os
import resource
import sys
from time import process_time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from plan3d import hardware_profiles
from plan3d.planner import models
from plan3d.planner.frameworks import ANY
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import LayoutTable, Recompute, Schedule
from plan3d.simulator.numeric import Floats
from plan3d.simulator.workload import Workload

SIZES = (10_000, 100_000, 1_000_000)
CHUNK = 1 << 16
GPUS = 1024


def layouts(rows: int, rng: np.random.Generator) -> LayoutTable:
    """Return that many layouts of 1,024 GPUs: any combination of axes, not all of them legal."""

    def drawn(*choices: float) -> Floats:
        return rng.choice(np.array(choices, dtype=np.float64), rows)

    tp, pp, cp = drawn(1, 2, 4, 8), drawn(1, 2, 4, 8, 16, 32), drawn(1, 2)
    dp = GPUS / (tp * pp * cp)
    vpp = np.where(pp > 1, drawn(1, 2, 3), 1.0)
    zero = drawn(0, 1, 2, 3)
    recompute = drawn(*map(float, Recompute))
    schedule = np.where(vpp > 1, Schedule.INTERLEAVED, drawn(Schedule.GPIPE, Schedule.ONE_F_ONE_B))
    return LayoutTable.build(
        tp=tp, pp=pp, cp=cp, dp=dp, vpp=vpp, zero=zero, schedule=schedule, recompute=recompute,
        shard=np.where(zero > 0, dp * cp, 1.0), micro_batch=drawn(1, 2, 3, 4, 6, 8),
        sp=np.where(tp > 1, drawn(0, 1), 0.0),
        recompute_layers=np.where(recompute == Recompute.BLOCK, drawn(1, 2, 3), 0.0),
    )  # fmt: skip


def peak_mb() -> float:
    """Return the largest resident set so far [MB]."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print the table."""
    preset = models.resolve("gpt175b")
    work = Workload(seq=preset.seq, global_batch=preset.global_batch)
    cluster = hardware_profiles.load("dgx-a100-80g")
    software = hardware_profiles.software(ANY.software)
    rng = np.random.default_rng(0)
    print(f"{'layouts':>10} {'CPU s':>8} {'layouts/s':>12} {'peak RSS MB':>12}")
    for size in SIZES:
        cpu_s = 0.0
        for start in range(0, size, CHUNK):
            table = layouts(min(CHUNK, size - start), rng)
            started = process_time()
            estimates = estimate_table(preset.model, work, cluster, software, table)
            _ = estimates.step_time_s, estimates.fits
            cpu_s += process_time() - started
        print(f"{size:>10,} {cpu_s:>8.3f} {size / cpu_s:>12,.0f} {peak_mb():>12,.0f}")


if __name__ == "__main__":
    main()
