"""How fast layouts are built, estimated and ranked on one core.

Run as ``python benchmarks/bench_search.py``. The rows are the space of GPT-3 175B on 1,024 GPUs,
cut or repeated to each size, a chunk at a time, full step time and memory of each.
"""

import os
import resource
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from time import process_time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from plan3d import hardware_profiles
from plan3d.planner import models
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.exhaustive import search
from plan3d.planner.frameworks import ANY
from plan3d.planner.result import Job
from plan3d.planner.space import space
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.workload import Workload

SIZES = (10_000, 100_000, 1_000_000, 4_000_000)


def question() -> Job:
    """Return the question of the bare command."""
    preset = models.resolve("gpt175b")
    return Job(
        model=preset.model,
        work=Workload(seq=preset.seq, global_batch=preset.global_batch),
        cluster=hardware_profiles.load("dgx-a100-80g"),
        software=hardware_profiles.software(ANY.software),
        gpus=1024,
    )


def layouts(job: Job, rows: int) -> Iterator[LayoutTable]:
    """Yield exactly so many layouts, chunk by chunk; the space repeats if it is smaller."""
    left = rows
    for table in chain.from_iterable(space(job).chunks() for _ in repeat(None)):
        yield table.take(slice(left))
        left -= len(table)
        if left <= 0:
            return


def peak_mb() -> float:
    """Return the largest resident set so far. [MB]."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print the table."""
    job = question()
    evaluate = evaluator_of(job)
    print(f"{'layouts':>10} {'CPU s':>8} {'layouts/s':>12} {'peak RSS MB':>12}")
    for size in SIZES:
        started = process_time()
        for table in layouts(job, size):
            estimates = evaluate(table)
            _ = estimates.step_time_s, estimates.fits
        cpu_s = process_time() - started
        print(f"{size:>10,} {cpu_s:>8.3f} {size / cpu_s:>12,.0f} {peak_mb():>12,.0f}")
    started = process_time()
    result = search(job)
    cpu_s = process_time() - started
    print(f"search: {result.certificate}; {cpu_s:.3f} CPU s, ranking included")


if __name__ == "__main__":
    main()
