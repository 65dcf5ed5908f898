"""Several objectives at once: step time, peak memory and cost, by NSGA-II (Optuna).

K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6, 2002. The cost is counted in GPU seconds of a step: what is rented. On a
fixed number of GPUs it is the step time again; it matters on a grid of several (`joined`).
"""

from collections.abc import Iterable
from math import isfinite, log

import numpy as np

from plan3d.planner.pareto import undominated
from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import PENALTY, Ledger
from plan3d.planner.searchers.outer import Outer
from plan3d.planner.searchers.protocols import BlackBox, History, Trial
from plan3d.planner.searchers.sampled import sampled
from plan3d.planner.searchers.study import Study

POPULATION = (10, 20)
"""Fewest and most layouts of a generation; in between, a tenth of the budget. [1]"""


def nsga2(
    grid: Grid, box: BlackBox, /, *, budget: int, seed: int, study: Study | None = None
) -> History:
    """Return the trials of a genetic algorithm; `front` says which of them nothing beats."""
    from optuna.samplers import NSGAIISampler  # noqa: PLC0415  (heavy)

    ledger = Ledger(grid, box, name="nsga2", budget=budget, seed=seed, study=study)
    again = int(np.random.default_rng([ledger.seed, len(ledger.taken)]).integers(2**31))
    size = int(np.clip(ledger.budget // 10, *POPULATION))
    sampler = NSGAIISampler(population_size=size, seed=again)
    return sampled(ledger, Outer(grid, bilevel=False, relaxed=False), sampler, losses=losses)


def losses(ledger: Ledger, found: Trial) -> tuple[float, float, float]:
    """Return the logarithms of step time [s], peak [bytes] and GPU seconds of a step."""
    time = ledger.loss(found)
    peak_bytes = found.memory_bytes if isfinite(found.memory_bytes) else 1.0
    return time, log(peak_bytes) + (0.0 if found.ok else PENALTY), time + log(found.layout.gpus)


def front(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials that no other beats in time, memory and cost, the fastest first.

    Of equal ones, the first. Trials whose memory is not known are compared by time and cost.
    """
    ran = sorted((t for t in trials if t.ok), key=lambda t: t.time_s)
    peak = np.nan_to_num(np.array([t.memory_bytes for t in ran]), nan=0.0)
    time = np.array([t.time_s for t in ran])
    gpus = np.array([t.layout.gpus for t in ran])
    return tuple(ran[i] for i in undominated(time, peak, time * gpus))
