"""From the best layouts of a scan to plans in order: played out, with reasons, and how sure."""

from dataclasses import dataclass

import numpy as np

from plan3d.planner.evaluator import Evaluator, Player
from plan3d.planner.grouping import Ranked
from plan3d.planner.objectives import Objective
from plan3d.planner.pareto import front
from plan3d.planner.reasons import why_behind, why_best, why_on_front
from plan3d.planner.result import Job, Plan, Safer
from plan3d.planner.safer import safest_first
from plan3d.planner.uncertainty import Forecast, Outlooks
from plan3d.simulator.numeric import Floats, Ints
from plan3d.simulator.result import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Plans, the best first, and how sure their order is."""

    plans: tuple[Plan, ...] = ()
    near_best: float | None = None
    safer: Safer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How plans are put in order."""

    job: Job
    goal: Objective
    optimum: float
    """The smallest score of all that fit, by the closed form."""
    evaluate: Evaluator
    play: Player | None
    foresee: Forecast | None
    prefer_safe: bool

    def __call__(self, ranked: Ranked, top: int) -> Chosen:
        """Return the `top` best plans, their pipelines played out, each with its reason.

        Of a front, without those that another beats once they are played out.
        """
        if len(ranked.score) == 0:
            return Chosen()
        closed = self.evaluate(ranked.layouts)
        table = self.play(ranked.layouts, closed) if self.play else closed
        sure = self.foresee(ranked.layouts, table) if self.foresee else None
        score = self.goal.score(self.job, table.step_time_s, ranked.memory_bytes)
        best_first = front if self.goal.front else _best_first
        fastest = best_first(score, ranked.memory_bytes)
        order = self._safest(fastest, score, sure)
        optimum = min(float(score.min()), np.inf if self.play else self.optimum)
        played = table.step_time_s / closed.step_time_s - 1
        first = table.row(int(order[0]))
        plans = tuple(
            Plan(
                rank=rank,
                layout=ranked.layouts.row(i),
                estimate=table.row(i),
                behind=float(score[i] / optimum - 1),
                gap=float(ranked.score[i] / self.optimum - 1),
                variants=int(ranked.variants[i]),
                reason=self._reason(table.row(i), first, best=rank == 1),
                played=float(played[i]) if self.play else None,
                outlook=sure.row(i) if sure else None,
            )
            for rank, i in enumerate(order[:top].tolist(), start=1)
        )
        return Chosen(
            plans=plans,
            near_best=sure.near_best(order) if sure and self._by_time else None,
            safer=_safer(ranked, score, sure, int(fastest[0]), int(order[0])),
        )

    @property
    def _by_time(self) -> bool:
        """Whether the order is that of the step times."""
        return self.goal.terms == "time" and not self.goal.front

    def _safest(self, fastest: Ints, score: Floats, sure: Outlooks | None) -> Ints:
        """Return the order, a safer near-tie in front if one is wanted."""
        if sure is None or not (self.prefer_safe and self._by_time):
            return fastest
        return safest_first(fastest, score, sure.out_of_memory)

    def _reason(self, mine: Estimate, first: Estimate, *, best: bool) -> str:
        """Return why a plan stands where it does."""
        if best:
            return why_best(mine, self.goal.terms)
        if self.goal.front:
            return why_on_front(mine, first)
        return why_behind(mine, first, self.goal.terms)


def _best_first(score: Floats, memory_bytes: Floats) -> Ints:
    return np.lexsort((memory_bytes, score))


def _safer(
    ranked: Ranked, score: Floats, sure: Outlooks | None, fastest: int, first: int
) -> Safer | None:
    """Return which faster plan the first one is preferred to."""
    if sure is None or fastest == first:
        return None
    return Safer(
        faster=ranked.layouts.row(fastest),
        behind=float(score[first] / score[fastest] - 1),
        out_of_memory=float(sure.out_of_memory[fastest]),
    )
