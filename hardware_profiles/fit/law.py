"""What a law is to a fit, and what a fit of it found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from plan3d.hardware_profiles.fit.constants import Constant, Fitted
from plan3d.hardware_profiles.fit.robust import Errors, halves, solve
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.hardware import Cluster
from plan3d.simulator.numeric import Bools, Floats

ENOUGH: Final = 6
"""Points per constant under which nothing is fitted. [1]"""


class Columns:
    """Points as columns: ``columns.m`` is the shapes' m, shape (points,)."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = tuple(points)
        self.time_s: Floats = np.array([p.time_s for p in points], dtype=np.float64)
        self.site = np.array([p.site for p in points])

    def __getattr__(self, name: str) -> Floats:
        return np.array([getattr(p.shape, name) for p in self.points], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.points)

    def text(self, name: str) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
        """Return a field that is no number, shape (points,)."""
        return np.array([getattr(p.shape, name) for p in self.points], dtype=np.str_)


class Law(Protocol):
    """One law: which points are its own, and what it says of them."""

    @property
    def name(self) -> str:
        """As reports call it: ``matrix products``, ``attention flash2``."""

    @property
    def one_site(self) -> bool:
        """Whether sites differ in more than a scalar, so that only the largest one counts."""

    def owns(self, point: Point) -> bool:
        """Whether a point is of this law."""

    def constants(self, cluster: Cluster, points: Columns) -> list[Constant]:
        """Return what is free for these points; the rest stays as the cluster has it."""

    def predict(self, cluster: Cluster, values: Mapping[str, float], points: Columns) -> Floats:
        """Return the time of each point [s] with some constants, in SI, in place."""

    def constant_rate(self, cluster: Cluster, points: Columns) -> Floats:
        """Return work over its peak rate [s]: what a constant efficiency is a multiple of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawFit:
    """What a fit found, and how good it is."""

    law: str
    constants: tuple[Fitted, ...]
    """Fitted to all points."""
    held_out: Errors
    """On the halves that fits to the other halves did not see."""
    one_rate: Errors
    """The same with one constant efficiency in the law's place."""
    sites: Mapping[str, float] = field(default_factory=dict)
    """Time of each further site's stack over the first one's. [1]"""
    fitted: Bools = field(repr=False)
    """The first of those halves: which points were fitted to, shape (points,)."""
    predicted_s: Floats = field(repr=False)
    """By the fit to that half; shape (points,). [s]"""
    measured_s: Floats = field(repr=False)


def fit_law(law: Law, cluster: Cluster, points: Sequence[Point]) -> LawFit | None:
    """Fit a law's constants to its points; nothing where there are too few for that.

    Several sites measured with stacks of their own: each beyond the largest has one scalar, its
    time over that one's, fitted along.
    """
    own = Columns([p for p in points if p.measured and law.owns(p)])
    if not len(own):
        return None
    sites = _sites(own)
    if law.one_site:
        own, sites = Columns([p for p in own.points if p.site == sites[0]]), sites[:1]
    constants = law.constants(cluster, own)
    free = constants + [
        Constant(key=f"site.{i}", start=1.0, low=0.5, high=2.0) for i, _ in enumerate(sites[1:])
    ]
    if len(own) < ENOUGH * len(free):
        return None
    predict = _predictor(law, cluster, own, constants, sites)
    splits = halves(len(own))
    seen_by = [predict(solve(predict, free, own.time_s, half)[0]) for half in splits]
    rate = [_one_rate(law, cluster, own, half) for half in splits]
    whole, fitted = solve(predict, free, own.time_s)
    n = len(constants)
    return LawFit(
        law=law.name,
        constants=tuple(fitted[:n]),
        held_out=Errors.held_out(seen_by, own.time_s, splits),
        one_rate=Errors.held_out(rate, own.time_s, splits),
        sites=dict(zip(sites[1:], map(float, whole[n:]), strict=True)),
        fitted=splits[0],
        predicted_s=seen_by[0],
        measured_s=own.time_s,
    )


def _predictor(
    law: Law, cluster: Cluster, own: Columns, constants: Sequence[Constant], sites: Sequence[str]
) -> Callable[[Floats], Floats]:
    """Return the law as a function of the free values alone."""
    names = [c.key.rsplit(".", 1)[-1] for c in constants]
    scales = np.array([c.scale for c in constants])
    which = [own.site == site for site in sites[1:]]

    def predict(values: Floats) -> Floats:
        real = values[: len(names)] * scales
        times = law.predict(cluster, dict(zip(names, map(float, real), strict=True)), own)
        for rows, scalar in zip(which, values[len(names) :], strict=True):
            times = np.where(rows, times * scalar, times)
        return times

    return predict


def _sites(own: Columns) -> list[str]:
    """Return the sites, the largest first, those with too few points for a scalar left out."""
    names, counts = np.unique(own.site, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    enough = [str(names[i]) for i in order if counts[i] >= 2 * ENOUGH]
    return enough or [str(names[order[0]])]


def _one_rate(law: Law, cluster: Cluster, own: Columns, half: Bools) -> Floats:
    """Return the times by one constant efficiency, the median of a half [s]."""
    ideal = law.constant_rate(cluster, own)
    return np.asarray(ideal * np.median(own.time_s[half] / ideal[half]))
