"""Predictions of runs that no constant was fitted to: each suite with constants fitted to others.

The file is written by ``python benchmarks/unseen.py``; it goes with `published.csv`, and has runs
once more with what their jobs recorded (`recorded.csv`), where that is known.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.report import Validation, summarise
from plan3d.planner.validation.runs import Run, published_runs
from plan3d.simulator.result import Memory, StepTime

UNSEEN: Final = Path(__file__).with_name("unseen.csv")
SAME: Final = attrgetter(
    "source", "model", "gpus", "seq", "tp", "pp", "micro_batch", "global_batch", "iter_s",
    "tokens_s_gpu", "tflops_gpu", "mfu", "mem_gb", "oom", "version", "allreduce_gb_s",
    "allgather_gb_s", "node_allreduce_gb_s",
)  # fmt: skip
"""By which a run is the published one of its id, not another that has it."""
Terms = TypeVar("Terms", StepTime, Memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is predicted of a run with constants fitted to the other suites."""

    step_s: float | None
    """None where no step was measured. [s]"""
    counted_bytes: float | None
    """The part of the memory that the measured figure counts; None where there is none. [bytes]"""
    need_bytes: float
    """What there must be room for. [bytes]"""

    COLUMNS: ClassVar = ("unseen_s", "unseen_bytes", "unseen_need_bytes")

    @classmethod
    def of(cls, row: dict[str, str]) -> "Figures":
        """Return the figures of a row of the file."""
        step_s, counted, need = (row[name] for name in cls.COLUMNS)
        return cls(
            step_s=float(step_s) if step_s else None,
            counted_bytes=float(counted) if counted else None,
            need_bytes=float(need),
        )


@cache
def unseen_figures() -> dict[str, Figures]:
    """Return the figures of each published run, by its `key_of`."""
    with UNSEEN.open(encoding="utf-8", newline="") as file:
        return {row["id"]: Figures.of(row) for row in csv.DictReader(file)}


def key_of(run: Run) -> str:
    """Return what the file calls a run: its id, and whether its job's record is known."""
    told = run.version or run.node_allreduce_gb_s is not None
    return f"{run.id} recorded" if told else run.id


@cache
def _published() -> dict[str, object]:
    """Return what says that a run is the published one, by its `key_of`."""
    return {
        key_of(run): SAME(run) for runs in (published_runs(), recorded_runs()) for run in runs.rows
    }


def unseen(predictions: Iterable[Prediction]) -> Validation:
    """Return the scores of the published runs among predictions; none of any if there are none."""
    return summarise([as_unseen(p) for p in predictions if _known(p)], {})


def as_unseen(prediction: Prediction) -> Prediction:
    """Return a prediction as constants that are fitted to the other suites make it.

    Time and need are known, not their terms, which keep their shares. Runs that are not published
    ones stay as they are.
    """
    if not _known(prediction):
        return prediction
    figures, estimate = unseen_figures()[key_of(prediction.run)], prediction.estimate
    time = estimate.time
    if figures.step_s is not None:
        time = _scaled(time, figures.step_s / prediction.predicted_s)
    memory = _scaled(estimate.memory, figures.need_bytes / estimate.memory_bytes)
    return replace(
        prediction,
        estimate=replace(estimate, time=time, memory=memory, kept_bytes=0.0),
        predicted_bytes=figures.counted_bytes or prediction.predicted_bytes,
    )


def _known(prediction: Prediction) -> bool:
    """Whether a run is a published one that was predicted, not only named like it."""
    key = key_of(prediction.run)
    return key in unseen_figures() and SAME(prediction.run) == _published()[key]


def _scaled(terms: Terms, factor: float) -> Terms:
    """Return terms so many times as large."""
    return type(terms)(**{f.name: factor * getattr(terms, f.name) for f in fields(terms)})
