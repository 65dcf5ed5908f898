"""Do the intervals hold what they promise? Runs inside them, and how wide they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from plan3d.planner.uncertainty.calibration import Calibration, shipped
from plan3d.planner.uncertainty.conformal import Band, suite_weights
from plan3d.planner.uncertainty.fit import kinds, memory_residuals, suites_of, time_residuals
from plan3d.planner.uncertainty.regimes import Regime
from plan3d.planner.validation.prediction import Prediction
from plan3d.simulator.numeric import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Runs inside their 90 % intervals."""

    runs: int
    suites: int
    of_runs: float
    """Share of the runs. [1]"""
    of_suites: float
    """Mean over the suites of their share: each counts once. [1]"""
    factor: float
    """Upper over lower end, geometric mean over the suites. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverages:
    """Coverage of both intervals; None where nothing was measured."""

    time: Coverage | None
    memory: Coverage | None

    def to_json(self) -> dict[str, object]:
        """Return plain values: fractions, not percents."""
        return {
            "time": None if self.time is None else asdict(self.time),
            "memory": None if self.memory is None else asdict(self.memory),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inside:
    """Runs, each with its interval: columns of shape (n,)."""

    runs: tuple[Prediction, ...]
    held: Bools
    width: Floats
    """log(upper / lower end). [1]"""
    regime: tuple[Regime, ...] = ()

    def score(self) -> Coverage | None:
        """Return the coverage."""
        if not self.runs:
            return None
        suites = suites_of(self.runs)
        weights = suite_weights(suites.tolist())
        return Coverage(
            runs=len(self.runs),
            suites=len(set(suites.tolist())),
            of_runs=float(self.held.mean()),
            of_suites=float(weights @ self.held),
            factor=float(np.exp(weights @ self.width)),
        )


def coverage(predictions: Sequence[Prediction], known: Calibration | None = None) -> Coverages:
    """Return how many runs are inside the intervals of a calibration, by default the shipped one.

    Runs that the calibration was learnt from are inside more often than new ones.
    """
    learnt = known or shipped()
    return Coverages(
        time=inside_time(predictions, learnt).score(),
        memory=inside_memory(predictions, learnt).score(),
    )


def inside_time(predictions: Sequence[Prediction], known: Calibration) -> Inside:
    """Return which measured step times are inside their intervals."""
    timed = tuple(p for p in predictions if p.measured_s is not None)
    regimes = tuple(Regime(k) for k in kinds(timed, known).tolist())
    held, width = _inside(time_residuals(timed), [known.time[r] for r in regimes])
    return Inside(runs=timed, held=held, width=width, regime=regimes)


def inside_memory(predictions: Sequence[Prediction], known: Calibration) -> Inside:
    """Return which measured peaks are inside their intervals."""
    weighed = tuple(p for p in predictions if p.measured_bytes is not None)
    held, width = _inside(memory_residuals(weighed), [known.memory] * len(weighed))
    return Inside(runs=weighed, held=held, width=width)


def _inside(residuals: Floats, bands: Sequence[Band]) -> tuple[Bools, Floats]:
    low = np.array([band.low for band in bands], dtype=np.float64)
    high = np.array([band.high for band in bands], dtype=np.float64)
    return (low <= residuals) & (residuals <= high), high - low
