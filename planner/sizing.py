"""The fewest GPUs that train a number of tokens by a deadline, or within a budget.

Neither time nor cost is monotonic in the number of GPUs: counts that divide badly have worse
layouts, or none. So every answer is one *of the counts tried*, and the counts below it that were
tried, too, are its proof.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice, takewhile
from math import ceil, log2
from typing import Final

from plan3d.planner import frameworks
from plan3d.planner.constraints import Constraint
from plan3d.planner.result import Job, Plan
from plan3d.planner.scaling import best, why_none
from plan3d.planner.space import space
from plan3d.simulator.errors import InputError
from plan3d.simulator.flops import model_flop_per_step
from plan3d.simulator.kernels import peak
from plan3d.simulator.reliability import Reliability, checkpoint_size
from plan3d.simulator.whole_run import WholeRun, whole_run

PROOF: Final = 3
"""Next smaller counts with layouts that must miss the goal before an answer is given. [1]"""

MOST_GPUS: Final = 16_384
"""Where the search for enough GPUs ends unless told otherwise. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a run must keep to."""

    tokens: float
    within_s: float = float("inf")
    """Deadline, failures included. [s]"""
    within_usd: float = float("inf")
    """Budget: rent of the GPUs, failures included. [USD]"""

    def __post_init__(self) -> None:
        if self.within_s == self.within_usd == float("inf"):
            raise InputError("give a deadline or a budget, or both; one of them decides the size")
        for name in ("tokens", "within_s", "within_usd"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name):g}, but must be above 0")

    def met(self, run: WholeRun) -> bool:
        """Return whether a run keeps to it."""
        return run.cost.time_s <= self.within_s and run.cost.cost_usd <= self.within_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one number of GPUs would take."""

    gpus: int
    plan: Plan | None
    why: str
    """Why there is no plan; empty where there is one."""
    run: WholeRun | None
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The answer, and every count that was tried on the way."""

    goal: Goal
    answer: Size | None
    """The fewest GPUs of those tried that meet the goal."""
    below: Size | None
    """The largest count below it that was tried: it misses the goal."""
    next_below: bool
    """No whole number of nodes between the two has a layout."""
    fastest: Size | None
    cheapest: Size | None
    """The nearest where nothing meets the goal."""
    tried: tuple[Size, ...]
    """In increasing order."""


def size(
    job: Job,
    goal: Goal,
    *,
    framework: str = frameworks.DEFAULT,
    constraints: Iterable[Constraint] = (),
    parts: Reliability | None = None,
    most_gpus: int = MOST_GPUS,
) -> Sizing:
    """Return the fewest GPUs that meet a goal, of the counts tried.

    From what the work takes at peak rate and the states take of the memory, powers of two are
    tried until one meets the deadline. Between it and the one before, the whole nodes (below one,
    the powers of two) that have layouts are bisected, and `PROOF` counts below the answer are
    tried: if one of them meets the goal, too, it takes the answer's place. Where that is over the
    budget, more GPUs are tried, which may waste less.

    Parameters
    ----------
    job
        The question; its own number of GPUs does not matter.
    goal
        Tokens, deadline, budget.
    framework, constraints
        As for `plan3d.planner.exhaustive.search`.
    parts
        How often machines fail.
    most_gpus
        Where to stop.
    """
    trial = _Trial(
        job=job, goal=goal, framework=framework, constraints=tuple(constraints), parts=parts
    )
    start = min(least_gpus(job, goal), 2 ** int(log2(most_gpus)))
    for enough in (trial.in_time, trial.met):
        found = next((n for n in _doubled(start, most_gpus) if enough(n)), None)
        if found is None:
            break
        start = _narrowed(trial, enough, found)
        if trial.met(start):
            break
    return _sizing(trial)


def least_gpus(job: Job, goal: Goal) -> int:
    """Return the largest power of two below which no count can meet the deadline, or fit at all.

    The work is done at the dense peak, and nothing is held but weights and optimizer states, once.
    """
    steps = goal.tokens / job.work.tokens
    flop = steps * model_flop_per_step(job.model, job.work)
    by_time = flop / peak(job.cluster.gpu.peaks, job.work.precision.matmul) / goal.within_s
    by_memory = checkpoint_size(job.model, job.work) / job.cluster.gpu.memory_bytes
    return int(2 ** int(log2(max(1.0, by_time, by_memory))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """Tries numbers of GPUs, each once."""

    job: Job
    goal: Goal
    framework: str
    constraints: tuple[Constraint, ...]
    parts: Reliability | None
    tried: dict[int, Size] = field(default_factory=dict)

    def __call__(self, gpus: int) -> Size:
        if gpus not in self.tried:
            self.tried[gpus] = self._size(gpus)
        return self.tried[gpus]

    def met(self, gpus: int) -> bool:
        """Return whether a count meets the goal."""
        return self(gpus).met

    def in_time(self, gpus: int) -> bool:
        """Return whether a count meets the deadline."""
        run = self(gpus).run
        return run is not None and run.cost.time_s <= self.goal.within_s

    def _size(self, gpus: int) -> Size:
        job = replace(self.job, gpus=gpus)
        found = best(job, self.framework, self.constraints)
        if not found.plans:
            return Size(gpus=gpus, plan=None, why=why_none(found), run=None, met=False)
        plan = found.plans[0]
        run = whole_run(
            job.model, job.work, job.cluster, plan.estimate, self.goal.tokens, parts=self.parts
        )
        return Size(gpus=gpus, plan=plan, why="", run=run, met=self.goal.met(run))

    def middle(self, low: int, high: int) -> int | None:
        """Return the count with layouts that is nearest to the middle of two, if there is one."""
        node = self.job.cluster.gpus_per_node
        whole = range(node * (low // node + 1), high, node)
        near = sorted(whole, key=lambda gpus: abs(gpus - (low + high) / 2))
        return next(filter(self._has_layouts, near), None)

    def smaller(self, gpus: int) -> Iterator[int]:
        """Yield the smaller counts that have layouts, the largest first."""
        node = self.job.cluster.gpus_per_node
        whole = range(node * ((gpus - 1) // node), 0, -node)
        part = (2**i for i in range(ceil(log2(min(gpus, node))) - 1, -1, -1))
        return filter(self._has_layouts, (*whole, *part))

    def _has_layouts(self, gpus: int) -> bool:
        runner = frameworks.named(self.framework)
        return len(space(replace(self.job, gpus=gpus), runner, self.constraints).primary) > 0


def _doubled(start: int, most: int) -> Iterator[int]:
    """Yield a count and its doubles, as far as they go."""
    return takewhile(lambda gpus: gpus <= most, (start * 2**i for i in count()))


def _narrowed(trial: _Trial, enough: Callable[[int], bool], high: int) -> int:
    """Return the fewest GPUs that are enough, by bisection, and by a look at the next ones."""
    low = high // 2
    while (middle := trial.middle(low, high)) is not None:
        low, high = (low, middle) if enough(middle) else (middle, high)
    better = next((n for n in islice(trial.smaller(high), PROOF) if enough(n)), None)
    return high if better is None else _narrowed(trial, enough, better)


def _sizing(trial: _Trial) -> Sizing:
    """Return the answer that the trials give."""
    tried = sorted(trial.tried.values(), key=lambda one: one.gpus)
    runs = [(one, one.run.cost) for one in tried if one.run]
    answer = next((one for one in tried if one.met), None)
    below = [one for one in tried if answer and one.gpus < answer.gpus]
    before = next(trial.smaller(answer.gpus), None) if answer else None
    fastest = min(runs, key=lambda pair: pair[1].time_s, default=None)
    cheapest = min(runs, key=lambda pair: pair[1].cost_usd, default=None)
    return Sizing(
        goal=trial.goal,
        answer=answer,
        below=below[-1] if below else None,
        next_below=bool(below) and below[-1].gpus == before,
        fastest=fastest[0] if fastest else None,
        cheapest=cheapest[0] if cheapest else None,
        tried=tuple(tried),
    )
