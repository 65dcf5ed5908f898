"""Time the event simulation. Run as ``python benchmarks/bench_events.py``."""

import statistics
import time
from collections.abc import Callable

from plan3d.simulator.events import StageCosts, play, play_network
from plan3d.simulator.schedules.network import Network
from plan3d.simulator.schedules.table import build

CASES = [
    ("one_f_one_b", 64, 512, 1),
    ("interleaved", 35, 280, 3),
    ("one_f_one_b", 8, 64, 1),
    ("zb_v", 16, 128, 2),
    ("dualpipe", 16, 128, 1),
]
REPEATS = 5


def main() -> None:
    """Print building, playing (with the search for the order) and playing again."""
    costs = StageCosts(forward_s=1.0, backward_input_s=1.0, backward_weight_s=1.0, transfer_s=0.1)
    print(f"{'ranks x micro-batches x chunks':42} {'operations':>10}  build    play   again  op/s")
    for name, ranks, micro_batches, chunks in CASES:
        program = build(name, ranks, micro_batches, chunks)
        network = Network.of(program)
        seconds = [
            statistics.median(timed(work) for _ in range(REPEATS))
            for work in (
                lambda case=(name, ranks, micro_batches, chunks): build(*case),
                lambda program=program: play(program, costs),
                lambda network=network: play_network(network, costs),
            )
        ]
        rate = len(program) / (seconds[0] + seconds[1])
        shown = "  ".join(f"{each:.3f}" for each in seconds)
        what = f"{name} {ranks} x {micro_batches} x {chunks}"
        print(f"{what:42} {len(program):10,}  {shown} s  {rate:,.0f}")


def timed(work: Callable[[], object]) -> float:
    """Return how long a call takes [s]."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
