"""All laws that points can determine, and whether their fits are good enough to be used."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from plan3d.hardware_profiles.fit.attention import KERNELS, Attention
from plan3d.hardware_profiles.fit.collectives import NetworkCollectives, NodeCollectives, Sends
from plan3d.hardware_profiles.fit.gemm import Fp8Gemm, Gemm
from plan3d.hardware_profiles.fit.law import Law, LawFit, fit_law
from plan3d.hardware_profiles.fit.rates import HostCopies, MemoryBound
from plan3d.hardware_profiles.points.point import Point
from plan3d.simulator.errors import InputError, unknown
from plan3d.simulator.hardware import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Laws that are asked for by one word, and the largest errors with which they are used [1]."""

    laws: Callable[[Sequence[Point]], Sequence[Law]]
    median: float
    p90: float


def _attention(points: Sequence[Point]) -> list[Law]:
    """One law for each fused kernel; ``math`` is matrix products and a softmax."""
    kernels = {p.shape.op for p in points if p.shape.kind == "attention"}
    return [Attention(kernel) for kernel in sorted(kernels - {"math"})]


GROUPS: Final[Mapping[str, Group]] = {
    "gemm": Group(laws=lambda _: [Gemm()], median=0.08, p90=0.25),
    "fp8": Group(laws=lambda _: [Fp8Gemm()], median=0.15, p90=0.40),
    "attention": Group(laws=_attention, median=0.10, p90=0.25),
    "memory": Group(laws=lambda _: [MemoryBound()], median=0.20, p90=0.50),
    "host": Group(laws=lambda _: [HostCopies()], median=0.10, p90=0.30),
    "node": Group(
        laws=lambda _: [NodeCollectives(), Sends(between_nodes=False)], median=0.10, p90=0.30
    ),
    "network": Group(
        laws=lambda _: [NetworkCollectives(), Sends(between_nodes=True)], median=0.10, p90=0.30
    ),
}
"""The bounds are about twice the errors that the laws have on the published points: a fit that
misses them says that the GPU was busy, the points are of several machines, or the law is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a set of points says about one GPU and its networks."""

    gpu: str
    cluster: Cluster
    """What the points are beside: peaks and bandwidths of the data sheet are taken from it."""
    fits: Mapping[str, tuple[LawFit, ...]]
    """By group."""
    points: tuple[Point, ...]
    thin: tuple[str, ...] = ()
    """Laws that there are points for, but too few."""

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why no profile should be made of this; empty if nothing speaks against it."""
        if not any(_written(fit) for fits in self.fits.values() for fit in fits):
            return ("none of these laws has a place in a profile",)
        return tuple(
            f"{fit.law}: median error {fit.held_out.median:.1%}, 90 % below "
            f"{fit.held_out.p90:.1%}; at most {GROUPS[name].median:.0%} and "
            f"{GROUPS[name].p90:.0%} would do"
            for name, fits in self.fits.items()
            for fit in fits
            if _written(fit)
            and not (
                fit.held_out.median <= GROUPS[name].median and fit.held_out.p90 <= GROUPS[name].p90
            )
        )


def _written(fit: LawFit) -> bool:
    """Whether a profile has a place for a fit: not for kernels that no software asks for."""
    return not fit.law.startswith("attention ") or fit.law.removeprefix("attention ") in KERNELS


def choose(points: Sequence[Point], gpu: str = "", site: str = "") -> tuple[str, list[Point]]:
    """Return the GPU that points are of, and its points.

    Raises
    ------
    InputError
        If there are several GPUs and none was named, or nothing is left.
    """
    kept = [p for p in points if site in p.site]
    if not kept:
        sites = sorted({p.site for p in points})
        shown = "; ".join(f"{s[:60]!r}" for s in sites[:5])
        raise InputError(f"no point is of a site with {site!r} in it; sites are: {shown}")
    gpus = sorted({p.gpu for p in kept if p.measured})
    if gpu and gpu not in gpus:
        raise unknown("GPU in the points", gpu, gpus)
    if not gpu and len(gpus) > 1:
        raise InputError(f"points of several GPUs; choose one with --gpu: {', '.join(gpus)}")
    if not gpus:
        reasons = sorted({f"{p.status}: {p.note}" for p in kept})
        raise InputError(f"none of the {len(kept)} points is a measurement ({reasons[0][:80]})")
    name = gpu or gpus[0]
    return name, [p for p in kept if p.gpu == name]


def calibrate(
    points: Sequence[Point], gpu: str, cluster: Cluster, only: Collection[str] = ()
) -> Calibration:
    """Fit every law that there are enough points for.

    Raises
    ------
    InputError
        If a group of laws is unknown, or there is nothing to fit.
    """
    for name in only:
        if name not in GROUPS:
            raise unknown("group of laws", name, GROUPS)
    fits: dict[str, tuple[LawFit, ...]] = {}
    known, thin = cluster, []
    distinct = list(dict.fromkeys(points))  # twice the same point says nothing twice
    for name in (group for group in GROUPS if not only or group in only):
        for law in GROUPS[name].laws(distinct):
            fit = fit_law(law, known, distinct)
            if fit is not None:
                fits[name] = (*fits.get(name, ()), fit)
                known = with_constants(known, fit)
            elif own := sum(p.measured and law.owns(p) for p in distinct):
                thin.append(f"{law.name}: {own} points are too few")
    if not fits:
        wanted = f" of {', '.join(only)}" if only else ""
        raise InputError(
            f"nothing to fit: {len(points)} points{wanted}, too few of each kind; a law needs six "
            f"for each of its constants"
        )
    return Calibration(
        gpu=gpu, cluster=cluster, fits=fits, points=tuple(distinct), thin=tuple(thin)
    )


def with_constants(cluster: Cluster, fit: LawFit) -> Cluster:
    """Return the cluster with a fit's constants: later laws build on earlier ones.

    8-bit products have the overhead of 16-bit ones, and what crosses nodes starts inside one.
    """
    for constant in fit.constants:
        part, _, path = constant.key.partition(".")
        table, _, name = path.rpartition(".")
        value = constant.value * constant.scale
        if table == "gemm":
            gemm = replace(cluster.gpu.gemm, **{name: value})
            cluster = replace(cluster, gpu=replace(cluster.gpu, gemm=gemm))
        elif part in ("gpu", "node", "network") and not table and name:
            changed = replace(getattr(cluster, part), **{name: value})
            cluster = replace(cluster, **{part: changed})
    return cluster
