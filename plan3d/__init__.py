"""Analytical performance model and layout planner for distributed LLM training.

Everything that a user needs is importable from here; it is loaded when it is first used, so that
the command line starts without numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plan3d.cli.inputs import job as job
    from plan3d.planner.exhaustive import search as search
    from plan3d.planner.models import resolve as resolve
    from plan3d.planner.result import Job as Job
    from plan3d.planner.result import Plan as Plan
    from plan3d.planner.result import SearchResult as SearchResult
    from plan3d.simulator.errors import InputError as InputError
    from plan3d.simulator.errors import NothingFeasibleError as NothingFeasibleError
    from plan3d.simulator.estimate import estimate as estimate
    from plan3d.simulator.estimate import estimate_table as estimate_table
    from plan3d.simulator.hardware import Cluster as Cluster
    from plan3d.simulator.layout import Layout as Layout
    from plan3d.simulator.layout import LayoutTable as LayoutTable
    from plan3d.simulator.model import ModelSpec as ModelSpec
    from plan3d.simulator.result import Estimate as Estimate
    from plan3d.simulator.software import Software as Software
    from plan3d.simulator.workload import Workload as Workload

    __version__: str
else:
    _HOMES = {
        "cli.inputs": ("job",),
        "planner.exhaustive": ("search",),
        "planner.models": ("resolve",),
        "planner.result": ("Job", "Plan", "SearchResult"),
        "simulator.errors": ("InputError", "NothingFeasibleError"),
        "simulator.estimate": ("estimate", "estimate_table"),
        "simulator.hardware": ("Cluster",),
        "simulator.layout": ("Layout", "LayoutTable"),
        "simulator.model": ("ModelSpec",),
        "simulator.result": ("Estimate",),
        "simulator.software": ("Software",),
        "simulator.workload": ("Workload",),
    }

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return import_module("importlib.metadata").version("plan3d")
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"plan3d.{home}"), name)
        raise AttributeError(f"module 'plan3d' has no attribute {name!r}")


__all__ = [
    "Cluster",
    "Estimate",
    "InputError",
    "Job",
    "Layout",
    "LayoutTable",
    "ModelSpec",
    "NothingFeasibleError",
    "Plan",
    "SearchResult",
    "Software",
    "Workload",
    "__version__",
    "estimate",
    "estimate_table",
    "job",
    "resolve",
    "search",
]
