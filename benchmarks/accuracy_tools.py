"""Another tool's predictions beside ours, on the same runs: tables of docs/accuracy.md.

Its predictions are those of benchmarks/other_tools.csv, which benchmarks/other_tools.py writes.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from accuracy_table import percent, table

from plan3d.planner.validation import Prediction
from plan3d.planner.validation.scores import balanced_accuracy, error_score, regret
from plan3d.planner.validation.sweeps import both_outcomes, timed_sweeps
from plan3d.planner.validation.unseen import as_unseen

FILE: Final = Path(__file__).with_name("other_tools.csv")
CAPACITY_BYTES: Final = 80 * 2.0**30
"""Memory of the GPU in Calculon's file."""
OPEN: Final[Mapping[str, str]] = {
    "predicted_s": "as mapped",
    "tp_overlap_s": "tensor parallelism overlapped (`ring`)",
    "dp_overlap_s": "data parallelism overlapped",
    "scatter_gather_s": "scatter and gather around pipeline transfers (`p2p_rs_ag`)",
    "flash_recomputed_s": "fused attention as attention recomputed",
    "shipped_network_s": "25 GB/s between nodes everywhere, as shipped",
    "micro_batch_1_s": "open micro-batches: 1",
    "slowest_s": "open micro-batches and depths: the slowest that fits",
}
"""Columns of the file, and what of the mapping is another in each."""

Time = Callable[[Prediction], float]


@cache
def told() -> dict[str, dict[str, str]]:
    """Return the rows of the file, by run."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def theirs(column: str = "predicted_s") -> Time:
    """Return its step with the choices of a column, which is empty where they change nothing."""
    return lambda p: float(told()[p.run.id][column] or told()[p.run.id]["predicted_s"])


def ours(prediction: Prediction) -> float:
    """Return our step, in-sample [s]."""
    return prediction.predicted_s


def unseen(prediction: Prediction) -> float:
    """Return our step with the run's suite left out of all fits [s]."""
    return as_unseen(prediction).predicted_s


def both(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Return the runs that both predict."""
    return [p for p in predictions if told().get(p.run.id, {}).get("predicted_s")]


def groups(runs: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    """Return the timed runs that both predict in the groups of the tables."""
    timed = [p for p in runs if p.measured_s is not None]
    named = {
        "Megatron-LM 2021, table 1": [p for p in timed if p.run.id.startswith("mlm21-t1-")],
        "Korthikanti et al. 2022, which is Calculon's own validation": [
            p for p in timed if p.run.id.startswith("korth22-0")
        ],
    }
    suites = sorted({p.run.suite for p in timed})
    by_suite = {f"suite {name}": [p for p in timed if p.run.suite == name] for name in suites}
    return named | by_suite


def error(runs: Sequence[Prediction], time: Time) -> tuple[float, float]:
    """Return mean error and bias over runs [1]."""
    predicted = np.array([time(p) for p in runs])
    score = error_score(predicted, np.array([p.measured_s for p in runs], dtype=float))
    return score.mape, score.bias


def suite_mean(runs: Sequence[Prediction], time: Time) -> tuple[float, float]:
    """Return the means over suites of mean error and bias [1]."""
    suites = [rows for name, rows in groups(runs).items() if name.startswith("suite ")]
    errors = np.array([error(rows, time) for rows in suites])
    return float(errors[:, 0].mean()), float(errors[:, 1].mean())


def compared(predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yield every score of both, each on the same runs."""
    runs = both(predictions)
    timed = [p for p in runs if p.measured_s is not None]
    times: tuple[Time, ...] = (theirs(), ours, unseen)
    body = [(name, "mean error (bias)", str(len(rows)), *_errors(error, rows, times))
            for name, rows in groups(runs).items()]  # fmt: skip
    n = str(len(timed))
    body += [
        ("all, each run counted once", "pooled error (bias)", n, *_errors(error, timed, times)),
        ("all, each suite counted once", "mean over suites (bias)", n,
         *_errors(suite_mean, timed, times)),
        _out_of_memory(runs),
        *_regrets(timed, times),
    ]  # fmt: skip
    head = "runs", "score", "n", "Calculon", "plan3d, in-sample", "plan3d, unseen"
    yield from table(head, body)


def choices(predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yield what other choices of the mapping give."""
    runs = both(predictions)
    timed = [p for p in runs if p.measured_s is not None]
    found = groups(runs)
    shown = {
        "Megatron-LM 2021, table 1": found["Megatron-LM 2021, table 1"],
        "vtrain-multi": found["suite vtrain-multi"],
        "vtrain-single": found["suite vtrain-single"],
        "all, pooled": timed,
    }
    head = ("Calculon", *shown, "all, mean over suites")
    body = [
        (
            what,
            *(percent(error(rows, theirs(column))[0]) for rows in shown.values()),
            percent(suite_mean(timed, theirs(column))[0]),
        )
        for column, what in OPEN.items()
    ]
    yield from table(head, body)


def fused(predictions: Sequence[Prediction]) -> str:
    """Return its balanced accuracy with activation functions that keep nothing."""
    rows = _sweep_runs(both(predictions))
    return percent(_told_accuracy(rows, "fused_bytes"))


def left_out(predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yield why runs on its GPU have no prediction, the most frequent reason first."""
    scored = {p.run.id for p in predictions}
    reasons = Counter(
        row["why_not"] for name, row in told().items() if row["why_not"] and name in scored
    )
    ordered = sorted(reasons.items(), key=lambda c: (-c[1], c[0]))
    yield from table(("why", "runs"), ((why, str(n)) for why, n in ordered))


def _errors(
    score: Callable[[Sequence[Prediction], Time], tuple[float, float]],
    runs: Sequence[Prediction],
    times: Sequence[Time],
) -> Iterator[str]:
    """Yield error and bias of each."""
    for time in times:
        size, bias = score(runs, time)
        yield f"{percent(size)} ({100 * bias:+.1f})"


def _regrets(timed: Sequence[Prediction], times: Sequence[Time]) -> Iterator[tuple[str, ...]]:
    """Yield the regret over all sweeps, and over those of more than one node."""
    for name, sweeps in (
        ("sweeps of one job", timed_sweeps(timed)),
        ("the same without `vtrain-single`",
         timed_sweeps(p for p in timed if p.run.suite != "vtrain-single")),
    ):  # fmt: skip
        cells = []
        for time in times:
            found = [
                regret(
                    np.array([time(p) for p in sweep]),
                    np.array([p.measured_s for p in sweep], dtype=float),
                )
                for sweep in sweeps
            ]
            cells.append(percent(float(np.mean(found))))
        yield name, "mean regret", f"{len(sweeps)} sweeps", *cells


def _out_of_memory(runs: Sequence[Prediction]) -> tuple[str, ...]:
    """Return the row of running out of memory."""
    rows = _sweep_runs(runs)
    happened = np.array([bool(p.run.oom) for p in rows])
    said = [np.array([not p.estimate.fits for p in x]) for x in (rows, map(as_unseen, rows))]
    scores = (
        percent(_told_accuracy(rows, "predicted_bytes")),
        *(percent(balanced_accuracy(over, happened)) for over in said),
    )
    suites = ", ".join(sorted({p.run.suite for p in rows}))
    return f"sweeps of {suites}", "out of memory, balanced accuracy", str(len(rows)), *scores


def _sweep_runs(runs: Sequence[Prediction]) -> list[Prediction]:
    """Return the runs of sweeps that publish both outcomes."""
    return [p for sweep in both_outcomes(runs) for p in sweep]


def _told_accuracy(rows: Sequence[Prediction], column: str) -> float | None:
    """Return its balanced accuracy of running out of memory [1]."""
    said = np.array([float(told()[p.run.id][column]) > CAPACITY_BYTES for p in rows])
    return balanced_accuracy(said, np.array([bool(p.run.oom) for p in rows]))
