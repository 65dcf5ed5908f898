"""The best layout for each of several numbers of GPUs: what more of them bring, and cost.

The global batch stays as it is (strong scaling): how training converges does not change, so that a
token is worth the same at every count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from plan3d.planner import frameworks
from plan3d.planner.bound import best_replayed
from plan3d.planner.constraints import Constraint
from plan3d.planner.exhaustive import search
from plan3d.planner.result import Job, Plan, SearchResult
from plan3d.simulator.economics import cost_usd
from plan3d.simulator.errors import InputError
from plan3d.simulator.result import Estimate

PAYS: Final = 0.5
"""GPUs pay that bring at least this, over what a GPU of the smallest count does. [1]"""

MAX_COUNTS: Final = 64
"""More counts than a table can show are refused: each is a search. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePoint:
    """The best that one number of GPUs can do."""

    gpus: int
    plan: Plan | None
    why: str
    """Why there is no plan; empty where there is one."""
    usd_per_token: float | None
    """Rent of all GPUs for a token. [USD]"""
    efficiency: float | None
    """Tokens/s per GPU over those of the smallest count that fits. [1]"""
    gain: float | None
    """Tokens/s that each GPU adds which the count before did not have, over those per GPU of the
    smallest count that fits. [1]"""

    @property
    def tokens_per_s(self) -> float | None:
        """Throughput of all GPUs [tokens/s]."""
        return self.plan.estimate.tokens_per_s if self.plan else None

    @property
    def mfu(self) -> float | None:
        """Model FLOP/s over the dense peak of all GPUs [1]."""
        return self.plan.estimate.mfu if self.plan else None


def scale(
    job: Job,
    counts: Sequence[int],
    *,
    framework: str = frameworks.DEFAULT,
    constraints: Iterable[Constraint] = (),
) -> tuple[ScalePoint, ...]:
    r"""Return the fastest plan for each number of GPUs, in increasing order.

    Every layout of every count is evaluated, as `plan3d.planner.exhaustive.search` does, and the
    plan is the one that it finds; only the pipelines that may be the best are played
    (`plan3d.planner.bound`), and what the counts share (who waits for whom) is built once.

    .. math::
       \text{efficiency}_i = \frac{r_i / N_i}{r_0 / N_0}, \quad
       \text{gain}_i = \frac{(r_i - r_{i-1}) / (N_i - N_{i-1})}{r_0 / N_0}

    with the rate r in tokens/s, and i over the counts that fit.

    Parameters
    ----------
    job
        The question; its own number of GPUs does not matter.
    counts
        Numbers of GPUs, in any order.
    framework
        Only layouts that it can run.
    constraints
        Only layouts that keep them.

    Raises
    ------
    InputError
        If there are no counts, or more than `MAX_COUNTS`.
    """
    if not 1 <= len(counts) <= MAX_COUNTS:
        raise InputError(f"{len(counts):,} numbers of GPUs; give from 1 to {MAX_COUNTS}")
    asked = tuple(constraints)
    found = [best(replace(job, gpus=gpus), framework, asked) for gpus in sorted(set(counts))]
    return tuple(_points(found))


def best(job: Job, framework: str, constraints: tuple[Constraint, ...] = ()) -> SearchResult:
    """Return a search's best plan: of the pipelines, only those that may be it are played."""
    return search(
        job, framework=framework, constraints=constraints, top=1, player=partial(best_replayed, job)
    )


def stops_paying(points: Iterable[ScalePoint]) -> ScalePoint | None:
    """Return the first count whose further GPUs bring less than `PAYS`, if there is one."""
    return next((p for p in points if p.gain is not None and p.gain < PAYS), None)


def _points(found: Iterable[SearchResult]) -> Iterator[ScalePoint]:
    """Yield what each search found, against those before it."""
    first: Estimate | None = None
    last: Estimate | None = None
    for result in found:
        gpus = result.job.gpus
        if not result.plans:
            yield ScalePoint(
                gpus=gpus, plan=None, why=why_none(result), usd_per_token=None, efficiency=None,
                gain=None,
            )  # fmt: skip
            continue
        now = result.plans[0].estimate
        first = first or now
        step_usd = cost_usd(now.step_time_s, gpus, result.job.cluster.gpu.usd_per_s)
        yield ScalePoint(
            gpus=gpus,
            plan=result.plans[0],
            why="",
            usd_per_token=float(step_usd) / now.tokens,
            efficiency=now.tokens_per_s_per_gpu / first.tokens_per_s_per_gpu,
            gain=_gain(first, last, now) if last else None,
        )
        last = now


def _gain(first: Estimate, last: Estimate, now: Estimate) -> float:
    """Return what each further GPU brings, over what one of the first count does. [1]."""
    added = (now.tokens_per_s - last.tokens_per_s) / (now.gpus - last.gpus)
    return added / first.tokens_per_s_per_gpu


def why_none(result: SearchResult) -> str:
    """Return why a search found no plan."""
    if result.nearest is not None:
        return f"nothing fits: the nearest {result.nearest.reason}"
    return f"no layout is legal: {'; '.join(result.advice) or 'the constraints leave none'}"
