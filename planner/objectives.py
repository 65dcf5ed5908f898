"""What "best" means: one number per layout, the smaller the better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from plan3d.planner.result import Job
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One way to rank layouts."""

    name: str
    score: Callable[[Job, Floats, Floats], Floats]
    """Of step time [s] and peak memory [bytes] of each layout; smaller is better."""
    terms: Literal["time", "memory"] = "time"
    """The breakdown that says why one layout is better than another."""
    front: bool = False
    """Keep every layout that no other beats in both time and memory, the fastest first."""
    priced: bool = False
    """Needs the rent of a GPU."""


def step_time_s(job: Job, time_s: Floats, memory_bytes: Floats) -> Floats:  # noqa: ARG001
    """Return the time of a step [s]."""
    return time_s


def peak_bytes(job: Job, time_s: Floats, memory_bytes: Floats) -> Floats:  # noqa: ARG001
    """Return the peak memory of the fullest GPU [bytes]."""
    return memory_bytes


def step_usd(job: Job, time_s: Floats, memory_bytes: Floats) -> Floats:  # noqa: ARG001
    """Return the rent of all GPUs for a step [USD]."""
    return time_s * job.gpus * job.cluster.gpu.usd_per_s


def token_usd(job: Job, time_s: Floats, memory_bytes: Floats) -> Floats:
    """Return the rent of all GPUs for a token: the inverse of tokens per dollar [USD]."""
    return step_usd(job, time_s, memory_bytes) / job.work.tokens


OBJECTIVES: Final[Mapping[str, Objective]] = {
    o.name: o
    for o in (
        Objective(name="time", score=step_time_s),
        Objective(name="cost", score=step_usd, priced=True),
        Objective(name="memory", score=peak_bytes, terms="memory"),
        Objective(name="tokens-per-dollar", score=token_usd, priced=True),
        Objective(name="pareto", score=step_time_s, front=True),
    )
}
"""Objectives by name."""


def named(name: str, job: Job) -> Objective:
    """Return an objective by name, if the job has what it needs."""
    if name not in OBJECTIVES:
        raise unknown("objective", name, OBJECTIVES)
    objective = OBJECTIVES[name]
    if objective.priced and job.cluster.gpu.usd_per_s <= 0:
        raise InputError(
            f"objective {name} needs a price, but {job.cluster.gpu.name} has none; "
            "give the rent of a GPU, or use objective time"
        )
    return objective
