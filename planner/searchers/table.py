"""The searchers by name."""

from collections.abc import Mapping
from typing import Final

from plan3d.planner.searchers.annealing import annealing
from plan3d.planner.searchers.bayesian import Bayesian
from plan3d.planner.searchers.cmaes import cmaes
from plan3d.planner.searchers.evolution import evolution
from plan3d.planner.searchers.nsga2 import nsga2
from plan3d.planner.searchers.policy import policy
from plan3d.planner.searchers.protocols import Searcher
from plan3d.planner.searchers.random_search import random_search
from plan3d.planner.searchers.residual import residual

SEARCHERS: Final[Mapping[str, Searcher]] = {
    "random": random_search,
    "annealing": annealing,
    "evolution": evolution,
    "cmaes": cmaes,
    "policy": policy,
    "tpe": Bayesian(name="tpe", bilevel=False),
    "bayesian": Bayesian(),
    "gp": Bayesian(name="gp", model="gp"),
    "warm": Bayesian(name="warm", first=5),
    "residual": residual,
    "nsga2": nsga2,
}
"""Searchers for expensive trials, those that know the closed form of the job last but one.

``bayesian`` and ``gp`` learn the outer axes only and take the closed form's inner choices, ``warm``
is ``bayesian`` from the closed form's fastest layouts, ``residual`` corrects the closed form.
"""
