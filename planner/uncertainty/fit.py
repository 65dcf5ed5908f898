"""From predictions of published runs to a calibration."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from plan3d.planner.uncertainty.calibration import Calibration
from plan3d.planner.uncertainty.chances import MemoryChance, grid
from plan3d.planner.uncertainty.conformal import band
from plan3d.planner.uncertainty.regimes import SLOW, Regime, regimes
from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.sweeps import sweeps
from plan3d.simulator.errors import InputError
from plan3d.simulator.numeric import Bools, Floats, Ints

GENTLE = 1e-3
"""Ridge that keeps the fit finite where the runs are told apart without a mistake. [1]"""
RANGES = ((-1.0, 1.0), (0.05, 5.0))
"""Of shift and slope. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the predictions are of, for the record."""

    runs: str
    digest: str
    date: str


def calibrate(
    predictions: Sequence[Prediction],
    source: Source,
    outcomes: Sequence[Sequence[Prediction]] = (),
) -> Calibration:
    """Return what predictions of published runs teach about how wrong predictions are.

    Parameters
    ----------
    predictions
        Of runs whose time or memory was measured.
    source
        What they are of.
    outcomes
        Sweeps, as they ship, of which some runs ran out of memory and some did not.
    """
    timed = [p for p in predictions if p.measured_s is not None]
    weighed = [p for p in predictions if p.measured_bytes is not None]
    if not timed or not weighed:
        raise InputError("no measured step time, or no measured memory: no intervals follow")
    time, kind, suites = time_residuals(timed), kinds(timed), suites_of(timed)
    union = band(time, list(suites))
    by_regime = {
        r: band(
            time[kind == r],
            list(suites[kind == r]),
            band(time[like], list(suites[like]), union),
        )
        for r, like in relatives(timed).items()
    }
    memory, owners = memory_residuals(weighed), suites_of(weighed)
    return Calibration(
        runs=source.runs,
        digest=source.digest,
        date=source.date,
        gpus=frozenset(p.run.gpu for p in timed),
        time=by_regime,
        union=union,
        memory=band(memory, list(owners)),
        out_of_memory=memory_chance(weighed, outcomes),
        spreads=spreads(timed),
    )


def time_residuals(timed: Sequence[Prediction]) -> Floats:
    """Return log(predicted / measured) of step times, shape (n,) [1]."""
    measured_s = np.array([p.measured_s for p in timed], dtype=np.float64)
    return np.log(np.array([p.predicted_s for p in timed]) / measured_s)


def memory_residuals(weighed: Sequence[Prediction]) -> Floats:
    """Return log(predicted / measured) of what the memory figures count, shape (n,) [1]."""
    measured_bytes = np.array([p.measured_bytes for p in weighed], dtype=np.float64)
    return np.log(np.array([p.predicted_bytes for p in weighed]) / measured_bytes)


def suites_of(predictions: Sequence[Prediction]) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return the suite of each prediction, shape (n,)."""
    return np.array([p.run.suite for p in predictions], dtype=np.str_)


def kinds(predictions: Sequence[Prediction], known: Calibration | None = None) -> Ints:
    """Return the `Regime` of each prediction, shape (n,); without a calibration all are seen."""
    gpus = {p.run.gpu for p in predictions}
    seen = {gpu for gpu in gpus if known is None or known.knows(gpu)}
    return regimes(
        mfu=np.array([p.estimate.mfu for p in predictions], dtype=np.float64),
        zero=np.array([p.layout.zero for p in predictions], dtype=np.float64),
        cp=np.array([p.layout.cp for p in predictions], dtype=np.float64),
        moe=np.array([(p.run.experts or 0) > 1 for p in predictions], dtype=bool),
        many_nodes=np.array([p.run.gpus > p.gpus_per_node for p in predictions], dtype=bool),
        seen=np.array([p.run.gpu in seen for p in predictions], dtype=bool),
    )


def relatives(timed: Sequence[Prediction]) -> dict[Regime, Bools]:
    """Return which runs are the most like those of each regime, shape (n,).

    Their interval stands in where a regime has too few suites: what is rare is as fast as the
    fast, what is slow on a node is at least not slowed by a network; of an unseen GPU nothing is
    known.
    """
    slow = np.array([p.estimate.mfu < SLOW for p in timed], dtype=bool)
    many = np.array([p.run.gpus > p.gpus_per_node for p in timed], dtype=bool)
    return {
        Regime.PLAIN: ~slow,
        Regime.RARE: ~slow,
        Regime.SLOW_ONE_NODE: ~many,
        Regime.SLOW_MANY_NODES: many,
        Regime.UNSEEN: np.ones(len(timed), dtype=bool),
    }


def spreads(timed: Sequence[Prediction]) -> dict[str, tuple[float, ...]]:
    """Return the `grid` of the residuals around the median of their sweep, by suite.

    Widened by sqrt(n / (n - 1)): the median of n follows its own sweep.
    """
    found: dict[str, list[Floats]] = defaultdict(list)
    for sweep in sweeps(timed):
        residuals = time_residuals(sweep)
        wider = np.sqrt(len(sweep) / (len(sweep) - 1))
        found[sweep[0].run.suite].append((residuals - np.median(residuals)) * wider)
    if not found:
        raise InputError("no sweep of layouts: how far apart their errors are is unknown")
    return {suite: grid(np.concatenate(parts)) for suite, parts in sorted(found.items())}


def memory_chance(
    weighed: Sequence[Prediction], outcomes: Sequence[Sequence[Prediction]]
) -> MemoryChance:
    """Return the chance to run out of memory: residuals of memory, fitted to outcomes."""
    residuals, suites = memory_residuals(weighed), suites_of(weighed)
    known = {str(s): grid(residuals[suites == s]) for s in np.unique(suites)}
    plain = MemoryChance(residuals=known, shift=0.0, slope=1.0)
    rows = [p for sweep in outcomes for p in sweep]
    if not rows:
        return plain
    shift, slope = likeliest(plain, *demand(rows), ran_out(rows))
    return replace(plain, shift=shift, slope=slope)


def demand(rows: Sequence[Prediction]) -> tuple[Floats, Floats]:
    """Return predicted need and capacity of each row, shape (n,) [bytes]."""
    return (
        np.array([p.estimate.need_bytes for p in rows], dtype=np.float64),
        np.array([p.estimate.capacity_bytes for p in rows], dtype=np.float64),
    )


def ran_out(rows: Sequence[Prediction]) -> Bools:
    """Return which rows ran out of memory, shape (n,)."""
    return np.array([bool(p.run.oom) for p in rows], dtype=bool)


def likeliest(
    plain: MemoryChance, need_bytes: Floats, capacity_bytes: Floats, happened: Bools
) -> tuple[float, float]:
    """Return shift and slope that make outcomes the likeliest.

    With a ridge of `GENTLE` towards none and one, leaving the chances as the residuals say.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  (heavy)

    def surprise(beta: Floats) -> float:
        chance = replace(plain, shift=float(beta[0]), slope=float(beta[1]))
        said = np.clip(chance(need_bytes, capacity_bytes), 1e-9, 1 - 1e-9)
        ridge = GENTLE * (beta[0] ** 2 + (beta[1] - 1) ** 2)
        return float(ridge - np.log(np.where(happened, said, 1 - said)).mean())

    found = minimize(surprise, (0.0, 1.0), method="Nelder-Mead", bounds=RANGES).x
    return float(found[0]), float(found[1])
