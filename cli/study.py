"""Everything that a full report says, gathered once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plan3d.cli import case as about
from plan3d.cli.case import Case
from plan3d.cli.played import Played
from plan3d.cli.progress import doing
from plan3d.cli.report import Report
from plan3d.planner.result import Plan
from plan3d.planner.scaling import ScalePoint
from plan3d.planner.sensitivity import Change
from plan3d.simulator.result import Memory
from plan3d.simulator.roofline import Kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """An answer, and what stands beside it; empty where there is nothing to say."""

    case: Case
    report: Report
    """The short answer, as stdout has it."""
    plan: Plan | None
    """The one that is shown in detail."""
    stages: tuple[Memory, ...] = ()
    pipeline: Played | None = None
    kernels: tuple[Kernel, ...] = ()
    front: tuple[Plan, ...] = ()
    changes: tuple[Change, ...] = ()
    curve: tuple[ScalePoint, ...] = ()


def study(case: Case, report: Report) -> Study:
    """Ask the library for everything; a bar on stderr says how far it is."""
    plan = case.plan
    if plan is None:
        return Study(case=case, report=report, plan=None)
    steps: dict[str, Callable[[], object]] = {
        "stages": lambda: about.stages(case, plan),
        "pipeline": lambda: about.pipeline(case, plan),
        "kernels": lambda: about.kernels(case, plan),
        "changes": lambda: about.changes(case, plan),
        "front": lambda: about.front(case),
        "curve": lambda: about.curve(case),
    }
    found: dict[str, Any] = {}
    with doing("reporting") as told:
        for done, (name, step) in enumerate(steps.items()):
            told(done, len(steps), name)
            found[name] = step()
    return Study(case=case, report=report, plan=plan, **found)
