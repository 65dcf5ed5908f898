"""For the layout that somebody runs: what each known technique would change, computed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from plan3d.planner import frameworks
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.frameworks import Framework
from plan3d.planner.moves import Move, moves
from plan3d.planner.refine import replayed
from plan3d.planner.result import Job, Plan
from plan3d.planner.scaling import best
from plan3d.planner.sensitivity import Change, neighbours
from plan3d.planner.techniques import Trial, not_applicable, trials
from plan3d.simulator.layout import Layout, LayoutTable
from plan3d.simulator.result import Estimate, EstimateTable

MOST_STEPS: Final = 20
"""Changes one after the other, at most. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a technique does to the layout."""

    trial: Trial
    layout: Layout | None
    estimate: Estimate | None
    gain: float | None
    """Tokens/s over those of the layout as it is, less 1. [1]"""
    memory_bytes: float | None
    """Change of the peak memory. [bytes]"""
    refused: str
    """Why it is not applicable; empty where it is."""

    @property
    def fits(self) -> bool:
        """Whether it runs, and is within the GPU's memory."""
        return self.estimate is not None and self.estimate.fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What there is to say about a layout."""

    layout: Layout
    base: Estimate
    effects: tuple[Effect, ...]
    """What fits, the largest gain first; what does not; what is not applicable."""
    path: tuple[Change, ...]
    """Single changes, one after the other, as long as one helps."""
    best: Plan | None
    """The best of all layouts, if one fits."""


def advise(job: Job, layout: Layout, *, framework: str = frameworks.DEFAULT) -> Advice:
    """Return what to change in a layout: single techniques, one after the other, and all at once.

    Parameters are those of `effects`.
    """
    base, found = effects(job, layout, framework=framework)
    return Advice(
        layout=layout,
        base=base,
        effects=found,
        path=climbed(job, layout, framework=framework),
        best=next(iter(best(job, framework).plans), None),
    )


def effects(
    job: Job, layout: Layout, *, framework: str = frameworks.DEFAULT
) -> tuple[Estimate, tuple[Effect, ...]]:
    """Return the layout's own estimate, and the effect of each technique, the largest gain first.

    What does not fit comes after what does, and what is not applicable last, with the reason.
    Pipelines are played out.

    Parameters
    ----------
    job
        The question.
    layout
        What runs today; the other axes follow a change as little as they must.
    framework
        Only what it can run.
    """
    runner = frameworks.named(framework)
    base = _estimated(job, [layout]).row(0)
    found = [
        effect
        for _, some in groupby(trials(job, layout, runner), key=lambda trial: id(trial.job))
        for effect in _effects(base, runner, layout, list(some))
    ]
    found += [
        _refused(job, technique, why) for technique, why in not_applicable(job, layout, runner)
    ]
    return base, tuple(sorted(found, key=_order))


def climbed(job: Job, layout: Layout, *, framework: str = frameworks.DEFAULT) -> tuple[Change, ...]:
    """Return single changes, one after the other, as long as one of them helps.

    Each is the best of `plan3d.planner.sensitivity.neighbours` of the last: less memory until it
    fits, then less time. The last one is the best plan that is reached so.
    """
    at, path = layout, list[Change]()
    merit = _merit(_estimated(job, [layout]).row(0))
    while len(path) < MOST_STEPS:
        steps = [s for s in neighbours(job, at, framework=framework) if s.estimate and s.layout]
        step = min(steps, key=lambda s: _merit(s.estimate), default=None)
        if step is None or step.layout is None or not _merit(step.estimate) < merit:
            break
        path.append(step)
        at, merit = step.layout, _merit(step.estimate)
    return tuple(path)


def _merit(estimate: Estimate | None) -> tuple[float, float]:
    """Return what is missing of the memory, then the time of a step: the less the better."""
    if estimate is None:
        return (float("inf"), float("inf"))
    return (max(0.0, estimate.memory_bytes - estimate.capacity_bytes), estimate.step_time_s)


def _refused(job: Job, technique: str, why: str) -> Effect:
    trial = Trial(technique=technique, change="", job=job, wish={})
    return Effect(
        trial=trial, layout=None, estimate=None, gain=None, memory_bytes=None, refused=why
    )


def _effects(
    base: Estimate, runner: Framework, layout: Layout, some: Sequence[Trial]
) -> Iterator[Effect]:
    """Yield the effects of the trials of one job: their layouts are estimated in one table."""
    job = some[0].job
    found = moves(job, runner, layout, [trial.wish for trial in some])
    legal = [move.layout for move in found if move.layout]
    estimates = _estimated(job, legal) if legal else None
    row = 0
    for trial, move in zip(some, found, strict=True):
        new = estimates.row(row) if estimates is not None and move.layout else None
        row += new is not None
        yield _effect(base, trial, move, new)


def _effect(base: Estimate, trial: Trial, move: Move, new: Estimate | None) -> Effect:
    return Effect(
        trial=trial,
        layout=move.layout,
        estimate=new,
        gain=new.gain_over(base) if new else None,
        memory_bytes=new.memory_bytes - base.memory_bytes if new else None,
        refused=move.refused,
    )


def _estimated(job: Job, layouts: Sequence[Layout]) -> EstimateTable:
    """Return the estimates of layouts, their pipelines played out."""
    table = LayoutTable.of(layouts)
    return replayed(job, table, evaluator_of(job)(table))


def _order(effect: Effect) -> tuple[bool, bool, float]:
    """Return what effects are sorted by: what fits, what is applicable, then the gain."""
    return (not effect.fits, effect.estimate is None, -(effect.gain or 0.0))
