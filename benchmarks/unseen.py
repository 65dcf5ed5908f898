"""Predict every suite with constants that were fitted to the others: planner/validation/unseen.csv.

Run as ``python benchmarks/unseen.py``, on the runs that ship. Nothing is fitted here: the constants
are those that ``fit_software.py --unseen`` (times) and ``fit_memory.py --unseen`` (memory) left in
unseen_fits.json and unseen_memory.json; both write the predictions anew, too.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fit_constants import owned, with_memory, with_values
from fit_pooled import cases_of, predicted

from plan3d.planner.validation.prediction import Prediction
from plan3d.planner.validation.recorded import recorded_runs
from plan3d.planner.validation.report import summarise
from plan3d.planner.validation.rows import Case
from plan3d.planner.validation.runs import published_runs
from plan3d.planner.validation.unseen import UNSEEN, Figures, key_of

UNSEEN_FITS: Final = Path(__file__).with_name("unseen_fits.json")
"""Constants that decide times, by suite and by generation or network."""
UNSEEN_MEMORY: Final = Path(__file__).with_name("unseen_memory.json")
"""Constants that decide memory, by suite: of those that have a part in them; how well sweeps of a
suite are told with the others of it."""


def left_out(cases: Sequence[Case]) -> list[Case]:
    """Return each case with constants that were fitted to the other suites."""
    times, memory = read(UNSEEN_FITS), read(UNSEEN_MEMORY)["constants"]
    found = []
    for case in cases:
        suite = case.run.suite
        for owner, values in times[suite].items():
            case = with_values(case, owner, values)  # noqa: PLW2901
        found.append(with_memory(case, memory.get(suite, {})))
    return found


def read(path: Path) -> Mapping[str, Any]:
    """Return what a JSON file has."""
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def fitted_to(cases: Sequence[Case]) -> dict[str, str]:
    """Return by suite how many runs of others its constants of time are fitted to."""
    return {
        suite: "; ".join(
            f"{owner}: {n} runs" if n else f"{owner}: none"
            for owner in having
            for n in [sum(owned(owner, c) and c.run.suite != suite for c in cases)]
        )
        for suite, having in read(UNSEEN_FITS).items()
    }


def rows(predictions: Sequence[Prediction], known: Mapping[str, str]) -> Iterator[Sequence[str]]:
    """Yield the rows of the file, its head first."""
    yield ("id", *Figures.COLUMNS, "fitted_to")
    for p in predictions:
        figures = (
            p.predicted_s if p.measured_s is not None else None,
            p.predicted_bytes if p.measured_bytes is not None else None,
            p.estimate.need_bytes,
        )
        written = ("" if x is None else f"{x:.6g}" for x in figures)
        yield key_of(p.run), *written, known[p.run.suite]


def predict_unseen() -> None:
    """Write the predictions, and print their scores."""
    told = cases_of(recorded_runs())
    found = predicted(left_out(cases_of(published_runs())))
    more = predicted(left_out([case for case in told if key_of(case.run) != case.run.id]))
    known = fitted_to([case for case in told if case.measured_s])
    with UNSEEN.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows([*found, *more], known))
    scores = summarise(found, {})
    for name, errors in (("time", scores.time), ("memory", scores.memory)):
        for suite, score in errors.suites.items():
            print(f"{name:7s} {suite:15s} {score.n:5d} runs {100 * score.mape:6.1f} %")
    print(f"out of memory: {100 * (scores.oom_balanced_accuracy or 0):.1f} %")


if __name__ == "__main__":
    predict_unseen()
