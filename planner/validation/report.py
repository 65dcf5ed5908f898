"""The scores of a validation."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.scores import (
    ErrorScore,
    balanced_accuracy,
    error_score,
    kendall_tau,
    regret,
)
from plan3d.planner.validation.sweeps import both_outcomes, timed_sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of a quantity by suite; each suite counts once, however large."""

    suites: Mapping[str, ErrorScore]

    @property
    def macro_mape(self) -> float | None:
        """Mean over the suites of their mean error [1]."""
        return _mean([s.mape for s in self.suites.values()])

    @property
    def macro_bias(self) -> float | None:
        """Mean over the suites of their bias [1]."""
        return _mean([s.bias for s in self.suites.values()])

    def to_json(self) -> dict[str, object]:
        """Return the scores as plain values: fractions, not percents."""
        return {
            "macro_mape": self.macro_mape,
            "macro_bias": self.macro_bias,
            "suites": {name: asdict(score) for name, score in self.suites.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Layouts of one job, measured by one source: how well the model ranks them."""

    suite: str
    source: str
    model: str
    gpus: int
    seq: int | None
    global_batch: int | None
    n: int
    tau: float
    """Kendall's tau-b. [1]"""
    regret: float
    """Measured time of the layout predicted best, over the best measured, less 1. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """How predictions compare with published runs."""

    predictions: tuple[Prediction, ...]
    time: Errors
    memory: Errors
    sweeps: tuple[Sweep, ...]
    oom_balanced_accuracy: float | None
    """Of predicting whether a run fits, over sweeps that publish both outcomes. [1]"""
    oom_n: int
    skipped: Mapping[str, int]
    """Rows left out, by reason."""
    doubtful: tuple[str, ...] = ()
    """The rows among them whose figures contradict each other, or must be in another unit; why."""

    @property
    def mean_tau(self) -> float | None:
        """Mean rank correlation over the sweeps [1]."""
        return _mean([s.tau for s in self.sweeps])

    @property
    def mean_regret(self) -> float | None:
        """Mean regret over the sweeps [1]."""
        return _mean([s.regret for s in self.sweeps])

    @property
    def assumed(self) -> Mapping[str, int]:
        """What was assumed, and in how many rows."""
        return Counter(text for p in self.predictions for text in p.assumed)

    def to_json(self) -> dict[str, object]:
        """Return the scores as plain values: fractions, not percents."""
        memory = {k: asdict(v) for k, v in self.memory.suites.items()}
        return {
            "time": self.time.to_json(),
            "ranking": {
                "mean_tau": self.mean_tau,
                "mean_regret": self.mean_regret,
                "sweeps": [asdict(s) for s in self.sweeps],
            },
            "memory": {
                "mape": self.memory.macro_mape,
                "bias": self.memory.macro_bias,
                "suites": memory,
            },
            "oom": {"balanced_accuracy": self.oom_balanced_accuracy, "n": self.oom_n},
            "skipped": dict(self.skipped),
            "scored": len(self.predictions),
            "assumed": dict(self.assumed),
        }


def summarise(
    predictions: Sequence[Prediction], skipped: Mapping[str, int], doubtful: tuple[str, ...] = ()
) -> Validation:
    """Return the scores of predictions."""
    accuracy, n = _oom(predictions)
    return Validation(
        predictions=tuple(predictions),
        time=_errors(predictions, lambda p: p.predicted_s, lambda p: p.measured_s),
        memory=_errors(predictions, lambda p: p.predicted_bytes, lambda p: p.measured_bytes),
        sweeps=_sweeps(predictions),
        oom_balanced_accuracy=accuracy,
        oom_n=n,
        skipped=skipped,
        doubtful=doubtful,
    )


def _errors(
    predictions: Sequence[Prediction],
    predicted: Callable[[Prediction], float],
    measured: Callable[[Prediction], float | None],
) -> Errors:
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for p in predictions:
        if (value := measured(p)) is not None:
            pairs[p.run.suite].append((predicted(p), value))
    return Errors(
        suites={name: error_score(*np.array(rows).T) for name, rows in sorted(pairs.items())}
    )


def _sweeps(predictions: Sequence[Prediction]) -> tuple[Sweep, ...]:
    found = []
    for rows in timed_sweeps(predictions):
        run = rows[0].run
        predicted = np.array([p.predicted_s for p in rows])
        measured = np.array([p.measured_s for p in rows], dtype=np.float64)
        found.append(
            Sweep(
                suite=run.suite,
                source=run.source,
                model=run.model,
                gpus=run.gpus,
                seq=run.seq,
                global_batch=run.global_batch,
                n=len(rows),
                tau=kendall_tau(predicted, measured),
                regret=regret(predicted, measured),
            )
        )
    return tuple(found)


def _oom(predictions: Sequence[Prediction]) -> tuple[float | None, int]:
    """Return balanced accuracy and rows of the sweeps that publish both outcomes."""
    rows = [p for sweep in both_outcomes(predictions) for p in sweep]
    predicted = np.array([not p.estimate.fits for p in rows], dtype=bool)
    actual = np.array([bool(p.run.oom) for p in rows], dtype=bool)
    return balanced_accuracy(predicted, actual) if rows else None, len(rows)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
