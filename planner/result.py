"""What a search answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from plan3d.simulator.hardware import Cluster
from plan3d.simulator.layout import Layout
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.result import Estimate
from plan3d.simulator.software import Software
from plan3d.simulator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The question: this step of this model, on that many GPUs, with this software."""

    model: ModelSpec
    work: Workload
    cluster: Cluster
    software: Software
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where nine of ten measurements are expected, in the unit of the field."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How sure an estimate is, by how wrong the like was of published runs."""

    regime: str
    """Kind of question (`plan3d.planner.uncertainty.regimes`)."""
    suites: int
    """Sources of runs behind the interval of the step time. [1]"""
    inflation: float
    """By how much it is wider because these are too few. [1]"""
    step_time_s: Interval
    memory_bytes: Interval
    out_of_memory: float
    """Chance that the true peak is above the capacity. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One answer: a layout, what it costs, and why it stands where it does."""

    rank: int
    """1 is the best."""
    layout: Layout
    estimate: Estimate
    behind: float
    """Distance to the best by the objective: 0.02 is 2 % worse. [1]"""
    gap: float = 0.0
    """Distance to the optimum of the closed form, before anything was played. [1]"""
    variants: int
    """Layouts of the same group of near-ties, this one included. [1]"""
    played: float | None = None
    """Step time with the pipeline played out, over that of the closed form, less 1. [1]"""
    reason: str
    """Why it is where it is, in a few words."""
    outlook: Outlook | None = None
    """How sure the estimate is, where that is known of the cost model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safer:
    """The first plan stands before a faster near-tie, because it is less likely to fail."""

    faster: Layout
    behind: float
    """How much slower the first plan is. [1]"""
    out_of_memory: float
    """Chance of the faster one to run out of memory. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the searcher looked at, and what it proves."""

    searcher: str
    objective: str
    legal: int
    """Legal layouts, each counted once. [1]"""
    fit: int
    """Those that fit in memory. [1]"""
    evaluated: int
    proven: bool
    """The best plan is the best of all legal layouts that fit, by this cost model."""
    gap: float = 0.0
    """How far the first plan is from the optimum of the closed form: a simpler near-tie is shown
    for it, or one that is faster when its pipeline is played. [1]"""
    played: int = 0
    """Plans whose pipelines were played out. [1]"""

    def __str__(self) -> str:
        found = "proven best of" if self.proven else "best found among"
        tie = f", the plan shown is within {self.gap:.1%} of it" if self.gap > 5e-5 else ""
        played = f", by the closed form; the best {self.played:,} played and ranked again"
        played = played if 0 < self.played < self.evaluated else ""
        return (
            f"{self.legal:,} legal layouts, {self.fit:,} fit in memory; {found} {self.fit:,} "
            f"by {self.objective}{tie} ({self.searcher}, {self.evaluated:,} evaluated{played})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The answer to a search."""

    job: Job
    plans: tuple[Plan, ...]
    certificate: Certificate
    infeasible: Mapping[str, int]
    """Layouts that cannot be used, by reason."""
    advice: tuple[str, ...]
    """What would help, a sentence each."""
    nearest: Plan | None
    """Where nothing fits: the layout that misses by least."""
    elapsed_s: float
    """Evaluation and ranking, without start-up. [s]"""
    near_best: float | None = None
    """Chance that the first plan is truly within 5 % of the fastest of the 20 best. [1]"""
    safer: Safer | None = None
    """Set where a safer plan was preferred to a faster near-tie."""
